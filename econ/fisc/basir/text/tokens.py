"""Words, stems, sentences and windows, always with their place in the text."""

from __future__ import annotations

import dataclasses
import re

__all__ = ["Token", "sentences", "stem", "tokenize", "windows"]

_WORD = re.compile(r"[A-Za-z]+(?:\.[A-Za-z]){1,}\.?|[A-Za-z]+|\d[\d,.]*")
_SENTENCE_END = re.compile(r"(?<=[.!?;:])[\"'”’)\ue000]*\s+(?=[\"'“‘(]*[A-Z0-9])|\n{2,}")
_ABBREVIATION = re.compile(r"(?:\b(?:Rs|No|Nos|Shri|Smt|Dr|Mr|Mrs|St|vs|viz|approx|cr|p\.a)|\b[A-Z])\.$")
# Words whose ending is not a plural, or changes the meaning: "futures" are contracts, "the future" is not.
_KEEP = frozenset(
    "futures options news gas series press diesel business express glass brass bus plus process".split()
)
_VARIANTS = {  # one spelling for each word that budgets write in several ways
    "aluminum": "aluminium", "tire": "tyre", "jewelry": "jewellery", "fiber": "fibre", "centre": "center",
    "defense": "defence", "programme": "program", "sulfur": "sulphur", "coop": "cooperative",
    "bidis": "bidi", "biris": "bidi", "beedis": "bidi", "biri": "bidi", "beedi": "bidi",
    "color": "colour", "license": "licence",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Token:
    """A word of a text: its stem, whether it is written in capitals, and where it stands."""

    stem: str  # lower-case stem
    capital: bool  # whether all letters are capitals (and there are at least two)
    start: int  # character offsets of the word in the text, ``text[start:end]``
    end: int


def stem(word: str) -> str:
    """Strip plural endings and unify spelling; deliberately light, so that evidence stays readable.

    Examples
    --------
    >>> [stem(w) for w in ("fertilisers", "duties", "glass", "tyres", "houses")]
    ['fertilizer', 'duty', 'glass', 'tyre', 'house']
    """
    w = word.lower().replace(".", "")
    if w[0].isdigit():
        return w.replace(",", "")
    if len(w) > 3 and w.endswith("s") and w not in _KEEP:
        if w.endswith("ies") and len(w) > 4:
            w = w[:-3] + "y"
        elif w.endswith(("sses", "xes", "ches", "shes", "zzes")):
            w = w[:-2]
        elif not w.endswith(("ss", "us", "is")):
            w = w[:-1]
    w = re.sub(r"is(e|ed|er|ing|ation)$", r"iz\1", w) if len(w) > 6 else w
    return _VARIANTS.get(w, w)


def tokenize(text: str) -> list[Token]:
    """Split a text into tokens; hyphens and apostrophes separate words, a possessive s is dropped."""
    tokens = []
    for match in _WORD.finditer(text):
        word = match.group()
        if word in ("s", "t") and match.start() and text[match.start() - 1] in "'’":
            continue
        letters = word.replace(".", "").rstrip("s")
        tokens.append(Token(stem(word), len(letters) > 1 and letters.isupper(), match.start(), match.end()))
    return tokens


def sentences(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each sentence; clauses ended by ";" or ":" before a capital count as one.

    Examples
    --------
    >>> [text[a:b] for text in ["Rs. 5 crore for roads. Duty on tyres falls."] for a, b in sentences(text)]
    ['Rs. 5 crore for roads.', 'Duty on tyres falls.']
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if _ABBREVIATION.search(text, max(0, match.start() - 8), match.start()):
            continue
        spans.append((start, match.start()))
        start = match.end()
    spans.append((start, len(text)))
    trimmed = []
    for a, b in spans:
        body = text[a:b]
        left = len(body) - len(body.lstrip())
        right = len(body.rstrip())
        if right > left:
            trimmed.append((a + left, a + right))
    return trimmed


def windows(text: str, max_words: int = 60) -> list[tuple[int, int]]:
    """Group neighbouring sentences into windows of at most `max_words` words.

    A sentence longer than that is cut at word boundaries, so that nothing is left out. Character offsets, in order.
    """
    pieces: list[tuple[int, int, int]] = []
    for a, b in sentences(text):
        words = [(m.start() + a, m.end() + a) for m in re.finditer(r"\S+", text[a:b])]
        for i in range(0, len(words), max_words):
            chunk = words[i : i + max_words]
            pieces.append((chunk[0][0], chunk[-1][1], len(chunk)))
    grouped: list[tuple[int, int, int]] = []
    for a, b, n in pieces:
        if grouped and grouped[-1][2] + n <= max_words:
            grouped[-1] = (grouped[-1][0], b, grouped[-1][2] + n)
        else:
            grouped.append((a, b, n))
    return [(a, b) for a, b, _ in grouped]
