"""Pictures: wealth and drawdown, weights, Sharpe differences, turnover, training curves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from fisc.core import IntArray
from fisc.portfolio.metrics import drawdown
from fisc.report.style import COLOURS, INK, MUTED, context, figure, shade

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

__all__ = [
    "selftest",
    "sharpe_differences",
    "training_curves",
    "turnover_against_sharpe",
    "wealth",
    "wealth_with_drawdown",
    "weights_over_time",
]

_STYLES = ("-", "--", "-.", ":")
_LARGEST_GROUP = 6  # assets drawn on their own in a picture of weights; the rest are one area
_POINTS = 700  # more points than this in a line are not seen at the width of a page


class HasWealth(Protocol):
    """A result with a line of wealth."""

    @property
    def wealth(self) -> pd.Series[float]: ...


def _axes(ax: Axes | None, width: float = 7.0, height: float = 3.8) -> Axes:
    if ax is not None:
        return ax
    made: Axes = figure(width, height)[1]
    return made


def _kept(n: int) -> IntArray:
    """Return evenly spaced rows of a long frame of `n`, and the last."""
    return np.unique([*range(0, n, max(1, n // _POINTS)), n - 1])


def _label_ends(
    ax: Axes, ends: Mapping[str, tuple[float, str]], right: pd.Timestamp | float, *, gap: float = 0.055
) -> None:
    """Write each line's name at its end (height, colour), moved apart where they would overlap."""
    to_axes, from_axes = ax.transAxes.inverted(), ax.transData
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]
    order = sorted(ends, key=lambda name: ends[name][0])
    heights = [float(to_axes.transform(from_axes.transform((0, ends[name][0])))[1]) for name in order]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    for i in range(len(heights) - 1, -1, -1):  # push back down what has left the top
        heights[i] = min(heights[i], 1.0 - gap * (len(heights) - 1 - i))
    for name, height in zip(order, heights, strict=True):
        ax.annotate(
            name,
            (1.0, height),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            color=ends[name][1],
            va="center",
            fontsize=9,
        )
    ax.set_xlim(right=right)  # type: ignore[arg-type]  # a date, which matplotlib converts


def wealth(series: Mapping[str, HasWealth | pd.Series[float]], ax: Axes | None = None) -> Axes:
    """Draw wealth of several strategies on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    with context():
        ax = _axes(ax)
        ax.set_yscale("log")
        ends: dict[str, tuple[float, str]] = {}
        last = None
        for i, (name, value) in enumerate(series.items()):
            line = value if isinstance(value, pd.Series) else value.wealth
            line = line.iloc[_kept(len(line))]
            colour = COLOURS[i % len(COLOURS)]
            ax.plot(
                line.index,
                line.to_numpy(),
                color=colour,
                linestyle=_STYLES[i // len(COLOURS) % 4],
                linewidth=1.5,
            )
            ends[name] = (float(line.iloc[-1]), colour)
            last = line.index[-1] if last is None else max(last, line.index[-1])
        ax.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_ylabel("wealth (start 1, log scale)")
        if last is not None:
            _label_ends(ax, ends, last)
    return ax


def wealth_with_drawdown(series: Mapping[str, HasWealth | pd.Series[float]]) -> Figure:
    """Draw wealth above and the distance below its highest value underneath."""
    with context():
        fig, axes = figure(7.0, 5.2, nrows=2, sharex=True, height_ratios=(2, 1))
        wealth(series, axes[0])
        for i, value in enumerate(series.values()):
            line = value if isinstance(value, pd.Series) else value.wealth
            rows = _kept(len(line))
            below = -100 * drawdown(line.to_numpy())[rows]
            axes[1].plot(line.index[rows], below, color=COLOURS[i % len(COLOURS)], linewidth=1.0)
        axes[1].set_ylabel("drawdown (%)")
    made: Figure = fig
    return made


def weights_over_time(weights: pd.DataFrame, ax: Axes | None = None, *, title: str = "") -> Axes:
    """Draw held weights as stacked areas: the largest assets, the others together, cash."""
    with context():
        ax = _axes(ax)
        assets = weights.iloc[:, 1:]
        largest = assets.mean().sort_values(ascending=False).index[:_LARGEST_GROUP]
        rest = assets.drop(columns=largest)
        shown = assets[largest].copy()
        if rest.shape[1]:
            shown[f"{rest.shape[1]} others"] = rest.sum(axis=1)
        shown["cash"] = weights.iloc[:, 0]
        thin = shown.iloc[_kept(len(shown))]
        colours = [*COLOURS[:6], "#B8C2CB", "#EDE6D6"][: len(largest)]
        colours += ["#C9D1D8"] * int(rest.shape[1] > 0) + ["#F3EBD3"]
        ax.stackplot(thin.index, 100 * thin.to_numpy().T, colors=colours, linewidth=0)
        ax.set_ylim(0, 100)
        ax.set_xlim(thin.index[0], thin.index[-1])
        ax.set_ylabel("share of wealth (%)")
        ax.grid(False)
        edges = np.cumsum(thin.iloc[-1].to_numpy())
        middle = 100 * (edges - thin.iloc[-1].to_numpy() / 2)
        names = {
            str(name): (float(at), INK)
            for name, at, size in zip(thin.columns, middle, thin.iloc[-1], strict=True)
            if size > 0.01 or name != "cash"
        }
        _label_ends(ax, names, thin.index[-1])
        if title:
            ax.set_title(title, fontsize=10)
    return ax


def sharpe_differences(
    table: pd.DataFrame, *, benchmark: str, agents: Collection[object] = (), ax: Axes | None = None
) -> Axes:
    """Draw each strategy's Sharpe difference to the benchmark with its interval."""
    table = table.drop(index=benchmark).dropna(subset=["difference"]).sort_values("difference")
    with context():
        ax = _axes(ax, height=0.9 + 0.28 * len(table))
        rows = np.arange(len(table))
        span = table.loc[table["difference"] > -1.5]
        left = float(min(span["difference_low"].min(), 0.0)) - 0.05 if len(span) else -1.0
        for row, (name, value) in zip(rows, table.iterrows(), strict=True):
            colour = COLOURS[1] if name in agents else MUTED if name == "best_crp" else COLOURS[0]
            if value["difference_high"] < left:
                ax.annotate(
                    f"◂ {value['difference']:.1f}", (left, row), va="center", color=colour, fontsize=9
                )
                continue
            ax.plot(
                [value["difference_low"], value["difference_high"]], [row, row], color=colour, linewidth=2
            )
            ax.plot(value["difference"], row, "o", color=colour, markersize=5)
        ax.axvline(0, color=INK, linewidth=1)
        ax.set_yticks(rows, [f"{n} (hindsight)" if n == "best_crp" else str(n) for n in table.index])
        ax.set_xlim(left=left)
        ax.set_ylim(-0.6, len(table) - 0.4)
        ax.set_xlabel(f"annual Sharpe ratio less that of {benchmark}")
        ax.grid(axis="x")
        ax.grid(axis="y", visible=False)
        for label, name in zip(ax.get_yticklabels(), table.index, strict=True):
            label.set_color(COLOURS[1] if name in agents else INK)
    return ax


