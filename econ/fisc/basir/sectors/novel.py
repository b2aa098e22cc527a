"""Which paragraphs of a speech say something that earlier speeches did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fisc.core import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["novelty"]

LEXICAL = "lexical"


def novelty(
    paragraphs: pd.DataFrame, earlier: pd.DataFrame, *, encoder: str | None = LEXICAL
) -> pd.DataFrame:
    """Measure how far each paragraph is from the nearest paragraph of earlier speeches.

    novelty = 1 - max cosine over the earlier paragraphs, between TF-IDF vectors or sentence vectors.
    A measure that is announced for the first time has no near neighbour.

    Parameters
    ----------
    paragraphs : DataFrame
        Column ``text``; an answer of `read_speech`.
    earlier : DataFrame
        Columns ``text`` and, if known, ``date``: the paragraphs of the last speeches, say five.
    encoder : str or None
        "lexical" for TF-IDF (no torch); a sentence-transformers name or path, or None for the default
        model.

    Returns
    -------
    DataFrame
        Index and rows of `paragraphs`: novelty (0..1), nearest_date, nearest_text.

    Raises
    ------
    DataError
        If one of the two is empty.

    Examples
    --------
    >>> import pandas as pd
    >>> old = pd.DataFrame({"text": ["Duty on tea is raised."], "date": ["2001-02-28"]})
    >>> new = pd.DataFrame({"text": ["Duty on tea is raised.", "A mission for quantum computing begins."]})
    >>> novelty(new, old)["novelty"].round(2).tolist()
    [0.0, 1.0]
    """
    import pandas as pd

    for name, frame in (("paragraphs", paragraphs), ("earlier", earlier)):
        if "text" not in frame.columns or len(frame) == 0:
            raise DataError(f"{name} holds no texts; expected a DataFrame with a column 'text'")
    new, old = list(paragraphs["text"]), list(earlier["text"])
    similarity = _tfidf(new, old) if encoder == LEXICAL else _embedded(new, old, encoder)
    best = similarity.argmax(axis=1)
    dates = list(earlier["date"]) if "date" in earlier.columns else [None] * len(old)
    return pd.DataFrame(
        {
            "novelty": np.clip(1.0 - similarity[np.arange(len(new)), best], 0.0, 1.0),
            "nearest_date": [dates[k] for k in best],
            "nearest_text": [old[k] for k in best],
        },
        index=paragraphs.index,
    )


def _tfidf(new: list[str], old: list[str]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    from fisc.basir.sectors.lexical import word_terms

    vectorizer = TfidfVectorizer(analyzer=word_terms, sublinear_tf=True).fit(new + old)
    return (vectorizer.transform(new) @ vectorizer.transform(old).T).toarray()


def _embedded(new: list[str], old: list[str], encoder: str | None) -> Any:
    from fisc.basir.sectors.encoder import load_encoder

    model = load_encoder(encoder)
    vectors = np.stack([c.pooled for c in model.encode(new + old)])
    return vectors[: len(new)] @ vectors[len(new) :].T
