"""How the command line speaks to a person: one console, progress bars, errors and warnings."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fisc.core.errors import DataWarning

__all__ = ["console", "print_table", "progress_bar", "say_error", "say_warning", "say_written"]


def console(*, stderr: bool = False) -> Console:
    """Return the rich console of standard output or standard error."""
    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def say_error(message: str) -> None:
    """Print an error as one line on standard error."""
    line = Text("error: ", style="bold red") + Text(" ".join(message.split()))
    console(stderr=True).print(line)


def say_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show fisc's own warnings as one line, others in Python's way (``warnings.showwarning``)."""
    if issubclass(category, DataWarning):
        console(stderr=True).print(Text("warning: ", style="bold yellow") + Text(str(message)))
    else:
        sys.stderr.write(warnings.formatwarning(message, category, Path(filename).name, lineno, line))


def say_written(path: Path) -> None:
    """Say on standard error where something was written."""
    console(stderr=True).print(f"written: {path.absolute()}", markup=False)


def print_table(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool]
) -> None:
    """Print rows of text under their heads."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for head, numeric in zip(heads, right, strict=True):
        table.add_column(Text(head), justify="right" if numeric else "left", no_wrap=not table.columns)
    for row in rows:
        table.add_row(*map(Text, row))
    console().print(table)


@contextlib.contextmanager
def progress_bar(description: str, *, show: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar on standard error while a block runs, if a person is looking.

    What it gives is called with (what is being done, steps done, steps in all).
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    screen = console(stderr=True)
    hidden = not (show and screen.is_terminal)
    with Progress(*columns, console=screen, disable=hidden, transient=True) as bars:
        task = bars.add_task(description, total=None)

        def step(what: str, done: int, total: int) -> None:
            bars.update(task, description=f"{description}: {what}", completed=done, total=total)

        yield step
