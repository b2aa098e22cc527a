"""The ledger: each run with its fate, whatever happens to the process, the file or the disk."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from fisc.data import DataWarning, FiscError, WriteError, data_home, fingerprint
from fisc.report import Ledger
from fisc.report.ledger import LedgerError

RUNNER = """
import sys, time
from fisc.report import Ledger
ledger = Ledger(sys.argv[1])
with ledger.start(sys.argv[2], output="out.html"):
    print("started", flush=True)
    time.sleep(float(sys.argv[3]))
"""


def run_elsewhere(path: Path, name: str, seconds: float) -> subprocess.Popen[str]:
    """Start a run in another process and wait until it is in the ledger."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(path), name, str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


def test_a_run_is_recorded_from_start_to_end(path: Path) -> None:
    ledger = Ledger(path)
    with ledger.start("demo", output=path.with_name("demo.html"), inputs={"prices": "abc"}) as run:
        (now,) = ledger.runs()
        assert (now.status, now.ended, now.seconds) == ("running", "", None)
        run.add_inputs({"incomes": "sha256:0011223344556677"})
    (record,) = ledger.runs()
    assert record.id == run.id
    assert record.status == "ok"
    assert record.output == str(path.with_name("demo.html"))
    assert record.inputs == {"prices": fingerprint("abc"), "incomes": "sha256:0011223344556677"}
    assert record.pid == os.getpid()
    assert record.host
    assert record.message == ""
    assert record.seconds is not None
    assert 0 <= record.seconds < 60
    assert dt.datetime.fromisoformat(record.started).tzinfo is dt.UTC


def test_what_is_raised_is_recorded_and_goes_on(path: Path) -> None:
    ledger = Ledger(path)
    with pytest.raises(ValueError, match="no rows"), ledger.start("demo"):
        raise ValueError("no rows")
    with pytest.raises(KeyboardInterrupt), ledger.start("demo"):
        raise KeyboardInterrupt
    assert [(r.status, r.message) for r in ledger.runs()] == [
        ("interrupted", "stopped before it was finished"),
        ("failed", "ValueError: no rows"),
    ]


def test_a_run_may_fail_without_raising(path: Path) -> None:
    ledger = Ledger(path)
    with ledger.start("demo") as run:
        run.fail("section 'A'")
        run.fail("section 'B'")
    (record,) = ledger.runs()
    assert (record.status, record.message) == ("failed", "section 'A'; section 'B'")


def test_runs_are_listed_latest_first_by_report_and_number(path: Path) -> None:
    ledger = Ledger(path)
    for name in ("a", "b", "a"):
        with ledger.start(name):
            pass
    ledger.refuse("a", message="busy")
    assert [r.report for r in ledger.runs()] == ["a", "a", "b", "a"]
    assert [r.id for r in ledger.runs("a", limit=2)] == [4, 3]
    assert ledger.runs("a")[0].status == "refused"
    last = ledger.last("a")
    assert last is not None
    assert last.id == 3
    assert ledger.last("nothing") is None


def test_as_a_table(path: Path) -> None:
    ledger = Ledger(path)
    assert list(ledger.to_frame().columns)[:4] == ["report", "started", "ended", "status"]
    with ledger.start("a"):
        frame = ledger.to_frame()
    assert frame.loc[1, "status"] == "running"
    assert frame["ended"].isna().all()
    assert str(frame["started"].dt.tz) == "UTC"


def test_the_default_is_in_the_home(path: Path) -> None:
    assert Ledger().path == data_home() / "runs.sqlite"
    assert Ledger().path.exists()


def test_a_killed_run_is_lost_and_a_living_one_is_not(path: Path) -> None:
    killed, living = run_elsewhere(path, "killed", 60), run_elsewhere(path, "living", 60)
    try:
        assert {r.status for r in Ledger(path).runs()} == {"running"}
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        fates = {r.report: r for r in Ledger(path).runs()}
        assert fates["killed"].status == "lost"
        assert fates["killed"].message == "its process ended without a word"
        assert fates["killed"].seconds is None
        assert fates["living"].status == "running"
        assert fates["living"].pid == living.pid
    finally:
        for process in (killed, living):
            process.kill()
            process.wait()
            process.stdout.close()
    assert {r.status for r in Ledger(path).runs()} == {"lost"}


def test_a_second_ledger_in_the_same_process_does_not_lose_a_run(path: Path) -> None:
    with Ledger(path).start("demo"):
        assert Ledger(path).runs()[0].status == "running"
    assert Ledger(path).runs()[0].status == "ok"


