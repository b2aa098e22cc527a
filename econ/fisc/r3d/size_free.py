"""Unit quantiles that do not depend on how many values a unit has.

The type-7 quantile of n values is biased by an amount that depends on n, so that a jump of the unit sizes at
the cutoff would show as an effect. The cure gives every unit the same small-sample functional: the expected
type-7 quantile of n0 of its values, drawn at random without replacement. The k-th smallest of such a draw is
the j-th smallest of the unit with the hypergeometric probability

    w_j = C(j - 1, k - 1) C(n - j, n0 - k) / C(n, n0),

so that the expectation is a weighted sum of order statistics, without any drawing.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from fisc.core import DataError
from fisc.core.arrays import FloatArray, IntArray

# Values handled at once: small enough that a block and its sorted copy stay in the cache.
_BLOCK = 1 << 15
# Logarithm of a share of the largest probability that no longer matters.
_LOG_NIL = -45.0
# Distance of the points at which the probabilities of a large unit are looked at first.
_STRIDE = 64


def common_size(sizes: IntArray | FloatArray, share: float = 0.0) -> int:
    """Largest n0 that at most a `share` of the units fall short of; the smallest unit by default.

    Units with fewer than n0 values keep their own type-7 quantiles.

    Examples
    --------
    >>> common_size(np.array([3, 40, 50, 60]))
    3
    >>> common_size(np.array([3, 40, 50, 60]), share=0.25)
    40
    """
    ordered = np.sort(sizes)
    return int(ordered[min(int(share * ordered.size), ordered.size - 1)])


def size_free_quantiles(
    y: FloatArray,
    starts: IntArray,
    sizes: IntArray,
    q: FloatArray,
    n0: int,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Compute expected type-7 quantiles of n0 values of each of consecutive segments of `y`.

    Parameters
    ----------
    y : array, shape (N,)
        Micro values, those of one unit side by side; finite.
    starts, sizes : int arrays, shape (n,)
        Where each unit begins and how many values it has (at least one).
    q : array, shape (m,)
        Probabilities in (0, 1).
    n0 : int
        Common size, see `common_size`; a smaller unit counts with its own size.
    weights : array, shape (N,), optional
        Positive weights of the micro values. A unit then counts as e = (sum w)^2 / sum w^2 values: its weighted
        distribution is cut into e cells of equal mass, and the cell means take the place of the order
        statistics (with a fraction in e, the two whole numbers next to it are mixed). Neither the order of tied
        values nor the scale of the weights matters, and equal weights give the unweighted quantiles.

    Returns
    -------
    array, shape (n, m)
        One row a unit. With n0 equal to the unit's size these are its type-7 quantiles.

    Raises
    ------
    DataError
        When n0 is below one.

    References
    ----------
    Harrell, F. E. and Davis, C. E. (1982), A new distribution-free quantile estimator, Biometrika 69, 635-640
    (the limit n0 = n drawn with replacement). Arnold, B. C., Balakrishnan, N. and Nagaraja, H. N. (1992), A First
    Course in Order Statistics, Wiley, section 3.7 (order statistics of samples without replacement).

    Examples
    --------
    The middle of three of the values 1, 2, 3, 10 is 2 or 3, each in two of the four possible draws.

    >>> size_free_quantiles(np.array([10., 1., 2., 3.]), np.array([0]), np.array([4]), np.array([.5]), 3)
    array([[2.5]])
    """
    if n0 < 1:
        raise DataError(f"n0={n0} values cannot be drawn; give a common size of at least 1")
    if weights is not None:
        return _weighted(y, weights, starts, sizes, q, n0)
    out = np.empty((starts.size, q.size))
    by_size = np.argsort(sizes, kind="stable")
    edges = np.flatnonzero(np.diff(sizes[by_size])) + 1
    for same in np.split(by_size, edges):
        size = int(sizes[same[0]])
        drawn = min(n0, size)
        small = size * min(drawn, 2 * q.size) <= _BLOCK
        map_to_quantiles = order_weights(size, drawn, q) if small else None
        columns = np.arange(size)
        step = max(1, _BLOCK // size)
        for block in (same[i : i + step] for i in range(0, same.size, step)):
            values = y[starts[block][:, None] + columns]
            values.sort(axis=1)
            if map_to_quantiles is None:
                out[block] = _through_bands(values, drawn, q)
            else:
                out[block] = values @ map_to_quantiles
    return out


def order_weights(size: int, n0: int, q: FloatArray) -> FloatArray:
    """Weights of the order statistics of `size` values in the expected quantiles of n0 of them, shape (size, m).

    Examples
    --------
    >>> order_weights(3, 2, np.array([0.0, 1.0])).round(3).T
    array([[0.667, 0.333, 0.   ],
           [0.   , 0.333, 0.667]])
    """
    ranks, low, high, share = _ranks(n0, q)
    expected = _draw_probabilities(size, n0, ranks)
    return np.asarray((1.0 - share) * expected[:, low] + share * expected[:, high])


def _ranks(n0: int, q: FloatArray) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Ranks (from 0) of n0 values that type-7 quantiles need; for each q its two places among them and the share."""
    position = (n0 - 1) * q
    low = np.floor(position).astype(np.int64)
    ranks, place = np.unique(np.concatenate([low, np.minimum(low + 1, n0 - 1)]), return_inverse=True)
    return ranks, place[: q.size], place[q.size :], position - low


def _draw_probabilities(size: int, n0: int, ranks: IntArray) -> FloatArray:
    """Probability that rank k (from 0) of n0 drawn values is rank j of all, shape (size, ranks).

    Probabilities are formed in logarithms; each column is divided by its sum, so that constants are kept.
    """
    spare = size - n0  # rank k of the draw lies between ranks k and k + spare of the unit
    # C(k + i, k) C(n0 - 1 - k + spare - i, spare - i) at i = 0..spare, up to factors that do not depend on i
    windows = np.lib.stride_tricks.sliding_window_view(gammaln(np.arange(size) + 1.0), spare + 1)
    log_p = windows[ranks] - windows[0]
    log_p += (windows[n0 - 1 - ranks] - windows[0])[:, ::-1]
    log_p -= log_p.max(axis=1, keepdims=True)
    p = np.where(log_p > _LOG_NIL, np.exp(np.maximum(log_p, _LOG_NIL)), 0.0)
    p /= p.sum(axis=1, keepdims=True)
    out = np.zeros((ranks.size, size))
    np.put_along_axis(out, ranks[:, None] + np.arange(spare + 1), p, axis=1)
    return out.T


def _through_bands(values: FloatArray, n0: int, q: FloatArray) -> FloatArray:
    """Compute expected quantiles of large units, ascending rows, only where the probabilities of a rank are not nil."""
    size = values.shape[1]
    spare = size - n0
    log_factorial = gammaln(np.arange(size) + 1.0)
    ranks, low, high, share = _ranks(n0, q)
    above = n0 - 1 - ranks
    coarse = np.append(np.arange(0, spare, _STRIDE), spare)
    log_p = log_factorial[ranks[:, None] + coarse] - log_factorial[coarse]
    log_p += log_factorial[above[:, None] + spare - coarse] - log_factorial[spare - coarse]
    live = (
        log_p > log_p.max(axis=1, keepdims=True) + _LOG_NIL
    )  # one interval: the probabilities are log-concave
    first = coarse[np.maximum(live.argmax(axis=1) - 1, 0)]
    last = coarse[np.minimum(coarse.size - live[:, ::-1].argmax(axis=1), coarse.size - 1)]
    expected = np.empty((values.shape[0], ranks.size))
    for column, (k, a, b) in enumerate(zip(ranks.tolist(), first.tolist(), last.tolist(), strict=True)):
        after, left = n0 - 1 - k, spare - b
        log_band = log_factorial[k + a : k + b + 1] - log_factorial[a : b + 1]
        falling = log_factorial[after + left : after + spare - a + 1] - log_factorial[left : spare - a + 1]
        log_band += falling[::-1]
        p = np.exp(log_band - log_band.max())
        expected[:, column] = values[:, k + a : k + b + 1] @ p / p.sum()
    return np.asarray((1.0 - share) * expected[:, low] + share * expected[:, high])


def _weighted(
    y: FloatArray, weights: FloatArray, starts: IntArray, sizes: IntArray, q: FloatArray, n0: int
) -> FloatArray:
    """Cell means of equal mass in place of order statistics, unit by unit."""
    out = np.empty((starts.size, q.size))
    maps: dict[int, FloatArray] = {}
    for unit, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
        values, mass = y[start : start + size], weights[start : start + size]
        order = np.lexsort((mass, values))
        values, mass = values[order], mass[order]
        effective = effective_size(mass)
        low = int(effective)
        share = effective - low
        row = np.zeros(q.size)
        for cells, part in ((low, 1.0 - share), (low + 1, share)):
            if part > 0.0:
                if cells not in maps:
                    maps[cells] = order_weights(cells, min(n0, cells), q)
                row += part * (_cell_means(values, mass, cells) @ maps[cells])
        out[unit] = row
    return out


def effective_size(weights: FloatArray) -> float:
    """Return (sum w)^2 / sum w^2, a whole number where that is so but for rounding.

    Examples
    --------
    >>> effective_size(np.array([.1, .1, .1]))
    3.0
    >>> effective_size(np.array([1., 1., 2.]))
    2.6666666666666665
    """
    share = weights / weights.max()
    effective = float(share.sum() ** 2 / (share @ share))
    nearest = round(effective)
    return float(nearest) if abs(effective - nearest) < 1e-9 * effective else effective


def _cell_means(values: FloatArray, mass: FloatArray, cells: int) -> FloatArray:
    """Means of a weighted distribution (ascending values) over `cells` parts of equal mass."""
    position = np.concatenate([[0.0], np.cumsum(mass)])
    position *= cells / position[-1]
    integral = np.concatenate([[0.0], np.cumsum(values * np.diff(position))])
    return np.diff(np.interp(np.arange(cells + 1.0), position, integral))
