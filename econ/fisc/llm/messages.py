"""Requests and completions: plain values that can be hashed, cached and replayed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from fisc.core import Record

__all__ = ["ChatRequest", "Completion", "Message", "assistant", "estimate_tokens", "system", "user"]

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


def system(content: str) -> Message:
    """Return a system message: put what all requests of a batch share here, so that servers cache it."""
    return Message("system", content)


def user(content: str) -> Message:
    """Return a user message."""
    return Message("user", content)


def assistant(content: str) -> Message:
    """Return a message of the model."""
    return Message("assistant", content)


@dataclass(frozen=True)
class ChatRequest:
    """Everything that decides an answer.

    Attributes
    ----------
    model : str
        Name of the model on the server.
    messages : tuple of Message
    temperature : float
        0 is greedy.
    max_tokens : int
        Cap on the answer.
    seed : int or None
        Passed to servers that know it.
    json_object : bool
        Ask the server for a JSON object; servers that ignore it are fine.

    Examples
    --------
    >>> request = ChatRequest("tiny", (user("Hello"),))
    >>> request.key() == ChatRequest("tiny", (user("Hello"),)).key()
    True
    """

    model: str
    messages: tuple[Message, ...]
    temperature: float = 0.0
    max_tokens: int = 512
    seed: int | None = None
    json_object: bool = True

    def key(self) -> str:
        """Return a hash of the whole request, 64 hexadecimal digits."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()

    def prompt_tokens(self) -> int:
        """Return an estimate of the tokens of the prompt."""
        return sum(estimate_tokens(m.content) + 4 for m in self.messages)


@dataclass(frozen=True)
class Completion(Record):
    """A model's answer to one request.

    Attributes
    ----------
    text : str
        What it wrote; may be empty.
    prompt_tokens, completion_tokens : int
        As counted by the server, or estimated.
    estimated : bool
        Whether the counts are estimates.
    finish_reason : str
        ``"stop"``, ``"length"`` (cut off), or what the server says.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    estimated: bool = False
    finish_reason: str = "stop"

    def __post_init__(self) -> None:
        # Halves of a pair of surrogates, which JSON can escape, could neither be kept nor sent again.
        object.__setattr__(self, "text", self.text.encode("utf-8", "replace").decode())

    @classmethod
    def of_text(cls, text: str, messages: Iterable[Message]) -> Completion:
        """Return a completion whose token counts are estimates."""
        prompt = sum(estimate_tokens(m.content) + 4 for m in messages)
        return cls(text, prompt, estimate_tokens(text), estimated=True)


def estimate_tokens(text: str) -> int:
    """Return the number of tokens at four characters each, rounded up.

    Examples
    --------
    >>> estimate_tokens("twelve chars")
    3
    """
    return -(-len(text) // 4)
