"""Pictures for print: the width of a column or page, no title, the legend below, fonts that can be edited."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from fisc.core import DataError, atomic_write, check_number, check_option
from fisc.report.style import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Width = Literal["column", "page"]
_INCHES: dict[Width, float] = {"column": 3.4, "page": 7.0}
_KINDS = (".pdf", ".svg", ".eps", ".png")
_POINTS = 8.0
_LETTER = 0.062  # inches, the width of a letter of that size


def write_print_figure(
    draw: Callable[[Axes], Axes],
    path: str | Path,
    width: Width | float = "column",
    height: float | None = None,
) -> Path:
    """Let `draw` fill the axes and write them to `path`; see `R3DResult.print_figure`."""
    import matplotlib as mpl

    target = Path(path)
    if target.suffix not in _KINDS:
        raise DataError(
            f"{target.name!r} is no picture for print; give a name that ends in {', '.join(_KINDS)}"
        )
    if isinstance(width, str):
        inches = _INCHES[check_option("width", width, get_args(Width))]
    else:
        inches = check_number("width", width, above=0, below=50, what='inches, or "column" or "page",')
    tall = (
        0.72 * inches if height is None else check_number("height", height, above=0, below=50, what="inches,")
    )
    drawn, ax = figure(inches, tall)
    ax = draw(ax)
    for place in ("left", "center", "right"):
        ax.set_title("", loc=place)
    ax.set_xlabel(textwrap.fill(ax.get_xlabel(), int((inches - 0.6) / _LETTER)))
    ax.set_ylabel(textwrap.fill(ax.get_ylabel(), int(0.65 * tall / _LETTER)))
    handles, labels = ax.get_legend_handles_labels()
    if (legend := ax.get_legend()) is not None:
        legend.remove()
        fits = sum(len(label) + 6 for label in labels) * _LETTER < inches
        columns = len(labels) if fits else 1
        drawn.legend(
            handles, labels, loc="outside lower center", ncols=columns, fontsize=_POINTS - 1, frameon=False
        )
    texts = [ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts]
    for text in texts:
        text.set_fontsize(_POINTS)
        text.set_color("black")
    stable = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(target.suffix)
    fonts = mpl.rc_context({"pdf.fonttype": 42, "ps.fonttype": 42, "svg.hashsalt": "fisc"})
    with fonts, atomic_write(target, "wb") as handle:
        drawn.savefig(handle, format=target.suffix[1:], dpi=300, facecolor="white", metadata=stable)
    return target
