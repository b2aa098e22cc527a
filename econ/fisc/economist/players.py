"""Who plays: the planner, the workers and the language model that a configuration names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from fisc.economist.config import SimulationConfig
from fisc.economist.planners import (
    EvolutionPlanner,
    FixedPlanner,
    GaussianProcessPlanner,
    HillClimbingPlanner,
    LanguagePlanner,
    Planner,
    RandomPlanner,
    StructuralPlanner,
)
from fisc.economist.runs import RunFolder
from fisc.economist.scripts import rule_of_thumb
from fisc.economist.workers import Behaviour, Bounded, Exact, LanguageWorkers
from fisc.llm import Budget, Client, Ledger, Model, OpenAIModel, Price, ResponseCache, ScriptedModel

__all__ = ["behaviour_of", "client_of", "planner_of"]

_PLANNERS: dict[str, Callable[[], Planner]] = {
    "bayesian": StructuralPlanner,
    "gp": GaussianProcessPlanner,
    "cmaes": EvolutionPlanner,
    "hill": HillClimbingPlanner,
    "random": RandomPlanner,
    "fixed": FixedPlanner,
}


def planner_of(config: SimulationConfig, client: Client) -> Planner | None:
    """Return the planner; None where it is elected."""
    if config.planner == "elected":
        return None
    if config.planner == "language":
        return LanguagePlanner(client, memory=config.memory)
    return _PLANNERS[config.planner]()


def behaviour_of(config: SimulationConfig, client: Client) -> Behaviour:
    """Return how the workers choose."""
    if config.workers == "exact":
        return Exact()
    if config.workers == "bounded":
        return Bounded(config.noise, config.inertia, config.protest)
    return LanguageWorkers(client, batch=config.model.batch)


@contextlib.contextmanager
def client_of(config: SimulationConfig, folder: RunFolder | None, given: Client | None) -> Iterator[Client]:
    """Yield the client of a run: the one given, or one whose answers are kept in the run's folder.

    What an earlier process of the same run spent is in its ledger, so that the budget holds over
    all of them.
    """
    if given is not None:
        yield given
        return
    model = config.model
    served: Model
    if model.name == "scripted" or "language" not in (config.planner, config.workers):
        served = ScriptedModel(rule_of_thumb)
    else:
        served = OpenAIModel(
            model.name, model.base_url, key_variable=model.key_variable, timeout=model.timeout
        )
    cache = ResponseCache(model.cache or (folder.answers if folder is not None else None))
    # What was spent before the run was resumed counts.
    ledger = (folder.ledger() if folder is not None else None) or Ledger()
    ledger.price = Price(model.price_prompt, model.price_completion)
    ledger.budget = Budget(model.budget_tokens, model.budget_money, model.budget_requests)
    try:
        yield Client(
            served,
            cache=cache,
            ledger=ledger,
            concurrency=model.concurrency,
            attempts=model.attempts,
            reasks=model.reasks,
            temperature=model.temperature,
            max_tokens=model.max_tokens,
            pause=model.pause,
        )
    finally:
        cache.close()
