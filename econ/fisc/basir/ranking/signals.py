"""Signals for the ranker: attention, surprise, the last budget, momentum, beta, volatility."""

from __future__ import annotations

import csv
import datetime as dt
import importlib.resources
import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from fisc.basir.sectors.mentions import surprise
from fisc.core import (
    DataError,
    DataWarning,
    TableLike,
    as_dated,
    as_frame,
    check_number,
    check_table,
    check_whole,
    read_day_list,
)
from fisc.data import load_budget_attention, load_budget_returns

__all__ = [
    "budget_names",
    "index_sectors",
    "packaged_signals",
    "ranking_signals",
    "returns_by_budget",
    "sector_returns",
    "signals_by_budget",
]

MOMENTUM_DAYS = 21


def index_sectors() -> dict[str, list[str]]:
    """Return which sectors of the default taxonomy each NIFTY index holds most of.

    Returns
    -------
    dict of str to list of str

    Examples
    --------
    >>> index_sectors()["NIFTY METAL"]
    ['Steel', 'Non Ferrous Metals', 'Mining & Minerals']
    """
    path = importlib.resources.files("fisc.basir").joinpath("index_sectors.csv")
    with path.open(encoding="utf-8") as lines:
        return {row["index"]: row["sectors"].split(";") for row in csv.DictReader(lines)}


def ranking_signals(
    mentions: TableLike,
    returns: pd.Series[float] | TableLike,
    *,
    groups: Mapping[str, Sequence[str]],
    budgets: Iterable[str | dt.date] | None = None,
    prices: TableLike | None = None,
    market: str | None = None,
) -> pd.DataFrame:
    """Build the signals of each budget and asset from what was known when the speech ended.

    Parameters
    ----------
    mentions : table, shape (n_speeches, n_sectors)
        Attention by date: `fisc.data.load_budget_attention()` or ``attention(...).mentions``.
    returns : Series or table
        Abnormal returns, per cent, by (budget, asset); only earlier budgets are used. A table has the
        columns budget, sector and one of returns.
    groups : mapping of str to list of str
        Sectors of each asset; `index_sectors` for NIFTY indices.
    budgets : sequence of dates, optional
        Budgets to build signals for; by default those of `returns`.
    prices : table, optional
        Closing prices of the assets by day, for momentum (last 21 days up to the day before), beta and volatility
        (per cent a day, 250 days).
    market : str, optional
        Column of `prices` that is the market.

    Returns
    -------
    DataFrame
        Indexed by (budget, sector): attention, surprise, last_budget, and with prices momentum, beta,
        volatility.

    Raises
    ------
    DataError
        If a budget has no speech among the mentions, or a sector is unknown.
    """
    speech = as_dated("mentions", mentions, what="mentions, one row for each speech")
    unknown = sorted({s for members in groups.values() for s in members} - set(speech.columns))
    if unknown:
        raise DataError(f"groups name sectors that mentions lacks: {', '.join(unknown[:5])}")
    news = surprise(speech)
    past = returns_by_budget(returns)
    past.index = pd.MultiIndex.from_arrays(
        [pd.to_datetime(past.index.get_level_values(0)), past.index.get_level_values(1)],
        names=["budget", "sector"],
    )
    closes = None if prices is None else as_dated("prices", prices, what="closing prices by day")
    if closes is not None and market is not None and market not in closes.columns:
        raise DataError(
            f"market={market!r} is not a column of prices ({', '.join(map(str, closes.columns[:8]))})"
        )
    wanted = (
        pd.DatetimeIndex(read_day_list("budgets", list(budgets)))
        if budgets is not None
        else past.index.get_level_values(0).unique()
    )
    rows = []
    for budget in sorted(wanted):
        if budget not in speech.index:
            raise DataError(
                f"there is no speech of {budget:%Y-%m-%d} among the mentions; add it or leave the budget out"
            )
        before = past[past.index.get_level_values(0) < budget]
        assets = (
            past.loc[budget].index
            if budget in past.index.get_level_values(0)
            else pd.Index([a for a in groups if closes is None or a in closes.columns])
        )
        last = before.groupby(level=1).last() if len(before) else pd.Series(dtype=float)
        for asset in assets:
            if asset not in groups:
                continue
            members = list(groups[asset])
            rows.append(
                {
                    "budget": budget, "sector": asset,
                    "attention": float(speech.loc[budget, members].sum()),
                    "surprise": float(news.loc[budget, members].sum(min_count=1)),
                    "last_budget": float(last.get(asset, np.nan)),
                    **(_price_signals(closes, asset, budget, market) if closes is not None else {}),
                }
            )  # fmt: skip
    if not rows:
        raise DataError("no signal could be built: no asset of the returns is in groups")
    return pd.DataFrame(rows).set_index(["budget", "sector"])


