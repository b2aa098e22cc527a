"""Tests of abnormal returns that share one day: Patell, BMP, Kolari-Pynnönen, Corrado."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from fisc.basir.options import TestedBy
from fisc.core import FloatArray, check_option

__all__ = ["bmp_t", "corrado_z", "event_tests", "kolari_pynnonen_t", "mean_cross_correlation", "patell_z"]


def patell_z(scar: npt.ArrayLike, degrees: npt.ArrayLike) -> float:
    """Return Patell's z: sum of standardised CARs (n,) over the root of the sum of their t variances.

    `degrees` are those of the residuals, (n,) or one number; a t variable has variance d / (d - 2). Standard
    normal if assets are independent and their variance does not change on the day.

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


def bmp_t(scar: npt.ArrayLike) -> float:
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


def kolari_pynnonen_t(scar: npt.ArrayLike, correlation: float) -> float:
    """Return the BMP t corrected for assets that move together: t sqrt((1 - r) / (1 + (n - 1) r)).

    `correlation` is the mean correlation r of the residuals before the event.

    References
    ----------
    Kolari and Pynnönen (2010), Review of Financial Studies 23, 3996-4025, equation (12).
    """
    n = len(np.asarray(scar))
    widened = 1.0 + (n - 1) * correlation
    return bmp_t(scar) * math.sqrt((1.0 - correlation) / widened) if widened > 0 else float("nan")


def mean_cross_correlation(residuals: npt.ArrayLike) -> float:
    """Return the mean correlation between the rows of residuals (n_assets, n_days), 0 for a single one.

    Missing values are left out pair by pair.
    """
    values = np.asarray(residuals, dtype=float)
    n = len(values)
    if n < 2:
        return 0.0
    matrix = pd.DataFrame(values.T).corr().to_numpy()
    return float(np.nanmean(matrix[np.triu_indices(n, 1)]))


def corrado_z(residuals: npt.ArrayLike, abnormal: npt.ArrayLike) -> float:
    """Return Corrado's rank statistic for one event day.

    The abnormal returns of estimation days and event day are ranked asset by asset; the statistic
    compares the mean rank of the event day with its standard deviation over all days. Ranks are scaled
    to (0, 1) by the number of days that an asset has. Residuals (n_assets, n_days) may have missing values,
    abnormal returns have shape (n_assets,). About standard normal; it needs no normal returns.

    References
    ----------
    Corrado (1989), Journal of Financial Economics 23, 385-395; Corrado and Zivney (1992) for the scaling.
    """
    together = np.column_stack([np.asarray(residuals, dtype=float), np.asarray(abnormal, dtype=float)])
    ranks = pd.DataFrame(together).rank(axis=1).to_numpy()
    counts = np.isfinite(together).sum(axis=1, keepdims=True)
    scaled = ranks / (counts + 1.0) - 0.5
    present = np.isfinite(scaled)
    daily = np.where(present, scaled, 0.0).sum(axis=0) / np.sqrt(np.maximum(present.sum(axis=0), 1))
    used = present.any(axis=0)
    spread = math.sqrt(float((daily[used] ** 2).mean()))
    return float(daily[-1] / spread) if spread > 0 else float("nan")


def event_tests(
    pairs: pd.DataFrame,
    *,
    by: TestedBy,
    abnormal: FloatArray,
    standardised: FloatArray,
    scar: FloatArray,
    residuals: FloatArray,
    estimated: int,
) -> pd.DataFrame:
    """Test abnormal returns by event or by asset; the table is that of `EventStudy.tests`.

    A row of `pairs` (event, asset, n_estimation) belongs to a row of each array: abnormal and standardised
    (n_pairs, n_days), scar (n_pairs,), residuals (n_pairs, n_estimation). `estimated` counts the parameters
    that the variance paid for.
    """
    check_option("by", by, get_args(TestedBy))
    rows = {}
    for key, group in pairs.groupby(by, sort=True):
        at = group.index.to_numpy()
        n = len(at)
        r = mean_cross_correlation(residuals[at]) if by == "event" else 0.0
        kp = kolari_pynnonen_t(scar[at], r)
        by_day = [corrado_z(residuals[at], day) for day in abnormal[at].T]
        rows[key] = {
            "n": n,
            "mean_car_pct": float(abnormal[at].sum(axis=1).mean()),
            "mean_correlation": r,
            "patell_z": patell_z(scar[at], group["n_estimation"].to_numpy() - estimated),
            "bmp_t": bmp_t(scar[at]),
            "kp_t": kp,
            "kp_p": float(2 * stats.t.sf(abs(kp), n - 1)) if n > 1 and math.isfinite(kp) else float("nan"),
            "corrado_z": float(np.sum(by_day) / math.sqrt(len(by_day))),
            "variance_ratio": float((standardised[at] ** 2).mean()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)
