"""`fisc report`: templates, runs, schedules that survive being killed, two at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fisc.cli.pipelines import registry

# The command line with one more kind of report, quick to make, that waits where it is told to.
COMMAND = """
import os, sys, time, types
from pydantic import BaseModel
from fisc.cli.pipelines import registry
from fisc.cli import main
from fisc.data import DataError
from fisc.report import Section

class Options(BaseModel, extra="forbid"):
    pause: float = 0.0
    fail: bool = False
    crash: bool = False

def sections(definition, progress):
    open(os.environ["MADE"], "a").write("made\\n")
    time.sleep(definition.options["pause"])
    if definition.options["crash"]:
        raise ZeroDivisionError("a fault")
    part = registry.optional_section("Part", lambda: broken(definition))
    return [Section("Whole", "x" * 300_000), part]

def broken(definition):
    if definition.options["fail"]:
        raise DataError("no prices for <b>this</b> day")
    return Section("Part", "fine", finding="Rates rose by 1.5%.")

quick = types.ModuleType("quick")
quick.Options, quick.sections = Options, sections
quick.SUBTITLE, quick.TEMPLATE = "quick", "[options]\\npause = 0.0"
sys.modules["quick"] = quick
registry.KINDS["quick"] = "quick"
main()
"""


class Office:
    """A folder with a report, and the command line to make it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = folder / "made"
        self.made.touch()
        self.env = {**os.environ, "MADE": str(self.made), "FISC_HOME": str(folder / "home"), "COLUMNS": "160"}

    def write(self, **options: object) -> Path:
        schedule, top = options.pop("schedule", ""), options.pop("top", "")
        file = self.folder / f"{options.pop('name', 'r')}.toml"
        lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
        file.write_text(
            f'kind = "quick"\ntitle = "Quick"\noutput = "{file.stem}.html"\n{top}\n[options]\n'
            + "\n".join(lines)
            + f"\n{schedule}"
        )
        return file

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, "report", *map(str, arguments)],
            env=self.env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: object) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def fates(self) -> list[str]:
        code, out, err = self.run("runs", "--json")
        assert code == 0, err
        return [item["status"] for item in reversed(json.loads(out)["items"])]

    def wait_for(self, times: int) -> None:
        deadline = time.monotonic() + 60
        while self.made.read_text().count("made") < times:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


MINUTELY = '[schedule]\ncron = "* * * * *"\n'
YEARLY = '[schedule]\ncron = "0 0 1 1 *"\nmisfire_grace_minutes = 600000\n'


def test_build_publishes_keeps_and_indexes(office: Office) -> None:
    code, out, err = office.run("build", office.write())
    assert code == 0, err
    assert str(office.folder / "r.html") in out
    assert "fine" in (office.folder / "r.html").read_text()
    copies = sorted(p.name for p in (office.folder / "r-runs").iterdir() if p.suffix == ".html")
    assert len(copies) == 2
    assert copies[0] == "index.html"
    assert copies[1] in (office.folder / "r-runs" / "index.html").read_text()
    assert office.fates() == ["ok"]


def test_a_failed_section_is_shown_and_the_run_fails(office: Office) -> None:
    code, out, _ = office.run("build", office.write(fail=True))
    assert code == 1
    assert "no prices" in out
    page = (office.folder / "r.html").read_text()
    assert "no prices for &lt;b&gt;this&lt;/b&gt; day" in page
    assert "<b>this</b>" not in page
    assert office.fates() == ["failed"]


def test_a_failure_keeps_the_good_page_and_is_retried(office: Office) -> None:
    retry = YEARLY + "[retry]\ntimes = 1\nminutes = 0.001\n"
    assert office.run("run", "--due", office.write(schedule=retry))[0] == 0
    (office.folder / "home" / "runs.sqlite").unlink()  # due once more
    bad = office.write(fail=True, schedule=retry)
    codes = [office.run("run", "--due", bad)[0] for _ in range(3)]
    assert codes == [1, 1, 0], "failed, tried again, and then left alone"
    page = (office.folder / "r.html").read_text()
    assert "fine" in page
    assert "no prices for &lt;b&gt;this&lt;/b&gt; day" in page
    assert "no prices" in (office.folder / "r-runs" / "failed.html").read_text()
    assert "what it could make" in (office.folder / "r-runs" / "index.html").read_text()
    assert office.fates() == ["failed", "failed"]
    assert len(list((office.folder / "r-runs").glob("r-2*.html"))) == 1, "a failed page is no past report"


