"""What every planner shares: a task, past years, and a proposal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fisc.core.arrays import FloatArray
from fisc.economist.criteria import Criterion
from fisc.economist.observation import Observation

__all__ = ["Planner", "Task", "best_of"]


@dataclass(frozen=True, eq=False)
class Task:
    """What a planner is asked to do.

    Maximise a criterion by a rate for each bracket (edges of shape (K,)) over a term of years, in the
    last `settled` of which the best schedule seen is kept. `random_state` is that of the run, for
    planners that draw one stream of random numbers over all years; cap and choices of weekly hours are
    public knowledge.
    """

    edges: FloatArray
    criterion: Criterion
    years: int
    settled: int = 0
    random_state: int = 0
    max_hours: float = 100.0
    hours_grid: FloatArray | None = None

    @property
    def brackets(self) -> int:
        """Number of brackets K."""
        return int(self.edges.size)


class Planner(ABC):
    """Sets next year's rates from what past years published.

    A planner keeps no memory of its own: its proposal is a function of the task, the past and the
    random numbers of the year, so a run that was killed resumes to the same result.
    """

    name: ClassVar[str]

    def decide(self, past: Sequence[Observation], task: Task, rng: np.random.Generator) -> FloatArray:
        """Return the rates of the next year: a proposal, or in the last years the best seen."""
        if len(past) >= task.years - task.settled:
            return best_of(past).rates.copy()
        return self.propose(past, task, rng)

    @abstractmethod
    def propose(self, past: Sequence[Observation], task: Task, rng: np.random.Generator) -> FloatArray:
        """Return the rates of the next year, shape (K,), each in [0, 1].

        `past` holds every year so far, oldest first, at least one; `rng` serves this year alone.
        """


def best_of(past: Sequence[Observation]) -> Observation:
    """Return the year of highest welfare, the earliest of equals."""
    return max(past, key=lambda seen: seen.welfare)
