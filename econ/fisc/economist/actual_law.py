"""The tax law of a country as it is, credits and payroll tax included: what each tax unit pays and faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fisc.core import DataError, check_array
from fisc.core.arrays import FloatArray
from fisc.data import load_tax_schedules, load_tax_units

__all__ = ["ActualLaw"]

#: Names of the seven rates in Tax-Calculator.
RATES = tuple(f"II_rt{k}" for k in range(1, 8))


@dataclass(frozen=True, eq=False)
class ActualLaw:
    """What each of a country's tax units pays under a law, and on a further dollar of wages.

    Attributes
    ----------
    name : str
        The law in words.
    year : int
        Tax year.
    reform : dict
        Parameters of Tax-Calculator that differ from the law in force.
    units : DataFrame
        A row for each tax unit; columns as of `fisc.data.load_tax_units`.
    """

    name: str
    year: int
    reform: dict[str, object]
    units: pd.DataFrame

    @classmethod
    def us(
        cls,
        year: int = 2024,
        reform: Mapping[str, object] | None = None,
        *,
        rates: Sequence[float] | None = None,
    ) -> ActualLaw:
        """Return the federal income and payroll tax of the United States, by Tax-Calculator.

        Parameters
        ----------
        year : int
            From 2014; see `fisc.data.load_tax_units`.
        reform : mapping, optional
            Parameters of Tax-Calculator that differ from the law in force from that year on.
        rates : sequence of float, optional
            The seven marginal rates instead of those in force, fractions; shorthand for a reform.

        Returns
        -------
        ActualLaw

        Raises
        ------
        DataError
            If `rates` are not seven fractions, or the year is not covered.
        MissingExtraError
            If Tax-Calculator is not installed (the extra ``us``).

        Examples
        --------
        >>> law = ActualLaw.us(2024)                                        # doctest: +SKIP
        >>> round(float(law.marginal_rate.mean()), 2)                       # doctest: +SKIP
        0.25
        """
        changed = dict(reform or {})
        if rates is not None:
            changed |= dict(zip(RATES, _seven(rates), strict=True))
        units = load_tax_units(year, changed or None)
        return cls(f"US law of {year}" + (", reformed" if changed else ""), int(year), changed, units)

    @property
    def rates(self) -> FloatArray:
        """The seven marginal rates, shape (7,)."""
        law = load_tax_schedules(min(self.year, 2026))["rate"].to_numpy(dtype=np.float64)
        return np.array(
            [self.reform.get(name, rate) for name, rate in zip(RATES, law, strict=True)], dtype=np.float64
        )

    @property
    def marginal_rate(self) -> FloatArray:
        """Income and payroll tax on a further dollar of wages, shape (n,)."""
        return self.units["marginal_rate"].to_numpy()

    @property
    def average_rate(self) -> FloatArray:
        """Income and payroll tax by income, shape (n,); 0 where there is no income."""
        return self.units["average_rate"].to_numpy()

    def static_change(self, after: ActualLaw) -> pd.DataFrame:
        """Return where the static change of the income tax comes from, billions a year, shape (5, 1).

        The seven rates alone; income with rates of its own, which takes its tax along; credits, which can use
        up more of a higher tax; the alternative minimum tax; and the sum, Tax-Calculator's own score.
        """
        weight = self.units["weight"]

        def change(column: str) -> float:
            return float((weight * (after.units[column] - self.units[column])).sum() / 1e9)

        rates, minimum, total = change("scheduled_tax"), change("minimum_tax"), change("income_tax")
        credits = -change("nonrefundable_credits") - change("refundable_credits")
        parts = {
            "the seven rates on all taxable income": rates,
            "dividends and gains with rates of their own": total - rates - minimum - credits,
            "credits": credits,
            "alternative minimum tax": minimum,
            "Tax-Calculator's static score": total,
        }
        return pd.DataFrame({"change_bn": parts}).rename_axis("part")

    def with_rates(self, rates: Sequence[float] | FloatArray) -> ActualLaw:
        """Return the same law with seven other rates."""
        return ActualLaw.us(self.year, self.reform, rates=list(rates))


def _seven(rates: Sequence[float]) -> list[float]:
    given = check_array("rates", rates, what="seven marginal rates")
    if given.shape != (len(RATES),) or not ((given >= 0.0) & (given < 1.0)).all():
        raise DataError(
            f"rates must be seven fractions from 0 to below 1, lowest bracket first, got {list(rates)!r:.90}"
        )
    return [float(rate) for rate in given]
