"""``fisc basir``: every command, its JSON, its pages, its errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fisc.basir import ClassificationScore, EventStudy, Ranking, SpeechSectors
from fisc.basir.demo import demo_section
from fisc.cli.basir import app
from fisc.data import DataError

SPEECH = "Sir, I rise to present the Budget. " + "\n".join(
    f"{i}. The duty on <b>steel</b> is reduced, and Rs. 500 crore are provided for banks. "
    "The rest of the duty on steel stays."
    for i in range(2, 14)
)
run = CliRunner()


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    path = tmp_path / "2022-02-01.txt"
    path.write_text(SPEECH)
    return path


def test_classify_writes_a_page_and_a_table(speech: Path, tmp_path: Path) -> None:
    html, csv = tmp_path / "out.html", tmp_path / "out.csv"
    done = run.invoke(app, ["classify", str(speech), "--html", str(html), "--csv", str(csv), "--json"])
    assert done.exit_code == 0, done.output
    found = SpeechSectors.from_dict(json.loads(done.stdout)).to_frame()
    assert set(found["sector"]) >= {"Steel", "Banks"}
    assert found["rupees"].iloc[0] == 5e9
    page = html.read_text()
    assert "&lt;b&gt;" in page
    assert "<b>steel</b>" not in page
    assert "<mark" in page
    assert len(pd.read_csv(csv)) == len(found)
    assert "Steel" in run.invoke(app, ["classify", str(speech)]).stdout


def test_classify_with_an_own_taxonomy(speech: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("sector,keywords\nMetals,steel;copper\nLenders,banks;loans\n")
    done = run.invoke(app, ["classify", str(speech), "--taxonomy", str(own), "--json"])
    found = SpeechSectors.from_dict(json.loads(done.stdout)).to_frame()
    assert set(found["sector"]) == {"Metals", "Lenders"}


def test_train_then_classify_then_evaluate(speech: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    done = run.invoke(app, ["train", "--method", "lexical", "--out", str(model)])
    assert done.exit_code == 0, done.output
    assert "micro-F1" in done.stdout
    assert run.invoke(app, ["classify", str(speech), "--model", str(model), "--json"]).exit_code == 0
    said = json.loads(run.invoke(app, ["evaluate", "--json", "--folds", "3"]).stdout)
    assert ClassificationScore.from_dict(said).table.loc["micro-F1", "value"] > 0.7


def test_rank_and_report(speech: Path, tmp_path: Path) -> None:
    frame = Ranking.from_dict(json.loads(run.invoke(app, ["rank", "--json"]).stdout)).frame
    assert len(frame) == 25
    assert set(frame["call"]) <= {"UP", "DOWN", "no call"}
    assert run.invoke(app, ["rank", str(speech)]).exit_code == 0
    page = tmp_path / "day.html"
    done = run.invoke(app, ["report", str(speech), "--html", str(page)])
    assert done.exit_code == 0, done.output
    assert "25 sectors" in done.stdout
    assert "no call" in page.read_text()


def test_events(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    days = pd.bdate_range("2018-06-01", "2021-06-01")
    levels = 100 * np.cumprod(1 + rng.normal(0, 0.01, (len(days), 4)), axis=0)
    prices = pd.DataFrame(levels, index=days, columns=list("MABC"))
    path = tmp_path / "prices.csv"
    prices.rename_axis("date").to_csv(path)
    done = run.invoke(
        app, ["events", str(path), "--market", "M", "--events", "2020-07-01,2020-09-01", "--json"]
    )
    assert len(EventStudy.from_dict(json.loads(done.stdout)).frame) == 6
    done = run.invoke(app, ["events", str(path), "--market", "M"])
    assert "2021-02-01" in done.stdout


def test_errors_reach_the_caller(speech: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (["classify", str(tmp_path / "absent.pdf")], "there is no file"),
        (["classify", str(speech), "--model", str(tmp_path)], "is not a saved sector classifier"),
        (["events", str(tmp_path / "absent.csv"), "--market", "M"], "there is no file"),
        (["evaluate", "--labels", str(tmp_path / "absent.csv")], "there is no file"),
        (["rank", "--method", "suprise"], "did you mean 'surprise'"),
    ):
        done = run.invoke(app, arguments)
        assert isinstance(done.exception, DataError), arguments
        assert words in str(done.exception)


def test_the_demo_section_says_what_was_found() -> None:
    section = demo_section(0)
    assert "micro-F1 0.8" in section.finding
    assert "chance 0" in section.finding
    assert len(section.figures) == 4
    assert all(f.alt for f in section.figures)
    assert section.html[0].count('class="evidence"') == 6


@pytest.mark.slow
def test_the_demo_section_is_the_same_twice() -> None:
    one, two = demo_section(0), demo_section(0)
    assert one.finding == two.finding
    assert one.html == two.html
