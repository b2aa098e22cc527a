"""The tax units of the United States: people, incomes, and what they pay under the law of a year."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from fisc.core.files import atomic_write, fingerprint, locked
from fisc.core.history import Provenance, attach, version
from fisc.core.locations import cache_dir
from fisc.data.tax_calculator import calculate_taxes, check_reform, check_year, tax_calculator

__all__ = ["load_tax_units"]

#: Raised when the columns change, so that older files are not read.
LAYOUT = 1


def load_tax_units(year: int = 2024, reform: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Load 280 005 weighted tax units of the United States and their taxes under the law of a year.

    The records are those that come with Tax-Calculator, made from the Current Population Survey; taxes and
    rates are calculated by it. The first call for a year takes half a minute; the table is then kept in the
    cache.

    Parameters
    ----------
    year : int
        From 2014 to the last year of the records' weights (2036 in version 6.8).
    reform : mapping of str to object, optional
        Parameters of Tax-Calculator that differ from the law from that year on, for instance
        ``{"II_rt7": 0.396}``. Incomes stay as they are: this is the static view.

    Returns
    -------
    DataFrame, a row for each tax unit, money in USD of `year`
        ``record``; ``weight``, the units for which it stands; ``filing_status`` (as in
        `load_tax_schedules`); ``age`` of the head; ``state`` (FIPS code); ``members``; ``children`` of whom
        the child tax credit counts; ``wages``, ``wages_head``, ``wages_spouse``; ``self_employment``;
        ``income`` (expanded income); ``adjusted_gross_income``; ``taxable_income``, of which
        ``preferential_income`` (qualified dividends and long-term gains) and ``ordinary_income``;
        ``scheduled_tax`` (the seven rates on taxable income), ``minimum_tax``, ``nonrefundable_credits``
        used, ``refundable_credits`` paid out, ``earned_income_credit``, ``child_credit``; ``income_tax``
        after all credits, negative where more is paid out; ``payroll_tax`` of both sides;
        ``marginal_rate`` on a further dollar of the head's wages, income and payroll tax together;
        ``marginal_rate_income_tax``; ``average_rate``, both taxes by income.

    Raises
    ------
    MissingExtraError
        If Tax-Calculator is not installed (the extra ``us``), or too old.
    DataError
        If the year is not covered, or Tax-Calculator refuses the reform.
    OptionError
        If the reform names a parameter that it does not know.

    Notes
    -----
    Records of the CPS miss most capital gains and top incomes: the total of the income tax is below the
    published one. State taxes and benefits in kind are left out.

    References
    ----------
    Tax-Calculator, https://github.com/PSLmodels/Tax-Calculator (CC0 1.0).

    Examples
    --------
    >>> units = load_tax_units(2024)                                # doctest: +SKIP
    >>> len(units), round(units["weight"].sum() / 1e6, 1)           # doctest: +SKIP
    (280005, 214.9)
    """
    taxcalc = tax_calculator()
    year = check_year(taxcalc, year)
    source = f"Tax-Calculator {taxcalc.__version__} and its records of the Current Population Survey"
    name = f"{year}-{taxcalc.__version__}-{LAYOUT}"
    if reform:
        check_reform(reform)
        told = json.dumps(dict(reform), sort_keys=True, default=str)
        name += f"-{fingerprint(told).removeprefix('sha256:')}"
    path = cache_dir("tax_units") / f"{name}.parquet"
    with locked(path):
        if path.exists():
            frame = pd.read_parquet(path)
        else:
            frame = calculate_taxes(year, reform)
            with atomic_write(path, "wb") as handle:
                frame.to_parquet(handle)
    history = Provenance(
        version=version(),
        options={"year": year, "reform": dict(reform or {})},
        inputs={},
        seed=None,
        time="",
        notes=(),
        source=source,
    )
    return attach(frame, history)
