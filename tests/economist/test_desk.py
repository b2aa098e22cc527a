"""The reform desk against closed forms, brute force, invariances and Tax-Calculator."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

from fisc.core import FiscError
from fisc.data import load_tax_units
from fisc.economist import (
    ActualLaw,
    ReformScore,
    TaxSchedule,
    Workers,
    distance_of_law,
    implied_weights,
    respond,
    score_reform,
    welfare,
)
from fisc.economist.distribution import gini, tenths
from fisc.economist.options import CriterionName
from fisc.economist.reform_score import BEHAVIOURAL, STATIC
from fisc.economist.tax_units import TaxUnits, answer_to

BEFORE = TaxSchedule([0.0, 20_000.0, 80_000.0], [0.0, 0.2, 0.35])
AFTER = TaxSchedule([0.0, 30_000.0, 80_000.0], [0.05, 0.15, 0.45])


def people(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    income = np.exp(rng.normal(10.6, 0.9, n))
    kind = np.where(income > np.median(income), "rich", "poor")
    return pd.DataFrame({"income": income, "weight": rng.uniform(100, 900, n), "kind": kind})


def test_static_revenue_is_the_difference_of_the_taxes_and_behaviour_comes_on_top() -> None:
    units = people()
    score = score_reform(units, BEFORE, AFTER)
    income, weight = units["income"].to_numpy(), units["weight"].to_numpy()
    assert score.static_change == pytest.approx(
        weight @ (AFTER.tax(income) - BEFORE.tax(income)) / 1e9, rel=1e-12
    )
    assert score.deciles["tax_change"].mean() == pytest.approx(
        score.static_change * 1e9 / weight.sum(), rel=0.02
    )
    assert score.effects["low"][BEHAVIOURAL] <= score.behavioural_change <= score.effects["high"][BEHAVIOURAL]


def test_each_unit_takes_the_best_income_of_all() -> None:
    units = TaxUnits.from_frame(people(40))
    e = np.linspace(0.1, 0.9, 40)
    answer = answer_to(units, BEFORE, AFTER, e)
    for i in range(40):
        z, elasticity = units.taxable[i], e[i]
        keep = 1.0 - BEFORE.marginal_rate(float(z))
        power = 1.0 + 1.0 / elasticity

        def loss(income: float, z: float = z, keep: float = keep, power: float = power) -> float:
            return -(income - AFTER.tax(income) - keep * z / power * (income / z) ** power)

        grid = np.geomspace(z / 4, z * 4, 4001)
        start = grid[np.argmin([loss(float(x)) for x in grid])]
        best = minimize_scalar(loss, bounds=(start * 0.998, start * 1.002), method="bounded").x
        assert answer.taxable[i] == pytest.approx(best, rel=2e-4)
        stays = -loss(float(z)) - (z - BEFORE.tax(float(z)) - keep * z / power)
        assert answer.gain[i] >= stays - 1e-6  # answering is worth more than staying


def test_nothing_changes_under_the_same_law_even_where_the_rate_falls() -> None:
    falls = TaxSchedule([0.0, 20_000.0, 60_000.0], [0.6, 0.1, 0.3])
    score = score_reform(people(), falls, falls)
    assert score.effects["change"].abs().max() == pytest.approx(0.0, abs=1e-9)
    assert score.deciles[["gainers", "losers"]].to_numpy().sum() == 0.0


def test_small_reforms_follow_the_first_order_response() -> None:
    units = people(2000)
    units["rate"] = 0.15 + 0.2
    flat, higher = TaxSchedule.flat(0.2), TaxSchedule.flat(0.201)
    score = score_reform(units, flat, higher, elasticity=0.3, marginal_rate="rate")
    total = units["weight"] @ units["income"] / 1e9
    # The schedule's own rate is .2, all taxes together take .35: dR = B (dt - t e dt / (1 - m)).
    assert score.behavioural_change == pytest.approx(total * 0.001 * (1 - 0.2 * 0.3 / 0.65), rel=1e-3)


def test_weights_count_people_and_money_has_no_unit() -> None:
    units = people(60).assign(weight=lambda f: (f["weight"] / 100).round())
    repeated = units.loc[units.index.repeat(units["weight"].astype(int))].assign(weight=1.0)
    one, many = (score_reform(frame, BEFORE, AFTER, by=["kind"]) for frame in (units, repeated))
    pd.testing.assert_frame_equal(one.effects, many.effects, rtol=1e-9)
    pd.testing.assert_frame_equal(one.groups, many.groups, rtol=1e-9)
    in_cents = units.assign(income=units["income"] * 100)
    cents = score_reform(in_cents, *(TaxSchedule(s.edges * 100, s.rates) for s in (BEFORE, AFTER)))
    assert cents.static_change == pytest.approx(100 * one.static_change)
    gap = "Gini of income after tax"
    assert cents.effects["change"][gap] == pytest.approx(one.effects["change"][gap])


def test_elasticities_by_group_and_by_income_are_those_of_the_groups() -> None:
    units = people()
    units["kind"] = np.where(units["income"] < 40_000.0, "poor", "rich")
    by_kind = score_reform(units, BEFORE, AFTER, elasticity={"kind": {"poor": 0.1, "rich": 0.5}})
    by_income = score_reform(units, BEFORE, AFTER, elasticity={0: 0.1, 40_000: 0.5})
    assert by_kind.behavioural_change == pytest.approx(by_income.behavioural_change, rel=1e-12)
    parts = [
        score_reform(units[units["kind"] == kind], BEFORE, AFTER, elasticity=e).behavioural_change
        for kind, e in (("poor", 0.1), ("rich", 0.5))
    ]
    assert by_kind.behavioural_change == pytest.approx(sum(parts), rel=1e-9)


@pytest.mark.parametrize("after", [AFTER, TaxSchedule([0.0, 50_000.0], [0.1, 0.5])])
def test_a_neutral_reform_raises_what_the_present_law_does(after: TaxSchedule) -> None:
    units = people()
    score = score_reform(units, BEFORE, after, revenue="neutral")
    assert score.behavioural_change == pytest.approx(0.0, abs=1e-9)
    assert score.shift != 0.0
    moved = TaxSchedule(after.edges, np.clip(after.rates + score.shift, 0, 1))
    again = score_reform(units, BEFORE, moved, revenue="requirement")
    assert again.behavioural_change == pytest.approx(score.behavioural_change, abs=1e-9)


def test_a_rebate_returns_revenue_and_the_treasury_keeps_it_otherwise() -> None:
    units = people()
    kept, returned = (score_reform(units, BEFORE, AFTER, revenue=mode) for mode in ("requirement", "rebate"))
    gain = returned.effects["change"]["gain, mean"] - kept.effects["change"]["gain, mean"]
    assert gain == pytest.approx(1e9 * kept.behavioural_change / units["weight"].sum())


def test_the_weights_that_a_law_implies_are_those_of_the_formula() -> None:
    z = 1e4 * (1 - (np.arange(200_000) + 0.5) / 200_000) ** (-1 / 1.5)
    ones = np.ones(z.size)
    found = implied_weights(z, 0.5 * ones, ones, 0.2 * ones)
    np.testing.assert_allclose(found["implied_weight"][2:9], 1 - 0.2 * 1.5 * 1.0, atol=0.02)
    assert found["implied_weight"].mean() == pytest.approx(1.0)
    # At the rate that raises most from the top, 1/(1 + a e), a unit of money there counts nothing.
    top = implied_weights(z, ones / (1 + 1.5 * 0.2), ones, 0.2 * ones)
    np.testing.assert_allclose(top["implied_weight"][2:9], 0.0, atol=0.05)


def test_gini_and_tenths_are_the_textbook_ones() -> None:
    rng = np.random.default_rng(1)
    x, w = rng.lognormal(size=300), rng.integers(1, 6, 300).astype(float)
    y = np.repeat(x, w.astype(int))
    pairs = np.abs(y[:, None] - y[None, :]).mean() / (2 * y.mean())
    assert gini(x, w) == pytest.approx(pairs, rel=1e-9)
    assert (np.bincount(tenths(y, np.ones(y.size)), minlength=10) * 10 / y.size).round(1).tolist() == [
        1.0
    ] * 10


def test_schedules_by_filing_status_and_the_record_of_a_score() -> None:
    units = people().assign(filing_status=lambda f: np.where(f["kind"] == "rich", "married_joint", "single"))
    laws = {status: TaxSchedule.us_federal(2024, status) for status in ("single", "married_joint")}
    more = {status: TaxSchedule(law.edges, law.rates + 0.01) for status, law in laws.items()}
    score = score_reform(units, laws, more, by=["filing_status"])
    assert score.static_change == pytest.approx(units["weight"] @ units["income"] * 0.01 / 1e9)
    assert set(score.groups["level"]) == {"single", "married_joint"}
    again = ReformScore.from_dict(json.loads(json.dumps(score.to_dict())))
    assert again == score
    assert score.by_elasticity.index.tolist() == [0.1, 0.25, 0.4]  # the one asked for is among them
    for table in score.section().tables:
        assert table.frame.columns.is_unique  # so that no column is shown as another
    assert "raises" in score.summary()
    assert score.section().notes[0].startswith("Left out:")
    with pytest.raises(FiscError, match="no TaxSchedule for the filing status 'single'"):
        score_reform(units, laws, {"married_joint": BEFORE})


@pytest.mark.parametrize(
    ("change", "options", "told"),
    [
        ({"weight": -1.0}, {}, "weights must not be negative"),
        ({"weight": np.nan}, {}, "NaN"),
        ({"weight": 0.0}, {}, "nobody can be counted"),
        ({"income": -5.0}, {}, "incomes below 0"),
        ({"income": np.nan}, {}, "NaN"),
        ({"income": 1e4}, {"income": "wage"}, "no column 'wage'"),
        ({"rate": 1.0}, {"marginal_rate": "rate"}, "marginal rates of 1 and above"),
        ({}, {"elasticity": 0.0}, "elasticity"),
        ({}, {"elasticity": 11.0}, "elasticity"),
        ({}, {"elasticity": {"kind": {"poor": 0.2}}}, "no elasticity for kind = rich"),
        ({}, {"elasticity": {10: 0.2}}, "let it start at 0"),
        ({}, {"elasticity": {}}, "names no group"),
        ({}, {"revenue": "none"}, "rebate"),
        ({}, {"by": ["state"]}, "no column of the units"),
        ({}, {"requirement": 1.0}, "goes with revenue='requirement'"),
        ({}, {"revenue": "requirement", "requirement": 1e15}, "less than the requirement"),
    ],
)
def test_what_cannot_be_scored_is_told(change: dict[str, Any], options: dict[str, Any], told: str) -> None:
    units = people(50).assign(**change)
    with pytest.raises(FiscError, match=told):
        score_reform(units, BEFORE, AFTER, **options)


def test_a_reform_that_cannot_be_neutral_is_told() -> None:
    # A flat tax at the peak of its revenue, 1/(1 + e); a rate that rises with income raises less.
    peak, rising = TaxSchedule.flat(0.25), TaxSchedule([0.0, 40_000.0], [0.0, 0.3])
    with pytest.raises(FiscError, match="higher rates lose more income"):
        score_reform(people(), peak, rising, elasticity=3.0, revenue="neutral")


def test_laws_of_two_kinds_or_of_other_records_are_told() -> None:
    units = people(5).assign(taxable_income=1.0)
    law = ActualLaw("law", 2024, {}, pd.DataFrame({"marginal_rate": [0.1]}))
    with pytest.raises(FiscError, match="both be schedules or both ActualLaw"):
        score_reform(units, law, AFTER)
    with pytest.raises(FiscError, match="not of the same records and year"):
        score_reform(units, law, law)


def law_of(schedule: TaxSchedule, income: np.ndarray) -> ActualLaw:  # type: ignore[type-arg]
    """Return a schedule as if it were the law of records that Tax-Calculator knows."""
    units = {"income": income, "weight": np.linspace(1.0, 3.0, income.size), "payroll_tax": 0.1 * income}
    columns = {"income_tax": schedule.tax(income), "marginal_rate": schedule.marginal_rate(income) + 0.1}
    return ActualLaw("law", 2024, {}, pd.DataFrame({**units, **columns}))


@pytest.mark.parametrize("criterion", ["log", "utilitarian"])
def test_welfare_under_a_law_that_is_a_schedule_is_that_of_the_schedule(criterion: CriterionName) -> None:
    income = np.exp(np.random.default_rng(0).normal(10.6, 0.8, 300))
    before, after = TaxSchedule.flat(0.05), TaxSchedule.flat(0.2)
    if criterion == "utilitarian":  # whose best schedule takes nothing
        before, after = after, before
    found = distance_of_law(
        law_of(before, income), law_of(after, income), criterion, elasticity=0.4, restarts=1
    )
    survey = law_of(before, income).units
    workers = Workers.from_frame(
        survey, income="income", weight="weight", marginal_rate="marginal_rate", elasticity=0.4
    )
    for name, schedule in (("present law", before), ("reform", after)):
        whole = TaxSchedule.flat(schedule.rates[0] + 0.1)
        assert found.welfare[name] == pytest.approx(welfare(respond(workers, whole), workers, criterion))
    assert found.welfare["optimum"] > max(found.welfare["present law"], found.welfare["reform"])
    assert 0.0 < found.closed < 1.0
    assert "closes" in found.section().finding
    with pytest.raises(FiscError, match="same year and records"):
        distance_of_law(law_of(before, income), law_of(before, income[1:]))


@pytest.mark.slow
def test_on_real_records_the_score_is_tax_calculators() -> None:
    pytest.importorskip("taxcalc")
    rates = [0.0, 0.15, 0.25, 0.28, 0.35, 0.40, 0.45]
    units = load_tax_units(2024)
    before, after = ActualLaw.us(2024), ActualLaw.us(2024, rates=rates)
    score = score_reform(units, before, after, elasticity=0.4)
    weight, old, new = units["weight"], before.units, after.units
    assert score.static_change == pytest.approx(
        (weight * (new["income_tax"] - old["income_tax"])).sum() / 1e9, rel=1e-12
    )
    assert score.static_change == pytest.approx(119.1, abs=0.1)  # of version 6.8 of Tax-Calculator
    log_change = np.log((1 - new["marginal_rate"]) / (1 - old["marginal_rate"]))
    answered = units["taxable_income"] * 0.4 * log_change * new["marginal_rate_income_tax"]
    first_order = (weight * answered).sum() / 1e9
    assert score.behavioural_change - score.static_change == pytest.approx(first_order, rel=0.05)
    assert score.behavioural_change == pytest.approx(score.static_change + first_order, rel=0.2)
    bad = {"rates": [0.1, 0.2]}
    with pytest.raises(FiscError, match="seven fractions"):
        ActualLaw.us(2024, **bad)  # type: ignore[arg-type]
    assert score.effects["after"][STATIC] > score.effects["after"][BEHAVIOURAL]
