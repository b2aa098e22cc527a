"""Sentence-model evidence for a (text, sector) pair: pooled cosines and token late interaction."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from fisc.basir.sectors.encoder import Encoded, Encoder
from fisc.basir.sectors.taxonomy import Taxonomy
from fisc.core import BoolArray, Float32Array, FloatArray, IntArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["EMBEDDING_FEATURES", "LabelVectors", "embedding_features", "label_vectors"]

_CLAUSE_END = re.compile(r"[,;:.]\s+|\s+(?=(?:and|or|while|but)\s)")

EMBEDDING_FEATURES = (
    "cosine to description",
    "cosine to name",
    "best keyword cosine",
    "best clause cosine",
    "late interaction",
    "late interaction, aliases",
    "late interaction, mean of three",
    "late interaction gap",
    "cosine gap",
)


@dataclasses.dataclass(frozen=True)
class LabelVectors:
    """What the sentence model makes of a taxonomy."""

    description: Float32Array  # (n_sectors, d): vectors of "name: description" and of the name alone
    name: Float32Array
    phrase: Float32Array  # (n_phrases, d): pooled vector of every phrase
    token: Float32Array  # (n_pieces, d): token vectors of all phrases, one after the other
    first: IntArray  # (n_phrases,): row of `token` where each phrase begins
    owner: IntArray  # (n_phrases,): sector of each phrase; phrases are sorted by it
    core: BoolArray  # (n_phrases,): whether the phrase is a name or a keyword, not an alias
    words: tuple[str, ...]  # the phrases


# By model and not by encoder: an exported graph gives the vectors of the model that it was made from.
_KNOWN: WeakKeyDictionary[SentenceTransformer, dict[str, LabelVectors]] = WeakKeyDictionary()


def label_vectors(taxonomy: Taxonomy, encoder: Encoder) -> LabelVectors:
    """Return the vectors of a taxonomy's names, descriptions and phrases, computed once for each model."""
    known = _KNOWN.setdefault(encoder.model, {})
    if taxonomy.fingerprint not in known:
        known[taxonomy.fingerprint] = _encoded(taxonomy, encoder)
    return known[taxonomy.fingerprint]


def _encoded(taxonomy: Taxonomy, encoder: Encoder) -> LabelVectors:
    phrases = [
        (j, text, kind in ("name", "keyword"))
        for j, sector in enumerate(taxonomy.sectors)
        for text, kind in sector.phrases()
    ]
    coded = encoder.encode([text for _, text, _ in phrases])
    counts = np.array([len(c.tokens) for c in coded])
    names = encoder.encode(taxonomy.names)
    described = encoder.encode([f"{s.name}: {s.description}" for s in taxonomy.sectors])
    return LabelVectors(
        description=np.stack([c.pooled for c in described]),
        name=np.stack([c.pooled for c in names]),
        phrase=np.stack([c.pooled for c in coded]),
        token=np.concatenate([c.tokens for c in coded]),
        first=np.concatenate([[0], np.cumsum(counts)[:-1]]),
        owner=np.array([j for j, _, _ in phrases]),
        core=np.array([core for _, _, core in phrases]),
        words=tuple(text for _, text, _ in phrases),
    )


def phrase_scores(labels: LabelVectors, text: Encoded) -> FloatArray:
    """Return the late interaction of each phrase with a text, shape (n_phrases,).

    Each word piece of the phrase takes the most similar word piece of the text, and the phrase
    scores the mean of these cosines (the MaxSim of Khattab and Zaharia, 2020, ColBERT, with the
    phrase as the query).
    """
    best = (labels.token @ text.tokens.T).max(axis=1)
    sizes = np.diff(np.append(labels.first, len(labels.token)))
    return np.add.reduceat(best, labels.first) / sizes


def embedding_features(labels: LabelVectors, texts: Sequence[str], coded: Sequence[Encoded]) -> FloatArray:
    """Score every (text, sector) pair: shape (n, n_sectors, len(EMBEDDING_FEATURES))."""
    m = len(labels.name)
    starts = np.searchsorted(labels.owner, np.arange(m))
    out = np.zeros((len(texts), m, len(EMBEDDING_FEATURES)))
    for i, (text, raw) in enumerate(zip(coded, texts, strict=True)):
        parts = _clause_vectors(raw, text)
        out[i, :, 0] = labels.description @ text.pooled
        out[i, :, 1] = labels.name @ text.pooled
        out[i, :, 2] = np.maximum.reduceat(labels.phrase @ text.pooled, starts)
        by_clause = np.maximum.reduceat((labels.phrase @ parts.T).max(axis=1), starts)
        out[i, :, 3] = by_clause
        scores = phrase_scores(labels, text) if len(text.tokens) else np.zeros(len(labels.owner))
        core = np.where(labels.core, scores, -1.0)
        out[i, :, 4] = np.maximum.reduceat(core, starts)
        out[i, :, 5] = np.maximum.reduceat(scores, starts)
        out[i, :, 6] = _mean_of_best(scores, starts, 3)
    out[:, :, 7] = out[:, :, 5] - out[:, :, 5].max(axis=1, keepdims=True)
    out[:, :, 8] = out[:, :, 0] - out[:, :, 0].max(axis=1, keepdims=True)
    return out


def _clause_vectors(raw: str, text: Encoded) -> Float32Array:
    """Return one vector for each clause: the mean of its word pieces, in the context of the whole text.

    Several sectors in one sentence average out in its single vector; a clause mostly has one.
    """
    cuts = [m.end() for m in _CLAUSE_END.finditer(raw)]
    group = (
        np.searchsorted(cuts, text.spans[:, 0], side="right") if len(text.spans) else np.zeros(0, dtype=int)
    )
    parts = [text.tokens[group == g].mean(axis=0) for g in np.unique(group) if (group == g).sum() > 1]
    if not parts:
        return text.pooled[None, :]
    vectors = np.stack(parts)
    unit: Float32Array = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def _mean_of_best(scores: FloatArray, starts: IntArray, k: int) -> FloatArray:
    """Return the mean of the k largest scores in each group of neighbouring entries."""
    stops = np.append(starts[1:], len(scores))
    return np.array([np.sort(scores[a:b])[-k:].mean() for a, b in zip(starts, stops, strict=True)])
