"""Two tax schedules on one population: revenue, welfare, hours, who gains, and the optimum as ceiling."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fisc.cli.pipelines.registry import optional_section

if TYPE_CHECKING:
    import pandas as pd

    from fisc.economist import Optimum, Outcome, TaxSchedule, Workers
    from fisc.report import Figure, Section
    from fisc.report.definition import ReportDefinition

__all__ = ["SUBTITLE", "TEMPLATE", "Options", "sections"]

SUBTITLE = (
    "Two schedules, one population that answers with its hours of work, all revenue given back equally."
)
TEMPLATE = """
[options]
population = "acs"              # or "gb2": US incomes, see fisc data show incomes
n = 10000                       # workers in each draw
draws = 8                       # independent draws of the population, for the intervals
calibration = "common"          # cost of hours: the median works 40 hours under US law
criteria = ["inverse_income", "log", "utilitarian", "rawls"]
ceiling = "inverse_income"      # the optimum under this criterion is shown; "" leaves it out

[options.current]
us_federal = 2024               # or edges and rates

[options.reform]
edges = [0, 11600, 47150, 100525, 191950, 243725, 609350]
rates = [0.0, 0.15, 0.25, 0.28, 0.35, 0.40, 0.45]
"""

Criterion = Literal["inverse_income", "log", "utilitarian", "rawls", "crra"]
_DECILES = 10


class Schedule(BaseModel):
    """A tax schedule: US law of a year, or edges and rates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    us_federal: Annotated[int | None, Field(description="Tax year of US federal law, single filer.")] = None
    edges: Annotated[tuple[float, ...] | None, Field(description="Lower edges, USD; the first is 0.")] = None
    rates: Annotated[tuple[float, ...] | None, Field(description="Marginal rates, 0 to 1.")] = None

    @model_validator(mode="after")
    def _one_way(self) -> Schedule:
        own = self.edges is not None and self.rates is not None
        if own == (self.us_federal is not None) or (self.edges is None) != (self.rates is None):
            raise ValueError("give us_federal = YEAR, or both edges and rates")
        return self


