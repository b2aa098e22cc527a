"""Micro-data from files, folders, relations and lazy frames, also larger than memory.

Those of moderate size are read whole. Larger ones are streamed by DuckDB in blocks of complete units when
units lie together, and in passes over hashed groups of units when they do not; either way only the
units x quantiles matrix is kept.
"""

from __future__ import annotations

import glob
import gzip
import tempfile
from collections.abc import Hashable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import pandas as pd

from fisc.core import DataError, as_frame
from fisc.core.arrays import FloatArray
from fisc.data.prices.tables import csv_dialect

from .sample import Sample, build_sample
from .segments import SHORT, Reading, Segments, from_table
from .size_free import common_size
from .subsets import filtered

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.dataset
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

# Data with more rows than this are processed in blocks of about that many.
ROWS_IN_MEMORY = 8_000_000
_READERS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv"}
_KINDS = ".parquet, .csv, .csv.gz, .dta, .feather or a folder of Parquet files"
_HEAD = 1 << 16  # bytes that show how a CSV file is written


def is_relation(data: object) -> TypeGuard[DuckDBPyRelation]:
    """Tell whether `data` is a DuckDB relation, without importing DuckDB."""
    return type(data).__name__ == "DuckDBPyRelation"


def is_lazy(data: object) -> TypeGuard[pl.LazyFrame]:
    """Tell whether `data` is a polars LazyFrame, without importing polars."""
    return hasattr(type(data), "sink_parquet")


def read_file(path: Path, reading: Reading, where: str | None = None) -> Segments | Sample:
    """Segments of a file or a folder of Parquet files, or the finished sample when it is large."""
    import duckdb

    wild = glob.has_magic(str(path)) and not path.exists()
    if wild and not reading.glob:
        raise DataError(
            f"there is no file {str(path)!r}; if it is a pattern that stands for several Parquet files, pass glob=True"
        )
    if not wild and not path.exists():
        raise DataError(
            f"there is no file {str(path)!r}; check the path (it is relative to {str(Path.cwd())!r})"
        )
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        try:
            return read_relation(_rows(connection, path, wild), reading, where or repr(path.name))
        except duckdb.Error as error:
            reason = str(error).splitlines()[0][:200]
            raise DataError(
                f"{path.name!r} cannot be read: {reason}; check that the file is complete"
            ) from error


def _rows(connection: DuckDBPyConnection, path: Path, wild: bool) -> DuckDBPyRelation:
    """Return the rows of a file, of the Parquet files in a folder, or of those that a pattern stands for."""
    if wild or path.is_dir():
        found = (
            sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 -- an absolute pattern too
            if wild
            else sorted(map(str, path.rglob("*.parquet")))
        )
        if not found:
            raise DataError(f"{str(path)!r} holds no Parquet file; give {_KINDS}")
        other = [file for file in found if Path(file).suffix not in (".parquet", ".pq")]
        if other:
            raise DataError(
                f"{str(path)!r} stands for {other[0]!r} too, which is no Parquet file; narrow the pattern"
            )
        listed = ", ".join(_literal(file) for file in found)
        return connection.sql(f"SELECT * FROM read_parquet([{listed}], union_by_name = true)")
    if path.suffix == ".dta":
        return connection.from_df(_stata(path))
    if path.suffix in (".feather", ".arrow"):
        return connection.from_arrow(_feather(path))
    kind = next((_READERS[s] for s in reversed(path.suffixes) if s in _READERS), None)
    if kind is None:
        raise DataError(f"{path.name!r} is not a file type that can be read; give {_KINDS}")
    dialect = _dialect(path) if kind == "csv" else ""
    return connection.sql(f"SELECT * FROM read_{kind}({_literal(str(path))}{dialect})")


