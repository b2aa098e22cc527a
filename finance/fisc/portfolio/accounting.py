"""The exact self-financing arithmetic of a portfolio: drift, remainder factor, trade.

Weights are arrays whose last axis is ``n_assets + 1`` long, cash first, sum 1. One period is

1. *drift*: with the holdings ``w`` and the price relatives ``y`` (cash: one plus its rate) the
   portfolio grows by ``w·y`` and its weights become ``w*y / (w·y)``;
2. *trade*: moving the drifted weights ``w'`` to the target ``w`` costs money, so that wealth
   shrinks by the factor ``mu`` in (0, 1] that solves

   ``mu = 1 - c_s * sum_i max(w'_i - mu*w_i, 0) - c_p * sum_i max(mu*w_i - w'_i, 0)``

   over the risky assets (c_s selling, c_p buying rate).

The right side is a concave, piecewise linear function of ``mu``; Newton's method from ``mu = 1``
therefore ends in the exact root after at most ``n_assets + 1`` steps, usually two. Jiang, Xu and
Liang (2017, arXiv:1706.10059, eq. 14) pay purchases out of the proceeds of sales instead, with
``1/(1 - c_p w_0)``; here costs are paid out of wealth, so that ``V - cost = mu V`` holds exactly.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from fisc.core import BoolArray, DataError, FloatArray, check_array

__all__ = ["check_rate", "drift", "one_way_turnover", "remainder_factor", "trade"]

SIMPLEX_TOLERANCE = 1e-6  # how far the sum of given weights may be from one before it is an error


def check_rate(name: str, rate: ArrayLike) -> FloatArray:
    """Return a cost rate as an array of numbers in [0, 1).

    Examples
    --------
    >>> float(check_rate("buy", 0.0025))
    0.0025
    """
    array = check_array(name, rate, what="a cost rate such as 0.0025, or one per asset", missing=True)
    bad = ~((array >= 0) & (array < 1))
    if bad.any():
        raise DataError(
            f"{name} cost {float(array[bad].flat[0])!r} is outside [0, 1); "
            "give a fraction of the traded value, 0.25 % is 0.0025"
        )
    return array


def drift(weights: ArrayLike, relatives: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Let one period pass: growth of wealth ``w·y`` (...) and weights at the end (..., n_assets + 1).

    `weights` and `relatives` have shape (..., n_assets + 1), cash first; the relative of cash is one
    plus its rate.

    Examples
    --------
    >>> growth, drifted = drift([0.0, 0.5, 0.5], [1.0, 1.2, 1.0])
    >>> float(growth), drifted.round(4).tolist()
    (1.1, [0.0, 0.5455, 0.4545])
    """
    values = np.asarray(weights, dtype=np.float64) * np.asarray(relatives, dtype=np.float64)
    growth = values.sum(axis=-1)
    return growth, values / growth[..., None]


def one_way_turnover(drifted: ArrayLike, target: ArrayLike) -> FloatArray:
    """Return half of the absolute weight changes, cash included.

    Examples
    --------
    >>> float(one_way_turnover([1.0, 0.0, 0.0], [0.0, 0.5, 0.5]))
    1.0
    """
    change = np.asarray(target, dtype=np.float64) - np.asarray(drifted, dtype=np.float64)
    half: FloatArray = 0.5 * np.abs(change).sum(axis=-1)
    return half


