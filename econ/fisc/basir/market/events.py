"""Event study: abnormal returns of sectors around budget days."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fisc.core import (
    DataError,
    DataWarning,
    Provenance,
    attach,
    check_option,
    check_table,
    check_whole,
    nearest,
    record,
)
from fisc.report import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from fisc.report import Section

__all__ = ["EventStudy", "event_returns", "event_study"]

Model = Literal["market", "mean_adjusted", "market_adjusted"]
MODELS = ("market", "mean_adjusted", "market_adjusted")
LEAST_ESTIMATION_DAYS = 30


@dataclasses.dataclass(frozen=True)
class EventStudy(Result):
    """Abnormal returns with what their tests need.

    Attributes
    ----------
    frame : DataFrame
        One row an event, asset and day; the columns are those of `event_returns`.
    standardised : ndarray, shape (n_pairs, n_days)
        Abnormal return of each (event, asset) pair and day over its prediction standard error.
    scar : ndarray, shape (n_pairs,)
        Cumulative abnormal return of the window over its prediction standard error.
    residuals : ndarray, shape (n_pairs, n_estimation)
        Residuals of the estimation window, missing where there was no price.
    window_abnormal : ndarray, shape (n_pairs, n_days)
        Abnormal returns, per cent.
    pairs : DataFrame
        event, asset, n_estimation, market_shift of each pair.
    dropped : DataFrame
        event, asset, reason of the pairs that could not be computed.
    model : str
    provenance : Provenance
    """

    frame: pd.DataFrame
    standardised: Any
    scar: Any
    residuals: Any
    window_abnormal: Any
    pairs: pd.DataFrame
    dropped: pd.DataFrame
    model: str
    provenance: Provenance

    def tests(self, by: Literal["event", "asset"] = "event") -> pd.DataFrame:
        """Test whether abnormal returns are zero; see `fisc.basir.market.event_tests.event_tests`."""
        from fisc.basir.market.event_tests import event_tests

        return event_tests(self, by=by)

    def summary(self) -> str:
        """Return the size of the study and its largest moves."""
        day0 = self.frame[self.frame["day"] == self.frame["day"].min()]
        top = day0.reindex(day0["abnormal_pct"].abs().sort_values(ascending=False).index).head(3)
        big = "; ".join(f"{r.asset} {r.abnormal_pct:+.2f} % on {r.date:%Y-%m-%d}" for r in top.itertuples())
        return (
            f"{self.model} model: {self.frame['event'].nunique()} events, {self.frame['asset'].nunique()} assets, "
            f"{len(self.pairs)} pairs ({len(self.dropped)} dropped)\nlargest abnormal returns: {big}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row an event, asset and day."""
        return self.frame

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the abnormal returns of the first day of the window, one strip an asset."""
        from fisc.basir.plots import plot_event_strips

        return plot_event_strips(self.frame, ax=ax)

    def section(self) -> Section:
        """Return a report section with the strips and the tests by event."""
        from fisc.report import Figure, Section, Table

        tests = self.tests(by="event")
        return Section(
            "What the market made of it",
            f"Abnormal returns by the {self.model.replace('_', '-')} model. All sectors share the day, "
            f"so the test that "
            "allows for their correlation (adjusted BMP) is the one to read.",
            figures=(
                Figure.from_matplotlib(
                    self.plot(),
                    caption="Abnormal return of each sector on each event day",
                    alt="Strips of returns",
                ),
            ),
            tables=(Table(tests, caption="Tests across sectors, by event", decimals=3),),
            notes=tuple(self.provenance.notes),
            provenance=self.provenance,
        )


def event_returns(
    prices: pd.DataFrame,
    events: Any,
    *,
    market: str | pd.Series,
    model: Model = "market",
    window: tuple[int, int] = (0, 0),
    estimation: tuple[int, int] = (-250, -11),
) -> pd.DataFrame:
    """Return abnormal returns around events.

    AR(i, t) = R(i, t) - E[R(i, t)] with the expectation of the chosen model: "market" a + b R(m, t)
    estimated by least squares before the event, "mean_adjusted" the mean before the event,
    "market_adjusted" R(m, t) itself.

    Parameters
    ----------
    prices : DataFrame, shape (n_days, n_assets)
        Closing prices or index levels, one column an asset, indexed by trading day.
    events : sequence of dates, or DataFrame
        Days of the events. A DataFrame has a column ``date`` and may have a boolean column ``evening``:
        an event after the close moves the next trading day.
    market : str or Series
        Column of `prices` that is the market, or its own price series.
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
    prices: pd.DataFrame,
    events: Any,
    *,
    market: str | pd.Series,
    model: Model = "market",
    window: tuple[int, int] = (0, 0),
    estimation: tuple[int, int] = (-250, -11),
) -> EventStudy:
    """Run an event study; the parameters are those of `event_returns`.

    Returns
    -------
    EventStudy
        Abnormal returns, and what `EventStudy.tests` needs.
    """
    import pandas as pd

    check_option("model", model, MODELS)
    first, last = _checked_window("window", window)
    begin, end = _checked_window("estimation", estimation)
    if end >= first:
        raise DataError(
            f"estimation {estimation} reaches into the event window {window}; let it end before day {first}, e.g. -11"
        )
    levels, market_levels = _aligned(prices, market)
    assets = [str(c) for c in levels.columns]
    days = pd.DatetimeIndex(levels.index)
    with np.errstate(invalid="ignore"):
        returns = 100 * levels.pct_change(fill_method=None).to_numpy()
        benchmark = 100 * market_levels.pct_change(fill_method=None).to_numpy()
    notes: list[str] = []
    where = _positions(events, days, notes)
    rows, pairs, dropped = [], [], []
    sars, scars, residuals, abnormals = [], [], [], []
    for event, at in where:
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
        fit = _fit(
            returns, benchmark, slice(max(at + begin, 1), max(at + end + 1, 1)), model, -begin + end + 1
        )
        span = slice(at + first, at + last + 1)
        raw, bench = returns[span], benchmark[span]
        expected = fit.alpha + np.where(fit.beta == 0, 0.0, fit.beta * bench[:, None])
        abnormal = raw - expected
        for j, asset in enumerate(assets):
            reason = _reason(fit, j, abnormal[:, j])
            if reason:
                dropped.append({"event": event, "asset": asset, "reason": reason})
                continue
            ar = abnormal[:, j]
            deviation = bench - fit.market_mean[j]
            length, squares = fit.count[j], fit.market_squares[j]
            slope = model == "market"
            level = 0.0 if model == "market_adjusted" else 1.0
            forecast = 1.0 + level / length + (deviation**2 / squares if slope else 0.0)
            sar = ar / (fit.sigma[j] * np.sqrt(forecast))
            n = len(ar)
            spread = n + level * n**2 / length + (deviation.sum() ** 2 / squares if slope else 0.0)
            sars.append(sar)
            scars.append(ar.sum() / (fit.sigma[j] * np.sqrt(spread)))
            residuals.append(fit.residuals[:, j])
            abnormals.append(ar)
            pairs.append({"event": event, "asset": asset, "n_estimation": int(length)})
            for d in range(n):
                rows.append(
                    (
                        event, first + d, days[at + first + d], asset, raw[d, j], expected[d, j], ar[d],
                        ar[: d + 1].sum(), fit.sigma[j], ar[d] / fit.sigma[j], sar[d], fit.alpha[j], fit.beta[j],
                        int(length),
                    )
                )  # fmt: skip
    if dropped:
        notes.append(
            f"{len(dropped)} of {len(dropped) + len(pairs)} (event, asset) pairs dropped: {dropped[0]['reason']}"
        )
        warnings.warn(
            f"{notes[-1]} (first: {dropped[0]['asset']}); see .attrs['dropped']", DataWarning, stacklevel=3
        )
    if not pairs:
        raise DataError(
            f"no (event, asset) pair can be computed; the first was dropped because {dropped[0]['reason']}"
        )
    columns = [
        "event",
        "day",
        "date",
        "asset",
        "raw_pct",
        "expected_pct",
        "abnormal_pct",
        "car_pct",
        "sigma_pct",
        "t",
        "sar",
        "alpha_pct",
        "beta",
        "n_estimation",
    ]
    history = record(
        options={"model": model, "window": window, "estimation": estimation, "market": market_levels.name},
        inputs={"prices": levels, "market": market_levels.to_frame("market")},
        notes=notes,
    )
    return EventStudy(
        pd.DataFrame(rows, columns=columns), np.array(sars), np.array(scars), np.array(residuals), np.array(abnormals),
        pd.DataFrame(pairs), pd.DataFrame(dropped, columns=["event", "asset", "reason"]), model, history,
    )  # fmt: skip


