"""What a simulation found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fisc.core import DataError, Provenance, fingerprint
from fisc.core.arrays import FloatArray
from fisc.economist.criteria import gap_closed
from fisc.economist.elections import Election
from fisc.economist.optimum import Optimum
from fisc.economist.options import Status
from fisc.economist.plots import plot_ledger, plot_progress
from fisc.economist.response import Outcome
from fisc.economist.schedule import TaxSchedule
from fisc.llm import Ledger
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fisc.report import Section

__all__ = ["SimulationResult"]

_SERIES = ("welfare", "mean_income", "mean_hours", "rebate", "not_working", "satisfied")


@dataclass(frozen=True, eq=False)
class SimulationResult(Result):
    """Every year of a simulation, and its last step in full.

    Attributes
    ----------
    config : dict
        What was run.
    schedule, rates
        Schedule of the last year, and the rates of each year, shape (Y, K).
    welfare, mean_income, mean_hours, rebate, not_working, satisfied : ndarray, shape (Y,)
        The planner's criterion; means per head; shares.
    elections : tuple of Election
    skill : ndarray, shape (n,)
        Income per weekly hour.
    outcome : Outcome
        Last step.
    us_welfare : float
        Welfare under US law 2024 when all workers answer exactly.
    optimum : Optimum or None
        If the configuration asked for it.
    ledger : dict or None
        Requests, tokens, cost, failures and fallbacks of language models.
    status : {"done", "stopped"}
    fault : str
        Why it stopped.
    provenance : Provenance
    """

    config: dict[str, object]
    schedule: TaxSchedule
    rates: FloatArray
    welfare: FloatArray
    mean_income: FloatArray
    mean_hours: FloatArray
    rebate: FloatArray
    not_working: FloatArray
    satisfied: FloatArray
    elections: tuple[Election, ...]
    skill: FloatArray
    outcome: Outcome
    us_welfare: float
    optimum: Optimum | None
    ledger: dict[str, object] | None
    status: Status
    fault: str
    provenance: Provenance = field(compare=False)

    @property
    def years(self) -> int:
        """Years that were run."""
        return int(self.welfare.size)

    @property
    def best_year(self) -> int:
        """Year of highest welfare, the first of equals."""
        return int(self.welfare.argmax())

    def state_fingerprint(self) -> str:
        """Return a hash of all numbers; two runs of one configuration agree in it, resumed or not."""
        last = self.outcome
        series = [getattr(self, name) for name in _SERIES]
        parts = [self.rates, *series, last.hours, last.income, last.tax, last.utility]
        elections = [election.to_dict() for election in self.elections]
        return fingerprint([[fingerprint(np.ascontiguousarray(part)) for part in parts], elections])

    def gap_closed(self) -> FloatArray:
        """Return the share of the gap from US law to the optimum that each year closes, shape (Y,).

        Raises
        ------
        DataError
            If the optimum was not asked for (``reference = true``).
        """
        if self.optimum is None:
            raise DataError("the optimum was not computed; set reference=True in the configuration")
        return gap_closed(self.welfare, self.us_welfare, self.optimum.welfare)

    def summary(self) -> str:
        """Return the result in a few lines."""
        lines = [
            f"{self.config['planner']} planner, {self.config['workers']} workers: {self.years} of "
            f"{self.config['years']} years, status {self.status}{': ' if self.fault else ''}{self.fault}",
            f"welfare ({self.config['criterion']}): first year {self.welfare[0]:,.6g}, best {self.welfare.max():,.6g} "
            f"(year {self.best_year}), last {self.welfare[-1]:,.6g}; US law {self.us_welfare:,.6g}",
        ]
        if self.optimum is not None:
            closed = self.gap_closed()
            lines.append(
                f"optimum {self.optimum.welfare:,.6g}; gap closed: best year {closed.max():.4f}, last {closed[-1]:.4f}"
            )
        if self.ledger is not None:
            lines.append("language model: " + Ledger.from_dict(self.ledger).summary())
        lines += [f"election {j + 1}: {election.summary()}" for j, election in enumerate(self.elections)]
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each year: welfare, means, shares and rates."""
        frame = pd.DataFrame({name: getattr(self, name) for name in _SERIES})
        for k in range(self.rates.shape[1]):
            frame[f"rate_{k + 1}"] = self.rates[:, k]
        frame.index.name = "year"
        return frame

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw welfare by year: as share of the gap closed where the optimum is known."""
        label = str(self.config["planner"])
        if self.optimum is not None:
            return plot_progress({label: self.gap_closed()}, ax=ax)
        return plot_progress({label: self.welfare}, ax=ax, start=self.us_welfare)

    def section(self) -> Section:
        """Return years, schedule and pictures as a section of a report."""
        figures = [
            Figure.from_matplotlib(
                self.plot(), caption="Welfare by tax year.", alt="Line of welfare over the years of the run"
            ),
            Figure.from_matplotlib(
                self.schedule.plot(label="last year"),
                caption="Schedule of the last year.",
                alt="Tax rates by income",
            ),
        ]
        if self.ledger is not None and (self.ledger["requests"] or self.ledger["cached"]):
            figures.append(
                Figure.from_matplotlib(
                    plot_ledger(self.ledger),
                    caption="What the language model was asked.",
                    alt="Bars of counts",
                )
            )
        return Section(
            f"Simulation: {self.config['planner']} planner, {self.config['workers']} workers",
            body="\n\n".join(self.summary().splitlines()),
            figures=tuple(figures),
            tables=(
                Table(
                    self.schedule.to_frame(),
                    caption="Schedule of the last year",
                    index=False,
                    decimals={"rate": 4},
                ),
            ),
            provenance=self.provenance,
        )
