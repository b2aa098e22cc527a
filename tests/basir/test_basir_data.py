"""The authors' data set and the builder of the corpus."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pandas as pd
import pytest

from fisc.basir.corpus import COLUMNS, parts
from fisc.data import DataError, DataWarning, OfflineError, build, card
from fisc.data.basir_hub import fetch_basir, leakage, read_basir

ROWS = [
    {"id": 1, "text": "Duty on steel.", "sectors": ["Steel"], "split": "train", "year": "2001-02"},
    {"id": 2, "text": "Duty on tea.", "sectors": [], "split": "test", "performance": {"Plantation": 0.01}},
]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        "\n".join(json.dumps(r) for r in ROWS),
        json.dumps({"train": [ROWS[0]], "test": [ROWS[1]]}),
        json.dumps(
            [{"excerpt": r["text"], "labels": "; ".join(r["sectors"]), "set": r["split"]} for r in ROWS]
        ),
        json.dumps(
            [{"paragraph": r["text"], "industry": str(r["sectors"]), "subset": r["split"]} for r in ROWS]
        ),
    ],
)
def test_every_layout_is_read(content: str) -> None:
    frame = read_basir(content)
    assert frame["text"].tolist() == ["Duty on steel.", "Duty on tea."]
    assert frame["sectors"].tolist() == [["Steel"], []]
    assert frame["split"].tolist() == ["train", "test"]


def test_a_field_map_and_its_errors() -> None:
    assert read_basir('[{"body": "Duty."}]', fields={"text": "body"})["text"].tolist() == ["Duty."]
    with pytest.raises(DataError, match="no field holds the text; the rows have body"):
        read_basir('[{"body": "Duty."}]')
    with pytest.raises(DataError, match=r"fields names 'bodi' for text.*did you mean 'body'"):
        read_basir('[{"body": "Duty."}]', fields={"text": "bodi"})
    with pytest.raises(DataError, match="line 1 is not JSON"):
        read_basir("<html>")
    with pytest.raises(DataError, match="row 0 has no text"):
        read_basir('[{"text": ""}]')
    with pytest.raises(DataError, match="row 0 is str"):
        read_basir('["Duty."]')


def test_leakage_between_splits_is_found() -> None:
    frame = pd.DataFrame(
        {"text": ["Duty on tea.", "DUTY on  tea", "Tax."], "split": ["train", "test", "test"]}
    )
    found = leakage(frame)
    assert found["crosses"].tolist() == [True]
    assert found["splits"].tolist() == ["test+train"]


def test_a_local_copy_is_checked_against_the_taxonomy(tmp_path: Path) -> None:
    path = tmp_path / "basir.json"
    path.write_text(json.dumps([*ROWS, {**ROWS[0], "id": 3, "split": "test"}]))
    with pytest.warns(DataWarning, match="1 texts stand in more than one split"):
        frame = fetch_basir(path=path)
    assert frame.attrs["licence"] == "CC-BY-NC-SA-4.0"
    assert frame.attrs["leakage"][0]["crosses"]
    path.write_text(json.dumps([{"text": "Duty.", "sectors": ["Castings, Forgings & Fastners"]}]))
    assert fetch_basir(path=path)["sectors"].tolist() == [["Castings, Forgings & Fasteners"]]
    path.write_text(json.dumps([{"text": "Duty.", "sectors": ["Steels"]}]))
    with pytest.raises(DataError, match="'Steels' is not in the taxonomy; did you mean 'Steel'"):
        fetch_basir(path=path)
    assert fetch_basir(path=path, sectors=[])["sectors"].tolist() == [["Steels"]]
    with pytest.raises(DataError, match="there is no file or folder"):
        fetch_basir(path=tmp_path / "absent")


def test_fetched_once_then_from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            listing = {"siblings": [{"rfilename": "data/train.json"}], "tags": ["license:cc-by-nc-sa-4.0"]}
            body = json.dumps(
                listing if "/api/" in self.path else [{"text": "Duty on tea.", "sectors": "Plantation"}]
            )
            self.send_response(404 if "absent" in self.path else 200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub = f"http://127.0.0.1:{server.server_port}"
    try:
        frame = fetch_basir("a/b", hub=hub)
        assert frame["split"].tolist() == ["train"]
        assert frame.attrs["licence"] == "CC-BY-NC-SA-4.0"
        assert len(asked) == 2
        with pytest.raises(DataError, match="answers 404"):
            fetch_basir("a/absent", hub=hub)
    finally:
        server.shutdown()
        server.server_close()
    monkeypatch.setenv("FISC_OFFLINE", "1")
    assert fetch_basir("a/b", hub=hub)["text"].tolist() == ["Duty on tea."]
    with pytest.raises(OfflineError, match="FISC_OFFLINE is set"):
        fetch_basir("a/c", hub=hub)


def _speech(year: str, extra: str = "") -> str:
    body = "The excise duty on steel, cement and tyres is reduced to ten per cent from today. " * 3
    numbered = "\n".join(f"{i}. {body}" for i in range(2, 12))
    return f"Sir, I rise to present the Budget for {year}. {extra}{body}\n{numbered}\n"


def test_the_corpus_is_built_in_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "2004-07-08.txt").write_text(_speech("2004-05"))
    (tmp_path / "2004-02-03.txt").write_text(_speech("2004-05", "This is an interim Budget. "))
    pieces = parts(str(tmp_path))
    assert [p.name for p in pieces] == ["2004-02-03", "2004-07-08"]
    frame = pd.concat([p.make() for p in pieces])
    assert list(frame.columns) == list(COLUMNS)
    assert frame.groupby("date")["kind"].first().tolist() == ["interim", "full"]
    assert set(frame["budget_year"]) == {"2004-05"}
    assert frame["words"].between(15, 250).all()
    assert [p.key for p in parts(str(tmp_path))] == [p.key for p in pieces]


def test_the_catalogue_builds_it(tmp_path: Path) -> None:
    (tmp_path / "2004-07-08.txt").write_text(_speech("2004-05"))
    (tmp_path / "2005-02-28.txt").write_text(_speech("2005-06", "Other. "))
    assert card("budget-speeches").loader == "build"
    built = build("budget-speeches", tmp_path / "out", {"source": str(tmp_path)})
    assert (built.parts_made, built.rebuilt) == (2, True)
    assert list(pd.read_parquet(built.data).columns) == list(COLUMNS)
    assert not build("budget-speeches", tmp_path / "out", {"source": str(tmp_path)}).rebuilt


def test_the_file_of_2013_that_is_the_speech_of_2014(tmp_path: Path) -> None:
    text = _speech("2014-15", "Interim Budget, February 17, 2014. ")
    (tmp_path / "bs201314.txt").write_text(text)
    (tmp_path / "bs.txt").write_text(text)
    with pytest.warns(DataWarning) as caught:
        pieces = parts(str(tmp_path))
    said = " ".join(str(w.message) for w in caught)
    assert [p.name for p in pieces] == ["2014-02-17"]
    assert "1 files left out" in said
    assert "same text as" in said
    assert "bs201314.txt" in said


def test_undated_files_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no speech that can be dated"):
        parts(str(tmp_path))
    (tmp_path / "notes.txt").write_text("Sir. " * 60)
    (tmp_path / "2001-02-28.txt").write_text(_speech("2001-02"))
    with pytest.warns(DataWarning, match="no date in its name or opening"):
        assert len(parts(str(tmp_path))) == 1
    with pytest.raises(DataError, match="is not a folder"):
        parts(str(tmp_path / "absent"))


def test_the_whole_corpus(shared: Path) -> None:
    pieces = parts(str(shared / "data" / "speeches"))
    assert len(pieces) >= 90
    assert pieces[0].name == "1947-11-26"
    frame = pieces[-1].make()
    assert frame["words"].between(15, 250).all()