def test_a_process_that_dies_before_its_lock_is_held_was_never_running(path: Path) -> None:
    ledger = Ledger(path)
    ledger._begin("demo", "", None)
    (record,) = ledger.runs()
    assert (record.status, record.message) == ("lost", "its process ended before it began")


def test_several_processes_write_at_once(path: Path) -> None:
    code = (
        "import sys\nfrom fisc.report import Ledger\nledger = Ledger(sys.argv[1])\n"
        "for i in range(15):\n    with ledger.start(sys.argv[2]): pass\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path), f"p{i}"]) for i in range(4)]
    assert [p.wait() for p in processes] == [0] * 4
    runs = Ledger(path).runs()
    assert len(runs) == 60
    assert {r.status for r in runs} == {"ok"}
    assert len({r.id for r in runs}) == 60
    assert not [p for p in path.parent.iterdir() if ".run-" in p.name]


@pytest.mark.parametrize("content", [b"not a database at all, but text" * 40, None], ids=["text", "torn"])
def test_a_damaged_ledger_is_set_aside_with_a_warning(path: Path, content: bytes | None) -> None:
    with Ledger(path).start("demo"):
        pass
    if content is None:
        whole = path.read_bytes()
        content = whole[:100] + os.urandom(len(whole) - 100)
    path.write_bytes(content)
    with pytest.warns(DataWarning, match="is damaged .* it was kept as runs.sqlite.damaged-"):
        ledger = Ledger(path)
    assert ledger.runs() == []
    (aside,) = [p for p in path.parent.iterdir() if "damaged" in p.name]
    assert aside.read_bytes() == content
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Ledger(path).start("after"):
            pass
    assert [r.report for r in Ledger(path).runs()] == ["after"]


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE runs (distance REAL)")
        connection.execute("INSERT INTO runs VALUES (42.195)")
    connection.close()
    with pytest.raises(LedgerError, match=r"cannot be used .*no such column"):
        Ledger(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT distance FROM runs").fetchone() == (42.195,)
    connection.close()
    assert [p.name for p in path.parent.iterdir() if "damaged" in p.name] == []


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match="cannot make the folder"):
        Ledger(tmp_path / "file" / "runs.sqlite")
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(FiscError, match=r"folder\.sqlite cannot be used"):
        Ledger(tmp_path / "folder.sqlite")


def test_a_full_disk_is_said(path: Path) -> None:
    Ledger(path)
    with sqlite3.connect(path) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.close()

    class Full(Ledger):
        @contextlib.contextmanager
        def _connected(self) -> Iterator[sqlite3.Connection]:
            """Open a file that may not grow."""
            with super()._connected() as connection:
                connection.execute(f"PRAGMA max_page_count = {pages}")
                yield connection

    with (
        pytest.raises(LedgerError, match=r"database or disk is full.*check that"),
        Full(path).start("x" * 100_000),
    ):
        pass
    assert Ledger(path).runs() == []


def test_a_lock_of_another_writer_is_waited_for(path: Path) -> None:
    ledger = Ledger(path)
    code = (
        "import sqlite3, sys, time\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN IMMEDIATE')\nprint('held', flush=True)\ntime.sleep(1)\nc.execute('COMMIT')"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    begun = time.monotonic()
    with ledger.start("patient"):
        pass
    assert time.monotonic() - begun > 0.2
    assert holder.wait() == 0
    holder.stdout.close()
    assert ledger.runs()[0].status == "ok"


def test_a_ledger_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    old = sqlite3.connect(path)
    old.execute(
        "CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, report TEXT NOT NULL, started TEXT NOT NULL, "
        "ended TEXT, status TEXT NOT NULL CHECK (status IN ('running', 'ok', 'failed', 'lost', 'refused')), "
        "output TEXT NOT NULL DEFAULT '', inputs TEXT NOT NULL DEFAULT '{}', message TEXT NOT NULL DEFAULT '', "
        "pid INTEGER NOT NULL, host TEXT NOT NULL)"
    )
    old.execute(
        "INSERT INTO runs (report, started, status, pid, host) "
        "VALUES ('R', '2026-01-01T00:00:00Z', 'ok', 1, 'h')"
    )
    old.commit()
    old.close()
    ledger = Ledger(path)
    with pytest.raises(KeyboardInterrupt), ledger.start("R", title="Rates"):
        raise KeyboardInterrupt
    assert [(run.id, run.status, run.title) for run in Ledger(path).runs("R")] == [
        (2, "interrupted", "Rates"),
        (1, "ok", ""),
    ]
