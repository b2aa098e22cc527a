"""Amounts of money and percentages in words and figures, as numbers: a grammar over words, read once."""

from __future__ import annotations

import dataclasses
import math
import re

__all__ = ["Amount", "find_amounts", "parse_number_words"]

LAKH, CRORE = 100_000, 10_000_000
_SCALES = {
    "thousand": 1_000, "k": 1_000, "lakh": LAKH, "lac": LAKH, "lakhs": LAKH, "lacs": LAKH, "million": 1_000_000,
    "mn": 1_000_000, "m": 1_000_000, "crore": CRORE, "cr": CRORE, "crs": CRORE, "billion": 1_000_000_000,
    "bn": 1_000_000_000, "b": 1_000_000_000, "trillion": 1_000_000_000_000, "tn": 1_000_000_000_000,
}  # fmt: skip
_ATTACHED = {"k", "m", "b"}  # scales only where they stand at the figure, and money is meant: £5m
_CRORES = {"crore", "crores", "cr", "crs"}
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
_PARTS = {"half": 0.5, "quarter": 0.25, "½": 0.5, "¼": 0.25, "¾": 0.75}
_RATIOS = {("1", "2"): 0.5, ("1", "4"): 0.25, ("3", "4"): 0.75}
_MONEY = {
    "rs": "rupees", "re": "rupees", "inr": "rupees", "₹": "rupees", "`": "rupees", "rupee": "rupees",
    "rupees": "rupees",
    "$": "dollars", "usd": "dollars", "sgd": "dollars", "dollar": "dollars", "dollars": "dollars", "£": "pounds",
    "gbp": "pounds", "pound": "pounds", "pounds": "pounds", "€": "euros", "eur": "euros", "euro": "euros",
    "euros": "euros", "¥": "yen", "jpy": "yen", "yen": "yen",
}  # fmt: skip
# "four crore homes" counts homes; "four crore for homes" is money.
_AFTER_MONEY = frozenset(
    "rupees in for to and is was has will as by of from over per this on or go goes under with are each".split()
)
_DASHES = frozenset("-−–—")
# A soft hyphen or a line break inside a figure belongs to it; so does an l that a scanner read for its first 1.
_TOKEN = re.compile(
    r"(?P<number>(?:\d|(?<![A-Za-z])[lI](?=(?:,\d\d)*,\d{3}))[\d\xad]*(?:,(?:\s*\n\s*(?=\d\d\d|\d\d,))?[\d\xad]+)*(?:\.\d+)?)"
    r"|(?P<money>(?:(?:US|S|A|HK|NZ)\s?)?\$|[₹`£€¥])|(?P<word>[A-Za-z]+)|(?P<gap>\n\s*\n)|(?P<mark>[^\s\xad])"
)


