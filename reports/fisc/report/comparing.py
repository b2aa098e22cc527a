"""Results of one kind side by side: one column for each, terms in rows, what they rest on below."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

import fisc.core
from fisc.core import DataError, OptionError, nearest
from fisc.core.cells import MISSING, cells, places
from fisc.core.labels import in_words
from fisc.core.printing import MISSING_NOTE, PrintTable, fact_in_words, significance
from fisc.report.page import Section, Table
from fisc.report.result import Result

__all__ = ["SideBySide", "compare"]

# Of a longer curve, evenly spaced points are shown unless the caller chooses.
_MOST_TERMS = 15
_SHOWN_TERMS = 9
_COLUMNS = ("estimate", "std_error", "low", "high", "p")


@dataclasses.dataclass(frozen=True, eq=False)
class SideBySide(Result):
    """Several results of one kind, for one table.

    Attributes
    ----------
    kind : str
        Class of the results.
    names : tuple of str
        A name for each.
    table : DataFrame
        One row for each term and result: term, result, estimate, std_error, low, high and p, missing
        where not known.
    rests_on : dict of str to dict of str to object
        For each result its facts: n, bandwidth, clusters, method.
    titles : dict of str to str
        What terms are called, where that is not their own name.
    left_out : int
        Terms that are not shown.
    stars : bool
        Whether stars mark what is significant.
    """

    kind: str
    names: tuple[str, ...]
    table: pd.DataFrame
    rests_on: dict[str, dict[str, object]]
    titles: dict[str, str]
    left_out: int
    stars: bool

    def to_frame(self) -> pd.DataFrame:
        """Return terms in rows and, for each result, its estimate and what is known of its error."""
        each = {name: self._of(name).drop(columns="result") for name in self.names}
        return pd.concat(each, axis=1, names=["result"]).loc[self.table["term"].unique()]

    def _of(self, name: str) -> pd.DataFrame:
        return self.table[self.table["result"] == name].set_index("term").dropna(axis=1, how="all")

    def terms(self) -> pd.DataFrame:
        """Return the estimates of all results, by result and term."""
        return self.table.set_index(["result", "term"])

    def facts(self) -> dict[str, object]:
        """Return nothing: each result's facts stand in its column."""
        return {}

    def summary(self) -> str:
        """Return the table as text."""
        return f"{self._headline()}\n\n{self.to_markdown(caption='')}"

    def section(self) -> Section:
        """Return the table as a section of a report."""
        printed = self._print_table(self.stars, None, "", None)
        heads = [head or "term" for head in printed.head]
        frame = pd.DataFrame(list(printed.rows), columns=heads)
        return Section(
            self._headline(), tables=[Table(frame, index=False, max_rows=500)], notes=printed.notes
        )

    def _print_table(
        self, stars: bool, decimals: int | None, caption: str | None, label: str | None
    ) -> PrintTable:
        shown = _places(self.table) if decimals is None else decimals
        columns, notes = [], []
        for name in self.names:
            mine = self._of(name)
            marks, told = significance(mine) if stars or self.stars else ([""] * len(mine), "")
            estimates = [f"{t}{m}" for t, m in zip(cells(mine["estimate"], shown), marks, strict=True)]
            errors, what = _errors(mine, shown)
            columns.append(dict(zip(mine.index, zip(estimates, errors, strict=True), strict=True)))
            notes += [told, what]
        rows: list[tuple[str, ...]] = []
        for term in self.table["term"].unique():
            pairs = [column.get(term, ("", "")) for column in columns]
            rows.append((self.titles.get(str(term), in_words(term)), *(estimate for estimate, _ in pairs)))
            if any(error for _, error in pairs):
                rows.append(("", *(error for _, error in pairs)))
        first = len(rows)
        for fact in dict.fromkeys(key for facts in self.rests_on.values() for key in facts):
            values = [self.rests_on[name].get(fact) for name in self.names]
            rows.append((in_words(fact), *("" if v is None else fact_in_words(v) for v in values)))
        if self.left_out:
            count = int(self.table["term"].nunique())
            notes.append(f"{count} of {count + self.left_out} rows are shown.")
        if any(MISSING in row for row in rows):
            notes.append(MISSING_NOTE)
        return PrintTable(
            ("", *self.names),
            tuple(rows),
            (False, *[True] * len(self.names)),
            breaks={first: ""} if first < len(rows) else {},
            notes=tuple(dict.fromkeys(filter(None, notes))),
            caption=self._headline() if caption is None else caption,
            label=label or "",
        )

    def _headline(self) -> str:
        return f"{len(self.names)} results of {self.kind}"


def _places(table: pd.DataFrame) -> int:
    """Return the decimals that estimates and their errors share."""
    return max(places(table[name]) for name in ("estimate", "std_error") if name in table)


def _errors(terms: pd.DataFrame, decimals: int) -> tuple[list[str], str]:
    """Return what stands below each estimate, and what it is."""
    if "std_error" in terms:
        texts = cells(terms["std_error"], decimals)
        return [f"({text})" if text != MISSING else "" for text in texts], "Standard errors in parentheses."
    if {"low", "high"} <= set(terms.columns):
        pairs = zip(cells(terms["low"], decimals), cells(terms["high"], decimals), strict=True)
        return [f"[{low}, {high}]" for low, high in pairs], "Intervals in brackets."
    return [""] * len(terms), ""


