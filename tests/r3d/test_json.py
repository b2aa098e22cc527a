"""Results go to JSON and back, and a damaged document is an error in words."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

from fisc.data import DataError
from fisc.r3d import (
    BandwidthChoice,
    DensityTest,
    R3DResult,
    density_test,
    monte_carlo,
    r3d,
    select_bandwidth,
    simulate,
)

Q = [0.1, 0.25, 0.5, 0.75, 0.9]
LONG: dict[str, Any] = {"y": "y", "x": "x", "unit": "unit", "quantiles": Q}


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    data = simulate("fuzzy1", n=160, random_state=1).data
    fuzzy = r3d(data, **LONG, treatment="t", random_state=0)
    weak = r3d(data.assign(t=data["unit"] % 2), **LONG, treatment="t", band="anderson_rubin", random_state=0)
    assert np.isinf(weak.band_lower).any()
    return {
        "fuzzy": fuzzy,
        "infinite band": weak,
        "a bandwidth per quantile": r3d(data, **LONG, method="simple", random_state=0),
        "a bandwidth per side": r3d(data, **LONG, selector="msetwo", random_state=0),
        "multipliers": r3d(data, **LONG, multipliers="mammen", n_boot=49, random_state=0),
        "compat": r3d(data, **LONG, compat="r3d-0.1", random_state=0),
        "test": fuzzy.test("gini"),
        "functional": fuzzy.functional("top_share"),
        "mean effect": fuzzy.mean_effect(),
        "sensitivity": fuzzy.sensitivity((0.01, 1.0)),
        "diagnosis": fuzzy.diagnose(),
        "choice": select_bandwidth(data, **LONG, treatment="t"),
        "density": density_test(data.groupby("unit")["x"].first()),
        "monte carlo": monte_carlo(["repo1"], [40], ["simple"], reps=2),
    }


NAMES = """
    fuzzy; infinite band; a bandwidth per quantile; a bandwidth per side; multipliers; compat; test; functional;
    mean effect; sensitivity; diagnosis; choice; density; monte carlo
"""


@pytest.mark.filterwarnings("ignore::fisc.data.DataWarning")
@pytest.mark.parametrize("name", [name.strip() for name in NAMES.split(";")])
def test_every_result_comes_back_equal(results: dict[str, Any], name: str) -> None:
    result = results[name]
    text = json.dumps(result.to_dict(), allow_nan=False)
    back = type(result).from_dict(json.loads(text))
    assert back == result
    assert json.dumps(back.to_dict(), allow_nan=False) == text
    assert back.summary().splitlines()[0] == result.summary().splitlines()[0]
    assert next(iter(result.to_dict())) == "schema"
    assert result.to_dict()["schema"] == f"fisc.r3d.{type(result).__name__}/1"


def test_what_was_read_back_answers_all_that_needs_no_data(results: dict[str, Any]) -> None:
    for name in ("fuzzy", "a bandwidth per quantile", "multipliers", "compat"):
        fit = results[name]
        back = R3DResult.from_dict(json.loads(json.dumps(fit.to_dict())))
        assert back.test("homogeneity") == fit.test("homogeneity")
        assert back.functional("w2") == fit.functional("w2")
        np.testing.assert_array_equal(back.band("studentized").upper, fit.band("studentized").upper)
        with pytest.raises(DataError, match="run r3d on the data again"):
            back.sensitivity()


DAMAGE: dict[str, Any] = {
    "another kernel": (lambda d: d["options"].update(kernel="gauss"), "kernel"),
    "an order that is text": (lambda d: d["options"].update(p="2"), "p"),
    "an alpha of two": (lambda d: d["options"].update(alpha=2.0), "alpha"),
    "a method too many": (lambda d: d.update(methods=1), "methods"),
    "no curve": (lambda d: d.pop("tau"), "tau"),
    "a curve of text": (lambda d: d.update(tau=["a"]), "tau"),
    "a ragged covariance": (lambda d: d["process"].update(covariance=[[1.0], [1.0, 2.0]]), "covariance"),
    "a process that is a list": (lambda d: d.update(process=[1]), "process"),
    "units that are half": (lambda d: d.update(n_plus=1.5), "n_plus"),
    "a bandwidth that is an object": (lambda d: d.update(bandwidth={"minus": 1}), "bandwidth"),
    "another class": (lambda d: d.update(schema="fisc.r3d.MonteCarlo/1"), "MonteCarlo"),
    "no schema": (lambda d: d.pop("schema"), "schema"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_fit_is_an_error_in_words(results: dict[str, Any], name: str) -> None:
    damage, word = DAMAGE[name]
    document = copy.deepcopy(results["fuzzy"].to_dict())
    damage(document)
    with pytest.raises(DataError, match=word):
        R3DResult.from_dict(document)


@pytest.mark.parametrize("kind", [BandwidthChoice, DensityTest])
def test_one_result_is_not_read_as_another(results: dict[str, Any], kind: type[Any]) -> None:
    with pytest.raises(DataError, match=kind.__name__):
        kind.from_dict(results["fuzzy"].to_dict())
