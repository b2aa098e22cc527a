"""Tax planner and workers: exact followers, the true optimum, honest baselines, planners of every kind.

A planner sets the marginal rate of each bracket; workers answer with hours; all revenue
returns as an equal rebate; a fixed welfare criterion judges the result. After LLM Economist
(arXiv 2507.15815), with exogenous welfare weights, calibrated labour costs and exact best
responses, so that a planner's distance from the optimum is known.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fisc.economist.criteria import CRITERIA, Criterion, gap_closed, welfare
from fisc.economist.population import Workers
from fisc.economist.response import Outcome, outcome_of_hours, respond
from fisc.economist.schedule import TaxSchedule

# Public names whose modules need pandas, scipy or pydantic: imported when first asked for (PEP 562).
_LAZY = {
    "Certificate": "optimum",
    "Election": "elections",
    "ElectionConfig": "config",
    "Estimate": "simulation",
    "ModelConfig": "config",
    "Persona": "personas",
    "Simulation": "simulation",
    "SimulationConfig": "config",
    "SimulationResult": "results",
    "Comparison": "comparison",
    "baseline_schedules": "baselines",
    "compare": "comparison",
    "hold_election": "elections",
    "paper_saez_schedule": "saez",
    "random_monotone_schedules": "baselines",
    "saez_schedule": "saez",
    "Optimum": "optimum",
    "optimal_schedule": "optimum",
}

if TYPE_CHECKING:
    from fisc.economist import planners, workers
    from fisc.economist.baselines import baseline_schedules, random_monotone_schedules
    from fisc.economist.comparison import Comparison, compare
    from fisc.economist.config import ElectionConfig, ModelConfig, SimulationConfig
    from fisc.economist.elections import Election, hold_election
    from fisc.economist.optimum import Certificate, Optimum, optimal_schedule
    from fisc.economist.personas import Persona
    from fisc.economist.results import SimulationResult
    from fisc.economist.saez import paper_saez_schedule, saez_schedule
    from fisc.economist.simulation import Estimate, Simulation

__all__ = [
    "CRITERIA",
    "Certificate",
    "Comparison",
    "Criterion",
    "Election",
    "ElectionConfig",
    "Estimate",
    "ModelConfig",
    "Optimum",
    "Outcome",
    "Persona",
    "Simulation",
    "SimulationConfig",
    "SimulationResult",
    "TaxSchedule",
    "Workers",
    "baseline_schedules",
    "compare",
    "gap_closed",
    "hold_election",
    "optimal_schedule",
    "outcome_of_hours",
    "paper_saez_schedule",
    "planners",
    "random_monotone_schedules",
    "respond",
    "saez_schedule",
    "welfare",
    "workers",
]


def __getattr__(name: str) -> Any:
    if name in ("planners", "workers"):
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
