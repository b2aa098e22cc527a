"""How much a speech speaks of each sector, against its predecessors."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, get_args

import numpy as np
import pandas as pd

from fisc.basir.options import CountedPhrases
from fisc.basir.plots import plot_attention_map
from fisc.basir.sectors.lexical import LexicalIndex
from fisc.basir.sectors.taxonomy import Taxonomy
from fisc.basir.text.formulas import mute_formulas
from fisc.basir.text.stance import find_stance
from fisc.basir.text.tables import as_texts
from fisc.core import (
    DataError,
    NotDatesError,
    Provenance,
    TableLike,
    as_dated,
    as_frame,
    check_is,
    check_option,
    check_table,
    check_whole,
    is_table,
    read_day_list,
    record,
)
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = ["Attention", "attention", "mentions_by_time", "sector_stance", "surprise"]

Day: TypeAlias = str | int | dt.date


@dataclasses.dataclass(frozen=True)
class Attention(Result):
    """Mentions of sectors in speeches.

    Attributes
    ----------
    mentions : DataFrame, shape (n_speeches, n_sectors)
        Mentions per 1,000 words, indexed by date.
    surprise : DataFrame, same shape
        Mentions less their mean over the last speeches; missing for the first ones.
    words : Series
        Words of each speech.
    last : int
        Number of earlier speeches that surprise is measured against.
    provenance : Provenance
    """

    mentions: pd.DataFrame
    surprise: pd.DataFrame
    words: pd.Series
    last: int
    provenance: Provenance

    def summary(self) -> str:
        """Return what the latest speech speaks of most, and more than before."""
        latest = self.mentions.index[-1]
        most = self.mentions.loc[latest].nlargest(5)
        lines = [
            f"{len(self.mentions)} speeches, the latest of {latest}",
            "most mentioned: " + ", ".join(f"{name} {value:.1f}" for name, value in most.items()),
        ]
        news = self.surprise.loc[latest].dropna()
        if len(news):
            more, less = news.nlargest(3), news.nsmallest(3)
            lines.append(
                "more than before: " + ", ".join(f"{name} {value:+.1f}" for name, value in more.items())
            )
            lines.append(
                "less than before: " + ", ".join(f"{name} {value:+.1f}" for name, value in less.items())
            )
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each speech and sector: date, sector, mentions, surprise."""
        long = self.mentions.rename_axis("date").reset_index()
        long = long.melt("date", var_name="sector", value_name="mentions")
        other = self.surprise.rename_axis("date").reset_index()
        other = other.melt("date", var_name="sector", value_name="surprise")
        return long.merge(other, on=["date", "sector"]).sort_values("date", kind="stable", ignore_index=True)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the sectors' attention over the years as a heat map."""
        return plot_attention_map(self.mentions, ax=ax)

    def section(self) -> Section:
        """Return a report section with the heat map and the latest speech's surprises."""
        latest = self.mentions.index[-1]
        table = self.mentions.loc[[latest]].T.set_axis(["mentions"], axis=1)
        table["surprise"] = self.surprise.loc[latest]
        table = table.sort_values("mentions", ascending=False).head(12).rename_axis("sector")
        return Section(
            "What budgets speak of",
            f"Mentions of each sector per 1,000 words in {len(self.mentions)} speeches, and surprise: "
            f"the latest speech "
            f"less the mean of the {self.last} before it.",
            figures=(
                Figure.from_matplotlib(
                    self.plot(),
                    caption="Mentions per 1,000 words",
                    alt="Heat map of mentions by sector and year",
                ),
            ),
            tables=(Table(table, caption=f"Speech of {latest}", decimals=2),),
            provenance=self.provenance,
        )


