"""Exact followers: the stored answers, a closed form, brute force, and both engines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fisc.data import DataError, OptionError
from fisc.economist import TaxSchedule, Workers, outcome_of_hours, respond
from fisc.economist.objective import WelfareOfRates

#: Relative to the worker's utility; the stored answers carry about 1e-12.
UTILITY = 1e-10
#: Between machine code and whole arrays, which add in another order.
ENGINES = 1e-10


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
def test_the_300_stored_answers(vectors: Path, engine: str) -> None:
    stored = json.loads((vectors / "best_response_cases.json").read_text())["cases"]
    assert len(stored) == 300
    for case in stored:
        grid = None if case["labor"] == "continuous" else np.arange(0.0, 101.0, 10.0)
        worker = Workers([case["skill"]], case["c"], case["delta"], case["Lmax"], grid)
        found = respond(worker, TaxSchedule(case["edges"], case["rates"]), engine=engine)
        value = found.utility[0] - found.rebate
        assert value == pytest.approx(case["v"], rel=UTILITY)
        assert found.income[0] == pytest.approx(case["z"], rel=1e-6, abs=1e-6)
        assert found.tax[0] == pytest.approx(case["tax"], rel=1e-6, abs=1e-6)


def test_two_workers_in_closed_form(vectors: Path) -> None:
    stored = json.loads((vectors / "n2_closed_form.json").read_text())
    workers = Workers(stored["skills"], stored["c"], stored["delta"])
    free = respond(workers, TaxSchedule.flat(0.0))
    np.testing.assert_allclose(free.hours, stored["labor_at_zero_tax"], rtol=1e-12)
    np.testing.assert_allclose(free.income, stored["A"], rtol=1e-12)
    best = respond(workers, TaxSchedule.flat(stored["t_star_invinc_fixed"]))
    np.testing.assert_allclose(best.utility, stored["u_at_t_star"], rtol=1e-9)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Workers, TaxSchedule]:
    rates = draw(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6))
    steps = draw(st.lists(st.floats(100.0, 5e4), min_size=len(rates) - 1, max_size=len(rates) - 1))
    skill = draw(st.lists(st.floats(1.0, 2e4), min_size=1, max_size=4))
    cost = draw(st.floats(1e-4, 1.0))
    delta = draw(st.sampled_from([2.0, 2.5, 3.5, 5.0]))
    return Workers(skill, cost, delta), TaxSchedule(np.concatenate([[0.0], np.cumsum(steps)]), rates)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_no_grid_of_hours_does_better(problem: tuple[Workers, TaxSchedule]) -> None:
    workers, law = problem
    found = respond(workers, law)
    own = found.utility - found.rebate
    hours = np.linspace(0.0, workers.max_hours, 4001)
    for i in range(workers.n):
        z = workers.skill[i] * hours
        value = z - law.tax(z) - workers.cost[i] * hours**workers.delta
        assert own[i] >= value.max() - 1e-9 * max(1.0, abs(value.max()))
        z_own = found.income[i]
        again = z_own - law.tax(float(z_own)) - workers.cost[i] * found.hours[i] ** workers.delta
        assert own[i] == pytest.approx(again, rel=1e-9, abs=1e-7)  # the value is that of the hours


@settings(max_examples=60, deadline=None)
@given(problems())
def test_both_engines_agree(problem: tuple[Workers, TaxSchedule]) -> None:
    workers, law = problem
    fast, plain = respond(workers, law), respond(workers, law, engine="numpy")
    np.testing.assert_allclose(fast.utility, plain.utility, rtol=ENGINES, atol=1e-6)
    assert fast.rebate == pytest.approx(plain.rebate, rel=1e-6, abs=1e-3)


def test_engines_agree_over_several_chunks() -> None:
    workers = Workers.sample(40_000, seed=2)
    law = TaxSchedule.us_federal(2024).with_rates([0.4, 0.8, 0.6, 0.3, 0.9, 0.9, 0.4])
    fast, plain = respond(workers, law), respond(workers, law, engine="numpy")
    np.testing.assert_allclose(fast.income, plain.income, rtol=1e-9)
    np.testing.assert_allclose(fast.utility, plain.utility, rtol=1e-9)


def test_the_budget_balances_and_utility_adds_up() -> None:
    workers = Workers.sample(500, seed=1)
    law = TaxSchedule.us_federal(2024)
    out = respond(workers, law)
    assert out.tax.sum() == pytest.approx(500 * out.rebate)
    by_hand = out.income - out.tax + out.rebate - workers.cost * out.hours**workers.delta
    np.testing.assert_allclose(out.utility, by_hand, rtol=1e-9)
    np.testing.assert_allclose(out.tax, law.tax(out.income), rtol=1e-9, atol=1e-9)


def test_workers_bunch_at_convex_kinks_and_avoid_the_others() -> None:
    workers = Workers.sample(5000, seed=1)
    rising = respond(workers, TaxSchedule([0, 40_000], [0.1, 0.5]))
    assert np.mean(rising.income == 40_000.0) > 0.05
    falling = respond(workers, TaxSchedule([0, 40_000], [0.7, 0.1]))
    assert not np.any(np.abs(falling.income - 40_000.0) < 2_000.0)


def test_a_tie_goes_to_the_lower_segment_and_to_fewer_hours() -> None:
    # delta 2, c 1, s 2: without tax the best hours are 1; a grid of 0 and 2 gives u = 0 twice.
    grid = Workers([2.0], 1.0, 2.0, hours_grid=[0.0, 2.0])
    for engine in ("compiled", "numpy"):
        assert respond(grid, TaxSchedule.flat(0.0), engine=engine).hours.tolist() == [0.0]


def test_an_exact_tie_between_brackets_goes_to_the_lower_one() -> None:
    # delta 2 and A = 100: value 100 (1/2)^2 / 2 = 12.5 at income 50, and 50 - 75/2 = 12.5 at income 100.
    worker = Workers([10.0], 0.5, 2.0)
    law = TaxSchedule([0.0, 75.0], [0.5, 0.0])
    for engine in ("compiled", "numpy"):
        out = respond(worker, law, engine=engine)
        assert out.income.tolist() == [50.0]
        assert out.utility.tolist() == [12.5 + 25.0]
    assert WelfareOfRates(worker, law.edges, "utilitarian")(law.rates[None, :])[0] == 37.5


def test_at_a_rate_of_one_nobody_works() -> None:
    out = respond(Workers.sample(50), TaxSchedule.flat(1.0))
    assert not out.income.any()
    assert out.rebate == 0.0


def test_the_cap_binds_where_the_paper_left_the_cost() -> None:
    workers = Workers.sample(2000, seed=0, calibration="paper")
    out = respond(workers, TaxSchedule.flat(0.0))
    assert np.mean(out.hours >= 100.0 - 1e-9) > 0.85


def test_hours_that_are_given_are_taken_as_given() -> None:
    workers = Workers([1000.0, 500.0], 0.02)
    law = TaxSchedule.flat(0.5)
    best = respond(workers, law)
    again = outcome_of_hours(workers, law, best.hours)
    np.testing.assert_allclose(again.utility, best.utility, rtol=1e-12)
    worse = outcome_of_hours(workers, law, best.hours * 0.5)
    assert (worse.utility + worse.tax - worse.rebate < best.utility + best.tax).all()


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ([40.0], "shape \\(2,\\)"),
        ([40.0, -1.0], "got -1"),
        ([40.0, np.nan], "1 NaN"),
        ([40.0, 101.0], "to 101"),
    ],
)
def test_impossible_hours_are_refused(hours: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        outcome_of_hours(Workers([1000.0, 500.0], 0.02), TaxSchedule.flat(0.5), np.array(hours))


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(OptionError, match="did you mean 'numpy'"):
        respond(Workers([1.0], 1.0), TaxSchedule.flat(0.1), engine="numpi")


def test_outcomes_go_to_json_and_back() -> None:
    out = respond(Workers.sample(5), TaxSchedule.us_federal(2024))
    again = type(out).from_dict(json.loads(json.dumps(out.to_dict())))
    assert np.array_equal(again.utility, out.utility)
    assert again.rebate == out.rebate
    assert list(out.to_frame()) == ["hours", "income", "tax", "rebate", "utility"]
