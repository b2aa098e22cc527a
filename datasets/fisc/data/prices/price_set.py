"""What a set of prices is: closes, and what is known about each of them."""

from __future__ import annotations

import dataclasses
import enum
import html
import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fisc.core.arrays import IntArray
from fisc.core.errors import DataError
from fisc.core.frames import TableLike, as_dated, as_frame
from fisc.core.history import Provenance, attach
from fisc.core.palette import COLOURS, GRID
from fisc.core.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "PriceSet",
    "PriceState",
    "carries_states",
    "currencies",
    "price_states",
    "price_status",
    "tradable",
]

# One JSON text and not an object: pandas copies attrs deeply on most operations, compares
# them in concat, and writes them to Parquet as JSON. A text is safe and cheap in all three.
_KEY = "fisc_prices"

_, _RED, _, _PINK, _ORANGE, _SKY, _ = COLOURS
_MOST_ROWS = 40

CHECK_COLUMNS = ("check", "ticker", "date", "value", "action")
EVENT_COLUMNS = ("ticker", "date", "kind", "value")
STATUS_COLUMNS = ("ticker", "outcome", "reason", "rows", "first", "last", "currency", "attempts")


class PriceState(enum.IntEnum):
    """What stands behind one cell of a table of closes.

    Attributes
    ----------
    TRADED : int
        A close of that day.
    STALE : int
        No close that day: the last one was carried forward, over at most ``max_gap`` rows.
    MISSING : int
        No close, and none near enough to carry forward: the cell is NaN.
    SUSPENDED : int
        A close is given, but nothing changed hands that day (volume zero).
    NOT_LISTED : int
        Before the first close of the asset: the cell is NaN.
    """

    TRADED = 0
    STALE = 1
    MISSING = 2
    SUSPENDED = 3
    NOT_LISTED = 4

    @property
    def label(self) -> str:
        """The name in words, such as ``"not listed"``."""
        return self.name.lower().replace("_", " ")


