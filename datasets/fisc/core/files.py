"""Files that are whole or absent: atomic writing, checksums, locks, fingerprints."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from fisc.core.errors import CorruptFileError, DataError, InUseError, WriteError
from fisc.core.locations import folder

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["PART", "atomic_write", "fingerprint", "locked", "read_bytes", "sha256_file", "sync_folder"]

# Ending of a file that is being written; one left behind by a killed process is rubbish.
PART = ".part"

_CHUNK = 1 << 20
_MOST_BYTES = 2_000_000_000


def read_bytes(path: Path, *, most: int = _MOST_BYTES) -> bytes:
    """Return the content of a file by its literal name, unpacked where it is gzip, within a budget.

    Raises
    ------
    DataError
        If it is no regular file (a device is read without end), cannot be read, or holds more than `most` bytes.
    CorruptFileError
        If its gzip data are damaged.

    Examples
    --------
    >>> read_bytes(Path("/dev/null"))
    Traceback (most recent call last):
    ...
    fisc.core.errors.DataError: /dev/null is not a regular file; save its content to one first
    """
    if not path.is_file():
        raise DataError(f"{path} is not a regular file; save its content to one first")
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
        if content[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                content = packed.read(most + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorruptFileError(
            f"{path.name} is damaged: its gzip data end early or are wrong ({error})"
        ) from error
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror or error})") from error
    if len(content) > most:
        raise DataError(f"{path.name} holds more than {most // 1_000_000} MB; give the part that is needed")
    return content


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file for writing that appears under its name only when it is whole.

    The text or bytes go to a temporary file in the same folder, which is flushed to disk and
    then renamed. If the block raises, or the process dies, `path` keeps its old content.

    Parameters
    ----------
    path : path-like
        The final name. Its folder is made if it is not there.
    mode : {"w", "wb"}
        Text (UTF-8) or bytes.

    Yields
    ------
    file object

    Raises
    ------
    WriteError
        If the folder cannot be written to or the disk is full.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as d:
    ...     with atomic_write(Path(d) / "a.txt") as f:
    ...         _ = f.write("whole")
    ...     (Path(d) / "a.txt").read_text()
    'whole'
    """
    target = Path(path)
    folder(target.parent)
    temporary = target.parent / f".{target.name[:80]}.{os.getpid()}-{secrets.token_hex(4)}{PART}"
    options: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        # O_EXCL: never somebody else's file; 0o666 less the umask, as a plain open would give.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, mode, **options) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        if isinstance(error, WriteError) or error.errno is None:  # not ours: the caller's code
            raise
        raise WriteError(
            f"cannot write {target} ({error.strerror or error}); nothing was changed. "
            "Free some space, or choose a folder that you may write to"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make a rename durable where the platform allows a folder to be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], timeout: float = -1.0) -> Iterator[BaseFileLock]:
    """Hold the lock of a file or folder, a hidden file beside it that is gone after use, against other processes.

    A `timeout` in seconds that passes is an InUseError; a negative one waits without end.
    """
    import filelock

    target = Path(path)
    folder(target.parent)
    lock = filelock.FileLock(target.parent / f".{target.name}.lock", timeout=timeout)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise InUseError(
            f"{target} is in use by another process; wait for it to end, or choose another folder"
        ) from error
    except OSError as error:
        raise WriteError(
            f"cannot lock {target} ({error.strerror or error}); choose a folder that you may write to"
        ) from error
    try:
        yield lock
    finally:
        # Removed while it is held: whoever waited for the removed file sees that it has no name any more
        # (filelock looks at the number of links after each lock) and starts anew with the file's successor.
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as d:
    ...     _ = (Path(d) / "a").write_bytes(b"")
    ...     sha256_file(Path(d) / "a")[:12]
    'e3b0c44298fc'
    """
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint(value: Any) -> str:
    """Return a short name for some data that changes when the data change.

    Parameters
    ----------
    value : DataFrame, Series, ndarray, bytes, str, pathlib.Path, or JSON-able object
        A path stands for the bytes of its file; a frame for its values, index, column names
        and types (not its ``attrs``).

    Returns
    -------
    str
        ``"sha256:"`` and 16 hexadecimal digits.

    Examples
    --------
    >>> fingerprint("abc")
    'sha256:ba7816bf8f01cfea'
    """
    digest = hashlib.sha256()
    _feed(digest, value)
    return f"sha256:{digest.hexdigest()[:16]}"


def _feed(digest: hashlib._Hash, value: Any) -> None:
    """Add `value` to a running digest, by kind."""
    if isinstance(value, bytes):
        digest.update(value)
    elif isinstance(value, str):
        digest.update(value.encode(errors="surrogatepass"))
    elif isinstance(value, Path):
        digest.update(bytes.fromhex(sha256_file(value)))
    elif hasattr(value, "columns") and hasattr(value, "index"):
        _feed_frame(digest, value)
    elif hasattr(value, "to_frame") and hasattr(value, "index"):
        _feed_frame(digest, value.to_frame())
    elif hasattr(value, "dtype") and hasattr(value, "tobytes"):
        if value.dtype == object:
            _feed(digest, value.tolist())
        else:
            digest.update(f"{value.dtype.str}{value.shape}".encode())
            digest.update(value.tobytes())
    else:
        try:
            digest.update(json.dumps(value, sort_keys=True, default=_in_json).encode())
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(
                f"a {type(value).__name__} has no fingerprint ({error}); give data with text as keys"
            ) from error


def _in_json(value: Any) -> Any:
    """Return a part of some data that JSON does not know as text: the same in every process, nothing cut."""
    if isinstance(value, set | frozenset):
        return sorted(map(fingerprint, value))
    return fingerprint(value) if hasattr(value, "tobytes") or hasattr(value, "columns") else str(value)


def _feed_frame(digest: hashlib._Hash, frame: Any) -> None:
    """Add a frame: names and types first, then a 64-bit hash of each row's values."""
    import pandas as pd

    digest.update(json.dumps([[str(c), str(t)] for c, t in frame.dtypes.items()]).encode())
    digest.update(json.dumps([str(n) for n in frame.index.names]).encode())
    try:
        rows = pd.util.hash_pandas_object(frame, index=True)
    except TypeError:  # lists, arrays or mappings in cells
        plain = {i: c.map(fingerprint) if c.dtype == object else c for i, (_, c) in enumerate(frame.items())}
        rows = pd.util.hash_pandas_object(pd.DataFrame(plain), index=True)
    digest.update(rows.to_numpy().tobytes())
