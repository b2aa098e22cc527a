"""Printed tables: columns in words, one minus sign, and nothing from the data that LaTeX or Word would read as code."""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from pathlib import Path

import docx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker

from fisc.core import DataError, MissingExtraError, OptionError, Result
from fisc.core.labels import LABELS, in_words, label
from fisc.core.printing import PrintTable, print_table, terms_of

FRAME = pd.DataFrame(
    {
        "quantile": [0.1, 0.5, 0.9],
        "tau": [-1234.5678, 2.0, 0.25],
        "se": [0.5, math.nan, 0.01],
        "p_value": [0.0004, 0.03, 0.5],
        "note": ["50% of $x_1$", "a & b", "[c] \\ {d}"],
    }
)


@dataclasses.dataclass(frozen=True)
class Effect(Result):
    table: pd.DataFrame
    n: int = 1200
    method: str = "local_linear"

    def to_frame(self) -> pd.DataFrame:
        return self.table

    def summary(self) -> str:
        return "Effect_1 of 5%\nmore"


@dataclasses.dataclass(frozen=True)
class Bare(Result):
    value: float = 1.0


def environment(text: str, name: str) -> LatexEnvironmentNode:
    """Return an environment of a LaTeX text that a strict parser reads whole."""
    nodes, _, length = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    assert length == len(text)

    def inside(found: list) -> list[LatexEnvironmentNode]:
        mine = [n for n in found if isinstance(n, LatexEnvironmentNode)]
        return mine + [d for n in mine for d in inside(n.nodelist)]

    (node,) = [n for n in inside(nodes) if n.environmentname == name]
    return node


def latex_rows(text: str) -> list[list[str]]:
    """Return the cells of a table as they are read in print."""
    body = environment(text, "tabular").latex_verbatim()
    body = body.split("\\toprule", 1)[1].split("\\bottomrule")[0]
    lines = [line for line in re.split(r"\\\\\n", body) if "&" in line]
    read = LatexNodes2Text(math_mode="text", keep_comments=False)
    return [
        [read.latex_to_text(cell).strip() for cell in re.split(r"(?<!\\)&", line.replace("\\midrule", ""))]
        for line in lines
    ]


def test_latex_has_the_rules_of_booktabs_and_every_cell() -> None:
    text = Effect(FRAME).to_latex(label="tab:x")
    assert re.findall(r"\\(?:top|mid|bottom)rule", text) == ["\\toprule", "\\midrule", "\\bottomrule"]
    assert "\\begin{tabular}{lrrrl}" in text
    assert "|" not in text
    assert "\\label{tab:x}" in text
    assert "\\caption{Effect\\_1 of 5\\%}" in text
    rows = latex_rows(text)
    assert rows[0] == ["Quantile", "Effect", "Std. error", "p", "Note"]
    assert rows[1] == ["0.1", "-1,234.57", "0.50", "< 0.001", "50% of $x_1$"]
    assert rows[2][2:] == ["–", "0.030", "a & b"]
    assert rows[3][4] == "[c] \\ {d}"
    assert "$-$1,234.57" in text


def test_notes_tell_n_method_and_what_a_dash_is() -> None:
    notes = Effect(FRAME).to_markdown().splitlines()[-1]
    assert notes == "n: 1200; Method: local\\_linear. – not available."
    assert "not available" not in Effect(FRAME.fillna(1.0)).to_markdown()


def test_stars_only_when_asked_for_and_their_levels_are_told() -> None:
    assert "*" not in Effect(FRAME).to_latex()
    rows = latex_rows(Effect(FRAME).to_latex(stars=True))
    assert [row[1] for row in rows[1:]] == ["-1,234.57***", "2.00**", "0.25"]
    assert "{*} p $<$ 0.1, {*}{*} p $<$ 0.05" in Effect(FRAME).to_latex(stars=True)


