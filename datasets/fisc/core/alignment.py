"""Two labelled things are paired by their labels, never by their places."""

from __future__ import annotations

from typing import TypeVar

import pandas as pd

from fisc.core.errors import DataError

__all__ = ["align"]

T = TypeVar("T")


def align(first: object, second: T, names: tuple[str, str]) -> T | pd.Series[float]:
    """Return the second of two things in the order of the first's labels.

    Parameters
    ----------
    first, second : Series or anything else
        Only where both are Series do labels decide; what has no labels stays as it is.
    names : (str, str)
        Their names, for messages.

    Returns
    -------
    object
        `second`, its rows reordered if they were in another order.

    Raises
    ------
    DataError
        If one has labels that the other lacks, or labels that repeat leave the pairs open.

    Examples
    --------
    >>> returns = pd.Series([0.1, 0.2], index=["Steel", "Cement"])
    >>> align(returns, returns[::-1], ("returns", "scores")).tolist()
    [0.1, 0.2]
    """
    if not (isinstance(first, pd.Series) and isinstance(second, pd.Series)):
        return second
    if first.index.equals(second.index):
        return second
    if not (first.index.is_unique and second.index.is_unique):
        raise DataError(
            f"labels of {names[0]} or {names[1]} repeat and stand in another order, so that rows cannot be paired; "
            "give each row its own label, or plain arrays in one order"
        )
    lacking = [label for label in first.index if label not in second.index]
    more = [label for label in second.index if label not in first.index]
    if lacking or more:
        which, whose = (lacking, names[1]) if lacking else (more, names[0])
        raise DataError(
            f"{names[0]} and {names[1]} have different labels: {whose} lacks {len(which)}, the first is {which[0]!r}; "
            "keep the rows that both have"
        )
    return second.reindex(first.index)
