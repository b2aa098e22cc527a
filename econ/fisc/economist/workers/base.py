"""What every kind of worker shares, and workers who are exactly right."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fisc.core.arrays import FloatArray
from fisc.economist.population import Workers
from fisc.economist.response import Outcome, respond
from fisc.economist.schedule import TaxSchedule

__all__ = ["Behaviour", "Exact", "Memory"]


class Memory:
    """What workers remember: the last steps, oldest first, and the hours that served them best.

    `best_hours` and `best_utility`, shape (n,), go back to when the schedule last changed. `length` is
    the number of steps kept, at least 1.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.steps: list[tuple[TaxSchedule, Outcome]] = []
        self.best_hours: FloatArray | None = None
        self.best_utility: FloatArray | None = None

    def add(self, schedule: TaxSchedule, outcome: Outcome) -> None:
        """Remember one step."""
        if not self.steps or self.steps[-1][0] != schedule:
            self.best_hours = self.best_utility = None
        if self.best_hours is None or self.best_utility is None:
            self.best_hours, self.best_utility = outcome.hours.copy(), outcome.utility.copy()
        else:
            better = outcome.utility > self.best_utility
            self.best_hours[better] = outcome.hours[better]
            self.best_utility[better] = outcome.utility[better]
        self.steps = [*self.steps, (schedule, outcome)][-self.length :]

    @property
    def last(self) -> Outcome | None:
        """Outcome of the step before, if there was one."""
        return self.steps[-1][1] if self.steps else None


class Behaviour(ABC):
    """How a population chooses its hours."""

    name: ClassVar[str]

    @abstractmethod
    def choose(
        self, workers: Workers, schedule: TaxSchedule, memory: Memory, rng: np.random.Generator
    ) -> FloatArray:
        """Return weekly hours, shape (n,), within what the workers can do; `rng` serves this step alone."""


@dataclass(frozen=True)
class Exact(Behaviour):
    """Everybody finds the best hours at once; see `fisc.economist.respond`."""

    name: ClassVar[str] = "exact"

    def choose(
        self, workers: Workers, schedule: TaxSchedule, memory: Memory, rng: np.random.Generator
    ) -> FloatArray:
        """Return the exact best responses."""
        return np.minimum(respond(workers, schedule).hours, workers.max_hours)
