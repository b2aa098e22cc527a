"""What the property tests found once, held by plain cases with the words of the message."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.basir import event_returns
from fisc.data import GB2, DataError, check_array, check_number, check_table, check_whole, load_sp500
from fisc.economist import SimulationConfig, TaxSchedule, Workers
from fisc.llm import ResponseCache, read_json, user
from fisc.llm.messages import ChatRequest, Completion
from fisc.portfolio import Market, backtest
from fisc.r3d import r3d, simulate

UNITS = simulate("paper1", n=40, seed=1, unit_size=5).data
NAMES = {"y": "y", "x": "x", "unit": "unit", "bandwidth": 0.9, "n_boot": 39, "random_state": 0}

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a price jump that overflows": (
        lambda: Market.from_prices([[1e300, 1.0], [1e-300, 1.0]]),
        r"goes from 1e\+300 to 1e-300 .* check the units",
    ),
    "tradable of words": (
        lambda: Market.from_prices([[1, 2], [1, 2]], tradable=[["no"] * 2] * 2),
        "other than true",
    ),
    "fee that is no function": (
        lambda: backtest([[1, 2], [1, 2]], [[0.5, 0.5]], buy=0, sell=0, fee=3),
        "cannot be called",
    ),
    "complex prices": (lambda: Market.from_prices(np.ones((3, 2)) * 1j), "not numbers"),
    "NaN in a configuration": (lambda: SimulationConfig(noise=float("nan")), "finite"),
    "text as a rate": (lambda: TaxSchedule([0.0], ["0.3"]), "rates must be marginal rates"),
    "skills beyond floats": (lambda: Workers([1e300, 1e-300], 0.02), "cannot be raised to the power"),
    "two columns of one name": (
        lambda: r3d(pd.concat([UNITS, UNITS[["y"]]], axis=1), **NAMES),
        r"column names \['y'\] stand more than once",
    ),
    "values beyond squares": (lambda: r3d(UNITS.assign(y=UNITS["y"] * 1e200), **NAMES), "in larger units"),
    "distances beyond powers": (
        lambda: r3d(UNITS.assign(x=UNITS["x"] * 1e90), **NAMES),
        "powers of distances",
    ),
    "a number as a date": (lambda: load_sp500(start=1), "give a date like"),  # type: ignore[arg-type]
    "a tail beyond floats": (lambda: GB2(1.0, 1.0, 1.0, 1e-9).sample(9), "so heavy-tailed"),
    "an event that is missing": (
        lambda: event_returns(
            pd.DataFrame(np.ones((5, 2)), index=pd.bdate_range("2024-01-01", periods=5), columns=["A", "M"]),
            [pd.NaT],
            market="M",
        ),
        "is not a date: it is missing",
    ),
    "a truth value as a count": (lambda: check_whole("n", np.True_), "give a whole number"),
    "text as a number": (lambda: check_number("rate", "0.5"), "give a finite number"),
    "text among numbers": (lambda: check_array("prices", [1, "2"]), "cannot be read as such"),
    "an infinite cell": (
        lambda: check_table("prices", pd.DataFrame({"A": [1.0, np.inf]}), what="prices"),
        "1 infinite values",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_words(case: str) -> None:
    call, words = REFUSED[case]
    with pytest.raises(DataError, match=words):
        call()


def test_brackets_without_end_are_no_json() -> None:
    with pytest.raises(ValueError, match=r"nested too deeply|could not be read"):
        read_json("[" * 100_000)


def test_half_a_pair_of_surrogates_can_be_kept() -> None:
    text = json.loads('"up \\ud83d"')
    request, cache = ChatRequest("m", (user(text),)), ResponseCache(None)
    cache.put(request, Completion(text, 1, 1))
    kept = cache.get(request)
    assert kept is not None
    assert kept.text == "up ?"
