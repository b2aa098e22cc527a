"""The budget instrument under hostile texts, tables and prices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fisc.basir import (
    RELEVANCE_KINDS,
    SectorClassifier,
    Taxonomy,
    attention,
    chance_corrected_ndcg,
    evaluate_ranking,
    event_returns,
    find_amounts,
    find_stance,
    ndcg,
    ndcg_expectation,
    read_speech,
    sector_returns,
    surprise,
)

MANY = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.data_too_large]
)
TEXTS = [
    "Steel and cement get Rs 500 crore.",
    "Banks will be recapitalised.",
    "Farmers buy fertilisers and seeds.",
]
LABELS = [["Steel"], ["Banks"], ["Fertilisers"]]
SMALL = Taxonomy.from_frame(
    pd.DataFrame(
        {
            "sector": ["Steel", "Banks", "Fertilisers"],
            "keywords": ["steel;iron", "banks;lending", "urea;seeds"],
            "description": ["makes steel", "lends money", "feeds crops"],
        }
    )
)
words = st.text(max_size=60) | st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "\ud800",
        "é" * 50,
        "1" * 60,
        "Rs. 10^400 crore",
        "steel " * 20,
        "१०० करोड़ रुपये",
        "Rs 1e999",
        "₹" * 9,
    ]
)


@pytest.fixture(scope="module")
def fitted() -> SectorClassifier:
    return SectorClassifier("lexical", taxonomy=SMALL).fit(TEXTS * 4, LABELS * 4)


@given(data=st.data())
@MANY
def test_texts_of_any_kind(data: st.DataObject, hostile, fitted: SectorClassifier) -> None:
    texts = data.draw(
        st.lists(words, max_size=3)
        | st.sampled_from([*hostile.others, *hostile.numbers, [None], [1], [TEXTS]]),
        label="texts",
    )
    got = hostile.attempt(lambda: [fitted.scores(texts), fitted.predict(texts)])
    if not got.refusal:
        scores, predicted = got.value
        assert len(scores) == len(predicted)
        assert not hostile.unfinished(scores)
    single = texts[0] if isinstance(texts, list) and texts else texts
    got = hostile.attempt(lambda: fitted.explain(single))
    if not got.refusal:
        assert not hostile.unfinished(got.value.to_dict() if hasattr(got.value, "to_dict") else None)


@given(data=st.data())
@MANY
def test_fitting_to_anything(data: st.DataObject, hostile) -> None:
    texts = data.draw(
        st.sampled_from([TEXTS, TEXTS[:1], *hostile.others, [None] * 3, [1, 2, 3], ["", " ", ""]]),
        label="texts",
    )
    labels = data.draw(
        st.sampled_from(
            [LABELS, LABELS[:2], *hostile.others, [[]] * 3, [["nope"]] * 3, [None] * 3, [[1]] * 3, "abc"]
        ),
        label="labels",
    )
    got = hostile.attempt(
        lambda: SectorClassifier("lexical", taxonomy=SMALL).fit(texts, labels).scores(TEXTS)
    )
    if not got.refusal:
        assert not hostile.unfinished(got.value)


@given(data=st.data())
@MANY
def test_classifiers_of_anything(data: st.DataObject, hostile) -> None:
    good = {"method": "lexical", "taxonomy": SMALL, "encoder": None, "random_state": 0}
    chosen = hostile.options(data, good, encoder=("lexical", "no/such-model"), taxonomy=(SMALL.to_frame(),))
    got = hostile.attempt(lambda: SectorClassifier(**chosen).fit(TEXTS * 2, LABELS * 2).scores(TEXTS))
    if not got.refusal:
        assert not hostile.unfinished(got.value)


@given(
    content=st.binary(max_size=200),
    head=st.sampled_from([b"", b"%PDF-1.4\n", b"PK\x03\x04", b"<html>", b"\xff\xfe", b"\x1f\x8b"]),
)
@MANY
def test_speeches_of_any_bytes(content: bytes, head: bytes, hostile) -> None:
    got = hostile.attempt(lambda: read_speech(head + content))
    if not got.refusal:
        assert len(got.value)
        assert got.value.iloc[:, 0].notna().all()


@given(text=words)
@MANY
def test_amounts_and_stances_of_any_text(text: str, hostile) -> None:
    got = hostile.attempt(lambda: (find_amounts(text), find_stance(text)))
    if not got.refusal:
        assert not hostile.unfinished([vars(a) for a in got.value[0]])


@given(data=st.data())
@MANY
def test_anything_as_a_taxonomy(
    data: st.DataObject, hostile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    frame = hostile.spoil(data, SMALL.to_frame())
    got = hostile.attempt(lambda: Taxonomy.from_frame(frame))
    if not got.refusal:
        assert all(isinstance(name, str) and name.strip() for name in got.value.names)
    file = tmp_path_factory.getbasetemp() / "taxonomy.csv"
    text = data.draw(
        st.binary(max_size=60)
        | st.sampled_from([b"sector\n", b"sector\n,\n", b"sector\na\na\n", b'sector\n"a', b"\x00"]),
        label="file",
    )
    file.write_bytes(data.draw(st.sampled_from([b"", b"sector,keywords\nSteel,iron\n"]), label="head") + text)
    got = hostile.attempt(lambda: Taxonomy.read(file))
    if not got.refusal:
        assert all(name.strip() for name in got.value.names)


values = st.lists(
    st.sampled_from([0.0, 1.0, 2.0, -1.0, 1e300, 1e-320, np.nan, np.inf, 5.0, 1023.0, 1e5]), max_size=7
) | st.sampled_from(
    [None, "x", [], [None, 1], [[1.0], [2.0]], [True, False], ["1", "2"], 3.0, {"a": 1}, [1j, 2]]
)


@given(
    relevance=values,
    score=values,
    kind=st.sampled_from([*RELEVANCE_KINDS, "nope", None, 3]),
    k=st.sampled_from([None, 1, 3, 0, -1, 2.5, "3", np.nan, 10**9, True, []]),
)
@MANY
def test_ndcg(relevance, score, kind, k, hostile) -> None:
    for call in (
        lambda: chance_corrected_ndcg(relevance, score, relevance_kind=kind, k=k),
        lambda: ndcg(relevance, score, k=k),
        lambda: chance_corrected_ndcg(relevance, relevance, relevance_kind=kind, k=k),
        lambda: vars(ndcg_expectation(relevance, relevance_kind=kind, k=k, draws=20)),
    ):
        got = hostile.attempt(call)
        if not got.refusal:
            assert not hostile.unfinished(got.value)


def rankings() -> tuple[pd.Series, pd.Series]:
    index = pd.MultiIndex.from_product(
        [range(2010, 2016), ["a", "b", "c", "d", "e"]], names=["budget", "sector"]
    )
    rng = np.random.default_rng(0)
    return (
        pd.Series(0.02 * rng.standard_normal(len(index)), index=index, name="return"),
        pd.Series(rng.standard_normal(len(index)), index=index, name="score"),
    )


RETURNS, SCORES = rankings()


@given(data=st.data())
@MANY
def test_rankings(data: st.DataObject, hostile) -> None:
    options = {"relevance_kind": "rank", "budgets": None, "k": (3,), "ends": 1, "draws": 20, "seed": 0}
    part = data.draw(st.sampled_from(["returns", "scores", "options", "options"]), label="part")
    returns, scores, chosen = RETURNS, SCORES, dict(options)
    if part == "options":
        chosen = hostile.options(
            data, options, relevance_kind=RELEVANCE_KINDS, k=((0,), (1, 99), ("a",), (2.5,))
        )
        if isinstance(chosen["draws"], int) and chosen["draws"] > 1000:
            chosen["draws"] = 5
    else:
        spoilt = hostile.spoil(data, (RETURNS if part == "returns" else SCORES).to_frame())
        if isinstance(spoilt, pd.DataFrame) and spoilt.shape[1] == 1:
            spoilt = spoilt.iloc[:, 0]
        returns, scores = (spoilt, scores) if part == "returns" else (returns, spoilt)
    got = hostile.attempt(lambda: evaluate_ranking(returns, scores, **chosen))
    if not got.refusal:
        assert len(got.value.summary()) > 10


def prices() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    steps = np.exp(0.01 * rng.standard_normal((160, 3)))
    return pd.DataFrame(
        100 * np.cumprod(steps, axis=0),
        index=pd.bdate_range("2024-01-01", periods=160),
        columns=["A", "B", "M"],
    )


CLOSE = prices()


@given(data=st.data())
@MANY
def test_event_returns(data: st.DataObject, hostile) -> None:
    options = {
        "events": ["2024-06-03"],
        "market": "M",
        "model": "market",
        "window": (0, 1),
        "estimation": (-60, -5),
    }
    frame, chosen = CLOSE, dict(options)
    if data.draw(st.booleans(), label="frame"):
        frame = hostile.spoil(data, CLOSE)
    else:
        chosen = hostile.options(
            data,
            options,
            events=(["2024-06-03", "x"], [pd.NaT], ["1990-01-01"], "2024-06-03", ["2024-06-03"] * 2),
            model=("mean", "adjusted"),
            window=((3, 1), (0, 999), ("a", 1), (0.5, 1)),
            estimation=((-5, -30), (-3, -2), (-999, -11), (0, 5)),
            market=(CLOSE["M"], CLOSE["M"] * np.nan, "A"),
        )
    got = hostile.attempt(lambda: event_returns(frame, **chosen))
    if not got.refusal:
        numeric = got.value.select_dtypes("number")
        bad = hostile.unfinished(numeric)
        assert not bad or got.warned, bad


@given(data=st.data())
@MANY
def test_sector_returns(data: st.DataObject, hostile) -> None:
    options = {"members": {"A": "one", "B": "one", "M": "two"}, "at_least": 1, "winsorise": 0.0}
    frame, chosen = CLOSE, dict(options)
    if data.draw(st.booleans(), label="frame"):
        frame = hostile.spoil(data, CLOSE)
    else:
        chosen = hostile.options(
            data, options, members=({"A": None}, {"Z": "one"}, {1: 2}), weights=(CLOSE, CLOSE * np.nan)
        )
    got = hostile.attempt(lambda: sector_returns(frame, **chosen))
    if not got.refusal:
        array = got.value.to_numpy(dtype=float)
        assert not np.isinf(array).any()


@given(data=st.data())
@MANY
def test_attention_and_surprise(data: st.DataObject, hostile) -> None:
    speech = pd.DataFrame({"paragraph": [1, 2], "text": TEXTS[:2], "part": ["A", "B"]})
    good = {2020: "Steel is great. Steel again.", 2021: "Banks and steel.", 2022: speech}
    options = {"speeches": good, "taxonomy": SMALL, "phrases": "all", "last": 2}
    chosen = hostile.options(
        data,
        options,
        speeches=({2020: None}, {2020: 1.0}, {"x": "y"}, {2020: ""}, {2020: speech.iloc[:0]}, speech),
        phrases=("keywords",),
        last=(1, 10),
    )
    got = hostile.attempt(lambda: attention(chosen.pop("speeches"), **chosen))
    if not got.refusal:
        assert len(got.value.summary()) > 10
    counts = pd.DataFrame(
        {"a": [1.0, 2.0, 0.0, 4.0], "b": [0.0, 1.0, 2.0, 3.0]}, index=[2018, 2019, 2020, 2021]
    )
    spoilt = hostile.spoil(data, counts)
    got = hostile.attempt(lambda: surprise(spoilt, at_least=1))
    if not got.refusal:
        assert not np.isinf(got.value.to_numpy(dtype=float)).any()
