"""``fisc demo``: one report from real data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fisc.cli.terminal import progress_bar

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the report.")] = Path("fisc-demo"),
) -> None:
    """Make a report from real prices, offline, and print its path."""
    from fisc.cli.demo_report import build_demo

    with progress_bar("demo") as step:
        path = build_demo(out, step)
    typer.echo(str(path))
