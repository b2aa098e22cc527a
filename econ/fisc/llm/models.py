"""Models that need no server, and what every model has to offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fisc.llm.cache import ResponseCache
from fisc.llm.errors import ReplayError
from fisc.llm.messages import ChatRequest, Completion

__all__ = ["Model", "ReplayModel", "ScriptedModel"]


class Model(Protocol):
    """Something that answers requests.

    `name` goes into every request, so into the key of the cache. `complete` returns a completion
    or raises `TransportError` (try again) or `ServerError` (do not).
    """

    @property
    def name(self) -> str:
        """Name of the model."""
        ...

    async def complete(self, request: ChatRequest) -> Completion:
        """Answer one request."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class ScriptedModel:
    """A function that plays the model: for tests, demos and rule-based stand-ins.

    Parameters
    ----------
    script : callable
        Takes a `ChatRequest`, returns the text of the answer.
    name : str
        Distinguishes scripts in a cache.

    Examples
    --------
    >>> import asyncio
    >>> from fisc.llm import user
    >>> model = ScriptedModel(lambda request: request.messages[-1].content.upper())
    >>> asyncio.run(model.complete(ChatRequest("scripted", (user("yes"),)))).text
    'YES'
    """

    def __init__(self, script: Callable[[ChatRequest], str], name: str = "scripted") -> None:
        self._script = script
        self._name = name

    @property
    def name(self) -> str:
        """Name of the script."""
        return self._name

    async def complete(self, request: ChatRequest) -> Completion:
        """Answer at once; tokens are estimated."""
        return Completion.of_text(self._script(request), request.messages)

    async def close(self) -> None:
        """Do nothing."""


class ReplayModel:
    """Answers from a recording and never from a server.

    Parameters
    ----------
    recording : ResponseCache
        The cache of an earlier run.
    name : str
        Name of the model that was recorded; it is part of every request.
    """

    def __init__(self, recording: ResponseCache, name: str) -> None:
        self._recording = recording
        self._name = name

    @property
    def name(self) -> str:
        """Name of the recorded model."""
        return self._name

    async def complete(self, request: ChatRequest) -> Completion:
        """Return the recorded answer.

        Raises
        ------
        ReplayError
            If the request was never recorded.
        """
        found = self._recording.get(request)
        if found is None:
            raise ReplayError(
                f"no recorded answer of {self._name!r} to request {request.key()[:12]}: the prompts differ from those "
                "of the recording; record again with the same configuration and version"
            )
        return found

    async def close(self) -> None:
        """Do nothing."""
