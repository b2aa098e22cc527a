"""Run target weights through a market: exact returns, costs, weights."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq

from fisc.core import (
    TRADING_DAYS,
    DataError,
    FloatArray,
    Frequency,
    Provenance,
    check_is,
    check_number,
    check_whole,
    is_table,
    record,
)
from fisc.portfolio import plots
from fisc.portfolio.accounting import check_rate, drift, one_way_turnover, trade_kernel
from fisc.portfolio.market import CostRate, Market, Prices, as_market, as_prices
from fisc.portfolio.metrics import performance
from fisc.portfolio.rules import Rule, Targets
from fisc.portfolio.targets import decider
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BacktestResult", "Rule", "backtest", "cost_rates"]

Fee: TypeAlias = Callable[[FloatArray, float], float]


@dataclasses.dataclass(frozen=True)
class BacktestResult(Result):
    """What one strategy earned in one market, period by period.

    Returns and wealth carry the date at the end of their period; weights, turnover and cost
    the date at its start, when the trade took place. Wealth starts at 1 in cash.

    Attributes
    ----------
    gross_returns, net_returns : pandas.Series of length n_periods
        Simple returns before and after the cost of the trade at the start of the period.
    wealth : pandas.Series of length n_periods
        Wealth at the end of each period, net.
    weights : pandas.DataFrame of shape (n_periods, n_assets + 1)
        Weights held during the period, after trading; first column ``cash``.
    weights_end : pandas.DataFrame of shape (n_periods, n_assets + 1)
        Weights at the end of the period, before trading (drifted).
    turnover : pandas.Series of length n_periods
        One-way turnover at the start: half of the absolute weight changes, cash included.
    cost : pandas.Series of length n_periods
        Share of wealth lost to the trade, ``1 - mu``.
    cash_returns : pandas.Series of length n_periods
        What cash earned.
    traded : pandas.Series of length n_periods
        Value bought and sold, as a share of wealth before the trade (both legs).
    name : str
        Of the strategy.
    provenance : Provenance or None
        Options and fingerprints.
    frequency : Frequency
        How often there is a period, and the periods a year by which measures are annualised.
    """

    gross_returns: pd.Series
    net_returns: pd.Series
    wealth: pd.Series
    weights: pd.DataFrame
    weights_end: pd.DataFrame
    turnover: pd.Series
    cost: pd.Series
    cash_returns: pd.Series
    traded: pd.Series
    name: str = "portfolio"
    provenance: Provenance | None = None
    frequency: Frequency = TRADING_DAYS

    @property
    def periods_per_year(self) -> float:
        """Periods a year, by which measures are annualised."""
        return self.frequency.periods_per_year

    @property
    def returns(self) -> pd.Series[float]:
        """Net returns."""
        return self.net_returns

    @property
    def cash_share(self) -> pd.Series[float]:
        """Weight of cash during each period."""
        return self.weights.iloc[:, 0]

    @property
    def effective_n(self) -> pd.Series[float]:
        """Effective number of positions, ``1 / sum(w**2)``, cash counted as one."""
        return 1.0 / (self.weights**2).sum(axis=1)

    @property
    def cost_drag_bp(self) -> float:
        """Mean cost per period times the periods a year, in basis points a year."""
        return float(self.cost.mean() * self.periods_per_year * 1e4)

    @property
    def turnover_a_year(self) -> float:
        """One-way turnover a year: mean per period times the periods a year."""
        return float(self.turnover.mean() * self.periods_per_year)

    @property
    def break_even_cost(self) -> float:
        """Cost rate on both sides at which the gross growth would be used up; inf without trading.

        The rate ``c`` that solves ``sum log(1 - c * traded) + sum log(growth) = 0``; NaN where the
        strategy loses before cost.
        """
        growth = float(np.log1p(self.gross_returns).sum())
        traded = self.traded.to_numpy()
        if growth <= 0:
            return float("nan")
        if traded.max() <= 0:
            return float("inf")
        highest = (1 - 1e-12) / traded.max()
        return float(brentq(lambda c: np.log1p(-c * traded).sum() + growth, 0.0, highest))

    @functools.cached_property
    def _metrics(self) -> pd.Series[float]:
        measures = performance(self.net_returns, cash=self.cash_returns, periods=self.periods_per_year)
        gross = performance(self.gross_returns, cash=self.cash_returns, periods=self.periods_per_year)
        equal = 1.0 / (self.weights.shape[1] - 1)
        return pd.concat(
            [
                measures,
                pd.Series(
                    {
                        "gross_sharpe": gross["sharpe"],
                        "turnover": self.turnover_a_year,
                        "cost_drag_bp": self.cost_drag_bp,
                        "break_even_cost": self.break_even_cost,
                        "effective_n": float(self.effective_n.mean()),
                        "cash_share": float(self.cash_share.mean()),
                        "equal_weight_overlap": float(
                            np.minimum(self.weights.iloc[:, 1:].to_numpy(), equal).sum(axis=1).mean()
                        ),
                    }
                ),
            ]
        ).rename(self.name)

    def metrics(self) -> pd.Series[float]:
        """Return the measures of `fisc.portfolio.metrics.performance` and those of trading.

        Returns
        -------
        pandas.Series
            Those of `performance` on net returns, then ``gross_sharpe``, ``turnover`` (one-way,
            a year), ``cost_drag_bp`` (basis points a year), ``break_even_cost`` (rate),
            ``effective_n``, ``cash_share`` and ``equal_weight_overlap`` (share of wealth held as
            equal weight would hold it), the last three averaged over periods.
        """
        return self._metrics.copy()

    def terms(self) -> pd.DataFrame:
        """Return the measures of `metrics`, which is what stands side by side in a comparison."""
        return self.metrics().rename_axis("term").to_frame("estimate")

    def to_frame(self) -> pd.DataFrame:
        """Return one row a period (dated by its end): returns, wealth, turnover, cost, cash share."""
        return pd.DataFrame(
            {
                "gross_return": self.gross_returns,
                "net_return": self.net_returns,
                "wealth": self.wealth,
                "turnover": self.turnover.to_numpy(),
                "cost": self.cost.to_numpy(),
                "effective_n": self.effective_n.to_numpy(),
                "cash_share": self.cash_share.to_numpy(),
            }
        )

    def summary(self) -> str:
        """Return the main measures in four lines."""
        m = self.metrics()
        return (
            f"{self.name}: Sharpe {m['sharpe']:.2f} (s.e. {m['sharpe_se']:.2f}) over {len(self.wealth)} periods, "
            f"net of costs\n"
            f"return {m['annual_return']:.1%} and volatility {m['volatility']:.1%} a year, "
            f"largest drawdown {m['max_drawdown']:.1%}\n"
            f"turnover {m['turnover']:.2f} a year one-way, cost {m['cost_drag_bp']:.0f} bp a year, "
            f"effective N {m['effective_n']:.1f}, cash {m['cash_share']:.1%}\n"
            f"annualised from {self.frequency}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw wealth on a logarithmic axis and return the Axes."""
        return plots.wealth({self.name: self.wealth}, ax=ax)

    def section(self) -> Section:
        """Return measures and the picture of wealth and drawdown as a section."""
        figure = Figure.from_matplotlib(
            plots.wealth_with_drawdown({self.name: self.wealth}),
            caption="Wealth after costs (start 1, logarithmic) and distance below its highest value.",
            alt=self.summary(),
        )
        table = Table(self.metrics().to_frame("value"), caption="Measures", decimals=3)
        return Section(
            f"Backtest of {self.name}",
            body=self.summary().replace("\n", "; "),
            figures=(figure,),
            tables=(table,),
            provenance=self.provenance,
        )


