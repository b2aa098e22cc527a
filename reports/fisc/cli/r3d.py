"""``fisc r3d``: fit and diagnose distributional regression discontinuities, and check the method itself."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

import fisc.r3d as rd
from fisc.cli.output import Csv, Html, Jobs, Json, Out, OwnRandomState, RandomState, deliver
from fisc.cli.terminal import progress_bar
from fisc.core import DataError
from fisc.r3d import options

app = typer.Typer(
    help="Regression discontinuity for whole distributions: fit, diagnose, Monte Carlo.",
    no_args_is_help=True,
)

File = Annotated[str, typer.Argument(help="Long micro-data: Parquet or CSV (.gz too), one row a value.")]
Y = Annotated[str, typer.Option("--y", help="Column of the outcome.")]
X = Annotated[str, typer.Option("--x", help="Column of the running variable, constant within units.")]
Unit = Annotated[str, typer.Option("--unit", help="Column of the unit.")]
Treatment = Annotated[str | None, typer.Option("--treatment", help="Column of the treatment (fuzzy design).")]
Weights = Annotated[str | None, typer.Option("--weights", help="Column of sampling weights of the values.")]
UnitWeights = Annotated[str | None, typer.Option("--unit-weights", help="Column of weights of the units.")]
Cluster = Annotated[str | None, typer.Option("--cluster", help="Column of clusters of units.")]
Covariates = Annotated[
    list[str] | None, typer.Option("--covariate", help="Unit-level covariate; repeatable.")
]
Cutoff = Annotated[float, typer.Option("--cutoff", help="Cutoff, in units of x.")]
Quantiles = Annotated[
    str | None,
    typer.Option(
        "--quantiles",
        help="Probabilities with commas, or first:last:step; 0.01:0.99:0.01 by default.",
    ),
]
Method = Annotated[options.Method, typer.Option("--method", help="Estimator of the two curves.")]
Kernel = Annotated[options.Kernel, typer.Option("--kernel", help="Weights of units by distance.")]
Order = Annotated[int, typer.Option("--p", help="Order of the local polynomial.")]
Bandwidth = Annotated[float | None, typer.Option("--bandwidth", help="In units of x; selected if not given.")]
BandwidthT = Annotated[
    float | None, typer.Option("--bandwidth-treatment", help="Of the first stage; selected if not given.")
]
Selector = Annotated[options.Selector, typer.Option("--selector", help="What the bandwidth minimises.")]
Residuals = Annotated[options.Residuals, typer.Option("--residuals", help="Of the variance estimate.")]
Band = Annotated[options.Band, typer.Option("--band", help="Kind of band.")]
Rule = Annotated[
    options.QuantileRule, typer.Option("--quantile-rule", help="How quantiles of a unit are computed.")
]
Deriv = Annotated[int, typer.Option("--deriv", help="0 for a jump, 1 for a kink.")]
Donut = Annotated[float, typer.Option("--donut", help="Leave out units closer to the cutoff than this.")]
Draws = Annotated[int, typer.Option("--n-boot", help="Draws behind the band.")]
Alpha = Annotated[float, typer.Option("--alpha", help="One minus coverage.")]
Compat = Annotated[
    options.Compat | None, typer.Option("--compat", help="As the R package does it, defects included.")
]


def parse_quantiles(text: str) -> list[float]:
    """Read probabilities from numbers with commas, or first:last:step; anything else is a DataError.

    Examples
    --------
    >>> parse_quantiles("0.1:0.3:0.1")
    [0.1, 0.2, 0.3]
    >>> parse_quantiles("0.25,0.5")
    [0.25, 0.5]
    """
    try:
        if ":" in text:
            first, last, step = (float(part) for part in text.split(":"))
            if not 0.0 < step < 1.0:
                raise ValueError
            count = int((last - first) / step + 1.0 + 1e-9)
            return [round(first + i * step, 12) for i in range(count)]
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise DataError(
            f"--quantiles {text!r}: give 0.1,0.5,0.9 or first:last:step, like 0.05:0.95:0.05"
        ) from None


@app.command()
def fit(
    file: File,
    y: Y,
    x: X,
    unit: Unit,
    treatment: Treatment = None,
    weights: Weights = None,
    unit_weights: UnitWeights = None,
    cluster: Cluster = None,
    covariate: Covariates = None,
    cutoff: Cutoff = 0.0,
    quantiles: Quantiles = None,
    method: Method = "frechet",
    kernel: Kernel = "triangular",
    p: Order = 2,
    bandwidth: Bandwidth = None,
    bandwidth_treatment: BandwidthT = None,
    selector: Selector = "mse",
    residuals: Residuals = "hc2",
    band: Band = "studentized",
    quantile_rule: Rule = "auto",
    deriv: Deriv = 0,
    donut: Donut = 0.0,
    n_boot: Draws = 9999,
    alpha: Alpha = 0.05,
    compat: Compat = None,
    random_state: OwnRandomState = None,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Estimate the effect of crossing the cutoff on the distribution of the outcome."""
    result = _fit(file, locals())
    kinds: list[options.PlotKind] = ["effect", "limits", "rd", "running"]
    if result.quantiles.size >= 5 and not result.deriv:
        kinds.append("densities")
    deliver(
        result,
        "Distributional regression discontinuity",
        as_json=as_json,
        csv=csv,
        html=html,
        out=out,
        pictures={kind: functools.partial(result.plot, kind=kind) for kind in kinds},
    )


