"""What columns are called in print: a plain name, a unit and one sentence, from `labels.csv`."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["LABELS", "Label", "in_words", "label"]


class Label(NamedTuple):
    """How a column is called in print."""

    name: str
    unit: str
    meaning: str


_FILE = Path(__file__).with_name("labels.csv")
with _FILE.open(encoding="utf-8", newline="") as _file:
    LABELS = {row["column"]: Label(row["name"], row["unit"], row["meaning"]) for row in csv.DictReader(_file)}


def label(column: object) -> Label:
    """Return how a column is called in print; an unknown one by its own name.

    Examples
    --------
    >>> label("expected_pct").name, label("expected_pct").unit
    ('Expected return', '%')
    >>> label("rate_2").name
    'Marginal rate 2'
    """
    text = str(column)
    if text in LABELS:
        return LABELS[text]
    numbered = re.fullmatch(r"(\w+?)_(\d+)", text)
    if numbered and numbered[1] in LABELS:
        known = LABELS[numbered[1]]
        return known._replace(name=f"{known.name} {numbered[2]}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", text):
        return Label(text, "", "")
    words = text.replace("_pct", "").replace("_", " ")
    return Label(words[:1].upper() + words[1:], "%" if text.endswith("_pct") else "", "")


def in_words(column: object) -> str:
    """Return the plain name of a column with its unit.

    Examples
    --------
    >>> in_words("expected_pct"), in_words("my_column"), in_words("AAPL")
    ('Expected return (%)', 'My column', 'AAPL')
    """
    known = label(column)
    return f"{known.name} ({known.unit})" if known.unit else known.name
