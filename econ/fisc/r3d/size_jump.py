"""Test of a jump of the unit sizes at the cutoff.

Where they do, quantiles that depend on how many values a unit has jump too, without any effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from fisc.core.arrays import FloatArray, IntArray

from .bandwidth import select
from .honest import side_scores
from .localpoly import fit_side
from .options import Kernel
from .scores import sum_by

# Level at which sizes count as jumping.
SIZES_JUMP = 0.05
# A jump of log sizes below this is rounding.
_NO_JUMP = 1e-9


@dataclass(frozen=True, slots=True)
class SizeJump:
    """Jump of the unit sizes at the cutoff.

    Attributes
    ----------
    below, above : float
        Typical (geometric mean) size of units at the cutoff from either side.
    p_value : float
        Of H0: log sizes do not jump.
    df : float
        Degrees of freedom of the t statistic.
    """

    below: float
    above: float
    p_value: float
    df: float

    @property
    def words(self) -> str:
        """Both sizes and the p-value, in a few words."""
        return f"about {self.below:.3g} values below and {self.above:.3g} above, p = {self.p_value:.2g}"


def size_jump(
    x: FloatArray,
    sizes: IntArray | FloatArray,
    *,
    kernel: Kernel = "triangular",
    p: int = 2,
    s: int = 1,
    clusters: IntArray | None = None,
) -> SizeJump:
    """Test whether the sizes of units jump at the cutoff.

    A local polynomial of log sizes on each side, at its own bandwidth, with HC2 (with clusters CR2) standard errors
    and a t statistic.

    Parameters
    ----------
    x : array, shape (n,)
        Running variable less the cutoff, ascending.
    sizes : array, shape (n,)
        Values behind each unit; effective sizes where values are weighted.
    kernel : {"triangular", "epanechnikov", "uniform"}
        Kernel.
    p, s : int
        Order of the polynomial, and the order for which the bandwidth is optimal.
    clusters : int array, shape (n,), optional
        Cluster codes; clusters on both sides are taken as two.

    Returns
    -------
    SizeJump
        Sizes at the cutoff from either side, and the p-value.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 200)
    >>> size_jump(x, np.where(x < 0, 10, 30)).p_value
    0.0
    >>> size_jump(x, np.full(200, 25)).p_value
    1.0
    """
    log_size = np.log(np.asarray(sizes, dtype=float))[:, None]
    if np.ptp(log_size) == 0.0:
        return SizeJump(float(sizes[0]), float(sizes[0]), 1.0, np.inf)
    h = select(x, log_size, kernel=kernel, p=p, s=s, clusters=clusters)
    limit, variance, df = [], [], []
    for plus, bandwidth in ((False, h.minus), (True, h.plus)):
        fit = fit_side(x, log_size, bandwidth, p, kernel, plus=plus)
        scores, own_df = side_scores(fit, x, log_size[fit.rows] - fit.fitted, p, clusters)
        if clusters is not None:
            groups = clusters[fit.rows]
            scores = sum_by(groups, scores, int(groups.max()) + 1)
        limit.append(float(fit.alpha[0, 0]))
        variance.append(float(np.sum(scores**2)))
        df.append(float(own_df[0]))
    jump, total = limit[1] - limit[0], sum(variance)
    below, above = float(np.exp(limit[0])), float(np.exp(limit[1]))
    if total <= _NO_JUMP**2:  # sizes follow the polynomials exactly
        return SizeJump(below, above, 1.0 if abs(jump) <= _NO_JUMP else 0.0, np.inf)
    pooled = total**2 / sum(v**2 / d for v, d in zip(variance, df, strict=True))
    p_value = float(2.0 * student.sf(abs(jump) / np.sqrt(total), pooled))
    return SizeJump(below, above, p_value, float(pooled))
