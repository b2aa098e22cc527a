"""Data sets on disk: Parquet files with a JSON card, built once, verified any time."""

from __future__ import annotations

import dataclasses
import importlib
import io
import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from fisc.core.errors import CorruptFileError, DataError, nearest
from fisc.core.files import PART, atomic_write, fingerprint, locked, sha256_file
from fisc.core.history import provenance, version
from fisc.core.locations import folder
from fisc.core.result import Record
from fisc.data.cards import Card, card, catalogue

__all__ = ["Built", "Check", "Part", "build", "buildable", "verify"]

# Layout of the JSON card beside each Parquet file.
_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Part:
    """A piece of a data set that can be built, kept and resumed by itself.

    Attributes
    ----------
    name : str
        Unique within the data set; becomes a file name.
    key : str
        Fingerprint of what the piece is made from: another key, another piece.
    make : callable
        Returns the piece as a DataFrame.
    """

    name: str
    key: str
    make: Callable[[], pd.DataFrame]


@dataclasses.dataclass(frozen=True)
class Built(Record):
    """What `build` did.

    Attributes
    ----------
    name : str
        The data set.
    data, card : pathlib.Path
        The Parquet file and its JSON card.
    rows : int
        Rows of the Parquet file.
    rebuilt : bool
        False if everything was there already and nothing was written.
    parts_made, parts_kept : int
        Pieces made now, and pieces left by an interrupted build.
    """

    name: str
    data: Path
    card: Path
    rows: int
    rebuilt: bool
    parts_made: int = 0
    parts_kept: int = 0


@dataclasses.dataclass(frozen=True)
class Check:
    """One file looked at by `verify`: its path, and what is wrong (empty if nothing is)."""

    path: Path
    problem: str = ""

    @property
    def ok(self) -> bool:
        """True if the file is what its card says."""
        return not self.problem


Progress = Callable[[str, int, int], None]


def _quiet(name: str, done: int, total: int) -> None:
    """Show nothing."""


def buildable() -> list[str]:
    """Return the names of the data sets that `build` can make.

    Examples
    --------
    >>> "sp500" in buildable()
    True
    """
    return [c.name for c in catalogue() if c.kind in {"embedded", "built", "fetched"}]


def build(
    name: str,
    out: str | Path,
    options: Mapping[str, Any] | None = None,
    progress: Progress = _quiet,
) -> Built:
    """Write a data set as ``NAME.parquet`` with its card ``NAME.json``.

    Nothing is rewritten if the folder already holds the same data set, unchanged. An
    interrupted build goes on with the pieces that it had finished. Two builds of the same
    data set at once wait for each other, and the second finds the work done.

    Parameters
    ----------
    name : str
        A name of the catalogue.
    out : path-like
        Folder; made if it is not there.
    options : mapping, optional
        Options of the data set, for instance ``{"start": "2010-01-01"}`` for ``sp500``.
    progress : callable
        Called with (name of the piece, pieces done, pieces in all).

    Returns
    -------
    Built

    Raises
    ------
    DataError
        If there is no such data set, or an option does not exist.
    WriteError
        If the folder cannot be written to; nothing half written is left.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as d:
    ...     build("sectors", d).rebuilt, build("sectors", d).rebuilt
    (True, False)
    """
    entry = card(name)
    if options is not None and not isinstance(options, Mapping):
        raise DataError(f"options is of type {type(options).__name__}; give a mapping of names to values")
    given = {k: v for k, v in (options or {}).items() if v is not None}
    target = folder(Path(out).expanduser().absolute())
    data, description = target / f"{name}.parquet", target / f"{name}.json"
    with locked(data):
        parts = _parts(entry, given)
        recipe = fingerprint({"format": _FORMAT, "options": given, "parts": [[p.name, p.key] for p in parts]})
        held = _read_card(description)
        if held is not None and held.get("recipe") == recipe and not _problem(data, held):
            return Built(name, data, description, int(held["rows"]), rebuilt=False)
        _remove_halves(data, description)
        frame, made, kept = _assemble(target / f".{name}.parts", parts, progress)
        content = _parquet(frame)
        with atomic_write(data, "wb") as handle:
            handle.write(content)
        with atomic_write(description) as handle:
            json.dump(_describe(entry, frame, data, recipe, given), handle, indent=2, ensure_ascii=False)
            handle.write("\n")
        shutil.rmtree(target / f".{name}.parts", ignore_errors=True)
    return Built(name, data, description, len(frame), True, made, kept)


def verify(path: str | Path) -> list[Check]:
    """Compare every data set of a folder with its card.

    Parameters
    ----------
    path : path-like
        A folder that `build` wrote to.

    Returns
    -------
    list of Check
        One for each data file and each card, the broken ones with what is wrong.

    Raises
    ------
    DataError
        If the folder does not exist or holds no card.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as d:
    ...     _ = build("sectors", d)
    ...     all(check.ok for check in verify(d))
    True
    """
    target = Path(path).expanduser()
    if not target.is_dir():
        raise DataError(f"{target} is not a folder; give one that `fisc data build NAME --out DIR` wrote")
    checks = []
    known = set()
    for description in sorted(target.glob("*.json")):
        data = description.with_suffix(".parquet")
        held = _read_card(description)
        known.add(data)
        if held is None:
            checks.append(Check(description, "not a card of fisc, or damaged; build the data set again"))
        else:
            checks += [Check(description), Check(data, _problem(data, held))]
    checks += [
        Check(data, f"has no card {data.stem}.json; build the data set again")
        for data in sorted(target.glob("*.parquet"))
        if data not in known
    ]
    if not checks:
        raise DataError(f"{target} holds no data set; `fisc data build NAME --out {target}` makes one")
    return checks


