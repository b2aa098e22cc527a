"""The small tables that travel inside the package."""

from __future__ import annotations

import io
from importlib import resources

import pandas as pd

from fisc.core.errors import DataError
from fisc.core.files import fingerprint
from fisc.core.history import Provenance, attach, version

__all__ = ["embedded_bytes", "read_table"]

# A fixed moment, so that loading twice gives the same provenance: the tables change only with
# the package's version.
_TIME = ""


def embedded_bytes(file_name: str) -> bytes:
    """Return the content of a file in ``fisc/data/tables``.

    Raises
    ------
    DataError
        If the installation lacks the file.
    """
    try:
        return (resources.files("fisc.data") / "tables" / file_name).read_bytes()
    except OSError as error:
        raise DataError(
            f"the packaged table {file_name!r} is missing from this installation; reinstall fisc"
        ) from error


def read_table(
    file_name: str,
    source: str,
    *,
    index_col: int | None = None,
    parse_dates: list[int] | list[str] | None = None,
) -> pd.DataFrame:
    """Read a packaged CSV file (or JSON lines) with its provenance; options as of ``pandas.read_csv``."""
    content = embedded_bytes(file_name)
    if file_name.endswith(".jsonl"):
        frame = pd.read_json(io.BytesIO(content), lines=True, dtype=False)
    else:
        frame = pd.read_csv(io.BytesIO(content), index_col=index_col, parse_dates=parse_dates)
    return attach(frame, embedded_provenance({file_name: content}, source))


def embedded_provenance(contents: dict[str, bytes], source: str, notes: tuple[str, ...] = ()) -> Provenance:
    """Describe a data set that is part of an installation; it carries no time of its own."""
    return Provenance(
        version=version(),
        options={},
        inputs={name: fingerprint(content) for name, content in contents.items()},
        seed=None,
        time=_TIME,
        notes=notes,
        source=source,
    )
