"""Tables for print: cells, groups and notes once, then LaTeX, Markdown or Word."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fisc.core.cells import MISSING, cells, is_numeric, places
from fisc.core.errors import DataError, OptionError, require
from fisc.core.files import atomic_write
from fisc.core.labels import in_words

__all__ = [
    "MISSING_NOTE",
    "PrintTable",
    "fact_in_words",
    "in_sentence",
    "print_table",
    "significance",
    "terms_of",
]

_LEVELS = {"***": 0.01, "**": 0.05, "*": 0.1}
MISSING_NOTE = f"{MISSING} not available."
# Columns of estimates, their errors, intervals and p-values, as the results name them.
_ROLES = {
    "estimate": ("estimate", "tau", "mean_effect", "jump", "difference", "rate", "sharpe", "value", "mean"),
    "std_error": ("std_error", "se", "sharpe_se"),
    "low": ("low", "lower", "band_lower", "low_pct"),
    "high": ("high", "upper", "band_upper", "high_pct"),
    "p": ("p", "p_value"),
}
_TERMS = ("term", "quantile", "lower_edge", "metric", "test", "variable", "sector")


@dataclasses.dataclass(frozen=True)
class PrintTable:
    """A table whose cells are text, as it is printed.

    Examples
    --------
    >>> table = PrintTable(("", "Effect"), (("0.5", "−1.20"),), (False, True), caption="Wages")
    >>> print(table.to_markdown())
    **Wages**
    <BLANKLINE>
    |  | Effect |
    | :-- | --: |
    | 0.5 | −1.20 |
    """

    head: tuple[str, ...]  # a title for each column; the first is that of the row labels
    rows: tuple[tuple[str, ...], ...]  # cells, the label of the row first
    numeric: tuple[bool, ...]  # which columns stand at the right
    # titles over neighbouring columns and how many each covers, after the first column; or none
    spans: tuple[tuple[str, int], ...] = ()
    # rows before which a rule stands, with the title of the group that begins there, or none
    breaks: Mapping[int, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()  # sentences below the table
    caption: str = ""  # above the table, and the name by which LaTeX refers to it
    label: str = ""

    def to_latex(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return a ``table`` environment for the package booktabs; write it to `path` if given."""
        lines = ["% needs \\usepackage{booktabs}", "\\begin{table}[htbp]", "\\centering"]
        if self.caption:
            lines.append(f"\\caption{{{_latex(self.caption)}}}")
        if self.label:
            lines.append(f"\\label{{{re.sub('[^A-Za-z0-9:._-]', '-', self.label)}}}")
        lines += [f"\\begin{{tabular}}{{{''.join('r' if n else 'l' for n in self.numeric)}}}", "\\toprule"]
        if self.spans:
            lines += _latex_spans(self.spans)
        lines += [_latex_row(self.head), "\\midrule"]
        for number, row in enumerate(self.rows):
            if number in self.breaks:
                lines += ["\\midrule"] if number else []
                if title := self.breaks[number]:
                    lines.append(
                        f"\\multicolumn{{{len(self.head)}}}{{l}}{{\\textit{{{_latex(title)}}}}} \\\\"
                    )
            lines.append(_latex_row(row))
        lines += ["\\bottomrule", "\\end{tabular}"]
        if self.notes:
            words = " ".join(map(_latex, self.notes))
            lines += [
                "\\par\\smallskip",
                f"\\begin{{minipage}}{{\\linewidth}}\\footnotesize {words}\\end{{minipage}}",
            ]
        return _written("\n".join([*lines, "\\end{table}", ""]), path)

    def to_markdown(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return a table of pipes; write it to `path` if given."""
        head = list(self.head)
        place = 1
        for title, wide in self.spans:
            for i in range(place, place + wide):
                head[i] = f"{title}: {head[i]}" if title and head[i] else title or head[i]
            place += wide
        lines = [f"**{_markdown(self.caption)}**", ""] if self.caption else []
        lines += [_pipes(head), _pipes(["--:" if n else ":--" for n in self.numeric], escape=False)]
        for number, row in enumerate(self.rows):
            if title := self.breaks.get(number, ""):
                lines.append(_pipes([f"*{_markdown(title)}*", *[""] * (len(head) - 1)], escape=False))
            lines.append(_pipes(row))
        if self.notes:
            lines += ["", " ".join(map(_markdown, self.notes))]
        return _written("\n".join(lines), path)

    def to_docx(self, path: str | os.PathLike[str]) -> Path:
        """Write a Word document with the table; needs the extra ``word``."""
        docx = require("docx", extra="word")
        document = docx.Document()
        if self.caption:
            document.add_paragraph(_plain(self.caption), style="Caption")
        shown: list[tuple[Sequence[str], str]] = [(self.head, "top bottom")]
        if self.spans:
            over = ["", *(part for title, wide in self.spans for part in (title, *[""] * (wide - 1)))]
            shown = [(over, "top"), (self.head, "bottom")]
        top = len(shown)
        for number, cells_ in enumerate(self.rows):
            rule = "top" if number and number in self.breaks else ""
            if title := self.breaks.get(number, ""):
                shown.append(([title, *[""] * (len(self.head) - 1)], rule))
                rule = ""
            shown.append((cells_, rule))
        shown[-1] = (shown[-1][0], f"{shown[-1][1]} bottom")
        table = document.add_table(rows=len(shown), cols=len(self.head))
        for number, ((row, rules), line) in enumerate(zip(shown, table.rows, strict=True)):
            for text, cell, right in zip(row, line.cells, self.numeric, strict=True):
                _fill(cell, _plain(text), right=right, bold=number < top, rules=rules.split())
        if self.spans:
            _join(table.rows[0].cells, self.spans)
        for note in self.notes:
            document.add_paragraph().add_run(_plain(note)).italic = True
        with atomic_write(path, "wb") as file:
            document.save(file)
        return Path(path)


def _written(text: str, path: str | os.PathLike[str] | None) -> str:
    if path is not None:
        with atomic_write(path) as file:
            file.write(text if text.endswith("\n") else f"{text}\n")
    return text


_LATEX = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": "$|$", '"': "''",
    "−": "$-$", "–": "--", "∞": "$\\infty$", "·": "$\\cdot$", "×": "$\\times$", "±": "$\\pm$", "⋯": "$\\cdots$",
    "τ": "$\\tau$", "ρ": "$\\rho$", "≥": "$\\geq$", "≤": "$\\leq$",
    # At the start of a row, a bracket or a star would belong to the end of the row before.
    "[": "{[}", "*": "{*}",
}  # fmt: skip


def _plain(text: str) -> str:
    """Return text on one line, without characters that no document may hold."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in _plain(text))


def _latex_row(row: Sequence[str]) -> str:
    return " & ".join(map(_latex, row)) + " \\\\"


def _latex_spans(spans: Sequence[tuple[str, int]]) -> list[str]:
    parts, rules, place = [""], [], 2
    for title, wide in spans:
        parts.append(f"\\multicolumn{{{wide}}}{{c}}{{{_latex(title)}}}")
        if title:
            rules.append(f"\\cmidrule(lr){{{place}-{place + wide - 1}}}")
        place += wide
    return [" & ".join(parts) + " \\\\", *rules]


def _markdown(text: str) -> str:
    escaped = re.sub(r"([\\`*_{}\[\]<>|#~$])", r"\\\1", _plain(text))
    return escaped.replace("&", "&amp;")


def _pipes(row: Sequence[str], *, escape: bool = True) -> str:
    return f"| {' | '.join(map(_markdown, row) if escape else row)} |"


def _fill(cell: Any, text: str, *, right: bool, bold: bool, rules: list[str]) -> None:
    """Write into a cell of a Word table and draw its rules."""
    shared, oxml = require("docx.enum.text", extra="word"), require("docx.oxml", extra="word")
    paragraph = cell.paragraphs[0]
    paragraph.add_run(text).bold = bold
    paragraph.alignment = shared.WD_ALIGN_PARAGRAPH.RIGHT if right else shared.WD_ALIGN_PARAGRAPH.LEFT
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    sides = "".join(f'<w:{side} w:val="single" w:sz="6" w:space="0" w:color="auto"/>' for side in rules)
    if sides:
        cell._tc.get_or_add_tcPr().append(oxml.parse_xml(f"<w:tcBorders {space}>{sides}</w:tcBorders>"))


def _join(line: Sequence[Any], spans: Sequence[tuple[str, int]]) -> None:
    place = 1
    for _, wide in spans:
        merged = line[place].merge(line[place + wide - 1])
        for empty in merged.paragraphs[1:]:
            merged._tc.remove(empty._p)
        place += wide


def print_table(
    frame: pd.DataFrame,
    *,
    stars: bool = False,
    decimals: int | None = None,
    notes: Sequence[str] = (),
    caption: str = "",
    name: str = "",
) -> PrintTable:
    """Return a table for print of a result's frame, with its columns in words.

    Raises
    ------
    OptionError
        If stars are asked for and there are neither p-values nor intervals.
    """
    if decimals is not None and (isinstance(decimals, bool) or not 0 <= int(decimals) <= 12):
        raise OptionError(f"decimals={decimals!r}; give a whole number from 0 to 12")
    nameless = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    whole = frame if nameless else frame.reset_index()
    if not whole.shape[1]:
        raise DataError("the result's table has no columns; there is nothing to print")
    deep = frame.columns.nlevels > 1
    leaves = [str(c[-1]) if deep else str(c) for c in whole.columns]
    columns = [_column(whole.iloc[:, i], leaf, decimals) for i, leaf in enumerate(leaves)]
    said = list(notes)
    if stars:
        marks, told = significance(terms_of(frame))
        place = next(i for i, leaf in enumerate(leaves) if leaf in _ROLES["estimate"])
        columns[place] = [text + mark for text, mark in zip(columns[place], marks, strict=True)]
        said.append(told)
    if any(MISSING in column for column in columns):
        said.append(MISSING_NOTE)
    heads = ["" if nameless and leaf == "index" else in_words(leaf) for leaf in leaves]
    if not nameless and frame.index.nlevels == 1 and frame.index.name is None:
        heads[0] = ""
    return PrintTable(
        tuple(heads),
        tuple(zip(*columns, strict=True)),
        tuple(i > 0 and is_numeric(whole.iloc[:, i]) for i in range(len(leaves))),
        notes=tuple(said),
        caption=caption,
        label=name,
    )


def _column(column: pd.Series[Any], leaf: str, decimals: int | None) -> list[str]:
    if not is_numeric(column):
        return cells(column)
    if leaf == "p" or leaf.startswith("p_"):
        return [_probability(value, 3 if decimals is None else decimals) for value in column.tolist()]
    return cells(column, places(column) if decimals is None else decimals)


def _probability(value: float, decimals: int) -> str:
    if math.isnan(value):
        return MISSING
    least = 10.0**-decimals
    return f"< {least:.{decimals}f}" if value < least else f"{value:.{decimals}f}"


def in_sentence(facts: Mapping[str, object]) -> str:
    """Return facts as one sentence, such as ``"n: 500; Method: frechet."``; empty if there are none.

    Examples
    --------
    >>> in_sentence({"n": 12000, "bandwidth": 0.25})
    'n: 12,000; Bandwidth: 0.25.'
    """
    said = [f"{in_words(name)}: {fact_in_words(value)}" for name, value in facts.items()]
    return f"{'; '.join(said)}." if said else ""


def fact_in_words(value: object) -> str:
    """Return one fact as a cell."""
    column = pd.Series([value])
    return cells(column, places(column) if is_numeric(column) else 3)[0]


def terms_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the estimates of a result's frame by term: estimate, std_error, low, high, p where known.

    Raises
    ------
    DataError
        If it has no column of estimates.

    Examples
    --------
    >>> terms_of(pd.DataFrame({"quantile": [0.5], "tau": [1.0], "se": [0.2]}))
          estimate  std_error
    term
    0.5        1.0        0.2
    """
    found = {
        role: next(name for name in names if name in frame.columns)
        for role, names in _ROLES.items()
        if any(name in frame.columns for name in names)
    }
    if "estimate" not in found:
        raise DataError(
            f"the result's table has no column of estimates ({', '.join(_ROLES['estimate'])}); it has "
            f"{', '.join(map(str, frame.columns[:8]))}"
        )
    named = next((name for name in _TERMS if name in frame.columns and name not in found.values()), None)
    index = frame.index if named is None else pd.Index(frame[named])
    table = frame[list(found.values())].set_axis(list(found), axis=1)
    return table.set_axis(index.rename("term"), axis=0).astype(np.float64)


def significance(terms: pd.DataFrame) -> tuple[list[str], str]:
    """Return stars for each term, and the sentence that says what they mean.

    Raises
    ------
    OptionError
        If there are neither p-values nor intervals.
    """
    if "p" in terms:
        told = ", ".join(f"{mark} p < {level:g}" for mark, level in reversed(_LEVELS.items()))
        marks = [next((m for m, level in _LEVELS.items() if p < level), "") for p in terms["p"]]
        return marks, f"{told}."
    if {"low", "high"} <= set(terms.columns):
        marks = ["*" if low > 0 or high < 0 else "" for low, high in terms[["low", "high"]].to_numpy()]
        return marks, "* the interval leaves out 0."
    raise OptionError("stars=True, but the result has neither p-values nor intervals; leave the stars out")
