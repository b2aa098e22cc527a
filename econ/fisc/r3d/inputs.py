"""From the user's data to a `Sample`: every accepted form, every check.

Bad input raises a `DataError` that names what is wrong; what can be dropped is dropped with a
counted `DataWarning`, and the message is kept for the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError, check_option, is_number

from .kernels import FloatArray
from .quantiles import RULES, Rule, segment_quantiles, trapezoid_weights
from .sample import Sample, build_sample
from .segments import (
    Columns,
    Missing,
    Notes,
    Segments,
    as_floats,
    as_frame,
    from_arrays,
    from_columns,
    per_unit,
    some,
    unit_level,
)

if TYPE_CHECKING:
    pass

SHORTEST, LONGEST = 1e-20, 1e20  # reach of the running variable
PERCENTILES = np.arange(1, 100) / 100


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


def prepare(
    data: Any,
    columns: Columns,
    *,
    quantile_matrix: ArrayLike | None,
    quantiles: ArrayLike | None,
    cutoff: float,
    rule: Rule,
    donut: float | tuple[float, float],
    missing: Missing,
    continuous_treatment: bool,
    notes: Notes,
    keep_plain: bool = False,
) -> Sample:
    """Read any accepted form of data into a checked `Sample` in ascending x.

    Parameters
    ----------
    data : DataFrame, path, sequence of arrays or None
        Long micro-data, a Parquet or CSV file of it, one array a unit, or nothing when
        `quantile_matrix` is given.
    columns : Columns
        Column names (long data) or arrays with one entry a unit.
    quantile_matrix : array, shape (n, m), optional
        Unit quantiles computed elsewhere.
    quantiles : array, optional
        Probabilities.
    cutoff : float
        Cutoff of the running variable.
    rule : {"linear", "inverse_cdf", "weighted_hmisc"}
        How unit quantiles are computed.
    donut : float or (float, float)
        Units closer to the cutoff than this are left out; (below, above) when a pair.
    missing : {"drop", "raise"}
        What to do with missing micro values.
    continuous_treatment : bool
        Whether a treatment other than 0 and 1 is allowed.
    notes : Notes
        Receives what was dropped.
    keep_plain : bool
        Keep quantiles that ignore the weights too.

    Returns
    -------
    Sample
        Units in ascending order of x.
    """
    q = check_quantiles(quantiles)
    check_option("quantile_rule", rule, RULES)
    if not is_number(cutoff):
        raise DataError(f"cutoff={cutoff!r} is not a finite number; give the threshold in units of x")
    if quantile_matrix is not None:
        if data is not None:
            raise DataError("both data and quantile_matrix were given; give one of them")
        sample = _from_matrix(quantile_matrix, columns, q, quantiles is None, cutoff, notes)
    else:
        parts = read_segments(data, columns, missing, notes, q, rule)
        sample = _from_segments(parts, q, rule, cutoff, keep_plain)
    _check_units(sample, columns, continuous_treatment)
    if sample.unit_weights is not None:
        sample = replace(sample, unit_weights=sample.unit_weights / sample.unit_weights.mean())
    sample = sample.take(np.argsort(sample.x, kind="stable"))
    if sample.clusters is not None:  # codes that do not depend on the order of the rows
        _, first, codes = np.unique(sample.clusters, return_index=True, return_inverse=True)
        sample = replace(sample, clusters=np.argsort(np.argsort(first))[codes])
    return _leave_donut(sample, donut, notes)


def read_segments(
    data: Any,
    columns: Columns,
    missing: Missing,
    notes: Notes,
    q: FloatArray,
    rule: Rule,
    *,
    with_x: bool = True,
) -> Segments | Sample:
    """Bring any form of micro-data into segments (or, for huge files, straight to quantiles)."""
    if data is None:
        raise DataError(
            "no data: give a long DataFrame with y=, x= and unit= column names, a list of arrays with x=, a path to "
            "a Parquet or CSV file, or quantile_matrix= with x="
        )
    if isinstance(data, (str, Path)):
        from .files import read_file

        return read_file(Path(data), columns, missing, notes, q, rule, with_x=with_x)
    if isinstance(data, np.ndarray) and data.dtype != object and data.ndim == 2:
        raise DataError(
            f"data is a numeric array of shape {data.shape}; if its rows are unit quantiles pass "
            "quantile_matrix=, if they are micro values pass list(data)"
        )
    if isinstance(data, Sequence) or (isinstance(data, np.ndarray) and data.dtype == object):
        return from_arrays(data, columns, missing, notes, with_x=with_x)
    frame = as_frame(data)
    names = [str(c) for c in frame.columns]
    wanted = {name for name in vars(columns).values() if isinstance(name, str)}
    twice = sorted({name for name in wanted if names.count(name) > 1})
    if twice:
        raise DataError(f"column names {twice} stand more than once in the data; give each its own name")
    table = {name: frame.iloc[:, i] for i, name in enumerate(names)}
    return from_columns(table, columns, missing, notes, with_x=with_x)


def _from_matrix(
    matrix: ArrayLike, columns: Columns, q: FloatArray, default_grid: bool, cutoff: float, notes: Notes
) -> Sample:
    """Sample of quantiles computed elsewhere."""
    curves = as_floats(matrix, "quantile_matrix")
    if curves.ndim != 2:
        raise DataError(f"quantile_matrix has shape {curves.shape}; expected units x quantiles")
    if curves.shape[1] != q.size:
        missing = "quantiles= was not given, and the default has" if default_grid else "quantiles has"
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
    means = curves @ trapezoid_weights(q)
    return build_sample(level, curves, labels, np.arange(n), n, q, cutoff, None, means)


def _from_segments(
    segments: Segments | Sample, q: FloatArray, rule: Rule, cutoff: float, keep_plain: bool
) -> Sample:
    """Return unit quantiles of segments."""
    if isinstance(segments, Sample):
        return replace(segments, x=segments.x - cutoff, cutoff=cutoff)
    curves = segment_quantiles(segments.y, segments.starts, segments.sizes, q, rule, segments.weights)
    sample = build_sample(
        segments.unit_level,
        curves,
        segments.labels,
        segments.position,
        segments.n_given,
        q,
        cutoff,
        segments.sizes,
        segments.means(),
    )
    if keep_plain and segments.weights is not None:
        plain = segment_quantiles(segments.y, segments.starts, segments.sizes, q)
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
