"""What decides: rules that are asked row by row, and the rules made of other rules."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from fisc.core import FloatArray, TableLike
from fisc.portfolio.market import Market

__all__ = ["AverageRule", "ByFold", "Decision", "OneTarget", "Rule", "Strategy", "Targets"]

Decision: TypeAlias = npt.ArrayLike | Mapping[str, float] | None


@runtime_checkable
class Rule(Protocol):
    """Something that decides row by row: what baselines and trained agents are."""

    def decide(self, t: int, weights: FloatArray) -> FloatArray | None:
        """Return target weights (cash first) at row `t`, or None to leave the holdings alone.

        Only rows up to and including `t` may be looked at.
        """
        ...


@runtime_checkable
class Strategy(Protocol):
    """A named way to run money, not yet tied to a market."""

    @property
    def name(self) -> str:
        """How the strategy is called in tables."""
        ...

    def bind(self, market: Market, start: int) -> Rule:
        """Return the rule for one market, first asked at row `start`."""
        ...


Targets: TypeAlias = (
    TableLike
    | Mapping[object, npt.ArrayLike]
    | npt.ArrayLike
    | Rule
    | Strategy
    | Callable[[pd.DataFrame], Decision]
    | Callable[[pd.DataFrame, FloatArray], Decision]
)


@dataclasses.dataclass(frozen=True)
class ByFold:
    """Asks the rule of the fold that a row belongs to."""

    name: str
    starts: list[int]
    rules: list[Rule]

    def decide(self, t: int, weights: FloatArray) -> FloatArray | None:
        """Return the target of the fold's rule."""
        return self.rules[max(0, bisect.bisect_right(self.starts, t) - 1)].decide(t, weights)


@dataclasses.dataclass(frozen=True)
class OneTarget:
    """Trades to fixed weights on one row and holds otherwise: a fitted optimiser of skfolio."""

    row: int
    weights: FloatArray

    def decide(self, t: int, weights: FloatArray) -> FloatArray | None:
        """Return the fixed weights on their row."""
        return self.weights if t == self.row else None


@dataclasses.dataclass(frozen=True)
class AverageRule:
    """The average of several rules: those that would not trade keep the weights as they are."""

    rules: list[Rule]
    name: str

    def decide(self, t: int, weights: FloatArray) -> FloatArray | None:
        """Return the average target, or None if none of the rules trades."""
        targets = [rule.decide(t, weights) for rule in self.rules]
        if all(target is None for target in targets):
            return None
        average: FloatArray = np.mean([weights if x is None else x for x in targets], axis=0)
        return average
