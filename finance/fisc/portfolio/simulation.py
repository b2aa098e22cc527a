"""Many portfolios at once in one market: the compiled core of the environments.

All environments live in arrays of shape (n_envs, ...); one compiled loop steps them with the
kernels of the backtest (`fisc.portfolio.accounting`), so that an episode and a backtest of the
same weights agree to rounding. No reinforcement-learning library is needed here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from fisc.core import DataError, check_array, check_number, check_option, check_seed, check_whole
from fisc.portfolio import rewards as rw
from fisc.portfolio.accounting import trade_kernel
from fisc.portfolio.backtesting import cost_rates
from fisc.portfolio.market import Market

__all__ = ["LOGIT_BOUND", "Simulation", "softmax_weights", "window_table"]

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]

LOGIT_BOUND = 10.0  # of the declared action space; a gap of 20 puts 1 - 2e-9 into one asset
_SMALLEST_BASE = 1e-8  # full support: a departure can reach assets that the base leaves out


@njit(cache=True, error_model="numpy")
def _below_largest(logits: Float32, out: Float) -> None:
    """Write logits less the largest of their row."""
    for e in range(logits.shape[0]):
        highest = logits[e, 0]
        for i in range(1, logits.shape[1]):
            highest = max(highest, logits[e, i])
        for i in range(logits.shape[1]):
            out[e, i] = logits[e, i] - highest


def _exponentials(logits: Float32) -> Float:
    """Return exponentials of logits less the largest of their row; NumPy's are vectorised."""
    values = np.empty(logits.shape)
    _below_largest(logits, values)
    return np.exp(values, out=values)


# Small kernels are inlined: handing a table to a function costs more than what it does.
@njit(cache=True, error_model="numpy", inline="always")
def _target(exponentials: Float, e: int, base: Float, row: int, has_base: bool, out: Float) -> None:
    """Normalise row `e`, times row `row` of the base where there is one."""
    total = 0.0
    for i in range(out.size):
        out[i] = exponentials[e, i]
        if has_base:
            out[i] *= max(base[row, i], _SMALLEST_BASE)
        total += out[i]
    scale = 1.0 / total
    for i in range(out.size):
        out[i] *= scale


@njit(cache=True, error_model="numpy", inline="always")
def _write_tail(
    e: int,
    k: int,
    episode: int,
    weights: Float,
    waiting: Float,
    code: int,
    state: Float,
    parameters: Float,
    out: Float32,
) -> None:
    """Write weights, waiting targets, time left and the reward's state of environment `e`."""
    size = weights.shape[1]
    for i in range(size):
        out[e, i] = weights[e, i]
    position = size
    for j in range(waiting.shape[1]):
        for i in range(size):
            out[e, position] = 0.0 if math.isnan(waiting[e, j, 0]) else waiting[e, j, i]
            position += 1
    out[e, position] = 1.0 - k / episode
    rw.observe_kernel(code, state, e, parameters, out, position + 1)


# Sums may be reordered here: the result stays within a few units in the last place of the
# backtest, and is the same at every run.
@njit(cache=True, error_model="numpy", fastmath={"reassoc", "nsz", "contract"})
def _step(
    exponentials: Float,
    t: NDArray[np.int64],
    k: NDArray[np.int64],
    weights: Float,
    waiting: Float,
    wealth: Float,
    state: Float,
    relatives: Float,
    tradable: NDArray[np.bool_],
    buy: Float,
    sell: Float,
    base: Float,
    band: float,
    code: int,
    parameters: Float,
    episode: int,
    reward: Float32,
    net: Float,
    tail: Float32,
) -> None:
    n_envs, size = weights.shape
    lag = waiting.shape[1]
    target = np.empty(size)
    held = np.empty(size)
    has_base = base.shape[0] > 1
    for e in range(n_envs):
        row = t[e]
        _target(exponentials, e, base, row if has_base else 0, has_base, target)
        if lag:
            for i in range(size):
                decided = target[i]
                target[i] = waiting[e, 0, i]
                for j in range(lag - 1):
                    waiting[e, j, i] = waiting[e, j + 1, i]
                waiting[e, lag - 1, i] = decided
        mu = 1.0
        turnover = 0.0
        idle = lag > 0 and math.isnan(target[0])
        if not idle and band > 0.0:
            distance = 0.0
            for i in range(size):
                distance += abs(target[i] - weights[e, i])
            idle = 0.5 * distance <= band
        if idle:
            for i in range(size):
                held[i] = weights[e, i]
        else:
            mu = trade_kernel(
                weights,
                e,
                target,
                tradable,
                row,
                buy,
                row if buy.shape[0] > 1 else 0,
                sell,
                row if sell.shape[0] > 1 else 0,
                0.0,
                held,
            )
            if code == rw.TURNOVER:
                for i in range(size):
                    turnover += 0.5 * abs(held[i] - weights[e, i])
        growth = 0.0
        for i in range(size):
            held[i] *= relatives[row, i]
            growth += held[i]
        shrink = 1.0 / growth
        for i in range(size):
            weights[e, i] = held[i] * shrink
        R = mu * growth - 1.0
        net[e] = R
        wealth[e] *= 1.0 + R
        reward[e] = rw.step_kernel(code, R, turnover, state, e, parameters)
        t[e] = row + 1
        k[e] += 1
        _write_tail(e, k[e], episode, weights, waiting, code, state, parameters, tail)


