"""Unit quantiles of any size: against all subsets, against type 7, and where only the sizes jump."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from fisc.core import DataError
from fisc.r3d import r3d
from fisc.r3d.size_free import common_size, effective_size, order_weights, size_free_quantiles
from fisc.r3d.size_jump import size_jump

DECILES = np.arange(1, 10) / 10
Array = np.ndarray[Any, Any]


def one_unit(values: Array, q: Array, n0: int, weights: Array | None = None) -> Array:
    start, size = np.array([0]), np.array([values.size])
    return size_free_quantiles(values, start, size, q, n0, weights)[0]


def rows(units: list[Array], q: Array, n0: int) -> Array:
    sizes = np.array([u.size for u in units])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return size_free_quantiles(np.concatenate(units), starts, sizes, q, n0)


@pytest.mark.parametrize(("n", "n0"), [(7, 1), (7, 2), (7, 3), (8, 5), (8, 7), (8, 8)])
def test_the_mean_over_all_subsets(n: int, n0: int) -> None:
    values = np.random.default_rng(n).lognormal(0.0, 1.0, n)
    q = np.array([0.03, 0.25, 0.5, 0.61, 0.9])
    subsets = [np.quantile(list(s), q) for s in combinations(values, n0)]
    np.testing.assert_allclose(one_unit(values, q, n0), np.mean(subsets, axis=0), rtol=1e-12)


def test_units_of_the_common_size_keep_their_type_7_quantiles_and_smaller_ones_too() -> None:
    rng = np.random.default_rng(0)
    units = [rng.normal(size=k) for k in (30, 12, 30, 1)]
    found = rows(units, DECILES, 30)
    for row, unit in zip(found, units, strict=True):
        np.testing.assert_allclose(row, np.quantile(unit, DECILES), rtol=1e-12)


def test_large_units_are_read_off_the_bands_as_exactly() -> None:
    values = np.random.default_rng(1).exponential(1.0, (3, 4000))
    q = np.arange(1, 100) / 100
    found = rows(list(values), q, 60)
    np.testing.assert_allclose(found, np.sort(values, axis=1) @ order_weights(4000, 60, q), rtol=1e-12)


@pytest.mark.parametrize("n", [10, 500, 60_000])
def test_weights_are_probabilities_and_exact_on_lines(n: int) -> None:
    # the k-th smallest of n0 of the numbers 1..n is k (n + 1) / (n0 + 1) on average
    expected = (1.0 + 9.0 * DECILES) * (n + 1) / 11.0
    np.testing.assert_allclose(one_unit(np.arange(1.0, n + 1.0), DECILES, 10), expected, rtol=1e-9)
    np.testing.assert_allclose(one_unit(np.ones(n), DECILES, 10), 1.0, rtol=1e-14)


def test_curves_ascend_and_the_order_of_values_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    values, weights = np.round(rng.normal(0.0, 2.0, 57)), rng.uniform(0.2, 3.0, 57)
    mixed = rng.permutation(57)
    for w in (None, weights):
        found = one_unit(values, DECILES, 11, w)
        assert (np.diff(found) >= 0.0).all()
        np.testing.assert_array_equal(
            found, one_unit(values[mixed], DECILES, 11, None if w is None else w[mixed])
        )


def test_equal_weights_of_any_scale_change_nothing() -> None:
    values = np.random.default_rng(4).exponential(1.0, 43)
    for scale in (1.0, 0.1, 1e6):
        found = one_unit(values, DECILES, 20, np.full(43, scale))
        np.testing.assert_allclose(found, one_unit(values, DECILES, 20), rtol=1e-11)


def test_weights_that_repeat_values_estimate_what_the_repetition_estimates() -> None:
    rng = np.random.default_rng(5)
    values, times = rng.normal(size=20_000), rng.integers(1, 4, 20_000)
    repeated = one_unit(np.repeat(values, times), DECILES, 15)
    np.testing.assert_allclose(one_unit(values, DECILES, 15, times.astype(float)), repeated, atol=2e-3)
    assert effective_size(times.astype(float)) == pytest.approx(times.sum() ** 2 / (times**2).sum())


def test_the_mean_does_not_depend_on_the_size_while_that_of_type_7_does() -> None:
    rng = np.random.default_rng(6)
    small, large = rng.exponential(1.0, (40_000, 10)), rng.exponential(1.0, (40_000, 30))
    gap = rows(list(large), DECILES, 10) - rows(list(small), DECILES, 10)
    error = np.sqrt(gap.var(axis=0) / gap.shape[0])
    assert (np.abs(gap.mean(axis=0)) < 4.0 * error).all()
    plain = np.quantile(large, DECILES, axis=1).mean(axis=1) - np.quantile(small, DECILES, axis=1).mean(
        axis=1
    )
    assert (np.abs(plain) > 4.0 * error).sum() >= 4


def test_common_size_and_a_size_that_cannot_be_drawn() -> None:
    sizes = np.array([2, 50, 60, 70, 80, 90, 95, 96, 97, 98])
    assert common_size(sizes) == 2
    assert common_size(sizes, share=0.1) == 50
    with pytest.raises(DataError, match="n0=0 values cannot be drawn"):
        size_free_quantiles(np.ones(3), np.array([0]), np.array([3]), DECILES, 0)


def test_a_jump_of_sizes_is_found_and_a_slope_is_not_one() -> None:
    rng = np.random.default_rng(7)
    x = np.sort(rng.uniform(-1.0, 1.0, 800))
    jump = size_jump(x, rng.poisson(np.where(x < 0.0, 15.0, 25.0)) + 1)
    assert jump.p_value < 1e-4
    assert jump.below == pytest.approx(16.0, rel=0.15)
    assert jump.above == pytest.approx(26.0, rel=0.15)
    p = [
        size_jump(x, np.random.default_rng([8, r]).poisson(20.0 * np.exp(x)) + 1).p_value for r in range(200)
    ]
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.09


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::fisc.core.DataWarning")
@pytest.mark.parametrize(("low", "high"), [(10, 30), (15, 45)])
@pytest.mark.parametrize("law", ["standard_normal", "standard_exponential"])
def test_sizes_that_jump_are_no_effect(low: int, high: int, law: str) -> None:
    covered, rejected, repeats = 0, 0, 150
    for r in range(repeats):
        rng = np.random.default_rng([r, low])
        x = rng.uniform(-1.0, 1.0, 2000)
        sizes = np.where(x >= 0.0, high, low)
        level = 0.3 * x + rng.normal(0.0, 0.2, x.size)
        units = [a + getattr(rng, law)(k) for a, k in zip(level, sizes, strict=True)]
        curves = rows(units, DECILES, common_size(sizes))
        fit = r3d(quantile_matrix=curves, x=x, quantiles=DECILES, n_boot=499, random_state=r)
        covered += bool(((fit.band_lower <= 0.0) & (fit.band_upper >= 0.0)).all())
        rejected += fit.test("homogeneity").rejected
    assert covered / repeats >= 0.91
    assert rejected / repeats <= 0.09
