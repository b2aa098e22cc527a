"""What a planner may see of a tax year: totals and tables by class, never a single worker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fisc.core import Record
from fisc.core.arrays import FloatArray, IntArray
from fisc.economist.population import Workers
from fisc.economist.response import Outcome
from fisc.economist.schedule import TaxSchedule

__all__ = ["Observation", "WageClasses", "observe"]

#: Wage classes of the labour survey, at most.
CLASSES = 40
#: Bins of the income histogram, from a thousandth of the largest income on, log-spaced, and one for zero.
INCOME_BINS = 20


@dataclass(frozen=True, eq=False)
class WageClasses:
    """The classes of the labour survey: fixed for a population, equal in the logarithm of the wage.

    `member` (n,) is the class of each worker, and `people` (n,) are those for whom it stands; both stay
    with the statistical office. `count`, and mean, least and largest annual income per weekly hour, are
    (G,); empty classes are left out.
    """

    member: IntArray
    people: FloatArray
    count: FloatArray
    wage: FloatArray
    lowest: FloatArray
    highest: FloatArray

    @classmethod
    def of(cls, workers: Workers, classes: int = CLASSES) -> WageClasses:
        """Sort the workers into classes."""
        people = np.ones(workers.n) if workers.weights is None else workers.weights
        skill = workers.skill
        there = people > 0.0
        edges = np.geomspace(skill[there].min() * 0.9999, skill[there].max() * 1.0001, classes + 1)
        raw = np.clip(np.searchsorted(edges, skill, side="right") - 1, 0, classes - 1)
        member = np.searchsorted(np.unique(raw[there]), raw)  # who stands for nobody joins a class nearby
        member = np.minimum(member, member[there].max())
        count = np.bincount(member, weights=people).astype(np.float64)
        order = np.argsort(skill, kind="stable")
        order = order[there[order]]
        first = np.searchsorted(member[order], np.arange(count.size), side="left")
        last = np.searchsorted(member[order], np.arange(count.size), side="right") - 1
        ordered = skill[order]
        wage = np.bincount(member, weights=people * skill) / count
        return cls(member, people, count, wage, ordered[first], ordered[last])

    def mean(self, values: FloatArray) -> FloatArray:
        """Return the mean over people of `values` (n,) in each class, shape (G,)."""
        return np.bincount(self.member, weights=self.people * values) / self.count


@dataclass(frozen=True, eq=False)
class Observation(Record):
    """One tax year as the statistical office publishes it.

    The planner's own criterion `welfare` is a mean over the steps of the year; money is a year, hours
    are a week, per head. `bracket_count` and `bracket_income` (K,) are people in each bracket and
    their total income; `income_count` (B,) is the histogram over `income_edges` (B + 1,), from 0. The
    labour survey by class of hourly wage has shape (G,): people, mean, least and largest wage (annual
    income per weekly hour), mean hours, mean income.
    """

    year: int
    rates: FloatArray
    welfare: float
    rebate: float
    mean_income: float
    mean_hours: float
    not_working: float
    bracket_count: FloatArray
    bracket_income: FloatArray
    income_edges: FloatArray
    income_count: FloatArray
    class_count: FloatArray
    class_wage: FloatArray
    class_lowest: FloatArray
    class_highest: FloatArray
    class_hours: FloatArray
    class_income: FloatArray


def observe(
    year: int, schedule: TaxSchedule, outcome: Outcome, classes: WageClasses, welfare: float
) -> Observation:
    """Summarise a year; `outcome` is a mean where the year had several steps, `welfare` the planner's."""
    income, people = outcome.income, classes.people
    bracket = np.searchsorted(schedule.edges, income, side="right") - 1
    top = max(float(income[people > 0.0].max()), 1.0)
    edges = np.concatenate([[0.0], np.geomspace(top / 1000.0, top, INCOME_BINS)])
    edges[-1] = np.nextafter(top, np.inf)
    return Observation(
        year=year,
        rates=schedule.rates,
        welfare=welfare,
        rebate=outcome.rebate,
        mean_income=outcome.mean("income"),
        mean_hours=outcome.mean("hours"),
        not_working=outcome.not_working,
        bracket_count=np.bincount(bracket, people, schedule.brackets).astype(np.float64),
        bracket_income=np.bincount(bracket, people * income, schedule.brackets).astype(np.float64),
        income_edges=edges,
        income_count=np.histogram(income, edges, weights=people)[0].astype(np.float64),
        class_count=classes.count,
        class_wage=classes.wage,
        class_lowest=classes.lowest,
        class_highest=classes.highest,
        class_hours=classes.mean(outcome.hours),
        class_income=classes.mean(income),
    )