@app.command()
def diagnose(
    file: File,
    y: Y,
    x: X,
    unit: Unit,
    treatment: Treatment = None,
    weights: Weights = None,
    unit_weights: UnitWeights = None,
    cluster: Cluster = None,
    covariate: Covariates = None,
    cutoff: Cutoff = 0.0,
    quantiles: Quantiles = None,
    method: Method = "frechet",
    kernel: Kernel = "triangular",
    random_state: OwnRandomState = None,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Check the design: manipulation, placebos, balance, donut, sizes, monotonicity, bandwidth."""
    diagnosis = _fit(file, locals()).diagnose(random_state=random_state or 0)
    deliver(diagnosis, "Diagnostics", as_json=as_json, csv=csv, html=html, out=out)


@app.command()
def montecarlo(
    designs: Annotated[str, typer.Option("--designs", help="Names with commas; all six by default.")] = "",
    sizes: Annotated[str, typer.Option("--sizes", help="Units, with commas.")] = "100,200,500",
    methods: Annotated[str, typer.Option("--methods", help="With commas.")] = "simple,frechet",
    reps: Annotated[int, typer.Option("--reps", min=1, help="Replications in a cell.")] = 500,
    n_boot: Draws = 999,
    reference: Annotated[
        bool, typer.Option("--reference", help="Also run the R package's estimator.")
    ] = False,
    jobs: Jobs = 1,
    random_state: RandomState = 0,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Estimate designs with a known effect many times: coverage, size, error."""
    try:
        counts = [int(part) for part in sizes.split(",")]
    except ValueError:
        raise DataError(f"--sizes {sizes!r}: give whole numbers with commas, like 100,200") from None
    with progress_bar("simulating") as step:
        result = rd.monte_carlo(
            designs.split(",") if designs else rd.DESIGNS,  # type: ignore[arg-type]
            counts,
            methods.split(","),  # type: ignore[arg-type]
            reps=reps,
            n_boot=n_boot,
            reference=reference,
            random_state=random_state,
            n_jobs=jobs,
            progress=lambda done, total: step("simulating", done, total),
        )
    deliver(result, "Monte Carlo", as_json=as_json, csv=csv, html=html, out=out)


def _fit(file: str, given: dict[str, object]) -> rd.R3DResult:
    """Fit with the options of a command, where columns and options have the names of `r3d`."""
    options = {
        k: v for k, v in given.items() if k not in ("file", "out", "html", "csv", "as_json", "covariate")
    }
    quantiles = options.pop("quantiles")
    if isinstance(quantiles, str):
        options["quantiles"] = parse_quantiles(quantiles)
    return rd.r3d(Path(file), covariates=given["covariate"] or None, **options)  # type: ignore[arg-type]