def packaged_signals() -> tuple[pd.DataFrame, pd.Series[float]]:
    """Return signals and abnormal returns (per cent) of the budgets that ship with fisc, 2017 to 2021.

    Returns
    -------
    DataFrame
        attention, surprise, last_budget, volatility, indexed by (budget, sector).
    Series
        Abnormal returns, per cent.
    """
    table = load_budget_returns()
    index = pd.MultiIndex.from_arrays(
        [pd.to_datetime(table["date"]), table["index"]], names=["budget", "sector"]
    )
    returns = pd.Series(table["abnormal_pct"].to_numpy(), index=index, name="abnormal_pct")
    signals = ranking_signals(load_budget_attention(), returns, groups=index_sectors())
    sigma = pd.Series(table["sigma_pct"].to_numpy(), index=index)
    return signals.assign(volatility=sigma.reindex(signals.index)), returns.reindex(signals.index)


def sector_returns(
    prices: TableLike,
    members: Mapping[str, str] | pd.Series[str],
    *,
    weights: TableLike | None = None,
    at_least: int = 3,
    winsorise: float = 0.0,
) -> pd.DataFrame:
    """Build sector price levels from the prices of their constituents.

    Parameters
    ----------
    prices : table, shape (n_days, n_stocks)
        Closing prices adjusted for splits, by day.
    members : mapping or Series of stock to sector
        As of the time studied: today's members applied to the past leave out those that failed.
    weights : table, optional
        Market values of the stocks on each day; yesterday's are used. Equal weights by default.
    at_least : int
        Constituents that must trade for a day's return; a sector with fewer members is dropped with a
        warning that counts them.
    winsorise : float
        Share of each day's stock returns pulled in at either end, 0..0.25.

    Returns
    -------
    DataFrame, shape (n_days, n_sectors)
        Levels that begin at 100; missing while too few constituents trade. What was dropped is in
        ``.attrs["dropped"]``.

    Raises
    ------
    DataError
        If no sector has enough constituents.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.to_datetime(["2020-01-01", "2020-01-02"])
    >>> p = pd.DataFrame({"A": [10.0, 11.0], "B": [20.0, 20.0], "C": [5.0, 5.5]}, index=days)
    >>> round(float(sector_returns(p, {"A": "Steel", "B": "Steel", "C": "Steel"})["Steel"].iloc[1]), 4)
    106.6667
    """
    what = "prices, one row for each day and one column for each asset"
    closes = check_table("prices", as_dated("prices", prices, what=what), what=what, dates=True).sort_index()
    if ((closes <= 0).to_numpy()).any():
        raise DataError("prices holds zero or negative values; leave missing prices empty")
    values = None
    if weights is not None:
        what = "market values by day, one column for each asset"
        values = check_table("weights", as_dated("weights", weights, what=what), what=what, dates=True)
    winsorise = check_number("winsorise", winsorise, least=0, below=0.5, what="a share of one end")
    at_least = check_whole("at_least", at_least, least=1)
    if not isinstance(members, (Mapping, pd.Series)):
        raise DataError(
            f"members is of type {type(members).__name__}; give a mapping of price columns to sectors"
        )
    table = pd.Series(dict(members))
    held = table[table.index.isin(closes.columns)]
    counts = held.value_counts()
    small = counts[counts < at_least]
    if len(small):
        warnings.warn(
            f"{len(small)} of {len(counts)} sectors have fewer than {at_least} constituents and are dropped "
            f"(first: {small.index[0]}, {small.iloc[0]})",
            DataWarning,
            stacklevel=2,
        )
    kept = counts[counts >= at_least].index
    if not len(kept):
        raise DataError(
            f"no sector has {at_least} constituents among {closes.shape[1]} price columns; check the membership"
        )
    returns = closes.pct_change(fill_method=None)
    if winsorise:
        low, high = returns.quantile(winsorise, axis=1), returns.quantile(1 - winsorise, axis=1)
        returns = returns.clip(low, high, axis=0)
    levels = {}
    for sector in sorted(kept):
        block = returns[held.index[held == sector]]
        share = (
            values.reindex(index=block.index, columns=block.columns).shift(1)
            if values is not None
            else block * 0 + 1
        )
        share = share.where(block.notna())
        enough = block.notna().sum(axis=1) >= at_least
        daily = ((block * share).sum(axis=1) / share.sum(axis=1)).where(enough)
        daily.iloc[0] = 0.0
        levels[sector] = 100 * (1 + daily.fillna(0.0)).cumprod().where(daily.notna())
    out = pd.DataFrame(levels, index=closes.index)
    out.attrs["dropped"] = {str(k): int(v) for k, v in small.items()}
    return out


