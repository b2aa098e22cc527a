"""The exact best response of every worker to a tax schedule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd

from fisc.core import DataError, check_array, check_is, check_option
from fisc.core.arrays import FloatArray
from fisc.core.result import LATER
from fisc.economist import kernels
from fisc.economist.arrays import person_mean
from fisc.economist.options import Engine
from fisc.economist.plots import plot_income_density
from fisc.economist.population import Workers
from fisc.economist.schedule import TaxSchedule
from fisc.report import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Outcome", "outcome_of_hours", "respond"]

#: Workers a chunk in the whole-array engine: small enough that every temporary stays in cache.
CHUNK = 16_384


@dataclass(frozen=True, eq=False, repr=False)
class Outcome(Result):
    """What a population does under a schedule.

    Attributes
    ----------
    hours : ndarray, shape (n,)
        Weekly hours.
    income : ndarray, shape (n,)
        Annual pre-tax income.
    tax : ndarray, shape (n,)
        Annual tax, before the rebate.
    rebate : float
        Equal lump sum to each worker: mean tax, so that the budget balances.
    utility : ndarray, shape (n,)
        Income less tax plus rebate less the disutility of hours, in money.
    weights : ndarray, shape (n,), or None
        People for whom each worker stands.
    """

    hours: FloatArray
    income: FloatArray
    tax: FloatArray
    rebate: float
    utility: FloatArray
    weights: FloatArray | None = field(default=None, metadata=LATER)

    @property
    def n(self) -> int:
        """Number of workers."""
        return int(self.income.size)

    def summary(self) -> str:
        """Return one line: means of hours, income, tax and utility."""
        return (
            f"{self.n:,} workers; mean hours {self.mean('hours'):.1f}, mean income {self.mean('income'):,.0f}, "
            f"rebate {self.rebate:,.0f}, mean utility {self.mean('utility'):,.0f}, "
            f"{100 * self.not_working:.1f} % do not work"
        )

    def mean(self, name: Literal["hours", "income", "tax", "utility"]) -> float:
        """Return the mean over people of one of the columns."""
        held: FloatArray = getattr(self, name)
        return person_mean(held, self.weights)

    @property
    def not_working(self) -> float:
        """Share of people who earn nothing."""
        return person_mean(self.income == 0.0, self.weights)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each worker: hours, income, tax, rebate, utility, and weight if there are any."""
        names = ("hours", "income", "tax", "rebate", "utility")
        frame = pd.DataFrame({name: getattr(self, name) for name in names})
        return frame if self.weights is None else frame.assign(weight=self.weights)

    def plot(self, ax: Axes | None = None, *, schedule: TaxSchedule | None = None) -> Axes:
        """Draw the density of income, with the kinks of `schedule` if given."""
        return plot_income_density({"": self}, ax=ax, schedule=schedule)


def respond(workers: Workers, schedule: TaxSchedule, *, engine: Engine = "compiled") -> Outcome:
    """Let every worker choose the hours that are best under `schedule`, exactly.

    Each bracket's interior optimum, each kink and the cap on hours are compared, so the answer
    is the global one for any rates, convex budget set or not. Between equally good segments the
    worker takes the lower one; on a grid of hours, the fewer hours.

    Parameters
    ----------
    workers : Workers
        The population.
    schedule : TaxSchedule
        The tax; all revenue returns as an equal rebate.
    engine : {"compiled", "numpy"}
        Machine code from numba, or whole-array numpy in chunks (slower, without compilation).

    Returns
    -------
    Outcome

    Notes
    -----
    Workers take the rebate as given: none is large enough to move it.

    Examples
    --------
    >>> workers = Workers([1000.0], cost=0.02)
    >>> out = respond(workers, TaxSchedule.flat(0.0))
    >>> bool(np.isclose(1000, 0.02 * 3.5 * out.hours[0] ** 2.5))      # s = c delta l^(delta-1)
    True
    """
    check_option("engine", engine, get_args(Engine))
    _check_pair(workers, schedule)
    income = np.empty(workers.n)
    tax = np.empty(workers.n)
    utility = np.empty(workers.n)
    if engine == "numpy":
        for start in range(0, workers.n, CHUNK):
            part = slice(start, start + CHUNK)
            income[part], tax[part], utility[part] = _respond_chunk(workers, schedule, part)
        rebate = float(tax.sum()) / workers.n
    else:
        rebate = _respond_compiled(workers, schedule, income, tax, utility) / workers.n
    if workers.weights is not None:
        rebate = person_mean(tax, workers.weights)
    utility += rebate
    return Outcome(income / workers.skill, income, tax, rebate, utility, workers.weights)


