"""One client for every language model that speaks the OpenAI protocol.

A `Client` asks a model for JSON, checks the answer against a pydantic schema, repairs it or asks
again, and in the end falls back and counts; it caches, meters, waits and stops at a budget. Models:
any server by its address (`OpenAIModel`), a function (`ScriptedModel`), or a cache (`ReplayModel`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fisc.llm.errors import BudgetError, LanguageModelError, ReplayError, ServerError
from fisc.llm.messages import ChatRequest, Completion, Message, assistant, estimate_tokens, system, user

if TYPE_CHECKING:
    from fisc.llm.cache import ResponseCache
    from fisc.llm.client import Answer, Client
    from fisc.llm.ledger import Budget, Ledger, Price
    from fisc.llm.models import Model, ReplayModel, ScriptedModel
    from fisc.llm.openai_model import OpenAIModel
    from fisc.llm.repair import Repaired, read_json

# Public names whose modules need pydantic, sqlite3 or pandas: imported when first asked for (PEP 562).
_LAZY = {
    "Answer": "client",
    "Budget": "ledger",
    "Client": "client",
    "Ledger": "ledger",
    "Model": "models",
    "OpenAIModel": "openai_model",
    "Price": "ledger",
    "Repaired": "repair",
    "ReplayModel": "models",
    "ResponseCache": "cache",
    "ScriptedModel": "models",
    "read_json": "repair",
}

__all__ = [
    "Answer",
    "Budget",
    "BudgetError",
    "ChatRequest",
    "Client",
    "Completion",
    "LanguageModelError",
    "Ledger",
    "Message",
    "Model",
    "OpenAIModel",
    "Price",
    "Repaired",
    "ReplayError",
    "ReplayModel",
    "ResponseCache",
    "ScriptedModel",
    "ServerError",
    "assistant",
    "estimate_tokens",
    "read_json",
    "system",
    "user",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
