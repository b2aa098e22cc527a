"""The classifier without torch: contract, abstention, evidence, persistence, hostile input."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from fisc.basir import Sector, SectorClassifier, Taxonomy, classify_speech
from fisc.basir.sectors.pair import DecisionRule, fit_pair_model, tune_rule
from fisc.data import DataError, DataWarning, OptionError, load_budget_excerpts

NEW_TEXTS = [
    "The excise duty on Portland cement and clinker is reduced from sixteen to twelve per cent.",
    "Hospitals and medical colleges in every district will be funded.",
    "We shall listen to the people and govern with humility.",
]


@pytest.fixture(scope="module")
def excerpts() -> pd.DataFrame:
    return load_budget_excerpts()


@pytest.fixture(scope="module")
def fitted(excerpts: pd.DataFrame) -> SectorClassifier:
    return SectorClassifier("lexical").fit(excerpts["text"], excerpts["sectors"])


def test_predict_finds_sectors_and_abstains(fitted: SectorClassifier) -> None:
    predicted = fitted.predict(NEW_TEXTS)
    assert predicted[0] == ["Cement"]
    assert "Healthcare" in predicted[1]
    assert predicted[2] == []


def test_scores_are_calibrated_probabilities(fitted: SectorClassifier, excerpts: pd.DataFrame) -> None:
    scores = fitted.scores(excerpts["text"])
    assert scores.shape == (125, 81)
    assert list(scores.columns) == Taxonomy.default().names
    assert scores.index.equals(excerpts.index)
    assert ((scores >= 0) & (scores <= 1)).all().all()
    assert fitted.report_.expected == pytest.approx(fitted.report_.observed, rel=0.05)


def test_predict_agrees_with_scores_and_rule(fitted: SectorClassifier, excerpts: pd.DataFrame) -> None:
    texts = excerpts["text"][:20]
    chosen = fitted.model_.rule.apply(fitted.scores(texts).to_numpy())
    assert [set(p) for p in fitted.predict(texts)] == [set(r) for r in Taxonomy.default().decode(chosen)]


def test_same_seed_same_bits(fitted: SectorClassifier, excerpts: pd.DataFrame) -> None:
    again = SectorClassifier("lexical").fit(excerpts["text"], excerpts["sectors"])
    assert np.array_equal(again.scores(NEW_TEXTS), fitted.scores(NEW_TEXTS))


def test_scores_of_a_text_do_not_depend_on_its_company(fitted: SectorClassifier) -> None:
    alone = pd.concat([fitted.scores([t]) for t in NEW_TEXTS], ignore_index=True)
    fitted.fitted_._memory.clear()
    assert np.allclose(alone, fitted.scores(NEW_TEXTS), atol=1e-12)


def test_a_long_text_scores_as_its_best_window(fitted: SectorClassifier) -> None:
    filler = " ".join(["We shall listen to the people and govern with humility."] * 20)
    long = f"{filler} {NEW_TEXTS[0]} {filler}"
    assert "Cement" in fitted.predict([long])[0]
    assert len(long.split()) > 120


def test_fifteen_labelled_texts_suffice(excerpts: pd.DataFrame) -> None:
    small = excerpts.iloc[::8]
    model = SectorClassifier("lexical").fit(small["text"], small["sectors"])
    assert "Cement" in model.predict(NEW_TEXTS)[0]


def test_zero_shot_works_for_an_own_taxonomy(excerpts: pd.DataFrame) -> None:
    own = Taxonomy(
        (
            Sector("Beekeeping", description="Keepers of bees.", keywords=("honey", "beehives", "apiaries")),
            Sector("Lighthouses", description="Lights for ships.", keywords=("lighthouse", "beacons")),
        )
    )
    model = SectorClassifier("lexical", taxonomy=own).fit(NEW_TEXTS)
    assert model.report_.zero_shot
    assert model.predict(["Beehives and honey will be exempt from duty.", "Roads are built."]) == [
        ["Beekeeping"],
        [],
    ]


def test_score_is_micro_f1(fitted: SectorClassifier, excerpts: pd.DataFrame) -> None:
    assert fitted.score(["Duty on cement."], [["Cement"]]) == 1.0
    assert 0.8 < fitted.score(excerpts["text"], excerpts["sectors"]) < 1.0


def test_sklearn_can_clone_it(fitted: SectorClassifier) -> None:
    assert clone(fitted).get_params() == fitted.get_params()


def test_evidence_is_what_carried_the_score(fitted: SectorClassifier) -> None:
    text = f"{NEW_TEXTS[2]} {NEW_TEXTS[0]} {NEW_TEXTS[2]}"
    found = fitted.explain(text).predicted[0]
    a, b = found.sentence
    assert found.sector == "Cement"
    assert text[a:b] == NEW_TEXTS[0]
    assert {text[s.start : s.end].lower() for s in found.spans} >= {"portland cement", "clinker"}
    without = text[:a] + text[b:]
    assert fitted.scores([without])["Cement"][0] < 0.2 * found.score


def test_evidence_round_trips_and_names_runners_up(fitted: SectorClassifier) -> None:
    evidence = fitted.explain(NEW_TEXTS[2])
    assert evidence.predicted == []
    assert "no sector" in evidence.summary()
    assert evidence.from_dict(json.loads(json.dumps(evidence.to_dict()))) == evidence


def test_html_like_text_stays_text(fitted: SectorClassifier) -> None:
    page = fitted.explain("<script>alert(1)</script> The duty on <b>cement</b> & tyres is cut.").to_html()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page
    assert "cement<sup>" in page


def test_bad_input_is_named(excerpts: pd.DataFrame) -> None:
    texts, labels = list(excerpts["text"]), list(excerpts["sectors"])
    with pytest.raises(OptionError, match="did you mean 'lexical'"):
        SectorClassifier("lexikal").fit(texts, labels)
    with pytest.raises(DataError, match="texts is one str"):
        SectorClassifier("lexical").fit("one text", [[]])
    with pytest.raises(DataError, match=r"texts\[1\] is empty"):
        SectorClassifier("lexical").fit(["a text", " "], [[], []])
    with pytest.raises(DataError, match=r"texts\[0\] is of type float"):
        SectorClassifier("lexical").fit([float("nan")], [[]])
    with pytest.raises(DataError, match="125 texts but 124 label lists"):
        SectorClassifier("lexical").fit(texts, labels[1:])
    with pytest.raises(OptionError, match=r"'Steels'.*did you mean 'Steel'"):
        SectorClassifier("lexical").fit(texts, [["Steels"], *labels[1:]])
    with pytest.raises(DataError, match="3 labelled texts are too few"):
        SectorClassifier("lexical").fit(texts[:3], labels[:3])
    with pytest.raises(DataError, match="none of the labelled texts has a sector"):
        SectorClassifier("lexical").fit(texts[:10], [[]] * 10)
    with pytest.raises(DataError, match="learns from labels and none were given"):
        SectorClassifier("finetuned").fit(texts)
    with pytest.raises(DataError, match="is not fitted"):
        SectorClassifier("lexical").predict(texts)
    with pytest.raises(DataError, match="no texts were given"):
        SectorClassifier("lexical").fit([])


def test_repeated_texts_are_counted(excerpts: pd.DataFrame) -> None:
    texts, labels = list(excerpts["text"]), list(excerpts["sectors"])
    with pytest.warns(DataWarning, match="2 of 127 texts occur more than once"):
        model = SectorClassifier("lexical").fit(texts + texts[:2], labels + labels[:2])
    assert model.report_.repeated == 2


def test_another_language_gets_no_sector_and_is_counted(fitted: SectorClassifier) -> None:
    with pytest.warns(DataWarning, match="1 of 2 texts do not look English"):
        predicted = fitted.predict([NEW_TEXTS[0], "इस्पात और सीमेंट पर शुल्क कम किया जाता है"])
    assert predicted == [["Cement"], []]


def test_a_speech_becomes_a_table_and_a_page(fitted: SectorClassifier, tmp_path) -> None:
    speech = pd.DataFrame({"text": [*NEW_TEXTS, "Rs. 500 crore go to cement works <i>now</i>."]})
    read = classify_speech(fitted, speech, title="A <speech>")
    frame = read.to_frame()
    assert frame["sector"].tolist().count("Cement") == 2
    assert frame["rupees"].max() == 5e9
    read.report().to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<i>now</i>" not in page
    assert "&lt;i&gt;now&lt;/i&gt;" in page
    assert "<speech>" not in page
    assert "Cement" in read.summary()
    assert read.from_dict(read.to_dict()).summary() == read.summary()


def test_the_rule_caps_abstains_and_compares_with_the_best() -> None:
    scores = np.array([[0.9, 0.5, 0.4, 0.1], [0.3, 0.29, 0.2, 0.1]])
    rule = DecisionRule(threshold=0.25, relative=0.5, abstain=0.35, cap=2)
    assert rule.apply(scores).tolist() == [[True, True, False, False], [False] * 4]
    assert DecisionRule(0.25, 0.5, 0.25, cap=1).apply(scores).sum() == 2


def test_the_tuned_rule_is_no_worse_than_half_a_point_from_the_best() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((200, 10)) < 0.1).astype(int)
    scores = np.clip(0.5 * truth + rng.random((200, 10)) * 0.6, 0, 1)
    rule = tune_rule(scores, truth)
    chosen = rule.apply(scores)
    f1 = 2 * (chosen & (truth > 0)).sum() / (chosen.sum() + truth.sum())
    assert f1 > 0.75


def test_pair_model_recovers_weights_and_calibration() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 10, 2))
    p = 1 / (1 + np.exp(-(2 * features[..., 0] - 2)))
    targets = (rng.random((300, 10)) < p).astype(int)
    model, out_of_fold = fit_pair_model(features, targets)
    weights = model.coef / model.scale * model.slope
    assert weights[0] == pytest.approx(2.0, abs=0.25)
    assert abs(weights[1]) < 0.15
    assert np.abs(model.probability(features) - p).mean() < 0.03
    assert out_of_fold.mean() == pytest.approx(targets.mean(), abs=0.005)
    assert np.allclose(model.contributions(features).sum(-1) + model.slope * model.intercept + model.shift,
                       model.slope * model.logit(features) + model.shift)  # fmt: skip


def test_light_import_and_lexical_need_no_torch() -> None:
    code = (
        "import sys, fisc.basir; light = set(sys.modules); "
        "from fisc.basir import SectorClassifier, attention; assert callable(attention); "
        "SectorClassifier('lexical').fit(['Duty on tea.']).predict(['Duty on tea.']); "
        "assert not {'pandas', 'sklearn', 'torch'} & light, light; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
