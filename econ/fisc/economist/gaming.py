"""Which objectives a planner can game: what a rising tax on the first dollars does to each of them."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from fisc.core import check_number
from fisc.economist.criteria import welfare
from fisc.economist.options import CriterionName
from fisc.economist.population import Workers
from fisc.economist.response import respond
from fisc.economist.schedule import TaxSchedule
from fisc.report.style import COLOURS, INK, axes_of, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_objectives"]

_SHOWN: dict[CriterionName, str] = {
    "paper_live": "sum of u / max(z, 1), the paper's",
    "paper_live1000": "sum of u / max(z, 1000)",
    "inverse_income": "fixed weights 1/z at 40 hours",
    "log": "log utility",
}


@styled
def plot_objectives(workers: Workers, ax: Axes | None = None, *, other_rate: float = 0.5) -> Axes:
    """Draw what objectives make of a rising tax on the first dollars: which of them can be gamed.

    The rate below the first US bracket edge goes from 0 to 1; all other brackets pay `other_rate`. Each
    objective is shown relative to its value at the flat tax.

    Those who earn little are taxed out of work on the way.
    """
    other_rate = check_number("other_rate", other_rate, least=0, most=1)
    ax = axes_of(ax)
    flat = TaxSchedule.flat(other_rate, TaxSchedule.us_federal(2024).edges)
    rates = np.linspace(0.0, 1.0, 201)
    outcomes = [respond(workers, flat.with_rates([rate, *flat.rates[1:]])) for rate in rates]
    base = respond(workers, flat)
    for (name, label), colour in zip(_SHOWN.items(), cycle(COLOURS), strict=False):
        values = np.array([welfare(outcome, workers, name) for outcome in outcomes])
        ax.plot(100.0 * rates, values / welfare(base, workers, name), color=colour, lw=2.0, label=label)
    idle = 100.0 * outcomes[-1].not_working
    ax.annotate(
        f"at 100 %: {idle:.0f} % of people are taxed out of work",
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
    below = f"{flat.edges[1]:,.0f}"
    ax.set_xlabel(f"tax rate on income below {below} USD, per cent (above: {100.0 * other_rate:g})")
    ax.set_ylabel("objective, relative to the flat tax (log scale)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9, frameon=False)
    return ax
