"""Event study: abnormal returns of sectors around budget days."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from fisc.basir.market.estimation import ESTIMATED, Fit, Move, drop_reasons, fit_model, measure
from fisc.basir.market.event_tests import event_tests
from fisc.basir.market.prices import Day, Events, aligned, event_rows
from fisc.basir.options import ReturnModel, TestedBy
from fisc.basir.plots import plot_event_strips
from fisc.core import (
    AnyArray,
    DataError,
    DataWarning,
    FloatArray,
    IntArray,
    Provenance,
    TableLike,
    attach,
    check_option,
    check_whole,
    record,
)
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EventStudy", "event_returns", "event_study"]


@dataclasses.dataclass(frozen=True)
class EventStudy(Result):
    """Abnormal returns with what their tests need.

    Attributes
    ----------
    frame : DataFrame
        One row for each event, asset and day; the columns are those of `event_returns`.
    standardised : ndarray, shape (n_pairs, n_days)
        Abnormal return of each (event, asset) pair and day over its prediction standard error.
    scar : ndarray, shape (n_pairs,)
        Cumulative abnormal return of the window over its prediction standard error.
    residuals : ndarray, shape (n_pairs, n_estimation)
        Residuals of the estimation window, missing where there was no price.
    window_abnormal : ndarray, shape (n_pairs, n_days)
        Abnormal returns, per cent.
    pairs : DataFrame
        event, asset, n_estimation of each pair.
    dropped : DataFrame
        event, asset, reason of the pairs that could not be computed.
    model : {"market", "mean_adjusted", "market_adjusted"}
    provenance : Provenance
    """

    frame: pd.DataFrame
    standardised: FloatArray
    scar: FloatArray
    residuals: FloatArray
    window_abnormal: FloatArray
    pairs: pd.DataFrame
    dropped: pd.DataFrame
    model: ReturnModel
    provenance: Provenance

    def tests(self, by: TestedBy = "event") -> pd.DataFrame:
        """Test whether abnormal returns are zero.

        Parameters
        ----------
        by : {"event", "asset"}
            "event": across assets on each event; they share the day, so `kp_t` is the one to read.
            "asset": across events for each asset; events are apart in time, so their correlation is taken
            as 0.

        Returns
        -------
        DataFrame
            Indexed by event or asset: n, mean_car_pct, mean_correlation, patell_z, bmp_t, kp_t, kp_p
            (two-sided, t distribution with n - 1 degrees), corrado_z (for several days the mean over them
            times the root of their number), variance_ratio (mean squared standardised abnormal return; 1
            on an ordinary day).
        """
        return event_tests(
            self.pairs,
            by=by,
            abnormal=self.window_abnormal,
            standardised=self.standardised,
            scar=self.scar,
            residuals=self.residuals,
            estimated=max(ESTIMATED[self.model], 1),
        )

    def summary(self) -> str:
        """Return the size of the study and its largest moves on the first day of the window."""
        first = self.frame[self.frame["day"] == self.frame["day"].min()]
        top = first.reindex(first["abnormal_pct"].abs().sort_values(ascending=False).index).head(3)
        big = "; ".join(f"{r.asset} {r.abnormal_pct:+.2f} % on {r.date:%Y-%m-%d}" for r in top.itertuples())
        return (
            f"{self.model} model: {self.frame['event'].nunique()} events, {self.frame['asset'].nunique()} assets, "
            f"{len(self.pairs)} pairs ({len(self.dropped)} dropped)\nlargest abnormal returns: {big}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each event, asset and day."""
        return self.frame

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the abnormal returns of the first day of the window, one strip for each asset."""
        return plot_event_strips(self.frame, ax=ax)

    def section(self) -> Section:
        """Return a report section with the strips and the tests by event."""
        return Section(
            "What the market made of it",
            f"Abnormal returns by the {self.model.replace('_', '-')} model. All sectors share the day, so the "
            "test that allows for their correlation (adjusted BMP) is the one to read.",
            figures=(
                Figure.from_matplotlib(
                    self.plot(),
                    caption="Abnormal return of each sector on each event day",
                    alt="Strips of returns",
                ),
            ),
            tables=(Table(self.tests(by="event"), caption="Tests across sectors, by event", decimals=3),),
            notes=tuple(self.provenance.notes),
            provenance=self.provenance,
        )


def event_returns(
    prices: TableLike,
    events: Events,
    *,
    market: str | pd.Series[float] | TableLike,
    model: ReturnModel = "market",
    window: tuple[int, int] = (0, 0),
    estimation: tuple[int, int] = (-250, -11),
) -> pd.DataFrame:
    """Return abnormal returns around events.

    AR(i, t) = R(i, t) - E[R(i, t)] with the expectation of the chosen model: "market" a + b R(m, t)
    estimated by least squares before the event, "mean_adjusted" the mean before the event,
    "market_adjusted" R(m, t) itself.

    Parameters
    ----------
    prices : table, shape (n_days, n_assets)
        Closing prices or index levels, one column for each asset; trading days as the index or as a column.
    events : sequence of dates, or table
        Days of the events. A table has a column ``date`` and may have a boolean column ``evening``:
        an event after the close moves the next trading day.
    market : str, Series or table
        Column of `prices` that is the market, or its own prices by day.
    model : {"market", "mean_adjusted", "market_adjusted"}
    window : (int, int)
        First and last trading day reported, relative to the event; (0, 5) is the day and five more.
    estimation : (int, int)
        First and last trading day of the estimation window; it must end before the event window.

    Returns
    -------
    DataFrame
        Columns event, day (relative), date, asset, raw_pct, expected_pct, abnormal_pct, car_pct (sum of
        abnormal from the first day of the window), sigma_pct (standard deviation of the residuals),
        t (abnormal over sigma), sar (abnormal over its prediction standard error), alpha_pct, beta,
        n_estimation. Per cent. What was dropped is in ``.attrs["dropped"]``, with a warning.

    Raises
    ------
    DataError
        If prices end before an event, the windows overlap, or a price is not positive.
    OptionError
        If the model or the market column is unknown.

    Notes
    -----
    An event on a day without trading counts for the next trading day, with a warning. Special sessions
    (a Saturday budget) are ordinary trading days if the prices have them. A pair with fewer than 30
    usable days in the estimation window is dropped and counted.

    References
    ----------
    MacKinlay (1997), Event studies in economics and finance, Journal of Economic Literature 35.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> days = pd.bdate_range("2020-01-01", periods=300)
    >>> rng = np.random.default_rng(0)
    >>> m = rng.normal(0, 0.01, 300)
    >>> prices = pd.DataFrame({"M": np.cumprod(1 + m), "A": np.cumprod(1 + 1.2 * m)}, index=days)
    >>> out = event_returns(prices, [days[280]], market="M")
    >>> round(float(out["beta"].iloc[0]), 3), abs(round(float(out["abnormal_pct"].iloc[0]), 6))
    (1.2, 0.0)
    """
    study = event_study(prices, events, market=market, model=model, window=window, estimation=estimation)
    frame = attach(study.frame, study.provenance)
    frame.attrs["dropped"] = study.dropped.to_dict("records")
    return frame


def event_study(
    prices: TableLike,
    events: Events,
    *,
    market: str | pd.Series[float] | TableLike,
    model: ReturnModel = "market",
    window: tuple[int, int] = (0, 0),
    estimation: tuple[int, int] = (-250, -11),
) -> EventStudy:
    """Run an event study; the parameters are those of `event_returns`.

    Returns
    -------
    EventStudy
        Abnormal returns, and what `EventStudy.tests` needs.

    Examples
    --------
    >>> days = pd.bdate_range("2020-01-01", periods=300)
    >>> m = np.random.default_rng(0).normal(0, 0.01, 300)
    >>> prices = pd.DataFrame({"M": np.cumprod(1 + m), "A": np.cumprod(1 + 1.2 * m**3)}, index=days)
    >>> event_study(prices, [days[280]], market="M").tests()["n"].tolist()
    [1]
    """
    check_option("model", model, get_args(ReturnModel))
    first, last = _checked_window("window", window)
    begin, end = _checked_window("estimation", estimation)
    if end >= first:
        raise DataError(
            f"estimation {estimation} reaches into the event window {window}; let it end before day {first}, e.g. -11"
        )
    levels, market_levels = aligned(prices, market)
    days, assets = pd.DatetimeIndex(levels.index), [str(c) for c in levels.columns]
    with np.errstate(invalid="ignore"):
        # In one memory order, so that sums have the same bits whatever library held the prices.
        returns: FloatArray = 100 * np.ascontiguousarray(
            levels.pct_change(fill_method=None).to_numpy(dtype=np.float64)
        )
        benchmark: FloatArray = 100 * np.asarray(market_levels.pct_change(fill_method=None), dtype=np.float64)
    notes: list[str] = []
    studied = []
    for event, at in event_rows(events, days, notes):
        _check_span(event, days, at, first, last)
        learn = slice(max(at + begin, 1), max(at + end + 1, 1))
        span = slice(at + first, at + last + 1)
        fit = fit_model(returns[learn], benchmark[learn], model, end - begin + 1)
        studied.append((event, days[span], fit, measure(fit, returns[span], benchmark[span], model)))
    reasons = [drop_reasons(fit, move.abnormal, model) for _, _, fit, move in studied]
    kept = [np.flatnonzero([not reason for reason in each]) for each in reasons]
    dropped = [
        (event, asset, reason)
        for (event, *_), each in zip(studied, reasons, strict=True)
        for asset, reason in zip(assets, each, strict=True)
        if reason
    ]
    pairs = [
        (event, assets[j], int(fit.count[j]))
        for (event, _, fit, _), own in zip(studied, kept, strict=True)
        for j in own
    ]
    _note_dropped(dropped, len(pairs), notes)
    rows = [
        _rows(event, span, fit, move, own, assets, first)
        for (event, span, fit, move), own in zip(studied, kept, strict=True)
        if len(own)
    ]
    history = record(
        options={"model": model, "window": window, "estimation": estimation, "market": market_levels.name},
        inputs={"prices": levels, "market": market_levels.to_frame("market")},
        notes=notes,
    )
    moves = [(fit, move, own) for (_, _, fit, move), own in zip(studied, kept, strict=True)]
    return EventStudy(
        pd.concat(rows, ignore_index=True),
        np.concatenate([move.standardised[:, own].T for _, move, own in moves]),
        np.concatenate([move.scar[own] for _, move, own in moves]),
        np.concatenate([fit.residuals[:, own].T for fit, _, own in moves]),
        np.concatenate([move.abnormal[:, own].T for _, move, own in moves]),
        pd.DataFrame(pairs, columns=["event", "asset", "n_estimation"]),
        pd.DataFrame(dropped, columns=["event", "asset", "reason"]),
        model,
        history,
    )


def _rows(
    event: Day, days: pd.DatetimeIndex, fit: Fit, move: Move, own: IntArray, assets: list[str], first: int
) -> pd.DataFrame:
    """Return one row for each asset that is kept and each day of one event."""
    n = len(days)

    def daily(values: FloatArray) -> FloatArray:
        return values[:, own].T.ravel()

    def constant(values: AnyArray) -> AnyArray:
        return np.repeat(values[own], n)

    sigma = constant(fit.sigma)
    return pd.DataFrame(
        {
            "event": event,
            "day": np.tile(np.arange(first, first + n), len(own)),
            "date": np.tile(days, len(own)),
            "asset": np.repeat([assets[j] for j in own], n),
            "raw_pct": daily(move.raw),
            "expected_pct": daily(move.expected),
            "abnormal_pct": daily(move.abnormal),
            "car_pct": daily(move.abnormal.cumsum(axis=0)),
            "sigma_pct": sigma,
            "t": daily(move.abnormal) / sigma,
            "sar": daily(move.standardised),
            "alpha_pct": constant(fit.alpha),
            "beta": constant(fit.beta),
            "n_estimation": constant(fit.count),
        }
    )


def _note_dropped(dropped: list[tuple[Day, str, str]], pairs: int, notes: list[str]) -> None:
    """Count what was dropped in a warning; nothing left is an error."""
    if not pairs:
        raise DataError(
            f"no (event, asset) pair can be computed; the first was dropped because {dropped[0][2]}"
        )
    if dropped:
        notes.append(
            f"{len(dropped)} of {len(dropped) + pairs} (event, asset) pairs dropped: {dropped[0][2]}"
        )
        warnings.warn(
            f"{notes[-1]} (first: {dropped[0][1]}); see .attrs['dropped']", DataWarning, stacklevel=4
        )


def _check_span(event: Day, days: pd.DatetimeIndex, at: int, first: int, last: int) -> None:
    if at + last >= len(days):
        raise DataError(
            f"prices end on {days[-1]:%Y-%m-%d}, before day {last:+d} of the event of {event:%Y-%m-%d}; "
            "give longer prices, a shorter window, or leave the event out"
        )
    if at + first < 1:
        raise DataError(
            f"prices begin on {days[0]:%Y-%m-%d}, too late for the event of {event:%Y-%m-%d}; "
            "give earlier prices or leave the event out"
        )


def _checked_window(name: str, value: tuple[int, int]) -> tuple[int, int]:
    how = "give (first, last) trading days relative to the event"
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise DataError(f"{name}={value!r:.80} is not a window; {how}")
    first, last = (check_whole(f"a day of {name}", day) for day in value)
    if first > last:
        raise DataError(f"{name}={value!r} is not a window; {how}")
    return first, last
