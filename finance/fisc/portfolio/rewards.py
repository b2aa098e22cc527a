"""Rewards of one step, made from net returns, with the state that makes each of them Markov.

With ``R`` the simple net return of the step:

``log_return``            log(1 + R)
``mean_variance``         R - (lambda/2) R**2
``differential_sharpe``   (B dA - A dB / 2) / (B - A**2)**1.5, A and B moving averages of R and R**2,
                          dA = R - A, dB = R**2 - B, each then moved by eta (Moody and Saffell 2001)
``telescoping_sharpe``    S_n - S_(n-1), S_n the annualised Sharpe ratio of the episode so far (0 before
                          `warm_up` returns): the sum over an episode is its Sharpe ratio
``average_sharpe``        sqrt(252) mean / (sd + 1e-7) of the log returns so far, over the length of
                          the episode: the reward of the paper (arXiv:2412.18563), for replication;
                          as there, a return of zero precedes the first step
``drawdown``              log(1 + R) - penalty * (growth of the log drawdown, if it grows)
``turnover``              log(1 + R) - penalty * one-way turnover

A state is four numbers; `observe_kernel` gives the three of them that a policy sees, scaled to
order one.
"""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import ArrayLike

from fisc.core import DataError, Float32Array, FloatArray, renamed
from fisc.portfolio.market import PERIODS_PER_YEAR, Market
from fisc.portfolio.options import Reward, RewardName, as_reward

__all__ = [
    "NAMES",
    "Reward",
    "as_reward",
    "correlation_table",
    "differential_sharpe",
    "differential_sharpe_by_row",
    "kernel_parameters",
    "sequence",
    "warm_state",
]

NAMES = get_args(RewardName)
LOG_RETURN, MEAN_VARIANCE, DIFFERENTIAL, TELESCOPING, AVERAGE, DRAWDOWN, TURNOVER = range(7)
STATE_SIZE = 4
OBSERVED_SIZE = 3
_ROOT = math.sqrt(PERIODS_PER_YEAR)
_SMALLEST_VARIANCE = 1e-12  # of returns per period; below it the moving averages carry no risk


def kernel_parameters(reward: Reward, episode: int) -> FloatArray:
    """Return what the kernels need: eta, lambda, penalty, warm_up, episode."""
    return np.array(
        [reward.eta, reward.risk_aversion, reward.penalty, reward.warm_up, episode], dtype=np.float64
    )


@njit(cache=True, error_model="numpy", inline="always")
def differential_sharpe(R: float, A: float, B: float) -> float:
    """Return the differential Sharpe ratio of one return.

    Parameters
    ----------
    R : float
        Return of the step.
    A, B : float
        Moving averages of the return and of its square before the step, ``B > A**2``.

    Returns
    -------
    float
        Derivative of the Sharpe ratio ``A / sqrt(B - A**2)`` by the rate of the averages.

    References
    ----------
    Moody and Saffell (2001), Learning to trade via direct reinforcement, doi:10.1109/72.935097.

    Examples
    --------
    >>> round(differential_sharpe(0.013, 0.0005, 0.0002), 6)
    0.888289
    """
    variance = max(B - A * A, 1e-12)
    return float((B * (R - A) - 0.5 * A * (R * R - B)) / (variance * math.sqrt(variance)))


@njit(cache=True, error_model="numpy", inline="always")
def step_kernel(
    code: int, R: float, turnover: float, state: FloatArray, e: int, parameters: FloatArray
) -> float:
    """Return the reward of one step and move row `e` of the states."""
    if code == 0:
        return math.log1p(R)
    if code == 1:
        return float(R - 0.5 * parameters[1] * R * R)
    if code == 2:
        A, B = state[e, 0], state[e, 1]
        reward = differential_sharpe(R, A, B)
        state[e, 0] = A + parameters[0] * (R - A)
        state[e, 1] = B + parameters[0] * (R * R - B)
        return reward
    if code == 3 or code == 4:
        x = R if code == 3 else math.log1p(R)
        if code == 4 and state[e, 0] == 0.0:
            state[e, 0] = 1.0  # the paper's episodes begin with one forced return of zero
        state[e, 0] += 1.0
        n = state[e, 0]
        delta = x - state[e, 1]
        state[e, 1] += delta / n
        state[e, 2] += delta * (x - state[e, 1])
        if code == 4:
            return float(_ROOT * state[e, 1] / (math.sqrt(state[e, 2] / n) + 1e-7) / parameters[4])
        before = state[e, 3]
        if n >= parameters[3] and state[e, 2] > 0.0:
            state[e, 3] = _ROOT * state[e, 1] / math.sqrt(state[e, 2] / (n - 1.0))
        return float(state[e, 3] - before)
    growth = math.log1p(R)
    if code == 5:
        depth = max(0.0, state[e, 0] - growth)
        deeper = max(0.0, depth - state[e, 0])
        state[e, 0] = depth
        return float(growth - parameters[2] * deeper)
    return float(growth - parameters[2] * turnover)


@njit(cache=True, error_model="numpy", inline="always")
def observe_kernel(
    code: int, state: FloatArray, e: int, parameters: FloatArray, out: Float32Array, at: int
) -> None:
    """Write the three numbers of the state that the policy sees, from column `at` of row `e` on."""
    out[e, at] = 0.0
    out[e, at + 1] = 0.0
    out[e, at + 2] = 0.0
    if code == 2:
        variance = max(state[e, 1] - state[e, 0] * state[e, 0], 1e-12)
        out[e, at] = 10.0 * state[e, 0] / math.sqrt(variance)
        out[e, at + 1] = 0.5 * math.log(variance / 1e-4)
    elif code == 3 or code == 4:
        n = state[e, 0]
        sd = math.sqrt(max(state[e, 2] / max(n, 1.0), 1e-12))
        out[e, at] = 10.0 * state[e, 1] / sd if n > 1.0 else 0.0
        out[e, at + 1] = math.log(sd / 0.01) if n > 1.0 else 0.0
        out[e, at + 2] = n / parameters[4]
    elif code == 5:
        out[e, at] = 10.0 * state[e, 0]


