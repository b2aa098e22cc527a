"""From the user's data to a `Sample`: every accepted form, every check.

Bad input raises a `DataError` that names what is wrong; what can be dropped is dropped with a
counted `DataWarning`, and the message is kept for the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError, as_frame, check_number, check_option, is_number, is_table
from fisc.core.arrays import AnyArray, FloatArray, IntArray
from fisc.core.frames import TableLike

from .files import is_lazy, is_relation, read_file, read_lazy, read_relation
from .notes import Notes
from .options import Missing, QuantileRule
from .quantiles import segment_quantiles, trapezoid_weights
from .sample import Sample, build_sample
from .segments import Reading, Segments, from_arrays, from_table
from .size_jump import SIZES_JUMP, SizeJump, size_jump
from .subsets import chosen_rows
from .variables import Columns, as_floats, as_rows, per_unit, some, unit_level

# Long micro-data, a Parquet or CSV file of them, or one array of values per unit.
Data: TypeAlias = TableLike | str | Path | Sequence[ArrayLike] | AnyArray

SHORTEST, LONGEST = 1e-20, 1e20  # reach of the running variable
PERCENTILES = np.arange(1, 100) / 100
VALUES_FOR_SIZES = 10  # distinct values of x a side from which a jump of the sizes is looked for


def check_quantiles(quantiles: ArrayLike | None) -> FloatArray:
    """Ascending probabilities strictly inside (0, 1); .01, .02, ..., .99 by default.

    Examples
    --------
    >>> check_quantiles([0.25, 0.5])
    array([0.25, 0.5 ])
    """
    if quantiles is None:
        return PERCENTILES.copy()
    try:
        q = np.atleast_1d(np.asarray(quantiles, dtype=float))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"quantiles={quantiles!r} are not numbers; give probabilities such as [0.1, 0.5, 0.9]"
        ) from error
    if q.ndim != 1 or q.size == 0:
        raise DataError(
            f"quantiles have shape {q.shape}; give a non-empty one-dimensional array of probabilities"
        )
    outside = q[~((q > 0.0) & (q < 1.0))]
    if outside.size:
        hint = "; these look like percentages: divide by 100" if q.max() > 1.0 and q.min() >= 0.0 else ""
        raise DataError(
            f"quantiles contain {outside[0]:g}; they must lie strictly inside (0, 1), because the ends of a "
            f"distribution have no limit theory{hint}"
        )
    steps = np.diff(q)
    if np.any(steps == 0.0):
        twice = q[1:][steps == 0.0][0]
        raise DataError(f"quantiles contain {twice:g} twice; pass numpy.unique(quantiles)")
    if np.any(steps < 0.0):
        raise DataError(
            f"quantiles must ascend, but {q[1:][steps < 0.0][0]:g} follows {q[:-1][steps < 0.0][0]:g}; "
            "pass numpy.sort(quantiles) (with a quantile matrix, sort its columns alike)"
        )
    return q


@dataclass(frozen=True)
class Source:
    """What the user gave as data, and how to read it."""

    data: Data | None
    columns: Columns
    quantile_matrix: ArrayLike | TableLike | None = None  # (n, m), unit quantiles computed elsewhere
    quantiles: ArrayLike | None = None
    cutoff: float = 0.0
    rule: QuantileRule = "auto"
    donut: float | tuple[float, float] = 0.0  # left out around the cutoff; (below, above) when a pair
    missing: Missing = "drop"
    continuous_treatment: bool = False
    subset: str | ArrayLike | None = None  # condition in SQL or mask of the rows to use
    glob: bool = False  # a path may be a pattern for several files
    sizes: ArrayLike | None = None  # (n,), values behind each row of quantile_matrix
    means: ArrayLike | None = None  # (n,), means of the units of quantile_matrix
    keep_plain: bool = False  # keep quantiles that ignore the weights too


def prepare(source: Source, notes: Notes) -> Sample:
    """Read any accepted form of data into a checked `Sample` in ascending x; `notes` receives what was dropped."""
    q = check_quantiles(source.quantiles)
    check_option("quantile_rule", source.rule, get_args(QuantileRule))
    cutoff = check_number("cutoff", source.cutoff, what="the threshold in units of x, a finite number")
    columns = source.columns
    if source.quantile_matrix is not None:
        if source.data is not None:
            raise DataError("both data and quantile_matrix were given; give one of them")
        if source.subset is not None:
            raise DataError(
                "subset= chooses rows of micro-data; with quantile_matrix= leave units out yourself"
            )
        sample = _from_matrix(source.quantile_matrix, source, q, notes)
        jump = _jump_of_sizes(sample, cutoff)
        if jump is not None and jump.p_value < SIZES_JUMP:
            notes.warn(f"{_sizes_differ(jump)}: give micro-data, or quantiles that do not depend on sizes")
        sample = replace(sample, size_jump=jump)
    else:
        if source.sizes is not None or source.means is not None:
            raise DataError(
                "sizes= and means= describe units of quantile_matrix=; micro-data tell them themselves"
            )
        sample = _from_micro(source, q, cutoff, notes)
    sample = replace(sample, x=sample.x - cutoff, cutoff=cutoff)
    _check_units(sample, columns, source.continuous_treatment)
    if sample.unit_weights is not None:
        sample = replace(sample, unit_weights=sample.unit_weights / sample.unit_weights.mean())
    sample = sample.take(np.argsort(sample.x, kind="stable"))
    if sample.clusters is not None:  # codes that do not depend on the order of the rows
        _, first, codes = np.unique(sample.clusters, return_index=True, return_inverse=True)
        sample = replace(sample, clusters=np.argsort(np.argsort(first))[codes])
    return _leave_donut(sample, source.donut, notes)


def read(data: Data | None, reading: Reading) -> Segments | Sample:
    """Bring any form of micro-data into segments (or, for huge ones, straight to quantiles)."""
    if data is None:
        raise DataError(
            "no data: give a long DataFrame with y=, x= and unit= column names, a list of arrays with x=, a path to "
            "a Parquet or CSV file, or quantile_matrix= with x="
        )
    if isinstance(data, (str, Path)):
        return read_file(Path(data), reading)
    if is_relation(data):
        return read_relation(data, reading)
    if is_lazy(data):
        return read_lazy(data, reading)
    if isinstance(data, np.ndarray) and data.dtype != object and data.ndim == 2:
        raise DataError(
            f"data is a numeric array of shape {data.shape}; if its rows are unit quantiles pass "
            "quantile_matrix=, if they are micro values pass list(data)"
        )
    if isinstance(data, Sequence) or (isinstance(data, np.ndarray) and data.dtype == object):
        if reading.subset is not None:
            raise DataError("subset= chooses rows of a table or file; leave arrays out of the list yourself")
        return from_arrays(data, reading)
    if is_table(data):
        table = as_frame("data", data)
        return from_table(table if reading.subset is None else chosen_rows(table, reading), reading)
    raise DataError(
        f"data is of type {type(data).__name__}; give a table (pandas, polars, Arrow, DuckDB), a path, a list of "
        "arrays or quantile_matrix="
    )


def _from_matrix(matrix: ArrayLike | TableLike, source: Source, q: FloatArray, notes: Notes) -> Sample:
    """Sample of quantiles computed elsewhere."""
    columns = source.columns
    curves = as_floats(as_rows("quantile_matrix", matrix), "quantile_matrix")
    if curves.ndim != 2:
        raise DataError(f"quantile_matrix has shape {curves.shape}; expected units x quantiles")
    if curves.shape[1] != q.size:
        missing = (
            "quantiles= was not given, and the default has" if source.quantiles is None else "quantiles has"
        )
        raise DataError(
            f"quantile_matrix has {curves.shape[1]} columns but {missing} {q.size} entries; give one per column"
        )
    if columns.y is not None or columns.weights is not None:
        raise DataError("y= and weights= describe micro-data; with quantile_matrix= leave them out")
    n = curves.shape[0]
    bad = ~np.isfinite(curves).all(axis=1)
    if bad.any():
        raise DataError(
            f"quantile_matrix is not finite in rows {some(np.flatnonzero(bad))}; leave these units out"
        )
    crossing = (np.diff(curves, axis=1) < -1e-9 * np.abs(curves).max()).any(axis=1)
    if crossing.any():
        notes.warn(
            f"{int(crossing.sum())} of {n} rows of quantile_matrix descend ({some(np.flatnonzero(crossing))}); "
            "a quantile function never does: check the order of columns"
        )
    labels = np.arange(n) if columns.unit is None else per_unit(columns.unit, n, "unit", numbers=False)
    level = unit_level(columns, n)
    means = curves @ trapezoid_weights(q) if source.means is None else per_unit(source.means, n, "means")
    if not np.isfinite(means).all():
        raise DataError("means= holds infinite numbers; give the mean of each unit")
    return build_sample(level, curves, labels, np.arange(n), n, q, _check_sizes(source.sizes, n), means)


def _check_sizes(sizes: ArrayLike | None, n: int) -> IntArray | None:
    """Return how many values are behind each unit: whole and positive."""
    if sizes is None:
        return None
    counts = per_unit(sizes, n, "sizes")
    if not (np.isfinite(counts) & (counts >= 1.0) & (counts == np.floor(counts))).all():
        raise DataError("sizes= must be whole numbers of at least 1: how many values each unit has")
    return np.asarray(counts, dtype=np.int64)


def _from_micro(source: Source, q: FloatArray, cutoff: float, notes: Notes) -> Sample:
    """Sample of micro-data; by default its quantiles are free of unit sizes where sizes jump at the cutoff."""
    rule = "linear" if source.rule == "auto" else source.rule
    reading = Reading(
        source.columns,
        q,
        rule,
        source.missing,
        notes,
        shares=source.continuous_treatment,
        subset=source.subset,
        glob=source.glob,
    )
    parts = read(source.data, reading)
    jump = _jump_of_sizes(parts, cutoff)
    if jump is not None and jump.p_value < SIZES_JUMP and rule != "size_free":
        words = _sizes_differ(jump)
        if source.rule == "auto":
            words += ": each unit's are computed as if all had equally many (quantile_rule='size_free')"
            reading = replace(reading, rule="size_free", notes=Notes(silent=True))
            if isinstance(parts, Sample):
                parts = read(source.data, reading)
        else:
            words += ": quantile_rule='size_free' makes units comparable"
        notes.warn(words)
    return replace(_sample_of(parts, reading, source.keep_plain), rule=reading.rule, size_jump=jump)


def _sizes_differ(jump: SizeJump) -> str:
    return f"unit sizes jump at the cutoff ({jump.words}), and quantiles of few values depend on how many they are"


def _jump_of_sizes(parts: Segments | Sample, cutoff: float) -> SizeJump | None:
    """Test whether sizes jump, where there are units enough on both sides."""
    sizes: IntArray | FloatArray | None
    if isinstance(parts, Sample):
        x, sizes, groups = parts.x - cutoff, parts.sizes, parts.clusters
    else:
        x, sizes = parts.unit_level["x"] - cutoff, parts.effective_sizes()
        groups = parts.unit_level.get("cluster")
    reach = float(np.abs(x).max())
    if sizes is None or not SHORTEST <= reach <= LONGEST:
        return None
    x = x / reach
    if min(np.unique(x[x < 0.0]).size, np.unique(x[x >= 0.0]).size) < VALUES_FOR_SIZES:
        return None
    order = np.argsort(x, kind="stable")
    codes = None if groups is None else np.unique(groups, return_inverse=True)[1][order]
    try:
        return size_jump(x[order], sizes[order], clusters=codes)
    except DataError:  # values of x that identify no polynomial; the fit says so where it matters
        return None


def _sample_of(segments: Segments | Sample, reading: Reading, keep_plain: bool) -> Sample:
    """Return unit quantiles of segments."""
    if isinstance(segments, Sample):
        return segments
    sample = build_sample(
        segments.unit_level,
        reading.quantiles(segments),
        segments.labels,
        segments.position,
        segments.n_given,
        reading.q,
        segments.sizes,
        segments.means(),
    )
    if keep_plain and segments.weights is not None:
        plain = segment_quantiles(segments.y, segments.starts, segments.sizes, reading.q)
        sample = replace(sample, plain_curves=plain)
    return sample


def _check_units(sample: Sample, columns: Columns, continuous_treatment: bool) -> None:
    """Finite x, both sides present, sensible treatment and unit weights."""
    name = columns.x if isinstance(columns.x, str) else "x"
    endless = ~np.isfinite(sample.x)
    if endless.any():
        raise DataError(f"{name!r} is infinite for units {some(sample.labels[endless])}; leave them out")
    reach = float(np.abs(sample.x).max())
    if not SHORTEST <= reach <= LONGEST and reach > 0.0:
        raise DataError(
            f"{name!r} reaches {reach:g} from the cutoff; give it in units that bring this between {SHORTEST:g} and "
            f"{LONGEST:g}, so that powers of distances stay finite"
        )
    n_plus = int(sample.plus.sum())
    if n_plus in (0, sample.x.size):
        low, high = float(sample.x.min()) + sample.cutoff, float(sample.x.max()) + sample.cutoff
        side = "at or above" if n_plus == 0 else "below"
        raise DataError(
            f"no unit lies {side} the cutoff {sample.cutoff:g} ({name!r} spans {low:g}..{high:g}); move the cutoff"
        )
    if sample.treatment is not None:
        t = sample.treatment
        name = columns.treatment if isinstance(columns.treatment, str) else "treatment"
        if not np.isfinite(t).all():
            raise DataError(f"{name!r} is not finite for units {some(sample.labels[~np.isfinite(t)])}")
        odd = (t != 0.0) & (t != 1.0)
        if odd.any() and not continuous_treatment:
            raise DataError(
                f"{name!r} takes values other than 0 and 1 (first: {t[odd][0]:g}); recode it, or pass "
                "continuous_treatment=True if it is a dose"
            )
        if np.ptp(t) == 0.0:
            raise DataError(
                f"{name!r} is {t[0]:g} for every unit: there is no first stage; leave treatment= out"
            )
    if sample.unit_weights is not None:
        w = sample.unit_weights
        bad = ~(np.isfinite(w) & (w > 0.0))
        if bad.any():
            raise DataError(
                f"unit_weights of units {some(sample.labels[bad])} are not positive and finite; fix or leave out"
            )


def _leave_donut(sample: Sample, donut: float | tuple[float, float], notes: Notes) -> Sample:
    """Leave out units too close to the cutoff."""
    pair = donut if isinstance(donut, tuple) else (donut, donut)
    if len(pair) != 2 or not all(is_number(d) and d >= 0.0 for d in pair):
        raise DataError(f"donut={donut!r}; give a distance >= 0, or a pair (below, above)")
    if pair == (0.0, 0.0) or not any(pair):
        return sample
    inside = np.where(sample.plus, sample.x < pair[1], -sample.x < pair[0])
    kept = sample.take(~inside)
    if not 0 < int(kept.plus.sum()) < kept.x.size:
        raise DataError(f"donut={donut!r} leaves no unit on one side of the cutoff; make it smaller")
    notes.messages.append(f"donut: {int(inside.sum())} units closer to the cutoff than {donut} are left out")
    return kept
