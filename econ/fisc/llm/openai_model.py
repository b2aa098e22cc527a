"""Any server that speaks the OpenAI chat protocol: vLLM, Ollama, llama.cpp, OpenRouter, OpenAI, Gemini."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from fisc.core import DataError, check_is, check_number, require
from fisc.llm.errors import ServerError, TransportError
from fisc.llm.keys import check_key_variable, key_for
from fisc.llm.messages import ChatRequest, Completion, estimate_tokens

if TYPE_CHECKING:
    import openai

__all__ = ["OpenAIModel"]

_KEY_LIKE = re.compile(r"\b(?:sk|key|gsk|or)-[A-Za-z0-9_\-*]{6,}")


class OpenAIModel:
    """A model behind an OpenAI-compatible address.

    Parameters
    ----------
    name : str
        Model on the server, for instance ``"qwen3:8b"``.
    base_url : str
        Address up to and with ``/v1``; for instance ``http://localhost:8000/v1`` (vLLM),
        ``http://localhost:11434/v1`` (Ollama), ``https://openrouter.ai/api/v1``,
        ``https://generativelanguage.googleapis.com/v1beta/openai/`` (Gemini).
    key_variable : str
        Environment variable with the key: ``OPENAI_API_KEY``, or ``FISC_LLM_KEY_`` and a name. It is read
        for each connection and kept nowhere else. It goes only to hosts that it is meant for, which for
        others than api.openai.com the user says in the environment, as
        ``FISC_LLM_HOSTS="FISC_LLM_KEY_ROUTER=openrouter.ai"``; and only over https, or on this machine.
    timeout : float
        Seconds a request may take, > 0.

    Raises
    ------
    MissingExtraError
        If the ``openai`` package is not installed.
    ServerError
        If the address needs a key and the variable is not set, or the key is not meant for its host.
    DataError
        If the address or the name of the variable is none that is allowed.
    """

    def __init__(
        self,
        name: str,
        base_url: str = "https://api.openai.com/v1",
        *,
        key_variable: str = "OPENAI_API_KEY",
        timeout: float = 60.0,
    ) -> None:
        check_is("name", name, str, how="give the model's name on the server")
        check_is("base_url", base_url, str, how="give an address such as http://localhost:8000/v1")
        timeout = check_number("timeout", timeout, above=0, what="a number of seconds")
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DataError(f"base_url must look like http://localhost:8000/v1, got {_scrubbed(base_url)!r}")
        if parts.username or parts.password:
            raise DataError(
                "base_url must not hold a user name or password; put the key into the environment"
            )
        self._openai = require("openai", extra="llm")
        self._name = name
        self._key_variable = check_key_variable(key_variable)
        self._timeout = timeout
        self.base_url = urlunsplit(parts)
        self._plain_text_only = False
        self._client: openai.AsyncOpenAI | None = None
        self._key()

    @property
    def name(self) -> str:
        """Name of the model on the server."""
        return self._name

    def __repr__(self) -> str:
        return f"OpenAIModel({self._name!r}, {self.base_url!r})"

    def _key(self) -> str:
        return key_for(self._key_variable, self.base_url) or "none"

    def _connection(self) -> openai.AsyncOpenAI:
        if self._client is None:
            # Our own client retries, so that each attempt is counted.
            self._client = self._openai.AsyncOpenAI(
                api_key=self._key(), base_url=self.base_url, timeout=self._timeout, max_retries=0
            )
        return self._client

    async def complete(self, request: ChatRequest) -> Completion:
        """Send one request.

        Raises
        ------
        TransportError
            If this attempt failed but another may not: time-out, 429, 5xx, an answer that is not one of the protocol.
        ServerError
            If no attempt will do: key refused, unknown model, malformed request.
        """
        failure: TransportError | ServerError
        try:
            return self._completion(await self._send(request), request)
        except self._openai.OpenAIError as error:
            failure = self._explained(error)
        except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
            # The library trips over bodies that are not what the protocol promises.
            failure = TransportError(
                "protocol", f"the server's answer does not follow the protocol: {_scrubbed(error)}"
            )
        # Raised here, outside the handlers, so that the library's exception, which may quote the key,
        # is not its context.
        raise failure

    async def _send(self, request: ChatRequest) -> Any:
        options: dict[str, Any] = {}
        if request.seed is not None:
            options["seed"] = request.seed
        if request.json_object and not self._plain_text_only:
            options["response_format"] = {"type": "json_object"}
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        create: Any = self._connection().chat.completions.create
        try:
            return await create(
                model=request.model,
                messages=messages,
                temperature=request.temperature,
                max_tokens=request.max_tokens,
                **options,
            )
        except self._openai.BadRequestError:
            if "response_format" not in options:
                raise
            self._plain_text_only = True  # this server does not know response_format: do without
            return await self._send(request)

    def _completion(self, answer: object, request: ChatRequest) -> Completion:
        if isinstance(answer, (str, bytes)):
            raise TransportError("html", f"the server answered a page instead of JSON: {str(answer)[:60]!r}")
        choices = getattr(answer, "choices", None)
        if not choices:
            raise TransportError("protocol", "the server's answer holds no choices")
        text = choices[0].message.content or ""
        usage = getattr(answer, "usage", None)
        finish = str(choices[0].finish_reason or "stop")
        if usage is None or usage.prompt_tokens is None or usage.completion_tokens is None:
            return Completion(text, request.prompt_tokens(), estimate_tokens(text), True, finish)
        return Completion(text, int(usage.prompt_tokens), int(usage.completion_tokens), False, finish)

    def _explained(self, error: Exception) -> TransportError | ServerError:
        """Return our error for one of the library's, without any key."""
        names = self._openai
        said = _scrubbed(error)[:200]
        if isinstance(error, names.APITimeoutError):
            return TransportError("timeout", f"no answer from {self.base_url} within {self._timeout:g} s")
        if isinstance(error, names.APIConnectionError):
            return TransportError("refused", f"cannot reach {self.base_url}: {said} Is the server running?")
        if isinstance(error, names.RateLimitError):
            return TransportError("rate_limit", f"{self.base_url} asks us to slow down", _retry_after(error))
        if isinstance(error, (names.AuthenticationError, names.PermissionDeniedError)):
            return ServerError(f"{self.base_url} refuses the key in {self._key_variable}; check it there")
        if isinstance(error, names.NotFoundError):
            return ServerError(f"{self.base_url} does not know the model {self._name!r} or the path: {said}")
        if isinstance(error, names.APIStatusError) and error.status_code < 500:
            return ServerError(f"{self.base_url} rejects the request ({error.status_code}): {said}")
        if isinstance(error, names.APIStatusError):
            return TransportError("server", f"{self.base_url} failed ({error.status_code}): {said}")
        return TransportError(
            "protocol", f"the answer of {self.base_url} does not follow the protocol: {said}"
        )

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._client is not None:
            await self._client.close()
            self._client = None


def _scrubbed(error: object) -> str:
    """Return the text of an error with everything that looks like a key blotted out."""
    text = str(error)
    for name, value in os.environ.items():
        if value and len(value) >= 8 and ("KEY" in name or "TOKEN" in name or "SECRET" in name):
            text = text.replace(value, "[key]")
    return _KEY_LIKE.sub("[key]", text)


def _retry_after(error: Exception) -> float | None:
    """Return the seconds that a 429 asks for, if it says so as a number."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        return float(headers.get("retry-after", ""))
    except ValueError:
        return None
