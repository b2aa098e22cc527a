"""``fisc economist``: solve for the optimum, run and resume simulations, compare planners."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from fisc.economist import SimulationConfig, SimulationResult, Workers

app = typer.Typer(
    help="Tax planner: exact workers, the optimal schedule, baselines and planners of every kind.",
    no_args_is_help=True,
)

Number = Annotated[int, typer.Option("--workers", "-n", min=1, help="Number of workers.")]
Population = Annotated[str, typer.Option(help="Incomes: gb2 (fit to ACS 2023) or acs (rounded quantiles).")]
Calibration = Annotated[str, typer.Option(help="Cost of hours: common, individual or paper.")]
Criterion = Annotated[str, typer.Option(help="inverse_income, log, utilitarian, rawls, crra or paper_live.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same result.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Jobs = Annotated[int, typer.Option("--jobs", help="Restarts side by side; -1 for all cores.")]
Html = Annotated[Path | None, typer.Option("--html", help="Also write a report to this file.")]


def _workers(n: int, population: str, calibration: str, seed: int) -> Workers:
    from fisc.economist import Workers

    return Workers.sample(n, population, seed, calibration)


def _write(html: Path | None, title: str, section: Any) -> None:
    if html is not None:
        from fisc.cli.terminal import console
        from fisc.report import Report

        Report(title, [section]).to_html(html)
        console(stderr=True).print(f"report written to {html}")


def _show(frame: pd.DataFrame, title: str, formats: dict[str, str]) -> None:
    from rich.table import Table

    from fisc.cli.terminal import console

    table = Table(title=title, title_justify="left")
    table.add_column(str(frame.index.name or ""), no_wrap=True)
    for column in frame.columns:
        table.add_column(str(column).replace("_", " "), justify="right")
    for name, row in frame.iterrows():
        cells = [format(value, formats.get(str(column), "")) for column, value in row.items()]
        table.add_row(str(name), *cells)
    console().print(table)


@app.command()
def solve(
    n: Number = 1000,
    population: Population = "gb2",
    calibration: Calibration = "common",
    criterion: Criterion = "inverse_income",
    edges: Annotated[str, typer.Option(help="Bracket edges with commas; default those of US law 2024.")] = "",
    seed: Seed = 0,
    jobs: Jobs = 1,
    restarts: Annotated[int, typer.Option(min=1, help="Independent searches.")] = 4,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """Find the optimal schedule of a planner who knows every worker."""
    from fisc.core import DataError
    from fisc.economist import TaxSchedule, optimal_schedule

    try:
        lower = [float(part) for part in edges.split(",")] if edges else TaxSchedule.us_federal(2024).edges
    except ValueError:
        raise DataError(f"--edges must be numbers with commas, like 0,11600,47150; got {edges!r}") from None
    people = _workers(n, population, calibration, seed)
    best = optimal_schedule(people, lower, criterion, seed=seed, n_jobs=jobs, restarts=restarts)
    if as_json:
        from fisc.cli.terminal import print_json

        print_json(best.to_dict())
    else:
        typer.echo(people.summary())
        typer.echo(best.summary())
    _write(html, "Optimal tax schedule", best.section())


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="TOML file of the simulation.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the run, instead of the file's.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate calls, tokens and cost; ask nothing.")
    ] = False,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """Run a simulation; every step goes to its folder, so that it can be resumed."""
    from fisc.economist import Simulation, SimulationConfig

    settings = SimulationConfig.from_toml(config)
    if out is not None:
        settings = SimulationConfig(**{**settings.to_dict(), "folder": str(out)})
    simulation = Simulation(settings)
    if dry_run:
        estimate = simulation.estimate()
        if as_json:
            from dataclasses import asdict

            from fisc.cli.terminal import print_json

            print_json(asdict(estimate))
        else:
            typer.echo(estimate.summary())
        return
    with _progress(settings) as step:
        result = simulation.run(progress=step)
    _report(result, as_json, html)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(help="Folder of a run that was killed or stopped.")],
    budget_tokens: Annotated[int | None, typer.Option(min=0, help="New budget of tokens.")] = None,
    budget_money: Annotated[float | None, typer.Option(min=0.0, help="New budget of money.")] = None,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """Finish a run, to the same result as if it had never been interrupted."""
    from fisc.economist import Simulation, SimulationConfig
    from fisc.economist.runs import RunFolder
    from fisc.llm import Budget

    settings = SimulationConfig(**RunFolder(folder).config())
    budget = None
    if budget_tokens is not None or budget_money is not None:
        budget = Budget(tokens=budget_tokens, money=budget_money)
    with _progress(settings) as step:
        result = Simulation.resume(folder, budget=budget, progress=step)
    _report(result, as_json, html)


@app.command()
def compare(
    n: Number = 1000,
    population: Population = "gb2",
    calibration: Calibration = "common",
    criterion: Criterion = "inverse_income",
    planner: Annotated[
        list[str] | None, typer.Option(help="bayesian, gp, cmaes, hill, random; repeatable.")
    ] = None,
    years: Annotated[int, typer.Option(min=1, help="Tax years of each planner.")] = 40,
    seed: Seed = 0,
    jobs: Jobs = 1,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """Compare US law, Saez, planners and the optimum on one population."""
    from fisc.economist import compare as side_by_side

    people = _workers(n, population, calibration, seed)
    names = tuple(planner or ("bayesian", "hill"))
    result = side_by_side(people, criterion, planners=names, years=years, seed=seed, n_jobs=jobs)
    frame = result.to_frame().sort_values("welfare", ascending=False)
    if as_json:
        from fisc.cli.terminal import print_json

        print_json({"schedules": frame.reset_index().to_dict("records"), **_rates(result)})
    else:
        typer.echo(people.summary())
        formats = {"welfare": ",.6g", "gap closed": ".4f", "hours": ".1f", "income": ",.0f"}
        formats |= {"idle": ".1%", "gain": ".0%"}
        short = {"gap_closed": "gap closed", "mean_hours": "hours", "mean_income": "income"}
        short |= {"not_working": "idle", "share_who_gain": "gain"}
        _show(
            frame.drop(columns="rebate").rename(columns=short),
            "Share of the welfare gap from US law to the optimum",
            formats,
        )
        rates = result.rates_frame()
        rates.columns = [f"{edge / 1000:g}k" for edge in result.optimum.schedule.edges]
        _show(rates, "Marginal rates, per cent, by lower edge in USD", dict.fromkeys(rates.columns, ".1f"))
    _write(html, "Tax schedules side by side", result.section())


def _rates(result: Any) -> dict[str, Any]:
    return {"rates": {name: schedule.to_dict() for name, schedule in result.schedules.items()}}


def _report(result: SimulationResult, as_json: bool, html: Path | None) -> None:
    if as_json:
        from fisc.cli.terminal import print_json

        print_json(
            {
                "status": result.status,
                "fault": result.fault,
                "years": result.years,
                "welfare": result.welfare.tolist(),
                "us_welfare": result.us_welfare,
                "optimum_welfare": None if result.optimum is None else result.optimum.welfare,
                "schedule": result.schedule.to_dict(),
                "state": result.state_fingerprint(),
                "ledger": result.ledger,
            }
        )
    else:
        typer.echo(result.summary())
        typer.echo(result.schedule.summary())
    _write(html, "Simulation", result.section())


def _progress(settings: SimulationConfig) -> Any:
    """Return a context whose value shows the years as they pass, on standard error."""
    import contextlib

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from fisc.cli.terminal import console

    @contextlib.contextmanager
    def bar() -> Any:
        columns = (TextColumn("tax years"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console(stderr=True), transient=True) as shown:
            task = shown.add_task("", total=settings.years)
            yield lambda done, _: shown.update(task, completed=done)

    return bar()