@njit(cache=True, error_model="numpy")
def _sequence(
    code: int, returns: FloatArray, turnover: FloatArray, state: FloatArray, parameters: FloatArray
) -> FloatArray:
    rewards = np.empty(returns.size)
    for i in range(returns.size):
        rewards[i] = step_kernel(code, returns[i], turnover[i], state, 0, parameters)
    return rewards


def sequence(
    reward: RewardName | Reward,
    returns: ArrayLike,
    *,
    turnover: ArrayLike = 0.0,
    state: ArrayLike | None = None,
) -> FloatArray:
    """Return the rewards of an episode from its net returns.

    Parameters
    ----------
    reward : str or Reward
    returns : array_like of shape (n,)
        Simple net returns.
    turnover : float or array_like of shape (n,)
        One-way turnover of each step.
    state : array_like of shape (4,), optional
        State before the first step, see `warm_state`; zeros if not given, except that the
        differential Sharpe ratio starts from the mean and mean square of the episode itself.

    Returns
    -------
    ndarray of shape (n,)

    Examples
    --------
    >>> sequence("mean_variance", [0.01, -0.02]).round(5).tolist()
    [0.00975, -0.021]
    """
    kind = as_reward(reward)
    values = np.ascontiguousarray(returns, dtype=np.float64)
    if values.ndim != 1 or not values.size or not (np.isfinite(values) & (values > -1)).all():
        raise DataError(f"returns of shape {values.shape} must be one row of finite numbers above -1")
    traded = np.ascontiguousarray(np.broadcast_to(np.asarray(turnover, dtype=np.float64), values.shape))
    start = np.zeros(STATE_SIZE)
    if state is not None:
        start = np.array(state, dtype=np.float64)
    elif kind.name == "differential_sharpe":
        start[:2] = values.mean(), np.mean(values**2)
    return np.asarray(_sequence(kind.code, values, traded, start[None], kernel_parameters(kind, values.size)))


def warm_state(market: Market, eta: float) -> FloatArray:
    """Return moving averages of the equal-weight return and its square known at every close, (n_dates, 2).

    They start the differential Sharpe ratio of an episode that begins there, so that its first rewards are not
    divided by an arbitrary variance. `eta` is their rate; until 60 returns are known they are plain means.
    """
    returns = np.concatenate([[0.0], market.returns.mean(axis=1)])
    pair = np.column_stack([returns, returns**2])
    averages = np.empty_like(pair)
    averages[0] = 0.0, 1e-4
    for t in range(1, len(pair)):
        rate = max(eta, 1.0 / t) if t <= 60 else eta
        averages[t] = averages[t - 1] + rate * (pair[t] - averages[t - 1])
    averages[:, 1] = np.maximum(averages[:, 1], averages[:, 0] ** 2 + _SMALLEST_VARIANCE)
    return averages


def differential_sharpe_by_row(market: Market, returns: FloatArray, eta: float) -> FloatArray:
    """Return the differential Sharpe ratio of one fixed return series with its own averages."""
    averages = warm_state(market, eta)
    return np.array([differential_sharpe(r, a, b) for r, (a, b) in zip(returns, averages, strict=False)])


@renamed(seed="random_state")
def correlation_table(
    *, episodes: int = 4000, steps: int = 128, mean: float = 0.0005, sd: float = 0.012, random_state: int = 0
) -> pd.DataFrame:
    """Return how well the undiscounted sum of each reward ranks episodes by their Sharpe ratio.

    Parameters
    ----------
    episodes, steps : int
        Number and length of simulated episodes of independent normal returns.
    mean, sd : float
        Per step.
    random_state : int, default 0

    Returns
    -------
    pandas.DataFrame
        One row a reward: correlation of its sum, and of its sum discounted by 0.99, with the
        episode's Sharpe ratio.

    Examples
    --------
    >>> table = correlation_table(episodes=200)
    >>> bool(table.loc["telescoping_sharpe", "sum"] > 0.999)
    True
    """
    rng = np.random.default_rng(random_state)
    returns = rng.normal(mean, sd, (episodes, steps))
    truth = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    warm = np.array([mean, mean**2 + sd**2, 0.0, 0.0])
    kinds = {
        "average_sharpe": Reward("average_sharpe"),
        "telescoping_sharpe": Reward("telescoping_sharpe"),
        "differential_sharpe, eta 1/252": Reward("differential_sharpe"),
        "differential_sharpe, eta 1/60": Reward("differential_sharpe", eta=1 / 60),
        "log_return": Reward("log_return"),
        "mean_variance, lambda = mean/variance": Reward("mean_variance", risk_aversion=mean / sd**2),
        "drawdown, penalty 0.1": Reward("drawdown"),
    }
    discount = 0.99 ** np.arange(steps)
    rows = {}
    for label, kind in kinds.items():
        state = warm if kind.name == "differential_sharpe" else np.zeros(STATE_SIZE)
        rewards = np.array([sequence(kind, episode, state=state) for episode in returns])
        rows[label] = {
            "sum": float(np.corrcoef(rewards.sum(axis=1), truth)[0, 1]),
            "discounted sum": float(np.corrcoef(rewards @ discount, truth)[0, 1]),
        }
    return pd.DataFrame(rows).T