def attention(
    speeches: TableLike | Mapping[Day, TableLike | str],
    *,
    taxonomy: Taxonomy | None = None,
    phrases: CountedPhrases = "all",
    last: int = 5,
) -> Attention:
    """Count mentions of sectors in speeches, and what is new against the speeches before.

    Parameters
    ----------
    speeches : table or mapping
        Columns ``date`` and ``text``, one row for each paragraph (as the builder ``budget-speeches`` writes), or a
        mapping of dates to the answers of `read_speech` or to plain texts.
    taxonomy : Taxonomy, optional
        The 81 sectors by default.
    phrases : {"all", "keywords"}
        Whether aliases count too. Weak hints ("power?", "house?") never do, and neither does a phrase
        inside a longer one of another sector.
    last : int
        Earlier speeches that surprise is measured against.

    Returns
    -------
    Attention

    Raises
    ------
    DataError
        If there is no speech, or a speech has no words.

    Examples
    --------
    >>> texts = {"2001-02-28": "Duty on steel and on cement.", "2002-02-28": "More for cement, cement."}
    >>> float(attention(texts).mentions.loc["2002-02-28", "Cement"])
    500.0
    """
    check_option("phrases", phrases, get_args(CountedPhrases))
    last = check_whole("last", last, least=1)
    labels = taxonomy if taxonomy is not None else Taxonomy.default()
    check_is("taxonomy", labels, Taxonomy, how="read one with Taxonomy.read or Taxonomy.from_frame")
    texts = _texts(speeches)
    index = LexicalIndex(labels)
    allowed = ("name", "keyword", "alias") if phrases == "all" else ("name", "keyword")
    counts = np.zeros((len(texts), len(labels)))
    words = np.zeros(len(texts))
    for i, (date, pieces) in enumerate(texts.items()):
        words[i] = sum(len(p.split()) for p in pieces)
        if words[i] == 0:
            raise DataError(f"the speech of {date} has no words; leave it out or read it again")
        for piece in pieces:
            hits = index.hits(mute_formulas(piece))
            # Two phrases of a sector that begin at one place ("steel", "steel plants") are one mention.
            places = {(h.sector, h.start) for h in hits if h.kind in allowed and not h.covered}
            np.add.at(counts[i], [sector for sector, _ in places], 1.0)
    mentions = pd.DataFrame(1000 * counts / words[:, None], index=list(texts), columns=labels.names)
    return Attention(
        mentions,
        surprise(mentions, last=last),
        pd.Series(words.astype(int), index=list(texts), name="words"),
        last,
        record(
            options={"phrases": phrases, "last": last, "taxonomy": labels.title},
            inputs={"speeches": {str(k): v for k, v in texts.items()}, "taxonomy": labels.fingerprint},
        ),
    )


def surprise(mentions: TableLike, *, last: int = 5, at_least: int = 3) -> pd.DataFrame:
    """Return mentions less their mean over the speeches before.

    Parameters
    ----------
    mentions : table, shape (n_speeches, n_sectors)
        In order of time, e.g. `fisc.data.load_budget_attention()`; a column of dates becomes the index.
    last : int
        Earlier speeches that the mean is taken over.
    at_least : int
        Earlier speeches needed; with fewer the surprise is missing.

    Returns
    -------
    DataFrame, same shape

    Examples
    --------
    >>> import pandas as pd
    >>> surprise(pd.DataFrame({"Steel": [1.0, 2.0, 3.0, 6.0]}))["Steel"].tolist()
    [nan, nan, nan, 4.0]
    """
    last, at_least = check_whole("last", last), check_whole("at_least", at_least)
    counted = mentions_by_time(mentions)
    if last < 1 or not 1 <= at_least <= last:
        raise DataError(f"last={last}, at_least={at_least}; expected 1 <= at_least <= last")
    if not counted.index.is_monotonic_increasing:
        raise DataError("mentions are not in order of time; sort them by date first")
    return counted - counted.shift(1).rolling(last, min_periods=at_least).mean()