def test_stars_of_intervals_mark_those_that_leave_out_zero() -> None:
    frame = pd.DataFrame({"estimate": [1.0, -1.0, 1.0], "low": [0.5, -2.0, -1.0], "high": [2.0, -0.5, 3.0]})
    rows = latex_rows(Effect(frame).to_latex(stars=True))
    assert [row[0] for row in rows[1:]] == ["1*", "-1*", "1"]
    assert "the interval leaves out 0" in Effect(frame).to_markdown(stars=True)


def test_stars_without_a_test_are_refused() -> None:
    with pytest.raises(OptionError, match="neither p-values nor intervals"):
        Effect(FRAME[["quantile", "tau"]]).to_latex(stars=True)


def test_decimals_are_taken_as_given() -> None:
    rows = latex_rows(Effect(FRAME).to_latex(decimals=1))
    assert rows[1][:4] == ["0.1", "-1,234.6", "0.5", "< 0.1"]
    for decimals in (-1, 13, True):
        with pytest.raises(OptionError, match="decimals"):
            Effect(FRAME).to_latex(decimals=decimals)


def test_a_result_without_a_table_says_so() -> None:
    for call in (Bare().to_latex, Bare().to_markdown, Bare().terms, lambda: Bare().to_docx("x.docx")):
        with pytest.raises(DataError, match="a Bare has no table; print its summary"):
            call()
    with pytest.raises(DataError, match="no columns"):
        Effect(pd.DataFrame()).to_latex()


def test_files_are_written_whole(tmp_path: Path) -> None:
    text = Effect(FRAME).to_latex(tmp_path / "a.tex")
    assert (tmp_path / "a.tex").read_text() == text
    assert (tmp_path / "a.md").exists() is False
    Effect(FRAME).to_markdown(tmp_path / "a.md")
    assert (tmp_path / "a.md").read_text().count("\n| ") == 5


def test_markdown_has_one_line_a_row_and_escapes_what_it_would_read(tmp_path: Path) -> None:
    lines = Effect(FRAME).to_markdown().splitlines()
    assert lines[0] == "**Effect\\_1 of 5%**"
    assert lines[2:4] == ["| Quantile | Effect | Std. error | p | Note |", "| :-- | --: | --: | --: | :-- |"]
    assert lines[4] == "| 0.1 | −1,234.57 | 0.50 | \\< 0.001 | 50% of \\$x\\_1\\$ |"
    nasty = PrintTable(("|a", "b"), (("x\ny", "<script>`*"),), (False, False))
    assert nasty.to_markdown().splitlines()[-1] == "| x y | \\<script\\>\\`\\* |"


TABLE = PrintTable(
    ("", "a", "b", "c"),
    (("[x]", "1", "−2", "3"), ("* y", "4", "5", "6")),
    (False, True, True, True),
    spans=(("Left", 2), ("", 1)),
    breaks={1: "Below & more"},
    notes=("A note of 5%.",),
    caption="Caption",
)


def test_groups_of_columns_and_rows_in_latex() -> None:
    text = TABLE.to_latex()
    environment(text, "tabular")
    assert " & \\multicolumn{2}{c}{Left} & \\multicolumn{1}{c}{} \\\\\n\\cmidrule(lr){2-3}" in text
    assert "\\multicolumn{4}{l}{\\textit{Below \\& more}} \\\\" in text
    # A bracket or a star after the end of a row would be read as an argument of that end.
    assert not re.search(r"\\\\\s*[\[*]|rule\s*\[", text)
    assert TABLE.to_markdown().splitlines()[2] == "|  | Left: a | Left: b | c |"


def test_word_opens_again_with_every_cell(tmp_path: Path) -> None:
    document = docx.Document(str(Effect(FRAME).to_docx(tmp_path / "a.docx", stars=True)))
    (table,) = document.tables
    assert [cell.text for cell in table.rows[0].cells] == ["Quantile", "Effect", "Std. error", "p", "Note"]
    assert [cell.text for cell in table.rows[1].cells][:2] == ["0.1", "−1,234.57***"]
    alignments = [cell.paragraphs[0].alignment for cell in table.rows[1].cells]
    assert [str(a).split()[0] for a in alignments] == ["LEFT", "RIGHT", "RIGHT", "RIGHT", "LEFT"]
    words = [p.text for p in document.paragraphs]
    assert words[0] == "Effect_1 of 5%"
    assert words[-1] == "– not available."