def turnover_against_sharpe(
    table: pd.DataFrame, *, agents: Collection[object] = (), ax: Axes | None = None
) -> Axes:
    """Draw net Sharpe ratio against turnover, both with names."""
    table = table.drop(index="best_crp", errors="ignore").sort_values("sharpe")
    table = table[table["turnover"] < 20]
    with context():
        ax = _axes(ax, height=4.4)
        placed: list[tuple[float, float]] = []
        low, high = float(table["sharpe"].min()), float(table["sharpe"].max())
        gap = max(high - low, 0.05) / 26
        for name, row in table.iterrows():
            learned = name in agents
            colour = COLOURS[1] if learned else COLOURS[0]
            x, y = float(row["turnover"]), float(row["sharpe"])
            ax.plot(x, y, "D" if learned else "o", color=colour, markersize=6)
            at = y
            while any(
                abs(at - b) < gap and abs(x - a) < 0.28 * float(table["turnover"].max()) for a, b in placed
            ):
                at += gap
            placed.append((x, at))
            ax.annotate(str(name), (x, y), xytext=(x, at), xycoords="data", textcoords=_shifted(ax), va="center",
                        fontsize=9, color=colour)  # fmt: skip
        ax.set_xlim(0, float(table["turnover"].max()) * 1.3)
        ax.set_ylim(low - 2 * gap, max(at for _, at in placed) + 2 * gap)
        ax.set_xlabel("one-way turnover a year")
        ax.set_ylabel("annual Sharpe ratio, net of costs")
    return ax


def _shifted(ax: Axes) -> Transform:
    """Return data coordinates, eight points to the right."""
    from matplotlib.transforms import ScaledTranslation

    return ax.transData + ScaledTranslation(8 / 72, 0, ax.figure.dpi_scale_trans)


def training_curves(curves: Mapping[str, pd.DataFrame], ax: Axes | None = None) -> Axes:
    """Draw the validation Sharpe ratio during training, one line a seed and their mean."""
    with context():
        ax = _axes(ax)
        judged = {
            name: curve.dropna(subset=["validation_sharpe"]) for name, curve in curves.items() if len(curve)
        }
        for i, curve in enumerate(judged.values()):
            alone = len(judged) == 1
            ax.plot(
                curve["steps"] / 1000,
                curve["validation_sharpe"],
                color=COLOURS[0],
                linewidth=1.8 if alone else 0.9,
                alpha=1.0 if alone else 0.6,
                marker="o",
                markersize=3,
                label=(next(iter(judged)) if alone else "one seed") if i == 0 else None,
            )
        if len(judged) > 1:
            stacked = pd.concat(judged.values())
            mean = stacked.groupby("steps")["validation_sharpe"].agg(["mean", "min", "max"])
            ax.plot(
                mean.index / 1000,
                mean["mean"],
                color=COLOURS[1],
                linewidth=2.2,
                label=f"mean of {len(judged)} seeds",
            )
            shade(ax, mean.index / 1000, mean["min"], mean["max"], color=COLOURS[1])
        ax.set_xlabel("environment steps (thousands)")
        ax.set_ylabel("net Sharpe ratio on validation")
        ax.legend(loc="best")
    return ax


def selftest(checks: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the planted-signal Sharpe ratios against what is needed."""
    rows = checks[checks["part"] == "planted"]
    with context():
        ax = _axes(ax, height=1.0 + 0.35 * max(1, len(rows)))
        place = np.arange(len(rows))[::-1]
        values = rows["value"].astype(float).to_numpy()
        needed = rows["needed"].str.removeprefix(">= ").astype(float).to_numpy()
        ax.barh(place, values, height=0.6, color=[COLOURS[0] if ok else COLOURS[1] for ok in rows["passed"]])
        ax.plot(needed, place, "|", color=INK, markersize=16, markeredgewidth=2, label="needed")
        ax.set_yticks(place, [str(c).removeprefix("net Sharpe at ") for c in rows["check"]])
        ax.set_xlabel("net Sharpe ratio in the planted market")
        ax.grid(axis="x")
        ax.grid(axis="y", visible=False)
        ax.legend(loc="lower right")
    return ax
