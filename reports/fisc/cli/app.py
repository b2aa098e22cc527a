"""The root of the command line: options for all, the command groups, errors in one line."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Annotated

import typer

from fisc.cli.demo import demo
from fisc.cli.schema import schema
from fisc.cli.terminal import say_error, say_warning
from fisc.core.errors import FiscError
from fisc.core.history import version

__all__ = ["app", "run"]

# Command groups and their modules, in the order of the help page. The modules import nothing
# heavy at their top: what a command needs, it imports when it runs.
GROUPS = {
    "data": "fisc.cli.data",
    "basir": "fisc.cli.basir",
    "r3d": "fisc.cli.r3d",
    "portfolio": "fisc.cli.portfolio",
    "economist": "fisc.cli.economist",
    "report": "fisc.cli.report",
}

app = typer.Typer(
    name="fisc",
    help="Public money and markets: numbers that can be trusted, with pictures and a report.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fisc {version()}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Public money and markets: numbers that can be trusted, with pictures and a report."""


def _assemble() -> None:
    """Attach the command groups and the single commands."""
    app.command("demo")(demo)
    app.command("schema")(schema)
    for name, module in GROUPS.items():
        app.add_typer(importlib.import_module(module).app, name=name)


def run() -> None:
    """Run the command line and translate errors into one line and an exit code.

    Exit codes: 0 done, 1 something checked was found wrong, 2 wrong usage or an expected
    error, 130 interrupted.
    """
    warnings.showwarning = say_warning
    _assemble()
    try:
        app()
    except FiscError as error:
        say_error(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        say_error("interrupted; what was finished is kept")
        sys.exit(130)
