"""Tests of abnormal returns that share one day: Patell, BMP, Kolari-Pynnönen, Corrado, placebo days."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fisc.core import DataError, DataWarning, Provenance, check_option, record
from fisc.report import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from fisc.basir.market.events import EventStudy, Model

__all__ = [
    "Placebo",
    "bmp_t",
    "corrado_z",
    "event_tests",
    "kolari_pynnonen_t",
    "mean_cross_correlation",
    "patell_z",
    "placebo",
]


def patell_z(scar: Any, degrees: Any) -> float:
    """Return Patell's z: sum of standardised CARs over the root of the sum of their t variances.

    Parameters
    ----------
    scar : array_like, shape (n,)
        Cumulative abnormal returns over their prediction standard errors.
    degrees : array_like, shape (n,) or float
        Residual degrees of freedom; the variance of a t variable is d / (d - 2).

    Returns
    -------
    float
        Standard normal if assets are independent and their variance does not change on the day.

    References
    ----------
    Patell (1976), Journal of Accounting Research 14, 246-276.

    Examples
    --------
    >>> round(patell_z([1.0, 1.0, 1.0, 1.0], 100), 3)
    1.98
    """
    s = np.asarray(scar, dtype=float)
    d = np.broadcast_to(np.asarray(degrees, dtype=float), s.shape)
    return float(s.sum() / np.sqrt((d / (d - 2.0)).sum()))


def bmp_t(scar: Any) -> float:
    """Return the standardised cross-sectional t, which allows the variance to rise on the event day.

    References
    ----------
    Boehmer, Musumeci and Poulsen (1991), Journal of Financial Economics 30, 253-272.

    Examples
    --------
    >>> round(bmp_t([1.0, 2.0, 3.0]), 4)
    3.4641
    """
    s = np.asarray(scar, dtype=float)
    return float(s.mean() / (s.std(ddof=1) / math.sqrt(len(s)))) if len(s) > 1 else float("nan")


def kolari_pynnonen_t(scar: Any, correlation: float) -> float:
    """Return the BMP t corrected for assets that move together: t sqrt((1 - r) / (1 + (n - 1) r)).

    Parameters
    ----------
    scar : array_like, shape (n,)
    correlation : float
        Mean correlation r of the residuals before the event.

    References
    ----------
    Kolari and Pynnönen (2010), Review of Financial Studies 23, 3996-4025, equation (12).
    """
    n = len(np.asarray(scar))
    widened = 1.0 + (n - 1) * correlation
    return bmp_t(scar) * math.sqrt((1.0 - correlation) / widened) if widened > 0 else float("nan")


def mean_cross_correlation(residuals: Any) -> float:
    """Return the mean correlation between assets' residuals.

    Parameters
    ----------
    residuals : ndarray, shape (n_assets, n_days)
        Missing values are left out pair by pair.

    Returns
    -------
    float
        Mean of the off-diagonal correlations; 0 for a single asset.
    """
    import pandas as pd

    n = len(residuals)
    if n < 2:
        return 0.0
    matrix = pd.DataFrame(np.asarray(residuals).T).corr().to_numpy()
    return float(np.nanmean(matrix[np.triu_indices(n, 1)]))


def corrado_z(residuals: Any, abnormal: Any) -> float:
    """Return Corrado's rank statistic for one event day.

    The abnormal returns of estimation days and event day are ranked asset by asset; the statistic
    compares the mean rank of the event day with its standard deviation over all days. Ranks are scaled
    to (0, 1) by the number of days that an asset has.

    Parameters
    ----------
    residuals : ndarray, shape (n_assets, n_days)
        Abnormal returns before the event; may hold missing values.
    abnormal : ndarray, shape (n_assets,)
        Abnormal returns of the event day.

    Returns
    -------
    float
        About standard normal; it needs no normal returns.

    References
    ----------
    Corrado (1989), Journal of Financial Economics 23, 385-395; Corrado and Zivney (1992) for the scaling.
    """
    import pandas as pd

    together = np.column_stack([np.asarray(residuals, dtype=float), np.asarray(abnormal, dtype=float)])
    ranks = pd.DataFrame(together).rank(axis=1).to_numpy()
    counts = np.isfinite(together).sum(axis=1, keepdims=True)
    scaled = ranks / (counts + 1.0) - 0.5
    present = np.isfinite(scaled)
    daily = np.where(present, scaled, 0.0).sum(axis=0) / np.sqrt(np.maximum(present.sum(axis=0), 1))
    used = present.any(axis=0)
    spread = math.sqrt(float((daily[used] ** 2).mean()))
    return float(daily[-1] / spread) if spread > 0 else float("nan")


def event_tests(study: EventStudy, *, by: Literal["event", "asset"] = "event") -> pd.DataFrame:
    """Test the abnormal returns of a study.

    Parameters
    ----------
    study : EventStudy
    by : {"event", "asset"}
        "event": across assets on each event; they share the day, so `kp_t` is the one to read.
        "asset": across events for each asset; events are apart in time, so r is taken as 0.

    Returns
    -------
    DataFrame
        Indexed by event or asset: n, mean_car_pct, mean_correlation, patell_z, bmp_t, kp_t, kp_p (two-sided, t
        distribution with n - 1 degrees), corrado_z (last day of the window for several days: the mean
        over days times the root of their number), variance_ratio (mean squared standardised abnormal
        return; 1 on an ordinary day).
    """
    import pandas as pd
    from scipy import stats

    check_option("by", by, ("event", "asset"))
    rows = {}
    used = {"market": 2, "mean_adjusted": 1, "market_adjusted": 1}[study.model]
    for key, group in study.pairs.groupby(by, sort=True):
        at = group.index.to_numpy()
        scar, residuals = study.scar[at], study.residuals[at]
        n = len(at)
        r = mean_cross_correlation(residuals) if by == "event" else 0.0
        kp = kolari_pynnonen_t(scar, r)
        by_day = [
            corrado_z(residuals, study.window_abnormal[at, d]) for d in range(study.window_abnormal.shape[1])
        ]
        rows[key] = {
            "n": n,
            "mean_car_pct": float(study.window_abnormal[at].sum(axis=1).mean()),
            "mean_correlation": r,
            "patell_z": patell_z(scar, group["n_estimation"].to_numpy() - used),
            "bmp_t": bmp_t(scar),
            "kp_t": kp,
            "kp_p": float(2 * stats.t.sf(abs(kp), n - 1)) if n > 1 and math.isfinite(kp) else float("nan"),
            "corrado_z": float(np.sum(by_day) / math.sqrt(len(by_day))),
            "variance_ratio": float((study.standardised[at] ** 2).mean()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)


@dataclasses.dataclass(frozen=True)
class Placebo(Result):
    """Event days compared with ordinary days.

    Attributes
    ----------
    table : DataFrame
        One row an event: variance_ratio, p_value (share of placebo days that moved at least as much),
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
        """Return one row an event."""
        return self.table

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the placebo distribution with the events marked."""
        from fisc.basir.plots import plot_placebo

        return plot_placebo(self.table, self.draws, ax=ax)


def placebo(
    prices: pd.DataFrame,
    events: Any,
    *,
    market: str | pd.Series,
    model: Model = "market",
    estimation: tuple[int, int] = (-250, -11),
    draws: int = 1000,
    exclude: int = 10,
    seed: int = 0,
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
    seed : int

    Returns
    -------
    Placebo

    Raises
    ------
    DataError
        If no day is left to draw from.
    """
    import pandas as pd

    from fisc.basir.market.events import event_study

    real = event_study(prices, events, market=market, model=model, estimation=estimation)
    days = pd.DatetimeIndex(pd.to_datetime(prices.index)).sort_values()
    if isinstance(market, str):
        traded = pd.DatetimeIndex(pd.to_datetime(prices.index[prices[market].notna()])).sort_values()
        days = traded
    free = np.ones(len(days), dtype=bool)
    free[: -estimation[0]] = False
    free[-1] = False
    for day in pd.to_datetime(real.frame["date"].unique()):
        at = int(days.searchsorted(day))
        free[max(0, at - exclude) : at + exclude + 1] = False
    if not free.any():
        raise DataError(
            f"no ordinary day is left: {len(days)} trading days, {-estimation[0]} of them used for "
            f"estimation; give longer prices"
        )
    rng = np.random.default_rng(seed)
    chosen = days[rng.choice(np.flatnonzero(free), size=draws)]
    with warnings.catch_warnings():
        # The same assets are missing on many placebo days; the count of the real events says enough.
        warnings.simplefilter("ignore", DataWarning)
        fake = event_study(prices, chosen.unique(), market=market, model=model, estimation=estimation)
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
        options={"model": model, "draws": draws, "exclude": exclude}, inputs={"prices": prices}, seed=seed,
        notes=real.provenance.notes,
    )  # fmt: skip
    return Placebo(table, null.reset_index(drop=True), history)


def _daily(study: EventStudy) -> pd.DataFrame:
    grouped = study.frame.groupby("event")
    return grouped.agg(
        variance_ratio=("sar", lambda s: float((s**2).mean())),
        spread_pct=("abnormal_pct", lambda s: float(s.std(ddof=1))),
    )


def _share(null: pd.Series, value: float) -> float:
    """Return the add-one share of null draws at or beyond `value`, which is never 0."""
    return float((1 + (null >= value).sum()) / (1 + len(null)))