def _parts(entry: Card, options: dict[str, Any]) -> list[Part]:
    """List the pieces of a data set."""
    if entry.kind == "user file":
        raise DataError(
            f"{entry.name!r} stands for your own files and is not built; read them with "
            f"fisc.data.{entry.loader}(path)"
        )
    module, _, function = entry.builder.partition(":")
    made = getattr(importlib.import_module(module), function)(**_accepted(entry, options))
    if isinstance(made, list):
        return made
    return [Part(entry.name, fingerprint(provenance(made).inputs), lambda: made)]


def _accepted(entry: Card, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options if the data set knows them all and has what it needs."""
    for option in options:
        if option not in entry.options:
            guess = nearest(option, entry.options)
            hint = f"; did you mean {guess!r}?" if guess else ""
            known = ", ".join(entry.options) or "none"
            raise DataError(f"data set {entry.name!r} has no option {option!r}{hint} (it has: {known})")
    for option in entry.required:
        if option not in options:
            raise DataError(f"data set {entry.name!r} needs the option {option!r}; give --{option}")
    return options


def _assemble(stage: Path, parts: list[Part], progress: Progress) -> tuple[pd.DataFrame, int, int]:
    """Make all pieces, keeping each on disk until the whole is done, and join them."""
    if len(parts) == 1:
        progress(parts[0].name, 0, 1)
        frame = parts[0].make()
        progress(parts[0].name, 1, 1)
        return frame, 1, 0
    frames, kept = [], 0
    for number, part in enumerate(parts):
        progress(part.name, number, len(parts))
        file = stage / f"{part.name}.{part.key.removeprefix('sha256:')}.parquet"
        piece = _read_piece(file)
        if piece is None:
            piece = part.make()
            with atomic_write(file, "wb") as handle:
                handle.write(_parquet(piece))
        else:
            kept += 1
        frames.append(piece)
    progress(parts[-1].name if parts else "", len(parts), len(parts))
    if not frames:
        raise DataError("there is nothing to build: the source holds no file that could be used")
    return pd.concat(frames, ignore_index=True), len(parts) - kept, kept


def _read_piece(file: Path) -> pd.DataFrame | None:
    """Read a finished piece; None if it is not there or damaged (it is then made again)."""
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError, pa.ArrowException):
        return None


def _parquet(frame: pd.DataFrame) -> bytes:
    """Return the frame as Parquet, the same bytes for the same content."""
    buffer = io.BytesIO()
    plain = frame.copy(deep=False)
    plain.attrs = {}
    plain.to_parquet(buffer, engine="pyarrow", compression="zstd")
    return buffer.getvalue()


def _describe(
    entry: Card, frame: pd.DataFrame, data: Path, recipe: str, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the JSON card of a data file."""
    return {
        "format": _FORMAT,
        "name": entry.name,
        "fisc_version": version(),
        "built": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "recipe": recipe,
        "options": {k: str(v) for k, v in options.items()},
        "rows": len(frame),
        "columns": {str(c): str(t) for c, t in frame.dtypes.items()},
        "files": {data.name: {"sha256": sha256_file(data), "bytes": data.stat().st_size}},
        "card": entry.to_dict(),
    }


def _read_card(path: Path) -> dict[str, Any] | None:
    """Read a JSON card; None if it is not there or not one."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if isinstance(held, dict) and held.get("format") == _FORMAT and isinstance(held.get("files"), dict):
        return held
    return None


def _problem(data: Path, held: dict[str, Any]) -> str:
    """Say what is wrong with a data file, or nothing."""
    promised = held["files"].get(data.name, {})
    if not data.exists():
        return "is missing; build the data set again"
    size = data.stat().st_size
    if size != promised.get("bytes"):
        return f"has {size} bytes instead of {promised.get('bytes')}; build the data set again"
    if sha256_file(data) != promised.get("sha256"):
        return "does not have the checksum that its card promises; build the data set again"
    return ""


def _remove_halves(data: Path, description: Path) -> None:
    """Remove half files of a killed build; the lock is held, so nobody is writing them."""
    for final in (data, description):
        for half in data.parent.glob(f".{final.name}.*{PART}"):
            half.unlink(missing_ok=True)


def read(path: str | Path) -> pd.DataFrame:
    """Read a data file written by `build`, checked against its card.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as d:
    ...     len(read(build("sectors", d).data))
    81
    """
    data = Path(path).expanduser()
    held = _read_card(data.with_suffix(".json"))
    problem = "has no card beside it" if held is None else _problem(data, held)
    if problem:
        raise CorruptFileError(f"{data} {problem}")
    return pd.read_parquet(data)