def cost_rates(name: str, rate: CostRate, market: Market) -> FloatArray:
    """Return cost rates as an array (1, n_assets), or (n_dates, n_assets) where they change.

    `rate` is one rate; one per asset (a mapping or Series by name, or an array in the market's order); one per
    date and asset (a table or array); or a function of ``(t, market)`` that returns one rate or one per asset.

    Examples
    --------
    >>> market = Market.from_prices([[1.0, 2.0], [1.0, 2.0]])
    >>> cost_rates("sell", {"asset0": 0.001, "asset1": 0.002}, market).tolist()
    [[0.001, 0.002]]
    """
    n_dates, n_assets = market.close.shape
    if callable(rate):
        rows = [np.broadcast_to(check_rate(name, rate(t, market)), n_assets) for t in range(n_dates)]
        return np.array(rows)
    given: npt.ArrayLike
    if isinstance(rate, Mapping | pd.Series):
        given = [rate[a] for a in _all_assets(name, market, rate)]
    elif is_table(rate):
        table = as_prices(rate, name)
        given = table.reindex(market.dates)[_all_assets(name, market, table.columns)].to_numpy()
    else:
        given = rate  # type: ignore[assignment]
    values = check_rate(name, given)
    if values.ndim == 2 and values.shape != (n_dates, n_assets):
        raise DataError(f"{name} has shape {values.shape}; a table of rates must be ({n_dates}, {n_assets})")
    if values.ndim == 1 and values.shape != (n_assets,):
        raise DataError(
            f"{name} has {values.size} rates for {n_assets} assets; give one number or one per asset"
        )
    if values.ndim > 2:
        raise DataError(f"{name} has {values.ndim} dimensions; give a number, one per asset, or a table")
    return np.ascontiguousarray(values if values.ndim == 2 else np.broadcast_to(values, (1, n_assets)))


