"""What the options of `fisc.basir` may be: each list stands here once, for checks, signatures and commands."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "CountedPhrases",
    "Grade",
    "Method",
    "NseLevel",
    "PhraseKind",
    "RelevanceKind",
    "ReturnGrade",
    "ReturnModel",
    "Scheme",
    "TestedBy",
]

Method = Literal["lexical", "pair", "finetuned"]
NseLevel = Literal["macro", "sector", "industry"]
PhraseKind = Literal["name", "keyword", "alias", "weak"]
CountedPhrases = Literal["all", "keywords"]
ReturnModel = Literal["market", "mean_adjusted", "market_adjusted"]
TestedBy = Literal["event", "asset"]
Scheme = Literal["walk_forward", "leave_one_out"]
# How relevance becomes gain: from grades, or from returns as fractions.
Grade = Literal["linear", "exponential", "binary"]
ReturnGrade = Literal[
    "price_ratio", "rank", "rank_exponential", "minmax", "positive_part", "quintile", "top_decile"
]
RelevanceKind = Literal[Grade, ReturnGrade]
