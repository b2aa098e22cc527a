"""Reading speeches: PDFs and texts, paragraphs, parts, hostile files."""

from __future__ import annotations

import datetime as dt
import io
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fisc.basir import read_speech
from fisc.basir.text.paragraphs import clean_lines, split_paragraphs
from fisc.basir.text.speech import stated_budget_year
from fisc.core import DataError, DataWarning, OfflineError, provenance

SENTENCE = "The excise duty on steel, cement and tyres is reduced to ten per cent from today."


def _speech(paragraphs: int = 12, words: int = 40) -> str:
    body = " ".join([SENTENCE] * (words // 15))
    numbered = "\n".join(f"{i}. {body}" for i in range(2, paragraphs + 1))
    return f"Sir, I rise to present the Budget for 1999-2000. {body}\n{numbered}\n"


def pdf(pages: list[str]) -> bytes:
    """Write a PDF with a text layer by hand: one line a text line, Helvetica."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for text in pages:
        lines = [
            line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)") for line in text.split("\n")
        ]
        stream = "BT /F1 9 Tf 40 800 Td 11 TL " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        content = len(objects)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {content} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    out, offsets = "%PDF-1.4\n", []
    for i, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{i} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{o:010d} 00000 n \n" for o in offsets)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{out.rindex('xref')}\n%%EOF\n"
    return out.encode("latin-1")


def test_a_text_becomes_numbered_paragraphs(tmp_path: Path) -> None:
    path = tmp_path / "1999-02-27.txt"
    path.write_text(_speech())
    frame = read_speech(path)
    assert list(frame.columns) == ["paragraph", "part", "page", "text"]
    assert frame["paragraph"].tolist() == list(range(1, 13))
    assert frame.attrs["numbers"] == [None, *range(2, 13)]
    assert frame.attrs["date"] == "1999-02-27"
    assert provenance(frame).source == "1999-02-27.txt"
    assert frame["text"].str.split().str.len().between(15, 250).all()


def test_a_pdf_gives_pages_and_drops_running_lines() -> None:
    pytest.importorskip("pypdf")
    body = [f"{i}. " + "\n".join([SENTENCE] * 3) for i in range(2, 22)]
    pages = [
        "Budget Speech 1999\n" + ("Sir, I rise to present the Budget. " + SENTENCE + "\n" if p == 0 else "")
        + "\n".join(body[p * 5 : p * 5 + 5]) + f"\n{p + 1}"
        for p in range(4)
    ]  # fmt: skip
    frame = read_speech(pdf(pages), date=dt.date(1999, 2, 27))
    assert frame["page"].max() == 4
    assert frame["page"].is_monotonic_increasing
    assert frame.attrs["numbers"] == [None, *range(2, 22)]
    assert not frame["text"].str.contains("Budget Speech 1999").any()
    assert frame.loc[frame["page"] == 2, "text"].str.contains("steel").all()


def test_hostile_files_are_explained(tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter()
    writer.add_blank_page(200, 200)
    scan = io.BytesIO()
    writer.write(scan)
    with pytest.raises(DataError, match="1 pages and no text: it is a scan; run OCR"):
        read_speech(scan.getvalue())
    locked = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([SENTENCE] * 3)))
    locked.encrypt("secret", algorithm="RC4-128")
    held = io.BytesIO()
    locked.write(held)
    with pytest.raises(DataError, match="is encrypted and needs a password"):
        read_speech(held.getvalue())
    with pytest.raises(DataError, match="cannot be read as a PDF"):
        read_speech(b"%PDF-1.4\nbroken")
    page = tmp_path / "bs.pdf"
    page.write_bytes(b"<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>")
    with pytest.raises(DataError, match=r"is a web page.*404 Not Found.*download the PDF again"):
        read_speech(page)
    with pytest.raises(DataError, match="is empty"):
        read_speech(b"  \n ")
    with pytest.raises(DataError, match="holds 3 words; a speech has at least 50"):
        read_speech(b"I thank you.")
    with pytest.raises(DataError, match="there is no file"):
        read_speech(tmp_path / "absent.pdf")
    with pytest.raises(DataError, match="is a folder"):
        read_speech(tmp_path)
    with pytest.raises(DataError, match="pass it as bytes"):
        read_speech(_speech()[:200])
    with pytest.raises(DataError, match="neither a PDF nor text"):
        read_speech(b"PK\x03\x04\x00\x00" * 20)
    with pytest.raises(DataError, match="date='soon' is not a day"):
        read_speech(_speech().encode(), date="soon")


def test_odd_encodings_and_languages_are_counted() -> None:
    with pytest.warns(DataWarning, match="not UTF-8; read as Windows-1252"):
        frame = read_speech(_speech().replace("Sir,", "Sir \x96").encode("latin-1"))
    assert len(frame) == 12
    hindi = "इस वर्ष इस्पात और सीमेंट पर शुल्क कम किया जाता है। " * 20
    with pytest.warns(DataWarning, match="does not look English"):
        read_speech(hindi.encode())


def test_an_address_is_fetched_and_its_errors_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/1999-02-27.txt"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(_speech().encode() if found else b"absent")

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        assert len(read_speech(f"{address}/1999-02-27.txt")) == 12
        with pytest.raises(DataError, match="answers 404"):
            read_speech(f"{address}/absent.pdf")
        monkeypatch.setenv("FISC_OFFLINE", "1")
        with pytest.raises(OfflineError, match="FISC_OFFLINE is set"):
            read_speech(f"{address}/1999-02-27.txt")
    finally:
        server.shutdown()
        server.server_close()
    monkeypatch.delenv("FISC_OFFLINE")
    with pytest.raises(OfflineError, match="cannot be reached"):
        read_speech(f"{address}/1999-02-27.txt")


def test_contents_annexures_and_parts() -> None:
    body = _speech(20)
    text = (
        "CONTENTS\nPART A\nPage No. Introduction Agriculture\nPART B\nDirect taxes\n"
        + body
        + "PART B\n"
        + "\n".join(f"{i}. " + " ".join([SENTENCE] * 3) for i in range(21, 40))
        + "\nANNEXURE I\n"
        + "Rates of duty 10 20 30 on goods.\n" * 10
    )
    frame = read_speech(text.encode())
    assert frame["part"].unique().tolist() == ["A", "B"]
    assert frame["text"].iloc[0].startswith("Sir, I rise")
    assert not frame["text"].str.contains("Rates of duty 10").any()
    assert any("words of annexures left out" in note for note in frame.attrs["notes"])


def test_glued_words_are_separated_and_real_words_are_not() -> None:
    text, glued = clean_lines(
        "The honour of the budget. ofthe budget andthe honour; the theme, together and therein. thehonour"
    )
    assert glued == 3
    assert "of the budget and the honour" in text
    assert "theme, together and therein" in text


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 600), min_size=1, max_size=12))
def test_no_word_is_lost_and_lengths_hold(lengths: list[int]) -> None:
    words = [f"w{chr(97 + i % 26)}" for i in range(sum(lengths))]
    lines, at = [], 0
    for n in lengths:
        lines.append(" ".join(words[at : at + n]))
        at += n
    paragraphs, _ = split_paragraphs("\n".join(lines))
    assert " ".join(p.text for p in paragraphs).split() == words
    if len(words) >= 15:
        assert all(15 <= len(p.text.split()) <= 250 for p in paragraphs)


def test_two_hundred_pages_are_no_trouble() -> None:
    pages = "\x0c".join(_speech(12) for _ in range(200))
    frame = read_speech(pages.encode())
    assert frame["page"].max() > 150
    assert len(frame) > 350


@pytest.mark.parametrize(
    ("text", "year"),
    [("I rise to present the Budget for 2013-14.", "2013-14"), ("Interim Budget 2014-2015", "2014-15"),
     ("THE BUDGET FOR THE YEAR 1951-52", "1951-52"), ("Budget for the year 1999-2000", "1999-00"), ("Sir,", None)],
)  # fmt: skip
def test_stated_year(text: str, year: str | None) -> None:
    assert stated_budget_year(text) == year


def test_every_real_speech_is_parsed(shared: Path) -> None:
    files = sorted((shared / "data" / "speeches").glob("*.txt"))
    assert len(files) >= 90
    for path in files:
        frame = read_speech(path)
        words = frame["text"].str.split().str.len()
        assert words.between(15, 250).all(), path.name
        assert len(frame) >= 8, path.name
        total = len(path.read_text(errors="replace").split())
        cut = sum(int(n.split()[0]) for n in frame.attrs["notes"] if "left out" in n)
        assert abs(words.sum() + cut - total) < 0.05 * total, path.name
