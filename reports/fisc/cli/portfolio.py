"""``fisc portfolio``: train agents, evaluate strategies, test the machinery, run a backtest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fisc.portfolio import Market

app = typer.Typer(
    help="Portfolios under exact costs: train agents, compare them with classical rules, test the machinery.",
    no_args_is_help=True,
)

Prices = Annotated[
    str,
    typer.Argument(help="Prices by date and asset: a CSV or Parquet file, or sp500 for the packaged stocks."),
]
Algorithm = Annotated[str, typer.Option("--algorithm", help="ppo, sb3-ppo, trpo or sac.")]
Network = Annotated[str, typer.Option("--network", help="mlp (fastest), eiie, vgg, resnet or vit.")]
RewardName = Annotated[
    str,
    typer.Option(
        "--reward",
        help="differential_sharpe, telescoping_sharpe, average_sharpe, log_return, mean_variance, ...",
    ),
]
Base = Annotated[
    str,
    typer.Option(
        "--base", help="Allocation to start from: equal, erc, hrp, min_variance, ...; none for none."
    ),
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Environment steps of each training run.")]
Cost = Annotated[
    float, typer.Option("--cost", help="Share of the traded value, both sides; 0.25 % is 0.0025.")
]
Lag = Annotated[int, typer.Option("--lag", help="Closes between decision and trade.")]
Start = Annotated[str | None, typer.Option("--from", help="First date of prices to use.")]
End = Annotated[str | None, typer.Option("--to", help="Last date of prices to use.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to write to.")]


def _market(prices: str, start: str | None, end: str | None) -> Market:
    """Load prices by name or from a file and cut them to the dates asked for."""
    from fisc.core import DataError
    from fisc.data import load_sp500, read_prices
    from fisc.portfolio import Market

    frame = load_sp500() if prices == "sp500" else read_prices(prices)
    cut = frame.loc[start:end]
    if len(cut) < 2:
        raise DataError(
            f"{prices} has {len(cut)} dates from {start} to {end}; it spans {frame.index[0]} to {frame.index[-1]}"
        )
    return Market.from_prices(cut)


def _show(table: Any, title: str, decimals: int = 3) -> None:
    """Print a DataFrame as a table."""
    from rich.table import Table

    from fisc.cli.terminal import console

    shown = Table(title=title, title_justify="left")
    shown.add_column("")
    for column in table.columns:
        shown.add_column(str(column), justify="right")
    for name, row in table.iterrows():
        cells = [f"{value:.{decimals}f}" if isinstance(value, float) else str(value) for value in row]
        shown.add_row(str(name), *("–" if cell == "nan" else cell for cell in cells))
    console().print(shown)


def _write(result: Any, out: Path | None, title: str) -> None:
    """Write a result as JSON, table and report into a folder."""
    if out is None:
        return
    import json

    from fisc.core import atomic_write
    from fisc.report import Report

    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / "result.json", "w") as file:
        json.dump(result.to_dict(), file)
    with atomic_write(out / "table.csv", "w") as file:
        result.to_frame().to_csv(file)
    Report(title, [result.section()]).to_html(out / "report.html")
    typer.echo(f"wrote {out / 'report.html'}", err=True)


@app.command()
def train(
    prices: Prices,
    out: Annotated[Path, typer.Option("--out", help="Folder for the model; its checkpoint lies beside it.")],
    algorithm: Algorithm = "ppo",
    network: Network = "mlp",
    reward: RewardName = "differential_sharpe",
    base: Base = "equal",
    steps: Steps = 200_000,
    cost: Cost = 0.0025,
    lag: Lag = 0,
    window: Annotated[int, typer.Option("--window", help="Closes the policy looks back on.")] = 50,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same weights.")] = 0,
    start: Start = None,
    end: End = None,
    json: Json = False,
) -> None:
    """Train one agent; run again after an interruption to go on from the last checkpoint."""
    from fisc.cli.terminal import console, print_json
    from fisc.portfolio import train as train_agent

    agent = train_agent(
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
        seed=seed,
        checkpoint=out,
        progress=not json,
    )
    agent.save(out)
    if json:
        print_json({**agent.card.to_dict(), "folder": str(out)})
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
    network: Network = "mlp",
    reward: RewardName = "differential_sharpe",
    base: Base = "equal",
    steps: Steps = 40_000,
    cost: Cost = 0.0025,
    lag: Lag = 0,
    train_closes: Annotated[int, typer.Option("--train", help="Closes in each training span.")] = 1260,
    test_closes: Annotated[int, typer.Option("--test", help="Decisions in each test span.")] = 504,
    purge: Annotated[int, typer.Option("--purge", help="Closes left out before each test span.")] = 0,
    embargo: Annotated[int, typer.Option("--embargo", help="Further closes left out.")] = 5,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Seeds of the agent.")] = 5,
    first_test: Annotated[str | None, typer.Option("--test-from", help="First test decision (date).")] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="Training runs at once.")] = 1,
    trials: Annotated[
        Path | None, typer.Option("--trials", help="File that logs every trial (JSON lines).")
    ] = None,
    start: Start = None,
    end: End = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Compare strategies out of sample, walking forward, with intervals and a verdict."""
    from fisc.cli.terminal import console, print_json
    from fisc.portfolio import RLPortfolio, TrialLog, baselines, walk_forward

    market = _market(prices, start, end)
    names = models or [*baselines.NAMES, "learned"]
    chosen: dict[str, Any] = {name: baselines.get(name) for name in names if name != "learned"}
    if "learned" in names:
        chosen["learned"] = RLPortfolio(
            algorithm=algorithm,
            network=network,
            reward=reward,
            base=None if base == "none" else base,
            steps=steps,
        )
    result = walk_forward(
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
        log=None if trials is None else TrialLog(trials),
    )
    if json:
        print_json(
            {
                "table": result.to_frame().to_dict("index"),
                "verdicts": list(result.verdicts),
                "overfitting": result.overfitting,
                "trials": result.trials,
            }
        )
    else:
        columns = [
            "sharpe",
            "low",
            "high",
            "difference",
            "difference_low",
            "difference_high",
            "max_drawdown",
            "turnover",
        ]
        _show(result.to_frame()[columns], "Out of sample, net of costs")
        console().print(result.summary())
    _write(result, out, "Portfolio evaluation")


