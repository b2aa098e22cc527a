"""The client against scripted models: checking, asking again, caching, metering, stopping."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from fisc.data import CorruptFileError, DataError
from fisc.llm import (
    Budget,
    BudgetError,
    ChatRequest,
    Client,
    Completion,
    Ledger,
    Price,
    ReplayError,
    ReplayModel,
    ResponseCache,
    ScriptedModel,
    ServerError,
    system,
    user,
)
from fisc.llm.errors import TransportError


class Hours(BaseModel):
    hours: float


QUESTION = [system("rules"), user("How many?")]


def ask(client: Client, question: list = QUESTION, **options):  # type: ignore[no-untyped-def]
    return client.ask_all([question], Hours, **options)[0]


@pytest.mark.parametrize(
    ("text", "hours", "repairs"),
    [
        ('{"hours": 40}', 40.0, ()),
        ('```json\n{"hours": 40}\n```', 40.0, ("fence",)),
        ('{"hours": "40"}', 40.0, ("number",)),
        ('{"hours": "1,200 hours"}', 1200.0, ("number",)),
        ('{"hours": "$35%"}', 35.0, ("number",)),
        ('My answer: {"hours": 12.5}', 12.5, ("prose",)),
    ],
)
def test_answers_are_repaired_and_counted(text: str, hours: float, repairs: tuple[str, ...]) -> None:
    client = Client(ScriptedModel(lambda _: text))
    found = ask(client)
    assert found.value is not None
    assert found.value.hours == hours
    assert found.repairs == repairs
    assert sum(client.ledger.repairs.values()) == len(repairs)


def test_the_model_is_shown_its_error_and_may_answer_again() -> None:
    seen = []

    def script(request: ChatRequest) -> str:
        seen.append([m.content for m in request.messages])
        return '{"hours": "none"}' if len(seen) == 1 else '{"hours": 7}'

    client = Client(ScriptedModel(script))
    found = ask(client)
    assert found.value is not None
    assert found.value.hours == 7
    assert found.attempts == 2
    assert client.ledger.reasked == 1
    assert seen[1][:2] == seen[0]
    assert "That cannot be used: hours:" in seen[1][-1]


@pytest.mark.parametrize("text", ["", "no", '{"hours": NaN}', '{"minutes": 3}', '{"hours": [1]}', "[]"])
def test_useless_answers_end_in_no_value_and_a_reason(text: str) -> None:
    client = Client(ScriptedModel(lambda _: text), reasks=2)
    found = ask(client)
    assert found.value is None
    assert found.fault
    assert found.attempts == 3
    assert client.ledger.requests == 3


def test_a_check_of_ones_own() -> None:
    def check(value: Hours) -> None:
        if value.hours > 100:
            raise ValueError("a week has fewer hours")

    client = Client(ScriptedModel(lambda _: '{"hours": 200}'), reasks=0)
    assert ask(client, check=check).fault == "a week has fewer hours"


def test_answers_come_back_in_the_order_of_the_questions() -> None:
    class Slow(ScriptedModel):
        async def complete(self, request: ChatRequest) -> Completion:
            number = int(request.messages[0].content)
            await asyncio.sleep(0.002 * (10 - number))
            return await super().complete(request)

    client = Client(Slow(lambda r: json.dumps({"hours": int(r.messages[0].content)})), concurrency=10)
    answers = client.ask_all([[user(str(i))] for i in range(10)], Hours)
    assert [a.value.hours for a in answers if a.value] == list(range(10))


def test_never_more_requests_at_once_than_allowed() -> None:
    running, most = 0, 0

    class Counting(ScriptedModel):
        async def complete(self, request: ChatRequest) -> Completion:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.002)
            running -= 1
            return await super().complete(request)

    client = Client(Counting(lambda _: '{"hours": 1}'), concurrency=3)
    client.ask_all([[user(str(i))] for i in range(20)], Hours)
    assert most == 3


def test_the_cache_answers_the_same_request_and_no_other(tmp_path: Path) -> None:
    calls = []

    def script(request: ChatRequest) -> str:
        calls.append(request)
        return '{"hours": 5}'

    for _ in range(2):
        cache = ResponseCache(tmp_path / "answers.sqlite")
        client = Client(ScriptedModel(script), cache=cache)
        ask(client)
        cache.close()
    assert len(calls) == 1
    assert client.ledger.requests == 0
    assert client.ledger.cached == 1
    cache = ResponseCache(tmp_path / "answers.sqlite")
    for other in (
        Client(ScriptedModel(script), cache=cache, temperature=0.5),
        Client(ScriptedModel(script, name="another"), cache=cache),
        Client(ScriptedModel(script), cache=cache, max_tokens=99),
    ):
        ask(other)
        assert other.ledger.requests == 1
    ask(Client(ScriptedModel(script), cache=cache), [system("rules!"), user("How many?")])
    assert len(calls) == 5
    assert len(cache) == 5


def test_bad_answers_are_cached_too_so_a_second_run_asks_nothing(tmp_path: Path) -> None:
    for run in range(2):
        client = Client(ScriptedModel(lambda _: "no"), cache=ResponseCache(tmp_path / "answers.sqlite"))
        assert ask(client).value is None
        assert client.ledger.requests == (3 if run == 0 else 0)


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    file = tmp_path / "answers.sqlite"
    file.write_text("this is no database, it is prose " * 50)
    with pytest.raises(CorruptFileError, match=r"answers\.sqlite is not a cache"):
        ResponseCache(file)


def test_a_replay_answers_what_was_recorded_and_refuses_the_rest(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "answers.sqlite")
    ask(Client(ScriptedModel(lambda _: '{"hours": 5}', name="tiny"), cache=cache))
    replay = Client(ReplayModel(cache, "tiny"))
    found = ask(replay)
    assert found.value is not None
    assert found.value.hours == 5
    with pytest.raises(ReplayError, match="no recorded answer of 'tiny'"):
        ask(replay, [user("Something else")])


def test_tokens_and_money_are_counted() -> None:
    ledger = Ledger(Price(prompt=2.0, completion=10.0))
    ask(Client(ScriptedModel(lambda _: '{"hours": 5}'), ledger=ledger))
    prompt = (2 + 4) + (3 + 4)  # "rules", "How many?" at four characters a token, four more a message
    assert (ledger.prompt_tokens, ledger.completion_tokens) == (prompt, 3)
    assert ledger.cost == pytest.approx((prompt * 2.0 + 3 * 10.0) / 1e6)
    assert ledger.estimated == 1
    again = Ledger.from_dict(json.loads(json.dumps(ledger.to_dict())))
    assert again == ledger
    assert "1 requests" in ledger.summary()


@pytest.mark.parametrize(
    ("budget", "price"),
    [(Budget(requests=3), Price()), (Budget(tokens=80), Price()), (Budget(money=8e-5), Price(1.0, 1.0))],
)
def test_a_budget_is_never_exceeded(budget: Budget, price: Price) -> None:
    ledger = Ledger(price, budget)
    client = Client(ScriptedModel(lambda _: '{"hours": 5}'), ledger=ledger, max_tokens=16, concurrency=4)
    with pytest.raises(BudgetError, match=r"reached.*raise the budget and resume"):
        client.ask_all([[user(str(i))] for i in range(40)], Hours)
    assert 1 <= ledger.requests < 40
    assert budget.requests is None or ledger.requests <= budget.requests
    assert budget.tokens is None or ledger.tokens <= budget.tokens
    assert budget.money is None or ledger.cost <= budget.money
    assert len(client.cache) == ledger.requests  # what was paid for is kept


def test_requests_under_way_when_the_budget_ends_are_kept() -> None:
    class Slow(ScriptedModel):
        async def complete(self, request: ChatRequest) -> Completion:
            await asyncio.sleep(0.02)
            return await super().complete(request)

    client = Client(Slow(lambda _: '{"hours": 5}'), ledger=Ledger(Price(), Budget(requests=3)), concurrency=4)
    with pytest.raises(BudgetError):
        client.ask_all([[user(str(i))] for i in range(40)], Hours)
    assert client.ledger.requests == 3 == len(client.cache)
    assert client.ledger.completion_tokens == 9


def test_one_refused_key_ends_all_questions_at_once() -> None:
    class Refused(ScriptedModel):
        async def complete(self, request: ChatRequest) -> Completion:
            raise ServerError("the key is refused")

    client = Client(Refused(lambda _: ""), concurrency=2)
    with pytest.raises(ServerError, match="the key is refused"):
        client.ask_all([[user(str(i))] for i in range(200)], Hours)
    assert client.ledger.requests <= 2


class Flaky(ScriptedModel):
    """Fails so many times in a row before each answer."""

    def __init__(self, failures: int, kind: str = "server") -> None:
        super().__init__(lambda _: '{"hours": 5}')
        self.failures, self.kind, self.left = failures, kind, failures

    async def complete(self, request: ChatRequest) -> Completion:
        if self.left:
            self.left -= 1
            raise TransportError(self.kind, "broken", wait=0.0 if self.kind == "rate_limit" else None)
        self.left = self.failures
        return await super().complete(request)


def test_failed_requests_are_sent_again_and_counted() -> None:
    client = Client(Flaky(3), attempts=4, pause=0.001)
    assert ask(client).value is not None
    assert client.ledger.failures == {"server": 3}
    assert client.ledger.requests == 4


def test_pauses_grow_with_jitter_and_respect_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("fisc.llm.client.asyncio.sleep", sleep)
    ask(Client(Flaky(5), attempts=6, pause=1.0, longest_pause=4.0))
    assert len(waits) == 5
    assert all(wait <= min(2.0**k, 4.0) for k, wait in enumerate(waits))
    assert len(set(waits)) > 2
    waits.clear()

    class Patient(Flaky):
        async def complete(self, request: ChatRequest) -> Completion:
            if self.left:
                self.left -= 1
                raise TransportError("rate_limit", "slow down", wait=3.5)
            return Completion('{"hours": 5}', 1, 1)

    ask(Client(Patient(1), pause=1.0))
    assert waits == [3.5]


def test_a_server_that_never_answered_is_given_up_at_once() -> None:
    client = Client(Flaky(99), attempts=2, pause=0.0)
    with pytest.raises(ServerError, match="no usable answer from 'scripted' after 2 attempts"):
        ask(client)


def test_a_server_that_fails_now_and_then_only_costs_fallbacks() -> None:
    class Dead(ScriptedModel):
        async def complete(self, request: ChatRequest) -> Completion:
            if request.messages[-1].content != "0":
                raise TransportError("timeout", "slow")
            return await super().complete(request)

    client = Client(Dead(lambda _: '{"hours": 5}'), attempts=2, pause=0.0, concurrency=1)
    answers = client.ask_all([[user(str(i))] for i in range(10)], Hours)
    assert [a.value is not None for a in answers] == [True] + [False] * 9
    assert client.ledger.failures == {"timeout": 18}
    with pytest.raises(ServerError, match="25 question"):
        client.ask_all([[user(str(i))] for i in range(10, 40)], Hours)


def test_it_works_inside_a_running_event_loop() -> None:
    async def notebook() -> float:
        found = ask(Client(ScriptedModel(lambda _: '{"hours": 5}')))
        assert found.value is not None
        return found.value.hours

    assert asyncio.run(notebook()) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [({"concurrency": 0}, "concurrency"), ({"attempts": 0}, "attempts"), ({"reasks": -1}, "reasks")],
)
def test_bad_options_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=f"{message}=-?.; give a whole number of at least"):
        Client(ScriptedModel(lambda _: ""), **options)


def test_bad_budgets_and_prices_are_refused() -> None:
    with pytest.raises(DataError, match="budget tokens=-1; give None or a number of at least 0"):
        Budget(tokens=-1)
    with pytest.raises(DataError, match=r"the prompt price=-0\.1; give a finite number of at least 0"):
        Price(prompt=-0.1)


def test_damaged_caches_and_ledgers_are_refused_in_words(tmp_path: Path) -> None:
    request = ChatRequest("scripted", (user("Hello"),))
    for damage in ("", "[", "[]", "null", '{"text": 1}', '{"text": "a", "surprise": 1}', "[" * 100_000):
        file = tmp_path / "answers.sqlite"
        file.unlink(missing_ok=True)
        cache = ResponseCache(file)
        cache.put(request, Completion("Hi", 2, 1))
        assert cache.get(request) == Completion("Hi", 2, 1)
        cache.close()
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE answers SET answer = ?", (damage,))
        connection.close()
        cache = ResponseCache(file)
        with pytest.raises(CorruptFileError, match=r"answers\.sqlite is damaged .* asked for again"):
            cache.get(request)
        cache.close()
    ledger = Ledger(requests=3, failures={"timeout": 1})
    assert Ledger.from_dict(json.loads(ledger.to_json())) == ledger
    good = ledger.to_dict()
    for bad in (
        {**good, "requests": -1},
        {**good, "requests": "3"},
        {**good, "failures": {"timeout": -1}},
        {**good, "price": {"prompt": 1.0}},
        {**good, "price": None},
        {**good, "_reserved_tokens": 1},
        {key: value for key, value in good.items() if key != "budget"},
        [],
    ):
        with pytest.raises(DataError):
            Ledger.from_dict(bad)  # type: ignore[arg-type]


def test_an_old_cache_whose_answers_name_no_schema_still_answers(tmp_path: Path) -> None:
    request = ChatRequest("scripted", (user("Hello"),))
    cache = ResponseCache(tmp_path / "answers.sqlite")
    cache.put(request, Completion("Hi", 2, 1))
    old = {
        "text": "Hi",
        "prompt_tokens": 2,
        "completion_tokens": 1,
        "estimated": False,
        "finish_reason": "stop",
    }
    with sqlite3.connect(tmp_path / "answers.sqlite") as connection:
        connection.execute("UPDATE answers SET answer = ?", (json.dumps(old),))
    connection.close()
    assert cache.get(request) == Completion("Hi", 2, 1)


def test_numpy_whole_numbers_are_whole_numbers() -> None:
    client = Client(ScriptedModel(lambda _: '{"hours": 5}'), attempts=np.int64(3), concurrency=np.int64(2))
    assert (client.attempts, client.concurrency) == (3, 2)
