"""The look of every figure: sizes, colours, axes; no global state is changed.

Draw inside `context` (or decorate the function that draws with `styled`), so that legends and
annotations take the style too:

>>> from fisc.report import style
>>> with style.context():
...     fig, ax = style.figure()
...     line = ax.plot([2000, 2001, 2002], [1.0, 1.3, 1.2], label="net")
...     legend = ax.legend()

Black, white, `INK`, `MUTED`, `GRID` and `COLOURS` turn light on a dark page; other colours stay
as they are. Text on a coloured area takes its colour from `on`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from fisc.core import DataError, check_option
from fisc.core.palette import COLOURS, GRID, INK, MUTED

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.collections import FillBetweenPolyCollection
    from matplotlib.figure import Figure
    from matplotlib.typing import ColorType

__all__ = [
    "COLOURS",
    "GRID",
    "INK",
    "MUTED",
    "axes_of",
    "context",
    "date_axis",
    "figure",
    "number_axis",
    "on",
    "percent_axis",
    "reference_line",
    "shade",
    "styled",
]

P = ParamSpec("P")
R = TypeVar("R")


@functools.cache
def _settings() -> dict[str, Any]:
    from cycler import cycler

    return {
        "axes.axisbelow": True,
        "axes.edgecolor": MUTED,
        "axes.facecolor": "none",
        "axes.formatter.useoffset": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.labelcolor": MUTED,
        "axes.labelsize": 9.5,
        "axes.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=list(COLOURS)),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.titlepad": 8.0,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "figure.constrained_layout.h_pad": 0.08,
        "figure.facecolor": "none",
        "font.family": "DejaVu Sans",
        "font.size": 9.5,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "legend.borderaxespad": 0.4,
        "legend.fontsize": 9.0,
        "legend.edgecolor": "none",
        "legend.facecolor": "white",
        "legend.fancybox": False,
        "legend.framealpha": 0.85,
        "legend.handlelength": 1.6,
        "lines.linewidth": 1.6,
        "lines.markersize": 4.5,
        "lines.solid_capstyle": "round",
        "patch.linewidth": 0.6,
        "path.simplify_threshold": 0.4,  # points; a page magnifies by half
        "scatter.edgecolors": "none",
        "text.color": INK,
        "xtick.color": MUTED,
        "xtick.labelsize": 9.0,
        "xtick.major.size": 3.5,
        "xtick.major.width": 0.8,
        "ytick.color": MUTED,
        "ytick.labelsize": 9.0,
        "ytick.major.size": 0.0,
    }


@contextlib.contextmanager
def context() -> Iterator[None]:
    """Draw in the style of the reports, and put matplotlib's settings back afterwards.

    Examples
    --------
    >>> import matplotlib as mpl
    >>> with context():
    ...     mpl.rcParams["axes.spines.top"]
    False
    """
    import matplotlib as mpl

    with mpl.rc_context(cast("Any", _settings())):
        yield


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function or method that draws, so that it does so inside `context`."""

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with context():
            return draw(*args, **kwargs)

    return inside


def figure(
    width: float = 7.0, height: float = 4.0, nrows: int = 1, ncols: int = 1, **kwargs: Any
) -> tuple[Figure, Any]:
    """Make a figure and its axes without pyplot, so that nothing stays open.

    Parameters
    ----------
    width, height : float
        Inches. 7 inches fill the text width of a report.
    nrows, ncols : int
        Grid of axes. One column is laid out again for phones; several are not.
    **kwargs
        Passed to ``Figure.subplots`` (``sharex``, ``width_ratios``, ...).

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : Axes or ndarray of Axes
        One Axes for a grid of one, else an array as ``Figure.subplots`` gives.

    Raises
    ------
    DataError
        If a size is not positive.

    Examples
    --------
    >>> fig, ax = figure(width=7.0, height=3.0)
    >>> float(fig.get_figwidth())
    7.0
    """
    from matplotlib.figure import Figure

    if not (0 < width < 100 and 0 < height < 100):
        raise DataError(
            f"a figure of {width} by {height} inches cannot be drawn; 7 by 4 fills a page's width"
        )
    with context():
        fig = Figure(figsize=(width, height), layout="constrained")
        axes = fig.subplots(nrows, ncols, **kwargs)
    return fig, axes


