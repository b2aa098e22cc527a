"""Two schedules on one population: revenue, welfare, hours, who gains, and how far from the optimum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from fisc.core import DataError, Provenance, check_is, check_number, record, renamed
from fisc.core.arrays import FloatArray
from fisc.economist.arrays import mean_by_decile
from fisc.economist.criteria import Criterion, criterion_of, gap_closed, welfare
from fisc.economist.optimum import Optimum, optimal_schedule
from fisc.economist.options import CriterionName
from fisc.economist.plots import plot_gains, plot_schedules
from fisc.economist.population import Workers
from fisc.economist.response import Outcome, respond
from fisc.economist.schedule import TaxSchedule
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Ceiling", "Reform", "compare_schedules", "distance_to_optimum"]

REVENUE = "revenue per worker, USD"
_WELFARE = "welfare: "


@dataclass(frozen=True, eq=False)
class Reform(Result):
    """What a reform changes, once people answer with their hours.

    Attributes
    ----------
    effects : DataFrame
        A row for each measure (revenue, income, hours, share who do not work, welfare by criterion);
        columns ``before``, ``after``, ``change``, and the interval of the change, ``low`` and ``high``:
        NaN where there is one draw of the population.
    deciles : DataFrame
        A row for each tenth by skill, poorest first: ``income`` before, ``gain`` of utility in USD a
        year with ``low`` and ``high``, share of ``gainers``, change of weekly ``hours``.
    gainers : float
        Share of workers whose utility rises.
    draws : int
        Independent draws of the population.
    level : float
        Of the intervals.
    """

    before: TaxSchedule
    after: TaxSchedule
    effects: pd.DataFrame
    deciles: pd.DataFrame
    gainers: float
    draws: int
    level: float
    provenance: Provenance = field(compare=False)

    @property
    def better_by(self) -> list[str]:
        """Criteria by which welfare rises: with one draw at all, with several beyond chance."""
        sure = self.effects["change" if self.draws == 1 else "low"]
        return [
            str(name).removeprefix(_WELFARE).replace("_", " ")
            for name in self.effects.index
            if str(name).startswith(_WELFARE) and sure[name] > 0
        ]

    def summary(self) -> str:
        """Return revenue, welfare and who gains in two sentences."""
        change, low, high = (_number(self.effects[name][REVENUE]) for name in ("change", "low", "high"))
        interval = f" [{low}, {high}]" if self.draws > 1 else ""
        verdict = ", ".join(self.better_by) or "no criterion"
        about = f"{100 * self.level:g} % intervals over {self.draws} draws of the population"
        return (
            f"Revenue changes by {change} USD per worker{interval}; higher welfare by "
            f"{verdict}{f' ({about})' if self.draws > 1 else ''}. {self.gainers:.0%} of workers gain."
        )

    def to_frame(self) -> pd.DataFrame:
        """Return `effects`."""
        return self.effects

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw gains by decile, with intervals where there are several draws."""
        low, high = self.deciles["low"].to_numpy(), self.deciles["high"].to_numpy()
        intervals = {"reform": (low, high)} if self.draws > 1 else None
        return plot_gains({"reform": self.deciles["gain"].to_numpy()}, ax, intervals=intervals)

    def section(self) -> Section:
        """Return effects, gains and schedules as one section of a report."""
        parts = self.sections()
        return replace(
            parts[0],
            finding=self.summary(),
            figures=tuple(figure for part in parts for figure in part.figures),
            tables=tuple(table for part in parts for table in part.tables),
            notes=tuple(note for part in parts for note in part.notes),
        )

    def sections(self) -> list[Section]:
        """Return the effects, who gains, and the schedules as sections of their own."""
        return [self._effects_section(), self._gains_section(), self._schedules_section()]

    def _effects_section(self) -> Section:
        shown = self.effects.map(_number)
        frame = pd.DataFrame({name: shown[name] for name in ("before", "after", "change")})
        if self.draws > 1:
            frame[f"{100 * self.level:g} % interval"] = "[" + shown["low"] + ", " + shown["high"] + "]"
        frame.index = pd.Index([str(name).replace("_", " ") for name in frame.index], name="measure")
        return Section(
            "What the reform changes",
            question="What does the reform do to revenue and welfare, once people answer with their hours?",
            finding=self.summary().partition(". ")[0] + ".",
            body=(
                "Every worker chooses the hours that are best under each schedule, exactly. All revenue returns "
                "as an equal lump sum, so that revenue is also the rebate; nothing is left to buy public goods. "
                "Welfare is measured with weights fixed in advance: it cannot be raised by making people poor."
            ),
            tables=[Table(frame.reset_index(), index=False, caption="Means over draws.")],
            notes=[
                "Left out: savings, families, unemployment, migration, and the standard deduction. Edges apply "
                "to gross income."
            ],
            provenance=self.provenance,
        )

    def _gains_section(self) -> Section:
        names = {
            "income": "income before, USD",
            "gain": "mean gain, USD",
            "low": "interval, low",
            "high": "interval, high",
            "hours": "change of weekly hours",
        }
        unknown = ["low", "high"] if self.draws == 1 else []
        frame = self.deciles.reset_index().drop(columns=unknown).rename(columns=names)
        decimals = {name: 2 if name == names["hours"] else 0 for name in frame.columns[1:]}
        return Section(
            "Who gains",
            question="Who gains and who loses?",
            finding=f"{self.gainers:.0%} of workers gain; deciles below show how much.",
            figures=[
                Figure.from_matplotlib(
                    self.plot(),
                    caption="Mean gain or loss by decile of earning power, with intervals over draws.",
                    alt="Bars of gain by decile.",
                )
            ],
            tables=[
                Table(
                    frame,
                    index=False,
                    percent=["gainers"],
                    decimals=decimals,
                    caption="By decile of earning power (income per hour of work).",
                )
            ],
            notes=[
                "A gain is the change of utility in money: income after tax and rebate, less the cost of hours."
            ],
        )

    def _schedules_section(self) -> Section:
        return Section("The schedules", figures=[_rates_figure({"before": self.before, "after": self.after})])