def compare(
    results: Sequence[fisc.core.Result],
    *,
    names: Sequence[str] | None = None,
    rows: Sequence[Hashable] | Mapping[Hashable, str] | None = None,
    stars: bool = False,
) -> SideBySide:
    """Put several results of one kind side by side.

    Parameters
    ----------
    results : sequence of Result
        Fits, schedules, evaluations: all of one class that has `terms`.
    names : sequence of str, optional
        A title for each column; its ``name``, else (1), (2), ... if not given.
    rows : sequence or mapping, optional
        Terms to show, in this order (quantiles, coefficients, measures); a mapping also names them.
        All if not given; of more than 15 numbers, nine evenly spaced.
    stars : bool
        Whether stars mark what is significant.

    Returns
    -------
    SideBySide
        `to_latex`, `to_markdown` and `to_docx` print it: estimates with their standard errors, or
        intervals, below; then n, bandwidth, clusters and other facts.

    Raises
    ------
    DataError
        If there is nothing to compare, or results are of different kinds or have no terms.
    OptionError
        If a row is not a term of any result.

    Examples
    --------
    >>> import dataclasses
    >>> @dataclasses.dataclass(frozen=True)
    ... class Fit(Result):
    ...     tau: float
    ...     n: int
    ...     def to_frame(self):
    ...         return pd.DataFrame({"quantile": [0.5], "tau": [self.tau], "se": [0.1]})
    >>> print(compare([Fit(1.0, 50), Fit(2.0, 80)], names=["men", "women"]).to_markdown(caption=""))
    |  | men | women |
    | :-- | --: | --: |
    | 0.5 | 1.0 | 2.0 |
    |  | (0.1) | (0.1) |
    | n | 50 | 80 |
    <BLANKLINE>
    Standard errors in parentheses.
    """
    given = [results] if isinstance(results, fisc.core.Result) else list(results)
    if len(given) < 1 or not all(isinstance(r, fisc.core.Result) for r in given):
        raise DataError("there is nothing to compare; give a list of results, such as two fits")
    kinds = list(dict.fromkeys(type(r).__name__ for r in given))
    if len(kinds) > 1:
        raise DataError(
            f"results of different kinds ({', '.join(kinds)}) do not share terms; compare those of one kind"
        )
    titles = _names(given, names)
    tables = [r.terms() for r in given]
    terms = list(dict.fromkeys(term for table in tables for term in table.index))
    if any(not table.index.is_unique for table in tables):
        raise DataError(
            f"a term of a {kinds[0]} occurs more than once; such results cannot stand side by side"
        )
    chosen = _chosen(terms, rows)
    table = pd.concat(
        [_picked(t, chosen).assign(result=name) for t, name in zip(tables, titles, strict=True)]
    ).reset_index()
    order = np.argsort([chosen.index(term) for term in table["term"]], kind="stable")
    table = table.iloc[order].reset_index(drop=True)
    numbers = all(isinstance(term, int | float) for term in chosen)
    table["term"] = [float(term) if numbers else str(term) for term in table["term"]]
    stated = {str(k): v for k, v in rows.items()} if isinstance(rows, Mapping) else {}
    return SideBySide(
        kind=kinds[0],
        names=tuple(titles),
        table=table[["term", "result", *[c for c in _COLUMNS if c in table]]],
        rests_on={name: r.facts() for name, r in zip(titles, given, strict=True)},
        titles=stated,
        left_out=len(terms) - len(chosen),
        stars=stars,
    )


def _names(results: Sequence[fisc.core.Result], names: Sequence[str] | None) -> list[str]:
    if names is None:
        own = [getattr(r, "name", None) for r in results]
        titles = [name if isinstance(name, str) and name else f"({i})" for i, name in enumerate(own, 1)]
        return titles if len(set(titles)) == len(titles) else [f"({i})" for i in range(1, len(titles) + 1)]
    titles = [names] if isinstance(names, str) else [str(name) for name in names]
    if len(titles) != len(results) or len(set(titles)) != len(titles):
        raise DataError(
            f"names={list(names)!r:.80}; give {len(results)} different names, one for each result"
        )
    return titles


def _chosen(
    terms: list[Hashable], rows: Sequence[Hashable] | Mapping[Hashable, str] | None
) -> list[Hashable]:
    """Return the terms to show."""
    if rows is not None:
        return [_term(row, terms) for row in rows]
    if len(terms) <= _MOST_TERMS or not all(isinstance(term, int | float) for term in terms):
        return terms
    places_ = np.linspace(0, len(terms) - 1, _SHOWN_TERMS + 2)[1:-1].round().astype(int)
    return [terms[i] for i in places_]


def _term(row: Hashable, terms: list[Hashable]) -> Hashable:
    """Return the term that a caller means; numbers may differ by rounding."""
    for term in terms:
        numbers = isinstance(row, int | float) and isinstance(term, int | float)
        if row == term or (numbers and np.isclose(float(row), float(term), rtol=1e-9, atol=1e-12)):  # type: ignore[arg-type]
            return term
    guess = nearest(row, map(str, terms))
    raise OptionError(f"rows names {row!r}, which no result has; {f'did you mean {guess}?' if guess else ''}")


def _picked(table: pd.DataFrame, chosen: list[Hashable]) -> pd.DataFrame:
    return table.loc[[term for term in chosen if term in table.index]]