@dataclasses.dataclass(frozen=True)
class Amount:
    """A number with its unit.

    Attributes
    ----------
    value : float
        Money (nominal, of the speech's day) or per cent; negative after a minus, also "(-)" and "minus".
    unit : {"rupees", "dollars", "pounds", "euros", "yen", "per cent"}
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


@dataclasses.dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class _Number:
    """A number that was read: what its figures say, the product of its scales, and the token after it."""

    base: float
    scale: float
    crores: bool
    article: bool
    after: int

    @property
    def value(self) -> float:
        return self.base * self.scale


def find_amounts(text: str) -> list[Amount]:
    """Find amounts of money and percentages in a text, in order.

    "lakh" (100 thousand), "crore" (10 million) and "lakh crore" are understood, in figures with Indian grouping
    or in words, and "cr", "bn", "3 crores 50 lakhs". A range, "Rs. 12-15 crore", is two amounts. A number
    with a scale but no sign of currency counts as rupees only when the scale is "crore" (the unit of the
    budget) and no counted noun follows. The time taken grows with the length of the text, no faster.

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
    >>> [(a.value, a.unit) for a in find_amounts("£2.5 billion and $300 million")]
    [(2500000000.0, 'pounds'), (300000000.0, 'dollars')]
    """
    tokens = [_Token(str(m.lastgroup), m.group(), m.start(), m.end()) for m in _TOKEN.finditer(text)]
    return _Reader(text, tokens).amounts()


def parse_number_words(words: str) -> float:
    """Return the number that English words say.

    Examples
    --------
    >>> parse_number_words("five thousand two hundred and ten"), parse_number_words("one and a half")
    (5210.0, 1.5)
    """
    tokens = [_Token("word", w, 0, 0) for w in re.findall(r"[a-z]+", words.lower())]
    number = _Reader("", tokens).number(0, money=True)
    return number.value if number else 0.0


class _Reader:
    """Reads amounts from tokens, from left to right, each token a fixed number of times at most."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text, self._tokens = text, tokens
        self._words = [t.text.lower() if t.kind in ("word", "mark", "money") else "" for t in tokens]

    def amounts(self) -> list[Amount]:
        found: list[Amount] = []
        at = 0
        while at < len(self._tokens):
            read, after = self._amount(at)
            found.extend(read)
            at = max(after, at + 1)
        return found

    def _amount(self, at: int) -> tuple[list[Amount], int]:
        """Read the amount or the range that begins at a token; none, and where to go on."""
        first = at
        unit = self._money(at)
        if unit:
            at = self._past_dot(at)
            if self._at(at) in _DASHES and self._touches(at):  # Rs. -500
                at += 1
        number = self.number(at, money=bool(unit))
        if number is None or (not unit and self._inside_word(at)):
            return [], first + 1
        other, second_unit = self._range(first, number, bool(unit))
        last = other or number
        after, tail, percent = self._tail(last.after, bool(unit))
        if tail == "pounds" and last.scale == 1:  # of weight
            after, tail = last.after, ""
        if percent and not unit:
            unit = "per cent"
        elif not unit and second_unit:
            unit = second_unit
        elif not unit:
            unit = tail
        if not unit and last.crores and not self._counts(last.after):
            unit = "rupees"
        bare = number.article and number.scale == 1 and unit != "per cent"
        if not unit or bare or not math.isfinite(last.value):
            return [], last.after
        sign, begin = self._sign(first)
        if other is None:
            return [self._made(sign * number.value, unit, begin, after)], after
        low = number.base * (other.scale if number.scale == 1 and number.base < other.base else number.scale)
        return [
            self._made(sign * low, unit, begin, number.after),
            self._made(other.value, unit, self._start_of(number.after), after),
        ], after

    def number(self, at: int, *, money: bool) -> _Number | None:
        """Read a number, in figures or words, with its scales and the smaller terms that follow it."""
        number = self._term(at, money=money)
        if number is None:
            return None
        while number.scale > 1:
            more = self._term(number.after, money=money)
            in_figures = more is not None and self._tokens[number.after].kind == "number"
            if more is None or more.article or (in_figures and more.scale == 1) or more.value >= number.scale:
                break
            if self._counts(more.after) and not money:
                break
            number = dataclasses.replace(
                number,
                base=number.value + more.value,
                scale=1.0,
                crores=number.crores or more.crores,
                after=more.after,
            )
            if more.scale == 1:
                break
            number = dataclasses.replace(number, base=number.base / more.scale, scale=more.scale)
        return number

    def _term(self, at: int, *, money: bool) -> _Number | None:
        """Read one number and the scales behind it, such as "2.5 lakh crore"."""
        if at >= len(self._tokens):
            return None
        article = False
        token = self._tokens[at]
        if token.kind == "number":
            figures = re.sub(r"[,\s\xad]", "", token.text).replace("l", "1").replace("I", "1")
            base, at = float(figures), at + 1
            ratio = (token.text, self._texts(at, 2)[-1]) if self._at(at) == "/" else ("", "")
            if ratio in _RATIOS:  # 1/4
                base, at = _RATIOS[ratio], at + 2
            elif tuple(self._texts(at, 3)) in {(a, "/", b) for a, b in _RATIOS}:  # 12 1/2
                base, at = base + _RATIOS[self._tokens[at].text, self._tokens[at + 2].text], at + 3
        else:
            said = self._in_words(at)
            if said is None:
                return None
            base, at, article = said
        base, at = self._fraction(base, at)
        scale, crores = 1.0, False
        while True:
            step = 1 if self._at(at) in _DASHES else 0
            word = self._at(at + step)
            known = _SCALES.get(word) or _SCALES.get(word.removesuffix("s"))
            attached = word in _ATTACHED or word.removesuffix("s") in _ATTACHED
            if not known or (attached and not (money and word in _ATTACHED and self._touches(at - 1))):
                break
            scale, crores, at = scale * known, crores or word in _CRORES, at + step + 1
        return _Number(base, scale, crores, article, at)

    def _in_words(self, at: int) -> tuple[float, int, bool] | None:
        """Read a number in words below a lakh; also where it ends, and whether an article is all there is."""
        total, group, begin = 0.0, 0.0, at
        article = False
        while True:
            word = self._at(at)
            if word in _UNITS:
                group += _UNITS[word]
            elif word in _TENS:
                group += _TENS[word]
            elif word == "hundred" and at > begin:
                group = max(group, 1.0) * 100
            elif word == "thousand" and at > begin:
                total, group = total + max(group, 1.0) * 1000, 0.0
            elif at == begin and word in ("a", "half", "quarter"):
                article = True
                group = _PARTS.get(word, 1.0)
                if word != "a" and self._at(at + 1) == "a":
                    at += 1
            elif at > begin and word == "point" and self._at(at + 1) in _UNITS:
                return (*self._decimals(total + group, at + 1), False)
            elif at > begin and (word == "and" or word in _DASHES) and self._is_small(at + 1):
                if self._at(at + 2) in ("quarter", "quarters"):  # two and three quarters
                    break
            else:
                break
            article = article and at <= begin + 1 and word in ("a", "half", "quarter")
            at += 1
        return (total + group, at, article) if at > begin else None

    def _is_small(self, at: int) -> bool:
        return self._at(at) in _UNITS or self._at(at) in _TENS

    def _decimals(self, whole: float, at: int) -> tuple[float, int]:
        """Read the words behind "point"."""
        figures = ""
        while self._at(at) in _UNITS and _UNITS[self._at(at)] < 10:
            figures, at = figures + str(_UNITS[self._at(at)]), at + 1
        return whole + float(f"0.{figures or 0}"), at

    def _fraction(self, base: float, at: int) -> tuple[float, int]:
        """Add "and a half", or a sign such as ½."""
        if self._at(at) in ("½", "¼", "¾"):
            return base + _PARTS[self._at(at)], at + 1
        if self._at(at) == "and" and self._at(at + 1) in ("a", "one") and self._at(at + 2) in _PARTS:
            return base + _PARTS[self._at(at + 2)], at + 3
        if (
            self._at(at) == "and"
            and self._at(at + 1) == "three"
            and self._at(at + 2) in ("quarter", "quarters")
        ):
            return base + 0.75, at + 3
        return base, at

    def _range(self, first: int, number: _Number, money: bool) -> tuple[_Number | None, str]:
        """Read the second number of "12-15 crore", "5 to 10 per cent", "between 5 and 10 per cent"."""
        at = number.after
        joint = self._at(at)
        between = joint == "and" and first > 0 and self._at(first - 1) == "between"
        if not (joint in _DASHES or joint == "to" or between):
            return None, ""
        of_year = (
            not money and self._at(first - 1) in _DASHES and self._touches(first - 2)
        )  # 1990-91 to 3.8 per cent
        if (first > 1 and of_year) or (not money and number.base > 1000 and number.scale == 1):
            return None, ""
        if joint in _DASHES and self._at(at + 1) in _DASHES:
            return None, ""
        named = bool(self._money(at + 1))  # Rs. 5 to Rs. 10 crore
        other = self.number(self._past_dot(at + 1) if named else at + 1, money=money)
        if other is None or other.article or (named and (not money or number.scale > 1)):
            return None, ""
        _, tail, percent = self._tail(other.after, money)
        if not (money or tail or percent or other.crores) or (percent and money):
            return None, ""
        return other, tail

    def _tail(self, at: int, money: bool) -> tuple[int, str, bool]:
        """Read what says the unit after a number: where it ends, the money, whether it is per cent."""
        if self._at(at) == "%":
            return at + 1, "", True
        words = [self._at(at + k) for k in range(3)]
        if words[0] == "percent" or words[:2] == ["per", "cent"]:
            return at + (1 if words[0] == "percent" else 2), "", True
        if words[0] == "percentage" and words[1] in ("point", "points"):
            return at + 2, "", True
        skipped = 1 if words[0] in ("of", "us") else 0
        word = words[skipped]
        if word in _MONEY and len(word) > 3 and not (money and skipped):
            return at + skipped + 1, _MONEY[word], False
        return at, "", False

    def _money(self, at: int) -> str:
        """Return the currency that a token names before a number, or an empty text."""
        if at >= len(self._tokens):
            return ""
        token = self._tokens[at]
        if token.kind == "money":
            return _MONEY[token.text[-1]]
        word = self._at(at)
        if word not in _MONEY or token.kind == "mark":
            return ""
        after = self._past_dot(at)
        numeric = after < len(self._tokens) and (
            self._tokens[after].kind == "number" or self._at(after) in _UNITS
        )
        if word == "re":
            return "rupees" if numeric and token.text == "Re" else ""
        return _MONEY[word]

    def _past_dot(self, at: int) -> int:
        """Return the place after a token and the marks of "Rs. ", "Rs.: "."""
        abbreviated = self._at(at) in ("rs", "re", "inr")
        at += 1
        return at + 1 if abbreviated and self._at(at) == "." else at

    def _sign(self, first: int) -> tuple[float, int]:
        """Return -1 after a minus, and the character where the amount begins."""
        begin = self._tokens[first].start
        before = self._at(first - 1) if first else ""
        if before in _DASHES and before and self._touches(first - 1):
            left = self._text[self._tokens[first - 1].start - 1 : self._tokens[first - 1].start]
            if not left or left.isspace() or left in "(:":
                return -1.0, self._tokens[first - 1].start
        if before == "minus":
            return -1.0, self._tokens[first - 1].start
        if first >= 3 and before == ")" and self._at(first - 2) in _DASHES and self._at(first - 3) == "(":
            return -1.0, self._tokens[first - 3].start
        if self._money(first) and self._at(self._past_dot(first)) in _DASHES:
            return -1.0, begin
        return 1.0, begin

    def _counts(self, at: int) -> bool:
        """Tell whether a counted noun follows: "four crore homes"."""
        if at >= len(self._tokens) or self._tokens[at].kind != "word":
            return False
        blank = self._text[self._tokens[at - 1].end : self._tokens[at].start]
        return bool(blank.strip() == "" and blank and self._at(at) not in _AFTER_MONEY)

    def _inside_word(self, at: int) -> bool:
        """Tell whether the number is the end of a name such as B12."""
        start = self._tokens[at].start
        return self._tokens[at].kind == "number" and start > 0 and self._text[start - 1].isalpha()

    def _touches(self, at: int) -> bool:
        """Tell whether nothing stands between a token and the next one."""
        return at + 1 < len(self._tokens) and self._tokens[at].end == self._tokens[at + 1].start

    def _start_of(self, at: int) -> int:
        """Return where the number behind the word or dash of a range begins."""
        return self._tokens[at + 1].start

    def _made(self, value: float, unit: str, begin: int, after: int) -> Amount:
        end = self._tokens[after - 1].end
        return Amount(float(value), unit, self._text[begin:end], begin, end)

    def _at(self, at: int) -> str:
        return self._words[at] if 0 <= at < len(self._words) else ""

    def _texts(self, at: int, count: int) -> list[str]:
        return [t.text for t in self._tokens[at : at + count]]
