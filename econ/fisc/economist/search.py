"""Derivative-free search in a box [lowest, 1]: differential evolution, pattern search, CMA-ES (from 0)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from fisc.core.arrays import FloatArray

__all__ = ["CMAES", "BatchObjective", "basin_hops", "differential_evolution", "pattern_search"]

#: Value of each row of a (P, K) array of points of the box; larger is better. Shape (P,).
BatchObjective = Callable[[FloatArray], FloatArray]


def differential_evolution(
    objective: BatchObjective,
    start: FloatArray,
    rng: np.random.Generator,
    *,
    generations: int,
    lowest: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Improve a population of points by differences between its members.

    From a first population (P, K), P >= 5, in [lowest, 1]; each of the `generations` takes P evaluations.
    Returns the last population and its values, shapes (P, K) and (P,).

    References
    ----------
    Storn, R. and Price, K. (1997). Differential evolution. Journal of Global Optimization 11,
    341-359. The mutation "current to p-best" is that of Zhang and Sanderson (2009), JADE.
    """
    points = start.copy()
    size, dims = points.shape
    values = objective(points)
    for _ in range(generations):
        leaders = np.argsort(-values, kind="stable")[: max(2, size // 8)]
        guide = points[rng.choice(leaders, size)]
        first, second = points[rng.integers(size, size=size)], points[rng.integers(size, size=size)]
        scale = rng.uniform(0.3, 0.9, size=(size, 1))
        mutant = points + scale * (guide - points) + scale * (first - second)
        # Where a mutant leaves the box, halve the way from its parent to the wall.
        mutant = np.where(mutant < lowest, (points + lowest) / 2.0, mutant)
        mutant = np.where(mutant > 1.0, (points + 1.0) / 2.0, mutant)
        cross = rng.uniform(size=(size, dims)) < rng.uniform(0.3, 1.0, size=(size, 1))
        cross[np.arange(size), rng.integers(dims, size=size)] = True
        trial = np.where(cross, mutant, points)
        trial_values = objective(trial)
        better = trial_values >= values
        points[better], values[better] = trial[better], trial_values[better]
    return points, values


def pattern_search(
    objective: BatchObjective, point: FloatArray, *, step: float, smallest: float, lowest: float = 0.0
) -> tuple[FloatArray, float]:
    """Climb from a point (K,) along the axes, and along the last successful move, with a shrinking step."""
    dims = point.size
    axes = np.concatenate([np.eye(dims), -np.eye(dims)])
    value = float(objective(point[None, :])[0])
    last = np.zeros(dims)
    while step >= smallest:
        around = np.clip(point + step * axes, lowest, 1.0)
        ahead = np.clip(point + last, lowest, 1.0)
        values = objective(np.concatenate([around, ahead[None, :]]))
        best = int(values.argmax())
        if values[best] > value:
            target = ahead if best == 2 * dims else around[best]
            last = target - point + (0.5 * last if best < 2 * dims else 0.0)
            point, value = target, float(values[best])
        else:
            step /= 2.0
            last = np.zeros(dims)
    return point, value


def basin_hops(
    objective: BatchObjective,
    point: FloatArray,
    value: float,
    rng: np.random.Generator,
    *,
    hops: int,
    smallest: float,
    lowest: float = 0.0,
) -> tuple[FloatArray, float]:
    """Kick some coordinates of a point (K,), climb again, keep what is better.

    The size of the kicks falls from 0.3 to 0.003; `smallest` is the last step of each climb.
    """
    dims = point.size
    for scale in np.geomspace(0.3, 0.003, hops):
        moved = rng.uniform(size=dims) < max(0.4, 1.0 / dims)
        moved[rng.integers(dims)] = True
        kicked = np.clip(point + moved * rng.normal(0.0, scale, dims), lowest, 1.0)
        end = max(smallest, scale / 500)
        trial, trial_value = pattern_search(objective, kicked, step=scale, smallest=end, lowest=lowest)
        if trial_value > value:
            point, value = trial, trial_value
    return pattern_search(objective, point, step=1e-3, smallest=smallest, lowest=lowest)


@dataclass
class CMAES:
    """Covariance matrix adaptation evolution strategy, ask and tell, in the unit box.

    Starts from a centre (K,) and a step size `sigma`, with `population` points in each generation.
    Points that leave the box are brought back by reflection before they are asked for.

    References
    ----------
    Hansen, N. (2016). The CMA Evolution Strategy: A Tutorial. arXiv 1604.00772.

    Examples
    --------
    >>> search = CMAES(np.full(2, 0.2), 0.2, np.random.default_rng(0), population=8)
    >>> for _ in range(40):
    ...     points = search.ask()
    ...     search.tell(points, -((points - 0.7) ** 2).sum(axis=1))
    >>> bool(np.abs(search.mean - 0.7).max() < 1e-3)
    True
    """

    mean: FloatArray
    sigma: float
    rng: np.random.Generator
    population: int
    covariance: FloatArray = field(init=False)
    path_c: FloatArray = field(init=False)
    path_s: FloatArray = field(init=False)
    generation: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        dims = self.mean.size
        self.covariance = np.eye(dims)
        self.path_c = np.zeros(dims)
        self.path_s = np.zeros(dims)

    def ask(self) -> FloatArray:
        """Return `population` points to evaluate, shape (P, K)."""
        spread, basis = np.linalg.eigh(self.covariance)
        noise = self.rng.standard_normal((self.population, self.mean.size))
        points = self.mean + self.sigma * (noise * np.sqrt(np.maximum(spread, 1e-20))) @ basis.T
        return np.asarray(1.0 - np.abs(1.0 - np.mod(points, 2.0)))  # fold at the walls

    def tell(self, points: FloatArray, values: FloatArray) -> None:
        """Learn from the values of points, larger is better."""
        dims, size = self.mean.size, self.population
        parents = size // 2
        weights = np.log(parents + 0.5) - np.log(np.arange(1, parents + 1))
        weights /= weights.sum()
        mass = 1.0 / np.sum(weights**2)
        rate_c = (4 + mass / dims) / (dims + 4 + 2 * mass / dims)
        rate_s = (mass + 2) / (dims + mass + 5)
        rate_1 = 2 / ((dims + 1.3) ** 2 + mass)
        rate_mu = min(1 - rate_1, 2 * (mass - 2 + 1 / mass) / ((dims + 2) ** 2 + mass))
        damping = 1 + 2 * max(0.0, np.sqrt((mass - 1) / (dims + 1)) - 1) + rate_s
        expected = np.sqrt(dims) * (1 - 1 / (4 * dims) + 1 / (21 * dims**2))

        order = np.argsort(-values, kind="stable")[:parents]
        moves = (points[order] - self.mean) / self.sigma
        move = weights @ moves
        spread, basis = np.linalg.eigh(self.covariance)
        whitened = basis @ ((basis.T @ move) / np.sqrt(np.maximum(spread, 1e-20)))
        self.generation += 1
        self.path_s = (1 - rate_s) * self.path_s + np.sqrt(rate_s * (2 - rate_s) * mass) * whitened
        length = np.linalg.norm(self.path_s)
        settled = (
            length / np.sqrt(1 - (1 - rate_s) ** (2 * self.generation)) < (1.4 + 2 / (dims + 1)) * expected
        )
        self.path_c = (1 - rate_c) * self.path_c + settled * np.sqrt(rate_c * (2 - rate_c) * mass) * move
        lost = (1 - settled) * rate_c * (2 - rate_c)
        self.covariance = (
            (1 - rate_1 - rate_mu + rate_1 * lost) * self.covariance
            + rate_1 * np.outer(self.path_c, self.path_c)
            + rate_mu * (moves.T * weights) @ moves
        )
        self.mean = self.mean + self.sigma * move  # a mean of points of the box stays inside it
        self.sigma = float(min(0.5, self.sigma * np.exp((rate_s / damping) * (length / expected - 1))))
