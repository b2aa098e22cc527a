"""The eight reference cases: the R package's numbers under `compat`, and the corrected ones by default.

The cases were produced by the R package (commit 28744db, R 4.2.2) and by an independent computation with its
defects removed; every number here is compared, not a selection.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.r3d import r3d, select_bandwidth, unit_quantiles

VECTORS = Path(__file__).parent / "vectors"
CASES = sorted(p.name for p in VECTORS.iterdir())
RTOL = 1e-8  # files hold 15 digits; sums of products of order 1e3 lose a few

pytestmark = pytest.mark.filterwarnings(
    "ignore::fisc.data.DataWarning"
)  # cases 3 and 7 have p = s on purpose


class Case:
    def __init__(self, name: str) -> None:
        folder = VECTORS / name
        self.call = _json(folder / "case.json.gz")
        self.reference = _json(folder / "reference.json.gz")
        self.corrected = _json(folder / "corrected.json.gz")
        units = pd.read_csv(folder / "units.csv.gz")
        self.data = pd.read_csv(folder / "micro.csv.gz").merge(units, on="unit")
        self.units = units
        self.xi = pd.read_csv(folder / "xi.csv.gz", header=None).to_numpy()
        self.matrix = pd.read_csv(folder / "qmat.csv.gz", header=None).to_numpy()

    @property
    def arguments(self) -> dict[str, Any]:
        c = self.call
        return {
            "y": "y",
            "x": "x",
            "unit": "unit",
            "treatment": "t" if c["fuzzy"] else None,
            "weights": "w" if c["weighted"] else None,
            "quantile_rule": "weighted_hmisc" if c["weighted"] else "linear",
            **{k: c[k] for k in ("cutoff", "method", "kernel", "p", "s")},
            "quantiles": c["q"],
        }


def _json(path: Path) -> Any:
    with gzip.open(path, "rt") as file:
        return json.load(file)


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def close(actual: Any, expected: Any, rtol: float = RTOL) -> None:
    np.testing.assert_allclose(np.asarray(actual, float), np.asarray(expected, float), rtol=rtol, atol=1e-12)


def test_unit_quantiles(case: Case) -> None:
    weights = "w" if case.call["weighted"] else None
    found = unit_quantiles(
        case.data, y="y", unit="unit", weights=weights, quantiles=case.call["q"], rule="weighted_hmisc"
    )
    close(found, case.matrix, rtol=1e-12)
    assert found.index.tolist() == case.units["unit"].tolist()


@pytest.mark.parametrize("residuals", ["hc0", "hc3"])
def test_default_mode_is_the_corrected_estimator(case: Case, residuals: str) -> None:
    expected = case.corrected[residuals]
    fit = r3d(
        case.data,
        **case.arguments,
        bandwidth=case.corrected["h_num"],
        bandwidth_treatment=case.corrected["h_den"],
        residuals=residuals,
        band="constant",
        alpha=case.call["alpha"],
        multipliers=case.xi,
    )
    close(fit.tau, expected["tau"])
    close(fit.q_plus, expected["int_plus"])
    close(fit.q_minus, expected["int_minus"])
    close(fit.se, expected["se_pointwise"])
    close(fit.draws.std(axis=0, ddof=1), expected["boot_sd"])
    close(fit.draws[:3], expected["boot_tau_first3"])
    close(fit.critical_value, expected["crit_const"])
    close(fit.band_lower, expected["lower_const"])
    close(fit.band_upper, expected["upper_const"])
    studentized = fit.band("studentized")
    close(studentized.critical_value, expected["crit_studentized"])
    close(studentized.lower, expected["lower_stud"])
    close(studentized.upper, expected["upper_stud"])
    for test in expected["tests"]:
        plain = fit.test(test["test"], interval=test["range"], studentized=False)
        scaled = fit.test(test["test"], interval=test["range"])
        close([plain.statistic, plain.p_value], [test["stat"], test["p_value"]])
        close([scaled.statistic, scaled.p_value], [test["stat_stud"], test["p_value_stud"]])
    if "gini" in expected:
        gini, want = fit.functional("gini"), expected["gini"]
        close(
            [gini.plus, gini.minus, gini.estimate, gini.se],
            [want[k] for k in ("above", "below", "diff", "boot_sd")],
        )
        close(fit.test("gini").p_value, want["p_value_centred"])


@pytest.mark.parametrize("bandwidths", ["fixed", "auto"])
def test_compat_is_the_r_package(case: Case, bandwidths: str) -> None:
    expected = case.reference[bandwidths]
    bootstrap = expected["bootstrap"]
    given = bandwidths == "fixed"
    fit = r3d(
        case.data,
        **case.arguments,
        bandwidth=expected["h_num"] if given else None,
        bandwidth_treatment=expected["h_den"] if given else None,
        selector="cer" if case.call["coverage"] else "mse",
        alpha=case.call["alpha"],
        multipliers=case.xi,
        band="constant",
        compat="r3d-0.1",
    )
    close(fit.bandwidth, expected["h_num"])
    close(fit.tau, expected["tau"])
    close(fit.q_plus, expected["int_plus"])
    close(fit.q_minus, expected["int_minus"])
    close(fit.raw_plus, expected["raw_int_plus"])
    close(fit.raw_minus, expected["raw_int_minus"])
    if case.call["fuzzy"]:
        close(fit.first_stage, expected["denominator"])
        close(fit.bandwidth_treatment, expected["h_den"])
    close(fit.draws[:3], bootstrap["boot_tau_first3"])
    close(np.abs(fit.draws).max(axis=1), bootstrap["supvals"])
    close(fit.critical_value, bootstrap["crit_val"])
    close(fit.band_lower, bootstrap["cb_lower"])
    close(fit.band_upper, bootstrap["cb_upper"])
    for name, tests in bootstrap["tests"].items():
        for test in tests:
            found = (
                fit.test(name)
                if name == "gini"
                else fit.test(name, interval=test["range"], studentized=False)
            )
            close(found.statistic, test["test_stat"])
            close(found.critical_value, test["test_crit_val"])
            assert found.p_value == pytest.approx(test["p_value"], abs=1e-9)


def test_automatic_bandwidth_matches_the_independent_computation(case: Case) -> None:
    want = case.corrected["bandwidth_recommended_nonbinding"]
    found = select_bandwidth(case.data, **case.arguments, selector="cer" if case.call["coverage"] else "mse")
    close(found.bandwidth, want["h"] if np.ndim(found.bandwidth) else want["h"][0], rtol=1e-7)
    close(found.density, want["f_X_hat"])
    if want["h_den"] is not None:
        close(found.bandwidth_treatment, want["h_den"], rtol=1e-7)


def test_matrix_input_gives_the_same_fit(case: Case) -> None:
    c = case.call
    options = {k: c[k] for k in ("cutoff", "method", "kernel", "p", "s", "alpha")}
    stage = case.units["t"].to_numpy() if c["fuzzy"] else None
    common = {"bandwidth": case.corrected["h_num"], "bandwidth_treatment": case.corrected["h_den"], **options}
    common |= {"multipliers": case.xi, "residuals": "hc3", "band": "constant"}
    fit = r3d(quantile_matrix=case.matrix, x=case.units["x"], treatment=stage, quantiles=c["q"], **common)
    close(fit.band_upper, case.corrected["hc3"]["upper_const"])
