"""Bandwidths that minimise the mean squared error of the jump, free of units.

Everything is estimated in the units of x: the density at the cutoff, the (s+1)-th derivatives
on each side from a pilot fit of order s+1 at its own optimal bandwidth, and the residual
variances. The kernel enters through exact constants, so that h(a x) = |a| h(x) and rescaling
or shifting the outcome changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fisc.core.arrays import FloatArray, IntArray

from .kernels import DENSITY_RULE, boundary_constants, kernel_weights
from .localpoly import SideFit, fit_side
from .options import Kernel, Selector
from .pilot_reach import near_side
from .scores import sum_by

# Windows are this much wider than the distance of the last unit they must hold,
# because kernels vanish at the edge.
_EDGE = 1.0 + 1e-4
# At least this many units per coefficient on each side.
UNITS_PER_COEFFICIENT = 10


@dataclass(frozen=True, slots=True)
class Selection:
    """Selected bandwidths and what they rest on."""

    minus: FloatArray  # (1,) or (m,), in units of x
    plus: FloatArray
    pilot: float  # bandwidth of the pilot fit of the (s+1)-th derivative
    density: float  # of x at the cutoff
    bias: FloatArray  # (m,), B of h = [(1 + 2 nu) V / (2 (s+1-nu) n (B^2 + Reg))]^(1/(2s+3))
    variance: FloatArray  # (m,), V
    regularisation: FloatArray  # (m,), Reg


def density_at_cutoff(x: FloatArray, kernel: Kernel) -> float:
    """Kernel estimate of the density of x at 0, normal-reference bandwidth.

    The spread is min(sd, IQR/1.349), which a few far units cannot inflate.
    """
    spread = float(np.std(x, ddof=1))
    quartiles = np.quantile(x, [0.25, 0.75])
    if quartiles[1] > quartiles[0]:
        spread = min(spread, float(quartiles[1] - quartiles[0]) / 1.349)
    c = DENSITY_RULE[kernel] * spread * x.size**-0.2
    near = x[np.abs(x) <= c]
    if near.size == 0:  # a hole at the cutoff, as a wide donut leaves it
        c = float(np.abs(x).min()) * 2.0
        near = x[np.abs(x) <= c]
    return float(kernel_weights(near / c, kernel).sum() / (x.size * c))


def select(
    x: FloatArray,
    outcomes: FloatArray,
    *,
    kernel: Kernel = "triangular",
    p: int = 2,
    s: int = 1,
    deriv: int = 0,
    selector: Selector = "mse",
    pool: FloatArray | None = None,
    unit_weights: FloatArray | None = None,
    clusters: IntArray | None = None,
) -> Selection:
    """Bandwidth for the jump at 0 of the curve E[outcome | x].

    h = [(1 + 2 nu) V / (2 (s + 1 - nu) n (B^2 + Reg))]^(1/(2s+3)) with
    B = beta_+ D_+ - beta_- D_-, V = (v_+ sigma2_+ + v_- sigma2_-) / f and
    Reg = beta_+^2 Var(D_+) + beta_-^2 Var(D_-); D is the (s+1)-th Taylor coefficient at 0.

    `x` of shape (n,) ascends from below the cutoff at 0; outcomes have shape (n, m). h is optimal for a fit of
    order s, and at least wide enough for 10 (p+1) units a side, where a fit of order p = s+1 corrects the
    bias. "cer" shrinks h by n^(-s/((2s+3)(s+3))), which minimises coverage error; "msetwo" selects on
    each side for its own limit. `pool` of shape (m,) weights the quantiles for one bandwidth that minimises
    the integrated error; without it each outcome gets its own.

    References
    ----------
    Imbens, G. and Kalyanaraman, K. (2012), Review of Economic Studies 79, 933-959 (regularisation).
    Calonico, S., Cattaneo, M. and Farrell, M. (2020), Econometrics Journal 23, 192-210 (coverage).
    """
    n, k = x.size, s + 1
    zero = int(np.searchsorted(x, 0.0, side="left"))
    density = density_at_cutoff(x, kernel)
    share = np.full(outcomes.shape[1], 1.0 / outcomes.shape[1]) if pool is None else pool / pool.sum()
    centred = outcomes - outcomes.mean(axis=0)
    pilot = _pilot(x, centred, zero, kernel, k, density, share, unit_weights)

    beta, v = boundary_constants(kernel, s, deriv)
    beta_minus = beta * (-1.0) ** (s + 1 + deriv)
    bias, regularisation, variance = {}, {}, {}
    for plus in (False, True):
        curvature, noise, sigma2 = _ingredients(x, centred, pilot, kernel, k, plus, unit_weights, clusters)
        constant = beta if plus else beta_minus
        bias[plus] = constant * curvature
        regularisation[plus] = constant**2 * noise
        variance[plus] = v * sigma2 / density
    exponent = 1.0 / (2 * s + 3)
    factor = (1 + 2 * deriv) / (2.0 * (s + 1 - deriv) * n)

    def optimal(v_: FloatArray, b2: FloatArray) -> FloatArray:
        if pool is not None:
            v_, b2 = np.array([v_ @ share]), np.array([b2 @ share])
        flat = ~(b2 > 0.0)  # no bias at any bandwidth: use all the data
        return np.where(flat, np.inf, (factor * v_ / np.where(flat, 1.0, b2)) ** exponent)

    if selector == "msetwo":
        h = {side: optimal(variance[side], bias[side] ** 2 + regularisation[side]) for side in (False, True)}
    else:
        both = optimal(
            variance[True] + variance[False],
            (bias[True] - bias[False]) ** 2 + regularisation[True] + regularisation[False],
        )
        h = {False: both, True: both}
    if selector == "cer":
        h = {side: value * n ** (-s / ((2 * s + 3) * (s + 3))) for side, value in h.items()}
    wanted = UNITS_PER_COEFFICIENT * (p + 1)
    floors = {False: _reach(-x[:zero][::-1], wanted, p), True: _reach(x[zero:], wanted, p)}
    if selector != "msetwo":
        floors = dict.fromkeys(floors, max(floors.values()))
    cap = float(np.abs(x[[0, -1]]).max()) * _EDGE
    h = {side: np.minimum(np.maximum(value, floors[side]), cap) for side, value in h.items()}
    return Selection(
        minus=h[False],
        plus=h[True],
        pilot=pilot,
        density=density,
        bias=bias[True] - bias[False],
        variance=variance[True] + variance[False],
        regularisation=regularisation[True] + regularisation[False],
    )


def _reach(distance: FloatArray, wanted: int, p: int) -> float:
    """Bandwidth that holds `wanted` units, and p + 2 distinct values, of ascending distances."""
    distinct = np.unique(distance)
    enough = max(distance[min(wanted, distance.size) - 1], distinct[min(p + 2, distinct.size) - 1])
    return float(enough) * _EDGE


def _pilot(
    x: FloatArray,
    centred: FloatArray,
    zero: int,
    kernel: Kernel,
    k: int,
    density: float,
    share: FloatArray,
    unit_weights: FloatArray | None,
) -> float:
    """Bandwidth of the order-k fit that estimates the k-th Taylor coefficients.

    Its bias rests on (k+1)-th coefficients from polynomials of degree k+1 on each side, but for a heavy tail of x.
    """
    bias2 = np.zeros(centred.shape[1])
    sigma2 = np.zeros(centred.shape[1])
    bias_constant, variance_constant = boundary_constants(kernel, k, k)
    farthest = np.inf
    for plus in (False, True):
        side = near_side(x, plus, UNITS_PER_COEFFICIENT * (k + 2))
        reach = float(np.abs(x[side]).max())
        farthest = min(farthest, reach)
        degree = min(k + 1, np.unique(x[side]).size - 1)
        powers = (x[side] / reach)[:, None] ** np.arange(degree + 1)
        root = np.ones((powers.shape[0], 1)) if unit_weights is None else np.sqrt(unit_weights[side])[:, None]
        outcome = centred[side] if unit_weights is None else root * centred[side]
        basis, triangle = np.linalg.qr(root * powers)
        projected = basis.T @ outcome
        top = np.linalg.solve(triangle, projected)[-1]
        total = np.einsum("ij,ij->j", outcome, outcome)
        sigma2 += np.maximum(total - np.einsum("ij,ij->j", projected, projected), 0.0) / (powers.shape[0] - 1)
        if degree == k + 1:
            bias2 += (bias_constant * top / reach ** (k + 1)) ** 2
    v_sum, b_sum = variance_constant * (sigma2 @ share) / density, bias2 @ share
    pilot = np.inf if not b_sum > 0.0 else ((2 * k + 1) * v_sum / (2 * x.size * b_sum)) ** (1.0 / (2 * k + 3))
    pilot = min(pilot, farthest)
    enough = (_reach(-x[:zero][::-1], 3 * (k + 1), k), _reach(x[zero:], 3 * (k + 1), k))
    return float(max(pilot, *enough))


def _ingredients(
    x: FloatArray,
    centred: FloatArray,
    pilot: float,
    kernel: Kernel,
    k: int,
    plus: bool,
    unit_weights: FloatArray | None,
    clusters: IntArray | None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """k-th Taylor coefficient, its HC1 variance and the residual variance, each of shape (m,)."""
    fit = fit_side(x, centred, np.array([pilot]), k, kernel, plus=plus, unit_weights=unit_weights)
    count = int(fit.n_inside[0])
    dof = count / max(count - k - 1, 1)
    errors = centred[fit.rows] - fit.fitted
    mass = fit.root[:, 0] ** 2
    top = _top_weights(x, fit, pilot, k)
    own = np.ones_like(mass) if unit_weights is None else unit_weights[fit.rows]
    local = mass / own  # kernel alone
    squared = errors**2
    centre = float(local @ own) / float(local.sum())
    sigma2 = (local * own**2) @ squared / (local.sum() * centre**2) * dof
    noise = top**2 @ squared * dof
    if clusters is not None:
        sigma2 *= _design_effect(fit, errors, clusters)
    return fit.alpha[k] / pilot**k, noise, sigma2


def _top_weights(x: FloatArray, fit: SideFit, pilot: float, k: int) -> FloatArray:
    """Weights of the units in the k-th Taylor coefficient, shape (rows,)."""
    u = (x[fit.rows] / pilot)[:, None] ** np.arange(k + 1)
    basis, triangle = np.linalg.qr(fit.root * u)
    row = np.linalg.solve(triangle.T, np.eye(k + 1)[:, k])
    weights: FloatArray = fit.root[:, 0] * (basis @ row) / pilot**k
    return weights


def _design_effect(fit: SideFit, errors: FloatArray, clusters: IntArray) -> FloatArray:
    """Variance of the limit with clusters over that without, at least one, shape (m,)."""
    own = fit.coefficient_weights * errors
    _, group = np.unique(clusters[fit.rows], return_inverse=True)
    grouped = sum_by(group, own, int(group.max()) + 1)
    single = (own**2).sum(axis=0)
    ratio = (grouped**2).sum(axis=0) / np.where(single > 0.0, single, 1.0)
    return np.asarray(np.maximum(ratio, 1.0))
