"""Side by side: US law, baselines, planners and the optimum on one population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from fisc.core import DataError, Provenance, check_option, check_seed, check_whole, record, renamed
from fisc.core.arrays import FloatArray
from fisc.economist.arrays import mean_by_decile, person_mean
from fisc.economist.baselines import baseline_schedules
from fisc.economist.config import ModelConfig, SimulationConfig
from fisc.economist.criteria import Criterion, criterion_of, gap_closed, welfare
from fisc.economist.evolution_search import Progress
from fisc.economist.optimum import Optimum, optimal_schedule
from fisc.economist.options import CriterionName, PlannerName
from fisc.economist.plots import (
    plot_gains,
    plot_hours_density,
    plot_income_density,
    plot_progress,
    plot_schedules,
)
from fisc.economist.population import Workers
from fisc.economist.response import Outcome, respond
from fisc.economist.schedule import TaxSchedule
from fisc.economist.simulation import Simulation
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, eq=False)
class Comparison(Result):
    """Schedules side by side, the workers answering each exactly.

    Attributes
    ----------
    schedules, welfare, outcomes : dict
        By name of the schedule; ``US 2024`` and ``optimum`` among them.
    progress : dict of str to ndarray, shape (Y,)
        Gap closed by year, for planners that learn; of the first seed.
    reached : dict of str to ndarray, shape (S,)
        Gap closed by the best year of each seed, for planners that learn.
    """

    criterion: str
    schedules: dict[str, TaxSchedule]
    welfare: dict[str, float]
    outcomes: dict[str, Outcome]
    progress: dict[str, FloatArray]
    reached: dict[str, FloatArray]
    skill: FloatArray
    optimum: Optimum
    provenance: Provenance = field(compare=False)

    def gap(self, name: str) -> float:
        """Return the share of the gap from US law to the optimum that a schedule closes."""
        return float(gap_closed(self.welfare[name], self.welfare["US 2024"], self.optimum.welfare))

    def gains(self, name: str) -> FloatArray:
        """Return the mean change of utility against US law by decile of skill, shape (10,)."""
        base = self.outcomes["US 2024"]
        return mean_by_decile(self.outcomes[name].utility - base.utility, self.skill, base.weights)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each schedule: welfare, gap closed, hours, income, rebate, who gains."""
        base = self.outcomes["US 2024"].utility
        rows = {}
        for name, outcome in self.outcomes.items():
            rows[name] = {
                "welfare": self.welfare[name],
                "gap_closed": self.gap(name),
                "mean_hours": outcome.mean("hours"),
                "mean_income": outcome.mean("income"),
                "rebate": outcome.rebate,
                "not_working": outcome.not_working,
                "share_who_gain": person_mean(outcome.utility > base + 1.0, outcome.weights),
            }
        frame = pd.DataFrame.from_dict(rows, orient="index")
        frame.index.name = "schedule"
        return frame

    def rates_frame(self) -> pd.DataFrame:
        """Return rates in per cent: a column for each bracket, a row for each schedule on the common ones."""
        edges = self.optimum.schedule.edges
        columns = [f"from {edge:,.0f}" for edge in edges]
        rows = {
            name: 100.0 * schedule.rates
            for name, schedule in self.schedules.items()
            if np.array_equal(schedule.edges, edges)
        }
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        frame.index.name = "schedule"
        return frame

    def summary(self) -> str:
        """Return a line for each schedule, best first."""
        order = sorted(self.welfare, key=lambda name: -self.welfare[name])
        lines = [
            f"{self.skill.size:,} workers, criterion {self.criterion}; share of the gap from US law to optimum"
        ]
        for name in order:
            outcome = self.outcomes[name]
            lines.append(
                f"{name:20s} gap closed {self.gap(name):8.4f}   hours {outcome.mean('hours'):5.1f}   "
                f"income {outcome.mean('income'):10,.0f}"
            )
        return "\n".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the schedules of US law, the planners, Saez and the optimum."""
        return plot_schedules({name: self.schedules[name] for name in self._main()}, ax=ax)

    def _main(self) -> list[str]:
        return ["US 2024", "optimum", "Saez, measured", *self.progress]

    def section(self) -> Section:
        """Return tables and pictures as a section of a report."""
        main = self._main()
        shown = [name for name in main if name != "US 2024"]
        figures = [
            Figure.from_matplotlib(
                self.plot(),
                caption="Marginal rates by annual income (solid) and effective rates (dashed).",
                alt="Tax rates by income under US law, the optimum, Saez and the planner",
            ),
            Figure.from_matplotlib(
                plot_gains({name: self.gains(name) for name in shown}),
                caption="Who gains against US law, by decile of hourly wage; utility counts leisure.",
                alt="Bars of the change of utility by decile",
            ),
            Figure.from_matplotlib(
                plot_income_density(
                    {name: self.outcomes[name] for name in ("US 2024", "optimum")},
                    schedule=self.optimum.schedule,
                ),
                caption="Incomes; spikes at bracket edges are workers who bunch at a kink.",
                alt="Histogram of income under US law and the optimum",
            ),
            Figure.from_matplotlib(
                plot_hours_density({name: self.outcomes[name] for name in ("US 2024", "optimum")}),
                caption="Labour supply.",
                alt="Histogram of weekly hours under US law and the optimum",
            ),
        ]
        if self.progress:
            figures.insert(
                1,
                Figure.from_matplotlib(
                    plot_progress(self.progress),
                    caption="A planner that sees only published tables, year by year.",
                    alt="Share of the gap closed by tax year",
                ),
            )
        table = self.to_frame().sort_values("welfare", ascending=False)
        whole = {"mean_income": 0, "rebate": 0, "mean_hours": 1, "gap_closed": 4, "welfare": 1}
        best = max(self.progress, key=self.gap) if self.progress else "best flat"
        runs = self.reached.get(best, np.empty(0))
        spread = (
            f" [{100 * runs.min():.2f}, {100 * runs.max():.2f}, {runs.size} seeds]" if runs.size > 1 else ""
        )
        return Section(
            "Tax planner",
            question="Which income tax makes this population best off, and how close do planners come?",
            finding=(
                f"The {best} {'planner' if self.progress else 'tax'} closes {100 * self.gap(best):.2f} %{spread} "
                "of the welfare gap between US law and the true optimum; "
                f"a flat tax of 50 % already closes {100 * self.gap('flat 50 %'):.1f} %, Saez with measured "
                f"elasticities {100 * self.gap('Saez, measured'):.2f} %."
            ),
            body=(
                f"{self.skill.size:,} workers choose their hours exactly; all revenue returns as an equal rebate. "
                f"Welfare is {self.criterion.replace('_', ' ')}, with weights fixed in advance. The optimum "
                "knows every worker; the planners see only published tables. "
                + self.optimum.certificate.summary()
            ),
            figures=tuple(figures),
            tables=(
                Table(
                    table,
                    caption="Schedules side by side",
                    decimals=whole,
                    percent=("not_working", "share_who_gain"),
                ),
                Table(
                    self.rates_frame(), caption="Marginal rates, per cent, by lower edge in USD", decimals=1
                ),
            ),
            provenance=self.provenance,
        )


@renamed(seed="random_state")
def compare(
    workers: Workers,
    criterion: CriterionName | Criterion = "inverse_income",
    *,
    planners: Sequence[PlannerName] = ("bayesian",),
    years: int = 20,
    extra: Mapping[str, TaxSchedule] | None = None,
    random_state: int = 0,
    seeds: int = 1,
    n_jobs: int = 1,
    restarts: int = 4,
    model: ModelConfig | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare baselines, planners and the optimum on US brackets.

    Parameters
    ----------
    workers : Workers
        The population.
    criterion : str or Criterion
        See `fisc.economist.welfare`.
    planners : sequence of {"bayesian", "gp", "cmaes", "hill", "random", "fixed", "language", "elected"}
        Each governs for `years`; see `SimulationConfig`.
    years : int
        Length of the planners' term.
    extra : mapping of str to TaxSchedule, optional
        Further schedules of your own.
    random_state : int
        Same seed, same result.
    seeds : int
        Runs of each planner, from `random_state` on; the schedule shown is that of the first.
    n_jobs, restarts
        Of `optimal_schedule`.
    model : ModelConfig, optional
        Which language model the ``"language"`` planner asks; a rule of thumb if left out.
    progress : callable, optional
        Called with what is done, schedules done and schedules in all.

    Returns
    -------
    Comparison

    Examples
    --------
    >>> result = compare(Workers.sample(200), planners=("hill",), years=3, restarts=1)
    >>> result.gap("US 2024"), result.gap("optimum")
    (0.0, 1.0)
    """
    for name in planners:
        check_option("planners", name, get_args(PlannerName))
    seeds = check_whole("seeds", seeds, least=1)
    random_state = check_seed("random_state", random_state)
    rule = criterion_of(criterion)
    edges = TaxSchedule.us_federal(2024).edges
    steps = 2 + len(planners) * seeds
    say = progress if progress is not None else _silent
    say("baselines", 0, steps)
    schedules = baseline_schedules(workers, edges, rule, random_state=random_state)
    if taken := {*schedules, "optimum", *planners} & set(extra or {}):
        raise DataError(f"extra schedules {sorted(taken)} have names of schedules that are compared anyway")
    schedules |= dict(extra or {})
    say("optimum", 1, steps)
    best = optimal_schedule(workers, edges, rule, random_state=random_state, n_jobs=n_jobs, restarts=restarts)
    start = welfare(respond(workers, schedules["US 2024"]), workers, rule)
    progress_by: dict[str, FloatArray] = {}
    reached: dict[str, FloatArray] = {}
    for name in planners:
        closed: list[FloatArray] = []
        for seed in range(random_state, random_state + seeds):
            say(name, 2 + len(progress_by) * seeds + len(closed), steps)
            config = SimulationConfig(
                n=workers.n,
                criterion=rule.name,
                gamma=rule.gamma,
                planner=name,
                years=years,
                random_state=seed,
                model=model or ModelConfig(),
            )
            result = Simulation(config, workers=workers, criterion=rule).run()
            closed.append(gap_closed(result.welfare, start, best.welfare))
            if seed == random_state:
                schedules[name] = TaxSchedule(edges, result.rates[result.best_year])
        progress_by[name] = closed[0]
        reached[name] = np.array([run.max() for run in closed])
    say("done", steps, steps)
    schedules["optimum"] = best.schedule
    outcomes = {name: respond(workers, schedule) for name, schedule in schedules.items()}
    return Comparison(
        criterion=rule.name,
        schedules=schedules,
        welfare={name: welfare(outcome, workers, rule) for name, outcome in outcomes.items()},
        outcomes=outcomes,
        progress=progress_by,
        reached=reached,
        skill=workers.skill,
        optimum=best,
        provenance=record(
            options={"criterion": rule.name, "planners": planners, "years": years, "restarts": restarts},
            inputs={"skill": workers.skill, "cost": workers.cost},
            seed=random_state,
        ),
    )


def _silent(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""
