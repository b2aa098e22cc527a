"""When a report is due, and that a due report is made once."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from fisc.data import DataError, FiscError
from fisc.report.definition import ReportDefinition, load_definition, with_cron
from fisc.report.ledger import Ledger
from fisc.report.schedule import Outcome, due_since, run_due


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def definition(tmp_path: Path, grace: float = 1440.0, overlap: str = "wait") -> ReportDefinition:
    schedule = {"cron": "0 * * * *", "misfire_grace_minutes": grace, "overlap": overlap}
    return ReportDefinition(kind="k", title="Hourly", output="a.html", schedule=schedule, folder=tmp_path)


def test_due_once_an_hour(tmp_path: Path) -> None:
    report, ledger = definition(tmp_path), Ledger(tmp_path / "runs.sqlite")
    now = dt.datetime.now(dt.UTC)
    fire = now.replace(minute=0, second=0, microsecond=0)
    assert due_since(report, ledger.runs(), now) == fire
    with ledger.start("Hourly"):
        # A run under way deals with its time.
        assert due_since(report, ledger.runs("Hourly"), now) is None
    assert due_since(report, ledger.runs("Hourly"), now) is None
    later = now + dt.timedelta(hours=1)
    assert due_since(report, ledger.runs("Hourly"), later) == fire + dt.timedelta(hours=1)
    # Three hours off: due once, not three times.
    assert due_since(report, ledger.runs("Hourly"), now + dt.timedelta(hours=3)) is not None


def test_a_failed_run_waits_for_the_next_time_but_a_lost_or_refused_one_does_not(tmp_path: Path) -> None:
    report, ledger = definition(tmp_path), Ledger(tmp_path / "runs.sqlite")
    now = dt.datetime.now(dt.UTC)
    ledger.refuse("Hourly")
    ledger._begin("Hourly", "", None)  # begins as lost, until its lock is held
    assert {run.status for run in ledger.runs()} == {"refused", "lost"}
    assert due_since(report, ledger.runs("Hourly"), now) is not None
    with pytest.raises(RuntimeError), ledger.start("Hourly"):
        raise RuntimeError("on purpose")
    assert due_since(report, ledger.runs("Hourly"), now) is None


def test_a_time_missed_by_more_than_the_grace_is_left_out(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC).replace(minute=30)
    assert due_since(definition(tmp_path, grace=20.0), [], now) is None
    assert due_since(definition(tmp_path, grace=40.0), [], now) is not None
    assert due_since(definition(tmp_path).model_copy(update={"schedule": None}), [], now) is None


def test_run_due_goes_on_after_a_failure(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "runs.sqlite")
    reports = [definition(tmp_path).model_copy(update={"title": title}) for title in ("A", "B")]
    made = []

    def make(report: ReportDefinition) -> Outcome:
        with ledger.start(report.title):
            made.append(report.title)
            if report.title == "A":
                raise FiscError("no prices")
        return Outcome(report.title, "ok")

    first = run_due(reports, make, ledger)
    assert [(o.title, o.status, o.message) for o in first] == [("A", "failed", "no prices"), ("B", "ok", "")]
    assert [o.status for o in run_due(reports, make, ledger)] == ["not due", "not due"]
    assert made == ["A", "B"]


class Options(BaseModel, extra="forbid"):
    window: int = 21


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "r.toml"
    file.write_text(text)
    return file


GOOD = 'kind = "k"\ntitle = "T"\noutput = "o.html"\n'


def test_definition_is_completed_by_defaults(tmp_path: Path) -> None:
    found = load_definition(write(tmp_path, GOOD), {"k": Options})
    assert found.options == {"window": 21}
    assert found.output_path == tmp_path / "o.html"
    assert found.path("data/x.csv") == tmp_path / "data" / "x.csv"
    assert with_cron(found, "5 * * * *", "Asia/Kolkata").schedule is not None
    with pytest.raises(DataError, match="cron='5'"):
        with_cron(found, "5", "UTC")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind = ", "is not TOML"),
        ('kind = "q"\n', "kind='q' is not a report"),
        ('kind = "k"\n', "'title' is missing; 'output' is missing"),
        (GOOD + "sed = 1\n", "unknown key 'sed'; did you mean 'seed'?"),
        (GOOD + "seed = -1\n", "seed: Input should be greater than or equal to 0"),
        (GOOD.replace("o.html", "o.txt"), "must end in .html or .pdf"),
        (GOOD + "[options]\nwindw = 3\n", "[options] unknown key 'windw'; did you mean 'window'?"),
        (GOOD + '[options]\nwindow = "x"\n', "[options] window: Input should be a valid integer"),
        (GOOD + '[schedule]\ncron = "* * *"\n', "has 3 fields"),
        (GOOD + '[schedule]\ncorn = "* * * * *"\n', "did you mean 'cron'?"),
        (
            GOOD + '[schedule]\ncron = "* * * * *"\ntimezone = "Asia/Calcuta"\n',
            "did you mean 'Asia/Calcutta'?",
        ),
        (GOOD + '[schedule]\ncron = "* * * * *"\noverlap = "skip"\n', "'wait' or 'refuse'"),
        (GOOD + "[history]\nkeep = 0\n", "greater than or equal to 1"),
        (GOOD + '[email]\nto = ["nobody"]\n', "'nobody' is not an e-mail address"),
        (GOOD + '[email]\nto = ["a@b.c\\nBcc: x@y.z"]\n', "is not an e-mail address"),
        (GOOD + 'folder = "/"\n', "unknown key 'folder'"),
    ],
)
def test_bad_definitions_say_where_and_what(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        load_definition(write(tmp_path, text), {"k": Options})


def test_missing_definition(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fisc report new NAME"):
        load_definition(tmp_path / "none.toml", {"k": Options})
