"""The overview of all reports: as files, served, and what it says of each."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fisc.core import DataError
from fisc.report import Ledger, Report, Section, publish
from fisc.report.definition import ReportDefinition
from fisc.report.overview import Entry, entries, headline
from fisc.report.site import health, make_server, write_site


class Office:
    """Reports that were made some times."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ledger = folder, Ledger(folder / "runs.sqlite")
        self.reports: list[ReportDefinition] = []

    def add(
        self, title: str, findings: list[str | None], output: str = "r.html", cron: str = "0 0 1 1 *"
    ) -> None:
        file = self.folder / title / "r.toml"
        definition = ReportDefinition(
            kind="k", title=title, output=output, file=file, folder=file.parent, schedule={"cron": cron}
        )
        for finding in findings:
            good = Section("S", finding=finding or "")
            page = Report(title, [good if finding is not None else Section.failed("S", "no <i>file</i>")])
            publish(page, definition.output_path, ledger=self.ledger, name=str(file), title=title)
        self.reports.append(definition)

    def look(self) -> list[Entry]:
        return entries(self.reports, self.ledger, dt.datetime.now(dt.UTC))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    made.add("Good", ["Rates rose by 1.5%.", "Rates rose by 2.5%.", "Rates rose by −0.5%."])
    made.add("Stale", ["Fine.", None])
    made.add("Broken", [None])
    made.add("New", [])
    return made


def test_those_that_need_somebody_come_first(office: Office) -> None:
    assert [(e.definition.title, e.state) for e in office.look()] == [
        ("Broken", "failed"),
        ("Stale", "stale"),
        ("Good", "published"),
        ("New", "not made yet"),
    ]
    (office.folder / "Good" / "r.html").unlink()
    assert office.look()[1].state == "failed", "its page is gone"


def test_a_report_that_nobody_makes_is_late(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.add("Hourly", ["Fine."], cron="0 * * * *")
    now = dt.datetime.now(dt.UTC).replace(minute=0) + dt.timedelta(hours=1)
    states = [
        entries(office.reports, office.ledger, now + dt.timedelta(minutes=m))[0].state for m in (20, 40)
    ]
    assert states == ["published", "late"]


def test_the_site_says_state_findings_changes_and_next_time(
    office: Office, parse: Callable[[str], object]
) -> None:
    index = write_site(office.look(), office.folder / "site")
    page = index.read_text()
    text = parse(page).text  # type: ignore[attr-defined]
    assert "1 failed, 1 stale, 1 published, 1 not made yet." in text
    assert "Rates rose by −0.5%." in text
    assert "then: Rates rose by 2.5%." in text
    assert "3 runs" in text
    assert "1.5 then, -0.5 now" in text
    assert f"Next 01 January {dt.datetime.now(dt.UTC).year + 1}, 00:00 (UTC)." in text
    assert "&lt;i&gt;file" in page
    assert "<script" not in page
    # Three outputs of one name are three pages.
    names = sorted(path.name for path in (office.folder / "site" / "pages").glob("*.html"))
    assert names == ["r-2.html", "r-3.html", "r.html"]
    assert all(f'href="pages/{name}"' in page for name in names)
    good = (office.folder / "Good" / "r.html").read_bytes()
    assert good in [path.read_bytes() for path in (office.folder / "site" / "pages").iterdir()]
    before = index.read_bytes()
    (office.folder / "site" / "pages").chmod(0o700)
    write_site(office.look(), office.folder / "site")
    assert len(index.read_bytes()) == len(before)


@pytest.fixture
def port(office: Office) -> Iterator[int]:
    with make_server(office.look, port=0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def test_the_server_shows_the_same_pages_and_changes_nothing(office: Office, port: int) -> None:
    assert ask(port, "/")[1].count(b"<h2") >= 4
    assert ask(port, "/pages/r.html")[1] in [p.read_bytes() for p in office.folder.glob("*/r.html")]
    assert ask(port, "/", "HEAD") == (200, b"")
    assert ask(port, "/", "POST")[0] == 501
    for path in (
        "/pages/../runs.sqlite",
        "/pages/%2e%2e/Good/r.toml",
        "/runs.sqlite",
        "/r.html",
        "//etc/passwd",
    ):
        assert ask(port, path)[0] == 404
    assert ask(port, "/", Host="evil.example")[0] == 421
    assert ask(port, "/", Host=f"localhost:{port}")[0] == 200


def test_health_is_for_a_monitor(office: Office, port: int) -> None:
    status, content = ask(port, "/health")
    told = json.loads(content)
    assert (status, told["status"]) == (503, "attention")
    assert [report["state"] for report in told["reports"]][:2] == ["failed", "stale"]
    assert health([entry for entry in office.look() if entry.state == "published"])["status"] == "ok"


def test_an_address_that_cannot_be_listened_to_is_said(port: int, office: Office) -> None:
    with pytest.raises(DataError, match="free --port"):
        make_server(office.look, port=port)


@pytest.mark.parametrize(
    ("finding", "number"),
    [
        ("Mean effect +0.31 [−0.2, 0.4]", 0.31),
        ("2021-02-01: 25 sectors, 0 calls", 25.0),
        ("At 12:30 the top-10 rose by **−3.5%**.", -3.5),
        ("USD 1,250,000 a year", 1_250_000.0),
        ("r3d found 4e-3.", 0.004),
        ("Nothing.", None),
    ],
)
def test_headline_is_the_first_number_that_is_a_finding(finding: str, number: float | None) -> None:
    assert headline(finding) == number
