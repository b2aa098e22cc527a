"""The user's words stand in every picture, table and sentence, and pictures stay inside the support."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.core import DataError
from fisc.r3d import R3DResult, r3d, simulate

KINDS = ("effect", "limits", "densities", "rd", "running", "sensitivity")


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rows = simulate("paper1", n=120, random_state=1).data
    return rows.assign(wage=np.exp(rows["y"])).rename(columns={"x": "margin", "unit": "town"})


def fit(data: Any, **options: Any) -> R3DResult:
    named = {
        "y": "wage",
        "x": "margin",
        "unit": "town",
        "quantiles": np.arange(1, 20) / 20,
        "random_state": 0,
    }
    return r3d(data, **{**named, **options})


def words(ax: Any) -> str:
    return " | ".join([ax.get_title("left"), ax.get_xlabel(), ax.get_ylabel()])


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_name_the_columns(data: pd.DataFrame, kind: Any) -> None:
    said = words(fit(data).plot(kind=kind))
    assert "wage" in said or "margin" in said
    assert "outcome" not in said
    assert "running variable" not in said.split(" | ", 1)[1]


def test_sentences_and_tables_name_the_columns_or_the_labels_given(data: pd.DataFrame) -> None:
    found = fit(data)
    assert "wage by margin" in found.summary()
    assert "units (town)" in found.summary()
    assert "effect on wage" in found.section().body
    labelled = fit(data, y_label="hourly wage", x_label="margin, %", unit_label="borough")
    assert "hourly wage by margin, %" in labelled.summary()
    assert "borough" in labelled.summary()
    assert "hourly wage" in str(labelled.section().tables[0].caption)
    assert R3DResult.from_dict(labelled.to_dict()).names == labelled.names


def test_arrays_without_names_are_called_by_what_they_are() -> None:
    sim = simulate("paper1", n=120, random_state=1)
    units = [rows.to_numpy() for _, rows in sim.data.groupby("unit", sort=False)["y"]]
    x = sim.data.drop_duplicates("unit")["x"].to_numpy()
    said = r3d(units, x=x, quantiles=[0.25, 0.5, 0.75], random_state=0).summary()
    assert "outcome by running variable" in said


@pytest.mark.parametrize("support", [(0, None), (0, 50.0)])
def test_no_mass_is_drawn_outside_the_support_and_none_is_lost(data: pd.DataFrame, support: Any) -> None:
    bounded = fit(data[data["wage"] < 50], support=support)
    for line in bounded.plot(kind="densities").lines:
        assert np.asarray(line.get_xdata()).min() >= 0.0
        x, density = (np.asarray(v, dtype=float) for v in line.get_data())
        assert np.trapezoid(density, x) == pytest.approx(0.9, abs=0.02)
    for area in bounded.plot(kind="limits").collections:
        assert area.get_paths()[0].vertices[:, 1].min() >= 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"support": (5, 1)}, "low < high"),
        ({"support": 3}, "pair"),
        ({"support": (100, None)}, "'wage' span"),
        ({"y_label": 3}, "y_label"),
        ({"x_label": " "}, "x_label"),
    ],
)
def test_bad_labels_and_supports_are_refused(data: pd.DataFrame, options: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(data, **options)
