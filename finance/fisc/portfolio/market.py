"""A market: closing prices on a calendar, what cash earns, and what can be traded when."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fisc.core import (
    TRADING_DAYS,
    AnyArray,
    BoolArray,
    DataError,
    DataWarning,
    FloatArray,
    Frequency,
    TableLike,
    align,
    as_dated,
    check_array,
    frequency_of,
    is_table,
    looks_like_logs,
    read_date,
    why_no_price,
)
from fisc.data import PriceSet, carries_states, currencies
from fisc.data import tradable as known_tradable

__all__ = ["PERIODS_PER_YEAR", "CostRate", "Date", "Market", "Prices", "as_market", "as_prices"]

Prices: TypeAlias = PriceSet | TableLike | ArrayLike
CostRate: TypeAlias = "TableLike | Mapping[str, float] | ArrayLike | Callable[[int, Market], ArrayLike]"
Date: TypeAlias = int | str | pd.Timestamp | dt.date | np.datetime64
PERIODS_PER_YEAR = 252  # where there are no dates to tell
_BY_DATE_AND_ASSET = ("close", "tradable", "high", "low", "open", "volume")
_LARGE_DAILY_RATE = 0.01  # a cash rate above one per cent a day is nearly always an annual rate
# No price changes by more than this factor from one close to the next: beyond it, units or splits are
# mixed up, and squares of such returns would overflow.
_LARGEST_CHANGE = 1e9


@dataclasses.dataclass(frozen=True, eq=False)
class Market:
    """Prices of one universe of assets, checked once; built by `from_prices`.

    Attributes
    ----------
    close : ndarray of shape (n_dates, n_assets)
        Closing prices, positive, in any one currency.
    dates : pandas.Index of length n_dates
        Strictly increasing.
    assets : tuple of str
        Names, unique.
    tradable : ndarray of bool of shape (n_dates, n_assets)
        Whether the asset can be bought and sold at that close.
    cash_rate : ndarray of shape (n_dates,)
        Interest that cash earns from this close to the next, as a fraction.
    high, low, open, volume : ndarray of shape (n_dates, n_assets) or None
        Further fields, where given; the environment may show them to the policy.
    notes : tuple of str
        What was repaired, counted.
    frequency : Frequency
        How often there is a row, and the periods a year by which results are annualised.
    """

    close: FloatArray
    dates: pd.Index[Any]
    assets: tuple[str, ...]
    tradable: BoolArray
    cash_rate: FloatArray
    high: FloatArray | None = None
    low: FloatArray | None = None
    open: FloatArray | None = None
    volume: FloatArray | None = None
    notes: tuple[str, ...] = ()
    frequency: Frequency = TRADING_DAYS

    @classmethod
    def from_prices(
        cls,
        close: Prices,
        *,
        high: Prices | None = None,
        low: Prices | None = None,
        open: Prices | None = None,
        volume: Prices | None = None,
        tradable: Prices | None = None,
        cash_rate: ArrayLike = 0.0,
        periods_per_year: float | None = None,
    ) -> Market:
        """Check prices and build the market.

        Parameters
        ----------
        close : table, PriceSet or array_like of shape (n_dates, n_assets)
            Closing prices, one column an asset, at least two dates and two assets. A table of
            pandas, polars, pyarrow or DuckDB has its dates in the index or in a column; only a
            DataFrame of pandas may number its rows instead, as plain arrays do. What `read_prices`
            and `fetch_prices` know about their cells (stale, suspended, missing, not yet listed) is
            kept: such cells cannot be traded.
        high, low, open, volume : same, optional
            Further fields with the same index and columns.
        tradable : same, of bool, optional
            False where the asset cannot be traded at that close (suspended, at its price limit,
            not listed). Only where it is False may `close` be missing: the last price is carried
            forward (before the first one, the first), so that the asset earns nothing.
        cash_rate : float, Series or array_like of shape (n_dates,), default 0.0
            Interest of cash **per period** (a day, for daily prices), from this close to the next: 4 % a
            year is ``1.04 ** (1 / 252) - 1``. A Series is matched by date.
        periods_per_year : float, optional
            By which results are annualised; by default told by the dates: 252 for trading days, 365 for
            all days, 52, 12, 4 and 1 for weeks, months, quarters and years.

        Returns
        -------
        Market

        Raises
        ------
        DataError
            If there are fewer than two dates or assets, names or dates repeat or are out of
            order, a table has no dates, prices are missing, infinite, zero or negative, or shapes differ; if a
            column is no price (row numbers, years, volumes, rates, dates, truth values) or two currencies
            are mixed.

        Warns
        -----
        DataWarning
            If prices were carried forward, the dates have a hole, or prices look like logarithms.

        Examples
        --------
        >>> market = Market.from_prices([[10.0, 20.0], [11.0, 19.0], [12.0, 19.5]])
        >>> market
        Market(2 assets, 3 dates, 0 .. 2)
        >>> market.relatives[0].round(3).tolist()
        [1.0, 1.1, 0.95]
        """
        frame = as_prices(close.to_frame() if isinstance(close, PriceSet) else close, "close")
        dates, assets = _check_axes(frame)
        shape = frame.shape
        mask = np.ones(shape, dtype=bool)
        if tradable is None and carries_states(frame):
            tradable = known_tradable(frame)
        if tradable is not None:
            mask = _flags(_field(tradable, "tradable", frame))
        notes: list[str] = []
        frequency = frequency_of(dates).given(periods_per_year)
        if frequency.hole and frequency.told_by != "user":
            notes.append(_hole(dates, frequency))
            warnings.warn(f"Market.from_prices: {notes[-1]}", DataWarning, stacklevel=2)
        prices = _as_float(frame, "close")
        gaps = np.isnan(prices)
        if gaps.any() and tradable is not None and not (gaps & mask).any():
            prices = pd.DataFrame(prices).ffill().bfill().to_numpy()
            notes.append(f"carried {int(gaps.sum())} missing prices forward where trading was not possible")
            warnings.warn(f"Market.from_prices {notes[-1]}", DataWarning, stacklevel=2)
        _check_prices(prices, dates, assets, "close")
        _check_changes(prices, dates, assets)
        _check_meaning(frame, prices)
        if looks_like_logs(prices):
            notes.append(
                "all prices lie between 1 and 15 and hardly move: they look like logarithms of prices"
            )
            warnings.warn(f"Market.from_prices: {notes[-1]}; give the prices", DataWarning, stacklevel=2)
        rate = _check_cash_rate(cash_rate, dates, frequency)
        extra: dict[str, FloatArray | None] = {}
        for name, given in (("high", high), ("low", low), ("open", open), ("volume", volume)):
            if given is None:
                extra[name] = None
                continue
            values = check_array(
                name, _field(given, name, frame), what="numbers of the shape of close", missing=True
            )
            if gaps.any():
                values = np.where(gaps, prices if name != "volume" else 0.0, values)
            if name == "volume":
                if not (np.isfinite(values) & (values >= 0)).all():
                    raise DataError(
                        "volume has missing, infinite or negative values; give numbers of at least 0"
                    )
            else:
                _check_prices(values, dates, assets, name)
            extra[name] = values
        return cls(prices, dates, assets, mask, rate, notes=tuple(notes), frequency=frequency, **extra)

    @classmethod
    def from_returns(
        cls, returns: Prices, *, cash_rate: ArrayLike = 0.0, periods_per_year: float | None = None
    ) -> Market:
        """Build a market from simple returns: the first close is 1, one row before the returns.

        Parameters
        ----------
        returns : DataFrame or array_like of shape (n_periods, n_assets)
            Simple returns per period, greater than -1.
        cash_rate : float or array_like of shape (n_periods + 1,)
        periods_per_year : float, optional
            As in `from_prices`.

        Returns
        -------
        Market
            With ``n_periods + 1`` dates; the first is the index label minus one step for an
            integer or date index.

        Examples
        --------
        >>> Market.from_returns([[0.1, 0.0], [0.0, 0.1]]).close.round(2).tolist()
        [[1.0, 1.0], [1.1, 1.0], [1.1, 1.1]]
        """
        frame = as_prices(returns, "returns")
        values = _as_float(frame, "returns")
        if not len(frame):
            raise DataError("returns have no rows; give one row a period")
        if not ((values > -1) & (values < _LARGEST_CHANGE)).all():
            raise DataError(
                "returns contain NaN, values of -1 and below or values beyond any market "
                f"({_LARGEST_CHANGE:g}); give simple returns greater than -1"
            )
        with np.errstate(over="ignore"):  # an infinite price is refused below
            close = np.vstack([np.ones(values.shape[1]), np.cumprod(1 + values, axis=0)])
        first = frame.index[0]
        before: pd.Timestamp | int
        if isinstance(first, pd.Timestamp):
            before = first - pd.Timedelta(days=1)
        elif isinstance(first, int | np.integer):
            before = int(first) - 1
        else:
            raise DataError(f"returns are indexed by {type(first).__name__}; expected dates or integers")
        index = pd.Index([before, *frame.index])
        if periods_per_year is None:
            periods_per_year = frequency_of(frame.index).periods_per_year
        return cls.from_prices(
            pd.DataFrame(close, index=index, columns=frame.columns),
            cash_rate=cash_rate,
            periods_per_year=periods_per_year,
        )

    @property
    def periods_per_year(self) -> float:
        """Rows a year, by which results are annualised."""
        return self.frequency.periods_per_year

    @property
    def n_assets(self) -> int:
        """Number of assets, cash not counted."""
        return int(self.close.shape[1])

    @functools.cached_property
    def relatives(self) -> FloatArray:
        """Price relatives from each close to the next, cash first: (n_dates - 1, n_assets + 1)."""
        assets = self.close[1:] / self.close[:-1]
        relatives: FloatArray = np.column_stack([1.0 + self.cash_rate[:-1], assets])
        relatives.setflags(write=False)
        return relatives

    @functools.cached_property
    def returns(self) -> FloatArray:
        """Simple returns of the assets from each close to the next: (n_dates - 1, n_assets)."""
        returns: FloatArray = self.relatives[:, 1:] - 1.0
        returns.setflags(write=False)
        return returns

    def frame(self) -> pd.DataFrame:
        """Return the closing prices as a DataFrame."""
        return pd.DataFrame(self.close, index=self.dates, columns=list(self.assets))

    def row(self, date: Date) -> int:
        """Return the row of the first date that is not before `date`.

        Examples
        --------
        >>> Market.from_prices([[1.0, 2.0], [1.0, 2.0]]).row(1)
        1
        """
        try:
            if isinstance(self.dates, pd.DatetimeIndex):
                if isinstance(date, bool | int | float):  # pandas would take it for nanoseconds since 1970
                    raise TypeError("a number is not a date")
                date = pd.Timestamp(read_date("date", date) if isinstance(date, str) else date)
                if pd.isna(date):
                    raise TypeError("a missing date has no place among dates")
                if self.dates.tz is not None and date.tz is None:
                    date = date.tz_localize(self.dates.tz)
            return int(self.dates.searchsorted(date))
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{date!r} cannot be compared with dates from {self.dates[0]} to {self.dates[-1]}"
            ) from error

    @overload
    def __getitem__(self, rows: slice) -> Market: ...
    @overload
    def __getitem__(self, rows: Sequence[str]) -> Market: ...
    def __getitem__(self, rows: slice | Sequence[str]) -> Market:
        """Return a span of dates (a slice of row numbers), or some assets (a list of names)."""
        columns: slice | list[int] = slice(None)
        if isinstance(rows, slice):
            if (left := len(self.dates[rows])) < 2:
                raise DataError(f"the slice {rows} of {len(self)} dates leaves {left}; keep at least 2")
        else:
            unknown = [name for name in rows if name not in self.assets]
            if unknown:
                raise DataError(
                    f"assets {unknown} are not in this market of {self.n_assets}: {list(self.assets)[:8]}"
                )
            if len(rows) < 2:
                raise DataError("one asset is not a portfolio; give at least two assets")
            columns, rows = [self.assets.index(name) for name in rows], slice(None)
        fields = {name: getattr(self, name) for name in _BY_DATE_AND_ASSET}
        cut: dict[str, Any] = {n: None if f is None else f[rows][:, columns] for n, f in fields.items()}
        return dataclasses.replace(
            self,
            dates=self.dates[rows],
            assets=tuple(np.array(self.assets, dtype=object)[columns]),
            cash_rate=self.cash_rate[rows],
            **cut,
        )

    def __len__(self) -> int:
        return int(self.close.shape[0])

    def __repr__(self) -> str:
        ends = [d.date() if isinstance(d, pd.Timestamp) else d for d in (self.dates[0], self.dates[-1])]
        return f"Market({self.n_assets} assets, {len(self)} dates, {ends[0]} .. {ends[1]})"


def as_market(prices: Market | Prices, periods_per_year: float | None = None) -> Market:
    """Return `prices` itself if it is a market, else build one from closing prices."""
    if not isinstance(prices, Market):
        return Market.from_prices(prices, periods_per_year=periods_per_year)
    if periods_per_year is None:
        return prices
    return dataclasses.replace(prices, frequency=prices.frequency.given(periods_per_year))


def as_prices(values: Prices, name: str) -> pd.DataFrame:
    """Return a table or array as a DataFrame by date, or by row number for arrays."""
    if isinstance(values, pd.Series):
        return values.to_frame()
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        raise DataError(
            f"{name} is an array with {int(np.ma.getmaskarray(values).sum())} masked cells; fill them with NaN "
            "and pass tradable=False there, or leave those assets out"
        )
    if is_table(values):
        table: TableLike = values
        if isinstance(table, pd.DataFrame) and _numbers_its_rows(table):
            return table
        return as_dated(name, table, what="prices by date" if name == "close" else f"{name} by date")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} has rows of unequal lengths; give a table of dates by assets") from error
    if array.ndim != 2:
        raise DataError(f"{name} has {array.ndim} dimension(s); expected a table of dates by assets")
    return pd.DataFrame(array, columns=[f"asset{i}" for i in range(array.shape[1])])


def _numbers_its_rows(frame: pd.DataFrame) -> bool:
    """Tell whether row numbers are all that there is: no column could hold dates."""
    dated = any(pd.api.types.is_datetime64_any_dtype(kind) for kind in frame.dtypes)
    first = frame.dtypes.iloc[:1]
    plain = not dated and all(pd.api.types.is_numeric_dtype(kind) for kind in first)
    return pd.api.types.is_integer_dtype(frame.index.dtype) and plain


def _as_float(frame: pd.DataFrame, name: str) -> FloatArray:
    try:
        if any(_is_no_number(dtype) for dtype in frame.dtypes):
            raise TypeError("complex numbers, truth values, dates or lengths of time")
        return np.array(frame.to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError, OverflowError, ArithmeticError) as error:
        columns = [
            str(c)
            for c, kind in zip(frame.columns, frame.dtypes, strict=True)
            if not pd.api.types.is_numeric_dtype(kind) or _is_no_number(kind)
        ]
        raise DataError(
            f"{name} has columns that are not numbers: {columns[:5]}; keep only prices"
        ) from error


def _is_no_number(kind: Any) -> bool:
    types = pd.api.types
    return (
        types.is_complex_dtype(kind)
        or types.is_bool_dtype(kind)
        or types.is_timedelta64_dtype(kind)
        or types.is_datetime64_any_dtype(kind)
    )


def _check_meaning(frame: pd.DataFrame, prices: FloatArray) -> None:
    """Refuse columns that are no prices, and prices in two currencies."""
    for place, name in enumerate(frame.columns):
        if why := why_no_price(name, prices[:, place], frame.index):
            raise DataError(f"column {str(name)!r} of close holds {why}, not prices; leave it out")
    held = currencies(frame)
    if len(kinds := sorted(set(held.values()))) > 1:
        listed = ", ".join(f"{kind}: {next(t for t in held if held[t] == kind)} ..." for kind in kinds)
        raise DataError(
            f"close mixes prices in {len(kinds)} currencies ({listed}), and a return across them means "
            "nothing; convert them by fisc.data.in_currency with rates, or keep one currency"
        )


def _hole(dates: pd.Index[Any], frequency: Frequency) -> str:
    """Say where the longest step between dates is."""
    place = int(np.argmax(np.diff(dates.to_numpy())))
    return (
        f"no prices from {dates[place]:%Y-%m-%d} to {dates[place + 1]:%Y-%m-%d} ({frequency.longest_gap:.0f} days), "
        f"which counts as one period of {frequency.name} prices"
    )


def _check_axes(frame: pd.DataFrame) -> tuple[pd.Index[Any], tuple[str, ...]]:
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(
            f"close has columns of {frame.columns.nlevels} levels, such as {frame.columns[0]!r}; take the closes "
            "alone, as frame['Close'] of what yfinance returns"
        )
    assets = tuple(str(c) for c in frame.columns)
    if len(assets) < 2:
        raise DataError(
            f"close has {len(assets)} asset(s) {list(assets)}; a portfolio needs at least two assets"
        )
    if len(set(assets)) < len(assets):
        twice = sorted({a for a in assets if assets.count(a) > 1})
        raise DataError(f"asset names repeat: {twice[:5]}; give every column its own name")
    if len(frame) < 2:
        raise DataError(f"close has {len(frame)} date(s); at least two are needed for one period")
    if not frame.index.is_unique or not frame.index.is_monotonic_increasing:
        raise DataError("the dates of close repeat or are out of order; sort by date and drop duplicates")
    return frame.index, assets


def _field(values: Prices, name: str, like: pd.DataFrame) -> AnyArray:
    """Return a further field in the rows and columns of the close."""
    if is_table(values):
        frame = as_prices(values, name)
        missing = [c for c in like.columns if c not in frame.columns]
        if missing or not frame.index.is_unique or not like.index.isin(frame.index).all():
            raise DataError(f"{name} lacks dates or assets of close (first missing assets: {missing[:5]})")
        return frame.loc[like.index, list(like.columns)].to_numpy()
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} has rows of unequal lengths; close has shape {like.shape}") from error
    if array.shape != like.shape:
        raise DataError(f"{name} has shape {array.shape}; close has {like.shape}")
    return array


def _flags(values: AnyArray) -> BoolArray:
    """Return true and false, given as such or as 1 and 0."""
    if pd.isna(values).any():
        raise DataError("tradable contains missing values; give True or False for every date and asset")
    known = values == 1
    if not (known | (values == 0)).all():
        raise DataError("tradable holds values other than true and false; give True or False, or 1 and 0")
    return np.asarray(known, dtype=np.bool_)


def _check_changes(prices: FloatArray, dates: pd.Index[Any], assets: tuple[str, ...]) -> None:
    with np.errstate(over="ignore", under="ignore"):
        change = prices[1:] / prices[:-1]
    wild = ~((change < _LARGEST_CHANGE) & (change > 1 / _LARGEST_CHANGE))
    if wild.any():
        row, column = (int(i) for i in np.argwhere(wild)[0])
        raise DataError(
            f"close of {assets[column]} goes from {prices[row, column]:g} to {prices[row + 1, column]:g} at "
            f"{dates[row + 1]}; no price changes by a factor of {_LARGEST_CHANGE:g} in one period: check the units "
            "and the splits"
        )


def _check_prices(prices: FloatArray, dates: pd.Index[Any], assets: tuple[str, ...], name: str) -> None:
    bad = ~(np.isfinite(prices) & (prices > 0))
    if not bad.any():
        return
    row, column = (int(i) for i in np.argwhere(bad)[0])
    kind = "missing or infinite (NaN)" if not np.isfinite(prices[row, column]) else "zero or negative"
    raise DataError(
        f"{name} has {int(bad.sum())} bad prices; the first is {kind}: {float(prices[row, column])!r} for "
        f"{assets[column]} at {dates[row]}; drop the asset or the dates, or pass tradable=False there"
    )


def _check_cash_rate(cash_rate: ArrayLike, dates: pd.Index[Any], frequency: Frequency) -> FloatArray:
    n_dates = len(dates)
    if isinstance(cash_rate, pd.Series) and not isinstance(cash_rate.index, pd.RangeIndex):
        cash_rate = align(pd.Series(0.0, index=dates), cash_rate, ("close", "cash_rate"))
    values = check_array("cash_rate", cash_rate, what="a rate per period, or one per date", missing=True)
    if values.shape not in ((), (n_dates,)):
        raise DataError(f"cash_rate has shape {values.shape}; give one number or one per date, ({n_dates},)")
    if not (np.isfinite(values) & (values > -1)).all():
        raise DataError("cash_rate has missing or infinite values, or is at or below -100 % a period")
    periods = frequency.periods_per_year
    if np.abs(values).max() > _LARGE_DAILY_RATE * max(1.0, PERIODS_PER_YEAR / periods / 4):
        warnings.warn(
            f"cash_rate reaches {float(np.abs(values).max()):.4g} per period; it is a rate per "
            f"{'day' if periods >= PERIODS_PER_YEAR else 'period'}, not per year: "
            f"4 % a year is 1.04 ** (1 / {periods:g}) - 1",
            DataWarning,
            stacklevel=3,
        )
    return np.array(np.broadcast_to(values, n_dates))
