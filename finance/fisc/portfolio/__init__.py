"""Portfolios under one exact market simulation: environment, agents, rivals, evaluation."""

from fisc.core import lazy

# Modules that need libraries of the extra "portfolio", so that their absence is said in words.
_NEEDS = {
    "agents": ("portfolio", "torch"),
    "env": ("portfolio", "gymnasium", "stable_baselines3"),
    "estimator": ("portfolio", "skfolio", "torch"),
    "selftests": ("portfolio", "torch"),
    "training": ("portfolio", "torch"),
}

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__, needs=_NEEDS)
