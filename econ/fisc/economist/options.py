"""Every option of the tax planner that is one of a few words, each list written once."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "DEFAULT_POPULATION",
    "AnyCriterion",
    "BehaviourName",
    "Calibration",
    "ComparedPlanner",
    "CriterionName",
    "Engine",
    "FixedCriterion",
    "Initial",
    "Motive",
    "ObservedCalibration",
    "PlannerName",
    "Population",
    "Revenue",
    "Status",
    "Ties",
    "VotingRule",
]

Population = Literal["gb2", "acs"]
#: How skill and taste for leisure make an observed income.
ObservedCalibration = Literal["common", "individual"]
Calibration = Literal[ObservedCalibration, "paper"]
Engine = Literal["compiled", "numpy"]
#: Criteria that cannot be raised by making people poor: they do not look at current income.
FixedCriterion = Literal["inverse_income", "log", "utilitarian", "rawls", "crra"]
CriterionName = Literal[FixedCriterion, "paper_live", "paper_live1000"]
#: ``"weighted"`` needs weights of one's own.
AnyCriterion = Literal[CriterionName, "weighted"]
#: Planners that need no language model and no election.
ComparedPlanner = Literal["bayesian", "gp", "cmaes", "hill", "random"]
PlannerName = Literal[ComparedPlanner, "fixed", "language", "elected"]
BehaviourName = Literal["exact", "bounded", "language"]
Initial = Literal["flat", "us"]
VotingRule = Literal["plurality", "borda"]
Ties = Literal["random", "first"]
Motive = Literal["selfish", "benevolent"]
Revenue = Literal["rebate", "requirement", "neutral"]
Status = Literal["done", "stopped"]

DEFAULT_POPULATION: Population = "gb2"
