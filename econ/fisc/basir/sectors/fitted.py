"""What `SectorClassifier.fit` learned, and the probabilities of texts that follow from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from fisc.basir.sectors.embedding import EMBEDDING_FEATURES, embedding_features, label_vectors
from fisc.basir.sectors.encoder import Encoder
from fisc.basir.sectors.lexical import LEXICAL_FEATURES, LexicalIndex
from fisc.basir.sectors.pair import PairModel
from fisc.basir.sectors.taxonomy import Taxonomy
from fisc.basir.text.formulas import mute_formulas
from fisc.basir.text.language import share_of_english
from fisc.basir.text.tokens import windows
from fisc.core import BoolArray, FloatArray, Provenance, Record

__all__ = ["FitReport", "FittedSectors", "PairFeatures", "cut_to_windows"]

WINDOW_WORDS = 60
REMEMBERED = 512  # texts whose features are kept
LEAST_ENGLISH = 0.5

Window = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class FitReport(Record):
    """What `SectorClassifier.fit` saw and decided.

    Attributes
    ----------
    texts, labels, without_sector, repeated : int
        Number of texts, of (text, sector) labels, of texts without a sector, of repeated texts.
    zero_shot : bool
        Whether the weights come from the packaged excerpts because no labels were given.
    inner_f1 : float
        Micro-F1 of the out-of-fold decisions that the threshold was tuned on; optimistic by that tuning.
    expected, observed : float
        Sum of the out-of-fold probabilities, and of the labels: equal if the scores are calibrated.
    provenance : Provenance
    """

    texts: int
    labels: int
    without_sector: int
    repeated: int
    zero_shot: bool
    inner_f1: float
    expected: float
    observed: float
    provenance: Provenance


@dataclasses.dataclass(frozen=True, eq=False)
class PairFeatures:
    """How (text, sector) pairs are scored: by words, by a sentence model, by its fine-tuned copy."""

    lexical: LexicalIndex
    encoder: Encoder | None = None
    tuned: Encoder | None = None

    @property
    def taxonomy(self) -> Taxonomy:
        """The sectors that texts are scored against."""
        return self.lexical.taxonomy

    @property
    def encoders(self) -> list[Encoder]:
        """The sentence models in use, the fine-tuned one last."""
        return [e for e in (self.encoder, self.tuned) if e is not None]

    @property
    def names(self) -> list[str]:
        """Names of the scores of a pair, in order."""
        prefixes = ("", "fine-tuned: ")[: len(self.encoders)]
        return [*LEXICAL_FEATURES, *(prefix + name for prefix in prefixes for name in EMBEDDING_FEATURES)]

    def of_windows(self, texts: Sequence[str]) -> FloatArray:
        """Score short texts, one window each: shape (n, n_sectors, n_features)."""
        muted = [mute_formulas(text) for text in texts]
        parts = [self.lexical.features(muted)]
        for encoder in self.encoders:
            labels = label_vectors(self.taxonomy, encoder)
            parts.append(embedding_features(labels, muted, encoder.encode(muted)))
        return np.concatenate(parts, axis=-1)

    def of_texts(self, texts: Sequence[str]) -> FloatArray:
        """Score texts of any length by the best of their windows: shape (n, n_sectors, n_features)."""
        spans, pieces = cut_to_windows(texts)
        starts = np.concatenate([[0], np.cumsum([len(cut) for cut in spans])[:-1]])
        best: FloatArray = np.maximum.reduceat(self.of_windows(pieces), starts, axis=0)
        return best


def cut_to_windows(texts: Sequence[str]) -> tuple[list[list[Window]], list[str]]:
    """Return the windows of each text as character offsets, and all of them as texts."""
    spans = [windows(text, WINDOW_WORDS) for text in texts]
    return spans, [text[a:b] for text, cut in zip(texts, spans, strict=True) for a, b in cut]


@dataclasses.dataclass(frozen=True, eq=False)
class FittedSectors:
    """Features, weights and decision rule of a fitted classifier."""

    features: PairFeatures
    pair: PairModel
    report: FitReport
    _memory: dict[str, tuple[list[Window], FloatArray]] = dataclasses.field(default_factory=dict, init=False)

    @property
    def taxonomy(self) -> Taxonomy:
        """The sectors that were fitted."""
        return self.features.taxonomy

    def passes(self, texts: Sequence[str]) -> list[tuple[list[Window], FloatArray]]:
        """Return for each text its windows and their features, shape (n_windows, n_sectors, n_features).

        The last texts are remembered, since evidence is asked for after the prediction.
        """
        missing = list(dict.fromkeys(t for t in texts if t not in self._memory))
        spans, pieces = cut_to_windows(missing)
        fresh = {}
        if pieces:
            scored = np.split(self.features.of_windows(pieces), np.cumsum([len(cut) for cut in spans])[:-1])
            fresh = dict(zip(missing, zip(spans, scored, strict=True), strict=True))
        out = [fresh[t] if t in fresh else self._memory[t] for t in texts]
        self._memory.update(fresh)
        while len(self._memory) > REMEMBERED:
            del self._memory[next(iter(self._memory))]
        return out

    def probabilities(self, texts: Sequence[str]) -> FloatArray:
        """Return the calibrated probability of every sector for every text, shape (n, n_sectors)."""
        return np.stack([self.pair.probability(features).max(axis=0) for _, features in self.passes(texts)])

    def decide(self, probabilities: FloatArray, texts: Sequence[str]) -> tuple[BoolArray, list[int]]:
        """Return the decisions, shape (n, n_sectors), and the rows of texts that do not look English.

        Those get no sector, because keywords and sentence models are English.
        """
        chosen = self.pair.rule.apply(probabilities)
        foreign = [i for i, text in enumerate(texts) if share_of_english(text) < LEAST_ENGLISH]
        chosen[foreign] = False
        return chosen, foreign
