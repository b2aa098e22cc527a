"""Reading a budget speech from a PDF, a text file, a web address or bytes."""

from __future__ import annotations

import datetime as dt
import io
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fisc.basir.text.language import share_of_english
from fisc.basir.text.paragraphs import PAGE_END, split_paragraphs
from fisc.core import DataError, DataWarning, attach, read_bytes, read_date, record, require, scrubbed
from fisc.data import get_url

if TYPE_CHECKING:
    import pypdf

__all__ = ["opening", "read_speech", "stated_budget_year"]

LEAST_SPEECH_WORDS = 50
MAX_BYTES = 100_000_000
MAX_PAGE_BYTES = 5_000_000
_DATE_IN_NAME = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_PAGE_BREAK = "\x0c"
_PAGE_NUMBER = re.compile(r"\W*(?:page\s*)?\(?(?:\d{1,3}|[ivx]{1,5})\)?\W*", re.IGNORECASE)


def read_speech(path_or_url_or_bytes: str | Path | bytes, date: str | dt.date | None = None) -> pd.DataFrame:
    """Read a budget speech into paragraphs.

    Parameters
    ----------
    path_or_url_or_bytes : str, Path or bytes
        A PDF with a text layer or a text file: its path, its http(s) address, or its content.
    date : str or date, optional
        Day of the speech; by default taken from a file name that holds ``YYYY-MM-DD``.

    Returns
    -------
    DataFrame
        One row for each paragraph of 15 to 250 words: paragraph (1, 2, ...), part ("A", "B" or ""), page (from 1;
        1 throughout for a text without page breaks), text. ``.attrs`` holds date, numbers (the numbers
        printed in the speech, None where there is none) and notes on what was cut or repaired.

    Raises
    ------
    DataError
        If the file is missing, empty, encrypted, a scan without text, or a web page instead of a speech.
    OfflineError
        If an address cannot be reached, or the network is forbidden by FISC_OFFLINE.
    MissingExtraError
        If a PDF is given and pypdf is not installed.

    Examples
    --------
    >>> speech = b"Sir, I rise to present the Budget. " + b"The duty on steel is reduced to ten per cent. " * 6
    >>> read_speech(speech, date="1999-02-27")[["paragraph", "part", "page"]].values.tolist()
    [[1, '', 1]]
    """
    content, name = _content(path_or_url_or_bytes)
    when = _day(date, name)
    pages = _pages(content, name)
    joined = f"{PAGE_END}\n".join(pages)
    words = len(joined.split())
    if words < LEAST_SPEECH_WORDS:
        raise DataError(
            f"{name} holds {words} words; a speech has at least {LEAST_SPEECH_WORDS}. "
            + (
                "A scanned PDF has no text layer: run OCR on it first."
                if content[:5] == b"%PDF-"
                else "Is the file complete?"
            )
        )
    paragraphs, report = split_paragraphs(joined)
    notes = [
        f"{count} {what}"
        for count, what in (
            (report.contents_words, "words of contents left out"),
            (report.annex_words, "words of annexures left out"),
            (report.glued, "glued words separated"),
            (report.split, "paragraphs of over 250 words cut at sentences"),
            (report.merged, "headings and short pieces joined to the next paragraph"),
        )
        if count
    ]
    if share_of_english(joined[:20000]) < 0.5:
        notes.append("the text does not look English")
        warnings.warn(
            f"{name} does not look English; the classifiers know English only and will find no sector in it",
            DataWarning,
            stacklevel=2,
        )
    frame = pd.DataFrame(
        {
            "paragraph": range(1, len(paragraphs) + 1),
            "part": [p.part for p in paragraphs],
            "page": [p.page for p in paragraphs],
            "text": [p.text for p in paragraphs],
        }
    )
    attach(
        frame,
        record(
            options={"date": str(when) if when else None},
            inputs={"speech": content},
            notes=notes,
            source=name,
        ),
    )
    frame.attrs["date"] = when.isoformat() if when else None
    frame.attrs["numbers"] = [p.number for p in paragraphs]
    frame.attrs["notes"] = notes
    return frame


def opening(content: bytes, name: str) -> str:
    """Return the first 6,000 characters of a speech, for its date and to tell it from others."""
    return "\n".join(_pages(content, name))[:6000]


