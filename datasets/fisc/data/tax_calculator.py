"""Tax-Calculator on its records of tax units: what each pays in a year, under US law or a reform of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import get_args

import numpy as np
import pandas as pd

from fisc.core.arguments import check_whole
from fisc.core.arrays import FloatArray
from fisc.core.errors import DataError, MissingExtraError, OptionError, nearest, require
from fisc.data.taxes import FilingStatus

__all__ = ["calculate_taxes", "check_reform", "check_year", "tax_calculator"]

#: Oldest version whose records and parameters are those that are read here.
OLDEST = (6, 5)
#: Records that are worked on at once, so that memory stays far below a gigabyte.
CHUNK = 70_002
# Seed of the numbers by which Tax-Calculator decides who claims a credit, one number for each record of the
# whole file: a part of the file must get its part of them.
_CLAIM_SEED = 192837465

# Column here: variable of Tax-Calculator.
_COLUMNS = {
    "record": "RECID",
    "weight": "s006",
    "age": "age_head",
    "state": "fips",
    "members": "XTOT",
    "children": "n24",
    "wages": "e00200",
    "wages_head": "e00200p",
    "wages_spouse": "e00200s",
    "self_employment": "e00900",
    "income": "expanded_income",
    "adjusted_gross_income": "c00100",
    "taxable_income": "c04800",
    "preferential_income": "dwks10",
    "scheduled_tax": "c05200",
    "minimum_tax": "c09600",
    "nonrefundable_credits": "c07100",
    "refundable_credits": "refund",
    "earned_income_credit": "eitc",
    "child_credit": "ctc_total",
    "income_tax": "iitax",
    "payroll_tax": "payrolltax",
}
_WHOLE = ("record", "age", "state", "members", "children")


def tax_calculator() -> ModuleType:
    """Return the module ``taxcalc``, or say how to install one that can be used."""
    found = require("taxcalc", extra="us")
    told = str(getattr(found, "__version__", "0"))
    numbers = tuple(int(part) for part in re.findall(r"\d+", told)[:2])
    missing = [
        name for name in ("Records", "Policy", "Calculator", "GrowFactors") if not hasattr(found, name)
    ]
    if numbers < OLDEST or missing:
        lacks = f" and lacks {', '.join(missing)}" if missing else ""
        raise MissingExtraError(
            f"taxcalc {told} is installed{lacks}; fisc reads the records of version "
            f"{'.'.join(map(str, OLDEST))} and later: pip install --upgrade 'fisc[us]'"
        )
    return found


def calculate_taxes(
    year: int, reform: Mapping[str, object] | None = None, *, records: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return what each tax unit has, pays and would pay on a further dollar; columns of `load_tax_units`.

    Parameters
    ----------
    year : int
        From 2014; the last one is that of the weights in the installed Tax-Calculator.
    reform : mapping, optional
        Parameters of Tax-Calculator that differ from the law from `year` on.
    records : DataFrame, optional
        Own records in Tax-Calculator's input variables and in dollars of `year`, with weights ``s006``; those
        made from the CPS if left out.
    """
    taxcalc = tax_calculator()
    policy = _policy(taxcalc, year, reform)
    if records is not None:
        return _taxes(
            taxcalc, policy, taxcalc.Records(data=records, start_year=year, weights=None, gfactors=None)
        )
    folder = Path(taxcalc.Records.CODE_PATH)
    people = pd.read_csv(folder / "cps.csv.gz")
    # Tax-Calculator ages the records year by year, with the weights of each.
    weights = pd.read_csv(folder / "cps_weights.csv.gz", usecols=lambda name: name <= f"WT{year}")
    claims = np.random.default_rng(_CLAIM_SEED).uniform(size=len(people))
    parts = []
    for start in range(0, len(people), CHUNK):
        rows = slice(start, start + CHUNK)
        part = taxcalc.Records(
            data=people.iloc[rows].reset_index(drop=True),
            start_year=taxcalc.Records.CPSCSV_YEAR,
            gfactors=taxcalc.GrowFactors(),
            weights=weights.iloc[rows].reset_index(drop=True),
            weights_scale=0.01,
        )
        part.credit_claim_urn[:] = claims[rows]
        parts.append(_taxes(taxcalc, policy, part))
    return pd.concat(parts, ignore_index=True)


