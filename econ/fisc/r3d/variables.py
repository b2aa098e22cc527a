"""Variables as the user gives them: columns by name, numbers, labels, one entry a unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fisc.core import DataError, as_frame, check_array, is_number, is_table, nearest
from fisc.core.arrays import AnyArray, FloatArray
from fisc.core.frames import TableLike

LARGEST = 1e100  # of any number given: squares and their sums stay finite


@dataclass(frozen=True)
class Columns:
    """Names of columns of long data, or arrays with one entry a unit for the other forms."""

    y: str | None = None
    x: ArrayLike | None = None
    unit: ArrayLike | None = None
    treatment: ArrayLike | None = None
    weights: str | Sequence[ArrayLike] | None = None
    unit_weights: ArrayLike | None = None
    cluster: ArrayLike | None = None
    covariates: ArrayLike | None = None

    def names(self, present: Sequence[str], where: str, *, with_x: bool = True) -> dict[str, list[str]]:
        """Return the columns of each role in long data, or raise an error that lists those `present`."""
        needed = ("y", "x", "unit") if with_x else ("y", "unit")
        listed = ", ".join(map(repr, present[:12]))
        found: dict[str, list[str]] = {}
        for role in (f.name for f in fields(self)):
            given: Any = getattr(self, role)
            if given is None:
                if role in needed:
                    raise DataError(
                        f"{role}= is missing: long data need the column names {', '.join(r + '=' for r in needed)} "
                        f"(columns: {listed})"
                    )
                continue
            several = role == "covariates" and not isinstance(given, str)
            if several and (not isinstance(given, (list, tuple)) or not given):
                raise DataError(f"covariates={given!r:.80}; give the name of a column, or a list of names")
            held: list[object] = list(given) if several else [given]
            found[role] = []
            for name in held:
                if not isinstance(name, str):
                    raise DataError(_no_name(role, name, present))
                found[role].append(name)
                if name not in present:
                    guess = nearest(name, present)
                    hint = f"did you mean {guess!r}? " if guess else ""
                    raise DataError(f"{role}={name!r} is not a column of {where}; {hint}(columns: {listed})")
        return found


def _no_name(role: str, given: object, present: Sequence[str]) -> str:
    """Return what is wrong with something in place of a column's name."""
    own = getattr(given, "name", None)
    if isinstance(own, str) and own in present:
        return f"{role}= is a {type(given).__name__}, not a column name: give its name, {role}={own!r}"
    what = repr(given) if is_number(given) or given is None else f"of type {type(given).__name__}"
    return f"{role}={what} is not a column name; with long data every variable is named by its column"


def as_floats(values: ArrayLike | pd.Series[Any], name: str) -> FloatArray:
    """Numbers as float64, or an error that shows the first other entry."""
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind in ("M", "m"):
        raise DataError(
            f"{name!r} holds dates or durations; turn them into numbers first, such as days from the cutoff"
        )
    if kind == "c":
        raise DataError(f"{name!r} holds complex numbers; give real ones")
    try:
        if isinstance(values, pd.Series):
            floats = values.to_numpy(dtype=float, na_value=np.nan)
        else:
            floats = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        series = pd.Series(values)
        bad = series[pd.to_numeric(series, errors="coerce").isna() & series.notna()]
        first = f" (first: {bad.iloc[0]!r})" if len(bad) else ""
        raise DataError(
            f"{name!r} holds {len(bad)} entries that are not numbers{first}; convert the column"
        ) from error
    return _within_reach(floats, name)


def _within_reach(floats: FloatArray, name: str) -> FloatArray:
    """Refuse finite numbers so large that their squares are not."""
    size = max(
        float(np.fmax.reduce(floats, axis=None, initial=0.0)),
        -float(np.fmin.reduce(floats, axis=None, initial=0.0)),
    )
    if LARGEST < size < np.inf:
        raise DataError(
            f"{name!r} holds numbers as large as {size:g}; give it in larger units (up to {LARGEST:g})"
        )
    return floats


def as_rows(name: str, values: ArrayLike | TableLike) -> ArrayLike:
    """Return a table without its labels, anything else as it is."""
    return as_frame(name, values).to_numpy() if is_table(values) else cast(ArrayLike, values)


def labels_of(values: ArrayLike | pd.Series[Any], name: str) -> AnyArray:
    """Cluster labels as an array; missing labels are an error."""
    series = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))
    lost = int(series.isna().sum())
    if lost:
        raise DataError(f"{name!r} (cluster) is missing in {lost} rows; label every unit's cluster")
    return series.to_numpy()


def per_unit(values: ArrayLike, n: int, name: str, *, numbers: bool = True) -> AnyArray:
    """Return a unit-level array of length n."""
    if isinstance(values, str):
        raise DataError(
            f"{name}={values!r} is a column name, but the data are not a table; give an array with {n} entries"
        )
    array = as_floats(values, name) if numbers else np.asarray(values)
    if array.ndim != 1 or array.size != n:
        raise DataError(f"{name} has shape {array.shape}; expected one entry for each of the {n} units")
    if numbers and np.isnan(array).any():
        where = np.flatnonzero(np.isnan(array))
        raise DataError(
            f"{name} is missing for {where.size} units (positions {some(where)}); leave these units out"
        )
    return array


def unit_level(columns: Columns, n: int) -> dict[str, AnyArray]:
    """Unit-level arrays of list and matrix input."""
    if columns.x is None:
        raise DataError(f"x= is missing: give the running variable of the {n} units as an array")
    level: dict[str, AnyArray] = {}
    for role in ("x", "treatment", "unit_weights"):
        values = getattr(columns, role)
        if values is not None:
            level[role] = per_unit(values, n, role)
    if columns.cluster is not None:
        level["cluster"] = labels_of(per_unit(columns.cluster, n, "cluster", numbers=False), "cluster")
    if columns.covariates is not None:
        rows = as_rows("covariates", columns.covariates)
        matrix = check_array("covariates", rows, what=f"{n} rows of numbers", missing=True)
        matrix = matrix[:, None] if matrix.ndim == 1 else matrix
        if matrix.ndim != 2 or matrix.shape[0] != n or not np.isfinite(matrix).all():
            raise DataError(f"covariates have shape {matrix.shape}; expected {n} rows of finite numbers")
        level["covariates"] = matrix
    return level


def some(values: AnyArray) -> str:
    """Up to five entries of an array, in words."""
    shown = ", ".join(str(v) for v in np.asarray(values)[:5].tolist())
    return shown + (f" and {len(values) - 5} more" if len(values) > 5 else "")


def shown(value: object) -> str:
    """Return one label or number as Python writes it, without the name of its numpy type."""
    return repr(value.item() if isinstance(value, np.generic) else value)
