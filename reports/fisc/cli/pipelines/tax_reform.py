"""The report on a tax reform: what it changes, who gains, and the optimum as a ceiling."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fisc.cli.pipelines.registry import optional_section
from fisc.economist.options import DEFAULT_POPULATION, Calibration, FixedCriterion, Population

if TYPE_CHECKING:
    from fisc.economist import TaxSchedule
    from fisc.report import Section
    from fisc.report.definition import ReportDefinition

__all__ = ["SUBTITLE", "TEMPLATE", "Options", "sections"]

SUBTITLE = (
    "Two schedules, one population that answers with its hours of work, all revenue given back equally."
)
TEMPLATE = f"""
[options]
population = "{DEFAULT_POPULATION}"              # or "acs": US incomes, see fisc data show incomes
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
    population: Population = DEFAULT_POPULATION
    n: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    draws: Annotated[int, Field(ge=2, le=200)] = 8
    calibration: Calibration = "common"
    criteria: Annotated[tuple[FixedCriterion, ...], Field(min_length=1)] = (
        "inverse_income",
        "log",
        "utilitarian",
        "rawls",
    )
    ceiling: FixedCriterion | Literal[""] = "inverse_income"


def sections(definition: ReportDefinition, progress: Callable[[str, int, int], None]) -> list[Section]:
    """Make the sections of the comparison."""
    from fisc.core import FiscError
    from fisc.economist import Workers, compare_schedules, distance_to_optimum
    from fisc.report import Section

    options = Options(**definition.options)
    steps = options.draws + 2
    try:
        current, reform = _schedule(options.current), _schedule(options.reform)
        draws = []
        for number in range(options.draws):
            progress("population", number, steps)
            seed = definition.random_state * 1000 + number
            draws.append(Workers.sample(options.n, options.population, seed, options.calibration))
        found = compare_schedules(draws, current, reform, criteria=options.criteria).sections()
    except FiscError as error:
        return [Section.failed("The reform", error)]
    progress("optimum", options.draws, steps)
    criterion = options.ceiling
    if criterion:
        found.append(
            optional_section(
                "The optimum as a ceiling",
                lambda: distance_to_optimum(
                    draws[0], current, reform, criterion, random_state=definition.random_state
                ).section(),
            )
        )
    progress("writing", steps - 1, steps)
    return found


def _schedule(given: Schedule) -> TaxSchedule:
    from fisc.economist import TaxSchedule

    if given.us_federal is not None:
        return TaxSchedule.us_federal(given.us_federal)
    assert given.edges is not None
    assert given.rates is not None
    return TaxSchedule(given.edges, given.rates)