def covered_years(taxcalc: ModuleType) -> range:
    """Return the years of the records."""
    head = pd.read_csv(Path(taxcalc.Records.CODE_PATH) / "cps_weights.csv.gz", nrows=0).columns
    years = sorted(int(name[2:]) for name in head if re.fullmatch(r"WT\d{4}", name))
    return range(years[0], min(years[-1], taxcalc.Policy.LAST_BUDGET_YEAR) + 1)


def check_year(taxcalc: ModuleType, year: int) -> int:
    """Return `year` if there are records of it."""
    years = covered_years(taxcalc)
    year = check_whole("year", year)
    if year not in years:
        raise DataError(
            f"year={year}: the records of tax units are those of {years[0]} to {years[-1]}; give one of these"
        )
    return year


def check_reform(reform: object) -> None:
    """Refuse what is no mapping of parameters."""
    if not isinstance(reform, Mapping):
        raise DataError(
            f"reform is of type {type(reform).__name__}; give parameters of Tax-Calculator and their values, "
            "like {'II_rt7': 0.396}"
        )


def _policy(taxcalc: ModuleType, year: int, reform: Mapping[str, object] | None) -> object:
    policy = taxcalc.Policy()
    known = set(policy.keys())
    for name in reform or {}:
        if name not in known:
            guess = nearest(name, known)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise OptionError(f"{name!r} is no parameter of this version of Tax-Calculator{hint}")
    if reform:
        try:
            policy.implement_reform(
                {name: {year: value} for name, value in reform.items()}, print_warnings=False
            )
        except Exception as error:  # paramtools' own class, which needs the extra to be named
            raise DataError(f"Tax-Calculator refuses the reform: {str(error).strip():.300}") from error
    policy.set_year(year)
    return policy


def _taxes(taxcalc: ModuleType, policy: object, records: object) -> pd.DataFrame:
    """Calculate one part of the records."""
    year = policy.current_year  # type: ignore[attr-defined]
    calculator = taxcalc.Calculator(policy=policy, records=records, verbose=False)
    calculator.advance_to_year(year)
    calculator.calc_all()
    held: dict[str, FloatArray] = {}
    for column, variable in _COLUMNS.items():
        try:
            held[column] = np.array(calculator.array(variable))
        except (AttributeError, KeyError) as error:
            raise DataError(
                f"this version of Tax-Calculator has no field {variable!r} ({column}); "
                "pip install 'fisc[us]' for one that has"
            ) from error
    statuses = np.array(get_args(FilingStatus))[np.array(calculator.array("MARS"), dtype=np.int64) - 1]
    _, of_income_tax, combined = calculator.mtr(
        "e00200p", calc_all_already_called=True, wrt_full_compensation=False
    )
    frame = pd.DataFrame(held).astype(dict.fromkeys(_WHOLE, "int32"))
    frame["filing_status"] = pd.Categorical(statuses, list(get_args(FilingStatus)))
    # Qualified dividends and long-term gains have rates of their own.
    frame["ordinary_income"] = (frame["taxable_income"] - frame["preferential_income"]).clip(lower=0.0)
    frame["marginal_rate"] = np.array(combined)
    frame["marginal_rate_income_tax"] = np.array(of_income_tax)
    paid = frame["income_tax"] + frame["payroll_tax"]
    frame["average_rate"] = np.where(
        frame["income"] > 0.0, paid / frame["income"].where(frame["income"] > 0.0), 0.0
    )
    return frame
