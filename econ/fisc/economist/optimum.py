"""The true optimum of a planner who knows every worker: the yardstick of all other planners."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed

from fisc.core import Provenance, Record, check_is, check_number, check_seed, check_whole, record, renamed
from fisc.core.arrays import FloatArray
from fisc.economist.criteria import Criterion, welfare
from fisc.economist.objective import RobustWelfare, WelfareOfRates
from fisc.economist.options import CriterionName
from fisc.economist.population import Workers
from fisc.economist.response import respond
from fisc.economist.schedule import TaxSchedule
from fisc.economist.search import basin_hops, differential_evolution, pattern_search
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Certificate", "Optimum", "optimal_schedule"]

#: Change of each rate that the optimum must survive: one hundredth of a percentage point.
TOLERANCE = 1e-4
#: Beyond this many workers the restarts search a systematic sample; the last climb sees everybody.
SEARCH_SAMPLE = 2_000
#: Two restarts agree if they differ by less than this share of the spread between no tax and the best.
AGREEMENT = 1e-3


@dataclass(frozen=True)
class Certificate(Record):
    """Why an optimum may be believed.

    Attributes
    ----------
    restarts : tuple of float
        Best welfare of each independent restart, before it was made robust.
    agreeing : int
        How many of them lie within 0.1 % of the gain over no tax of the best.
    supremum : float
        Largest welfare seen anywhere, robust or not.
    worst_nearby : float
        Smallest welfare when rates change by up to `tolerance`: each alone, and all at once.
    tolerance : float
        That change.
    local_gain : float
        Largest gain that one more step of any single rate, of 0.001 to 10 points, would bring in
        robust welfare; 0 if none does.
    grid_best, grid_step : float or None
        Best welfare on an exhaustive grid and its spacing, where there are at most three brackets.
    evaluations : int
        Schedules evaluated.
    """

    restarts: tuple[float, ...]
    agreeing: int
    supremum: float
    worst_nearby: float
    tolerance: float
    local_gain: float
    grid_best: float | None
    grid_step: float | None
    evaluations: int

    def summary(self) -> str:
        """Return the certificate in sentences."""
        grid = ""
        if self.grid_best is not None and self.grid_step is not None:
            grid = f" Best point of the exhaustive grid of {100 * self.grid_step:g} points: {self.grid_best:,.8g}."
        return (
            f"{self.agreeing} of {len(self.restarts)} restarts agree; supremum seen {self.supremum:,.8g}; worst within "
            f"{100 * self.tolerance:g} points of the rates {self.worst_nearby:,.8g}; a single-rate step would still "
            f"gain {self.local_gain:.2g}.{grid} {self.evaluations:,} schedules evaluated."
        )


@dataclass(frozen=True)
class Optimum(Result):
    """The best schedule for given brackets, and why to believe it.

    Attributes
    ----------
    schedule : TaxSchedule
        The robust optimum: it keeps its welfare when rates are rounded to 0.01 point.
    welfare : float
        Welfare of `schedule` when the workers answer exactly.
    criterion : str
        What was maximised.
    """

    schedule: TaxSchedule
    welfare: float
    certificate: Certificate
    criterion: str
    provenance: Provenance = field(compare=False)

    def summary(self) -> str:
        """Return welfare, the rates and the certificate."""
        head = f"welfare ({self.criterion}) {self.welfare:,.8g}"
        return "\n".join([head, self.schedule.summary(), self.certificate.summary()])

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each bracket, as `TaxSchedule.to_frame`."""
        return self.schedule.to_frame()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw marginal and effective rates."""
        return self.schedule.plot(ax, label="optimum")

    def section(self) -> Section:
        """Return rates, picture and certificate as a section of a report."""
        caption, alt = "Marginal and effective rates at the optimum", "Tax rates by income"
        return Section(
            "Optimal tax schedule",
            body=self.certificate.summary(),
            tables=(Table(self.to_frame(), caption="Rates by bracket of annual income", index=False),),
            figures=(Figure.from_matplotlib(self.plot(), caption=caption, alt=alt),),
            provenance=self.provenance,
        )


@renamed(seed="random_state")
def optimal_schedule(
    workers: Workers,
    edges: npt.ArrayLike,
    criterion: CriterionName | Criterion,
    *,
    random_state: int = 0,
    n_jobs: int = 1,
    restarts: int = 4,
    tolerance: float = TOLERANCE,
) -> Optimum:
    """Find the rates that maximise welfare when every worker answers exactly.

    Independent restarts of differential evolution, each followed by basin hopping and pattern
    search; the best is then moved to where it keeps its value if any rate changes by `tolerance`.
    The supremum itself is often a knife's edge, where a worker is just indifferent between two
    brackets, and no tax code states a rate to eight digits.

    Parameters
    ----------
    workers : Workers
        The population.
    edges : array_like, shape (K,)
        Lower edges of the brackets.
    criterion : str or Criterion
        See `fisc.economist.welfare`.
    random_state : int
        Same seed, same schedule, whatever `n_jobs`.
    n_jobs : int
        Restarts run side by side through joblib.
    restarts : int
        At least 1.
    tolerance : float
        Change of each rate that the schedule must survive, in (0, 0.05].

    Returns
    -------
    Optimum

    Notes
    -----
    The followers' problem is solved exactly; the planner's, neither convex nor smooth, by search.
    The certificate says how far restarts agree.

    Examples
    --------
    >>> workers = Workers([20.0, 120.0], cost=0.0005)
    >>> best = optimal_schedule(workers, [0.0], "inverse_income", restarts=1)
    >>> round(float(best.schedule.rates[0]), 3)
    0.603
    """
    restarts = check_whole("restarts", restarts, least=1)
    tolerance = check_number(
        "tolerance", tolerance, above=0, most=0.05, what="a change of each rate, a number"
    )
    random_state = check_seed("random_state", random_state)
    check_whole("n_jobs", n_jobs)
    check_is("workers", workers, Workers, how="build them with Workers(...) or Workers.sample(...)")
    objective = WelfareOfRates(workers, edges, criterion)
    searched = objective
    if workers.n > SEARCH_SAMPLE:
        searched = WelfareOfRates(*_systematic_sample(workers, objective))
    streams = np.random.SeedSequence(random_state).spawn(restarts)
    found = Parallel(n_jobs=n_jobs)(
        delayed(_restart)(searched, np.random.default_rng(stream)) for stream in streams
    )
    evaluations = sum(count for _, _, count in found)
    values = tuple(float(value) for _, value, _ in found)

    grid_best, grid_step, candidates = None, None, [point for point, _, _ in found]
    if (objective.edges.size <= 3) and workers.n <= SEARCH_SAMPLE:
        grid_point, grid_best, grid_step = _exhaustive(objective)
        candidates.append(grid_point)
    candidates.sort(key=lambda point: -float(objective(point[None, :])[0]))

    # A little wider than asked, so that rounding the rates to six digits stays inside.
    robust = RobustWelfare(objective, tolerance + 1e-6)
    rng = np.random.default_rng(np.random.SeedSequence(random_state).spawn(restarts + 1)[-1])
    few = workers.n <= SEARCH_SAMPLE
    polished = [_made_robust(robust, point, tolerance, rng, kicks=8 * few) for point in candidates[: 1 + few]]
    point = np.round(max(polished, key=robust.worst_nearby), 6)

    schedule = TaxSchedule(objective.edges, point)
    value = welfare(respond(workers, schedule), workers, objective.criterion)
    none = float(objective(np.zeros((1, point.size)))[0])
    best_restart = max(values)
    spread = abs(best_restart - none) * AGREEMENT
    certificate = Certificate(
        restarts=values,
        agreeing=sum(best_restart - v <= spread for v in values),
        supremum=max(value, float(objective(np.array(candidates)).max())),
        worst_nearby=RobustWelfare(objective, tolerance).worst_nearby(point),
        tolerance=tolerance,
        local_gain=_local_gain(robust, point),
        grid_best=grid_best,
        grid_step=grid_step,
        evaluations=evaluations + objective.evaluations,
    )
    return Optimum(
        schedule=schedule,
        welfare=value,
        certificate=certificate,
        criterion=objective.criterion.name,
        provenance=record(
            options={"restarts": restarts, "tolerance": tolerance, "gamma": objective.criterion.gamma},
            inputs={"skill": workers.skill, "cost": workers.cost, "edges": objective.edges},
            seed=random_state,
        ),
    )


def _systematic_sample(workers: Workers, objective: WelfareOfRates) -> tuple[Workers, FloatArray, Criterion]:
    """Return every n/m-th worker by skill, with welfare weights that fit them."""
    order = np.argsort(workers.skill, kind="stable")
    picks = order[((np.arange(SEARCH_SAMPLE) + 0.5) * workers.n / SEARCH_SAMPLE).astype(np.intp)]
    rule = objective.criterion
    if rule.name == "weighted":
        rule = Criterion("weighted", weights=objective.weights[picks])
    return workers.subset(picks), objective.edges, rule


def _restart(objective: WelfareOfRates, rng: np.random.Generator) -> tuple[FloatArray, float, int]:
    """Search once from random schedules; return the point, its welfare and the evaluations spent."""
    objective = copy.copy(objective)  # counts for itself, in this process or another
    objective.evaluations = 0
    dims = objective.edges.size
    size = 16 + 6 * dims
    start = rng.uniform(size=(size, dims))
    start[: size // 4] = rng.uniform(size=(size // 4, 1))  # some flat schedules
    start[size // 4 : size // 2].sort(axis=1)  # some progressive ones
    points, values = differential_evolution(objective, start, rng, generations=20 + 20 * dims)
    point, _ = pattern_search(objective, points[int(values.argmax())], step=0.05, smallest=1e-6)
    value = float(objective(point[None, :])[0])
    point, value = basin_hops(objective, point, value, rng, hops=6 * dims, smallest=1e-7)
    return point, value, objective.evaluations


def _exhaustive(objective: WelfareOfRates) -> tuple[FloatArray, float, float]:
    """Evaluate a full grid; return its best point, that welfare and the spacing."""
    dims = objective.edges.size
    points = {1: 1001, 2: 201, 3: 41}[dims]
    axis = np.linspace(0.0, 1.0, points)
    grid = np.array(list(itertools.product(axis, repeat=dims)))
    values = objective(grid)
    best = int(values.argmax())
    return grid[best], float(values[best]), float(axis[1])


def _made_robust(
    robust: RobustWelfare, point: FloatArray, tolerance: float, rng: np.random.Generator, *, kicks: int
) -> FloatArray:
    """Climb in robust welfare, learning bad corners on the way, until none is left (or 12 are known)."""
    point, value = pattern_search(robust, point, step=64 * tolerance, smallest=tolerance / 8)
    for round_ in range(12):
        for scale in np.geomspace(0.02, 4 * tolerance, kicks if round_ == 0 else kicks // 4):
            kicked = np.clip(point + rng.normal(0.0, scale, point.size), 0.0, 1.0)
            trial, trial_value = pattern_search(robust, kicked, step=scale, smallest=tolerance / 8)
            if trial_value > value:
                point, value = trial, trial_value
        if not robust.learn_corner(point):
            break
        point, value = pattern_search(robust, point, step=8 * tolerance, smallest=tolerance / 8)
    return point


def _local_gain(robust: RobustWelfare, point: FloatArray) -> float:
    """Return what the best single-rate step of 0.001 to 10 points would add, at least 0."""
    steps = np.concatenate([np.geomspace(1e-5, 0.1, 9), -np.geomspace(1e-5, 0.1, 9)])
    moved = np.repeat(point[None, :], steps.size * point.size, axis=0)
    for k in range(point.size):
        moved[k * steps.size : (k + 1) * steps.size, k] += steps
    values = robust(np.concatenate([point[None, :], np.clip(moved, 0.0, 1.0)]))
    return float(max(0.0, values[1:].max() - values[0]))
