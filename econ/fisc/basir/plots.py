"""Pictures: attention map, abnormal returns, rankings, skill against chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fisc.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

__all__ = [
    "plot_attention_map",
    "plot_chance",
    "plot_event_strips",
    "plot_f1_by_sector",
    "plot_placebo",
    "plot_ranking",
    "plot_scores",
    "plot_skill",
]

BLUE, ORANGE = style.COLOURS[0], style.COLOURS[1]


@style.styled
def plot_attention_map(mentions: pd.DataFrame, ax: Axes | None = None, *, sectors: int = 20) -> Axes:
    """Draw mentions per 1,000 words as a heat map, sectors by five-year periods."""
    years = pd.DatetimeIndex(pd.to_datetime(mentions.index)).year
    span = int(years.max() - years.min())
    width = 5 if span > 30 else 1
    period = (years // width) * width
    shown = mentions.groupby(np.asarray(period)).mean()
    shown = shown[shown.mean().nlargest(sectors).index]
    shown = shown[shown.idxmax().sort_values(kind="stable").index]
    ax = style.axes_of(ax, 7.0, 0.24 * shown.shape[1] + 1.2)
    # The square root keeps the few loud sectors from hiding the rest.
    image = ax.imshow(np.sqrt(shown.T.to_numpy()), aspect="auto", cmap="cividis", interpolation="nearest")
    ax.grid(visible=False)
    ax.set_yticks(range(shown.shape[1]), list(shown.columns))
    step = max(1, len(shown) // 8)
    ax.set_xticks(range(0, len(shown), step), [str(p) for p in shown.index[::step]])
    ax.set_xlabel(f"{width}-year period beginning" if width > 1 else "year")
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    figure = ax.get_figure()
    assert figure is not None
    bar = figure.colorbar(image, ax=ax, fraction=0.035, pad=0.02)
    top = float(shown.to_numpy().max())
    ticks = [t for t in (0.0, 0.25, 1.0, 2.0, 4.0, 8.0) if t <= top]
    bar.set_ticks([t**0.5 for t in ticks], labels=[f"{t:g}" for t in ticks])
    bar.set_label("mentions per 1,000 words")
    bar.outline.set_visible(False)
    return ax


@style.styled
def plot_event_strips(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw abnormal returns on the first day of the window: one row for each asset, one dot for each event."""
    first = frame[frame["day"] == frame["day"].min()]
    order = first.groupby("asset")["abnormal_pct"].mean().sort_values()
    ax = style.axes_of(ax, 7.0, 0.26 * len(order) + 1.3)
    row = {name: i for i, name in enumerate(order.index)}
    y = first["asset"].map(row).to_numpy()
    x = first["abnormal_pct"].to_numpy()
    strong = first["t"].abs().to_numpy() > 1.96
    ax.scatter(
        x[~strong],
        y[~strong],
        s=22,
        facecolors="none",
        edgecolors=style.MUTED,
        linewidths=1.0,
        label="within 1.96 sd",
    )
    ax.scatter(x[strong], y[strong], s=26, color=BLUE, label="beyond 1.96 sd")
    ax.scatter(
        order.to_numpy(), range(len(order)), marker="|", s=130, color=ORANGE, linewidths=2.2, label="mean"
    )
    ax.axvline(0, color=style.MUTED, linewidth=0.8)
    ax.set_yticks(range(len(order)), [_short(n) for n in order.index])
    ax.set_ylim(-0.7, len(order) - 0.3)
    ax.grid(visible=True, axis="x")
    ax.set_xlabel(f"abnormal return, per cent ({first['event'].nunique()} events)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, borderaxespad=0.2)
    return ax


@style.styled
def plot_placebo(table: pd.DataFrame, draws: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the spread of sectors on ordinary days, with the events marked."""
    ax = style.axes_of(ax, 7.0, 3.4)
    top = max(float(draws["variance_ratio"].quantile(0.995)), float(table["variance_ratio"].max()) * 1.08)
    ax.hist(
        draws["variance_ratio"],
        bins=np.linspace(0, top, 45).tolist(),
        color=style.MUTED,
        alpha=0.55,
        label=f"{len(draws)} ordinary days",
    )
    height = ax.get_ylim()[1]
    for i, (event, row) in enumerate(table.sort_values("variance_ratio").iterrows()):
        ax.plot([row["variance_ratio"]] * 2, [0, height * (0.25 + 0.12 * (i % 5))], color=ORANGE)
        ax.annotate(
            f"{event:%Y-%m}",
            (row["variance_ratio"], height * (0.25 + 0.12 * (i % 5))),
            fontsize=8,
            ha="center",
            va="bottom",
        )
    ax.set_xlabel("variance ratio of the day (1 on an average day)")
    ax.set_ylabel("days")
    ax.legend(loc="upper right")
    return ax


@style.styled
def plot_scores(scores: Sequence[tuple[str, float, bool]], ax: Axes | None = None) -> Axes:
    """Draw probabilities of the likeliest sectors of a text, the predicted ones filled."""
    ax = style.axes_of(ax, 6.0, 0.32 * len(scores) + 0.9)
    for i, (_, value, predicted) in enumerate(reversed(scores)):
        ax.barh(
            i,
            value,
            color=BLUE if predicted else "none",
            edgecolor=BLUE if predicted else style.MUTED,
            height=0.62,
        )
        ax.text(value + 0.01, i, f"{value:.2f}", va="center", fontsize=8.5)
    ax.set_yticks(range(len(scores)), [name for name, _, _ in reversed(scores)])
    ax.set_xlim(0, 1.08)
    ax.grid(visible=False)
    ax.set_xlabel("probability (filled: returned by the decision rule)")
    return ax


@style.styled
def plot_f1_by_sector(by_sector: pd.DataFrame, ax: Axes | None = None, *, least: int = 2) -> Axes:
    """Draw F1 of the sectors that occur in at least `least` texts, best on top."""
    shown = by_sector[by_sector["texts"] >= least].sort_values(["f1", "texts"])
    if len(shown) > 30:  # the extremes are what one acts on
        shown = by_sector.loc[[*shown.index[:15], *shown.index[-15:]]]
    ax = style.axes_of(ax, 7.0, 0.22 * len(shown) + 1.0)
    ax.barh(range(len(shown)), shown["f1"].fillna(0), color=BLUE, height=0.65)
    ax.set_yticks(
        range(len(shown)),
        [f"{n} ({int(t)})" for n, t in zip(shown.index, shown["texts"], strict=True)],
        fontsize=8,
    )
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.7, len(shown) - 0.3)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x")
    ax.set_xlabel("F1 (number of texts in brackets)")
    return ax


@style.styled
def plot_ranking(frame: pd.DataFrame, ax: Axes | None = None, *, most: int = 25) -> Axes:
    """Draw expected abnormal returns with intervals; calls in colour, the rest grey."""
    shown = frame if len(frame) <= most else pd.concat([frame.head(most // 2), frame.tail(most // 2)])
    shown = shown.iloc[::-1]
    ax = style.axes_of(ax, 7.0, 0.26 * len(shown) + 1.0)
    colours = {"UP": BLUE, "DOWN": ORANGE, "no call": style.MUTED}
    drawn: set[str] = set()
    columns = [shown[c].to_list() for c in ("expected_pct", "low_pct", "high_pct", "call")]
    for i, (middle, low, high, call) in enumerate(zip(*columns, strict=True)):
        colour, label = colours[call], None if call in drawn else call
        ax.plot([low, high], [i, i], color=colour, linewidth=1.4, solid_capstyle="butt")
        ax.plot(middle, i, "o", color=colour, markersize=5, label=label)
        drawn.add(call)
    ax.axvline(0, color=style.MUTED, linewidth=0.8)
    ax.set_yticks(range(len(shown)), [_short(n) for n in shown.index])
    ax.set_ylim(-0.7, len(shown) - 0.3)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x")
    ax.set_xlabel("expected abnormal return against the other sectors, per cent, with interval")
    ax.legend(loc="lower right")
    return ax


@style.styled
def plot_skill(by_budget: pd.DataFrame, table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw Kendall's tau of each budget against chance, and the mean with its interval."""
    ax = style.axes_of(ax, 7.0, 3.4)
    n = len(by_budget)
    items = by_budget["items"].to_numpy(dtype=float)
    # Standard deviation of tau under random order: sqrt(2 (2n + 5) / (9 n (n - 1))).
    half = 1.96 * np.sqrt(2 * (2 * items + 5) / (9 * items * (items - 1)))
    for i, h in enumerate(half):
        ax.add_patch(_band(i, h))
    ax.plot(range(n), by_budget["kendall_tau"], "o", color=BLUE, markersize=6, label="each budget")
    tau = table.loc["kendall_tau"]
    if np.isfinite(tau.low):
        ax.errorbar(
            [n + 0.3], [tau["mean"]], yerr=[[tau["mean"] - tau.low], [tau.high - tau["mean"]]], fmt="D", color=ORANGE,
            capsize=4, markersize=6, label="mean, 95 % interval",
        )  # fmt: skip
    ax.axhline(0, color=style.MUTED, linewidth=0.8)
    ax.plot([], [], color=style.MUTED, alpha=0.35, linewidth=8, label="95 % of random orders")
    step = max(1, n // 10)
    ax.set_xticks([*range(0, n, step), n + 0.3], [*(str(b)[:7] for b in by_budget.index[::step]), "all"])
    ax.set_xlim(-0.7, n + 0.9)
    ax.set_ylim(-1.0, 1.0)
    ax.set_ylabel("Kendall's tau")
    ax.legend(loc="lower left", ncols=3)
    return ax


def _short(name: object) -> str:
    """Return the name of an index as one says it: "NIFTY PSU BANK" is "PSU Bank", "NIFTY IT" is "IT"."""
    text = str(name)
    if not text.startswith("NIFTY "):
        return text
    acronyms = {"IT", "FMCG", "PSU", "CPSE", "PSE", "MNC"}
    return " ".join(w if w in acronyms else w.capitalize() for w in text.removeprefix("NIFTY ").split())


def _band(i: int, half: float) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((i - 0.38, -half), 0.76, 2 * half, facecolor=style.MUTED, alpha=0.25, edgecolor="none")


@style.styled
def plot_chance(table: pd.DataFrame, ax: Axes | None = None, *, reported: float | None = 0.997) -> Axes:
    """Draw where random and reversed rankings fall for each definition of relevance."""
    shown = table.iloc[::-1]
    ax = style.axes_of(ax, 7.0, 0.3 * len(shown) + 1.4)
    bounds = [shown[c].to_list() for c in ("reversed", "random_mean", "random_p95")]
    for i, (worst, mean, high) in enumerate(zip(*bounds, strict=True)):
        ax.plot([worst, 1.0], [i, i], color=style.GRID, linewidth=5, solid_capstyle="butt")
        ax.plot([mean, high], [i, i], color=BLUE, linewidth=5, solid_capstyle="butt")
    y = range(len(shown))
    ax.plot(
        shown["reversed"],
        y,
        "|",
        color=style.MUTED,
        markersize=11,
        markeredgewidth=2,
        label="exactly wrong order",
    )
    ax.plot(
        shown["random_mean"], y, "o", color=BLUE, markersize=6, label="random order: mean to 95th percentile"
    )
    if reported is not None:
        ax.axvline(reported, color=ORANGE, linewidth=1.6, label=f"reported {reported}")
    ax.set_yticks(list(y), list(shown.index))
    ax.set_ylim(-0.7, len(shown) - 0.3)
    ax.set_xlim(-0.02, 1.02)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x")
    ax.set_xlabel("NDCG")
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, borderaxespad=0.2, columnspacing=1.0)
    return ax
