"""The command line, as a person and as a script use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def command(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fisc.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "COLUMNS": "100", **env},
    )


def test_version() -> None:
    from fisc.data import version

    assert command("--version").stdout.strip() == f"fisc {version()}"


def test_list_shows_every_data_set() -> None:
    import fisc.data

    text, items = (
        command("data", "list").stdout,
        json.loads(command("data", "list", "--json").stdout)["items"],
    )
    assert {item["name"] for item in items} == set(fisc.data.catalogue().names)
    assert all(item["name"] in text for item in items)
    assert all(item["source"] and item["licence"] and item["span"] for item in items)


def test_show() -> None:
    assert "survivorship" in command("data", "show", "sp500").stdout
    assert json.loads(command("data", "show", "sp500", "--json").stdout)["rows"] == 5785


def test_build_verify_path(tmp_path: Path) -> None:
    out = str(tmp_path / "d")
    first = command("data", "build", "sp500", "--out", out)
    assert first.returncode == 0, first.stderr
    assert "wrote" in first.stdout
    assert "nothing was written" in command("data", "build", "sp500", "--out", out).stdout
    assert json.loads(command("data", "build", "sp500", "--out", out, "--json").stdout)["rebuilt"] is False
    assert command("data", "verify", out).returncode == 0
    data = tmp_path / "d" / "sp500.parquet"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0xFF
    data.write_bytes(content)
    wrong = command("data", "verify", out)
    assert wrong.returncode == 1
    assert "WRONG" in wrong.stdout
    assert "sp500.parquet" in wrong.stdout
    assert command("data", "path", FISC_HOME=out).stdout.strip() == out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("data", "show", "sp5000"), "did you mean 'sp500'"),
        (("data", "build", "sectors", "--out", "{tmp}/d", "--start", "2020-01-01"), "no option 'start'"),
        (("data", "verify", "{tmp}/nowhere"), "is not a folder"),
        (("data", "build", "prices", "--out", "{tmp}/d"), "needs the option 'tickers'"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    result = command(*(a.format(tmp=tmp_path) for a in arguments))
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_offline_build_says_what_would_be_fetched_from_where(tmp_path: Path) -> None:
    result = command(
        *("data", "build", "prices", "--tickers", "AAPL", "--start", "2020-01-01", "--end", "2020-02-01"),
        *("--out", str(tmp_path)),
        FISC_OFFLINE="1",
        FISC_HOME=str(tmp_path / "home"),
    )
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "AAPL" in result.stderr
    assert "yahoo" in result.stderr.lower()
