"""Saving and loading what a classifier learned: JSON, npz and safetensors, never a pickle."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np

from fisc.basir.options import Method
from fisc.basir.sectors.encoder import Encoder, load_encoder
from fisc.basir.sectors.fitted import FitReport, FittedSectors, PairFeatures
from fisc.basir.sectors.lexical import LexicalIndex
from fisc.basir.sectors.pair import PairModel
from fisc.basir.sectors.taxonomy import Taxonomy
from fisc.core import AnyArray, CorruptFileError, DataError, Record, check_seed, read_folder, write_folder

__all__ = ["Settings", "load_sectors", "save_sectors"]

KIND = "sector classifier"
_MODEL, _ARRAYS, _ENCODER = "model.json", "words.npz", "encoder"
MOST_BYTES = 500_000_000  # of arrays, unpacked: some hundred times those of the default taxonomy


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a classifier was asked for; `default_taxonomy` tells whether it was given no taxonomy."""

    method: Method
    encoder: str | None
    random_state: int
    default_taxonomy: bool


@dataclasses.dataclass(frozen=True)
class SectorCard(Record):
    """What ``model.json`` holds; `sentence_model` is the fingerprint of its weights."""

    settings: Settings
    taxonomy: Taxonomy
    pair: PairModel
    report: FitReport
    sentence_model: str | None


def save_sectors(fitted: FittedSectors, settings: Settings, path: Path) -> Path:
    """Write a fitted classifier to a folder, which takes the place of an earlier one at once."""
    features = fitted.features
    with write_folder(path, kind=KIND) as scratch:
        np.savez_compressed(scratch / _ARRAYS, **features.lexical.arrays())  # type: ignore[arg-type]
        if features.tuned is not None:
            features.tuned.model.save_pretrained(
                str(scratch / _ENCODER), safe_serialization=True, create_model_card=False
            )
        card = SectorCard(
            settings,
            fitted.taxonomy,
            fitted.pair,
            fitted.report,
            features.encoder.fingerprint() if features.encoder is not None else None,
        )
        text = json.dumps(card.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
        (scratch / _MODEL).write_text(text, encoding="utf-8")
    return path


def load_sectors(path: Path) -> tuple[FittedSectors, Settings]:
    """Read what `save_sectors` wrote, every file checked against the manifest.

    Raises
    ------
    DataError
        If the folder is missing, of another kind, or damaged, or its sentence model is not the one that
        the weights were learned with.
    """
    files = read_folder(path, kind=KIND)
    if missing := [name for name in (_MODEL, _ARRAYS) if name not in files]:
        raise CorruptFileError(f"{path} lacks the file {missing[0]!r}; save the classifier again")
    card = _read_card(files[_MODEL])
    settings = card.settings
    encoder = tuned = None
    if settings.method != "lexical":
        encoder = load_encoder(settings.encoder)
        if encoder.fingerprint() != card.sentence_model:
            raise DataError(
                f"the sentence model here ({encoder.source}) is not the one that {path} was fitted with; "
                "fit again, or set the encoder that was used"
            )
        if settings.method == "finetuned":
            if f"{_ENCODER}/modules.json" not in files:
                raise CorruptFileError(
                    f"{path / _ENCODER} holds no sentence model; save the classifier again"
                )
            tuned = Encoder(load_encoder(str(path / _ENCODER)).model, f"{encoder.source} (fine-tuned)")
    features = PairFeatures(
        LexicalIndex.from_arrays(card.taxonomy, _read_arrays(files[_ARRAYS])), encoder, tuned
    )
    if len(card.pair.coef) != len(features.names):
        raise CorruptFileError(
            f"{files[_MODEL]} holds {len(card.pair.coef)} weights, but method {settings.method!r} has "
            f"{len(features.names)} scores; save the classifier again"
        )
    return FittedSectors(features, card.pair, card.report), settings


def _read_card(file: Path) -> SectorCard:
    try:
        card = SectorCard.from_dict(json.loads(file.read_text(encoding="utf-8")))
        check_seed("random_state", card.settings.random_state)
    except (ValueError, RecursionError, OSError) as error:
        raise CorruptFileError(f"{file} is damaged: {error}; save the classifier again") from error
    return card


def _read_arrays(file: Path) -> dict[str, AnyArray]:
    """Return vocabularies and their weights, of bounded size."""
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MOST_BYTES:
            raise ValueError(f"it unpacks to {size} bytes")
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError, SyntaxError, MemoryError) as error:
        raise CorruptFileError(f"{file} is damaged: {error}; save the classifier again") from error
