"""Tax units and their taxes against Tax-Calculator itself, and against our own schedules on wages."""

from __future__ import annotations

import sys
import types
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

import fisc.data as data
from fisc.core import MissingExtraError
from fisc.data import DataError, OptionError, tax_calculator
from fisc.data.taxes import FilingStatus
from fisc.economist import TaxSchedule

FIVE = (
    {"II_rt1": 0.12},
    {"II_rt7": 0.396},
    {"II_rt3": 0.20, "II_rt4": 0.22},
    {f"II_rt{k}": rate for k, rate in enumerate((0.0, 0.15, 0.25, 0.28, 0.35, 0.40, 0.45), start=1)},
    {f"II_rt{k}": 0.25 for k in range(1, 8)},
)


def wage_earners() -> pd.DataFrame:
    """Records of five filing statuses with wages only, no children, in dollars of 2024."""
    wages = np.r_[0.0, np.geomspace(5_000.0, 3_000_000.0, 39)]
    status = np.repeat(np.arange(1, 6), wages.size)
    head = np.tile(wages, 5)
    spouse = np.where(status == 2, head[::-1], 0.0)
    return pd.DataFrame(
        {
            "RECID": np.arange(1, head.size + 1),
            "MARS": status,
            "e00200p": head,
            "e00200s": spouse,
            "e00200": head + spouse,
            "s006": np.linspace(100.0, 900.0, head.size),
            "age_head": 40,
            "age_spouse": np.where(status == 2, 40, 0),
            "XTOT": np.where(status == 2, 2, 1),
        }
    )


def own_tax(frame: pd.DataFrame, rates: dict[str, float], year: int) -> pd.Series[float]:
    """Return what our schedules take of wages less the standard deduction."""
    due = pd.Series(0.0, frame.index)
    for status in get_args(FilingStatus):
        law = TaxSchedule.us_federal(year, status)
        changed = [rates.get(f"II_rt{k}", rate) for k, rate in enumerate(law.rates, start=1)]
        rows = frame["filing_status"] == status
        table = data.load_tax_schedules(year, status)
        taxable = (frame["wages"][rows] - table["standard_deduction_usd"].iloc[0]).clip(lower=0.0)
        due[rows] = TaxSchedule(law.edges, changed).tax(taxable.to_numpy())
    return due


@pytest.mark.slow
@pytest.mark.parametrize("reform", FIVE)
def test_five_reforms_of_the_seven_rates_cost_wage_earners_what_tax_calculator_says(
    reform: dict[str, float],
) -> None:
    pytest.importorskip("taxcalc")
    before = tax_calculator.calculate_taxes(2024, records=wage_earners())
    after = tax_calculator.calculate_taxes(2024, reform, records=wage_earners())
    # What differs has a name: where a reform cuts the top rates, the alternative minimum tax, which has rates
    # of its own, takes part of it back.
    change, of_minimum = (
        (after["weight"] * (after[name] - before[name])).sum() for name in ("income_tax", "minimum_tax")
    )
    theirs = change - of_minimum
    ours = (before["weight"] * (own_tax(before, reform, 2024) - own_tax(before, {}, 2024))).sum()
    assert abs(theirs) > 1e6
    assert ours == pytest.approx(theirs, abs=1.0)  # a dollar, of hundreds of millions


@pytest.mark.slow
def test_units_are_those_of_tax_calculator_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    taxcalc = pytest.importorskip("taxcalc")
    whole = taxcalc.Calculator(
        policy=taxcalc.Policy(), records=taxcalc.Records.cps_constructor(), verbose=False
    )
    whole.advance_to_year(2024)
    whole.calc_all()
    units = data.load_tax_units(2024)
    assert len(units) == 280_005
    for column, variable in (("income_tax", "iitax"), ("payroll_tax", "payrolltax"), ("weight", "s006")):
        np.testing.assert_array_equal(units[column], np.array(whole.array(variable)))
    monkeypatch.setattr(tax_calculator, "calculate_taxes", None)  # the cache has it
    pd.testing.assert_frame_equal(data.load_tax_units(2024), units)
    assert data.provenance(units).source.startswith("Tax-Calculator")
    # Published: 2024 individual income tax 2 403 billion USD (CBO, Monthly Budget Review); the records lack
    # capital gains.
    assert 1_700e9 < (units["weight"] * units["income_tax"]).sum() < 2_403e9


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"year": 1999}, "2014 to"),
        ({"year": 2099}, "2014 to"),
        ({"year": 2024.5}, "year"),
        ({"year": 2024, "reform": {"II_rt77": 0.5}}, "II_rt7"),
        ({"year": 2024, "reform": {"II_rt7": "much"}}, "refuses the reform"),
        ({"year": 2024, "reform": [0.1]}, "of type list"),
    ],
)
def test_what_tax_calculator_does_not_cover_is_told(given: dict[str, Any], told: str) -> None:
    pytest.importorskip("taxcalc")
    with pytest.raises((DataError, OptionError), match=told):
        data.load_tax_units(**given)


def test_a_missing_extra_and_an_old_version_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "taxcalc", None)
    with pytest.raises(MissingExtraError, match=r"fisc\[us\]"):
        data.load_tax_units(2024)
    old = types.ModuleType("taxcalc")
    old.__version__ = "3.0.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "taxcalc", old)
    with pytest.raises(MissingExtraError, match=r"taxcalc 3\.0\.0 is installed and lacks Records"):
        data.load_tax_units(2024)


@pytest.mark.slow
def test_a_version_without_a_field_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("taxcalc")
    monkeypatch.setitem(tax_calculator._COLUMNS, "income", "income_of_another_version")
    with pytest.raises(DataError, match="no field 'income_of_another_version'"):
        tax_calculator.calculate_taxes(2024, records=wage_earners())
