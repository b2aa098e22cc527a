"""A key in the environment is used, and shown nowhere: not in files, reports, logs or exceptions."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fisc.data import FiscError, record
from fisc.economist import Simulation, SimulationConfig
from fisc.llm import Client, OpenAIModel, ResponseCache
from fisc.report import Ledger, Report, Section, publish
from fisc.report.mail import MailServer, send_report

KEY = "sk-never-to-be-seen-4711"
PASSWORD = "hunter2-never-to-be-seen"
FAULTS = [(401, "refuses"), (500, "breaks"), (429, "is busy"), (200, "answers rubbish")]


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("FISC_LLM_HOSTS", "OPENAI_API_KEY=127.0.0.1")
    monkeypatch.setenv("FISC_SMTP_PASSWORD", PASSWORD)
    caplog.set_level(logging.DEBUG)


class Echo:
    """A server that fails, and gives the key that it was sent back in its answer."""

    def __init__(self, status: int) -> None:
        self.seen: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                sent = self.headers.get("Authorization", "")
                outer.seen.append(sent)
                body = json.dumps({"error": {"message": f"bad key {sent}"}}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(params=FAULTS, ids=[words for _, words in FAULTS])
def server(request: pytest.FixtureRequest) -> Iterator[Echo]:
    echo = Echo(request.param[0])
    yield echo
    echo.close()


def nowhere(folder: Path, *shown: str) -> None:
    """Check that no secret stands in any file below `folder` or in any text."""
    held = [path for path in folder.rglob("*") if path.is_file()]
    for path in held:
        content = path.read_bytes()
        assert KEY.encode() not in content, path
        assert PASSWORD.encode() not in content, path
    for text in shown:
        assert KEY not in text
        assert PASSWORD not in text


def simulate(url: str, folder: Path) -> str:
    """Run a simulation by a language model to its end, or to its error in words."""
    config = SimulationConfig(
        n=3,
        years=2,
        planner="language",
        workers="language",
        personas=True,
        folder=str(folder),
        model={"name": "stub", "base_url": url, "attempts": 1, "pause": 0.0, "timeout": 5.0},
    )
    try:
        result = Simulation(config).run()
    except FiscError as error:
        return "".join(traceback.format_exception(error))
    return result.summary() + json.dumps(result.to_dict(), default=str)


def test_a_simulation_with_a_failing_server(
    server: Echo,
    secrets: None,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = simulate(server.url, tmp_path / "run")
    assert server.seen == [f"Bearer {KEY}"] * len(server.seen)
    assert server.seen, "the key was never sent, so that nothing was tested"
    out, err = capfd.readouterr()
    nowhere(tmp_path, words, caplog.text, out, err)


def test_reports_of_a_failing_server(
    server: Echo, secrets: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = OpenAIModel("stub", server.url, timeout=5.0)
    client = Client(model, cache=ResponseCache(tmp_path / "answers.sqlite"), attempts=1, pause=0.0)
    shown = [repr(model), repr(client), repr(vars(client.ledger))]

    def build() -> Report:
        from pydantic import BaseModel

        from fisc.llm import user

        class Hours(BaseModel):
            hours: float

        try:
            client.ask_all([[user("How many hours?")]], Hours)
        except FiscError as error:
            shown.append("".join(traceback.format_exception(error)))
            return Report("R", [Section.failed("Model", error)])
        return Report("R", [Section("Model", provenance=record(options={"model": repr(model)}))])

    ledger = Ledger(tmp_path / "ledger.sqlite")
    publish(build, tmp_path / "out.html", ledger=ledger)
    shown += [repr(run) for run in ledger.runs()]
    assert len(shown) >= 4
    nowhere(tmp_path, *shown, caplog.text)


def test_mail_without_a_server(
    secrets: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in (("HOST", "127.0.0.1"), ("PORT", "1"), ("FROM", "a@example.org"), ("USER", "me")):
        monkeypatch.setenv(f"FISC_SMTP_{name}", value)
    page = tmp_path / "r.html"
    page.write_text("x")
    server = MailServer.from_environment()
    with pytest.raises(FiscError) as caught:
        send_report(server, ["b@example.org"], "s", "t", page)
    nowhere(tmp_path, "".join(traceback.format_exception(caught.value)), repr(server), caplog.text)


def test_a_cluster_of_settings_does_not_pickle_the_key(secrets: None) -> None:
    """What goes to other processes is the name of the variable, never its value."""
    config = SimulationConfig(planner="language", model={"name": "m", "base_url": "http://127.0.0.1:1/v1"})
    assert KEY not in json.dumps(config.to_dict())
    assert KEY not in repr(config)
