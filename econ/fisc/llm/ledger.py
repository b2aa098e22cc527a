"""What a run asked, what it cost, and when to stop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from fisc.core import Record, check_number, check_whole
from fisc.llm.errors import BudgetError
from fisc.llm.messages import Completion

__all__ = ["Budget", "Ledger", "Price"]


@dataclass(frozen=True)
class Price:
    """Price of a model.

    Attributes
    ----------
    prompt, completion : float
        Money per million tokens, in any one currency; 0 for a local server.

    Examples
    --------
    >>> round(Price(0.15, 0.6).of(1000, 100), 6)
    0.00021
    """

    prompt: float = 0.0
    completion: float = 0.0

    def __post_init__(self) -> None:
        for name in ("prompt", "completion"):
            check_number(f"the {name} price", getattr(self, name), least=0)

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the cost of a request."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


@dataclass(frozen=True)
class Budget:
    """Limits of a run; None means no limit.

    Attributes
    ----------
    tokens : int or None
        Prompt and completion tokens together.
    money : float or None
        In the currency of `Price`.
    requests : int or None
        Requests sent to a server.
    """

    tokens: int | None = None
    money: float | None = None
    requests: int | None = None

    def __post_init__(self) -> None:
        for name in ("tokens", "money", "requests"):
            if getattr(self, name) is not None:
                check_number(f"budget {name}", getattr(self, name), least=0, what="None or a number")


_COUNTS = ["requests", "cached", "prompt_tokens", "completion_tokens", "estimated", "reasked", "fallbacks"]


@dataclass(eq=False)
class Ledger(Record):
    """Counts of everything that passed between a client and its model.

    Tokens of cached answers are not counted, since nobody was asked.

    Attributes
    ----------
    requests : int
        Sent to the server, retries included.
    cached : int
        Answered from the cache.
    estimated : int
        Answers whose tokens the server did not count.
    seconds : float
        Sum of the latencies.
    failures : dict of str to int
        Requests without a usable answer, by kind.
    repairs : dict of str to int
        Repairs of answers, by kind.
    reasked : int
        Times the model was shown its error.
    fallbacks : int
        Questions that in the end got the fallback.
    """

    price: Price = field(default_factory=Price)
    budget: Budget = field(default_factory=Budget)
    requests: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0
    seconds: float = 0.0
    failures: dict[str, int] = field(default_factory=dict)
    repairs: dict[str, int] = field(default_factory=dict)
    reasked: int = 0
    fallbacks: int = 0
    _reserved_tokens: int = field(default=0, init=False, repr=False)
    _reserved_money: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in _COUNTS:
            check_whole(name, getattr(self, name), least=0)
        check_number("seconds", self.seconds, least=0)
        for kinds in (self.failures, self.repairs):
            for kind, count in kinds.items():
                check_whole(kind, count, least=0)

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens paid for."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def cost(self) -> float:
        """Money spent."""
        return self.price.of(self.prompt_tokens, self.completion_tokens)

    def reserve(self, prompt_tokens: int, max_tokens: int) -> tuple[int, float]:
        """Set aside what the next request may cost at most, tokens and money, until it is released.

        Raises
        ------
        BudgetError
            If that would exceed a limit.
        """
        tokens, money = prompt_tokens + max_tokens, self.price.of(prompt_tokens, max_tokens)
        limits = (
            ("tokens", self.budget.tokens, self.tokens + self._reserved_tokens, tokens),
            ("money", self.budget.money, self.cost + self._reserved_money, money),
            ("requests", self.budget.requests, self.requests, 1),
        )
        for name, limit, spent, more in limits:
            if limit is not None and spent + more > limit:
                raise BudgetError(
                    f"budget of {limit:g} {name} reached: {spent:g} spent or under way, the next request may take "
                    f"{more:g}; raise the budget and resume, nothing is asked twice"
                )
        self._reserved_tokens += tokens
        self._reserved_money += money
        self.requests += 1
        return tokens, money

    def release(self, reserved: tuple[int, float]) -> None:
        """Give back what `reserve` set aside."""
        self._reserved_tokens -= reserved[0]
        self._reserved_money -= reserved[1]

    def add(self, completion: Completion, seconds: float) -> None:
        """Book an answer from the server."""
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens
        self.estimated += completion.estimated
        self.seconds += seconds

    def failed(self, kind: str) -> None:
        """Count a request without a usable answer."""
        self.failures[kind] = self.failures.get(kind, 0) + 1

    def repaired(self, kinds: Iterable[str]) -> None:
        """Count repairs of an answer."""
        for kind in kinds:
            self.repairs[kind] = self.repairs.get(kind, 0) + 1

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each count: item, value."""
        rows: list[tuple[str, float]] = [
            ("requests", self.requests),
            ("answers from the cache", self.cached),
            ("prompt tokens", self.prompt_tokens),
            ("completion tokens", self.completion_tokens),
            ("cost", self.cost),
            ("seconds of waiting", self.seconds),
            ("asked again", self.reasked),
            ("fallbacks", self.fallbacks),
            *((f"failure: {kind}", count) for kind, count in sorted(self.failures.items())),
            *((f"repair: {kind}", count) for kind, count in sorted(self.repairs.items())),
        ]
        return pd.DataFrame(rows, columns=["item", "value"])

    def summary(self) -> str:
        """Return one line."""
        return (
            f"{self.requests} requests, {self.cached} from the cache, {self.tokens:,} tokens, cost {self.cost:.4g}; "
            f"{sum(self.failures.values())} failures, {sum(self.repairs.values())} repairs, "
            f"{self.reasked} asked again, {self.fallbacks} fallbacks"
        )
