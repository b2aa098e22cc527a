"""What fisc raises and warns: one family of errors, each message with a cure."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType
from typing import TypeVar

from fisc.core.addresses import scrubbed

__all__ = [
    "CorruptFileError",
    "DataError",
    "DataWarning",
    "FiscError",
    "InUseError",
    "MissingExtraError",
    "OfflineError",
    "OptionError",
    "WriteError",
    "check_option",
    "nearest",
    "require",
]

T = TypeVar("T")


class FiscError(Exception):
    """Base of every error that fisc raises on purpose.

    The message says what was given, what was expected and what to do; the command line
    prints it as one line and ends with exit code 2. Passwords and tokens in addresses are blotted out.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(scrubbed(arg) if isinstance(arg, str) else arg for arg in args))


class DataError(FiscError, ValueError):
    """The data or an argument cannot be used as given."""


class OptionError(DataError):
    """An option, a name or a key is not one of those that exist."""


class CorruptFileError(DataError):
    """A file is damaged: its content is not what its name or checksum promises."""


class OfflineError(FiscError):
    """Something must be fetched, and there is no network or it is forbidden."""


class WriteError(FiscError, OSError):
    """A file or folder cannot be written; nothing half written is left behind."""


class InUseError(WriteError):
    """A file or folder is locked by another process that is using it."""


class MissingExtraError(FiscError, ImportError):
    """An optional library is needed that is not installed."""


class DataWarning(UserWarning):
    """Data were repaired or dropped; the message counts them.

    Silence with ``warnings.filterwarnings("ignore", category=fisc.data.DataWarning)``.
    """


def nearest(given: object, names: Iterable[str]) -> str | None:
    """Return the name most like what a user typed, letter case ignored, or None if nothing is close.

    Examples
    --------
    >>> nearest("sp5000", ["sp500", "incomes"])
    'sp500'
    """
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(str(given).lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[close[0]] if close else None


def check_option(option: str, value: T, allowed: Iterable[T]) -> T:
    """Return `value` if it is allowed; else raise an OptionError that lists what is and names the nearest.

    Examples
    --------
    >>> check_option("kernel", "uniform", ("triangular", "uniform"))
    'uniform'
    >>> check_option("kernel", "triangle", ("triangular", "uniform"))
    Traceback (most recent call last):
    ...
    fisc.core.errors.OptionError: kernel='triangle' is not an option; did you mean 'triangular'? \
(one of: 'triangular', 'uniform')
    """
    choices = list(allowed)
    if isinstance(value, (str, int, float, bool, type(None))) and value in choices:
        return value
    guess = nearest(value, [c for c in choices if isinstance(c, str)])
    hint = f"did you mean {guess!r}? " if guess else ""
    listed = ", ".join(repr(c) for c in choices)
    raise OptionError(f"{option}={value!r} is not an option; {hint}(one of: {listed})")


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional library, or say how to install it.

    Parameters
    ----------
    module, extra : str
        Dotted name of the module, and the extra of the fisc distribution that brings it.

    Raises
    ------
    MissingExtraError
        If the library is not installed.

    Examples
    --------
    >>> require("json", extra="all").__name__
    'json'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == top:
            raise MissingExtraError(f"{top} is not installed; pip install 'fisc[{extra}]'") from error
        raise MissingExtraError(
            f"{top} is installed but cannot be imported ({error}); pip install 'fisc[{extra}]' again"
        ) from error
