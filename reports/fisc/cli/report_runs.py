"""Making a defined report: publish, keep a copy, index, send."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from fisc.cli.pipelines import registry
from fisc.core import DataError, FiscError
from fisc.report import Report
from fisc.report.definition import ReportDefinition, load_definition, with_cron
from fisc.report.history import archive, write_index
from fisc.report.install import installation
from fisc.report.ledger import Ledger
from fisc.report.mail import MailServer, send_report
from fisc.report.publishing import OverlapError, publish
from fisc.report.schedule import Outcome, coming_fires, run_due, run_forever

__all__ = [
    "Ledger",
    "coming_fires",
    "find_definitions",
    "installation",
    "make_report",
    "run_due",
    "run_forever",
    "with_cron",
]

Progress = Callable[[str, int, int], None]


def find_definitions(paths: Iterable[Path]) -> list[ReportDefinition]:
    """Read report definitions; a folder stands for its ``*.toml`` files.

    Raises
    ------
    DataError
        If a file cannot be used, a folder holds none, or two reports share a title.
    """
    kinds = registry.models()
    found: dict[str, Path] = {}
    definitions = []
    for path in paths:
        files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not files:
            raise DataError(f"{path} holds no .toml file; `fisc report new NAME` writes one")
        for file in files:
            definition = load_definition(file, kinds)
            if definition.title in found:
                raise DataError(
                    f"{file} and {found[definition.title]} have the same title {definition.title!r}, "
                    "which names the report in the ledger; change one"
                )
            found[definition.title] = file
            definitions.append(definition)
    return definitions


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
        ``failed`` if a section shows an error in its place or the e-mail was not sent; the page
        is published all the same. ``refused`` if another run was under way.
    """
    source = registry.pipeline(definition.kind)

    def compose() -> Report:
        return Report(definition.title, source.sections(definition, progress), subtitle=source.SUBTITLE)

    rule = overlap or (definition.schedule.overlap if definition.schedule else "wait")
    try:
        done = publish(compose, definition.output_path, ledger=ledger, overlap=rule, name=definition.title)
    except OverlapError as error:
        return Outcome(definition.title, "refused", str(error))
    archive(done.path, definition.history.keep)
    failure = done.message
    try:
        _send(definition, done.path)
    except FiscError as error:
        failure = "; ".join(filter(None, [failure, str(error)]))
    write_index(f"{definition.title}: past reports", done.path, ledger.runs(definition.title, limit=200))
    return Outcome(definition.title, "failed" if failure else "ok", failure or str(done.path))


def _send(definition: ReportDefinition, path: Path) -> None:
    """Send the report, if the definition says to whom."""
    if definition.email is None:
        return
    send_report(
        MailServer.from_environment(),
        definition.email.to,
        definition.email.subject or definition.title,
        f"{definition.title}\n\nThe report is attached; open it in a browser.\n",
        path,
    )