def remainder_factor(
    drifted: ArrayLike, target: ArrayLike, *, buy: ArrayLike, sell: ArrayLike
) -> float | FloatArray:
    """Return the fraction of wealth that is left after trading from `drifted` to `target`.

    Parameters
    ----------
    drifted, target : array_like of shape (..., n_assets + 1)
        Weights before and after the trade, cash first, each summing to one, not negative.
    buy, sell : float or array_like of shape (n_assets,)
        Cost of buying and of selling, as a fraction of the traded value, in [0, 1).

    Returns
    -------
    float or ndarray of shape (...)
        ``mu`` in (0, 1], exact to rounding.

    Raises
    ------
    DataError
        If shapes do not fit, weights are negative or do not sum to one, or a rate is outside
        [0, 1).

    Notes
    -----
    The cost is charged on the trade as it is executed, from ``w'`` to ``mu*w``, cash itself
    costs nothing. Method: spec of Jiang et al. (2017), solved by Newton's method on a concave
    piecewise linear function, see the module.

    Examples
    --------
    >>> round(remainder_factor([0.1, 0.5, 0.3, 0.1], [0.0, 0.2, 0.3, 0.5], buy=0.0025, sell=0.0025), 12)
    0.99825
    """
    what = "weights, cash first"
    before, after = (
        check_array(name, weights, what=what, missing=True)
        for name, weights in (("drifted", drifted), ("target", target))
    )
    try:
        before, after = np.broadcast_arrays(before, after)
    except ValueError as error:
        raise DataError(
            f"drifted weights have shape {before.shape} and target weights {after.shape}; give both the same"
        ) from error
    if before.ndim == 0 or before.shape[-1] < 2:
        raise DataError(
            f"weights have shape {before.shape}; expected (..., n_assets + 1), cash first, at least one asset"
        )
    for name, weights in (("drifted", before), ("target", after)):
        _check_simplex(name, weights)
    c_p, c_s = check_rate("buy", buy), check_rate("sell", sell)
    for name, rate in (("buy", c_p), ("sell", c_s)):
        if rate.ndim and rate.shape[-1] not in (1, before.shape[-1] - 1):
            raise DataError(
                f"{name} has {rate.shape[-1]} rates for {before.shape[-1] - 1} assets; "
                "give one number or one per asset"
            )
    have, want = before[..., 1:], after[..., 1:]
    mu = np.ones(before.shape[:-1])
    for _ in range(have.shape[-1] + 2):
        buying = mu[..., None] * want > have
        rate = np.where(buying, -c_p, c_s)
        # On the current linear piece: mu = 1 - sum(rate * (have - mu * want)).
        updated = (1.0 - (rate * have).sum(-1)) / (1.0 - (rate * want).sum(-1))
        if np.array_equal(updated, mu):
            break
        mu = updated
    return mu if mu.ndim else float(mu)


def _check_simplex(name: str, weights: FloatArray) -> None:
    if not np.isfinite(weights).all():
        raise DataError(f"{name} weights contain NaN or infinite values; give finite weights, cash first")
    if (weights < -SIMPLEX_TOLERANCE).any():
        raise DataError(
            f"{name} weights go down to {float(weights.min()):.6g}; portfolios are long only, "
            "give weights of at least 0"
        )
    if not weights.size:
        raise DataError(f"{name} weights have shape {weights.shape}, which holds none; give at least one row")
    total = weights.sum(axis=-1)
    worst = total.flat[int(np.abs(total - 1).argmax())]
    if abs(worst - 1) > SIMPLEX_TOLERANCE:
        raise DataError(f"{name} weights sum to {float(worst):.6g}; cash and assets together must sum to 1")


# The kernels below take whole tables and row numbers: making a view of a row costs more than the
# arithmetic on it.


@njit(cache=True, error_model="numpy", inline="always")
def solve_mu(
    drifted: FloatArray,
    e: int,
    target: FloatArray,
    buy: FloatArray,
    b: int,
    sell: FloatArray,
    s: int,
    fee: float,
) -> float:
    """Solve the remainder factor of row `e` of `drifted`, with a further `fee` as a share of wealth.

    Rows `b` and `s` of `buy` and `sell` are the cost rates.
    """
    mu = 1.0
    for _ in range(target.size + 1):
        constant = 1.0 - fee
        slope = 1.0
        for i in range(1, target.size):
            rate = buy[b, i - 1] if mu * target[i] > drifted[e, i] else -sell[s, i - 1]
            constant += rate * drifted[e, i]
            slope += rate * target[i]
        updated = constant / slope
        if updated == mu:
            break
        mu = updated
    return mu


