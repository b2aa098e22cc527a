"""When a report is due, and that a due report is made once."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from fisc.data import DataError, FiscError
from fisc.report.definition import ReportDefinition, Retry, load_definition, with_cron
from fisc.report.ledger import Ledger
from fisc.report.run_record import RunRecord
from fisc.report.schedule import Outcome, due_since, next_try, run_due


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


def line(status: str, started: dt.datetime, minutes: float = 1.0) -> RunRecord:
    ended = started + dt.timedelta(minutes=minutes)
    return RunRecord(1, "r", started.isoformat(), ended.isoformat(), status, "", {}, "", 1, "h", "R", [])


@pytest.mark.parametrize(
    ("states", "times", "due"),
    [
        ([], 0, True),
        (["ok"], 2, False),
        (["running"], 2, False),
        (["failed"], 0, False),
        (["failed"], 1, True),
        (["failed", "failed"], 1, False),
        (["failed", "ok"], 5, False),
        (["refused"], 0, True),
        (["interrupted"] * 9, 0, True),
        (["lost"], 0, True),
        (["lost"] * 3, 0, False),
    ],
)
def test_what_deals_with_a_time(tmp_path: Path, states: list[str], times: int, due: bool) -> None:
    report = definition(tmp_path).model_copy(update={"retry": Retry(times=times, minutes=15)})
    fire = moment("2026-11-22T09:00:00+00:00")
    runs = [line(status, fire + dt.timedelta(minutes=i)) for i, status in enumerate(states)]
    assert (due_since(report, runs, fire + dt.timedelta(minutes=50)) == fire) is due


def test_a_retry_comes_so_many_minutes_after_the_end_of_the_failure(tmp_path: Path) -> None:
    report = definition(tmp_path).model_copy(update={"retry": Retry(times=1, minutes=15)})
    fire = moment("2026-11-22T09:00:00+00:00")
    runs = [line("failed", fire, minutes=10)]
    assert due_since(report, runs, fire + dt.timedelta(minutes=24)) is None
    assert due_since(report, runs, fire + dt.timedelta(minutes=25)) == fire
    assert next_try(report, runs, fire + dt.timedelta(minutes=11)) == fire + dt.timedelta(minutes=25)
    # A failure of the time before says nothing of this one.
    assert due_since(report, [line("failed", fire - dt.timedelta(minutes=5))], fire) == fire


def test_a_clock_that_was_set_back_repeats_nothing_and_blocks_nothing(tmp_path: Path) -> None:
    report, fire = definition(tmp_path), moment("2026-11-22T09:00:00+00:00")
    assert due_since(report, [line("ok", fire + dt.timedelta(minutes=30))], fire) is None
    assert due_since(report, [line("ok", fire + dt.timedelta(days=400))], fire) == fire


def test_an_interrupted_run_is_due_again(tmp_path: Path) -> None:
    report, ledger = definition(tmp_path), Ledger(tmp_path / "runs.sqlite")
    with pytest.raises(KeyboardInterrupt), ledger.start("Hourly"):
        raise KeyboardInterrupt
    assert [run.status for run in ledger.runs("Hourly")] == ["interrupted"]
    assert due_since(report, ledger.runs("Hourly"), dt.datetime.now(dt.UTC)) is not None


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
    assert found.name == str(tmp_path / "r.toml")
    assert load_definition(write(tmp_path, GOOD + "seed = 7\n"), {"k": Options}).random_state == 7
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
        (GOOD + "random_stat = 1\n", "unknown key 'random_stat'; did you mean 'random_state'?"),
        (GOOD + "seed = -1\n", "random_state: Input should be greater than or equal to 0"),
        (GOOD + "seed = 1\nrandom_state = 1\n", "give random_state or its old name seed, not both"),
        (GOOD + "[retry]\ntimes = -1\n", "retry.times: Input should be greater than or equal to 0"),
        (GOOD + "section_minutes = 0\n", "section_minutes: Input should be greater than 0"),
        (GOOD + 'file = "x"\n', "unknown key 'file'"),
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
