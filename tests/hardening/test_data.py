"""The data layer under damaged files and hostile options."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fisc.data import GB2, build, card, check_option, fingerprint, load_sp500, nearest, read_prices, record

MANY = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.data_too_large]
)
WIDE = b"date,AAPL,MSFT\n2024-01-02,10,20\n2024-01-03,11,21\n2024-01-04,12,22\n2024-01-05,13,23\n"
CELLS = [
    b"nan",
    b"inf",
    b"-1",
    b"0",
    b"",
    b"x",
    b"1e308",
    b"1e-320",
    b"1,5",
    b'"',
    b"\x00",
    b"2024-13-45",
    b"\xff",
    b"\n\n",
]


def parquet() -> bytes:
    frame = pd.read_csv(io.BytesIO(WIDE), index_col=0, parse_dates=True)
    held = io.BytesIO()
    frame.to_parquet(held)
    return held.getvalue()


PARQUET = parquet()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    return tmp_path_factory.mktemp("prices")


def check(got, hostile) -> None:
    if not got.refusal:
        values = got.value.to_numpy(dtype=float)
        assert not np.isinf(values).any()
        assert (values[~np.isnan(values)] > 0).all()
        assert got.value.index.is_monotonic_increasing
        assert got.value.index.is_unique


@given(data=st.data())
@MANY
def test_read_prices_of_damaged_text(data: st.DataObject, hostile, folder) -> None:
    content = bytearray(WIDE)
    for _ in range(data.draw(st.integers(1, 3), label="faults")):
        at = data.draw(st.integers(0, len(content)), label="at")
        length = data.draw(st.integers(0, 4), label="length")
        content[at : at + length] = data.draw(st.sampled_from(CELLS) | st.binary(max_size=3), label="put")
    file = folder / "prices.csv"
    file.write_bytes(bytes(content))
    check(hostile.attempt(lambda: read_prices(file, on_bad="drop")), hostile)
    check(hostile.attempt(lambda: read_prices(file)), hostile)


@given(data=st.data())
@MANY
def test_read_prices_of_damaged_parquet(data: st.DataObject, hostile, folder) -> None:
    content = bytearray(PARQUET)
    at = data.draw(st.integers(0, len(content) - 1), label="at")
    if data.draw(st.booleans(), label="cut"):
        content = content[:at]
    else:
        content[at] ^= data.draw(st.integers(1, 255), label="flip")
    file = folder / "prices.parquet"
    file.write_bytes(bytes(content))
    check(hostile.attempt(lambda: read_prices(file)), hostile)


@given(data=st.data())
@MANY
def test_read_prices_of_hostile_options(data: st.DataObject, hostile, folder) -> None:
    file = folder / "good.csv"
    file.write_bytes(WIDE)
    good = {
        "field": "close",
        "adjust": "none",
        "tickers": None,
        "start": None,
        "end": None,
        "calendar": "union",
        "max_gap": 5,
        "on_bad": "raise",
        "on_duplicates": "raise",
        "columns": None,
        "date_format": None,
        "name": None,
        "encoding": "utf-8-sig",
    }
    chosen = hostile.options(
        data,
        good,
        tickers=(["AAPL"], ["aapl", "zz"]),
        start=("2024-01-03", "x"),
        encoding=("latin-1", "nope"),
        date_format=("%Y-%m-%d", "%d"),
        columns=({"date": "date"}, {"date": "nope"}),
    )
    check(hostile.attempt(lambda: read_prices(file, **chosen)), hostile)


@given(data=st.data())
@MANY
def test_builders_refuse_options_that_do_not_exist(data: st.DataObject, hostile, folder) -> None:
    name = data.draw(st.sampled_from(["sp500", "nope", "", None, 3, "../sp500", "incomes"]), label="name")
    given_ = data.draw(
        st.sampled_from([{"nope": 1}, {"start": "x"}, {1: 2}, "text", [1], {"start": 1}]), label="options"
    )
    got = hostile.attempt(lambda: build(name, folder / "built", given_))
    assert got.refusal


@given(data=st.data())
@MANY
def test_incomes_of_a_distribution(data: st.DataObject, hostile) -> None:
    good = {"mu": 50_000.0, "sigma": 2.0, "nu": 0.5, "tau": 1.0}
    chosen = hostile.options(data, good, mu=(1e-300, 1e300), sigma=(1e-9, 1e9), nu=(1e-9,), tau=(1e9,))
    points = data.draw(
        st.sampled_from(
            [0.5, [0.1, 0.9], *(v for v in hostile.numbers if v not in (1, True)), *hostile.others]
        ),
        label="points",
    )
    n = data.draw(
        st.sampled_from([3, *(v for v in hostile.numbers if not isinstance(v, int) or v < 100)]), label="n"
    )
    for call in (
        lambda: GB2(**chosen).sample(n, 0),
        lambda: GB2.us_2023().quantile(points),
        lambda: GB2.us_2023().cdf(points),
        lambda: GB2.us_2023().pdf(points),
    ):
        got = hostile.attempt(call)
        if not got.refusal:
            assert not hostile.unfinished(got.value)


@given(data=st.data())
@MANY
def test_names_and_fingerprints_of_anything(data: st.DataObject, hostile) -> None:
    value = data.draw(
        st.sampled_from([*hostile.numbers, *hostile.others, *hostile.cells]) | st.text(max_size=9),
        label="value",
    )
    for call in (
        lambda: fingerprint(value),
        lambda: check_option("option", value, ("a", "b")),
        lambda: nearest(value, ["a"]),
        lambda: card(value),
        lambda: record(options={"v": value}),
    ):
        hostile.attempt(call)


@given(data=st.data())
@MANY
def test_packaged_prices_of_hostile_options(data: st.DataObject, hostile) -> None:
    good = {"start": "2022-06-01", "end": None, "tickers": ["AAPL"]}
    chosen = hostile.options(data, good, tickers=(["nope"], "AAPL", []), end=("2000-01-01", "2022-12-01"))
    check(hostile.attempt(lambda: load_sp500(**chosen)), hostile)
