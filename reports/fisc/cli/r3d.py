"""``fisc r3d``: fit and diagnose distributional regression discontinuities, and check the method itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fisc.r3d import R3DResult

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
    str,
    typer.Option("--quantiles", help="Probabilities with commas, or first:last:step, like 0.05:0.95:0.05."),
]
Method = Annotated[str, typer.Option("--method", help="frechet or simple.")]
Kernel = Annotated[str, typer.Option("--kernel", help="triangular, epanechnikov or uniform.")]
Order = Annotated[int, typer.Option("--p", help="Order of the local polynomial.")]
Bandwidth = Annotated[float | None, typer.Option("--bandwidth", help="In units of x; selected if not given.")]
BandwidthT = Annotated[
    float | None, typer.Option("--bandwidth-treatment", help="Of the first stage; selected if not given.")
]
Selector = Annotated[str, typer.Option("--selector", help="mse, cer or msetwo.")]
Residuals = Annotated[str, typer.Option("--residuals", help="hc0, hc1, hc2, hc3 or nn.")]
Band = Annotated[str, typer.Option("--band", help="constant, studentized, pointwise or anderson_rubin.")]
Rule = Annotated[str, typer.Option("--quantile-rule", help="linear, inverse_cdf or weighted_hmisc.")]
Deriv = Annotated[int, typer.Option("--deriv", help="0 for a jump, 1 for a kink.")]
Donut = Annotated[float, typer.Option("--donut", help="Leave out units closer to the cutoff than this.")]
Draws = Annotated[int, typer.Option("--n-boot", help="Draws behind the band.")]
Alpha = Annotated[float, typer.Option("--alpha", help="One minus coverage.")]
Compat = Annotated[str | None, typer.Option("--compat", help="r3d-0.1: as the R package, defects included.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same result.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for table, JSON, pictures and report.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def parse_quantiles(text: str) -> list[float]:
    """Read probabilities from text.

    Parameters
    ----------
    text : str
        Numbers with commas, or first:last:step.

    Returns
    -------
    list of float

    Raises
    ------
    DataError
        If it is neither.

    Examples
    --------
    >>> parse_quantiles("0.1:0.3:0.1")
    [0.1, 0.2, 0.3]
    >>> parse_quantiles("0.25,0.5")
    [0.25, 0.5]
    """
    from fisc.core import DataError

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


def _fit(file: str, options: dict[str, Any]) -> R3DResult:
    from fisc.r3d import r3d

    quantiles = parse_quantiles(options.pop("quantiles"))
    return r3d(Path(file), quantiles=quantiles, random_state=options.pop("seed"), **options)


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
    quantiles: Quantiles = "0.05:0.95:0.05",
    method: Method = "frechet",
    kernel: Kernel = "triangular",
    p: Order = 2,
    bandwidth: Bandwidth = None,
    bandwidth_treatment: BandwidthT = None,
    selector: Selector = "mse",
    residuals: Residuals = "hc3",
    band: Band = "constant",
    quantile_rule: Rule = "linear",
    deriv: Deriv = 0,
    donut: Donut = 0.0,
    n_boot: Draws = 1999,
    alpha: Alpha = 0.05,
    compat: Compat = None,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Estimate the effect of crossing the cutoff on the distribution of the outcome."""
    options = {k: v for k, v in locals().items() if k not in ("file", "out", "as_json", "covariate")}
    result = _fit(file, {**options, "covariates": covariate or None})
    if as_json:
        from fisc.cli.terminal import print_json

        print_json(_numbers(result))
    else:
        typer.echo(result.summary())
    if out is not None:
        _write(out, result)


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
    quantiles: Quantiles = "0.1:0.9:0.1",
    method: Method = "frechet",
    kernel: Kernel = "triangular",
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Check the design: manipulation, placebos, balance, donut, sizes, monotonicity, bandwidth."""
    options = {k: v for k, v in locals().items() if k not in ("file", "out", "as_json", "covariate")}
    diagnosis = _fit(file, {**options, "covariates": covariate or None}).diagnose(random_state=seed)
    if as_json:
        from fisc.cli.terminal import print_json

        print_json(_records(diagnosis.table))
    else:
        typer.echo(diagnosis.summary())
    if out is not None:
        from fisc.cli.terminal import console
        from fisc.report import Report

        out.mkdir(parents=True, exist_ok=True)
        Report("Diagnostics", [diagnosis.section()]).to_html(out / "diagnostics.html")
        console(stderr=True).print(f"report written to {out / 'diagnostics.html'}")


@app.command()
def montecarlo(
    designs: Annotated[str, typer.Option("--designs", help="Names with commas; all six by default.")] = "",
    sizes: Annotated[str, typer.Option("--sizes", help="Units, with commas.")] = "100,200,500",
    methods: Annotated[str, typer.Option("--methods", help="With commas.")] = "simple,frechet",
    reps: Annotated[int, typer.Option("--reps", min=1, help="Replications a cell.")] = 500,
    n_boot: Draws = 999,
    reference: Annotated[
        bool, typer.Option("--reference", help="Also run the R package's estimator.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", help="Workers; -1 for all cores.")] = 1,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option("--out", help="CSV file for the table.")] = None,
    as_json: Json = False,
) -> None:
    """Estimate designs with a known effect many times: coverage, size, error."""
    from fisc.cli.terminal import print_json, progress_bar
    from fisc.core import DataError, atomic_write
    from fisc.r3d import DESIGNS, monte_carlo

    try:
        counts = [int(part) for part in sizes.split(",")]
    except ValueError:
        raise DataError(f"--sizes {sizes!r}: give whole numbers with commas, like 100,200") from None
    names: Any = designs.split(",") if designs else DESIGNS
    chosen: Any = methods.split(",")
    with progress_bar("simulating") as step:
        result = monte_carlo(
            names,
            counts,
            chosen,
            reps=reps,
            n_boot=n_boot,
            reference=reference,
            random_state=seed,
            n_jobs=jobs,
            progress=lambda done, total: step("simulating", done, total),
        )
    if out is not None:
        with atomic_write(out, "w") as stream:
            result.table.to_csv(stream, index=False)
    if as_json:
        print_json(_records(result.table))
    else:
        typer.echo(result.summary())


def _numbers(result: R3DResult) -> dict[str, Any]:
    """Put what scripts want of a fit into plain numbers."""
    import numpy as np

    tests = result.tests(names=("nullity", "homogeneity") if result.quantiles.size > 1 else ("nullity",))
    mean = result.functional("mean")
    return {
        "curve": _records(result.to_frame()),
        "bandwidth": np.asarray(result.bandwidth).tolist(),
        "bandwidth_treatment": result.bandwidth_treatment,
        "critical_value": result.critical_value,
        "first_stage": result.first_stage,
        "n_minus": result.n_minus,
        "n_plus": result.n_plus,
        "n_effective_minus": np.asarray(result.n_effective_minus).tolist(),
        "n_effective_plus": np.asarray(result.n_effective_plus).tolist(),
        "mean_effect": {k: getattr(mean, k) for k in ("estimate", "se", "lower", "upper")},
        "tests": _records(tests),
        "warnings": list(result.warnings),
        "provenance": result.provenance.to_dict(),
    }


def _records(frame: Any) -> list[dict[str, Any]]:
    """Rows as dictionaries, with null for what is not a finite number."""
    import math

    return [
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        for row in frame.to_dict("records")
    ]


def _write(out: Path, result: R3DResult) -> None:
    """Table, JSON, pictures and report into a folder, each written whole or not at all."""
    import json

    from fisc.cli.terminal import console
    from fisc.core import atomic_write
    from fisc.report import Report

    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / "effect.csv", "w") as stream:
        result.to_frame().to_csv(stream, index=False)
    with atomic_write(out / "fit.json", "w") as stream:
        json.dump(result.to_dict(), stream)
    kinds = ["effect", "limits", "rd", "running"] + ["densities"] * (
        result.quantiles.size >= 5 and not result.deriv
    )
    for kind in kinds:
        figure: Any = result.plot(kind=kind).get_figure()  # type: ignore[arg-type]
        with atomic_write(out / f"{kind}.png", "wb") as picture:
            figure.savefig(picture, format="png", dpi=150, facecolor="white")
    Report("Distributional regression discontinuity", [result.section()]).to_html(out / "report.html")
    console(stderr=True).print(
        f"effect.csv, fit.json, {len(kinds)} pictures and report.html written to {out}"
    )