class Options(BaseModel):
    """What the comparison needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    current: Schedule
    reform: Schedule
    population: Literal["gb2", "acs"] = "acs"
    n: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    draws: Annotated[int, Field(ge=2, le=200)] = 8
    calibration: Literal["common", "individual", "paper"] = "common"
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)] = (
        "inverse_income",
        "log",
        "utilitarian",
        "rawls",
    )
    ceiling: Literal["inverse_income", "log", "utilitarian", "rawls", "crra", ""] = "inverse_income"


@dataclasses.dataclass(frozen=True)
class _Draw:
    """One draw of the population, and what it does under both schedules."""

    workers: Workers
    current: Outcome
    reform: Outcome


def sections(definition: ReportDefinition, progress: Callable[[str, int, int], None]) -> list[Section]:
    """Make the sections of the comparison."""
    from fisc.core import FiscError
    from fisc.economist import Workers, respond
    from fisc.report import Section

    options = Options(**definition.options)
    steps = options.draws + 2
    try:
        current, reform = _schedule(options.current), _schedule(options.reform)
        draws = []
        for number in range(options.draws):
            progress("population", number, steps)
            seed = definition.seed * 1000 + number
            workers = Workers.sample(options.n, options.population, seed, options.calibration)
            draws.append(_Draw(workers, respond(workers, current), respond(workers, reform)))
    except FiscError as error:
        return [Section.failed("The reform", error)]
    progress("optimum", options.draws, steps)
    best: list[Optimum] = []
    ceiling = optional_section(
        "The optimum as a ceiling",
        lambda: _ceiling(draws[0], current, reform, options, definition.seed, best),
    )
    progress("writing", steps - 1, steps)
    schedules = {"current": current, "reform": reform}
    if best:
        schedules["optimum"] = best[0].schedule
    found = [
        _effects(draws, options, definition),
        _who_gains(draws),
        _schedules(schedules),
    ]
    return [*found, ceiling] if options.ceiling else found


def _schedule(given: Schedule) -> TaxSchedule:
    from fisc.economist import TaxSchedule

    if given.us_federal is not None:
        return TaxSchedule.us_federal(given.us_federal)
    assert given.edges is not None
    assert given.rates is not None
    return TaxSchedule(given.edges, given.rates)


def _interval(values: list[float]) -> tuple[float, float, float]:
    """Return the mean over draws and its 95 % t interval."""
    import numpy as np
    from scipy import stats

    mean = float(np.mean(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half


def _measures(draw: _Draw, criteria: tuple[Criterion, ...]) -> dict[str, tuple[float, float]]:
    """Return what is compared, under the current schedule and under the reform."""
    from fisc.economist import welfare

    pair = (draw.current, draw.reform)
    measures: dict[str, Callable[[Outcome], float]] = {
        "revenue a worker, USD": lambda o: float(o.tax.mean()),
        "income a worker, USD": lambda o: float(o.income.mean()),
        "weekly hours": lambda o: float(o.hours.mean()),
        "share who do not work": lambda o: float((o.hours == 0).mean()),
    }
    for criterion in criteria:
        measures[f"welfare: {criterion.replace('_', ' ')}"] = lambda o, c=criterion: float(  # type: ignore[misc]
            welfare(o, draw.workers, c)
        )
    return {name: (measure(pair[0]), measure(pair[1])) for name, measure in measures.items()}


def _effects(draws: list[_Draw], options: Options, definition: ReportDefinition) -> Section:
    """Compare revenue, income, hours and welfare, with intervals over draws of the population."""
    import pandas as pd

    from fisc.core import record
    from fisc.report import Section, Table

    measured = [_measures(draw, options.criteria) for draw in draws]
    rows = []
    for name in measured[0]:
        mean, low, high = _interval([m[name][1] - m[name][0] for m in measured])
        before = _interval([m[name][0] for m in measured])[0]
        after = _interval([m[name][1] for m in measured])[0]
        rows.append(
            [name, *(_number(v) for v in (before, after, mean)), f"[{_number(low)}, {_number(high)}]"]
        )
    columns = ["measure", "current", "reform", "change", "95 % interval"]
    mean, low, high = _interval(
        [m["revenue a worker, USD"][1] - m["revenue a worker, USD"][0] for m in measured]
    )
    better = [
        name.removeprefix("welfare: ")
        for name in measured[0]
        if name.startswith("welfare") and _interval([m[name][1] - m[name][0] for m in measured])[1] > 0
    ]
    verdict = f"higher welfare by {', '.join(better)}" if better else "higher welfare by no criterion"
    return Section(
        "What the reform changes",
        question="What does the reform do to revenue and welfare, once people answer with their hours?",
        finding=(
            f"Revenue changes by {_number(mean)} USD a worker [{_number(low)}, {_number(high)}]; "
            f"{verdict} (95 % intervals over draws of the population)."
        ),
        body=(
            "Every worker chooses the hours that are best under each schedule, exactly. All revenue returns as "
            "an equal lump sum, so that revenue is also the rebate; nothing is left to buy public goods. Welfare "
            "is measured with weights fixed in advance: it cannot be raised by making people poor."
        ),
        tables=[Table(pd.DataFrame(rows, columns=columns), index=False, caption="Means over draws.")],
        notes=[
            "Left out: savings, families, unemployment, migration, and the standard deduction. Edges apply to "
            "gross income.",
        ],
        provenance=record(options=options.model_dump(), seed=definition.seed),
    )


def _number(value: float) -> str:
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return digits.replace("-", "−")


def _gains(draws: list[_Draw]) -> pd.DataFrame:
    """Return the gain in money by decile of income under the current schedule, mean and spread over draws."""
    import numpy as np
    import pandas as pd

    each = []
    for draw in draws:
        rank = np.argsort(np.argsort(draw.workers.skill, kind="stable"), kind="stable")
        decile = rank * _DECILES // draw.workers.n
        gain = draw.reform.utility - draw.current.utility
        hours = draw.reform.hours - draw.current.hours
        each.append(
            [
                (
                    float(gain[decile == d].mean()),
                    float((gain[decile == d] > 0).mean()),
                    float(hours[decile == d].mean()),
                    float(draw.current.income[decile == d].mean()),
                )
                for d in range(_DECILES)
            ]
        )
    values = np.array(each)
    mean, low, high = zip(*(_interval(values[:, d, 0].tolist()) for d in range(_DECILES)), strict=True)
    return pd.DataFrame(
        {
            "decile": range(1, _DECILES + 1),
            "income now": values[:, :, 3].mean(0),
            "gain": mean,
            "low": low,
            "high": high,
            "gainers": values[:, :, 1].mean(0),
            "hours": values[:, :, 2].mean(0),
        }
    )


def _who_gains(draws: list[_Draw]) -> Section:
    """Show gains and losses by decile of earning power."""
    from fisc.report import Section, Table

    frame = _gains(draws)
    share = float(sum((d.reform.utility > d.current.utility).mean() for d in draws) / len(draws))
    return Section(
        "Who gains",
        question="Who gains and who loses?",
        finding=f"{share:.0%} of workers gain; deciles below show how much.",
        figures=[_gain_figure(frame)],
        tables=[
            Table(
                frame.rename(
                    columns={
                        "income now": "income now, USD",
                        "gain": "mean gain, USD",
                        "low": "interval, low",
                        "high": "interval, high",
                        "hours": "change of weekly hours",
                    }
                ),
                index=False,
                percent=["gainers"],
                decimals={
                    "income now, USD": 0,
                    "mean gain, USD": 0,
                    "interval, low": 0,
                    "interval, high": 0,
                    "gainers": 0,
                    "change of weekly hours": 2,
                },
                caption="By decile of earning power (income per hour of work).",
            )
        ],
        notes=[
            "A gain is the change of utility in money: income after tax and rebate, less the cost of hours."
        ],
    )


def _gain_figure(frame: pd.DataFrame) -> Figure:
    from fisc.report import Figure, style

    with style.context():
        fig, ax = style.figure(7.0, 3.4)
        colours = [style.COLOURS[0] if gain >= 0 else style.COLOURS[1] for gain in frame["gain"]]
        errors = [frame["gain"] - frame["low"], frame["high"] - frame["gain"]]
        ax.bar(frame["decile"], frame["gain"], color=colours, yerr=errors, ecolor=style.INK, capsize=3)
        ax.set_xticks(frame["decile"])
        ax.set_xlabel("decile of earning power")
        ax.set_ylabel("mean gain a year")
        style.number_axis(ax, unit="$")
        style.reference_line(ax, 0.0)
    return Figure.from_matplotlib(
        fig,
        caption="Mean gain or loss by decile of earning power, with 95 % intervals over draws.",
        alt="Bars of gain by decile.",
    )


def _schedules(schedules: dict[str, TaxSchedule]) -> Section:
    """Show marginal and effective rates of the schedules."""
    import numpy as np

    from fisc.report import Figure, Section, style

    top = 1.25 * max(float(s.edges[-1]) for s in schedules.values()) or 200_000.0
    income = np.linspace(1.0, max(top, 200_000.0), 1200)
    figures = []
    for what in ("marginal", "effective"):
        with style.context():
            fig, ax = style.figure(7.0, 3.2)
            for (name, schedule), colour in zip(schedules.items(), style.COLOURS, strict=False):
                rates = (
                    schedule.marginal_rate(income) if what == "marginal" else schedule.effective_rate(income)
                )
                ax.plot(income / 1000, rates, color=colour, label=name)
            style.percent_axis(ax)
            ax.set_ylim(0, 1.2 * ax.get_ylim()[1])  # room for the legend above the curves
            ax.set_xlabel("income before tax, thousand USD a year")
            ax.set_ylabel(f"{what} rate")
            ax.legend(loc="upper center", ncols=3)
        figures.append(
            Figure.from_matplotlib(
                fig, caption=f"{what.capitalize()} rates.", alt=f"Curves of {what} tax rates by income."
            )
        )
    return Section("The schedules", figures=figures)


def _ceiling(
    draw: _Draw,
    current: TaxSchedule,
    reform: TaxSchedule,
    options: Options,
    seed: int,
    best: list[Optimum],
) -> Section:
    """Compare with the best schedule on the reform's brackets, on the first draw of the population."""
    import pandas as pd

    from fisc.economist import gap_closed, optimal_schedule, respond, welfare
    from fisc.report import Section, Table

    criterion: Any = options.ceiling
    if not criterion:
        return Section("The optimum as a ceiling")
    optimum = optimal_schedule(draw.workers, reform.edges, criterion, seed=seed, restarts=2)
    best.append(optimum)
    value = {
        "current": welfare(draw.current, draw.workers, criterion),
        "reform": welfare(draw.reform, draw.workers, criterion),
        "optimum": welfare(respond(draw.workers, optimum.schedule), draw.workers, criterion),
    }
    closed = float(gap_closed(value["reform"], value["current"], value["optimum"]))
    name = criterion.replace("_", " ")
    rates = pd.DataFrame({"lower edge, USD": optimum.schedule.edges, "best rate": optimum.schedule.rates})
    return Section(
        "The optimum as a ceiling",
        question=f"How much of what any schedule on these brackets could gain does the reform gain ({name})?",
        finding=(
            f"The reform closes {closed:.0%} of the gap between the current schedule and the optimum."
            if closed >= 0
            else f"The reform moves away from the optimum: {closed:.0%} of the gap.".replace("-", "−")
        ),
        body=optimum.certificate.summary(),
        tables=[
            Table(pd.DataFrame({"welfare": value}), caption=f"Welfare by {name}.", decimals=4),
            Table(rates, index=False, percent=["best rate"], decimals={"lower edge, USD": 0, "best rate": 1}),
        ],
        notes=[
            "The optimum knows everybody's earning power and cost of hours; no government does. It is a ceiling, "
            "not a proposal.",
        ],
        provenance=optimum.provenance,
    )
