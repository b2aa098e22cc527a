"""Rupee amounts and percentages in words and figures, as numbers."""

from __future__ import annotations

import dataclasses
import re

__all__ = ["Amount", "find_amounts", "parse_number_words"]

LAKH, CRORE = 100_000, 10_000_000
_SCALES = {
    "hundred": 100, "thousand": 1_000, "lakh": LAKH, "lac": LAKH, "million": 1_000_000,
    "crore": CRORE, "billion": 1_000_000_000, "trillion": 1_000_000_000_000,
}  # fmt: skip
_UNITS = {
    w: i
    for i, w in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
}
_TENS = {
    w: 10 * i for i, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_WORD = "(?:" + "|".join([*_UNITS, *_TENS, "hundred", "a", "half"]) + ")"
_WORDS = rf"{_WORD}(?:[\s-]+(?:and\s+)?{_WORD})*"
_FIGURE = r"\d[\d,]*(?:\.\d+)?"
_SCALE = r"(?:thousand|lakh|lac|crore|million|billion|trillion)s?"
_MONEY = re.compile(
    rf"(?P<sign>(?:Rs\.?|₹|`|INR|rupees)\s*)?(?P<number>{_FIGURE}|\b{_WORDS})(?P<scales>(?:[\s-]+{_SCALE}\b)*)"
    r"(?P<tail>\s+(?:of\s+)?rupees?\b)?",
    re.IGNORECASE,
)
# "four crore homes" counts homes; "four crore for homes" is money.
_COUNTED_NOUN = re.compile(
    r"\s+(?!(?:rupees|in|for|to|and|is|was|has|will|as|by|of|from|over|per|this|on|or|go|goes|under|with|are|each)\b)[a-z]+"
)
_PERCENT = re.compile(
    rf"(?P<number>{_FIGURE}|\b{_WORDS})(?:\s+and\s+a\s+(?P<half>half|quarter)|\s*(?P<sign>[½¼¾]))?\s*(?:%|per\s?cent\b|percent\b|percentage\s+points?\b)",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Amount:
    """A number with its unit.

    Attributes
    ----------
    value : float
        Rupees (nominal, of the speech's day) or per cent.
    unit : {"rupees", "per cent"}
    text : str
        As written.
    start, end : int
        Character offsets.
    """

    value: float
    unit: str
    text: str
    start: int
    end: int


def find_amounts(text: str) -> list[Amount]:
    """Find rupee amounts and percentages in a text, in order.

    "lakh" (100 thousand), "crore" (10 million) and "lakh crore" are understood, in figures with Indian
    grouping or in words. A number with a scale but no sign of currency counts as rupees only when the
    scale is "crore" (the unit of the budget) and no counted noun follows.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of Amount

    Examples
    --------
    >>> [(a.value, a.unit) for a in find_amounts("Rs. 1,50,000 crore, up 7.5 per cent; five lakh rupees")]
    [(1500000000000.0, 'rupees'), (7.5, 'per cent'), (500000.0, 'rupees')]
    """
    found = [_percent(m) for m in _PERCENT.finditer(text)]
    taken = [(a.start, a.end) for a in found]
    for match in _MONEY.finditer(text):
        if any(match.start() < b and a < match.end() for a, b in taken):
            continue
        amount = _money(match, text)
        if amount is not None:
            found.append(amount)
    return sorted(found, key=lambda a: a.start)


def parse_number_words(words: str) -> float:
    """Return the number that English words say.

    Examples
    --------
    >>> parse_number_words("five thousand two hundred and ten"), parse_number_words("one and a half")
    (5210.0, 1.5)
    """
    total, group = 0.0, 0.0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word == "half":
            group += 0.5
        elif word == "a":
            group += 0.0 if group else 1.0
        elif word in _UNITS:
            group += _UNITS[word]
        elif word in _TENS:
            group += _TENS[word]
        elif word == "hundred":
            group = max(group, 1.0) * 100
        elif word.rstrip("s") in _SCALES:
            total += max(group, 1.0) * _SCALES[word.rstrip("s")]
            group = 0.0
    return total + group


def _number(text: str) -> float:
    return float(text.replace(",", "")) if text[0].isdigit() else parse_number_words(text)


def _percent(match: re.Match[str]) -> Amount:
    fraction = (match.group("half") or match.group("sign") or "").lower()
    part = {"half": 0.5, "quarter": 0.25, "½": 0.5, "¼": 0.25, "¾": 0.75}.get(fraction, 0.0)
    return Amount(
        _number(match.group("number")) + part, "per cent", match.group(), match.start(), match.end()
    )


def _money(match: re.Match[str], text: str) -> Amount | None:
    scales = [s.rstrip("s") for s in re.findall(r"[a-z]+", (match.group("scales") or "").lower())]
    signed = bool(match.group("sign") or match.group("tail"))
    if not signed:
        follows = _COUNTED_NOUN.match(text, match.end())
        if "crore" not in scales or follows:
            return None
    number = match.group("number")
    if number.lower() in ("a", "half") and not scales:
        return None
    value = _number(number)
    for scale in scales:
        value *= _SCALES[scale]
    body = match.group().strip()
    return Amount(float(value), "rupees", body, match.start(), match.end())
