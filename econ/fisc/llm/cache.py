"""Answers kept in SQLite, keyed by the whole request."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path

from fisc.core import CorruptFileError, DataError, WriteError
from fisc.llm.messages import ChatRequest, Completion

__all__ = ["ResponseCache"]


class ResponseCache:
    """A file of answers; safe for several processes, and for a process that is killed.

    Only the hash of a request and the answer are stored: no prompt, no key, no address.

    Parameters
    ----------
    path : path-like or None
        File to use; None keeps the answers in memory.

    Examples
    --------
    >>> from fisc.llm import user
    >>> cache = ResponseCache(None)
    >>> request = ChatRequest("tiny", (user("Hello"),))
    >>> cache.get(request) is None
    True
    >>> cache.put(request, Completion("Hi", 2, 1))
    >>> cache.get(request).text
    'Hi'
    """

    def __init__(self, path: str | Path | None) -> None:
        if path is not None and not isinstance(path, (str, Path)):
            raise DataError(
                f"the path of a cache is of type {type(path).__name__}; give a path, or None for memory"
            )
        self.path = None if path is None else Path(path)
        self._lock = threading.Lock()
        try:
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                ":memory:" if self.path is None else self.path, check_same_thread=False, timeout=60.0
            )
        except (OSError, sqlite3.OperationalError) as error:
            raise self._unwritable(error) from error
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL)"
            )
            self._connection.commit()
        except sqlite3.OperationalError as error:  # locked, read-only, full
            self._connection.close()
            raise self._unwritable(error) from error
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise CorruptFileError(
                f"{self.path} is not a cache of answers ({error}); delete it or give another path"
            ) from error

    def get(self, request: ChatRequest) -> Completion | None:
        """Return the answer to the very same request, or None."""
        query = "SELECT answer FROM answers WHERE key = ?"
        try:
            with self._lock:
                row = self._connection.execute(query, (request.key(),)).fetchone()
            return None if row is None else Completion.from_dict(json.loads(row[0]))
        except (sqlite3.DatabaseError, ValueError, TypeError, RecursionError, DataError) as error:
            raise CorruptFileError(
                f"{self.path} is damaged ({error}); delete it: its answers are asked for again"
            ) from error

    def put(self, request: ChatRequest, completion: Completion) -> None:
        """Keep an answer; the first one given to a request stays."""
        try:
            with self._lock, self._connection:
                self._connection.execute(
                    "INSERT OR IGNORE INTO answers VALUES (?, ?)",
                    (request.key(), json.dumps(completion.to_dict())),
                )
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> WriteError:
        return WriteError(
            f"answers cannot be kept in {self.path} ({error}); those kept before are safe. Free some space, or "
            "choose a folder that you may write to"
        )

    def __len__(self) -> int:
        with self._lock:
            return int(self._connection.execute("SELECT COUNT(*) FROM answers").fetchone()[0])

    def close(self) -> None:
        """Close the file; the cache cannot be used afterwards."""
        with self._lock:
            self._connection.close()
