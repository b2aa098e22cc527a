"""A hundred workers, ten steps, a server with every fault: no crash, all counted, and a second run for free."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai", reason="the extra fisc[llm] is not installed")

from fisc.economist import Simulation, SimulationConfig

JSON = {"Content-Type": "application/json"}
#: How a first answer goes wrong; what the transport spoils is sent again, what the text spoils is repaired or asked.
TRANSPORT = ("429", "500", "html", "broken", "slow")
TEXT = ("half", "fence", "strings", "nan", "prose", "nothing", "fine", "fine")


def spoiled(kind: str, hours: dict[str, float]) -> str | None:
    whole = json.dumps({"hours": hours})
    return {
        "half": whole[: len(whole) // 2],
        "fence": f"```json\n{whole}\n```",
        "strings": json.dumps({"hours": {k: f"{v} hours" for k, v in hours.items()}}),
        "nan": json.dumps({"hours": dict.fromkeys(hours, float("nan"))}),
        "prose": "Work is its own reward.",
        "nothing": None,
        "fine": whole,
    }[kind]


def test_every_fault_in_one_run_and_a_second_run_without_requests(
    stub: Any, answer: Callable[..., bytes], tmp_path: Path
) -> None:
    used = set()

    def script(body: dict[str, Any], times: int) -> tuple[int, dict[str, str], bytes]:
        chance = hashlib.sha256(json.dumps(body["messages"]).encode()).digest()
        first = body["messages"][1]["content"]
        if times == 0 and chance[0] < 100:
            fault = TRANSPORT[chance[1] % len(TRANSPORT)]
            used.add(fault)
            if fault == "slow":
                return 0, JSON, answer("{}")
            if fault == "html":
                return 200, {"Content-Type": "text/html"}, b"<html>busy</html>"
            if fault == "broken":
                return 200, JSON, b'{"choices": ['
            return int(fault), {**JSON, "Retry-After": "0"}, b'{"error": {"message": "no"}}'
        if '"rates"' in body["messages"][0]["content"]:
            return 200, JSON, answer('{"rates": ["30%", 40, 40, 50, 50, 50, 50]}')
        hours = {line.split(";")[0]: 35.0 + chance[2] % 10 for line in first.splitlines()}
        kind = TEXT[chance[3] % len(TEXT)]
        used.add(kind)
        return 200, JSON, answer(spoiled(kind, hours))

    stub.script = script
    model = {
        "name": "stub",
        "base_url": stub.url,
        "timeout": 1.0,
        "pause": 0.001,
        "attempts": 5,
        "batch": 5,
        "reasks": 1,
        "cache": str(tmp_path / "answers.sqlite"),
    }
    config = SimulationConfig(
        n=100,
        years=5,
        steps_per_year=2,
        planner="language",
        workers="language",
        population="acs",
        model=model,
    )
    first = Simulation(config).run()
    assert first.status == "done"
    assert first.years == 5
    assert used >= {*TRANSPORT, *TEXT}
    ledger = first.ledger
    assert ledger is not None
    assert set(ledger["failures"]) == {"rate_limit", "server", "html", "protocol", "timeout"}
    assert {"fence", "number", "truncated"} <= set(ledger["repairs"])
    assert ledger["reasked"] > 0
    assert ledger["fallbacks"] > 0
    assert ledger["requests"] >= len(stub.requests) > 200  # a connection may fail before it arrives

    asked = len(stub.requests)
    second = Simulation(config).run()
    assert len(stub.requests) == asked
    assert second.ledger is not None
    assert second.ledger["requests"] == 0
    assert second.state_fingerprint() == first.state_fingerprint()
