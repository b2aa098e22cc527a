"""Verdict on manipulation of the running variable: what a density can tell, and where it can tell nothing.

Whether units crowd on one side of the cutoff can be seen only if where they lie is random. Cohorts, months and
ranks lie on a grid with one unit a point, whatever anybody does: their density is flat by construction. Units
that share one value because one event decides for all of them (an election for several years) are one draw, not
several. And a test that would overlook half of the units next to the cutoff moving across it is not a clean bill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import binomtest, chi2, norm

from fisc.core import DataError
from fisc.core.arrays import FloatArray, IntArray

from .density import DensityTest, density_test
from .density_pilot import local_bandwidths
from .options import Kernel

Verdict = Literal["ok", "look", "not informative"]

LEVEL = 0.05
POWER = 0.8
# Ratio of the densities if half of the units just below the cutoff moved above it: 1.5 to 0.5.
RATIO = 3.0
# Fewer distinct values than this within the window of a side describe no density.
DISTINCT_MIN = 10
# The units nearest to the cutoff, at most so many and at most this share of all, lie on either side like coins. The
# level of that second look is small, so that both together keep the level of the first.
NEAREST, NEAREST_SHARE, NEAREST_LEVEL = 40, 0.1, 0.005
# Gaps between values that are multiples of the smallest gap up to this share of it form a grid.
_ON_GRID = 1e-3
# Counts per grid point that are this unlikely to be so even by chance are even by design.
_EVEN = 1e-3


@dataclass(frozen=True, slots=True)
class Support:
    """Where the units lie.

    Attributes
    ----------
    n : int
        Units.
    values : array, shape (d,)
        Distinct values, ascending.
    counts : int array, shape (d,)
        Units at each.
    step : float
        Distance of neighbouring grid points; NaN where the values lie on no grid.
    even : bool
        Whether the units are spread over the grid more evenly than chance would do it.
    """

    n: int
    values: FloatArray
    counts: IntArray
    step: float
    even: bool

    @property
    def shared(self) -> bool:
        """Whether units share values that lie on no grid, so that one event decides for several units."""
        return self.values.size < self.n and not np.isfinite(self.step)


def support(x: FloatArray) -> Support:
    """Describe where units lie.

    Examples
    --------
    >>> months = support(np.arange(-48., 48.) / 12)
    >>> months.even, round(1 / months.step, 9)
    (True, 12.0)
    >>> support(np.array([0.13, 0.13, 0.47, 0.92, 0.92])).shared
    True
    """
    values, counts = np.unique(x, return_counts=True)
    step, even = np.nan, False
    if values.size > 2:
        gaps = np.diff(values)
        ratio = gaps / gaps.min()
        if bool((np.abs(ratio - np.round(ratio)) < _ON_GRID).all()) and ratio.max() < 1.0 / _ON_GRID:
            step = float((values[-1] - values[0]) / np.round(ratio).sum())
            cells = int(np.round(ratio).sum()) + 1
            mean = x.size / cells
            scatter = (
                float(counts @ counts) / mean - x.size
            )  # sum of (count - mean)^2 / mean, empty cells too
            even = bool(chi2.cdf(scatter, cells - 1) < _EVEN)
    return Support(x.size, values, counts, step, even)


@dataclass(frozen=True, eq=False)
class Manipulation:
    """Outcome of the check.

    Attributes
    ----------
    verdict : {"ok", "look", "not informative"}
        "ok" only where the test would have found half of the units just below moving above.
    finding : str
        The reason, in a sentence.
    p_value : float
        Of H0: the density does not jump; NaN where no test makes sense.
    detectable : float
        Ratio of the densities found in 80 of 100 samples; NaN where no test makes sense.
    test : DensityTest or None
        The test behind the verdict.
    nearest : (int, int)
        Of the units nearest to the cutoff, how many lie below and how many above.
    nearest_p_value : float
        Of H0: each lies on either side with probability one half. It sees what a polynomial of the density smooths
        over, a hole on one side next to the cutoff.
    """

    verdict: Verdict
    finding: str
    p_value: float
    detectable: float
    test: DensityTest | None
    nearest: tuple[int, int] = (0, 0)
    nearest_p_value: float = 1.0


def nearest_units(x: FloatArray) -> tuple[int, int, float]:
    """Count the units nearest to zero below and above it, with the binomial p-value of one half each.

    Examples
    --------
    >>> below, above, p = nearest_units(np.r_[np.linspace(-1, -0.2, 400), np.linspace(0, 1, 500)])
    >>> below, above, p < 1e-9
    (0, 40, True)
    """
    wanted = min(NEAREST, int(NEAREST_SHARE * x.size))
    if wanted < 1:
        return 0, 0, 1.0
    reach = float(np.partition(np.abs(x), wanted - 1)[wanted - 1])
    below = int(np.count_nonzero((x < 0.0) & (x >= -reach)))
    above = int(np.count_nonzero((x >= 0.0) & (x <= reach)))
    return below, above, float(binomtest(below, below + above).pvalue)


def check_manipulation(
    x: FloatArray, cutoff: float = 0.0, *, p: int = 2, kernel: Kernel = "triangular"
) -> Manipulation:
    """Test for a jump of the density at the cutoff, and say whether the test could tell.

    Parameters
    ----------
    x : array, shape (n,)
        Running variable, one entry a unit.
    cutoff : float
        In units of x.
    p : int
        Order for which bandwidths are optimal.
    kernel : {"triangular", "epanechnikov", "uniform"}
        Kernel.

    Returns
    -------
    Manipulation
        Verdict, reason and test. Units that share values off any grid enter once a value.

    Examples
    --------
    >>> check_manipulation(np.arange(-48., 48.) / 12).verdict
    'not informative'
    >>> x = np.random.default_rng(0).uniform(-1, 1, 4000)
    >>> check_manipulation(x).verdict, check_manipulation(np.where(np.abs(x) < 0.1, np.abs(x), x)).verdict
    ('ok', 'look')
    """
    centred = np.asarray(x, dtype=float) - cutoff
    where = support(centred)
    if where.even:
        many = "one unit" if where.counts.max() == 1 else "as many units"
        return _nothing(
            f"the running variable is a grid with step {where.step:.4g} and {many} at every point by construction, "
            "so that its density cannot show sorting; look at the sizes of units instead"
        )
    points = where.values if where.shared else centred
    shared = f" ({where.n} units share {where.values.size} values, taken once each)" if where.shared else ""
    try:
        h = local_bandwidths(points, p, kernel)
        inside = [
            int(np.count_nonzero((where.values >= low) & (where.values < high)))
            for low, high in ((-h[0], 0.0), (0.0, h[1]))
        ]
        if min(inside) < DISTINCT_MIN:
            return _nothing(
                f"the windows hold {inside[0]} and {inside[1]} distinct values of the running variable below and "
                f"above the cutoff; a density needs at least {DISTINCT_MIN} on each side"
            )
        test = density_test(points + cutoff, cutoff, p=p, kernel=kernel, bandwidth=h)
    except DataError as error:
        return _nothing(str(error))
    return _judge(test, shared, nearest_units(points))


def _judge(test: DensityTest, shared: str, near: tuple[int, int, float]) -> Manipulation:
    """Verdict of a test that could be run."""
    finding = f"density {test.density_minus:.3g} below, {test.density_plus:.3g} above{shared}"
    pooled = 0.5 * (test.density_minus + test.density_plus)
    error = float(np.hypot(test.se_minus, test.se_plus)) / pooled if pooled > 0.0 else np.inf
    reach = float(norm.ppf(1.0 - LEVEL / 2.0) + norm.ppf(POWER)) * error
    # densities f (1 -+ d/2) differ by d f and have the ratio (1 + d/2) / (1 - d/2)
    detectable = (1.0 + reach / 2.0) / (1.0 - reach / 2.0) if reach < 2.0 else np.inf
    below, above, p_near = near
    verdict: Verdict = "ok"
    if test.p_value < LEVEL:
        verdict = "look"
    elif p_near < NEAREST_LEVEL:
        verdict = "look"
        finding += f"; of the {below + above} units nearest to the cutoff {below} lie below and {above} above"
    elif detectable > RATIO:
        verdict = "not informative"
        finding += (
            f"; only a density {detectable:.2g} times as high on one side would be found in "
            f"{100 * POWER:g} of 100 samples"
        )
    return Manipulation(verdict, finding, test.p_value, detectable, test, (below, above), p_near)


def _nothing(finding: str) -> Manipulation:
    return Manipulation("not informative", finding, np.nan, np.nan, None)
