"""Matplotlib figures as SVG: once for the page, once more for a phone where that fits."""

from __future__ import annotations

import contextlib
import io
import re
import textwrap
import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import _ImageBase
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.path import Path
from matplotlib.text import Text

from fisc.core import DataError

__all__ = ["Drawn", "draw"]

_NARROW_WIDTH = 4.2  # inches: text of 9 points is then still 9 pixels high on a phone of 390
_MOST_PANELS = 6  # more than these below each other would be a long way to scroll
_THIN = 0.4  # points by which a drawn line may stray from the data
_MARGIN = 0.03  # inches by which text may stand out of the picture before it counts as cut


class Drawn(NamedTuple):
    """A figure as SVG, the same for a phone or empty, and whether its ink follows the page."""

    wide: str
    narrow: str
    themed: bool


def draw(fig_or_axes: Figure | Axes) -> Drawn:
    """Save a matplotlib figure, or that of an Axes; nothing is closed or changed.

    Raises
    ------
    DataError
        If it is not a matplotlib figure or axes.
    """
    fig: Figure | None = None
    if isinstance(fig_or_axes, (Artist, FigureBase)):
        fig = fig_or_axes.get_figure(root=True)
    if fig is None:
        raise DataError(
            f"expected a matplotlib Figure or Axes, not a {type(fig_or_axes).__name__}; "
            "a result's plot() returns an Axes"
        )
    wide = _save(fig)
    narrow = ""
    if _can_reflow(fig):
        with _resized(fig):
            if _fits(fig):
                narrow = _save(fig)
    return Drawn(wide, narrow, themed=not _filled(fig))


def _save(fig: Figure) -> str:
    buffer = io.StringIO()
    # Its random ids and its date do not matter: the plain form has neither.
    with mpl.rc_context({"svg.fonttype": "none"}):
        fig.savefig(buffer, format="svg")
    return re.sub(r'(?<=\sd=")[^"]{4000,}', _thinned, buffer.getvalue())


def _thinned(match: re.Match[str]) -> str:
    """Drop the points of a long outline that nobody could see: matplotlib does so for lines alone."""
    tokens = match[0].split()
    closed = tokens[-1] == "z"
    steps = tokens[:-1] if closed else tokens
    if len(steps) % 3 or steps[0] != "M" or set(steps[3::3]) != {"L"}:
        return match[0]  # curves, or several pieces
    points = np.array([steps[1::3], steps[2::3]], dtype=float).T
    path = Path(points)
    path.simplify_threshold = _THIN
    shorter = path.cleaned(simplify=True)
    kept = np.asarray(shorter.vertices)[np.asarray(shorter.codes) != Path.STOP].tolist()
    return "M " + " L ".join(f"{x:.2f} {y:.2f}" for x, y in kept) + (" z" if closed else "")


def _filled(fig: Figure) -> bool:
    """Return True if areas are coloured by value: text on them must not change with the page."""
    return any(
        isinstance(artist, (QuadMesh, ContourSet, _ImageBase))
        for ax in fig.axes
        for artist in ax.get_children()
    )


def _can_reflow(fig: Figure) -> bool:
    """Return True if the figure is wide, lays itself out, and is one plain grid of axes."""
    if not isinstance(fig.get_layout_engine(), ConstrainedLayoutEngine):
        return False
    if fig.get_figwidth() <= _NARROW_WIDTH * 1.15 or fig.subfigs:
        return False
    specs = [ax.get_subplotspec() for ax in fig.axes]
    plain = [spec for spec in specs if spec is not None]
    if not plain or len({id(spec.get_gridspec()) for spec in plain}) != 1:
        return False
    # A colour bar has no place in the grid; it follows its axes as long as they do not move.
    grid = plain[0].get_gridspec()
    return grid.ncols == 1 or (len(plain) == len(specs) <= _MOST_PANELS)


@contextlib.contextmanager
def _resized(fig: Figure) -> Iterator[None]:
    """Make the figure narrow, its panels one column, and put everything back afterwards."""
    width, height = fig.get_size_inches()
    with contextlib.ExitStack() as undo:
        undo.callback(fig.draw_without_rendering)
        undo.callback(fig.set_size_inches, width, height)
        columns = _stack(fig, undo)
        scale = 0.85 if columns == 1 else 0.8 * columns
        fig.set_size_inches(_NARROW_WIDTH, max(scale * height, min(height, 3.0)))
        for text in _titles(fig):
            undo.callback(text.set_text, text.get_text())
            text.set_text(_wrapped(text.get_text(), float(text.get_fontsize())))
        yield


def _stack(fig: Figure, undo: contextlib.ExitStack) -> int:
    """Put the panels of a grid below each other, in reading order; return how many stood across."""
    specs = [(ax, spec) for ax in fig.axes if (spec := ax.get_subplotspec()) is not None]
    grid = specs[0][1].get_gridspec()
    if grid.ncols == 1:
        return 1
    specs.sort(key=lambda pair: pair[1].num1)
    tall = fig.add_gridspec(len(specs), 1)
    for row, (ax, spec) in enumerate(specs):
        undo.callback(ax.set_subplotspec, spec)
        ax.set_subplotspec(tall[row, 0])
        # A panel that left its labels to its neighbour now needs its own.
        undo.callback(ax.tick_params, labelleft=ax.yaxis.get_tick_params().get("labelleft", True))
        undo.callback(ax.tick_params, labelbottom=ax.xaxis.get_tick_params().get("labelbottom", True))
        ax.tick_params(labelleft=True, labelbottom=True)
    return int(grid.ncols)


def _titles(fig: Figure) -> list[Text]:
    found = [getattr(ax, name) for ax in fig.axes for name in ("title", "_left_title", "_right_title")]
    if fig._suptitle is not None:  # type: ignore[attr-defined]
        found.append(fig._suptitle)  # type: ignore[attr-defined]
    return [text for text in found if text.get_text()]


def _wrapped(words: str, size: float) -> str:
    """Break a title into lines that fit beside the labels of a narrow figure."""
    if words.count("$") >= 2:  # mathematics must not be broken
        return words
    across = int((_NARROW_WIDTH * 72 - 45) / (0.68 * size))
    return "\n".join(textwrap.fill(line, across) for line in words.split("\n"))


def _fits(fig: Figure) -> bool:
    """Return True if nothing is cut and no two labels of an axis overlap."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="constrained_layout not applied")
        try:
            fig.draw_without_rendering()
        except UserWarning:  # the labels leave no room for the axes
            return False
    drawn, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    if min(drawn.x0, drawn.y0) < -_MARGIN or drawn.x1 > width + _MARGIN or drawn.y1 > height + _MARGIN:
        return False
    for ax in fig.axes:
        low, high = sorted(ax.get_xlim())
        boxes = [
            label.get_window_extent()
            for place, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=False)
            if low <= place <= high and label.get_visible() and label.get_text()
        ]
        boxes.sort(key=lambda box: box.x0)
        if any(a.x1 > b.x0 and a.y0 < b.y1 for a, b in pairwise(boxes)):
            return False
    return True
