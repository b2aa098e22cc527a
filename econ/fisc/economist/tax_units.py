"""Tax units and how their incomes answer a change of the law, each with an elasticity of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from fisc.core import DataError, check_number, is_number
from fisc.core.arrays import FloatArray, IntArray
from fisc.core.frames import TableLike, as_frame
from fisc.economist.actual_law import ActualLaw
from fisc.economist.arrays import checked_array, checked_weights
from fisc.economist.schedule import TaxSchedule

__all__ = ["Answer", "Law", "TaxUnits", "answer_to", "elasticities_of"]

#: One schedule for all, one for each filing status, or everything that Tax-Calculator knows.
Law: TypeAlias = TaxSchedule | Mapping[str, TaxSchedule] | ActualLaw
#: One number, a number for each level of a column, or for each class of income by its lower edge.
Elasticity: TypeAlias = float | Mapping[str, Mapping[str, float]] | Mapping[float, float]


@dataclass(frozen=True, eq=False)
class TaxUnits:
    """People with weights, incomes and the rates that they face today.

    Attributes
    ----------
    frame : DataFrame
        As given, with whatever columns groups are made of.
    income : ndarray, shape (n,)
        All income, money a year.
    taxable : ndarray, shape (n,)
        Income that is taxed and that answers to the rate on it.
    weight : ndarray, shape (n,)
        Units for which each stands.
    rate : ndarray, shape (n,) or None
        Marginal rate of all taxes today, where it is more than the schedule's.
    """

    frame: pd.DataFrame
    income: FloatArray
    taxable: FloatArray
    weight: FloatArray
    rate: FloatArray | None

    @classmethod
    def from_frame(
        cls,
        frame: TableLike,
        *,
        income: str = "income",
        taxable: str | None = None,
        weight: str | None = "weight",
        marginal_rate: str | None = None,
    ) -> TaxUnits:
        """Take the columns of a table, each checked; see `score_reform`."""
        table = as_frame("units", frame, what="a table with a row for each tax unit").reset_index(drop=True)
        if table.empty:
            raise DataError("units has no rows; give a row for each tax unit")
        earned = _column(table, income, "incomes, money a year")
        if taxable is None:
            base = np.maximum(earned, 0.0)
            if earned.min() < 0.0:
                raise DataError(
                    f"{income!r} holds {(earned < 0).sum()} incomes below 0 (first: {earned[earned < 0][0]:g}); "
                    "leave losses out, or name a column of taxable income with taxable="
                )
        else:
            base = _column(table, taxable, "taxable incomes, none below 0")
            if base.min() < 0.0:
                raise DataError(f"{taxable!r} holds {(base < 0).sum()} incomes below 0; set losses to 0")
        people = np.ones(len(table))
        if weight is not None:
            people = checked_weights(_column(table, weight, "weights, none below 0"), len(table))
        rate = None if marginal_rate is None else _column(table, marginal_rate, "marginal rates below 1")
        if rate is not None and rate.max() >= 1.0:
            raise DataError(
                f"{marginal_rate!r} holds {(rate >= 1).sum()} marginal rates of 1 and above (largest: "
                f"{rate.max():g}), at which nobody would earn the last unit; rates are fractions, not per cent"
            )
        return cls(table, earned, base, people, rate)


@dataclass(frozen=True, eq=False)
class Answer:
    """What a law takes from each tax unit before and after people answer, all of shape (n,).

    `static` is the reform's tax on today's taxable incomes, `tax` that on the incomes that follow, `taxable`;
    `other` is the change of payroll and other taxes that comes with them. `rate` is what a further unit costs.
    """

    before: FloatArray
    static: FloatArray
    tax: FloatArray
    taxable: FloatArray
    other: FloatArray
    rate_before: FloatArray
    rate: FloatArray
    gain: FloatArray


def elasticities_of(units: TaxUnits, elasticity: Elasticity) -> FloatArray:
    """Return the elasticity of each unit's taxable income with respect to the net-of-tax rate, shape (n,)."""
    if not isinstance(elasticity, Mapping):
        return np.full(units.weight.size, _elasticity(elasticity))
    if not elasticity:
        raise DataError("elasticity names no group; give a number, or one for each group")
    if all(is_number(edge) for edge in elasticity):
        edges = np.array(sorted(float(edge) for edge in elasticity))
        if edges[0] > 0.0:
            raise DataError(f"the lowest class of income starts at {edges[0]:g}; let it start at 0")
        values = np.array([_elasticity(value) for _, value in sorted(elasticity.items())])
        return values[np.searchsorted(edges, np.maximum(units.income, 0.0), side="right") - 1]
    if len(elasticity) != 1:
        raise DataError(
            f"elasticity is given by {len(elasticity)} columns; name one, as {{'filing_status': {{…}}}}"
        )
    ((column, by_level),) = elasticity.items()
    if not isinstance(by_level, Mapping) or str(column) not in units.frame:
        raise DataError(
            f"elasticity is given by {column!r}; name a column of the units with a number for each of its levels"
        )
    levels = units.frame[str(column)].astype(str)
    missing = sorted(set(levels) - {str(level) for level in by_level})
    if missing:
        raise DataError(
            f"there is no elasticity for {column} = {', '.join(missing[:5])}; give a number for each"
        )
    known = {str(level): _elasticity(value) for level, value in by_level.items()}
    return np.array([known[level] for level in levels])


