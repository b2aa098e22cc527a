"""Manipulation: densities against rddensity, its size where x has a heavy tail, and what it cannot know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fisc.core import DataError
from fisc.r3d.density import density_test
from fisc.r3d.density_pilot import local_bandwidths, side_bandwidth, slope_constants
from fisc.r3d.manipulation import check_manipulation, nearest_units, support
from fisc.r3d.pilot_reach import near_side, pilot_reach

Array = np.ndarray[Any, Any]
Draw = Callable[[np.random.Generator, int], Array]

HEAVY: dict[str, Draw] = {
    "lognormal": lambda r, n: np.exp(r.normal(0.0, 1.5, n)) - 1.0,
    "pareto": lambda r, n: (1.0 - r.random(n)) ** (-1.0 / 1.1) - 5.0,
    "t2": lambda r, n: r.standard_t(2.0, n),
}
BOUNDED: dict[str, Draw] = {
    "uniform": lambda r, n: r.uniform(-1.0, 1.0, n),
    "normal": lambda r, n: r.normal(0.0, 1.0, n),
    "off centre": lambda r, n: r.normal(0.5, 1.0, n),
    "beta": lambda r, n: 2.0 * r.beta(2.0, 4.0, n) - 0.7,
    "mixture": lambda r, n: np.where(r.random(n) < 0.5, r.normal(-1.0, 0.5, n), r.normal(1.0, 1.0, n)),
}


def thinned(draw: Draw, rng: np.random.Generator, n: int) -> Array:
    """65 of 100 units below the cutoff stay."""
    x = draw(rng, 3 * n)
    return x[(x >= 0.0) | (rng.random(3 * n) < 0.65)][:n]


def p_value(x: Array) -> float:
    return density_test(x, bandwidth=local_bandwidths(x)).p_value


def rate(draw: Callable[[np.random.Generator], Array], repeats: int) -> float:
    return float(np.mean([p_value(draw(np.random.default_rng([k, 77]))) <= 0.05 for k in range(repeats)]))


# rddensity 3.0 (PyPI), rddensity(x, h=[.5, .6]): hat["left"], hat["right"], test["t_jk"]
ORACLE = {
    "normal": (0.31344437226073296, 0.5090864167892544, 1.3465870864516163),
    "lognormal": (0.32705686173108006, 0.20892108574727786, -0.8654496301814891),
    "bunched": (0.459617206938816, 0.8299570641007866, 1.9631246233105322),
}


@pytest.mark.parametrize("name", ORACLE)
def test_densities_and_statistic_are_those_of_rddensity(name: str) -> None:
    if name == "normal":
        x = np.random.default_rng(11).normal(0.2, 1.0, 800)
    elif name == "lognormal":
        x = np.exp(np.random.default_rng(12).normal(0.0, 1.5, 800)) - 1.0
    else:
        x = np.random.default_rng(13).uniform(-1.0, 1.0, 800)
        x = np.where((x < 0.0) & (x > -0.3) & (np.arange(800) % 3 == 0), -x, x)
    left, right, t = ORACLE[name]
    test = density_test(x, bandwidth=(0.5, 0.6))
    assert test.density_minus == pytest.approx(left, rel=0.003)
    assert test.density_plus == pytest.approx(right, rel=0.003)
    assert test.statistic == pytest.approx(t, rel=0.02)  # jackknife against plug-in variance


def test_constants_of_the_slope_against_simulated_distribution_functions() -> None:
    beta, v = slope_constants("triangular", 2, 1)
    rng = np.random.default_rng(0)
    n, h = 4000, 0.8
    x = np.sort(rng.random((1500, n)), axis=1)
    inside = (np.arange(1, n + 1) / n)[None, :]
    u = x / h
    root = np.sqrt(np.maximum(1.0 - u, 0.0))
    slopes = [
        np.linalg.lstsq(r[:, None] * s[:, None] ** np.arange(3), r * inside[0], rcond=None)[0][1] / h
        for s, r in zip(u[:300], root[:300], strict=True)
    ]
    assert np.var(slopes) == pytest.approx(v / (n * h), rel=0.3)
    # u^3 on (0, 1) has the slope beta at zero
    grid = np.linspace(0.0, 1.0, 20_001)
    w = np.sqrt(1.0 - grid)
    fit = np.linalg.lstsq(w[:, None] * grid[:, None] ** np.arange(3), w * grid**3, rcond=None)[0]
    assert fit[1] == pytest.approx(beta, abs=1e-4)


def test_bandwidths_follow_the_units_and_stay_out_of_the_tail() -> None:
    x = HEAVY["lognormal"](np.random.default_rng(1), 4000)
    h = local_bandwidths(x)
    np.testing.assert_allclose(local_bandwidths(1000.0 * x), 1000.0 * np.array(h), rtol=1e-9)
    far = np.where(x > np.quantile(x, 0.99), 1e6 * x, x)
    np.testing.assert_allclose(local_bandwidths(far), h, rtol=1e-9)
    assert max(h) < 4.0 * np.median(np.abs(x)) * 1.001
    sizes = [max(local_bandwidths(HEAVY["lognormal"](np.random.default_rng(2), n))) for n in (1000, 16_000)]
    assert sizes[1] < sizes[0]


def test_pilots_use_all_of_a_bounded_side_and_nothing_of_a_far_tail() -> None:
    x = np.sort(np.random.default_rng(8).uniform(-1.0, 1.0, 500))
    zero = int(np.searchsorted(x, 0.0))
    assert near_side(x, False, 30) == slice(0, zero)
    assert near_side(x, True, 30) == slice(zero, 500)
    for n in (500, 50_000):
        t2 = np.sort(np.random.default_rng(9).standard_t(2.0, n))
        near = near_side(t2, True, 30)
        assert t2[near.stop - 1] < 3.6
        assert near.stop - near.start > 0.42 * n
    skewed = np.r_[np.full(40, 0.01), np.arange(1.0, 11.0)]
    assert pilot_reach(skewed, 45) == 5.0  # the units asked for come first


def test_a_straight_distribution_function_takes_the_whole_window() -> None:
    distance = np.arange(1, 2001) / 2000
    assert side_bandwidth(distance, 0.5 * distance, 4000, 2, "uniform") > 0.4


@pytest.mark.parametrize(("step", "even"), [(1.0 / 12.0, True), (0.25, True)])
def test_a_grid_with_a_unit_at_every_point_tells_nothing(step: float, even: bool) -> None:
    x = np.arange(-48, 48) * step + 0.5 * step
    assert support(x).even is even
    assert support(x).step == pytest.approx(step)
    check = check_manipulation(x + 50.0, 50.0)
    assert check.verdict == "not informative"
    assert "grid with step" in check.finding
    assert np.isnan(check.p_value)


def test_rounding_is_not_a_grid_of_cohorts() -> None:
    x = np.round(np.random.default_rng(3).normal(0.0, 1.0, 4000), 2)
    where = support(x)
    assert where.step == pytest.approx(0.01)
    assert not where.even
    assert not where.shared
    assert check_manipulation(x).verdict == "ok"
    moved = np.where((x < 0.0) & (x > -0.2) & (np.arange(x.size) % 2 == 0), -x, x)
    assert check_manipulation(moved).verdict == "look"


def test_units_that_share_a_value_are_one_draw() -> None:
    margins = np.random.default_rng(4).normal(0.0, 1.0, 1200)
    check = check_manipulation(np.repeat(margins, 3))
    assert "3600 units share 1200 values" in check.finding
    assert check.p_value == pytest.approx(check_manipulation(margins).p_value)


def test_a_few_points_a_side_describe_no_density() -> None:
    check = check_manipulation(np.random.default_rng(5).integers(-5, 5, 400).astype(float))
    assert check.verdict == "not informative"
    assert "distinct values" in check.finding


def test_few_units_are_not_a_clean_bill() -> None:
    verdicts = [
        check_manipulation(np.random.default_rng([6, k]).uniform(-1, 1, 200)).verdict for k in range(20)
    ]
    assert verdicts.count("ok") == 0
    assert verdicts.count("not informative") >= 15
    assert check_manipulation(np.array([-1.0, 2.0, 5.0])).verdict == "not informative"
    with pytest.raises(DataError, match="at least 10 units on each side"):
        local_bandwidths(np.array([-1.0, 2.0]))


def test_a_hole_next_to_the_cutoff_is_seen_by_the_nearest_units() -> None:
    x = np.random.default_rng(7).uniform(-1.0, 1.0, 4000)
    moved = np.where(np.abs(x) < 0.1, np.abs(x), x)
    assert nearest_units(moved)[0] == 0
    check = check_manipulation(moved)
    assert check.verdict == "look"
    assert check.nearest[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
@pytest.mark.parametrize(("n", "repeats"), [(1000, 300), (4000, 200), (16_000, 120)])
def test_heavy_tails_are_not_manipulation(name: str, n: int, repeats: int) -> None:
    found = rate(lambda r: HEAVY[name](r, n), repeats)
    assert found <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / repeats)


# Rejections by rddensity 3.0 with its own bandwidths at n = 1000 and 4000 on thinned draws (200 and 150 samples).
POWER = {
    "uniform": (0.175, 0.640),
    "normal": (0.310, 0.733),
    "off centre": (0.320, 0.647),
    "beta": (0.300, 0.727),
    "mixture": (0.145, 0.353),
    "t2": (0.450, 0.927),
    "lognormal": (0.135, 0.473),
    "pareto": (0.095, 0.180),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", POWER)
def test_power_is_that_of_rddensity_or_more(name: str) -> None:
    draw = {**HEAVY, **BOUNDED}[name]
    for n, theirs, repeats in zip((1000, 4000), POWER[name], (200, 150), strict=True):
        ours = rate(lambda r, n=n: thinned(draw, r, n), repeats)
        assert ours >= theirs - 0.05 - 2.0 * np.sqrt(theirs * (1.0 - theirs) * 2.0 / repeats)
