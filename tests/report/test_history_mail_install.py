"""Past outputs, e-mail against a local server, and the lines for cron and systemd."""

from __future__ import annotations

import datetime as dt
import shlex
import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from fisc.data import DataError, OptionError
from fisc.report.history import archive, history_folder, past_outputs, write_index
from fisc.report.install import installation
from fisc.report.ledger import Ledger
from fisc.report.mail import MailError, MailServer, send_report


def test_archive_keeps_the_latest(tmp_path: Path) -> None:
    output = tmp_path / "r.html"
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for day in range(5):
        output.write_text(f"day {day}")
        archive(output, keep=3, now=start + dt.timedelta(days=day))
    assert [p.read_text() for p in past_outputs(output)] == ["day 4", "day 3", "day 2"]


def test_archive_leaves_other_files_alone(tmp_path: Path) -> None:
    output = tmp_path / "r.html"
    output.write_text("x")
    archive(output, keep=1)
    mine = history_folder(output) / "r-notes.html"
    mine.write_text("mine")
    archive(output, keep=1)
    assert mine.exists()
    assert len(past_outputs(output)) == 1


def test_index_lists_what_exists_and_escapes(tmp_path: Path) -> None:
    output, ledger = tmp_path / "a & b.html", Ledger(tmp_path / "runs.sqlite")
    output.write_text("x")
    copy = archive(output, keep=5)
    with pytest.raises(ValueError, match="script"), ledger.start("R"):
        raise ValueError("<script>alert(1)</script>")
    page = write_index("R", output, ledger.runs()).read_text()
    assert copy.name.replace(" & ", "%20%26%20") in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "failed" in page


class _Smtp(socketserver.StreamRequestHandler):
    """As much of an SMTP server as sending one message needs."""

    def handle(self) -> None:
        server: SmtpServer = self.server  # type: ignore[assignment]
        self.say("220 local")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "EHLO":
                self.say("250-local")
                self.say("250 AUTH PLAIN")
            elif verb == "AUTH":
                self.say(f"535 you sent {line}" if server.refuse else "235 ok")
            elif verb == "DATA":
                self.say("354 go")
                lines = []
                while (text := self.rfile.readline()) != b".\r\n":
                    lines.append(text)
                server.received.append(b"".join(lines))
                self.say("250 ok")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class SmtpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Smtp)
        self.received: list[bytes] = []
        self.refuse = False


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    values = {"HOST": "127.0.0.1", "PORT": "1", "FROM": "fisc@example.org", "SECURITY": "none"}
    for name, value in values.items():
        monkeypatch.setenv(f"FISC_SMTP_{name}", value)
    return values


def test_send(
    smtp: SmtpServer, settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FISC_SMTP_PORT", str(smtp.server_address[1]))
    monkeypatch.setenv("FISC_SMTP_USER", "me")
    monkeypatch.setenv("FISC_SMTP_PASSWORD", "hunter2")
    page = tmp_path / "r.html"
    page.write_text("<p>résumé</p>")
    server = MailServer.from_environment()
    assert "hunter2" not in repr(server)
    send_report(server, ["a@example.org", "b@example.org"], "Budget\r\nBcc: x@y.z", "text", page)
    (raw,) = smtp.received
    message = message_from_bytes(raw, policy=policy.default)
    assert message["Subject"] == "Budget Bcc: x@y.z"
    assert message["Bcc"] is None
    assert message["To"] == "a@example.org, b@example.org"
    (attached,) = message.iter_attachments()  # type: ignore[attr-defined]
    assert attached.get_filename() == "r.html"
    assert attached.get_content().strip() == "<p>résumé</p>"


def test_a_refused_login_does_not_show_the_password(
    smtp: SmtpServer, settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smtp.refuse = True
    monkeypatch.setenv("FISC_SMTP_PORT", str(smtp.server_address[1]))
    monkeypatch.setenv("FISC_SMTP_USER", "me")
    monkeypatch.setenv("FISC_SMTP_PASSWORD", "hunter2")
    page = tmp_path / "r.html"
    page.write_text("x")
    with pytest.raises(MailError) as caught:
        send_report(MailServer.from_environment(), ["a@example.org"], "s", "t", page)
    import base64
    import traceback

    shown = "".join(traceback.format_exception(caught.value))
    assert "SMTPAuthenticationError" in shown
    assert base64.b64encode(b"\0me\0hunter2").decode() not in str(caught.value)
    assert caught.value.__suppress_context__


def test_no_server(settings: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    page.write_text("x")
    with pytest.raises(MailError, match="the report itself was made"):
        send_report(MailServer.from_environment(), ["a@example.org"], "s", "t", page)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HOST", "", "needs FISC_SMTP_HOST"),
        ("PORT", "x", "is not a port"),
        ("SECURITY", "ssl", "one of starttls"),
    ],
)
def test_bad_settings(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"FISC_SMTP_{name}", value)
    with pytest.raises(DataError, match=words):
        MailServer.from_environment()


def test_cron_line_survives_awkward_names() -> None:
    file = Path('/data/100% of "it" $HOME/r.toml')
    line = installation([file], "cron", 10).splitlines()[-1]
    assert line.startswith("*/10 * * * * ")
    # cron turns \% into % before the shell sees the line.
    assert shlex.split(line.split(maxsplit=5)[5].replace(r"\%", "%"))[-1] == str(file)


def test_systemd_escapes_what_systemd_expands() -> None:
    text = installation([Path('/data/100% "$x"\\r.toml')], "systemd")
    assert '"/data/100%% \\"$$x\\"\\\\r.toml"' in text
    assert "Persistent=true" in text
    with pytest.raises(OptionError, match="did you mean 'systemd'"):
        installation([], "systemctl")
