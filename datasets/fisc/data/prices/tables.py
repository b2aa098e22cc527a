"""From the bytes of a price file to a table of cells, whatever the file's name says."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from fisc.core.errors import CorruptFileError, DataError, nearest

__all__ = ["csv_dialect", "index_to_columns", "read_table"]

_SEPARATORS = (",", ";", "\t", "|")


def read_table(file: Path, encoding: str) -> tuple[pd.DataFrame, str]:
    """Read a file's content, whatever its name says; return the decimal sign as well."""
    if file.is_dir():
        raise DataError(f"{file} is a folder; give a CSV or Parquet file in it")
    if not file.exists():
        others = [other.name for other in file.parent.glob("*")] if file.parent.is_dir() else []
        guess = nearest(file.name, others)
        raise DataError(f"there is no file {file}" + (f"; did you mean {guess!r}?" if guess else ""))
    try:
        content = file.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorruptFileError(
            f"{file.name} is damaged: its gzip data end early or are wrong ({error})"
        ) from error
    except OSError as error:
        raise DataError(f"cannot read {file} ({error.strerror or error})") from error
    if not content.strip():
        raise DataError(f"{file.name} is empty; expected a table of prices")
    if content[:4] == b"PAR1":
        return _parquet(content, file.name), "."
    for magic, kind in (
        (b"PK\x03\x04", "a zip archive or Excel workbook"),
        (b"%PDF", "a PDF"),
        (b"\xd0\xcf", "Excel"),
    ):
        if content.startswith(magic):
            raise DataError(f"{file.name} is {kind}; save the table as CSV or Parquet")
    return _csv(content, encoding, file.name)


def _parquet(content: bytes, where: str) -> pd.DataFrame:
    """Read Parquet; an index that means something becomes columns."""
    try:
        table = pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise CorruptFileError(f"{where} is damaged: not readable as Parquet ({str(error)[:120]})") from error
    return index_to_columns(table)


def index_to_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with an index that is more than row numbers as its first columns."""
    if isinstance(table.index, pd.RangeIndex):
        return table
    if table.index.name is None:
        if isinstance(table.columns, pd.MultiIndex):
            table = table.rename_axis("Date")
        elif isinstance(table.index, pd.DatetimeIndex):
            table = table.rename_axis("date")
    return table.reset_index()


def _csv(content: bytes, encoding: str, where: str) -> tuple[pd.DataFrame, str]:
    """Read CSV as texts, with one or two header lines."""
    try:
        text = content.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(
            f"{where} is not text in {encoding} ({error}); pass encoding= (such as 'cp1252'), "
            "or save it as UTF-8"
        ) from error
    if text.lstrip()[:200].lower().startswith(("<!doctype", "<html", "<?xml", "{", "[")):
        raise DataError(
            f"{where} is a web page, XML or JSON, not a table (it begins {text.lstrip()[:30]!r}); was the "
            "download refused? Save the table itself as CSV"
        )
    separator, head = _separator(text)
    if not head.count(separator):
        raise DataError(
            f"{where}: one column only (its first line is {head[:60]!r}); expected columns separated by "
            "comma, semicolon, tab or bar"
        )
    try:
        lines = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
        )
    except pd.errors.ParserError as error:
        raise DataError(
            f"{where}: rows have different numbers of columns ({' '.join(str(error).split())}); remove lines "
            "that are not part of the table"
        ) from error
    lines = lines.fillna("")
    # lines of separators only, as spreadsheets leave at the end; few begin empty, so few are looked at
    begins_empty = np.flatnonzero(lines[0] == "")
    blank = begins_empty[(lines.iloc[begins_empty] == "").all(axis=1)]
    lines = lines.drop(index=blank.tolist())
    header = [str(cell).strip() for cell in lines.iloc[0]]
    first = header[0].lower()
    second = str(lines.iloc[1, 0]).strip().lower() if len(lines) > 1 else ""
    if {first, second} == {"price", "ticker"}:
        return _yfinance_csv(lines, header), "."
    repeated = sorted({cell for cell in header if header.count(cell) > 1})
    if repeated:
        raise DataError(
            f"{where}: the column {repeated[0]!r} appears {header.count(repeated[0])} times; name each once"
        )
    table = lines.iloc[1:].reset_index(drop=True)
    table.columns = pd.Index(header, dtype=object)
    return table, _decimal(table, separator)


def _separator(text: str) -> tuple[str, str]:
    """Return the sign that separates columns, and the first line."""
    head = text.lstrip("\r\n").splitlines()[0]
    return max(_SEPARATORS, key=head.count), head


def csv_dialect(text: str) -> tuple[str, str]:
    r"""Return the separator and the decimal sign of a CSV file from its first lines.

    Examples
    --------
    >>> csv_dialect("town;wage\na;1,5\nb;2,25\n"), csv_dialect("town,wage\na,1.5\n")
    ((';', ','), (',', '.'))
    """
    if not text.strip():
        return ",", "."
    separator, head = _separator(text)
    lines = [line.split(separator) for line in text.lstrip("\r\n").splitlines()[1:51]]
    width = len(head.split(separator))
    cells = pd.DataFrame([[cell.strip(' "') for cell in line] for line in lines if len(line) == width])
    if separator == "," or cells.empty:
        return separator, "."
    return separator, _decimal(cells.assign(first="")[["first", *cells.columns]], separator)


def _yfinance_csv(lines: pd.DataFrame, header: list[str]) -> pd.DataFrame:
    """Read the header that yfinance's download writes: fields, tickers, then a line "Date,,,"."""
    tickers = [str(cell).strip() for cell in lines.iloc[1]]
    skip = 3 if len(lines) > 2 and str(lines.iloc[2, 0]).strip().lower() in ("date", "datetime") else 2
    table = lines.iloc[skip:].reset_index(drop=True)
    table.columns = pd.MultiIndex.from_arrays([["Date", *header[1:]], ["", *tickers[1:]]])
    return table


def _decimal(table: pd.DataFrame, separator: str) -> str:
    """Say which decimal sign a table uses: a comma is possible only if it separates nothing."""
    if separator == ",":
        return "."
    cells = pd.concat([table[column].head(50) for column in table.columns[1:]]).astype("str").str.strip()
    commas = cells.str.fullmatch(r"[-+]?[\d.]*,\d+").sum()
    points = cells.str.fullmatch(r"[-+]?[\d,]*\.\d+").sum()
    return "," if commas > points else "."
