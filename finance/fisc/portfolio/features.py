"""What a policy knows at each close: causal features and price windows, indexed by row.

Row ``t`` of every array uses closes up to and including ``t`` and nothing later.
"""

from __future__ import annotations

import weakref

import numpy as np

from fisc.core import DataError, Float32Array
from fisc.portfolio.market import Market

__all__ = ["asset_features", "feature_names"]

_HORIZONS = (1, 2, 3, 5, 10, 21)
_SMALLEST_SD = 1e-6  # of daily returns: an asset that does not move has features of zero
_BOUND = 5.0
# One market serves many agents; its features are computed once.
_KNOWN: weakref.WeakKeyDictionary[Market, dict[int, Float32Array]] = weakref.WeakKeyDictionary()


def _horizons(window: int) -> list[int]:
    return sorted({h for h in _HORIZONS if h < window} | {window})


def feature_names(window: int) -> list[str]:
    """Return the names of the columns of `asset_features`.

    Examples
    --------
    >>> feature_names(10)
    ['return 1', 'return 2', 'return 3', 'return 5', 'return 10', 'volatility', 'average', 'highest']
    """
    return [*(f"return {h}" for h in _horizons(window)), "volatility", "average", "highest"]


def asset_features(market: Market, window: int) -> Float32Array:
    """Return features of every asset at every close, (n_dates, n_assets, n_features).

    Returns over 1, 2, 3, 5, 10, 21 and `window` closes in units of their own standard deviation (over the last
    `window` returns, times the root of the horizon); logarithm of the volatility of the last fifth of the window
    over that of the whole; distance of the price from its average and from its highest value in the window, in
    the same units. No scaler is fitted, so that no later data can enter; values are clipped to ±5, and zero
    before `window` returns (at least 5) are known.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> market = Market.from_prices(np.exp(rng.normal(0, 0.01, (60, 3)).cumsum(axis=0)))
    >>> asset_features(market, 20).shape
    (60, 3, 9)
    """
    if window < 5:
        raise DataError(f"window={window} is too short for the features of the mlp network; give at least 5")
    known = _KNOWN.setdefault(market, {})
    if window not in known:
        known[window] = _compute(market, window)
    return known[window]


def _compute(market: Market, window: int) -> Float32Array:
    n_dates, n_assets = market.close.shape
    features = np.zeros((n_dates, n_assets, len(feature_names(window))), dtype=np.float32)
    if n_dates <= window:
        return features
    logs = np.log(market.close)
    returns = np.diff(logs, axis=0)
    # windows[i] holds the returns that end at close i + window.
    windows = np.lib.stride_tricks.sliding_window_view(returns, window, axis=0)
    spread = windows.std(axis=-1)
    sd = np.maximum(spread, _SMALLEST_SD)
    recent = np.maximum(windows[..., -max(2, window // 5) :].std(axis=-1), _SMALLEST_SD)
    prices = np.lib.stride_tricks.sliding_window_view(logs, window + 1, axis=0)
    now = logs[window:]
    root = np.sqrt(window)
    columns = [(now - logs[window - h : n_dates - h]) / (sd * np.sqrt(h)) for h in _horizons(window)]
    columns += [
        np.log(recent / sd),
        (now - prices.mean(axis=-1)) / (sd * root),
        (now - prices.max(axis=-1)) / (sd * root),
    ]
    moving = (spread > _SMALLEST_SD)[..., None]
    features[window:] = np.where(moving, np.clip(np.stack(columns, axis=-1), -_BOUND, _BOUND), 0.0)
    return features
