"""Rendering: a list of sections becomes one self-contained page."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime as dt
import functools
import hashlib
import html
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from fisc.core import DataError, atomic_write, require, version
from fisc.core.palette import DARK
from fisc.report import facts, prose, svg, tables
from fisc.report.blocks import Block, Figure, Section, Table

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Figure", "Report", "Section", "Table", "fragment"]


@dataclasses.dataclass(frozen=True)
class Report:
    """A list of sections under one title.

    Attributes
    ----------
    title : str
        Plain text.
    sections : sequence of Section
        In the order of the page. Sections that have a `question` or a `finding` are listed on
        the front of it.
    subtitle : str
        Below the title; light markdown.

    Examples
    --------
    >>> report = Report("Prices", [Section("Returns", "Mean return: **4%**.")])
    >>> "<strong>4%</strong>" in report.to_html(now="2026-01-01T00:00:00Z")
    True
    """

    title: str
    sections: Sequence[Section]
    subtitle: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.title, str) or not self.title.strip():
            raise DataError(f"a report needs a title in words, not {self.title!r}")
        if not isinstance(self.subtitle, str):
            raise DataError(
                f"report {self.title!r}: subtitle is of type {type(self.subtitle).__name__}; expected text"
            )
        if not isinstance(self.sections, Section | Iterable):
            raise DataError(
                f"report {self.title!r}: sections is of type {type(self.sections).__name__}; "
                "expected a list of Section objects"
            )
        sections = (self.sections,) if isinstance(self.sections, Section) else tuple(self.sections)
        for item in sections:
            if not isinstance(item, Section):
                raise DataError(
                    f"report {self.title!r}: expected Section objects, not a {type(item).__name__}; "
                    "a result gives one by its section() method"
                )
        object.__setattr__(self, "sections", sections)

    @property
    def failures(self) -> tuple[Section, ...]:
        """The sections that show an error in their place."""
        return tuple(section for section in self.sections if section.error)

    def to_html(
        self, path: str | os.PathLike[str] | None = None, *, now: dt.datetime | str | None = None
    ) -> str:
        """Render as one self-contained HTML file.

        Parameters
        ----------
        path : path-like, optional
            Where to write it, whole or not at all.
        now : datetime or str, optional
            The time to print, with its zone (without one, UTC); the present if not given. The
            same report with the same `now` gives the same bytes.

        Returns
        -------
        str
            The HTML. It fetches nothing and stands in one file. A script of two kilobytes, the only one that
            its policy lets run, sorts, filters and saves tables; without it the page is the same.

        Raises
        ------
        DataError
            If `now` is not a time.
        WriteError
            If `path` cannot be written.
        """
        text = _page(self, facts.moment(now), printed=False)
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
        DataError
            If `now` is not a time.
        MissingExtraError
            If WeasyPrint is not installed.
        WriteError
            If `path` cannot be written.
        """
        weasyprint = require("weasyprint", extra="pdf")
        moment = facts.moment(now)
        page = weasyprint.HTML(string=_page(self, moment, printed=True))
        with _clock_at(moment):
            data = page.write_pdf()
        with atomic_write(path, "wb") as file:
            file.write(data)
        return Path(path)

    def _repr_html_(self) -> str:
        # A frame of its own: the page's styles must not reach the notebook, nor its own them.
        return (
            f'<iframe sandbox="" srcdoc="{html.escape(self.to_html())}" title="{html.escape(self.title)}" '
            'style="width:100%;height:44rem;border:1px solid #dfe4ea"></iframe>'
        )


@contextlib.contextmanager
def _clock_at(moment: facts.Moment) -> Iterator[None]:
    """Let the time that fontTools writes into embedded fonts be the time of the report."""
    before = os.environ.get(_EPOCH)
    os.environ[_EPOCH] = str(int(dt.datetime.fromisoformat(moment.iso).timestamp()))
    try:
        yield
    finally:
        if before is None:
            del os.environ[_EPOCH]
        else:
            os.environ[_EPOCH] = before


_EPOCH = "SOURCE_DATE_EPOCH"


