"""A tax reform scored on weighted tax units: revenue static and with behaviour, who gains, how much is sure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from fisc.core import DataError, check_number, check_option, record
from fisc.core.arrays import AnyArray, FloatArray
from fisc.core.frames import TableLike
from fisc.economist.actual_law import ActualLaw
from fisc.economist.arrays import person_quantile
from fisc.economist.distribution import gini, implied_weights, poverty_rate, tenths
from fisc.economist.options import Revenue
from fisc.economist.reform_score import BEHAVIOURAL, NOTICED, OTHER, PER_UNIT, STATIC, ReformScore
from fisc.economist.schedule import TaxSchedule
from fisc.economist.tax_units import Answer, Elasticity, Law, TaxUnits, answer_to, elasticities_of

__all__ = ["score_reform"]


#: Elasticities beside the one asked for, over which figures are shown: the range of published estimates
#: (Saez, Slemrod and Giertz 2012 give 0.12 to 0.40 for the long run).
ELASTICITIES = (0.1, 0.25, 0.4)
#: Deepest change of all rates, in both directions, that is tried for a neutral reform.
SHIFT = 0.5


def score_reform(
    units: TableLike,
    before: Law,
    after: Law,
    *,
    elasticity: Elasticity = 0.25,
    elasticities: Sequence[float] = ELASTICITIES,
    revenue: Revenue = "rebate",
    requirement: float | None = None,
    by: Sequence[str] = (),
    income: str = "income",
    taxable: str | None = None,
    weight: str | None = "weight",
    marginal_rate: str | None = None,
    members: str | None = None,
    poverty_line: float | None = None,
    currency: str = "USD",
) -> ReformScore:
    """Score a reform on weighted tax units, under schedules or under the actual law.

    Parameters
    ----------
    units : DataFrame or other table
        A row for each tax unit, of `fisc.data.load_tax_units` or of any survey.
    before, after : TaxSchedule, mapping of filing status to TaxSchedule, or ActualLaw
        The present law and the reform, of the same kind.
    elasticity : float or mapping
        Of taxable income with respect to the net-of-tax rate, above 0 and at most 10: one number;
        ``{"filing_status": {"single": 0.2, ...}}`` by a column; or ``{0: 0.2, 100_000: 0.5}`` by income.
    elasticities : sequence of float
        Over which the range of the figures is taken, each for everybody.
    revenue : {"rebate", "requirement", "neutral"}
        Whether all units share equally in what the reform raises; the treasury keeps it; or all rates of the
        reform move by the same points until nothing is raised.
    requirement : float, optional
        With ``"requirement"``: money a year that the income tax must raise after the reform.
    by : sequence of str
        Columns of `units` by whose levels gains are told.
    income, taxable, weight, marginal_rate : str
        Columns of all income, of taxable income (all income if left out), of weights (None: 1 each) and of the
        marginal rate of all taxes today (that of the schedule if left out). Schedules apply to `taxable`.
        With ActualLaw, taxable income is that of Tax-Calculator.
    members : str, optional
        Column of persons in a unit: Gini and poverty are then of income by the square root of their number.
    poverty_line : float, optional
        Money a year; half of today's median income after tax if left out.
    currency : str
        Of money.

    Returns
    -------
    ReformScore

    Raises
    ------
    DataError
        If incomes, weights, rates or elasticities are out of range, `units` and laws are not of the same
        records, the requirement cannot be met, or no shift of the rates makes the reform neutral.

    Examples
    --------
    >>> people = pd.DataFrame({"income": [20_000.0, 60_000.0, 250_000.0], "weight": [5e6, 4e6, 1e6]})
    >>> score = score_reform(people, TaxSchedule.flat(0.2), TaxSchedule([0, 100_000], [0.2, 0.4]))
    >>> round(score.static_change, 6)                       # 0.2 x 150 000 x 1 million
    30.0
    >>> bool(score.behavioural_change < score.static_change)
    True
    """
    check_option("revenue", revenue, get_args(Revenue))
    actual = isinstance(before, ActualLaw)
    people = TaxUnits.from_frame(
        units,
        income=income,
        taxable="taxable_income" if actual and taxable is None else taxable,
        weight=weight,
        marginal_rate=marginal_rate,
    )
    e = elasticities_of(people, elasticity)
    alternatives = {value: elasticities_of(people, value) for value in elasticities}
    shift = _neutral_shift(people, before, after, e) if revenue == "neutral" else 0.0
    reformed = _shifted(after, shift)
    answer = answer_to(people, before, reformed, e)
    if requirement is not None:
        _check_requirement(people, answer, revenue, requirement, currency)
    measures = _Measures(people, answer, revenue, members, poverty_line, actual)
    held = {"main": measures.values(answer)}
    for value, other in alternatives.items():
        held[f"{value:g}"] = measures.values(answer_to(people, before, reformed, other))
    changes = pd.DataFrame({name: pair["after"] - pair["before"] for name, pair in held.items()})
    effects = held["main"].assign(change=changes["main"], low=changes.min(axis=1), high=changes.max(axis=1))
    mean = round(float(e @ people.weight / people.weight.sum()), 6)
    rows = {mean: "main"} | {v: f"{v:g}" for v in alternatives}
    by_elasticity = pd.DataFrame(
        {
            name: [held[rows[value]][name][BEHAVIOURAL] for value in sorted(rows)]
            for name in ("before", "after")
        },
        index=pd.Index(sorted(rows), name="elasticity"),
    )
    by_elasticity["change"] = by_elasticity["after"] - by_elasticity["before"]
    notes = _notes(people, before, answer)
    return ReformScore(
        law_before=_in_words(before, "present"),
        law_after=_in_words(after, "reform"),
        effects=effects,
        deciles=measures.by_group(answer, tenths(people.income, people.weight) + 1).rename_axis("decile"),
        groups=_by_columns(people, measures, answer, by),
        by_elasticity=by_elasticity,
        implied=_implied(people, answer, e),
        revenue=revenue,
        shift=shift,
        elasticity=mean,
        units=float(people.weight.sum()),
        records=people.weight.size,
        currency=currency,
        notes=notes,
        provenance=record(
            options={"elasticity": _plain(elasticity), "revenue": revenue, "shift": shift},
            inputs={"income": people.income, "weight": people.weight, "taxable": people.taxable},
        ),
    )


class _Measures:
    """What is measured of an answer, by name, on the same people and with the same lines."""

    def __init__(
        self,
        people: TaxUnits,
        answer: Answer,
        revenue: str,
        members: str | None,
        line: float | None,
        actual: bool,
    ) -> None:
        self.people, self.weight, self.revenue = people, people.weight, revenue
        self.total = float(people.weight.sum())
        self.scale = np.ones(people.weight.size)
        if members is not None:
            self.scale = np.sqrt(np.maximum(people.frame[members].to_numpy(dtype=np.float64), 1.0))
        other = (
            people.frame["payroll_tax"].to_numpy(np.float64)
            if actual and "payroll_tax" in people.frame
            else 0.0
        )
        self.now = people.income - answer.before - other
        median = float(person_quantile(self.now / self.scale, [0.5], self.weight)[0])
        self.line = median / 2.0 if line is None else check_number("poverty_line", line, above=0)

    def lump_sum(self, answer: Answer) -> float:
        """Return what each unit gets back."""
        if self.revenue == "requirement":
            return 0.0
        return float(self.weight @ (answer.tax - answer.before + answer.other)) / self.total

    def values(self, answer: Answer) -> pd.DataFrame:
        """Return each measure before and after."""
        w, people = self.weight, self.people
        earned = answer.taxable - people.taxable
        then = self.now + earned - (answer.tax - answer.before) - answer.other + self.lump_sum(answer)
        pairs = {
            STATIC: (w @ answer.before / 1e9, w @ answer.static / 1e9),
            BEHAVIOURAL: (w @ answer.before / 1e9, w @ answer.tax / 1e9),
            OTHER: (0.0, w @ answer.other / 1e9),
            PER_UNIT: (w @ answer.before / self.total, w @ answer.tax / self.total),
            "taxable income, bn": (w @ people.taxable / 1e9, w @ answer.taxable / 1e9),
            "marginal rate, mean": (w @ answer.rate_before / self.total, w @ answer.rate / self.total),
            "labour supply, taxable income of today = 1": (1.0, w @ answer.taxable / (w @ people.taxable)),
            "Gini of income after tax": (gini(self.now / self.scale, w), gini(then / self.scale, w)),
            f"share below {self.line:,.0f} after tax": (
                poverty_rate(self.now / self.scale, w, self.line),
                poverty_rate(then / self.scale, w, self.line),
            ),
            "gain, mean": (0.0, w @ (answer.gain + self.lump_sum(answer)) / self.total),
        }
        frame = pd.DataFrame(pairs, index=["before", "after"]).T.astype(np.float64)
        return frame.rename_axis("measure")

    def by_group(self, answer: Answer, group: AnyArray) -> pd.DataFrame:
        """Return means by group, (groups, 8), of those who are there."""
        gain = answer.gain + self.lump_sum(answer)
        held = pd.DataFrame(
            {
                "income": self.people.income,
                "tax_change": answer.static - answer.before,
                "gain": gain,
                "gainers": gain > NOTICED,
                "losers": gain < -NOTICED,
                "rate_before": answer.rate_before,
                "rate_after": answer.rate,
                "earnings": answer.taxable - self.people.taxable,
            }
        ).mul(self.weight, axis=0)
        sums = held.groupby(group, observed=True).sum()
        return sums.div(pd.Series(self.weight).groupby(group, observed=True).sum(), axis=0)


def _by_columns(people: TaxUnits, measures: _Measures, answer: Answer, by: Sequence[str]) -> pd.DataFrame:
    parts = []
    for column in by:
        if column not in people.frame:
            raise DataError(
                f"by={column!r} is no column of the units; name some of {list(people.frame.columns)[:12]}"
            )
        part = measures.by_group(answer, people.frame[column].astype(str).to_numpy())
        part.insert(0, "level", part.index.astype(str))
        part.insert(0, "group", column)
        parts.append(part.reset_index(drop=True))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _shifted(law: Law, points: float) -> Law:
    """Return a law with all its rates moved by the same points."""
    if points == 0.0:
        return law
    if isinstance(law, ActualLaw):
        return law.with_rates(np.clip(law.rates + points, 0.0, 0.99))
    if isinstance(law, TaxSchedule):
        return TaxSchedule(law.edges, np.clip(law.rates + points, 0.0, 1.0))
    return {
        status: TaxSchedule(one.edges, np.clip(one.rates + points, 0.0, 1.0)) for status, one in law.items()
    }


def _neutral_shift(people: TaxUnits, before: Law, after: Law, e: FloatArray) -> float:
    """Return the points that make the reform raise what the present law does."""

    def raised(points: float) -> float:
        answer = answer_to(people, before, _shifted(after, points), e)
        return float(people.weight @ (answer.tax - answer.before + answer.other))

    scale = float(people.weight @ people.taxable)
    at_zero = raised(0.0)
    if abs(at_zero) < 1e-9 * scale:
        return 0.0
    if isinstance(after, ActualLaw):
        return _secant(raised, at_zero, scale)
    # Beyond the peak of revenue higher rates raise less: the nearest change of sign from 0 is meant.
    end = 0.0
    step = -0.01 if at_zero > 0 else 0.01
    while abs(end) < SHIFT:
        start, end = end, end + step
        if raised(end) * at_zero <= 0.0:
            return float(brentq(raised, start, end, xtol=1e-12))
    raise DataError(_NO_SHIFT)


_NO_SHIFT = (
    f"no change of all rates by up to {SHIFT:g} makes the reform raise what the present law raises: higher rates "
    "lose more income than they take. Make the reform smaller, or use revenue='rebate'"
)


def _secant(raised: Callable[[float], float], at_zero: float, scale: float) -> float:
    """Return a root by few evaluations, each a run of Tax-Calculator."""
    last, value_last = 0.0, at_zero
    point = -at_zero / (0.7 * scale)
    for _ in range(6):
        point = round(point, 6)
        value = raised(point)
        if abs(value) < 1e-5 * scale or value == value_last:
            break
        slope = (value - value_last) / (point - last)
        last, value_last, point = point, value, point - value / slope
        if abs(point) > SHIFT:
            raise DataError(_NO_SHIFT)
    if abs(value) >= 1e-5 * scale:
        raise DataError(_NO_SHIFT)
    return point


def _check_requirement(
    people: TaxUnits, answer: Answer, revenue: str, requirement: float, currency: str
) -> None:
    if revenue != "requirement":
        raise DataError(f"requirement goes with revenue='requirement', not with {revenue!r}")
    needed = check_number("requirement", requirement, least=0)
    raised = float(people.weight @ answer.tax)
    if raised < needed:
        raise DataError(
            f"the reform raises {raised / 1e9:,.1f} bn {currency}, {(needed - raised) / 1e9:,.1f} bn less than the "
            "requirement; raise its rates, ask for less, or use revenue='neutral'"
        )


def _implied(people: TaxUnits, answer: Answer, e: FloatArray) -> pd.DataFrame:
    earns = (people.taxable > 0.0) & (people.weight > 0.0) & (answer.rate_before < 1.0)
    if earns.sum() < 100:
        return pd.DataFrame({"income": [], "marginal_rate": [], "implied_weight": []}, dtype=np.float64)
    return implied_weights(people.taxable[earns], answer.rate_before[earns], people.weight[earns], e[earns])


def _notes(people: TaxUnits, before: Law, answer: Answer) -> tuple[str, ...]:
    left_out = "savings, migration, taking part in work, bargaining, and what firms and prices answer"
    if isinstance(before, ActualLaw):
        first = (
            f"Left out: state taxes, most capital gains (the survey lacks them), {left_out}. Other taxes are payroll "
            "taxes, as if all taxable income that answers were wages."
        )
    else:
        first = f"Left out: credits, minimum tax and all that is no bracket of the schedule, {left_out}."
    stuck = int(((people.taxable > 0.0) & ((answer.rate_before >= 1.0) | (answer.rate >= 1.0))).sum())
    told = [f"{stuck:,} records keep their income: a further unit is taxed away whole."] if stuck else []
    return (first, "Ranges are over elasticities; the error of the survey is not in them.", *told)


def _in_words(law: Law, otherwise: str) -> str:
    return law.name if isinstance(law, ActualLaw) else f"{otherwise} schedule"


def _plain(elasticity: Elasticity) -> object:
    return elasticity if not isinstance(elasticity, Mapping) else {str(k): v for k, v in elasticity.items()}