@njit(cache=True, error_model="numpy")
def _write_tails(
    which: NDArray[np.int64],
    k: NDArray[np.int64],
    episode: int,
    weights: Float,
    waiting: Float,
    code: int,
    state: Float,
    parameters: Float,
    tail: Float32,
) -> None:
    for e in which:
        _write_tail(e, k[e], episode, weights, waiting, code, state, parameters, tail)


@njit(cache=True, error_model="numpy")
def _normalise(exponentials: Float, base: Float, has_base: bool, out: Float) -> None:
    _target(exponentials, 0, base, 0, has_base, out)


def softmax_weights(logits: ArrayLike, base: ArrayLike | None = None) -> Float:
    """Return the portfolio that an action stands for: softmax of the logits times the base.

    Parameters
    ----------
    logits : array_like of shape (n_assets + 1,)
        Unbounded, cash first.
    base : array_like of shape (n_assets + 1,), optional
        Base portfolio; logits of zero give exactly this (up to 1e-8 where it holds nothing).

    Returns
    -------
    ndarray of shape (n_assets + 1,)

    Examples
    --------
    >>> bool(softmax_weights([10.0, -10.0, -10.0])[0] > 0.999)
    True
    """
    values = np.array(logits, dtype=np.float32, ndmin=2)
    out = np.empty(values.size)
    around = np.zeros((1, values.size)) if base is None else np.array(base, dtype=np.float64, ndmin=2)
    _normalise(_exponentials(values), around, base is not None, out)
    return out


def price_tensor(market: Market) -> Float32:
    """Return what policies see of the market: logarithms, (n_dates, n_fields, n_assets).

    Fields are close and, where the market has them, high, low, open and volume (the logarithm
    of one plus it).
    """
    fields = [np.log(market.close)]
    fields += [np.log(x) for x in (market.high, market.low, market.open) if x is not None]
    if market.volume is not None:
        fields.append(np.log1p(market.volume))
    tensor: Float32 = np.stack(fields, axis=1)
    return tensor


def window_table(market: Market, window: int) -> Float32:
    """Return the windows of the dense observation, (n_dates, n_fields * window * n_assets).

    Each price is the logarithm of its ratio to the asset's last close (volume: to its last
    volume), oldest first; rows before a whole window is known are zero. Computed once, rows are
    copied into observations.
    """
    logs = price_tensor(market)
    n_dates, n_fields, n_assets = logs.shape
    last = np.repeat(logs[:, :1], n_fields, axis=1)
    if market.volume is not None:
        last[:, -1] = logs[:, -1]
    views = np.lib.stride_tricks.sliding_window_view(logs, window, axis=0)
    table = np.zeros((n_dates, n_fields, window, n_assets), dtype=np.float32)
    table[window - 1 :] = np.moveaxis(views, -1, 2) - last[window - 1 :, :, None]
    return table.reshape(n_dates, -1)