_COLOURS = {
    PriceState.TRADED: _SKY,
    PriceState.STALE: _ORANGE,
    PriceState.MISSING: _RED,
    PriceState.SUSPENDED: _PINK,
    PriceState.NOT_LISTED: GRID,
}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PriceSet(Result):
    """Prices of several assets with everything known about them.

    Attributes
    ----------
    close : DataFrame of float64, (days, tickers)
        The chosen price field, adjusted as asked; gaps of at most ``max_gap`` rows are filled.
        Index: naive dates, ascending, unique, named ``date``.
    states : DataFrame of int8, (days, tickers)
        A `PriceState` for each cell of `close`.
    fields : dict of str to DataFrame
        The other fields that the source has, never filled: ``open``, ``high``, ``low`` (adjusted
        by the same factors as `close`) and ``volume`` (as given).
    events : DataFrame
        ``ticker``, ``date`` (ex-date), ``kind`` (``dividend``, ``split``, ``capital gain``),
        ``value`` (money per share, or new shares per old one).
    status : DataFrame
        One row a ticker, also those that failed: ``outcome``, ``reason``, ``rows``, ``first``,
        ``last``, ``currency``, ``attempts``.
    checks : DataFrame
        ``check``, ``ticker``, ``date``, ``value``, ``action`` (``flagged``, ``dropped``,
        ``repaired`` ...): each thing that looked wrong, and what was done.
    provenance : Provenance
        Options, fingerprints, counts of repairs.
    """

    close: pd.DataFrame
    states: pd.DataFrame
    fields: dict[str, pd.DataFrame]
    events: pd.DataFrame
    status: pd.DataFrame
    checks: pd.DataFrame
    provenance: Provenance

    @property
    def tradable(self) -> pd.DataFrame:
        """True where the asset could be bought or sold that day, (days, tickers)."""
        return self.states == PriceState.TRADED

    def to_frame(self) -> pd.DataFrame:
        """Return the closes with their mask, status and provenance attached.

        Returns
        -------
        DataFrame of float64, (days, tickers)
            `fisc.data.tradable`, `price_states`, `price_status` and `provenance` read the rest
            from it.
        """
        frame = self.close.copy()
        frame.attrs[_KEY] = json.dumps({"runs": _encode(self.states), "status": _records(self.status)})
        return attach(frame, self.provenance)

    def summary(self) -> str:
        """Return a few lines: size, span, states, events, what was repaired."""
        days, assets = self.close.shape
        span = f"{self.close.index[0]:%Y-%m-%d} to {self.close.index[-1]:%Y-%m-%d}"
        counts = np.bincount(self.states.to_numpy().ravel(), minlength=len(PriceState))
        lines = [
            f"{assets} assets x {days} days, {span}",
            "cells: " + ", ".join(f"{counts[state]} {state.label}" for state in PriceState if counts[state]),
        ]
        if len(self.events):
            kinds = self.events["kind"].value_counts()
            lines.append("events: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()))
        failed = self.status.index[self.status["outcome"] == "failed"]
        if len(failed):
            lines.append(f"failed: {', '.join(map(str, failed))}")
        lines.extend(f"note: {note}" for note in self.provenance.notes)
        return "\n".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Show when each asset was traded, stale, missing, suspended or not yet listed.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes
            One bar an asset over time; of more than 40 assets, those with the most cells that
            were not traded.
        """
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
        from matplotlib.figure import Figure
        from matplotlib.patches import Patch

        idle = (self.states != PriceState.TRADED).sum()
        worst = set(idle.nlargest(_MOST_ROWS, keep="first").index)
        shown = [ticker for ticker in self.states.columns if ticker in worst]
        if ax is None:
            height = 1.3 + 0.22 * len(shown)
            ax = Figure(figsize=(7.0, height), layout="constrained").subplots()
        # matplotlib counts time in days since 1970, as numpy does
        days = self.states.index.to_numpy().astype("datetime64[D]").astype(float)
        ends = np.append(days[1:], days[-1] + 1.0)
        for row, ticker in enumerate(shown):
            bar = (row - 0.4, 0.8)
            ax.broken_barh([(days[0], ends[-1] - days[0])], bar, facecolors=_COLOURS[PriceState.TRADED])
            for code, first, last in _runs(self.states[ticker].to_numpy()):
                colour = _COLOURS[PriceState(code)]
                # the edge keeps a single day visible in a picture of many years
                ax.broken_barh([(days[first], ends[last] - days[first])], bar, color=colour, linewidth=0.7)
        ax.set_yticks(range(len(shown)), [str(ticker) for ticker in shown])
        ax.set_ylim(len(shown) - 0.4, -0.6)
        ax.set_xlim(days[0], ends[-1])
        locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        present = set(np.unique(self.states[shown].to_numpy()).tolist())
        handles = [
            Patch(color=_COLOURS[state], label=state.label) for state in PriceState if state in present
        ]
        ax.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False, handlelength=1
        )
        return ax

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"


def price_states(frame: TableLike) -> pd.DataFrame:
    """Say for each cell of a table of closes what stands behind it.

    Parameters
    ----------
    frame : table, (days, tickers)
        An answer of `read_prices` or `fetch_prices`, or rows and columns of one. Of any other
        table of closes (pandas, polars, Arrow, DuckDB), only NaN tells something.

    Returns
    -------
    DataFrame of int8, (days, tickers)
        Values of `PriceState`.

    Raises
    ------
    DataError
        If the table has no dates.

    Examples
    --------
    >>> closes = pd.DataFrame({"A": [np.nan, 1.0, 2.0]}, index=pd.date_range("2024-01-01", periods=3))
    >>> [PriceState(code).label for code in price_states(closes)["A"]]
    ['not listed', 'traded', 'traded']
    """
    frame = as_dated("frame", frame, what="prices by day")
    known = frame.notna().to_numpy()
    codes = np.where(known, PriceState.TRADED, PriceState.MISSING).astype(np.int8)
    codes[~np.logical_or.accumulate(known, axis=0)] = PriceState.NOT_LISTED
    runs = json.loads(frame.attrs[_KEY])["runs"] if _KEY in frame.attrs else {}
    days = frame.index.to_numpy().astype("datetime64[D]")
    for position, ticker in enumerate(frame.columns):
        for code, first, last in runs.get(str(ticker), ()):
            inside = (days >= np.datetime64(first)) & (days <= np.datetime64(last))
            codes[inside, position] = code
    return pd.DataFrame(codes, index=frame.index, columns=frame.columns)


def tradable(frame: TableLike) -> pd.DataFrame:
    """Say for each cell of a table of closes whether the asset could be traded that day.

    Parameters
    ----------
    frame : table, (days, tickers)
        An answer of `read_prices` or `fetch_prices`, or rows and columns of one.

    Returns
    -------
    DataFrame of bool, (days, tickers)
        False where the asset was suspended, missing, stale (its price carried forward) or not
        yet listed; `price_states` says which.

    Examples
    --------
    >>> closes = pd.DataFrame({"A": [np.nan, 1.0, 2.0]}, index=pd.date_range("2024-01-01", periods=3))
    >>> tradable(closes)["A"].tolist()
    [False, True, True]
    """
    return price_states(frame) == PriceState.TRADED


def carries_states(frame: pd.DataFrame) -> bool:
    """Tell whether a frame still carries what `read_prices` or `fetch_prices` know of its cells.

    Examples
    --------
    >>> carries_states(pd.DataFrame({"A": [1.0]}))
    False
    """
    return _KEY in frame.attrs


def currencies(frame: pd.DataFrame) -> dict[str, str]:
    """Return the currency of each column for which one is known.

    Examples
    --------
    >>> currencies(pd.DataFrame({"A": [1.0]}))
    {}
    """
    if _KEY not in frame.attrs:
        return {}
    known = {str(row["ticker"]): row.get("currency") for row in json.loads(frame.attrs[_KEY])["status"]}
    return {str(name): str(known[str(name)]) for name in frame.columns if known.get(str(name))}


def with_currency(frame: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Return the frame with one currency written down for all columns."""
    held = json.loads(frame.attrs[_KEY])
    for row in held["status"]:
        row["currency"] = currency
    frame.attrs[_KEY] = json.dumps(held)
    return frame


def price_status(frame: TableLike) -> pd.DataFrame:
    """Return the report per ticker that came with some prices.

    Parameters
    ----------
    frame : DataFrame
        An answer of `read_prices` or `fetch_prices`, or rows and columns of one.

    Returns
    -------
    DataFrame
        Index ``ticker`` (also those that failed); columns ``outcome``, ``reason``, ``rows``,
        ``first``, ``last``, ``currency``, ``attempts``.

    Raises
    ------
    DataError
        If the frame carries no report.
    """
    held = as_frame("frame", frame).attrs.get(_KEY)
    if held is None:
        raise DataError(
            "this frame carries no status per ticker: it did not come from read_prices or "
            "fetch_prices, or an operation dropped it; ask on the frame as it was returned"
        )
    return _status_table(json.loads(held)["status"])


def _runs(codes: IntArray) -> list[tuple[int, int, int]]:
    """Return (state, first row, last row) of each run of cells that were not simply traded."""
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    stops = np.r_[starts[1:], len(codes)] - 1
    runs = zip(codes[starts].tolist(), starts.tolist(), stops.tolist(), strict=True)
    return [run for run in runs if run[0] != PriceState.TRADED]


def _encode(states: pd.DataFrame) -> dict[str, list[list[object]]]:
    """Write the cells that were not simply traded as runs of (state, first day, last day)."""
    days = np.datetime_as_string(states.index.to_numpy(), unit="D").tolist()
    runs: dict[str, list[list[object]]] = {}
    for ticker, column in states.items():
        spans = [[code, days[first], days[last]] for code, first, last in _runs(column.to_numpy())]
        if spans:
            runs[str(ticker)] = spans
    return runs


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    """Write a small table as records of plain JSON types."""
    flat = table if table.index.name is None else table.reset_index()
    plain = json.loads(flat.to_json(orient="records", date_format="iso", double_precision=15))
    for row in plain:
        for key in ("date", "first", "last"):
            if row.get(key):
                row[key] = row[key][:10]
    return list(plain)


def _status_table(records: list[dict[str, object]]) -> pd.DataFrame:
    """Build the report per ticker from its records."""
    table = pd.DataFrame(records, columns=list(STATUS_COLUMNS))
    for name in ("first", "last"):
        table[name] = pd.to_datetime(table[name]).astype("datetime64[us]")
    return table.set_index("ticker")
