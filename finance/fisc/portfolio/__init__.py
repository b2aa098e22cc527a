"""Portfolios under one exact market simulation: environment, agents, rivals, evaluation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fisc.portfolio import baselines, rewards
    from fisc.portfolio.accounting import remainder_factor
    from fisc.portfolio.agents import Agent
    from fisc.portfolio.backtesting import BacktestResult, backtest
    from fisc.portfolio.env import PortfolioEnv, PortfolioVecEnv
    from fisc.portfolio.estimator import RLPortfolio
    from fisc.portfolio.evaluation import Evaluation
    from fisc.portfolio.market import Market
    from fisc.portfolio.selftests import SelfTest, selftest
    from fisc.portfolio.training import train
    from fisc.portfolio.trials import HoldOut, TrialLog
    from fisc.portfolio.walking import walk_forward

# Public names and the module of each, imported when first asked for (PEP 562).
_LAZY = {
    "Agent": "agents",
    "BacktestResult": "backtesting",
    "Evaluation": "evaluation",
    "HoldOut": "trials",
    "Market": "market",
    "PortfolioEnv": "env",
    "PortfolioVecEnv": "env",
    "RLPortfolio": "estimator",
    "SelfTest": "selftests",
    "TrialLog": "trials",
    "backtest": "backtesting",
    "remainder_factor": "accounting",
    "selftest": "selftests",
    "train": "training",
    "walk_forward": "walking",
}
_MODULES = ("baselines", "rewards")
# Modules that need libraries of the extra "portfolio", so that their absence is said in words.
_EXTRA = {
    "agents": ("torch",),
    "env": ("gymnasium", "stable_baselines3"),
    "estimator": ("skfolio", "torch"),
    "selftests": ("torch",),
    "training": ("torch",),
}

__all__ = [
    "Agent",
    "BacktestResult",
    "Evaluation",
    "HoldOut",
    "Market",
    "PortfolioEnv",
    "PortfolioVecEnv",
    "RLPortfolio",
    "SelfTest",
    "TrialLog",
    "backtest",
    "baselines",
    "remainder_factor",
    "rewards",
    "selftest",
    "train",
    "walk_forward",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for library in _EXTRA.get(_LAZY[name], ()):
        from fisc.data import require

        require(library, extra="portfolio")
    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_MODULES})