class Simulation:
    """Many portfolios in one market, stepped together.

    Parameters
    ----------
    market : Market
    n_envs : int
        Number of environments.
    window : int, default 50
        Closes of history that must be known at the start of an episode.
    episode : int, default 128
        Steps of an episode.
    reward : str or Reward
    buy, sell : cost rates
        See `fisc.portfolio.backtesting.cost_rates`.
    lag : int, default 0
        Closes between decision and trade.
    seed : int, optional
        Of the starts of episodes.
    base : ndarray of shape (n_dates, n_assets + 1), optional
        Base portfolio at every close; logits of zero hold it.
    band : float, default 0.0
        No trade while the one-way distance to the target is at most this.
    initial : {"cash", "base", "equal"}
        Holdings at the start of an episode.
    rows : (int, int), optional
        First row to decide on and last close (exclusive) that episodes may use; earlier rows
        are history.

    Attributes
    ----------
    t, k : ndarray of int64 of shape (n_envs,)
        Row of the market and step of the episode.
    weights : ndarray of shape (n_envs, n_assets + 1)
        Drifted weights, cash first.
    wealth : ndarray of shape (n_envs,)
        Since the start of the episode.
    tail : ndarray of float32 of shape (n_envs, tail_size)
        What the policy sees besides the market: drifted weights (n_assets + 1), targets waiting
        to be traded (lag times n_assets + 1), share of the episode that is left (1), state of
        the reward (3).
    """

    def __init__(
        self,
        market: Market,
        *,
        n_envs: int,
        window: int = 50,
        episode: int = 128,
        reward: str | rw.Reward = "differential_sharpe",
        buy: Any = 0.0025,
        sell: Any = 0.0025,
        lag: int = 0,
        seed: int | None = None,
        base: Float | None = None,
        band: float = 0.0,
        initial: str = "cash",
        rows: tuple[int, int] | None = None,
    ) -> None:
        if not isinstance(market, Market):
            raise DataError(f"market is a {type(market).__name__}; build one with Market.from_prices")
        for name, value, least in (
            ("n_envs", n_envs, 1),
            ("window", window, 1),
            ("episode", episode, 1),
            ("lag", lag, 0),
        ):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise DataError(f"{name}={value!r}; give a whole number of at least {least}")
        if rows is not None and (not isinstance(rows, tuple | list) or len(rows) != 2):
            raise DataError(f"rows={rows!r:.80} is no span; give two row numbers, (start, stop)")
        first, stop = (0, len(market)) if rows is None else (check_whole("a row of rows", r) for r in rows)
        if not 0 <= first < stop <= len(market):
            raise DataError(f"rows=({first}, {stop}) are not a span of the {len(market)} dates of the market")
        if window > stop - 1:
            raise DataError(
                f"window={window} closes is longer than the data: {stop} dates leave no step; give a longer "
                "history or a shorter window"
            )
        low = max(first, window - 1)
        high = stop - 1 - episode  # last row on which an episode may start
        if high < low:
            raise DataError(
                f"episode={episode} steps is longer than the data: {stop - 1 - low} steps are left after a window "
                f"of {window} in rows {first} to {stop}; give a shorter episode or a longer history"
            )
        band = check_number("band", band, least=0, below=1, what="a share of wealth")
        if seed is not None:
            check_seed("seed", seed)
        check_option("initial", initial, ("cash", "base", "equal"))
        if initial == "base" and base is None:
            raise DataError("initial='base' needs a base portfolio; give base or start from 'cash'")
        size = market.n_assets + 1
        if base is not None:
            base = check_array("base", base, what="one portfolio a date, cash first")
            if base.shape != (len(market), size):
                raise DataError(
                    f"base has shape {base.shape}; expected one portfolio a date, ({len(market)}, {size})"
                )
        self.market, self.n_envs, self.window, self.episode = market, int(n_envs), int(window), int(episode)
        self.reward = rw.as_reward(reward)
        self.lag, self.band, self.initial = int(lag), float(band), initial
        self.first, self.last = low, high
        self.tail_size = size * (1 + self.lag) + 1 + rw.OBSERVED_SIZE
        self._relatives = np.ascontiguousarray(market.relatives)
        self._buy, self._sell = cost_rates("buy", buy, market), cost_rates("sell", sell, market)
        self.base = None if base is None else np.ascontiguousarray(base)
        self._base = np.zeros((1, size)) if self.base is None else self.base
        self._tradable = np.ascontiguousarray(market.tradable)
        self._warm = rw.warm_state(market, self.reward.eta)
        self._parameters = self.reward.parameters(self.episode)
        self.t, self.k = np.zeros(self.n_envs, dtype=np.int64), np.zeros(self.n_envs, dtype=np.int64)
        self.weights = np.zeros((self.n_envs, size))
        self.waiting = np.full((self.n_envs, self.lag, size), np.nan)
        self.wealth = np.ones(self.n_envs)
        self.state = np.zeros((self.n_envs, rw.STATE_SIZE))
        self.tail = np.zeros((self.n_envs, self.tail_size), dtype=np.float32)
        self.net = np.zeros(self.n_envs)
        self.rng = np.random.default_rng(seed)

    def seed(self, seed: int | None) -> None:
        """Start the generator of episode starts again from `seed`."""
        self.rng = np.random.default_rng(seed)

    def reset(self, which: NDArray[np.int64] | None = None, *, start: int | None = None) -> None:
        """Begin new episodes.

        Parameters
        ----------
        which : ndarray of int64, optional
            Environments to reset; all if not given.
        start : int, optional
            Row to start on instead of a random one.
        """
        chosen = np.arange(self.n_envs) if which is None else which
        if start is None:
            self.t[chosen] = self.rng.integers(self.first, self.last + 1, size=len(chosen))
        elif self.first <= start <= self.last:
            self.t[chosen] = start
        else:
            raise DataError(
                f"start={start} is outside the rows on which an episode may start, {self.first} to {self.last}"
            )
        self.k[chosen] = 0
        self.weights[chosen] = 0.0
        if self.initial == "cash":
            self.weights[chosen, 0] = 1.0
        elif self.initial == "equal":
            self.weights[chosen, 1:] = 1.0 / self.market.n_assets
        else:
            self.weights[chosen] = self._base[self.t[chosen]]
        self.waiting[chosen] = np.nan
        self.wealth[chosen] = 1.0
        self.state[chosen] = 0.0
        if self.reward.name == "differential_sharpe":
            self.state[chosen, :2] = self._warm[self.t[chosen]]
        _write_tails(
            chosen,
            self.k,
            self.episode,
            self.weights,
            self.waiting,
            self.reward.code,
            self.state,
            self._parameters,
            self.tail,
        )

    def step(self, actions: ArrayLike) -> tuple[Float32, NDArray[np.bool_]]:
        """Trade all portfolios and let one period pass; episodes that end are not reset here.

        Parameters
        ----------
        actions : array_like of float32 of shape (n_envs, n_assets + 1)
            Logits, cash first, not bounded.

        Returns
        -------
        rewards : ndarray of float32 of shape (n_envs,)
        ended : ndarray of bool of shape (n_envs,)
            The episode has reached its length (a truncation).
        """
        logits = np.ascontiguousarray(actions, dtype=np.float32)
        if logits.shape != self.weights.shape:
            raise DataError(f"actions have shape {logits.shape}; expected {self.weights.shape}, cash first")
        if not np.isfinite(logits).all():
            raise DataError(
                "actions contain NaN or infinite logits; the policy has diverged: lower its learning rate"
            )
        if self.k.max() >= self.episode:
            raise DataError("an episode has ended; call reset before the next step")
        reward = np.empty(self.n_envs, dtype=np.float32)
        _step(
            _exponentials(logits),
            self.t,
            self.k,
            self.weights,
            self.waiting,
            self.wealth,
            self.state,
            self._relatives,
            self._tradable,
            self._buy,
            self._sell,
            self._base,
            self.band,
            self.reward.code,
            self._parameters,
            self.episode,
            reward,
            self.net,
            self.tail,
        )
        return reward, self.k >= self.episode

    def snapshot(self) -> dict[str, Any]:
        """Return the arrays and the generator's state that `restore` needs to go on exactly."""
        arrays = {
            name: getattr(self, name).copy()
            for name in ("t", "k", "weights", "waiting", "wealth", "state", "tail")
        }
        return {"arrays": arrays, "generator": self.rng.bit_generator.state}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue from a `snapshot`."""
        for name, values in snapshot["arrays"].items():
            getattr(self, name)[...] = values
        self.rng.bit_generator.state = snapshot["generator"]
