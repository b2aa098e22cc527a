"""Matplotlib figures as SVG: once for the page, once more for a phone where that fits."""

from __future__ import annotations

import contextlib
import io
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from fisc.data import DataError
from fisc.report.blocks import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

__all__ = ["from_matplotlib"]

_NARROW_WIDTH = 4.2  # inches: text of 9 points is then still 9 pixels high on a phone of 390
_MARGIN = 0.03  # inches by which text may stand out of the picture before it counts as cut


def from_matplotlib(
    fig_or_axes: MatplotlibFigure | Axes, *, caption: str = "", alt: str = "", themed: bool | None = None
) -> Figure:
    """See `Figure.from_matplotlib`."""
    from matplotlib.artist import Artist
    from matplotlib.figure import FigureBase

    fig: MatplotlibFigure | None = None
    if isinstance(fig_or_axes, (Artist, FigureBase)):
        fig = fig_or_axes.get_figure(root=True)  # type: ignore[call-arg]
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
    if themed is None:
        themed = not _filled(fig)
    return Figure(wide, caption=caption, alt=alt, narrow=narrow, themed=themed)


def _save(fig: MatplotlibFigure) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    # Ids by a fixed salt and no date: the same picture, the same bytes.
    with mpl.rc_context({"svg.hashsalt": "fisc", "svg.fonttype": "none"}):
        fig.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _filled(fig: MatplotlibFigure) -> bool:
    """Return True if areas are coloured by value: text upon them must not change with the page."""
    from matplotlib.collections import QuadMesh
    from matplotlib.contour import ContourSet
    from matplotlib.image import _ImageBase

    return any(
        isinstance(artist, (QuadMesh, ContourSet, _ImageBase))
        for ax in fig.axes
        for artist in ax.get_children()
    )


def _can_reflow(fig: MatplotlibFigure) -> bool:
    """Return True if the figure is wide, one axes across, and lays itself out."""
    if fig.get_layout_engine() is None or fig.get_figwidth() <= _NARROW_WIDTH * 1.15:
        return False
    across = 1
    for ax in fig.axes:
        spec = ax.get_subplotspec()
        across = max(across, spec.get_gridspec().ncols if spec is not None else 2)
    return across == 1


@contextlib.contextmanager
def _resized(fig: MatplotlibFigure) -> Iterator[None]:
    """Make the figure narrow, wrap its titles, and put everything back afterwards."""
    width, height = fig.get_size_inches()
    titles = [
        (text, text.get_text())
        for ax in fig.axes
        for text in (ax.title, ax._left_title, ax._right_title)  # type: ignore[attr-defined]
        if text.get_text()
    ]
    fig.set_size_inches(_NARROW_WIDTH, max(0.85 * height, min(height, 3.0)))
    try:
        for text, words in titles:
            across = 1.9 * _NARROW_WIDTH * 72 / text.get_fontsize()
            if "$" not in words:
                text.set_text("\n".join(textwrap.fill(line, int(across)) for line in words.split("\n")))
        yield
    finally:
        for text, words in titles:
            text.set_text(words)
        fig.set_size_inches(width, height)
        fig.draw_without_rendering()


def _fits(fig: MatplotlibFigure) -> bool:
    """Return True if nothing is cut and no two labels of an axis overlap."""
    fig.draw_without_rendering()
    drawn, (width, _) = fig.get_tightbbox(), fig.get_size_inches()
    if drawn.x0 < -_MARGIN or drawn.x1 > width + _MARGIN:
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
