"""Micro-data laid out unit by unit: from columns or lists to checked segments.

Missing values are dropped with a count; what cannot be repaired raises a `DataError` that names the
column, the rows and the units at fault.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fisc.core import DataError, DataWarning, check_array, check_option, nearest

from .kernels import FloatArray
from .quantiles import IntArray

if TYPE_CHECKING:
    import pandas as pd

Missing = Literal["drop", "raise"]
LARGEST = 1e100  # of any number given: squares and their sums stay finite


@dataclass
class Notes:
    """Warnings given on the way; each is shown once and kept for the result."""

    messages: list[str] = field(default_factory=list)
    silent: bool = False

    def warn(self, message: str) -> None:
        """Keep a message and, unless silent, issue it as a `DataWarning` at the user's line."""
        self.messages.append(message)
        if self.silent:
            return
        level, frame = 2, sys._getframe(1)
        while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("fisc."):
            level, frame = level + 1, frame.f_back
        warnings.warn(message, DataWarning, stacklevel=level)


@dataclass(frozen=True)
class Columns:
    """Names of columns of long data, or arrays with one entry a unit for the other forms."""

    y: Any = None
    x: Any = None
    unit: Any = None
    treatment: Any = None
    weights: Any = None
    unit_weights: Any = None
    cluster: Any = None
    covariates: Any = None


@dataclass(frozen=True)
class Segments:
    """Micro-data laid out unit by unit, units in order of first appearance.

    Attributes
    ----------
    y : array, shape (N,)
        Finite values.
    weights : array, shape (N,), optional
        Positive weights.
    starts, sizes : int arrays, shape (n,)
        Where units begin and how many values they have.
    labels : array, shape (n,)
        Unit identifiers.
    position : int array, shape (n,)
        Rank of the unit among all units given, dropped ones included.
    n_given : int
        Units given.
    unit_level : dict of str to array, each of shape (n,) or (n, k)
        x, treatment, unit_weights, cluster, covariates, where given.
    known_means : array, shape (n,), optional
        Unit means, kept when the values are let go.
    """

    y: FloatArray
    weights: FloatArray | None
    starts: IntArray
    sizes: IntArray
    labels: NDArray[Any]
    position: IntArray
    n_given: int
    unit_level: dict[str, NDArray[Any]]
    known_means: FloatArray | None = None

    def without_values(self) -> Segments:
        """Return the same units with their means, but without their values."""
        return replace(self, y=np.empty(0), weights=None, known_means=self.means())

    def means(self) -> FloatArray:
        """Weighted mean of each unit, shape (n,)."""
        if self.known_means is not None:
            return self.known_means
        if self.weights is None:
            return np.asarray(np.add.reduceat(self.y, self.starts) / self.sizes)
        totals = np.add.reduceat(self.weights, self.starts)
        return np.asarray(np.add.reduceat(self.y * self.weights, self.starts) / totals)


