"""The OpenAI client against a local server with every fault we know of."""

from __future__ import annotations

import json
import logging
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

pytest.importorskip("openai", reason="the extra fisc[llm] is not installed")

from fisc.data import DataError
from fisc.llm import Client, OpenAIModel, ResponseCache, ServerError, user

JSON = {"Content-Type": "application/json"}
GOOD = '{"hours": 40}'


class Hours(BaseModel):
    hours: float


def client_of(stub: Any, **options: Any) -> Client:
    model = OpenAIModel("stub", stub.url, timeout=options.pop("timeout", 5.0))
    return Client(model, **{"pause": 0.001, **options})


def ask(client: Client, text: str = "How many?") -> Any:
    return client.ask_all([[user(text)]], Hours)[0]


def test_a_proper_answer_and_its_tokens(stub: Any, answer: Callable[..., bytes]) -> None:
    stub.script = lambda body, times: (200, JSON, answer(GOOD))
    client = client_of(stub)
    assert ask(client).value.hours == 40
    assert (client.ledger.prompt_tokens, client.ledger.completion_tokens, client.ledger.estimated) == (
        11,
        7,
        0,
    )
    sent = stub.requests[0]
    assert sent["model"] == "stub"
    assert sent["temperature"] == 0.0
    assert sent["response_format"] == {"type": "json_object"}


def test_tokens_are_estimated_if_the_server_does_not_count(stub: Any, answer: Callable[..., bytes]) -> None:
    stub.script = lambda body, times: (200, JSON, answer(GOOD, usage=False))
    client = client_of(stub)
    ask(client)
    assert client.ledger.estimated == 1
    assert client.ledger.completion_tokens == 4


FAULTS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "rate_limit": (429, {**JSON, "Retry-After": "0"}, b'{"error": {"message": "slow down"}}'),
    "server": (500, JSON, b'{"error": {"message": "out of memory"}}'),
    "html": (200, {"Content-Type": "text/html"}, b"<html><body>Bad gateway</body></html>"),
    "protocol": (200, JSON, b'{"id": "x", "choices": [{"mess'),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_passing_faults_are_counted_and_survived(stub: Any, answer: Callable[..., bytes], kind: str) -> None:
    stub.script = lambda body, times: FAULTS[kind] if times < 2 else (200, JSON, answer(GOOD))
    client = client_of(stub)
    assert ask(client).value.hours == 40
    assert client.ledger.failures == {kind: 2}
    assert client.ledger.requests == 3 == len(stub.requests)


def test_no_choices_is_not_an_answer(stub: Any, answer: Callable[..., bytes]) -> None:
    empty = json.dumps({**json.loads(answer("x")), "choices": []}).encode()
    stub.script = lambda body, times: (200, JSON, empty) if times == 0 else (200, JSON, answer(GOOD))
    client = client_of(stub)
    assert ask(client).value.hours == 40
    assert client.ledger.failures == {"protocol": 1}


def test_a_server_that_hangs_is_timed_out(stub: Any, answer: Callable[..., bytes]) -> None:
    stub.script = lambda body, times: (0 if times == 0 else 200, JSON, answer(GOOD))
    client = client_of(stub, timeout=0.3)
    assert ask(client).value.hours == 40
    assert client.ledger.failures == {"timeout": 1}


@pytest.mark.parametrize(
    ("text", "repair"),
    [
        ("```json\n" + GOOD + "\n```", "fence"),
        ('{"hours": 40, "why": "beca', "truncated"),
        ('{"hours": "40"}', "number"),
        ("I choose " + GOOD, "prose"),
    ],
)
def test_odd_answers_are_repaired(stub: Any, answer: Callable[..., bytes], text: str, repair: str) -> None:
    stub.script = lambda body, times: (200, JSON, answer(text))
    client = client_of(stub)
    assert ask(client).value.hours == 40
    assert client.ledger.repairs == {repair: 1}


@pytest.mark.parametrize("text", ['{"hours": NaN}', "I would rather write a poem.", "", None])
def test_hopeless_answers_are_asked_again(stub: Any, answer: Callable[..., bytes], text: str | None) -> None:
    def script(body: dict[str, Any], times: int) -> tuple[int, dict[str, str], bytes]:
        return 200, JSON, answer(text if len(body["messages"]) == 1 else GOOD)

    stub.script = script
    client = client_of(stub)
    assert ask(client).value.hours == 40
    assert client.ledger.reasked == 1


