"""The schedule that is safe in several worlds: smallest worst regret over populations that may be the true one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from fisc.core import DataError, Provenance, check_is, check_seed, record, renamed
from fisc.economist.criteria import Criterion, criterion_of, welfare
from fisc.economist.least_regret import World, least_regret
from fisc.economist.objective import WelfareOfRates
from fisc.economist.optimum import Optimum, optimal_schedule
from fisc.economist.options import CriterionName
from fisc.economist.plots import plot_schedules
from fisc.economist.population import Workers
from fisc.economist.response import respond
from fisc.economist.schedule import TaxSchedule
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RobustSchedule", "robust_schedule"]

#: Name of the safe schedule in tables.
SAFE = "safe"
_HOW = "give a list of Workers, one for each world"


@dataclass(frozen=True, eq=False)
class RobustSchedule(Result):
    """The safe schedule, and what each world's own optimum costs in the others.

    The regret of a schedule in a world is the share of what could be gained there over the law in force
    that it misses: 0 at that world's optimum, 1 at the law, above 1 where the law is better.

    Attributes
    ----------
    schedule : TaxSchedule
        The schedule with the smallest worst regret.
    active : tuple of str
        Worlds that decide about it, in the order in which they were found to.
    regrets : DataFrame, shape (worlds + 1, worlds + 1)
        A row for the safe schedule and for each world's own optimum; a column for each world, and
        ``worst``, the largest of the row.
    optima : dict of str to Optimum
        Of each world, if it were certain.
    law : TaxSchedule
        The law in force, on the same brackets.
    """

    schedule: TaxSchedule
    active: tuple[str, ...]
    regrets: pd.DataFrame
    optima: dict[str, Optimum]
    law: TaxSchedule
    criterion: str
    provenance: Provenance = field(compare=False)

    @property
    def worst(self) -> float:
        """Worst regret of the safe schedule."""
        return float(self.regrets["worst"][SAFE])

    def summary(self) -> str:
        """Return the worst regret of the safe schedule and of its best rival, and the rates."""
        others = self.regrets["worst"].drop(SAFE)
        return (
            f"worst regret over {len(self.optima)} worlds ({self.criterion}): {self.worst:.3f}; the best of their own "
            f"optima, for {others.idxmin()}, has {others.min():.3f}, the worst {others.max():.3f}. What binds: "
            f"{', '.join(self.active)}.\n{self.schedule.summary()}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return `regrets`."""
        return self.regrets

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the safe schedule and the optima of the worlds that decide about it."""
        own = {f"optimum for {name}": self.optima[name].schedule for name in self.active[:3]}
        return plot_schedules({SAFE: self.schedule, **own}, ax)

    def section(self) -> Section:
        """Return rates, picture and regrets as a section of a report."""
        return Section(
            "The safe schedule",
            question="Which schedule is never far from the best, whichever world turns out to be true?",
            finding=self.summary().partition("\n")[0],
            body=(
                "The regret of a schedule in a world is the share of what could be gained there over the law in "
                "force that it misses."
            ),
            figures=(
                Figure.from_matplotlib(
                    self.plot(),
                    caption="Marginal rates by annual income (solid) and effective rates (dashed).",
                    alt="Curves of tax rates by income",
                ),
            ),
            tables=(
                Table(
                    self.regrets, caption="Regret of each schedule (row) in each world (column)", decimals=3
                ),
                Table(self.schedule.to_frame(), caption="Rates by bracket of annual income", index=False),
            ),
            provenance=self.provenance,
        )


@renamed(seed="random_state")
def robust_schedule(
    workers: Workers,
    edges: npt.ArrayLike,
    criterion: CriterionName | Criterion,
    *,
    models: Sequence[Workers] | Mapping[str, Workers],
    law: TaxSchedule | None = None,
    random_state: int = 0,
    restarts: int = 4,
    lowest_rate: float = 0.0,
) -> RobustSchedule:
    """Find the schedule whose worst regret over several worlds is smallest.

    Nobody knows the elasticity of income, or next year's incomes. Each world is a population: the same
    people with another elasticity, say, each inverted from the incomes that are observed. The safe schedule
    is found as a short sequence of fixed worlds: solve for those known to bind, find the world that is
    worst for the solution, add it, until none is worse.

    Parameters
    ----------
    workers : Workers
        The world that is thought most likely; it opens the list.
    edges : array_like, shape (K,)
        Lower edges of the brackets.
    criterion : str or Criterion
        See `fisc.economist.welfare`; weights of your own need the same number of workers in every world.
    models : sequence or mapping of Workers
        The other worlds, by name or named after their elasticities; `workers` may be among them.
    law : TaxSchedule, optional
        The law in force, whose regret is 1; US law of 2024 if left out. On other brackets than `edges` it
        is compared as it is.
    random_state, restarts, lowest_rate
        Of `optimal_schedule`, for each world.

    Returns
    -------
    RobustSchedule

    Raises
    ------
    DataError
        If there is no further world, or the law in force is already the best in one of them.

    References
    ----------
    Savage, L. J. (1951). The theory of statistical decision. Journal of the American Statistical
    Association 46, 55-67. Ben-Tal, A., El Ghaoui, L. and Nemirovski, A. (2009). Robust Optimization.
    Princeton.

    Examples
    --------
    >>> worlds = [Workers.sample(300, delta=1 + 1 / e) for e in (0.2, 0.4, 0.8)]
    >>> safe = robust_schedule(worlds[1], [0, 50_000], "log", models=worlds, restarts=1)
    >>> safe.active
    ('elasticity 0.4', 'elasticity 0.8', 'elasticity 0.2')
    >>> bool(safe.worst < safe.regrets["worst"].iloc[1:].min())
    True
    """
    check_is("workers", workers, Workers, how="build them with Workers(...) or Workers.sample(...)")
    random_state = check_seed("random_state", random_state)
    rule = criterion_of(criterion)
    names = _named(workers, models)
    law = TaxSchedule.us_federal(2024) if law is None else law
    check_is("law", law, TaxSchedule, how="build one with TaxSchedule(edges, rates)")
    worlds, optima, at_law = [], {}, []
    for name, people in names.items():
        objective = WelfareOfRates(people, edges, rule, lowest_rate=lowest_rate)
        best = optimal_schedule(
            people, edges, rule, random_state=random_state, restarts=restarts, lowest_rate=lowest_rate
        )
        fast = objective.sorted
        gradient = fast.gradient if fast is not None and fast.has_gradient else None
        worlds.append(World(name, objective, best.schedule.rates, gradient))
        optima[name] = best
        at_law.append(welfare(respond(people, law), people, rule))
    safe = least_regret(worlds, np.array(at_law), lowest=lowest_rate)
    regrets = pd.DataFrame(np.vstack([safe.regrets, safe.own]), index=[SAFE, *names], columns=list(names))
    regrets["worst"] = regrets.max(axis=1)
    regrets.index.name = "schedule"
    return RobustSchedule(
        schedule=TaxSchedule(edges, safe.rates, lowest=lowest_rate),
        active=safe.active,
        regrets=regrets,
        optima=optima,
        law=law,
        criterion=rule.name,
        provenance=record(
            options={"criterion": rule.name, "restarts": restarts, "lowest_rate": lowest_rate},
            inputs={name: people.free_income for name, people in names.items()},
            seed=random_state,
        ),
    )


def _named(workers: Workers, models: Sequence[Workers] | Mapping[str, Workers]) -> dict[str, Workers]:
    """Return every world by name, the most likely one first."""
    if isinstance(models, Mapping):
        named = dict(models)
    elif isinstance(models, Sequence):
        named = {}
        for people in models:
            check_is("models", people, Workers, how=_HOW)
            name = f"elasticity {people.elasticity:.3g}"
            named[name if name not in named else f"{name}, world {len(named) + 1}"] = people
    else:
        raise DataError(
            f"models is of type {type(models).__name__}; give a list of Workers, one for each world"
        )
    for people in named.values():
        check_is("models", people, Workers, how=_HOW)
    likely = next((name for name, people in named.items() if people is workers), None)
    if likely is None:
        likely = "most likely"
        if likely in named:
            raise DataError(
                f"models has a world named {likely!r}, as the given workers are; choose another name"
            )
        named[likely] = workers
    if taken := {SAFE, "worst"} & set(named):
        raise DataError(
            f"models has a world named {taken.pop()!r}, as a row or column is; choose another name"
        )
    if len(named) < 2:
        raise DataError("there is no other world to be safe in; give at least one more population in models")
    return {likely: named[likely], **named}
