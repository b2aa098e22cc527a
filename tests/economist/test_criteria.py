"""Welfare: every stored policy, definitions by hand, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from fisc.data import DataError, OptionError
from fisc.economist import Criterion, TaxSchedule, Workers, gap_closed, respond, welfare
from fisc.economist.objective import WelfareOfRates

#: The issue asks for 1e-8.
STORED = 1e-9


def test_every_stored_policy_has_its_welfare(cases: dict) -> None:
    checked = 0
    for case in cases.values():
        for name, rates in case.data["rates"].items():
            law = TaxSchedule(case.data["edges"], rates)
            value = welfare(respond(case.workers, law), case.workers, case.data["swf"])
            assert value == pytest.approx(case.data["W"][name], rel=STORED), (case.name, name)
            checked += 1
    assert checked > 250


def test_the_compiled_objective_is_the_same_function(cases: dict) -> None:
    for case in cases.values():
        laws = np.array(list(case.data["rates"].values()))
        values = WelfareOfRates(case.workers, case.data["edges"], case.data["swf"])(laws)
        np.testing.assert_allclose(values, [case.data["W"][k] for k in case.data["rates"]], rtol=1e-8)


def test_definitions_by_hand() -> None:
    workers = Workers([500.0, 1500.0], 0.02)
    out = respond(workers, TaxSchedule.flat(0.3))
    u = out.utility
    w = np.array([1.5, 0.5])
    assert welfare(out, workers, "inverse_income") == pytest.approx(np.mean(w * u))
    assert welfare(out, workers, "utilitarian") == pytest.approx(u.mean())
    assert welfare(out, workers, "rawls") == u.min()
    assert welfare(out, workers, "log") == pytest.approx(np.log(u).mean())
    assert welfare(out, workers, "crra") == pytest.approx(-np.mean(1e4 / u))
    assert welfare(out, workers, Criterion("crra", gamma=3.0)) == pytest.approx(np.mean((u / 1e4) ** -2 / -2))
    assert welfare(out, workers, "paper_live") == pytest.approx(np.sum(u / out.income))
    assert welfare(out, workers, Criterion("weighted", weights=np.array([3.0, 1.0]))) == pytest.approx(
        np.mean(w * u)
    )


@pytest.mark.parametrize("gamma", [0.5, 2.0, 3.0])
def test_compiled_crra_for_other_aversions(gamma: float) -> None:
    workers = Workers.sample(50, seed=1)
    rule = Criterion("crra", gamma=gamma)
    rates = np.full((1, 2), 0.4)
    law = TaxSchedule([0, 5e4], rates[0])
    exact = welfare(respond(workers, law), workers, rule)
    assert WelfareOfRates(workers, [0, 5e4], rule)(rates)[0] == pytest.approx(exact, rel=1e-10)


def test_people_who_stand_for_several_count_several_times() -> None:
    workers = Workers([500.0, 1500.0], 0.02)
    triple = Workers([500.0, 500.0, 500.0, 1500.0], 0.02)
    rates = np.array([[0.2], [0.6]])
    for rule in ("inverse_income", "log", "rawls", "crra", "utilitarian"):
        massed = WelfareOfRates(workers.with_weights([3.0, 1.0]), [0.0], rule)(rates)
        np.testing.assert_allclose(massed, WelfareOfRates(triple, [0.0], rule)(rates), rtol=1e-12)


def test_fixed_weights_do_not_move_with_behaviour_and_the_papers_do() -> None:
    # Taxing a worker out of work multiplies the weight that the paper's objective gives them.
    workers = Workers([20.0, 2000.0], 0.02)
    confiscating = TaxSchedule([0, 1000], [1.0, 0.3])
    mild = TaxSchedule([0, 1000], [0.3, 0.3])
    live = [welfare(respond(workers, law), workers, "paper_live") for law in (mild, confiscating)]
    assert live[1] > 100.0 * live[0]


@pytest.mark.parametrize("name", ["inverse_incomes", "rawl", "Log "])
def test_unknown_criteria_name_the_nearest(name: str) -> None:
    with pytest.raises(OptionError, match="did you mean"):
        Criterion(name)


def test_bad_criteria_are_refused_in_words() -> None:
    workers = Workers([1.0, 2.0], 1.0)
    out = respond(workers, TaxSchedule.flat(0.1))
    with pytest.raises(DataError, match="needs weights"):
        Criterion("weighted")
    with pytest.raises(DataError, match="takes no weights"):
        Criterion("log", weights=np.ones(2))
    with pytest.raises(DataError, match="gamma must be positive and not 1"):
        Criterion("crra", gamma=1.0)
    with pytest.raises(DataError, match="3 weights for 2 workers"):
        welfare(out, workers, Criterion("weighted", weights=np.ones(3)))
    with pytest.raises(DataError, match="the outcome holds 2 workers, the population 1"):
        welfare(out, Workers([1.0], 1.0), "log")


def test_a_gap_needs_two_ends() -> None:
    assert gap_closed([0.0, 10.0], 0.0, 10.0).tolist() == [0.0, 1.0]
    with pytest.raises(DataError, match="no gap to close"):
        gap_closed(1.0, start=2.0, best=2.0)
