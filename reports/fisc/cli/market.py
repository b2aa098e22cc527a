"""The demo's section on the market itself: prices, returns, drawdowns, two simple strategies."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from fisc.core import provenance, record
from fisc.data import load_sp500, load_sp500_index
from fisc.portfolio import BacktestResult, Market, backtest, baselines
from fisc.portfolio.plots import wealth_with_drawdown
from fisc.portfolio.statistics import sharpe_difference
from fisc.report import Figure, Section, Table, style

__all__ = ["market_section"]

# One-way cost of a trade, as a share of what is traded.
COST = 0.0025
# Curves of levels are drawn weekly: finer is not to be seen.
STEP = 5
SHOWN = ("AAPL", "AMD", "GE", "RRC")


def market_section(seed: int = 0) -> Section:
    """Describe the twenty S&P 500 stocks, and compare two portfolios that need no forecast."""
    prices, index = load_sp500(), load_sp500_index()["SP500"]
    market = Market.from_prices(prices)
    runs = {
        label: backtest(market, baselines.get(name), buy=COST, sell=COST)
        for label, name in (("buy and hold", "buy_and_hold"), ("equal weight, monthly", "equal_monthly"))
    }
    years = f"{prices.index[0].year} to {prices.index[-1].year}"
    return Section(
        "Twenty stocks of the S&P 500",
        question="Did restoring equal weights every month pay, after costs, against buying once and holding?",
        finding=_finding(runs, seed),
        body=(
            f"Daily closes of {prices.shape[1]} stocks, {years}. The stocks were chosen because they were "
            "still in the index at the end, so all returns here are **too good**: read the differences "
            "between strategies, not their levels."
        ),
        figures=[
            _paths(prices, index),
            _distribution(prices),
            _wealth(runs, index),
        ],
        tables=[_table(runs)],
        notes=[
            (
                f"A trade costs {COST:.2%} of what is bought or sold; the backtest is exact (drifting "
                "weights, wealth after cost solved to machine precision)."
            ),
            "Prices carry three decimals: below one dollar, daily returns are coarse.",
        ],
        provenance=record(
            options={"cost": COST},
            inputs=dict.fromkeys(provenance(prices).inputs, prices) | {"SP500": index},
            seed=seed,
            source=provenance(prices).source,
        ),
    )


def _finding(runs: dict[str, BacktestResult], seed: int) -> str:
    """Say which strategy had the higher Sharpe ratio, if the data can tell."""
    held, restored = runs.values()
    gap = sharpe_difference(restored.net_returns, held.net_returns, random_state=seed)
    words = f"{gap.estimate:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}]".replace("-", "−")
    if gap.low <= 0 <= gap.high:
        return f"No difference found: Sharpe ratio {words} a year (95 % interval)."
    better = "Yes" if gap.estimate > 0 else "No"
    return f"{better}: Sharpe ratio {words} a year (95 % interval)."


def _paths(prices: pd.DataFrame, index: pd.Series[float]) -> Figure:
    with style.context():
        fig, ax = style.figure(7.0, 3.8)
        growth = (prices / prices.iloc[0]).iloc[::STEP]
        index = (index / index.iloc[0]).iloc[::STEP]
        ax.plot(growth.index, growth, color=style.GRID, linewidth=0.8)
        for ticker, colour in zip(SHOWN, style.COLOURS, strict=False):
            ax.plot(growth.index, growth[ticker], color=colour, linewidth=1.2, label=ticker)
        ax.plot(index.index, index, color=style.INK, linewidth=1.6, label="S&P 500 index")
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
        ax.set_ylabel("growth of 1 USD (logarithmic)")
        style.date_axis(ax)
        ax.legend(ncols=3, loc="upper left")
    return Figure.from_matplotlib(
        fig,
        caption="Growth of one dollar in each stock (four by name), and the index without dividends.",
        alt="Twenty lines of growth from 2000 to 2022 on a logarithmic axis; most end above the index.",
    )


def _distribution(prices: pd.DataFrame) -> Figure:
    daily = prices.pct_change().iloc[1:].to_numpy().ravel()
    standard = (daily - daily.mean()) / daily.std()
    edges = np.linspace(-8, 8, 81)
    middle = (edges[1:] + edges[:-1]) / 2
    density, _ = np.histogram(standard, bins=edges)
    with style.context():
        fig, ax = style.figure(7.0, 3.2)
        ax.stairs(
            density / (len(standard) * (edges[1] - edges[0])),
            edges,
            fill=True,
            color=style.COLOURS[0],
            alpha=0.55,
            label="stocks",
        )
        ax.plot(middle, stats.norm.pdf(middle), color=style.COLOURS[1], label="normal distribution")
        ax.set_yscale("log")
        ax.set_ylim(1e-5, 1)
        ax.set_xlabel("daily return, in standard deviations")
        ax.set_ylabel("density (logarithmic)")
        ax.legend(loc="upper right")
    beyond = float(np.mean(np.abs(standard) > 4))
    return Figure.from_matplotlib(
        fig,
        caption=(
            f"Daily returns of all stocks: {beyond:.2%} lie more than four standard deviations out, "
            f"against {2 * stats.norm.sf(4):.4%} under a normal distribution. Drawn to eight."
        ),
        alt="Histogram of standardised returns with tails far above the normal curve.",
    )


def _wealth(runs: dict[str, BacktestResult], index: pd.Series[float]) -> Figure:
    level = index.reindex(next(iter(runs.values())).wealth.index).ffill().bfill()
    lines: dict[str, BacktestResult | pd.Series[float]] = {**runs, "S&P 500 index": level / level.iloc[0]}
    return Figure.from_matplotlib(
        wealth_with_drawdown(lines),
        caption=f"Wealth after costs of {COST:.2%} a trade, and how far below its last peak a holder stood.",
        alt="Three wealth curves from 2000 to 2022 above their drawdowns, deepest in 2009.",
    )


def _table(runs: dict[str, BacktestResult]) -> Table:
    shown = {
        "annual_return": "return a year",
        "volatility": "volatility",
        "sharpe": "Sharpe",
        "sharpe_se": "s.e.",
        "max_drawdown": "largest drawdown",
        "turnover": "turnover a year",
        "cost_drag_bp": "cost, bp a year",
    }
    frame = pd.DataFrame({name: run.metrics()[list(shown)] for name, run in runs.items()}).T
    frame.columns = pd.Index(list(shown.values()))
    return Table(
        frame,
        caption="After costs. Turnover is one-way, as a multiple of wealth.",
        decimals=dict.fromkeys(("Sharpe", "s.e.", "turnover a year"), 2)
        | dict.fromkeys(["return a year", "volatility", "largest drawdown", "cost, bp a year"], 1),
        percent=["return a year", "volatility", "largest drawdown"],
    )
