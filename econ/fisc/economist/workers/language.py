"""Workers played by a language model: several in one call, behind a prefix that all calls of a year share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from pydantic import BaseModel

from fisc.core import check_whole
from fisc.core.arrays import FloatArray
from fisc.economist.calibration import STANDARD_HOURS
from fisc.economist.population import Workers
from fisc.economist.schedule import TaxSchedule
from fisc.economist.workers.base import Behaviour, Memory
from fisc.llm import Client, Message, system, user

__all__ = ["HoursAnswer", "LanguageWorkers"]


class HoursAnswer(BaseModel):
    """Weekly hours by worker number."""

    hours: dict[str, float]


class LanguageWorkers(Behaviour):
    """Each worker is a few lines of a prompt; the model answers with everybody's hours.

    The system message (rules, tax table, format) is the same for every call of a tax year, so
    servers with a prefix cache read it once. A worker's line holds skill, persona, the best hours
    under this schedule and the last few choices: what fifty steps of history come down to.

    Where in the end no usable answer is left for a worker, the worker keeps last step's hours (40
    in the first step), and the ledger counts a fallback.

    Each call holds `batch` workers, at least 1, and shows the last `recent` choices, at least 0.
    """

    name: ClassVar[str] = "language"

    def __init__(self, client: Client, *, batch: int = 20, recent: int = 2) -> None:
        self.client = client
        self.batch = check_whole("batch", batch, least=1)
        self.recent = check_whole("recent", recent, least=0)

    def choose(
        self, workers: Workers, schedule: TaxSchedule, memory: Memory, rng: np.random.Generator
    ) -> FloatArray:
        """Ask for everybody's hours."""
        parts = self._parts(workers)
        answers = self.client.ask_all(
            self.questions(workers, schedule, memory),
            HoursAnswer,
            check=[self._check(part, workers.max_hours) for part in parts],
            max_tokens=16 + 8 * self.batch,
        )
        last = memory.last
        hours = (
            np.full(workers.n, min(STANDARD_HOURS, workers.max_hours)) if last is None else last.hours.copy()
        )
        for part, answer in zip(parts, answers, strict=True):
            given = answer.value.hours if answer.value is not None else _salvaged(answer.partial)
            for i in part:
                value = given.get(str(i + 1))
                if value is not None and math.isfinite(value) and 0.0 <= value <= workers.max_hours:
                    hours[i] = value
                else:
                    self.client.ledger.fallbacks += 1
        if workers.hours_grid is not None:
            nearest = np.abs(hours[:, None] - workers.hours_grid).argmin(axis=1)
            hours = workers.hours_grid[nearest]
        return hours

    def questions(self, workers: Workers, schedule: TaxSchedule, memory: Memory) -> list[list[Message]]:
        """Return the conversations of one step, one for each batch."""
        prefix = system(self._rules(workers, schedule))
        return [
            [prefix, user("\n".join(self._line(i, workers, memory) for i in part))]
            for part in self._parts(workers)
        ]

    def _parts(self, workers: Workers) -> list[range]:
        return [range(a, min(a + self.batch, workers.n)) for a in range(0, workers.n, self.batch)]

    def _rules(self, workers: Workers, schedule: TaxSchedule) -> str:
        table = ", ".join(
            f"{100 * rate:.4g}% from {edge:,.0f}"
            for edge, rate in zip(schedule.edges, schedule.rates, strict=True)
        )
        choices = (
            f"0 to {workers.max_hours:g}"
            if workers.hours_grid is None
            else "one of " + ", ".join(f"{h:g}" for h in workers.hours_grid)
        )
        return (
            "You decide for workers how many hours a week each works this year. "
            "Income = skill * hours. Marginal tax on income: "
            + table
            + ". All tax returns as the same rebate to "
            f"each. Each maximises income - tax + rebate - c * hours^{workers.delta:g}: longer hours hurt more and "
            "more. Learn from what paid best; try other hours early, settle later. "
            f"Hours: {choices}. Each line: number; skill; c; best hours so far under this law; last hours>utility "
            '(thousands). Answer with JSON only: {"hours": {"1": 40, "2": 35}} with every number given.'
        )

    def _line(self, i: int, workers: Workers, memory: Memory) -> str:
        parts = [f"{i + 1}", f"{workers.skill[i]:.4g}", f"{workers.cost[i]:.3g}"]
        if memory.best_hours is not None:
            parts.append(f"{memory.best_hours[i]:.3g}")
        if self.recent and memory.steps:
            parts.append(
                " ".join(
                    f"{out.hours[i]:.3g}>{out.utility[i] / 1000.0:.4g}"
                    for _, out in memory.steps[-self.recent :]
                )
            )
        if workers.personas is not None:
            parts.append(workers.personas[i].describe())
        return ";".join(parts)

    @staticmethod
    def _check(part: range, max_hours: float) -> Callable[[HoursAnswer], None]:
        wanted = [str(i + 1) for i in part]

        def check(answer: HoursAnswer) -> None:
            missing = [number for number in wanted if number not in answer.hours]
            if missing:
                raise ValueError(f"hours are missing for {', '.join(missing[:5])}")
            for number in wanted:
                value = answer.hours[number]
                if not (math.isfinite(value) and 0.0 <= value <= max_hours):
                    raise ValueError(f"hours of {number} must lie between 0 and {max_hours:g}, got {value:g}")

        return check


def _salvaged(partial: object) -> dict[str, float]:
    """Return the hours in an answer that failed its check, those that are numbers."""
    given = partial.get("hours") if isinstance(partial, dict) else None
    if not isinstance(given, dict):
        return {}
    return {
        str(k): float(v) for k, v in given.items() if isinstance(v, (int, float)) and not isinstance(v, bool)
    }