@dataclass(frozen=True, eq=False)
class Ceiling(Result):
    """How far two schedules are from the best one on the brackets of the second.

    `welfare` holds that of ``before``, ``after`` and ``optimum``; `closed` is the share of the gap from
    `before` to the optimum that `after` closes, negative if it leads away.
    """

    before: TaxSchedule
    after: TaxSchedule
    optimum: Optimum
    welfare: dict[str, float]
    closed: float

    def summary(self) -> str:
        """Return the share of the gap that the reform closes."""
        if self.closed >= 0:
            return f"The reform closes {self.closed:.0%} of the gap between the present schedule and the optimum."
        return f"The reform moves away from the optimum: {self.closed:.0%} of the gap.".replace("-", "−")

    def to_frame(self) -> pd.DataFrame:
        """Return the welfare of each schedule."""
        return pd.DataFrame({"welfare": self.welfare})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the rates of all three schedules."""
        return plot_schedules(self._schedules(), ax)

    def _schedules(self) -> dict[str, TaxSchedule]:
        return {"before": self.before, "after": self.after, "optimum": self.optimum.schedule}

    def section(self) -> Section:
        """Return welfare, rates and the certificate of the optimum as a section of a report."""
        name = self.optimum.criterion.replace("_", " ")
        best = self.optimum.schedule
        rates = pd.DataFrame({"lower edge, USD": best.edges, "best rate": best.rates})
        decimals = {"lower edge, USD": 0, "best rate": 1}
        return Section(
            "The optimum as a ceiling",
            question=f"How much of what any schedule on these brackets could gain does the reform gain ({name})?",
            finding=self.summary(),
            body=self.optimum.certificate.summary(),
            figures=[_rates_figure(self._schedules())],
            tables=[
                Table(self.to_frame(), caption=f"Welfare by {name}.", decimals=4),
                Table(rates, index=False, percent=["best rate"], decimals=decimals),
            ],
            notes=[
                "The optimum knows everybody's earning power and cost of hours; no government does. It is a "
                "ceiling, not a proposal."
            ],
            provenance=self.optimum.provenance,
        )


def compare_schedules(
    workers: Workers | Sequence[Workers],
    before: TaxSchedule,
    after: TaxSchedule,
    *,
    criteria: Sequence[CriterionName | Criterion] = ("inverse_income", "log", "utilitarian", "rawls"),
    level: float = 0.95,
) -> Reform:
    """Compare two schedules, the workers answering each exactly.

    Parameters
    ----------
    workers : Workers or sequence of Workers
        The population, or independent draws of it: changes then get t intervals over the draws.
    before, after : TaxSchedule
        The present schedule and the reform.
    criteria : sequence of str or Criterion
        See `fisc.economist.welfare`.
    level : float
        Of the intervals, in (0, 1).

    Returns
    -------
    Reform

    Examples
    --------
    >>> draws = [Workers.sample(500, random_state=seed) for seed in range(3)]
    >>> reform = compare_schedules(draws, TaxSchedule.flat(0.1), TaxSchedule.flat(0.3))
    >>> row = reform.effects.loc["revenue per worker, USD"]
    >>> bool(row["low"] < row["change"] < row["high"]), reform.deciles["gain"].iloc[0] > 0
    (True, np.True_)
    """
    draws = [workers] if isinstance(workers, Workers) else list(workers)
    if not draws:
        raise DataError("there are no workers; give a population, or several draws of one")
    level = check_number("level", level, above=0, below=1)
    rules = [criterion_of(criterion) for criterion in criteria]
    pairs = [(respond(draw, before), respond(draw, after)) for draw in draws]
    measures = _measures(rules)
    values = np.array(
        [
            [[measure(outcome, draw) for outcome in pair] for measure in measures.values()]
            for draw, pair in zip(draws, pairs, strict=True)
        ]
    )  # (draws, measures, before and after)
    change, low, high = _interval(values[:, :, 1] - values[:, :, 0], level)
    effects = pd.DataFrame(
        {
            "before": values[:, :, 0].mean(axis=0),
            "after": values[:, :, 1].mean(axis=0),
            "change": change,
            "low": low,
            "high": high,
        },
        index=pd.Index(list(measures), name="measure"),
    )
    rises = [float(np.mean(new.utility > old.utility)) for old, new in pairs]
    return Reform(
        before=before,
        after=after,
        effects=effects,
        deciles=_by_decile(draws, pairs, level),
        gainers=float(np.mean(rises)),
        draws=len(draws),
        level=level,
        provenance=record(
            options={"criteria": [rule.name for rule in rules], "level": level},
            inputs={f"skill {j + 1}": draw.skill for j, draw in enumerate(draws)},
        ),
    )


@renamed(seed="random_state")
def distance_to_optimum(
    workers: Workers,
    before: TaxSchedule,
    after: TaxSchedule,
    criterion: CriterionName | Criterion = "inverse_income",
    *,
    random_state: int = 0,
    restarts: int = 2,
) -> Ceiling:
    """Compare a reform with the best schedule on its own brackets.

    Takes what `compare_schedules` and `optimal_schedule` take; the result tells how much of the way
    from `before` to the optimum `after` goes.

    Raises
    ------
    DataError
        If the present schedule is as good as the optimum, so that there is no gap.

    Examples
    --------
    >>> people = Workers.sample(100)
    >>> found = distance_to_optimum(people, TaxSchedule.flat(0.1), TaxSchedule.flat(0.4), restarts=1)
    >>> 0 < found.closed < 1
    True
    """
    check_is("workers", workers, Workers, how="build them with Workers(...) or Workers.sample(...)")
    check_is("after", after, TaxSchedule, how="build one with TaxSchedule(edges, rates)")
    rule = criterion_of(criterion)
    optimum = optimal_schedule(workers, after.edges, rule, random_state=random_state, restarts=restarts)
    schedules = {"before": before, "after": after, "optimum": optimum.schedule}
    value = {name: welfare(respond(workers, schedule), workers, rule) for name, schedule in schedules.items()}
    closed = float(gap_closed(value["after"], value["before"], value["optimum"]))
    return Ceiling(before, after, optimum, value, closed)


def _measures(rules: Sequence[Criterion]) -> dict[str, Callable[[Outcome, Workers], float]]:
    """Return what is compared, by name."""

    def social(rule: Criterion) -> Callable[[Outcome, Workers], float]:
        return lambda outcome, workers: welfare(outcome, workers, rule)

    return {
        REVENUE: lambda outcome, _: float(outcome.tax.mean()),
        "income per worker, USD": lambda outcome, _: float(outcome.income.mean()),
        "weekly hours": lambda outcome, _: float(outcome.hours.mean()),
        "share who do not work": lambda outcome, _: float((outcome.hours == 0).mean()),
        **{f"{_WELFARE}{rule.name}": social(rule) for rule in rules},
    }


def _interval(values: FloatArray, level: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the means over draws (D, ...) and the ends of their t intervals, NaN for one draw."""
    mean = values.mean(axis=0)
    if len(values) == 1:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    half = stats.t.ppf((1.0 + level) / 2.0, len(values) - 1) * error
    return mean, mean - half, mean + half


