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
    "Optimum": "optimum",
    "optimal_schedule": "optimum",
}

if TYPE_CHECKING:
    from fisc.economist.optimum import Certificate, Optimum, optimal_schedule

__all__ = [
    "CRITERIA",
    "Certificate",
    "Criterion",
    "Optimum",
    "Outcome",
    "TaxSchedule",
    "Workers",
    "gap_closed",
    "optimal_schedule",
    "outcome_of_hours",
    "respond",
    "welfare",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
