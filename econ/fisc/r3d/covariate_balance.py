"""Effects on outcomes that the cutoff should not move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fisc.core import DataError

from .diagnostics import effect_row
from .inputs import Data
from .model import r3d
from .process import holm


def balance(
    data: Data, outcomes: Sequence[str], *, x: str, unit: str, random_state: int | None = 0, **options: Any
) -> pd.DataFrame:
    """Effects on outcomes that the cutoff should not move: predetermined variables, placebo outcomes.

    Each is treated as distribution-valued, so that a jump anywhere in its distribution shows.

    Parameters
    ----------
    data : DataFrame or path
        Long micro-data.
    outcomes : sequence of str
        Columns to test.
    x, unit : str
        Columns of the running variable and the unit.
    random_state : int, optional
        Seed of the draws.
    **options
        Further arguments of `r3d`.

    Returns
    -------
    DataFrame
        One row a column: mean effect with interval, p-value of no effect at any quantile, and Holm's
        adjustment over the columns.

    Examples
    --------
    >>> import numpy as np
    >>> from fisc.r3d import balance, simulate
    >>> data = simulate("paper1", n=200, random_state=5).data
    >>> rng = np.random.default_rng(0)
    >>> data["age"] = 40 + 10 * rng.standard_normal(len(data))
    >>> balance(data, ["age"], x="x", unit="unit", quantiles=[0.25, 0.5, 0.75])["outcome"].tolist()
    ['age']
    """
    if isinstance(outcomes, str) or not len(outcomes):
        raise DataError(f"outcomes={outcomes!r}; give a list of column names")
    rows = []
    for name in outcomes:
        fit = r3d(data, y=name, x=x, unit=unit, random_state=random_state, **options)
        rows.append({"outcome": name, **effect_row(fit)})
    table = pd.DataFrame(rows)
    return table.assign(p_holm=holm(table["p_nullity"].to_numpy()))
