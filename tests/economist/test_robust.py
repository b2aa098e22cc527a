"""The safe schedule of whole populations: nothing is safer that was tried, and bad worlds are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fisc.core import DataError
from fisc.economist import Criterion, RobustSchedule, TaxSchedule, Workers, respond, robust_schedule, welfare

EDGES = [0.0, 15_000.0, 60_000.0]
LAW = TaxSchedule.us_federal(2024)
ELASTICITIES = (0.4, 0.15, 0.8)


@pytest.fixture(scope="module")
def worlds() -> list[Workers]:
    return [Workers.sample(400, "acs", delta=1.0 + 1.0 / e) for e in ELASTICITIES]


@pytest.fixture(scope="module")
def safe(worlds: list[Workers]) -> RobustSchedule:
    return robust_schedule(worlds[0], EDGES, "log", models=worlds, restarts=2)


def regret(workers: Workers, schedule: TaxSchedule, best: TaxSchedule) -> float:
    """Return the regret from the welfare of outcomes, not from the objective that was searched."""
    value, top, law = (welfare(respond(workers, held), workers, "log") for held in (schedule, best, LAW))
    return (top - value) / (top - law)


def test_the_table_holds_the_regrets_of_outcomes(safe: RobustSchedule, worlds: list[Workers]) -> None:
    names = list(safe.optima)
    assert names == ["elasticity 0.4", "elasticity 0.15", "elasticity 0.8"]
    for row in ("safe", *names):
        schedule = safe.schedule if row == "safe" else safe.optima[row].schedule
        for name, workers in zip(names, worlds, strict=True):
            expected = regret(workers, schedule, safe.optima[name].schedule)
            assert safe.regrets.loc[row, name] == pytest.approx(expected, abs=1e-9)
    assert safe.regrets["worst"].tolist() == safe.regrets[names].max(axis=1).tolist()
    assert np.diag(safe.regrets.loc[names, names]).tolist() == [0.0, 0.0, 0.0]


def test_nothing_tried_is_safer(safe: RobustSchedule, worlds: list[Workers]) -> None:
    assert safe.worst < safe.regrets["worst"].iloc[1:].min() - 0.05
    bests = [safe.optima[name].schedule for name in safe.optima]
    rng = np.random.default_rng(0)
    near = np.clip(safe.schedule.rates + rng.normal(0.0, 0.03, (150, 3)), 0.0, 1.0)
    for rates in (*near, *rng.uniform(size=(150, 3))):
        tried = safe.schedule.with_rates(rates)
        found = max(regret(workers, tried, best) for workers, best in zip(worlds, bests, strict=True))
        assert found >= safe.worst - 2e-3
    assert set(safe.active) <= set(safe.optima)


def test_names_laws_and_weights_are_those_given(worlds: list[Workers]) -> None:
    law = TaxSchedule.flat(0.1)
    weights = np.arange(400) % 3
    heavy = [workers.with_weights(weights) for workers in worlds[:2]]
    each = [workers.subset(np.repeat(np.arange(400), weights)) for workers in worlds[:2]]
    options = {"law": law, "restarts": 1}
    found = robust_schedule(
        heavy[0], [0.0, 40_000.0], "log", models={"a": heavy[0], "b": heavy[1]}, **options
    )
    assert list(found.optima) == ["a", "b"]
    assert found.law == law
    people = robust_schedule(each[0], [0.0, 40_000.0], "log", models=each, **options)
    np.testing.assert_allclose(found.regrets, people.regrets, atol=2e-3)
    unnamed = robust_schedule(heavy[0], [0.0], "log", models=[heavy[1]], **options)
    assert list(unnamed.optima) == ["most likely", "elasticity 0.15"]
    twice = robust_schedule(
        each[0], [0.0], "log", models=[each[0], each[0].subset(np.arange(300))], **options
    )
    assert list(twice.optima) == ["elasticity 0.4", "elasticity 0.4, world 2"]


def test_the_result_tells_and_survives_json(safe: RobustSchedule) -> None:
    assert f"worst regret over 3 worlds (log): {safe.worst:.3f}" in safe.summary()
    assert RobustSchedule.from_dict(json.loads(safe.to_json())) == safe
    section = safe.section()
    assert len(section.tables) == 2
    assert len(safe.plot().get_lines()) >= 3


def test_bad_worlds_are_refused_in_words(worlds: list[Workers]) -> None:
    likely = worlds[0]
    with pytest.raises(DataError, match="no other world to be safe in"):
        robust_schedule(likely, EDGES, "log", models=[])
    with pytest.raises(DataError, match="no other world to be safe in"):
        robust_schedule(likely, EDGES, "log", models=[likely])
    with pytest.raises(DataError, match="models is of type int, not Workers"):
        robust_schedule(likely, EDGES, "log", models=[3])  # type: ignore[list-item]
    with pytest.raises(DataError, match="models is of type Workers; give a list"):
        robust_schedule(likely, EDGES, "log", models=likely)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="a world named 'safe'"):
        robust_schedule(likely, EDGES, "log", models={"safe": worlds[1]})
    with pytest.raises(DataError, match="law is of type float"):
        robust_schedule(likely, EDGES, "log", models=worlds, law=0.3)  # type: ignore[arg-type]
    own, few = Criterion("weighted", np.ones(400)), likely.subset(range(10))
    with pytest.raises(DataError, match="400 weights for 10 workers"):
        robust_schedule(likely, EDGES, own, models=[few])
    untaxed = {"law": TaxSchedule.flat(0.0, EDGES), "restarts": 1}
    with pytest.raises(DataError, match="no gain to regret"):
        robust_schedule(likely, EDGES, "utilitarian", models=worlds, **untaxed)
