"""Pictures: schedules, progress of planners, gains by decile, income and hours, tokens and cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fisc.economist.population import Workers
from fisc.economist.response import Outcome, respond
from fisc.economist.schedule import FloatArray, TaxSchedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "plot_gains",
    "plot_hours_density",
    "plot_income_density",
    "plot_ledger",
    "plot_objectives",
    "plot_progress",
    "plot_schedules",
]

#: Incomes between which schedules are drawn.
LOWEST, HIGHEST = 2_000.0, 2_000_000.0


def _axes(ax: Axes | None, *, height: float = 4.0) -> Axes:
    if ax is not None:
        return ax
    from fisc.report.style import figure

    _, new = figure(height=height)
    axes: Axes = new
    return axes


def _money_axis(ax: Axes, label: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    def words(value: float, _: int) -> str:
        if value >= 1e6:
            return f"{value / 1e6:g}m"
        return f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"

    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(words))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(label)


def _legend(ax: Axes, columns: int = 1) -> None:
    if ax.get_legend_handles_labels()[1]:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, fontsize=9, frameon=False)


def plot_schedules(schedules: Mapping[str, TaxSchedule], ax: Axes | None = None) -> Axes:
    """Draw marginal rates (solid steps) and effective rates (dashed) by annual income.

    Later schedules are drawn thinner on top of earlier ones, so that equal ones stay visible; of
    more than three, only the first two get effective rates.

    Parameters
    ----------
    schedules : mapping of str to TaxSchedule
        By the name to be shown.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    from fisc.report.style import COLOURS, MUTED

    ax = _axes(ax)
    income = np.geomspace(LOWEST, HIGHEST, 2000)
    widths = np.linspace(2.0 + 0.9 * len(schedules), 1.4, max(2, len(schedules)))
    for j, ((name, schedule), colour) in enumerate(zip(schedules.items(), _cycle(COLOURS), strict=False)):
        ax.plot(income, 100.0 * schedule.marginal_rate(income), color=colour, lw=widths[j], label=name)
        if len(schedules) <= 3 or j < 2:
            ax.plot(income, 100.0 * schedule.effective_rate(income), color=colour, lw=1.2, ls=(0, (4, 2)))
    ax.plot([], [], color=MUTED, lw=1.2, ls=(0, (4, 2)), label="effective (dashed)")
    ax.set_ylim(-2.0, 102.0)
    ax.set_xlim(LOWEST, HIGHEST)
    ax.set_ylabel("tax rate, per cent")
    _money_axis(ax, "annual income before tax, USD (log scale)")
    _legend(ax, columns=3)
    return ax


