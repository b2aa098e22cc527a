"""How sure one can be of a Sharpe ratio, of a difference, and of a choice among many trials.

All functions take plain arrays of simple returns per period and a seed, touch no global state,
and say which paper they follow.
"""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from fisc.core import DataError, FloatArray, align, renamed
from fisc.portfolio.market import PERIODS_PER_YEAR
from fisc.portfolio.metrics import sharpe_ratio

__all__ = [
    "Interval",
    "deflated_sharpe",
    "expected_maximum_sharpe",
    "interquartile_mean",
    "probabilistic_sharpe",
    "probability_of_backtest_overfitting",
    "probability_of_improvement",
    "sharpe_difference",
    "stationary_bootstrap_counts",
    "verdict",
]


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate with its interval at `level` and, for a test, its two-sided p-value (NaN without a test)."""

    estimate: float
    low: float
    high: float
    p_value: float = float("nan")
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.estimate:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def probabilistic_sharpe(
    sharpe: float, n: int, *, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float:
    """Return the probability that the true Sharpe ratio exceeds a benchmark.

    ``Phi((sharpe - benchmark) sqrt(n - 1) / sqrt(1 - skew*sharpe + (kurtosis - 1)/4*sharpe**2))``, all
    Sharpe ratios **per period**, `n` returns; a normal distribution has skew 0 and kurtosis 3.

    Source: Bailey and López de Prado (2012), The Sharpe ratio efficient frontier,
    doi:10.21314/JOR.2012.255.

    Examples
    --------
    >>> round(probabilistic_sharpe(0.1, 252, skew=-0.5, kurtosis=5), 4)
    0.9381
    """
    if n < 2:
        raise DataError(f"n={n} returns; a probabilistic Sharpe ratio needs at least two")
    variance = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
    return float(norm.cdf((sharpe - benchmark) * np.sqrt(n - 1) / np.sqrt(variance)))


def expected_maximum_sharpe(variance: float, trials: int) -> float:
    """Return the Sharpe ratio that the best of many worthless trials is expected to show.

    ``sqrt(variance) * ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e)))``, g Euler's constant, N independent
    trials (one gives 0), `variance` that of their Sharpe ratios; all **per period**.

    Source: Bailey and López de Prado (2014), The deflated Sharpe ratio,
    doi:10.3905/jpm.2014.40.5.094.

    Examples
    --------
    >>> round(expected_maximum_sharpe(1 / 252, 10), 4)
    0.0992
    """
    if trials < 1 or not variance >= 0:
        raise DataError(
            f"trials={trials}, variance={variance}; give at least one trial and a variance of at least 0"
        )
    if trials == 1:
        return 0.0
    gamma = float(np.euler_gamma)
    quantiles = norm.ppf(1 - 1 / trials), norm.ppf(1 - 1 / (trials * math.e))
    return float(np.sqrt(variance) * ((1 - gamma) * quantiles[0] + gamma * quantiles[1]))


def deflated_sharpe(returns: ArrayLike, trial_sharpes: ArrayLike, *, trials: int | None = None) -> float:
    """Return the probability that a Sharpe ratio is above what the best of its trials shows by luck.

    `returns` (n,) are the excess returns of the chosen strategy, `trial_sharpes` (n_trials,) the Sharpe ratios
    **per period** of every configuration and seed that was tried, the chosen one included; `trials` is the
    number of independent ones, if fewer. Below 0.95 the result can be luck of the search; with a single trial
    it is the probabilistic Sharpe ratio.

    Source: Bailey and López de Prado (2014), doi:10.3905/jpm.2014.40.5.094.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> deflated_sharpe(rng.normal(0.001, 0.01, 252), rng.normal(0, 0.06, 50)) < 0.5
    True
    """
    values = np.asarray(returns, dtype=np.float64)
    tried = np.asarray(trial_sharpes, dtype=np.float64)
    count = tried.size if trials is None else trials
    sd = values.std(ddof=1)
    if values.size < 3 or not sd > 0:
        raise DataError("a deflated Sharpe ratio needs at least three returns that vary")
    centred = values - values.mean()
    m2 = np.mean(centred**2)
    luck = expected_maximum_sharpe(float(tried.var(ddof=1)) if tried.size > 1 else 0.0, count)
    return probabilistic_sharpe(
        float(values.mean() / sd),
        values.size,
        skew=float(np.mean(centred**3) / m2**1.5),
        kurtosis=float(np.mean(centred**4) / m2**2),
        benchmark=luck,
    )


def probability_of_backtest_overfitting(returns: ArrayLike, *, blocks: int = 16) -> float:
    """Return how often the best strategy in sample is below the median out of sample.

    Combinatorially symmetric cross-validation: the periods of `returns` (n_periods, n_strategies) are cut into
    `blocks` blocks (even, 4 to 20; 16 gives 12,870 choices; what is left over goes at the start); for every
    choice of half of them the strategy with the best Sharpe ratio there is ranked on the other half; the answer
    is the share of choices with a relative rank of at most one half: about 0.5 where no strategy is better than
    another, near 0 where one truly is.

    Source: Bailey, Borwein, López de Prado and Zhu (2017), The probability of backtest overfitting,
    doi:10.21314/JCF.2016.322.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> skilled = rng.normal(0.0, 0.01, (640, 5)) + [0.003, 0, 0, 0, 0]
    >>> probability_of_backtest_overfitting(skilled) < 0.01
    True
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise DataError(f"returns have shape {values.shape}; expected periods by at least two strategies")
    if blocks % 2 or not 4 <= blocks <= 20:
        raise DataError(f"blocks={blocks}; give an even number from 4 to 20")
    length = len(values) // blocks
    if length < 2:
        raise DataError(
            f"{len(values)} periods are too few for {blocks} blocks of at least two; use fewer blocks"
        )
    cut = values[-length * blocks :].reshape(blocks, length, -1)
    sums, squares = cut.sum(axis=1), (cut**2).sum(axis=1)
    inside = np.zeros((math.comb(blocks, blocks // 2), blocks))
    for row, chosen in enumerate(itertools.combinations(range(blocks), blocks // 2)):
        inside[row, list(chosen)] = 1.0
    n = length * blocks // 2
    first = _sharpe_of_sums(inside @ sums, inside @ squares, n)
    second = _sharpe_of_sums((1 - inside) @ sums, (1 - inside) @ squares, n)
    best = first.argmax(axis=1)
    of_best = np.take_along_axis(second, best[:, None], axis=1)
    ties = (second == of_best).sum(axis=1)
    rank = (second < of_best).sum(axis=1) + (ties + 1) / 2
    return float(np.mean(rank / (values.shape[1] + 1) <= 0.5))


def _sharpe_of_sums(sums: FloatArray, squares: FloatArray, n: int) -> FloatArray:
    mean = sums / n
    variance = np.maximum(squares / n - mean**2, 1e-30) * n / (n - 1)
    ratio: FloatArray = mean / np.sqrt(variance)
    return ratio


@renamed(seed="random_state")
def stationary_bootstrap_counts(
    n: int, *, block: float = 20.0, draws: int = 2000, random_state: int = 0
) -> FloatArray:
    """Return how often each period occurs in each resample of a stationary bootstrap, (draws, n).

    Blocks have geometric lengths with mean `block` (1: independent draws) and wrap around the end. Moments of a
    resample are ``counts @ values / n``, so that all strategies share the same draws.

    Source: Politis and Romano (1994), The stationary bootstrap, doi:10.1080/01621459.1994.10476870.

    Examples
    --------
    >>> stationary_bootstrap_counts(5, block=2, draws=3).sum(axis=1).tolist()
    [5.0, 5.0, 5.0]
    """
    if n < 2 or not block >= 1 or draws < 1:
        raise DataError(f"n={n}, block={block}, draws={draws}: need n >= 2, block >= 1 and draws >= 1")
    rng = np.random.default_rng(random_state)
    counts = np.empty((draws, n))
    position = np.arange(n)
    for row in range(draws):
        fresh = rng.random(n) < 1.0 / block
        fresh[0] = True
        start = rng.integers(n, size=n)
        since = np.maximum.accumulate(np.where(fresh, position, 0))
        counts[row] = np.bincount((start[since] + position - since) % n, minlength=n)
    return counts


@renamed(seed="random_state")
def sharpe_difference(
    returns: ArrayLike,
    benchmark: ArrayLike,
    *,
    block: float = 20.0,
    draws: int = 2000,
    level: float = 0.95,
    random_state: int = 0,
    counts: FloatArray | None = None,
    periods: float = PERIODS_PER_YEAR,
) -> Interval:
    """Compare two strategies over the same periods: difference of annual Sharpe ratios.

    `returns` and `benchmark` (n,) are excess returns per period, paired by date; `level` is that of the
    percentile interval. The p-value is two-sided: the share of resampled differences at least as far from the
    estimate as the estimate is from zero. `counts`, resamples drawn before, are shared between comparisons; `periods` a
    year annualise.

    Source: Ledoit and Wolf (2008), Robust performance hypothesis testing with the Sharpe ratio,
    doi:10.1016/j.jempfin.2008.03.002 (the percentile form, stationary blocks).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> market = rng.normal(0.0005, 0.01, 1000)
    >>> sharpe_difference(market + 0.002, market).low > 0
    True
    """
    second = np.asarray(align(returns, benchmark, ("returns", "benchmark")), dtype=np.float64)
    first = np.asarray(returns, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise DataError(
            f"returns of shapes {first.shape} and {second.shape} cannot be paired; align their dates"
        )
    if not 0 < level < 1:
        raise DataError(f"level={level} is not in (0, 1)")
    if counts is None:
        counts = stationary_bootstrap_counts(first.size, block=block, draws=draws, random_state=random_state)
    pair = np.column_stack([first, second])
    n = first.size
    ratios = math.sqrt(periods) * _sharpe_of_sums(counts @ pair, counts @ pair**2, n)
    differences = ratios[:, 0] - ratios[:, 1]
    estimate = float(sharpe_ratio(first, periods=periods) - sharpe_ratio(second, periods=periods))
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    extreme = int((np.abs(differences - differences.mean()) >= abs(estimate)).sum())
    return Interval(estimate, float(low), float(high), (extreme + 1) / (len(differences) + 1), level)


@renamed(seed="random_state")
def interquartile_mean(
    values: ArrayLike, *, draws: int = 2000, level: float = 0.95, random_state: int = 0
) -> Interval:
    """Return the mean of the middle half over seeds, with a percentile bootstrap interval over seeds.

    `values` are (n_seeds,) or (n_tasks, n_seeds); with several tasks, seeds are resampled within each. The
    interval speaks of the seeds only: the market's own uncertainty is far larger.

    Source: Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical
    precipice, arXiv:2108.13264.

    Examples
    --------
    >>> interquartile_mean([0.0, 1.0, 1.1, 1.2, 9.0]).estimate
    1.1
    """
    runs = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if runs.shape[1] < 2 or not np.isfinite(runs).all():
        raise DataError(f"an interval over seeds needs at least two finite scores; got shape {runs.shape}")
    rng = np.random.default_rng(random_state)
    chosen = rng.integers(runs.shape[1], size=(draws, *runs.shape))
    sampled = np.take_along_axis(np.broadcast_to(runs, chosen.shape), chosen, axis=2)
    low, high = np.quantile(_middle_mean(sampled.reshape(draws, -1)), [(1 - level) / 2, (1 + level) / 2])
    estimate = float(_middle_mean(runs.reshape(1, -1))[0])
    return Interval(round(estimate, 12), float(low), float(high), level=level)


def _middle_mean(rows: FloatArray) -> FloatArray:
    ordered = np.sort(rows, axis=1)
    cut = rows.shape[1] // 4
    middle: FloatArray = ordered[:, cut : rows.shape[1] - cut].mean(axis=1)
    return middle


def probability_of_improvement(values: ArrayLike, others: ArrayLike) -> float:
    """Return the share of pairs of runs in which the first is better (ties count half).

    Examples
    --------
    >>> probability_of_improvement([1.0, 2.0], [0.0, 2.0])
    0.625
    """
    first, second = np.asarray(values, dtype=np.float64), np.asarray(others, dtype=np.float64)
    difference = first[:, None] - second[None, :]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def verdict(name: str, benchmark: str, difference: Interval) -> str:
    """Say in one sentence what a paired comparison allows to be said.

    Examples
    --------
    >>> verdict("ppo", "equal weight", Interval(0.02, -0.1, 0.1, 0.7))
    'ppo is not distinguishable from equal weight: Sharpe difference +0.02 [-0.10, +0.10], p = 0.70'
    """
    if difference.low > 0:
        finding = "is better than"
    elif difference.high < 0:
        finding = "is worse than"
    else:
        finding = "is not distinguishable from"
    return f"{name} {finding} {benchmark}: Sharpe difference {difference}, p = {difference.p_value:.2f}"