def test_a_fault_and_a_hanging_section_are_failures_that_keep_the_page(office: Office) -> None:
    assert office.run("build", office.write())[0] == 0
    code, out, err = office.run("build", office.write(crash=True))
    assert code == 1
    assert "ZeroDivisionError: a fault" in out
    assert "Traceback" in err
    code, out, _ = office.run("build", office.write(pause=60, top="section_minutes = 0.005"))
    assert code == 1
    assert "stale" in out
    assert "it took longer than 0.005 minutes" in out
    assert "fine" in (office.folder / "r.html").read_text()
    assert office.fates() == ["ok", "failed", "failed"]


def test_two_files_of_one_title_are_two_reports(office: Office) -> None:
    files = [office.write(schedule=YEARLY), office.write(name="s", schedule=YEARLY)]
    assert [office.run("run", "--due", file)[1].split()[0] for file in files] == ["published"] * 2
    assert office.run("run", "--due", *files) == (0, "", "")
    third = office.write(name="t")
    third.write_text(third.read_text().replace("t.html", "r.html"))
    code, _, err = office.run("run", third, *files)
    assert code == 2
    assert "would both write" in err
    items = json.loads(office.run("runs", "--report", files[1], "--json")[1])["items"]
    assert [item["report"] for item in items] == [str(files[1])]