LARGEST_CHANGE = 1e9  # no price moves by such a factor in a day; squares of it would overflow


@dataclasses.dataclass(frozen=True)
class _Fit:
    """Estimates of one event, one entry an asset; residuals have shape (n_estimation, n_assets)."""

    alpha: Any
    beta: Any
    sigma: Any
    count: Any
    market_mean: Any
    market_squares: Any
    residuals: Any


def _fit(returns: Any, benchmark: Any, rows: slice, model: str, length: int) -> _Fit:
    y = returns[rows]
    m = benchmark[rows][:, None]
    ok = np.isfinite(y) & np.isfinite(m)
    count = ok.sum(axis=0)
    safe = np.maximum(count, 1)
    y0, m0 = np.where(ok, y, 0.0), np.where(ok, m, 0.0)
    y_mean, m_mean = y0.sum(axis=0) / safe, m0.sum(axis=0) / safe
    dy, dm = np.where(ok, y - y_mean, 0.0), np.where(ok, m - m_mean, 0.0)
    squares = (dm**2).sum(axis=0)
    if model == "market":
        beta = (dm * dy).sum(axis=0) / np.where(squares > 0, squares, np.nan)
        alpha, used = y_mean - beta * m_mean, 2
    elif model == "mean_adjusted":
        beta, alpha, used = np.zeros(len(count)), y_mean, 1
    else:
        beta, alpha, used = np.ones(len(count)), np.zeros(len(count)), 0
    residuals = np.where(ok, y - alpha - np.where(beta == 0, 0.0, beta * m), np.nan)
    total = np.nansum(residuals**2, axis=0)
    # The market-adjusted model estimates nothing, so its spread is taken around its own mean.
    if model == "market_adjusted":
        total = total - safe * (np.nansum(residuals, axis=0) / safe) ** 2
        used = 1
    sigma = np.sqrt(np.maximum(total, 0.0) / np.maximum(count - used, 1))
    padded = np.full((length, y.shape[1]), np.nan)
    padded[length - len(residuals) :] = residuals
    return _Fit(alpha, beta, sigma, count, m_mean, squares, padded)


