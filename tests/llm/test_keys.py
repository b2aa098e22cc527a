"""A key goes where the user means it to go, and nowhere else."""

from __future__ import annotations

import pytest

from fisc.core import DataError
from fisc.llm import OpenAIModel
from fisc.llm.errors import ServerError
from fisc.llm.keys import key_for

KEY = "sk-never-to-be-seen-4711"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FISC_LLM_HOSTS", raising=False)
    for name in ("OPENAI_API_KEY", "FISC_LLM_KEY_ROUTER", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, KEY)


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "HOME", "fisc_llm_key_x", "FISC_LLM_KEY_", "OPENAI_API_KEY2"]
)
def test_a_configuration_cannot_name_any_variable(name: str) -> None:
    with pytest.raises(DataError, match="is not a name for keys"):
        OpenAIModel("m", "https://api.openai.com/v1", key_variable=name)


def test_the_key_of_one_host_is_not_sent_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_for("OPENAI_API_KEY", "https://api.openai.com/v1") == KEY
    for url in (
        "http://localhost:8000/v1",
        "http://127.0.0.1:1/v1",
        "http://gpu1:8000/v1",
        "http://api.openai.org/v1",
    ):
        assert key_for("OPENAI_API_KEY", url) is None
    for url in ("https://evil.org/v1", "https://api.openai.com.evil.org/v1"):
        with pytest.raises(ServerError, match=r"is not meant for .*; if it is, say so"):
            key_for("OPENAI_API_KEY", url)
    with pytest.raises(ServerError, match=r"FISC_LLM_HOSTS='FISC_LLM_KEY_ROUTER=openrouter\.ai'"):
        OpenAIModel("m", "https://openrouter.ai/api/v1", key_variable="FISC_LLM_KEY_ROUTER")
    monkeypatch.setenv("FISC_LLM_HOSTS", "FISC_LLM_KEY_ROUTER=openrouter.ai, OPENAI_API_KEY=localhost")
    assert key_for("FISC_LLM_KEY_ROUTER", "https://openrouter.ai/api/v1") == KEY
    assert key_for("OPENAI_API_KEY", "http://localhost:8000/v1") == KEY
    assert key_for("FISC_LLM_KEY_ROUTER", "http://localhost:8000/v1") is None


def test_a_key_never_goes_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerError, match="in the clear"):
        key_for("OPENAI_API_KEY", "http://api.openai.com/v1")
    monkeypatch.setenv("FISC_LLM_HOSTS", "FISC_LLM_KEY_ROUTER=gpu1")
    with pytest.raises(ServerError, match="in the clear"):
        key_for("FISC_LLM_KEY_ROUTER", "http://gpu1:8000/v1")
