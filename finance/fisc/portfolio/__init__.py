"""Portfolios under one exact market simulation: environment, agents, rivals, evaluation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fisc.portfolio.accounting import remainder_factor
    from fisc.portfolio.backtesting import BacktestResult, backtest
    from fisc.portfolio.market import Market

# Public names and the module of each, imported when first asked for (PEP 562).
_LAZY = {
    "BacktestResult": "backtesting",
    "Market": "market",
    "backtest": "backtesting",
    "remainder_factor": "accounting",
}

__all__ = ["BacktestResult", "Market", "backtest", "remainder_factor"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
