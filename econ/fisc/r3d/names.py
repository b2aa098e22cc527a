"""What the user calls the outcome, the running variable and the units, and where the outcome can lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError, Record, is_number
from fisc.core.arrays import FloatArray

from .variables import Columns


@dataclass(frozen=True)
class Names(Record):
    """Words for titles, axes, tables and sentences; `support` bounds what is drawn of the outcome."""

    y: str = "outcome"
    x: str = "running variable"
    unit: str = "unit"
    support: tuple[float | None, float | None] = (None, None)

    @property
    def units(self) -> str:
        """The word units, with the user's name for one where there is one."""
        return "units" if self.unit == "unit" else f"units ({self.unit})"

    @property
    def bounds(self) -> tuple[float, float]:
        """Ends of the support, infinite where there is none."""
        low, high = self.support
        return (-np.inf if low is None else low), (np.inf if high is None else high)

    def clip(self, values: FloatArray) -> FloatArray:
        """Return values moved into the support, for pictures."""
        return np.asarray(np.clip(values, *self.bounds))


def names_of(
    columns: Columns,
    y_label: str | None,
    x_label: str | None,
    unit_label: str | None,
    support: tuple[float | None, float | None] | None,
) -> Names:
    """Return the labels given, else the names of columns, else plain words."""
    found: dict[str, Any] = {"y": y_label, "x": x_label, "unit": unit_label}
    for role, label in found.items():
        if label is not None and (not isinstance(label, str) or not label.strip()):
            raise DataError(f"{role}_label={label!r:.60}; give a few words, such as {role}_label='income'")
        found[role] = label or _named(getattr(columns, role))
    held = {role: label for role, label in found.items() if label is not None}
    return Names(**held, support=_check_support(support))


def _named(values: ArrayLike | None) -> str | None:
    """Return a column name, or the name of a Series."""
    name = values if isinstance(values, str) else getattr(values, "name", None)
    return name if isinstance(name, str) and name.strip() else None


def _check_support(support: object) -> tuple[float | None, float | None]:
    if support is None:
        return None, None
    if isinstance(support, (tuple, list)) and len(support) == 2:
        low, high = support
        if all(end is None or is_number(end) for end in support) and (None in (low, high) or low < high):
            return (None if low is None else float(low)), (None if high is None else float(high))
    raise DataError(
        f"support={support!r:.60}; give a pair (low, high) with low < high, None for no bound, such as (0, None)"
    )


def check_inside(names: Names, curves: FloatArray) -> None:
    """Refuse unit quantiles outside the support."""
    low, high = names.bounds
    found = float(curves.min()), float(curves.max())
    if found[0] < low or found[1] > high:
        raise DataError(
            f"support={names.support!r}, but quantiles of {names.y!r} span {found[0]:g} to {found[1]:g}; "
            "widen the support or mend the data"
        )