def test_groups_of_columns_and_rows_in_word(tmp_path: Path) -> None:
    document = docx.Document(str(TABLE.to_docx(tmp_path / "a.docx")))
    rows = [[cell.text for cell in row.cells] for row in document.tables[0].rows]
    assert rows == [
        ["", "Left", "Left", ""],
        ["", "a", "b", "c"],
        ["[x]", "1", "−2", "3"],
        ["Below & more", "", "", ""],
        ["* y", "4", "5", "6"],
    ]


def test_word_without_its_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(MissingExtraError, match=r"fisc\[word\]"):
        TABLE.to_docx(tmp_path / "a.docx")
    assert not list(tmp_path.iterdir())


WORDS = st.text(alphabet=st.sampled_from("aé0 \\{}$&%#_^~[]*<>|∞\n\t\x00\x1b\u2028"), max_size=12)


@given(cell=WORDS, head=WORDS, caption=WORDS, note=WORDS)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_words_are_read_by_a_strict_parser_as_they_are(
    cell: str, head: str, caption: str, note: str
) -> None:
    rows = ((cell, "1"), ("x", cell))
    table = PrintTable((head, head), rows, (False, True), notes=(note,), caption=caption, label=cell)
    read = latex_rows(table.to_latex())
    assert [len(row) for row in read] == [2, 2, 2]
    assert read[2][1].replace("ˆ", "^") == " ".join(
        "".join(c if c.isprintable() else " " for c in cell).split()
    )


def test_characters_that_no_document_holds_are_left_out_of_word(tmp_path: Path) -> None:
    table = PrintTable(("\x00a", "b"), (("c\x1b", "d\n\ne"),), (False, False), caption="f\x0b")
    document = docx.Document(str(table.to_docx(tmp_path / "a.docx")))
    assert [cell.text for row in document.tables[0].rows for cell in row.cells] == ["a", "b", "c", "d e"]


def test_labels_are_whole_and_unknown_columns_keep_their_words() -> None:
    for column, known in LABELS.items():
        assert known.name, column
        assert known.meaning.endswith("."), column
    assert in_words("rate_3") == "Marginal rate 3"
    assert in_words("foo_bar") == "Foo bar"
    assert in_words("foo_pct") == "Foo (%)"
    assert [in_words(name) for name in ("AAPL", "S&P 500", 0.5)] == ["AAPL", "S&P 500", "0.5"]
    assert label("tau").meaning.startswith("Difference of the quantiles")


def test_terms_come_from_any_names_that_results_use() -> None:
    frame = pd.DataFrame(
        {"sharpe": [1.0], "low": [0.5], "high": [1.5]}, index=pd.Index(["eiie"], name="strategy")
    )
    terms = terms_of(frame)
    assert terms.index.tolist() == ["eiie"]
    assert list(terms.columns) == ["estimate", "low", "high"]
    assert terms_of(FRAME).index.tolist() == [0.1, 0.5, 0.9]
    assert list(terms_of(FRAME).columns) == ["estimate", "std_error", "p"]
    with pytest.raises(DataError, match="no column of estimates"):
        terms_of(pd.DataFrame({"a": [1]}))


def test_a_named_index_becomes_the_first_column() -> None:
    frame = pd.DataFrame({"value": [1.0, 2.0]}, index=pd.Index(["x", "y"], name="metric"))
    table = print_table(frame)
    assert table.head == ("Measure", "Value")
    assert [row[0] for row in table.rows] == ["x", "y"]
    assert print_table(frame.rename_axis(None)).head == ("", "Value")
    assert print_table(frame.reset_index(drop=True)).head == ("Value",)
    dated = pd.DataFrame({"wealth": np.ones(1)}, index=pd.DatetimeIndex(["2026-01-02"], name="date"))
    assert print_table(dated).rows == (("2026-01-02", "1"),)
