"""Reports that their file puts together: loops, functions of other packages, notebooks, trust."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fisc.cli import report
from fisc.cli.pipelines import own, registry
from fisc.cli.report_runs import find_definitions, make_report, run_due
from fisc.core import DataError
from fisc.report import Ledger
from fisc.report.loops import expand

PACKAGE = """
from fisc.report import Section

def rates(level, state="all", random_state=0, folder=None):
    print("x" * 5_000_000)
    return Section("Rates", finding=f"Rates of {state} are {level} with {random_state} in {folder.name}.")

def wrong(level):
    return "a page"

def crash(level):
    raise ZeroDivisionError("a fault")

def hang(level):
    import time
    time.sleep(60)
"""

NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [
        {"cell_type": "markdown", "source": ["# Rates"], "metadata": {}},
        {"cell_type": "code", "source": "level = 1\n", "metadata": {"tags": ["parameters"]}},
        {
            "cell_type": "code",
            "source": ["from fisc.report import Section\n", "doubled = 2 * level"],
            "metadata": {},
        },
        {"cell_type": "code", "source": "Section('Doubled', finding=f'Twice is {doubled}.')", "metadata": {}},
    ],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "treasury").mkdir()
    (tmp_path / "treasury" / "__init__.py").touch()
    (tmp_path / "treasury" / "pages.py").write_text(PACKAGE)
    (tmp_path / "rates.ipynb").write_text(json.dumps(NOTEBOOK))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FISC_HOME", str(tmp_path / "home"))
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "treasury"]:
        del sys.modules[name]


def write(folder: Path, text: str, top: str = "") -> Path:
    file = folder / "own.toml"
    head = "" if "output" in top else 'output = "own.html"\n'
    file.write_text(f'title = "Own"\n{head}{top}{text}')
    return file


def make(file: Path, *allowed: str) -> list[str]:
    ledger = Ledger()
    return [make_report(d, ledger, lambda *_: None).status for d in find_definitions([file], allowed)]


def section(uses: str, **options: object) -> str:
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in options.items())
    return f'[[section]]\nuses = "{uses}"\n[section.options]\n{lines}\n'


def test_a_function_and_a_notebook_make_one_page_on_a_schedule(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    point = importlib.metadata.EntryPoint("treasury.rates", "treasury.pages:rates", own.GROUP)
    monkeypatch.setattr(own.importlib.metadata, "entry_points", lambda group: [point])
    parts = section("treasury.rates", level=3) + section("rates.ipynb", level=21)
    schedule = '[schedule]\ncron = "0 0 1 1 *"\nmisfire_grace_minutes = 600000\n'
    definitions = find_definitions([write(folder, parts + schedule, "random_state = 5\n")], ["rates.ipynb"])
    ledger = Ledger()

    def due() -> list[str]:
        return [
            o.status for o in run_due(definitions, lambda d: make_report(d, ledger, lambda *_: None), ledger)
        ]

    assert [due(), due()] == [["published"], ["not due"]]
    assert ledger.runs()[0].findings == [
        f"Rates of all are 3 with 5 in {folder.name}.",
        "Twice is 42.",
    ]
    assert "xxx" not in capsys.readouterr().out, "megabytes that a section prints are dropped"


def test_a_list_makes_one_page_a_value_and_each_has_its_own_runs(folder: Path) -> None:
    text = '[parameters]\nstate = ["Goa", "Assam", "Kerala"]\nlevel = 7\n' + section(
        "treasury.pages:rates", level="{level}", state="{state} on {today}"
    )
    file = write(folder, text, 'output = "pages/{state}.html"\n')
    assert make(file, "treasury") == ["published"] * 3
    assert sorted(p.stem for p in (folder / "pages").glob("*.html")) == ["Assam", "Goa", "Kerala"]
    names = [run.report for run in Ledger().runs()]
    assert names == [f"{file} [state={state}]" for state in ("Kerala", "Assam", "Goa")]
    assert len(Ledger().runs(str(file))) == 3
    assert len(Ledger().runs(names[0])) == 1
    page = (folder / "pages" / "Goa.html").read_text()
    assert re.search(r"Rates of Goa on \d{4}-\d\d-\d\d are 7 with", page)


def test_a_section_of_the_package_takes_the_options_of_its_kind(folder: Path) -> None:
    with pytest.raises(DataError, match=r"section 1 \(r3d.fit\) unknown key 'cutof'; did you mean 'cutoff'"):
        find_definitions([write(folder, section("r3d.fit", data="m.csv", y="y", x="x", unit="u", cutof=0))])
    file = write(folder, section("portfolio.backtest", rules=["buy_and_hold"]))
    assert make(file) == ["published"]
    assert "after costs from" in (folder / "own.html").read_text()


@pytest.mark.parametrize(
    ("uses", "options", "words"),
    [
        ("treasury.pages:wrong", {"level": 1}, "returned a str; expected a fisc.report.Section"),
        ("treasury.pages:crash", {"level": 1}, "ZeroDivisionError: a fault"),
        ("treasury.pages:hang", {"level": 1}, "it took longer than 0.005 minutes"),
        ("treasury.pages:rates", {"lvl": 1}, "the options do not fit treasury.pages:rates"),
        ("treasury.pages:gone", {}, "cannot be loaded"),
        ("treasury.nowhere:f", {}, "cannot be loaded"),
    ],
)
def test_a_section_that_fails_says_why_and_the_next_is_made(
    folder: Path, uses: str, options: dict[str, object], words: str
) -> None:
    parts = section(uses, **options) + section("treasury.pages:rates", level=2)
    assert make(write(folder, parts, "section_minutes = 0.005\n"), "treasury") == ["failed"]
    page = (folder / "own.html").read_text()
    assert words in page
    assert "Rates of all are 2" in page


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%matplotlib inline", "magics are not run"),
        ("1 + 1", "shows no section"),
        ("1 / 0", "division by zero"),
    ],
)
def test_a_notebook_that_shows_nothing_says_why(folder: Path, cell: str, words: str) -> None:
    cells = [{"cell_type": "code", "source": cell, "metadata": {}}]
    (folder / "rates.ipynb").write_text(json.dumps({"nbformat": 4, "cells": cells}))
    assert make(write(folder, section("rates.ipynb")), "rates.ipynb") == ["failed"]
    assert words in (folder / "own.html").read_text()


@pytest.mark.parametrize(
    ("uses", "allowed", "words"),
    [
        ("treasury.pages:rates", [], "no installed package has registered 'treasury.pages:rates'.*--allow"),
        ("treasury.pages:rates", ["treasur", "pages"], "no installed package has registered"),
        ("os:system", ["treasury"], "no installed package has registered 'os:system'"),
        ("rates.ipynb", ["treasury"], "holds code of its own; allow it by --allow rates.ipynb"),
        ("r3d.fitt", [], "is not a section; did you mean 'r3d.fit'"),
        ("a b:c", [], "is not a section"),
    ],
)
def test_only_what_somebody_vouches_for_runs(folder: Path, uses: str, allowed: list[str], words: str) -> None:
    file = write(folder, section(uses, level=1))
    with pytest.raises(DataError, match=words):
        find_definitions([file], allowed)
    # Looking at when it comes next runs nothing, and needs no trust; making it does, whoever asks.
    (definition,) = find_definitions([file])
    assert make_report(definition, Ledger(), lambda *_: None).status == "failed"
    assert "treasury" not in sys.modules


def test_the_functions_of_an_allowed_package_are_found_from_a_parent(folder: Path) -> None:
    assert make(write(folder, section("treasury.pages:rates", level=1)), "treasury.pages") == ["published"]


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({"parameters": {"a": []}}, "a list of them that is not empty"),
        ({"parameters": {"a": [1, "1"]}}, "stands twice"),
        ({"parameters": {"today": 1}}, "give it another name"),
        ({"parameters": {"a": {"b": 1}}}, "give a text, a number"),
        ({"parameters": {"a": True}}, "give a text, a number"),
        ({"parameters": 3}, "is not a table"),
        ({"parameters": {"state": "x"}, "title": "{stat}"}, "did you mean 'state'"),
        ({"parameters": {"a": list(range(40)), "b": list(range(40))}}, "1600 pages; at most 1000"),
    ],
)
def test_parameters_that_cannot_be_used_are_named(held: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        expand(held)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[parameters]\nstate = ["A", "B"]\n' + section("demo"), "would both write"),
        ('kind = "demo"\n' + section("demo"), "not both"),
        ("section = []\n", "at least one"),
        ('[[section]]\nuse = "demo"\n', "unknown key 'section.0.use'; did you mean 'uses'"),
    ],
)
def test_files_that_cannot_be_used_are_named(folder: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        find_definitions([write(folder, text)], ())


def test_trust_is_given_on_the_command_line(folder: Path) -> None:
    file = write(folder, section("rates.ipynb", level=2) + '[schedule]\ncron = "0 0 1 1 *"\n')
    runner = CliRunner()
    refused = runner.invoke(report.app, ["build", str(file)])
    assert isinstance(refused.exception, DataError)
    assert runner.invoke(report.app, ["build", str(file), "--allow", "rates.ipynb"]).exit_code == 0
    lines = runner.invoke(report.app, ["install", str(file), "--allow", "rates.ipynb"]).output
    assert "--allow rates.ipynb" in lines


def test_the_template_of_an_own_report_is_made(folder: Path) -> None:
    file = folder / "fresh.toml"
    file.write_text(registry.template(registry.OWN, "fresh"))
    assert make(file) == ["published"]
    runs = Ledger().runs()
    assert len(runs[0].findings) == 2
