"""The report on a tax reform: what it changes, who gains, and the optimum as a ceiling."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fisc.cli.pipelines.registry import optional_section
from fisc.core import FiscError, MissingExtraError
from fisc.data import load_tax_units
from fisc.economist import (
    ActualLaw,
    TaxSchedule,
    Workers,
    compare_schedules,
    distance_of_law,
    distance_to_optimum,
    score_reform,
)
from fisc.economist.options import DEFAULT_POPULATION, Calibration, FixedCriterion, Population, Revenue
from fisc.report import Section, Table
from fisc.report.definition import ReportDefinition

__all__ = ["SUBTITLE", "TEMPLATE", "Options", "sections"]

SUBTITLE = "What a reform raises, before and after people answer, and who gains."
TEMPLATE = f"""
[options]
elasticity = 0.25               # of taxable income, by one net of tax
revenue = "rebate"              # or "requirement": the treasury keeps it; "neutral": rates move until it is 0
by = ["filing_status"]          # gains by columns of the tax units, see fisc data show tax-units

# Without the extra us, or with edges of your own, an invented population stands in:
population = "{DEFAULT_POPULATION}"              # or "acs": US incomes, see fisc data show incomes
n = 10000                       # workers in each draw
draws = 8                       # independent draws of the population, for the intervals
calibration = "common"          # cost of hours: the median works 40 hours under US law
criteria = ["inverse_income", "log", "utilitarian", "rawls"]
ceiling = "inverse_income"      # the optimum under this criterion is shown; "" leaves it out

[options.current]
us_federal = 2024               # or edges and rates

[options.reform]                # seven rates for the brackets of that law; with edges, any schedule
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
        if (self.rates is not None) == (self.us_federal is not None) or (self.edges and not self.rates):
            raise ValueError("give us_federal = YEAR, or both edges and rates (of US law, rates alone)")
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
    elasticity: Annotated[float, Field(gt=0, le=10)] = 0.25
    revenue: Revenue = "rebate"
    by: tuple[str, ...] = ("filing_status",)

    @model_validator(mode="after")
    def _brackets(self) -> Options:
        if self.reform.edges is None and self.reform.rates is not None and self.current.us_federal is None:
            raise ValueError("a reform of rates alone needs current.us_federal, whose brackets it keeps")
        return self


def sections(definition: ReportDefinition, progress: Callable[[str, int, int], None]) -> list[Section]:
    """Make the sections of the comparison."""
    options = Options(**definition.options)
    rates, year = options.reform.rates, options.current.us_federal
    if options.reform.edges is not None or rates is None or year is None:
        return _on_workers(options, definition.random_state, progress)
    try:
        return _on_tax_units(options, year, rates, definition.random_state, progress)
    except MissingExtraError as error:
        whole = options.model_copy(
            update={"reform": Schedule(edges=tuple(TaxSchedule.us_federal(year).edges), rates=rates)}
        )
        first, *rest = _on_workers(whole, definition.random_state, progress)
        told = f"On an invented population of single filers, not the United States: {error}."
        return [dataclasses.replace(first, notes=(told, *first.notes)), *rest]
    except FiscError as error:
        return [Section.failed("The reform", error)]


def _on_tax_units(
    options: Options,
    year: int,
    rates: Sequence[float],
    random_state: int,
    progress: Callable[[str, int, int], None],
) -> list[Section]:
    """Score the reform on real records and the actual law."""
    progress("present law", 0, 3)
    units, before = load_tax_units(year), ActualLaw.us(year)
    progress("reform", 1, 3)
    after = ActualLaw.us(year, rates=rates)
    score = score_reform(
        units,
        before,
        after,
        elasticity=options.elasticity,
        revenue=options.revenue,
        by=options.by,
        members="members",
    )
    progress("optimum", 2, 3)
    first, *rest = score.sections()
    criterion = options.ceiling
    if criterion:
        rest.append(
            optional_section(
                "The optimum as a ceiling",
                lambda: distance_of_law(
                    before, after, criterion, elasticity=options.elasticity, random_state=random_state
                ).section(),
            )
        )
    where = Table(
        before.static_change(after).rename(columns={"change_bn": "change, bn USD"}),
        decimals=1,
        caption="Where the static change comes from, bn USD a year: beside Tax-Calculator's own score.",
    )
    return [dataclasses.replace(first, tables=(*first.tables, where)), *rest]


def _on_workers(options: Options, seed: int, progress: Callable[[str, int, int], None]) -> list[Section]:
    """Compare two schedules on draws of an invented population."""
    steps = options.draws + 2
    try:
        current, reform = _schedule(options.current), _schedule(options.reform)
        draws = []
        for number in range(options.draws):
            progress("population", number, steps)
            draw = Workers.sample(options.n, options.population, seed * 1000 + number, options.calibration)
            draws.append(draw)
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
                    draws[0], current, reform, criterion, random_state=seed
                ).section(),
            )
        )
    progress("writing", steps - 1, steps)
    return found


def _schedule(given: Schedule) -> TaxSchedule:
    if given.us_federal is not None:
        return TaxSchedule.us_federal(given.us_federal)
    assert given.edges is not None
    assert given.rates is not None
    return TaxSchedule(given.edges, given.rates)
