"""Rendering: a list of sections becomes one self-contained page."""

from __future__ import annotations

import dataclasses
import datetime as dt
import html
import os
from collections.abc import Sequence
from pathlib import Path

from fisc.data import DataError, atomic_write, require
from fisc.report import prose
from fisc.report.blocks import Figure, Section, Table

__all__ = ["Report", "fragment"]


@dataclasses.dataclass(frozen=True)
class Report:
    """A list of sections under one title.

    Attributes
    ----------
    title : str
        Plain text.
    sections : sequence of Section
    subtitle : str
        Light markdown.
    """

    title: str
    sections: Sequence[Section]
    subtitle: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.title, str) or not self.title.strip():
            raise DataError(f"a report needs a title in words, not {self.title!r}")
        sections = (self.sections,) if isinstance(self.sections, Section) else tuple(self.sections)
        for item in sections:
            if not isinstance(item, Section):
                raise DataError(
                    f"report {self.title!r}: expected Section objects, not a {type(item).__name__}; "
                    "a result gives one by its section() method"
                )
        object.__setattr__(self, "sections", sections)

    def to_html(
        self, path: str | os.PathLike[str] | None = None, *, now: dt.datetime | str | None = None
    ) -> str:
        """Render as one self-contained HTML file.

        Parameters
        ----------
        path : path-like, optional
            Where to write it, whole or not at all.
        now : datetime or str, optional
            The time to print; the present if not given. The same report with the same `now`
            gives the same bytes.

        Returns
        -------
        str
            The HTML.

        Raises
        ------
        WriteError
            If `path` cannot be written.
        """
        parts = "".join(fragment(section) for section in self.sections)
        title = html.escape(self.title)
        text = f"<!DOCTYPE html><title>{title}</title><h1>{title}</h1>{prose.to_html(self.subtitle)}{parts}"
        if path is not None:
            with atomic_write(path) as file:
                file.write(text)
        return text

    def to_pdf(self, path: str | os.PathLike[str], *, now: dt.datetime | str | None = None) -> Path:
        """Render as PDF; needs the extra ``pdf``.

        Parameters
        ----------
        path : path-like
            Where to write it, whole or not at all.
        now : datetime or str, optional
            See `to_html`.

        Returns
        -------
        pathlib.Path
            `path`.

        Raises
        ------
        MissingExtraError
            If WeasyPrint is not installed.
        WriteError
            If `path` cannot be written.
        """
        weasyprint = require("weasyprint", extra="pdf")
        data = weasyprint.HTML(string=self.to_html(now=now)).write_pdf()
        with atomic_write(path, "wb") as file:
            file.write(data)
        return Path(path)

    def _repr_html_(self) -> str:
        return self.to_html()


def fragment(block: Figure | Table | Section) -> str:
    """Render one block by itself, as a notebook shows it."""
    if isinstance(block, Figure):
        return f"<figure>{block.svg}<figcaption>{prose.inline(block.caption)}</figcaption></figure>"
    if isinstance(block, Table):
        return block.frame.to_html(border=0, index=block.index)
    parts = [f"<h2>{html.escape(block.title)}</h2>", prose.to_html(block.body)]
    parts += [fragment(figure) for figure in block.figures]
    parts += [fragment(table) for table in block.tables]
    parts += [f"<p>{prose.inline(note)}</p>" for note in block.notes]
    parts += list(block.html)
    if block.error:
        parts.append(f"<p>{html.escape(block.error)}</p>")
    return "".join(parts)