def test_ctrl_c_says_what_is_kept_and_the_run_is_still_due(office: Office) -> None:
    assert office.run("build", office.write())[0] == 0
    (office.folder / "home" / "runs.sqlite").unlink()
    office.made.write_text("")
    process = office.start("run", "--due", office.write(pause=60, schedule=YEARLY))
    office.wait_for(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert str(office.folder / "r.html") in err
    assert "still due" in err
    assert office.fates() == ["interrupted"]
    assert office.run("run", "--due", office.write(schedule=YEARLY))[1].startswith("published")


def test_due_is_made_once(office: Office) -> None:
    file = office.write(schedule=YEARLY)
    assert office.run("run", "--due", file)[1].startswith("published")
    assert office.run("run", "--due", file) == (0, "", ""), "cron would mail every word"
    assert office.fates() == ["ok"]


def test_two_due_runs_at_once_make_it_once(office: Office) -> None:
    file = office.write(pause=1.0, schedule=YEARLY)
    both = [office.start("run", "--due", file) for _ in range(2)]
    states = sorted(p.communicate(timeout=120)[0].split(" ")[0] for p in both)
    assert states == ["", "published"]
    assert office.made.read_text().count("made") == 1


@pytest.mark.parametrize(
    ("rule", "fates", "codes"), [("wait", ["ok", "ok"], [0, 0]), ("refuse", ["ok", "refused"], [0, 3])]
)
def test_two_builds_at_once(office: Office, rule: str, fates: list[str], codes: list[int]) -> None:
    # The first must still be at it when the second, on a busy machine, has started.
    file = office.write(pause=2.0 if rule == "wait" else 10.0)
    first = office.start("build", file)
    office.wait_for(1)
    second = office.start("build", file, "--overlap", rule)
    ended = [p.communicate(timeout=120) and p.returncode for p in (first, second)]
    assert ended == codes
    assert sorted(office.fates()) == fates


def test_killed_in_the_middle_then_due_again(office: Office) -> None:
    file = office.write(schedule=YEARLY)
    assert office.run("run", "--due", file)[0] == 0
    before = (office.folder / "r.html").read_bytes()
    office.made.write_text("")
    slow = office.write(pause=30.0, schedule=MINUTELY)
    time.sleep(0.1)
    process = office.start("build", slow)
    office.wait_for(1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (office.folder / "r.html").read_bytes() == before
    assert office.fates() == ["ok", "lost"]
    quick = office.write(schedule=MINUTELY)
    code, out, err = office.run("run", "--due", quick)
    assert code == 0, err
    assert out == "" or out.startswith("published")  # "": the same minute as the first run
    assert not [p for p in office.folder.iterdir() if p.name.endswith(".part")]


def test_new_build_every_template(tmp_path: Path) -> None:
    from fisc.report.definition import load_definition

    office = Office(tmp_path)
    for kind in registry.KINDS:
        code, _, err = office.run("new", kind)
        assert code == 0, err
        found = load_definition(tmp_path / f"{kind}.toml", registry.models())
        assert found.kind == kind
    code, _, err = office.run("new", "demo")
    assert code == 2
    assert "exists already" in err
    code, _, err = office.run("new", "dema")
    assert code == 2
    assert "did you mean 'demo'" in err


def test_uncommented_template_is_valid(tmp_path: Path) -> None:
    import tomllib

    for kind in (*registry.KINDS, registry.OWN):
        lines = registry.template(kind, "r").splitlines()
        whole = "\n".join(
            [line.removeprefix("# ") if "=" in line or "[" in line else line for line in lines[1:]]
        )
        held = tomllib.loads(whole)
        assert held["schedule"]["timezone"] == "Asia/Kolkata"
        assert held["email"]["to"]


def test_schema_accepts_a_good_file_and_refuses_a_bad_one() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    import tomllib

    checker = jsonschema.Draft202012Validator(registry.json_schema())
    jsonschema.Draft202012Validator.check_schema(checker.schema)
    for kind in (*registry.KINDS, registry.OWN):
        held = tomllib.loads(registry.template(kind, "r"))
        assert list(checker.iter_errors(held)) == []
        assert list(checker.iter_errors({**held, "sed": 1}))
        assert list(checker.iter_errors({**held, "seed": 1})) == []
        assert kind == registry.OWN or list(checker.iter_errors({**held, "options": {"no_such": 1}}))


def test_next_prints_the_coming_times_in_their_zone(office: Office) -> None:
    file = office.write(schedule='[schedule]\ncron = "30 12 1 2 *"\ntimezone = "Asia/Kolkata"\n')
    code, out, err = office.run("next", file, "--count", 2)
    assert code == 0, err
    first, second = out.splitlines()
    assert first.endswith("-02-01T12:30:00+05:30  Quick")
    assert int(second[:4]) == int(first[:4]) + 1
    assert json.loads(office.run("next", file, "--json")[1])["items"][0]["report"] == "Quick"
    assert "add one" in office.run("next", office.write())[2]


def test_site_holds_every_report_that_was_made(office: Office) -> None:
    for name in ("r", "s"):
        assert office.run("build", office.write(name=name))[0] == 0
    code, out, err = office.run("site", "public")
    assert code == 0, err
    assert "Rates rose by 1.5%." in Path(office.folder / out.strip()).read_text()
    pages = office.folder / "public" / "pages"
    assert sorted(path.name for path in pages.glob("*.html")) == ["r.html", "s.html"]


def test_install_prints_both(office: Office) -> None:
    file = office.write(schedule=MINUTELY)
    assert "report run --due" in office.run("install", file)[1]
    assert "[Timer]" in office.run("install", file, "--system", "systemd")[1]
    assert office.run("install", file, "--system", "at")[0] == 2


@pytest.mark.slow
def test_scheduled_and_killed(office: Office) -> None:
    """Every minute, killed in the middle, started again: every run has its fate."""
    file = office.write(pause=3.0, schedule=MINUTELY)
    seen: set[int] = set()

    def watch(process: subprocess.Popen[str], times: int) -> None:
        page = office.folder / "r.html"
        deadline = time.monotonic() + 150
        while office.made.read_text().count("made") < times:
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            if page.exists():
                seen.add(len(page.read_bytes()))
            time.sleep(0.05)

    first = office.start("schedule", file)
    watch(first, 2)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = office.start("schedule", file)
    watch(second, 4)
    time.sleep(5.0)
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=30)
    fates = office.fates()
    assert fates.count("lost") == 1
    assert set(fates) == {"ok", "lost"}
    assert len(fates) == office.made.read_text().count("made")
    assert min(seen) > 300_000
