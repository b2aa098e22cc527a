"""Contrastive fine-tuning of the sentence model on labelled texts, deterministic and on the CPU."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import os
import random
import tempfile
from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import KFold

from fisc.basir.sectors.encoder import Encoder
from fisc.basir.sectors.taxonomy import Taxonomy
from fisc.core import AnyArray, DataError, IntArray, MissingExtraError, require

__all__ = ["cross_fitted_encoders", "finetune_encoder", "training_pairs"]

EPOCHS = 3
BATCH = 16
LEARNING_RATE = 1e-4
PHRASES_PER_ANCHOR = 6
ANCHORS_PER_SECTOR = 2
CROSS_FIT_FOLDS = 2


def training_pairs(
    taxonomy: Taxonomy, texts: list[str], targets: AnyArray, *, random_state: int = 0
) -> tuple[list[str], list[str]]:
    """Build (anchor, label text) pairs for the contrastive loss.

    Each labelled text is paired with "name: description" of each of its sectors; a few of every
    sector's own phrases are paired with it too, so that sectors without a labelled text move along.
    Returns anchors and positives, of the same length; targets are 0/1, shape (n_texts, n_sectors).
    """
    rng = np.random.default_rng(random_state)
    label_texts = [f"{s.name}: {s.description}" for s in taxonomy.sectors]
    anchors, positives = [], []
    for i, j in zip(*np.nonzero(targets), strict=True):
        anchors.append(texts[i])
        positives.append(label_texts[j])
    for j, sector in enumerate(taxonomy.sectors):
        phrases = [p for p, kind in sector.phrases() if kind in ("keyword", "alias")]
        order = rng.permutation(len(phrases))
        for a in range(ANCHORS_PER_SECTOR):
            part = order[a * PHRASES_PER_ANCHOR : (a + 1) * PHRASES_PER_ANCHOR]
            if len(part):
                anchors.append(", ".join(phrases[k] for k in part))
                positives.append(label_texts[j])
    return anchors, positives


def finetune_encoder(
    encoder: Encoder, taxonomy: Taxonomy, texts: list[str], targets: AnyArray, *, random_state: int = 0
) -> Encoder:
    """Return a copy of the sentence model trained to bring texts near their sectors.

    The loss is the multiple-negatives ranking loss (Henderson et al., 2017): within a batch a text
    should be nearer to its own sector than to those of the other texts. Same `random_state`, same
    weights: the run uses one thread and leaves the global random states as it found them. Targets are
    0/1, shape (n_texts, n_sectors).

    Raises
    ------
    DataError
        If no text has a sector.
    MissingExtraError
        If the training parts of sentence-transformers are not installed, or are hidden by a local
        folder called ``datasets``.
    """
    if not targets.any():
        raise DataError("fine-tuning needs at least one text with a sector; all label lists are empty")
    _check_training_installed()
    import torch

    dataset = importlib.import_module("datasets").Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from transformers import PrinterCallback

    anchors, positives = training_pairs(taxonomy, texts, targets, random_state=random_state)
    with _deterministic(random_state), tempfile.TemporaryDirectory() as scratch:
        model = copy.deepcopy(encoder.model)
        steps = EPOCHS * -(-len(anchors) // BATCH)
        arguments = SentenceTransformerTrainingArguments(
            output_dir=scratch,
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            warmup_steps=max(1, steps // 10),
            seed=random_state,
            data_seed=random_state,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            batch_sampler="no_duplicates",
            dataloader_pin_memory=False,
        )
        with contextlib.redirect_stderr(io.StringIO()):  # it draws a progress bar over one example
            trainer = SentenceTransformerTrainer(
                model=model,
                args=arguments,
                train_dataset=dataset.from_dict({"anchor": anchors, "positive": positives}),
                loss=MultipleNegativesRankingLoss(model),
            )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        model.eval()
        for weight in model.parameters():
            weight.requires_grad_(False)
        torch.set_grad_enabled(True)
    return Encoder(model, f"{encoder.source} (fine-tuned)")


def cross_fitted_encoders(
    encoder: Encoder, taxonomy: Taxonomy, texts: list[str], targets: AnyArray, *, random_state: int = 0
) -> Iterator[tuple[IntArray, Encoder]]:
    """Yield (rows, encoder fine-tuned without these rows), so that training features are out of fold.

    A model scores the texts that it was trained on too well; weights learned from such scores would
    trust it too much on new texts.
    """
    for train, test in KFold(CROSS_FIT_FOLDS, shuffle=True, random_state=random_state).split(texts):
        tuned = finetune_encoder(
            encoder, taxonomy, [texts[i] for i in train], targets[train], random_state=random_state
        )
        yield test, tuned


def _check_training_installed() -> None:
    require("accelerate", extra="basir")
    found = require("datasets", extra="basir")
    if not hasattr(found, "Dataset"):
        raise MissingExtraError(
            f"a local folder hides the library 'datasets' ({getattr(found, '__path__', found)}); "
            "run from another folder, or with python -P, or pip install 'fisc[basir]'"
        )


@contextlib.contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Seed every generator that the trainer draws from, on one thread; put all back at the end."""
    import torch

    python_state, numpy_state, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    threads, parallel = torch.get_num_threads(), os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        torch.set_rng_state(torch_state)
        if parallel is None:
            os.environ.pop("TOKENIZERS_PARALLELISM", None)
        else:
            os.environ["TOKENIZERS_PARALLELISM"] = parallel
