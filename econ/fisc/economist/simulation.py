"""Simulations: a planner and a population year after year, each step on disk, resumable to the bit."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fisc.core import DataError, Record, record
from fisc.core.arrays import FloatArray
from fisc.core.files import locked
from fisc.economist.arrays import person_mean
from fisc.economist.config import SimulationConfig
from fisc.economist.criteria import Criterion, welfare
from fisc.economist.elections import Election, hold_election
from fisc.economist.observation import Observation, WageClasses, observe
from fisc.economist.optimum import optimal_schedule
from fisc.economist.options import Status
from fisc.economist.planners import LanguagePlanner, Task
from fisc.economist.players import behaviour_of, client_of, planner_of
from fisc.economist.population import Workers
from fisc.economist.response import Outcome, outcome_of_hours, respond
from fisc.economist.results import SimulationResult
from fisc.economist.runs import Enacted, RunFolder
from fisc.economist.schedule import TaxSchedule
from fisc.economist.workers import LanguageWorkers, Memory
from fisc.economist.workers.bounded import satisfied
from fisc.llm import Budget, BudgetError, Client, estimate_tokens

__all__ = ["Estimate", "Simulation"]

#: What `SimulationResult` takes from each `Observation`.
_PUBLISHED = ("welfare", "mean_income", "mean_hours", "rebate", "not_working")

#: Years done, years in all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Estimate(Record):
    """What a run would ask of a language model if every answer is usable at once.

    Tokens are counted at four characters each, the cost at the prices of the configuration.
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float

    def summary(self) -> str:
        """Return one line."""
        return (
            f"{self.requests:,} requests, {self.prompt_tokens:,} prompt and {self.completion_tokens:,} completion "
            f"tokens, cost {self.cost:.4g} (before retries and questions asked again)"
        )


