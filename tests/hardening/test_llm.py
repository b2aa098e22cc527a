"""Whatever a model writes becomes a checked answer or a named refusal."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from fisc.llm import (
    Budget,
    Client,
    Ledger,
    OpenAIModel,
    Price,
    ReplayModel,
    ResponseCache,
    ScriptedModel,
    read_json,
    user,
)

MANY = settings(max_examples=200, deadline=None, derandomize=True)


class Hours(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)
    hours: float = Field(ge=0, le=100)
    why: str = ""


pieces = st.sampled_from(
    [
        '{"hours": ',
        "40",
        "}",
        "NaN",
        "Infinity",
        "1e999",
        "-5",
        '"40"',
        "null",
        "```json",
        "```",
        "[",
        "]",
        ",",
        "'",
        "\x00",
        "\ud800",
        "{{",
        '{"hours": 40, "why": "',
        "\\",
        "Sure! ",
        "true",
        "1" * 400,
        "[" * 3000,
        '{"a":' * 900,
    ]
)
written = st.lists(pieces, max_size=7).map("".join) | st.text(max_size=60)


@given(text=written)
@MANY
def test_reading_what_a_model_wrote(text: str) -> None:
    try:
        found = read_json(text)
    except ValueError:  # shown to the model, so an error of Python's own kind
        return
    json.dumps(found.value, allow_nan=False)


@given(text=written)
@MANY
def test_an_answer_is_valid_or_named(text: str, hostile) -> None:
    client = Client(ScriptedModel(lambda request: text), reasks=1, attempts=1, pause=0.0)
    got = hostile.attempt(lambda: client.ask_all([[user("How many hours?")]], Hours)[0])
    if not got.refusal:
        answer = got.value
        assert answer.value is not None or answer.fault
        if answer.value is not None:
            assert 0 <= answer.value.hours <= 100
        json.dumps(client.ledger.to_dict(), allow_nan=False)


@given(data=st.data())
@MANY
def test_clients_of_hostile_options(data: st.DataObject, hostile, tmp_path_factory) -> None:
    good = {
        "concurrency": 2,
        "attempts": 1,
        "reasks": 0,
        "temperature": 0.0,
        "max_tokens": 20,
        "pause": 0.0,
        "longest_pause": 0.0,
    }
    chosen = hostile.options(data, good)
    model = ScriptedModel(lambda request: '{"hours": 4}')

    def run():
        client = Client(model, **chosen)
        return client.ask_all([[user("?")]], Hours)[0].value.hours

    got = hostile.attempt(run)
    if not got.refusal:
        assert got.value == 4
    value = data.draw(st.sampled_from([*hostile.numbers, *hostile.others]), label="value")
    for call in (
        lambda: Price(value, 0.0).of(1, 1),
        lambda: Budget(tokens=value).tokens,
        lambda: Budget(money=value).money,
        lambda: Ledger.from_dict(value),
        lambda: OpenAIModel("m", value),
        lambda: OpenAIModel("m", "http://localhost:1/v1", timeout=value),
        lambda: OpenAIModel(value, "http://localhost:1/v1"),
        lambda: ReplayModel(value, "name"),
        lambda: ResponseCache(value) if value is not None and not isinstance(value, str) else None,
    ):
        got = hostile.attempt(call)
        if not got.refusal:
            assert not hostile.unfinished(got.value)
