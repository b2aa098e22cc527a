"""Checks of arguments that are numbers, seeds, arrays or objects of ours: one message style for all.

In each, `name` is that of the argument and `what` says what was expected, both for the message. Booleans,
text that looks like a number and complex numbers are not numbers here, though Python may take them.
"""

from __future__ import annotations

import functools
import math
import numbers
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from fisc.core.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = [
    "check_array",
    "check_is",
    "check_number",
    "check_seed",
    "check_table",
    "check_whole",
    "is_number",
    "renamed",
]

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


def check_whole(name: str, value: Any, *, least: int | None = None, most: int | None = None) -> int:
    """Return a whole number from `least` to `most`; anything else is a DataError that says so.

    Examples
    --------
    >>> check_whole("n", 3, least=1)
    3
    >>> check_whole("n", 2.5, least=1)
    Traceback (most recent call last):
    ...
    fisc.core.errors.DataError: n=2.5; give a whole number of at least 1
    """
    if not _is_bool(value) and isinstance(value, numbers.Integral):
        whole = operator.index(value)
        if (least is None or whole >= least) and (most is None or whole <= most):
            return whole
    raise DataError(f"{name}={_shown(value)}; give a whole number{_limits(least, most)}")


def check_seed(name: str, value: Any) -> int:
    """Return a seed, a whole number of at least 0; anything else is a DataError.

    Examples
    --------
    >>> check_seed("seed", -1)
    Traceback (most recent call last):
    ...
    fisc.core.errors.DataError: seed=-1; give a whole number of at least 0
    """
    return check_whole(name, value, least=0)


def is_number(value: Any) -> bool:
    """Tell whether `value` is one finite real number and not a boolean.

    Examples
    --------
    >>> [is_number(v) for v in (1, 2.5, True, float("inf"), "1", None, 10**400)]
    [True, True, False, False, False, False, False]
    """
    if _is_bool(value) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def check_number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    what: str = "a finite number",
) -> float:
    """Return a finite number from `least` to `most`, `above` and `below` the others; all else is a DataError.

    Examples
    --------
    >>> check_number("rate", 0.5, least=0, below=1)
    0.5
    >>> check_number("rate", float("nan"), least=0, below=1)
    Traceback (most recent call last):
    ...
    fisc.core.errors.DataError: rate=nan; give a finite number of at least 0 and below 1
    """
    if is_number(value):
        number = float(value)
        if (
            (least is None or number >= least)
            and (most is None or number <= most)
            and (above is None or number > above)
            and (below is None or number < below)
        ):
            return number
    raise DataError(f"{name}={_shown(value)}; give {what}{_limits(least, most, above, below)}")


def check_array(
    name: str, values: Any, *, what: str = "numbers", missing: bool = False
) -> npt.NDArray[np.float64]:
    """Return numbers, in any shape, as a new array of float64.

    Parameters
    ----------
    name, what : str
        For the message.
    values : array_like
        Anything of which numpy makes an array of numbers; None counts as missing.
    missing : bool
        Whether NaN, infinity and None are let through for the caller to judge.

    Raises
    ------
    DataError
        If values are not real numbers, lie in lists of unequal lengths, or are missing or infinite.

    Examples
    --------
    >>> check_array("prices", [1, 2.5])
    array([1. , 2.5])
    >>> check_array("prices", [1, 2j])
    Traceback (most recent call last):
    ...
    fisc.core.errors.DataError: prices must be numbers, got [1, 2j], which cannot be read as such
    """
    import numpy as np

    try:
        # Objects keep lists of unequal lengths and complex numbers visible.
        array = np.asarray(values)
        if array.dtype.kind in "cmMVSU":
            raise TypeError(f"they are of type {array.dtype}")
        if array.dtype == object and any(isinstance(value, str | bytes) for value in array.flat):
            raise TypeError("there is text among them")
        floats = np.array(array, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, ArithmeticError) as error:
        raise DataError(
            f"{name} must be {what}, got {_shown(values)}, which cannot be read as such"
        ) from error
    bad = ~np.isfinite(floats)
    if not missing and bad.any():
        raise DataError(
            f"{name} holds {int(bad.sum())} value(s) that are NaN or infinite; give {what}, and remove or fill "
            "those first"
        )
    return floats


