"""Publishing: whole or not at all, one at a time, and in the ledger."""

from __future__ import annotations

import errno
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fisc.data import DataError, MissingExtraError, OptionError, WriteError, record
from fisc.report import Ledger, Report, Section, publish
from fisc.report.publishing import OverlapError
from fisc.report.states import failed_copy

NOW = "2026-01-01T00:00:00Z"


def report(title: str = "Prices", *more: Section) -> Report:
    history = record(inputs={"prices": "abc"})
    return Report(title, [Section("Returns", provenance=history), *more])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "site" / "prices.html"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "runs.sqlite")


def test_the_page_is_put_in_place_and_recorded(out: Path, ledger: Ledger) -> None:
    page = report()
    done = publish(page, out, ledger=ledger, now=NOW)
    assert out.read_text(encoding="utf-8") == page.to_html(now=NOW)
    assert (done.path, done.status, done.message) == (out, "published", "")
    (run,) = ledger.runs()
    assert done.run == run.id
    assert (run.report, run.status, run.output) == ("prices", "ok", str(out))
    assert run.inputs == record(inputs={"prices": "abc"}).inputs


def test_without_a_ledger_nothing_is_recorded(out: Path, ledger: Ledger) -> None:
    assert publish(report(), out).run is None
    assert ledger.runs() == []
    assert [p.name for p in out.parent.iterdir()] == ["prices.html"]


def test_without_a_good_page_a_failed_one_shows_the_errors(out: Path, ledger: Ledger) -> None:
    done = publish(report("P", Section.failed("Speech", "no file")), out, ledger=ledger)
    assert done.status == "failed"
    assert done.message == "section 'Speech': no file"
    assert "no file" in out.read_text()
    (run,) = ledger.runs()
    assert (run.status, run.message) == ("failed", done.message)
    # Nor does it count as good: the next failure takes its place, a good page takes both's.
    assert publish(report("Q", Section.failed("S", "gone")), out, ledger=ledger).status == "failed"
    assert "gone" in out.read_text()
    assert publish(report("R"), out, ledger=ledger).status == "published"
    assert "gone" not in out.read_text()


def test_a_good_page_stays_with_a_banner_of_the_last_failure(out: Path, ledger: Ledger) -> None:
    publish(report("First"), out, ledger=ledger, now=NOW)
    good = out.read_text()
    for reason in ("no <b>file</b>", "x" * 2000):
        done = publish(report("P", Section.failed("Speech", reason)), out, ledger=ledger)
        assert done.status == "stale"
    page = out.read_text()
    assert "This page is of 1 January 2026, 00:00 UTC. The run of " in page
    assert "x" * 500 in page
    assert "x" * 1000 not in page
    assert "no &lt;b&gt;file" not in page, "one banner, of the last failure"
    assert re.sub(r'<div class="failure stale".*?</div>\n', "", page) == good
    assert "x" * 1000 in failed_copy(out).read_text(), "what could be made is kept aside"
    assert [r.status for r in ledger.runs()] == ["failed", "failed", "ok"]
    publish(report("Third"), out, ledger=ledger)
    assert "failure stale" not in out.read_text()


def test_a_pdf_with_a_failed_section_is_never_put_under_its_name(
    out: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Report, "to_pdf", lambda self, path, now=None: self.to_html(path))
    target = out.with_suffix(".pdf")
    assert publish(report("P", Section.failed("S", "gone")), target, ledger=ledger).status == "failed"
    assert not target.exists()
    assert failed_copy(target).exists()
    publish(report("Good"), target)
    assert publish(report("P", Section.failed("S", "gone")), target).status == "stale"
    assert "Good" in target.read_text()


def test_findings_are_in_the_ledger(out: Path, ledger: Ledger) -> None:
    publish(report("P", Section("S", finding="Rates rose by 1%.")), out, ledger=ledger, title="Rates")
    assert ledger.runs("Rates")[0].findings == ["Rates rose by 1%."]


def test_what_is_raised_while_building_leaves_the_last_page(out: Path, ledger: Ledger) -> None:
    publish(report("First"), out, ledger=ledger)

    def broken() -> Report:
        raise DataError("no prices")

    with pytest.raises(DataError, match="no prices"):
        publish(broken, out, ledger=ledger)
    assert "First" in out.read_text()
    assert "failed.</strong> no prices</div>" in out.read_text()
    assert [r.status for r in ledger.runs()] == ["failed", "ok"]
    assert ledger.runs()[0].message == "DataError: no prices"


def test_two_inputs_of_one_name_are_both_recorded(out: Path, ledger: Ledger) -> None:
    other = Section("More", provenance=record(inputs={"prices": "other"}))
    publish(report("P", other), out, ledger=ledger)
    assert ledger.runs()[0].inputs == {
        "prices": record(inputs={"x": "abc"}).inputs["x"],
        "prices (2)": record(inputs={"x": "other"}).inputs["x"],
    }


