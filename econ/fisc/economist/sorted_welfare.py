"""Welfare as a function of the rates alone, from sums over sorted workers: microseconds a schedule."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fisc.core.arrays import FloatArray
from fisc.core.errors import DataError, OptionError
from fisc.economist import sorted_kernels as kernels
from fisc.economist.sorted_gradient import gradient
from fisc.economist.sorted_population import SortedPopulation

__all__ = ["SortedWelfare"]

#: Family of each formula that `fisc.economist.criteria.Criterion.code` names.
_FAMILIES = {
    "weighted": kernels.LINEAR,
    "log": kernels.POWER,
    "crra": kernels.POWER,
    "rawls": kernels.RAWLS,
    "live": kernels.LIVE,
}


class SortedWelfare:
    """Welfare of many vectors of rates, exactly as the kernel that asks each worker.

    Parameters
    ----------
    population : SortedPopulation
        The people.
    edges : ndarray, shape (K,)
        Lower edges of the brackets, rising from 0.
    code : {"weighted", "log", "crra", "rawls", "live"}
        Formula of the criterion.
    weights : ndarray, shape (n,), optional
        Welfare weights in the order of the arrays given to `SortedPopulation.of`; all 1 if left out.
        They are scaled so that the average person has 1.
    gamma : float
        For ``"crra"``.
    scale : float
        Unit of money of ``"crra"``, or floor of income of ``"live"``.

    Attributes
    ----------
    evaluations : int
        Schedules evaluated so far.

    Examples
    --------
    >>> people = SortedPopulation.of(np.array([500.0, 1500.0]), np.full(2, 0.02), 3.5, 100.0)
    >>> objective = SortedWelfare(people, np.zeros(1), "weighted")
    >>> low, high = objective(np.array([[0.0], [0.5]]))
    >>> bool(low > high)
    True
    """

    def __init__(
        self,
        population: SortedPopulation,
        edges: FloatArray,
        code: str,
        *,
        weights: FloatArray | None = None,
        gamma: float = 2.0,
        scale: float = 1e4,
    ) -> None:
        if code not in _FAMILIES:
            raise OptionError(f"code must be one of {', '.join(_FAMILIES)}, got {code!r:.80}")
        self.population = population
        self.edges = np.ascontiguousarray(edges, dtype=np.float64)
        self.family = _FAMILIES[code]
        self.evaluations = 0
        self._gamma = 1.0 if code == "log" else float(gamma)
        self._scale = 1.0 if code == "log" else float(scale)
        sums = population.mass_sums
        if self.family == kernels.LINEAR and weights is not None:
            social = np.asarray(weights, dtype=np.float64)[population.order] * population.mass
            if not social.sum() > 0.0:
                raise DataError("welfare weights add up to 0 over the people who are represented")
            sums = population.sums(social / social.sum())
        elif self.family == kernels.LIVE:
            sums = population.inverse_sums()
        none = np.zeros((0, 3, 3))
        curved = self.family == kernels.POWER
        small, large = (block.rows for block in population.moments) if curved else (none, none)
        self._arrays = (
            population.delta,
            population.cost_at_cap,
            population.types,
            population.mass,
            population.mass_sums,
            sums,
            small,
            large,
            self.family,
            self._gamma,
            self._scale,
        )

    @property
    def has_gradient(self) -> bool:
        """Whether `gradient` knows the criterion."""
        return self.family != kernels.LIVE

    def __call__(self, policies: FloatArray) -> FloatArray:
        """Return the welfare of each row of `policies`, shape (P, K) -> (P,)."""
        return self.with_revenue(policies)[0]

    def with_revenue(self, policies: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return welfare and mean revenue (the rebate) of each row of `policies`, shapes (P,) and (P,)."""
        rows = np.ascontiguousarray(policies, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.edges.size:
            raise DataError(
                f"policies must have shape (P, {self.edges.size}), one rate a bracket, got {rows.shape}"
            )
        self.evaluations += rows.shape[0]
        revenue = np.empty(rows.shape[0])
        welfare = kernels.welfare_batch(self.edges, rows, *self._arrays, revenue)
        # The live criteria are sums over people, the others means.
        return (welfare * self.population.total if self.family == kernels.LIVE else welfare), revenue

    def gradient(self, rates: npt.ArrayLike, *, jumps: bool = True) -> FloatArray:
        """Return the derivative of welfare by each rate, shape (K,).

        Parameters
        ----------
        rates : array_like, shape (K,)
            Where; below 1.
        jumps : bool
            Count the people who are about to change over between two brackets by their density, as in
            a large population. Without them the derivative is this population's own, jumps left out.

        Raises
        ------
        DataError
            For the live criteria, whose weights move with income: the envelope theorem says nothing.
        """
        if not self.has_gradient:
            raise DataError(
                "criteria with weights of current income have no envelope gradient; use differences"
            )
        self.evaluations += 1
        point = np.ascontiguousarray(rates, dtype=np.float64)
        return gradient(self.edges, point, *self._arrays, jumps)
