"""Building data sets to files: idempotent, verified, resumable, safe for two processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from fisc.core.errors import CorruptFileError
from fisc.data import DataError, WriteError, build, builders, verify


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.iterdir())}


def test_building_twice_rewrites_nothing(tmp_path: Path) -> None:
    first = build("sp500", tmp_path)
    before = state(tmp_path)
    second = build("sp500", tmp_path)
    assert (first.rebuilt, second.rebuilt) == (True, False)
    assert state(tmp_path) == before
    assert set(before) == {"sp500.parquet", "sp500.json"}
    assert all(check.ok for check in verify(tmp_path))


def test_what_is_built_is_what_is_loaded(tmp_path: Path) -> None:
    import fisc.data

    built = build("budget-attention", tmp_path)
    loaded = fisc.data.load_budget_attention()
    pd.testing.assert_frame_equal(builders.read(built.data), loaded, check_freq=False)


def test_other_options_are_another_data_set(tmp_path: Path) -> None:
    build("sp500", tmp_path)
    part = build("sp500", tmp_path, {"start": "2020-01-01"})
    assert part.rebuilt
    assert part.rows < 1000
    assert build("sp500", tmp_path, {"start": "2020-01-01"}).rebuilt is False


def test_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    one, two = build("sectors", tmp_path / "a"), build("sectors", tmp_path / "b")
    assert one.data.read_bytes() == two.data.read_bytes()


@pytest.mark.parametrize("where", [0, 1000, -1])
def test_a_flipped_byte_is_found_and_repaired(tmp_path: Path, where: int) -> None:
    built = build("sp500", tmp_path)
    content = bytearray(built.data.read_bytes())
    content[where] ^= 1
    built.data.write_bytes(content)
    (broken,) = [check for check in verify(tmp_path) if not check.ok]
    assert broken.path == built.data
    assert "checksum" in broken.problem
    with pytest.raises(CorruptFileError, match=re.escape("sp500.parquet does not have the checksum")):
        builders.read(built.data)
    assert build("sp500", tmp_path).rebuilt
    assert all(check.ok for check in verify(tmp_path))


def test_missing_and_foreign_files_are_found(tmp_path: Path) -> None:
    built = build("sectors", tmp_path)
    built.data.unlink()
    (tmp_path / "other.json").write_text("{not json")
    (tmp_path / "loose.parquet").write_bytes(b"x")
    problems = {check.path.name: check.problem for check in verify(tmp_path) if not check.ok}
    assert "is missing" in problems["sectors.parquet"]
    assert "not a card" in problems["other.json"]
    assert "has no card" in problems["loose.parquet"]


def test_damaged_card_is_rebuilt(tmp_path: Path) -> None:
    built = build("sectors", tmp_path)
    built.card.write_text(built.card.read_text()[:100])
    assert build("sectors", tmp_path).rebuilt
    assert json.loads(built.card.read_text())["card"]["licence"]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("sp5000", {}, "did you mean 'sp500'"),
        ("sp500", {"tickrs": "A"}, "did you mean 'tickers'"),
        ("sectors", {"start": "2020-01-01"}, "has no option 'start'"),
        ("own-prices", {}, "your own files"),
        ("prices", {}, "needs the option 'tickers'"),
        ("sp500", {"start": "2030-01-01"}, "no trading day"),
    ],
)
def test_bad_requests(tmp_path: Path, name: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        build(name, tmp_path, options)
    assert not list(tmp_path.glob("*.parquet"))


def test_verify_needs_a_folder_with_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        verify(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no data set"):
        verify(tmp_path)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(WriteError, match="cannot make the folder"):
        build("sectors", tmp_path / "taken" / "below")


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build("sectors", tmp_path)
    before = state(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (tmp_path / "sectors.json").unlink()
    with pytest.raises(WriteError, match="No space left on device"):
        build("sectors", tmp_path)
    left = state(tmp_path)
    assert left == {"sectors.parquet": before["sectors.parquet"]}


# A build of eight parts, each slow enough to be killed in; how often each part was really made is
# written to a log.
MANY_PARTS = """
import sys, time
import pandas as pd
from fisc.data import builders
out, log, pause = sys.argv[1], sys.argv[2], float(sys.argv[3])

def part(number):
    def make():
        time.sleep(pause)
        with open(log, "a") as f:
            f.write(f"{number}\\n")
        return pd.DataFrame({"part": [number] * 1000, "value": range(1000)})
    return builders.Part(f"p{number}", f"sha256:{number:016d}", make)

builders._parts = lambda entry, options: [part(n) for n in range(8)]
built = builders.build("sectors", out)
print(built.rebuilt, built.rows, built.parts_made, built.parts_kept)
"""


def start_build(out: Path, log: Path, pause: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MANY_PARTS, str(out), str(log), str(pause)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_build_goes_on_where_it_was(tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    log.touch()
    process = start_build(out, log, 0.3)
    deadline = time.monotonic() + 60
    while log.read_text().count("\n") < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "sectors.parquet").exists()
    assert not (out / "sectors.json").exists()

    output, errors = start_build(out, log, 0.0).communicate(timeout=120)
    rebuilt, rows, made, kept = output.split()
    assert (rebuilt, rows) == ("True", "8000"), errors
    assert int(kept) >= 2
    assert int(made) + int(kept) == 8
    assert all(check.ok for check in verify(out))
    left = {p.name for p in out.iterdir()}
    assert left == {"sectors.parquet", "sectors.json"}
    assert sorted(pd.read_parquet(out / "sectors.parquet")["part"].unique()) == list(range(8))


def test_a_damaged_piece_of_a_killed_build_is_made_again(tmp_path: Path) -> None:
    pieces = tmp_path / ".sectors.parts"
    pieces.mkdir()
    (pieces / f"p3.{3:016d}.parquet").write_bytes(b"PAR1 half a file")
    output, errors = start_build(tmp_path, tmp_path / "log", 0.0).communicate(timeout=120)
    assert output.split() == ["True", "8000", "8", "0"], errors


def test_two_builds_at_once_both_end_well_and_one_does_the_work(tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    both = [start_build(out, log, 0.05) for _ in range(2)]
    results = sorted(p.communicate(timeout=120)[0].split()[0] for p in both)
    assert results == ["False", "True"]
    assert sorted(log.read_text().split()) == [str(n) for n in range(8)]
    assert all(check.ok for check in verify(out))


def test_half_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    half = tmp_path / ".sectors.parquet.123-abc.part"
    half.write_bytes(b"half")
    build("sectors", tmp_path)
    assert not half.exists()