class Simulation:
    """A planner, a population, and the years between them.

    Parameters
    ----------
    config : SimulationConfig
        What to run.
    workers : Workers, optional
        A population of your own, instead of the one that the configuration draws.
    client : Client, optional
        A client of your own for language models, instead of the one that the configuration names.
    criterion : Criterion, optional
        The criterion that the configuration names, with weights of your own.

    Examples
    --------
    >>> result = Simulation(SimulationConfig(n=50, years=3, planner="random")).run()
    >>> result.rates.shape
    (3, 7)
    """

    def __init__(
        self,
        config: SimulationConfig,
        *,
        workers: Workers | None = None,
        client: Client | None = None,
        criterion: Criterion | None = None,
    ) -> None:
        self.config = config
        self.workers = workers if workers is not None else _sampled(config)
        self.criterion = criterion or Criterion(config.criterion, gamma=config.gamma)
        if (self.criterion.name, self.criterion.gamma) != (config.criterion, config.gamma):
            raise DataError(
                f"the configuration names the criterion {config.criterion!r} with gamma={config.gamma:g}, the one "
                f"given is {self.criterion.name!r} with gamma={self.criterion.gamma:g}; let them agree"
            )
        edges = TaxSchedule.us_federal(2024).edges if config.edges is None else np.array(config.edges)
        self.initial = _initial_law(config, edges)
        self.edges = self.initial.edges
        self._client = client
        if config.planner == "elected" and config.election.candidates > self.workers.n:
            raise DataError(
                f"election.candidates={config.election.candidates} exceeds the {self.workers.n} workers; lower it"
            )

    @classmethod
    def resume(
        cls,
        path: str | Path,
        *,
        client: Client | None = None,
        budget: Budget | None = None,
        progress: Progress | None = None,
    ) -> SimulationResult:
        """Finish a run that was killed or stopped, to the same result as if it had not been.

        Parameters
        ----------
        path : path-like
            Folder of the run.
        client : Client, optional
            Where the run was begun with a client of its own.
        budget : Budget, optional
            Another budget than the configuration's, for a run that reached it.
        progress : callable, optional
            As of `run`.

        Raises
        ------
        DataError
            If the folder holds no run, or a file of it is damaged or of another run.
        InUseError
            If another process works on the run.
        """
        folder = RunFolder(path)
        config = SimulationConfig(**{**folder.config(), "folder": str(path)})
        if budget is not None:
            limits = {f"budget_{name}": limit for name, limit in asdict(budget).items()}
            config = config.model_copy(update={"model": config.model.model_copy(update=limits)})
        workers, weights = folder.population()
        own = None if weights is None else Criterion("weighted", weights, config.gamma)
        simulation = cls(config, workers=workers, client=client, criterion=own)
        return simulation._run(folder, progress, resumed=True)

    def run(self, *, progress: Progress | None = None) -> SimulationResult:
        """Run all years.

        Parameters
        ----------
        progress : callable, optional
            Called with the years done and the years in all.

        Returns
        -------
        SimulationResult
            With status ``"stopped"`` and the years so far if a budget ended it.

        Raises
        ------
        BudgetError
            If the budget does not even allow the first year.
        ServerError
            If a language model cannot be reached.
        """
        folder = None if self.config.folder is None else RunFolder(self.config.folder)
        return self._run(folder, progress)

    def estimate(self) -> Estimate:
        """Return what the run would ask of a language model, without asking anything."""
        requests, prompt, completion = 0, 0, 0
        config = self.config
        with client_of(config, None, self._client) as client:
            if config.workers == "language":
                memory = Memory(config.memory)
                outcome = respond(self.workers, self.initial)
                for _ in range(3):
                    memory.add(self.initial, outcome)
                players = LanguageWorkers(client, batch=config.model.batch)
                steps = config.years * config.steps_per_year
                for question in players.questions(self.workers, self.initial, memory):
                    requests += steps
                    prompt += steps * client.request(question).prompt_tokens()
                completion += steps * self.workers.n * estimate_tokens('"1000": 40.0, ')
            if config.planner == "language":
                seen = self._observed(0, self.initial, [respond(self.workers, self.initial)])
                task = self._task()
                asked = config.years - config.warmup_years - task.settled
                question = LanguagePlanner(client, memory=config.memory).question(
                    [seen] * config.memory, task
                )
                requests += asked
                prompt += asked * client.request(question).prompt_tokens()
                completion += asked * estimate_tokens('{"rates": [' + "50.0, " * self.edges.size + "]}")
            return Estimate(requests, prompt, completion, client.ledger.price.of(prompt, completion))

    def _run(
        self, folder: RunFolder | None, progress: Progress | None, *, resumed: bool = False
    ) -> SimulationResult:
        with contextlib.ExitStack() as stack:
            if folder is not None:
                stack.enter_context(locked(folder.guarded, timeout=0.0))
                if not resumed:
                    folder.begin(self.config.to_dict(), self.workers, self.criterion.weights)
            client = stack.enter_context(client_of(self.config, folder, self._client))
            years = _Years(self, client, folder)
            status: Status = "done"
            fault = ""
            try:
                for year in range(self.config.years):
                    years.advance(year)
                    if progress is not None:
                        progress(year + 1, self.config.years)
            except BudgetError as error:
                years.keep_ledger()
                if not years.past:
                    raise
                status, fault = "stopped", str(error)
            result = self._result(years, client, status, fault)
            if folder is not None:
                folder.write_result(result)
            return result

    def _result(self, years: _Years, client: Client, status: Status, fault: str) -> SimulationResult:
        past = years.past
        us_law = TaxSchedule.us_federal(2024)
        start = welfare(respond(self.workers, us_law), self.workers, self.criterion)
        best = None
        if self.config.reference:
            best = optimal_schedule(
                self.workers, self.edges, self.criterion, random_state=self.config.random_state
            )
        asks = "language" in (self.config.planner, self.config.workers)
        return SimulationResult(
            config=self.config.to_dict(),
            schedule=TaxSchedule(self.edges, past[-1].rates),
            rates=np.array([seen.rates for seen in past]),
            **{name: np.array([getattr(seen, name) for seen in past]) for name in _PUBLISHED},
            satisfied=np.array(years.satisfied),
            elections=tuple(years.elections),
            skill=self.workers.skill,
            outcome=years.last,
            us_welfare=start,
            optimum=best,
            ledger=client.ledger.to_dict() if asks else None,
            status=status,
            fault=fault,
            provenance=record(
                options=self.config.to_dict(),
                inputs={"skill": self.workers.skill, "cost": self.workers.cost, "edges": self.edges},
                seed=self.config.random_state,
                notes=_notes(client, fault) if asks else (),
            ),
        )

    def _task(self) -> Task:
        config, workers = self.config, self.workers
        term = (config.years, round(config.settled * config.years))
        known = (workers.max_hours, workers.hours_grid)
        return Task(self.edges, self.criterion, *term, config.random_state, *known)

    def _observed(self, year: int, law: TaxSchedule, outcomes: list[Outcome]) -> Observation:
        """Return what is published of a year: means over its steps."""
        value = float(np.mean([welfare(out, self.workers, self.criterion) for out in outcomes]))
        mean = outcomes[0]
        if len(outcomes) > 1:
            hours = np.mean([out.hours for out in outcomes], axis=0)
            mean = outcome_of_hours(self.workers, law, hours)
        return observe(year, law, mean, self._classes, value)

    @functools.cached_property
    def _classes(self) -> WageClasses:
        return WageClasses.of(self.workers)