def _by_decile(
    draws: Sequence[Workers], pairs: Sequence[tuple[Outcome, Outcome]], level: float
) -> pd.DataFrame:
    """Return gains and losses in money by tenth of skill, means over draws."""

    def each(measure: Callable[[Outcome, Outcome], FloatArray]) -> FloatArray:
        return np.array(
            [
                mean_by_decile(measure(old, new), draw.skill)
                for draw, (old, new) in zip(draws, pairs, strict=True)
            ]
        )

    gain, low, high = _interval(each(lambda old, new: new.utility - old.utility), level)
    return pd.DataFrame(
        {
            "income": each(lambda old, new: old.income).mean(axis=0),
            "gain": gain,
            "low": low,
            "high": high,
            "gainers": each(lambda old, new: (new.utility > old.utility).astype(np.float64)).mean(axis=0),
            "hours": each(lambda old, new: new.hours - old.hours).mean(axis=0),
        },
        index=pd.RangeIndex(1, 11, name="decile"),
    )


def _rates_figure(schedules: dict[str, TaxSchedule]) -> Figure:
    return Figure.from_matplotlib(
        plot_schedules(schedules),
        caption="Marginal rates by annual income (solid) and effective rates (dashed).",
        alt="Curves of tax rates by income.",
    )


def _number(value: float) -> str:
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return digits.replace("-", "−")
