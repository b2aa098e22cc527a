"""The report layer: sections of prose, figures and tables that become one HTML or PDF file.

A result of any instrument gives a `Section`; a `Report` is a list of sections. Rendering makes
one self-contained file that needs no network and no script. `publish` puts that file in place
whole or not at all and writes each run into a `Ledger`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fisc.report.blocks import Figure, Section, Table
    from fisc.report.ledger import Ledger
    from fisc.report.page import Report
    from fisc.report.prose import plain
    from fisc.report.publishing import publish
    from fisc.report.result import Result

# Every public name is imported when first asked for (PEP 562), so that an instrument can
# import this package without paying for what it does not use.
_LAZY = {
    "Figure": "blocks",
    "Ledger": "ledger",
    "Report": "page",
    "Result": "result",
    "Section": "blocks",
    "Table": "blocks",
    "plain": "prose",
    "publish": "publishing",
}

__all__ = ["Figure", "Ledger", "Report", "Result", "Section", "Table", "plain", "publish"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
