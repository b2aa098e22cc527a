"""The look of every figure: sizes, colours, axes; no global state is changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "INK", "MUTED", "context", "figure", "shade"]

# Okabe and Ito (2008), reordered so that the first three differ most; told apart under the
# common kinds of colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5C6670")
INK = "#22303C"
MUTED = "#5C6670"
GRID = "#DDE3E8"


def _rc() -> dict[str, Any]:
    from cycler import cycler

    return {
        "axes.edgecolor": MUTED,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.labelcolor": INK,
        "axes.prop_cycle": cycler(color=list(COLOURS)),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "font.size": 10,
        "grid.color": GRID,
        "legend.frameon": False,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
    }


@contextlib.contextmanager
def context() -> Iterator[None]:
    """Draw in the style of the reports, and put matplotlib's settings back afterwards."""
    import matplotlib as mpl

    with mpl.rc_context(_rc()):
        yield


def figure(
    width: float = 7.0, height: float = 4.0, nrows: int = 1, ncols: int = 1, **kwargs: Any
) -> tuple[Figure, Any]:
    """Make a figure and its axes without pyplot, so that nothing stays open.

    Parameters
    ----------
    width, height : float
        Inches. 7 inches fill the text width of a report.
    nrows, ncols : int
        Grid of axes.
    **kwargs
        Passed to ``Figure.subplots`` (``sharex``, ``width_ratios``, ...).

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : Axes or ndarray of Axes
        One Axes for a grid of one, else an array as ``Figure.subplots`` gives.
    """
    from matplotlib.figure import Figure

    with context():
        fig = Figure(figsize=(width, height), layout="constrained")
        axes = fig.subplots(nrows, ncols, **kwargs)
    return fig, axes


def shade(ax: Axes, x: Any, lower: Any, upper: Any, **kwargs: Any) -> Any:
    """Draw a band between two curves, for instance a confidence band."""
    return ax.fill_between(x, lower, upper, **{"alpha": 0.2, "linewidth": 0.0, **kwargs})
