"""Bandwidths of the manipulation test from the neighbourhood of the cutoff.

The slope of a local polynomial of order p of the distribution function F has the squared error
(beta c_{p+1} h^p)^2 + v f / (n h), with c_j the j-th Taylor coefficient of F at the cutoff on one side and f = c_1.
A polynomial fitted to a whole side estimates c_{p+1} well only if x is bounded and smooth: with town sizes,
incomes or any heavy tail it describes the tail, and the bandwidth grows into it. Here every step stays near the
cutoff: c_{p+2} comes from a window of a few median distances, it sets the width of the local fit that gives
c_{p+1}, and the variance of c_{p+1} is added to its square, so that a coefficient that is small by chance does not
make the bandwidth large.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial

from fisc.core import DataError
from fisc.core.arrays import FloatArray

from .kernels import boundary_constants, kernel_weights
from .options import Kernel
from .pilot_reach import pilot_reach

# At least this many units per coefficient in every window.
_UNITS = 10
_EDGE = 1.0 + 1e-4


def local_bandwidths(x: FloatArray, p: int = 2, kernel: Kernel = "triangular") -> tuple[float, float]:
    """Bandwidths of the density test below and above zero, see `side_bandwidth`.

    Parameters
    ----------
    x : array, shape (n,)
        Running variable less the cutoff, in any order.
    p : int
        Order for which they are optimal.
    kernel : {"triangular", "epanechnikov", "uniform"}
        Kernel.
    """
    below, above = np.sort(-x[x < 0.0]), np.sort(x[x >= 0.0])
    check_sides(below.size, above.size, p)
    low, high = (
        side_bandwidth(d, np.searchsorted(d, d, side="right") / x.size, x.size, p, kernel)
        for d in (below, above)
    )
    return low, high


def check_sides(below: int, above: int, p: int) -> None:
    """Refuse a density test of fewer units than its windows need."""
    least = 2 * (p + 3)
    if min(below, above) < least:
        raise DataError(
            f"the density test needs at least {least} units on each side; there are {below} and {above}"
        )


def side_bandwidth(distance: FloatArray, share: FloatArray, n: int, p: int, kernel: Kernel) -> float:
    """Bandwidth for the density at the cutoff from one side.

    Parameters
    ----------
    distance : array, shape (k,)
        Distances of the units of the side to the cutoff, ascending.
    share : array, shape (k,)
        Share of all units between the cutoff and each (itself included).
    n : int
        Units on both sides.
    p : int
        Order for which the bandwidth is optimal.
    kernel : {"triangular", "epanechnikov", "uniform"}
        Kernel.

    Returns
    -------
    float
        In units of the distances.

    References
    ----------
    Cattaneo, M., Jansson, M. and Ma, X. (2020), Simple local polynomial density estimators, Journal of the American
    Statistical Association 115, 1449-1455 (the error expansion).

    Examples
    --------
    >>> distance = np.arange(1, 1001) / 1000
    >>> 0.3 < side_bandwidth(distance, np.arange(1, 1001) / 2000, 2000, 2, "triangular") <= 1.001
    True
    """
    floor = float(distance[min(_UNITS * (p + 2), distance.size) - 1])
    reach = pilot_reach(distance, _UNITS * (p + 2)) * _EDGE
    first = _coefficients(distance, share, reach, p + 2, "uniform")
    density = max(float(first[1]), 0.1 * float(share[np.searchsorted(distance, reach) - 1]) / reach)
    beta, v = slope_constants(kernel, p + 1, p + 1)
    noise = v * density / n
    bias = (beta * float(first[p + 2])) ** 2
    pilot = reach if bias == 0.0 else ((2 * p + 1) * noise / (2.0 * bias)) ** (1.0 / (2 * p + 3))
    pilot = min(max(pilot, floor * _EDGE), reach)
    second = _coefficients(distance, share, pilot, p + 1, kernel)
    curvature = float(second[p + 1]) ** 2 + noise / pilot ** (2 * p + 1)
    beta, v = slope_constants(kernel, p, 1)
    h = (v * density / (2.0 * p * n * beta**2 * curvature)) ** (1.0 / (2 * p + 1))
    return float(min(max(h, floor * _EDGE), reach))


def _coefficients(
    distance: FloatArray, share: FloatArray, width: float, order: int, kernel: Kernel
) -> FloatArray:
    """Taylor coefficients at zero of the shares, per unit of distance, from a fit within `width`."""
    count = int(np.searchsorted(distance, width, side="right"))
    u = distance[:count] / width
    root = np.sqrt(kernel_weights(u, kernel))
    solution, *_ = np.linalg.lstsq(
        root[:, None] * u[:, None] ** np.arange(order + 1), root * share[:count], rcond=None
    )
    return np.asarray(solution / width ** np.arange(order + 1))


def slope_constants(kernel: Kernel, order: int, deriv: int) -> tuple[float, float]:
    """Bias and variance constant of the `deriv`-th coefficient of a fit of a distribution function.

    The bias is that of a regression. The errors of an empirical distribution function are those of a Brownian
    motion in f u / n (the part common to all units moves the constant only), so that the variance is
    int int min(u, v) w(u) w(v) du dv f / (n h^(2 deriv - 1)) with the weights w of the coefficient.

    Examples
    --------
    >>> beta, v = slope_constants("uniform", 1, 1)  # least-squares slope: 36 int int min(u, v)(2u-1)(2v-1)
    >>> round(v, 6)
    1.2
    """
    beta, _ = boundary_constants(kernel, order, deriv)
    points = np.array([0.0, 0.5, 1.0])
    mass = Polynomial.fit(points, kernel_weights(points, kernel), 2).convert()
    moments = [_integral(mass * Polynomial([0.0] * j + [1.0])) for j in range(2 * order + 1)]
    gram = np.array([[moments[a + b] for b in range(order + 1)] for a in range(order + 1)])
    weight = mass * Polynomial(np.linalg.solve(gram, np.eye(order + 1)[:, deriv]))
    cumulated = weight.integ()
    tail = cumulated(1.0) - cumulated  # min(u, v) = int 1{t < u} 1{t < v} dt
    return beta, _integral(tail * tail)


def _integral(polynomial: Polynomial) -> float:
    """Over (0, 1)."""
    whole = polynomial.integ()
    return float(whole(1.0) - whole(0.0))
