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

from fisc.cli.report_runs import make_report
from fisc.data import DataError, OptionError
from fisc.report import Section
from fisc.report.definition import ReportDefinition
from fisc.report.history import archive, past_outputs, write_index
from fisc.report.install import installation
from fisc.report.ledger import Ledger
from fisc.report.mail import MailError, MailServer, send_report
from fisc.report.states import history_folder


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
    assert "<script>alert" not in page
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
    with pytest.raises(MailError, match="what it tells of was done"):
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


def test_the_environment_is_written_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOME": "/data/50% $x", "SMTP_HOST": "mail", "SMTP_PASSWORD": "hunter2"}.items():
        monkeypatch.setenv(f"FISC_{name}", value)
    monkeypatch.setenv("PATH", "/venv/bin:/bin")
    cron, units = (installation([Path("/r.toml")], system) for system in ("cron", "systemd"))
    words = shlex.split(cron.splitlines()[-1].split(maxsplit=5)[5].replace(r"\%", "%"))
    assert words[0] == "env"
    assert {"FISC_HOME=/data/50% $x", "FISC_SMTP_HOST=mail", "PATH=/venv/bin:/bin"} <= set(words)
    assert 'Environment="FISC_HOME=/data/50%% $x"\n' in units
    for text in (cron, units):
        assert "hunter2" not in text
        assert "FISC_SMTP_PASSWORD_FILE" in text
    monkeypatch.setenv("PATH", "/bin:" * 300)
    with pytest.raises(DataError, match="use --system systemd"):
        installation([Path("/r.toml")], "cron")


def test_the_password_may_stand_in_a_file(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    monkeypatch.setenv("FISC_SMTP_PASSWORD_FILE", str(tmp_path / "secret"))
    assert MailServer.from_environment().password == "hunter2"
    monkeypatch.setenv("FISC_SMTP_PASSWORD_FILE", str(tmp_path / "none"))
    with pytest.raises(DataError, match="cannot be read"):
        MailServer.from_environment()


def test_systemd_escapes_what_systemd_expands() -> None:
    text = installation([Path('/data/100% "$x"\\r.toml')], "systemd")
    assert '"/data/100%% \\"$$x\\"\\\\r.toml"' in text
    assert "Persistent=true" in text
    with pytest.raises(OptionError, match="did you mean 'systemd'"):
        installation([], "systemctl")


def test_success_and_failure_have_different_letters_and_a_failure_one(
    smtp: SmtpServer, settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FISC_SMTP_PORT", str(smtp.server_address[1]))
    monkeypatch.setenv("FISC_HOME", str(tmp_path / "home"))
    data = tmp_path / "speech.txt"
    data.write_text("x")

    class Kind:
        SUBTITLE = ""

        @staticmethod
        def sections(definition: ReportDefinition, progress: object) -> list[Section]:
            if not data.exists():
                raise DataError("there is no speech.txt")
            return [Section("S", finding="Rates rose by 1.5%.")]

    monkeypatch.setattr("fisc.cli.pipelines.registry.pipeline", lambda kind: Kind)
    report = ReportDefinition(
        kind="k",
        title="Rates",
        output="r.html",
        folder=tmp_path,
        schedule={"cron": "0 0 1 1 *", "misfire_grace_minutes": 600000},
        retry={"times": 1, "minutes": 0.0001},
        email={"to": ["reader@example.org"], "failure_to": ["keeper@example.org"]},
    )
    ledger = Ledger()

    def make() -> str:
        return make_report(report, ledger, lambda *_: None).status

    assert make() == "published"
    data.unlink()
    monkeypatch.setattr(ledger, "path", tmp_path / "other.sqlite")  # the next time of the schedule
    ledger._prepare()
    assert [make(), make()] == ["stale", "stale"]
    letters = [message_from_bytes(raw, policy=policy.default) for raw in smtp.received]
    assert [(m["To"], m["Subject"]) for m in letters] == [
        ("reader@example.org", "Rates"),
        ("keeper@example.org", "FAILED: Rates"),
    ]
    good, bad = (m.get_body(("plain",)).get_content() for m in letters)  # type: ignore[attr-defined]
    assert "* Rates rose by 1.5%." in good
    assert "there is no speech.txt" in bad
    assert "stays in its place" in bad
    assert not list(letters[1].iter_attachments())  # type: ignore[attr-defined]
    # A server that refuses: the page is published all the same, and the ledger says so.
    data.write_text("x")
    monkeypatch.setenv("FISC_SMTP_PORT", "1")
    assert make() == "unsent"
    run = ledger.runs()[0]
    assert run.status == "ok"
    assert "could not be sent" in run.message
