"""Welfare as a function of the rates alone, the workers answering exactly."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from fisc.core.arrays import FloatArray
from fisc.economist import kernels
from fisc.economist.criteria import Criterion, criterion_of
from fisc.economist.options import CriterionName
from fisc.economist.population import Workers
from fisc.economist.schedule import TaxSchedule

__all__ = ["RobustWelfare", "WelfareOfRates"]


class WelfareOfRates:
    """Welfare of many vectors of rates at once, (P, K) -> (P,).

    >>> objective = WelfareOfRates(Workers([500.0, 1500.0], cost=0.02), [0.0], "utilitarian")
    >>> w = objective(np.array([[0.0], [0.5]]))
    >>> bool(w[0] > w[1])
    True
    """

    def __init__(
        self,
        workers: Workers,
        edges: npt.ArrayLike,
        criterion: CriterionName | Criterion,
    ) -> None:
        self.edges = TaxSchedule.flat(0.0, edges).edges  # checks the edges
        self.criterion = criterion_of(criterion)
        self.weights = self.criterion.fixed_weights(workers)
        if workers.weights is not None:
            there = workers.weights > 0.0
            workers, self.weights = workers.subset(there), self.weights[there]
        self.workers = workers
        self._mass = (
            np.ones(workers.n) if workers.weights is None else workers.weights * workers.n / workers.people
        )
        # The kernel adds up the live criteria over workers of mean mass 1; they are sums over people.
        self._unit = workers.people / workers.n if self.criterion.code == "live" else 1.0
        self._grid = np.empty(0) if workers.hours_grid is None else workers.hours_grid
        self.evaluations = 0

    def __call__(self, policies: FloatArray) -> FloatArray:
        """Return the welfare of each row of `policies`, shape (P, K) -> (P,)."""
        self.evaluations += policies.shape[0]
        rule, workers = self.criterion, self.workers
        people = (workers.skill, workers.cost, workers.free_income, workers.kink_weight)
        return self._unit * kernels.welfare_batch(
            *people,
            self.edges,
            np.ascontiguousarray(policies),
            workers.delta,
            workers.max_hours,
            self._grid,
            kernels.CODES[rule.code],
            self.weights,
            rule.gamma,
            rule.scale,
            self._mass,
        )


class RobustWelfare:
    """The worst welfare within `tolerance` of a point: each rate alone, and all rates at once.

    An optimum often sits where somebody is just indifferent between two brackets, and a rate
    rounded in the last digit loses them. This objective stays away from such edges. Of the 2^K
    corners of the box around a point only those that once proved the worst are looked at; see
    `learn_corner`. A `tolerance` of 1e-4 is one hundredth of a point.
    """

    def __init__(self, objective: WelfareOfRates, tolerance: float) -> None:
        dims = objective.edges.size
        self.objective = objective
        if dims <= 10:
            self._signs = np.array(list(itertools.product((-1.0, 1.0), repeat=dims)))
        else:
            self._signs = np.where(np.random.default_rng(0).uniform(size=(1024, dims)) < 0.5, -1.0, 1.0)
        self._tolerance = tolerance
        self._offsets = tolerance * np.concatenate([np.zeros((1, dims)), np.eye(dims), -np.eye(dims)])

    def __call__(self, policies: FloatArray) -> FloatArray:
        """Return the worst welfare around each row of `policies`, shape (P, K) -> (P,)."""
        around = np.clip(policies[:, None, :] + self._offsets, 0.0, 1.0)
        values = self.objective(around.reshape(-1, policies.shape[1]))
        worst: FloatArray = values.reshape(len(policies), -1).min(axis=1)
        return worst

    def worst_nearby(self, point: FloatArray) -> float:
        """Return the smallest welfare over each rate alone and every corner (1024 of them if K > 10)."""
        corners = np.clip(point + self._tolerance * self._signs, 0.0, 1.0)
        return float(min(self.objective(corners).min(), self(point[None, :])[0]))

    def learn_corner(self, point: FloatArray) -> bool:
        """Add the worst corner around `point` if it is worse than what is looked at; say whether."""
        values = self.objective(np.clip(point + self._tolerance * self._signs, 0.0, 1.0))
        if values.min() >= self(point[None, :])[0]:
            return False
        corner = self._tolerance * self._signs[int(values.argmin())]
        self._offsets = np.concatenate([self._offsets, corner[None, :]])
        return True