def test_pdf_goes_by_the_ending(out: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(MissingExtraError):
        publish(report(), out.with_suffix(".pdf"), ledger=ledger)
    assert ledger.runs()[0].status == "failed"
    assert not out.with_suffix(".pdf").exists()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"overlap": "wiat"}, OptionError, "did you mean 'wait'"),
        ({"out_path": "x.htm"}, OptionError, "ending of out_path='.htm'.*'.html'"),
        ({"report": lambda: "page"}, DataError, "expected a Report to publish, not a str"),
    ],
)
def test_bad_input_is_named(options, error, words: str, out: Path) -> None:
    with pytest.raises(error, match=words):
        publish(**{"report": report(), "out_path": out, **options})


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match="cannot make the folder"):
        publish(report(), tmp_path / "file" / "r.html", ledger=ledger)


SLOW = """
import sys, time
from fisc.report import Ledger, Report, Section, publish
def build():
    print("building", flush=True)
    time.sleep(float(sys.argv[4]))
    return Report(sys.argv[3], [Section("S")])
publish(build, sys.argv[1], ledger=Ledger(sys.argv[2]))
"""


def elsewhere(out: Path, ledger: Ledger, title: str, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(out), str(ledger.path), title, str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "building\n"
    return process


def test_a_second_run_is_refused_or_waits(out: Path, ledger: Ledger) -> None:
    first = elsewhere(out, ledger, "First", 1.5)
    with pytest.raises(OverlapError, match=r"another run is making .*prices\.html; wait for it"):
        publish(report("Second"), out, ledger=ledger, overlap="refuse")
    publish(report("Third"), out, ledger=ledger, overlap="wait")
    assert first.wait() == 0
    first.stdout.close()
    assert "Third" in out.read_text()
    runs = ledger.runs()
    assert sorted(r.status for r in runs) == ["ok", "ok", "refused"]
    times = {r.pid: r for r in runs if r.status == "ok"}
    assert times[os.getpid()].started >= times[first.pid].ended


def test_another_output_does_not_wait(out: Path, ledger: Ledger) -> None:
    first = elsewhere(out, ledger, "First", 30)
    try:
        publish(report(), out.with_name("other.html"), ledger=ledger, overlap="refuse")
    finally:
        first.kill()
        first.wait()
        first.stdout.close()


LOOP = """
import sys, itertools
from fisc.report import Ledger, Report, Section, publish
ledger = Ledger(sys.argv[2])
big = "word " * 400_000
print("ready", flush=True)
for i in itertools.count():
    publish(Report(f"Run {i}", [Section("S", big)]), sys.argv[1], ledger=ledger)
"""


def test_kill_at_any_moment_never_leaves_half_a_page(out: Path, ledger: Ledger) -> None:
    publish(report("Before"), out, ledger=ledger)
    for wait in (0.05, 0.21, 0.37, 0.6):
        process = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(out), str(ledger.path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:  # a reader all the while sees whole pages
            assert out.read_text(encoding="utf-8").endswith("</html>\n")
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        text = out.read_text(encoding="utf-8")
        assert text.startswith("<!DOCTYPE html>")
        assert text.endswith("</html>\n")
    publish(report("After"), out, ledger=ledger)
    assert "After" in out.read_text()
    assert not list(out.parent.glob(".*.part")), "what killed runs left is swept away"
    fates = {r.status for r in Ledger(ledger.path).runs()}
    assert fates <= {"ok", "lost"}


MIXED = LOOP.replace("[Section", "[Section.failed('F', 'on purpose')] * (i % 2) + [Section")


@pytest.mark.slow
def test_thirty_kills_lose_no_good_page(out: Path, ledger: Ledger) -> None:
    """Every second run fails: at each moment a whole good page stands, with or without a banner."""
    publish(report("Before"), out, ledger=ledger)
    draw = random.Random(0)
    for _ in range(30):
        process = subprocess.Popen(
            [sys.executable, "-c", MIXED, str(out), str(ledger.path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.0, 1.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        text = out.read_text(encoding="utf-8")
        assert text.startswith("<!DOCTYPE html>")
        assert text.endswith("</html>\n")
        assert '<meta name="fisc.state" content="published">' in text
    fates = {run.status for run in Ledger(ledger.path).runs()}
    assert "failed" in fates
    assert "lost" in fates
    assert fates <= {"ok", "failed", "lost"}


def test_rubbish_of_other_outputs_is_not_swept(out: Path) -> None:
    publish(report(), out)
    other = out.with_name(".prices.html.old.html.123-abcd.part")
    mine = out.with_name(".prices.html.123-abcd.part")
    for path in (other, mine):
        path.write_text("half")
    publish(report(), out)
    assert other.exists()
    assert not mine.exists()


def test_a_full_disk_leaves_the_last_page_and_a_failed_run(
    out: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(report("First"), out, ledger=ledger)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fisc.core.files.os.fsync", full)
    with pytest.raises(WriteError, match="No space left on device"):
        publish(report("Second"), out, ledger=ledger)
    assert "First" in out.read_text()
    assert not list(out.parent.glob(".*.part"))
    assert [r.status for r in ledger.runs()] == ["failed", "ok"]
    assert "No space left" in ledger.runs()[0].message
