"""How much a speech speaks of each sector, against its predecessors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fisc.basir.sectors.lexical import LexicalIndex
from fisc.basir.sectors.taxonomy import Taxonomy
from fisc.basir.text.formulas import mute_formulas
from fisc.basir.text.stance import find_stance
from fisc.core import DataError, Provenance, check_is, check_option, check_table, check_whole, record
from fisc.report import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from fisc.report import Section

__all__ = ["Attention", "attention", "sector_stance", "surprise"]


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
        """Return one row a speech and sector: date, sector, mentions, surprise."""
        long = self.mentions.rename_axis("date").reset_index()
        long = long.melt("date", var_name="sector", value_name="mentions")
        other = self.surprise.rename_axis("date").reset_index()
        other = other.melt("date", var_name="sector", value_name="surprise")
        return long.merge(other, on=["date", "sector"]).sort_values("date", kind="stable", ignore_index=True)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the sectors' attention over the years as a heat map."""
        from fisc.basir.plots import plot_attention_map

        return plot_attention_map(self.mentions, ax=ax)

    def section(self) -> Section:
        """Return a report section with the heat map and the latest speech's surprises."""
        from fisc.report import Figure, Section, Table

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
    speeches: pd.DataFrame | Mapping[Any, pd.DataFrame | str],
    *,
    taxonomy: Taxonomy | None = None,
    phrases: Literal["all", "keywords"] = "all",
    last: int = 5,
) -> Attention:
    """Count mentions of sectors in speeches, and what is new against the speeches before.

    Parameters
    ----------
    speeches : DataFrame or mapping
        Columns ``date`` and ``text``, one row a paragraph (as the builder ``budget-speeches`` writes), or a
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
    import pandas as pd

    check_option("phrases", phrases, ("all", "keywords"))
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
            for sector, place in {
                (h.sector, h.start)
                for h in index.hits(mute_formulas(piece))
                if h.kind in allowed and not h.covered
            }:
                counts[i, sector] += place >= 0
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


def surprise(mentions: pd.DataFrame, *, last: int = 5, at_least: int = 3) -> pd.DataFrame:
    """Return mentions less their mean over the speeches before.

    Parameters
    ----------
    mentions : DataFrame, shape (n_speeches, n_sectors)
        In order of time, e.g. `fisc.data.load_budget_attention()`.
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
    mentions = check_table("mentions", mentions, what="mentions, one row a speech")
    if last < 1 or not 1 <= at_least <= last:
        raise DataError(f"last={last}, at_least={at_least}; expected 1 <= at_least <= last")
    if not mentions.index.is_monotonic_increasing:
        raise DataError("mentions are not in order of time; sort them by date first")
    return mentions - mentions.shift(1).rolling(last, min_periods=at_least).mean()


def sector_stance(paragraphs: pd.DataFrame, sectors: list[list[str]]) -> pd.DataFrame:
    """Return what a speech means to do to each sector: taxes up or down, spending up or down.

    Parameters
    ----------
    paragraphs : DataFrame
        Column ``text``, an answer of `read_speech`.
    sectors : list of lists of str
        Sectors of each paragraph, an answer of `SectorClassifier.predict`.

    Returns
    -------
    DataFrame
        Indexed by sector: paragraphs, tax_up, tax_down, spending_up, spending_down (clauses in paragraphs
        on the sector), tax_stance and spending_stance in -1..1.
    """
    import pandas as pd

    if len(paragraphs) != len(sectors):
        raise DataError(
            f"{len(paragraphs)} paragraphs but {len(sectors)} lists of sectors; give one list a paragraph"
        )
    rows: dict[str, dict[str, float]] = {}
    names = {
        ("tax", 1): "tax_up",
        ("tax", -1): "tax_down",
        ("spending", 1): "spending_up",
        ("spending", -1): "spending_down",
    }
    for text, labels in zip(paragraphs["text"], sectors, strict=True):
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


def _texts(speeches: Any) -> dict[str, list[str]]:
    """Return the paragraphs of each speech, by date in order of time."""
    import pandas as pd

    if isinstance(speeches, pd.DataFrame):
        missing = [c for c in ("date", "text") if c not in speeches.columns]
        if missing:
            raise DataError(
                f"speeches lacks {' and '.join(missing)}; expected columns date and text, "
                "or a mapping of dates to speeches: attention({date: read_speech(path)})"
            )
        grouped = {
            str(pd.Timestamp(str(d)).date()): list(g["text"])
            for d, g in speeches.groupby(speeches["date"].astype(str), sort=True)
        }
    elif isinstance(speeches, Mapping):
        grouped = {
            str(pd.Timestamp(d).date()): [s] if isinstance(s, str) else list(s["text"])
            for d, s in speeches.items()
        }
    else:
        raise DataError(
            f"speeches is {type(speeches).__name__}; expected a DataFrame or a mapping of dates to speeches"
        )
    if not grouped:
        raise DataError("no speeches were given; expected at least one")
    return dict(sorted(grouped.items()))
