"""Planners that use nothing but the welfare of past years: Gaussian process, CMA-ES, hill climbing."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fisc.core.arrays import FloatArray
from fisc.economist.observation import Observation
from fisc.economist.planners.base import Planner, Task, best_of
from fisc.economist.search import CMAES, differential_evolution, pattern_search

__all__ = [
    "EvolutionPlanner",
    "FixedPlanner",
    "GaussianProcessPlanner",
    "HillClimbingPlanner",
    "RandomPlanner",
]


@dataclass(frozen=True)
class GaussianProcessPlanner(Planner):
    """Bayesian optimisation of welfare by a Gaussian process, within a trust region.

    After a small design (flat rates, then one rate at a time), a Gaussian process with a length
    scale for each bracket is fitted to the welfare of all years, and the next schedule maximises mean
    plus `curiosity` standard deviations near the best one seen. The region shrinks after years
    without progress and grows after progress.
    """

    name: ClassVar[str] = "gp"
    curiosity: float = 1.0

    def propose(self, past: Sequence[Observation], task: Task, rng: np.random.Generator) -> FloatArray:
        """Return the schedule with the highest upper confidence bound near the best one seen."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        best = best_of(past)
        year = len(past)
        if year <= 2:
            return np.full(task.brackets, (0.7, 0.3)[year - 1])
        if year < 3 + task.brackets:
            trial = best.rates.copy()
            k = year - 3
            trial[k] = np.clip(trial[k] + 0.2 * rng.choice([-1.0, 1.0]), 0.02, 0.98)
            return trial
        laws = np.array([seen.rates for seen in past])
        values = np.array([seen.welfare for seen in past])
        spread = values.max() - np.median(values)
        scaled = (values - np.median(values)) / (spread if spread > 0.0 else 1.0)
        scaled = np.where(scaled < -1.0, -1.0 - np.log(np.maximum(-scaled, 1.0)), scaled)  # tame bad years
        kernel = ConstantKernel(1.0, (1e-2, 1e3)) * RBF(np.full(task.brackets, 0.5), (0.05, 10.0))
        process = GaussianProcessRegressor(kernel + WhiteKernel(1e-6, (1e-10, 1e-2)), normalize_y=True)
        with warnings.catch_warnings():
            # Few years pin down few length scales; one at its bound is expected, not a fault.
            warnings.simplefilter("ignore", ConvergenceWarning)
            process.fit(laws, scaled)
        scale = process.kernel_.k1.k2.length_scale
        scale = scale / np.exp(np.mean(np.log(scale)))
        radius = self._radius(values, task.brackets)
        low = np.clip(best.rates - radius * scale, 0.0, 1.0)
        high = np.clip(best.rates + radius * scale, 0.0, 1.0)

        def bound(points: FloatArray) -> FloatArray:
            mean, deviation = process.predict(low + points * (high - low), return_std=True)
            return np.asarray(mean + self.curiosity * deviation)

        start = rng.uniform(size=(40, task.brackets))
        start[0] = (best.rates - low) / np.maximum(high - low, 1e-12)
        points, found = differential_evolution(bound, start, rng, generations=25)
        point, _ = pattern_search(bound, points[int(found.argmax())], step=0.1, smallest=1e-3)
        return np.asarray(low + point * (high - low))

    @staticmethod
    def _radius(values: FloatArray, brackets: int) -> float:
        """Return the half-width of the trust region after the years so far."""
        radius, wins, losses = 0.4, 0, 0
        for year in range(3 + brackets, values.size):
            before = values[:year].max()
            if values[year] > before + 1e-3 * abs(before - np.median(values[:year])):
                wins, losses = wins + 1, 0
            else:
                wins, losses = 0, losses + 1
            if wins == 2:
                radius, wins = min(0.8, 1.6 * radius), 0
            elif losses == 2:
                radius, losses = max(0.01, radius / 1.6), 0
        return radius


@dataclass(frozen=True)
class EvolutionPlanner(Planner):
    """CMA-ES: a generation of schedules around a centre, one each year, then a better centre.

    A generation takes `population` years, at least 4; `sigma` is the first step size.
    """

    name: ClassVar[str] = "cmaes"
    population: int = 8
    sigma: float = 0.2

    def propose(self, past: Sequence[Observation], task: Task, rng: np.random.Generator) -> FloatArray:
        """Replay the generations so far, then return the next member of the current one."""
        stream = np.random.default_rng([task.random_state, self.population])  # one for all years: a replay
        search = CMAES(past[0].rates.copy(), self.sigma, stream, self.population)
        done = 1
        while True:
            points = search.ask()
            batch = past[done : done + self.population]
            if len(batch) < self.population:
                return np.asarray(points[len(batch)])
            values = np.array([seen.welfare for seen in batch])
            search.tell(np.array([seen.rates for seen in batch]), values)
            done += self.population


@dataclass(frozen=True)
class HillClimbingPlanner(Planner):
    """One rate at a time, up or down; a step that helped is kept, the step shrinks when none does.

    `step` is the first step, in rates.
    """

    name: ClassVar[str] = "hill"
    step: float = 0.2

    def propose(self, past: Sequence[Observation], task: Task, rng: np.random.Generator) -> FloatArray:
        """Return the best schedule so far with the next rate moved."""
        best = best_of(past).rates
        moves = 2 * task.brackets
        step, since = self.step, 0
        record = past[0].welfare
        for seen in past[1:]:
            since += 1
            if seen.welfare > record:
                record, since = seen.welfare, 0
            elif since >= moves:
                step, since = step / 2.0, 0
        trial = best.copy()
        k, down = divmod((len(past) - 1) % moves, 2)
        trial[k] = np.clip(trial[k] + (-step if down else step), 0.0, 1.0)
        return trial


@dataclass(frozen=True)
class RandomPlanner(Planner):
    """A progressive schedule drawn at random each year: the control that any planner must beat."""

    name: ClassVar[str] = "random"

    def propose(self, past: Sequence[Observation], task: Task, rng: np.random.Generator) -> FloatArray:
        """Return sorted uniform rates."""
        return np.sort(rng.uniform(size=task.brackets))


@dataclass(frozen=True)
class FixedPlanner(Planner):
    """The same rates every year: those of the first year, or those given, one for each bracket."""

    name: ClassVar[str] = "fixed"
    rates: tuple[float, ...] | None = None

    def propose(self, past: Sequence[Observation], task: Task, rng: np.random.Generator) -> FloatArray:
        """Return the rates that were fixed."""
        return past[0].rates.copy() if self.rates is None else np.array(self.rates)
