"""The data set `budget-speeches`: a folder or web page of speeches to one row for each paragraph."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import urllib.parse
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from fisc.basir.market.calendar import budget_kind, budget_year
from fisc.basir.text.speech import opening, read_speech, stated_budget_year
from fisc.core import DataError, DataWarning, OfflineError, fingerprint, offline
from fisc.data import get_url, load_budget_attention
from fisc.data.builders import Part

__all__ = ["COLUMNS", "parts"]

COLUMNS = ("date", "budget_year", "kind", "paragraph", "number", "part", "page", "words", "text", "file")

_MONTHS = "january february march april may june july august september october november december".split()
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_WRITTEN = re.compile(
    r"\b(?:(\d{1,2})(?:st|nd|rd|th)?\s+("
    + "|".join(_MONTHS)
    + r")|("
    + "|".join(_MONTHS)
    + r")\s+(\d{1,2})(?:st|nd|rd|th)?),?\s+(\d{4})\b",
    re.IGNORECASE,
)
_YEAR_IN_NAME = re.compile(r"(\d{4})-?(\d{2})(?!\d)")


def parts(source: str) -> list[Part]:
    """List the speeches of a folder of PDFs and texts, or of a web page that links to PDFs, as parts, in order of time.

    Left out, with a warning that counts them: copies of one speech under two names (the Ministry's files for 2013-14
    and 2014-15 are both the interim speech of February 2014), and files without a date.
    """
    found: dict[dt.date, tuple[str, bytes]] = {}
    seen: dict[str, str] = {}
    left_out: list[str] = []
    for name, content in sorted(_files(source), key=lambda f: f[0]):
        text = _first_page(content, name)
        day = _date(name, text)
        mark = hashlib.sha256(re.sub(r"\W+", "", text).lower().encode()).hexdigest()
        if mark in seen:
            left_out.append(f"{name} (same text as {seen[mark]})")
        elif day is None:
            left_out.append(f"{name} (no date in its name or opening; rename it YYYY-MM-DD)")
        elif day in found:
            left_out.append(f"{name} (a second speech of {day}, after {found[day][0]})")
        else:
            seen[mark] = name
            found[day] = (name, content)
            _check_year(name, text, day)
    if left_out:
        warnings.warn(f"{len(left_out)} files left out: {'; '.join(left_out[:4])}", DataWarning, stacklevel=2)
    if not found:
        raise DataError(
            f"{source} holds no speech that can be dated; expected .pdf or .txt files, best named YYYY-MM-DD"
        )
    return [
        Part(day.isoformat(), fingerprint(content), _maker(name, content, day))
        for day, (name, content) in sorted(found.items())
    ]


def _maker(name: str, content: bytes, day: dt.date) -> Callable[[], pd.DataFrame]:
    def make() -> pd.DataFrame:
        frame = read_speech(content, date=day)
        frame = frame.assign(
            date=day.isoformat(),
            budget_year=budget_year(day),
            kind=budget_kind(day),
            number=[n if n is not None else -1 for n in frame.attrs["numbers"]],
            words=[len(text.split()) for text in frame["text"]],
            file=name,
        )
        return frame[list(COLUMNS)]

    return make


def _files(source: str) -> list[tuple[str, bytes]]:
    if source.startswith(("http://", "https://")):
        return _linked(source)
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"{folder} is not a folder; give one with the speeches as .pdf or .txt, or the address of a page"
        )
    return [
        (p.name, p.read_bytes()) for p in sorted(folder.iterdir()) if p.suffix.lower() in (".pdf", ".txt")
    ]


def _linked(address: str) -> list[tuple[str, bytes]]:
    if offline():
        raise OfflineError(f"FISC_OFFLINE is set, so {address} is not fetched; give a folder of speeches")
    page = get_url(address).decode("utf-8", "replace")
    links = dict.fromkeys(re.findall(r"href=[\"']?([^\"'> ]+\.pdf)", page, re.IGNORECASE))
    if not links:
        raise DataError(f"{address} links to no PDF; give the page that lists the speeches, or a folder")
    targets = [urllib.parse.urljoin(address, link) for link in links]
    return [(t.rsplit("/", 1)[-1], get_url(t)) for t in targets]


def _first_page(content: bytes, name: str) -> str:
    """Return the opening of a speech: enough to date it and to tell it from others."""
    return opening(content, name)


def _date(name: str, text: str) -> dt.date | None:
    """Return the day of a speech: from its name, else as written in its opening, else from its budget year."""
    iso = _ISO.search(name)
    if iso:
        return _day(int(iso.group(1)), int(iso.group(2)), int(iso.group(3)))
    for written in _WRITTEN.finditer(text[:3000]):
        day, month, month_first, day_first, year = written.groups()
        number = _MONTHS.index((month or month_first).lower()) + 1
        found = _day(int(year), number, int(day or day_first))
        if found is not None and found.year >= 1947:
            return found
    stated = stated_budget_year(text)
    named = _YEAR_IN_NAME.search(name)
    year = stated or (f"{named.group(1)}-{named.group(2)}" if named else None)
    if year is None:
        return None
    known = [d.date() for d in load_budget_attention().index if budget_year(d.date()) == year]
    return known[0] if len(known) == 1 else None


def _day(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _check_year(name: str, text: str, day: dt.date) -> None:
    """Warn where a file's name promises another budget year than its text states."""
    stated, named = stated_budget_year(text), _YEAR_IN_NAME.search(name)
    if stated is None or named is None or _ISO.search(name):
        return
    promised = f"{named.group(1)}-{named.group(2)}"
    if promised != stated:
        warnings.warn(
            f"{name} is named for {promised} and is the speech for {stated}; it is filed under {day}",
            DataWarning,
            stacklevel=3,
        )
