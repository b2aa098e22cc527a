"""How far the law as it is, and a reform of it, are from the best schedule of income alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fisc.core import DataError, check_is
from fisc.core.arrays import FloatArray
from fisc.economist.actual_law import ActualLaw
from fisc.economist.arrays import person_mean
from fisc.economist.criteria import Criterion, criterion_of, gap_closed, welfare
from fisc.economist.optimum import Optimum, optimal_schedule
from fisc.economist.options import CriterionName
from fisc.economist.population import Workers
from fisc.economist.response import Outcome
from fisc.economist.schedule import TaxSchedule
from fisc.report import Result, Section, Table

__all__ = ["LawDistance", "distance_of_law"]

#: Income of a year below which a unit is left out: what little it earns tells nothing of what it could.
LOWEST = 1_000.0


@dataclass(frozen=True, eq=False)
class LawDistance(Result):
    """Welfare under the present law, under the reform, and under the best schedule on the law's brackets.

    `closed` is the share of the gap from the present law to the optimum that the reform closes; `covered`
    the share of tax units that take part.
    """

    law_before: str
    law_after: str
    optimum: Optimum
    welfare: dict[str, float]
    closed: float
    covered: float

    def summary(self) -> str:
        """Return the share of the gap that the reform closes."""
        if self.closed >= 0:
            return f"The reform closes {self.closed:.0%} of the gap between the present law and the optimum."
        return f"The reform moves away from the optimum: {self.closed:.0%} of the gap.".replace("-", "−")

    def to_frame(self) -> pd.DataFrame:
        """Return the welfare of each law."""
        return pd.DataFrame({"welfare": self.welfare})

    def section(self) -> Section:
        """Return welfare and the optimum's rates as a section of a report."""
        best = self.optimum.schedule
        rates = pd.DataFrame({"lower edge, USD": best.edges, "best rate": best.rates})
        name = self.optimum.criterion.replace("_", " ")
        return Section(
            "The optimum as a ceiling",
            question=f"How much of what any schedule on these brackets could gain does the reform gain ({name})?",
            finding=self.summary(),
            body=self.optimum.certificate.summary(),
            tables=[
                Table(
                    self.to_frame(), caption=f"Welfare by {name}, all revenue returned equally.", decimals=4
                ),
                Table(
                    rates, index=False, percent=["best rate"], decimals={"lower edge, USD": 0, "best rate": 1}
                ),
            ],
            notes=[
                f"Of the {self.covered:.0%} of tax units with an income of {LOWEST:,.0f} USD and more. Rates are those "
                "of all taxes together, on all income. The law also looks at children and filing status, which the "
                "optimum does not; the optimum knows everybody's earning power, which no government does."
            ],
            provenance=self.optimum.provenance,
        )


def distance_of_law(
    before: ActualLaw,
    after: ActualLaw,
    criterion: CriterionName | Criterion = "inverse_income",
    *,
    elasticity: float = 0.25,
    random_state: int = 0,
    restarts: int = 2,
) -> LawDistance:
    """Compare the actual law and a reform of it with the best schedule of income on the law's brackets.

    Parameters
    ----------
    before, after : ActualLaw
        Of the same year.
    criterion : str or Criterion
        See `fisc.economist.welfare`.
    elasticity : float
        Of income with respect to the net-of-tax rate.
    random_state, restarts : int
        As in `optimal_schedule`.

    Returns
    -------
    LawDistance

    Raises
    ------
    DataError
        If the laws are of different years, or the present law is as good as the optimum.

    Examples
    --------
    >>> rates = [0.0, 0.15, 0.25, 0.28, 0.35, 0.40, 0.45]
    >>> distance_of_law(ActualLaw.us(2024), ActualLaw.us(2024, rates=rates)).closed > 0  # doctest: +SKIP
    True
    """
    for name, law in (("before", before), ("after", after)):
        check_is(name, law, ActualLaw, how="make it with ActualLaw.us(year)")
    if before.year != after.year or len(before.units) != len(after.units):
        raise DataError(
            f"the laws are of {before.year} and {after.year}; give two of the same year and records"
        )
    rule = criterion_of(criterion)
    rates = before.marginal_rate, after.marginal_rate
    held = before.units["income"].to_numpy() >= LOWEST
    held &= (before.units["weight"].to_numpy() > 0.0) & (rates[0] < 1.0) & (rates[1] < 1.0)
    workers = Workers.from_frame(
        before.units[held],
        income="income",
        weight="weight",
        marginal_rate="marginal_rate",
        elasticity=elasticity,
    )
    income = before.units["income"].to_numpy()[held]
    keep = [1.0 - rate[held] for rate in rates]
    answered = income * (keep[1] / keep[0]) ** elasticity
    outcomes = {
        "present law": _outcome(workers, income, _taxes(before)[held]),
        "reform": _outcome(workers, answered, _taxes(after)[held] + (1.0 - keep[1]) * (answered - income)),
    }
    edges = TaxSchedule.us_federal(before.year).edges
    optimum = optimal_schedule(workers, edges, rule, random_state=random_state, restarts=restarts)
    value = {name: welfare(outcome, workers, rule) for name, outcome in outcomes.items()}
    value["optimum"] = optimum.welfare
    closed = float(gap_closed(value["reform"], value["present law"], value["optimum"]))
    covered = float(before.units["weight"][held].sum() / before.units["weight"].sum())
    return LawDistance(before.name, after.name, optimum, value, closed, covered)


def _taxes(law: ActualLaw) -> FloatArray:
    return np.asarray(law.units["income_tax"] + law.units["payroll_tax"], dtype=np.float64)


def _outcome(workers: Workers, income: FloatArray, tax: FloatArray) -> Outcome:
    """Return what follows where people earn `income` and pay `tax`, all of it returned equally, (n,) each."""
    hours = income / workers.skill
    rebate = person_mean(tax, workers.weights)
    utility = income - tax + rebate - workers.cost * hours**workers.delta
    return Outcome(hours, income, tax, rebate, utility, workers.weights)
