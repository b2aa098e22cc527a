"""The S&P 500 samples that ship inside the skfolio distribution."""

from __future__ import annotations

import gzip
import importlib.util
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from fisc.core.dates import read_date
from fisc.core.errors import CorruptFileError, DataError, MissingExtraError, nearest
from fisc.core.history import attach
from fisc.data.tables import embedded_provenance

__all__ = ["load_sp500", "load_sp500_index"]

_SOURCE = "skfolio distribution, originally Yahoo Finance"


def load_sp500(
    start: str | None = "2000-01-03",
    end: str | None = None,
    tickers: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Load daily adjusted closes of twenty S&P 500 stocks.

    The file is read from the installed skfolio distribution (extra ``portfolio``), without
    importing skfolio.

    Parameters
    ----------
    start, end : str or None
        First and last day, inclusive; None for all that there is (from 1990-01-02 to 2022-12-28).
    tickers : sequence of str, optional
        Some of the twenty, in the order wanted.

    Returns
    -------
    DataFrame, shape (n_days, n_tickers)
        USD a share, adjusted for splits and dividends; index ``date``, columns ``ticker``.

    Raises
    ------
    MissingExtraError
        If skfolio is not installed.
    DataError
        If a ticker does not exist, a date cannot be read, or nothing is left.

    Notes
    -----
    *Survivorship*: the stocks were chosen because they were members to the end, so any
    strategy looks too good on them. *Rounding*: prices carry three decimals, which is coarse
    where an early adjusted price is below one dollar.

    Examples
    --------
    >>> prices = load_sp500()
    >>> prices.shape, str(prices.index[0].date()), prices.columns[0]
    ((5785, 20), '2000-01-03', 'AAPL')
    """
    frame = _read("sp500_dataset.csv.gz")
    if tickers is not None:
        if isinstance(tickers, (str, bytes)) or not isinstance(tickers, Iterable):
            raise DataError(f"tickers={tickers!r:.80}; give a list of names such as ['AAPL', 'MSFT']")
        frame = frame[_known(list(tickers), list(frame.columns))]
    return _between(frame, start, end)


def load_sp500_index(start: str | None = "2000-01-03", end: str | None = None) -> pd.DataFrame:
    """Load daily closes of the S&P 500 price index.

    Parameters
    ----------
    start, end : str or None
        First and last day, inclusive; None for all that there is (from 1990-01-02 to 2022-12-28).

    Returns
    -------
    DataFrame, shape (n_days, 1)
        Index points without dividends; index ``date``, column ``SP500``.

    Raises
    ------
    MissingExtraError
        If skfolio is not installed.
    DataError
        If a date cannot be read, or nothing is left.

    Examples
    --------
    >>> float(load_sp500_index().loc["2022-12-28", "SP500"])
    3783.22
    """
    return _between(_read("sp500_index.csv.gz"), start, end)


def _read(file_name: str) -> pd.DataFrame:
    """Read one of skfolio's files without importing skfolio (2 s)."""
    found = importlib.util.find_spec("skfolio")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError(
            f"{file_name} ships in the skfolio distribution, which is not installed; "
            "pip install 'fisc[portfolio]' (or only: pip install skfolio)"
        )
    path = Path(next(iter(found.submodule_search_locations)), "datasets", "data", file_name)
    try:
        content = gzip.decompress(path.read_bytes())
        frame = pd.read_csv(io.BytesIO(content), index_col=0, parse_dates=[0])
    except (OSError, EOFError, ValueError) as error:
        raise CorruptFileError(
            f"{path} cannot be read ({error}); reinstall it: pip install --force-reinstall skfolio"
        ) from error
    frame.index.name = "date"
    frame.columns.name = "ticker"
    return attach(frame.astype("float64"), embedded_provenance({file_name: content}, _SOURCE))


def _known(wanted: list[str], there: list[str]) -> list[str]:
    """Return the wanted tickers, or say which one does not exist."""
    for ticker in wanted:
        if ticker not in there:
            guess = nearest(ticker, there)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise DataError(f"ticker {ticker!r} is not among the twenty{hint} ({', '.join(there)})")
    if not wanted:
        raise DataError("tickers=[] asks for nothing; leave it out for all twenty")
    return wanted


def _between(frame: pd.DataFrame, start: str | None, end: str | None) -> pd.DataFrame:
    """Return the rows from `start` to `end`, both included."""
    first, last = frame.index[0], frame.index[-1]
    for name, date in (("start", start), ("end", end)):
        if isinstance(date, (bool, int, float)):  # pandas would take it for nanoseconds since 1970
            raise DataError(f"{name}={date!r}; give a date like '2010-01-31'")
    try:
        begin = first if start is None else pd.Timestamp(read_date("start", start))
        finish = last if end is None else pd.Timestamp(read_date("end", end))
        if begin is pd.NaT or finish is pd.NaT:
            raise ValueError("a date is missing")
    except (TypeError, ValueError) as error:
        raise DataError(f"start={start!r}, end={end!r}: give dates like '2010-01-31'") from error
    part = frame.loc[begin:finish]
    if part.empty:
        raise DataError(
            f"no trading day between {start} and {end}; the data run from {first.date()} to {last.date()}"
        )
    return part