def _all_assets(name: str, market: Market, known: Container[str]) -> list[str]:
    missing = [asset for asset in market.assets if asset not in known]
    if missing:
        raise DataError(
            f"{name} has no rate for {missing[:5]}; give one for each of {market.n_assets} assets"
        )
    return list(market.assets)


def backtest(
    market_or_prices: Market | Prices,
    targets: Targets,
    *,
    buy: CostRate,
    sell: CostRate,
    lag: int = 0,
    fee: Fee | None = None,
    start: int = 0,
    stop: int | None = None,
    name: str | None = None,
    periods_per_year: float | None = None,
) -> BacktestResult:
    """Run target weights through a market, exactly and net of costs.

    Wealth starts at 1 in cash. The target of row ``t`` is decided with the data up to close
    ``t``, traded at close ``t + lag``, and earns until the next close; the last row's target is
    not traded. A row without a target (not in the table, or all missing) leaves the holdings
    to drift.

    Parameters
    ----------
    market_or_prices : Market, table or array
        The market, or closing prices for `Market.from_prices`.
    targets : table, mapping, array or callable
        *table* by date (a subset of dates is fine) with columns cash first and then the
        assets, or the assets alone (no cash is held then); *mapping* of date to such weights;
        *array* with one row a date; a *callable* ``f(history)`` or ``f(history, weights)`` that
        gets the closing prices up to and including today (a DataFrame) and the drifted weights
        (cash first) and returns weights, or None to leave the holdings alone; an object with
        ``decide(t, weights)`` (see `Rule`); or a strategy of `fisc.portfolio.baselines`.
        Weights are at least 0 and sum to 1.
    buy, sell : float, mapping, Series, array, table or callable
        Cost rates in [0, 1), see `cost_rates`; 0.25 % is 0.0025.
    lag : int, default 0
        Closes between decision and trade.
    fee : callable, optional
        Further cost as a share of wealth, ``fee(trades, wealth)`` of the signed trades in the
        assets (shares of wealth): a minimum fee, a market impact.
    start, stop : int, optional
        First row on which to decide, and last close (exclusive); earlier rows are history.
    name : str, optional
        Of the strategy.
    periods_per_year : float, optional
        By which measures are annualised; by default told by the dates, see `Market.from_prices`.

    Returns
    -------
    BacktestResult

    Raises
    ------
    DataError
        If weights do not sum to one, are negative, or do not fit the market; if costs are
        outside [0, 1).

    Examples
    --------
    >>> prices = [[10.0, 20.0], [11.0, 20.0], [11.0, 22.0]]
    >>> result = backtest(prices, lambda history: [0.0, 0.5, 0.5], buy=0.001, sell=0.001)
    >>> result.net_returns.round(5).tolist()
    [0.04895, 0.04995]
    """
    market = as_market(market_or_prices, periods_per_year)
    lag = min(check_whole("lag", lag, least=0), len(market))  # a longer one never trades either
    start, stop = check_whole("start", start), len(market) if stop is None else check_whole("stop", stop)
    if name is not None:
        check_is("name", name, str, how="give text")
    if fee is not None and not callable(fee):
        raise DataError(
            f"fee={fee!r:.80} cannot be called; give a function of (trades, wealth), and rates as buy= and sell="
        )
    if not 0 <= start < stop - 1 < len(market):
        raise DataError(f"rows {start} to {stop} of {len(market)} hold no period; give start < stop - 1")
    name = name or _name(targets)
    bind = getattr(targets, "bind", None)
    if callable(bind) and not isinstance(targets, pd.DataFrame | Mapping):
        targets = bind(market, start)  # a baseline or an agent, not yet tied to a market
    decide = decider(market, targets)
    c_p, c_s = cost_rates("buy", buy, market), cost_rates("sell", sell, market)
    n_periods, width = stop - 1 - start, market.n_assets + 1
    drifted, held = np.empty((n_periods, width)), np.empty((n_periods, width))
    mu = np.ones(n_periods)
    end = np.zeros(width)
    end[0] = 1.0
    tradable = np.ascontiguousarray(market.tradable)
    waiting: list[FloatArray | None] = [None] * lag
    wealth = 1.0
    for row, t in enumerate(range(start, stop - 1)):
        drifted[row] = held[row] = end
        waiting.append(decide(t, end))
        target = waiting.pop(0)
        if target is not None:
            now, extra = held[row], 0.0
            for charged in (False, True)[: 1 if fee is None else 2]:
                if charged and fee is not None:
                    extra = _check_fee(fee(mu[row] * now[1:] - end[1:], wealth))
                p, q = t if len(c_p) > 1 else 0, t if len(c_s) > 1 else 0
                mu[row] = trade_kernel(end[None], 0, target, tradable, t, c_p, p, c_s, q, extra, now)
        growth, end = drift(held[row], market.relatives[t])
        wealth *= mu[row] * float(growth)
    return _collect(market, drifted, held, mu, start, name, (buy, sell, lag))