def _reason(fit: _Fit, j: int, abnormal: Any) -> str:
    if fit.count[j] < LEAST_ESTIMATION_DAYS:
        return f"only {fit.count[j]} usable days in the estimation window, at least {LEAST_ESTIMATION_DAYS} are needed"
    if not np.isfinite(abnormal).all():
        return "no price on a day of the event window or on the day before it"
    if not fit.sigma[j] > 0:
        return "its price does not move in the estimation window"
    return ""


def _checked_window(name: str, value: tuple[int, int]) -> tuple[int, int]:
    how = "give (first, last) trading days relative to the event"
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise DataError(f"{name}={value!r:.80} is not a window; {how}")
    first, last = (check_whole(f"a day of {name}", day) for day in value)
    if first > last:
        raise DataError(f"{name}={value!r} is not a window; {how}")
    return first, last


def _aligned(prices: pd.DataFrame, market: str | pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    """Return asset prices and market prices on the days on which the market has a price."""
    import pandas as pd

    frame = check_table("prices", prices, what="one row a trading day and one column an asset", dates=True)
    if frame.index.has_duplicates:
        raise DataError(
            f"{int(frame.index.duplicated().sum())} days occur twice in prices; keep one row a day"
        )
    frame = frame.sort_index()
    if isinstance(market, pd.Series):
        series = check_table("market", market.to_frame(), what="the market's price by day", dates=True)
        if series.index.has_duplicates:
            raise DataError("days occur twice in market; keep one price a day")
        benchmark = series.iloc[:, 0].reindex(frame.index)
        benchmark.name = market.name or "market"
    else:
        if not isinstance(market, str) or market not in frame.columns:
            guess = nearest(market, map(str, frame.columns))
            raise DataError(
                f"market={market!r} is not a column of prices{f'; did you mean {guess!r}?' if guess else ''} "
                "(or give the market's own price series)"
            )
        benchmark = frame[market]
        frame = frame.drop(columns=[market])
    if frame.shape[1] == 0:
        raise DataError("prices holds the market and nothing else; give at least one other column")
    every = np.column_stack([frame.to_numpy(), benchmark.to_numpy()])
    bad = int((every <= 0).sum())
    if bad:
        raise DataError(
            f"{bad} prices are zero or negative; prices must be positive, and missing ones left empty"
        )
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        change = every[1:] / every[:-1]
    if (change > LARGEST_CHANGE).any() or (change < 1 / LARGEST_CHANGE).any():
        raise DataError(
            f"prices change by a factor of more than {LARGEST_CHANGE:g} from one day to the next; check the units, "
            "and leave missing prices empty"
        )
    traded = benchmark.notna()
    if not traded.any():
        raise DataError("the market has no price on any day of prices; check the dates of both")
    return frame[traded], benchmark[traded]


def _positions(events: Any, days: pd.DatetimeIndex, notes: list[str]) -> list[tuple[pd.Timestamp, int]]:
    """Return each event with the row of the trading day that could react to it first."""
    import pandas as pd

    if isinstance(events, pd.DataFrame):
        if "date" not in events.columns:
            raise DataError(f"events needs a column 'date'; it has {', '.join(map(str, events.columns))}")
        dates = list(events["date"])
        evening = (
            list(events["evening"].astype(bool)) if "evening" in events.columns else [False] * len(dates)
        )
    else:
        dates = [events] if isinstance(events, (str, pd.Timestamp)) else list(_iterable(events))
        evening = [False] * len(dates)
    if not dates:
        raise DataError("no events were given; expected at least one date")
    out, moved, late = [], [], 0
    for given, after_close in zip(dates, evening, strict=True):
        try:
            day = pd.Timestamp(given)
            if pd.isna(day):
                raise ValueError("it is missing")
            day = day.normalize()
            if (day.tz is None) != (days.tz is None):
                raise ValueError("it and the dates of prices must both have a time zone, or neither")
        except (ValueError, TypeError) as error:
            raise DataError(f"event {given!r} is not a date: {error}") from error
        if day > days[-1]:
            raise DataError(
                f"prices end on {days[-1]:%Y-%m-%d}, before the event of {day:%Y-%m-%d}; give longer "
                f"prices or leave it out"
            )
        at = int(days.searchsorted(day))
        if days[at] != day:
            moved.append(f"{day:%Y-%m-%d} to {days[at]:%Y-%m-%d}")
        elif after_close:
            late += 1
            at += 1
            if at >= len(days):
                raise DataError(
                    f"prices end on the day of the evening event of {day:%Y-%m-%d}; the next day is needed"
                )
        out.append((day, at))
    if moved:
        notes.append(
            f"{len(moved)} of {len(out)} events fell on days without trading and count for the next: "
            f"{', '.join(moved[:3])}"
        )
        warnings.warn(notes[-1], DataWarning, stacklevel=5)
    if late:
        notes.append(f"{late} of {len(out)} events came after the close and count for the next trading day")
    return out


def _iterable(events: Any) -> Iterable[Any]:
    if not isinstance(events, Iterable):
        raise DataError(f"events is {events!r}; expected dates, or a DataFrame with a column 'date'")
    return events
