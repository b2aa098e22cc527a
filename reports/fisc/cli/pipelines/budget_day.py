"""Budget day: speech, sectors with evidence, ranking, event study, a portfolio tilted by the calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from fisc.basir import BudgetDay, SectorClassifier, budget_day, event_study, read_speech
from fisc.basir.options import Method
from fisc.cli.pipelines.registry import optional_section
from fisc.core import DataError, FiscError, record
from fisc.data import load_budget_excerpts, read_prices
from fisc.portfolio import BacktestResult, backtest
from fisc.report import Figure, Section, Table, style
from fisc.report.definition import ReportDefinition

__all__ = ["SUBTITLE", "TEMPLATE", "Options", "sections"]

SUBTITLE = "What was said, what is new, what it may mean for which sectors, and how sure one can be."
TEMPLATE = """
[options]
speech = "speech.pdf"           # PDF with a text layer, text file or address; relative to this file
date = "2026-02-01"             # day of the speech
classifier = "lexical"          # or "pair", "finetuned" (extras basir and minilm)
# model = "model"               # folder that `fisc basir train` wrote, in place of a classifier
# method = "surprise"           # of the ranking; or "attention", "last_budget", "ridge", "lambdamart"
# earlier = "budget-speeches.parquet"   # from `fisc data build budget-speeches`: what is new
# prices = "indices.csv"        # closes of sector indices and of the market: event study and portfolio
# market = "NIFTY 500"          # column of prices that is the market
# window = [0, 5]               # trading days of the event study
level = 0.9                     # of the intervals; a call is made only if one does not cover zero
cost = 0.0025                   # of a trade, as a share
hold = 21                       # trading days that the tilted portfolio is held
"""

_PAGE = "The page"
_EVENT = "What the market made of it"
_TILT = "A portfolio tilted by the calls"
_EARLIER_SPEECHES = 5


class Options(BaseModel):
    """Inputs of the report; what is not given leaves its section out, visibly."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    speech: Annotated[str, Field(description="PDF with a text layer, text file or address.")]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="Day of the speech, YYYY-MM-DD.")]
    classifier: Method = "lexical"
    model: Annotated[str | None, Field(description="Folder of a saved classifier.")] = None
    method: Annotated[str, Field(description="Method of the ranking.")] = "surprise"
    earlier: Annotated[str | None, Field(description="Parquet file of paragraphs of earlier speeches.")] = (
        None
    )
    evidence: Annotated[bool, Field(description="Whether every paragraph is shown, in an appendix.")] = True
    prices: Annotated[str | None, Field(description="Closes of sector indices and of the market.")] = None
    market: Annotated[str | None, Field(description="Column of prices that is the market.")] = None
    window: tuple[int, int] = (0, 5)
    level: Annotated[float, Field(gt=0, lt=1, validation_alias=AliasChoices("level", "coverage"))] = 0.9
    cost: Annotated[float, Field(ge=0, lt=1)] = 0.0025
    hold: Annotated[int, Field(ge=2, le=252)] = 21


def sections(definition: ReportDefinition, progress: Callable[[str, int, int], None]) -> list[Section]:
    """Make the page, the event study, the portfolio and the appendix; each by itself."""
    options = Options(**definition.options)
    progress("speech", 0, 4)
    try:
        day = _budget_day(definition, options)
        first, appendix = day.section(), day.sectors.section() if options.evidence else None
    except FiscError as error:
        day = None
        first, appendix = Section.failed(_PAGE, error), None
    progress("event study", 1, 4)
    prices: list[pd.DataFrame] = []
    event = optional_section(_EVENT, lambda: _event_study(definition, options, prices))
    progress("portfolio", 2, 4)
    tilt = optional_section(_TILT, lambda: _tilted(day, options, prices))
    progress("writing", 3, 4)
    return [first, event, tilt, *([appendix] if appendix is not None else [])]


def _budget_day(definition: ReportDefinition, options: Options) -> BudgetDay:
    speech = options.speech
    source = speech if "://" in speech else definition.path(speech)
    paragraphs = read_speech(source, date=options.date)
    earlier = None if options.earlier is None else _earlier(definition.path(options.earlier), options.date)
    return budget_day(
        paragraphs,
        _classifier(definition, options),
        date=options.date,
        method=options.method,
        earlier=earlier,
        level=options.level,
        random_state=definition.random_state,
    )


def _classifier(definition: ReportDefinition, options: Options) -> SectorClassifier:
    """Return the saved classifier, or one that learned from the labelled excerpts that ship."""
    if options.model is not None:
        return SectorClassifier.load(definition.path(options.model))
    excerpts = load_budget_excerpts()
    model = SectorClassifier(method=options.classifier, random_state=definition.random_state)
    return model.fit(excerpts["text"].tolist(), excerpts["sectors"].tolist())