def _elasticity(value: object) -> float:
    return check_number(
        "elasticity",
        value,
        above=0,
        most=10,
        what="elasticity of taxable income; for the static view read the column of static revenue",
    )


def answer_to(units: TaxUnits, before: Law, after: Law, elasticity: FloatArray) -> Answer:
    r"""Return what each unit earns and pays under `after`, having chosen today's income under `before`.

    Utility is :math:`z - T(z) - Q z^{1 + 1/e}`. Under schedules the choice is exact, brackets and kinks
    included. Under actual laws income moves by :math:`((1 - m_1)/(1 - m_0))^e` along the new rate.
    """
    if isinstance(before, ActualLaw) and isinstance(after, ActualLaw):
        return _answer_to_actual_law(units, before, after, elasticity)
    if isinstance(before, ActualLaw) or isinstance(after, ActualLaw):
        raise DataError("before and after must both be schedules or both ActualLaw")
    parts = [
        (rows, _answer_to_schedule(units, rows, old, new, elasticity[rows]))
        for rows, old, new in _by_status(units, before, after)
    ]
    held = {name: np.empty(units.weight.size) for name in Answer.__dataclass_fields__}
    for rows, part in parts:
        for name, values in held.items():
            values[rows] = getattr(part, name)
    return Answer(**held)


def _by_status(
    units: TaxUnits,
    before: TaxSchedule | Mapping[str, TaxSchedule],
    after: TaxSchedule | Mapping[str, TaxSchedule],
) -> list[tuple[IntArray, TaxSchedule, TaxSchedule]]:
    """Return the rows of each filing status and its schedules."""
    everybody = np.arange(units.weight.size)
    if isinstance(before, TaxSchedule) and isinstance(after, TaxSchedule):
        return [(everybody, before, after)]
    if "filing_status" not in units.frame:
        raise DataError("schedules by filing status need units with a column filing_status")
    status = units.frame["filing_status"].astype(str).to_numpy()
    found = []
    for name in np.unique(status):
        pair = []
        for what, law in (("before", before), ("after", after)):
            schedule = law.get(name) if isinstance(law, Mapping) else law
            if not isinstance(schedule, TaxSchedule):
                raise DataError(
                    f"{what} has no TaxSchedule for the filing status {name!r}, which the units have"
                )
            pair.append(schedule)
        found.append((np.flatnonzero(status == name), pair[0], pair[1]))
    return found


