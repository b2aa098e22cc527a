"""From texts to the sectors they touch: `SectorClassifier`."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator

from fisc.basir.sectors.lexical import LEXICAL_FEATURES, LexicalIndex
from fisc.basir.sectors.pair import fit_pair_model
from fisc.basir.sectors.taxonomy import Taxonomy
from fisc.basir.text.formulas import mute_formulas
from fisc.basir.text.language import share_of_english
from fisc.basir.text.tokens import windows
from fisc.core import DataError, DataWarning, Provenance, check_is, check_option, check_whole, record

if TYPE_CHECKING:
    import pandas as pd

    from fisc.basir.sectors.embedding import LabelVectors
    from fisc.basir.sectors.encoder import Encoder
    from fisc.basir.sectors.evidence import Evidence

__all__ = ["FitReport", "SectorClassifier"]

Method = Literal["lexical", "pair", "finetuned"]
METHODS = ("lexical", "pair", "finetuned")
WINDOW_WORDS = 60
REMEMBERED = 512  # texts whose features are kept


@dataclasses.dataclass(frozen=True)
class FitReport:
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


class SectorClassifier(BaseEstimator):  # type: ignore[misc]
    """Multi-label classifier of budget texts over a taxonomy of sectors.

    One logistic model is shared by all (text, sector) pairs. It reads scores of how well the words of
    the text match the sector's name, description, keywords and aliases; ``"pair"`` adds the scores of a
    sentence model (pooled cosines and token late interaction), ``"finetuned"`` those of the same model
    after contrastive training on the labelled texts. Because the weights belong to the scores and not to
    the sectors, fifteen labelled texts suffice, and sectors without a training text are found as well.

    Parameters
    ----------
    method : {"lexical", "pair", "finetuned"}
        "lexical" needs neither torch nor weights.
    taxonomy : Taxonomy, optional
        The 81 sectors by default.
    encoder : str, optional
        Name or path of a sentence-transformers model, for "pair" and "finetuned". By default
        all-MiniLM-L6-v2, from the hub or from the ``minilm`` extra.
    random_state : int
        Seed of the inner folds and of the fine-tuning.

    Attributes
    ----------
    classes_ : list of str
        Sector names in the order of the columns of `scores`.
    model_ : PairModel
        Weights, calibration and decision rule.
    report_ : FitReport
        What was seen and decided.

    Notes
    -----
    A text is read in windows of at most sixty words; its score for a sector is the highest among its
    windows. Texts that do not look English get no sector, with a warning that counts them.

    References
    ----------
    Ghosh and Naskar (2025), BASIR, arXiv:2504.13189. Khattab and Zaharia (2020), ColBERT, SIGIR.
    Platt (1999), Probabilistic outputs for support vector machines.

    Examples
    --------
    >>> from fisc.data import load_budget_excerpts
    >>> from fisc.basir import SectorClassifier
    >>> excerpts = load_budget_excerpts()
    >>> model = SectorClassifier("lexical").fit(excerpts["text"], excerpts["sectors"])
    >>> sorted(model.predict(["The excise duty on cement and on tyres is reduced."])[0])
    ['Cement', 'Tyres']
    """

    def __init__(
        self,
        method: Method = "pair",
        taxonomy: Taxonomy | None = None,
        encoder: str | None = None,
        random_state: int = 0,
    ):
        self.method = method
        self.taxonomy = taxonomy
        self.encoder = encoder
        self.random_state = random_state

    def fit(self, texts: Iterable[str], labels: Iterable[Iterable[str]] | None = None) -> SectorClassifier:
        """Learn the shared weights and the decision rule.

        Parameters
        ----------
        texts : sequence of str
        labels : sequence of lists of str, optional
            Sector names of each text, [] for none. Without labels the weights are learned from the
            excerpts that ship with fisc and nothing of `texts` but word frequencies is used.

        Returns
        -------
        SectorClassifier
            Itself.

        Raises
        ------
        OptionError
            If `method` or a label is unknown; the message names the nearest.
        DataError
            If texts and labels do not match, texts are empty, or labels are too few.
        """
        check_option("method", self.method, METHODS)
        given = _check_texts(texts)
        taxonomy = self.taxonomy if self.taxonomy is not None else Taxonomy.default()
        check_is("taxonomy", taxonomy, Taxonomy, how="read one with Taxonomy.read or Taxonomy.from_frame")
        check_whole("random_state", self.random_state, least=0, most=2**32 - 1)
        if labels is None and self.method == "finetuned":
            raise DataError(
                "method='finetuned' learns from labels and none were given; "
                "use method='pair' for zero-shot, or give labels"
            )
        self.classes_ = taxonomy.names
        self.taxonomy_ = taxonomy
        notes: list[str] = []
        repeated = len(given) - len(set(given))
        if repeated:
            notes.append(f"{repeated} of {len(given)} texts occur more than once")
            warnings.warn(
                f"{notes[-1]}; they count once for each time, and leak where they cross a split",
                DataWarning,
                stacklevel=2,
            )
        self.__dict__.pop("_memory", None)
        self.lexical_ = LexicalIndex(taxonomy, given)
        self._load_encoder()
        if labels is None:
            train, targets, source = self._packaged_training(given)
        else:
            if isinstance(labels, (str, bytes)) or not isinstance(labels, Iterable):
                raise DataError(f"labels is {labels!r:.80}; expected a list of sector names for each text")
            rows = list(labels)
            if len(rows) != len(given):
                raise DataError(f"{len(given)} texts but {len(rows)} label lists; give one list a text")
            train, targets, source = given, taxonomy.encode(rows), self
        source._tune_encoder(train, targets)
        features = source._training_features(train, targets)
        self.model_, out_of_fold = fit_pair_model(features, targets, seed=self.random_state)
        chosen = self.model_.rule.apply(out_of_fold)
        both = float((chosen & (targets > 0)).sum())
        self.report_ = FitReport(
            texts=len(given),
            labels=int(targets.sum()) if labels is not None else 0,
            without_sector=int((targets.sum(axis=1) == 0).sum()) if labels is not None else 0,
            repeated=repeated,
            zero_shot=labels is None,
            inner_f1=2 * both / max(float(chosen.sum() + targets.sum()), 1.0),
            expected=float(out_of_fold.sum()),
            observed=float(targets.sum()),
            provenance=record(
                options={
                    "method": self.method,
                    "encoder": self._encoder_source(),
                    "taxonomy": taxonomy.title,
                },
                inputs={"texts": "\n".join(given), "taxonomy": taxonomy.fingerprint},
                seed=self.random_state,
                notes=notes,
            ),
        )
        return self

    def scores(self, texts: Iterable[str]) -> pd.DataFrame:
        """Return the calibrated probability of every sector for every text.

        Parameters
        ----------
        texts : sequence of str, or a Series, whose index is kept

        Returns
        -------
        DataFrame, shape (n_texts, n_sectors)
            Probabilities in 0..1, columns in the order of the taxonomy.
        """
        import pandas as pd

        index = texts.index if isinstance(texts, pd.Series) else None
        return pd.DataFrame(self._probabilities(_check_texts(texts)), columns=self.classes_, index=index)

    def predict(self, texts: Iterable[str]) -> list[list[str]]:
        """Return the sectors of each text, the likeliest first; [] if it touches none.

        Parameters
        ----------
        texts : sequence of str

        Returns
        -------
        list of lists of str
        """
        given = _check_texts(texts)
        return self.decide(self._probabilities(given), given)

    def decide(self, probabilities: Any, texts: Sequence[str]) -> list[list[str]]:
        """Apply the tuned decision rule to scores of texts, and refuse texts that are not English.

        Parameters
        ----------
        probabilities : ndarray, shape (n_texts, n_sectors)
            An answer of `scores`.
        texts : sequence of str
            The same texts.

        Returns
        -------
        list of lists of str
        """
        values = np.asarray(probabilities, dtype=float)
        chosen = self.model_.rule.apply(values)
        foreign = [i for i, text in enumerate(texts) if share_of_english(text) < 0.5]
        if foreign:
            chosen[foreign] = False
            warnings.warn(
                f"{len(foreign)} of {len(texts)} texts do not look English (first: {texts[foreign[0]][:40]!r}); "
                "they get no sector, because keywords and sentence model are English",
                DataWarning,
                stacklevel=3,
            )
        order = np.argsort(-values, axis=1, kind="stable")
        return [[self.classes_[j] for j in order[i] if chosen[i, j]] for i in range(len(values))]

    def score(self, texts: Iterable[str], labels: Iterable[Iterable[str]]) -> float:
        """Return micro-F1 on labelled texts; `fisc.basir.cross_validate` gives intervals and more.

        Parameters
        ----------
        texts : sequence of str
        labels : sequence of lists of str

        Returns
        -------
        float
        """
        from fisc.basir.sectors.metrics import f1_micro

        truth = self.taxonomy_.encode(labels)
        return f1_micro(truth, self.taxonomy_.encode(self.predict(texts)))

    def explain(self, text: str) -> Evidence:
        """Return the words and sentences of one text that carried its sectors.

        Parameters
        ----------
        text : str

        Returns
        -------
        Evidence
        """
        from fisc.basir.sectors.evidence import explain

        return explain(self, _check_texts([text])[0])

    def save(self, path: str | Path) -> Path:
        """Write the fitted model to a folder of JSON, npz and safetensors files (no pickle).

        Parameters
        ----------
        path : str or Path
            Folder to create; one that holds an earlier model is replaced at once.

        Returns
        -------
        Path
        """
        from fisc.basir.sectors.persistence import save_classifier

        return save_classifier(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> SectorClassifier:
        """Read a model that `save` wrote.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        SectorClassifier

        Raises
        ------
        DataError
            If the folder is missing, incomplete, or damaged.
        """
        from fisc.basir.sectors.persistence import load_classifier

        return load_classifier(Path(path))

    def export_onnx(self, path: str | Path) -> Path:
        """Write the sentence model as ONNX and use onnxruntime from now on; see `fisc.basir.sectors.onnx_export`."""
        from fisc.basir.sectors.onnx_export import export_encoder, use_onnx

        self._check_fitted()
        out = export_encoder(self._main_encoder(), Path(path))
        use_onnx(self, out)
        return out

    def window_features(self, texts: Sequence[str]) -> Any:
        """Score (text, sector) pairs for short texts, one window each.

        Parameters
        ----------
        texts : sequence of str, length n

        Returns
        -------
        ndarray, shape (n, n_sectors, n_features), in the order of `feature_names`
        """
        muted = [mute_formulas(text) for text in texts]
        parts = [self.lexical_.features(muted)]
        for encoder, labels in self._encoders():
            from fisc.basir.sectors.embedding import embedding_features

            parts.append(embedding_features(labels, muted, encoder.encode(muted)))
        return np.concatenate(parts, axis=-1)

    @property
    def feature_names(self) -> list[str]:
        """Names of the scores of a pair, in order."""
        names = list(LEXICAL_FEATURES)
        if self.method != "lexical":
            from fisc.basir.sectors.embedding import EMBEDDING_FEATURES

            names += EMBEDDING_FEATURES
            if self.method == "finetuned":
                names += [f"fine-tuned: {n}" for n in EMBEDDING_FEATURES]
        return names

    def window_pass(self, text: str) -> tuple[list[tuple[int, int]], Any]:
        """Return the windows of one text and the features of every sector in each.

        Returns
        -------
        list of (int, int)
            Character offsets.
        ndarray, shape (n_windows, n_sectors, n_features)
        """
        self._check_fitted()
        return self._passes([text])[0]

    def _passes(self, texts: list[str]) -> list[tuple[list[tuple[int, int]], Any]]:
        """Return windows and features of texts; the last ones are kept, since `explain` follows `predict`."""
        memory: dict[str, tuple[list[tuple[int, int]], Any]] = self.__dict__.setdefault("_memory", {})
        missing = list(dict.fromkeys(t for t in texts if t not in memory))
        spans = [windows(t, WINDOW_WORDS) for t in missing]
        pieces = [t[a:b] for t, cut in zip(missing, spans, strict=True) for a, b in cut]
        fresh = {}
        if pieces:
            features = np.split(self.window_features(pieces), np.cumsum([len(cut) for cut in spans])[:-1])
            fresh = dict(zip(missing, zip(spans, features, strict=True), strict=True))
        out = [fresh[t] if t in fresh else memory[t] for t in texts]
        memory.update(fresh)
        while len(memory) > REMEMBERED:
            del memory[next(iter(memory))]
        return out

    def _probabilities(self, texts: list[str]) -> Any:
        self._check_fitted()
        return np.stack(
            [self.model_.probability(features).max(axis=0) for _, features in self._passes(texts)]
        )

    def _training_features(self, texts: list[str], targets: Any) -> Any:
        """Return features of labelled texts; a longer text takes the highest score among its windows."""
        spans = [windows(t, WINDOW_WORDS) for t in texts]
        pieces = [t[a:b] for t, cut in zip(texts, spans, strict=True) for a, b in cut]
        starts = np.concatenate([[0], np.cumsum([len(cut) for cut in spans])[:-1]])
        features = np.maximum.reduceat(self.window_features(pieces), starts, axis=0)
        if self.method != "finetuned" or self.encoder_ is None:
            return features
        from fisc.basir.sectors.embedding import EMBEDDING_FEATURES, embedding_features
        from fisc.basir.sectors.finetune import cross_fitted_encoders

        tuned_part = slice(-len(EMBEDDING_FEATURES), None)
        for rows, tuned in cross_fitted_encoders(
            self.encoder_, self.taxonomy_, texts, targets, seed=self.random_state
        ):
            for i in rows:
                own = [mute_formulas(texts[i][a:b]) for a, b in spans[i]]
                scored = embedding_features(tuned.labels(self.taxonomy_), own, tuned.encode(own))
                features[i][:, tuned_part] = scored.max(axis=0)
        return features

    def _load_encoder(self) -> None:
        self.encoder_: Encoder | None = None
        self.tuned_: Encoder | None = None
        if self.method == "lexical":
            return
        from fisc.basir.sectors.encoder import load_encoder

        self.encoder_ = load_encoder(self.encoder)

    def _main_encoder(self) -> Encoder:
        encoder = self.tuned_ if self.tuned_ is not None else self.encoder_
        if encoder is None:
            raise DataError(
                "method='lexical' has no sentence model to export; use method='pair' or 'finetuned'"
            )
        return encoder

    def _encoders(self) -> list[tuple[Encoder, LabelVectors]]:
        return [(e, e.labels(self.taxonomy_)) for e in (self.encoder_, self.tuned_) if e is not None]

    def _encoder_source(self) -> str:
        return self.encoder_.source if self.encoder_ is not None else ""

    def _tune_encoder(self, texts: list[str], targets: Any) -> None:
        if self.method == "finetuned" and self.encoder_ is not None:
            from fisc.basir.sectors.finetune import finetune_encoder

            self.tuned_ = finetune_encoder(
                self.encoder_, self.taxonomy_, texts, targets, seed=self.random_state
            )

    def _packaged_training(self, given: list[str]) -> tuple[list[str], Any, SectorClassifier]:
        """Return the packaged excerpts and a feature source over the default taxonomy for them.

        The default taxonomy is cut down to the wealth of words of the one in use, because weights learned
        with forty phrases a sector do not suit a list with three.
        """
        from fisc.data import load_budget_excerpts

        excerpts = load_budget_excerpts()
        source = SectorClassifier(self.method, None, self.encoder, self.random_state)
        source.taxonomy_ = Taxonomy.default().cut_to(self.taxonomy_)
        source.lexical_ = LexicalIndex(source.taxonomy_, given)
        source.encoder_, source.tuned_ = self.encoder_, None
        return list(excerpts["text"]), source.taxonomy_.encode(excerpts["sectors"]), source

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise DataError(
                "this SectorClassifier is not fitted; call fit(texts, labels) or SectorClassifier.load(path)"
            )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")


def _check_texts(texts: Iterable[str]) -> list[str]:
    """Return the texts as a list, or say which one cannot be read."""
    if isinstance(texts, (str, bytes)):
        raise DataError(
            f"texts is one {type(texts).__name__}; expected a sequence of texts, so wrap it: [text]"
        )
    if not isinstance(texts, Iterable):
        raise DataError(f"texts is a {type(texts).__name__}; expected a sequence of texts")
    given = list(texts)
    if not given:
        raise DataError("no texts were given; expected at least one")
    for i, text in enumerate(given):
        if not isinstance(text, str):
            raise DataError(f"texts[{i}] is {type(text).__name__} {text!r:.40}; expected a string")
        if not text.strip():
            raise DataError(f"texts[{i}] is empty; drop empty texts first")
    return given
