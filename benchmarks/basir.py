"""Quality and speed of `fisc.basir` beside the usual alternatives, on the packaged excerpts, in CPU seconds.

    python benchmarks/basir.py [--short] [--json FILE]

Every row is five-fold cross-validated on the same folds, thresholds tuned inside the training part. The peers are what
one would write first: a logistic model per sector on TF-IDF, BM25 against the sectors' descriptions, one cosine of
sentence vectors. Ranking has a floor only: random orders. --short leaves out the sentence models.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.multiclass import OneVsRestClassifier

from fisc.basir import SectorClassifier, SectorRanker, Taxonomy, packaged_signals, walk_forward
from fisc.basir.sectors.lexical import LexicalIndex
from fisc.basir.sectors.metrics import f1_micro, lrap
from fisc.basir.sectors.pair import tune_rule
from fisc.data import load_budget_excerpts

FOLDS = 5
Scores = Callable[[list[str], Any, list[str]], tuple[Any, Any]]


def cross_validated(texts: list[str], truth: Any, method: Scores) -> dict[str, float]:
    """Return micro-F1, LRAP and CPU seconds of a method that gives (scores of training, scores of test)."""
    predicted, scores = np.zeros(truth.shape, dtype=bool), np.zeros(truth.shape)
    began = time.process_time()
    for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(texts):
        seen, unseen = method([texts[i] for i in train], truth[train], [texts[i] for i in test])
        low, high = seen.min(), max(seen.max(), 1e-12)
        rule = tune_rule((seen - low) / (high - low), truth[train])
        scores[test] = unseen
        predicted[test] = rule.apply(np.clip((unseen - low) / (high - low), 0, 1))
    return {
        "micro_f1": f1_micro(truth, predicted),
        "lrap": lrap(truth, scores),
        "cpu_s": time.process_time() - began,
    }


def logistic_per_sector(texts: list[str], truth: Any, new: list[str]) -> tuple[Any, Any]:
    """Fit the textbook answer: one logistic model a sector on TF-IDF."""
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, stop_words="english").fit(texts)
    known = truth.any(axis=0)
    model = OneVsRestClassifier(LogisticRegression(C=10.0)).fit(vectors.transform(texts), truth[:, known])
    out = []
    for part in (texts, new):
        scores = np.zeros((len(part), truth.shape[1]))
        scores[:, known] = model.predict_proba(vectors.transform(part))
        out.append(scores)
    return out[0], out[1]


def bm25(texts: list[str], truth: Any, new: list[str]) -> tuple[Any, Any]:
    """BM25 of the text against the sectors' descriptions and keywords."""
    features = LexicalIndex(Taxonomy.default(), texts).features(texts + new)[:, :, 6]
    return features[: len(texts)], features[len(texts) :]


def sentence_cosine(texts: list[str], truth: Any, new: list[str]) -> tuple[Any, Any]:
    """One cosine between the sentence vectors of text and description."""
    from fisc.basir.sectors.embedding import label_vectors
    from fisc.basir.sectors.encoder import load_encoder

    encoder = load_encoder()
    labels = label_vectors(Taxonomy.default(), encoder)
    vectors = np.stack([c.pooled for c in encoder.encode(texts + new)])
    scores = vectors @ labels.description.T
    return scores[: len(texts)], scores[len(texts) :]


def ours(method: str) -> Callable[[list[str], list[list[str]], Any], dict[str, float]]:
    """Return a function that cross-validates one of our classifiers on the same folds."""

    def run(texts: list[str], labels: list[list[str]], truth: Any) -> dict[str, float]:
        predicted, scores = np.zeros(truth.shape, dtype=bool), np.zeros(truth.shape)
        began = time.process_time()
        for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(texts):
            model = SectorClassifier(method).fit([texts[i] for i in train], [labels[i] for i in train])
            held_out = [texts[i] for i in test]
            scores[test] = model.scores(held_out).to_numpy()
            predicted[test] = Taxonomy.default().encode(model.decide(scores[test], held_out))
        return {
            "micro_f1": f1_micro(truth, predicted),
            "lrap": lrap(truth, scores),
            "cpu_s": time.process_time() - began,
        }

    return run


def ranking() -> dict[str, float]:
    """Return the walk-forward skill on real budgets beside the mean of random orders."""
    signals, returns = packaged_signals()
    score = walk_forward(SectorRanker("surprise"), signals, returns, first=2).score
    tau = score.table.loc["kendall_tau"]
    return {"tau": tau["mean"], "low": tau["low"], "high": tau["high"], "chance": 0.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="words only, no sentence model")
    parser.add_argument("--finetuned", action="store_true", help="fine-tune too: some fifteen CPU minutes")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    options = parser.parse_args()
    excerpts = load_budget_excerpts()
    texts, labels = list(excerpts["text"]), list(excerpts["sectors"])
    truth = Taxonomy.default().encode(labels)
    sentence = not options.short and importlib.util.find_spec("sentence_transformers") is not None
    rows = {
        "peer: logistic per sector on TF-IDF": cross_validated(texts, truth, logistic_per_sector),
        "peer: BM25 against descriptions": cross_validated(texts, truth, bm25),
    }
    if sentence:
        rows["peer: cosine of sentence vectors"] = cross_validated(texts, truth, sentence_cosine)
    rows["ours: lexical"] = ours("lexical")(texts, labels, truth)
    if sentence:
        rows["ours: pair"] = ours("pair")(texts, labels, truth)
    if sentence and options.finetuned:
        rows["ours: finetuned"] = ours("finetuned")(texts, labels, truth)
    best_peer = max(row["micro_f1"] for name, row in rows.items() if name.startswith("peer"))
    print(
        f"{'125 excerpts, 81 sectors, five-fold':<40} {'micro-F1':>8} {'LRAP':>6} {'CPU s':>7} {'F1 / best peer':>15}"
    )
    for name, row in rows.items():
        ratio = row["micro_f1"] / best_peer
        print(f"{name:<40} {row['micro_f1']:>8.3f} {row['lrap']:>6.3f} {row['cpu_s']:>7.1f} {ratio:>15.2f}")
    skill = ranking()
    print(
        f"ranking, surprise, walk-forward: tau {skill['tau']:+.2f} [{skill['low']:+.2f}, {skill['high']:+.2f}]; "
        "random 0"
    )
    if options.json:
        options.json.write_text(
            json.dumps({"classification": rows, "ranking": skill}, indent=2), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
