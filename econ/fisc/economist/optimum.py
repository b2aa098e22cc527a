"""The true optimum of a planner who knows every worker: the yardstick of all other planners."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from fisc.core import Provenance, Record, check_is, check_number, check_seed, check_whole, record, renamed
from fisc.core.result import LATER
from fisc.economist.criteria import Criterion, welfare
from fisc.economist.evolution_search import Progress, evolve_rates
from fisc.economist.gradient_search import find_rates
from fisc.economist.objective import WelfareOfRates
from fisc.economist.options import CriterionName
from fisc.economist.population import Workers
from fisc.economist.response import respond
from fisc.economist.schedule import TaxSchedule
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Certificate", "Optimum", "optimal_schedule"]

#: Change of each rate that the optimum must survive: one hundredth of a percentage point.
TOLERANCE = 1e-4
#: Sorted workers beyond which welfare is smooth enough for a gradient to lead to the top.
LARGE = 20_000
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
    path : str
        How welfare was computed: by sums over sorted workers, or by asking every worker, and why.
    """

    schedule: TaxSchedule
    welfare: float
    certificate: Certificate
    criterion: str
    provenance: Provenance = field(compare=False)
    path: str = field(default="", metadata=LATER)

    def summary(self) -> str:
        """Return welfare, the rates and the certificate."""
        head = f"welfare ({self.criterion}) {self.welfare:,.8g}"
        how = f"Welfare by {self.path}." if self.path else ""
        return "\n".join([head, self.schedule.summary(), self.certificate.summary(), how])

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
    lowest_rate: float = 0.0,
    progress: Progress | None = None,
) -> Optimum:
    """Find the rates that maximise welfare when every worker answers exactly.

    Where more than 20,000 workers differ in one number only (they share the cost of hours, or nobody
    reaches the cap), welfare is smooth and known in microseconds: the gradient is climbed from several
    starts, and the whole population is seen. Otherwise independent restarts of differential evolution,
    each followed by basin hopping and pattern search. The best is then moved to where it keeps its
    value if any rate changes by `tolerance`. The supremum itself is often a knife's edge, where a worker
    is just indifferent between two brackets, and no tax code states a rate to eight digits.

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
    lowest_rate : float
        Smallest marginal rate, in [-1, 0]; below 0 for credits that grow with earnings.
    progress : callable, optional
        Called with what is done, searches done and searches in all.

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
    lowest_rate = check_number("lowest_rate", lowest_rate, least=-1, most=0)
    random_state = check_seed("random_state", random_state)
    check_whole("n_jobs", n_jobs)
    check_is("workers", workers, Workers, how="build them with Workers(...) or Workers.sample(...)")
    objective = WelfareOfRates(workers, edges, criterion, lowest_rate=lowest_rate)
    fast = objective.sorted
    if fast is not None and fast.has_gradient and workers.n > LARGE:
        rng = np.random.default_rng(np.random.SeedSequence(random_state))
        found = find_rates(fast, rng=rng, restarts=restarts, tolerance=tolerance, lowest=lowest_rate)
        grid_best = grid_step = None
    else:
        found, grid_best, grid_step = evolve_rates(
            objective, random_state, restarts=restarts, tolerance=tolerance, n_jobs=n_jobs, progress=progress
        )
    schedule = TaxSchedule(objective.edges, found.rates, lowest=lowest_rate)
    value = welfare(respond(workers, schedule), workers, objective.criterion)
    none = float(objective(np.zeros((1, found.rates.size)))[0])
    best = max(found.restarts)
    spread = abs(best - none) * AGREEMENT
    certificate = Certificate(
        restarts=found.restarts,
        agreeing=sum(best - end <= spread for end in found.restarts),
        supremum=max(value, found.supremum),
        worst_nearby=found.worst_nearby,
        tolerance=tolerance,
        local_gain=found.local_gain,
        grid_best=grid_best,
        grid_step=grid_step,
        evaluations=found.evaluations,
    )
    inputs = {"skill": workers.skill, "cost": workers.cost, "edges": objective.edges}
    if workers.weights is not None:
        inputs["weights"] = workers.weights
    return Optimum(
        schedule=schedule,
        welfare=value,
        certificate=certificate,
        criterion=objective.criterion.name,
        path=objective.path,
        provenance=record(
            options={
                "restarts": restarts,
                "tolerance": tolerance,
                "gamma": objective.criterion.gamma,
                "lowest_rate": lowest_rate,
            },
            inputs=inputs,
            seed=random_state,
        ),
    )
