"""Event days compared with ordinary days drawn at random."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fisc.basir.market.events import EventStudy, event_study
from fisc.basir.market.prices import Events, aligned
from fisc.basir.options import ReturnModel
from fisc.basir.plots import plot_placebo
from fisc.core import DataError, DataWarning, Provenance, TableLike, check_seed, check_whole, record, renamed
from fisc.report import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Placebo", "placebo"]


@dataclasses.dataclass(frozen=True)
class Placebo(Result):
    """Event days compared with ordinary days.

    Attributes
    ----------
    table : DataFrame
        One row for each event: variance_ratio, p_value (share of placebo days that moved at least as much),
        spread_pct (standard deviation of abnormal returns across sectors) and its p_value.
    draws : DataFrame
        variance_ratio and spread_pct of the placebo days.
    provenance : Provenance
    """

    table: pd.DataFrame
    draws: pd.DataFrame
    provenance: Provenance

    def summary(self) -> str:
        """Return how unusual the events were."""
        beyond = int((self.table["p_value"] < 0.05).sum())
        return (
            f"{beyond} of {len(self.table)} events moved sectors apart more than 95 % of "
            f"{len(self.draws)} ordinary days; "
            f"median variance ratio {self.table['variance_ratio'].median():.1f} against "
            f"{self.draws['variance_ratio'].median():.1f}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each event."""
        return self.table

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the placebo distribution with the events marked."""
        return plot_placebo(self.table, self.draws, ax=ax)


@renamed(seed="random_state")
def placebo(
    prices: TableLike,
    events: Events,
    *,
    market: str | pd.Series[float] | TableLike,
    model: ReturnModel = "market",
    estimation: tuple[int, int] = (-250, -11),
    draws: int = 1000,
    exclude: int = 10,
    random_state: int = 0,
) -> Placebo:
    """Compare event days with random days that were not events.

    Parameters
    ----------
    prices, events, market, model, estimation
        As in `fisc.basir.event_returns`.
    draws : int
        Placebo days, drawn with replacement from the trading days that have the estimation window.
    exclude : int
        Trading days on either side of an event that are not drawn.
    random_state : int
        Seed of the draws.

    Returns
    -------
    Placebo

    Raises
    ------
    DataError
        If no day is left to draw from.
    """
    draws, exclude = check_whole("draws", draws, least=1), check_whole("exclude", exclude, least=0)
    random_state = check_seed("random_state", random_state)
    levels, benchmark = aligned(prices, market)
    real = event_study(levels, events, market=benchmark, model=model, estimation=estimation)
    days = pd.DatetimeIndex(levels.index)
    free = np.ones(len(days), dtype=bool)
    free[: -estimation[0]] = False
    free[-1] = False
    for day in real.frame["date"].unique():
        at = int(days.searchsorted(day))
        free[max(0, at - exclude) : at + exclude + 1] = False
    if not free.any():
        raise DataError(
            f"no ordinary day is left: {len(days)} trading days, {-estimation[0]} of them used for "
            "estimation; give longer prices"
        )
    rng = np.random.default_rng(random_state)
    chosen = days[rng.choice(np.flatnonzero(free), size=draws)]
    with warnings.catch_warnings():
        # The same assets are missing on many placebo days; the count of the real events says enough.
        warnings.simplefilter("ignore", DataWarning)
        fake = event_study(levels, chosen.unique(), market=benchmark, model=model, estimation=estimation)
    null = _daily(fake).reindex(chosen).dropna()
    seen = _daily(real)
    table = pd.DataFrame(
        {
            "variance_ratio": seen["variance_ratio"],
            "p_value": [_share(null["variance_ratio"], v) for v in seen["variance_ratio"]],
            "spread_pct": seen["spread_pct"],
            "spread_p_value": [_share(null["spread_pct"], v) for v in seen["spread_pct"]],
        }
    )
    history = record(
        options={"model": model, "estimation": estimation, "draws": draws, "exclude": exclude},
        inputs={"prices": levels, "market": benchmark.to_frame("market")},
        seed=random_state,
        notes=real.provenance.notes,
    )
    return Placebo(table, null.reset_index(drop=True), history)


def _daily(study: EventStudy) -> pd.DataFrame:
    grouped = study.frame.groupby("event")
    return grouped.agg(
        variance_ratio=("sar", lambda s: float((s**2).mean())),
        spread_pct=("abnormal_pct", lambda s: float(s.std(ddof=1))),
    )


def _share(null: pd.Series[float], value: float) -> float:
    """Return the add-one share of null draws at or beyond `value`, which is never 0."""
    return float((1 + (null >= value).sum()) / (1 + len(null)))
