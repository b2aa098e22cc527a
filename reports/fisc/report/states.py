"""What a published page says of itself: that it is good, that it failed, or of when it is if a later run failed.

A good page is only ever replaced by a good one. When a run fails, the last good page stays under its
name and gets a banner.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import html
import re
from pathlib import Path

from fisc.core import WriteError, atomic_write

__all__ = ["failed_copy", "history_folder", "is_good", "mark_stale"]

_FAILED = '<meta name="fisc.state" content="failed">'
_CREATED = re.compile(r'<meta name="dcterms.created" content="([^"]*)">')
_BANNER = re.compile(r'<div class="failure stale".*?</div>\n', re.DOTALL)
_FRONT = '<header class="front">\n'
_LONGEST = 600  # letters of a reason


def history_folder(output: Path) -> Path:
    """Return the folder of past outputs of a published file: ``report.html`` -> ``report-runs``."""
    return output.with_name(f"{output.stem}-runs")


def failed_copy(output: Path) -> Path:
    """Return where a failed run leaves what it could make, if a good page stays in its place."""
    return history_folder(output) / f"failed{output.suffix}"


def is_good(output: Path) -> bool:
    """Tell whether a good page, stale or not, stands under a name."""
    try:
        return _FAILED.encode() not in output.read_bytes()
    except OSError:
        return False


def mark_stale(output: Path, message: str, moment: dt.datetime) -> None:
    """Put a banner on a good page: of when it is, when a run failed, and why; a PDF stays as it is."""
    if output.suffix != ".html" or not is_good(output):
        return
    # A full disk or a read-only folder must not hide why the run failed.
    with contextlib.suppress(OSError, WriteError):
        text = _BANNER.sub("", output.read_text(encoding="utf-8"))
        head, front, rest = text.partition(_FRONT)
        if not front:
            return
        made = _CREATED.search(head)
        age = f"This page is of {_day(dt.datetime.fromisoformat(made[1]))}. " if made else ""
        reason = message if len(message) <= _LONGEST else f"{message[:_LONGEST]} ..."
        banner = (
            f'<div class="failure stale" role="status"><strong>{age}The run of {_day(moment)} failed.</strong> '
            f"{html.escape(reason)}</div>\n"
        )
        with atomic_write(output) as file:
            file.write(head + front + banner + rest)


def _day(moment: dt.datetime) -> str:
    here = moment.astimezone(dt.UTC)
    return f"{here.day} {here:%B %Y, %H:%M} UTC"
