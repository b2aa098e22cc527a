"""A reform against first principles: what changes, who gains, how far from the optimum."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from fisc.data import DataError, OptionError
from fisc.economist import (
    Ceiling,
    Criterion,
    Reform,
    TaxSchedule,
    Workers,
    compare_schedules,
    distance_to_optimum,
    optimal_schedule,
    respond,
    welfare,
)
from fisc.economist.reform import REVENUE

BEFORE, AFTER = TaxSchedule.flat(0.1), TaxSchedule([0.0, 50_000.0], [0.2, 0.5])


def draws(n: int = 300, count: int = 4) -> list[Workers]:
    return [Workers.sample(n, population="acs", random_state=seed) for seed in range(count)]


def test_effects_are_means_over_draws_with_their_t_interval() -> None:
    people = draws()
    reform = compare_schedules(people, BEFORE, AFTER, criteria=["log"], level=0.9)
    before = np.array([respond(w, BEFORE).tax.mean() for w in people])
    after = np.array([respond(w, AFTER).tax.mean() for w in people])
    row = reform.effects.loc[REVENUE]
    assert row["before"] == pytest.approx(before.mean())
    assert row["change"] == pytest.approx((after - before).mean())
    low, high = stats.t.interval(0.9, 3, loc=(after - before).mean(), scale=stats.sem(after - before))
    assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))
    change = np.mean(
        [welfare(respond(w, AFTER), w, "log") - welfare(respond(w, BEFORE), w, "log") for w in people]
    )
    assert reform.effects["change"]["welfare: log"] == pytest.approx(change)


def test_gains_are_by_tenth_of_skill_and_sum_to_the_whole() -> None:
    people = draws()
    reform = compare_schedules(people, BEFORE, AFTER)
    gains = [respond(w, AFTER).utility - respond(w, BEFORE).utility for w in people]
    poorest = [gain[np.argsort(w.skill)[:30]].mean() for gain, w in zip(gains, people, strict=True)]
    assert reform.deciles["gain"][1] == pytest.approx(np.mean(poorest))
    assert reform.deciles["gain"].mean() == pytest.approx(np.mean(gains))
    assert reform.gainers == pytest.approx(np.mean([(gain > 0).mean() for gain in gains]))
    assert reform.deciles["gainers"].mean() == pytest.approx(reform.gainers)
    assert (reform.deciles["low"] < reform.deciles["gain"]).all()


def test_nothing_changes_under_the_same_schedule() -> None:
    reform = compare_schedules(draws(count=2), BEFORE, BEFORE)
    assert not reform.effects["change"].any()
    assert reform.gainers == 0.0
    assert reform.better_by == []
    assert "higher welfare by no criterion" in reform.summary()


def test_one_population_has_no_intervals_and_says_none() -> None:
    (people,) = draws(count=1)
    reform = compare_schedules(people, BEFORE, AFTER)
    assert reform.effects["low"].isna().all()
    assert "interval" not in reform.summary()
    assert not any("interval" in str(column) for table in reform.section().tables for column in table.frame)
    assert reform.better_by == [
        name.removeprefix("welfare: ").replace("_", " ")
        for name, change in reform.effects["change"].items()
        if str(name).startswith("welfare") and change > 0
    ]


def test_a_reform_goes_to_json_and_onto_a_page_and_back() -> None:
    reform = compare_schedules(draws(), BEFORE, AFTER)
    again = Reform.from_dict(json.loads(reform.to_json()))
    assert again == reform
    assert again.summary() == reform.summary()
    section = reform.section()
    assert len(section.figures) == 2
    assert len(section.tables) == 2
    assert "<svg" in section._repr_html_()
    assert [part.title for part in reform.sections()] == [
        "What the reform changes",
        "Who gains",
        "The schedules",
    ]


def test_the_distance_to_the_optimum_is_that_of_the_welfares() -> None:
    people = Workers.sample(150, population="acs")
    found = distance_to_optimum(people, BEFORE, AFTER, "log", restarts=1)
    start, value = (welfare(respond(people, s), people, "log") for s in (BEFORE, AFTER))
    best = optimal_schedule(people, AFTER.edges, "log", restarts=2 - 1)
    assert found.closed == pytest.approx((value - start) / (best.welfare - start))
    assert Ceiling.from_dict(json.loads(found.to_json())) == found
    assert f"{found.closed:.0%}" in found.section().finding
    away = distance_to_optimum(people, AFTER, BEFORE, "log", restarts=1)
    assert away.closed < 0
    assert "moves away" in away.summary()


def test_bad_reforms_are_refused() -> None:
    people = Workers.sample(20)
    with pytest.raises(DataError, match="there are no workers"):
        compare_schedules([], BEFORE, AFTER)
    with pytest.raises(DataError, match=r"level=95; give .* below 1"):
        compare_schedules(people, BEFORE, AFTER, level=95)
    with pytest.raises(DataError, match="schedule is of type dict"):
        compare_schedules(people, BEFORE, AFTER.to_dict())  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="did you mean 'log'"):
        compare_schedules(people, BEFORE, AFTER, criteria=["logg"])  # type: ignore[list-item]
    with pytest.raises(DataError, match="no gap to close"):
        distance_to_optimum(people, TaxSchedule.flat(0.0), BEFORE, "utilitarian", restarts=1)


def test_own_criteria_have_their_place_in_the_effects() -> None:
    people = Workers.sample(50)
    reform = compare_schedules(people, BEFORE, AFTER, criteria=[Criterion("crra", gamma=3.0)])
    assert "welfare: crra" in reform.effects.index
