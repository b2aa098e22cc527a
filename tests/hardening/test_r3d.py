"""R3D under hostile data and options."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fisc.r3d import r3d, select_bandwidth, simulate, unit_quantiles

MANY = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.data_too_large]
)
Q = [0.25, 0.5, 0.75]


@pytest.fixture(scope="module")
def micro() -> pd.DataFrame:
    """Forty units of five rows around the cutoff, with a weight and a treatment."""
    frame = simulate("fuzzy1", n=40, seed=1, unit_size=5).data.rename(columns={"t": "took"})
    return frame.assign(w=1.0 + np.arange(len(frame)) % 3, g=frame["unit"] // 2)


def call(frame, **changes):
    good = {
        "y": "y",
        "x": "x",
        "unit": "unit",
        "quantiles": Q,
        "bandwidth": 0.9,
        "bandwidth_treatment": 0.9,
        "treatment": "took",
        "weights": "w",
        "n_boot": 39,
        "random_state": 0,
    }
    return r3d(frame, **{**good, **changes})


def numbers(fit) -> dict[str, object]:
    """The numbers that a fit promises."""
    frame = fit.to_frame()
    return {"frame": frame, "bandwidth": fit.bandwidth}


@given(data=st.data())
@MANY
def test_r3d_of_a_hostile_frame(data: st.DataObject, hostile, micro) -> None:
    frame = hostile.spoil(data, micro)
    got = hostile.attempt(lambda: call(frame))
    if not got.refusal:
        assert not hostile.unfinished(numbers(got.value))
        before = frame["y"] if isinstance(frame, pd.DataFrame) else pd.Series(dtype=float)
        if before.isna().any():
            assert got.warned
            assert got.value.warnings


@given(data=st.data())
@MANY
def test_r3d_of_hostile_options(data: st.DataObject, hostile, micro) -> None:
    good = {
        "y": "y",
        "x": "x",
        "unit": "unit",
        "quantiles": Q,
        "bandwidth": 0.9,
        "n_boot": 39,
        "random_state": 0,
        "cutoff": 0.0,
        "method": "frechet",
        "kernel": "triangular",
        "p": 2,
        "s": 1,
        "alpha": 0.05,
        "donut": 0.0,
        "deriv": 0,
        "residuals": "hc3",
        "band": "constant",
        "quantile_rule": "linear",
        "missing": "drop",
        "selector": "mse",
        "treatment": None,
        "bandwidth_treatment": None,
    }
    chosen = hostile.options(
        data,
        good,
        weights=("w",),
        unit_weights=("w",),
        cluster=("g",),
        covariates=("g", ["g"]),
        compat=("r3d-0.1",),
        multipliers=("rademacher",),
        quantile_matrix=(np.ones((4, 3)),),
        continuous_treatment=(True,),
        p=(0, 1, 7),
        s=(0, 2, 9),
        bandwidth=({"minus": 1}, {"minus": 0.5, "plus": 0.9}, 0.3, [0.9] * 3),
    )
    got = hostile.attempt(lambda: r3d(micro, **chosen))
    if not got.refusal:
        assert not hostile.unfinished(numbers(got.value))


@given(data=st.data())
@MANY
def test_select_bandwidth(data: st.DataObject, hostile, micro) -> None:
    good = {
        "y": "y",
        "x": "x",
        "unit": "unit",
        "quantiles": Q,
        "method": "simple",
        "kernel": "uniform",
        "p": 1,
        "s": 1,
        "selector": "cer",
    }
    frame, chosen = micro, dict(good)
    if data.draw(st.booleans(), label="frame"):
        frame = hostile.spoil(data, micro)
    else:
        chosen = hostile.options(data, good, cutoff=(0.1,), donut=((0.0, 0.1),), unit_weights=("w",))
    got = hostile.attempt(lambda: select_bandwidth(frame, **chosen))
    if not got.refusal:
        assert not hostile.unfinished(got.value.to_dict())


@given(data=st.data())
@MANY
def test_unit_quantiles(data: st.DataObject, hostile, micro) -> None:
    good = {"y": "y", "unit": "unit", "weights": "w", "quantiles": Q, "rule": "linear", "missing": "drop"}
    frame, chosen = micro, dict(good)
    if data.draw(st.booleans(), label="frame"):
        frame = hostile.spoil(data, micro)
    else:
        chosen = hostile.options(data, good, rule=("inverse_cdf", "weighted_hmisc"), missing=("raise",))
    got = hostile.attempt(lambda: unit_quantiles(frame, **chosen))
    if not got.refusal:
        assert not hostile.unfinished(got.value)


@given(data=st.data())
@MANY
def test_simulate(data: st.DataObject, hostile) -> None:
    good = {"design": "repo1", "n": 12, "seed": 0, "quantiles": None, "unit_size": 4}
    chosen = hostile.options(data, good, design=("lee", "fuzzy1", "paper2"), quantiles=(Q, [0.5]))
    for name in ("n", "unit_size"):  # a billion units is a question of memory, not of validity
        if isinstance(chosen[name], int) and chosen[name] > 10_000:
            chosen[name] = 3
    got = hostile.attempt(lambda: simulate(**chosen))
    if not got.refusal:
        assert not hostile.unfinished(got.value.data)


@given(
    curves=st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.0, -1.0, np.nan, np.inf, 1e300]), min_size=3, max_size=3),
        min_size=0,
        max_size=24,
    ),
    wide=st.booleans(),
)
@MANY
def test_a_hostile_matrix_of_quantiles(curves, wide: bool, hostile) -> None:
    x = np.linspace(-1, 1, len(curves)) if wide else np.round(np.linspace(-1, 1, len(curves)))
    got = hostile.attempt(
        lambda: r3d(quantile_matrix=curves, x=x, quantiles=Q, bandwidth=0.9, p=1, n_boot=39, random_state=0)
    )
    if not got.refusal:
        assert not hostile.unfinished(numbers(got.value))