def test_a_server_without_json_mode_is_asked_without(stub: Any, answer: Callable[..., bytes]) -> None:
    def script(body: dict[str, Any], times: int) -> tuple[int, dict[str, str], bytes]:
        if "response_format" in body:
            return 400, JSON, b'{"error": {"message": "response_format is not supported"}}'
        return 200, JSON, answer(GOOD)

    stub.script = script
    client = client_of(stub)
    assert ask(client).value.hours == 40
    assert ask(client, "And now?").value.hours == 40
    assert ["response_format" in body for body in stub.requests] == [True, False, False]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "refuses the key in OPENAI_API_KEY"),
        (403, "refuses the key in OPENAI_API_KEY"),
        (404, "does not know the model 'stub' or the path"),
        (422, r"rejects the request \(422\)"),
    ],
)
def test_what_no_attempt_will_cure_is_said_at_once(stub: Any, status: int, message: str) -> None:
    stub.script = lambda body, times: (status, JSON, b'{"error": {"message": "no"}}')
    with pytest.raises(ServerError, match=message):
        ask(client_of(stub))
    assert len(stub.requests) == 1


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = Client(OpenAIModel("tiny", f"http://127.0.0.1:{port}/v1"), attempts=2, pause=0.001)
    with pytest.raises(ServerError, match=f"cannot reach http://127.0.0.1:{port}/v1.*Is the server running"):
        ask(client)
    assert client.ledger.failures == {"refused": 2}


SECRET = "sk-very-secret-0123456789abcdef"


def test_the_key_is_sent_and_shown_nowhere(
    stub: Any,
    answer: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("FISC_LLM_KEY_MINE", SECRET)
    monkeypatch.setenv("FISC_LLM_HOSTS", "FISC_LLM_KEY_MINE=127.0.0.1")
    caplog.set_level(logging.DEBUG)
    stub.script = lambda body, times: (200, JSON, answer(GOOD))
    cache = ResponseCache(tmp_path / "answers.sqlite")
    model = OpenAIModel("stub", stub.url, key_variable="FISC_LLM_KEY_MINE")
    client = Client(model, cache=cache, pause=0.001)
    ask(client)
    assert stub.headers[0]["authorization"] == f"Bearer {SECRET}"
    shown = [repr(model), json.dumps(client.ledger.to_dict()), client.ledger.summary(), caplog.text]
    for status in (401, 403, 404, 400, 500):
        echo = json.dumps({"error": {"message": f"Incorrect API key provided: {SECRET}"}}).encode()
        stub.script = lambda body, times, s=status, e=echo: (s, JSON, e)  # type: ignore[misc]
        other = Client(OpenAIModel("stub", stub.url, key_variable="FISC_LLM_KEY_MINE"), attempts=1, pause=0.0)
        with pytest.raises(ServerError) as caught:
            ask(other, f"question {status}")
        shown.append("".join(traceback.format_exception(caught.value)))
    shown.append(caplog.text)
    cache.close()
    assert not any(SECRET in text for text in shown)
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes()


def test_far_servers_need_a_key_and_say_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FISC_LLM_KEY_ROUTER", raising=False)
    with pytest.raises(ServerError, match="set the environment variable FISC_LLM_KEY_ROUTER"):
        OpenAIModel("x", "https://openrouter.ai/api/v1", key_variable="FISC_LLM_KEY_ROUTER")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000", "base_url must look like"),
        ("ftp://localhost/v1", "base_url must look like"),
        ("http://me:secret@localhost/v1", "must not hold a user name or password"),
    ],
)
def test_bad_addresses_are_refused(url: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        OpenAIModel("x", url)
    assert "secret" not in str(caught.value)


def test_a_bad_timeout_is_refused() -> None:
    with pytest.raises(DataError, match=r"timeout=0\.0; give a number of seconds above 0"):
        OpenAIModel("x", "http://localhost:1/v1", timeout=0.0)
