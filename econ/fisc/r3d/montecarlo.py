"""Monte Carlo evidence: coverage of the bands, size of the tests, error of the estimates.

Replication r of a design with n units is ``simulate(design, n, random_state + r)``, so that every one of them
can be looked at alone, and results do not depend on the number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Unpack, get_args

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from fisc.core import DataError, Provenance, check_option, record, renamed
from fisc.core.arrays import FloatArray
from fisc.report import Figure, Result, Section, Table
from fisc.report.style import COLOURS, axes_of, reference_line, styled

from .designs import DECILES, DESIGNS, UNIT_SIZE, draw, truth
from .fitting import fit_sample
from .options import DesignName, EstimatorOptions, Method, Options
from .quantiles import segment_quantiles
from .sample import Sample
from .testing import run_test

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHUNK = 25
HOMOGENEOUS = ("repo1", "repo2", "paper1", "fuzzy1")
_COLUMNS = ("covered", "p_homogeneity", "width", "bandwidth")


@dataclass(frozen=True, eq=False)
class MonteCarlo(Result):
    """Monte Carlo table.

    Attributes
    ----------
    table : DataFrame
        One row a design, n and method: replications, coverage of the uniform band with its simulation standard
        error, size of the homogeneity test (designs with a homogeneous effect), root mean squared and median absolute
        error, mean absolute bias, median width and bandwidth; with `reference`, the same errors and coverage of the R
        package on the same draws (``r_*``) and the ratio of the root mean squared errors.
    alpha : float
        One minus nominal coverage.
    provenance : Provenance
        Options and seed.
    """

    table: pd.DataFrame
    alpha: float
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    def summary(self) -> str:
        """Return the table as text."""
        low, high = self.table["coverage"].min(), self.table["coverage"].max()
        head = f"{len(self.table)} cells, coverage {low:.3f} to {high:.3f} (nominal {1 - self.alpha:g})"
        return head + "\n\n" + self.table.to_string(index=False, float_format=lambda v: f"{v:.3f}")

    @styled
    def plot(self, ax: Axes | None = None) -> Axes:
        """Coverage of every cell with two simulation standard errors, and the nominal level."""
        table = self.table
        cells = table[["design", "n"]].drop_duplicates().reset_index(drop=True)
        ax = axes_of(ax, height=max(3.2, 0.24 * len(cells) + 1.4))
        methods = list(dict.fromkeys(table["method"]))
        for i, method in enumerate(methods):
            part = table[table["method"] == method].reset_index(drop=True)
            y = np.arange(len(part)) + 0.22 * (i - 0.5 * (len(methods) - 1))
            ax.errorbar(
                part["coverage"],
                y,
                xerr=2 * part["mc_se"],
                fmt="os^"[i % 3],
                color=COLOURS[i],
                capsize=2,
                label=method,
            )
            if "r_coverage" in part:
                ax.plot(
                    part["r_coverage"],
                    y,
                    "os^"[i % 3],
                    markerfacecolor="none",
                    color=COLOURS[i],
                    label=f"{method}, R package",
                )
        reference_line(ax, 1.0 - self.alpha, which="x")
        ax.set_yticks(np.arange(len(cells)), [f"{row.design}, n = {row.n}" for row in cells.itertuples()])
        ax.set_ylim(len(cells) - 0.4, -0.6)
        ax.grid(axis="x")
        ax.grid(axis="y", visible=False)
        ax.set_xlabel(f"coverage of the {100 * (1 - self.alpha):g}% uniform band")
        ax.set_title("Coverage by design")
        ax.legend(loc="lower left" if table["coverage"].min() > 0.85 else "best")
        return ax

    def section(self) -> Section:
        """Section of a report."""
        figure = Figure.from_matplotlib(
            self.plot(),
            caption="Coverage of the uniform band by design and sample size.",
            alt=self.summary().splitlines()[0],
        )
        return Section(
            "Monte Carlo: coverage, size and error",
            body=self.summary().splitlines()[0],
            figures=(figure,),
            tables=(Table(self.table, index=False),),
            provenance=self.provenance,
        )


@renamed(seed="random_state")
def monte_carlo(
    designs: Sequence[DesignName] = DESIGNS,
    sizes: Sequence[int] = (100, 200, 500),
    methods: Sequence[Method] = get_args(Method),
    *,
    reps: int = 500,
    n_boot: int = 999,
    alpha: float = 0.05,
    random_state: int = 0,
    reference: bool = False,
    n_jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[EstimatorOptions],
) -> MonteCarlo:
    """Estimate each design many times and compare with the truth.

    Parameters
    ----------
    designs, sizes, methods : sequences
        Cells of the table; deciles are estimated.
    reps : int
        Replications a cell.
    n_boot : int
        Draws behind each band.
    alpha : float
        One minus nominal coverage.
    random_state : int
        Replication r draws ``simulate(design, n, random_state + r)``.
    reference : bool
        Also run the R package's estimator (``compat="r3d-0.1"``) on the same draws.
    n_jobs : int, optional
        Workers of joblib; by default one, or what ``joblib.parallel_config`` says. The numbers do not depend
        on it.
    progress : callable, optional
        Called with (cells of work done, all).
    **options
        Further options of `r3d`: kernel, p, s, selector, residuals, band.

    Returns
    -------
    MonteCarlo
        The table.

    Examples
    --------
    >>> from fisc.r3d import monte_carlo
    >>> result = monte_carlo(["repo1"], [200], ["frechet"], reps=10)
    >>> result.table["reps"].tolist()
    [10]
    """
    for name in designs:
        check_option("design", name, DESIGNS)
    for method in methods:
        check_option("method", method, get_args(Method))
    if reps < 1 or min(sizes, default=0) < 20:
        raise DataError(
            f"reps={reps}, sizes={tuple(sizes)}; give at least one replication and sizes of at least 20 units"
        )
    settings = {m: Options(m, n_boot=n_boot, alpha=alpha, **options) for m in methods}
    rivals = (
        {m: replace(o, compat="r3d-0.1", band="constant") for m, o in settings.items()} if reference else {}
    )
    jobs = [
        (design, n, range(start, min(start + CHUNK, reps)))
        for design in designs
        for n in sizes
        for start in range(0, reps, CHUNK)
    ]
    work = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_chunk)(design, n, [random_state + r for r in chunk], settings, rivals)
        for design, n, chunk in jobs
    )
    gathered: dict[tuple[str, int, str], list[FloatArray]] = {}
    for done, ((design, n, _), parts) in enumerate(zip(jobs, work, strict=True), start=1):
        for key, block in parts.items():
            gathered.setdefault((design, n, key), []).append(block)
        if progress is not None:
            progress(done, len(jobs))
    rows = []
    for design in designs:
        for n in sizes:
            for method in methods:
                own = np.concatenate(gathered[design, n, method])
                row = _row(design, n, method, own, alpha)
                if reference:
                    rival = np.concatenate(gathered[design, n, "r:" + method])
                    row |= _against(own, rival, design)
                rows.append(row)
    history = record(
        options={
            "designs": list(designs),
            "sizes": list(sizes),
            "methods": list(methods),
            "reps": reps,
            "n_boot": n_boot,
            **options,
        },
        seed=random_state,
    )
    return MonteCarlo(pd.DataFrame(rows), alpha, history)


def _chunk(
    design: DesignName,
    n: int,
    seeds: list[int],
    settings: dict[Method, Options],
    rivals: dict[Method, Options],
) -> dict[str, FloatArray]:
    """Replications of one design and size, shape (replications, 4 + m) by method; NaN where a fit failed."""
    target = truth(design, DECILES)
    runs = {m: (m, o) for m, o in settings.items()} | {"r:" + m: (m, o) for m, o in rivals.items()}
    out = {key: np.full((len(seeds), len(_COLUMNS) + DECILES.size), np.nan) for key in runs}
    for row, seed in enumerate(seeds):
        sample = draw_sample(design, n, seed)
        for key, (_, options) in runs.items():
            out[key][row] = _one(sample, options, target, seed)
    return out


def draw_sample(design: DesignName, n: int, seed: int) -> Sample:
    """Return the sample of ``simulate(design, n, seed)``, without the detour by a DataFrame."""
    x, y, t = draw(design, n, np.random.default_rng([DESIGNS.index(design), n, seed]), UNIT_SIZE)
    starts = np.arange(n) * UNIT_SIZE
    curves = segment_quantiles(y.ravel(), starts, np.full(n, UNIT_SIZE), DECILES)
    units = np.arange(n)
    sample = Sample(x=x, q=DECILES, curves=curves, labels=units, position=units, n_given=n, treatment=t)
    return sample.take(np.argsort(x, kind="stable"))


def _one(sample: Sample, options: Options, target: FloatArray, seed: int) -> FloatArray:
    """Coverage (0 or 1), p-value of homogeneity, band width, bandwidth, and the errors of tau."""
    try:
        fit = fit_sample(sample, options, random_state=seed)
    except DataError:
        return np.full(len(_COLUMNS) + target.size, np.nan)
    covered = float(np.all((fit.band_lower <= target) & (target <= fit.band_upper)))
    width = float(np.median(fit.band_upper - fit.band_lower))
    p = run_test(fit, "homogeneity", studentized=options.band != "constant").p_value
    return np.concatenate([[covered, p, width, float(np.mean(fit.bandwidth))], fit.tau - target])


def _row(design: str, n: int, method: str, block: FloatArray, alpha: float) -> dict[str, str | float]:
    """Summary of the replications of one cell."""
    good = block[~np.isnan(block).any(axis=1)]
    covered, p, width, bandwidth = good[:, : len(_COLUMNS)].T
    errors = good[:, len(_COLUMNS) :]
    coverage = float(covered.mean())
    return {
        "design": design,
        "n": n,
        "method": method,
        "reps": len(good),
        "failed": len(block) - len(good),
        "coverage": coverage,
        "mc_se": float(np.sqrt(coverage * (1.0 - coverage) / len(good))),
        "size": float(np.mean(p <= alpha)) if design in HOMOGENEOUS else np.nan,
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "mae": float(np.median(np.abs(errors))),
        "bias": float(np.abs(errors.mean(axis=0)).mean()),
        "width": float(np.median(width)),
        "bandwidth": float(np.median(bandwidth)),
    }


def _against(own: FloatArray, rival: FloatArray, design: str) -> dict[str, float]:
    """Return the R package on the replications where it returned something."""
    both = ~(np.isnan(own).any(axis=1) | np.isnan(rival).any(axis=1))
    ours, theirs = own[both, len(_COLUMNS) :], rival[both, len(_COLUMNS) :]
    return {
        "r_coverage": float(rival[both, 0].mean()),
        "r_size": float(np.mean(rival[both, 1] <= 0.05)) if design in HOMOGENEOUS else np.nan,
        "r_rmse": float(np.sqrt(np.mean(theirs**2))),
        "rmse_ratio": float(np.sqrt(np.mean(ours**2) / np.mean(theirs**2))),
        "mae_ratio": float(np.median(np.abs(ours)) / np.median(np.abs(theirs))),
    }