def as_frame(data: Any) -> pd.DataFrame:
    """Return a pandas frame of anything tabular (pandas, polars, Arrow, DuckDB relations)."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if hasattr(data, "__arrow_c_stream__") and not isinstance(data, pd.Series):
        import pyarrow as pa

        try:
            frame: pd.DataFrame = pa.table(data).to_pandas()
        except pa.ArrowInvalid as error:
            raise DataError(f"data is a {type(data).__name__} that is no table ({error})") from error
        return frame
    if hasattr(data, "__dataframe__"):
        from pandas.api.interchange import from_dataframe

        return from_dataframe(data)
    raise DataError(
        f"data is a {type(data).__name__}; give a DataFrame (pandas, polars, Arrow), a path, a list of arrays "
        "or quantile_matrix="
    )


def _column(table: dict[str, Any], name: Any, role: str) -> Any:
    """Return a column by name, or an error that lists what there is."""
    if not isinstance(name, str):
        raise DataError(
            f"{role}={name!r} is not a column name; with long data every variable is named by its column"
        )
    if name not in table:
        guess = nearest(name, table)
        hint = f"did you mean {guess!r}? " if guess else ""
        listed = ", ".join(map(repr, list(table)[:12]))
        raise DataError(f"{role}={name!r} is not a column of the data; {hint}(columns: {listed})")
    return table[name]


def as_floats(values: Any, name: str) -> FloatArray:
    """Numbers as float64, or an error that shows the first entry that is none."""
    import pandas as pd

    if getattr(getattr(values, "dtype", None), "kind", "") in ("M", "m"):
        raise DataError(
            f"{name!r} holds dates or durations; turn them into numbers first, such as days from the cutoff"
        )
    if getattr(getattr(values, "dtype", None), "kind", "") == "c":
        raise DataError(f"{name!r} holds complex numbers; give real ones")
    try:
        if isinstance(values, pd.Series):
            floats = values.to_numpy(dtype=float, na_value=np.nan)
        else:
            floats = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        numbers = pd.to_numeric(pd.Series(values), errors="coerce")
        bad = pd.Series(values)[numbers.isna() & pd.Series(values).notna()]
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


def from_columns(
    table: dict[str, Any], columns: Columns, missing: Missing, notes: Notes, *, with_x: bool = True
) -> Segments:
    """Segments of long data given as columns by name."""
    needed = ("y", "x", "unit") if with_x else ("y", "unit")
    for role in needed:
        if getattr(columns, role) is None:
            raise DataError(
                f"{role}= is missing: long data need the column names {', '.join(r + '=' for r in needed)}"
            )
    unit = _column(table, columns.unit, "unit")
    y = as_floats(_column(table, columns.y, "y"), columns.y)
    if y.size == 0:
        raise DataError("the data have no rows")
    weights = None
    if columns.weights is not None:
        weights = as_floats(_column(table, columns.weights, "weights"), columns.weights)
    layout = _layout(unit, columns.unit)
    level: dict[str, NDArray[Any]] = {}
    for role in ("x", "treatment", "unit_weights", "cluster"):
        name = getattr(columns, role)
        if name is not None:
            raw = _column(table, name, role)
            values = labels_of(raw, name) if role == "cluster" else as_floats(raw, name)
            level[role] = _constant(values, name, layout)
    if columns.covariates is not None:
        names = [columns.covariates] if isinstance(columns.covariates, str) else columns.covariates
        if not isinstance(names, (list, tuple)) or not names:
            raise DataError(f"covariates={names!r:.80}; give the name of a column, or a list of names")
        parts = [_constant(as_floats(_column(table, c, "covariates"), c), c, layout) for c in names]
        level["covariates"] = np.column_stack(parts)
    order = layout.order
    if order is not None:
        y = y[order]
        weights = None if weights is None else weights[order]
    return _clean(y, weights, layout, level, missing, notes, columns)


@dataclass(frozen=True)
class _Layout:
    """Where the rows of each unit are; `order` sorts rows by unit, None when they already are."""

    order: IntArray | None
    starts: IntArray
    sizes: IntArray
    labels: NDArray[Any]


def _layout(unit: Any, name: str) -> _Layout:
    """Group rows by unit in order of first appearance, without sorting when units lie together."""
    import pandas as pd

    series = unit if isinstance(unit, pd.Series) else pd.Series(unit)
    lost = int(series.isna().sum())
    if lost:
        raise DataError(
            f"{name!r} (unit) is missing in {lost} rows; every row must belong to a unit: drop or label them"
        )
    raw = series.to_numpy()
    if raw.dtype.kind in "iuf":
        keys, uniques = raw, None
    else:
        try:
            keys, uniques = pd.factorize(series)
        except TypeError as error:
            raise DataError(
                f"{name!r} (unit) holds entries that cannot be labels ({error}); label units by numbers or text"
            ) from error
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    heads = keys[starts]
    if uniques is None and pd.unique(heads).size != heads.size:
        keys, uniques = pd.factorize(series)
        starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
        heads = keys[starts]
    if uniques is None:
        return _Layout(None, starts, np.diff(np.r_[starts, keys.size]), heads)
    if heads.size == len(uniques):
        return _Layout(None, starts, np.diff(np.r_[starts, keys.size]), np.asarray(uniques)[heads])
    order = counting_sort(keys, len(uniques))
    sizes = np.bincount(keys, minlength=len(uniques))
    return _Layout(order, np.r_[0, np.cumsum(sizes)[:-1]], sizes, np.asarray(uniques))


def counting_sort(codes: NDArray[Any], n: int) -> IntArray:
    """Row numbers grouped by code 0..n-1, in their order within a code; linear in the rows.

    Examples
    --------
    >>> import numpy as np
    >>> counting_sort(np.array([1, 0, 1, 0]), 2).tolist()
    [1, 3, 0, 2]
    """
    from scipy.sparse import csc_array

    rows = np.arange(codes.size, dtype=np.int32 if codes.size < 2**31 else np.int64)
    one_per_column = csc_array(
        (
            np.ones(codes.size, dtype=np.int8),
            codes.astype(rows.dtype),
            np.arange(codes.size + 1, dtype=rows.dtype),
        ),
        shape=(n, codes.size),
    )
    return np.asarray(one_per_column.tocsr().indices, dtype=np.intp)


def labels_of(values: Any, name: str) -> NDArray[Any]:
    """Cluster labels as an array; missing labels are an error."""
    import pandas as pd

    series = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))
    lost = int(series.isna().sum())
    if lost:
        raise DataError(f"{name!r} (cluster) is missing in {lost} rows; label every unit's cluster")
    return series.to_numpy()


def _constant(values: NDArray[Any], name: str, layout: _Layout) -> NDArray[Any]:
    """One value a unit, after checking that it does not vary inside units."""
    if layout.order is not None:
        values = values[layout.order]
    first = values[layout.starts]
    differs = values != np.repeat(first, layout.sizes)
    if values.dtype.kind == "f":
        lost = np.isnan(values)
        if lost.any():
            units = layout.labels[
                np.unique(np.searchsorted(layout.starts, np.flatnonzero(lost), side="right") - 1)
            ]
            raise DataError(
                f"{name!r} is missing in {int(lost.sum())} rows of units {some(units)}; "
                f"drop them first, for instance data.dropna(subset=[{name!r}])"
            )
    if differs.any():
        row = int(np.flatnonzero(differs)[0])
        unit = int(np.searchsorted(layout.starts, row, side="right") - 1)
        raise DataError(
            f"{name!r} varies inside unit {_plain(layout.labels[unit])} "
            f"({_plain(first[unit])} and {_plain(values[row])}); it must be "
            "one value per unit: is unit= the right column?"
        )
    return first


def _clean(
    y: FloatArray,
    weights: FloatArray | None,
    layout: _Layout,
    level: dict[str, NDArray[Any]],
    missing: Missing,
    notes: Notes,
    columns: Columns,
) -> Segments:
    """Drop missing micro values with a count; refuse infinite ones and bad weights."""
    check_option("missing", missing, ("drop", "raise"))
    name = columns.y if isinstance(columns.y, str) else "y"
    starts, sizes, labels = layout.starts, layout.sizes, layout.labels
    position = np.arange(starts.size)
    n_given = starts.size
    keep = np.isfinite(y)
    if not keep.all():
        endless = np.isinf(y)
        if endless.any():
            units = labels[np.unique(np.searchsorted(starts, np.flatnonzero(endless), side="right") - 1)]
            raise DataError(
                f"{name!r} is infinite in {int(endless.sum())} rows (units {some(units)}); remove or cap them"
            )
    lost_y = int(y.size - np.count_nonzero(keep))
    lost_w = 0
    if weights is not None:
        keep, lost_w = _check_weights(weights, keep, starts, labels)
    if lost_y or lost_w:
        what = [f"{lost_y} missing values of {name!r}"] * bool(lost_y) + [
            f"{lost_w} rows with weight missing or 0"
        ] * bool(lost_w)
        if missing == "raise":
            raise DataError(f"the data hold {' and '.join(what)}; clean them or pass missing='drop'")
        sizes = np.add.reduceat(keep.astype(np.intp), starts)
        y = y[keep]
        weights = None if weights is None else weights[keep]
        empty = sizes == 0
        message = f"dropped {' and '.join(what)} of {keep.size} rows"
        if empty.any():
            message += f", which leaves {int(empty.sum())} units without values: {some(labels[empty])}"
        notes.warn(message)
        if empty.all():
            raise DataError(f"no unit has a usable value of {name!r}")
        sizes, labels, position = sizes[~empty], labels[~empty], position[~empty]
        level = {key: values[~empty] for key, values in level.items()}
        starts = np.r_[0, np.cumsum(sizes)[:-1]]
    return Segments(y, weights, starts, sizes, labels, position, n_given, level)


def _check_weights(
    weights: FloatArray, keep: NDArray[np.bool_], starts: IntArray, labels: NDArray[Any]
) -> tuple[NDArray[np.bool_], int]:
    """Refuse negative and infinite weights; rows with missing or zero weight are dropped."""
    bad = (weights < 0.0) | np.isinf(weights)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        unit = labels[int(np.searchsorted(starts, row, side="right") - 1)]
        raise DataError(
            f"{int(bad.sum())} weights are negative or infinite (first: {weights[row]:g} in unit {_plain(unit)}); "
            "sampling weights must be positive and finite"
        )
    usable = weights > 0.0
    return keep & usable, int(np.count_nonzero(keep & ~usable))


def from_arrays(
    units: Any, columns: Columns, missing: Missing, notes: Notes, *, with_x: bool = True
) -> Segments:
    """Segments of one array a unit; the unit-level variables are arrays then."""
    n = len(units)
    if n == 0:
        raise DataError("data is an empty list; give one array of micro values per unit")
    arrays = []
    for i, values in enumerate(units):
        array = as_floats(values, f"unit {i}")
        if array.ndim != 1:
            raise DataError(
                f"unit {i} is an array of shape {array.shape}; give one-dimensional arrays of micro values"
            )
        arrays.append(array)
    sizes = np.array([a.size for a in arrays], dtype=np.intp)
    labels = np.arange(n) if columns.unit is None else per_unit(columns.unit, n, "unit", numbers=False)
    if not sizes.all():
        raise DataError(f"units {some(labels[sizes == 0])} are empty; leave them out, together with their x")
    weights = None
    if columns.weights is not None:
        weights = _list_of_weights(columns.weights, sizes, labels)
    layout = _Layout(None, np.r_[0, np.cumsum(sizes)[:-1]], sizes, labels)
    level = unit_level(columns, n) if with_x else {}
    return _clean(np.concatenate(arrays), weights, layout, level, missing, notes, columns)


def _list_of_weights(weights: Any, sizes: IntArray, labels: NDArray[Any]) -> FloatArray:
    """Weights as one array a unit, of the units' lengths."""
    if isinstance(weights, str) or not hasattr(weights, "__len__") or len(weights) != sizes.size:
        raise DataError(
            f"weights must be a list with one array per unit ({sizes.size} units), as the data are; "
            "for one weight per unit use unit_weights="
        )
    parts = [np.atleast_1d(as_floats(w, f"weights of unit {i}")) for i, w in enumerate(weights)]
    wrong = [i for i, part in enumerate(parts) if part.size != sizes[i]]
    if wrong:
        i = wrong[0]
        raise DataError(
            f"unit {_plain(labels[i])} has {sizes[i]} values but {parts[i].size} weights"
            + (f" (and {len(wrong) - 1} more units like it)" if len(wrong) > 1 else "")
            + "; give one weight per value, or unit_weights= for one per unit"
        )
    return np.concatenate(parts)