def _collect(
    market: Market,
    drifted: FloatArray,
    held: FloatArray,
    mu: FloatArray,
    start: int,
    name: str,
    options: tuple[CostRate, CostRate, int],
) -> BacktestResult:
    n_periods = len(mu)
    begins, ends = market.dates[start : start + n_periods], market.dates[start + 1 : start + 1 + n_periods]
    relatives = market.relatives[start : start + n_periods]
    growth, weights_end = drift(held, relatives)
    columns = ["cash", *market.assets]
    buy, sell, lag = options
    return BacktestResult(
        gross_returns=pd.Series(growth - 1.0, index=ends, name="gross_return"),
        net_returns=pd.Series(mu * growth - 1.0, index=ends, name="net_return"),
        wealth=pd.Series(np.cumprod(mu * growth), index=ends, name="wealth"),
        weights=pd.DataFrame(held, index=begins, columns=columns),
        weights_end=pd.DataFrame(weights_end, index=ends, columns=columns),
        turnover=pd.Series(one_way_turnover(drifted, held), index=begins, name="turnover"),
        cost=pd.Series(1.0 - mu, index=begins, name="cost"),
        cash_returns=pd.Series(relatives[:, 0] - 1.0, index=ends, name="cash_return"),
        traded=pd.Series(
            np.abs(mu[:, None] * held[:, 1:] - drifted[:, 1:]).sum(axis=1), index=begins, name="traded"
        ),
        name=name,
        provenance=record(
            options={
                "buy": buy,
                "sell": sell,
                "lag": lag,
                "name": name,
                "periods_per_year": market.periods_per_year,
            },
            inputs={"close": market.close[start : start + n_periods + 1]},
            notes=market.notes,
        ),
        frequency=market.frequency,
    )


def _name(targets: Targets) -> str:
    given = getattr(targets, "name", None)
    return given if isinstance(given, str) else "portfolio"


def _check_fee(fee: float) -> float:
    return check_number("what fee returned", fee, least=0, below=1, what="a share of wealth")
