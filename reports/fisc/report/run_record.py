"""One line of the ledger, and the table that holds them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sqlite3
from typing import Any

__all__ = ["COLUMNS", "RunRecord", "prepare_table", "record_of"]

_STATUSES = ("running", "ok", "failed", "lost", "interrupted", "refused")
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    report TEXT NOT NULL,
    title TEXT NOT NULL DEFAULT '',
    started TEXT NOT NULL,
    ended TEXT,
    status TEXT NOT NULL CHECK (status IN {_STATUSES}),
    output TEXT NOT NULL DEFAULT '',
    inputs TEXT NOT NULL DEFAULT '{{}}',
    findings TEXT NOT NULL DEFAULT '[]',
    message TEXT NOT NULL DEFAULT '',
    pid INTEGER NOT NULL,
    host TEXT NOT NULL
);
"""
# What every version had; a table without them is not ours, and stays as it is.
_EVER = {"id", "report", "started", "ended", "status", "output", "inputs", "message", "pid", "host"}
_INDEX = "CREATE INDEX IF NOT EXISTS runs_by_report ON runs (report, started)"


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """One line of the ledger.

    Attributes
    ----------
    id : int
    report : str
        Name of the report: for one that a TOML file describes, the path of the file.
    started, ended : str
        ISO 8601, UTC, to the millisecond; `ended` is empty while the run is running, and for
        a lost run the time when the loss was noticed.
    status : {"running", "ok", "failed", "lost", "interrupted", "refused"}
        Lost: its process died. Interrupted: somebody stopped it. Refused: another run of the same
        output was under way.
    output : str
        Path of what it makes.
    inputs : dict of str to str
        Name of each input and its fingerprint.
    message : str
        Why it failed.
    pid : int
    host : str
    title : str
        Of the report, as it then was.
    findings : list of str
        What its sections found, one sentence each.
    """

    id: int
    report: str
    started: str
    ended: str
    status: str
    output: str
    inputs: dict[str, str]
    message: str
    pid: int
    host: str
    title: str
    findings: list[str]

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it is running or if it was lost."""
        if not self.ended or self.status in ("running", "lost"):
            return None
        return (
            dt.datetime.fromisoformat(self.ended) - dt.datetime.fromisoformat(self.started)
        ).total_seconds()


COLUMNS = tuple(field.name for field in dataclasses.fields(RunRecord))


def record_of(row: tuple[Any, ...]) -> RunRecord:
    """Return the record of a row whose values are in the order of `COLUMNS`."""
    held = dict(zip(COLUMNS, row, strict=True))
    held["ended"] = held["ended"] or ""
    held["inputs"], held["findings"] = json.loads(held["inputs"]), json.loads(held["findings"])
    return RunRecord(**held)


def prepare_table(connection: sqlite3.Connection) -> None:
    """Make the table, or bring one of an earlier version up to date; its rows stay."""
    found = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'runs'").fetchone()
    there = {row[1] for row in connection.execute("PRAGMA table_info(runs)")}
    if there >= _EVER and not all(word in found[0] for word in (*COLUMNS, *_STATUSES)):
        names = ", ".join(name for name in COLUMNS if name in there)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ALTER TABLE runs RENAME TO earlier_runs")
        connection.execute(_SCHEMA)
        connection.execute(f"INSERT INTO runs ({names}) SELECT {names} FROM earlier_runs")
        connection.execute("DROP TABLE earlier_runs")
    connection.execute(_SCHEMA)
    connection.execute(f"SELECT {', '.join(COLUMNS)} FROM runs LIMIT 1")
    connection.execute(_INDEX)
