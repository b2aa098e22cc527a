"""``fisc portfolio``: train agents, evaluate strategies, test the machinery, run a backtest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

import typer

import fisc.core
import fisc.data
import fisc.portfolio as pf
from fisc.cli.output import Csv, Html, Jobs, Json, Out, RandomState, deliver, print_json, show_frame
from fisc.cli.terminal import console
from fisc.core import DataError
from fisc.portfolio import options

if TYPE_CHECKING:
    import pandas as pd

    from fisc.portfolio.rules import Strategy, Targets

app = typer.Typer(
    help="Portfolios under exact costs: train agents, compare them with classical rules, test the machinery.",
    no_args_is_help=True,
)

Prices = Annotated[
    str,
    typer.Argument(help="Prices by date and asset: a CSV or Parquet file, or sp500 for the packaged stocks."),
]
Algorithm = Annotated[options.Algorithm, typer.Option("--algorithm", help="How agents learn.")]
Network = Annotated[options.Network, typer.Option("--network", help="Shape of the policy; mlp is fastest.")]
RewardName = Annotated[options.RewardName, typer.Option("--reward", help="What agents maximise.")]
Base = Annotated[Literal[options.Allocator, "none"], typer.Option("--base", help="Allocation to start from.")]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Environment steps of each training run.")]
Cost = Annotated[
    float, typer.Option("--cost", help="Share of the traded value, both sides; 0.25 % is 0.0025.")
]
Lag = Annotated[int, typer.Option("--lag", help="Closes between decision and trade.")]
Start = Annotated[str | None, typer.Option("--from", help="First date of prices to use.")]
End = Annotated[str | None, typer.Option("--to", help="Last date of prices to use.")]
Periods = Annotated[
    float | None,
    typer.Option("--periods-per-year", help="By which results are annualised; by default told by the dates."),
]


def _market(
    prices: str, start: str | None, end: str | None, periods_per_year: float | None = None
) -> pf.Market:
    """Load prices by name or from a file and cut them to the dates asked for."""
    frame = fisc.data.load_sp500() if prices == "sp500" else fisc.data.read_prices(prices)
    cut = frame.loc[_bound("--from", start) : _bound("--to", end)]
    if len(cut) < 2:
        raise DataError(
            f"{prices} has {len(cut)} dates from {start} to {end}; it spans {frame.index[0]} to {frame.index[-1]}"
        )
    return pf.Market.from_prices(cut, periods_per_year=periods_per_year)


def _bound(name: str, day: str | None) -> str | None:
    """Return a day as YYYY-MM-DD; a year or a month stays as it is, which pandas takes for the whole of it."""
    if day is None or re.fullmatch(r"\d{4}(-\d{2})?", day):
        return day
    return fisc.core.read_date(name, day).isoformat()


@app.command()
def train(
    prices: Prices,
    out: Annotated[Path, typer.Option("--out", help="Folder for the model; its checkpoint lies beside it.")],
    algorithm: Algorithm = "ppo",
    network: Network = "eiie",
    reward: RewardName = "differential_sharpe",
    base: Base = "equal",
    steps: Steps = 200_000,
    cost: Cost = 0.0025,
    lag: Lag = 0,
    window: Annotated[int, typer.Option("--window", help="Closes the policy looks back on.")] = 50,
    random_state: RandomState = 0,
    start: Start = None,
    end: End = None,
    as_json: Json = False,
) -> None:
    """Train one agent; run again after an interruption to go on from the last checkpoint."""
    agent = pf.train(
        _market(prices, start, end),
        algorithm=algorithm,
        network=network,
        reward=reward,
        base=None if base == "none" else base,
        steps=steps,
        buy=cost,
        sell=cost,
        lag=lag,
        window=window,
        random_state=random_state,
        checkpoint=out,
        progress=not as_json,
    )
    agent.save(out)
    if as_json:
        print_json(agent.card)
    else:
        console().print(agent.summary())
        console().print(f"saved in {out}")


@app.command()
def evaluate(
    prices: Prices,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="Classical rule, or learned for an agent; repeatable. Default: all.",
        ),
    ] = None,
    algorithm: Algorithm = "ppo",
    network: Network = "eiie",
    reward: RewardName = "differential_sharpe",
    base: Base = "equal",
    steps: Steps = 200_000,
    cost: Cost = 0.0025,
    lag: Lag = 0,
    train_closes: Annotated[int, typer.Option("--train", help="Closes in each training span.")] = 1260,
    test_closes: Annotated[int, typer.Option("--test", help="Decisions in each test span.")] = 504,
    purge: Annotated[int, typer.Option("--purge", help="Closes left out before each test span.")] = 0,
    embargo: Annotated[int, typer.Option("--embargo", help="Further closes left out.")] = 5,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Seeds of the agent.")] = 5,
    first_test: Annotated[str | None, typer.Option("--test-from", help="First test decision (date).")] = None,
    jobs: Jobs = 1,
    trials: Annotated[
        Path | None, typer.Option("--trials", help="File that logs every trial (JSON lines).")
    ] = None,
    start: Start = None,
    end: End = None,
    periods_per_year: Periods = None,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Compare strategies out of sample, walking forward, with intervals and a verdict."""
    market = _market(prices, start, end, periods_per_year)
    names = models or [*pf.baselines.NAMES, "learned"]
    chosen: dict[str, Strategy | pf.RLPortfolio] = {
        name: pf.baselines.get(name) for name in names if name != "learned"
    }
    if "learned" in names:
        chosen["learned"] = pf.RLPortfolio(
            algorithm=algorithm,
            network=network,
            reward=reward,
            base=None if base == "none" else base,
            steps=steps,
        )
    result = pf.walk_forward(
        chosen,
        market,
        train=train_closes,
        test=test_closes,
        purge=purge,
        embargo=embargo,
        seeds=seeds,
        costs=cost,
        lag=lag,
        start=None if first_test is None else market.row(first_test),
        n_jobs=jobs,
        log=None if trials is None else pf.TrialLog(trials),
    )

    def say() -> None:
        interval = ["difference", "difference_low", "difference_high"]
        columns = ["sharpe", "low", "high", *interval, "max_drawdown", "turnover"]
        show_frame(result.to_frame()[columns], "Out of sample, net of costs", ".3f")
        console().print(result.summary(), markup=False)

    deliver(result, "Portfolio evaluation", as_json=as_json, csv=csv, html=html, out=out, say=say)


