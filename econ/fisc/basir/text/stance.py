"""Whether a clause raises or lowers taxes or spending."""

from __future__ import annotations

import dataclasses
import itertools
import re

from fisc.basir.text.tokens import sentences

__all__ = ["Stance", "find_stance", "stance_score"]

_TAX = (
    r"(?:excise|customs?|dut(?:y|ies)|tax(?:es|ation)?|cess|surcharge|lev(?:y|ies|ied)|gst|tariffs?|impost)"
)
_SPENDING = (
    r"(?:allocat\w+|outlays?|expenditure|provision|provid\w+|subsid\w+|grants?|funds?|corpus|budget support"
    r"|capital support|investment|assistance|set aside|earmark\w*)"
)
_UP = (
    r"(?:increas\w+|rais\w+|enhanc\w+|hik\w+|step(?:ped|ping)? up|higher|impos\w+|introduc\w+|go(?:es|ing)? up"
    r"|mov\w+ up|doubl\w+|tripl\w+|upward|augment\w+|extend\w*|expand\w*|additional"
    r"|withdraw\w* (?:of )?(?:the )?exemption|climb\w*|rise[sn]?|rose|new)"
)
_DOWN = (
    r"(?:reduc\w+|cut|cuts|cutting|lower\w*|decreas\w+|exempt\w*|abolish\w*|remov\w+|withdr[ae]w\w*|waive[rds]?"
    r"|relief|conce\w+|slash\w*|bring\w* down|brought down|go(?:es|ing)? down|com(?:e|es|ing) down|free of|nil"
    r"|rationali[sz]\w+ downward|rebate|holiday|discontinu\w+|curtail\w*|dispens\w+|fall[sn]?|halv\w+)"
)
_NEGATION = re.compile(r"\b(?:no|not|never|without|nor)\b(?:\s+\w+){0,3}\s*$", re.IGNORECASE)
_CLAUSE = re.compile(r";|,\s+(?=(?:and|but|while|whereas)\b)|\bbut\b|\bwhile\b|\bwhereas\b", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Stance:
    """Direction of one measure.

    Attributes
    ----------
    subject : {"tax", "spending"}
    direction : {1, -1}
        1 up, -1 down.
    clause : str
    start, end : int
        Character offsets of the clause.
    """

    subject: str
    direction: int
    clause: str
    start: int
    end: int


def find_stance(text: str) -> list[Stance]:
    """Find clauses that raise or lower taxes or spending.

    A clause counts if it names a tax or an outlay and a verb of direction; a negated verb turns the
    direction into none. Rules, not a model: they were written for the phrases of budget speeches and
    miss what is said in other words.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of Stance

    Examples
    --------
    >>> [(s.subject, s.direction) for s in find_stance("I propose to reduce the excise duty on tyres.")]
    [('tax', -1)]
    """
    found = []
    for a, b in sentences(text):
        cuts = [a, *(a + m.start() for m in _CLAUSE.finditer(text[a:b])), b]
        subject = ""
        for x, y in itertools.pairwise(cuts):
            clause = text[x:y]
            # A clause without a subject of its own ("but coffee is exempt") goes on with the last one.
            if re.search(rf"\b{_TAX}\b", clause, re.IGNORECASE):
                subject = "tax"
            elif re.search(rf"\b{_SPENDING}\b", clause, re.IGNORECASE):
                subject = "spending"
            direction = _direction(clause)
            if direction and subject:
                found.append(Stance(subject, direction, clause.strip(" ,;"), x, y))
    return found


def stance_score(text: str, subject: str) -> float:
    """Return the balance of a text: (up - down) / (up + down), in -1..1; 0 if it says nothing."""
    directions = [s.direction for s in find_stance(text) if s.subject == subject]
    return sum(directions) / len(directions) if directions else 0.0


def _direction(clause: str) -> int:
    """Return 1, -1, or 0 where the clause says nothing or both in equal measure."""
    up = _count(_UP, clause)
    down = _count(_DOWN, clause)
    return 0 if up == down else (1 if up > down else -1)


def _count(pattern: str, clause: str) -> int:
    hits = re.finditer(rf"\b{pattern}\b", clause, re.IGNORECASE)
    return sum(_NEGATION.search(clause[max(0, m.start() - 30) : m.start()]) is None for m in hits)