def check_table(name: str, values: Any, *, what: str, dates: bool = False) -> pd.DataFrame:
    """Return a copy of a table of real numbers as float64, missing ones as NaN.

    Parameters
    ----------
    name, what : str
        For the message.
    values : DataFrame
        What was given.
    dates : bool
        Whether the index must hold dates; text is read as dates, and none may be missing.

    Raises
    ------
    DataError
        If it is not a DataFrame, is empty, names a column twice, or holds anything but finite real numbers
        and gaps.

    Examples
    --------
    >>> import pandas as pd
    >>> check_table("prices", pd.DataFrame({"A": [1, None]}), what="prices by day")["A"].tolist()
    [1.0, nan]
    """
    import numpy as np
    import pandas as pd

    from fisc.core.dates import read_dates

    if not isinstance(values, pd.DataFrame):
        raise DataError(f"{name} is of type {type(values).__name__}; give a DataFrame of {what}")
    if values.empty:
        raise DataError(f"{name} is empty; give a DataFrame of {what}")
    if not values.columns.is_unique:
        twice = values.columns[values.columns.duplicated()].tolist()
        raise DataError(f"{name} has columns {twice[:5]} more than once; give each its own name")
    words = [
        str(c)
        for c, kind in zip(values.columns, values.dtypes, strict=True)
        if pd.api.types.is_complex_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind)
    ]
    try:
        if words:
            raise TypeError(f"first such columns: {words[:5]}")
        numbers_ = values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError, OverflowError, ArithmeticError) as error:
        raise DataError(f"{name} holds entries that are not numbers ({error}); give {what}") from error
    if np.isinf(numbers_).any():
        raise DataError(f"{name} holds {int(np.isinf(numbers_).sum())} infinite values; leave them empty")
    index = values.index
    if dates:
        try:
            if not isinstance(index, pd.DatetimeIndex):
                index = pd.DatetimeIndex(read_dates(index.to_series(), where=f"the index of {name}"))
        except (TypeError, ValueError) as error:
            raise DataError(f"the index of {name} is not dates: {error}") from error
        if index.hasnans:
            raise DataError(
                f"{int(np.asarray(index.isna()).sum())} dates of {name} are missing; drop those rows"
            )
    return pd.DataFrame(numbers_, index=index, columns=values.columns)


def check_is(name: str, value: Any, kind: type[T], *, how: str) -> T:
    """Return `value` if it is a `kind`; else raise a DataError that ends with `how` to make one.

    Examples
    --------
    >>> check_is("name", 3, str, how="give text")
    Traceback (most recent call last):
    ...
    fisc.core.errors.DataError: name is of type int, not str; give text
    """
    if not isinstance(value, kind):
        raise DataError(f"{name} is of type {type(value).__name__}, not {kind.__name__}; {how}")
    return value


def renamed(**older: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take keywords under an older name too; both in one call are a TypeError.

    Examples
    --------
    >>> @renamed(seed="random_state")
    ... def draw(random_state=0):
    ...     return random_state
    >>> draw(seed=3), draw(4)
    (3, 4)
    """

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old, new in older.items():
                if old in kwargs:
                    if new in kwargs:
                        raise TypeError(f"{function.__name__}() got {new} twice, as {old} and as {new}")
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return wrap


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")


def _shown(value: Any) -> str:
    """Return one line that shows a value, however large."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."


def _limits(
    least: float | None, most: float | None, above: float | None = None, below: float | None = None
) -> str:
    words = [
        f"{word} {limit:g}"
        for word, limit in (("at least", least), ("above", above), ("at most", most), ("below", below))
        if limit is not None
    ]
    return f" of {' and '.join(words)}" if least is not None else f" {' and '.join(words)}" if words else ""