def _earlier(path: Path, day: str) -> pd.DataFrame:
    """Return the paragraphs of the last speeches before a day."""
    if not path.is_file():
        raise DataError(f"there is no file {path}; make it with: fisc data build budget-speeches --from DIR")
    frame = pd.read_parquet(path, columns=["date", "text"])
    frame = frame[frame["date"].astype(str) < day]
    if frame.empty:
        raise DataError(
            f"{path} holds no speech before {day}; leave `earlier` out, or build it from more files"
        )
    return frame[frame["date"].isin(sorted(frame["date"].unique())[-_EARLIER_SPEECHES:])]


def _left_out(title: str, reason: str) -> Section:
    return Section(title, body=f"Left out: {reason}")


def _event_study(definition: ReportDefinition, options: Options, held: list[pd.DataFrame]) -> Section:
    """Study the day where prices exist; the prices that were read are kept for the portfolio."""
    if options.prices is None:
        return _left_out(_EVENT, "no prices were given (`prices` in the options).")
    prices = read_prices(definition.path(options.prices))
    held.append(prices)
    if options.market is None:
        raise DataError('prices are given but not which column is the market; give market = "COLUMN"')
    return event_study(prices, [options.date], market=options.market, window=options.window).section()


def _tilted(day: BudgetDay | None, options: Options, held: list[pd.DataFrame]) -> Section:
    """Hold what is called up instead of what is called down, and compare with equal weight."""
    if day is None:
        return _left_out(_TILT, "without the speech there is no call.")
    calls = day.headline["call"]
    if (calls == "no call").all():
        return _left_out(_TILT, "no call was made, so that there is nothing to act on.")
    if not held:
        return _left_out(_TILT, "no usable prices were given.")
    prices = held[0]
    assets = [name for name in day.headline.index if name in prices.columns]
    after = prices.loc[options.date :, assets].iloc[: options.hold + 1]
    if len(assets) < 2 or not set(calls[calls != "no call"].index) & set(assets):
        return _left_out(_TILT, "the prices do not hold the sectors that are called.")
    if len(after) < 2:
        return _left_out(_TILT, f"the prices end before {options.date}; there is nothing to earn yet.")
    return _portfolio_section(after, calls.reindex(assets), options)


def _weights(calls: pd.Series[str]) -> pd.Series[float]:
    """Return equal weights, doubled where up is called and zero where down is."""
    import pandas as pd

    raw = calls.map({"UP": 2.0, "DOWN": 0.0}).fillna(1.0).astype(float)
    if raw.sum() == 0.0:
        return pd.Series(0.0, index=raw.index)
    return raw / raw.sum()


def _portfolio_section(after: pd.DataFrame, calls: pd.Series[str], options: Options) -> Section:
    tilted = _weights(calls)
    equal = pd.Series(1.0 / len(calls), index=calls.index)
    runs = {
        "tilted by the calls": _hold(after, tilted, options.cost),
        "equal weight": _hold(after, equal, options.cost),
    }
    with style.context():
        fig, ax = style.figure(7.0, 3.2)
        for (name, run), colour in zip(runs.items(), style.COLOURS, strict=False):
            ax.plot(run.wealth.index, run.wealth - 1, color=colour, label=name)
        style.percent_axis(ax)
        style.date_axis(ax)
        style.reference_line(ax, 0.0)
        ax.set_ylabel("gain since the budget, after costs")
        ax.legend(loc="best")
    gains = {name: float(run.wealth.iloc[-1] - 1) for name, run in runs.items()}
    gap = gains["tilted by the calls"] - gains["equal weight"]
    table = pd.DataFrame({"call": calls, "tilted": tilted, "equal": equal})
    return Section(
        _TILT,
        question="Would acting on the calls have paid, after costs?",
        finding=(
            f"{gap:+.2%} against equal weight after {len(after) - 1} trading days: one event, from which nothing "
            "can be concluded."
        ).replace("-", "−"),
        body=(
            "Bought at the close of the first trading day from the budget on, held without trading. Sectors called "
            "up weigh twice, sectors called down nothing; what is not called weighs once."
        ),
        figures=[
            Figure.from_matplotlib(
                fig, caption="Gain since the budget.", alt="Two curves of gain since the budget."
            )
        ],
        tables=[Table(table, decimals=3, caption="Weights at the start.")],
        notes=[f"A trade costs {options.cost:.2%}."],
        provenance=record(options=options.model_dump(), inputs={"prices": after}),
    )


def _hold(prices: pd.DataFrame, weights: pd.Series[float], cost: float) -> BacktestResult:
    """Buy at the first close and hold; what the weights leave is cash."""
    start = {"cash": 1.0 - float(weights.sum()), **weights.to_dict()}
    return backtest(prices, pd.DataFrame([start], index=prices.index[:1]), buy=cost, sell=cost)
