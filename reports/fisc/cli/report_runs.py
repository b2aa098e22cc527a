"""Making a defined report: publish, keep a copy, index, send."""

from __future__ import annotations

import contextlib
import datetime as dt
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from fisc.cli.pipelines import own, registry
from fisc.core import DataError, FiscError, WriteError
from fisc.report import Report
from fisc.report.cron import time_zone
from fisc.report.definition import ReportDefinition, load_definitions, made_on, with_cron
from fisc.report.history import archive, write_index
from fisc.report.install import installation
from fisc.report.ledger import Ledger
from fisc.report.mail import MailServer, send_report
from fisc.report.overview import Entry, entries
from fisc.report.patience import at_most
from fisc.report.publishing import OverlapError, Published, publish
from fisc.report.run_record import RunRecord
from fisc.report.schedule import Outcome, coming_fires, next_try, run_due, run_forever
from fisc.report.states import history_folder, is_good

__all__ = [
    "Ledger",
    "coming_fires",
    "find_definitions",
    "installation",
    "known_entries",
    "make_report",
    "run_due",
    "run_forever",
    "with_cron",
]

Progress = Callable[[str, int, int], None]


def find_definitions(paths: Iterable[Path], allowed: Collection[str] | None = None) -> list[ReportDefinition]:
    """Read report definitions; a folder stands for its ``*.toml`` files.

    Parameters
    ----------
    paths : iterable of pathlib.Path
    allowed : collection of str, optional
        Modules and notebooks that may be run though nobody registered them. If not given, nothing is
        meant to be run, and trust is not asked for.

    Raises
    ------
    DataError
        If a file cannot be used, a folder holds none, or two would write one page, or one is not trusted.
    """
    kinds = registry.models()
    outputs: dict[Path, str] = {}
    definitions = []
    for path in paths:
        files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not files:
            raise DataError(f"{path} holds no .toml file; `fisc report new NAME` writes one")
        for file in files:
            for definition in load_definitions(file, kinds, registry.USES):
                other = outputs.setdefault(definition.output_path, definition.name)
                if other != definition.name:
                    raise DataError(
                        f"{definition.name} and {other} would both write {definition.output_path}; change one "
                        "output, for instance by a {parameter} in it"
                    )
                for part in definition.section if allowed is not None else ():
                    own.check_trust(part.uses, allowed or ())
                trusted = definition.model_copy(update={"allowed": frozenset(allowed or ())})
                if trusted not in definitions:
                    definitions.append(trusted)
    return definitions


def known_entries(paths: Sequence[Path]) -> list[Entry]:
    """Return what the overview shows: of some files, or of all reports of the ledger that still have one."""
    ledger = Ledger()
    if paths:
        definitions = find_definitions(paths)
    else:
        names = dict.fromkeys(run.report.partition(" [")[0] for run in ledger.runs())
        files = [Path(name) for name in names if name.endswith(".toml") and Path(name).is_file()]
        definitions = find_definitions(files)
    return entries(definitions, ledger, dt.datetime.now(dt.UTC))


def make_report(
    definition: ReportDefinition, ledger: Ledger, progress: Progress, overlap: str | None = None
) -> Outcome:
    """Make one report, with its copy, its index page and its e-mail.

    Parameters
    ----------
    definition : ReportDefinition
    ledger : Ledger
        Where the run is recorded.
    progress : callable
        Called with (what is being done, steps done, steps in all).
    overlap : {"wait", "refuse"}, optional
        Instead of the definition's.

    Returns
    -------
    Outcome
        See `Outcome`: a good page is only ever replaced by a good one.
    """
    zone = definition.schedule.timezone if definition.schedule is not None else "UTC"
    definition = made_on(definition, dt.datetime.now(time_zone(zone)).date())

    def compose() -> Report:
        if definition.section:
            return Report(definition.title, own.sections(definition, progress))
        source = registry.pipeline(definition.kind)
        with at_most(definition.section_minutes):
            sections = source.sections(definition, progress)
        return Report(definition.title, sections, subtitle=source.SUBTITLE)

    rule = overlap or (definition.schedule.overlap if definition.schedule else "wait")
    target, before = definition.output_path, is_good(definition.output_path)
    names = {"name": definition.name, "title": definition.title}
    try:
        done = publish(compose, target, ledger=ledger, overlap=rule, **names)
    except OverlapError as error:
        return Outcome(definition.title, "refused", str(error))
    except Exception as error:
        if not isinstance(error, FiscError):  # a fault of the program, or of a user's own function
            traceback.print_exc()
        why = str(error) if isinstance(error, FiscError) else f"{type(error).__name__}: {error}"
        done = Published(target, None, "stale" if before else "failed", why)
    if done.status == "published":
        archive(target, definition.history.keep)
    outcome = _tell(definition, done, ledger)
    if history_folder(target).exists():
        with contextlib.suppress(WriteError):  # a full disk or a read-only folder is told by the run itself
            write_index(f"{definition.title}: past reports", target, ledger.runs(definition.name, limit=200))
    return outcome


def _tell(definition: ReportDefinition, done: Published, ledger: Ledger) -> Outcome:
    """Send what became of a report to whom it concerns, and return it."""
    runs = ledger.runs(definition.name, limit=200)
    again = None
    if done.status != "published":
        again = next_try(definition, runs, dt.datetime.now(dt.UTC))
    message = str(done.path) if done.status == "published" else done.message
    if again is not None:
        message += f"; tried again from {again:%H:%M} UTC"
    email = definition.email
    wanted = email is not None and (
        email.on_success if done.status == "published" else email.on_failure and again is None
    )
    try:
        if wanted:
            send_report(MailServer.from_environment(), *_letter(definition, done, runs))
    except FiscError as error:
        if runs:
            ledger.note(runs[0].id, str(error))
        status = "unsent" if done.status == "published" else done.status
        return Outcome(definition.title, status, f"{message}; {error}")
    return Outcome(definition.title, done.status, message)


def _letter(
    definition: ReportDefinition, done: Published, runs: list[RunRecord]
) -> tuple[tuple[str, ...], str, str, Path | None]:
    """Return addresses, subject, words and attachment of what is sent."""
    email = definition.email
    assert email is not None
    subject, good = email.subject or definition.title, next((r for r in runs if r.status == "ok"), None)
    findings = "".join(f"* {finding}\n" for finding in (good.findings if good is not None else []))
    if done.status == "published":
        text = f"{definition.title}\n\n{findings}\nThe report is attached; open it in a browser.\n"
        return email.to, subject, text, done.path
    stands = "No good page has been made yet."
    if done.status == "stale":
        day = f" of {good.started[:16].replace('T', ' ')} UTC" if good is not None else ""
        stands = f"The last good page{day} stays in its place: {done.path}"
    text = f"{definition.title} could not be made.\n\n{done.message}\n\n{stands}\n"
    if done.status == "stale" and findings:
        text += f"\nIt says:\n{findings}"
    return email.failure_to or email.to, f"FAILED: {subject}", text, None
