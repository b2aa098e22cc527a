"""The best rates for a large population, by climbing the gradient from several starts.

A large population's welfare is smooth but for jumps of single workers, so a quasi-Newton climb comes
within a hundredth of a point of the top, and a pattern search on the exact welfare does the rest. Nobody
is left out: the search sees the whole population, as the certificate does.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from fisc.core.arrays import FloatArray
from fisc.core.errors import DataError
from fisc.economist.search import BatchObjective, pattern_search
from fisc.economist.sorted_welfare import SortedWelfare

__all__ = ["FoundRates", "Nearby", "climb", "find_rates", "local_gain"]

#: Highest rate in the search; at 1 nobody in the bracket would earn another unit.
HIGHEST = 0.999
#: Brackets up to which each rate's own change is looked at in every step of the robust climb.
FEW_BRACKETS = 12
#: Corners of the box around a point that a certificate looks at where there are more than 2^10.
CORNERS = 1024
#: Candidates that are polished after the climbs, with few brackets and with many.
POLISHED = (2, 1)
#: Values of each single rate that are tried after the climbs.
SCANNED = 41


@dataclass(frozen=True, eq=False)
class FoundRates:
    """What a search found, and what a certificate needs; see `fisc.economist.optimum.Certificate`.

    Attributes
    ----------
    rates : ndarray, shape (K,)
        Rounded to six digits; keeps its welfare when rates change by the tolerance.
    welfare : float
        Welfare there.
    restarts : tuple of float
        Welfare at the end of the climb from each start.
    supremum : float
        Largest welfare seen.
    worst_nearby : float
        Smallest welfare when rates change by up to the tolerance: each alone, and all at once.
    local_gain : float
        Largest gain of robust welfare by one more step, of 0.001 to 10 points, of a single rate.
    evaluations : int
        Schedules evaluated, gradients counted as one each.
    """

    rates: FloatArray
    welfare: float
    restarts: tuple[float, ...]
    supremum: float
    worst_nearby: float
    local_gain: float
    evaluations: int


class Nearby:
    """The worst welfare within `tolerance` of a point, over the corners that once proved the worst.

    Parameters
    ----------
    objective : callable
        Welfare of each row of rates, shape (P, K) -> (P,).
    brackets : int
        K.
    tolerance : float
        Largest change of a rate.
    lowest : float
        Smallest rate that is allowed.
    """

    def __init__(self, objective: BatchObjective, brackets: int, tolerance: float, lowest: float) -> None:
        self.objective = objective
        self._tolerance, self._lowest = tolerance, lowest
        ones = np.ones((1, brackets))
        alone = np.concatenate([np.eye(brackets), -np.eye(brackets)])
        if brackets <= 10:
            corners = np.array(list(itertools.product((-1.0, 1.0), repeat=brackets)))
        else:
            corners = np.where(np.random.default_rng(0).uniform(size=(CORNERS, brackets)) < 0.5, -1.0, 1.0)
        self._all = np.concatenate([0.0 * ones, alone, ones, -ones, corners])
        self._watched = self._all[: 1 + 2 * brackets] if brackets <= FEW_BRACKETS else self._all[:1]

    def _values(self, points: FloatArray, signs: FloatArray) -> FloatArray:
        around = np.clip(points[:, None, :] + self._tolerance * signs, self._lowest, 1.0)
        return self.objective(around.reshape(-1, points.shape[1])).reshape(len(points), -1)

    def __call__(self, points: FloatArray) -> FloatArray:
        """Return the worst welfare around each row of `points`, over the corners in use, shape (P,)."""
        return np.asarray(self._values(points, self._watched).min(axis=1))

    def worst(self, point: FloatArray) -> float:
        """Return the smallest welfare over each rate alone and every corner (1024 of them if K > 10)."""
        return float(self._values(point[None, :], self._all).min())

    def learn(self, point: FloatArray) -> bool:
        """Watch the worst corner around `point` too; return whether it was worse than those in use."""
        values = self._values(point[None, :], self._all)[0]
        if values.min() >= self(point[None, :])[0]:
            return False
        self._watched = np.concatenate([self._watched, self._all[[int(values.argmin())]]])
        return True


def find_rates(
    welfare: SortedWelfare,
    *,
    rng: np.random.Generator,
    restarts: int = 4,
    tolerance: float = 1e-4,
    lowest: float = 0.0,
) -> FoundRates:
    """Find the rates that maximise the welfare of a large population.

    Parameters
    ----------
    welfare : SortedWelfare
        What to maximise; a population of some thousand workers or more. Of fewer, welfare is too rugged
        for a gradient: use differential evolution.
    rng : numpy Generator
        Draws the starts after the first four (two flat ones, one rising, one falling).
    restarts : int
        How many starts.
    tolerance : float
        Change of each rate that the schedule must survive.
    lowest : float
        Smallest marginal rate; below 0 for credits on earnings.

    Returns
    -------
    FoundRates

    Raises
    ------
    DataError
        If `lowest` does not lie in [-1, 1), or for the live criteria: welfare that rates can game by
        sending people out of work has its summits where no gradient leads.

    Examples
    --------
    >>> from fisc.economist.sorted_population import SortedPopulation
    >>> skill = np.exp(6.0 + np.linspace(-2.0, 2.0, 20_000))
    >>> people = SortedPopulation.of(skill, np.full(20_000, 0.02), 3.5, 1e6)
    >>> found = find_rates(SortedWelfare(people, np.zeros(1), "rawls"), rng=np.random.default_rng(0))
    >>> round(float(found.rates[0]), 2)                   # near 1/(1+e): the poorest live on the rebate
    0.71
    """
    if not (-1.0 <= lowest < 1.0):
        raise DataError(f"the lowest rate must lie in [-1, 1), got {lowest!r}")
    if not welfare.has_gradient:
        raise DataError(
            "criteria with weights of current income have no gradient; use differential evolution"
        )
    before = welfare.evaluations
    starts = _starts(welfare.edges.size, restarts, lowest, rng)
    unit = _unit(welfare, starts)
    ends = [climb(welfare, start, unit=unit, lowest=lowest) for start in starts]
    values = welfare(np.array(ends))
    polish = POLISHED[welfare.edges.size > FEW_BRACKETS]
    best = [ends[i] for i in np.argsort(-values, kind="stable")[:polish]]
    best = [_scanned(welfare, point, unit, lowest) for point in best]
    nearby = Nearby(welfare, welfare.edges.size, tolerance + 1e-6, lowest)  # room for rounding
    polished = [_polished(welfare, nearby, point, tolerance, lowest) for point in best]
    rates = np.round(max(polished, key=nearby.worst), 6)
    value = float(welfare(rates[None, :])[0])
    return FoundRates(
        rates=rates,
        welfare=value,
        restarts=tuple(values.tolist()),
        supremum=max(value, float(welfare(np.array(polished)).max()), float(values.max())),
        worst_nearby=Nearby(welfare, rates.size, tolerance, lowest).worst(rates),
        local_gain=local_gain(nearby, rates, lowest),
        evaluations=welfare.evaluations - before,
    )


def climb(welfare: SortedWelfare, start: FloatArray, *, unit: float, lowest: float = 0.0) -> FloatArray:
    """Follow the gradient uphill; return where it ends, shape (K,).

    Parameters
    ----------
    welfare : SortedWelfare
        What to maximise.
    start : ndarray, shape (K,)
        Rates.
    unit : float
        Size of the differences in welfare that matter, so that the search need not know the units.
    lowest : float
        Smallest rate.
    """

    def downhill(rates: FloatArray) -> tuple[float, FloatArray]:
        return -float(welfare(rates[None, :])[0]) / unit, -welfare.gradient(rates) / unit

    point = start
    bounds = [(lowest, HIGHEST)] * start.size
    for _ in range(3):  # a line search that meets a jump gives up early; a fresh one goes on
        found = minimize(
            downhill,
            point,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 300, "ftol": 1e-13},
        )
        moved = float(np.abs(found.x - point).max())
        point = np.asarray(found.x)
        if moved < 1e-4:
            break
    return point


def _scanned(welfare: SortedWelfare, point: FloatArray, unit: float, lowest: float) -> FloatArray:
    """Try each rate at many values and climb again, while that helps: no slope leads to an empty bracket."""
    size = point.size
    grid = np.linspace(lowest, HIGHEST, SCANNED)
    for _ in range(size):
        trials = np.repeat(point[None, :], size * SCANNED, axis=0)
        trials[np.arange(size * SCANNED), np.repeat(np.arange(size), SCANNED)] = np.tile(grid, size)
        values = welfare(np.concatenate([point[None, :], trials]))
        best = int(values.argmax())
        if best == 0:
            break
        point = climb(welfare, trials[best - 1], unit=unit, lowest=lowest)
    return point


def _starts(brackets: int, restarts: int, lowest: float, rng: np.random.Generator) -> FloatArray:
    """Return first schedules, shape (restarts, K)."""
    even = np.ones(brackets)
    known = [0.5 * even, 0.7 * even, np.linspace(0.8, 0.4, brackets), np.linspace(0.3, 0.7, brackets)]
    while len(known) < restarts:
        knots = rng.uniform(0.05, 0.95, 4)
        known.append(np.interp(np.linspace(0.0, 3.0, brackets), np.arange(4.0), knots))
    return np.maximum(np.array(known[:restarts]), lowest)


def _unit(welfare: BatchObjective, starts: FloatArray) -> float:
    """Return the spread of welfare over the starts and no tax."""
    values = welfare(np.concatenate([starts, np.zeros((1, starts.shape[1]))]))
    return float(np.ptp(values)) or 1.0


def _polished(
    welfare: BatchObjective, nearby: Nearby, point: FloatArray, tolerance: float, lowest: float
) -> FloatArray:
    """Climb on the exact welfare, then on the worst nearby, learning bad corners on the way."""
    point, _ = pattern_search(welfare, point, step=32 * tolerance, smallest=tolerance / 2, lowest=lowest)
    for _ in range(6):
        point, _ = pattern_search(nearby, point, step=4 * tolerance, smallest=tolerance / 4, lowest=lowest)
        if not nearby.learn(point):
            break
    return point


def local_gain(nearby: Nearby, point: FloatArray, lowest: float) -> float:
    """Return what the best single-rate step of 0.001 to 10 points would add, at least 0."""
    steps = np.concatenate([np.geomspace(1e-5, 0.1, 9), -np.geomspace(1e-5, 0.1, 9)])
    moved = point + (steps[:, None, None] * np.eye(point.size)).reshape(-1, point.size)
    values = nearby(np.concatenate([point[None, :], np.clip(moved, lowest, 1.0)]))
    return float(max(0.0, values[1:].max() - values[0]))
