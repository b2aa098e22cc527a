"""Matplotlib figures as SVG that may stand inside a page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from fisc.data import DataError
from fisc.report.blocks import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

__all__ = ["from_matplotlib"]


def from_matplotlib(
    fig_or_axes: MatplotlibFigure | Axes, *, caption: str = "", alt: str = "", themed: bool | None = None
) -> Figure:
    """See `Figure.from_matplotlib`."""
    import matplotlib as mpl

    fig = getattr(fig_or_axes, "figure", None)
    if fig is None or not hasattr(fig, "savefig"):
        raise DataError(
            f"expected a matplotlib Figure or Axes, not a {type(fig_or_axes).__name__}; "
            "a result's plot() returns an Axes"
        )
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "fisc", "svg.fonttype": "none"}):
        fig.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return Figure(text[text.index("<svg") :], caption=caption, alt=alt, themed=bool(themed))
