"""Micro-data laid out unit by unit: from columns or lists to checked segments.

Missing values are dropped with a count; what cannot be repaired raises a `DataError` that names the
column, the rows and the units at fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csc_array

from fisc.core import DataError, as_frame, check_option
from fisc.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from fisc.core.frames import TableLike

from .notes import Notes
from .options import Missing, Rule
from .quantiles import segment_quantiles
from .size_free import common_size, size_free_quantiles
from .variables import Columns, as_floats, labels_of, per_unit, shown, some, unit_level

# Share of the units that may have fewer values than the common size and keep their own.
SHORT = 0.01


@dataclass(frozen=True)
class Reading:
    """How micro-data are to be read; `notes` receives what was dropped."""

    columns: Columns
    q: FloatArray  # (m,), probabilities
    rule: Rule
    missing: Missing
    notes: Notes
    with_x: bool = True
    shares: bool = False  # a treatment that varies within units counts as the share treated
    subset: str | ArrayLike | None = None  # condition in SQL or mask of the rows to use
    glob: bool = False  # a path may be a pattern for several files
    n0: int | None = None  # values a unit that size-free quantiles stand for; else from the units read

    def quantiles(self, segments: Segments) -> FloatArray:
        """Return unit quantiles, shape (n, m)."""
        if self.rule == "size_free":
            n0 = common_size(segments.effective_sizes(), SHORT) if self.n0 is None else self.n0
            return size_free_quantiles(
                segments.y, segments.starts, segments.sizes, self.q, n0, segments.weights
            )
        return segment_quantiles(
            segments.y, segments.starts, segments.sizes, self.q, self.rule, segments.weights
        )


@dataclass(frozen=True)
class Segments:
    """Micro-data laid out unit by unit, units in order of first appearance."""

    y: FloatArray  # (N,), finite
    weights: FloatArray | None  # (N,), positive
    starts: IntArray  # (n,), where units begin
    sizes: IntArray  # (n,), how many values they have
    labels: AnyArray  # (n,)
    position: IntArray  # (n,), rank among all units given, dropped ones included
    n_given: int  # units given
    unit_level: dict[str, AnyArray]  # x, treatment, unit_weights, cluster, covariates, where given
    known_means: FloatArray | None = None  # (n,), kept when the values are let go

    def without_values(self) -> Segments:
        """Return the same units with their means, but without their values."""
        return replace(self, y=np.empty(0), weights=None, known_means=self.means())

    def effective_sizes(self) -> FloatArray:
        """Values of each unit, shape (n,); with weights (sum w)^2 / sum w^2."""
        if self.weights is None:
            return self.sizes.astype(float)
        largest = np.maximum.reduceat(self.weights, self.starts)
        share = self.weights / np.repeat(largest, self.sizes)
        return np.asarray(np.add.reduceat(share, self.starts) ** 2 / np.add.reduceat(share**2, self.starts))

    def means(self) -> FloatArray:
        """Weighted mean of each unit, shape (n,)."""
        if self.known_means is not None:
            return self.known_means
        if self.weights is None:
            return np.asarray(np.add.reduceat(self.y, self.starts) / self.sizes)
        totals = np.add.reduceat(self.weights, self.starts)
        return np.asarray(np.add.reduceat(self.y * self.weights, self.starts) / totals)


def from_table(data: TableLike, reading: Reading, where: str = "the data") -> Segments:
    """Segments of long data, whose columns are named."""
    frame = as_frame("data", data)
    present = [str(c) for c in frame.columns]
    roles = reading.columns.names(present, where, with_x=reading.with_x)
    twice = sorted({n for names in roles.values() for n in names if present.count(n) > 1})
    if twice:
        raise DataError(f"column names {twice} stand more than once in the data; give each its own name")

    def column(role: str, place: int = 0) -> tuple[pd.Series[Any], str]:
        name = roles[role][place]
        return frame.iloc[:, present.index(name)], name

    y = as_floats(*column("y"))
    if y.size == 0:
        raise DataError("the data have no rows")
    weights = as_floats(*column("weights")) if "weights" in roles else None
    layout = _layout(*column("unit"))
    level: dict[str, AnyArray] = {}
    for role in ("x", "treatment", "unit_weights", "cluster"):
        if role in roles:
            values = labels_of(*column(role)) if role == "cluster" else as_floats(*column(role))
            if role == "treatment":
                level[role] = _treated(values, roles[role][0], layout, weights, reading)
            else:
                level[role] = _constant(values, roles[role][0], layout)
    if names := roles.get("covariates"):
        parts = [_constant(as_floats(*column("covariates", i)), name, layout) for i, name in enumerate(names)]
        level["covariates"] = np.column_stack(parts)
    order = layout.order
    if order is not None:
        y = y[order]
        weights = None if weights is None else weights[order]
    return _clean(y, weights, layout, level, reading)


@dataclass(frozen=True)
class _Layout:
    """Where the rows of each unit are; `order` sorts rows by unit, None when they already are."""

    order: IntArray | None
    starts: IntArray
    sizes: IntArray
    labels: AnyArray


def _layout(series: pd.Series[Any], name: str) -> _Layout:
    """Group rows by unit in order of first appearance, without sorting when units lie together."""
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


def counting_sort(codes: AnyArray, n: int) -> IntArray:
    """Row numbers grouped by code 0..n-1, in their order within a code; linear in the rows.

    Examples
    --------
    >>> import numpy as np
    >>> counting_sort(np.array([1, 0, 1, 0]), 2).tolist()
    [1, 3, 0, 2]
    """
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


def _treated(
    values: FloatArray, name: str, layout: _Layout, weights: FloatArray | None, reading: Reading
) -> FloatArray:
    """Treatment of each unit; the (weighted) share treated where it may vary within units."""
    if not reading.shares:
        what = (
            "a treatment that varies within units is a share of the unit: pass continuous_treatment=True to use the "
            "share treated, or check unit="
        )
        return np.asarray(_constant(values, name, layout, what))
    if np.isnan(values).any():
        return np.asarray(_constant(values, name, layout))  # says in which units
    mass = np.ones(values.size) if weights is None else np.where(weights > 0.0, weights, 0.0)
    if layout.order is not None:
        values, mass = values[layout.order], mass[layout.order]
    lowest, highest = (f.reduceat(values, layout.starts) for f in (np.minimum, np.maximum))
    varies = int(np.count_nonzero(lowest != highest))
    if not varies:
        return np.asarray(lowest)
    reading.notes.messages.append(f"{name!r} varies within {varies} units, which count by their mean of it")
    total = np.add.reduceat(mass, layout.starts)
    means = np.add.reduceat(values * mass, layout.starts) / np.where(total > 0.0, total, 1.0)
    return np.asarray(np.where(lowest == highest, lowest, means))


def _constant(
    values: AnyArray,
    name: str,
    layout: _Layout,
    hint: str = "it must be one value per unit: is unit= the right column?",
) -> AnyArray:
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
            f"{name!r} varies inside unit {shown(layout.labels[unit])} "
            f"({shown(first[unit])} and {shown(values[row])}); {hint}"
        )
    return first


def _clean(
    y: FloatArray, weights: FloatArray | None, layout: _Layout, level: dict[str, AnyArray], reading: Reading
) -> Segments:
    """Drop missing micro values with a count; refuse infinite ones and bad weights."""
    check_option("missing", reading.missing, get_args(Missing))
    name = reading.columns.y if isinstance(reading.columns.y, str) else "y"
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
        if reading.missing == "raise":
            raise DataError(f"the data hold {' and '.join(what)}; clean them or pass missing='drop'")
        sizes = np.add.reduceat(keep.astype(np.intp), starts)
        y = y[keep]
        weights = None if weights is None else weights[keep]
        empty = sizes == 0
        message = f"dropped {' and '.join(what)} of {keep.size} rows"
        if empty.any():
            message += f", which leaves {int(empty.sum())} units without values: {some(labels[empty])}"
        reading.notes.warn(message)
        if empty.all():
            raise DataError(f"no unit has a usable value of {name!r}")
        sizes, labels, position = sizes[~empty], labels[~empty], position[~empty]
        level = {key: values[~empty] for key, values in level.items()}
        starts = np.r_[0, np.cumsum(sizes)[:-1]]
    return Segments(y, weights, starts, sizes, labels, position, n_given, level)


def _check_weights(
    weights: FloatArray, keep: BoolArray, starts: IntArray, labels: AnyArray
) -> tuple[BoolArray, int]:
    """Refuse negative and infinite weights; rows with missing or zero weight are dropped."""
    bad = (weights < 0.0) | np.isinf(weights)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        unit = labels[int(np.searchsorted(starts, row, side="right") - 1)]
        raise DataError(
            f"{int(bad.sum())} weights are negative or infinite (first: {weights[row]:g} in unit {shown(unit)}); "
            "sampling weights must be positive and finite"
        )
    usable = weights > 0.0
    return keep & usable, int(np.count_nonzero(keep & ~usable))


def from_arrays(units: Sequence[ArrayLike] | AnyArray, reading: Reading) -> Segments:
    """Segments of one array a unit; the unit-level variables are arrays then."""
    n, columns = len(units), reading.columns
    if n == 0:
        raise DataError("data is an empty list; give one array of micro values per unit")
    arrays = [v if _is_plain(v) else _one_unit(v, i) for i, v in enumerate(units)]
    sizes = np.array([a.size for a in arrays], dtype=np.intp)
    labels = np.arange(n) if columns.unit is None else per_unit(columns.unit, n, "unit", numbers=False)
    if not sizes.all():
        raise DataError(f"units {some(labels[sizes == 0])} are empty; leave them out, together with their x")
    weights = None
    if columns.weights is not None:
        weights = _list_of_weights(columns.weights, sizes, labels)
    layout = _Layout(None, np.r_[0, np.cumsum(sizes)[:-1]], sizes, labels)
    level = unit_level(columns, n) if reading.with_x else {}
    y = np.concatenate(arrays)
    try:
        as_floats(y, "the data")  # at once, which is what makes many small units fast
    except DataError:
        for i, values in enumerate(arrays):
            as_floats(values, f"unit {i}")
        raise
    return _clean(y, weights, layout, level, reading)


def _is_plain(values: ArrayLike) -> TypeGuard[FloatArray]:
    """Tell whether values are what `_one_unit` would make of them."""
    return type(values) is np.ndarray and values.dtype == np.float64 and values.ndim == 1


def _one_unit(values: ArrayLike, number: int) -> FloatArray:
    """Return the values of one unit as a one-dimensional array of floats."""
    array = as_floats(values, f"unit {number}")
    if array.ndim != 1:
        raise DataError(
            f"unit {number} is an array of shape {array.shape}; give one-dimensional arrays of micro values"
        )
    return array


def _list_of_weights(weights: str | Sequence[ArrayLike], sizes: IntArray, labels: AnyArray) -> FloatArray:
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
            f"unit {shown(labels[i])} has {sizes[i]} values but {parts[i].size} weights"
            + (f" (and {len(wrong) - 1} more units like it)" if len(wrong) > 1 else "")
            + "; give one weight per value, or unit_weights= for one per unit"
        )
    return np.concatenate(parts)
