"""Sector classifications as data: names, descriptions, keywords and aliases."""

from __future__ import annotations

import csv
import dataclasses
import functools
import importlib.resources
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from fisc.basir.options import NseLevel, PhraseKind
from fisc.core import (
    AnyArray,
    DataError,
    OptionError,
    Record,
    TableLike,
    as_frame,
    check_option,
    fingerprint,
    nearest,
)
from fisc.data import load_nse_industries, load_sectors

__all__ = ["Sector", "Taxonomy"]


@dataclasses.dataclass(frozen=True)
class Sector:
    """One class of a `Taxonomy`.

    Attributes
    ----------
    name : str
        Label that the classifier returns.
    macro : str
        Group the sector belongs to; may be empty.
    description : str
        One sentence on what its firms do.
    keywords : tuple of str
        Phrases that define the sector. A phrase in capitals ("AIIMS") matches capitals only.
    aliases : tuple of str
        Further products, schemes and spellings that point to the sector. One that ends in "?" is a
        weak hint: a word ("power?", "house?") that ordinary prose also uses in other senses.
    other_names : tuple of str
        Other labels under which data sets know the sector, accepted by `Taxonomy.canonical`.
    """

    name: str
    macro: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()

    def phrases(self) -> list[tuple[str, PhraseKind]]:
        """Return every phrase of the sector with its kind, name first, none twice."""
        weak = {a[:-1] for a in self.aliases if a.endswith("?")}
        seen: dict[str, PhraseKind] = dict.fromkeys(
            [self.name] if self.keywords else _name_parts(self.name), "name"
        )
        for phrase in self.keywords:
            seen.setdefault(phrase, "keyword")
        for phrase in self.aliases:
            seen.setdefault(phrase.rstrip("?"), "alias")
        return [(phrase, "weak" if phrase in weak else kind) for phrase, kind in seen.items()]

    def document(self) -> str:
        """Return name, description, keywords and aliases as one text."""
        return ". ".join(
            [
                self.name,
                self.description,
                ", ".join(self.keywords),
                ", ".join(a.rstrip("?") for a in self.aliases),
            ]
        ).strip(". ")


