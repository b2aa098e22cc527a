"""The small print: how numbers were made, as rows of a label and its values."""

from __future__ import annotations

import dataclasses
import datetime as dt
import html
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from fisc.core import DataError, Provenance
from fisc.report.blocks import Section

__all__ = ["Moment", "moment", "of_report", "of_section"]

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "great-tables")

Row = tuple[str, list[Markup]]


@dataclasses.dataclass(frozen=True)
class Moment:
    """A time as a page prints it: for machines, as a day, and in full."""

    iso: str
    day: str
    full: str


def moment(now: dt.datetime | str | None) -> Moment:
    """Return a time (the present, or ISO 8601 text; UTC without a zone) in the forms that a page prints, in UTC.

    Examples
    --------
    >>> moment("2026-03-01T10:00:00+02:00").full
    '1 March 2026, 08:00 UTC'
    """
    if now is None:
        now = dt.datetime.now(dt.UTC)
    if isinstance(now, str):
        try:
            now = dt.datetime.fromisoformat(now)
        except ValueError as error:
            raise DataError(f"now={now!r} is not a time; write it as 2026-03-01T10:00:00Z") from error
    if not isinstance(now, dt.datetime) or now != now:  # pandas' missing time is a datetime too
        raise DataError(f"now={now!r} is of type {type(now).__name__}; expected a datetime or ISO 8601 text")
    now = now.replace(tzinfo=dt.UTC) if now.tzinfo is None else now.astimezone(dt.UTC)
    now = now.replace(microsecond=0)
    # Not strftime: its month names follow the machine's language.
    day = f"{now.day} {_MONTHS[now.month - 1]} {now.year}"
    return Moment(now.isoformat().replace("+00:00", "Z"), day, f"{day}, {now:%H:%M} UTC")


def of_section(provenance: Provenance) -> list[Row]:
    """Return the rows (label, escaped values) of one section's provenance."""
    rows: list[Row] = [("Version", [_text(f"fisc {provenance.version}")])]
    if provenance.seed is not None:
        rows.append(("Seed", [_code(provenance.seed)]))
    if provenance.options:
        rows.append(("Options", [_pair(key, _json(value)) for key, value in provenance.options.items()]))
    if provenance.inputs:
        rows.append(("Data", [_pair(key, value) for key, value in provenance.inputs.items()]))
    if provenance.source:
        rows.append(("Source", [_text(provenance.source)]))
    if provenance.notes:
        rows.append(("Repairs", [_text(note) for note in provenance.notes]))
    if provenance.time:
        rows.append(("Computed", [_time(provenance.time)]))
    return rows


def of_report(sections: Sequence[Section], made: Moment) -> list[Row]:
    """Return the rows (label, escaped values) of the whole report: versions, every input once, seeds, time."""
    histories = [section.provenance for section in sections if section.provenance is not None]
    inputs = sorted({pair for history in histories for pair in history.inputs.items()})
    seeds = sorted({history.seed for history in histories if history.seed is not None})
    rows: list[Row] = [
        ("Versions", [_text(line) for line in _versions()]),
        ("Data", [_pair(key, value) for key, value in inputs] or [_text("none recorded")]),
    ]
    if seeds:
        rows.append(("Seeds", [_code(", ".join(map(str, seeds)))]))
    rows.append(("Made", [_time(made.iso)]))
    return rows


def _versions() -> Iterable[str]:
    yield f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    for name in ("fisc", *_LIBRARIES):
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue


def _json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _text(value: object) -> Markup:
    return Markup(html.escape(str(value)))  # nosec B704: escaped here


def _code(value: object) -> Markup:
    return _text("").join((_tag("<code>"), _text(value), _tag("</code>")))


def _tag(text: str) -> Markup:
    return Markup(text)  # nosec B704: a constant of this module


def _pair(key: str, value: object) -> Markup:
    return _text(key) + _tag(" ") + _code(value)


def _time(iso: str) -> Markup:
    return _tag('<time datetime="') + _text(iso) + _tag('">') + _text(iso) + _tag("</time>")