def mentions_by_time(mentions: TableLike) -> pd.DataFrame:
    """Return mentions as numbers, by date where the table has a column of dates, else by its own index."""
    what = "mentions, one row for each speech"
    frame = as_frame("mentions", mentions, what=what)
    if not isinstance(mentions, pd.DataFrame) or (frame.dtypes == "datetime64[us]").any():
        frame = as_dated("mentions", frame, what=what)
    return check_table("mentions", frame, what=what)


def sector_stance(paragraphs: TableLike, sectors: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Return what a speech means to do to each sector: taxes up or down, spending up or down.

    Parameters
    ----------
    paragraphs : table
        Column ``text``, an answer of `read_speech`.
    sectors : list of lists of str
        Sectors of each paragraph, an answer of `SectorClassifier.predict`.

    Returns
    -------
    DataFrame
        Indexed by sector: paragraphs, tax_up, tax_down, spending_up, spending_down (clauses in paragraphs
        on the sector), tax_stance and spending_stance in -1..1.
    """
    texts = as_texts("paragraphs", paragraphs)["text"]
    if len(texts) != len(sectors):
        raise DataError(
            f"{len(texts)} paragraphs but {len(sectors)} lists of sectors; give one list for each paragraph"
        )
    rows: dict[str, dict[str, float]] = {}
    names = {
        ("tax", 1): "tax_up",
        ("tax", -1): "tax_down",
        ("spending", 1): "spending_up",
        ("spending", -1): "spending_down",
    }
    for text, labels in zip(texts, sectors, strict=True):
        found = find_stance(text) if labels else []
        for label in labels:
            row = rows.setdefault(label, dict.fromkeys(["paragraphs", *names.values()], 0))
            row["paragraphs"] += 1
            for stance in found:
                row[names[stance.subject, stance.direction]] += 1
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["paragraphs", *names.values()]).rename_axis(
        "sector"
    )
    for subject in ("tax", "spending"):
        up, down = frame[f"{subject}_up"], frame[f"{subject}_down"]
        frame[f"{subject}_stance"] = ((up - down) / (up + down).where(up + down > 0)).fillna(0.0)
    return frame.sort_values("paragraphs", ascending=False)


def _texts(speeches: TableLike | Mapping[Day, TableLike | str]) -> dict[str, list[str]]:
    """Return the paragraphs of each speech, by date in order of time."""
    if isinstance(speeches, Mapping):
        grouped = {
            day: [said] if isinstance(said, str) else list(as_texts(f"the speech of {day}", said)["text"])
            for day, said in zip(_days(list(speeches)), speeches.values(), strict=True)
        }
    elif is_table(speeches):
        frame = as_frame("speeches", speeches)
        missing = [c for c in ("date", "text") if c not in frame.columns]
        if missing:
            raise DataError(
                f"speeches lacks {' and '.join(missing)}; expected columns date and text, "
                "or a mapping of dates to speeches: attention({date: read_speech(path)})"
            )
        days = pd.Series(_days(frame["date"].tolist()), index=frame.index)
        grouped = {str(day): list(rows["text"]) for day, rows in frame.groupby(days, sort=True)}
    else:
        raise DataError(
            f"speeches is of type {type(speeches).__name__}; expected a table or a mapping of dates to speeches"
        )
    if not grouped:
        raise DataError("no speeches were given; expected at least one")
    return dict(sorted(grouped.items()))


def _days(given: Sequence[Day]) -> list[str]:
    """Return dates as ``YYYY-MM-DD``, read together; a whole number is a year."""
    years = [f"{day}-01-01" if isinstance(day, int) and 1000 <= day <= 9999 else day for day in given]
    try:
        return [str(day) for day in read_day_list("the date of a speech", years)]
    except NotDatesError as error:
        odd = next((day for day in years if not _is_day(day)), years[0])
        raise DataError(f"{odd!r:.60} is not the date of a speech: {error}") from error


def _is_day(given: object) -> bool:
    try:
        read_day_list("a date", [given])
    except DataError as error:
        return not isinstance(error, NotDatesError)
    return True
