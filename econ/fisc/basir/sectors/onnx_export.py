"""The sentence model as an ONNX graph: the same vectors, faster on a CPU."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fisc.basir.sectors.encoder import Encoder
from fisc.core import DataError, Float32Array, WriteError, require

if TYPE_CHECKING:
    import torch

__all__ = ["OnnxEncoder", "Parity", "check_parity", "export_encoder", "open_graph"]

LEAST_COSINE = 0.9999
PROBES = (
    "The excise duty on cement is reduced to ten per cent.",
    "Small modular reactors.",
    "For makers of anti-friction components the combined incidence shall be cut by five points, and the "
    "allocation to the "
    "rural roads programme, which connects villages of more than five hundred people, will be doubled "
    "over three years.",
)


@dataclasses.dataclass(frozen=True)
class Parity:
    """How alike the two engines are."""

    pooled: float  # lowest cosine between the vectors of both engines, over probe texts and over their word pieces
    tokens: float


class OnnxEncoder(Encoder):
    """An encoder whose forward pass runs in onnxruntime."""

    def __init__(self, encoder: Encoder, path: Path, *, threads: int = 1):
        super().__init__(encoder.model, encoder.source)
        runtime = require("onnxruntime", extra="basir")
        if not path.is_file():
            raise DataError(f"there is no ONNX file {path}; make it with SectorClassifier.export_onnx(path)")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = [i.name for i in self.session.get_inputs()]

    def forward(self, features: Mapping[str, torch.Tensor]) -> tuple[Float32Array, Float32Array]:
        """Run the graph on padded pieces; return unit vectors of texts (n, d) and of pieces (n, k, d)."""
        feed = {name: np.asarray(features[name], dtype=np.int64) for name in self._inputs}
        pooled, tokens = self.session.run(None, feed)
        return _unit(pooled), _unit(tokens)


def export_encoder(encoder: Encoder, path: Path) -> Path:
    """Write a sentence model as ONNX and check that it gives the same vectors.

    Raises
    ------
    MissingExtraError
        If onnx or onnxruntime is not installed.
    DataError
        If the exported graph differs from the model.
    """
    require("onnx", extra="basir")
    import torch

    model = encoder.model

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            out = self.inner({"input_ids": input_ids, "attention_mask": attention_mask})
            return out["sentence_embedding"], out["token_embeddings"]

    example = model.tokenizer(list(PROBES[:2]), padding=True, return_tensors="pt")
    axes = {0: "texts", 1: "pieces"}
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with torch.no_grad(), warnings.catch_warnings():
            # What tracing may freeze is caught by the parity check below, on texts of other lengths.
            warnings.filterwarnings("ignore", "Converting a tensor to a Python boolean")
            warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
            warnings.filterwarnings("ignore", "Exporting aten::index", UserWarning)
            warnings.filterwarnings("ignore", ".*TorchScript-based ONNX export", DeprecationWarning)
            torch.onnx.export(
                Graph().eval(),
                (example["input_ids"], example["attention_mask"]),
                str(partial),
                input_names=["input_ids", "attention_mask"],
                output_names=["pooled", "tokens"],
                dynamic_axes={
                    "input_ids": axes, "attention_mask": axes, "pooled": {0: "texts"}, "tokens": axes,
                },
                opset_version=17,
                dynamo=False,
            )  # fmt: skip
        model.eval()  # the exporter may leave the model in training mode, with dropout
        partial.replace(path)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error
    parity = check_parity(encoder, OnnxEncoder(encoder, path))
    if min(parity.pooled, parity.tokens) < LEAST_COSINE:
        path.unlink()
        raise DataError(
            f"the exported graph differs from the model (lowest cosine "
            f"{min(parity.pooled, parity.tokens):.4f}); not kept"
        )
    return path


def check_parity(encoder: Encoder, other: Encoder, texts: Sequence[str] = PROBES) -> Parity:
    """Compare the vectors of two engines on texts of different lengths."""
    left, right = encoder.run(texts), other.run(texts)
    pooled = min(float(a.pooled @ b.pooled) for a, b in zip(left, right, strict=True))
    tokens = min(float((a.tokens * b.tokens).sum(axis=1).min()) for a, b in zip(left, right, strict=True))
    return Parity(pooled, tokens)


def open_graph(encoder: Encoder, path: Path) -> OnnxEncoder:
    """Return the encoder of an exported graph, or raise if the graph is not that of the sentence model."""
    exported = OnnxEncoder(encoder, path)
    parity = check_parity(encoder, exported)
    if min(parity.pooled, parity.tokens) < LEAST_COSINE:
        raise DataError(
            f"{path} does not belong to this classifier's sentence model (lowest cosine "
            f"{min(parity.pooled, parity.tokens):.3f})"
        )
    return exported


def _unit(vectors: Float32Array) -> Float32Array:
    unit: Float32Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return unit
