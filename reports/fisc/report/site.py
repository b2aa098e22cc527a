"""The site of all reports: written as files, or served read-only."""

from __future__ import annotations

import http.server
import json
import shutil
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fisc.core import DataError, atomic_write
from fisc.report.overview import Entry, overview, site_files

__all__ = ["health", "make_server", "write_site"]

_LOCAL = ("127.0.0.1", "localhost", "::1")
_TYPES = {".html": "text/html; charset=utf-8", ".pdf": "application/pdf"}
_BAD = ("failed", "stale", "late")


def write_site(found: Sequence[Entry], folder: Path, title: str = "Reports") -> Path:
    """Write ``index.html`` and copies of all published pages into a folder; return the index.

    Each file is written whole or not at all, the index last.
    """
    for name, path in site_files(found).items():
        with path.open("rb") as source, atomic_write(folder / "pages" / name, "wb") as target:
            shutil.copyfileobj(source, target)
    index = folder / "index.html"
    overview(found, title).to_html(index)
    return index


def health(found: Sequence[Entry]) -> dict[str, object]:
    """Return what a monitor asks for: whether all is well, and each report's state and times."""
    return {
        "status": "attention" if any(entry.state in _BAD for entry in found) else "ok",
        "reports": [
            {
                "title": entry.definition.title,
                "state": entry.state,
                "last": entry.good[0].started if entry.good else None,
                "next": entry.coming.isoformat() if entry.coming is not None else None,
            }
            for entry in found
        ],
    }


def make_server(
    look: Callable[[], list[Entry]], host: str = "127.0.0.1", port: int = 8765
) -> http.server.ThreadingHTTPServer:
    """Return a server of the same pages, always as they are now, and of ``/health`` (503 if one needs somebody).

    Parameters
    ----------
    look : callable
        Returns the entries at each request.
    host : str
        An address of this machine; only the loopback is private.
    port : int
        0 for any that is free.

    Raises
    ------
    DataError
        If the address cannot be listened to.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers GET and HEAD; changes nothing."""

        server_version, sys_version = "fisc", ""

        def do_GET(self) -> None:
            """Send a page."""
            # A page of another site must not read reports through a name of its own for this machine.
            asked = urlsplit(f"//{self.headers.get('Host', '')}").hostname
            if host in _LOCAL and asked not in _LOCAL:
                self._send(HTTPStatus.MISDIRECTED_REQUEST, b"this server answers to its own name only\n")
                return
            path = unquote(urlsplit(self.path).path)
            found = look()
            if path in ("/", "/index.html"):
                self._send(HTTPStatus.OK, overview(found).to_html().encode(), _TYPES[".html"])
            elif path == "/health":
                told = health(found)
                status = HTTPStatus.OK if told["status"] == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
                self._send(status, json.dumps(told).encode(), "application/json")
            elif (file := site_files(found).get(path.removeprefix("/pages/"))) and path.startswith("/pages/"):
                self._send(HTTPStatus.OK, file.read_bytes(), _TYPES[file.suffix])
            else:
                self._send(HTTPStatus.NOT_FOUND, b"there is no such page\n")

        do_HEAD = do_GET

        def _send(self, status: HTTPStatus, content: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: addresses of readers are not kept."""

    try:
        return http.server.ThreadingHTTPServer((host, port), Handler)
    except (OSError, OverflowError) as error:
        raise DataError(
            f"cannot listen to {host}:{port} ({error}); give an address of this machine and a free --port"
        ) from error
