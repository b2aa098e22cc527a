"""Make the pictures of the guide to `fisc.r3d`: ``python docs/images/r3d/make.py`` (about a minute)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from fisc.r3d import r3d, simulate
from fisc.r3d.designs import truth
from fisc.r3d.localpoly import fit_side
from fisc.report.style import COLOURS, INK, axes_of, reference_line, shade, styled

Q = np.arange(1, 20) / 20
FOLDER = Path(__file__).parent
REPS, UNITS, SIZE = 60, 1000, 50


def save(ax: Any, name: str) -> None:
    """Write a picture as SVG on white, the same bytes each time."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": name}):
        ax.get_figure().savefig(FOLDER / f"{name}.svg", facecolor="white", metadata={"Date": None})


def pooled_effect(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Jump of the quantiles of the pooled values: local linear distribution functions, inverted."""
    grid = np.quantile(y, np.linspace(0.002, 0.998, 400))
    order = np.argsort(x)
    shares = (y[order][:, :, None] <= grid).mean(axis=1)
    curves = []
    for plus in (False, True):
        fit = fit_side(x[order], shares, np.array([0.4]), 1, "triangular", plus=plus)
        curves.append(np.interp(Q, np.maximum.accumulate(fit.alpha[0]), grid))
    return curves[1] - curves[0]


@styled
def pooled() -> Any:
    """Both estimators on design paper2, averaged over samples, beside the truth."""
    ours, pool = [], []
    for seed in range(REPS):
        sim = simulate("paper2", n=UNITS, random_state=seed, unit_size=SIZE)
        ours.append(r3d(sim.data, y="y", x="x", unit="unit", quantiles=Q, n_boot=99, random_state=seed).tau)
        y = sim.data["y"].to_numpy().reshape(UNITS, SIZE)
        pool.append(pooled_effect(sim.data["x"].to_numpy()[::SIZE], y))
    ax = axes_of(None)
    for values, colour, marker, label in (
        (ours, COLOURS[0], "o", "fisc.r3d: average unit quantiles"),
        (pool, COLOURS[1], "s", "quantile RD of the pooled values"),
    ):
        mean, error = np.mean(values, axis=0), np.std(values, axis=0) / np.sqrt(REPS)
        shade(ax, Q, mean - 2 * error, mean + 2 * error, color=colour)
        ax.plot(Q, mean, marker=marker, color=colour, label=label)
    ax.plot(Q, truth("paper2", Q), color=INK, linestyle=(0, (5, 2)), label="truth")
    reference_line(ax, 0.0)
    ax.set_xlim(0, 1)
    ax.set_xlabel("quantile")
    ax.set_ylabel("effect, units of the outcome")
    ax.set_title(f"Two different questions: design paper2, mean of {REPS} samples")
    ax.legend(loc="lower left")
    return ax


def main() -> None:
    """Write every picture, or those named."""
    sim = simulate("lee", n=800, random_state=3, quantiles=Q)
    fit = r3d(sim.data, y="y", x="x", unit="unit", quantiles=Q, random_state=0)
    pictures = {
        "pooled": pooled,
        "effect": fit.plot,
        "limits": lambda: fit.plot(kind="limits"),
        "rd": lambda: fit.plot(kind="rd"),
        "running": lambda: fit.plot(kind="running"),
        "placebo": lambda: fit.diagnose().plot(),
    }
    for name in sys.argv[1:] or pictures:
        save(pictures[name](), name)


if __name__ == "__main__":
    main()
