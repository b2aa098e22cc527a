"""Everything that fisc loads, damaged in 40 ways each: refused in words or still whole, and nothing runs.

The damage is seeded. Folders with a manifest are sealed again after every second damage, as somebody who means
harm would do, so that what lies behind the checksums is tried too.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from fisc.basir import SectorClassifier, Taxonomy, evaluate_ranking, event_study
from fisc.data import DataError, build, load_budget_excerpts, verify
from fisc.economist import Simulation, SimulationConfig
from fisc.llm import ResponseCache, user
from fisc.llm.messages import ChatRequest, Completion
from fisc.portfolio import Agent, TrialLog, backtest, train
from fisc.r3d import r3d, simulate
from fisc.report.definition import load_definition

VARIANTS = 40
SMALL = {"network": "mlp", "window": 6, "episode": 8, "steps": 256, "n_envs": 16, "evaluations": 1}
DATES = pd.bdate_range("2020-01-01", periods=160, name="date")
CLOSE = pd.DataFrame(
    np.exp(np.random.default_rng(0).normal(0, 0.01, (160, 3)).cumsum(axis=0)),
    index=DATES,
    columns=["A", "B", "C"],
)
ASKED = ChatRequest("m", (user("question"),))
TOML = """kind = "demo"
title = "Prices"
output = "prices.html"
seed = 3
[options]
start = "2020-01-01"
[schedule]
cron = "30 12 1 2 *"
timezone = "Asia/Kolkata"
misfire_grace_minutes = 60
[history]
keep = 3
"""
# What a file might name so that loading it runs code: `planted` is a module that leaves a mark.
TRAPS = (
    *("planted", "planted:run", "__import__('planted')", {"$type": "planted.Run"}, {"$enum": "planted.E"}),
    *({"__class__": "planted.Run"}, {"py/object": "planted.Run"}, {"py/reduce": ["planted.run", []]}),
)
VALUES = (
    *(
        None,
        True,
        -1,
        0,
        10**400,
        1e300,
        "",
        "many",
        "\x00",
        "1",
        [],
        [None],
        ["a"],
        {},
        {"a": 1},
        [[1.0], [1, 2]],
    ),
    *TRAPS,
)
PICKLE = b"cplanted\nrun\n(tR."


class Options(BaseModel, extra="forbid"):
    """Options of the report that is read."""

    start: str = ""


class Kind(NamedTuple):
    """A kind of file: how one is made below a folder, how it is read, and how many of 40 damages must tell."""

    make: Callable[[Path], Any]
    read: Callable[[Path], Any]
    least: int = 30


def _train(folder: Path) -> Agent:
    return train(CLOSE, **SMALL, checkpoint=folder / "run")


def _cached(folder: Path) -> None:
    cache = ResponseCache(folder / "answers.sqlite")
    cache.put(ASKED, Completion("answer", 1, 1))
    cache.close()


def _answer(folder: Path) -> Completion | None:
    cache = ResponseCache(folder / "answers.sqlite")
    try:
        return cache.get(ASKED)
    finally:
        cache.close()


def _tried(folder: Path) -> None:
    log = TrialLog(folder / "trials.jsonl")
    for seed in range(3):
        log.add({"network": "mlp"}, seed=seed, sharpe=1.0)


def _verified(folder: Path) -> None:
    """Check a built data set; what `verify` finds is told, not raised."""
    if problems := [check.problem for check in verify(folder) if not check.ok]:
        raise DataError(problems[0])


KINDS: dict[str, Kind] = {
    "classifier": Kind(
        lambda d: (
            SectorClassifier("lexical")
            .fit(load_budget_excerpts()["text"][:60], load_budget_excerpts()["sectors"][:60])
            .save(d / "model")
        ),
        lambda d: SectorClassifier.load(d / "model"),
    ),
    "agent": Kind(lambda d: train(CLOSE, **SMALL).save(d / "agent"), lambda d: Agent.load(d / "agent")),
    "checkpoint": Kind(_train, _train),
    "run folder": Kind(
        lambda d: Simulation(SimulationConfig(n=20, years=2, planner="hill", folder=str(d / "run"))).run(),
        # What can be made again from the rest, as the sums of a year, is: then to the same numbers.
        lambda d: Simulation.resume(d / "run").state_fingerprint(),
        20,
    ),
    "report definition": Kind(
        lambda d: (d / "report.toml").write_text(TOML),
        lambda d: load_definition(d / "report.toml", {"demo": Options}),
        10,
    ),
    "built data set": Kind(lambda d: build("sectors", d), _verified),
    "taxonomy": Kind(
        lambda d: Taxonomy.default().to_frame().to_csv(d / "sectors.csv", index=False),
        lambda d: Taxonomy.read(d / "sectors.csv"),
        5,
    ),
    "cache of answers": Kind(_cached, _answer, 10),
    "trial log": Kind(_tried, lambda d: TrialLog(d / "trials.jsonl").trials(), 15),
}


def _results() -> dict[str, Any]:
    events = ["2020-06-01", "2020-07-01"]
    returns = np.random.default_rng(1).normal(size=(3, 8))
    fit = r3d(simulate("fuzzy1", n=80, random_state=1).data, y="y", x="x", unit="unit", random_state=0)
    return {
        "R3DResult": fit,
        "BacktestResult": backtest(CLOSE, CLOSE.iloc[[9]] * 0 + 1 / 3, buy=0.0, sell=0.0),
        "EventStudy": event_study(CLOSE, events, market="A", estimation=(-60, -11)),
        "RankingMetrics": evaluate_ranking(
            pd.DataFrame(returns), pd.DataFrame(returns[:, ::-1]), relevance_kind="rank", draws=20
        ),
        "SimulationResult": Simulation(SimulationConfig(n=20, years=2, planner="hill")).run(),
        "TestResult": fit.test("nullity"),
    }


def harmed(value: Any, rng: random.Random) -> Any:
    """Return a copy of some JSON with one value, key or branch of it damaged."""
    whole = copy.deepcopy(value)
    place, at = None, None
    inside = whole
    while isinstance(inside, dict | list) and inside and (place is None or rng.random() < 0.7):
        place, at = inside, rng.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        inside = place[at]
    if place is None or rng.random() < 0.05:
        return rng.choice(VALUES)
    what = rng.randrange(5)
    if what == 0:
        del place[at]
    elif what == 1 and isinstance(place, dict):
        place[f"{at}_"] = place.pop(at)
    elif what == 2 and isinstance(place, dict):
        place["__reduce__"] = "planted.run"
    else:
        place[at] = rng.choice(VALUES)
    return whole


def damage(content: bytes, rng: random.Random) -> bytes:
    """Return the bytes of a file after one mishap, or after somebody meant harm."""
    what = rng.randrange(8)
    at = rng.randrange(len(content))
    if what == 0:
        return content[:at]
    if what == 1:
        return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]
    if what == 2:
        return rng.choice(
            [b"", b"\xff\xfe\x00", b"\x00" * 100, PICKLE, b"[" * 100_000, b"null", b"<html></html>"]
        )
    if what == 3:
        return content[:at] + rng.randbytes(rng.randrange(1, 40)) + content[at:]
    try:
        return json.dumps(harmed(json.loads(content), rng)).encode()
    except (ValueError, TypeError):
        pass
    lines = content.split(b"\n")
    row = rng.randrange(len(lines))
    put = rng.choice(VALUES)
    lines[row] = rng.choice([lines[row] * 2, b"planted:run", json.dumps(put).encode(), b"= = =", b'"'])
    return b"\n".join(lines)


def seal(folder: Path) -> None:
    """Make every manifest below a folder agree with its files."""
    for manifest in folder.rglob("manifest.json"):
        try:
            held = json.loads(manifest.read_bytes())
            names = list(held["files"])
        except (ValueError, KeyError, TypeError):
            continue  # damaged itself
        there = [name for name in names if (manifest.parent / name).is_file()]
        held["files"] = {n: hashlib.sha256((manifest.parent / n).read_bytes()).hexdigest() for n in there}
        manifest.write_text(json.dumps(held))


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Lay a trap: a module that leaves a mark when it is imported or called; tell whether it did."""
    mark = tmp_path / "ran"
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "planted.py").write_text(
        f"from pathlib import Path\ndef run(*_): Path({str(mark)!r}).touch()\nrun()\n"
    )
    monkeypatch.syspath_prepend(trap)
    return lambda: mark.exists() or "planted" in sys.modules


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_are_refused_in_words_and_nothing_runs(
    name: str, hostile, tmp_path: Path, planted: Callable[[], bool]
) -> None:
    kind = KINDS[name]
    good = tmp_path / "good"
    good.mkdir()
    kind.make(good)
    whole = kind.read(good)
    files = sorted(p.relative_to(good) for p in good.rglob("*") if p.is_file() and not p.name.startswith("."))
    refused = []
    for variant in range(VARIANTS):
        rng = random.Random(variant)
        bad = Path(shutil.copytree(good, tmp_path / "bad"))
        file = bad / files[variant % len(files)]
        if variant in (7, 23):
            file.unlink()
        else:
            file.write_bytes(damage(file.read_bytes(), rng))
        if variant % 2:
            seal(bad)
        answer = hostile.attempt(lambda bad=bad: kind.read(bad))
        refused.append(bool(answer.refusal))
        assert answer.refusal or not isinstance(whole, str) or answer.value == whole
        shutil.rmtree(bad)
    assert sum(refused) >= kind.least, f"only {sum(refused)} of {VARIANTS} were noticed"
    assert not planted()


