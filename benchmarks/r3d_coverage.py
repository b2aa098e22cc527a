"""What intervals, bands and tests of `fisc.r3d` cover in adverse designs: the table of docs/coverage.md.

    python benchmarks/r3d_coverage.py [--short] [--reps N] [--out FILE]

Every row is a design whose effect is known by construction, estimated with the defaults of `r3d` (deciles) unless it
says otherwise. Replication r of a row draws from `default_rng([r, row])`. With the default number this takes about
three minutes of CPU; --short takes about fifteen seconds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fisc.core import DataError
from fisc.r3d import R3DResult, r3d

Rng = np.random.Generator
Array = np.ndarray[Any, np.dtype[np.float64]]
Design = Callable[[Rng], dict[str, Any]]

DECILES = np.arange(1, 10) / 10
JUMP = 0.5
VALUES = 50


def normal_units(rng: Rng, location: Array, scale: Array | float = 1.0) -> list[Array]:
    """Draw units of 50 normal values."""
    spread = np.broadcast_to(scale, location.shape)[:, None]
    return list(location[:, None] + spread * rng.standard_normal((location.size, VALUES)))


def located(
    n: int,
    *,
    above: float = 0.5,
    below_sd: float = 1.0,
    above_sd: float = 1.0,
    mean: Callable[[Array], Array] = lambda x: x,
    noise: Callable[[Rng, int], Array] = lambda rng, n: rng.standard_normal(n),
) -> Design:
    """Draw units whose location jumps, a share `above` of them above the cutoff."""

    def draw(rng: Rng) -> dict[str, Any]:
        x = np.where(rng.random(n) < above, rng.uniform(0, 1, n), rng.uniform(-1, 0, n))
        sd = np.where(x >= 0, above_sd, below_sd)
        return {"data": normal_units(rng, mean(x) + JUMP * (x >= 0) + sd * noise(rng, n)), "x": x}

    return draw


def scaled(rng: Rng) -> dict[str, Any]:
    """Draw units whose scale is lognormal(1.5)."""
    x = rng.uniform(-1, 1, 300)
    return {
        "data": list(np.exp(rng.normal(0, 1.5, 300))[:, None] * rng.exponential(1, (300, VALUES))),
        "x": x,
    }


def rounded(sd: float, inner: float) -> Design:
    """Draw values rounded to whole numbers."""

    def draw(rng: Rng) -> dict[str, Any]:
        x = rng.uniform(-1, 1, 300)
        return {
            "data": [np.round(u) for u in normal_units(rng, x + sd * rng.standard_normal(300), inner)],
            "x": x,
        }

    return draw


def zeros(n: int, share_sd: float, mean_share: float = 0.25) -> Design:
    """Draw incomes of which a share that differs by unit is zero."""

    def draw(rng: Rng) -> dict[str, Any]:
        x = rng.uniform(-1, 1, n)
        share = np.clip(rng.normal(mean_share, share_sd, n), 0, 1)[:, None]
        positive = np.exp(0.3 * x[:, None] + rng.standard_normal((n, VALUES)))
        return {"data": list(np.where(rng.random((n, VALUES)) < share, 0.0, positive)), "x": x}

    return draw


def thirty_zeros(rng: Rng) -> dict[str, Any]:
    """Draw units of 30 zeros and 70 positive values."""
    x = rng.uniform(-1, 1, 200)
    return {"data": [np.r_[np.zeros(30), 1 + rng.exponential(1, 70)] for _ in x], "x": x}


def discrete(effects: float, given: bool = False) -> Design:
    """Draw x on ten values a side, with effects of the values of the given standard deviation."""

    def draw(rng: Rng) -> dict[str, Any]:
        value = rng.integers(-10, 10, 300)
        x = value / 10 + 0.05
        own = rng.normal(0, effects, 20)[value + 10] if effects else 0.0
        units = normal_units(rng, x + JUMP * (x >= 0) + own + rng.standard_normal(300))
        return {"data": units, "x": x} | ({"cluster": value} if given else {})

    return draw


def clustered(groups: int, size: int, at_x: bool = True) -> Design:
    """Draw clusters of units, which share x or not."""

    def draw(rng: Rng) -> dict[str, Any]:
        n, group = groups * size, np.repeat(np.arange(groups), size)
        x = np.repeat(rng.uniform(-1, 1, groups), size) if at_x else rng.uniform(-1, 1, n)
        error = rng.normal(0, 0.7, groups)[group] + rng.normal(0, 0.7, n)
        return {"data": normal_units(rng, x + JUMP * (x >= 0) + error), "x": x, "cluster": group}

    return draw


def with_covariates(n: int, k: int) -> Design:
    """Draw units with k covariates that explain some of their location."""

    def draw(rng: Rng) -> dict[str, Any]:
        x, z = rng.uniform(-1, 1, n), rng.standard_normal((n, k))
        location = x + JUMP * (x >= 0) + 0.5 * z.sum(axis=1) / np.sqrt(k) + rng.standard_normal(n)
        return {"data": normal_units(rng, location), "x": x, "covariates": z}

    return draw


def sizes(n: int, below: int, above: int, law: str) -> Design:
    """Draw units of different sizes on the two sides, without any effect."""

    def draw(rng: Rng) -> dict[str, Any]:
        x = rng.uniform(-1, 1, n)
        location = 0.3 * x + rng.normal(0, 0.2, n)
        values = rng.standard_normal if law == "normal" else rng.standard_exponential
        return {
            "data": [a + values(above if v >= 0 else below) for a, v in zip(location, x, strict=True)],
            "x": x,
        }

    return draw


def informative(rng: Rng) -> dict[str, Any]:
    """Draw values with weights that go with them and spread more above the cutoff; the effect is none."""
    x = rng.uniform(-1, 1, 300)
    units, weights = [], []
    for v in x:
        wide = np.exp(rng.normal(0, 1.0 if v >= 0 else 0.3, VALUES))
        units.append(0.3 * v + rng.normal(0, 0.5) + rng.standard_normal(VALUES))
        weights.append(wide)
    return {"data": units, "x": x, "weights": weights}


def fuzzy(low: float, high: float) -> Design:
    """Draw a treatment that more units take above the cutoff; its effect is one half."""

    def draw(rng: Rng) -> dict[str, Any]:
        x = rng.uniform(-1, 1, 300)
        taken = (rng.random(300) < np.where(x >= 0, high, low)).astype(float)
        return {
            "data": normal_units(rng, x + JUMP * taken + rng.standard_normal(300)),
            "x": x,
            "treatment": taken,
            "band": "anderson_rubin" if high - low < 0.5 else "studentized",
        }

    return draw


def heavy(law: str) -> Design:
    """Draw a running variable with a heavy tail."""

    def draw(rng: Rng) -> dict[str, Any]:
        x = rng.standard_t(2, 300) if law == "t2" else np.exp(rng.normal(0, 1, 300)) - 1.0
        return {"data": normal_units(rng, np.sin(x) + JUMP * (x >= 0) + rng.standard_normal(300)), "x": x}

    return draw


ROWS: list[tuple[str, Design, float, dict[str, Any]]] = [
    ("base, n = 300", located(300, mean=lambda x: x + x**2), JUMP, {}),
    ("n = 60", located(60), JUMP, {}),
    ("n = 100", located(100), JUMP, {}),
    ("n = 100, sd 1 below and 5 above", located(100, above_sd=5), JUMP, {}),
    ("n = 300, sd 1 below and 5 above", located(300, above_sd=5), JUMP, {}),
    ("n = 300, 10 % above", located(300, above=0.1), JUMP, {}),
    ("n = 300, 10 % above, sd 1 and 3", located(300, above=0.1, above_sd=3), JUMP, {}),
    ("unit location t2", located(300, noise=lambda r, n: r.standard_t(2, n)), JUMP, {}),
    ("unit location Cauchy", located(300, noise=lambda r, n: r.standard_cauchy(n)), JUMP, {}),
    ("unit scale lognormal(1.5)", scaled, 0.0, {}),
    ("mean sin(6x)", located(300, mean=lambda x: np.sin(6 * x)), JUMP, {}),
    ("x ~ t2", heavy("t2"), JUMP, {}),
    ("x lognormal", heavy("lognormal"), JUMP, {}),
    ("values rounded", rounded(1.0, 1.0), 0.0, {}),
    ("values heaped", rounded(0.2, 0.3), 0.0, {}),
    ("25 % zeros, n = 60", zeros(60, 0.05), 0.0, {}),
    ("25 % zeros, n = 100", zeros(100, 0.05), 0.0, {}),
    ("25 % zeros, n = 300", zeros(300, 0.05), 0.0, {}),
    ("30 % zeros in every unit", thirty_zeros, 0.0, {}),
    ("discrete x, 10 values a side", discrete(0.0), JUMP, {}),
    ("discrete x with effects of its values", discrete(0.3), JUMP, {}),
    ("the same, cluster = x given", discrete(0.3, given=True), JUMP, {}),
    ("30 clusters of 10 at one x", clustered(30, 10), JUMP, {}),
    ("60 clusters of 5 at one x", clustered(60, 5), JUMP, {}),
    ("100 clusters of 3 at one x", clustered(100, 3), JUMP, {}),
    ("30 clusters of 10 across x", clustered(30, 10, at_x=False), JUMP, {}),
    ("1 covariate, n = 150", with_covariates(150, 1), JUMP, {}),
    ("5 covariates, n = 150", with_covariates(150, 5), JUMP, {}),
    ("15 covariates, n = 150", with_covariates(150, 15), JUMP, {}),
    ("15 covariates, n = 300", with_covariates(300, 15), JUMP, {}),
    ("25 covariates, n = 100", with_covariates(100, 25), JUMP, {}),
    ("sizes 10 and 30, normal, n = 300", sizes(300, 10, 30, "normal"), 0.0, {}),
    ("sizes 10 and 30, exponential, n = 300", sizes(300, 10, 30, "exponential"), 0.0, {}),
    ("sizes 10 and 30, normal, n = 2000", sizes(2000, 10, 30, "normal"), 0.0, {}),
    ("sizes 10 and 30, exponential, n = 2000", sizes(2000, 10, 30, "exponential"), 0.0, {}),
    ("sizes 15 and 45, normal, n = 2000", sizes(2000, 15, 45, "normal"), 0.0, {}),
    ("sizes 15 and 45, exponential, n = 2000", sizes(2000, 15, 45, "exponential"), 0.0, {}),
    ("sampling weights whose spread jumps", informative, 0.0, {}),
    ("fuzzy, shares .1 and .9", fuzzy(0.1, 0.9), JUMP, {}),
    ("fuzzy, shares .3 and .7 (Anderson-Rubin)", fuzzy(0.3, 0.7), JUMP, {}),
    ("selector cer", located(300), JUMP, {"selector": "cer"}),
    ("selector msetwo", located(300), JUMP, {"selector": "msetwo"}),
    ("kernel epanechnikov", located(300), JUMP, {"kernel": "epanechnikov"}),
    ("method simple", located(300), JUMP, {"method": "simple"}),
    ("donut .05", located(300), JUMP, {"donut": 0.05}),
    ("band of constant width", located(300), JUMP, {"band": "constant"}),
]
COLUMNS = ("band", "pointwise", "mean interval", "homogeneity size", "half width", "lost")


def judge(fit: R3DResult, effect: float) -> tuple[float, float, float, float, float]:
    """Coverage of band, pointwise intervals and mean interval, rejection of homogeneity, mean half width."""
    moving = fit.moving
    inside = ((fit.band_lower <= effect) & (effect <= fit.band_upper))[moving].all()
    point = fit.band("pointwise")
    single = ((point.lower <= effect) & (effect <= point.upper))[moving].mean()
    mean = fit.functional("mean", interval=(fit.quantiles[moving][0], fit.quantiles[moving][-1]))
    half = float(np.mean(fit.band_upper - fit.band_lower)) / 2.0
    rejected = fit.test("homogeneity").p_value <= 0.05
    return float(inside), float(single), float(mean.lower <= effect <= mean.upper), float(rejected), half


def run_row(row: int, reps: int) -> list[float]:
    """Means over the replications of a row; the last entry counts those that r3d refused."""
    _, design, effect, options = ROWS[row]
    found, lost = [], 0
    for r in range(reps):
        call = {"n_boot": 999, "quantiles": DECILES, **design(np.random.default_rng([r, row])), **options}
        try:
            found.append(judge(r3d(call.pop("data"), **call), effect))
        except DataError:
            lost += 1
    table = np.array(found)
    return [*table[:, :4].mean(axis=0), float(np.median(table[:, 4])), float(lost)]


def page(rows: list[list[float]], reps: int, seconds: float) -> str:
    """Return the table in words and Markdown."""
    error = np.sqrt(0.95 * 0.05 / reps)
    low = [ROWS[i][0] for i, row in enumerate(rows) if min(row[:3]) < 0.93]
    below = "every row is at least .93" if not low else f"below .93: {'; '.join(low)}"
    head = (
        "# What R3D's bands cover in adverse designs\n\nMade by `python benchmarks/r3d_coverage.py`: "
        f"{reps} replications a row, Monte Carlo error {error:.3f} at .95 (two of them are {2 * error:.3f}), deciles, "
        f"999 draws, nominal coverage .95, defaults of `r3d` unless the row says otherwise; {seconds:.0f} CPU seconds. "
        "Quantiles inside an atom of the outcome are left out, as the fit does. Half width is the band's, mean over "
        f"quantiles and median over replications.\n\nOf band, pointwise intervals and mean interval, {below}.\n\n"
    )
    lines = ["| design | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for (name, *_), row in zip(ROWS, rows, strict=True):
        shares = " | ".join(f"{v:.3f}" for v in row[:4])
        lines.append(f"| {name} | {shares} | {row[4]:.3g} | {row[5]:.0f} |")
    return head + "\n".join(lines) + "\n"


def main() -> None:
    """Run the rows and print the page, or write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--reps", type=int, default=250)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    reps = 10 if arguments.short else arguments.reps
    warnings.simplefilter("ignore")
    start = time.process_time()
    rows = [run_row(i, reps) for i in range(len(ROWS))]
    text = page(rows, reps, time.process_time() - start)
    if arguments.out is None:
        print(text)
    else:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
