"""The best rates for a population whose welfare is rugged: differential evolution, then climbs that stay robust."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable

import numpy as np
from joblib import Parallel, delayed

from fisc.core.arrays import FloatArray
from fisc.economist.criteria import Criterion
from fisc.economist.gradient_search import FoundRates, Nearby, local_gain
from fisc.economist.objective import WelfareOfRates
from fisc.economist.search import basin_hops, differential_evolution, pattern_search

__all__ = ["Progress", "evolve_rates"]

#: Beyond this many workers who must be asked one by one, the restarts search a sample of them; the last
#: climb sees everybody.
SEARCH_SAMPLE = 2_000

#: What is done, steps done, steps in all.
Progress = Callable[[str, int, int], None]


def evolve_rates(
    objective: WelfareOfRates,
    random_state: int,
    *,
    restarts: int,
    tolerance: float,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[FoundRates, float | None, float | None]:
    """Find the rates that maximise welfare; also return the best of an exhaustive grid and its spacing, if any.

    Restarts of differential evolution and basin hopping; the best points, and that of the grid where there
    are at most three brackets, are moved to where they keep their value if a rate changes by `tolerance`.
    """
    lowest, dims = objective.lowest_rate, objective.edges.size
    cheap = objective.sorted is not None or objective.workers.n <= SEARCH_SAMPLE
    searched = objective if cheap else _on_a_sample(objective)
    streams = np.random.SeedSequence(random_state).spawn(restarts + 1)
    runs = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_restart)(searched, np.random.default_rng(stream)) for stream in streams[:-1]
    )
    ends = []
    for end in runs:
        ends.append(end)
        if progress is not None:
            progress("searches", len(ends), restarts + 1)
    candidates = [point for point, _, _ in ends]
    grid_best, grid_step = None, None
    if dims <= 3 and cheap:
        grid_point, grid_best, grid_step = _exhaustive(objective)
        candidates.append(grid_point)
    candidates.sort(key=lambda point: -float(objective(point[None, :])[0]))

    # A little wider than asked, so that rounding the rates to six digits stays inside.
    nearby = Nearby(objective, dims, tolerance + 1e-6, lowest)
    rng = np.random.default_rng(streams[-1])
    polished = [
        _made_robust(nearby, point, tolerance, rng, kicks=8 * cheap, lowest=lowest)
        for point in candidates[: 1 + cheap]
    ]
    rates = np.round(max(polished, key=nearby.worst), 6)
    if progress is not None:
        progress("searches", restarts + 1, restarts + 1)
    value = float(objective(rates[None, :])[0])
    found = FoundRates(
        rates=rates,
        welfare=value,
        restarts=tuple(float(value) for _, value, _ in ends),
        supremum=max(value, float(objective(np.array(candidates)).max())),
        worst_nearby=Nearby(objective, dims, tolerance, lowest).worst(rates),
        local_gain=local_gain(nearby, rates, lowest),
        evaluations=sum(count for _, _, count in ends) + objective.evaluations,
    )
    return found, grid_best, grid_step


def _on_a_sample(objective: WelfareOfRates) -> WelfareOfRates:
    """Return the welfare of some people, evenly spread by skill, with welfare weights that fit them."""
    picks, people = objective.workers.spread_evenly(SEARCH_SAMPLE)
    rule = objective.criterion
    if rule.name == "weighted":
        rule = Criterion("weighted", weights=objective.weights[picks])
    workers = objective.workers.subset(picks).with_weights(people)
    return WelfareOfRates(workers, objective.edges, rule, lowest_rate=objective.lowest_rate)


def _restart(objective: WelfareOfRates, rng: np.random.Generator) -> tuple[FloatArray, float, int]:
    """Search once from random schedules; return the point, its welfare and the evaluations spent."""
    objective = copy.copy(objective)  # counts for itself, in this process or another
    objective.evaluations = 0
    lowest, dims = objective.lowest_rate, objective.edges.size
    size = 16 + 6 * dims
    start = rng.uniform(lowest, 1.0, size=(size, dims))
    start[: size // 4] = rng.uniform(lowest, 1.0, size=(size // 4, 1))  # some flat schedules
    start[size // 4 : size // 2].sort(axis=1)  # some progressive ones
    points, values = differential_evolution(objective, start, rng, generations=20 + 20 * dims, lowest=lowest)
    point = points[int(values.argmax())]
    point, value = pattern_search(objective, point, step=0.05, smallest=1e-6, lowest=lowest)
    point, value = basin_hops(objective, point, value, rng, hops=6 * dims, smallest=1e-7, lowest=lowest)
    return point, value, objective.evaluations


def _exhaustive(objective: WelfareOfRates) -> tuple[FloatArray, float, float]:
    """Evaluate a full grid; return its best point, that welfare and the spacing."""
    dims = objective.edges.size
    points = {1: 1001, 2: 201, 3: 41}[dims]
    axis = np.linspace(objective.lowest_rate, 1.0, points)
    grid = np.array(list(itertools.product(axis, repeat=dims)))
    values = objective(grid)
    best = int(values.argmax())
    return grid[best], float(values[best]), float(axis[1] - axis[0])


def _made_robust(
    nearby: Nearby,
    point: FloatArray,
    tolerance: float,
    rng: np.random.Generator,
    *,
    kicks: int,
    lowest: float,
) -> FloatArray:
    """Climb in robust welfare, learning bad corners on the way, until none is left (or 12 are known)."""
    end = tolerance / 8
    point, value = pattern_search(nearby, point, step=64 * tolerance, smallest=end, lowest=lowest)
    for round_ in range(12):
        for scale in np.geomspace(0.02, 4 * tolerance, kicks if round_ == 0 else kicks // 4):
            kicked = np.clip(point + rng.normal(0.0, scale, point.size), lowest, 1.0)
            trial, trial_value = pattern_search(nearby, kicked, step=scale, smallest=end, lowest=lowest)
            if trial_value > value:
                point, value = trial, trial_value
        if not nearby.learn(point):
            break
        point, value = pattern_search(nearby, point, step=8 * tolerance, smallest=end, lowest=lowest)
    return point
