"""Bounded workers and workers played by a language model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fisc.data import DataError
from fisc.economist import TaxSchedule, Workers, outcome_of_hours, respond
from fisc.economist.scripts import rule_of_thumb
from fisc.economist.workers import Bounded, Exact, LanguageWorkers, Memory
from fisc.economist.workers.bounded import satisfied
from fisc.llm import ChatRequest, Client, ScriptedModel

LAW = TaxSchedule([0, 50_000], [0.2, 0.4])


def remembered(workers: Workers, hours: np.ndarray, length: int = 5) -> Memory:
    memory = Memory(length)
    memory.add(LAW, outcome_of_hours(workers, LAW, hours))
    return memory


def test_without_frictions_bounded_workers_are_exact(people) -> None:  # type: ignore[no-untyped-def]
    workers = people()
    calm = Bounded(noise=0.0, inertia=0.0, protest=0.0)
    rng = np.random.default_rng(0)
    exact = Exact().choose(workers, LAW, Memory(1), rng)
    np.testing.assert_array_equal(calm.choose(workers, LAW, remembered(workers, exact * 0.5), rng), exact)


def test_inertia_keeps_the_hours_of_the_content(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(2000)
    memory = remembered(workers, np.full(2000, 33.0))
    content = satisfied(workers, memory.last)  # type: ignore[arg-type]
    hours = Bounded(noise=0.0, inertia=0.6, protest=0.0).choose(
        workers, LAW, memory, np.random.default_rng(0)
    )
    assert np.mean(hours[content] == 33.0) == pytest.approx(0.6, abs=0.05)
    assert not np.any(hours[~content] == 33.0)


def test_the_dissatisfied_withdraw_hours(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(500, personas=True)
    exact = respond(workers, LAW).hours
    memory = remembered(workers, exact)
    content = satisfied(workers, memory.last)  # type: ignore[arg-type]
    assert 0 < content.sum() < 500
    hours = Bounded(noise=0.0, inertia=0.0, protest=0.25).choose(
        workers, LAW, memory, np.random.default_rng(0)
    )
    np.testing.assert_allclose(hours[~content], 0.75 * exact[~content])
    np.testing.assert_allclose(hours[content], exact[content])


def test_bounded_hours_stay_on_the_grid(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(200, hours_grid=np.arange(0.0, 101.0, 10.0))
    hours = Bounded().choose(workers, LAW, Memory(1), np.random.default_rng(1))
    assert set(hours) <= set(np.arange(0.0, 101.0, 10.0))
    assert len(set(hours)) > 3


@pytest.mark.parametrize("options", [{"noise": -1.0}, {"inertia": 1.0}, {"protest": np.nan}])
def test_bad_frictions_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(DataError, match=next(iter(options))):
        Bounded(**options)


def test_memory_keeps_the_best_of_the_present_law(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(3)
    memory = Memory(2)
    exact = respond(workers, LAW).hours
    for hours in (exact * 0.8, exact, exact * 0.9):
        memory.add(LAW, outcome_of_hours(workers, LAW, hours))
    assert len(memory.steps) == 2
    assert memory.best_hours is not None
    memory.add(LAW.with_rates([0.3, 0.3]), outcome_of_hours(workers, LAW.with_rates([0.3, 0.3]), exact * 0.5))
    np.testing.assert_array_equal(memory.best_hours, exact * 0.5)


def test_workers_of_one_year_share_their_prefix_and_answer_together(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(45, personas=True)
    players = LanguageWorkers(Client(ScriptedModel(rule_of_thumb)), batch=20)
    questions = players.questions(workers, LAW, Memory(1))
    assert len(questions) == 3
    assert len({question[0].content for question in questions}) == 1
    assert workers.personas is not None
    assert workers.personas[44].describe() in questions[2][1].content
    later = players.questions(workers, LAW, remembered(workers, np.full(45, 40.0)))
    assert later[0][0] == questions[0][0]


def test_answers_reach_the_right_worker(people) -> None:  # type: ignore[no-untyped-def]
    def script(request: ChatRequest) -> str:
        numbers = [int(line.split(";")[0]) for line in request.messages[1].content.splitlines()]
        return json.dumps({"hours": {str(i): i for i in numbers}})

    players = LanguageWorkers(Client(ScriptedModel(script)), batch=7)
    hours = players.choose(people(45), LAW, Memory(1), np.random.default_rng(0))
    assert hours.tolist() == list(range(1, 46))


def test_what_cannot_be_used_is_replaced_and_counted(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(4)
    client = Client(ScriptedModel(lambda _: '{"hours": {"1": 30, "2": 999, "3": "NaN"}}'), reasks=1)
    players = LanguageWorkers(client, batch=4)
    first = players.choose(workers, LAW, Memory(1), np.random.default_rng(0))
    assert first.tolist() == [30.0, 40.0, 40.0, 40.0]
    assert client.ledger.fallbacks == 3
    assert client.ledger.reasked == 1
    later = players.choose(workers, LAW, remembered(workers, np.full(4, 12.0)), np.random.default_rng(0))
    assert later.tolist() == [30.0, 12.0, 12.0, 12.0]


def test_hours_of_a_language_model_go_to_the_nearest_choice(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(2, hours_grid=np.arange(0.0, 101.0, 10.0))
    players = LanguageWorkers(Client(ScriptedModel(lambda _: '{"hours": {"1": 34, "2": 36.5}}')))
    assert players.choose(workers, LAW, Memory(1), np.random.default_rng(0)).tolist() == [30.0, 40.0]


def test_tokens_a_worker_step_are_a_fiftieth_of_the_reference(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(100, personas=True)
    law = TaxSchedule.us_federal(2024)
    client = Client(ScriptedModel(rule_of_thumb))
    players, memory = LanguageWorkers(client), Memory(50)
    for step in range(52):
        hours = players.choose(workers, law, memory, np.random.default_rng(step))
        memory.add(law, outcome_of_hours(workers, law, hours))
    before = client.ledger.tokens
    players.choose(workers, law, memory, np.random.default_rng(99))
    assert (client.ledger.tokens - before) / 100 <= 5400 / 50
