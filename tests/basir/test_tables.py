"""One door for tables: pandas, polars, Arrow and DuckDB give the same bits in every function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.basir import (
    SectorClassifier,
    SectorRanker,
    Taxonomy,
    attention,
    budget_day,
    classify_speech,
    compare_rankers,
    evaluate_classification,
    evaluate_ranking,
    event_returns,
    event_study,
    novelty,
    packaged_signals,
    placebo,
    ranking_signals,
    sector_returns,
    sector_stance,
    surprise,
    walk_forward,
)
from fisc.core import DataError
from fisc.data import load_budget_attention, load_budget_excerpts

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")

Made = Callable[[pd.DataFrame], Any]


def _relation(frame: pd.DataFrame) -> Any:
    connection = duckdb.connect()
    connection.register("held", pa.Table.from_pandas(frame, preserve_index=False))
    return connection.sql("select * from held")


LIBRARIES: dict[str, Made] = {
    "pandas": lambda frame: frame,
    "polars": lambda frame: pl.from_arrow(pa.Table.from_pandas(frame, preserve_index=False)),
    "polars lazy": lambda frame: pl.from_arrow(pa.Table.from_pandas(frame, preserve_index=False)).lazy(),
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "duckdb": _relation,
}


def _prices() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    levels = 100 * np.cumprod(1 + rng.normal(0, 0.01, (120, 4)), axis=0)
    frame = pd.DataFrame(levels, columns=["M", "A", "B", "C"])
    frame.loc[40, "B"] = np.nan
    frame.insert(0, "date", pd.bdate_range("2024-01-01", periods=120))
    return frame


PRICES = _prices()
EVENTS = pd.DataFrame({"date": PRICES["date"].iloc[[90, 100]].to_numpy(), "evening": [False, True]})
EVENT_OPTIONS = {"market": "M", "estimation": (-60, -11)}
TEXTS = pd.DataFrame(
    {
        "date": pd.to_datetime(["2001-02-28", "2001-02-28", "2002-02-28"]),
        "text": ["The duty on steel is raised.", "More outlay is provided for cement.", "Duty on tea falls."],
    }
)
RNG = np.random.default_rng(0)
INDEX = pd.MultiIndex.from_product(
    [pd.date_range("2001-02-28", periods=7, freq="YS"), ["S", "T", "U", "V"]], names=["budget", "sector"]
)
SIGNALS = pd.DataFrame({"surprise": RNG.normal(size=28), "attention": RNG.normal(size=28)}, index=INDEX)
RETURNS = (SIGNALS["surprise"] + RNG.normal(0, 0.3, 28)).rename("abnormal_pct")
FLAT, PAID = SIGNALS.reset_index(), RETURNS.reset_index()
SCORES = pd.DataFrame(RNG.normal(size=(3, 4)), columns=list("STUV"))
OUTCOMES = pd.DataFrame(RNG.normal(size=(3, 4)), columns=list("STUV"))
FLAGS = pd.DataFrame([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]], columns=list("STUV"))
OWN = pd.DataFrame({"sector": ["Energy", "Farming"], "keywords": ["oil;power", "crops;seed"]})
MENTIONS = load_budget_attention().rename_axis("date").reset_index()
PAST, PAST_RETURNS = packaged_signals()


def _dated(frame: pd.DataFrame, days: str = "2001-02-28") -> pd.DataFrame:
    return frame.assign(date=pd.date_range(days, periods=len(frame), freq="YS"))


@pytest.fixture(scope="module")
def model() -> SectorClassifier:
    excerpts = load_budget_excerpts()
    return SectorClassifier("lexical").fit(excerpts["text"], excerpts["sectors"])


# Each takes a function that makes a table of the library at hand, and the classifier.
MATRIX: dict[str, Callable[[Made, SectorClassifier], Any]] = {
    "event_returns": lambda t, _: event_returns(t(PRICES), t(EVENTS), **EVENT_OPTIONS),
    "event_study": lambda t, _: event_study(t(PRICES), t(EVENTS), **EVENT_OPTIONS),
    "event_study, market apart": lambda t, _: event_study(
        t(PRICES.drop(columns="M")), t(EVENTS), market=t(PRICES[["date", "M"]]), estimation=(-60, -11)
    ),
    "placebo": lambda t, _: placebo(t(PRICES), t(EVENTS), draws=20, exclude=2, **EVENT_OPTIONS),
    "sector_returns": lambda t, _: sector_returns(
        t(PRICES), dict.fromkeys("ABC", "Steel"), at_least=2, weights=t(PRICES)
    ),
    "surprise": lambda t, _: surprise(t(MENTIONS)),
    "ranking_signals": lambda t, _: ranking_signals(
        t(MENTIONS),
        t(PAST_RETURNS.reset_index()),
        groups={"NIFTY IT": ["IT - Software"], "A": ["Steel"]},
        prices=t(PRICES),
        market="M",
    ),
    "attention": lambda t, _: attention(t(TEXTS)),
    "attention, by day": lambda t, _: attention({"2001-02-28": t(TEXTS[["text"]]), 2002: "Duty on tea."}),
    "novelty": lambda t, _: novelty(t(TEXTS), t(TEXTS.iloc[1:])),
    "sector_stance": lambda t, _: sector_stance(t(TEXTS), [["Steel"], ["Cement"], ["Plantation"]]),
    "classify_speech": lambda t, model: classify_speech(model, t(TEXTS[["text"]])),
    "budget_day": lambda t, model: budget_day(
        t(TEXTS[["text"]]),
        model,
        date="2022-02-01",
        signals=t(PAST.reset_index()),
        returns=t(PAST_RETURNS.reset_index()),
        earlier=t(TEXTS),
    ),
    "Taxonomy.from_frame": lambda t, _: Taxonomy.from_frame(t(OWN)),
    "SectorRanker.fit": lambda t, _: SectorRanker("ridge").fit(t(FLAT), t(PAID)).predict(FLAT),
    "SectorRanker.rank": lambda t, _: SectorRanker("ridge").fit(FLAT, PAID).rank(t(FLAT.iloc[-4:])),
    "SectorRanker.predict": lambda t, _: SectorRanker("ridge").fit(t(FLAT), t(PAID)).predict(t(FLAT)),
    "SectorRanker.score_order": lambda t, _: SectorRanker().fit(t(FLAT), t(PAID)).score_order(t(FLAT)),
    "walk_forward": lambda t, _: walk_forward(SectorRanker("ridge"), t(FLAT), t(PAID)),
    "compare_rankers": lambda t, _: compare_rankers(["attention"], t(FLAT), t(PAID)),
    "evaluate_ranking": lambda t, _: evaluate_ranking(
        t(_dated(OUTCOMES)), t(_dated(SCORES)), relevance_kind="rank", draws=20
    ),
    "evaluate_classification": lambda t, _: evaluate_classification(
        t(FLAGS), t(SCORES), t(FLAGS), sectors=list("STUV"), draws=20
    ),
}


def _plain(found: Any) -> Any:
    """Return what was found in a form in which equal bits are equal."""
    if isinstance(found, (pd.DataFrame, pd.Series)):
        return found.reset_index().to_dict("list"), [str(k) for k in found.reset_index().dtypes]
    said = found.to_dict()
    return _without_history(said)


def _without_history(said: Any) -> Any:
    if isinstance(said, dict):
        return {k: _without_history(v) for k, v in said.items() if k not in ("time", "attrs")}
    return [_without_history(v) for v in said] if isinstance(said, list) else said


@pytest.mark.parametrize("name", MATRIX)
def test_every_library_gives_the_same_bits(name: str, model: SectorClassifier) -> None:
    truth = _plain(MATRIX[name](LIBRARIES["pandas"], model))
    for library, made in LIBRARIES.items():
        np.testing.assert_equal(_plain(MATRIX[name](made, model)), truth, err_msg=library)


def test_dates_in_the_index_and_in_a_column_are_the_same() -> None:
    by_index = PRICES.set_index("date")
    assert event_returns(by_index, EVENTS, **EVENT_OPTIONS).equals(
        event_returns(PRICES, EVENTS, **EVENT_OPTIONS)
    )
    one = walk_forward(SectorRanker("ridge"), SIGNALS, RETURNS)
    two = walk_forward(SectorRanker("ridge"), FLAT, PAID)
    assert one.forecasts.equals(two.forecasts)
    assert surprise(MENTIONS.set_index("date")).equals(surprise(MENTIONS))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_table_without_dates_is_an_error_that_says_what_to_do(library: str) -> None:
    undated = LIBRARIES[library](PRICES.drop(columns="date"))
    for call in (
        lambda: event_returns(undated, EVENTS, **EVENT_OPTIONS),
        lambda: placebo(undated, EVENTS, **EVENT_OPTIONS),
        lambda: sector_returns(undated, dict.fromkeys("ABC", "Steel")),
        lambda: ranking_signals(undated, RETURNS, groups={"S": ["A"]}),
    ):
        with pytest.raises(DataError, match=r"has no dates.*set_index\(\) to the dates"):
            call()


@pytest.mark.parametrize("library", LIBRARIES)
def test_tables_of_other_columns_are_errors_in_words(library: str) -> None:
    made = LIBRARIES[library]
    with pytest.raises(DataError, match="must be indexed by"):
        SectorRanker().fit(made(FLAT.drop(columns="sector")), RETURNS)
    with pytest.raises(DataError, match="returns has 2 columns beside budget and sector"):
        SectorRanker().fit(made(FLAT), made(FLAT))
    with pytest.raises(DataError, match="holds no texts"):
        novelty(made(PRICES), made(TEXTS))
    with pytest.raises(DataError, match="lacks date"):
        attention(made(TEXTS[["text"]]))
    with pytest.raises(DataError, match="texts is a table; give the column"):
        SectorClassifier("lexical").fit(made(TEXTS))
    missing = TEXTS.assign(text=["a steel works", None, "tea"])
    with pytest.raises(DataError, match="1 of 3 texts of paragraphs are missing or not text"):
        sector_stance(made(missing), [[], [], []])


def test_a_year_as_a_whole_number_is_a_year() -> None:
    found = attention({2020: "Duty on tea.", 2019: "Duty on steel."})
    assert list(found.mentions.index) == ["2019-01-01", "2020-01-01"]
    with pytest.raises(DataError, match="'x' is not the date of a speech"):
        attention({"x": "Duty on tea."})
