"""Coverage and size by simulation, and the designs' truth."""

from __future__ import annotations

import numpy as np
import pytest

from fisc.r3d import DESIGNS, monte_carlo, simulate
from fisc.r3d.designs import truth

DECILES = np.arange(1, 10) / 10


def test_truth_of_paper2() -> None:
    published = [1.6264, 1.5631, 1.4955, 1.4144, 1.3102, 1.1693, 0.9695, 0.6648, 0.1155]
    np.testing.assert_allclose(truth("paper2", DECILES), published, atol=5e-5)


@pytest.mark.parametrize("design", DESIGNS)
def test_designs_have_the_effect_they_claim(design: str) -> None:
    """Average unit quantiles within a hair of the cutoff differ by the truth."""
    rng = np.random.default_rng(0)
    from fisc.r3d.designs import _DRAWS

    sides = []
    for sign in (-1.0, 1.0):
        x = sign * np.full(20_000, 1e-9)
        _, y, t = _DRAWS[design](x, (x >= 0).astype(float), rng, 99)
        sides.append((np.quantile(y, DECILES, axis=1).mean(axis=1), 0.0 if t is None else t.mean()))
    jump = sides[1][0] - sides[0][0]
    if design == "fuzzy1":
        jump = jump / (sides[1][1] - sides[0][1])
    np.testing.assert_allclose(jump, truth(design, DECILES), atol=0.12)


def test_simulation_is_reproducible_and_described() -> None:
    first, second = simulate("fuzzy1", n=30, seed=3), simulate("fuzzy1", n=30, seed=3)
    assert first.data.equals(second.data)
    assert first.arguments["treatment"] == "t"
    assert not first.data.equals(simulate("fuzzy1", n=30, seed=4).data)
    np.testing.assert_array_equal(first.truth_at(np.array([0.5])), [2.0])


def test_table_with_the_reference(recwarn: pytest.WarningsRecorder) -> None:
    result = monte_carlo(["repo1", "lee"], [100], ["frechet"], reps=40, n_boot=199, reference=True)
    table = result.table.set_index("design")
    assert (table["coverage"] > table["r_coverage"]).all()
    assert np.isnan(table.loc["lee", "size"])
    assert result.summary().startswith("2 cells")
    assert result.plot().get_xlabel().startswith("coverage")
    assert len(result.section().tables) == 1
    assert not recwarn.list


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
def test_coverage_and_size(design: str) -> None:
    """Uniform coverage in [.93, .975] from 200 units on, [.92, .98] with 100; homogeneity size at most .08.

    500 replications have a simulation error of .01, which the limits are widened by.
    """
    slack = 0.01
    table = monte_carlo([design], reps=500, seed=10_000).table  # type: ignore[list-item]
    small = table["n"] == 100
    assert table.loc[~small, "coverage"].between(0.93 - slack, 0.975 + slack).all()
    assert table.loc[small, "coverage"].between(0.92 - slack, 0.98 + slack).all()
    assert (table["size"].dropna() <= 0.08).all()
    if design == "lee":
        assert (table.loc[table["n"] == 500, "bias"] <= 0.02).all()
