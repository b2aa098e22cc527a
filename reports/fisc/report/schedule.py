"""When a report is due, and making each due report once."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from fisc.core import DataError, FiscError, InUseError, fingerprint
from fisc.core.files import locked
from fisc.report.cron import last_fire, next_fire
from fisc.report.definition import ReportDefinition
from fisc.report.ledger import Ledger
from fisc.report.run_record import RunRecord

__all__ = [
    "Outcome",
    "coming_fires",
    "due_since",
    "last_fire",
    "next_fire",
    "next_try",
    "run_due",
    "run_forever",
]

# How often a run may die with its process before its time counts as dealt with.
_DEATHS = 3
# A run further ahead of the clock than this is of a clock that went wrong: it deals with nothing.
_AHEAD = dt.timedelta(hours=1)


def due_since(
    definition: ReportDefinition, runs: Iterable[RunRecord], now: dt.datetime
) -> dt.datetime | None:
    """Return the time since which a report is due, or None if it is not.

    A report is due if its schedule has come round since the last run that dealt with it. Times
    missed while the machine was off count once, unless they are older than the grace. A failed run is
    due again as often and as much later as `[retry]` says; a lost one at once, up to three times; one that
    was interrupted or refused has dealt with nothing.

    Parameters
    ----------
    definition : ReportDefinition
    runs : iterable of RunRecord
        The runs of this report.
    now : datetime
        Aware of its time zone.

    Returns
    -------
    datetime or None
    """
    current = _current(definition, runs, now)
    if current is None:
        return None
    fire, since = current
    states = [run.status for run in since]
    if "ok" in states or "running" in states or states.count("lost") >= _DEATHS:
        return None
    again = retry_at(definition, since)
    if "failed" in states and (again is None or again > now):
        return None
    return fire


def retry_at(definition: ReportDefinition, runs: Iterable[RunRecord]) -> dt.datetime | None:
    """Return when a report that failed is tried again, given the runs since its time; None for never."""
    failed = [_moment(run.ended) for run in runs if run.status == "failed"]
    if definition.schedule is None or not failed or len(failed) > definition.retry.times:
        return None
    return max(failed) + dt.timedelta(minutes=definition.retry.minutes)


def next_try(definition: ReportDefinition, runs: Iterable[RunRecord], now: dt.datetime) -> dt.datetime | None:
    """Return when the last failed run of a schedule is tried again; None if it waits for its next time."""
    current = _current(definition, runs, now)
    return None if current is None else retry_at(definition, current[1])


def _current(
    definition: ReportDefinition, runs: Iterable[RunRecord], now: dt.datetime
) -> tuple[dt.datetime, list[RunRecord]] | None:
    """Return the last time of a schedule and the runs since; None if it has none within the grace."""
    schedule = definition.schedule
    if schedule is None:
        return None
    fire = last_fire(schedule.cron, schedule.timezone, now)
    if fire is None or now - fire > dt.timedelta(minutes=schedule.misfire_grace_minutes):
        return None
    return fire, [run for run in runs if fire <= _moment(run.started) <= now + _AHEAD]


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def coming_fires(
    definition: ReportDefinition, count: int, now: dt.datetime | None = None
) -> list[dt.datetime]:
    """Return the next times of a report in its own time zone, fewer if there are no more in eight years."""
    schedule, moment = definition.schedule, now or dt.datetime.now(dt.UTC)
    found: list[dt.datetime] = []
    while schedule is not None and len(found) < count:
        fire = next_fire(schedule.cron, schedule.timezone, moment)
        if fire is None:
            break
        found.append(fire)
        moment = fire
    return found


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one report of `run_due`.

    Attributes
    ----------
    title : str
    status : {"published", "stale", "failed", "unsent", "refused", "not due"}
        Stale: it failed, and the last good page stays with a banner. Unsent: published, but the e-mail
        was not sent.
    message : str
        Why it failed, or where the page is.
    """

    title: str
    status: str
    message: str = ""


# Seconds after which the foreground looks at the clock again.
_NAP = 60.0

Make = Callable[[ReportDefinition], Outcome]


def run_due(
    definitions: Iterable[ReportDefinition], make: Make, ledger: Ledger, now: dt.datetime | None = None
) -> list[Outcome]:
    """Make the reports that are due, each once; one that fails does not stop the others.

    Parameters
    ----------
    definitions : iterable of ReportDefinition
    make : callable
        Makes one report, recording the run in `ledger`.
    ledger : Ledger
    now : datetime, optional
        The present.

    Returns
    -------
    list of Outcome
    """
    outcomes = []
    for definition in definitions:
        moment = now or dt.datetime.now(dt.UTC)
        try:
            # Held from the question to the end of the run: of two processes that ask at once, the
            # second does not pile up behind the first, which makes what is due.
            with locked(_question(definition, ledger), timeout=0):
                since = due_since(definition, ledger.runs(definition.name), moment)
                outcomes.append(Outcome(definition.title, "not due") if since is None else make(definition))
        except InUseError:
            outcomes.append(Outcome(definition.title, "not due", "another process is making it"))
        except FiscError as error:
            outcomes.append(Outcome(definition.title, "failed", str(error)))
    return outcomes


def _question(definition: ReportDefinition, ledger: Ledger) -> Path:
    """Return the name whose lock is held while a report is asked about and made."""
    mark = fingerprint(definition.name).removeprefix("sha256:")
    return ledger.path.with_name(f"{ledger.path.name}.due-{mark}")


def run_forever(
    definitions: Iterable[ReportDefinition],
    make: Make,
    ledger: Ledger,
    tell: Callable[[Outcome], None],
) -> None:
    """Make reports at their times, in the foreground, until interrupted.

    Parameters
    ----------
    definitions : iterable of ReportDefinition
        Those without a schedule are an error.
    make : callable
        Makes one report.
    ledger : Ledger
        Reports that became due while nobody was looking are made at once.
    tell : callable
        Called with each outcome.

    Raises
    ------
    DataError
        If a report has no schedule, or there is none.
    """
    listed = list(definitions)
    if not listed:
        raise DataError("there is no report to schedule; give at least one TOML file")
    for definition in listed:
        if definition.schedule is None:
            raise DataError(f"report {definition.title!r} has no [schedule]; add one, or give --cron")
    while True:
        for outcome in run_due(listed, make, ledger):
            if outcome.status != "not due":
                tell(outcome)
        now = dt.datetime.now(dt.UTC)
        fires = [fire for definition in listed for fire in coming_fires(definition, 1, now)]
        # A short sleep at a time: the clock may be set, and the machine may sleep too.
        time.sleep(min([_NAP, *(max(0.0, (fire - now).total_seconds()) for fire in fires)]))