def _dialect(path: Path) -> str:
    """Return the options of a CSV file with decimal commas; others are recognised by DuckDB."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as handle:
            head = handle.read(_HEAD)
    except (OSError, EOFError):
        return ""  # DuckDB says what is wrong with it
    separator, decimal = csv_dialect(head.decode("utf-8-sig", errors="replace"))
    return f", delim = '{separator}', decimal_separator = ','" if decimal == "," else ""


def _stata(path: Path) -> pd.DataFrame:
    """Return a Stata file; labelled values keep their codes."""
    try:
        return pd.read_stata(path, convert_categoricals=False)
    except Exception as error:  # a damaged file makes pandas raise errors of many kinds
        raise DataError(f"{path.name!r} cannot be read as a Stata file ({error!s:.120})") from error


def _feather(path: Path) -> pa.dataset.Dataset:
    """Return a Feather or Arrow file, which is read block by block."""
    from pyarrow import ArrowInvalid
    from pyarrow.dataset import dataset

    try:
        return dataset(path, format="feather")
    except (ArrowInvalid, OSError) as error:
        raise DataError(f"{path.name!r} cannot be read as a Feather file ({error!s:.120})") from error


def read_lazy(frame: pl.LazyFrame, reading: Reading) -> Segments | Sample:
    """Segments of a lazy frame, whose needed columns go through a file and not through memory."""
    import polars as pl

    try:
        names = _needed(reading, frame.collect_schema().names(), "the data")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.parquet"
            (frame if reading.subset is not None else frame.select(names)).sink_parquet(path)
            return read_file(path, reading, "the data")
    except pl.exceptions.PolarsError as error:
        raise DataError(f"the lazy frame cannot be computed: {error}") from error


def read_relation(rows: DuckDBPyRelation, reading: Reading, where: str = "the data") -> Segments | Sample:
    """Segments of a relation, or the finished sample when it is large."""
    if reading.subset is not None:
        rows = _subset(rows, reading)
    chosen = rows.project(", ".join(map(_quote, _needed(reading, rows.columns, where))))
    count = _count(chosen)
    return from_table(chosen, reading, where) if count <= ROWS_IN_MEMORY else _large(chosen, reading, count)


def _subset(rows: DuckDBPyRelation, reading: Reading) -> DuckDBPyRelation:
    """Rows for which the condition holds."""
    if not isinstance(reading.subset, str):
        raise DataError("subset= of a file or relation is a condition in SQL, such as subset='year >= 2000'")
    kept = filtered(rows, reading.subset)
    reading.notes.messages.append(f"subset {reading.subset!r}: {_count(kept)} of {_count(rows)} rows")
    return kept


def _needed(reading: Reading, present: list[str], where: str) -> list[str]:
    roles = reading.columns.names(present, where, with_x=reading.with_x)
    return list(dict.fromkeys(name for names in roles.values() for name in names))


def _count(rows: DuckDBPyRelation) -> int:
    return int(rows.aggregate("count(*)").fetchall()[0][0])


def _large(rows: DuckDBPyRelation, reading: Reading, count: int) -> Sample:
    """Return unit quantiles block by block."""
    rows = _usable(rows, reading, count)
    if reading.rule == "size_free":
        reading = replace(reading, n0=_common_size(rows, reading))
    name = str(reading.columns.unit)
    parts: list[tuple[Segments, FloatArray]] = []
    seen: set[Hashable] = set()
    together = True
    for block in _stream(rows, name, ROWS_IN_MEMORY // 8):
        segments = from_table(block, reading)
        labels = segments.labels.tolist()
        if not seen.isdisjoint(labels):
            together = False
            break
        seen.update(labels)
        parts.append((segments.without_values(), reading.quantiles(segments)))
    if together:
        return _join(parts, reading)
    parts, unit = [], _quote(name)
    groups = int(np.ceil(count / ROWS_IN_MEMORY))
    for group in range(groups):
        segments = from_table(rows.filter(f"hash({unit}) % {groups} = {group}"), reading)
        parts.append((segments.without_values(), reading.quantiles(segments)))
    sample = _join(parts, reading)
    # First appearance in the data, to which the rows of explicit multipliers refer.
    numbered = rows.project(f"{unit} AS u, row_number() OVER () AS r")
    first = as_frame("data", numbered.aggregate("u, min(r) AS r", "u").order("r"))["u"]
    rank = {label: i for i, label in enumerate(first.tolist())}
    order = np.argsort([rank[label] for label in sample.labels.tolist()])
    return sample.take(order).numbered()


def _common_size(rows: DuckDBPyRelation, reading: Reading) -> int:
    """Count the values that size-free quantiles stand for, from the sizes of all units."""
    size = "count(*)"
    if reading.columns.weights is not None:
        w = _quote(str(reading.columns.weights))
        size = f"sum({w}) ^ 2 / sum({w} ^ 2)"
    sizes = rows.aggregate(f"{size} AS size", _quote(str(reading.columns.unit)))
    return common_size(np.array(sizes.fetchall(), dtype=float)[:, 0], SHORT)


def _usable(rows: DuckDBPyRelation, reading: Reading, count: int) -> DuckDBPyRelation:
    """Rows with a value (and a weight), after counting and reporting the others."""
    columns = reading.columns
    y = _quote(str(columns.y))
    condition = f"({y} IS NOT NULL AND NOT isnan(CAST({y} AS DOUBLE)))"
    if columns.weights is not None:
        w = _quote(str(columns.weights))
        condition += f" AND ({w} IS NOT NULL AND NOT isnan(CAST({w} AS DOUBLE)) AND {w} <> 0)"
    usable = rows.filter(condition)
    lost = count - _count(usable)
    if lost:
        if reading.missing == "raise":
            raise DataError(f"{lost} rows have no value of {columns.y!r}; clean them or pass missing='drop'")
        reading.notes.warn(f"dropped {lost} of {count} rows without a value of {columns.y!r} (or a weight)")
    return usable


def _stream(rows: DuckDBPyRelation, unit: str, rows_at_once: int) -> Iterator[pd.DataFrame]:
    """Blocks of rows that end where a unit ends, in the order of the data."""
    held: list[pd.DataFrame] = []
    count = 0
    batch: pa.RecordBatch
    for batch in rows.to_arrow_reader(rows_at_once):
        held.append(as_frame("data", batch))
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


def _join(parts: list[tuple[Segments, FloatArray]], reading: Reading) -> Sample:
    """One sample of all blocks."""
    blocks = [segments for segments, _ in parts]
    n = sum(b.starts.size for b in blocks)
    level = {key: np.concatenate([b.unit_level[key] for b in blocks]) for key in blocks[0].unit_level}
    if not reading.with_x:
        level["x"] = np.zeros(n)
    return build_sample(
        level,
        np.concatenate([curves for _, curves in parts]),
        np.concatenate([b.labels for b in blocks]),
        np.arange(n),
        n,
        reading.q,
        np.concatenate([b.sizes for b in blocks]),
        np.concatenate([b.means() for b in blocks]),
    )


def _quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _literal(path: str) -> str:
    """Return a path as a literal of SQL in which nothing stands for other names."""
    escaped = glob.escape(path).replace("'", "''")
    return f"'{escaped}'"
