"""Micro-data from files, also larger than memory.

Files of moderate size are read whole. Larger ones are streamed by DuckDB in blocks of complete units
when units lie together in the file, and in passes over hashed groups of units when they do not; either
way only the units x quantiles matrix is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fisc.core import DataError, nearest

from .kernels import FloatArray
from .quantiles import Rule, segment_quantiles
from .sample import Sample, build_sample
from .segments import Columns, Missing, Notes, Segments, from_columns

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

# Files with more rows than this are processed in blocks of about that many.
ROWS_IN_MEMORY = 8_000_000
_READERS = {
    ".parquet": "read_parquet",
    ".pq": "read_parquet",
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".txt": "read_csv",
}


def read_file(
    path: Path,
    columns: Columns,
    missing: Missing,
    notes: Notes,
    q: FloatArray,
    rule: Rule,
    *,
    with_x: bool = True,
) -> Segments | Sample:
    """Segments of a file's micro-data, or the finished sample when the file is large.

    Parameters
    ----------
    path : Path
        Parquet, or CSV (also gzipped).
    columns : Columns
        Names of columns.
    missing : {"drop", "raise"}
        What to do with missing values.
    notes : Notes
        Receives what was dropped.
    q : array, shape (m,)
        Probabilities.
    rule : {"linear", "inverse_cdf", "weighted_hmisc"}
        Quantile rule.
    with_x : bool
        Whether a running variable is needed.

    Returns
    -------
    Segments or Sample
        With x not yet centred.
    """
    import duckdb

    if not path.exists():
        raise DataError(
            f"there is no file {str(path)!r}; check the path (it is relative to {str(Path.cwd())!r})"
        )
    suffix = next((s for s in reversed(path.suffixes) if s in _READERS), None)
    if suffix is None:
        raise DataError(f"{path.name!r} is not a file type that can be read; give .parquet, .csv or .csv.gz")
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        source = f"{_READERS[suffix]}({_text(str(path))})"
        try:
            present = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
            names = _names(columns, present, path, with_x)
            selected = ", ".join(_quote(n) for n in names)
            rows = int(connection.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0])
            if rows <= ROWS_IN_MEMORY:
                frame = connection.execute(f"SELECT {selected} FROM {source}").df()
                return from_columns(_table(frame), columns, missing, notes, with_x=with_x)
            return _large(connection, source, selected, columns, missing, notes, q, rule, with_x, rows)
        except duckdb.Error as error:
            reason = str(error).splitlines()[0][:200]
            raise DataError(
                f"{path.name!r} cannot be read: {reason}; check that the file is complete"
            ) from error


def _names(columns: Columns, present: list[str], path: Path, with_x: bool) -> list[str]:
    """Columns to read, each checked to exist."""
    wanted: list[str] = []
    for role in ("y", "x", "unit", "treatment", "weights", "unit_weights", "cluster", "covariates"):
        value = getattr(columns, role)
        if value is None:
            if role in ("y", "unit") or (role == "x" and with_x):
                raise DataError(
                    f"{role}= is missing: name the column of {path.name!r} (columns: {', '.join(present[:12])})"
                )
            continue
        for name in [value] if isinstance(value, str) else list(value):
            if name not in present:
                guess = nearest(name, present)
                hint = f"did you mean {guess!r}? " if guess else ""
                raise DataError(
                    f"{role}={name!r} is not a column of {path.name!r}; "
                    f"{hint}(columns: {', '.join(map(repr, present[:12]))})"
                )
            if name not in wanted:
                wanted.append(name)
    return wanted


def _large(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    selected: str,
    columns: Columns,
    missing: Missing,
    notes: Notes,
    q: FloatArray,
    rule: Rule,
    with_x: bool,
    rows: int,
) -> Sample:
    """Return unit quantiles block by block."""
    usable = _usable(connection, source, columns, missing, notes, rows)
    parts: list[tuple[Segments, FloatArray]] = []
    seen: set[Any] = set()
    together = True
    for block in _stream(connection, f"SELECT {selected} FROM {source} WHERE {usable}", str(columns.unit)):
        segments = from_columns(_table(block), columns, missing, notes, with_x=with_x)
        labels = segments.labels.tolist()
        if not seen.isdisjoint(labels):
            together = False
            break
        seen.update(labels)
        parts.append(_reduce(segments, q, rule))
    if not together:
        parts = []
        groups = int(np.ceil(rows / ROWS_IN_MEMORY))
        unit = _quote(str(columns.unit))
        for group in range(groups):
            query = f"SELECT {selected} FROM {source} WHERE {usable} AND hash({unit}) % {groups} = {group}"
            segments = from_columns(
                _table(connection.execute(query).df()), columns, missing, notes, with_x=with_x
            )
            parts.append(_reduce(segments, q, rule))
    sample = _join(parts, q, with_x)
    if together:
        return sample
    # First appearance in the file, to which the rows of explicit multipliers refer.
    unit = _quote(str(columns.unit))
    first = connection.execute(
        f"SELECT u FROM (SELECT {unit} AS u, row_number() OVER () AS r FROM {source} WHERE {usable}) "
        "GROUP BY u ORDER BY min(r)"
    ).df()["u"]
    rank = {label: i for i, label in enumerate(first.tolist())}
    order = np.argsort([rank[label] for label in sample.labels.tolist()])
    ordered = sample.take(order)
    return ordered.numbered()


def _usable(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Columns,
    missing: Missing,
    notes: Notes,
    rows: int,
) -> str:
    """Condition for rows with a value (and a weight), after counting and reporting the others."""
    y = _quote(str(columns.y))
    condition = f"({y} IS NOT NULL AND NOT isnan(CAST({y} AS DOUBLE)))"
    if columns.weights is not None:
        w = _quote(str(columns.weights))
        condition += f" AND ({w} IS NOT NULL AND NOT isnan(CAST({w} AS DOUBLE)) AND {w} <> 0)"
    kept = int(connection.execute(f"SELECT count(*) FROM {source} WHERE {condition}").fetchall()[0][0])
    if kept < rows:
        if missing == "raise":
            raise DataError(
                f"{rows - kept} rows have no value of {columns.y!r}; clean them or pass missing='drop'"
            )
        notes.warn(f"dropped {rows - kept} of {rows} rows without a value of {columns.y!r} (or a weight)")
    return condition


def _stream(
    connection: duckdb.DuckDBPyConnection, query: str, unit: str, rows_at_once: int = 1_000_000
) -> Iterator[pd.DataFrame]:
    """Blocks of rows that end where a unit ends, in the file's order."""
    import pandas as pd

    # A cursor of its own, so that other queries do not end the stream.
    cursor = connection.cursor()
    reader = cursor.sql(query).to_arrow_reader(rows_at_once)
    held: list[pd.DataFrame] = []
    count = 0
    for batch in reader:
        held.append(batch.to_pandas())
        count += len(held[-1])
        if count < ROWS_IN_MEMORY // 2:
            continue
        frame = pd.concat(held, ignore_index=True)
        last = frame[unit].to_numpy()
        tail = int(np.flatnonzero(last != last[-1])[-1]) + 1 if np.any(last != last[-1]) else 0
        if tail:
            yield frame.iloc[:tail]
        held = [frame.iloc[tail:].reset_index(drop=True)]
        count = len(held[0])
    if count:
        yield pd.concat(held, ignore_index=True)


def _reduce(segments: Segments, q: FloatArray, rule: Rule) -> tuple[Segments, FloatArray]:
    """Quantiles and means of a block; its micro values are let go."""
    curves = segment_quantiles(segments.y, segments.starts, segments.sizes, q, rule, segments.weights)
    return segments.without_values(), curves


def _join(parts: list[tuple[Segments, FloatArray]], q: FloatArray, with_x: bool) -> Sample:
    """One sample of all blocks, x not yet centred."""
    blocks = [segments for segments, _ in parts]
    n = sum(b.starts.size for b in blocks)
    level = {key: np.concatenate([b.unit_level[key] for b in blocks]) for key in blocks[0].unit_level}
    if not with_x:
        level["x"] = np.zeros(n)
    return build_sample(
        level,
        np.concatenate([curves for _, curves in parts]),
        np.concatenate([b.labels for b in blocks]),
        np.arange(n),
        n,
        q,
        0.0,
        np.concatenate([b.sizes for b in blocks]),
        np.concatenate([b.means() for b in blocks]),
    )


def _table(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): frame[name] for name in frame.columns}


def _quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _text(value: str) -> str:
    escaped = value.replace("'", "''")
    return f"'{escaped}'"
