"""Many portfolios at once in one market: the compiled core of the environments.

All environments live in arrays of shape (n_envs, ...); one compiled loop steps them with the
kernels of the backtest (`fisc.portfolio.accounting`), so that an episode and a backtest of the
same weights agree to rounding. No reinforcement-learning library is needed here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypedDict

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from fisc.core import (
    AnyArray,
    BoolArray,
    DataError,
    Float32Array,
    FloatArray,
    IntArray,
    check_array,
    check_is,
    check_whole,
    renamed,
)
from fisc.portfolio import rewards as rw
from fisc.portfolio.accounting import trade_kernel
from fisc.portfolio.backtesting import cost_rates
from fisc.portfolio.market import Market
from fisc.portfolio.options import EnvOptions, made, takes

__all__ = ["LOGIT_BOUND", "Simulation", "softmax_weights", "window_table"]

LOGIT_BOUND = 10.0  # of the declared action space; a gap of 20 puts 1 - 2e-9 into one asset
_SMALLEST_BASE = 1e-8  # full support: a departure can reach assets that the base leaves out


@njit(cache=True, error_model="numpy")
def _below_largest(logits: Float32Array, out: FloatArray) -> None:
    """Write logits less the largest of their row."""
    for e in range(logits.shape[0]):
        highest = logits[e, 0]
        for i in range(1, logits.shape[1]):
            highest = max(highest, logits[e, i])
        for i in range(logits.shape[1]):
            out[e, i] = logits[e, i] - highest


def _exponentials(logits: Float32Array) -> FloatArray:
    """Return exponentials of logits less the largest of their row; NumPy's are vectorised."""
    values = np.empty(logits.shape)
    _below_largest(logits, values)
    return np.exp(values, out=values)


# Small kernels are inlined: handing a table to a function costs more than what it does.
@njit(cache=True, error_model="numpy", inline="always")
def _target(
    exponentials: FloatArray, e: int, base: FloatArray, row: int, has_base: bool, out: FloatArray
) -> None:
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
    weights: FloatArray,
    waiting: FloatArray,
    code: int,
    state: FloatArray,
    parameters: FloatArray,
    out: Float32Array,
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
    exponentials: FloatArray,
    t: IntArray,
    k: IntArray,
    weights: FloatArray,
    waiting: FloatArray,
    wealth: FloatArray,
    state: FloatArray,
    relatives: FloatArray,
    tradable: BoolArray,
    buy: FloatArray,
    sell: FloatArray,
    base: FloatArray,
    band: float,
    code: int,
    parameters: FloatArray,
    episode: int,
    reward: Float32Array,
    net: FloatArray,
    tail: Float32Array,
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
    which: IntArray,
    k: IntArray,
    episode: int,
    weights: FloatArray,
    waiting: FloatArray,
    code: int,
    state: FloatArray,
    parameters: FloatArray,
    tail: Float32Array,
) -> None:
    for e in which:
        _write_tail(e, k[e], episode, weights, waiting, code, state, parameters, tail)


@njit(cache=True, error_model="numpy")
def _normalise(exponentials: FloatArray, base: FloatArray, has_base: bool, out: FloatArray) -> None:
    _target(exponentials, 0, base, 0, has_base, out)


