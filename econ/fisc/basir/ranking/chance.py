"""NDCG with its chance line: random rankings score 0, the perfect one scores 1."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fisc.basir.options import Grade, RelevanceKind, ReturnGrade
from fisc.core import (
    DataError,
    FloatArray,
    align,
    check_array,
    check_option,
    check_seed,
    check_whole,
    renamed,
)

__all__ = ["RELEVANCE_KINDS", "NdcgExpectation", "chance_corrected_ndcg", "gains", "ndcg", "ndcg_expectation"]

RELEVANCE_KINDS = get_args(RelevanceKind)
ENUMERATE_UP_TO = 8


@dataclasses.dataclass(frozen=True)
class NdcgExpectation:
    """Distribution of NDCG when the ranking is random.

    Attributes
    ----------
    mean : float
        Expected NDCG of a random ranking.
    reversed : float
        NDCG of the ranking that is exactly wrong.
    p95 : float or None
        95th percentile over random rankings; None where only the mean is known in closed form.
    method : {"closed form", "enumeration", "monte carlo"}
        How the numbers were found.
    n : int
        Number of items.
    """

    mean: float
    reversed: float
    p95: float | None
    method: Literal["closed form", "enumeration", "monte carlo"]
    n: int


def ndcg(gain: npt.ArrayLike, score: npt.ArrayLike, *, k: int | None = None) -> float:
    """Return the normalised discounted cumulative gain of one ranking.

    DCG = sum over positions i = 1..k of gain_i / log2(1 + i), divided by the DCG of the best order.
    Items with equal scores share the mean gain of their positions, as in scikit-learn.

    Parameters
    ----------
    gain : array_like, shape (n,)
        Non-negative gain of each item.
    score : array_like, shape (n,)
        Higher means ranked earlier.
    k : int, optional
        Only the first k positions count.

    Returns
    -------
    float
        0..1.

    Raises
    ------
    DataError
        If shapes differ, values are missing, a gain is negative, or all gains are zero.

    Examples
    --------
    >>> round(ndcg([3, 2, 1], [0.1, 0.2, 0.3]), 4)
    0.79
    """
    g, s = _checked(gain, align(gain, score, ("gain", "score")))
    d = _discounts(len(g), k)
    order = np.argsort(-s, kind="stable")
    _, group, counts = np.unique(-s[order], return_inverse=True, return_counts=True)
    mean_gain = np.bincount(group, weights=g[order]) / counts
    return float(mean_gain[group] @ d / (np.sort(g)[::-1] @ d))


def gains(relevance: npt.ArrayLike, relevance_kind: RelevanceKind) -> FloatArray:
    """Turn relevance into the gains that NDCG discounts.

    Parameters
    ----------
    relevance : array_like, shape (n,)
        For "linear", "exponential" and "binary" a non-negative grade; for the other kinds a simple return
        as a fraction (0.01 is one per cent).
    relevance_kind : str
        - "linear": gain = relevance.
        - "exponential": gain = 2^relevance - 1.
        - "binary": gain = 1 where relevance is above 0.
        - "price_ratio": gain = 1 + return, the ratio of the two prices (as in BASIR).
        - "rank": gain = n for the best return down to 1.
        - "rank_exponential": gain = 2^n - 1 for the best return of n down to 1.
        - "minmax": returns scaled to 0..1.
        - "positive_part": gain = max(return, 0).
        - "quintile": grade 0..4 by fifths of the list, gain = 2^grade - 1.
        - "top_decile": 1 for the best tenth (at least one item), else 0.

        Equal returns share the mean gain of their places, so that the order of the rows does not count.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    OptionError
        If the kind is unknown.
    DataError
        If the relevance is missing, negative where it must not be, or makes all gains zero.

    Examples
    --------
    >>> gains([0.01, -0.02, 0.03], "rank").tolist()
    [2.0, 1.0, 3.0]
    """
    check_option("relevance_kind", relevance_kind, RELEVANCE_KINDS)
    r = check_array("relevance", relevance, what="one value for each item", missing=True)
    if r.ndim != 1 or r.size < 2:
        raise DataError(
            f"relevance has shape {r.shape}; expected one value for each item for at least two items"
        )
    if not np.isfinite(r).all():
        raise DataError(
            f"{int((~np.isfinite(r)).sum())} of {r.size} relevance values are missing; drop those items first"
        )
    if relevance_kind in get_args(Grade):
        if (r < 0).any():
            raise DataError(
                f"relevance_kind={relevance_kind!r} needs grades of 0 or more, the least is {r.min():g}; "
                f"for returns choose one of {', '.join(get_args(ReturnGrade))}"
            )
        if relevance_kind == "binary":
            return (r > 0).astype(float)
        return r if relevance_kind == "linear" else np.exp2(r) - 1.0
    return _from_returns(r, relevance_kind)


def _from_returns(r: FloatArray, kind: RelevanceKind) -> FloatArray:
    """Return the gains that one of the kinds for returns gives; see `gains`."""
    n = len(r)
    if kind == "price_ratio":
        if (r <= -1).any():
            raise DataError(
                f"returns must be fractions above -1, the least is {r.min():g}; 0.01 is one per cent"
            )
        return 1.0 + r
    if kind == "minmax":
        span = float(r.max() - r.min())
        return (r - r.min()) / span if span > 0 else np.ones(n)
    if kind == "positive_part":
        return np.maximum(r, 0.0)
    place: FloatArray = np.arange(n, dtype=np.float64)
    by_place: dict[str, FloatArray] = {
        "rank": place + 1.0,
        "rank_exponential": np.exp2(place + 1.0) - 1.0,
        "quintile": np.exp2(np.floor(5 * place / n)) - 1.0,
        "top_decile": (place >= n - max(1, n // 10)).astype(float),
    }
    # Equal returns share the mean gain of their places: what they earn over all orders of the rows.
    _, group, counts = np.unique(r, return_inverse=True, return_counts=True)
    gain = np.empty(n)
    gain[np.argsort(r, kind="stable")] = by_place[kind]
    shared: FloatArray = (np.bincount(group, weights=gain) / counts)[group]
    return shared


@renamed(seed="random_state")
def ndcg_expectation(
    relevance: npt.ArrayLike,
    *,
    relevance_kind: RelevanceKind,
    k: int | None = None,
    percentile: bool = False,
    draws: int = 3000,
    random_state: int = 0,
) -> NdcgExpectation:
    """Return what a random ranking scores.

    The expectation has a closed form for every gain, because each item is equally likely at each
    position: E[DCG] = mean(gain) * sum of the discounts. The 95th percentile is found by enumerating
    all orders of up to eight items, otherwise from seeded random orders.

    Parameters
    ----------
    relevance : array_like, shape (n,)
    relevance_kind : str
        How relevance becomes gain; see `gains`. Mandatory, because the chance line depends on it.
    k : int, optional
        Only the first k positions count.
    percentile : bool
        Whether to find the 95th percentile too.
    draws : int
        Random orders for the percentile.
    random_state : int
        Seed of the random orders.

    Returns
    -------
    NdcgExpectation

    Examples
    --------
    >>> round(ndcg_expectation([1.0, 2.0], relevance_kind="linear").mean, 3)
    0.93
    """
    g, _ = _checked(gains(relevance, relevance_kind), np.zeros(len(np.asarray(relevance))))
    n = len(g)
    d = _discounts(n, k)
    best = float(np.sort(g)[::-1] @ d)
    mean = float(g.mean() * d.sum() / best)
    worst = float(np.sort(g) @ d / best)
    if not percentile:
        return NdcgExpectation(mean, worst, None, "closed form", n)
    if n <= ENUMERATE_UP_TO:
        values = g[np.array(list(itertools.permutations(range(n))))] @ d / best
        return NdcgExpectation(
            mean, worst, float(np.quantile(values, 0.95, method="inverted_cdf")), "enumeration", n
        )
    rng = np.random.default_rng(check_seed("random_state", random_state))
    orders = rng.permuted(np.tile(np.arange(n), (draws, 1)), axis=1)
    return NdcgExpectation(
        mean, worst, float(np.quantile(g[orders] @ d / best, 0.95, method="inverted_cdf")), "monte carlo", n
    )


def chance_corrected_ndcg(
    relevance: npt.ArrayLike, score: npt.ArrayLike, *, relevance_kind: RelevanceKind, k: int | None = None
) -> float:
    """Return (NDCG - E[random]) / (1 - E[random]): 0 for a random ranking, 1 for the perfect one.

    Raw NDCG of a random ranking lies between 0.1 and 0.99 according to how relevance is defined, so
    that the raw figure alone says nothing. A reversed ranking scores below 0.

    Parameters
    ----------
    relevance : array_like, shape (n,)
        Grades, or returns as fractions; see `gains`.
    score : array_like, shape (n,)
        Higher means ranked earlier. Two Series are paired by their labels.
    relevance_kind : str
        How relevance becomes gain; mandatory, without a default.
    k : int, optional
        Only the first k positions count.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    DataError
        If the inputs cannot be ranked, or all gains are equal, so that every ranking is perfect.

    Examples
    --------
    >>> chance_corrected_ndcg([0.02, -0.01, 0.01], [3, 1, 2], relevance_kind="price_ratio")
    1.0
    """
    g, s = _checked(gains(relevance, relevance_kind), align(relevance, score, ("relevance", "score")))
    if np.ptp(g) <= 1e-12 * float(np.abs(g).max()):
        raise DataError(
            f"all {len(g)} gains are equal ({g[0]:g}), so every ranking is perfect and skill is undefined; "
            "check the relevance, or choose another relevance_kind"
        )
    chance = ndcg_expectation(relevance, relevance_kind=relevance_kind, k=k).mean
    if math.isclose(chance, 1.0, rel_tol=0, abs_tol=1e-15):
        raise DataError("a random ranking already scores 1 here; chance-corrected NDCG is undefined")
    return (ndcg(g, s, k=k) - chance) / (1.0 - chance)


def _discounts(n: int, k: int | None) -> FloatArray:
    d = 1.0 / np.log2(np.arange(2, n + 2))
    if k is not None:
        d[check_whole("k", k, least=1) :] = 0.0
    return d


def _checked(gain: npt.ArrayLike, score: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    g = check_array("relevance", gain, what="one value for each item", missing=True)
    s = check_array("score", score, what="one value for each item", missing=True)
    if g.ndim != 1 or g.shape != s.shape:
        raise DataError(
            f"relevance has shape {g.shape} and score {s.shape}; expected two vectors of one length"
        )
    if len(g) < 2:
        raise DataError(f"a ranking needs at least two items, {len(g)} given")
    if not (np.isfinite(g).all() and np.isfinite(s).all()):
        raise DataError("relevance or score holds missing or infinite values; drop those items first")
    if (g < 0).any():
        raise DataError(f"gains must be 0 or more, the least is {g.min():g}; choose another relevance_kind")
    if not (g > 0).any():
        raise DataError(
            "all gains are zero, so NDCG is 0/0; check the relevance, or choose another relevance_kind"
        )
    return g, s
