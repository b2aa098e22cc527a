"""The table under other choices holds what fits with those choices say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.core import DataError
from fisc.r3d import R3DResult, Robustness, r3d, simulate
from fisc.r3d.process import holm

Q = [0.2, 0.4, 0.6, 0.8]
NOTHING: dict[str, Any] = {
    name: [] for name in ("kernels", "orders", "selectors", "residuals", "bandwidths", "donuts")
}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rows = simulate("paper1", n=200, random_state=3).data
    noise = np.random.default_rng(0).normal(size=200)
    return rows.assign(z=noise[pd.factorize(rows["unit"])[0]])


def fit(data: pd.DataFrame, **options: Any) -> R3DResult:
    return r3d(data, **{"y": "y", "x": "x", "unit": "unit", "quantiles": Q, "random_state": 0, **options})


@pytest.fixture(scope="module")
def plain(data: pd.DataFrame) -> R3DResult:
    return fit(data)


@pytest.mark.parametrize(
    ("choice", "options"),
    [
        ({"kernels": ["uniform"]}, {"kernel": "uniform"}),
        ({"orders": [3]}, {"p": 3, "s": 2}),
        ({"selectors": ["cer"]}, {"selector": "cer"}),
        ({"residuals": ["hc0"]}, {"residuals": "hc0"}),
        ({"donuts": [0.05]}, {"donut": 0.05, "bandwidth": "own"}),
        ({"bandwidths": [0.8]}, {"bandwidth": "times"}),
    ],
)
def test_each_row_is_the_fit_with_that_choice(
    data: pd.DataFrame, plain: R3DResult, choice: Any, options: Any
) -> None:
    h = float(np.mean(plain.bandwidth))
    options = {
        k: {"own": h, "times": 0.8 * h}.get(v, v) if k == "bandwidth" else v for k, v in options.items()
    }
    table = plain.robustness(**{**NOTHING, **choice}).table
    again = fit(data, **options)
    mean = again.functional("mean")
    assert len(table) == 2
    np.testing.assert_allclose(
        table.loc[1, ["mean_effect", "se", "lower", "upper", "p_nullity"]].astype(float),
        [mean.estimate, mean.se, mean.lower, mean.upper, again.test("nullity").p_value],
        rtol=1e-9,
    )


def test_covariates_can_be_left_out_and_holm_counts_all_rows(data: pd.DataFrame, plain: R3DResult) -> None:
    table = fit(data, covariates=["z"]).robustness(**NOTHING).table
    assert table["choice"].tolist() == ["as fitted", "covariates"]
    assert table.loc[1, "mean_effect"] == pytest.approx(plain.functional("mean").estimate, rel=1e-9)
    whole = plain.robustness().table
    np.testing.assert_allclose(whole["p_holm"], holm(whole["p_nullity"]))
    assert len(whole) == 1 + 2 + 2 + 2 + 4 + 4 + 2


def test_all_combinations_are_crossed_when_asked(plain: R3DResult) -> None:
    crossed = plain.robustness(**{**NOTHING, "kernels": ["uniform"], "bandwidths": [0.8, 1.2]}, crossed=True)
    assert len(crossed.table) == 2 * 3
    assert "kernel uniform, bandwidth times 0.8" in crossed.table["value"].tolist()


def test_a_choice_that_leaves_too_few_units_is_a_note_and_not_a_number(plain: R3DResult) -> None:
    found = plain.robustness(**{**NOTHING, "bandwidths": [1e-4]})
    assert np.isnan(found.table.loc[1, "mean_effect"])
    assert np.isnan(found.table.loc[1, "p_holm"])
    assert "bandwidth times 0.0001" in found.summary()
    assert len(found.plot().get_yticks()) == 1


def test_it_is_a_result_with_the_users_name(data: pd.DataFrame) -> None:
    found = fit(data, y_label="hourly wage").robustness(**{**NOTHING, "kernels": ["uniform"]})
    assert Robustness.from_dict(found.to_dict()) == found
    assert "hourly wage" in found.plot().get_xlabel()
    assert "hourly wage" in found.section().body
    assert "Mean effect" in found.to_latex()


def test_fuzzy_designs_keep_the_bandwidth_of_the_first_stage() -> None:
    rows = simulate("fuzzy1", n=300, random_state=1).data
    fuzzy = fit(rows, treatment="t")
    table = fuzzy.robustness(
        **{**NOTHING, "bandwidths": [0.9], "residuals": ["hc0"], "kernels": ["uniform"]}
    ).table
    assert table["mean_effect"].notna().all()
    assert table.loc[table["value"] == "hc0", "mean_effect"].iloc[0] == pytest.approx(
        table.loc[0, "mean_effect"]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernels": "uniform"}, "give a list"),
        ({"kernels": ["cosine"]}, "kernels"),
        ({"orders": [0]}, "orders"),
        ({"bandwidths": [-1.0]}, "positive"),
        ({"donuts": [0.0]}, "positive"),
    ],
)
def test_bad_choices_are_refused(plain: R3DResult, options: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        plain.robustness(**options)


def test_a_given_bandwidth_has_no_selector(data: pd.DataFrame) -> None:
    given = fit(data, bandwidth=0.5)
    assert "selector" not in set(given.robustness(residuals=[], orders=[]).table["choice"])
    with pytest.raises(DataError, match="without bandwidth="):
        given.robustness(selectors=["cer"])
