"""From what a model wrote to JSON: every repair is named, so that it can be counted."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Repaired", "read_json"]

_FENCE = re.compile(r"```[a-zA-Z0-9]*\s*\n?(.*?)(?:```|$)", re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


@dataclass(frozen=True)
class Repaired:
    """A JSON value and what had to be done to read it.

    Attributes
    ----------
    value : object
        The value.
    repairs : tuple of str
        Any of ``"fence"`` (taken out of a code fence), ``"prose"`` (text around it cut off),
        ``"comma"`` (a trailing comma dropped), ``"quotes"`` (single quotes turned),
        ``"truncated"`` (cut-off JSON closed), ``"nan"`` (NaN or infinity read as missing).
    """

    value: Any
    repairs: tuple[str, ...] = ()


def read_json(text: str) -> Repaired:
    r"""Read the JSON object or list in a model's answer.

    Parameters
    ----------
    text : str
        What the model wrote.

    Returns
    -------
    Repaired

    Raises
    ------
    ValueError
        If there is nothing that could be JSON; the message is written for the model to read.

    Examples
    --------
    >>> read_json('Sure! ```json\n{"hours": 40,}\n```')
    Repaired(value={'hours': 40}, repairs=('fence', 'comma'))
    >>> read_json('{"hours": {"1": 40, "2": 3')
    Repaired(value={'hours': {'1': 40}}, repairs=('truncated',))
    """
    repairs: list[str] = []
    body = text.strip()
    if not body:
        raise ValueError("the answer was empty")
    fence = _FENCE.search(body)
    if fence:
        body = fence.group(1).strip()
        repairs.append("fence")
    start = min((i for i in (body.find("{"), body.find("[")) if i >= 0), default=-1)
    if start < 0:
        raise ValueError(f"there was no JSON object in the answer, it began: {text.strip()[:60]!r}")
    if start > 0:
        repairs.append("prose")
        body = body[start:]

    def missing(_: str) -> None:
        if "nan" not in repairs:
            repairs.append("nan")

    decoder = json.JSONDecoder(parse_constant=missing)
    attempts = (
        ((), body),
        (("comma",), _TRAILING_COMMA.sub(r"\1", body)),
        (("quotes", "comma"), _TRAILING_COMMA.sub(r"\1", body.replace("'", '"'))),
        (("truncated",), _closed(body)),
    )
    fault = ""
    for names, candidate in attempts:
        try:
            value, end = decoder.raw_decode(candidate)
        except json.JSONDecodeError as error:
            fault = fault or f"{error.msg} at character {error.pos}"
            continue
        except RecursionError:  # a model caught in a loop opens brackets without end
            fault = fault or "it is nested too deeply"
            continue
        repairs += names
        if candidate[end:].strip() and "prose" not in repairs:
            repairs.append("prose")
        return Repaired(value, tuple(repairs))
    raise ValueError(f"the JSON in the answer could not be read: {fault}")


def _closed(text: str) -> str:
    """Cut JSON that breaks off back to its last whole item and close what is open."""
    closers: list[str] = []
    inside, escaped = False, False
    safe = ""  # the longest prefix that ends with a whole item, closed
    for position, letter in enumerate(text):
        if inside:
            if escaped:
                escaped = False
            elif letter == "\\":
                escaped = True
            elif letter == '"':
                inside = False
            continue
        if letter == '"':
            inside = True
        elif letter in "{[":
            closers.append("}" if letter == "{" else "]")
        elif letter in "}]" and closers:
            closers.pop()
            safe = text[: position + 1] + "".join(reversed(closers))
        elif letter == ",":
            safe = text[:position] + "".join(reversed(closers))
    return safe
