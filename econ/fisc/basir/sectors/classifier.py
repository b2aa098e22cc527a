"""From texts to the sectors they touch: `SectorClassifier`."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from fisc.basir.options import Method
from fisc.basir.sectors.embedding import EMBEDDING_FEATURES, embedding_features, label_vectors
from fisc.basir.sectors.encoder import Encoder, load_encoder
from fisc.basir.sectors.evidence import Evidence, explain
from fisc.basir.sectors.finetune import cross_fitted_encoders, finetune_encoder
from fisc.basir.sectors.fitted import FitReport, FittedSectors, PairFeatures, cut_to_windows
from fisc.basir.sectors.lexical import LexicalIndex
from fisc.basir.sectors.metrics import f1_micro
from fisc.basir.sectors.onnx_export import export_encoder, open_graph
from fisc.basir.sectors.pair import PairModel, fit_pair_model
from fisc.basir.sectors.persistence import Settings, load_sectors, save_sectors
from fisc.basir.sectors.taxonomy import Taxonomy
from fisc.basir.text.formulas import mute_formulas
from fisc.core import (
    AnyArray,
    DataError,
    DataWarning,
    FloatArray,
    check_is,
    check_option,
    check_whole,
    is_table,
    record,
)
from fisc.data import load_budget_excerpts

__all__ = ["SectorClassifier"]


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
        method: Method = "lexical",
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
        check_option("method", self.method, get_args(Method))
        given = _check_texts(texts)
        taxonomy = self.taxonomy if self.taxonomy is not None else Taxonomy.default()
        check_is("taxonomy", taxonomy, Taxonomy, how="read one with Taxonomy.read or Taxonomy.from_frame")
        check_whole("random_state", self.random_state, least=0, most=2**32 - 1)
        if labels is None and self.method == "finetuned":
            raise DataError(
                "method='finetuned' learns from labels and none were given; "
                "use method='pair' for zero-shot, or give labels"
            )
        notes = _note_repeated(given)
        encoder = None if self.method == "lexical" else load_encoder(self.encoder)
        features = PairFeatures(LexicalIndex(taxonomy, given), encoder)
        if labels is None:
            scores, targets = _packaged_training(features, given)
        else:
            targets = taxonomy.encode(_check_labels(labels, len(given)))
            if self.method == "finetuned" and encoder is not None:
                tuned = finetune_encoder(encoder, taxonomy, given, targets, random_state=self.random_state)
                features = dataclasses.replace(features, tuned=tuned)
            scores = features.of_texts(given)
            if features.tuned is not None:
                _put_out_of_fold(scores, features, given, targets, self.random_state)
        pair, out_of_fold = fit_pair_model(scores, targets, random_state=self.random_state)
        chosen = pair.rule.apply(out_of_fold)
        report = FitReport(
            texts=len(given),
            labels=int(targets.sum()) if labels is not None else 0,
            without_sector=int((targets.sum(axis=1) == 0).sum()) if labels is not None else 0,
            repeated=len(given) - len(set(given)),
            zero_shot=labels is None,
            inner_f1=f1_micro(targets, chosen),
            expected=float(out_of_fold.sum()),
            observed=float(targets.sum()),
            provenance=record(
                options={
                    "method": self.method,
                    "encoder": encoder.source if encoder is not None else "",
                    "taxonomy": taxonomy.title,
                },
                inputs={"texts": "\n".join(given), "taxonomy": taxonomy.fingerprint},
                seed=self.random_state,
                notes=notes,
            ),
        )
        self.fitted_ = FittedSectors(features, pair, report)
        return self

    @property
    def classes_(self) -> list[str]:
        """Sector names, in the order of the columns of `scores`."""
        return self.fitted_.taxonomy.names

    @property
    def model_(self) -> PairModel:
        """Weights, calibration and decision rule."""
        return self.fitted_.pair

    @property
    def report_(self) -> FitReport:
        """What was seen and decided."""
        return self.fitted_.report

    @property
    def encoder_(self) -> Encoder | None:
        """The sentence model in use, if the method has one."""
        return self.fitted_.features.encoder

    @property
    def tuned_(self) -> Encoder | None:
        """Its fine-tuned copy, if the method has one."""
        return self.fitted_.features.tuned

    @property
    def feature_names(self) -> list[str]:
        """Names of the scores of a (text, sector) pair, in order."""
        return self.fitted_.features.names

    def scores(self, texts: Iterable[str]) -> pd.DataFrame:
        """Return the calibrated probability of every sector for every text; the index of a Series is kept.

        Returns
        -------
        DataFrame, shape (n_texts, n_sectors)
            Probabilities in 0..1, columns in the order of the taxonomy.
        """
        index = texts.index if isinstance(texts, pd.Series) else None
        found = self._checked().probabilities(_check_texts(texts))
        return pd.DataFrame(found, columns=self.classes_, index=index)

    def predict(self, texts: Iterable[str]) -> list[list[str]]:
        """Return the sectors of each text, the likeliest first; [] if it touches none."""
        given = _check_texts(texts)
        return self.decide(self._checked().probabilities(given), given)

    def decide(self, probabilities: npt.ArrayLike, texts: Sequence[str]) -> list[list[str]]:
        """Apply the tuned decision rule to scores of texts, and refuse texts that are not English.

        Parameters
        ----------
        probabilities : array_like, shape (n_texts, n_sectors)
            An answer of `scores`.
        texts : sequence of str
            The same texts.
        """
        values = np.asarray(probabilities, dtype=float)
        chosen, foreign = self._checked().decide(values, texts)
        if foreign:
            warnings.warn(
                f"{len(foreign)} of {len(texts)} texts do not look English (first: {texts[foreign[0]][:40]!r}); "
                "they get no sector, because keywords and sentence model are English",
                DataWarning,
                stacklevel=3,
            )
        order = np.argsort(-values, axis=1, kind="stable")
        names = self.classes_
        return [[names[j] for j in order[i] if chosen[i, j]] for i in range(len(values))]

    def score(self, texts: Iterable[str], labels: Iterable[Iterable[str]]) -> float:
        """Return micro-F1 on labelled texts; `fisc.basir.cross_validate` gives intervals and more."""
        encode = self._checked().taxonomy.encode
        return f1_micro(encode(labels), encode(self.predict(texts)))

    def explain(self, text: str) -> Evidence:
        """Return the words and sentences of one text that carried its sectors."""
        return explain(self._checked(), _check_texts([text])[0])

    def save(self, path: str | Path) -> Path:
        """Write the fitted model to a folder of JSON, npz and safetensors files (no pickle).

        Parameters
        ----------
        path : str or Path
            Folder to create; one that holds an earlier model is replaced at once.

        Raises
        ------
        DataError
            If it is not fitted, or the path holds something else.
        WriteError
            If the folder cannot be written.
        """
        settings = Settings(self.method, self.encoder, self.random_state, self.taxonomy is None)
        return save_sectors(self._checked(), settings, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> SectorClassifier:
        """Read a model that `save` wrote; nothing that the folder holds is executed.

        Raises
        ------
        DataError
            If the folder is missing, incomplete, or damaged, or its sentence model is not the one that
            the weights were learned with.
        """
        fitted, settings = load_sectors(Path(path))
        taxonomy = None if settings.default_taxonomy else fitted.taxonomy
        out = cls(settings.method, taxonomy, settings.encoder, settings.random_state)
        out.fitted_ = fitted
        return out

    def export_onnx(self, path: str | Path) -> Path:
        """Write the sentence model as ONNX, and use onnxruntime from now on.

        Parameters
        ----------
        path : str or Path
            File to write, usually with the ending ``.onnx``.

        Raises
        ------
        MissingExtraError
            If onnx or onnxruntime is not installed.
        DataError
            If the exported graph differs from the model, or the method has no sentence model.
        """
        out = export_encoder(self._sentence_model(), Path(path))
        self.use_onnx(out)
        return out

    def use_onnx(self, path: str | Path) -> SectorClassifier:
        """Encode with a graph that `export_onnx` wrote from now on; returns itself."""
        graph = open_graph(self._sentence_model(), Path(path))
        fitted = self.fitted_
        if fitted.features.tuned is not None:
            features = dataclasses.replace(fitted.features, tuned=graph)
        else:
            features = dataclasses.replace(fitted.features, encoder=graph)
        self.fitted_ = FittedSectors(features, fitted.pair, fitted.report)
        return self

    def _sentence_model(self) -> Encoder:
        encoders = self._checked().features.encoders
        if not encoders:
            raise DataError(
                "method='lexical' has no sentence model to export; use method='pair' or 'finetuned'"
            )
        return encoders[-1]

    def _checked(self) -> FittedSectors:
        if not hasattr(self, "fitted_"):
            raise DataError(
                "this SectorClassifier is not fitted; call fit(texts, labels) or SectorClassifier.load(path)"
            )
        return self.fitted_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fitted_")


def _packaged_training(own: PairFeatures, given: list[str]) -> tuple[FloatArray, AnyArray]:
    """Return features and labels of the packaged excerpts.

    The default taxonomy is cut down to the number of words of the one in use, because weights learned
    with forty phrases a sector do not suit a list with three.
    """
    excerpts = load_budget_excerpts()
    taxonomy = Taxonomy.default().cut_to(own.taxonomy)
    features = PairFeatures(LexicalIndex(taxonomy, given), own.encoder)
    return features.of_texts(list(excerpts["text"])), taxonomy.encode(excerpts["sectors"])


def _put_out_of_fold(
    scores: FloatArray, features: PairFeatures, texts: list[str], targets: AnyArray, random_state: int
) -> None:
    """Replace the scores of the fine-tuned model by those of copies that did not see the text."""
    if features.encoder is None:
        return
    tuned_part = slice(-len(EMBEDDING_FEATURES), None)
    taxonomy = features.taxonomy
    folds = cross_fitted_encoders(features.encoder, taxonomy, texts, targets, random_state=random_state)
    for rows, tuned in folds:
        labels = label_vectors(taxonomy, tuned)
        for i in rows:
            own = [mute_formulas(piece) for piece in cut_to_windows([texts[i]])[1]]
            scored = embedding_features(labels, own, tuned.encode(own))
            scores[i][:, tuned_part] = scored.max(axis=0)


def _note_repeated(texts: list[str]) -> list[str]:
    repeated = len(texts) - len(set(texts))
    if not repeated:
        return []
    note = f"{repeated} of {len(texts)} texts occur more than once"
    warnings.warn(
        f"{note}; they count once for each time, and leak where they cross a split", DataWarning, stacklevel=3
    )
    return [note]


def _check_labels(labels: Iterable[Iterable[str]], n: int) -> list[Iterable[str]]:
    """Return the label lists of `n` texts."""
    if isinstance(labels, (str, bytes)) or not isinstance(labels, Iterable):
        raise DataError(f"labels is {labels!r:.80}; expected a list of sector names for each text")
    rows = list(labels)
    if len(rows) != n:
        raise DataError(f"{n} texts but {len(rows)} label lists; give one list for each text")
    return rows


def _check_texts(texts: Iterable[str]) -> list[str]:
    """Return the texts as a list, or say which one cannot be read."""
    if isinstance(texts, (str, bytes)):
        raise DataError(
            f"texts is one {type(texts).__name__}; expected a sequence of texts, so wrap it: [text]"
        )
    if is_table(texts):
        raise DataError("texts is a table; give the column that holds the texts")
    if not isinstance(texts, Iterable):
        raise DataError(f"texts is of type {type(texts).__name__}; expected a sequence of texts")
    given = list(texts)
    if not given:
        raise DataError("no texts were given; expected at least one")
    for i, text in enumerate(given):
        if not isinstance(text, str):
            raise DataError(f"texts[{i}] is of type {type(text).__name__}: {text!r:.40}; expected a string")
        if not text.strip():
            raise DataError(f"texts[{i}] is empty; drop empty texts first")
    return given
