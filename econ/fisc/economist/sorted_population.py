r"""A weighted population with one type parameter, sorted, with every sum that welfare may ask for.

If hours cost everybody the same, or nobody comes near the cap on hours, workers differ in one number
only, and whoever has more of it chooses at least as much income under *any* schedule (Topkis: value is
supermodular in income and skill). Whoever picks a bracket or a kink is then an interval of the sorted
workers, and a sum over them is the difference of two cumulative sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fisc.core.arrays import FloatArray
from fisc.core.errors import DataError

__all__ = ["BLOCKS", "MOMENTS", "Moments", "SortedPopulation", "why_not_sorted"]

#: Workers a block whose moments are kept, in two sizes: the ends of an interval fall into small ones.
BLOCKS = (64, 1024)
#: Moments a block. A block is used where (half-width / centre) is so small that later terms vanish.
MOMENTS = 12


@dataclass(frozen=True, eq=False)
class Moments:
    """Mass times powers of the place within a block, for three columns.

    Attributes
    ----------
    size : int
        Workers a block; a last, shorter block has no row.
    rows : ndarray, shape (blocks, 3, MOMENTS + 3)
        For each of `SortedPopulation.types`' columns: centre, half-width, then the sum of
        ``mass * t**k`` for k = 0 to MOMENTS, where t in [-1, 1] is the place within the block.
    """

    size: int
    rows: FloatArray


@dataclass(frozen=True, eq=False)
class SortedPopulation:
    r"""Workers in the order of their type.

    Attributes
    ----------
    types : ndarray, shape (n, 3)
        Income A chosen without tax, income at the cap on hours (infinite where nobody reaches it),
        and :math:`Q = c s^{-\delta}`, so that earning z costs :math:`Q z^\delta`. A and the cap rise.
    mass : ndarray, shape (n,)
        Share of the people for whom each worker stands; sums to 1.
    total : float
        People for whom all workers stand together.
    order : ndarray of int, shape (n,)
        Row of each sorted worker in the arrays that were given; workers of weight 0 are left out.
    delta, cost_at_cap : float
        Curvature, and the disutility of hours at the cap (the same for all).
    """

    types: FloatArray
    mass: FloatArray
    total: float
    order: npt.NDArray[np.intp]
    delta: float
    cost_at_cap: float

    @classmethod
    def of(
        cls,
        skill: FloatArray,
        cost: FloatArray,
        delta: float,
        max_hours: float,
        *,
        weights: FloatArray | None = None,
        lowest_rate: float = 0.0,
    ) -> SortedPopulation:
        """Sort workers and add them up.

        Parameters
        ----------
        skill, cost : ndarray, shape (n,)
            Income per weekly hour and weight of the disutility of hours, both positive.
        delta, max_hours : float
            Curvature, and cap on weekly hours.
        weights : ndarray, shape (n,), optional
            People for whom each worker stands; 1 each if left out.
        lowest_rate : float
            No schedule will ask for a marginal rate below this one.

        Raises
        ------
        DataError
            If `why_not_sorted` names a reason, or the weights are no weights.

        Examples
        --------
        >>> people = SortedPopulation.of(np.array([20.0, 10.0]), np.full(2, 0.01), 3.0, 100.0)
        >>> people.order.tolist(), people.mass.tolist()
        ([1, 0], [0.5, 0.5])
        """
        reason = why_not_sorted(skill, cost, delta, max_hours, lowest_rate=lowest_rate)
        if reason is not None:
            raise DataError(f"the workers cannot be sorted by one type: {reason}; use the exact kernel")
        people = np.ones(skill.size) if weights is None else np.asarray(weights, dtype=np.float64)
        if people.shape != skill.shape or not np.isfinite(people).all() or people.min() < 0.0:
            raise DataError(f"weights must be {skill.size} finite numbers of people, none negative")
        total = float(people.sum())
        if not (0.0 < total < np.inf):
            raise DataError("the weights add up to 0 or beyond the range of floats: nobody is represented")
        free = _free_income(skill, cost, delta)
        order = np.argsort(free, kind="stable")
        order = order[people[order] > 0.0]
        common = bool(cost.min() == cost.max())
        cap = skill[order] * max_hours if common else np.full(order.size, np.inf)
        return cls(
            types=np.column_stack([free[order], cap, cost[order] * skill[order] ** -delta]),
            mass=people[order] / total,
            total=total,
            order=order,
            delta=delta,
            cost_at_cap=float(cost[0] * max_hours**delta) if common else 0.0,
        )

    @property
    def n(self) -> int:
        """Number of workers with a positive weight."""
        return int(self.mass.size)

    def sums(self, weight: FloatArray) -> FloatArray:
        """Return cumulative sums of a weight and of weight times each type, shape (n + 1, 4).

        Row j sums what comes before worker j. The column of Q sums from the top, with a minus sign: Q
        falls by many decades, and sums from the bottom would keep nothing of the rich.
        """
        free, cap, dear = self.types.T
        cap = np.where(np.isfinite(cap), cap, 0.0)
        return np.column_stack(
            [_rising(weight), _rising(weight * free), _rising(weight * cap), _falling(weight * dear)]
        )

    def inverse_sums(self) -> FloatArray:
        """Return cumulative sums of 0, mass / A, mass / cap and 0, from the top, shape (n + 1, 4)."""
        free, cap, _ = self.types.T
        none = np.zeros(self.n + 1)
        return np.column_stack([none, _falling(self.mass / free), _falling(self.mass / cap), none])

    @cached_property
    def mass_sums(self) -> FloatArray:
        """Return `sums` of the masses, shape (n + 1, 4)."""
        return self.sums(self.mass)

    @cached_property
    def moments(self) -> tuple[Moments, Moments]:
        """Return the moments of small and of large blocks."""
        small, large = (self._moments(size) for size in BLOCKS)
        return small, large

    def _moments(self, size: int) -> Moments:
        blocks = self.n // size
        used = blocks * size
        mass = self.mass[:used].reshape(blocks, size)
        rows = np.zeros((blocks, 3, MOMENTS + 3))
        for column in range(3):
            x = self.types[:used, column].reshape(blocks, size)
            if blocks == 0 or not np.isfinite(x).all():
                continue
            low, high = x.min(axis=1), x.max(axis=1)
            centre, half = (low + high) / 2.0, (high - low) / 2.0
            place = np.divide(
                x - centre[:, None], half[:, None], out=np.zeros_like(x), where=half[:, None] > 0
            )
            rows[:, column, 0], rows[:, column, 1] = centre, half
            power = mass.copy()
            for k in range(MOMENTS + 1):
                rows[:, column, 2 + k] = power.sum(axis=1)
                power *= place
        return Moments(size, rows)


def why_not_sorted(
    skill: FloatArray,
    cost: FloatArray,
    delta: float,
    max_hours: float,
    *,
    hours_grid: FloatArray | None = None,
    lowest_rate: float = 0.0,
) -> str | None:
    """Return why workers do not differ in one number only, or None if they do.

    Examples
    --------
    >>> skill = np.array([10.0, 20.0])
    >>> why_not_sorted(skill, np.full(2, 0.01), 3.0, 1.0) is None       # a cap binds, costs are the same
    True
    >>> why_not_sorted(skill, np.array([0.01, 0.02]), 3.0, 1.0)
    'costs of hours differ, and 2 workers would reach the cap of 1 hours at a rate of 0'
    """
    if hours_grid is not None:
        return "hours come from a grid"
    if cost.min() == cost.max():
        return None
    wanted = _free_income(skill, cost, delta) / skill * (1.0 - lowest_rate) ** (1.0 / (delta - 1.0))
    capped = int((wanted >= max_hours).sum())
    if capped == 0:
        return None
    return (
        f"costs of hours differ, and {capped} workers would reach the cap of {max_hours:g} hours "
        f"at a rate of {lowest_rate:g}"
    )


def _free_income(skill: FloatArray, cost: FloatArray, delta: float) -> FloatArray:
    return np.asarray(skill * (skill / (cost * delta)) ** (1.0 / (delta - 1.0)))


def _rising(values: FloatArray) -> FloatArray:
    """Return sums of what comes before each place, shape (n + 1,)."""
    sums = np.cumsum(values, dtype=np.longdouble).astype(np.float64)
    return np.concatenate([[0.0], sums])


def _falling(values: FloatArray) -> FloatArray:
    """Return minus the sums of what comes at or after each place: differences are those of `_rising`."""
    sums = np.cumsum(values[::-1], dtype=np.longdouble)[::-1].astype(np.float64)
    return np.concatenate([-sums, [0.0]])
