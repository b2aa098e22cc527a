"""Planners: who sets the rates, from what past years published.

`StructuralPlanner` learns behaviour and optimises against it; `GaussianProcessPlanner`,
`EvolutionPlanner` and `HillClimbingPlanner` see only welfare; `LanguagePlanner` reads and writes;
`RandomPlanner` and `FixedPlanner` are the controls. The elected worker is in
`fisc.economist.elections`.
"""

from __future__ import annotations

from fisc.economist.planners.base import Planner, Task, best_of
from fisc.economist.planners.language import LanguagePlanner
from fisc.economist.planners.search_based import (
    EvolutionPlanner,
    FixedPlanner,
    GaussianProcessPlanner,
    HillClimbingPlanner,
    RandomPlanner,
)
from fisc.economist.planners.structural import BehaviouralModel, StructuralPlanner

__all__ = [
    "BehaviouralModel",
    "EvolutionPlanner",
    "FixedPlanner",
    "GaussianProcessPlanner",
    "HillClimbingPlanner",
    "LanguagePlanner",
    "Planner",
    "RandomPlanner",
    "StructuralPlanner",
    "Task",
    "best_of",
]
