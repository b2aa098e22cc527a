"""The table behind "what 0.997 means": NDCG of random rankings for each definition of relevance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fisc.basir.options import RelevanceKind
from fisc.basir.ranking.chance import chance_corrected_ndcg, gains, ndcg_expectation
from fisc.core import check_seed, check_whole, renamed

__all__ = ["chance_table"]

# (name, kind, items, cut-off) of each row; returns are drawn with a spread of 2 %, that of a budget day.
ROWS: tuple[tuple[str, RelevanceKind, int, int | None], ...] = (
    ("price ratio, 10", "price_ratio", 10, None),
    ("price ratio, 40", "price_ratio", 40, None),
    ("price ratio, 81", "price_ratio", 81, None),
    ("rank, 2", "rank", 2, None),
    ("rank, 5", "rank", 5, None),
    ("rank, 10", "rank", 10, None),
    ("rank, 40", "rank", 40, None),
    ("rank, 81", "rank", 81, None),
    ("rank, exponential, 10", "rank_exponential", 10, None),
    ("min-max, 40", "minmax", 40, None),
    ("positive part, 40", "positive_part", 40, None),
    ("quintiles @10, 81", "quintile", 81, 10),
    ("top decile @10, 81", "top_decile", 81, 10),
)
SPREAD = 0.02


@renamed(seed="random_state")
def chance_table(*, draws: int = 3000, random_state: int = 0) -> pd.DataFrame:
    """Compute what random and reversed rankings score for thirteen definitions of relevance.

    Parameters
    ----------
    draws : int
        Random sets of returns with one random ranking each.
    random_state : int
        Seed of the draws.

    Returns
    -------
    DataFrame
        random_mean, random_p95, reversed (means over the draws) and corrected (mean chance-corrected NDCG of
        the same random rankings, which is about 0 throughout).

    Examples
    --------
    >>> round(float(chance_table(draws=200).loc["price ratio, 40", "random_mean"]), 2)
    0.99
    """
    draws = check_whole("draws", draws, least=1)
    rng = np.random.default_rng(check_seed("random_state", random_state))
    rows = {}
    for name, kind, n, k in ROWS:
        returns = rng.normal(0.0, SPREAD, (draws, n))
        scores = rng.random((draws, n))
        raw, corrected, worst = [], [], []
        for r, s in zip(returns, scores, strict=True):
            if not (gains(r, kind) > 0).any():  # no positive return at all: NDCG is 0/0
                continue
            expected = ndcg_expectation(r, relevance_kind=kind, k=k)
            value = chance_corrected_ndcg(r, s, relevance_kind=kind, k=k)
            raw.append(expected.mean + value * (1 - expected.mean))
            corrected.append(value)
            worst.append(expected.reversed)
        rows[name] = {
            "random_mean": float(np.mean(raw)),
            "random_p95": float(np.quantile(raw, 0.95, method="inverted_cdf")),
            "reversed": float(np.mean(worst)),
            "corrected": float(np.mean(corrected)),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("relevance, items")
