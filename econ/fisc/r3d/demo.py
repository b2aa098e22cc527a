"""The demonstration: stock returns after their index crosses its 200-day average.

Units are trading days, the outcome of a day is the distribution of the next 21-day returns over twenty
stocks, and the running variable is the log distance of their equal-weight index from its 200-day average.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fisc.core import as_dated, record, renamed
from fisc.core.frames import TableLike
from fisc.data import load_sp500
from fisc.report import Figure, Section, Table

from . import plots
from .diagnostics import placebo_cutoffs
from .model import r3d
from .summary import selected_rows, verdict

HORIZON = 21
AVERAGE = 200
DECILES = np.arange(1, 10) / 10


def crossing_data(prices: TableLike, horizon: int = HORIZON, average: int = AVERAGE) -> pd.DataFrame:
    """Build the long data of the demonstration from daily adjusted closes, shape (days, stocks).

    `horizon` is how many trading days returns are measured over, starting the day after; `average` those of
    the moving average of the equal-weight index. Columns are day, ticker, next_return (share, not per cent),
    distance (log of index over average) and quarter; days without a full average or horizon are left out.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> days = pd.bdate_range("2020-01-01", periods=8, name="date")
    >>> prices = pd.DataFrame({"A": np.arange(1.0, 9.0), "B": np.arange(2.0, 10.0)}, index=days)
    >>> crossing_data(prices, horizon=2, average=3)["day"].nunique()
    3
    """
    prices = as_dated("prices", prices, what="daily prices")
    returns = prices.pct_change(fill_method=None)
    index = (1.0 + returns.mean(axis=1).fillna(0.0)).cumprod()
    distance = pd.Series(np.log(index / index.rolling(average).mean()), index=prices.index)
    complete = slice(min(average, len(prices) - 1), max(len(prices) - horizon, 0))
    ahead = (prices.shift(-horizon) / prices - 1.0).iloc[complete]
    long = ahead.rename_axis(index="day").melt(
        var_name="ticker", value_name="next_return", ignore_index=False
    )
    long = long.reset_index().sort_values(["day", "ticker"], ignore_index=True)
    long["distance"] = long["day"].map(distance)
    long["quarter"] = long["day"].dt.to_period("Q").astype(str)
    return long


@renamed(seed="random_state")
def demo_section(random_state: int = 0) -> Section:
    """Fit the demonstration and say what the bands say; offline, the same for the same seed."""
    prices = load_sp500()
    data = crossing_data(prices)
    fit = r3d(
        data,
        y="next_return",
        x="distance",
        unit="day",
        cluster="quarter",
        quantiles=DECILES,
        random_state=random_state,
    )
    placebo = placebo_cutoffs(fit, random_state=random_state)
    tried = placebo[placebo["placebo"]]
    mean = fit.functional("mean")
    size = (
        f"{len(prices.columns)} stocks, {fit.n_minus + fit.n_plus} days, {data['quarter'].nunique()} quarters"
    )
    body = (
        "A rule of thumb in the market says that stocks behave differently once their index is above its 200-day "
        "average. Days just above and just below the average are alike but for being on one side of it, so a jump "
        "in the distribution of what follows would speak for the rule.\n\n"
        f"Units are days, the outcome of a day is the distribution of the next {HORIZON}-day returns over the stocks "
        f"({size}). Returns of neighbouring days overlap, so errors are clustered by quarter.\n\n"
        f"{verdict(fit)} The mean effect is {100 * mean.estimate:.2f} percentage points "
        f"({100 * (1 - mean.alpha):g}% interval {100 * mean.lower:.2f} to {100 * mean.upper:.2f}). "
        f"Of {len(tried)} placebo cutoffs, {int((tried['p_holm'] < 0.05).sum())} show a jump after Holm's adjustment."
    )
    figures = (
        Figure.from_matplotlib(
            plots.effect(fit),
            caption=f"Change of the next {HORIZON}-day returns at the crossing, by quantile over stocks (0.01 is one "
            "percentage point).",
            alt=verdict(fit),
        ),
        Figure.from_matplotlib(
            plots.rd(fit, quantiles=(0.1, 0.5, 0.9), bins=25),
            caption="Low, middle and high returns over stocks by distance of the index from its average: means of "
            "equally filled bins, and the local fits.",
            alt="Binned quantiles of returns against the distance from the moving average, with fitted curves.",
        ),
    )
    tables = (
        Table(selected_rows(fit).set_index("quantile"), caption="Effect by quantile", decimals=4),
        Table(placebo, caption="Placebo cutoffs", index=False, decimals=4),
    )
    return Section(
        "Crossing the 200-day average",
        question="Does crossing the 200-day average change the distribution of the returns that follow?",
        finding=verdict(fit),
        body=body,
        figures=figures,
        tables=tables,
        notes=(
            *fit.warnings,
            "The twenty stocks were picked because they survived; levels of returns are too good.",
        ),
        provenance=record(
            options=fit.provenance.options, inputs={"prices": prices}, seed=random_state, notes=fit.warnings
        ),
    )
