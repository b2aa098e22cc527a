"""Results of one kind side by side."""

from __future__ import annotations

import dataclasses

import docx
import numpy as np
import pandas as pd
import pytest

from fisc.core import DataError, OptionError
from fisc.report import Report, Result, SideBySide, compare


@dataclasses.dataclass(frozen=True)
class Fit(Result):
    quantiles: tuple[float, ...]
    tau: float
    n: int = 100
    bandwidth: float = 0.25
    clusters: int | None = None

    def to_frame(self) -> pd.DataFrame:
        q = np.array(self.quantiles)
        return pd.DataFrame({"quantile": q, "tau": self.tau + q, "se": 0.1, "p_value": 0.02 * q})


@dataclasses.dataclass(frozen=True)
class Score(Result):
    name: str
    value: float

    def to_frame(self) -> pd.DataFrame:
        return pd.DataFrame(
            {"metric": ["f1", "recall"], "value": [self.value, 0.5], "low": [0.1, -1.0], "high": [2.0, 1.0]}
        )


@dataclasses.dataclass(frozen=True)
class Bare(Result):
    value: float


TWO = [Fit((0.1, 0.5), 1.0, clusters=12), Fit((0.5, 0.9), -2.0, n=12000)]


def test_fits_stand_in_columns_terms_in_rows_and_facts_below() -> None:
    found = compare(TWO, names=["men", "women"])
    assert isinstance(found, SideBySide)
    assert found.to_markdown().splitlines() == [
        "**2 results of Fit**",
        "",
        "|  | men | women |",
        "| :-- | --: | --: |",
        "| 0.1 | 1.1 |  |",
        "|  | (0.1) |  |",
        "| 0.5 | 1.5 | −1.5 |",
        "|  | (0.1) | (0.1) |",
        "| 0.9 |  | −1.1 |",
        "|  |  | (0.1) |",
        "| n | 100 | 12,000 |",
        "| Clusters | 12 |  |",
        "| Bandwidth | 0.25 | 0.25 |",
        "",
        "Standard errors in parentheses.",
    ]


def test_a_rule_parts_the_facts_from_the_estimates() -> None:
    lines = compare(TWO).to_latex().splitlines()
    place = lines.index("n & 100 & 12,000 \\\\")
    assert lines[place - 1] == "\\midrule"
    assert lines.count("\\midrule") == 2
    assert " & (1) & (2) \\\\" in lines


def test_intervals_stand_below_where_there_is_no_standard_error() -> None:
    text = compare([Score("a", 0.75), Score("b", 0.5)]).to_markdown()
    assert "|  | a | b |" in text
    assert "| F1 | 0.75 | 0.50 |" in text
    assert "|  | \\[0.10, 2.00\\] | \\[0.10, 2.00\\] |" in text
    assert text.endswith("Intervals in brackets.")


def test_rows_choose_order_and_name_terms() -> None:
    found = compare(TWO, rows=[0.9, 0.1 + 1e-13])
    assert [row[0] for row in found._print_table(False, None, None, None).rows][:4:2] == ["0.9", "0.1"]
    named = compare(TWO, rows={0.5: "Median"}).to_markdown()
    assert "| Median | 1.5 | −1.5 |" in named
    assert "of 3 rows are shown" in named
    with pytest.raises(OptionError, match=r"rows names 0\.7, which no result has"):
        compare(TWO, rows=[0.7])
    with pytest.raises(OptionError, match="did you mean f1"):
        compare([Score("a", 1.0)], rows=["F_1"])


def test_a_long_curve_shows_nine_points_and_says_so() -> None:
    found = compare([Fit(tuple(np.arange(1, 100) / 100), 1.0)])
    np.testing.assert_allclose(found.table["term"], np.arange(1, 10) / 10, atol=0.011)
    assert found.table["term"].tolist()[4] == 0.5
    assert "9 of 99 rows are shown." in found.to_markdown()


def test_stars_are_asked_for_once() -> None:
    assert "*" not in compare(TWO).to_markdown(caption="")
    text = compare(TWO, stars=True).to_markdown(caption="")
    assert "1.5\\*\\*" in text or "1.5\\*\\*\\*" in text
    assert "p \\< 0.05" in text
    assert compare(TWO).to_markdown(caption="", stars=True) == text


def test_the_comparison_is_a_result_itself(tmp_path) -> None:
    found = compare(TWO, names=["men", "women"], rows={0.5: "Median"}, stars=True)
    assert SideBySide.from_dict(found.to_dict()) == found
    assert found.to_frame()["men"]["estimate"].tolist() == [1.5]
    assert repr(found) == "<SideBySide: 2 results of Fit>"
    document = docx.Document(str(found.to_docx(tmp_path / "a.docx")))
    assert [cell.text for cell in document.tables[0].rows[0].cells] == ["", "men", "women"]
    assert "Median" in Report("R", [found.section()]).to_html(now="2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("results", "options", "words"),
    [
        ([], {}, "nothing to compare"),
        ([1, 2], {}, "nothing to compare"),
        ([TWO[0], Score("a", 1.0)], {}, r"different kinds \(Fit, Score\)"),
        ([Bare(1.0), Bare(2.0)], {}, "a Bare has no table"),
        (TWO, {"names": ["a"]}, "give 2 different names"),
        (TWO, {"names": ["a", "a"]}, "give 2 different names"),
        ([Fit((0.5, 0.5), 1.0)], {}, "occurs more than once"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(results, options, words: str) -> None:
    with pytest.raises(DataError, match=words):
        compare(results, **options)


def test_an_array_of_one_value_is_a_fact_and_a_curve_is_none() -> None:
    @dataclasses.dataclass(frozen=True, eq=False)
    class Curve(Fit):
        bandwidth: np.ndarray = dataclasses.field(default_factory=lambda: np.array([0.5, 0.5]))
        clusters: np.ndarray = dataclasses.field(default_factory=lambda: np.array([1, 2]))

        bandwidth_minus: float = 0.5
        bandwidth_plus: float = 0.25

    assert Curve((0.5,), 1.0).facts() == {"n": 100, "bandwidth": 0.5, "bandwidth_plus": 0.25}


def test_backtests_stand_side_by_side_by_their_measures() -> None:
    from fisc.portfolio import backtest

    prices = pd.DataFrame(
        np.cumprod(1 + np.random.default_rng(0).normal(0.001, 0.01, (60, 2)), axis=0),
        index=pd.bdate_range("2026-01-01", periods=60),
        columns=["A", "B"],
    )
    one, two = (backtest(prices, lambda _: [0.0, 0.5, 0.5], buy=cost, sell=cost) for cost in (0.001, 0.01))
    text = compare([one, two], rows=["sharpe", "turnover"]).to_markdown()
    assert f"| Sharpe ratio | {one.metrics()['sharpe']:.2f}" in text
    assert "Turnover" in text