def axes_of(ax: Axes | None, width: float = 7.0, height: float = 4.0) -> Axes:
    """Return the axes to draw on: the one that the user gave, or that of a new figure (inches).

    Examples
    --------
    >>> axes_of(None).get_title()
    ''
    """
    if ax is not None:
        return ax
    fresh: Axes = figure(width, height)[1]
    return fresh


def shade(
    ax: Axes, x: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike, **kwargs: Any
) -> FillBetweenPolyCollection:
    """Draw a band between two curves (n,), say of confidence; options as of ``Axes.fill_between``.

    Examples
    --------
    >>> fig, ax = figure()
    >>> shade(ax, [0, 1], [0, 0], [1, 2]).get_alpha()
    0.18
    """
    return ax.fill_between(x, lower, upper, **{"alpha": 0.18, "linewidth": 0.0, **kwargs})


def reference_line(ax: Axes, value: float, which: str = "y", **kwargs: Any) -> None:
    """Draw a thin line at a value that numbers are compared with: zero, a cutoff; options as of ``axhline``."""
    check_option("which", which, ("y", "x"))
    draw = ax.axhline if which == "y" else ax.axvline
    draw(value, **{"color": MUTED, "linewidth": 0.9, "linestyle": (0, (4, 3)), "zorder": 1.5, **kwargs})


def date_axis(ax: Axes, which: str = "x") -> None:
    """Label an axis of dates sparingly: years, then months, as far as they fit.

    Examples
    --------
    >>> fig, ax = figure()
    >>> date_axis(ax)
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    check_option("which", which, ("x", "y"))
    axis = ax.xaxis if which == "x" else ax.yaxis
    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def percent_axis(ax: Axes, which: str = "y", decimals: int | None = None) -> None:
    """Label an axis of shares (0 to 1) in per cent; the range shown decides the decimals that are not given.

    Examples
    --------
    >>> fig, ax = figure()
    >>> percent_axis(ax)
    """
    from matplotlib.ticker import PercentFormatter

    check_option("which", which, ("y", "x"))
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_formatter(PercentFormatter(xmax=1.0, decimals=decimals))


def number_axis(ax: Axes, which: str = "y", unit: str = "") -> None:
    """Label an axis of large numbers with thousands separated, and a unit such as ``"$"`` before them.

    Examples
    --------
    >>> fig, ax = figure()
    >>> number_axis(ax, unit="$")
    >>> ax.yaxis.get_major_formatter()(-12500)
    '−$12,500'
    """
    from matplotlib.ticker import FuncFormatter

    check_option("which", which, ("y", "x"))
    axis = ax.xaxis if which == "x" else ax.yaxis

    def label(value: float, _position: int | None = None) -> str:
        # A dollar sign that stands alone is not read as mathematics by matplotlib.
        digits = f"{abs(value):,.6f}".rstrip("0").rstrip(".")
        return f"{'−' if value < 0 and digits != '0' else ''}{unit}{digits}"

    axis.set_major_formatter(FuncFormatter(label))


def on(colour: ColorType) -> str:
    """Return the colour of text, nearly black or white in any theme, that can be read on an area of a given colour.

    Examples
    --------
    >>> on("navy"), on("lightyellow")
    ('#fefefe', '#111111')
    """
    from matplotlib.colors import to_rgb

    # Relative luminance of WCAG 2.2: #fefefe and #111111 contrast alike with 0.19.
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]
    return "#fefefe" if luminance < 0.19 else "#111111"
