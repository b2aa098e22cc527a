"""Saving and loading a classifier: JSON, npz and safetensors, never a pickle."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fisc.basir.sectors.pair import PairModel
from fisc.basir.sectors.taxonomy import Taxonomy
from fisc.core import DataError, Provenance, WriteError, fingerprint

if TYPE_CHECKING:
    from fisc.basir.sectors.classifier import SectorClassifier

__all__ = ["load_classifier", "save_classifier"]

FORMAT = 1
_MODEL, _ARRAYS, _ENCODER = "model.json", "words.npz", "encoder"


def save_classifier(classifier: SectorClassifier, path: Path) -> Path:
    """Write a fitted classifier to a folder.

    Parameters
    ----------
    classifier : SectorClassifier
        Fitted.
    path : Path
        Folder to create. One that holds an earlier model is replaced in one step; any other content is
        left alone and is an error.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If the classifier is not fitted, or the path holds something else.
    WriteError
        If the folder cannot be written.
    """
    classifier._check_fitted()
    if path.exists() and not (path / _MODEL).is_file() and (not path.is_dir() or any(path.iterdir())):
        raise DataError(f"{path} exists and is not a saved classifier; choose another path")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise WriteError(f"cannot write to {path.parent}: {error.strerror}") from error
    try:
        arrays = classifier.lexical_.arrays()
        np.savez_compressed(scratch / _ARRAYS, **arrays)
        if classifier.tuned_ is not None:
            classifier.tuned_.model.save_pretrained(
                str(scratch / _ENCODER), safe_serialization=True, create_model_card=False
            )
        described = {
            "format": FORMAT,
            "parameters": {k: v for k, v in classifier.get_params().items() if k != "taxonomy"},
            "taxonomy": classifier.taxonomy_.to_dict(),
            "default_taxonomy": classifier.taxonomy is None,
            "model": classifier.model_.to_dict(),
            "report": {
                **dataclasses.asdict(classifier.report_),
                "provenance": classifier.report_.provenance.to_dict(),
            },
            "arrays": fingerprint(scratch / _ARRAYS),
            "encoder": classifier.encoder_.fingerprint() if classifier.encoder_ is not None else None,
        }
        (scratch / _MODEL).write_text(json.dumps(described, ensure_ascii=False, indent=1), encoding="utf-8")
        _replace(scratch, path)
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _replace(scratch: Path, path: Path) -> None:
    """Put the new folder in place of the old one; a reader sees the one or the other."""
    if not path.exists():
        scratch.replace(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    path.replace(old / "model")
    scratch.replace(path)
    shutil.rmtree(old, ignore_errors=True)


def load_classifier(path: Path) -> SectorClassifier:
    """Read a classifier that `save_classifier` wrote.

    Parameters
    ----------
    path : Path

    Returns
    -------
    SectorClassifier

    Raises
    ------
    DataError
        If the folder is missing, of another format, or damaged, or its sentence model is not the one that
        the weights were learned with.
    """
    from fisc.basir.sectors.classifier import FitReport, SectorClassifier
    from fisc.basir.sectors.lexical import LexicalIndex

    described = _read(path)
    arrays_path = path / _ARRAYS
    if not arrays_path.is_file() or fingerprint(arrays_path) != described["arrays"]:
        raise DataError(f"{arrays_path} is missing or damaged; save the classifier again")
    taxonomy = Taxonomy.from_dict(described["taxonomy"])
    given = None if described["default_taxonomy"] else taxonomy
    out = SectorClassifier(taxonomy=given, **described["parameters"])
    out.taxonomy_, out.classes_ = taxonomy, taxonomy.names
    with np.load(arrays_path, allow_pickle=False) as arrays:
        out.lexical_ = LexicalIndex.from_arrays(taxonomy, dict(arrays))
    out.model_ = PairModel.from_dict(described["model"])
    report = described["report"]
    out.report_ = FitReport(**{**report, "provenance": Provenance.from_dict(report["provenance"])})
    out._load_encoder()
    if out.encoder_ is not None and out.encoder_.fingerprint() != described["encoder"]:
        raise DataError(
            f"the sentence model here ({out.encoder_.source}) is not the one that {path} was fitted with; "
            "fit again, or set the encoder that was used"
        )
    if out.method == "finetuned":
        if not (path / _ENCODER).is_dir():
            raise DataError(f"{path / _ENCODER} is missing; save the classifier again")
        from fisc.basir.sectors.encoder import Encoder, load_encoder

        loaded = load_encoder(str(path / _ENCODER))
        out.tuned_ = Encoder(loaded.model, f"{out._encoder_source()} (fine-tuned)")
    return out


def _read(path: Path) -> dict[str, Any]:
    file = path / _MODEL
    if not file.is_file():
        raise DataError(f"{path} holds no saved classifier (no {_MODEL}); give the folder that save() wrote")
    try:
        described: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found = described["format"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{file} is damaged: {error}; save the classifier again") from error
    if found != FORMAT:
        raise DataError(
            f"{file} has format {found!r}; this version of fisc reads format {FORMAT}: save it again"
        )
    return described
