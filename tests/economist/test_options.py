"""Options: each list stands once, old names keep working, one default everywhere."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from fisc.cli.pipelines import tax_reform
from fisc.economist import (
    CRITERIA,
    SimulationConfig,
    Workers,
    compare,
    optimal_schedule,
    options,
    random_monotone_schedules,
)
from fisc.economist.players import _PLANNERS


def test_every_name_has_something_behind_it() -> None:
    assert tuple(CRITERIA) == get_args(options.CriterionName)
    assert {*_PLANNERS, "language", "elected"} == set(get_args(options.PlannerName))


def test_the_population_is_the_same_by_default_in_python_in_toml_and_in_a_report() -> None:
    default = inspect.signature(Workers.sample).parameters["population"].default
    template = tomllib.loads(tax_reform.TEMPLATE)["options"]
    assert default == SimulationConfig().population == template["population"]
    assert tax_reform.Options(**template).population == default
    assert tax_reform.Options.model_fields["population"].default == default


def test_seed_is_an_old_name_of_random_state(tmp_path: Path) -> None:
    assert np.array_equal(Workers.sample(9, seed=3).skill, Workers.sample(9, random_state=3).skill)
    assert np.array_equal(Workers.sample(9, "gb2", 3).skill, Workers.sample(9, random_state=3).skill)
    people = Workers.sample(20)
    old = optimal_schedule(people, [0.0], "log", seed=1, restarts=1)
    assert old == optimal_schedule(people, [0.0], "log", random_state=1, restarts=1)
    assert random_monotone_schedules([0.0], 2, seed=1) == random_monotone_schedules([0.0], 2, random_state=1)
    one = compare(people, planners=("random",), years=2, restarts=1, seed=2)
    assert one.provenance.seed == 2
    (tmp_path / "old.toml").write_text("seed = 7\n")
    assert SimulationConfig.from_toml(tmp_path / "old.toml") == SimulationConfig(random_state=7)
    assert SimulationConfig(**SimulationConfig(seed=7).to_dict()).random_state == 7
    with pytest.raises(TypeError, match="twice"):
        Workers.sample(9, seed=1, random_state=1)  # type: ignore[call-arg]
