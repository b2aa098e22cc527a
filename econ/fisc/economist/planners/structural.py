"""A planner that learns how people work from the labour survey, and optimises against what it learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fisc.core.arrays import FloatArray
from fisc.economist.objective import WelfareOfRates
from fisc.economist.observation import Observation
from fisc.economist.planners.base import Planner, Task
from fisc.economist.population import Workers
from fisc.economist.response import respond
from fisc.economist.schedule import TaxSchedule
from fisc.economist.search import differential_evolution, pattern_search

__all__ = ["BehaviouralModel", "StructuralPlanner"]

#: Curvatures considered at first: elasticities of income from 1 down to 0.2.
CURVATURES = np.linspace(2.0, 6.0, 17)
#: Weekly hours that a class would work without tax and without a cap: what is considered at first.
FREE_HOURS = np.geomspace(2.0, 400.0, 70)
#: People who stand for a class, spread over its wages, at most.
SPREAD = 8
#: Prior on the curvature (mean, standard deviation) and on how far the logarithm of a class's free
#: hours lies from the line through all classes; hours are taken to be observed with NOISE.
PRIOR_CURVATURE, PRIOR_SPREAD, LINE_SPREAD, NOISE = 4.0, 2.0, 0.5, 0.05


@dataclass(frozen=True, eq=False)
class BehaviouralModel:
    """Beliefs about behaviour: people of each wage class and what an hour costs them.

    `workers` are a few for each class, spread over its range of wages and weighted by its people;
    `misfit` is the mean squared error of the hours of the classes over all years, hours a week squared.
    """

    workers: Workers
    misfit: float

    @property
    def delta(self) -> float:
        """Curvature of the disutility of hours."""
        return self.workers.delta

    @classmethod
    def fit(cls, past: Sequence[Observation], task: Task) -> BehaviouralModel:
        """Estimate the model from the labour surveys of all past years.

        For each curvature on a grid, and each class, the cost of an hour is the one whose exact
        best responses come closest to the hours observed. Where hours say nothing, because a class
        worked at the cap under every schedule so far, its cost comes from the line through the others.
        """
        survey = _Survey(past, task)
        free = np.repeat(np.log(FREE_HOURS)[None, :], survey.classes, axis=0)
        fits = [survey.fit(delta, free) for delta in CURVATURES]
        coarse = min(range(len(fits)), key=lambda j: fits[j].loss)
        window = np.log(FREE_HOURS[1] / FREE_HOURS[0]) * np.linspace(-1.5, 1.5, 31)
        best = fits[coarse]
        width = CURVATURES[1] - CURVATURES[0]
        for _ in range(3):
            trials = [best.delta - width / 2, best.delta, best.delta + width / 2]
            local = [survey.fit(delta, best.log_hours[:, None] + window) for delta in trials if delta > 1.2]
            best = min(local, key=lambda found: found.loss)
            width /= 2.0
            window = window / 3.0
        return cls(survey.people(best), best.misfit)


@dataclass(frozen=True, eq=False)
class _Fit:
    """Free hours of each class (log, shape (G,)) for one curvature, their slope in log wage, the loss."""

    delta: float
    log_hours: FloatArray
    slope: float
    loss: float
    misfit: float


class _Survey:
    """The labour surveys of all past years, and people who stand for their classes."""

    def __init__(self, past: Sequence[Observation], task: Task) -> None:
        first = past[0]
        self.task = task
        self.count = first.class_count
        self.wage = first.class_wage
        self.classes = self.wage.size
        self.hours = np.array([seen.class_hours for seen in past])  # (Y, G)
        self.laws = [TaxSchedule(task.edges, seen.rates) for seen in past]
        member, wage, mass = [], [], []
        for g in range(self.classes):
            people = max(1, int(min(self.count[g], SPREAD)))
            spread = np.geomspace(first.class_lowest[g], first.class_highest[g], people)
            spread = spread * (self.wage[g] / spread.mean())
            member += [g] * people
            wage += spread.tolist()
            mass += [self.count[g] / people] * people
        self.member = np.array(member)
        self.people_wage = np.array(wage)
        self.mass = np.array(mass)
        self.size = np.bincount(self.member)

    def _cost(self, delta: float, log_hours: FloatArray, slope: float) -> FloatArray:
        """Return the cost of each person from the free hours of their class, shape of `log_hours` by person.

        Free hours are (s / (c delta))^(1/(delta-1)); within a class they follow the line's slope.
        """
        within = slope * np.log(self.people_wage / self.wage[self.member])
        own = log_hours[self.member] + (within[:, None] if log_hours.ndim == 2 else within)
        wage = self.people_wage[:, None] if log_hours.ndim == 2 else self.people_wage
        return np.asarray(wage / (delta * np.exp(own * (delta - 1.0))))

    def _predicted(self, delta: float, log_hours: FloatArray, slope: float) -> FloatArray:
        """Return mean hours of each class under every past schedule, shape (Y, G, J)."""
        candidates = log_hours.shape[1]
        cost = self._cost(delta, log_hours, slope)
        wage = np.repeat(self.people_wage, candidates)
        people = Workers(wage, cost.ravel(), delta, self.task.max_hours, self.task.hours_grid)
        starts = np.concatenate([[0], np.cumsum(self.size)[:-1]])
        answers = np.empty((len(self.laws), self.classes, candidates))
        for y, law in enumerate(self.laws):
            hours = respond(people, law).hours.reshape(-1, candidates)
            answers[y] = np.add.reduceat(hours, starts, axis=0) / self.size[:, None]
        return answers

    def fit(self, delta: float, candidates: FloatArray) -> _Fit:
        """Choose among candidate free hours (log, (G, J)) those that explain each class best."""
        slope = 0.0
        log_hours = candidates[:, 0]
        for _ in range(2):  # the slope within classes comes from the fit between classes
            predicted = self._predicted(delta, candidates, slope)
            errors = np.sum((predicted - self.hours[:, :, None]) ** 2, axis=0)
            pick = errors.argmin(axis=1)
            log_hours = candidates[np.arange(self.classes), pick]
            chosen = predicted[:, np.arange(self.classes), pick]
            telling = chosen.min(axis=0) < 0.97 * self.task.max_hours
            if telling.sum() < 3:
                line = np.full(self.classes, log_hours.mean())
                break
            slope, level = np.polyfit(
                np.log(self.wage[telling]), log_hours[telling], 1, w=np.sqrt(self.count[telling])
            )
            line = level + slope * np.log(self.wage)
        penalty = (NOISE / LINE_SPREAD) ** 2 * (candidates - line[:, None]) ** 2
        pick = (errors + penalty).argmin(axis=1)
        log_hours = candidates[np.arange(self.classes), pick]
        weight = self.count / self.count.sum()
        squared = float(weight @ errors[np.arange(self.classes), pick])
        years = len(self.laws)
        prior = (NOISE * (delta - PRIOR_CURVATURE) / PRIOR_SPREAD) ** 2 / self.classes
        return _Fit(delta, log_hours, float(slope), squared + prior, squared / years)

    def people(self, fit: _Fit) -> Workers:
        """Return people with the estimated costs, and for how many each stands."""
        cost = self._cost(fit.delta, fit.log_hours, fit.slope)
        known = (fit.delta, self.task.max_hours, self.task.hours_grid)
        return Workers(self.people_wage, cost, *known, weights=self.mass)


@dataclass(frozen=True)
class StructuralPlanner(Planner):
    """Bayesian planner: learns curvature and costs from surveys, maximises expected welfare.

    Each year it fits a `BehaviouralModel` to all surveys so far, draws a few models around it
    (costs and curvature jittered, less so as years pass), and proposes the rates whose mean
    welfare over the draws is highest. Averaging keeps it off knife's edges that exist only in its
    estimate.

    It knows that people weigh money against hours with a power cost; it does not know the power,
    the costs, or any single person.

    A proposal is averaged over `draws` models, at least 1; `jitter` is the standard deviation of the
    logarithm of free hours in the first year's.
    """

    name: ClassVar[str] = "bayesian"
    draws: int = 4
    jitter: float = 0.03

    def propose(self, past: Sequence[Observation], task: Task, rng: np.random.Generator) -> FloatArray:
        """Return the rates that maximise expected welfare under the beliefs so far."""
        model = BehaviouralModel.fit(past, task)
        scale = self.jitter / np.sqrt(len(past))
        objectives = []
        for _ in range(self.draws):
            shift = rng.normal(0.0, scale, model.workers.n) * (model.delta - 1.0)
            people = Workers(
                model.workers.skill,
                model.workers.cost * np.exp(shift),
                model.delta,
                task.max_hours,
                task.hours_grid,
                weights=model.workers.weights,
            )
            objectives.append(WelfareOfRates(people, task.edges, task.criterion))

        def expected(policies: FloatArray) -> FloatArray:
            return np.asarray(np.mean([objective(policies) for objective in objectives], axis=0))

        start = rng.uniform(size=(40, task.brackets))
        seen = sorted(past, key=lambda year: -year.welfare)[:5]
        start[: len(seen)] = [year.rates for year in seen]
        points, values = differential_evolution(expected, start, rng, generations=60)
        point, _ = pattern_search(expected, points[int(values.argmax())], step=0.05, smallest=1e-4)
        if min(float(np.abs(point - year.rates).max()) for year in past) < 2e-3:
            # The same rates again would teach nothing: look close by.
            point = np.clip(point + rng.normal(0.0, 0.02, task.brackets), 0.0, 1.0)
        return point
