"""How workers choose their hours: exactly, with noise and habit, or as a language model."""

from __future__ import annotations

from fisc.economist.workers.base import Behaviour, Exact, Memory
from fisc.economist.workers.bounded import Bounded
from fisc.economist.workers.language import LanguageWorkers

__all__ = ["Behaviour", "Bounded", "Exact", "LanguageWorkers", "Memory"]