def plot_progress(
    series: Mapping[str, FloatArray], ax: Axes | None = None, *, start: float | None = None
) -> Axes:
    """Draw welfare by tax year: each year's value faint, the best so far bold.

    Parameters
    ----------
    series : mapping of str to ndarray, shape (Y,)
        Share of the gap closed, or welfare itself if `start` is given.
    ax : Axes, optional
        Where to draw.
    start : float, optional
        Welfare of US law; then the series are welfare and there is no ceiling.

    Returns
    -------
    Axes
    """
    from matplotlib.ticker import MaxNLocator

    from fisc.report.style import COLOURS, INK, MUTED

    ax = _axes(ax)
    last = max(values.size for values in series.values()) - 1
    for (name, values), colour in zip(series.items(), _cycle(COLOURS), strict=False):
        years = np.arange(values.size)
        ax.plot(years, values, color=colour, lw=0.8, alpha=0.45)
        ax.step(years, np.maximum.accumulate(values), where="post", color=colour, lw=2.0, label=name)
    if start is None:
        ax.axhline(1.0, color=INK, lw=1.0)
        ax.axhline(0.0, color=MUTED, lw=1.0)
        ax.annotate(
            "optimum", (last, 1.0), (0, 3), textcoords="offset points", ha="right", color=INK, fontsize=9
        )
        ax.annotate(
            "US law", (last, 0.0), (0, 3), textcoords="offset points", ha="right", color=MUTED, fontsize=9
        )
        lowest = min(float(np.maximum.accumulate(values).min()) for values in series.values())
        ax.set_ylim(min(-0.05, lowest - 0.05), 1.08)
        ax.set_ylabel("share of the gap closed")
    else:
        ax.axhline(start, color=MUTED, lw=1.0)
        ax.annotate(
            "US law", (last, start), (0, 3), textcoords="offset points", ha="right", color=MUTED, fontsize=9
        )
        ax.set_ylabel("welfare")
    ax.set_xlabel("tax year (bold: best law so far)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(ax, columns=4)
    return ax


def plot_gains(gains: Mapping[str, FloatArray], ax: Axes | None = None) -> Axes:
    """Draw the mean change of utility by decile of skill against US law.

    Parameters
    ----------
    gains : mapping of str to ndarray, shape (10,)
        In USD a year, poorest first.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    from fisc.report.style import COLOURS, INK

    ax = _axes(ax)
    width = 0.8 / len(gains)
    for j, ((name, values), colour) in enumerate(zip(gains.items(), _cycle(COLOURS), strict=False)):
        ax.bar(np.arange(1, 11) - 0.4 + (j + 0.5) * width, values / 1000.0, width, color=colour, label=name)
    ax.axhline(0.0, color=INK, lw=0.8)
    ax.set_xticks(range(1, 11))
    ax.set_xlabel("decile of hourly wage (1: poorest tenth)")
    ax.set_ylabel("change of utility, thousand USD a year")
    _legend(ax, columns=4)
    return ax


def plot_income_density(
    outcomes: Mapping[str, Outcome], ax: Axes | None = None, *, schedule: TaxSchedule | None = None
) -> Axes:
    """Draw the distribution of annual income; spikes at kinks are workers who bunch there.

    Parameters
    ----------
    outcomes : mapping of str to Outcome
        By the name to be shown.
    ax : Axes, optional
        Where to draw.
    schedule : TaxSchedule, optional
        Its kinks are marked.

    Returns
    -------
    Axes
    """
    from fisc.report.style import COLOURS, MUTED

    ax = _axes(ax)
    bins = np.geomspace(LOWEST, HIGHEST, 140)
    for (name, outcome), colour in zip(outcomes.items(), _cycle(COLOURS), strict=False):
        share = np.histogram(outcome.income, bins)[0] / outcome.n
        ax.stairs(100.0 * share, bins, color=colour, lw=1.5, label=name or None)
    if schedule is not None:
        for edge in schedule.edges[1:]:
            ax.axvline(edge, color=MUTED, lw=0.8, ls=":", zorder=0)
        ax.plot([], [], color=MUTED, lw=0.8, ls=":", label="bracket edges")
    ax.set_xlim(LOWEST, HIGHEST)
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel("share of workers in each bin, per cent")
    _money_axis(ax, "annual income before tax, USD (log scale)")
    _legend(ax, columns=3)
    return ax


def plot_hours_density(outcomes: Mapping[str, Outcome], ax: Axes | None = None) -> Axes:
    """Draw the distribution of weekly hours.

    Parameters
    ----------
    outcomes : mapping of str to Outcome
        By the name to be shown.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    from fisc.report.style import COLOURS

    ax = _axes(ax)
    top = max(float(outcome.hours.max()) for outcome in outcomes.values())
    bins = np.arange(0.0, np.ceil(top / 2.0) * 2.0 + 2.1, 2.0)
    for (name, outcome), colour in zip(outcomes.items(), _cycle(COLOURS), strict=False):
        share = np.histogram(outcome.hours, bins)[0] / outcome.n
        ax.stairs(100.0 * share, bins, color=colour, lw=1.5, label=name or None)
    ax.set_ylim(bottom=0.0)
    ax.set_xlim(bins[0], bins[-1])
    ax.set_xlabel("weekly hours")
    ax.set_ylabel("share of workers in each 2 hours, per cent")
    _legend(ax, columns=3)
    return ax


def plot_objectives(workers: Workers, ax: Axes | None = None, *, other_rate: float = 0.5) -> Axes:
    """Draw what objectives make of a rising tax on the first dollars: which of them can be gamed.

    The rate below the first US bracket edge goes from 0 to 1; all other brackets pay `other_rate`. Each
    objective is shown relative to its value at the flat tax.

    Parameters
    ----------
    workers : Workers
        The population; those who earn little are taxed out of work on the way.
    ax : Axes, optional
        Where to draw.
    other_rate : float
        Rate of the other brackets, in [0, 1].

    Returns
    -------
    Axes
    """
    from fisc.economist.criteria import welfare
    from fisc.report.style import COLOURS, INK

    ax = _axes(ax)
    edges = TaxSchedule.us_federal(2024).edges
    rates = np.linspace(0.0, 1.0, 201)
    laws = [TaxSchedule(edges, [rate, *[other_rate] * (edges.size - 1)]) for rate in rates]
    flat = respond(workers, TaxSchedule.flat(other_rate, edges))
    outcomes = [respond(workers, law) for law in laws]
    shown = {
        "paper_live": "sum of u / max(z, 1), the paper's",
        "paper_live1000": "sum of u / max(z, 1000)",
        "inverse_income": "fixed weights 1/z at 40 hours",
        "log": "log utility",
    }
    for (name, label), colour in zip(shown.items(), _cycle(COLOURS), strict=False):
        base = welfare(flat, workers, name)
        values = np.array([welfare(outcome, workers, name) for outcome in outcomes]) / base
        ax.plot(100.0 * rates, values, color=colour, lw=2.0, label=label)
    idle = 100.0 * float(np.mean(outcomes[-1].income == 0.0))
    ax.annotate(
        f"at 100 %: {idle:.0f} % of workers are taxed out of work",
        (100.0, 0.97),
        (-10, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right",
        va="top",
        color=INK,
        fontsize=9,
    )
    ax.set_yscale("log")
    ax.set_xlim(0.0, 100.0)
    ax.set_xlabel(f"tax rate on income below {edges[1]:,.0f} USD, per cent (above: {100.0 * other_rate:g})")
    ax.set_ylabel("objective, relative to the flat tax (log scale)")
    _legend(ax, columns=2)
    return ax


def plot_ledger(ledger: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what a language model was asked: requests, tokens, faults; the cost in the title.

    Parameters
    ----------
    ledger : mapping
        `fisc.llm.Ledger.to_dict`.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    from fisc.llm import Ledger
    from fisc.report.style import COLOURS, INK

    ax = _axes(ax, height=3.2)
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
        ax.annotate(
            f"{value:,}", (max(value, 0.5), row), (4, 0), textcoords="offset points", va="center", color=INK
        )
    ax.set_xlabel(f"count (log scale); cost {book.cost:,.4g}")
    return ax


def _cycle(colours: tuple[str, ...]) -> list[str]:
    return [*colours, *colours, *colours]
