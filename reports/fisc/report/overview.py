"""One page over all reports: the state of each, what it last found, when it comes next, what has changed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from fisc.core.palette import COLOURS
from fisc.report.definition import ReportDefinition
from fisc.report.ledger import Ledger
from fisc.report.page import Figure, Report, Section
from fisc.report.prose import plain
from fisc.report.run_record import RunRecord
from fisc.report.schedule import coming_fires, due_since
from fisc.report.states import is_good

__all__ = ["Entry", "entries", "headline", "overview", "site_files"]

# A report due for longer than this is late: whoever should make it does not run.
_LATE = dt.timedelta(minutes=30)
_ORDER = ("failed", "stale", "late", "published", "not made yet")
_NUMBER = re.compile(r"(?<![\w.\-:/])[+\-−]?\d[\d,]*(?:\.\d+)?(?:e[+\-]?\d+)?(?![\w:]|-\d|/\d)")
_SHOWN = 60  # past runs in a sparkline


@dataclasses.dataclass(frozen=True)
class Entry:
    """One report of the overview.

    Attributes
    ----------
    definition : ReportDefinition
    page : str
        Name of its page in the site.
    runs : list of RunRecord
        The latest first.
    state : {"published", "stale", "late", "failed", "not made yet"}
        Late: published, and due for half an hour.
    coming : datetime or None
        Its next time.
    """

    definition: ReportDefinition
    page: str
    runs: list[RunRecord]
    state: str
    coming: dt.datetime | None

    @property
    def good(self) -> list[RunRecord]:
        """The runs that made a page, the latest first."""
        return [run for run in self.runs if run.status == "ok"]


def entries(definitions: Sequence[ReportDefinition], ledger: Ledger, now: dt.datetime) -> list[Entry]:
    """Return what is known of reports, those that need somebody first."""
    found: list[Entry] = []
    taken: set[str] = set()
    for definition in definitions:
        output, number = definition.output_path, 1
        page = output.name
        while page in taken:
            number += 1
            page = f"{output.stem}-{number}{output.suffix}"
        taken.add(page)
        runs = ledger.runs(definition.name)
        coming = next(iter(coming_fires(definition, 1, now)), None)
        found.append(Entry(definition, page, runs, _state(definition, runs, now), coming))
    return sorted(found, key=lambda entry: (_ORDER.index(entry.state), entry.definition.title))


def _state(definition: ReportDefinition, runs: list[RunRecord], now: dt.datetime) -> str:
    ended = next((run.status for run in runs if run.status in ("ok", "failed", "lost")), None)
    good = is_good(definition.output_path)
    if ended is None and not good:
        return "not made yet"
    if ended in ("failed", "lost"):
        return "stale" if good else "failed"
    if not good:
        return "failed"  # made once, and its page is gone
    since = due_since(definition, runs, now)
    return "late" if since is not None and now - since > _LATE else "published"


def headline(finding: str) -> float | None:
    """Return the number that a finding is followed by: its first that is no date, time or part of a name.

    Examples
    --------
    >>> headline("On 2026-02-01 mean income rose by −1,250.5 [−2,000, −500].")
    -1250.5
    """
    match = _NUMBER.search(re.sub(r"\d{4}-\d{2}-\d{2}", " ", finding.replace("*", "")))
    return None if match is None else float(match[0].replace("−", "-").replace(",", ""))


def overview(found: Sequence[Entry], title: str = "Reports") -> Report:
    """Return the page over all reports; its links lead to ``pages/NAME``."""
    counts = [(state, sum(entry.state == state for entry in found)) for state in _ORDER]
    told = ", ".join(f"{count} {state}" for state, count in counts if count)
    return Report(
        title, [_section(entry) for entry in found], subtitle=f"{told}." if told else "No report yet."
    )


def _section(entry: Entry) -> Section:
    good, output = entry.good, entry.definition.output_path
    last = next((run for run in entry.runs if run.status != "refused"), None)
    lines = [f"**{entry.state.capitalize()}.**"]
    if output.is_file() and entry.state != "not made yet":
        lines.append(f"[Open the report](pages/{quote(entry.page)}).")
    if good:
        lines.append(f"Last made {_day(good[0].started)}.")
    if entry.coming is not None:
        lines.append(f"Next {entry.coming:%d %B %Y, %H:%M} ({plain(_zone(entry))}).")
    paragraphs = [" ".join(lines)]
    if last is not None and last.status != "ok":
        why = f": {plain(last.message[:400])}" if last.message else ""
        paragraphs.append(f"The run of {_day(last.started)} was {plain(last.status)}{why}.")
    if good:
        paragraphs.append("\n".join(f"* {finding}" for finding in good[0].findings))
    if len(good) > 1:
        paragraphs.append(_changes(good[0], good[1]))
    return Section(
        entry.definition.title,
        finding=good[0].findings[0] if good and good[0].findings else entry.state.capitalize() + ".",
        body="\n\n".join(filter(None, paragraphs)),
        figures=_sparkline(good[:_SHOWN][::-1]),
    )


def _zone(entry: Entry) -> str:
    return entry.definition.schedule.timezone if entry.definition.schedule is not None else "UTC"


def _day(iso: str) -> str:
    return f"{dt.datetime.fromisoformat(iso):%d %B %Y, %H:%M} UTC"


def _changes(now: RunRecord, before: RunRecord) -> str:
    """Say what is different from the run before: findings, and inputs by name."""
    gone = [finding for finding in before.findings if finding not in now.findings]
    inputs = sorted(
        name for name in {*now.inputs, *before.inputs} if now.inputs.get(name) != before.inputs.get(name)
    )
    if not gone and not inputs and now.findings == before.findings:
        return f"Nothing has changed since {_day(before.started)}."
    words = [f"**Since {_day(before.started)}:**"]
    words.append(f"new inputs {plain(', '.join(inputs))}." if inputs else "the same inputs.")
    return " ".join(words) + "".join(f"\n* then: {finding}" for finding in gone)


def _sparkline(runs: list[RunRecord]) -> list[Figure]:
    """Draw the headline number over past runs, the oldest first."""
    values = [
        (run.started, number)
        for run in runs
        if run.findings and (number := headline(run.findings[0])) is not None
    ]
    if len(values) < 2:
        return []
    numbers = [number for _, number in values]
    low, high = min(numbers), max(numbers)
    width, height, edge = 220.0, 36.0, 4.0
    across = (width - 2 * edge) / (len(numbers) - 1)
    points = [
        (
            edge + i * across,
            height / 2
            if high == low
            else height - edge - (number - low) / (high - low) * (height - 2 * edge),
        )
        for i, number in enumerate(numbers)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}pt" height="{height:g}pt" '
        f'viewBox="0 0 {width:g} {height:g}">'
        f'<polyline points="{path}" fill="none" stroke="{COLOURS[0]}" stroke-width="1.5"/>'
        f'<circle cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}" r="2.5" fill="{COLOURS[1]}"/></svg>'
    )
    words = (
        f"The first number of the first finding over {len(numbers)} runs since {_day(values[0][0])}: "
        f"{numbers[0]:g} then, {numbers[-1]:g} now, {low:g} to {high:g} in between."
    )
    return [Figure(svg, caption=plain(words), alt=words, themed=True)]


def site_files(found: Sequence[Entry]) -> dict[str, Path]:
    """Return the published files by their names in the site."""
    return {entry.page: path for entry in found if (path := entry.definition.output_path).is_file()}
