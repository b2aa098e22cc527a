"""The optimum: against the stored ones, closed forms, and its own certificate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fisc.data import DataError
from fisc.economist import Optimum, TaxSchedule, Workers, optimal_schedule, respond, welfare

#: Share of the gap from US law to the stored robust optimum.
TARGET = 0.999
QUICK = (
    "N2_a|two_5000|invinc_fixed|paper",
    "ACS100_s11|US2024|invinc_fixed|calib",
    "ACS100_s11|US2024|rawls|invert",
    "ACS100_s11|US2024|log|calib|grid10",
    "GB2_100_s42|three|log|paper",
)


def closed(case, best: Optimum) -> float:  # type: ignore[no-untyped-def]
    again = welfare(respond(case.workers, best.schedule), case.workers, case.data["swf"])
    assert again == best.welfare
    return float(case.gap(again))


@pytest.mark.parametrize("name", QUICK)
def test_stored_optima_are_reached(cases: dict, name: str) -> None:
    case = cases[name]
    best = optimal_schedule(case.workers, case.data["edges"], case.data["swf"])
    assert closed(case, best) >= TARGET
    assert case.gap(best.certificate.worst_nearby) >= TARGET - 5e-4  # as robust as the stored one


@pytest.mark.slow
def test_all_stored_optima_are_reached(cases: dict) -> None:
    usable = [case for case in cases.values() if case.usable]
    assert len(usable) == 24
    for case in usable:
        best = optimal_schedule(case.workers, case.data["edges"], case.data["swf"])
        assert closed(case, best) >= TARGET, case.name


def test_flat_optima_in_closed_form(vectors: Path) -> None:
    stored = json.loads((vectors / "n2_closed_form.json").read_text())
    workers = Workers(stored["skills"], stored["c"], stored["delta"])
    for criterion, rate, value in (
        ("inverse_income", "t_star_invinc_fixed", "W_star_invinc_fixed"),
        ("log", "t_star_log", "W_star_log"),
        ("utilitarian", "t_star_utilitarian", "W_star_utilitarian"),
        ("rawls", "t_star_rawls", None),
    ):
        best = optimal_schedule(workers, [0.0], criterion, restarts=2)
        assert best.schedule.rates[0] == pytest.approx(stored[rate], abs=1e-5)
        if value is not None:
            assert best.welfare == pytest.approx(stored[value], rel=1e-9)


def test_the_optimum_is_the_same_whatever_the_number_of_jobs(people) -> None:  # type: ignore[no-untyped-def]
    one = optimal_schedule(people(), [0, 40_000], "log", restarts=2, n_jobs=1)
    two = optimal_schedule(people(), [0, 40_000], "log", restarts=2, n_jobs=2)
    assert one.schedule == two.schedule
    assert one.certificate == two.certificate


def test_the_certificate_holds(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(100)
    best = optimal_schedule(workers, [0, 30_000, 90_000], "inverse_income")
    proof = best.certificate
    assert proof.grid_best is not None
    assert best.welfare >= proof.grid_best
    assert proof.agreeing >= 2
    assert proof.worst_nearby <= best.welfare <= proof.supremum
    rng = np.random.default_rng(0)
    for _ in range(200):
        moved = np.clip(best.schedule.rates + rng.uniform(-1e-4, 1e-4, 3), 0.0, 1.0)
        value = welfare(respond(workers, best.schedule.with_rates(moved)), workers, "inverse_income")
        assert value >= proof.worst_nearby - 1e-3 * abs(best.welfare - proof.worst_nearby) - 1e-6


def test_large_populations_are_searched_by_sample_and_polished_whole() -> None:
    workers = Workers.sample(5000, population="acs", seed=1)
    best = optimal_schedule(workers, [0, 30_000, 90_000], "inverse_income", restarts=1)
    flat = max(
        welfare(respond(workers, TaxSchedule.flat(r, [0, 30_000, 90_000])), workers, "inverse_income")
        for r in np.linspace(0.5, 0.8, 16)
    )
    assert best.welfare > flat


def test_results_go_to_json_and_back(people) -> None:  # type: ignore[no-untyped-def]
    best = optimal_schedule(people(20), [0.0], "rawls", restarts=1)
    again = Optimum.from_dict(json.loads(json.dumps(best.to_dict())))
    assert again == best
    assert "restarts agree" in best.summary()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"restarts": 0}, "restarts=0; give a whole number of at least 1"),
        ({"tolerance": 0.0}, "tolerance=0.0; give a change of each rate, a number above 0"),
    ],
)
def test_bad_options_are_refused(people, options: dict, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=message):
        optimal_schedule(people(5), [0.0], "log", **options)
    with pytest.raises(DataError, match="edges must start at 0"):
        optimal_schedule(people(5), [10.0], "log")