def per_unit(values: Any, n: int, name: str, *, numbers: bool = True) -> NDArray[Any]:
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


def unit_level(columns: Columns, n: int) -> dict[str, NDArray[Any]]:
    """Unit-level arrays of list and matrix input."""
    if columns.x is None:
        raise DataError(f"x= is missing: give the running variable of the {n} units as an array")
    level: dict[str, NDArray[Any]] = {}
    for role in ("x", "treatment", "unit_weights"):
        values = getattr(columns, role)
        if values is not None:
            level[role] = per_unit(values, n, role)
    if columns.cluster is not None:
        level["cluster"] = labels_of(per_unit(columns.cluster, n, "cluster", numbers=False), "cluster")
    if columns.covariates is not None:
        matrix = check_array("covariates", columns.covariates, what=f"{n} rows of numbers", missing=True)
        matrix = matrix[:, None] if matrix.ndim == 1 else matrix
        if matrix.ndim != 2 or matrix.shape[0] != n or not np.isfinite(matrix).all():
            raise DataError(f"covariates have shape {matrix.shape}; expected {n} rows of finite numbers")
        level["covariates"] = matrix
    return level


def some(values: NDArray[Any]) -> str:
    """Up to five entries of an array, in words."""
    shown = ", ".join(str(v) for v in np.asarray(values)[:5].tolist())
    return shown + (f" and {len(values) - 5} more" if len(values) > 5 else "")


def _plain(value: Any) -> str:
    """Return one label or number as Python writes it, without the name of its numpy type."""
    return repr(value.item() if isinstance(value, np.generic) else value)
