"""A server of the OpenAI protocol that misbehaves in every way on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Script = Callable[[dict[str, Any], int], tuple[int, dict[str, str], bytes]]


def completion(text: str | None, usage: bool = True) -> bytes:
    """Return the body of a proper answer."""
    body: dict[str, Any] = {
        "id": "stub",
        "object": "chat.completion",
        "created": 0,
        "model": "stub",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
    }
    if usage:
        body["usage"] = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return json.dumps(body).encode()


JSON = {"Content-Type": "application/json"}


class StubServer:
    """Answers each POST by a script that sees the body and how often this body came before."""

    def __init__(self) -> None:
        self.script: Script = lambda body, times: (200, JSON, completion("{}"))
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._times: dict[str, int] = {}
        self._lock = threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                body = json.loads(raw)
                with stub._lock:
                    stub.requests.append(body)
                    stub.headers.append({name.lower(): value for name, value in self.headers.items()})
                    key = json.dumps(body["messages"])
                    times = stub._times.get(key, 0)
                    stub._times[key] = times + 1
                status, headers, answer = stub.script(body, times)
                if status == 0:  # hang until the client has lost patience
                    time.sleep(2.0)
                    status = 200
                try:
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Be quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def stub() -> Iterator[StubServer]:
    server = StubServer()
    yield server
    server.close()


@pytest.fixture
def answer() -> Callable[..., bytes]:
    return completion
