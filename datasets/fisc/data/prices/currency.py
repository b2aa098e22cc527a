"""Prices of several currencies in one, by rates that are named."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from fisc.core.errors import DataError
from fisc.core.frames import TableLike, as_dated
from fisc.core.history import attach, provenance, record
from fisc.core.numbers import read_numbers
from fisc.data.prices.price_set import currencies, with_currency

__all__ = ["in_currency"]

_LONGEST_WAIT = 5  # days for which a rate of the day before stands


def in_currency(
    prices: TableLike, currency: str, rates: Mapping[str, float | pd.Series[float]]
) -> pd.DataFrame:
    """Convert the prices of a table to one currency.

    Parameters
    ----------
    prices : DataFrame, (days, tickers)
        An answer of `fetch_prices` or `read_prices` whose `price_status` names currencies.
    currency : str
        The currency to convert to, such as ``"USD"``.
    rates : mapping of str to float or Series by day
        For each other currency, what one unit of it costs in `currency`, with the close of the same day. A
        day without a rate takes that of at most five days before.

    Returns
    -------
    DataFrame
        Converted closes; which cells can be traded, the status and the provenance stay attached.

    Raises
    ------
    DataError
        If a currency is not known or has no rate for a day.

    Examples
    --------
    >>> in_currency(pd.DataFrame({"A": [1.0]}, index=pd.to_datetime(["2024-01-02"])), "USD", {})
    Traceback (most recent call last):
    ...
    fisc.core.errors.DataError: the currency of A is not known; use prices whose price_status names it
    """
    frame = as_dated("prices", prices, what="prices by day").copy()
    known = currencies(frame)
    unknown = [str(name) for name in frame.columns if str(name) not in known]
    if unknown:
        raise DataError(
            f"the currency of {', '.join(unknown[:5])} is not known; use prices whose price_status names it"
        )
    for name in frame.columns:
        own = known[str(name)]
        if own == currency:
            continue
        if own not in rates:
            raise DataError(
                f"rates has none for {own}, the currency of {name}; give what one {own} costs in {currency}"
            )
        frame[name] = frame[name] * _by_day(rates[own], frame, own)
    history = record(
        options={"currency": currency, "rates": sorted(rates)},
        inputs={"closes": frame},
        notes=(*provenance(frame).notes, f"converted to {currency}"),
        source=provenance(frame).source,
    )
    return with_currency(attach(frame, history), currency)


def _by_day(rate: float | pd.Series[float], frame: pd.DataFrame, own: str) -> pd.Series[float] | float:
    """Return the rate of each day of a frame."""
    if not isinstance(rate, pd.Series):
        return rate
    dated = as_dated("rates", rate.to_frame("rate"), what=f"rates of {own} by day")
    numbers = read_numbers(dated["rate"], f"rates of {own}").sort_index()
    on_day = numbers.reindex(frame.index, method="ffill", tolerance=pd.Timedelta(days=_LONGEST_WAIT))
    bad = ~(on_day > 0)
    if bad.any():
        raise DataError(
            f"rates of {own} have none for {int(bad.sum())} days, the first is {frame.index[bad][0]:%Y-%m-%d}"
        )
    return on_day
