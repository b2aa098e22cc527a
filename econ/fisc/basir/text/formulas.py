"""Set phrases of parliament whose words are not about a sector: "the House", "Finance Minister"."""

from __future__ import annotations

import re

__all__ = ["mute_formulas"]

# Capitals matter: "the House" is parliament, "the house" is a dwelling.
_FORMULAS = re.compile(
    r"\b(?:[Tt]he|[Tt]his|[Tt]hat|[Bb]oth|[Aa]ugust|[Hh]on['’]?ble|[Hh]onourable)\s+Houses?\b"
    r"|\bHouses?\s+of\s+(?:the\s+People|Parliament)\b"
    r"|\b[Ff]inance\s+(?:[Mm]inisters?|[Mm]inistry|[Cc]ommissions?|[Ss]ecretary|[Aa]ccounts|Bills?|Acts?|\(No)"
    r"|\b[Mm]inist(?:er|ry)\s+of\s+Finance\b|\bMINISTER\s+OF\s+FINANCE\b|\b[Pp]ublic\s+[Ff]inances?\b"
    r"|\b(?:in|for|of)\s+(?:the\s+)?(?:near\s+)?future\b|\bfuture\s+generations?\b|\bthe\s+future\b"
    r"|\b(?:purchasing|spending|economic|political|world|statutory|bargaining|discretionary)\s+powers?\b"
    r"|\bpowers?\s+(?:to|of\s+(?:the\s+)?(?:people|attorney))\b|\bpowers\b"
    r"|\bpress(?:ed|ing)?\s+(?:on|ahead|forward|for)\b"
    r"|\b(?:all|both)\s+exchanges?\b|\bforeign\s+exchange\b|\bexchange\s+(?:rates?|reserves?|control|resources|earnings)\b"
)


def mute_formulas(text: str) -> str:
    """Replace set phrases by blanks of the same length, so that places in the text stay valid.

    Examples
    --------
    >>> mute_formulas("The House will note a house tax.").split()
    ['will', 'note', 'a', 'house', 'tax.']
    """
    return _FORMULAS.sub(lambda match: " " * len(match.group()), text)