@app.command()
def selftest(
    parts: Annotated[
        list[str] | None, typer.Option("--part", help="leak, planted or iid; repeatable. Default: all.")
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="Agents in the planted market, at each cost.")
    ] = 3,
    worlds: Annotated[int, typer.Option("--worlds", min=1, help="Independent markets.")] = 20,
    jobs: Annotated[int, typer.Option("--jobs", help="Runs at once.")] = 1,
    out: Out = None,
    json: Json = False,
) -> None:
    """Test for leaks, for a planted signal, and for findings where there is nothing; exit code 1 on failure."""
    from fisc.cli.terminal import console, print_json
    from fisc.portfolio import selftest as run
    from fisc.portfolio.selftests import PARTS

    result = run(parts or PARTS, seeds=seeds, worlds=worlds, n_jobs=jobs)
    if json:
        print_json({"passed": result.passed, "checks": result.checks.to_dict("records")})
    else:
        console().print(result.summary(), markup=False)
    _write(result, out, "Portfolio self-tests")
    if not result.passed:
        raise typer.Exit(1)


@app.command()
def backtest(
    prices: Prices,
    rule: Annotated[str | None, typer.Option("--rule", help="Classical rule by name.")] = None,
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
    out: Out = None,
    json: Json = False,
) -> None:
    """Run one rule, one trained agent or one table of weights through a market, net of costs."""
    from fisc.cli.terminal import console, print_json
    from fisc.core import DataError
    from fisc.portfolio import Agent, baselines
    from fisc.portfolio import backtest as run

    if sum(given is not None for given in (rule, model, weights)) != 1:
        raise DataError("give exactly one of --rule, --model and --weights")
    market = _market(prices, start, end)
    begin = 0 if first is None else market.row(first)
    targets: Any
    name = rule
    if rule is not None:
        strategy = baselines.get(rule, window=window)
        begin = (
            begin
            if first is not None
            else getattr(strategy, "window", 0)
            if rule in baselines.ALLOCATORS
            else 0
        )
        targets = strategy.bind(market, begin)
    elif model is not None:
        agent = Agent.load(model)
        begin = begin if first is not None else int(agent.card.network["window"])
        targets, name = agent.bind(market, begin), agent.name
    else:
        import pandas as pd

        if weights is None or not weights.is_file():
            raise DataError(f"there is no file {weights}; give a CSV of target weights by date")
        targets, name = pd.read_csv(weights, index_col=0, parse_dates=True), weights.stem
    result = run(market, targets, buy=cost, sell=cost, lag=lag, start=begin, name=name)
    if json:
        print_json(result.metrics().to_dict())
    else:
        console().print(result.summary(), markup=False)
    _write(result, out, f"Backtest of {name}")
