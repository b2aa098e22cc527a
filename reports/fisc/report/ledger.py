"""The run ledger: what was made when, from what, and how it ended.

A ledger is one SQLite file. Each run holds a lock for as long as its process lives; the
operating system lets go of it when the process dies, however it dies. A run that is still
marked as running and whose lock is free is therefore lost, and is marked so the next time the
ledger is opened.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
import socket
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fisc.core import DataWarning, FiscError, InUseError, WriteError, data_home, fingerprint
from fisc.core.files import locked
from fisc.report.run_record import COLUMNS, RunRecord, prepare_table, record_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Ledger", "LedgerError", "Run", "RunRecord"]

_PATIENCE = 30.0  # seconds to wait for another process that is writing


class LedgerError(FiscError):
    """The ledger cannot be read or written."""


class Run:
    """A run under way, as `Ledger.start` gives it.

    Attributes
    ----------
    id : int
        Its number in the ledger.
    """

    def __init__(self, ledger: Ledger, number: int) -> None:
        self.id = number
        self._ledger = ledger
        self._failure = ""

    def fail(self, message: str) -> None:
        """Have the run recorded as failed when it ends, though nothing is raised.

        Parameters
        ----------
        message : str
            Why; several are joined.
        """
        self._failure = f"{self._failure}; {message}" if self._failure else message

    def add_inputs(self, inputs: Mapping[str, object]) -> None:
        """Record inputs that became known after the start.

        Parameters
        ----------
        inputs : mapping of str to object
            Fingerprints (``"sha256:..."``) stay as they are; other values get one.
        """
        held = json.loads(self._ledger._one("SELECT inputs FROM runs WHERE id = ?", self.id))
        held.update(_fingerprints(inputs))
        self._ledger._do("UPDATE runs SET inputs = ? WHERE id = ?", _json(held), self.id)

    def add_findings(self, findings: Sequence[str]) -> None:
        """Record what was found, one sentence a section."""
        text = json.dumps(list(findings), ensure_ascii=False)
        self._ledger._do("UPDATE runs SET findings = ? WHERE id = ?", text, self.id)


class Ledger:
    """The record of all runs, in one SQLite file that several processes may use at once.

    Parameters
    ----------
    path : path-like, optional
        The file; ``runs.sqlite`` in fisc's home (`fisc.data.data_home`) if not given. It is
        made if it is not there. A file that is damaged is set aside under another name, with
        a `DataWarning`, and a fresh one is begun.

    Raises
    ------
    WriteError
        If the folder cannot be written to.
    LedgerError
        If the file cannot be used although it is not damaged, for instance because it belongs
        to another user.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     ledger = Ledger(f"{folder}/runs.sqlite")
    ...     with ledger.start("demo", output="demo.html", inputs={"prices": "abc"}) as run:
    ...         pass
    ...     [(r.report, r.status) for r in ledger.runs()]
    [('demo', 'ok')]
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path) if path is not None else data_home() / "runs.sqlite"
        # One process at a time looks after the file: two must not both set it aside.
        with locked(self.path):
            try:
                self._prepare()
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    raise self._error(error) from error
                self._set_aside(error)
                try:
                    self._prepare()
                except sqlite3.Error as again:
                    raise self._error(again) from again
            self._mark_lost()

    def _prepare(self) -> None:
        with self._connected() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            found = connection.execute("PRAGMA quick_check").fetchone()
            if found[0] != "ok":
                raise sqlite3.DatabaseError(f"malformed: {found[0]}")
            prepare_table(connection)

    def _set_aside(self, error: sqlite3.Error) -> None:
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%f")
        aside = self.path.with_name(f"{self.path.name}.damaged-{stamp}")
        try:
            self.path.rename(aside)
            for ending in ("-wal", "-shm"):
                self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
        except OSError as problem:
            raise WriteError(
                f"the run ledger {self.path} is damaged and cannot be set aside ({problem.strerror}); "
                "remove it"
            ) from problem
        warnings.warn(
            f"the run ledger {self.path} is damaged ({error}); it was kept as {aside.name}, "
            "and a new one begun",
            DataWarning,
            stacklevel=4,
        )

    def _error(self, error: sqlite3.Error) -> LedgerError:
        return LedgerError(
            f"the run ledger {self.path} cannot be used ({error}); check that you may write to it "
            "and that the disk is not full, or move it by FISC_HOME"
        )

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction: no connection outlives a fork or a thread."""
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level="IMMEDIATE")
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def _do(self, statement: str, *values: object) -> int:
        """Execute one statement that writes; return the number of the row it added."""
        try:
            with self._connected() as connection:
                return int(connection.execute(statement, values).lastrowid or 0)
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _all(self, statement: str, *values: object) -> list[Any]:
        try:
            with self._connected() as connection:
                return connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _one(self, statement: str, *values: object) -> Any:
        return self._all(statement, *values)[0][0]

    def _lock_name(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.run-{number}")

    def _mark_lost(self) -> None:
        """Mark the runs whose process is gone: those whose lock nobody holds."""
        for (number,) in self._all("SELECT id FROM runs WHERE status = 'running'"):
            try:
                with locked(self._lock_name(number), timeout=0):
                    self._end(number, "lost", "its process ended without a word")
            except InUseError:
                continue  # held, so it is running

    def _end(self, number: int, status: str, message: str) -> None:
        self._do(
            "UPDATE runs SET status = ?, ended = ?, message = ? WHERE id = ? AND status = 'running'",
            *(status, _now(), message, number),
        )

    @contextlib.contextmanager
    def start(
        self,
        report: str,
        *,
        output: str | os.PathLike[str] = "",
        inputs: Mapping[str, object] | None = None,
        title: str = "",
    ) -> Iterator[Run]:
        """Record a run from its start to its end.

        Parameters
        ----------
        report : str
            Name of the report.
        output : path-like
            What it makes.
        inputs : mapping of str to object, optional
            Inputs by name; recorded as fingerprints.
        title : str
            For readers; the name if empty.

        Yields
        ------
        Run
            Its `fail` has the run recorded as failed. If the block raises, that is recorded,
            and the exception goes on; one that is interrupted (Ctrl-C) has not failed.

        Raises
        ------
        LedgerError
            If the ledger cannot be written.
        """
        number = self._begin(report, output, inputs, title)
        run = Run(self, number)
        with locked(self._lock_name(number)):
            # Only now, with the lock held, may others see it as running.
            self._do("UPDATE runs SET status = 'running', ended = NULL, message = '' WHERE id = ?", number)
            try:
                yield run
            except Exception as error:
                self._end(number, "failed", f"{type(error).__name__}: {error}".rstrip(": "))
                raise
            except BaseException:
                self._end(number, "interrupted", "stopped before it was finished")
                raise
            else:
                self._end(number, "failed" if run._failure else "ok", run._failure)

    def note(self, number: int, message: str) -> None:
        """Add to what is recorded of a run that has ended."""
        self._do("UPDATE runs SET message = trim(message || '; ' || ?, '; ') WHERE id = ?", message, number)

    def refuse(
        self, report: str, *, output: str | os.PathLike[str] = "", message: str = "", title: str = ""
    ) -> int:
        """Record a run that did not begin, because another was under way.

        Returns
        -------
        int
            Its number in the ledger.
        """
        number = self._begin(report, output, None, title)
        self._do("UPDATE runs SET status = 'refused', message = ? WHERE id = ?", message, number)
        return number

    def _begin(
        self,
        report: str,
        output: str | os.PathLike[str],
        inputs: Mapping[str, object] | None,
        title: str = "",
    ) -> int:
        """Add a line that counts as lost until its lock is held."""
        now = _now()
        return self._do(
            "INSERT INTO runs (report, title, started, ended, status, output, inputs, message, pid, host) "
            "VALUES (?, ?, ?, ?, 'lost', ?, ?, 'its process ended before it began', ?, ?)",
            *(
                report,
                title or report,
                now,
                now,
                os.fspath(output),
                _json(_fingerprints(inputs or {})),
                os.getpid(),
                socket.gethostname(),
            ),
        )

    def runs(self, report: str | None = None, *, limit: int | None = None) -> list[RunRecord]:
        """Return the runs, the latest first.

        Parameters
        ----------
        report : str, optional
            Only those of this report, by its name or its title; the name of a file stands for all its pages.
        limit : int, optional
            At most so many.

        Returns
        -------
        list of RunRecord
        """
        rows = self._all(
            f"SELECT {', '.join(COLUMNS)} FROM runs "
            "WHERE ?1 IS NULL OR ?1 IN (report, title) OR substr(report, 1, length(?1) + 2) = ?1 || ' [' "
            "ORDER BY id DESC LIMIT ?2",
            *(report, -1 if limit is None else limit),
        )
        return [record_of(row) for row in rows]

    def last(self, report: str, status: str = "ok") -> RunRecord | None:
        """Return the latest run of a report that ended in a given way, or None."""
        return next((run for run in self.runs(report) if run.status == status), None)

    def to_frame(self) -> pd.DataFrame:
        """Return the ledger as a table, the latest run first.

        Returns
        -------
        DataFrame
            Columns as the attributes of `RunRecord`, times as UTC timestamps.
        """
        import pandas as pd

        frame = pd.DataFrame([dataclasses.asdict(run) for run in self.runs()], columns=list(COLUMNS))
        for name in ("started", "ended"):
            frame[name] = pd.to_datetime(frame[name].replace("", None), utc=True, format="ISO8601")
        return frame.set_index("id")


def _damaged(error: sqlite3.Error) -> bool:
    """Return True if the file's content is at fault, not a lock, a disk or a permission."""
    code = getattr(error, "sqlite_errorcode", None)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return True
    return "malformed" in str(error)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(values: Mapping[str, str]) -> str:
    return json.dumps(values, ensure_ascii=False, sort_keys=True)


def _fingerprints(inputs: Mapping[str, object]) -> dict[str, str]:
    return {
        str(name): value if isinstance(value, str) and value.startswith("sha256:") else fingerprint(value)
        for name, value in inputs.items()
    }
