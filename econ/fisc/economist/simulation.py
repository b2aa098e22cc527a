"""Simulations: a planner and a population year after year, each step on disk, resumable to the bit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fisc.core import DataError, record
from fisc.economist.config import SimulationConfig
from fisc.economist.criteria import Criterion, welfare
from fisc.economist.elections import Election, hold_election
from fisc.economist.observation import Observation, WageClasses, observe
from fisc.economist.optimum import optimal_schedule
from fisc.economist.planners import LanguagePlanner, Task
from fisc.economist.players import behaviour_of, client_of, planner_of
from fisc.economist.population import Workers
from fisc.economist.response import Outcome, outcome_of_hours, respond
from fisc.economist.results import SimulationResult
from fisc.economist.runs import RunFolder
from fisc.economist.schedule import FloatArray, TaxSchedule
from fisc.economist.workers import LanguageWorkers, Memory
from fisc.economist.workers.bounded import satisfied
from fisc.llm import Budget, BudgetError, Client, estimate_tokens

__all__ = ["Estimate", "Simulation"]

#: Years done, years in all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Estimate:
    """What a run would ask of a language model.

    Attributes
    ----------
    requests : int
        If every answer is usable at once.
    prompt_tokens, completion_tokens : int
        At four characters a token.
    cost : float
        At the prices of the configuration.
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

    Examples
    --------
    >>> result = Simulation(SimulationConfig(n=50, years=3, planner="random")).run()
    >>> result.rates.shape
    (3, 7)
    """

    def __init__(
        self, config: SimulationConfig, *, workers: Workers | None = None, client: Client | None = None
    ) -> None:
        self.config = config
        self.workers = workers if workers is not None else _sampled(config)
        self.criterion = Criterion(config.criterion, gamma=config.gamma)
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
            Called with the years done and the years in all.

        Returns
        -------
        SimulationResult

        Raises
        ------
        DataError
            If the folder holds no run.
        """
        folder = RunFolder(path)
        kept = {**folder.config(), "folder": str(path)}
        if budget is not None:
            limits = {f"budget_{name}": limit for name, limit in asdict(budget).items()}
            kept["model"] = {**kept["model"], **limits}
        config = SimulationConfig(**kept)
        return cls(config, workers=folder.workers(), client=client)._run(folder, progress)

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
        folder = None
        if self.config.folder is not None:
            folder = RunFolder(self.config.folder)
            folder.begin(self.config.to_dict(), self.workers)
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

    def _run(self, folder: RunFolder | None, progress: Progress | None) -> SimulationResult:
        with contextlib.ExitStack() as stack:
            if folder is not None:
                stack.enter_context(_locked(folder))
            client = stack.enter_context(client_of(self.config, folder, self._client))
            years = _Years(self, client, folder)
            status, fault = "done", ""
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
                folder.write_json("result.json", result.to_dict())
            return result

    def _result(self, years: _Years, client: Client, status: str, fault: str) -> SimulationResult:
        past = years.past
        us_law = TaxSchedule.us_federal(2024)
        start = welfare(respond(self.workers, us_law), self.workers, self.criterion)
        best = None
        if self.config.reference:
            best = optimal_schedule(self.workers, self.edges, self.criterion, seed=self.config.seed)
        asks = "language" in (self.config.planner, self.config.workers)
        return SimulationResult(
            config=self.config.to_dict(),
            schedule=TaxSchedule(self.edges, past[-1].rates),
            rates=np.array([seen.rates for seen in past]),
            welfare=np.array([seen.welfare for seen in past]),
            mean_income=np.array([seen.mean_income for seen in past]),
            mean_hours=np.array([seen.mean_hours for seen in past]),
            rebate=np.array([seen.rebate for seen in past]),
            not_working=np.array([seen.not_working for seen in past]),
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
                seed=self.config.seed,
                notes=_notes(client, fault) if asks else (),
            ),
        )

    def _task(self) -> Task:
        config = self.config
        return Task(
            edges=self.edges,
            criterion=self.criterion,
            years=config.years,
            settled=round(config.settled * config.years),
            seed=config.seed,
            max_hours=self.workers.max_hours,
            hours_grid=self.workers.hours_grid,
        )

    def _observed(self, year: int, law: TaxSchedule, outcomes: list[Outcome]) -> Observation:
        """Return what is published of a year: means over its steps."""
        value = float(np.mean([welfare(out, self.workers, self.criterion) for out in outcomes]))
        mean = outcomes[0]
        if len(outcomes) > 1:
            hours = np.mean([out.hours for out in outcomes], axis=0)
            mean = outcome_of_hours(self.workers, law, hours)
        return observe(year, law, mean, self._classes(), value)

    def _classes(self) -> WageClasses:
        if not hasattr(self, "_wage_classes"):
            self._wage_classes = WageClasses.of(self.workers)
        return self._wage_classes


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
                rng = np.random.default_rng([self.simulation.config.seed, 1, year, step])
                hours = self.behaviour.choose(workers, law, self.memory, rng)
                if self.folder is not None:
                    self.folder.write_hours(year, step, hours)
                self.keep_ledger()
            outcome = outcome_of_hours(workers, law, hours)
            self.memory.add(law, outcome)
            outcomes.append(outcome)
        self.last = outcomes[-1]
        self.satisfied.append(float(satisfied(workers, self.last).mean()))
        seen = self.simulation._observed(year, law, outcomes)
        self.past.append(seen)
        if self.folder is not None:
            self.folder.write_json(f"years/{year:04d}.json", seen.to_dict())
        self.keep_ledger()

    def keep_ledger(self) -> None:
        """Write down what was spent so far."""
        if self.folder is not None:
            self.folder.write_json("ledger.json", self.client.ledger.to_dict())

    def _law(self, year: int) -> TaxSchedule:
        """Return the law of a year: from disk, or decided now and written down."""
        kept = None if self.folder is None else self.folder.read_json(f"laws/{year:04d}.json")
        if kept is not None:
            if kept["election"] is not None:
                self.elections.append(Election.from_dict(kept["election"]))
            return TaxSchedule(self.simulation.edges, kept["rates"])
        rates, election = self._decided(year)
        if election is not None:
            self.elections.append(election)
        if self.folder is not None:
            found = None if election is None else election.to_dict()
            self.folder.write_json(f"laws/{year:04d}.json", {"rates": rates.tolist(), "election": found})
        return TaxSchedule(self.simulation.edges, rates)

    def _decided(self, year: int) -> tuple[FloatArray, Election | None]:
        config = self.simulation.config
        if year < config.warmup_years:
            return self.simulation.initial.rates, None
        rng = np.random.default_rng([config.seed, 0, year])
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
        return np.clip(rates, 0.0, 1.0), election


def _sampled(config: SimulationConfig) -> Workers:
    grid = None
    if config.hours_step is not None:
        grid = np.arange(0.0, config.max_hours + 1e-9, config.hours_step)
    return Workers.sample(
        config.n,
        config.population,
        config.seed,
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


@contextlib.contextmanager
def _locked(folder: RunFolder) -> Iterator[None]:
    """Hold the folder for this process alone."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder.path / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise DataError(
            f"{folder.path} is in use by another process; wait for it or give another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()
