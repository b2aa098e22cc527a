"""Past outputs of a report: kept by time, listed on an index page, thinned by age."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from fisc.core import atomic_write
from fisc.report.blocks import Section, Table
from fisc.report.page import Report
from fisc.report.run_record import RunRecord
from fisc.report.states import failed_copy, history_folder

__all__ = ["archive", "past_outputs", "write_index"]

_STAMP = "%Y%m%dT%H%M%S%fZ"


def archive(output: Path, keep: int, now: dt.datetime | None = None) -> Path:
    """Keep a copy of the published file, and remove the oldest beyond `keep`.

    Parameters
    ----------
    output : pathlib.Path
        The published file.
    keep : int
        How many copies remain, at least 1.
    now : datetime, optional
        The time in the copy's name; the present if not given.

    Returns
    -------
    pathlib.Path
        The copy.
    """
    stamp = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC).strftime(_STAMP)
    copy = history_folder(output) / f"{output.stem}-{stamp}{output.suffix}"
    with output.open("rb") as source, atomic_write(copy, "wb") as target:
        shutil.copyfileobj(source, target)
    for old in past_outputs(output)[keep:]:
        with contextlib.suppress(OSError):
            old.unlink()
    return copy


def past_outputs(output: Path) -> list[Path]:
    """Return the kept copies, the latest first."""
    found = [
        path
        for path in history_folder(output).glob(f"{output.stem}-*{output.suffix}")
        if _moment(path, output) is not None
    ]
    return sorted(found, reverse=True)


def _moment(path: Path, output: Path) -> dt.datetime | None:
    """Return the time in a copy's name; None if it is not a copy."""
    try:
        return dt.datetime.strptime(path.stem.removeprefix(f"{output.stem}-"), _STAMP).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def write_index(title: str, output: Path, runs: Sequence[RunRecord]) -> Path:
    """Write the page that lists past outputs and how every run ended.

    Parameters
    ----------
    title : str
        Of the report.
    output : pathlib.Path
        The published file.
    runs : sequence of RunRecord
        Its runs, the latest first.

    Returns
    -------
    pathlib.Path
        ``index.html`` in the folder of past outputs.
    """
    links = [
        f"- [{moment:%d %B %Y, %H:%M:%S} UTC]({quote(path.name)})"
        for path in past_outputs(output)
        if (moment := _moment(path, output)) is not None
    ]
    latest = f"[The latest report](../{quote(output.name)})\n\n" if output.exists() else ""
    if runs and failed_copy(output).exists() and runs[0].status == "failed":
        latest += f"The last run failed; [what it could make]({failed_copy(output).name}).\n\n"
    rows = pd.DataFrame([_row(run) for run in runs], columns=["started", "seconds", "fate", "message"])
    path = history_folder(output) / "index.html"
    Report(
        title,
        [
            Section("Past reports", latest + ("\n".join(links) or "None is kept yet.")),
            Section("Runs", tables=[Table(rows, decimals=1, index=False, max_rows=200)]),
        ],
        subtitle="What was made, when, and how each run ended.",
    ).to_html(path)
    return path


def _row(run: RunRecord) -> dict[str, object]:
    return {
        "started": run.started.replace("T", " ").rstrip("Z"),
        "seconds": float("nan") if run.seconds is None else run.seconds,
        "fate": run.status,
        "message": run.message,
    }
