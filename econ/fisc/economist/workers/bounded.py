"""Workers of bounded rationality: habit, trembling hands, and protest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fisc.core import check_number
from fisc.core.arrays import BoolArray, FloatArray
from fisc.economist.population import Workers
from fisc.economist.response import Outcome, respond
from fisc.economist.schedule import TaxSchedule
from fisc.economist.workers.base import Behaviour, Memory

__all__ = ["Bounded", "satisfied"]

#: Net tax share above which a worker without a persona is dissatisfied.
COMMON_TOLERANCE = 0.30


@dataclass(frozen=True)
class Bounded(Behaviour):
    """Best response with noise and inertia, less of it from the dissatisfied.

    Each step a worker keeps last step's hours with probability `inertia`; who chooses again takes
    the exact best response times a log-normal error. Who was dissatisfied in the step before (net
    tax above the persona's tolerance) always chooses again and withdraws a share `protest` of the
    hours. The planner's welfare uses plain utility, as in the source paper.

    `noise`, the standard deviation of the logarithm of hours, is at least 0; `inertia` and `protest`
    lie in [0, 1).

    >>> workers = Workers([1000.0, 2000.0], cost=0.02)
    >>> law, rng = TaxSchedule.flat(0.2), np.random.default_rng(0)
    >>> exact = Bounded(noise=0.0, inertia=0.0, protest=0.0).choose(workers, law, Memory(1), rng)
    >>> bool(np.allclose(exact, respond(workers, law).hours))
    True
    """

    name: ClassVar[str] = "bounded"
    noise: float = 0.10
    inertia: float = 0.3
    protest: float = 0.10

    def __post_init__(self) -> None:
        check_number("noise", self.noise, least=0)
        check_number("inertia", self.inertia, least=0, below=1)
        check_number("protest", self.protest, least=0, below=1)

    def choose(
        self, workers: Workers, schedule: TaxSchedule, memory: Memory, rng: np.random.Generator
    ) -> FloatArray:
        """Return hours; the same number of random draws is taken whatever happens."""
        tremble = np.exp(self.noise * rng.standard_normal(workers.n))
        keeps = rng.uniform(size=workers.n) < self.inertia
        hours = respond(workers, schedule).hours * tremble
        if memory.last is not None:
            content = satisfied(workers, memory.last)
            hours = np.where(content, hours, hours * (1.0 - self.protest))
            hours = np.where(keeps & content, memory.last.hours, hours)
        hours = np.clip(hours, 0.0, workers.max_hours)
        if workers.hours_grid is not None:
            grid = workers.hours_grid
            right = np.clip(np.searchsorted(grid, hours), 1, grid.size - 1)
            lower, upper = grid[right - 1], grid[right]
            hours = np.where(hours - lower <= upper - hours, lower, upper)
        return hours


def satisfied(workers: Workers, outcome: Outcome) -> BoolArray:
    """Return who finds the net tax bearable, shape (n,): at most the tolerance of the persona.

    >>> workers = Workers([1000.0, 4000.0], cost=0.02)
    >>> satisfied(workers, respond(workers, TaxSchedule.flat(0.9))).tolist()
    [True, False]
    """
    if workers.personas is None:
        tolerance = np.full(workers.n, COMMON_TOLERANCE)
    else:
        tolerance = np.array([persona.tax_tolerance for persona in workers.personas])
    net_tax = outcome.tax - outcome.rebate
    bearable: BoolArray = net_tax <= tolerance * outcome.income
    return bearable