def signals_by_budget(table: TableLike) -> pd.DataFrame:
    """Return signals by (budget, sector): the index, or columns of these names."""
    frame = _by_budget("signals", table)
    if frame.index.has_duplicates:
        raise DataError(
            f"{int(frame.index.duplicated().sum())} (budget, sector) rows occur twice in the signals; keep one"
        )
    return frame


def returns_by_budget(returns: pd.Series[float] | TableLike) -> pd.Series[float]:
    """Return returns by (budget, sector), from a series or a table with one column beside these two."""
    if not isinstance(returns, pd.Series):
        frame = _by_budget("returns", returns)
        if frame.shape[1] != 1:
            raise DataError(
                f"returns has {frame.shape[1]} columns beside budget and sector; give one, of returns in per cent"
            )
        return frame.iloc[:, 0].copy()
    if returns.index.nlevels != 2:
        raise DataError("returns must be indexed by (budget, sector); set_index(['budget', 'sector']) first")
    return returns.copy()


def budget_names(budgets: Iterable[object]) -> list[str]:
    """Return budgets as text, days as ``YYYY-MM-DD``."""
    return [str(b.date()) if isinstance(b, dt.datetime) else str(b) for b in budgets]


def _by_budget(name: str, table: TableLike) -> pd.DataFrame:
    frame = as_frame(name, table, what="a table by (budget, sector)")
    if frame.index.nlevels == 2:
        return frame
    if not {"budget", "sector"} <= set(frame.columns):
        raise DataError(
            f"{name} must be indexed by (budget, sector) or have columns of these names; it has "
            f"{', '.join(map(str, frame.columns[:8]))}"
        )
    return frame.set_index(["budget", "sector"])


def _price_signals(
    prices: pd.DataFrame, asset: str, budget: pd.Timestamp, market: str | None
) -> dict[str, float]:
    """Return momentum, beta and volatility from prices up to the day before the budget."""
    known = prices.loc[prices.index < budget]
    if asset not in known.columns or len(known) < MOMENTUM_DAYS + 2:
        return {"momentum": float("nan"), "beta": float("nan"), "volatility": float("nan")}
    level = known[asset]
    daily = 100 * level.pct_change(fill_method=None).iloc[-250:]
    beta = float("nan")
    if market is not None:
        bench = 100 * known[market].pct_change(fill_method=None).iloc[-250:]
        both = daily.notna() & bench.notna()
        variance = float(bench[both].var())
        beta = float(daily[both].cov(bench[both]) / variance) if variance > 0 else float("nan")
    return {
        "momentum": 100 * float(level.iloc[-1] / level.iloc[-1 - MOMENTUM_DAYS] - 1),
        "beta": beta,
        "volatility": float(daily.std()),
    }
