"""Baselines: first-order conditions, replication of the paper's formula, and controls."""

from __future__ import annotations

import numpy as np
import pytest

from fisc.data import DataError, OptionError
from fisc.economist import (
    TaxSchedule,
    baseline_schedules,
    paper_saez_schedule,
    random_monotone_schedules,
    respond,
    saez_schedule,
    welfare,
)
from fisc.economist.baselines import best_flat_tax, flat_tax_grid


def gap(case, law: TaxSchedule) -> float:  # type: ignore[no-untyped-def]
    return float(case.gap(welfare(respond(case.workers, law), case.workers, case.data["swf"])))


@pytest.mark.parametrize("elasticity", ["measured", 0.4])
def test_flat_rates_in_closed_form(cases: dict, elasticity: str | float) -> None:
    # Two workers, nobody capped: the exact condition (1 - g)/(1 - g + e) with e = 1/(delta - 1).
    for name in ("N2_a|flat|invinc_fixed|paper", "N2_a|flat|log|paper"):
        case = cases[name]
        law = saez_schedule(case.workers, [0.0], case.data["swf"], elasticity=elasticity)
        assert law.rates[0] == pytest.approx(case.data["rates"]["saez_fixed_point"][0], abs=2e-4)


def test_measured_elasticities_beat_assumed_ones_where_hours_are_capped(cases: dict) -> None:
    case = cases["GB2_1000_s21|US2024|log|paper"]
    measured = gap(case, saez_schedule(case.workers, case.data["edges"], "log"))
    assumed = gap(case, saez_schedule(case.workers, case.data["edges"], "log", elasticity=0.4))
    assert measured > 0.99
    assert assumed == pytest.approx(case.data["gap_closed"]["saez_fixed_point"], abs=0.02)


@pytest.mark.parametrize("elasticity", [3.0, 0.4])
def test_the_papers_formula_is_replicated(cases: dict, elasticity: float) -> None:
    for case in cases.values():
        stored = case.data["rates"][f"saez_reference_e{elasticity}"]
        law = paper_saez_schedule(case.workers, case.data["edges"], elasticity=elasticity)
        # Theirs are rounded to two decimals, as ours are; the stored ones are not.
        np.testing.assert_allclose(law.rates, stored, atol=0.0051, err_msg=case.name)


@pytest.mark.parametrize("elasticity", ["measurd", 0.0, -1.0, np.nan])
def test_bad_elasticities_are_refused(people, elasticity: object) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((DataError, OptionError), match="elasticity"):
        saez_schedule(people(5), [0.0], "log", elasticity=elasticity)


def test_controls(people) -> None:  # type: ignore[no-untyped-def]
    for law in random_monotone_schedules([0, 1e4, 5e4], 20, seed=1):
        assert (np.diff(law.rates) >= 0).all()
        assert law.rates.max() <= 0.6
    with pytest.raises(DataError, match="n=0; give a whole number of at least 1"):
        random_monotone_schedules([0.0], 0)
    with pytest.raises(DataError, match=r"step=0\.0; give the spacing of the flat rates"):
        flat_tax_grid(people(5), "log", step=0.0)
    rates, values = flat_tax_grid(people(50), "log")
    best = best_flat_tax(people(50), [0.0, 1e4], "log")
    assert (best.rates == rates[values.argmax()]).all()


def test_all_baselines_are_there(people) -> None:  # type: ignore[no-untyped-def]
    names = set(baseline_schedules(people(40), TaxSchedule.us_federal(2024).edges, "inverse_income"))
    assert {"free market", "US 2024", "flat 50 %", "best flat", "Saez, measured", "Saez, 0.4"} <= names
