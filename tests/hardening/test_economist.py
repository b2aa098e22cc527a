"""The tax planner under hostile schedules, populations and configurations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fisc.economist import (
    Criterion,
    SimulationConfig,
    TaxSchedule,
    Workers,
    gap_closed,
    optimal_schedule,
    outcome_of_hours,
    paper_saez_schedule,
    random_monotone_schedules,
    respond,
    saez_schedule,
    welfare,
)

MANY = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.data_too_large]
)
FEW = Workers([200.0, 500.0, 1000.0, 3000.0], cost=0.02)
LAW = TaxSchedule([0.0, 20_000.0, 60_000.0], [0.1, 0.3, 0.5])
EDGES = (
    [0.0, np.inf],
    [0.0, np.nan],
    [0, 1, 1],
    [5.0],
    [[0.0]],
    [0, 1e-320, 1e300],
    [-1, 0],
    ["0", "1"],
    [0.0, 1e4],
)
LISTS = (
    [200.0, np.nan],
    [1e300, 1e-300],
    [1e-320],
    [True],
    ["2"],
    [None],
    [[1.0]],
    [1e150, 1e-150],
    [0.0],
    [1.0, 2.0],
)
small = st.sampled_from([np.nan, np.inf, -1.0, 0.0, 1e-320, 0.3, 1.0, 1e300, "x", None, True, 1e4, 3])


@given(
    edges=st.lists(small, max_size=4), rates=st.lists(small, max_size=4), income=st.lists(small, max_size=3)
)
@MANY
def test_schedules_and_their_tax(edges, rates, income, hostile) -> None:
    def run():
        schedule = TaxSchedule([0.0, *edges], (rates * 5)[: len(edges) + 1])
        return [
            schedule.tax(income),
            schedule.effective_rate(income),
            schedule.marginal_rate(income),
            schedule.to_dict(),
            schedule.tax_at_edges,
        ]

    got = hostile.attempt(run)
    if not got.refusal:
        assert not hostile.unfinished(got.value)


@given(data=st.data())
@MANY
def test_tax_of_hostile_incomes(data: st.DataObject, hostile) -> None:
    values = data.draw(st.sampled_from([*hostile.numbers, *hostile.others, *LISTS]), label="income")
    got = hostile.attempt(lambda: [LAW.tax(values), LAW.marginal_rate(values), LAW.effective_rate(values)])
    if not got.refusal:
        assert not hostile.unfinished(got.value)
    got = hostile.attempt(lambda: TaxSchedule.flat(values).tax(1.0))
    if not got.refusal:
        assert not hostile.unfinished(got.value)
    got = hostile.attempt(lambda: TaxSchedule.from_dict(values))
    got = hostile.attempt(lambda: TaxSchedule.us_federal(values))


@given(data=st.data())
@MANY
def test_populations_and_what_they_answer(data: st.DataObject, hostile) -> None:
    good = {
        "skill": [200.0, 900.0],
        "cost": 0.02,
        "delta": 3.5,
        "max_hours": 100.0,
        "hours_grid": None,
        "personas": None,
    }
    chosen = hostile.options(
        data,
        good,
        skill=LISTS,
        cost=LISTS,
        hours_grid=(*LISTS, [0.0, 20.0, 40.0]),
        delta=(1.0000001, 50.0, 1e6),
    )

    def run():
        workers = Workers(**chosen)
        outcome = respond(workers, LAW)
        values = [
            welfare(outcome, workers, name)
            for name in ("inverse_income", "log", "rawls", "crra", "utilitarian")
        ]
        return [
            workers.skill,
            workers.cost,
            outcome.hours,
            outcome.income,
            outcome.utility,
            outcome.tax,
            values,
        ]

    got = hostile.attempt(run)
    if not got.refusal:
        assert not hostile.unfinished(got.value)


@given(data=st.data())
@MANY
def test_samples(data: st.DataObject, hostile) -> None:
    good = {
        "n": 5,
        "population": "gb2",
        "seed": 0,
        "calibration": "common",
        "personas": False,
        "delta": 3.5,
        "max_hours": 100.0,
    }
    chosen = hostile.options(
        data, good, hours_grid=(*LISTS, [0.0, 40.0]), calibration=("individual", "paper")
    )
    if isinstance(chosen["n"], int) and chosen["n"] > 10_000:
        chosen["n"] = 10
    got = hostile.attempt(lambda: Workers.sample(**chosen))
    if not got.refusal:
        assert not hostile.unfinished([got.value.skill, got.value.cost, got.value.delta, got.value.max_hours])


@given(data=st.data())
@MANY
def test_respond_and_welfare(data: st.DataObject, hostile) -> None:
    anything = st.sampled_from([*hostile.numbers, *hostile.others, "log", "weighted", Criterion("rawls")])
    good = {
        "workers": FEW,
        "schedule": LAW,
        "criterion": "inverse_income",
        "engine": "compiled",
        "hours": [40.0] * 4,
    }
    part = data.draw(st.sampled_from(sorted(good)), label="part")
    chosen = {**good, part: data.draw(anything, label="value")}

    def run():
        outcome = respond(chosen["workers"], chosen["schedule"], engine=chosen["engine"])
        other = outcome_of_hours(chosen["workers"], chosen["schedule"], chosen["hours"])
        return [
            outcome.utility,
            other.utility,
            other.income,
            welfare(outcome, chosen["workers"], chosen["criterion"]),
            welfare(other, chosen["workers"], chosen["criterion"]),
        ]

    got = hostile.attempt(run)
    if not got.refusal:
        assert not hostile.unfinished(got.value)


@given(data=st.data())
@MANY
def test_criteria(data: st.DataObject, hostile) -> None:
    good = {"name": "weighted", "weights": [1.0, 2.0, 3.0, 4.0], "gamma": 2.0}
    chosen = hostile.options(data, good, name=("crra", "log"), weights=LISTS, gamma=(0.5, 1.0, 40.0))
    got = hostile.attempt(lambda: welfare(respond(FEW, LAW), FEW, Criterion(**chosen)))
    if not got.refusal:
        assert not hostile.unfinished(got.value)


@given(data=st.data())
@MANY
def test_formulas(data: st.DataObject, hostile) -> None:
    good = {
        "workers": FEW,
        "edges": [0.0, 2e4],
        "criterion": "inverse_income",
        "elasticity": 0.4,
        "iterations": 3,
    }
    chosen = hostile.options(data, good, edges=EDGES, elasticity=("measured",), criterion=("rawls", "crra"))
    for name in ("iterations",):
        if isinstance(chosen[name], int) and chosen[name] > 100:
            chosen[name] = 2
    got = hostile.attempt(lambda: saez_schedule(**chosen))
    if not got.refusal:
        assert not hostile.unfinished(got.value.to_dict())
    paper = {key: chosen[key] for key in ("workers", "edges", "elasticity") if key != "elasticity"}
    elasticity = chosen["elasticity"]
    got = hostile.attempt(lambda: paper_saez_schedule(**paper, elasticity=elasticity))
    if not got.refusal:
        assert not hostile.unfinished(got.value.to_dict())


@given(data=st.data())
@MANY
def test_the_optimum(data: st.DataObject, hostile) -> None:
    good = {
        "workers": FEW.subset([0, 3]),
        "edges": [0.0],
        "criterion": "log",
        "seed": 0,
        "n_jobs": 1,
        "restarts": 1,
        "tolerance": 0.05,
    }
    chosen = hostile.options(data, good, edges=EDGES[:-1], criterion=("utilitarian", "nope"))
    for name, most in (("restarts", 2), ("n_jobs", 1)):
        if isinstance(chosen[name], int) and abs(chosen[name]) > most:
            chosen[name] = most
    got = hostile.attempt(lambda: optimal_schedule(**chosen))
    if not got.refusal:
        assert not hostile.unfinished([got.value.schedule.to_dict(), got.value.welfare])


@given(data=st.data())
@MANY
def test_random_schedules_and_gaps(data: st.DataObject, hostile) -> None:
    good = {"edges": [0.0, 1e4], "n": 2, "seed": 0, "highest": 0.6}
    chosen = hostile.options(data, good, edges=EDGES)
    if isinstance(chosen["n"], int) and chosen["n"] > 100:
        chosen["n"] = 3
    got = hostile.attempt(lambda: [s.to_dict() for s in random_monotone_schedules(**chosen)])
    if not got.refusal:
        assert not hostile.unfinished(got.value)
    gap = hostile.options(data, {"value": [1.0, 2.0], "start": 0.0, "best": 3.0}, value=LISTS)
    got = hostile.attempt(lambda: gap_closed(**gap))
    if not got.refusal:
        assert not hostile.unfinished(got.value)


@given(data=st.data())
@MANY
def test_configurations(data: st.DataObject, hostile) -> None:
    names = [*sorted(SimulationConfig.model_fields), "typo"]
    chosen = {
        name: data.draw(
            st.sampled_from([*hostile.numbers, *hostile.others, [0.0, 1e4], "hill", "acs"]), label=name
        )
        for name in data.draw(
            st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True), label="names"
        )
    }
    got = hostile.attempt(lambda: SimulationConfig(**chosen).to_dict())
    if not got.refusal:
        assert not hostile.unfinished(got.value)


@given(
    text=st.text(max_size=80)
    | st.sampled_from(["n = nan", "noise = inf", "n = -1", "[election]\nx=1", "n=1\nn=2"])
)
@MANY
def test_configurations_from_a_file(text: str, hostile, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "config.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    got = hostile.attempt(lambda: SimulationConfig.from_toml(file).to_dict())
    if not got.refusal:
        assert not hostile.unfinished(got.value)