def _page(report: Report, moment: facts.Moment, *, printed: bool) -> str:
    """Return the whole page, for the screen or for WeasyPrint."""
    anchors: set[str] = set()
    counts = {"figures": 0, "tables": 0}
    parts = []
    for number, section in enumerate(report.sections, start=1):
        part = _section(section, f"s{number}", printed=printed, counts=counts)
        part.update(number=number, anchor=_unique(section.anchor, anchors))
        parts.append(part)
    told = [part for part in parts if part["question"] or part["finding"]]
    lost, every = len(report.failures), len(parts)
    script = "" if printed or not counts["tables"] else _text("tables.js").strip()
    return _render(
        "page.html.jinja",
        title=report.title,
        subtitle=_safe(prose.to_html(report.subtitle)),
        parts=parts,
        brief=[part for part in parts if part in told or part["error"]] if told else [],
        failed=f"{lost} of {every} sections could not be made; see below for the reason." if lost else "",
        facts=facts.of_report(report.sections, moment),
        moment=moment,
        version=version(),
        css=_safe(_css("blocks.css") + _css("page.css")),
        open=printed,
        script=_safe(script),
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def fragment(block: Block) -> str:
    """Return one block with its styles, as a notebook shows it.

    Examples
    --------
    >>> fragment(Section("Returns")).count("<h2>Returns</h2>")
    1
    """
    section = block if isinstance(block, Section) else Section("block", **_holding(block))
    # Several fragments stand in one notebook: their ids must not clash.
    prefix = "n" + hashlib.sha256(repr(block).encode()).hexdigest()[:10]
    part = _section(section, prefix, printed=False, counts=None)
    kind = {Figure: "picture", Table: "data"}.get(type(block), "section")
    shown = {"picture": part["figures"], "data": part["tables"], "section": [part]}[kind]
    return _render("fragment.html.jinja", kind=kind, item=shown[0], css=_safe(_css("blocks.css")))


Block.painter = fragment  # from here on, blocks show themselves in a notebook


def _holding(block: Block) -> dict[str, Any]:
    return {"figures": [block]} if isinstance(block, Figure) else {"tables": [block]}


def _section(
    section: Section, prefix: str, *, printed: bool, counts: dict[str, int] | None
) -> dict[str, Any]:
    """Return what the template shows of a section; text in markup is already escaped."""
    return {
        "anchor": "",
        "number": "",
        "title": section.title,
        "question": _safe(prose.inline(section.question)),
        "finding": _safe(prose.inline(section.finding)),
        "error": section.error,
        "body": _safe(prose.to_html(section.body)),
        "figures": [
            _figure(figure, f"{prefix}f{i}", _count(counts, "figures"), printed=printed)
            for i, figure in enumerate(section.figures)
        ],
        "tables": [_table(table, _count(counts, "tables")) for table in section.tables],
        "html": [_safe(text) for text in section.html],
        "notes": [_safe(prose.inline(note)) for note in section.notes],
        "facts": facts.of_section(section.provenance) if section.provenance is not None else [],
        "open": printed,
    }


def _count(counts: dict[str, int] | None, kind: str) -> int | None:
    """Return the next number of its kind in the report; a fragment by itself has none."""
    if counts is None:
        return None
    counts[kind] += 1
    return counts[kind]


def _figure(figure: Figure, prefix: str, number: int | None, *, printed: bool) -> dict[str, Any]:
    label = f"Figure {number}" if number else ""
    words = figure.alt or figure.caption or label or "Figure"
    attributes = f'role="img" aria-label="{html.escape(words)}"'
    themed = figure.themed and not printed
    width, _ = svg.size(figure.svg)
    narrow = ""
    if figure.narrow and not printed:
        narrow = svg.embed(figure.narrow, f"{prefix}n", themed=themed, attributes=attributes)
    return {
        "label": label,
        "id": f"figure-{number}" if number else "",
        "caption": _safe(prose.inline(figure.caption)),
        "wide": _safe(svg.embed(figure.svg, prefix, themed=themed, attributes=attributes)),
        "narrow": _safe(narrow),
        "themed": figure.themed,
        "slim": width <= _SLIM,
        "max_width": "" if width >= _FULL else round(width * _PIXELS),
    }


_FULL = 500.0  # points: a picture this wide takes the whole column
_SLIM = 330.0  # points: a picture no wider than this is readable on a phone as it is
_PIXELS = 1.5  # pixels a point, so that letters are as high in small pictures as in wide ones

# Letters that a printed page holds side by side in a table, and in one of small print; a table
# that is wider still is printed on a page turned to the side.
_ACROSS = 90
_ACROSS_DENSE = 120
_SHORT = 20  # rows that are kept together on a printed page


def _table(table: Table, number: int | None) -> dict[str, Any]:
    rows = len(table.frame)
    text, across = tables.render(table)
    layout = ["short"] if rows <= _SHORT else []
    if across > _ACROSS:
        layout.append("dense")
    if across > _ACROSS_DENSE:
        layout.append("broad")
    cut = f"{table.max_rows:,} of {rows:,} rows are shown." if rows > table.max_rows else ""
    return {
        "label": f"Table {number}" if number else "",
        "id": f"table-{number}" if number else "",
        "caption": _safe(prose.inline(table.caption)),
        "note": _safe(prose.inline(table.note)),
        "cut": cut or ("The table has no rows." if not rows else ""),
        "html": _safe(text),
        "layout": " ".join(layout),
    }


def _unique(anchor: str, taken: set[str]) -> str:
    name, number = anchor, 1
    while name in taken:
        number += 1
        name = f"{anchor}-{number}"
    taken.add(name)
    return name


def _safe(text: str) -> Markup:
    return Markup(text)  # nosec B704: made here from escaped parts


@functools.cache
def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def _css(name: str) -> str:
    return _text(name).replace(
        "/*dark-figures*/", " ".join(f"--c-{light}: #{dark};" for light, dark in DARK.items())
    )


_TEMPLATES = Path(__file__).parent / "templates"


@functools.cache
def _templates() -> Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _render(template: str, **values: object) -> str:
    return _templates().get_template(template).render(**values)
