"""Manipulation test: a jump in the density of the running variable at the cutoff.

Cattaneo, Jansson and Ma (2020): a local polynomial of the empirical distribution function on each side;
its slope at the cutoff is the density there. No binning and no choice of bandwidth for a histogram.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from fisc.core import DataError, check_array, check_number, check_option, check_whole
from fisc.core.arrays import FloatArray
from fisc.report import Result
from fisc.report.style import MUTED, axes_of, reference_line, styled

from .density_pilot import check_sides, local_bandwidths
from .kernels import kernel_weights
from .options import Kernel
from .plots import ABOVE, BELOW

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class DensityTest(Result):
    """Outcome of the manipulation test.

    Attributes
    ----------
    density_minus, density_plus : float
        Density just below and above the cutoff, per unit of x.
    se_minus, se_plus : float
        Their standard errors.
    statistic, p_value : float
        Studentised difference and two-sided p-value of H0: no jump.
    bandwidth_minus, bandwidth_plus : float
        In units of x.
    n_minus, n_plus : int
        Units on each side.
    n_effective_minus, n_effective_plus : int
        Units within the bandwidths.
    cutoff : float
        Where.
    order : int
        Order of the polynomial of the distribution function.
    x : array
        Running variable, for the picture.
    """

    density_minus: float
    density_plus: float
    se_minus: float
    se_plus: float
    statistic: float
    p_value: float
    bandwidth_minus: float
    bandwidth_plus: float
    n_minus: int
    n_plus: int
    n_effective_minus: int
    n_effective_plus: int
    cutoff: float
    order: int
    x: FloatArray

    def summary(self) -> str:
        """One line."""
        return (
            f"density of the running variable at the cutoff {self.cutoff:g}: {self.density_minus:.4g} below, "
            f"{self.density_plus:.4g} above; jump t = {self.statistic:.3g}, p = {self.p_value:.3g}"
        )

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        return pd.DataFrame([{k: v for k, v in self.__dict__.items() if k != "x"}])

    @styled
    def plot(self, ax: Axes | None = None) -> Axes:
        """Histogram of the running variable with the estimated densities at the cutoff."""
        ax = axes_of(ax)
        x, c = self.x, self.cutoff
        width = 2.0 * float(np.subtract(*np.quantile(x, [0.75, 0.25]))) * x.size ** (-1 / 3)
        low, high = np.quantile(x, [0.005, 0.995])
        fine = max(float(high - low), 1e-12) / 24
        width = min(width, fine) if width > 0.0 else fine
        left = c - width * np.arange(int(np.ceil(max(c - low, 0.0) / width)) + 1)[::-1]
        right = c + width * np.arange(int(np.ceil(max(high - c, 0.0) / width)) + 1)
        for edges, colour, label in ((left, BELOW, "below"), (right, ABOVE, "above")):
            if edges.size > 1:
                counts, _ = np.histogram(x[x < c] if label == "below" else x[x >= c], edges)
                ax.bar(
                    edges[:-1],
                    counts / (x.size * width),
                    width=width,
                    align="edge",
                    color=colour,
                    alpha=0.35,
                    edgecolor="white",
                    label=f"units {label} the cutoff",
                )
        reach = 0.06 * float(high - low)
        for value, se, shift, colour in (
            (self.density_minus, self.se_minus, -reach, BELOW),
            (self.density_plus, self.se_plus, reach, ABOVE),
        ):
            half = [[min(1.96 * se, max(value, 0.0))], [1.96 * se]]  # a density is not negative
            ax.errorbar(
                c + 0.25 * shift, value, yerr=half, fmt="o", color=colour, capsize=4, linewidth=2.0, zorder=4
            )
        ax.plot([], [], "o", color=MUTED, label="density at the cutoff, 95% interval")
        reference_line(ax, c, which="x")
        ax.set_xlabel("running variable")
        ax.set_ylabel("density")
        ax.set_title(f"Running variable at the cutoff (no jump: p = {self.p_value:.2g})")
        ax.set_ylim(0.0, ax.get_ylim()[1] * 1.25)
        ax.legend(loc="upper left", ncols=2)
        return ax


def density_test(
    x: ArrayLike,
    cutoff: float = 0.0,
    *,
    p: int = 2,
    kernel: Kernel = "triangular",
    bandwidth: float | tuple[float, float] | None = None,
) -> DensityTest:
    """Test for a jump in the density of the running variable at the cutoff.

    The empirical distribution function of all units is regressed, on each side, on a polynomial of order
    p + 1 in x; the slopes f are compared. The bandwidth is optimal for order p, so that the extra order
    corrects the bias. Variances are the closed form of a U-statistic of order two.

    Parameters
    ----------
    x : array, shape (n,)
        Running variable, one entry a unit.
    cutoff : float
        In units of x.
    p : int
        Order for which the bandwidth is optimal.
    kernel : {"triangular", "epanechnikov", "uniform"}
        Kernel.
    bandwidth : float or (float, float), optional
        In units of x, below and above the cutoff; from the neighbourhood of the cutoff by default, however heavy
        the tails of x.

    Returns
    -------
    DensityTest
        Densities, statistic and p-value.

    References
    ----------
    Cattaneo, M., Jansson, M. and Ma, X. (2020), Simple local polynomial density estimators,
    Journal of the American Statistical Association 115, 1449-1455.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).uniform(-1, 1, 2000)
    >>> density_test(x).p_value > 0.05
    True
    >>> density_test(np.where(np.abs(x) < 0.1, np.abs(x), x)).p_value < 0.05  # nobody stays just below
    True
    """
    check_option("kernel", kernel, get_args(Kernel))
    p, cutoff = check_whole("p", p, least=1), check_number("cutoff", cutoff)
    values = check_array("x", x, what="one finite number per unit") - cutoff
    if values.ndim != 1:
        raise DataError("x must be a one-dimensional array of finite numbers, one per unit")
    values.sort()
    n = values.size
    zero = int(np.searchsorted(values, 0.0, side="left"))
    check_sides(zero, n - zero, p)
    ranks = np.searchsorted(values, values, side="right") / n
    sides = {False: slice(0, zero), True: slice(zero, n)}
    given = None if bandwidth is None else np.broadcast_to(np.asarray(bandwidth, dtype=float), 2)
    if given is not None and not np.all(np.isfinite(given) & (given > 0.0)):
        raise DataError(f"bandwidth={bandwidth!r}; give positive distances in units of x")
    h = dict(zip((False, True), local_bandwidths(values, p, kernel) if given is None else given, strict=True))
    estimate: dict[bool, tuple[float, float, int]] = {}
    for plus, rows in sides.items():
        estimate[plus] = _slope(values, ranks, rows, float(h[plus]), p + 1, kernel, n)
    (f_minus, se_minus, k_minus), (f_plus, se_plus, k_plus) = estimate[False], estimate[True]
    statistic = (f_plus - f_minus) / float(np.hypot(se_plus, se_minus))
    return DensityTest(
        density_minus=f_minus,
        density_plus=f_plus,
        se_minus=se_minus,
        se_plus=se_plus,
        statistic=statistic,
        p_value=float(2.0 * norm.sf(abs(statistic))),
        bandwidth_minus=float(h[False]),
        bandwidth_plus=float(h[True]),
        n_minus=zero,
        n_plus=n - zero,
        n_effective_minus=k_minus,
        n_effective_plus=k_plus,
        cutoff=cutoff,
        order=p,
        x=values + cutoff,
    )


def _slope(
    x: FloatArray, ranks: FloatArray, rows: slice, h: float, order: int, kernel: Kernel, n: int
) -> tuple[float, float, int]:
    """Density at the cutoff from one side, its standard error, and the units used.

    With weights w_j of the slope, f - E f = (1/n) sum_i sum_j w_j (1{x_i <= x_j} - F(x_j)), so that unit i
    moves f by the tail sum of the weights beyond x_i, less its mean; units outside the window move it by
    sum_j w_j = 0. The variance is the mean square of these influences.
    """
    u = x[rows] / h
    mass = kernel_weights(u, kernel)
    inside = mass > 0.0
    count = int(np.count_nonzero(inside))
    distinct = np.unique(u[inside]).size
    if distinct < order + 2:
        raise DataError(
            f"the density test's window of {h:.4g} holds {distinct} distinct values of x on one side; widen bandwidth="
        )
    u, mass = u[inside], mass[inside]
    powers = u[:, None] ** np.arange(order + 1)
    root = np.sqrt(mass)[:, None]
    basis, triangle = np.linalg.qr(root * powers)
    weights = np.linalg.solve(triangle, (basis * root).T)[1] / h
    f = float(weights @ ranks[rows][inside])
    tails = np.cumsum(weights[::-1])[::-1]
    variance = float(tails @ tails - tails.sum() ** 2 / n) / n**2
    return f, float(np.sqrt(variance)), count
