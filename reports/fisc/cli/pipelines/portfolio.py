"""Portfolio rules run through prices, net of costs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from fisc.cli.pipelines.registry import optional_section
from fisc.core import FiscError
from fisc.data import load_sp500, read_prices
from fisc.portfolio import Market, backtest, baselines
from fisc.portfolio import options as portfolio_options
from fisc.report import Section
from fisc.report.definition import ReportDefinition

__all__ = ["SUBTITLE", "TEMPLATE", "Options", "sections"]

SUBTITLE = "What rules that need no forecast would have earned, after costs."
TEMPLATE = """
[options]
prices = "sp500"                # or a file of closes, relative to this one
rules = ["equal_monthly", "buy_and_hold"]
cost = 0.0025                   # of a trade, as a share
window = 504                    # past returns behind each decision of an optimiser
# first = "2020-01-02"          # first decision; earlier prices are history
"""


class Options(BaseModel):
    """What the backtests need to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prices: Annotated[str, Field(description="Closes: sp500, or a file.")] = "sp500"
    rules: Annotated[tuple[portfolio_options.Baseline, ...], Field(min_length=1)] = (
        "equal_monthly",
        "buy_and_hold",
    )
    cost: Annotated[float, Field(ge=0, lt=1)] = 0.0025
    window: Annotated[int, Field(ge=2)] = 504
    first: Annotated[str | None, Field(description="First decision (date).")] = None


def sections(definition: ReportDefinition, progress: Callable[[str, int, int], None]) -> list[Section]:
    """Make one section a rule."""
    options = Options(**definition.options)
    try:
        named = options.prices == "sp500"
        market = Market.from_prices(load_sp500() if named else read_prices(definition.path(options.prices)))
        begin = None if options.first is None else market.row(options.first)
    except FiscError as error:
        return [Section.failed("Portfolio", error)]

    def rule(name: portfolio_options.Baseline) -> Section:
        strategy = baselines.get(name, window=options.window)
        start = begin
        if start is None:
            start = options.window if name in baselines.ALLOCATORS else 0
        result = backtest(
            market, strategy.bind(market, start), buy=options.cost, sell=options.cost, start=start, name=name
        )
        gain = float(result.wealth.iloc[-1] / result.wealth.iloc[0] - 1)
        days = result.wealth.index
        words = f"{gain:+.1%} after costs from {days[0]:%d %B %Y} to {days[-1]:%d %B %Y}."
        return dataclasses.replace(
            result.section(),
            question=f"What would {name.replace('_', ' ')} have earned?",
            finding=words.replace("-", "−"),
        )

    found = []
    for number, name in enumerate(options.rules):
        progress(name, number, len(options.rules))
        found.append(optional_section(f"Backtest of {name}", functools.partial(rule, name)))
    return found