def softmax_weights(logits: ArrayLike, base: ArrayLike | None = None) -> FloatArray:
    """Return the portfolio (n_assets + 1,) that an action stands for: softmax of the logits times the base.

    Logits are unbounded, cash first; those of zero give exactly the base (up to 1e-8 where it holds nothing).

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


def price_tensor(market: Market) -> Float32Array:
    """Return what policies see of the market: logarithms, (n_dates, n_fields, n_assets).

    Fields are close and, where the market has them, high, low, open and volume (the logarithm
    of one plus it).
    """
    fields = [np.log(market.close)]
    fields += [np.log(x) for x in (market.high, market.low, market.open) if x is not None]
    if market.volume is not None:
        fields.append(np.log1p(market.volume))
    tensor: Float32Array = np.stack(fields, axis=1)
    return tensor


def window_table(market: Market, window: int) -> Float32Array:
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


class Snapshot(TypedDict):
    """Everything that a simulation needs to go on: arrays, and the state of the generator of starts."""

    arrays: dict[str, AnyArray]
    generator: Mapping[str, object]


def _starts(n_dates: int, options: EnvOptions) -> tuple[int, int]:
    """Return the first and last row on which an episode may start."""
    window, episode = options.window, options.episode
    first, stop = options.rows or (0, n_dates)
    if not 0 <= first < stop <= n_dates:
        raise DataError(f"rows=({first}, {stop}) are not a span of the {n_dates} dates of the market")
    if window > stop - 1:
        raise DataError(
            f"window={window} closes is longer than the data: {stop} dates leave no step; give a longer "
            "history or a shorter window"
        )
    low = max(int(first), window - 1)
    high = int(stop) - 1 - episode
    if high < low:
        raise DataError(
            f"episode={episode} steps is longer than the data: {stop - 1 - low} steps are left after a window "
            f"of {window} in rows {first} to {stop}; give a shorter episode or a longer history"
        )
    return low, high


class Simulation:
    """Many portfolios in one market, stepped together; options are the fields of `EnvOptions`.

    `window` closes are known at the start of an episode. The state, one row an environment: ``t`` and ``k``, row
    of the market and step of the episode; ``weights`` (n_envs, n_assets + 1), drifted, cash first; ``wealth``
    since the start of the episode; and ``tail`` (n_envs, tail_size), what a policy sees besides the market:
    drifted weights (n_assets + 1), targets waiting to be traded (lag times n_assets + 1), share of the episode
    that is left (1), state of the reward (3).
    """

    @renamed(seed="random_state")
    @takes(EnvOptions)
    def __init__(self, market: Market, *, n_envs: int, **options: object) -> None:
        check_is("market", market, Market, how="build one with Market.from_prices")
        self.n_envs = check_whole("n_envs", n_envs, least=1)
        chosen = made(EnvOptions, options, of="the environment").checked()
        self.market, self.reward = market, rw.as_reward(chosen.reward)
        self.window, self.episode, self.lag = int(chosen.window), int(chosen.episode), int(chosen.lag)
        self.band, self.initial = float(chosen.band), chosen.initial
        self.first, self.last = _starts(len(market), chosen)
        size = market.n_assets + 1
        self.base: FloatArray | None = None
        if chosen.base is not None:
            base = check_array("base", chosen.base, what="one portfolio a date, cash first")
            if base.shape != (len(market), size):
                raise DataError(
                    f"base has shape {base.shape}; expected one portfolio a date, ({len(market)}, {size})"
                )
            self.base = np.ascontiguousarray(base)
        self._base = np.zeros((1, size)) if self.base is None else self.base
        self.tail_size = size * (1 + self.lag) + 1 + rw.OBSERVED_SIZE
        self._relatives = np.ascontiguousarray(market.relatives)
        self._buy, self._sell = (
            cost_rates("buy", chosen.buy, market),
            cost_rates("sell", chosen.sell, market),
        )
        self._tradable = np.ascontiguousarray(market.tradable)
        self._warm = rw.warm_state(market, self.reward.eta)
        self._parameters = rw.kernel_parameters(self.reward, self.episode)
        self.t, self.k = np.zeros(self.n_envs, dtype=np.int64), np.zeros(self.n_envs, dtype=np.int64)
        self.weights = np.zeros((self.n_envs, size))
        self.waiting = np.full((self.n_envs, self.lag, size), np.nan)
        self.wealth = np.ones(self.n_envs)
        self.state = np.zeros((self.n_envs, rw.STATE_SIZE))
        self.tail = np.zeros((self.n_envs, self.tail_size), dtype=np.float32)
        self.net = np.zeros(self.n_envs)
        self.rng = np.random.default_rng(chosen.random_state)

    def seed(self, seed: int | None) -> None:
        """Start the generator of episode starts again from `seed`."""
        self.rng = np.random.default_rng(seed)

    def reset(self, which: IntArray | None = None, *, start: int | None = None) -> None:
        """Begin new episodes in some environments (all if not given), at random rows or at row `start`."""
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

    def step(self, actions: ArrayLike) -> tuple[Float32Array, BoolArray]:
        """Trade all portfolios and let one period pass; episodes that end are not reset here.

        `actions` (n_envs, n_assets + 1) are logits, cash first, not bounded. Returned are the rewards and whether
        the episode has reached its length (a truncation), (n_envs,) each.
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

    def snapshot(self) -> Snapshot:
        """Return the arrays and the generator's state that `restore` needs to go on exactly."""
        arrays = {
            name: getattr(self, name).copy()
            for name in ("t", "k", "weights", "waiting", "wealth", "state", "tail")
        }
        return {"arrays": arrays, "generator": self.rng.bit_generator.state}

    def restore(self, snapshot: Snapshot) -> None:
        """Continue from a `snapshot`."""
        for name, values in snapshot["arrays"].items():
            getattr(self, name)[...] = values
        self.rng.bit_generator.state = snapshot["generator"]
