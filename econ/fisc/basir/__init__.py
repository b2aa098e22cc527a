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
    from fisc.basir.amounts import Amount, find_amounts
    from fisc.basir.backtest import Backtest, compare_rankers, walk_forward
    from fisc.basir.calendar import budget_calendar
    from fisc.basir.chance import (
        RELEVANCE_KINDS,
        NdcgExpectation,
        chance_corrected_ndcg,
        ndcg,
        ndcg_expectation,
    )
    from fisc.basir.chance_lines import chance_table
    from fisc.basir.classifier import FitReport, SectorClassifier
    from fisc.basir.event_tests import Placebo, placebo
    from fisc.basir.events import EventStudy, event_returns, event_study
    from fisc.basir.evidence import Evidence
    from fisc.basir.llm_ranking import PairwiseRanking, memorisation_probe, pairwise_ranking
    from fisc.basir.mentions import Attention, attention, sector_stance, surprise
    from fisc.basir.metrics import ClassificationScore, cross_validate, evaluate_classification
    from fisc.basir.novel import novelty
    from fisc.basir.one_page import BudgetDay, budget_day
    from fisc.basir.ranker import Ranking, SectorRanker
    from fisc.basir.ranking_metrics import RankingScore, evaluate_ranking
    from fisc.basir.signals import index_sectors, packaged_signals, ranking_signals, sector_returns
    from fisc.basir.speech import read_speech
    from fisc.basir.speech_sectors import SpeechSectors, classify_speech
    from fisc.basir.stance import Stance, find_stance
    from fisc.basir.taxonomy import Sector, Taxonomy

# Public names whose modules need pandas, scikit-learn or more: imported when first asked for (PEP 562).
_LAZY = {
    "Amount": "amounts",
    "Attention": "mentions",
    "attention": "mentions",
    "Backtest": "backtest",
    "budget_calendar": "calendar",
    "budget_day": "one_page",
    "BudgetDay": "one_page",
    "chance_corrected_ndcg": "chance",
    "chance_table": "chance_lines",
    "ClassificationScore": "metrics",
    "classify_speech": "speech_sectors",
    "compare_rankers": "backtest",
    "cross_validate": "metrics",
    "evaluate_classification": "metrics",
    "evaluate_ranking": "ranking_metrics",
    "event_returns": "events",
    "event_study": "events",
    "EventStudy": "events",
    "Evidence": "evidence",
    "find_amounts": "amounts",
    "find_stance": "stance",
    "FitReport": "classifier",
    "index_sectors": "signals",
    "memorisation_probe": "llm_ranking",
    "ndcg": "chance",
    "ndcg_expectation": "chance",
    "NdcgExpectation": "chance",
    "novelty": "novel",
    "packaged_signals": "signals",
    "pairwise_ranking": "llm_ranking",
    "PairwiseRanking": "llm_ranking",
    "Placebo": "event_tests",
    "placebo": "event_tests",
    "Ranking": "ranker",
    "ranking_signals": "signals",
    "RankingScore": "ranking_metrics",
    "read_speech": "speech",
    "RELEVANCE_KINDS": "chance",
    "Sector": "taxonomy",
    "sector_returns": "signals",
    "sector_stance": "mentions",
    "SectorClassifier": "classifier",
    "SectorRanker": "ranker",
    "SpeechSectors": "speech_sectors",
    "Stance": "stance",
    "surprise": "mentions",
    "Taxonomy": "taxonomy",
    "walk_forward": "backtest",
}

__all__ = [
    "RELEVANCE_KINDS",
    "Amount",
    "Attention",
    "Backtest",
    "BudgetDay",
    "ClassificationScore",
    "EventStudy",
    "Evidence",
    "FitReport",
    "NdcgExpectation",
    "PairwiseRanking",
    "Placebo",
    "Ranking",
    "RankingScore",
    "Sector",
    "SectorClassifier",
    "SectorRanker",
    "SpeechSectors",
    "Stance",
    "Taxonomy",
    "attention",
    "budget_calendar",
    "budget_day",
    "chance_corrected_ndcg",
    "chance_table",
    "classify_speech",
    "compare_rankers",
    "cross_validate",
    "evaluate_classification",
    "evaluate_ranking",
    "event_returns",
    "event_study",
    "find_amounts",
    "find_stance",
    "index_sectors",
    "memorisation_probe",
    "ndcg",
    "ndcg_expectation",
    "novelty",
    "packaged_signals",
    "pairwise_ranking",
    "placebo",
    "ranking_signals",
    "read_speech",
    "sector_returns",
    "sector_stance",
    "surprise",
    "walk_forward",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
