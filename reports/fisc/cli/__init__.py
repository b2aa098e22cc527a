"""The ``fisc`` command: a thin layer over the package, one module a command group."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line; an expected error is one line on standard error and exit code 2."""
    from fisc.cli.app import run

    run()
