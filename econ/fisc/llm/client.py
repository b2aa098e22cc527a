"""The client: cache, ledger, budget, waiting, checking, asking again, falling back."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from fisc.core import check_number, check_whole
from fisc.llm.cache import ResponseCache
from fisc.llm.errors import BudgetError, LanguageModelError, ServerError, TransportError
from fisc.llm.ledger import Ledger
from fisc.llm.messages import ChatRequest, Completion, Message, assistant, user
from fisc.llm.models import Model
from fisc.llm.repair import read_json

__all__ = ["Answer", "Client"]

T = TypeVar("T", bound=BaseModel)
R = TypeVar("R")

#: Questions in a row without any answer after which the server is given up.
HOPELESS = 25


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What came of one question.

    Attributes
    ----------
    value : pydantic model or None
        The checked answer; None if no attempt could be used.
    partial : object
        JSON of the last attempt even if it failed the check; None if there was none.
    attempts : int
        Completions read.
    repairs : tuple of str
        Repairs of the attempt that was used.
    fault : str
        Why the last attempt could not be used; empty if it could.
    """

    value: T | None
    partial: object = None
    attempts: int = 0
    repairs: tuple[str, ...] = ()
    fault: str = ""


class Client:
    """Asks a model questions whose answers are checked.

    Parameters
    ----------
    model : Model
        Who answers.
    cache : ResponseCache, optional
        Answers kept from earlier; in memory if not given.
    ledger : Ledger, optional
        Counts, price and budget.
    concurrency : int
        Requests under way at once, at least 1.
    attempts : int
        Times a request is sent before its failure counts, at least 1.
    reasks : int
        Times the model is shown why its answer could not be used, at least 0.
    temperature, max_tokens
        Passed to the model.
    pause : float
        First wait between attempts, seconds; it doubles, with full jitter, up to `longest_pause`.

    Examples
    --------
    >>> from fisc.llm import ScriptedModel, user
    >>> class Hours(BaseModel):
    ...     hours: float
    >>> client = Client(ScriptedModel(lambda request: 'I think {"hours": "40"}'))
    >>> answer, = client.ask_all([[user("How many hours?")]], Hours)
    >>> answer.value.hours, answer.repairs
    (40.0, ('prose', 'number'))
    """

    def __init__(
        self,
        model: Model,
        *,
        cache: ResponseCache | None = None,
        ledger: Ledger | None = None,
        concurrency: int = 8,
        attempts: int = 4,
        reasks: int = 2,
        temperature: float = 0.0,
        max_tokens: int = 512,
        pause: float = 1.0,
        longest_pause: float = 30.0,
    ) -> None:
        self.model = model
        self.cache = cache if cache is not None else ResponseCache(None)
        self.ledger = ledger if ledger is not None else Ledger()
        self.concurrency = check_whole("concurrency", concurrency, least=1)
        self.attempts = check_whole("attempts", attempts, least=1)
        self.reasks = check_whole("reasks", reasks, least=0)
        self.temperature = check_number("temperature", temperature, least=0, most=2)
        self.max_tokens = check_whole("max_tokens", max_tokens, least=1)
        seconds = "a number of seconds"
        self._pause = check_number("pause", pause, least=0, what=seconds)
        self._longest_pause = check_number("longest_pause", longest_pause, least=0, what=seconds)
        self._hopeless = 0
        self._answered = False
        self._halt: LanguageModelError | None = None
        self._jitter = random.Random(0)

    def request(self, messages: Sequence[Message], max_tokens: int | None = None) -> ChatRequest:
        """Return the request that these messages become."""
        return ChatRequest(
            self.model.name,
            tuple(messages),
            temperature=self.temperature,
            max_tokens=max_tokens or self.max_tokens,
        )

    def ask_all(
        self,
        questions: Sequence[Sequence[Message]],
        schema: type[T],
        *,
        check: Callable[[T], None] | Sequence[Callable[[T], None]] | None = None,
        max_tokens: int | None = None,
    ) -> list[Answer[T]]:
        """Ask many questions side by side and wait for all answers, in order.

        Parameters
        ----------
        questions : sequence of sequences of Message
            A conversation for each question.
        schema : pydantic model class
            What an answer must look like.
        check : callable, or one for each question, optional
            Further check of a parsed answer; raises ValueError with words for the model.
        max_tokens : int, optional
            Cap on each answer.

        Returns
        -------
        list of Answer

        Raises
        ------
        BudgetError
            If the budget does not allow the next request; answers so far are in the cache.
        ServerError
            If the server cannot be used at all.
        """
        checks = list(check) if isinstance(check, Sequence) else [check] * len(questions)

        async def run() -> list[Answer[T]]:
            gate = asyncio.Semaphore(self.concurrency)
            self._halt = None
            try:
                outcomes = await asyncio.gather(
                    *(
                        self._ask(question, schema, one, max_tokens, gate)
                        for question, one in zip(questions, checks, strict=True)
                    ),
                    return_exceptions=True,  # requests under way are paid for: let them finish
                )
            finally:
                await self.model.close()
            answers: list[Answer[T]] = []
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
                answers.append(outcome)
            return answers

        return _run(run())

    async def ask(
        self,
        messages: Sequence[Message],
        schema: type[T],
        *,
        check: Callable[[T], None] | None = None,
        max_tokens: int | None = None,
    ) -> Answer[T]:
        """Ask one question; see `ask_all`. The caller closes the model."""
        self._halt = None
        return await self._ask(messages, schema, check, max_tokens, asyncio.Semaphore(1))

    async def _ask(
        self,
        messages: Sequence[Message],
        schema: type[T],
        check: Callable[[T], None] | None,
        max_tokens: int | None,
        gate: asyncio.Semaphore,
    ) -> Answer[T]:
        conversation = list(messages)
        partial: object = None
        fault = ""
        for attempt in range(1, self.reasks + 2):
            try:
                completion = await self._complete(self.request(conversation, max_tokens), gate)
            except TransportError as error:
                fault = str(error)
                return Answer(None, partial, attempt - 1, (), fault)
            try:
                repaired = read_json(completion.text)
                partial = repaired.value
                self.ledger.repaired(repaired.repairs)
                value, numbers = _validated(schema, partial)
                if check is not None:
                    check(value)
            except ValidationError as error:
                fault = _in_words(error)
            except ValueError as error:
                fault = str(error)
            else:
                if not numbers:
                    return Answer(value, partial, attempt, repaired.repairs)
                self.ledger.repaired(["number"])
                return Answer(value, partial, attempt, (*repaired.repairs, "number"))
            if attempt <= self.reasks:
                self.ledger.reasked += 1
                conversation += [
                    assistant(completion.text[:400]),
                    user(f"That cannot be used: {fault}. Answer again with one JSON object, nothing else."),
                ]
        return Answer(None, partial, self.reasks + 1, (), fault)

    async def _complete(self, request: ChatRequest, gate: asyncio.Semaphore) -> Completion:
        """Return an answer from the cache or, with patience, from the model."""
        found = self.cache.get(request)
        if found is not None:
            self.ledger.cached += 1
            return found
        async with gate:
            for attempt in range(1, self.attempts + 1):
                if self._halt is not None:  # another question met an error that ends them all
                    raise self._halt
                try:
                    reserved = self.ledger.reserve(request.prompt_tokens(), request.max_tokens)
                except BudgetError as error:
                    self._halt = error
                    raise
                start = time.perf_counter()
                try:
                    completion = await self.model.complete(request)
                except ServerError as error:
                    self._halt = error
                    raise
                except TransportError as error:
                    self.ledger.failed(error.kind)
                    if attempt == self.attempts:
                        self._give_up_if_hopeless(error)
                        raise
                    wait = error.wait
                    if wait is None:
                        wait = self._jitter.uniform(0.0, self._pause * 2.0 ** (attempt - 1))
                    await asyncio.sleep(min(wait, self._longest_pause))
                else:
                    self.ledger.add(completion, time.perf_counter() - start)
                    self.cache.put(request, completion)
                    self._hopeless, self._answered = 0, True
                    return completion
                finally:
                    self.ledger.release(reserved)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _give_up_if_hopeless(self, error: TransportError) -> None:
        """Raise ServerError if nothing was ever answered, or nothing for long."""
        self._hopeless += 1
        if not self._answered or self._hopeless >= HOPELESS:
            self._halt = ServerError(
                f"no usable answer from {self.model.name!r} after {self.attempts} attempts each at {self._hopeless} "
                f"question(s): {error}"
            )
            raise self._halt from None


def _validated(schema: type[T], value: object) -> tuple[T, bool]:
    """Return the checked value, and whether a number had to be read from a string."""
    try:
        return schema.model_validate(value, strict=True), False
    except ValidationError:
        return schema.model_validate(_numbers(value)), True


def _numbers(value: object) -> object:
    """Read strings like "40", "35 %" or "$1,200" as the numbers they mean."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, str):
        bare = value.strip().lower().removesuffix("hours").strip().strip("$% ").replace(",", "")
        try:
            return float(bare)
        except ValueError:
            return value
    return value


def _in_words(error: ValidationError) -> str:
    """Return the first faults of a failed check, for the model to read."""
    faults = [
        f"{'.'.join(str(part) for part in e['loc']) or 'answer'}: {e['msg']}" for e in error.errors()[:3]
    ]
    return "; ".join(faults)


def _run(work: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine to its end, also where an event loop is already running (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    box: list[R] = []
    faults: list[BaseException] = []

    def target() -> None:
        try:
            box.append(asyncio.run(work))
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if faults:
        raise faults[0]
    return box[0]