class _Years:
    """The years of a run as they pass; what is on disk is read, the rest is worked out."""

    def __init__(self, simulation: Simulation, client: Client, folder: RunFolder | None) -> None:
        config = simulation.config
        self.simulation = simulation
        self.folder = folder
        self.task = simulation._task()
        self.behaviour = behaviour_of(config, client)
        self.planner = planner_of(config, client)
        self.client = client
        self.memory = Memory(config.memory)
        self.past: list[Observation] = []
        self.elections: list[Election] = []
        self.satisfied: list[float] = []
        self.last: Outcome

    def advance(self, year: int) -> None:
        """Live through one year."""
        law = self._law(year)
        outcomes = []
        workers = self.simulation.workers
        for step in range(self.simulation.config.steps_per_year):
            hours = None if self.folder is None else self.folder.hours(year, step)
            if hours is None:
                rng = np.random.default_rng([self.simulation.config.random_state, 1, year, step])
                hours = self.behaviour.choose(workers, law, self.memory, rng)
                if self.folder is not None:
                    self.folder.write_hours(year, step, hours)
                self.keep_ledger()
            outcome = outcome_of_hours(workers, law, hours)
            self.memory.add(law, outcome)
            outcomes.append(outcome)
        self.last = outcomes[-1]
        self.satisfied.append(person_mean(satisfied(workers, self.last), workers.weights))
        seen = self.simulation._observed(year, law, outcomes)
        self.past.append(seen)
        if self.folder is not None:
            self.folder.write(f"years/{year:04d}.json", seen)
        self.keep_ledger()

    def keep_ledger(self) -> None:
        """Write down what was spent so far."""
        if self.folder is not None:
            self.folder.write("ledger.json", self.client.ledger)

    def _law(self, year: int) -> TaxSchedule:
        """Return the schedule of a year: from disk, or decided now and written down."""
        enacted = None if self.folder is None else self.folder.enacted(year)
        if enacted is None:
            enacted = self._decided(year)
            if self.folder is not None:
                self.folder.write(f"laws/{year:04d}.json", enacted)
        if enacted.election is not None:
            self.elections.append(enacted.election)
        return TaxSchedule(self.simulation.edges, enacted.rates)

    def _decided(self, year: int) -> Enacted:
        config = self.simulation.config
        if year < config.warmup_years:
            return Enacted(self.simulation.initial.rates)
        rng = np.random.default_rng([config.random_state, 0, year])
        before = self.past[-1].rates
        election = None
        if self.planner is not None:
            rates = self.planner.decide(self.past, self.task, rng)
        elif (year - config.warmup_years) % config.election.term:
            rates = before
        else:
            options = config.election
            election = hold_election(
                self.simulation.workers,
                TaxSchedule(self.simulation.edges, before),
                self.simulation.criterion,
                rng,
                candidates=options.candidates,
                rule=options.rule,
                ties=options.ties,
                motive=options.motive,
                reach=min(options.reach, config.max_change),
            )
            rates = election.law
        rates = np.clip(rates, before - config.max_change, before + config.max_change)
        if config.rate_step > 0.0:
            rates = np.round(rates / config.rate_step) * config.rate_step
        return Enacted(np.clip(rates, 0.0, 1.0), election)


def _sampled(config: SimulationConfig) -> Workers:
    grid = None
    if config.hours_step is not None:
        grid = np.arange(0.0, config.max_hours + 1e-9, config.hours_step)
    return Workers.sample(
        config.n,
        config.population,
        config.random_state,
        config.calibration,
        config.personas,
        delta=config.delta,
        max_hours=config.max_hours,
        hours_grid=grid,
    )


def _initial_law(config: SimulationConfig, edges: FloatArray) -> TaxSchedule:
    if config.initial == "flat":
        return TaxSchedule.flat(config.initial_rate, edges)
    if config.initial == "us":
        us_law = TaxSchedule.us_federal(2024)
        return TaxSchedule(edges, us_law.marginal_rate(np.asarray(edges)))
    return TaxSchedule(edges, config.initial)


def _notes(client: Client, fault: str) -> tuple[str, ...]:
    return (client.ledger.summary(), *((fault,) if fault else ()))
