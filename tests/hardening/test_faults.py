"""Full disks, places that cannot be written, two processes and kill -9, where no other test looks.

The ledger, publishing, builders and run folders have such tests of their own beside their code; here are the
cache of answers, the run folder on a full disk, and everything once more on a real small file system.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fisc.data import FiscError, WriteError, atomic_write, build
from fisc.economist import Simulation, SimulationConfig
from fisc.llm import ResponseCache, user
from fisc.llm.messages import ChatRequest, Completion
from fisc.report import Ledger, Report, Section, publish

FULL = r"No space|full"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip("mounting a small file system needs rights that this user lacks")
    yield place
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=True)


def fill(place: Path) -> None:
    """Use up what is left."""
    with (place / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(b"\0" * 4096):
            pass


def asked(i: int) -> ChatRequest:
    return ChatRequest("m", (user(f"question {i}"),))


def test_a_full_disk_and_everything_that_writes(small_disk: Path) -> None:
    cache = ResponseCache(small_disk / "answers.sqlite")
    cache.put(asked(0), Completion("kept", 1, 1))
    page = small_disk / "page.html"
    page.write_text("last good page")
    ledger = Ledger(small_disk / "ledger.sqlite")
    fill(small_disk)
    with pytest.raises(WriteError, match=FULL):
        cache.put(asked(1), Completion("x" * 2_000_000, 1, 1))
    with pytest.raises(FiscError, match=FULL):
        publish(Report("R", [Section("S", "words " * 9000)]), page, ledger=ledger)
    with pytest.raises(WriteError, match="No space"), atomic_write(small_disk / "file", "w") as handle:
        handle.write("y" * 100_000)
    with pytest.raises(FiscError, match=FULL):
        build("sectors", small_disk / "data")
    with pytest.raises(FiscError, match=FULL):
        Simulation(SimulationConfig(n=50, years=3, planner="hill", folder=str(small_disk / "run"))).run()
    assert page.read_text() == "last good page"
    assert not list(small_disk.rglob("*.part"))
    (small_disk / "filler").unlink()
    assert cache.get(asked(0)).text == "kept"
    cache.put(asked(999), Completion("again", 1, 1))
    assert cache.get(asked(999)).text == "again"
    cache.close()


def test_a_run_folder_on_a_full_disk_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"n": 30, "years": 4, "planner": "hill"}
    real, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr("fisc.core.files.os.fsync", full)
        with pytest.raises(FiscError, match="No space left"):
            Simulation(SimulationConfig(**settings, folder=str(tmp_path / "run"))).run()
    resumed = Simulation.resume(tmp_path / "run")
    assert resumed.state_fingerprint() == Simulation(SimulationConfig(**settings)).run().state_fingerprint()


@pytest.mark.parametrize("place", ["file/answers.sqlite", "folder"])
def test_a_cache_that_cannot_be_opened_says_so(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match="answers cannot be kept in"):
        ResponseCache(tmp_path / place)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for call in (
        lambda: ResponseCache(tmp_path / "answers.sqlite"),
        lambda: build("sectors", tmp_path),
        lambda: publish(Report("R", [Section("S")]), tmp_path / "r.html"),
        lambda: Simulation(
            SimulationConfig(n=5, years=1, planner="hill", folder=str(tmp_path / "run"))
        ).run(),
    ):
        with pytest.raises(FiscError, match=r"ermission|read"):
            call()
    tmp_path.chmod(0o700)


WRITER = """
import sys
from fisc.llm import ResponseCache, user
from fisc.llm.messages import ChatRequest, Completion
cache = ResponseCache(sys.argv[1])
for i in range(int(sys.argv[2]), int(sys.argv[3])):
    cache.put(ChatRequest("m", (user(f"question {i}"),)), Completion(f"answer {i}", 1, 1))
    print(i, flush=True)
"""


def start(path: Path, first: int, stop: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(first), str(stop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_and_a_kill_on_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    killed, steady = start(path, 0, 10**6), start(path, 0, 300)
    assert killed.stdout is not None
    last = -1
    deadline = time.monotonic() + 60
    while last < 100 and time.monotonic() < deadline:
        last = int(killed.stdout.readline())
    killed.send_signal(signal.SIGKILL)
    rest, _ = killed.communicate()
    whole = [int(line) for line in rest.split("\n")[:-1]]
    last = whole[-1] if whole else last
    steady.communicate(timeout=60)
    assert steady.returncode == 0
    cache = ResponseCache(path)
    for i in range(max(last + 1, 300)):  # what a process said it had kept is there, whole
        assert cache.get(asked(i)).text == f"answer {i}"
    assert len(cache) >= max(last + 1, 300)
    cache.close()
