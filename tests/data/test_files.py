"""Atomic files, locks, fingerprints, locations, options."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fisc.data as data
from fisc.core.files import locked
from fisc.core.locations import forbid_offline


def test_atomic_write_keeps_the_old_content_when_the_block_fails(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="on purpose"), data.atomic_write(target) as handle:  # noqa: PT012
        handle.write("new")
        raise RuntimeError("on purpose")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_atomic_write_replaces_and_has_usual_permissions(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    with data.atomic_write(tmp_path / "deep" / "b.bin", "wb") as handle:
        handle.write(b"\x00\x01")
    written = tmp_path / "deep" / "b.bin"
    assert written.read_bytes() == b"\x00\x01"
    assert written.stat().st_mode == plain.stat().st_mode


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    target = tmp_path / "big"
    whole = {b"a" * 300_000, b"b" * 300_000}
    with data.atomic_write(target, "wb") as handle:
        handle.write(b"a" * 300_000)
    stop = threading.Event()
    seen: set[bytes] = set()

    def look() -> None:
        while not stop.is_set():
            seen.add(target.read_bytes())

    reader = threading.Thread(target=look)
    reader.start()
    for letter in [b"a", b"b"] * 20:
        with data.atomic_write(target, "wb") as handle:
            for _ in range(30):
                handle.write(letter * 10_000)
    stop.set()
    reader.join()
    assert seen <= whole


def test_errors_of_the_block_keep_their_kind(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), data.atomic_write(tmp_path / "a"):
        raise FileNotFoundError("the caller's own, without a number")


def test_lock_times_out_with_a_clear_message(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "x"),
        pytest.raises(data.WriteError, match="in use by another process"),
        locked(tmp_path / "x", timeout=0.05),
    ):
        pass


_COUNTER = """
import sys
from fisc.core.files import locked
for _ in range(150):
    with locked(sys.argv[1]):
        with open(sys.argv[1]) as file: count = int(file.read())
        with open(sys.argv[1], "w") as file: file.write(str(count + 1))
"""


def test_processes_exclude_each_other_and_leave_no_lock_behind(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", _COUNTER, str(tmp_path / "count")]
    workers = [subprocess.Popen(command) for _ in range(4)]
    assert [worker.wait() for worker in workers] == [0] * 4
    assert (tmp_path / "count").read_text() == "600"
    assert [p.name for p in tmp_path.iterdir()] == ["count"]


def test_lists_arrays_and_mappings_in_cells_have_a_fingerprint() -> None:
    def frame(cell: object) -> pd.DataFrame:
        return pd.DataFrame({"a": [cell, [1]], "b": [1.0, 2.0]})

    long = np.arange(5000.0)
    changed = long.copy()
    changed[2500] = -1.0  # where a printed array shows only dots
    cells = [[1], [2], {"k": 1}, long, changed, [long], [changed], {"a", "b"}]
    assert len({data.fingerprint(frame(cell)) for cell in cells}) == len(cells)
    assert data.fingerprint(frame([1])) == data.fingerprint(frame([1]))
    assert data.fingerprint(frame([1]).set_axis(["x", "y"])) != data.fingerprint(frame([1]))
    assert data.fingerprint({"k": {"a", "b", "c"}}) == data.fingerprint({"k": {"c", "b", "a"}})
    for odd in ({1: "a", "b": 2}, {("a", "b"): 1}):
        with pytest.raises(data.DataError, match="has no fingerprint"):
            data.fingerprint(odd)


def test_fingerprint_notices_every_change() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}, index=pd.Index([0, 1], name="i"))
    variants = [
        frame,
        frame.rename(columns={"a": "c"}),
        frame.astype({"a": "float32"}),
        frame.assign(a=[1.0, 2.0 + 1e-15 * 4]),
        frame.iloc[::-1],
        frame.set_axis([0, 2]),
        frame.rename_axis("j"),
        frame.assign(b=["x", None]),
    ]
    prints = [data.fingerprint(v) for v in variants]
    assert len(set(prints)) == len(prints)
    assert data.fingerprint(frame.copy()) == prints[0]
    arrays = [np.arange(4.0), np.arange(4.0).reshape(2, 2), np.arange(4), np.arange(4.0) * (1 + 1e-15)]
    assert len({data.fingerprint(a) for a in arrays}) == 4
    assert data.fingerprint({"a": 1, "b": 2}) == data.fingerprint({"b": 2, "a": 1})


def test_fingerprint_does_not_see_attrs_or_memory_order() -> None:
    frame = pd.DataFrame({"a": [1.0]})
    other = frame.copy()
    other.attrs["note"] = "x"
    assert data.fingerprint(frame) == data.fingerprint(other)
    square = np.arange(9.0).reshape(3, 3)
    assert data.fingerprint(square) == data.fingerprint(np.asfortranarray(square))


def test_home_and_offline_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FISC_HOME", str(tmp_path / "h"))
    assert data.data_home() == tmp_path / "h"
    assert data.cache_dir("prices").is_dir()
    for value, expected in {"1": True, "yes": True, "0": False, "": False, "off": False}.items():
        monkeypatch.setenv("FISC_OFFLINE", value)
        assert data.offline() is expected
    monkeypatch.setenv("FISC_OFFLINE", "1")
    with pytest.raises(data.OfflineError, match=re.escape("prices would be fetched from example.org")):
        forbid_offline("prices", "example.org")
    monkeypatch.setenv("FISC_HOME", "")
    assert data.data_home().name == "fisc"


def test_check_option() -> None:
    assert data.check_option("k", 2, (1, 2)) == 2
    for bad in (["a"], {"a": 1}, None, float("nan"), "trangular"):
        with pytest.raises(data.OptionError, match="is not an option"):
            data.check_option("kernel", bad, ("triangular", "uniform"))


def test_require_names_the_extra() -> None:
    with pytest.raises(data.MissingExtraError, match=r"pip install 'fisc\[portfolio\]'"):
        data.require("no_such_library_anywhere", extra="portfolio")


def test_all_errors_are_fisc_errors() -> None:
    for name in data.__all__:
        thing = getattr(data, name)
        if isinstance(thing, type) and issubclass(thing, Exception) and not issubclass(thing, Warning):
            assert issubclass(thing, data.FiscError), name
