"""Budget speeches: which sectors a text touches, what is new in it, and what the market made of it.

A speech is read into paragraphs (`read_speech`), each paragraph is classified over a `Taxonomy` of
sectors with the words that are the evidence (`SectorClassifier`), attention and novelty are measured
against earlier years (`attention`), the market's reaction by a proper event study (`event_returns`),
and sectors are ranked with intervals and the right to say "no call" (`SectorRanker`). Rankings are
scored against chance (`chance_corrected_ndcg`, `evaluate_ranking`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fisc.basir.classifier import SectorClassifier
    from fisc.basir.taxonomy import Sector, Taxonomy

# Public names whose modules need pandas, scikit-learn or more: imported when first asked for (PEP 562).
_LAZY = {
    "Sector": "taxonomy",
    "SectorClassifier": "classifier",
    "Taxonomy": "taxonomy",
}

__all__ = sorted(_LAZY)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
