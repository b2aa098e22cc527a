"""Chance-corrected NDCG: closed form against enumeration, scikit-learn, and shuffles."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from fisc.basir import RELEVANCE_KINDS, chance_corrected_ndcg, chance_table, ndcg, ndcg_expectation
from fisc.basir.ranking.chance import gains
from fisc.data import DataError, OptionError

EXACT = 1e-12


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(1, 12))
def test_ndcg_equals_scikit_learn_with_ties(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    gain, score = rng.integers(0, 4, n).astype(float), rng.integers(0, 3, n).astype(float)
    if gain.max() == 0:
        gain[0] = 1.0
    assert abs(ndcg(gain, score, k=k) - ndcg_score([gain], [score], k=k)) < EXACT


@pytest.mark.parametrize("kind", RELEVANCE_KINDS)
@pytest.mark.parametrize("k", [None, 2])
def test_closed_form_is_the_mean_over_all_orders(kind: str, k: int | None) -> None:
    relevance = np.array([0.02, 0.001, 0.013, 0.0, 0.004])
    expected = ndcg_expectation(relevance, relevance_kind=kind, k=k)
    gain = gains(relevance, kind)
    values = [ndcg(gain, np.array(order, dtype=float), k=k) for order in itertools.permutations(range(5))]
    assert abs(expected.mean - np.mean(values)) < EXACT
    assert abs(expected.reversed - min(values)) < EXACT
    asked = ndcg_expectation(relevance, relevance_kind=kind, k=k, percentile=True)
    assert asked.method == "enumeration"
    assert asked.p95 == pytest.approx(np.quantile(values, 0.95, method="inverted_cdf"))


@pytest.mark.parametrize("kind", RELEVANCE_KINDS)
def test_shuffles_score_zero_perfect_one_reversed_below(kind: str) -> None:
    rng = np.random.default_rng(1)
    values = []
    for _ in range(1500):
        r = np.abs(rng.normal(0, 0.02, 20)) if kind in ("linear", "exponential") else rng.normal(0, 0.02, 20)
        r = (r > 0.01).astype(float) if kind == "binary" else r
        if kind == "binary" and not 0 < r.sum() < 20:
            continue
        values.append(chance_corrected_ndcg(r, rng.random(20), relevance_kind=kind))
    assert abs(np.mean(values)) < 0.02
    r = np.linspace(0, 0.02, 20)
    assert chance_corrected_ndcg(r, r, relevance_kind=kind) == pytest.approx(1.0)
    if kind != "binary":
        assert chance_corrected_ndcg(r, -r, relevance_kind=kind) < -0.1


def test_a_constant_score_is_exactly_chance() -> None:
    assert chance_corrected_ndcg(
        [0.03, -0.01, 0.0], [1, 1, 1], relevance_kind="price_ratio"
    ) == pytest.approx(0, abs=1e-9)


# Random mean, its 95th percentile and the reversed order, as measured independently with 3,000 permutations.
PUBLISHED = {
    "price ratio, 10": (0.9930, 0.9980, 0.9861),
    "price ratio, 40": (0.9923, 0.9954, 0.9846),
    "price ratio, 81": (0.9928, 0.9950, 0.9855),
    "rank, 2": (0.929, 1.000, 0.860),
    "rank, 5": (0.860, 0.982, 0.722),
    "rank, 10": (0.835, 0.943, 0.668),
    "rank, 40": (0.830, 0.893, 0.658),
    "rank, 81": (0.841, 0.887, 0.682),
    "rank, exponential, 10": (0.588, 0.900, 0.394),
    "min-max, 40": (0.845, 0.911, 0.691),
    "positive part, 40": (0.595, 0.749, 0.419),
    "quintiles @10, 81": (0.341, 0.551, 0.000),
    "top decile @10, 81": (0.114, 0.337, 0.000),
}


def test_the_chance_table_is_reproduced() -> None:
    table = chance_table(draws=2000, seed=0)
    assert list(table.index) == list(PUBLISHED)
    for name, (mean, p95, worst) in PUBLISHED.items():
        row = table.loc[name]
        assert row["random_mean"] == pytest.approx(mean, abs=0.01), name
        assert row["random_p95"] == pytest.approx(p95, abs=0.025), name
        assert row["reversed"] == pytest.approx(worst, abs=0.01), name
        assert abs(row["corrected"]) < 0.03, name


def test_the_published_figure_is_no_news() -> None:
    row = chance_table(draws=600).loc["price ratio, 10"]
    assert row["random_p95"] >= 0.997 - 0.001
    assert row["reversed"] > 0.98


def test_errors_say_what_to_do() -> None:
    with pytest.raises(OptionError, match="did you mean 'price_ratio'"):
        chance_corrected_ndcg([1, 2], [1, 2], relevance_kind="price-ratio")
    with pytest.raises(DataError, match="needs grades of 0 or more"):
        chance_corrected_ndcg([-0.1, 0.2], [1, 2], relevance_kind="linear")
    with pytest.raises(DataError, match="all 3 gains are equal"):
        chance_corrected_ndcg([1, 1, 1], [1, 2, 3], relevance_kind="linear")
    with pytest.raises(DataError, match="two vectors of one length"):
        chance_corrected_ndcg([1, 2, 3], [1, 2], relevance_kind="rank")
    with pytest.raises(DataError, match="1 of 2 relevance values are missing"):
        chance_corrected_ndcg([1, np.nan], [1, 2], relevance_kind="rank")
    with pytest.raises(DataError, match="k=0; give a whole number of at least 1"):
        ndcg([1, 2], [1, 2], k=0)
    with pytest.raises(DataError, match="all gains are zero"):
        chance_corrected_ndcg([-0.1, -0.2], [1, 2], relevance_kind="positive_part")
    with pytest.raises(TypeError, match="relevance_kind"):
        chance_corrected_ndcg([1, 2], [1, 2])
