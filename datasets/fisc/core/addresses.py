"""Addresses without what must stay secret: no password or token of a URL is ever shown or kept."""

from __future__ import annotations

import re

__all__ = ["scrubbed"]

_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{1,20}://)(?P<user>[^\s/@?#'\"<>]{1,500}@)?(?P<rest>[^\s'\"<>]*)"
)
_FIELD = re.compile(r"(?P<name>[?&;#][^=&#;\s]{1,80}=)(?P<value>[^&#;\s]+)")
_SECRET = re.compile(r"token|key|secret|passw|pwd|auth|sig|credential|session|code|jwt|sas", re.IGNORECASE)
_RANDOM = re.compile(r"(?=[^&]*\d)[A-Za-z0-9_\-+/=%.~]{24,}")


def scrubbed(text: str) -> str:
    """Return a text in which addresses have lost user names, passwords and values that look like keys.

    Examples
    --------
    >>> scrubbed("see https://ann:pw@host.org/2024-01-31.txt?token=abc&page=2")
    'see https://host.org/2024-01-31.txt?token=***&page=2'
    """
    if "://" not in text:
        return text
    return _ADDRESS.sub(lambda m: m["scheme"] + _FIELD.sub(_field, m["rest"]), text)


def _field(match: re.Match[str]) -> str:
    secret = _SECRET.search(match["name"]) or _RANDOM.fullmatch(match["value"])
    return match["name"] + ("***" if secret else match["value"])