def _check_pair(workers: Workers, schedule: TaxSchedule) -> None:
    check_is("workers", workers, Workers, how="build them with Workers(...) or Workers.sample(...)")
    check_is("schedule", schedule, TaxSchedule, how="build one with TaxSchedule(edges, rates)")


def _respond_compiled(
    workers: Workers, schedule: TaxSchedule, income: FloatArray, tax: FloatArray, value: FloatArray
) -> float:
    """Fill the arrays by machine code; return total tax."""
    rates = (schedule.edges, schedule.rates)
    if workers.hours_grid is not None:
        people = (workers.skill, workers.cost)
        limits = (workers.delta, workers.hours_grid)
        return kernels.best_response_on_grid(*people, *rates, *limits, income, tax, value)
    everybody = (workers.skill, workers.cost, workers.free_income, workers.kink_weight)
    return kernels.best_response(*everybody, *rates, workers.delta, workers.max_hours, income, tax, value)


def _respond_chunk(
    workers: Workers, schedule: TaxSchedule, part: slice
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return income, tax and value of some workers by whole-array operations."""
    skill, cost = workers.skill[part], workers.cost[part]
    if workers.hours_grid is not None:
        choices = skill[:, None] * workers.hours_grid
        paid = schedule.tax(choices.ravel()).reshape(choices.shape)
        value = choices - paid - cost[:, None] * workers.hours_grid**workers.delta
        pick = value.argmax(axis=1)[:, None]  # argmax keeps the first: ties go to fewer hours
        return tuple(np.take_along_axis(a, pick, axis=1)[:, 0] for a in (choices, paid, value))  # type: ignore[return-value]
    upper = np.concatenate([schedule.edges[1:], [np.inf]])
    cap = skill * workers.max_hours
    best, chosen, paid = np.zeros((3, skill.size))
    for low, high, rate, due in zip(
        schedule.edges, upper, schedule.rates, schedule.tax_at_edges, strict=True
    ):
        inside = workers.free_income[part] * (1.0 - rate) ** workers.elasticity
        z = np.minimum(inside, np.minimum(high, cap))
        tax = due + rate * (z - low)
        value = z - tax - workers.kink_weight[part] * z**workers.delta
        better = (z > low) & (value > best)
        best[better], chosen[better], paid[better] = value[better], z[better], tax[better]
    return chosen, paid, best


def outcome_of_hours(workers: Workers, schedule: TaxSchedule, hours: FloatArray) -> Outcome:
    """Return what follows when the workers work given hours, best or not.

    Parameters
    ----------
    workers : Workers
        The population.
    schedule : TaxSchedule
        The tax; all revenue returns as an equal rebate.
    hours : ndarray, shape (n,)
        Weekly hours, between 0 and ``workers.max_hours``.

    Returns
    -------
    Outcome

    Examples
    --------
    >>> workers = Workers([1000.0, 10.0], cost=0.02)
    >>> out = outcome_of_hours(workers, TaxSchedule.flat(0.5), np.array([40.0, 0.0]))
    >>> float(out.income[0]), out.rebate
    (40000.0, 10000.0)
    """
    _check_pair(workers, schedule)
    hours = check_array("hours", hours, what="weekly hours, one for each worker", missing=True)
    if hours.shape != (workers.n,):
        raise DataError(f"hours must have shape ({workers.n},), one for each worker, got {hours.shape}")
    missing = int(np.isnan(hours).sum())
    if missing or not np.all((hours >= 0.0) & (hours <= workers.max_hours)):
        raise DataError(
            f"hours must lie in [0, {workers.max_hours:g}], got {hours.min():g} to {hours.max():g} with {missing} NaN"
        )
    income = workers.skill * hours
    tax = schedule.tax(income)
    rebate = person_mean(tax, workers.weights)
    utility = income - tax + rebate - workers.cost * hours**workers.delta
    return Outcome(hours.copy(), income, tax, rebate, utility, workers.weights)
