"""The reference cases of the tax planner."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fisc.economist import TaxSchedule, Workers
from fisc.economist.calibration import calibrated_cost

VECTORS = Path(__file__).parent / "vectors"
CALIBRATIONS = {"calib": "common", "invert": "individual", "paper": "paper"}


@dataclass(frozen=True)
class Case:
    """One Stackelberg problem with the welfare of many policies."""

    data: dict[str, Any]
    workers: Workers

    @property
    def name(self) -> str:
        return str(self.data["case"])

    @property
    def usable(self) -> bool:
        return "live" not in self.data["swf"] and not self.data["target"]["knife_edge"]

    def gap(self, value: float) -> float:
        target = self.data["target"]
        return float((value - target["W_us"]) / (target["W_ref"] - target["W_us"]))


@pytest.fixture(scope="session")
def vectors() -> Path:
    return VECTORS


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    stored = json.loads((VECTORS / "stackelberg_cases.json").read_text())
    found = {}
    for data in stored["cases"]:
        skill = np.loadtxt(VECTORS / stored["populations"][data["population"]]["file"], skiprows=1)
        law = TaxSchedule(data["edges"], data["rates"]["us"])
        cost = calibrated_cost(skill, law, CALIBRATIONS[data["calibration"]], delta=data["delta"])
        grid = None if data["labor"] == "continuous" else np.arange(0.0, 101.0, 10.0)
        found[data["case"]] = Case(data, Workers(skill, cost, data["delta"], data["Lmax"], grid))
    return found


@pytest.fixture
def people() -> Callable[..., Workers]:
    """Small populations, quickly made."""

    def make(n: int = 60, **options: Any) -> Workers:
        return Workers.sample(n, **{"population": "acs", "seed": 5, **options})

    return make
