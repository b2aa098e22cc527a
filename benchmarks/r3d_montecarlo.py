"""Monte Carlo evidence for `fisc.r3d`: the tables of docs/guides/r3d-montecarlo.md.

    python benchmarks/r3d_montecarlo.py [--short] [--reps N] [--reference-reps N] [--jobs N]
        [--json FILE] [--out FILE] [--picture FILE]

The first table is the coverage of the uniform band, the size of the homogeneity test and the error of the estimates in
every cell. The second runs the R package's estimator (`compat="r3d-0.1"`, which equals it to eight digits) on the same
draws. With the default numbers this takes about 15 minutes of CPU; --short takes about 20 seconds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fisc.r3d import MonteCarlo, monte_carlo


def coverage_verdict(table: pd.DataFrame) -> str:
    """Say how many cells lie within the limits, and name those that do not."""
    limits = [(0.92, 0.98) if n == 100 else (0.93, 0.975) for n in table["n"]]
    inside = np.array([low <= c <= high for c, (low, high) in zip(table["coverage"], limits, strict=True)])
    strays = [f"{r.design} n = {r.n} {r.method} {r.coverage:.3f}" for r in table[~inside].itertuples()]
    return f"{inside.sum()} of {len(table)} cells" + (f" (outside: {', '.join(strays)})" if strays else "")


def judge(own: pd.DataFrame, both: pd.DataFrame) -> list[str]:
    """Compare the tables with what is asked of them."""
    lines = [
        f"- Coverage within [.93, .975] for n >= 200 and [.92, .98] for n = 100: {coverage_verdict(own)}. With the "
        f"fewer replications of the second table, whose simulation error is {both['mc_se'].mean():.3f}: "
        f"{coverage_verdict(both)}.",
        f"- Size of the homogeneity test at level .05: at most {own['size'].max():.3f} (asked for: .08).",
    ]
    heavy = (both["design"] == "fuzzy1") & (both["n"] <= 200)
    ratio = np.where(heavy, both["mae_ratio"], both["rmse_ratio"])
    for method in both["method"].unique():
        mean = float(np.exp(np.log(ratio[both["method"] == method]).mean()))
        lines.append(
            f"- Error relative to the R package on the same draws, {method}, geometric mean: {mean:.3f}."
        )
    return lines


def markdown(frame: pd.DataFrame, columns: dict[str, str]) -> str:
    """Write some columns as a Markdown table."""
    head = ["design", "n", "method", *columns]
    lines = ["| " + " | ".join([*head[:3], *columns.values()]) + " |", "|" + "---|" * len(head)]
    for _, row in frame.iterrows():
        cells = [str(row["design"]), str(row["n"]), str(row["method"])]
        cells += ["" if pd.isna(row[c]) else f"{row[c]:.3f}" for c in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def document(own: pd.DataFrame, both: pd.DataFrame, reps: int, reference_reps: int) -> str:
    """Put the page of the documentation together."""
    first = markdown(
        own,
        {
            "coverage": "coverage",
            "mc_se": "(simulation se)",
            "size": "size",
            "rmse": "RMSE",
            "mae": "median error",
            "bias": "mean bias",
            "width": "band width",
        },
    )
    second = markdown(
        both,
        {
            "coverage": "coverage, fisc",
            "r_coverage": "coverage, R",
            "size": "size, fisc",
            "r_size": "size, R",
            "rmse_ratio": "RMSE, fisc / R",
            "mae_ratio": "median error, fisc / R",
        },
    )
    failed = int(own["failed"].sum())
    return f"""# Monte Carlo: does the band keep its promise?

Made by `python benchmarks/r3d_montecarlo.py --reps {reps} --reference-reps {reference_reps}`. Six designs with a known
effect (`fisc.r3d.simulate`), 50 values a unit, deciles, the options with which R3D can be compared (triangular kernel,
p = 2, automatic bandwidth, HC3 residuals, constant band), nominal coverage .95. Replication r is
`simulate(design, n, random_state=r)`.

{chr(10).join(judge(own, both))}
- In fuzzy1 with n <= 200 the estimate is a ratio whose denominator comes near zero in a few samples, so that the mean
  squared error has no finite expectation; the median error is compared there. In such samples a warning points to
  `band="anderson_rubin"`.
- {failed} of {int(own["reps"].sum()) + failed} fits were refused because a side had too few units for an automatic
  bandwidth.

![Coverage of the uniform band by design](../images/r3d/coverage.svg)

*Filled: fisc, with two simulation standard errors. Open: the R package's estimator on the same {reference_reps} draws.*

## All cells, {reps} replications

{first}

Size: how often "the effect is the same at all quantiles" is rejected at level .05, in the designs where it is true.
Mean bias: mean over quantiles of the absolute bias. Band width: median.

## Against the R package on the same draws, {reference_reps} replications

{second}
"""


def draw(result: MonteCarlo, path: Path) -> None:
    """Write the picture of coverage, the same bytes each time."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "coverage"}):
        figure: Any = result.plot().get_figure()
        figure.savefig(path, facecolor="white", metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="few replications of two designs")
    parser.add_argument("--reps", type=int, default=2000)
    parser.add_argument("--reference-reps", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=1, help="workers; the numbers do not depend on it")
    parser.add_argument("--json", type=Path, help="also write the tables to this file")
    parser.add_argument("--picture", type=Path, help="write the picture of coverage to this SVG file")
    parser.add_argument("--out", type=Path, help="write the page of the documentation to this file")
    given = parser.parse_args()
    options: dict[str, Any] = {"n_jobs": given.jobs, "residuals": "hc3", "band": "constant"}
    if given.short:
        options |= {"designs": ["repo1", "lee"], "sizes": [100, 200]}
        given.reps, given.reference_reps = 100, 40
    own = monte_carlo(reps=given.reps, **options).table
    compared = monte_carlo(reps=given.reference_reps, reference=True, **options)
    both = compared.table
    page = document(own, both, given.reps, given.reference_reps)
    print(page)
    if given.out is not None:
        given.out.write_text(page)
    if given.picture is not None:
        draw(compared, given.picture)
    if given.json is not None:
        tables = {"fisc": own, "reference": both}
        given.json.write_text(
            json.dumps({k: json.loads(v.to_json(orient="records")) for k, v in tables.items()})
        )


if __name__ == "__main__":
    main()
