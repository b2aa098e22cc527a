"""Errors of language models and of the way to them."""

from __future__ import annotations

from fisc.core import FiscError

__all__ = ["BudgetError", "LanguageModelError", "ReplayError", "ServerError", "TransportError"]


class LanguageModelError(FiscError):
    """Base of the errors of fisc.llm."""


class ServerError(LanguageModelError):
    """The server cannot be used at all: not there, wrong address, key refused, unknown model."""


class BudgetError(LanguageModelError):
    """The next request would exceed the budget; everything paid for so far is kept."""


class ReplayError(LanguageModelError):
    """A replay was asked for an answer that was never recorded."""


class TransportError(LanguageModelError):
    """One request got no usable answer; it may be tried again.

    Attributes
    ----------
    kind : str
        Name under which the ledger counts it: ``"refused"``, ``"timeout"``, ``"rate_limit"``,
        ``"server"``, ``"html"``, ``"protocol"``.
    wait : float or None
        Seconds that the server asks to wait.
    """

    def __init__(self, kind: str, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.wait = wait
