"""Folders that are whole or absent: written beside, swapped in by rename, verified by a manifest of checksums."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from fisc.core.errors import CorruptFileError, DataError, FiscError, WriteError
from fisc.core.files import PART, locked, sha256_file, sync_folder
from fisc.core.locations import folder

__all__ = ["MANIFEST", "has_folder", "read_folder", "write_folder"]

MANIFEST = "manifest.json"

_SCHEMA = "fisc.core.Folder/1"
_LARGEST_MANIFEST = 1 << 20


@contextlib.contextmanager
def write_folder(path: str | os.PathLike[str], *, kind: str) -> Iterator[Path]:
    """Give a temporary folder to write files into, which appears as `path` only when it is whole.

    After the block, ``manifest.json`` names each file with its SHA-256, everything is flushed to disk,
    and the folder takes the place of an older one of the same kind. If the block raises, or the process
    dies at any step, the older folder can still be read whole.

    Parameters
    ----------
    path : path-like
        The final name. The folder above it is made if it is not there.
    kind : str
        What the folder holds, in words, as ``"trading agent"``; `read_folder` asks for the same.

    Yields
    ------
    pathlib.Path
        The temporary folder, beside `path`.

    Raises
    ------
    WriteError
        If nothing can be written there, or `path` holds anything that this function did not write for
        the same kind: nobody's files are replaced.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as d:
    ...     with write_folder(Path(d) / "model", kind="model") as new:
    ...         _ = (new / "card.json").write_text("{}")
    ...     sorted(read_folder(Path(d) / "model", kind="model"))
    ['card.json']
    """
    target = Path(os.path.realpath(path))
    folder(target.parent)
    temporary = target.parent / f".{target.name[:80]}.{os.getpid()}-{secrets.token_hex(4)}{PART}"
    try:
        with locked(target):
            _recover(target)
            _check_replaceable(target, kind)
        temporary.mkdir()
        yield temporary
        _seal(temporary, kind)
        with locked(target):
            _recover(target)
            _check_replaceable(target, kind)
            _swap(temporary, target)
    except OSError as error:
        if isinstance(error, FiscError) or error.errno is None:  # not ours: the caller's code
            raise
        raise WriteError(
            f"cannot write the folder {target} ({error.strerror or error}); what was there is unchanged. "
            "Free some space, or choose a folder that you may write to"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_folder(path: str | os.PathLike[str], *, kind: str) -> dict[str, Path]:
    """Return the files of a folder that `write_folder` made, after checking every one.

    Parameters
    ----------
    path : path-like
        The folder.
    kind : str
        What it must hold, as given to `write_folder`.

    Returns
    -------
    dict of str to pathlib.Path
        Each file by its name within the folder (``/`` between nested names), without the manifest.

    Raises
    ------
    DataError
        If there is no such folder, or it holds another kind.
    CorruptFileError
        If a file is missing, changed, foreign or a link, or the manifest is damaged.
    """
    target = Path(os.path.realpath(path))
    if not has_folder(target):
        raise DataError(f"there is no folder {target}; give the folder of a saved {kind}")
    manifest = _manifest(target, kind)
    if manifest["kind"] != kind:
        raise DataError(f"{target} holds a saved {manifest['kind']}, not a saved {kind}")
    promised: dict[str, str] = manifest["files"]
    found = _files(target)
    for missing in sorted(promised.keys() - found.keys()):
        raise CorruptFileError(f"{target} lacks the file {missing!r}; get the saved {kind} anew")
    for foreign in sorted(found.keys() - promised.keys()):
        raise CorruptFileError(
            f"{target} holds the file {foreign!r}, which its {MANIFEST} does not name; remove it, or get the "
            f"saved {kind} anew"
        )
    for name, digest in promised.items():
        if sha256_file(found[name]) != digest:
            raise CorruptFileError(
                f"{found[name]} is not the file that was saved with this {kind}: it is damaged, or belongs to "
                "another; get it anew"
            )
    return {name: found[name] for name in promised}


def has_folder(path: str | os.PathLike[str]) -> bool:
    """Tell whether there is a folder to read, putting back one whose replacement was cut short."""
    target = Path(os.path.realpath(path))
    if not target.exists() and _older(target).is_dir():
        with locked(target):
            _recover(target)
    return target.is_dir()


def _older(target: Path) -> Path:
    """Return the name under which the old folder waits between the two renames of a swap."""
    return target.parent / f".{target.name}.older{PART}"


def _recover(target: Path) -> None:
    """Finish or undo the swap of a process that died in it; only under the lock."""
    older = _older(target)
    if target.exists():
        shutil.rmtree(older, ignore_errors=True)
    elif older.is_dir():
        older.rename(target)


def _check_replaceable(target: Path, kind: str) -> None:
    """Refuse to replace anything but an empty folder or one written for the same kind."""
    if not target.exists():
        return
    if not target.is_dir():
        raise WriteError(f"{target} is a file; choose another name for the saved {kind}")
    if not any(target.iterdir()):
        return
    try:
        manifest = _manifest(target, kind)
        foreign = sorted(_files(target).keys() - manifest["files"].keys())
    except CorruptFileError as error:
        raise WriteError(
            f"{target} exists and does not hold a saved {kind} ({error}); choose another folder, or remove it"
        ) from error
    if manifest["kind"] != kind or foreign:
        what = f"the file {foreign[0]!r}" if foreign else f"a saved {manifest['kind']}"
        raise WriteError(f"{target} holds {what}, which saving a {kind} would remove; choose another folder")


def _seal(temporary: Path, kind: str) -> None:
    """Write the manifest of a folder and flush all of it to disk."""
    files = _files(temporary)
    manifest = {
        "schema": _SCHEMA,
        "kind": kind,
        "files": {name: sha256_file(file) for name, file in sorted(files.items())},
    }
    (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    for file in (*files.values(), temporary / MANIFEST):
        with file.open("r+b") as handle:
            os.fsync(handle.fileno())
    for inside in {file.parent for file in files.values()} | {temporary}:
        sync_folder(inside)


def _swap(temporary: Path, target: Path) -> None:
    """Put the new folder in the place of the old one; a death between the renames is undone by `_recover`."""
    older = _older(target)
    if target.exists():
        target.rename(older)
    try:
        temporary.rename(target)
    except OSError:
        if older.is_dir():
            older.rename(target)
        raise
    sync_folder(target.parent)
    shutil.rmtree(older, ignore_errors=True)


def _files(path: Path) -> dict[str, Path]:
    """Return every file below a folder by name, without the manifest; links and devices are refused."""
    found: dict[str, Path] = {}
    for place, folders, names in os.walk(path):
        for name in (*folders, *names):
            file = Path(place, name)
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                raise CorruptFileError(f"{file} is a link or device; a saved folder holds only plain files")
        for name in names:
            file = Path(place, name)
            found[file.relative_to(path).as_posix()] = file
    found.pop(MANIFEST, None)
    return found


def _manifest(path: Path, kind: str) -> dict[str, Any]:
    """Return the manifest of a folder, every part of it checked."""
    file = path / MANIFEST
    if file.is_symlink() or not file.is_file():
        raise CorruptFileError(f"{path} has no {MANIFEST}, so it is not a saved {kind} of this version")
    try:
        if file.stat().st_size > _LARGEST_MANIFEST:
            raise ValueError(f"it is larger than {_LARGEST_MANIFEST} bytes")
        manifest = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(manifest, dict) or manifest.keys() != {"schema", "kind", "files"}:
            raise ValueError("it needs the keys schema, kind and files")
        if manifest["schema"] != _SCHEMA:
            raise ValueError(f"its schema is {manifest['schema']!r:.60}, not {_SCHEMA!r}")
        if not isinstance(manifest["kind"], str) or not isinstance(manifest["files"], dict):
            raise ValueError("kind must be text and files an object")
        for name, digest in manifest["files"].items():
            if (
                not _is_inside(name)
                or not isinstance(digest, str)
                or not re.fullmatch("[0-9a-f]{64}", digest)
            ):
                raise ValueError(f"{name!r:.60} is not a file name with a SHA-256")
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptFileError(f"{file} is damaged ({error}); get the saved {kind} anew") from error
    return manifest


def _is_inside(name: str) -> bool:
    """Tell whether a name stays within its folder."""
    parts = PurePosixPath(name).parts
    plain = name == PurePosixPath(name).as_posix() and "\\" not in name and "\0" not in name
    return bool(parts) and plain and not name.startswith("/") and ".." not in parts and name != MANIFEST
