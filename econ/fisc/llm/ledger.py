"""What a run asked, what it cost, and when to stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from fisc.core import DataError, is_number
from fisc.llm.errors import BudgetError
from fisc.llm.messages import Completion

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Budget", "Ledger", "Price"]


@dataclass(frozen=True)
class Price:
    """Price of a model.

    Attributes
    ----------
    prompt, completion : float
        Money a million tokens, in any one currency; 0 for a local server.

    Examples
    --------
    >>> round(Price(0.15, 0.6).of(1000, 100), 6)
    0.00021
    """

    prompt: float = 0.0
    completion: float = 0.0

    def __post_init__(self) -> None:
        if not all(is_number(price) and price >= 0.0 for price in (self.prompt, self.completion)):
            raise DataError(
                f"prices must not be negative or NaN, got {self.prompt!r} and {self.completion!r}"
            )

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the cost of so many tokens."""
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
        for name, value in asdict(self).items():
            if value is not None and not (is_number(value) and value >= 0):
                raise DataError(f"budget {name} must be a number >= 0 or None, got {value!r}")


@dataclass
class Ledger:
    """Counts of everything that passed between a client and its model.

    Tokens of cached answers are not counted, since nobody was asked.

    Attributes
    ----------
    price : Price
    budget : Budget
    requests : int
        Sent to the server, retries included.
    cached : int
        Answered from the cache.
    prompt_tokens, completion_tokens : int
    estimated : int
        Answers whose tokens the server did not count.
    seconds : float
        Sum of the latencies.
    failures : Counter
        Requests without a usable answer, by kind.
    repairs : Counter
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
    failures: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    reasked: int = 0
    fallbacks: int = 0
    _reserved_tokens: int = 0
    _reserved_money: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens paid for."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def cost(self) -> float:
        """Money spent."""
        return self.price.of(self.prompt_tokens, self.completion_tokens)

    def reserve(self, prompt_tokens: int, max_tokens: int) -> tuple[int, float]:
        """Set aside what the next request may cost at most.

        Returns
        -------
        tokens : int
        money : float
            To be handed to `release` when the request is over.

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

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types; `from_dict` reads them back."""
        return {
            "price": asdict(self.price),
            "budget": asdict(self.budget),
            "requests": self.requests,
            "cached": self.cached,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "estimated": self.estimated,
            "seconds": self.seconds,
            "failures": dict(sorted(self.failures.items())),
            "repairs": dict(sorted(self.repairs.items())),
            "reasked": self.reasked,
            "fallbacks": self.fallbacks,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Ledger:
        """Build from `to_dict`'s answer."""
        needed = {"price", "budget", "failures", "repairs"}
        if not isinstance(values, Mapping) or not needed <= set(values):
            raise DataError(f"a ledger needs {', '.join(sorted(needed))}; pass what to_dict gave")
        rest = dict(values)
        return cls(
            price=Price(**rest.pop("price")),
            budget=Budget(**rest.pop("budget")),
            failures=Counter(rest.pop("failures")),
            repairs=Counter(rest.pop("repairs")),
            **rest,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a count: item, value."""
        import pandas as pd

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
