"""A cheap guess at whether a text is English."""

from __future__ import annotations

import re

__all__ = ["share_of_english"]

_COMMON = frozenset(
    """
    the of and to in a is that for it as was with be by on not he his but at are this have from or had an
    they which one you were all her she there would their we him been has when who will no more if out so
    up said its about than into them can only other time new some could these two may first then do any
    like my now over such our me even most made after also did many off before must through being per cent
    lakh crore duty rupees tax rate government budget i under between against shall should where much each
    those
    """.split()
)
_OTHER = frozenset(
    """
    der die das und ist nicht ein eine mit von zu den auf für le la les des est et une dans pour que qui
    sur el los las es por para con del una se ko ki ka ke hai mein aur se par il che di della sono o os em
    não um
    """.split()
)
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ÿ]+")


def share_of_english(text: str) -> float:
    """Guess how English a text is from its letters and its commonest words.

    0 is another language, 1 English. Lists of nouns without any common word count as English as long as
    they are in Latin letters, so that a heading such as "Steel, cement, tyres" passes.

    Examples
    --------
    >>> share_of_english("The duty on tyres is reduced."), share_of_english("बजट में इस्पात पर शुल्क")
    (1.0, 0.0)
    """
    letters = sum(c.isalpha() for c in text)
    latin = sum(c.isascii() and c.isalpha() for c in text)
    if letters == 0 or latin < 0.5 * letters:
        return 0.0 if letters else 1.0
    words = [w.lower() for w in _LATIN_WORD.findall(text)]
    english = sum(w in _COMMON for w in words)
    foreign = sum(w in _OTHER and w not in _COMMON for w in words)
    return 1.0 if english + foreign < 3 and foreign < 3 else english / (english + foreign)
