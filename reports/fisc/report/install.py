"""The lines that make a system run due reports: a crontab, or a systemd timer."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from fisc.core import check_option

__all__ = ["crontab_lines", "installation", "systemd_units"]


def _command(files: list[Path]) -> list[str]:
    return [sys.executable, "-m", "fisc.cli", "report", "run", "--due", *map(str, files)]


def crontab_lines(files: list[Path], minutes: int = 5) -> str:
    """Return a crontab line that makes due reports every few minutes.

    The schedule stays in the TOML files; cron only asks what is due, so that a machine that was
    off catches up.

    Examples
    --------
    >>> crontab_lines([Path("/r/a.toml")], minutes=10).splitlines()[-1].split()[0]
    '*/10'
    """
    # A per cent sign ends the command of a crontab line unless it is escaped.
    command = shlex.join(_command(files)).replace("%", r"\%")
    return f"# fisc: make the reports that are due (crontab -e)\n*/{minutes} * * * * {command}\n"


def systemd_units(files: list[Path], minutes: int = 5) -> str:
    """Return a systemd service and timer that make due reports every few minutes.

    Examples
    --------
    >>> "OnCalendar=*:0/5" in systemd_units([Path("/r/a.toml")])
    True
    """
    quoted = " ".join(map(_systemd_word, _command(files)))
    return (
        "# ~/.config/systemd/user/fisc-reports.service\n"
        "[Unit]\nDescription=Make the fisc reports that are due\n\n"
        f"[Service]\nType=oneshot\nExecStart={quoted}\n\n"
        "# ~/.config/systemd/user/fisc-reports.timer\n"
        "[Unit]\nDescription=Ask which fisc reports are due\n\n"
        f"[Timer]\nOnCalendar=*:0/{minutes}\nPersistent=true\n\n"
        "[Install]\nWantedBy=timers.target\n\n"
        "# then: systemctl --user enable --now fisc-reports.timer\n"
    )


def _systemd_word(word: str) -> str:
    """Quote a word of ExecStart, where backslash, quote, per cent and dollar mean something."""
    for special, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(special, written)
    return f'"{word}"'


def installation(files: list[Path], system: str, minutes: int = 5) -> str:
    """Return the text for ``cron`` or ``systemd``."""
    check_option("system", system, ("cron", "systemd"))
    return (crontab_lines if system == "cron" else systemd_units)(files, minutes)
