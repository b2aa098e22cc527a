"""Tax schedules: marginal rates by bracket of annual income."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from fisc.core import DataError, Record, check_array, check_number, check_option
from fisc.core.arrays import FloatArray
from fisc.core.result import LATER
from fisc.data import load_tax_schedules
from fisc.data.taxes import FilingStatus
from fisc.economist.arrays import checked_array
from fisc.economist.plots import plot_schedules

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TaxSchedule"]


@dataclass(frozen=True, eq=False, repr=False)
class TaxSchedule(Record):
    r"""A piecewise-linear income tax: a marginal rate for each bracket.

    The tax on annual income :math:`z` is :math:`T(z) = \sum_k \tau_k \max(0, \min(z, b_{k+1}) - b_k)`
    with edges :math:`b_0 = 0 < b_1 < \dots` and :math:`b_K = \infty`. There is no deduction and no
    credit unless the schedule itself holds a bracket with rate 0.

    Parameters
    ----------
    edges : array_like, shape (K,)
        Lower edge of each bracket, annual income, strictly increasing, the first one 0.
    rates : array_like, shape (K,)
        Marginal rate of each bracket, a fraction between 0 and 1 (not a percentage).
    lowest : float
        Smallest rate that is allowed, in [-1, 0]: below 0 for credits that grow with earnings.

    Raises
    ------
    DataError
        If edges are not increasing from 0, rates leave [lowest, 1], or the lengths disagree.

    Examples
    --------
    >>> schedule = TaxSchedule([0, 10_000], [0.1, 0.5])
    >>> schedule.tax(12_000.0)
    2000.0
    >>> schedule.marginal_rate([5_000, 10_000])
    array([0.1, 0.5])
    """

    edges: FloatArray
    rates: FloatArray
    lowest: float = field(default=0.0, metadata=LATER)

    def __init__(self, edges: npt.ArrayLike, rates: npt.ArrayLike, *, lowest: float = 0.0) -> None:
        lowest = check_number("lowest", lowest, least=-1, most=0) + 0.0  # -0 too
        edges_ = checked_array("edges", edges, what="the lower edges of the brackets (the last one is open)")
        rates_ = checked_array("rates", rates, what="marginal rates between 0 and 1")
        if edges_.size == 0:
            raise DataError("edges is empty; a flat tax has edges=[0]")
        if edges_[0] != 0.0:
            raise DataError(
                f"edges must start at 0, got {edges_[0]:g}; put a bracket from 0 with its own rate"
            )
        falls = np.flatnonzero(np.diff(edges_) <= 0.0)
        if falls.size:
            k = int(falls[0])
            fault = "repeats" if edges_[k + 1] == edges_[k] else "is followed by the smaller"
            tail = "" if edges_[k + 1] == edges_[k] else f" {edges_[k + 1]:g}"
            raise DataError(
                f"edges must increase: {edges_[k]:g} {fault}{tail} at position {k + 1}; sort them"
            )
        if rates_.size != edges_.size:
            raise DataError(
                f"{edges_.size} edges but {rates_.size} rates; give one rate for each lower edge "
                "(the last bracket is open: leave infinity out)"
            )
        outside = np.flatnonzero((rates_ < lowest) | (rates_ > 1.0))
        if outside.size:
            hint = "; rates are fractions, divide percentages by 100" if rates_.max() > 1.5 else ""
            if not hint and -1.0 <= rates_[outside[0]] < 0.0:
                hint = "; credits on earnings need lowest, the smallest rate that is allowed"
            raise DataError(
                f"rates must lie in [{lowest:g}, 1], got {rates_[outside[0]]:g} in bracket {outside[0] + 1}{hint}"
            )
        edges_.flags.writeable = False
        rates_.flags.writeable = False
        object.__setattr__(self, "edges", edges_)
        object.__setattr__(self, "rates", rates_)
        object.__setattr__(self, "lowest", lowest)

    @classmethod
    def us_federal(
        cls, year: int = 2024, status: FilingStatus = "single", *, standard_deduction: bool = False
    ) -> TaxSchedule:
        """Return the United States federal income tax of one filing status.

        Parameters
        ----------
        year : int
            Tax year, 2013 or later; those of `fisc.data.load_tax_schedules`.
        status : str
            ``"single"``, ``"married_joint"``, ``"married_separate"``, ``"head_of_household"`` or
            ``"widowed"``.
        standard_deduction : bool
            If true, income below the standard deduction is untaxed and the edges move up by it.
            The comparisons of the source paper leave it out, and so does the default.

        Returns
        -------
        TaxSchedule

        Raises
        ------
        OptionError
            If the year or the status is not one of those known.

        Notes
        -----
        Left out: credits, payroll tax, capital gains, state tax.

        Examples
        --------
        >>> TaxSchedule.us_federal(2024).tax(50_000.0)
        6053.0
        >>> TaxSchedule.us_federal(2024, "married_joint").tax(50_000.0)
        5536.0
        """
        table = load_tax_schedules(status=status)
        check_option("year", year, sorted(int(y) for y in table["year"].unique()))
        rows = table[table["year"] == year]
        edges = rows["lower_edge_usd"].to_numpy(dtype=np.float64)
        rates = rows["rate"].to_numpy(dtype=np.float64)
        if standard_deduction:
            allowance = float(rows["standard_deduction_usd"].iloc[0])
            edges = np.concatenate([[0.0], edges + allowance])
            rates = np.concatenate([[0.0], rates])
        return cls(edges, rates)

    @classmethod
    def flat(cls, rate: float, edges: npt.ArrayLike = (0.0,)) -> TaxSchedule:
        """Return a schedule with the same `rate` in every bracket of `edges`.

        Examples
        --------
        >>> TaxSchedule.flat(0.3).tax(1000.0)
        300.0
        """
        lower = checked_array("edges", edges, what="the lower edges of the brackets")
        return cls(lower, np.full(lower.size, check_number("rate", rate, least=0, most=1)))

    @cached_property
    def tax_at_edges(self) -> FloatArray:
        """Tax due at each lower edge, shape (K,)."""
        return np.concatenate([[0.0], np.cumsum(self.rates[:-1] * np.diff(self.edges))])

    @property
    def brackets(self) -> int:
        """Number of brackets K."""
        return int(self.edges.size)

    def with_rates(self, rates: npt.ArrayLike) -> TaxSchedule:
        """Return a schedule with the same edges and other rates."""
        return TaxSchedule(self.edges, rates, lowest=self.lowest)

    @overload
    def tax(self, income: float) -> float: ...
    @overload
    def tax(self, income: FloatArray | Sequence[float]) -> FloatArray: ...
    def tax(self, income: float | FloatArray | Sequence[float]) -> float | FloatArray:
        """Return the tax due on annual income.

        Parameters
        ----------
        income : float or array_like, shape (n,)
            Annual pre-tax income, not negative.

        Returns
        -------
        float or ndarray, shape (n,)
        """
        z, scalar = self._income(income)
        k = self._bracket(z)
        due = self.tax_at_edges[k] + self.rates[k] * (z - self.edges[k])
        return float(due[0]) if scalar else due

    @overload
    def marginal_rate(self, income: float) -> float: ...
    @overload
    def marginal_rate(self, income: FloatArray | Sequence[float]) -> FloatArray: ...
    def marginal_rate(self, income: float | FloatArray | Sequence[float]) -> float | FloatArray:
        """Return the rate on the next unit of income (at an edge: that of the upper bracket)."""
        z, scalar = self._income(income)
        rate = self.rates[self._bracket(z)]
        return float(rate[0]) if scalar else rate

    @overload
    def effective_rate(self, income: float) -> float: ...
    @overload
    def effective_rate(self, income: FloatArray | Sequence[float]) -> FloatArray: ...
    def effective_rate(self, income: float | FloatArray | Sequence[float]) -> float | FloatArray:
        """Return tax divided by income (at income 0: the first bracket's rate, its limit)."""
        z, scalar = self._income(income)
        due = np.asarray(self.tax(z), dtype=np.float64)
        rate = np.divide(due, z, out=np.full_like(z, self.rates[0]), where=z > 0.0)
        return float(rate[0]) if scalar else rate

    def _income(self, income: float | FloatArray | Sequence[float]) -> tuple[FloatArray, bool]:
        given = check_array("income", income, what="annual incomes", missing=True)
        scalar = given.ndim == 0
        z = checked_array("income", np.atleast_1d(given), what="annual incomes")
        if z.size and z.min() < 0.0:
            raise DataError(f"income must not be negative, got {z.min():g}; this schedule has no losses")
        return z, scalar

    def _bracket(self, income: FloatArray) -> npt.NDArray[np.intp]:
        return np.searchsorted(self.edges, income, side="right") - 1

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TaxSchedule)
            and np.array_equal(self.edges, other.edges)
            and np.array_equal(self.rates, other.rates)
        )

    def __hash__(self) -> int:
        return hash((self.edges.tobytes(), self.rates.tobytes()))

    def __repr__(self) -> str:
        rates = ", ".join(f"{r:.4g}" for r in self.rates)
        edges = ", ".join(f"{b:.10g}" for b in self.edges)
        return f"TaxSchedule(edges=[{edges}], rates=[{rates}])"

    def summary(self) -> str:
        """Return a line for each bracket: its income range, marginal rate and tax due at its lower edge."""
        upper = [f"{b:,.0f}" for b in self.edges[1:]] + ["and more"]
        rows = zip(self.edges, upper, self.rates, self.tax_at_edges, strict=True)
        return "\n".join(
            f"{low:>12,.0f} - {high:>12}  {100 * rate:6.2f} %   tax at lower edge {due:>12,.0f}"
            for low, high, rate, due in rows
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each bracket: lower_edge, upper_edge, rate, tax_at_edge."""
        upper = np.concatenate([self.edges[1:], [np.inf]])
        columns = {"lower_edge": self.edges, "upper_edge": upper, "rate": self.rates}
        return pd.DataFrame({**columns, "tax_at_edge": self.tax_at_edges})

    def plot(self, ax: Axes | None = None, *, label: str = "") -> Axes:
        """Draw marginal and effective rates by annual income; see `fisc.economist.plots`."""
        return plot_schedules({label or "schedule": self}, ax=ax)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
