"""Signals for the ranker: attention, surprise, the last budget, momentum, beta, volatility."""

from __future__ import annotations

import csv
import importlib.resources
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fisc.basir.sectors.mentions import surprise
from fisc.core import DataError, DataWarning, check_number, check_table, check_whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["index_sectors", "packaged_signals", "ranking_signals", "sector_returns"]

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
    mentions: pd.DataFrame,
    returns: pd.Series,
    *,
    groups: Mapping[str, Sequence[str]],
    budgets: Sequence[Any] | None = None,
    prices: pd.DataFrame | None = None,
    market: str | None = None,
) -> pd.DataFrame:
    """Build the signals of each budget and asset from what was known when the speech ended.

    Parameters
    ----------
    mentions : DataFrame, shape (n_speeches, n_sectors)
        Attention, indexed by date: `fisc.data.load_budget_attention()` or ``attention(...).mentions``.
    returns : Series
        Abnormal returns, per cent, indexed by (budget, asset); only earlier budgets are used.
    groups : mapping of str to list of str
        Sectors of each asset; `index_sectors` for NIFTY indices.
    budgets : sequence of dates, optional
        Budgets to build signals for; by default those of `returns`.
    prices : DataFrame, optional
        Closing prices of the assets, for momentum (last 21 days up to the day before), beta and volatility
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
    import pandas as pd

    unknown = sorted({s for members in groups.values() for s in members} - set(mentions.columns))
    if unknown:
        raise DataError(f"groups name sectors that mentions lacks: {', '.join(unknown[:5])}")
    speech = mentions.copy()
    speech.index = pd.to_datetime(speech.index)
    news = surprise(speech)
    past = returns.copy()
    past.index = pd.MultiIndex.from_arrays(
        [pd.to_datetime(past.index.get_level_values(0)), past.index.get_level_values(1)],
        names=["budget", "sector"],
    )
    wanted = pd.to_datetime(list(budgets)) if budgets is not None else past.index.get_level_values(0).unique()
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
            else pd.Index([a for a in groups if prices is None or a in prices.columns])
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
                    **(_price_signals(prices, asset, budget, market) if prices is not None else {}),
                }
            )  # fmt: skip
    if not rows:
        raise DataError("no signal could be built: no asset of the returns is in groups")
    return pd.DataFrame(rows).set_index(["budget", "sector"])


def packaged_signals() -> tuple[pd.DataFrame, pd.Series]:
    """Return signals and abnormal returns (per cent) of the budgets that ship with fisc, 2017 to 2021.

    Returns
    -------
    DataFrame
        attention, surprise, last_budget, volatility, indexed by (budget, sector).
    Series
        Abnormal returns, per cent.
    """
    import pandas as pd

    from fisc.data import load_budget_attention, load_budget_returns

    table = load_budget_returns()
    index = pd.MultiIndex.from_arrays(
        [pd.to_datetime(table["date"]), table["index"]], names=["budget", "sector"]
    )
    returns = pd.Series(table["abnormal_pct"].to_numpy(), index=index, name="abnormal_pct")
    signals = ranking_signals(load_budget_attention(), returns, groups=index_sectors())
    sigma = pd.Series(table["sigma_pct"].to_numpy(), index=index)
    return signals.assign(volatility=sigma.reindex(signals.index)), returns.reindex(signals.index)


def sector_returns(
    prices: pd.DataFrame,
    members: Mapping[str, str] | pd.Series,
    *,
    weights: pd.DataFrame | None = None,
    at_least: int = 3,
    winsorise: float = 0.0,
) -> pd.DataFrame:
    """Build sector price levels from the prices of their constituents.

    Parameters
    ----------
    prices : DataFrame, shape (n_days, n_stocks)
        Closing prices adjusted for splits.
    members : mapping or Series of stock to sector
        As of the time studied: today's members applied to the past leave out those that failed.
    weights : DataFrame, optional
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
    import pandas as pd

    prices = check_table("prices", prices, what="prices, one row a day and one column an asset")
    if ((prices <= 0).to_numpy()).any():
        raise DataError("prices holds zero or negative values; leave missing prices empty")
    if weights is not None:
        weights = check_table("weights", weights, what="weights, of the shape of prices")
    winsorise = check_number("winsorise", winsorise, least=0, below=0.5, what="a share of one end")
    at_least = check_whole("at_least", at_least, least=1)
    if not isinstance(members, (Mapping, pd.Series)):
        raise DataError(f"members is a {type(members).__name__}; give a mapping of price columns to sectors")
    table = pd.Series(dict(members))
    held = table[table.index.isin(prices.columns)]
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
            f"no sector has {at_least} constituents among {prices.shape[1]} price columns; check the membership"
        )
    returns = prices.pct_change(fill_method=None)
    if winsorise:
        low, high = returns.quantile(winsorise, axis=1), returns.quantile(1 - winsorise, axis=1)
        returns = returns.clip(low, high, axis=0)
    levels = {}
    for sector in sorted(kept):
        block = returns[held.index[held == sector]]
        share = weights.reindex(columns=block.columns).shift(1) if weights is not None else block * 0 + 1
        share = share.where(block.notna())
        enough = block.notna().sum(axis=1) >= at_least
        daily = ((block * share).sum(axis=1) / share.sum(axis=1)).where(enough)
        daily.iloc[0] = 0.0
        levels[sector] = 100 * (1 + daily.fillna(0.0)).cumprod().where(daily.notna())
    out = pd.DataFrame(levels, index=prices.index)
    out.attrs["dropped"] = {str(k): int(v) for k, v in small.items()}
    return out


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
