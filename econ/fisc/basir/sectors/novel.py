"""Which paragraphs of a speech say something that earlier speeches did not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from fisc.basir.sectors.encoder import load_encoder
from fisc.basir.sectors.lexical import word_terms
from fisc.basir.text.tables import as_texts
from fisc.core import Float32Array, FloatArray, TableLike

__all__ = ["novelty"]

LEXICAL = "lexical"


def novelty(paragraphs: TableLike, earlier: TableLike, *, encoder: str | None = LEXICAL) -> pd.DataFrame:
    """Measure how far each paragraph is from the nearest paragraph of earlier speeches.

    novelty = 1 - max cosine over the earlier paragraphs, between TF-IDF vectors or sentence vectors.
    A measure that is announced for the first time has no near neighbour.

    Parameters
    ----------
    paragraphs : table
        Column ``text``; an answer of `read_speech`.
    earlier : table
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
    now, before = as_texts("paragraphs", paragraphs), as_texts("earlier", earlier)
    new, old = list(now["text"]), list(before["text"])
    similarity = _tfidf(new, old) if encoder == LEXICAL else _embedded(new, old, encoder)
    best = similarity.argmax(axis=1)
    dates = list(before["date"]) if "date" in before.columns else [None] * len(old)
    return pd.DataFrame(
        {
            "novelty": np.clip(1.0 - similarity[np.arange(len(new)), best], 0.0, 1.0),
            "nearest_date": [dates[k] for k in best],
            "nearest_text": [old[k] for k in best],
        },
        index=now.index,
    )


def _tfidf(new: list[str], old: list[str]) -> FloatArray:

    vectorizer = TfidfVectorizer(analyzer=word_terms, sublinear_tf=True).fit(new + old)
    cosines: FloatArray = (vectorizer.transform(new) @ vectorizer.transform(old).T).toarray()
    return cosines


def _embedded(new: list[str], old: list[str], encoder: str | None) -> Float32Array:
    model = load_encoder(encoder)
    vectors = np.stack([c.pooled for c in model.encode(new + old)])
    return vectors[: len(new)] @ vectors[len(new) :].T
