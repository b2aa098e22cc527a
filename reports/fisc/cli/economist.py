"""``fisc economist``: solve for the optimum, run and resume simulations, compare planners."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

import fisc.data
import fisc.economist as ec
from fisc.cli.output import (
    Csv,
    Html,
    Jobs,
    Json,
    Out,
    RandomState,
    completion,
    deliver,
    print_json,
    show_frame,
)
from fisc.cli.terminal import progress_bar
from fisc.core import DataError, check_number, check_option
from fisc.economist import options

if TYPE_CHECKING:
    import pandas as pd

    from fisc.llm import Budget

app = typer.Typer(
    help="Tax planner: exact workers, the optimal schedule, baselines and planners of every kind.",
    no_args_is_help=True,
)

Number = Annotated[
    int | None, typer.Option("--workers", "-n", min=1, help="Workers drawn; 1000 if left out.")
]
Population = Annotated[
    str,
    typer.Option(
        help="Incomes: gb2 (fit to ACS 2023), acs (rounded quantiles), or a Parquet or CSV file of a survey.",
        autocompletion=completion(options.Population),
    ),
]
Income = Annotated[str, typer.Option(help="Column of the file: annual earnings.")]
Weight = Annotated[str, typer.Option(help="Column of the file: people for whom a row stands.")]
Rate = Annotated[
    str,
    typer.Option("--marginal-rate", help="Column of the file: marginal rate; US law of 2024 if left out."),
]
Elasticity = Annotated[float, typer.Option(help="Of income with respect to the net-of-tax rate.")]
Calibration = Annotated[options.Calibration, typer.Option(help="Cost of hours.")]
Criterion = Annotated[options.CriterionName, typer.Option(help="Measure of welfare.")]


def _people(
    n: int | None,
    population: str,
    columns: tuple[str, str, str],
    elasticity: float,
    calibration: options.Calibration,
    random_state: int,
) -> ec.Workers:
    """Return the workers drawn, or those behind the incomes of a file (columns of income, weight and rate)."""
    elasticity = check_number("--elasticity", elasticity, above=0, most=10)
    income, weight, rate = columns
    if population in get_args(options.Population):
        if any(columns):
            raise DataError(
                "--income, --weight and --marginal-rate are columns of a file; give the file as --population"
            )
        name = cast("options.Population", population)
        drawn = 1000 if n is None else n
        return ec.Workers.sample(drawn, name, random_state, calibration, delta=1.0 + 1.0 / elasticity)
    file = Path(population)
    if not file.suffix:
        check_option("--population", population, get_args(options.Population))
    if n is not None:
        raise DataError("--workers draws a sample; a file brings its own people, so leave it out")
    if not income:
        raise DataError(f"which column of {file} holds the earnings? Give it as --income")
    return ec.Workers.from_frame(
        _table(file),
        income=income,
        weight=weight or None,
        marginal_rate=rate or None,
        schedule=None if rate else ec.TaxSchedule.us_federal(2024),
        elasticity=elasticity,
        calibration=cast("options.ObservedCalibration", calibration),
    )


def _table(file: Path) -> pd.DataFrame:
    """Return the table in a Parquet or CSV file."""
    import pandas as pd
    import pyarrow as pa

    if not file.exists():
        raise DataError(f"there is no file {file}; give gb2, acs, or the path of a Parquet or CSV file")
    try:
        return pd.read_csv(file) if file.suffix.lower() == ".csv" else pd.read_parquet(file)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{file} cannot be read as a table ({error}); give a Parquet or CSV file") from None


@app.command()
def solve(
    n: Number = None,
    population: Population = "gb2",
    income: Income = "",
    weight: Weight = "",
    marginal_rate: Rate = "",
    elasticity: Elasticity = 0.4,
    calibration: Calibration = "common",
    criterion: Criterion = "inverse_income",
    edges: Annotated[str, typer.Option(help="Bracket edges with commas; default those of US law 2024.")] = "",
    random_state: RandomState = 0,
    jobs: Jobs = 1,
    restarts: Annotated[int, typer.Option(min=1, help="Independent searches.")] = 4,
    lowest_rate: Annotated[
        float, typer.Option(help="Smallest marginal rate; below 0 for credits on earnings.")
    ] = 0.0,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Find the optimal schedule of a planner who knows every worker."""
    lower = _numbers("--edges", edges) if edges else ec.TaxSchedule.us_federal(2024).edges
    columns = (income, weight, marginal_rate)
    people = _people(n, population, columns, elasticity, calibration, random_state)
    with progress_bar("optimum", show=not as_json) as step:
        best = ec.optimal_schedule(
            people,
            lower,
            criterion,
            random_state=random_state,
            n_jobs=jobs,
            restarts=restarts,
            lowest_rate=lowest_rate,
            progress=step,
        )

    def say() -> None:
        typer.echo(people.summary())
        typer.echo(best.summary())

    deliver(best, "Optimal tax schedule", as_json=as_json, csv=csv, html=html, out=out, say=say)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="TOML file of the simulation.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the run, instead of the file's.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate calls, tokens and cost; ask nothing.")
    ] = False,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Run a simulation; every step goes to its folder, so that it can be resumed."""
    settings = ec.SimulationConfig.from_toml(config)
    if out is not None:
        settings = ec.SimulationConfig(**{**settings.to_dict(), "folder": str(out)})
    simulation = ec.Simulation(settings)
    if dry_run:
        estimate = simulation.estimate()
        if as_json:
            print_json(estimate)
        else:
            typer.echo(estimate.summary())
        return
    with progress_bar("tax years", show=not as_json) as step:
        result = simulation.run(progress=lambda done, _: step("", done, settings.years))
    _deliver(result, as_json, csv, html)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(help="Folder of a run that was killed or stopped.")],
    budget_tokens: Annotated[int | None, typer.Option(min=0, help="New budget of tokens.")] = None,
    budget_money: Annotated[float | None, typer.Option(min=0.0, help="New budget of money.")] = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Finish a run, to the same result as if it had never been interrupted."""
    budget: Budget | None = None
    if budget_tokens is not None or budget_money is not None:
        from fisc.llm import Budget

        budget = Budget(tokens=budget_tokens, money=budget_money)
    with progress_bar("tax years", show=not as_json) as step:
        result = ec.Simulation.resume(
            folder, budget=budget, progress=lambda done, total: step("", done, total)
        )
    _deliver(result, as_json, csv, html)