def test_damaged_answers_in_a_whole_cache_are_refused(
    hostile, tmp_path: Path, planted: Callable[[], bool]
) -> None:
    _cached(tmp_path)
    with sqlite3.connect(tmp_path / "answers.sqlite") as connection:
        ((answer,),) = connection.execute("SELECT answer FROM answers").fetchall()
    connection.close()
    refused = 0
    for variant in range(VARIANTS):
        rng = random.Random(variant)
        put = damage(answer.encode(), rng).decode(errors="replace")
        with sqlite3.connect(tmp_path / "answers.sqlite") as connection:
            connection.execute("UPDATE answers SET answer = ?", (put,))
        connection.close()
        refused += bool(hostile.attempt(lambda: _answer(tmp_path)).refusal)
    assert refused >= 30
    assert not planted()


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return _results()


@pytest.mark.filterwarnings("ignore::fisc.data.DataWarning")
@pytest.mark.parametrize(
    "name", ["R3DResult", "BacktestResult", "EventStudy", "RankingMetrics", "SimulationResult", "TestResult"]
)
def test_damaged_results_are_refused_in_words_and_nothing_runs(
    name: str, hostile, results: dict[str, Any], planted: Callable[[], bool]
) -> None:
    result = results[name]
    document = json.loads(result.to_json())
    assert type(result).from_dict(document) == result
    refused = 0
    for variant in range(VARIANTS):
        bad = harmed(document, random.Random(variant))
        refused += bool(hostile.attempt(lambda bad=bad: type(result).from_dict(bad)).refusal)
    assert refused >= 30
    assert not planted()
