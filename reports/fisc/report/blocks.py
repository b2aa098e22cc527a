"""What a report is made of: figures, tables and the sections that hold them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from fisc.core import DataError, OptionError, Provenance, as_frame, check_is, check_whole, is_table
from fisc.report import svg as pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

__all__ = ["Block", "Figure", "Section", "Table"]


class Block:
    """What a notebook can show; `fisc.report.page`, which paints pages, sets the painter."""

    painter: ClassVar[Callable[[Block], str] | None] = None

    def _repr_html_(self) -> str | None:
        return None if Block.painter is None else Block.painter(self)


@dataclasses.dataclass(frozen=True)
class Figure(Block):
    """A picture kept as SVG, with a caption and a text that stands for it.

    Attributes
    ----------
    svg : str
        One ``<svg>`` element. Scripts, event attributes and references to other files are
        refused when it is shown.
    caption : str
        What the picture shows, in a sentence; light markdown.
    alt : str
        What a reader who cannot see the picture should know; plain text.
    narrow : str
        The same picture laid out for a phone, or empty.
    themed : bool
        Whether the ink follows the page into dark mode. A picture that is not themed stands
        on a light card there.
    """

    svg: str
    caption: str = ""
    alt: str = ""
    narrow: str = ""
    themed: bool = False

    def __post_init__(self) -> None:
        # The plain form is a fixed point, so that a figure read back from JSON stays the same.
        object.__setattr__(self, "svg", pictures.normalise(self.svg))
        if self.narrow:
            object.__setattr__(self, "narrow", pictures.normalise(self.narrow))

    @classmethod
    def from_matplotlib(
        cls,
        fig_or_axes: MatplotlibFigure | Axes,
        *,
        caption: str = "",
        alt: str = "",
        themed: bool | None = None,
    ) -> Figure:
        """Keep a matplotlib figure; nothing is closed or changed.

        Parameters
        ----------
        fig_or_axes : matplotlib Figure or Axes
            An Axes stands for its whole figure.
        caption, alt : str
            See `Figure`. Without `alt`, the caption stands in.
        themed : bool, optional
            See `Figure`; decided from the picture if not given.

        Returns
        -------
        Figure

        Raises
        ------
        DataError
            If it is not a matplotlib figure or axes.
        """
        from fisc.report.drawing import draw  # matplotlib is heavy, and a report of tables needs none

        drawn = draw(fig_or_axes)
        follows = drawn.themed if themed is None else themed
        return cls(drawn.wide, caption=caption, alt=alt, narrow=drawn.narrow, themed=follows)


@dataclasses.dataclass(frozen=True)
class Table(Block):
    """A table of data, with a caption and a note.

    Attributes
    ----------
    frame : DataFrame
        Or a Series, a list of dictionaries, a dictionary of columns, or a table of polars, Arrow or
        DuckDB.
    caption, note : str
        Above and below the table; light markdown.
    decimals : int or dict of column to int
        Decimals of columns of floats; columns that the dictionary leaves out get 3.
    index : bool
        Whether the row labels are shown. A plain count 0, 1, 2, ... never is.
    percent : column or sequence of columns
        Those of shares (0 to 1) to be shown as percentages.
    max_rows : int
        A longer table shows its first and last rows, and says how many there are.
    """

    frame: pd.DataFrame
    caption: str = ""
    note: str = ""
    decimals: int | Mapping[str, int] | Mapping[Hashable, int] = 3
    index: bool = True
    percent: Sequence[Hashable] = ()
    max_rows: int = 60

    def __post_init__(self) -> None:
        frame = _as_frame(self.frame)
        object.__setattr__(self, "frame", frame)
        for name in ("caption", "note"):
            check_is(f"{name} of a table", getattr(self, name), str, how="give text")
        check_is("index of a table", self.index, bool, how="give True or False")
        if not isinstance(self.percent, Iterable):
            raise DataError(f"percent={self.percent!r:.80}; give a list of column names")
        percent = (self.percent,) if isinstance(self.percent, str) else tuple(self.percent)
        object.__setattr__(self, "percent", percent)
        given = list(self.decimals) if isinstance(self.decimals, Mapping) else []
        for option, labels in (("decimals", given), ("percent", percent)):
            for label in labels:
                if not isinstance(label, Hashable) or label not in frame.columns:
                    raise OptionError(
                        f"{option} names the column {label!r}, which the table does not have; "
                        f"it has {', '.join(map(repr, list(frame.columns)[:12]))}"
                    )
        for places in self.decimals.values() if isinstance(self.decimals, Mapping) else (self.decimals,):
            if isinstance(places, bool) or not isinstance(places, int) or not 0 <= places <= 12:
                raise DataError(f"decimals={places!r}; expected a whole number from 0 to 12")
        if check_whole("max_rows", self.max_rows) < 2:
            raise DataError(f"max_rows={self.max_rows!r}; a table shows at least 2 rows")


def _as_frame(data: object) -> pd.DataFrame:
    """Return tabular data as a DataFrame."""
    if is_table(data):
        return as_frame("frame of a table", data)
    if isinstance(data, pd.Series):
        return data.to_frame(data.name if data.name is not None else "value")
    try:
        if isinstance(data, Mapping) or (isinstance(data, (list, tuple)) and data):
            return pd.DataFrame(data)
    except (ValueError, TypeError) as error:
        raise DataError(f"the table's data do not form a rectangle ({error})") from error
    raise DataError(
        f"a table was given an object of type {type(data).__name__}; expected a DataFrame, a Series, a dictionary "
        "of columns or a list of dictionaries"
    )


@dataclasses.dataclass(frozen=True)
class Section(Block):
    """A titled part of a report.

    Attributes
    ----------
    title : str
        Plain text.
    body : str
        Prose in light markdown: paragraphs, ``**bold**``, ``*italic*``, code, lists, links.
        HTML in it is shown as text; put data into it through `fisc.report.plain`.
    figures : sequence of Figure
    tables : sequence of Table
    notes : sequence of str
        Cautions and counts of what was dropped; light markdown.
    provenance : Provenance, optional
        How the numbers were made.
    html : sequence of str
        Trusted HTML fragments, already escaped by whoever made them.
    question, finding : str
        What was asked and what was found, one sentence each with its interval; light markdown.
        A report lists them on its front page.
    error : str
        Why this section failed; see `Section.failed`.
    """

    title: str
    body: str = ""
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    provenance: Provenance | None = None
    html: Sequence[str] = ()
    question: str = ""
    finding: str = ""
    error: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.title, str) or not self.title.strip():
            raise DataError(f"a section needs a title in words, not {self.title!r}")
        for name in ("body", "question", "finding", "error"):
            if not isinstance(getattr(self, name), str):
                raise DataError(
                    f"section {self.title!r}: {name} is of type {type(getattr(self, name)).__name__}; expected text"
                )
        for name, kind in (("figures", Figure), ("tables", Table), ("notes", str), ("html", str)):
            held = getattr(self, name)
            # One figure given bare is what a user means by a list of one.
            items = (held,) if isinstance(held, kind) or not isinstance(held, Iterable) else tuple(held)
            for item in items:
                if not isinstance(item, kind):
                    raise DataError(
                        f"section {self.title!r}: {name} holds a {type(item).__name__}; "
                        f"expected {kind.__name__} objects"
                    )
            object.__setattr__(self, name, items)
        if self.provenance is not None:
            check_is(
                "provenance of a section", self.provenance, Provenance, how="make one with fisc.data.record"
            )

    @property
    def anchor(self) -> str:
        """The name by which ``[...](#name)`` in a body refers to this section.

        Made from the title: ``"Tax reform, 2026"`` gives ``"tax-reform-2026"``. Where two
        sections of a report have one title, the second's name ends in ``-2``.
        """
        return re.sub(r"\W+", "-", self.title.lower()).strip("-_") or "section"

    @classmethod
    def failed(cls, title: str, error: BaseException | str) -> Section:
        """Return a section that shows an error in the place of what could not be made.

        Parameters
        ----------
        title : str
            Title of the section that failed.
        error : exception or str
            Why.

        Returns
        -------
        Section

        Examples
        --------
        >>> Section.failed("Prices", ValueError("no rows")).error
        'ValueError: no rows'
        """
        if isinstance(error, BaseException):
            error = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        check_is("error of a section", error, str, how="give an exception or text")
        return cls(title, error=error or "unknown error")
