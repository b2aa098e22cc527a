"""Parameters of a report file: ``{name}`` in its texts stands for a value, and a list makes one page a value."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from fisc.core import DataError, nearest

__all__ = ["TODAY", "expand", "fill"]

# Known only when a report is made: stands in its texts until then.
TODAY = "today"
_MOST = 1000  # pages of one file
_PLACE = re.compile(r"\{([A-Za-z_]\w*)\}")
_PLAIN = (str, int, float)


def expand(held: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the reports that a file stands for, each under a label that tells it from the others.

    Parameters
    ----------
    held : mapping
        The content of a file; its table ``parameters`` holds texts, numbers and lists of them. All
        combinations of the lists are made.

    Raises
    ------
    DataError
        If a parameter cannot be used, or a text names one that does not exist.

    Examples
    --------
    >>> expand({"title": "{state}, {today}", "parameters": {"state": ["Goa", "Assam"]}})
    [('state=Goa', {'title': 'Goa, {today}'}), ('state=Assam', {'title': 'Assam, {today}'})]
    """
    rest = {name: value for name, value in held.items() if name != "parameters"}
    if "parameters" not in held:
        return [("", rest)]
    given = held["parameters"]
    if not isinstance(given, Mapping):
        raise DataError("parameters is not a table; write [parameters] and below it NAME = VALUE")
    lists: dict[str, list[Any]] = {}
    for name, value in given.items():
        values = value if isinstance(value, list) else [value]
        if name == TODAY or not name.isidentifier():
            raise DataError(f"parameters.{name}: give it another name (letters, digits and _; not {TODAY})")
        if not values or not all(isinstance(item, _PLAIN) and not isinstance(item, bool) for item in values):
            raise DataError(f"parameters.{name}: give a text, a number, or a list of them that is not empty")
        if len(set(map(str, values))) < len(values):
            raise DataError(f"parameters.{name}: a value stands twice in the list")
        lists[name] = values
    pages = 1
    for values in lists.values():
        pages *= len(values)
    if pages > _MOST:
        raise DataError(f"the parameters make {pages} pages; at most {_MOST} come from one file")
    found = []
    for combination in itertools.product(*lists.values()):
        chosen = dict(zip(lists, combination, strict=True))
        looped = [name for name in lists if isinstance(given[name], list)]
        label = ", ".join(f"{name}={chosen[name]}" for name in looped)
        found.append((label, fill(rest, {**chosen, TODAY: f"{{{TODAY}}}"}, strict=True)))
    return found


def fill(value: Any, values: Mapping[str, Any], *, strict: bool = False) -> Any:
    """Put values into every text of a nested value; a text that is one name alone becomes the value itself.

    Raises
    ------
    DataError
        If `strict` and a text names what is not among the values.
    """
    if isinstance(value, Mapping):
        return {name: fill(item, values, strict=strict) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill(item, values, strict=strict) for item in value]
    if not isinstance(value, str):
        return value
    if strict:
        for name in _PLACE.findall(value):
            if name not in values:
                guess = nearest(name, values)
                hint = f"did you mean {guess!r}? " if guess else ""
                raise DataError(
                    f"{value!r} names the parameter {name!r}, which is not in [parameters]; {hint}"
                    f"known: {', '.join(values)}"
                )
    whole = _PLACE.fullmatch(value)
    if whole is not None and whole[1] in values:
        return values[whole[1]]
    return _PLACE.sub(lambda match: str(values.get(match[1], match[0])), value)
