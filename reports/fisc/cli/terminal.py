"""How the command line speaks to a person: one console, progress bars, errors and warnings."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from fisc.core.errors import DataWarning

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "print_json", "progress_bar", "say_error", "say_warning"]


def console(*, stderr: bool = False) -> Console:
    """Return the rich console of standard output or standard error."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def say_error(message: str) -> None:
    """Print an error as one line on standard error."""
    from rich.text import Text

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
        from rich.text import Text

        console(stderr=True).print(Text("warning: ", style="bold yellow") + Text(str(message)))
    else:
        import warnings

        sys.stderr.write(warnings.formatwarning(message, category, Path(filename).name, lineno, line))


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output, for scripts."""
    import json

    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


@contextlib.contextmanager
def progress_bar(description: str, *, show: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar on standard error while a block runs, if a person is looking.

    Yields
    ------
    callable
        Called with (what is being done, steps done, steps in all).
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
