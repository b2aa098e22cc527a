"""What a price file is taken for, and what looks wrong in it, on one page."""

from __future__ import annotations

import dataclasses
import os
import warnings
from pathlib import Path
from typing import Unpack

import numpy as np
import pandas as pd

from fisc.core.errors import DataError, DataWarning
from fisc.core.frequency import frequency_of
from fisc.core.result import Record
from fisc.core.suspects import looks_like_logs
from fisc.data.prices.columns import find_layout
from fisc.data.prices.files import read_prices
from fisc.data.prices.options import ReadOptions
from fisc.data.prices.price_set import PriceSet, PriceState
from fisc.data.prices.tables import read_table

__all__ = ["Examination", "examine"]

_KINDS = {
    "wide": "one column a ticker",
    "long": "one row a ticker and day",
    "single": "the bars of one asset",
}
_MOST_SHOWN = 12
_SAME = 10  # days in a row at one price: an illiquid share, or a feed that stands still


@dataclasses.dataclass(frozen=True)
class Examination(Record):
    """What `examine` found.

    Attributes
    ----------
    file : str
    facts : dict of str to str
        What the file is taken for: layout, columns, decimal sign, dates, frequency, cells.
    assets : DataFrame
        One row a ticker: ``rows``, ``first``, ``last``, ``least`` and ``greatest`` price, cells that were
        ``not_traded``.
    wrong : tuple of str
        What looks wrong; empty if nothing does.
    readable : bool
        Whether `read_prices` reads it.
    """

    file: str
    facts: dict[str, str]
    assets: pd.DataFrame
    wrong: tuple[str, ...]
    readable: bool

    def summary(self) -> str:
        """Return the page as text."""
        lines = [self.file]
        width = max((len(name) for name in self.facts), default=0)
        lines += [f"  {name:<{width}}  {value}" for name, value in self.facts.items()]
        if len(self.assets):
            shown = self.assets.head(_MOST_SHOWN).reset_index()
            lines += ["", *("  " + line for line in shown.to_string(index=False).splitlines())]
            if len(self.assets) > _MOST_SHOWN:
                lines.append(f"  ... and {len(self.assets) - _MOST_SHOWN} more")
        lines += ["", *(f"! {what}" for what in self.wrong)] if self.wrong else ["", "nothing looks wrong"]
        return "\n".join(lines)


def examine(path: str | os.PathLike[str], **options: Unpack[ReadOptions]) -> Examination:
    r"""Say what a price file is taken for, and what looks wrong; nothing is refused.

    Parameters
    ----------
    path : path-like
        CSV or Parquet.
    **options
        Those of `read_prices`.

    Returns
    -------
    Examination

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "prices.csv"
    ...     _ = file.write_text("date,A\n03/04/2024,10\n04/05/2024,11\n")
    ...     examine(file).readable
    False
    """
    file = Path(path)
    facts, wrong = {}, []
    try:
        table, decimal = read_table(file, options.get("encoding", "utf-8-sig"), options.get("decimal"))
        layout = find_layout(table, options.get("columns"), file.name)
        facts["layout"] = f"{_KINDS[layout.kind]}; {len(table)} rows, {table.shape[1]} columns"
        facts["dates in"] = repr(layout.date)
        if layout.kind == "wide":
            facts["prices in"] = _listed([column for column, field, _ in layout.cells if field != "volume"])
        else:
            facts["prices in"] = _listed([f"{field} = {column}" for field, column in layout.fields.items()])
        facts["decimal sign"] = repr(decimal)
    except DataError as error:
        return Examination(file.name, facts, pd.DataFrame(), (str(error),), False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", DataWarning)
        try:
            prices = read_prices(file, full=True, **options)
        except DataError as error:
            wrong = [str(one.message) for one in said]
            return Examination(file.name, facts, pd.DataFrame(), (*wrong, str(error)), False)
    wrong = [str(one.message) for one in said if issubclass(one.category, DataWarning)]
    frequency = frequency_of(prices.close.index)
    facts["days"] = f"{prices.close.index[0]:%Y-%m-%d} to {prices.close.index[-1]:%Y-%m-%d}"
    facts["frequency"] = str(frequency)
    facts["cells"] = _cells(prices)
    facts["currency"] = ", ".join(sorted(set(prices.status["currency"]) - {""})) or "not said"
    wrong += _suspicions(prices)
    return Examination(file.name, facts, _assets(prices), tuple(wrong), True)


def _listed(names: list[object] | list[str]) -> str:
    """Write the first names of many."""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(str(name) for name in names[:8]) + more


def _cells(prices: PriceSet) -> str:
    """Count what stands behind the cells."""
    counts = np.bincount(prices.states.to_numpy().ravel(), minlength=len(PriceState))
    return ", ".join(f"{counts[state]} {state.label}" for state in PriceState if counts[state])


def _assets(prices: PriceSet) -> pd.DataFrame:
    """Return a row for each ticker."""
    close = prices.close
    return pd.DataFrame(
        {
            "rows": close.notna().sum(),
            "first": [_day(close[name].first_valid_index()) for name in close],
            "last": [_day(close[name].last_valid_index()) for name in close],
            "least": close.min(),
            "greatest": close.max(),
            "not_traded": (prices.states != PriceState.TRADED).sum(),
        }
    ).rename_axis("ticker")


def _day(stamp: object) -> str:
    return str(stamp)[:10]


def _suspicions(prices: PriceSet) -> list[str]:
    """Say what the checks flagged, and what only looks odd."""
    found = []
    for check, rows in prices.checks.groupby("check", sort=False):
        first = rows.iloc[0]
        where = (
            f"{first['ticker']} on {first['date']:%Y-%m-%d}" if pd.notna(first["date"]) else first["ticker"]
        )
        found.append(f"{check}: {len(rows)} {first['action']}, the first is {where} ({first['value']:.3g})")
    close = prices.close
    frequency = frequency_of(close.index)
    if frequency.hole:
        found.append(
            f"the dates have a hole of {frequency.longest_gap:.0f} days, where {frequency.usual_gap:g} are usual"
        )
    if looks_like_logs(close.to_numpy()):
        found.append("all prices lie between 1 and 15 and hardly move: they look like logarithms of prices")
    for name in close:
        runs = (close[name].diff() != 0).cumsum()[prices.states[name] == PriceState.TRADED]
        longest = int(runs.value_counts().max()) if len(runs) else 0
        if longest >= _SAME:
            found.append(f"{name} stands at one price for {longest} rows in a row")
    return found
