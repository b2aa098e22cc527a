"""What a reform of the tax does to revenue and to people, in tables, words and pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from fisc.core import Provenance
from fisc.core.labels import label
from fisc.economist.plots import plot_gains
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BEHAVIOURAL", "NOTICED", "OTHER", "PER_UNIT", "STATIC", "ReformScore"]


#: Change of money a year that counts as a gain or a loss.
NOTICED = 1.0

STATIC = "revenue of the income tax, static, bn"
BEHAVIOURAL = "revenue of the income tax, bn"
OTHER = "revenue of other taxes, bn"
PER_UNIT = "revenue of the income tax per unit"


@dataclass(frozen=True, eq=False)
class ReformScore(Result):
    """What a reform does to revenue and to people, by weight.

    Attributes
    ----------
    law_before, law_after : str
        The laws in words.
    effects : DataFrame
        A row for each measure; columns ``before``, ``after``, ``change``, and ``low`` and ``high``, the
        range of the change over elasticities.
    deciles : DataFrame
        A row for each tenth by income: means of ``income``, of the static ``tax_change``, of ``gain`` (what
        people would pay for the reform, money a year), shares of ``gainers`` and ``losers``, mean marginal
        rates ``rate_before`` and ``rate_after``, and ``earnings``, the change of taxable income.
    groups : DataFrame
        The same by ``group`` and ``level``.
    by_elasticity : DataFrame
        A row for each elasticity: revenue with behaviour and its change, billions.
    implied : DataFrame
        Welfare weights under which the present law would be the best; see
        `fisc.economist.distribution.implied_weights`.
    shift : float
        Added to every rate of the reform to make it neutral; 0 otherwise.
    units, records : float, int
        Tax units, and records that stand for them.
    """

    law_before: str
    law_after: str
    effects: pd.DataFrame
    deciles: pd.DataFrame
    groups: pd.DataFrame
    by_elasticity: pd.DataFrame
    implied: pd.DataFrame
    revenue: str
    shift: float
    elasticity: float
    units: float
    records: int
    currency: str
    notes: tuple[str, ...]
    provenance: Provenance = field(compare=False)

    @property
    def static_change(self) -> float:
        """Change of the income tax at today's incomes, in billions a year."""
        return float(self.effects["change"][STATIC])

    @property
    def behavioural_change(self) -> float:
        """Change of the income tax once people have answered, in billions a year."""
        return float(self.effects["change"][BEHAVIOURAL])

    def headline(self) -> str:
        """Return revenue and its range in one sentence."""
        low, high = (float(self.effects[end][BEHAVIOURAL]) for end in ("low", "high"))
        verb = "raises" if self.static_change >= 0 else "costs"
        return (
            f"The reform {verb} {abs(self.static_change):,.1f} bn {self.currency} a year if nobody changes what "
            f"they earn, and {_signed(self.behavioural_change)} bn once they do ({_signed(low)} to "
            f"{_signed(high)} bn over elasticities {self.by_elasticity.index.min():g} to "
            f"{self.by_elasticity.index.max():g})."
        )

    def who_gains(self) -> str:
        """Return the shares of winners and losers in one sentence."""
        gainers, losers = (float(self.deciles[name].mean()) for name in ("gainers", "losers"))
        return f"{gainers:.0%} of tax units gain, {losers:.0%} lose."

    def summary(self) -> str:
        """Return revenue, its range and who gains in two sentences."""
        return f"{self.headline()} {self.who_gains()}"

    def to_frame(self) -> pd.DataFrame:
        """Return `effects`."""
        return self.effects

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw mean gains by tenth of income."""
        return plot_gains({"reform": self.deciles["gain"].to_numpy()}, ax)

    def section(self) -> Section:
        """Return everything as one section of a report."""
        first, *rest = self.sections()
        figures = [figure for part in (first, *rest) for figure in part.figures]
        tables = [table for part in (first, *rest) for table in part.tables]
        return Section(
            first.title,
            question=first.question,
            finding=self.summary(),
            body=first.body,
            figures=figures,
            tables=tables,
            notes=self.notes,
            provenance=self.provenance,
        )

    def sections(self) -> list[Section]:
        """Return revenue, who gains, and what the present law implies as sections of their own."""
        shown = self.effects.map(_shown)
        shown["range"] = shown["low"] + " to " + shown["high"]
        effects = shown[["before", "after", "change", "range"]].reset_index()
        shares = [label(name).name for name in ("gainers", "losers", "rate_before", "rate_after")]
        money = [label(name).name for name in ("income", "tax_change", "gain", "earnings")]
        decimals = dict.fromkeys(money, 0) | dict.fromkeys(shares, 1)
        return [
            Section(
                "What the reform changes",
                question="What does the reform do to revenue, and to whom?",
                finding=self.headline(),
                body=(
                    f"{self.records:,} records stand for {self.units / 1e6:,.1f} million tax units. The static "
                    "figures leave incomes as they are; the others let taxable income answer the rate on a further "
                    f"unit of it, with an elasticity of {self.elasticity:g} on average. {_RETURNED[self.revenue]}"
                ),
                tables=[
                    Table(
                        effects, index=False, caption=f"Money in {self.currency}; range over elasticities."
                    ),
                    Table(self.by_elasticity, decimals=1, caption="Income tax by elasticity, bn a year."),
                ],
                notes=list(self.notes),
                provenance=self.provenance,
            ),
            Section(
                "Who gains",
                question="Who gains and who loses?",
                finding=self.who_gains(),
                figures=[
                    Figure.from_matplotlib(
                        self.plot(),
                        caption="Mean gain or loss by tenth of income.",
                        alt="Bars of gain by tenth of income.",
                    )
                ],
                tables=[
                    Table(
                        _worded(self.deciles),
                        percent=shares,
                        decimals=decimals,
                        caption=f"By tenth of income, poorest first, means in {self.currency} a year.",
                    ),
                    *(
                        [
                            Table(
                                _worded(self.groups),
                                index=False,
                                percent=shares,
                                decimals=decimals,
                                caption="By group.",
                            )
                        ]
                        if len(self.groups)
                        else []
                    ),
                ],
                notes=[
                    "A gain is what the reform is worth to a unit in money: income after tax and any lump sum, less "
                    f"the worth of further work. Changes below {NOTICED:g} {self.currency} count as neither."
                ],
            ),
            Section(
                "What the present law says about whom it serves",
                question="For which weights on people would the present law be the best?",
                finding=_implied_finding(self.implied),
                tables=[
                    Table(
                        _worded(self.implied),
                        percent=[label("marginal_rate").name],
                        decimals={label(name).name: d for name, d in _IMPLIED.items()},
                        caption="Weight of a unit of money by group of equal size; 1 on average.",
                    )
                ],
                notes=["At the elasticity above, without a margin of taking part in work."],
            ),
        ]


_RETURNED = {
    "rebate": "What the reform raises returns, and what it costs is borne, as an equal lump sum for each unit.",
    "requirement": "The treasury keeps what the reform raises and bears what it costs.",
    "neutral": "All rates of the reform move by the same points so that total revenue stays what it is.",
}


def _implied_finding(implied: pd.DataFrame) -> str:
    if implied.empty:
        return "There are too few records to tell."
    weights = implied["implied_weight"]
    return (
        f"A unit of money counts {weights.iloc[0]:.2f} in the lowest group of taxable income and "
        f"{weights.iloc[-1]:.2f} in the highest, where everybody's counts 1 on average."
    )


_IMPLIED = {"income": 0, "marginal_rate": 1, "implied_weight": 2}


def _worded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table under the names of its columns in print."""
    return frame.rename(columns=lambda column: label(column).name)


def _signed(value: float) -> str:
    return f"{value:+,.1f}".replace("-", "−")


def _shown(value: float) -> str:
    digits = (
        f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:.4g}"
    )
    return digits.replace("-", "−")
