"""Warnings given on the way, kept for the result."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field

from fisc.core import DataWarning


@dataclass
class Notes:
    """Messages, each shown once and kept."""

    messages: list[str] = field(default_factory=list)
    silent: bool = False

    def warn(self, message: str) -> None:
        """Keep a message and, unless silent, issue it as a `DataWarning` at the user's line."""
        self.messages.append(message)
        if self.silent:
            return
        level, frame = 2, sys._getframe(1)
        while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("fisc."):
            level, frame = level + 1, frame.f_back
        warnings.warn(message, DataWarning, stacklevel=level)
