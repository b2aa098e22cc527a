"""Weighted quantiles: the order of rows never matters, and equal weights are none."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fisc.r3d.weighted import sorted_blocks, too_small, values_needed, weighted_quantiles

Q = np.array([0.01, 0.1, 0.25, 0.5, 0.7, 0.75, 0.9, 0.99])
Array = np.ndarray[Any, Any]


def by_hand(values: list[float], weights: list[float], q: float) -> float:
    """The rule in words: collapse ties, two knots a block, straight lines between."""
    blocks: dict[float, list[float]] = {}
    for v, w in zip(values, weights, strict=True):
        blocks.setdefault(v, []).append(w)
    ascending = sorted(blocks)
    means = {v: sum(blocks[v]) / len(blocks[v]) for v in ascending}
    total = sum(weights)
    low, high = means[ascending[0]] / 2, means[ascending[-1]] / 2
    knots, below = [], 0.0
    for v in ascending:
        mass = sum(blocks[v])
        knots += [(below + means[v] / 2 - low, v), (below + mass - means[v] / 2 - low, v)]
        below += mass
    at = q * (total - low - high)
    for (p0, v0), (p1, v1) in pairwise(knots):
        if p0 <= at <= p1:
            return v0 if p1 == p0 else v0 + (at - p0) / (p1 - p0) * (v1 - v0)
    raise AssertionError


def test_the_rule_in_words() -> None:
    rng = np.random.default_rng(0)
    values, weights = np.round(rng.normal(0, 1, (40, 23)), 1), rng.uniform(0.1, 5.0, (40, 23))
    found = weighted_quantiles(values, weights, Q)
    expected = [[by_hand(v.tolist(), w.tolist(), q) for q in Q] for v, w in zip(values, weights, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-11)


@given(
    rows=st.lists(st.tuples(st.integers(-3, 3), st.floats(0.01, 100.0)), min_size=1, max_size=30),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=200, deadline=None)
def test_shuffled_rows_give_the_same_bits(rows: list[tuple[int, float]], seed: int) -> None:
    table = np.array(rows, dtype=float)
    mixed = np.random.default_rng(seed).permutation(table)
    one, two = (weighted_quantiles(t[None, :, 0], t[None, :, 1], Q) for t in (table, mixed))
    np.testing.assert_array_equal(one, two)
    assert (np.diff(one) >= 0.0).all()


@pytest.mark.parametrize("scale", [1.0, 0.1, 3e7])
def test_equal_weights_give_type_7(scale: float) -> None:
    values = np.round(np.random.default_rng(1).exponential(1.0, (50, 10)), 1)
    grid = np.arange(1, 10) / 10
    found = weighted_quantiles(values, np.full(values.shape, scale), grid)
    np.testing.assert_allclose(found, np.quantile(values, grid, axis=1).T, atol=1e-12)


def test_rows_without_ties_keep_their_weights() -> None:
    values, weights = (
        np.array([[3.0, 1.0, 2.0], [5.0, 5.0, 4.0]]),
        np.array([[1.0, 2.0, 4.0], [1.0, 3.0, 7.0]]),
    )
    _, spread = sorted_blocks(values, weights)
    assert spread.tolist() == [[2.0, 4.0, 1.0], [7.0, 2.0, 2.0]]


def test_a_single_value_is_every_quantile() -> None:
    assert (weighted_quantiles(np.array([[7.0]]), np.array([[2.0]]), Q) == 7.0).all()


@pytest.mark.parametrize("n", [2, 3, 7, 9, 10, 19, 20, 97, 100, 1000])
def test_n_values_are_enough_for_n_parts(n: int) -> None:
    grid = np.arange(1, n) / n
    assert values_needed(grid) == n
    assert too_small(np.array([n - 1, n, n + 1]), grid) == 1