def _answer_to_schedule(
    units: TaxUnits, rows: IntArray, before: TaxSchedule, after: TaxSchedule, e: FloatArray
) -> Answer:
    z = units.taxable[rows]
    own = before.marginal_rate(z)
    # What other taxes take of a further unit stays as it is.
    wedge = np.zeros(z.size) if units.rate is None else units.rate[rows] - own
    keep = 1.0 - wedge - own
    earns = (z > 0.0) & (keep > 0.0)
    power = 1.0 + 1.0 / e
    chosen = z.copy()
    free = z[earns] / keep[earns] ** e[earns]
    now = _best(free, wedge[earns], before, e[earns])
    then = _best(free, wedge[earns], after, e[earns])
    # Where the rate falls with income there are incomes that nobody would choose; they move in proportion.
    chosen[earns] = z[earns] * then / now
    static, tax, due = after.tax(z), after.tax(chosen), before.tax(z)
    change = np.zeros(z.size)
    ratio = np.divide(chosen, z, out=np.ones(z.size), where=z > 0.0)
    np.multiply(np.maximum(keep, 0.0) * z / power, ratio**power - 1.0, out=change, where=earns)
    other = wedge * (chosen - z)
    gain = (chosen - z) - (tax - due) - other - change
    return Answer(due, static, tax, chosen, other, own + wedge, after.marginal_rate(z) + wedge, gain)


def _best(free: FloatArray, wedge: FloatArray, schedule: TaxSchedule, e: FloatArray) -> FloatArray:
    """Return the best income of each type under a schedule and a further rate of its own, shape (n,)."""
    upper = np.append(schedule.edges[1:], np.inf)
    best, chosen = np.zeros(free.size), np.full(free.size, 1e-9)
    power = 1.0 + 1.0 / e
    for low, high, rate, due in zip(
        schedule.edges, upper, schedule.rates, schedule.tax_at_edges, strict=True
    ):
        inside = free * np.maximum(1.0 - wedge - rate, 0.0) ** e
        z = np.clip(inside, low, high)
        # Q z^power with Q free^(power-1) power = 1.
        value = z - due - rate * (z - low) - wedge * z - free / power * (z / free) ** power
        better = value > best
        best[better], chosen[better] = value[better], z[better]
    return chosen


def _answer_to_actual_law(units: TaxUnits, before: ActualLaw, after: ActualLaw, e: FloatArray) -> Answer:
    old, new = before.units, after.units
    if before.year != after.year or len(old) != len(units.frame) or len(new) != len(units.frame):
        raise DataError(
            f"the units ({len(units.frame):,}) and the laws ({before.year}: {len(old):,}; {after.year}: {len(new):,}) "
            "are not of the same records and year; use load_tax_units(year) and ActualLaw.us(year, …)"
        )
    m0, m1 = before.marginal_rate, after.marginal_rate
    own = new["marginal_rate_income_tax"].to_numpy()
    due, static = old["income_tax"].to_numpy(), new["income_tax"].to_numpy()
    other0, other1 = old["payroll_tax"].to_numpy(), new["payroll_tax"].to_numpy()
    z = units.taxable
    moves = (z > 0.0) & (m0 < 1.0) & (m1 < 1.0)
    ratio = np.ones(z.size)
    np.power(np.divide(1.0 - m1, 1.0 - m0, out=ratio, where=moves), e, out=ratio, where=moves)
    chosen = z * ratio
    tax = static + own * (chosen - z)
    other = other1 - other0 + (m1 - own) * (chosen - z)
    power = 1.0 + 1.0 / e
    effort = np.where(moves, (1.0 - m0) * z / power * (ratio**power - 1.0), 0.0)
    gain = (chosen - z) - (tax - due) - other - effort
    return Answer(due, static, tax, chosen, other, m0, m1, gain)


def _column(table: pd.DataFrame, name: str, what: str) -> FloatArray:
    if name not in table:
        listed = ", ".join(map(str, table.columns[:12]))
        raise DataError(f"units has no column {name!r}; it has {listed}. Name the column of {what}")
    return checked_array(name, table[name].to_numpy(), what=what)
