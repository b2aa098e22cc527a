"""Welfare as a function of the rates alone, the workers answering exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fisc.core.arrays import FloatArray
from fisc.economist import kernels
from fisc.economist.criteria import Criterion, criterion_of
from fisc.economist.options import CriterionName
from fisc.economist.population import Workers
from fisc.economist.schedule import TaxSchedule
from fisc.economist.sorted_welfare import SortedWelfare

__all__ = ["WelfareOfRates"]


class WelfareOfRates:
    """Welfare of many vectors of rates at once, (P, K) -> (P,).

    Workers who differ in one number only are sorted, and welfare is a few sums over intervals of them;
    others are asked one by one. `path` says which and why. No rate may lie below `lowest_rate`.

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
        *,
        lowest_rate: float = 0.0,
    ) -> None:
        self.edges = TaxSchedule.flat(0.0, edges).edges  # checks the edges
        self.criterion = rule = criterion_of(criterion)
        weights = rule.fixed_weights(workers)
        if workers.weights is not None and workers.weights.min() == 0.0:
            there = workers.weights > 0.0
            workers, weights = workers.subset(there), weights[there]
        self.workers = workers
        self.weights = weights
        self.lowest_rate = lowest_rate
        self.sorted: SortedWelfare | None = None
        reason = workers.why_not_sorted(lowest_rate)
        if reason is None:
            options = {"gamma": rule.gamma, "scale": rule.scale}
            self.sorted = SortedWelfare(
                workers.sorted_people, self.edges, rule.code, weights=weights, **options
            )
        self.path = "sums over sorted workers" if reason is None else f"every worker asked: {reason}"
        self._mass = np.ones(workers.n)
        if workers.weights is not None:
            self._mass = workers.weights * (workers.n / workers.people)
        # The kernel adds up the live criteria over workers of mean mass 1; they are sums over people.
        self._unit = workers.people / workers.n if rule.code == "live" else 1.0
        self._grid = np.empty(0) if workers.hours_grid is None else workers.hours_grid
        self.evaluations = 0

    def __call__(self, policies: FloatArray) -> FloatArray:
        """Return the welfare of each row of `policies`, shape (P, K) -> (P,)."""
        self.evaluations += policies.shape[0]
        return self.by_asking(policies) if self.sorted is None else self.sorted(policies)

    def by_asking(self, policies: FloatArray) -> FloatArray:
        """Return the same with every worker asked one by one."""
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
