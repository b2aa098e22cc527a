"""What importing the report layer may load: nothing heavy, whatever is asked for first."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "numpy",
    "pandas",
    "matplotlib",
    "jinja2",
    "great_tables",
    "markdown_it",
    "weasyprint",
    "scipy",
    "torch",
)


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


# What tables are made of; whoever writes a section has loaded them already.
TABLES = {"numpy", "pandas"}


@pytest.mark.parametrize(
    ("statement", "needed"),
    [
        ("import fisc.report", set()),
        ("import fisc.report.style, fisc.report.ledger", set()),
        ("from fisc.report import Report, Section, Figure, Table, Result, Ledger, publish, plain", TABLES),
        ("import fisc.report.publishing", TABLES),
    ],
)
def test_importing_loads_nothing_heavy(statement: str, needed: set[str]) -> None:
    assert loaded_by(statement) & set(HEAVY) <= needed


def test_drawing_does_not_touch_pyplot() -> None:
    statement = (
        "from fisc.report import Figure, style\n"
        "with style.context():\n"
        "    fig, ax = style.figure(); ax.plot([1, 2])\n"
        "Figure.from_matplotlib(ax)"
    )
    assert "matplotlib.pyplot" not in loaded_by(statement)


def test_every_public_name_exists_and_unknown_ones_do_not() -> None:
    import fisc.report

    for name in fisc.report.__all__:
        assert getattr(fisc.report, name) is not None
        assert name in dir(fisc.report)
    with pytest.raises(AttributeError, match="no attribute 'Reprot'"):
        _ = fisc.report.Reprot
