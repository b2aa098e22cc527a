"""From the bytes of a price file to a table of cells, whatever the file's name says."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from fisc.core.errors import CorruptFileError, DataError, nearest
from fisc.core.files import read_bytes
from fisc.core.numbers import decimal_sign
from fisc.data.prices.options import Decimal

__all__ = ["csv_dialect", "index_to_columns", "read_table"]

_SEPARATORS = (",", ";", "\t", "|")
_LOOKED_AT = 60  # lines that say how a table is written
_FEW_LINES = 3


def read_table(file: Path, encoding: str, decimal: Decimal | None = None) -> tuple[pd.DataFrame, str]:
    """Read a file's content, whatever its name says; return the decimal sign as well.

    `decimal` is what the user says it is, where the numbers do not tell.
    """
    if file.is_dir():
        raise DataError(f"{file} is a folder; give a CSV or Parquet file in it")
    if not file.exists():
        others = [other.name for other in file.parent.glob("*")] if file.parent.is_dir() else []
        guess = nearest(file.name, others)
        raise DataError(f"there is no file {file}" + (f"; did you mean {guess!r}?" if guess else ""))
    content = read_bytes(file)
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
    return _csv(content, encoding, file.name, decimal)


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


def _csv(content: bytes, encoding: str, where: str, given: Decimal | None) -> tuple[pd.DataFrame, str]:
    """Read CSV as texts, with one or two header lines."""
    try:
        # Excel's "Unicode text" begins so: a byte order mark and a letter of one byte.
        wide = content[:2] == b"\xff\xfe" and content[3:4] == b"\0"
        text = content.decode("utf-16" if wide else encoding)
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
    text, separator = _table_of(text)
    head = text.lstrip("\r\n").splitlines()[0]
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
    for name in [
        name for place, name in enumerate(header) if not name and (lines[place].iloc[1:] == "").all()
    ]:
        lines = lines.drop(columns=lines.columns[header.index(name)])  # every line ends with a separator
        header.remove(name)
    repeated = sorted({cell for cell in header if header.count(cell) > 1})
    if repeated:
        raise DataError(
            f"{where}: the column {repeated[0]!r} appears {header.count(repeated[0])} times; name each once"
        )
    table = lines.iloc[1:].reset_index(drop=True)
    table.columns = pd.Index(header, dtype=object)
    if given is not None:
        return table, given
    cells = [table.iloc[:, place] for place in range(1, table.shape[1])]
    return table, decimal_sign(cells, separator=separator, where=where)


def csv_dialect(text: str) -> tuple[str, str]:
    r"""Return the separator and the decimal sign of a CSV file from its first lines.

    Examples
    --------
    >>> csv_dialect("town;wage\na;1,5\nb;2,25\n"), csv_dialect("town,wage\na,1.5\n")
    ((';', ','), (',', '.'))
    """
    if not text.strip():
        return ",", "."
    text, separator = _table_of(text)
    try:
        rows = [row for row in csv.reader(text.splitlines()[:_LOOKED_AT], delimiter=separator) if row]
        cells = pd.DataFrame([row for row in rows[1:] if len(row) == len(rows[0])])
        return separator, decimal_sign(
            [cells[column] for column in cells], separator=separator, where="the file"
        )
    except (DataError, csv.Error):  # either will do; a reader of numbers refuses what does not fit
        return separator, "."


def _yfinance_csv(lines: pd.DataFrame, header: list[str]) -> pd.DataFrame:
    """Read the header that yfinance's download writes: fields, tickers, then a line "Date,,,"."""
    tickers = [str(cell).strip() for cell in lines.iloc[1]]
    skip = 3 if len(lines) > 2 and str(lines.iloc[2, 0]).strip().lower() in ("date", "datetime") else 2
    table = lines.iloc[skip:].reset_index(drop=True)
    table.columns = pd.MultiIndex.from_arrays([["Date", *header[1:]], ["", *tickers[1:]]])
    return table


def _table_of(text: str) -> tuple[str, str]:
    """Return the table in a text, and its separator: Excel's "sep=;" and lines about it above are left out."""
    lines = text.lstrip("\r\n").splitlines(keepends=True)
    declared = re.fullmatch(r'"?sep=(.)"?', lines[0].strip(), re.IGNORECASE)
    if declared:
        lines = lines[1:] or [""]
    body = [line for line in lines[:_LOOKED_AT] if line.strip()]
    # The separator is the one that most lines hold equally often; a decimal comma is not in the header.
    separator = max(_SEPARATORS, key=lambda mark: (body[0].count(mark) if body else 0, mark == ","))
    if not body or not body[0].count(separator) or len(body) < _FEW_LINES:
        separator = max(_SEPARATORS, key=lambda mark: sum(line.count(mark) > 0 for line in body))
    if declared:
        separator = declared[1]
    try:
        widths = [len(row) for row in csv.reader(body, delimiter=separator)]
    except csv.Error:  # what is wrong is said where the whole is read
        return "".join(lines), separator
    usual = max(set(widths), key=widths.count, default=1)
    top = next((i for i, width in enumerate(widths) if width == usual), 0)
    if usual > 1 and top and all(width < usual for width in widths[:top]):
        start = lines.index(body[top])
        return "".join(lines[start:]), separator
    return "".join(lines), separator