def stated_budget_year(text: str) -> str | None:
    """Return the financial year that the opening of a speech says it is for, e.g. "2013-14".

    Examples
    --------
    >>> stated_budget_year("I rise to present the Interim Budget for 2014-15.")
    '2014-15'
    """
    head = text[:6000]
    match = re.search(
        r"[Bb][Uu][Dd][Gg][Ee][Tt]S?\s+(?:[Ff][Oo][Rr]\s+)?(?:[Tt][Hh][Ee]\s+)?(?:[Yy][Ee][Aa][Rr]\s+|[Ff]inancial\s+year\s+)?"
        r"(\d{4})\s*[-–]\s*(\d{4}|\d{2})\b",
        head,
    )
    return f"{match.group(1)}-{match.group(2)[-2:]}" if match else None


def _content(source: str | Path | bytes) -> tuple[bytes, str]:
    if isinstance(source, (bytes, bytearray)):
        return bytes(source), "the given bytes"
    text = str(source)
    if text.startswith(("http://", "https://")):
        return get_url(text, most=MAX_BYTES), scrubbed(text)
    path = Path(text)
    if not path.exists():
        long = len(text.split()) > 20
        raise DataError(
            "the text of a speech was given where a path was expected; pass it as bytes: text.encode()"
            if long
            else f"there is no file {path}; give the path of a PDF or text file, an http(s) address, or bytes"
        )
    if path.is_dir():
        raise DataError(
            f"{path} is a folder; give one speech, or build the folder with: fisc data build budget-speeches"
        )
    return read_bytes(path, most=MAX_BYTES), path.name


def _day(date: str | dt.date | None, name: str) -> dt.date | None:
    if date is None:
        match = _DATE_IN_NAME.search(name)
        if match is None:
            return None
        date = match.group()
    return read_date("date", date)


def _pages(content: bytes, name: str) -> list[str]:
    """Return the text of each page."""
    head = content[:2000].lstrip().lower()
    if content.lstrip()[:5] == b"%PDF-":
        return _pdf_pages(content, name)
    if head.startswith((b"<!doctype html", b"<html", b"<?xml")) or b"<html" in head:
        title = re.search(rb"<title[^>]*>(.*?)</title>", content[:5000], re.IGNORECASE | re.DOTALL)
        said = f" (its title: {title.group(1).decode('utf-8', 'replace').strip()[:60]!r})" if title else ""
        raise DataError(
            f"{name} is a web page{said}, not a speech; a server may have sent an error page: download the PDF again"
        )
    if not content.strip():
        raise DataError(f"{name} is empty; expected the text of a speech")
    if b"\x00" in content[:4000]:
        raise DataError(f"{name} is neither a PDF nor text; give a PDF with a text layer or a text file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
        bad = text.count("\ufffd")
        warnings.warn(
            f"{name} is not UTF-8; read as Windows-1252 with {bad} unreadable characters",
            DataWarning,
            stacklevel=4,
        )
    return text.split(_PAGE_BREAK)


def _pdf_pages(content: bytes, name: str) -> list[str]:
    pypdf = require("pypdf", extra="basir")
    from pypdf.errors import DependencyError, PyPdfError

    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DataError(f"{name} is encrypted and needs a password; save it without one first")
        pages = [_page_text(page, name) for page in reader.pages]
    except (PyPdfError, DependencyError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} cannot be read as a PDF: {str(error)[:120]}; download it again") from error
    if not any(page.strip() for page in pages):
        raise DataError(
            f"{name} has {len(pages)} pages and no text: it is a scan; run OCR on it first (e.g. "
            f"ocrmypdf in.pdf out.pdf)"
        )
    return _without_running_lines(pages)


def _page_text(page: pypdf.PageObject, name: str) -> str:
    """Return the text of a page; instructions of megabytes are a drawing, or meant to keep a reader busy."""
    contents = page.get_contents()
    size = 0 if contents is None else len(contents.get_data())
    if size > MAX_PAGE_BYTES:
        raise DataError(
            f"{name} has a page of {size // 1_000_000} MB of instructions; no page of a speech has: give its text"
        )
    return page.extract_text() or ""


def _without_running_lines(pages: list[str]) -> list[str]:
    """Drop page numbers, and short head and foot lines that stand on more than half of the pages."""
    split = [[x.strip() for x in page.splitlines() if x.strip()] for page in pages]
    edges = [{_numberless(x) for x in [*lines[:2], *lines[-2:]] if len(x.split()) <= 10} for lines in split]
    counts = Counter(line for edge in edges for line in edge)
    running = {line for line, n in counts.items() if len(pages) > 3 and n > len(pages) / 2}
    out = []
    for lines in split:
        last = len(lines) - 2
        kept = [
            x
            for i, x in enumerate(lines)
            if not (_PAGE_NUMBER.fullmatch(x) or ((i < 2 or i >= last) and _numberless(x) in running))
        ]
        out.append("\n".join(kept))
    return out


def _numberless(line: str) -> str:
    return re.sub(r"\d+", "#", line)