@app.command()
def compare(
    n: Number = None,
    population: Population = "gb2",
    income: Income = "",
    weight: Weight = "",
    marginal_rate: Rate = "",
    elasticity: Elasticity = 0.4,
    calibration: Calibration = "common",
    criterion: Criterion = "inverse_income",
    planner: Annotated[
        list[str] | None,
        typer.Option(help="Planner to compare; repeatable.", autocompletion=completion(options.PlannerName)),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="TOML file of a simulation whose [model] the language planner asks."),
    ] = None,
    years: Annotated[int, typer.Option(min=1, help="Tax years of each planner.")] = 20,
    random_state: RandomState = 0,
    jobs: Jobs = 1,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Compare US law, Saez, planners and the optimum on one population."""
    columns = (income, weight, marginal_rate)
    people = _people(n, population, columns, elasticity, calibration, random_state)
    names = tuple(planner or ("bayesian", "hill"))
    asked = None if model is None else ec.SimulationConfig.from_toml(model).model
    with progress_bar("schedules", show=not as_json) as step:
        result = ec.compare(
            people,
            criterion,
            planners=names,  # type: ignore[arg-type]
            years=years,
            random_state=random_state,
            n_jobs=jobs,
            model=asked,
            progress=step,
        )

    def say() -> None:
        typer.echo(people.summary())
        frame = result.to_frame().sort_values("welfare", ascending=False).drop(columns="rebate")
        formats = {"welfare": ",.6g", "gap_closed": ".4f", "mean_hours": ".1f", "mean_income": ",.0f"}
        formats |= {"not_working": ".1%", "share_who_gain": ".0%"}
        short = {
            "mean_hours": "hours",
            "mean_income": "income",
            "not_working": "idle",
            "share_who_gain": "gain",
        }
        show_frame(frame, "Share of the welfare gap from US law to the optimum", formats, labels=short)
        rates = result.rates_frame()
        rates.columns = [f"{edge / 1000:g}k" for edge in result.optimum.schedule.edges]
        show_frame(rates, "Marginal rates, per cent, by lower edge in USD", ".1f")

    deliver(result, "Tax schedules side by side", as_json=as_json, csv=csv, html=html, out=out, say=say)


@app.command()
def reform(
    rates: Annotated[str, typer.Option(help="The seven rates of the reform with commas, as 0.1,0.12,….")],
    year: Annotated[int, typer.Option(help="Tax year.")] = 2024,
    elasticity: Annotated[float, typer.Option(help="Of taxable income with respect to 1 - rate.")] = 0.25,
    revenue: Annotated[options.Revenue, typer.Option(help="What happens to what is raised.")] = "rebate",
    by: Annotated[list[str] | None, typer.Option(help="Column whose groups are told; repeatable.")] = None,
    requirement: Annotated[
        float | None, typer.Option(help="USD a year that the reform must raise, with --revenue requirement.")
    ] = None,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Score a reform of the US income tax on 280 005 weighted records (extra us)."""
    given = _numbers("--rates", rates)
    with progress_bar("reform", show=not as_json) as step:
        step("present law", 0, 3)
        units, before = fisc.data.load_tax_units(year), ec.ActualLaw.us(year)
        step("reformed law", 1, 3)
        after = ec.ActualLaw.us(year, rates=given)
        step("answers", 2, 3)
        score = ec.score_reform(
            units,
            before,
            after,
            elasticity=elasticity,
            revenue=revenue,
            requirement=requirement,
            by=by or (),
            members="members",
        )

    def say() -> None:
        typer.echo(score.summary())
        show_frame(score.effects[["change", "low", "high"]], "Change", ",.4g")
        money = dict.fromkeys(("income", "tax_change", "gain"), ",.0f")
        shown = score.deciles[
            ["income", "tax_change", "gain", "gainers", "losers", "rate_before", "rate_after"]
        ]
        short = {
            "tax_change": "tax",
            "gainers": "win",
            "losers": "lose",
            "rate_before": "rate",
            "rate_after": "then",
        }
        show_frame(shown, "By tenth of income", money | dict.fromkeys(_SHARES, ".0%"), labels=short)
        for note in score.notes:
            typer.echo(note)

    deliver(score, "A tax reform", as_json=as_json, csv=csv, html=html, out=out, say=say)


_SHARES = ("gainers", "losers", "rate_before", "rate_after")


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise DataError(f"{option} must be numbers with commas, like 0.1,0.12; got {text!r}") from None


def _deliver(result: ec.SimulationResult, as_json: bool, csv: Path | None, html: Path | None) -> None:
    def say() -> None:
        typer.echo(result.summary())
        typer.echo(result.schedule.summary())

    deliver(result, "Simulation", as_json=as_json, csv=csv, html=html, say=say)