@njit(cache=True, error_model="numpy", inline="always")
def trade_kernel(
    drifted: FloatArray,
    e: int,
    target: FloatArray,
    tradable: BoolArray,
    row: int,
    buy: FloatArray,
    b: int,
    sell: FloatArray,
    s: int,
    fee: float,
    held: FloatArray,
) -> float:
    """Trade row `e` of `drifted`, write the weights after it to `held`, return ``mu``.

    The value in assets that cannot be traded stays as it is; the rest of the wealth is a
    self-financing portfolio of its own, which moves to the target's proportions among cash and
    the assets that can be traded (all to cash where the target has none of them).
    """
    size = target.size
    stuck = False
    for i in range(size - 1):
        stuck |= not tradable[row, i]
    if not stuck:
        held[:] = target
        return float(solve_mu(drifted, e, target, buy, b, sell, s, fee))
    frozen = 0.0
    wanted = target[0]
    for i in range(1, size):
        if tradable[row, i - 1]:
            wanted += target[i]
        else:
            frozen += drifted[e, i]
    free = 1.0 - frozen
    if free <= 1e-15:
        for i in range(size):
            held[i] = drifted[e, i]
        return 1.0
    before = np.zeros((1, size))
    after = np.zeros(size)
    before[0, 0] = drifted[e, 0] / free
    after[0] = target[0] / wanted if wanted > 0.0 else 1.0
    for i in range(1, size):
        if tradable[row, i - 1]:
            before[0, i] = drifted[e, i] / free
            after[i] = target[i] / wanted if wanted > 0.0 else 0.0
    mu_free = solve_mu(before, 0, after, buy, b, sell, s, fee / free)
    mu = frozen + free * mu_free
    for i in range(size):
        if i > 0 and not tradable[row, i - 1]:
            held[i] = drifted[e, i] / mu
        else:
            held[i] = after[i] * free * mu_free / mu
    return float(mu)


def trade(
    drifted: ArrayLike,
    target: ArrayLike,
    *,
    buy: ArrayLike,
    sell: ArrayLike,
    tradable: ArrayLike | None = None,
) -> tuple[float, FloatArray]:
    """Trade one portfolio towards a target where some assets may be frozen.

    Weights have shape (n_assets + 1,), `tradable` (n_assets,). The value in assets that are not tradable
    stays as it is, and the target's proportions among cash and the others are applied to the rest.
    Returned are wealth after over wealth before the trade, and the weights after it.

    Examples
    --------
    >>> mu, held = trade([0, 0.5, 0.5], [0, 0.0, 1.0], buy=0, sell=0, tradable=[False, True])
    >>> mu, held.tolist()
    (1.0, [0.0, 0.5, 0.5])
    """
    before = np.array(drifted, dtype=np.float64)
    after = np.array(target, dtype=np.float64)
    if before.ndim != 1 or before.shape != after.shape or before.size < 2:
        raise DataError(
            f"drifted has shape {before.shape} and target {after.shape}; "
            "both must be (n_assets + 1,), cash first"
        )
    _check_simplex("drifted", before)
    _check_simplex("target", after)
    n_assets = before.size - 1
    mask = np.ones(n_assets, dtype=bool) if tradable is None else np.asarray(tradable, dtype=bool)
    if mask.shape != (n_assets,):
        raise DataError(f"tradable has shape {mask.shape}; expected one flag per asset, ({n_assets},)")
    held = np.empty_like(before)
    c_p = np.array(np.broadcast_to(check_rate("buy", buy), (1, n_assets)))
    c_s = np.array(np.broadcast_to(check_rate("sell", sell), (1, n_assets)))
    mu = trade_kernel(before[None], 0, after, mask[None], 0, c_p, 0, c_s, 0, 0.0, held)
    return float(mu), held
