"""``fisc report``: reports described by TOML files, made once or on a schedule."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from fisc.cli.output import Json, Listing, print_json
from fisc.cli.terminal import console, progress_bar, say_error
from fisc.core import DataError, atomic_write, check_option

if TYPE_CHECKING:
    from fisc.report.definition import ReportDefinition
    from fisc.report.schedule import Outcome

__all__ = ["app"]

app = typer.Typer(help="Reports from TOML files: write, build, schedule, look back.", no_args_is_help=True)

Files = Annotated[list[Path], typer.Argument(help="TOML files, or folders of them.")]


Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow", help="Module or notebook that a file may run though nobody registered it; repeatable."
    ),
]


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the new file; a kind of report, or use --kind.")],
    kind: Annotated[str | None, typer.Option(help="Kind of report, if the name is not one.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the file.")] = Path(),
) -> None:
    """Write a commented template NAME.toml."""
    from fisc.cli.pipelines import registry

    chosen = check_option("kind", kind or name, (*registry.KINDS, registry.OWN))
    if not name or Path(name).name != name:
        raise DataError(f"{name!r} is not a plain name; give the folder by --out")
    path = out / f"{name}.toml"
    if path.exists():
        raise DataError(f"{path} exists already; choose another name, or remove it")
    with atomic_write(path) as handle:
        handle.write(registry.template(chosen, name))
    typer.echo(str(path))


@app.command()
def build(
    file: Annotated[Path, typer.Argument(help="TOML file; `fisc report new NAME` writes one.")],
    overlap: Annotated[
        Literal["wait", "refuse"] | None, typer.Option(help="If another run makes the same report.")
    ] = None,
    allow: Allow = None,
    as_json: Json = False,
) -> None:
    """Make a report now. Exit code 1: it failed, and the last good page stays; 3: another run makes it."""
    from fisc.cli import report_runs

    definitions, ledger = report_runs.find_definitions([file], allow or ()), report_runs.Ledger()
    with _stopped(definitions), progress_bar(definitions[0].title, show=not as_json) as step:
        outcomes = [report_runs.make_report(item, ledger, step, overlap) for item in definitions]
    _tell(outcomes, as_json)


@app.command()
def run(
    files: Files,
    due: Annotated[bool, typer.Option("--due", help="Only those that are due.")] = False,
    allow: Allow = None,
    as_json: Json = False,
) -> None:
    """Make reports: those that are due, each once, or all of them; one that fails stops no other.

    Exit code 1: one failed, and its last good page stays; 3: another run was making one.
    """
    from fisc.cli import report_runs

    definitions, ledger = report_runs.find_definitions(files, allow or ()), report_runs.Ledger()
    with _stopped(definitions), progress_bar("reports", show=not as_json) as step:

        def make(definition: ReportDefinition) -> Outcome:
            return report_runs.make_report(definition, ledger, step)

        outcomes = report_runs.run_due(definitions, make, ledger) if due else list(map(make, definitions))
    _tell(outcomes, as_json)


@app.command()
def schedule(
    files: Files,
    cron: Annotated[
        str | None, typer.Option(help="Five fields; for all files, instead of their own.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Time zone of --cron.")] = "UTC",
    allow: Allow = None,
) -> None:
    """Make reports at their times, in the foreground, until interrupted."""
    from fisc.cli import report_runs

    # A service manager stops with SIGTERM: end as on Ctrl-C, with the run under way recorded.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    definitions, ledger = report_runs.find_definitions(files, allow or ()), report_runs.Ledger()
    if cron is not None:
        definitions = [report_runs.with_cron(definition, cron, timezone) for definition in definitions]
    for definition in definitions:
        for fire in report_runs.coming_fires(definition, 1):
            typer.echo(f"{definition.title}: next at {fire}")
    with _stopped(definitions):
        report_runs.run_forever(
            definitions,
            lambda definition: report_runs.make_report(definition, report_runs.Ledger(), lambda *_: None),
            ledger,
            _say,
        )


@app.command("next")
def coming(
    files: Files,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many times of each report.")] = 3,
    as_json: Json = False,
) -> None:
    """Print when reports are made next, each in its own time zone."""
    from fisc.cli import report_runs

    found: list[dict[str, object]] = [
        {"report": definition.title, "fire": fire.isoformat()}
        for definition in report_runs.find_definitions(files)
        for fire in report_runs.coming_fires(definition, count)
    ]
    if as_json:
        print_json(Listing(found))
    elif not found:
        raise DataError("none of these reports has a [schedule] that comes round; add one")
    for item in [] if as_json else found:
        typer.echo(f"{item['fire']}  {item['report']}")


MaybeFiles = Annotated[
    list[Path] | None,
    typer.Argument(help="TOML files, or folders of them; all reports that were ever made, if left out."),
]


@app.command()
def site(
    folder: Annotated[Path, typer.Argument(help="Folder for index.html and copies of the pages.")],
    files: MaybeFiles = None,
    title: Annotated[str, typer.Option(help="Title of the overview.")] = "Reports",
) -> None:
    """Write a static site: an overview of all reports, and their pages."""
    from fisc.cli import report_runs
    from fisc.report.site import write_site

    typer.echo(str(write_site(report_runs.known_entries(files or []), folder, title)))


@app.command()
def serve(
    files: MaybeFiles = None,
    host: Annotated[str, typer.Option(help="Address; only the loopback is private.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8765,
) -> None:
    """Serve the same site read-only, always as it is now, and /health for a monitor."""
    from fisc.cli import report_runs
    from fisc.report.site import make_server

    report_runs.known_entries(files or [])  # what is wrong with a file is said at once
    with make_server(lambda: report_runs.known_entries(files or []), host, port) as server:
        typer.echo(f"http://{host}:{server.server_port}/  (Ctrl-C stops)")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


@app.command()
def install(
    files: Files,
    system: Annotated[Literal["cron", "systemd"], typer.Option(help="Which scheduler.")] = "cron",
    minutes: Annotated[int, typer.Option(min=1, max=59, help="How often to ask what is due.")] = 5,
    allow: Allow = None,
) -> None:
    """Print the lines for a crontab or a systemd timer; nothing is changed."""
    from fisc.cli import report_runs

    report_runs.find_definitions(files, allow or ())
    paths = [file.absolute() for file in files]
    typer.echo(report_runs.installation(paths, system, minutes, allow or ()), nl=False)


@app.command()
def runs(
    report: Annotated[str | None, typer.Option(help="Only the runs of this title, or of this file.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the latest first.")] = 20,
    as_json: Json = False,
) -> None:
    """Show past runs and their fate."""
    from fisc.cli import report_runs

    wanted = str(Path(report).absolute()) if report is not None and Path(report).is_file() else report
    found = report_runs.Ledger().runs(wanted, limit=limit)
    if as_json:
        print_json(Listing([dataclasses.asdict(item) for item in found]))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "report", "started (UTC)", "seconds", "fate", "message or output"):
        table.add_column(name, justify="right" if name in ("run", "seconds") else "left", overflow="fold")
    colours = {"ok": "green", "failed": "red", "lost": "red", "running": "cyan"}
    for item in found:
        seconds = "" if item.seconds is None else f"{item.seconds:.1f}"
        table.add_row(
            str(item.id),
            Text(item.title),
            item.started[:19].replace("T", " "),
            seconds,
            Text(item.status, style=colours.get(item.status, "yellow")),
            Text(item.message or item.output),
        )
    out = console()
    out.soft_wrap = False
    out.print(table if found else "no run yet")


@app.command()
def schema() -> None:
    """Print the JSON schema of report files, for editors."""
    from fisc.cli.pipelines import registry

    typer.echo(json.dumps(registry.json_schema(), indent=2, ensure_ascii=False))


@contextlib.contextmanager
def _stopped(definitions: list[ReportDefinition]) -> Iterator[None]:
    """Say on Ctrl-C what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        pages = ", ".join(str(item.output_path) for item in definitions if item.output_path.exists())
        kept = f"unchanged or whole: {pages}" if pages else "no page was there yet"
        say_error(
            f"stopped; {kept}. The run under way is recorded as interrupted and still due; "
            "the same command goes on"
        )
        raise typer.Exit(130) from None


_COLOURS = {"published": "green", "refused": "yellow", "unsent": "yellow", "not due": "dim"}


def _say(outcome: Outcome) -> None:
    line = Text(outcome.status, style=_COLOURS.get(outcome.status, "red")) + Text(f"  {outcome.title}")
    console().print(line + Text(f"  {outcome.message}" if outcome.message else ""))


def _tell(outcomes: list[Outcome], as_json: bool) -> None:
    """Show outcomes; exit code 1 if one failed, 3 if one was refused.

    Cron mails whatever is printed: that nothing is due is told to a person only.
    """
    if as_json:
        print_json(Listing([dataclasses.asdict(outcome) for outcome in outcomes]))
    else:
        for outcome in outcomes:
            if outcome.status != "not due" or console().is_terminal:
                _say(outcome)
    states = {outcome.status for outcome in outcomes}
    if states & {"failed", "stale", "unsent"}:
        raise typer.Exit(1)
    if "refused" in states:
        raise typer.Exit(3)