@dataclasses.dataclass(frozen=True)
class Taxonomy(Record):
    """A closed list of sectors that texts are classified into.

    The default has 81 sectors, after the industry list of a well-known Indian stock screener less its
    five entries that are not industries. Any other list can take its place: the classifiers share
    their weights over sectors, so that they also work for sectors they were not trained on.

    Parameters
    ----------
    sectors : tuple of Sector
        The classes, in the order of the columns of every score table.
    title : str
        Name of the classification.

    Examples
    --------
    >>> taxonomy = Taxonomy.default()
    >>> len(taxonomy), taxonomy.canonical("cement - products")
    (81, 'Cement Products')
    """

    sectors: tuple[Sector, ...]
    title: str = "user taxonomy"

    def __post_init__(self) -> None:
        if not self.sectors:
            raise DataError("a taxonomy needs at least one sector, none was given")
        names = [s.name for s in self.sectors]
        empty = sum(not n.strip() for n in names)
        if empty:
            raise DataError(f"{empty} of {len(names)} sectors have an empty name; give each a name")
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise DataError(f"sector names must be unique; given twice: {', '.join(twice)}")

    def __len__(self) -> int:
        return len(self.sectors)

    @property
    def names(self) -> list[str]:
        """Sector names, in order."""
        return [s.name for s in self.sectors]

    @functools.cached_property
    def _lookup(self) -> dict[str, str]:
        lookup: dict[str, str] = {}
        for sector in self.sectors:
            for other in sector.other_names:
                lookup.setdefault(_fold(other), sector.name)
        for sector in self.sectors:
            lookup[_fold(sector.name)] = sector.name
        return lookup

    @functools.cached_property
    def fingerprint(self) -> str:
        """Fingerprint of names, descriptions, keywords and aliases."""
        return fingerprint([dataclasses.asdict(s) for s in self.sectors])

    def canonical(self, label: str) -> str:
        """Return the sector name that `label` stands for.

        Parameters
        ----------
        label : str
            A sector name or another known name; case and punctuation do not matter.

        Raises
        ------
        OptionError
            If no sector has that name; the message names the nearest.
        """
        name = self._lookup.get(_fold(str(label)))
        if name is None:
            guess = nearest(label, self.names)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise OptionError(
                f"label {label!r} is not one of the {len(self)} sectors of {self.title}{hint} "
                "(Taxonomy.names lists them; add it to other_names if it is another name of one)"
            )
        return name

    def encode(self, labels: Iterable[Iterable[str]]) -> npt.NDArray[np.int8]:
        """Turn lists of labels into a 0/1 matrix.

        Parameters
        ----------
        labels : iterable of iterables of str
            One list of sector names for each text; an empty list means that the text has no sector.

        Returns
        -------
        ndarray of int8, shape (n_texts, n_sectors)

        Raises
        ------
        DataError
            If a text's labels are not a list, or a label is unknown.
        """
        column = {name: j for j, name in enumerate(self.names)}
        rows = list(labels)
        matrix = np.zeros((len(rows), len(self)), dtype=np.int8)
        for i, row in enumerate(rows):
            if isinstance(row, str) or not isinstance(row, Iterable):
                raise DataError(
                    f"labels[{i}] is {row!r}; expected a list of sector names, [] for a text without a sector"
                )
            for label in row:
                matrix[i, column[self.canonical(label)]] = 1
        return matrix

    def decode(self, matrix: AnyArray) -> list[list[str]]:
        """Turn a 0/1 matrix of shape (n_texts, n_sectors) into lists of sector names."""
        names = self.names
        return [[names[j] for j in row.nonzero()[0]] for row in matrix]

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each sector: sector, macro, description, keywords, aliases, other_names (";" between)."""
        rows = [
            {k: v if isinstance(v, str) else ";".join(v) for k, v in vars(s).items()} for s in self.sectors
        ]
        return pd.DataFrame(rows).rename(columns={"name": "sector"})

    def cut_to(self, other: Taxonomy) -> Taxonomy:
        """Return these sectors with no more phrases and descriptions than those of another taxonomy have.

        Parameters
        ----------
        other : Taxonomy
            Its median number of phrases a sector is the limit; without descriptions there, none are kept.
        """
        if other.sectors == self.sectors:
            return self
        counts = sorted(len(s.phrases()) for s in other.sectors)
        most = counts[len(counts) // 2] - 1  # the name is a phrase too
        described = any(s.description for s in other.sectors)
        return Taxonomy(
            tuple(
                dataclasses.replace(
                    s,
                    description=s.description if described else "",
                    keywords=s.keywords[:most],
                    aliases=s.aliases[: max(0, most - len(s.keywords))],
                )
                for s in self.sectors
            ),
            title=self.title,
        )

    @classmethod
    def default(cls) -> Taxonomy:
        """Return the 81 sectors with their descriptions, keywords and aliases."""
        return _default()

    @classmethod
    def nse(cls, level: NseLevel = "sector") -> Taxonomy:
        """Return the classification common to the Indian exchanges.

        Parameters
        ----------
        level : {"macro", "sector", "industry"}
            12 macro-economic sectors, 22 sectors or 59 industries. The words of the levels below serve
            as keywords.
        """
        check_option("level", level, get_args(NseLevel))
        frame = load_nse_industries()
        order = ["macro_economic_sector", "sector", "industry"]
        at = get_args(NseLevel).index(level)
        column, below = order[at], order[at + 1 :]
        sectors = []
        for name, rows in frame.groupby(column, sort=False):
            words = dict.fromkeys(str(w) for c in below for w in rows[c] if str(w) != str(name))
            macro = "" if level == "macro" else str(rows["macro_economic_sector"].iloc[0])
            parts = [p for w in [str(name), *words] for p in _name_parts(w)]
            sectors.append(Sector(str(name), macro, ", ".join(words), keywords=tuple(dict.fromkeys(parts))))
        return cls(tuple(sectors), title=f"NSE classification ({level})")

    @classmethod
    def from_frame(cls, frame: TableLike, *, title: str = "user taxonomy") -> Taxonomy:
        """Build a taxonomy from a table.

        Parameters
        ----------
        frame : table
            Column ``sector``, and if present ``macro``, ``description``, ``keywords``, ``aliases``,
            ``other_names``; the last three hold phrases, as lists or with ";" between.
        title : str
            Name of the classification.

        Raises
        ------
        DataError
            If there is no column ``sector``, or a name is empty or given twice.

        Examples
        --------
        >>> import pandas as pd
        >>> table = pd.DataFrame({"sector": ["Energy", "Farming"], "keywords": ["oil;power", "crops;seed"]})
        >>> Taxonomy.from_frame(table).sectors[1].keywords
        ('crops', 'seed')
        """
        table = as_frame("a taxonomy table", frame, what="columns sector, keywords, ...")
        if not table.columns.is_unique:
            raise DataError("a column of the taxonomy table stands more than once; give each its own name")
        if "sector" not in table.columns:
            raise DataError(
                f"a taxonomy table needs a column 'sector'; this one has {', '.join(map(str, table.columns))}"
            )

        def text(row: Mapping[str, Any], column: str) -> str:
            value = row.get(column, "")
            return value.strip() if isinstance(value, str) else ""

        def phrases(row: Mapping[str, Any], column: str) -> tuple[str, ...]:
            held = row.get(column)
            pieces = held if isinstance(held, (list, tuple, np.ndarray)) else text(row, column).split(";")
            return tuple(p.strip() for p in map(str, pieces) if p.strip())

        rows: Sequence[Mapping[str, Any]] = table.to_dict("records")  # type: ignore[assignment]
        return cls(
            tuple(
                Sector(
                    text(row, "sector"),
                    text(row, "macro"),
                    text(row, "description"),
                    phrases(row, "keywords"),
                    phrases(row, "aliases"),
                    phrases(row, "other_names"),
                )
                for row in rows
            ),
            title=title,
        )

    @classmethod
    def read(cls, path: str | Path) -> Taxonomy:
        """Read a taxonomy from a CSV file with the columns of `from_frame`."""
        source = Path(path)
        if not source.exists():
            raise DataError(f"there is no taxonomy file {source}; expected a CSV with a column 'sector'")
        try:
            frame = pd.read_csv(source, dtype=str, keep_default_na=False)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise DataError(f"{source} cannot be read as a CSV table: {error}") from error
        return cls.from_frame(frame, title=source.stem)


@functools.lru_cache(maxsize=1)
def _default() -> Taxonomy:
    path = importlib.resources.files("fisc.basir").joinpath("aliases.csv")
    with path.open(encoding="utf-8") as lines:
        aliases = {row["sector"]: row["aliases"] for row in csv.DictReader(lines)}
    frame = load_sectors()
    other = next((c for c in frame.columns if c.startswith("screener")), None)
    frame = frame.assign(
        aliases=frame["sector"].map(aliases).fillna(""), other_names=frame[other] if other else ""
    )
    return Taxonomy.from_frame(frame, title="81 sectors")


def _fold(label: str) -> str:
    """Reduce a label to its letters and digits, so that "Cement - Products" finds "Cement Products"."""
    return "".join(c for c in label.casefold().replace("&", "and") if c.isalnum())


def _name_parts(name: str) -> list[str]:
    """Split a label into phrases: "Castings, Forgings & Fasteners" names three things."""
    pieces = name.replace(" & ", ",").replace(" - ", ",").replace("/", ",").split(",")
    parts = [p.strip() for p in pieces if len(p.strip()) > 2]
    return list(dict.fromkeys([name, *parts]))
