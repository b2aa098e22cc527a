"""Where fisc keeps its files, and whether it may use the network."""

from __future__ import annotations

import os
from pathlib import Path

from fisc.core.errors import OfflineError, WriteError

__all__ = ["cache_dir", "data_home", "folder", "forbid_offline", "offline"]

_NO = {"", "0", "false", "no", "off"}


def data_home() -> Path:
    """Return the folder of everything that fisc stores for this user.

    The environment variable ``FISC_HOME`` moves it; without it, the platform's cache folder.

    Returns
    -------
    pathlib.Path
        Not necessarily existing yet.

    Examples
    --------
    >>> data_home().is_absolute()
    True
    """
    given = os.environ.get("FISC_HOME", "").strip()
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("fisc", appauthor=False)).absolute()


def folder(path: Path) -> Path:
    """Make a folder if it is not there, and return it.

    Raises
    ------
    WriteError
        If it cannot be made or cannot be written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"cannot make the folder {path} ({error.strerror or error}); choose another, or set FISC_HOME"
        ) from error
    return path


def cache_dir(*parts: str) -> Path:
    """Return (and make) a folder of the cache, for instance ``cache_dir("prices")``.

    Parameters
    ----------
    *parts : str
        Names of nested folders.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    WriteError
        If the folder cannot be made.
    """
    return folder(data_home().joinpath("cache", *parts))


def offline() -> bool:
    """Return True if ``FISC_OFFLINE`` forbids the network.

    Examples
    --------
    >>> isinstance(offline(), bool)
    True
    """
    return os.environ.get("FISC_OFFLINE", "").strip().lower() not in _NO


def forbid_offline(what: str, where: str) -> None:
    """Raise an OfflineError if the network is forbidden, saying what would be fetched from where."""
    if offline():
        raise OfflineError(
            f"{what} would be fetched from {where}, but FISC_OFFLINE forbids the network; "
            "unset FISC_OFFLINE, or run once with a network to fill the cache"
        )