@app.command()
def selftest(
    parts: Annotated[
        list[str] | None, typer.Option("--part", help="leak, planted or iid; repeatable. Default: all.")
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="Agents in the planted market, at each cost.")
    ] = 3,
    worlds: Annotated[int, typer.Option("--worlds", min=1, help="Independent markets.")] = 20,
    jobs: Jobs = 1,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Test for leaks, for a planted signal, and for findings where there is nothing; exit code 1 on failure."""
    chosen = cast("list[options.Part]", parts) or get_args(options.Part)
    result = pf.selftest(chosen, seeds=seeds, worlds=worlds, n_jobs=jobs)
    deliver(result, "Portfolio self-tests", as_json=as_json, csv=csv, html=html, out=out)
    if not result.passed:
        raise typer.Exit(1)


@app.command()
def backtest(
    prices: Prices,
    rule: Annotated[options.Baseline | None, typer.Option("--rule", help="Classical rule by name.")] = None,
    model: Annotated[Path | None, typer.Option("--model", help="Folder of a trained agent.")] = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", help="CSV of target weights by date, cash first or without cash."),
    ] = None,
    cost: Cost = 0.0025,
    lag: Lag = 0,
    window: Annotated[
        int, typer.Option("--window", help="Returns behind each decision of an optimiser.")
    ] = 504,
    first: Annotated[
        str | None, typer.Option("--first", help="First decision (date); earlier prices are history.")
    ] = None,
    start: Start = None,
    end: End = None,
    periods_per_year: Periods = None,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Run one rule, one trained agent or one table of weights through a market, net of costs."""
    if sum(given is not None for given in (rule, model, weights)) != 1:
        raise DataError("give exactly one of --rule, --model and --weights")
    market = _market(prices, start, end, periods_per_year)
    begin = None if first is None else market.row(first)
    targets: Targets
    if rule is not None:
        strategy = pf.baselines.get(rule, window=window)
        if begin is None:
            begin = getattr(strategy, "window", 0) if rule in pf.baselines.ALLOCATORS else 0
        targets, name = strategy.bind(market, begin), str(rule)
    elif model is not None:
        agent = pf.Agent.load(model)
        if begin is None:
            begin = agent.card.network_options.window
        targets, name = agent.bind(market, begin), agent.name
    else:
        assert weights is not None
        begin, targets, name = begin or 0, _weights(weights), weights.stem
    result = pf.backtest(market, targets, buy=cost, sell=cost, lag=lag, start=begin, name=name)
    deliver(result, f"Backtest of {name}", as_json=as_json, csv=csv, html=html, out=out)


def _weights(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"there is no file {path}; give a CSV of target weights by date")
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as CSV ({str(error)[:120]}); give target weights by date"
        ) from error
    days = fisc.core.read_dates(table.iloc[:, 0], where=path.name)
    return pd.DataFrame(
        {
            name: fisc.core.read_numbers(table[name], f"{path.name}, column {name!r}").to_numpy()
            for name in table.columns[1:]
        },
        index=pd.DatetimeIndex(days, name="date"),
    )
