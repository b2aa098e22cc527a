"""The lines that make a system run due reports: a crontab, or a systemd timer."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fisc.core import DataError, check_option

__all__ = ["crontab_lines", "installation", "kept_environment", "systemd_units"]

# Secrets are never written into a crontab or a unit, which others may read.
_SECRETS = ("FISC_SMTP_PASSWORD",)
_SECRETS_NOTE = (
    "# FISC_SMTP_PASSWORD is not written here: put it into a file that only you may read, and set\n"
    "# FISC_SMTP_PASSWORD_FILE to its path before you ask for these lines.\n"
)
_LONGEST = 990  # letters of a crontab line; cron cuts or refuses longer ones


def kept_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that a report needs and that cron and systemd do not pass on.

    Examples
    --------
    >>> kept_environment({"FISC_HOME": "/f", "HOME": "/h", "FISC_SMTP_PASSWORD": "secret"})
    {'FISC_HOME': '/f'}
    """
    held = os.environ if environment is None else environment
    names = sorted(name for name in held if name.startswith("FISC_") and name not in _SECRETS)
    found = {name: held[name] for name in [*names, "PATH"] if held.get(name)}
    for name, value in found.items():
        if "\n" in value:
            raise DataError(f"the variable {name} holds a line break; give it one line")
    return found


def _command(files: list[Path], allowed: Sequence[str]) -> list[str]:
    trust = [word for name in allowed for word in ("--allow", name)]
    return [sys.executable, "-m", "fisc.cli", "report", "run", "--due", *trust, *map(str, files)]


def crontab_lines(files: list[Path], minutes: int = 5, allowed: Sequence[str] = ()) -> str:
    """Return a crontab line that makes due reports every few minutes.

    The schedule stays in the TOML files; cron only asks what is due, so that a machine that was
    off catches up.

    Raises
    ------
    DataError
        If the line would be longer than cron reads.

    Examples
    --------
    >>> crontab_lines([Path("/r/a.toml")], minutes=10).splitlines()[-1].split()[0]
    '*/10'
    """
    settings = [f"{name}={value}" for name, value in kept_environment().items()]
    # A per cent sign ends the command of a crontab line unless it is escaped.
    command = shlex.join(["env", *settings, *_command(files, allowed)]).replace("%", r"\%")
    line = f"*/{minutes} * * * * {command}"
    if len(line) > _LONGEST:
        raise DataError(
            f"the crontab line has {len(line)} letters and cron reads {_LONGEST}: name the folder of the files, "
            "shorten PATH, or use --system systemd"
        )
    return f"# fisc: make the reports that are due (crontab -e)\n{line}\n"


def systemd_units(files: list[Path], minutes: int = 5, allowed: Sequence[str] = ()) -> str:
    """Return a systemd service and timer that make due reports every few minutes.

    Examples
    --------
    >>> "OnCalendar=*:0/5" in systemd_units([Path("/r/a.toml")])
    True
    """
    quoted = " ".join(_systemd_word(word).replace("$", "$$") for word in _command(files, allowed))
    settings = "".join(
        f"Environment={_systemd_word(f'{name}={value}')}\n" for name, value in kept_environment().items()
    )
    return (
        "# ~/.config/systemd/user/fisc-reports.service\n"
        "[Unit]\nDescription=Make the fisc reports that are due\n\n"
        f"[Service]\nType=oneshot\n{settings}ExecStart={quoted}\n\n"
        "# ~/.config/systemd/user/fisc-reports.timer\n"
        "[Unit]\nDescription=Ask which fisc reports are due\n\n"
        f"[Timer]\nOnCalendar=*:0/{minutes}\nPersistent=true\n\n"
        "[Install]\nWantedBy=timers.target\n\n"
        "# then: systemctl --user enable --now fisc-reports.timer\n"
    )


def _systemd_word(word: str) -> str:
    """Quote a word of a unit, where backslash, quote and per cent mean something."""
    for special, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        word = word.replace(special, written)
    return f'"{word}"'


def installation(files: list[Path], system: str, minutes: int = 5, allowed: Sequence[str] = ()) -> str:
    """Return the text for ``cron`` or ``systemd``, with this environment and without its secrets."""
    check_option("system", system, ("cron", "systemd"))
    note = _SECRETS_NOTE if any(os.environ.get(name) for name in _SECRETS) else ""
    return note + (crontab_lines if system == "cron" else systemd_units)(files, minutes, allowed)
