"""A language model as planner: it reads past years and writes next year's rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import BaseModel

from fisc.core.arrays import FloatArray
from fisc.economist.criteria import CRITERIA
from fisc.economist.observation import Observation
from fisc.economist.planners.base import Planner, Task, best_of
from fisc.llm import Client, Message, system, user

__all__ = ["LanguagePlanner", "RatesAnswer"]


class RatesAnswer(BaseModel):
    """Marginal rates in per cent, one for each bracket."""

    rates: list[float]


class LanguagePlanner(Planner):
    """Learns in context: each year the model sees the years so far and proposes rates.

    Where no usable answer is left after asking again, the best schedule so far is kept, and the
    ledger counts a fallback.

    The model sees the last `memory` years, at least 1, and the best three of all.
    """

    name: ClassVar[str] = "language"

    def __init__(self, client: Client, *, memory: int = 20) -> None:
        self.client = client
        self.memory = memory

    def propose(self, past: Sequence[Observation], task: Task, rng: np.random.Generator) -> FloatArray:
        """Ask for next year's rates."""

        def check(answer: RatesAnswer) -> None:
            if len(answer.rates) != task.brackets:
                raise ValueError(f"{task.brackets} rates are needed, one a bracket, got {len(answer.rates)}")
            for rate in answer.rates:
                if not 0.0 <= rate <= 100.0:
                    raise ValueError(f"each rate is a percentage between 0 and 100, got {rate:g}")

        (answer,) = self.client.ask_all([self.question(past, task)], RatesAnswer, check=check)
        if answer.value is None:
            self.client.ledger.fallbacks += 1
            return best_of(past).rates.copy()
        return np.array(answer.value.rates) / 100.0

    def question(self, past: Sequence[Observation], task: Task) -> list[Message]:
        """Return the conversation: fixed rules first, so that servers can cache them, then the years."""
        edges = ", ".join(f"{edge:,.0f}" for edge in task.edges)
        goal = CRITERIA.get(task.criterion.name, "a weighted mean of u")
        rules = (
            f"You set the income tax of a country. Brackets start at {edges}. Each year you set one marginal rate in "
            "per cent for each bracket. All revenue returns as the same rebate to everybody; people answer by working "
            f"more or less. You maximise welfare: {goal}, where u is income after tax and rebate less the cost of "
            "hours. Try different schedules early and the best known ones late. "
            'Answer with JSON only: {"rates": [10, 20, ...]}, one rate a bracket.'
        )
        ranked = sorted(past, key=lambda seen: -seen.welfare)[:3]
        lines = [_line(seen) for seen in past[-self.memory :]]
        return [
            system(rules),
            user(
                "Year: rates | welfare | mean income | mean hours | rebate | people in each bracket\n"
                + "\n".join(lines)
                + "\nBest so far:\n"
                + "\n".join(_line(seen) for seen in ranked)
                + f"\nYear {len(past)} of {task.years}: your rates?"
            ),
        ]


def _line(seen: Observation) -> str:
    rates = " ".join(f"{100 * rate:.3g}" for rate in seen.rates)
    people = " ".join(f"{count:.0f}" for count in seen.bracket_count)
    return (
        f"{seen.year}: {rates} | {seen.welfare:.6g} | {seen.mean_income:.0f} | {seen.mean_hours:.1f} | "
        f"{seen.rebate:.0f} | {people}"
    )
