"""Pictures: schedules, progress of planners, gains by decile, income and hours, tokens and cost."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fisc.core.arrays import FloatArray
from fisc.llm import Ledger
from fisc.report.style import COLOURS, INK, MUTED, axes_of, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "plot_gains",
    "plot_hours_density",
    "plot_income_density",
    "plot_ledger",
    "plot_progress",
    "plot_schedules",
]

#: Incomes between which schedules are drawn.
LOWEST, HIGHEST = 2_000.0, 2_000_000.0
_DASHED = (0, (4, 2))


class Rates(Protocol):
    """What is drawn of a `TaxSchedule`."""

    @property
    def edges(self) -> FloatArray:
        """Lower edges, shape (K,)."""

    def marginal_rate(self, income: FloatArray, /) -> FloatArray:
        """Return the rate on the next unit of income."""

    def effective_rate(self, income: FloatArray, /) -> FloatArray:
        """Return tax as a share of income."""


class Choices(Protocol):
    """What is drawn of an `Outcome`."""

    @property
    def income(self) -> FloatArray:
        """Annual incomes, shape (n,)."""

    @property
    def hours(self) -> FloatArray:
        """Weekly hours, shape (n,)."""

    @property
    def weights(self) -> FloatArray | None:
        """People for whom each worker stands, shape (n,)."""


def _money_axis(ax: Axes, label: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    def words(value: float, _: int) -> str:
        if value >= 1e6:
            return f"{value / 1e6:g}m"
        return f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"

    ax.set_xscale("log")
    ax.set_xlim(LOWEST, HIGHEST)
    ax.xaxis.set_major_formatter(FuncFormatter(words))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(label)


def _legend(ax: Axes, columns: int) -> None:
    if ax.get_legend_handles_labels()[1]:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, fontsize=9, frameon=False)


def _level(ax: Axes, value: float, text: str, last: float, colour: str) -> None:
    """Draw a horizontal line with its name at the right end."""
    ax.axhline(value, color=colour, lw=1.0)
    ax.annotate(text, (last, value), (0, 3), textcoords="offset points", ha="right", color=colour, fontsize=9)


@styled
def plot_schedules(schedules: Mapping[str, Rates], ax: Axes | None = None) -> Axes:
    """Draw marginal rates (solid steps) and effective rates (dashed) by annual income.

    Later schedules are drawn thinner on top of earlier ones, so that equal ones stay visible; of
    more than three, only the first two get effective rates.
    """
    ax = axes_of(ax)
    income = np.geomspace(LOWEST, HIGHEST, 2000)
    widths = np.linspace(2.0 + 0.9 * len(schedules), 1.4, max(2, len(schedules)))
    for j, ((name, schedule), colour) in enumerate(zip(schedules.items(), cycle(COLOURS), strict=False)):
        ax.plot(income, 100.0 * schedule.marginal_rate(income), color=colour, lw=widths[j], label=name)
        if len(schedules) <= 3 or j < 2:
            ax.plot(income, 100.0 * schedule.effective_rate(income), color=colour, lw=1.2, ls=_DASHED)
    ax.plot([], [], color=MUTED, lw=1.2, ls=_DASHED, label="effective (dashed)")
    ax.set_ylim(-2.0, 102.0)
    ax.set_ylabel("tax rate, per cent")
    _money_axis(ax, "annual income before tax, USD (log scale)")
    _legend(ax, columns=3)
    return ax


@styled
def plot_progress(
    series: Mapping[str, FloatArray], ax: Axes | None = None, *, start: float | None = None
) -> Axes:
    """Draw the share of the gap closed by tax year, shape (Y,): each year faint, the best so far bold.

    If `start`, the welfare under US law, is given, the series are welfare and there is no ceiling.
    """
    from matplotlib.ticker import MaxNLocator

    ax = axes_of(ax)
    last = max(values.size for values in series.values()) - 1
    lowest = 0.0
    for (name, values), colour in zip(series.items(), cycle(COLOURS), strict=False):
        years, best = np.arange(values.size), np.maximum.accumulate(values)
        lowest = min(lowest, float(best.min()))
        ax.plot(years, values, color=colour, lw=0.8, alpha=0.45)
        ax.step(years, best, where="post", color=colour, lw=2.0, label=name)
    if start is None:
        _level(ax, 1.0, "optimum", last, INK)
        ax.set_ylim(lowest - 0.05, 1.08)
    _level(ax, start or 0.0, "US law", last, MUTED)
    ax.set_ylabel("share of the gap closed" if start is None else "welfare")
    ax.set_xlabel("tax year (bold: best schedule so far)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(ax, columns=4)
    return ax


@styled
def plot_gains(
    gains: Mapping[str, FloatArray],
    ax: Axes | None = None,
    *,
    intervals: Mapping[str, tuple[FloatArray, FloatArray]] | None = None,
) -> Axes:
    """Draw the mean change of utility by decile of skill, USD a year, shape (10,), poorest first.

    `intervals` holds lower and upper ends, shape (10,) each, of some or all of the `gains`.
    """
    ax = axes_of(ax)
    width = 0.8 / len(gains)
    for j, ((name, values), colour) in enumerate(zip(gains.items(), cycle(COLOURS), strict=False)):
        where = np.arange(1, 11) - 0.4 + (j + 0.5) * width
        ax.bar(where, values / 1000.0, width, color=colour, label=name)
        if intervals is not None and name in intervals:
            low, high = intervals[name]
            spread = np.array([values - low, high - values]) / 1000.0
            ax.errorbar(where, values / 1000.0, spread, fmt="none", ecolor=INK, capsize=3)
    ax.axhline(0.0, color=INK, lw=0.8)
    ax.set_xticks(range(1, 11))
    ax.set_xlabel("decile of hourly wage (1: poorest tenth)")
    ax.set_ylabel("change of utility, thousand USD a year")
    _legend(ax, columns=4)
    return ax


def _draw_shares(
    ax: Axes, values: Mapping[str, tuple[FloatArray, FloatArray | None]], bins: FloatArray
) -> None:
    for (name, (held, weights)), colour in zip(values.items(), cycle(COLOURS), strict=False):
        share = np.histogram(held, bins, weights=weights)[0] / (
            held.size if weights is None else weights.sum()
        )
        ax.stairs(100.0 * share, bins, color=colour, lw=1.5, label=name or None)
    ax.set_ylim(bottom=0.0)


@styled
def plot_income_density(
    outcomes: Mapping[str, Choices], ax: Axes | None = None, *, schedule: Rates | None = None
) -> Axes:
    """Draw the distribution of annual income, and where the kinks of `schedule` are.

    Spikes at kinks are workers who bunch there.
    """
    ax = axes_of(ax)
    incomes = {name: (outcome.income, outcome.weights) for name, outcome in outcomes.items()}
    _draw_shares(ax, incomes, np.geomspace(LOWEST, HIGHEST, 140))
    if schedule is not None:
        for edge in schedule.edges[1:]:
            ax.axvline(edge, color=MUTED, lw=0.8, ls=":", zorder=0)
        ax.plot([], [], color=MUTED, lw=0.8, ls=":", label="bracket edges")
    ax.set_ylabel("share of people in each bin, per cent")
    _money_axis(ax, "annual income before tax, USD (log scale)")
    _legend(ax, columns=3)
    return ax


@styled
def plot_hours_density(outcomes: Mapping[str, Choices], ax: Axes | None = None) -> Axes:
    """Draw the distribution of weekly hours."""
    ax = axes_of(ax)
    hours = {name: (outcome.hours, outcome.weights) for name, outcome in outcomes.items()}
    top = max(float(held.max()) for held, _ in hours.values())
    bins = np.arange(0.0, np.ceil(top / 2.0) * 2.0 + 2.1, 2.0)
    _draw_shares(ax, hours, bins)
    ax.set_xlim(bins[0], bins[-1])
    ax.set_xlabel("weekly hours")
    ax.set_ylabel("share of people in each 2 hours, per cent")
    _legend(ax, columns=3)
    return ax


@styled
def plot_ledger(ledger: Mapping[str, object], ax: Axes | None = None) -> Axes:
    """Draw what a language model was asked, from `fisc.llm.Ledger.to_dict`: requests, tokens, faults."""
    ax = axes_of(ax, height=3.2)
    book = Ledger.from_dict(ledger)
    counts = {
        "prompt tokens": book.prompt_tokens,
        "completion tokens": book.completion_tokens,
        "requests": book.requests,
        "from the cache": book.cached,
        "failed requests": sum(book.failures.values()),
        "repaired answers": sum(book.repairs.values()),
        "asked again": book.reasked,
        "fallbacks": book.fallbacks,
    }
    names = list(counts)[::-1]
    values = [counts[name] for name in names]
    colours = [COLOURS[1] if name in names[:4] else COLOURS[0] for name in names]
    ax.barh(names, [max(value, 0.5) for value in values], color=colours, height=0.65)
    ax.set_xscale("log")
    ax.set_xlim(0.5, 8.0 * max(1, *values))
    ax.grid(False)
    for row, value in enumerate(values):
        place = (max(value, 0.5), row)
        ax.annotate(f"{value:,}", place, (4, 0), textcoords="offset points", va="center", color=INK)
    ax.set_xlabel(f"count (log scale); cost {book.cost:,.4g}")
    return ax
