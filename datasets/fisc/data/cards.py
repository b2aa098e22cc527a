"""The catalogue: every data set with its card."""

from __future__ import annotations

import dataclasses
import functools
import html
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fisc
from fisc.core.errors import DataError, nearest
from fisc.core.result import Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Card", "Catalogue", "card", "catalogue"]

# Packages above add their own cards by a file of this name, so that the data layer need not know them.
_OWN = Path(__file__).with_name("cards.toml")


@dataclasses.dataclass(frozen=True)
class Card(Record):
    """What there is to know about a data set before using it.

    Attributes
    ----------
    name : str
        Name in the catalogue and on the command line.
    title : str
        One line.
    kind : str
        ``embedded`` (offline, at once), ``fetched`` (network once, then the cache), ``built``
        (from files that you have) or ``user file``.
    loader : str
        Function of `fisc.data` that returns it.
    source, licence, vintage, unit : str
        Where from, on what terms, as of when, in what units.
    columns : dict of str to str
        Meaning of each column.
    rows : int or None
        Rows by default; None where it depends on what is asked for.
    start, end : str or None
        Span.
    real : bool
        False for synthetic data.
    caveats : tuple of str
        Known faults.
    options : tuple of str
        Options that `fisc.data.build` accepts.
    required : tuple of str
        Those that it cannot do without.
    builder : str
        ``module:function`` that returns it, or that lists the parts of a built data set.
    """

    name: str
    title: str
    kind: str
    loader: str
    source: str
    licence: str
    unit: str
    columns: dict[str, str]
    rows: int | None = None
    start: str | None = None
    end: str | None = None
    vintage: str = ""
    real: bool = True
    caveats: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    builder: str = ""

    @property
    def span(self) -> str:
        """Years or days covered, as text."""
        if self.start is None:
            return "as asked for"
        return self.start if self.start == self.end else f"{self.start} to {self.end}"

    def __str__(self) -> str:
        rows = "depends" if self.rows is None else f"{self.rows:,}"
        lines = [
            f"{self.name}: {self.title}",
            f"  kind     {self.kind}, {'real' if self.real else 'synthetic'}; fisc.data.{self.loader}",
            f"  source   {self.source}",
            f"  licence  {self.licence}",
            f"  rows     {rows}; span {self.span}; unit: {self.unit}",
            "  columns",
            *(f"    {name}: {meaning}" for name, meaning in self.columns.items()),
            *(["  known faults"] if self.caveats else []),
            *(f"    {caveat}" for caveat in self.caveats),
        ]
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """All cards; prints as a table, and looks up by name.

    Examples
    --------
    >>> catalogue()["sp500"].rows
    5785
    """

    cards: tuple[Card, ...]

    def __iter__(self) -> Iterator[Card]:
        return iter(self.cards)

    def __len__(self) -> int:
        return len(self.cards)

    def __contains__(self, name: object) -> bool:
        return any(c.name == name for c in self.cards)

    def __getitem__(self, name: str) -> Card:
        return card(name)

    @property
    def names(self) -> list[str]:
        """Names of all data sets."""
        return [c.name for c in self.cards]

    def to_frame(self) -> pd.DataFrame:
        """Return a row a data set: name, title, kind, source, licence, rows, span."""
        import pandas as pd

        fields = ("name", "title", "kind", "source", "licence", "rows", "span", "loader")
        frame = pd.DataFrame([{f: getattr(c, f) for f in fields} for c in self.cards])
        frame["rows"] = frame["rows"].astype("Int64")
        return frame.set_index("name")

    def __str__(self) -> str:
        head = f"{'name':<20}{'rows':>8}  {'span':<26}{'kind':<11}"
        lines = [head + "source; licence", "-" * 110]
        for c in self.cards:
            rows = "" if c.rows is None else f"{c.rows:,}"
            lead = f"{c.name:<20}{rows:>8}  {c.span:<26}{c.kind:<11}"
            lines += textwrap.wrap(
                f"{c.source}; {c.licence}", 110, initial_indent=lead, subsequent_indent=" " * len(head)
            )
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        frame = self.to_frame().reset_index()
        head = "".join(f"<th>{html.escape(c)}</th>" for c in frame.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(v))}</td>" for v in row) + "</tr>"
            for row in frame.itertuples(index=False)
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@functools.cache
def catalogue() -> Catalogue:
    """Return the catalogue of all data sets, each with its card.

    Returns
    -------
    Catalogue

    Examples
    --------
    >>> "sp500" in catalogue(), len(catalogue()) >= 12
    (True, True)
    """
    files = [_OWN, *sorted(f for p in fisc.__path__ for f in Path(p).glob("*/cards.toml") if f != _OWN)]
    entries = [entry for file in files for entry in tomllib.loads(file.read_text(encoding="utf-8")).items()]
    return Catalogue(tuple(_card(name, fields) for name, fields in entries))


def _card(name: str, fields: dict[str, Any]) -> Card:
    """Make a card of an entry of ``cards.toml``, where ``loader`` is ``module:function``."""
    lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
    builder = fields.get("builder", fields.get("loader", ""))
    loader = fields.get("loader", ":build").rpartition(":")[2]
    return Card(name=name, **{**fields, **lists, "loader": loader, "builder": builder})


def card(name: str) -> Card:
    """Return the card of one data set.

    Parameters
    ----------
    name : str
        A name of the catalogue.

    Returns
    -------
    Card

    Raises
    ------
    DataError
        If there is no such data set; the message names the nearest.

    Examples
    --------
    >>> card("sp5000")
    Traceback (most recent call last):
    ...
    fisc.core.errors.DataError: there is no data set 'sp5000'; did you mean 'sp500'? \
(fisc data list shows all)
    """
    everything = catalogue()
    for c in everything:
        if isinstance(name, str) and c.name == name:
            return c
    guess = nearest(name, everything.names)
    hint = f"; did you mean {guess!r}?" if guess else ";"
    raise DataError(f"there is no data set {name!r}{hint} (fisc data list shows all)")
