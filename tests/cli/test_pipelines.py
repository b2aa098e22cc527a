"""Whole reports over several instruments: what they hold, and what they do without an input."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.cli.pipelines import budget_day, cutoff, registry, tax_reform
from fisc.data import DataWarning
from fisc.r3d import simulate
from fisc.report import Report, Section
from fisc.report.definition import ReportDefinition, validate

SPEECH = (
    "I rise to present the budget. I propose to double the outlay for new railway lines and for the electrification "
    "of the railways this year. The customs duty on steel is halved, and cotton textiles get relief from excise.\n\n"
    "For health I propose new hospitals in every district, and for the pharmaceutical industry a scheme of support "
    "for the manufacture of essential drugs. The banks of the public sector receive fresh capital this year.\n"
)


def make(kind: str, folder: Path, **options: Any) -> list[Section]:
    held = {"kind": kind, "title": "T", "output": "t.html", "seed": 3, "options": options}
    definition = validate(held, registry.models(), folder / "t.toml")
    assert isinstance(definition, ReportDefinition)
    found = registry.pipeline(kind).sections(definition, lambda what, done, total: None)
    Report("T", found).to_html(folder / "t.html")
    return found


def prices(folder: Path, last: str) -> str:
    from fisc.basir import index_sectors

    days = pd.bdate_range("2020-01-01", last)
    rng = np.random.default_rng(0)
    names = ["NIFTY 500", *index_sectors()]
    walk = np.cumprod(1 + rng.normal(0, 0.01, (len(days), len(names))), axis=0) * 100
    pd.DataFrame(walk, index=pd.Index(days, name="date"), columns=names).to_csv(folder / "prices.csv")
    return "prices.csv"


def test_budget_day_without_prices_leaves_two_sections_out_visibly(tmp_path: Path) -> None:
    (tmp_path / "speech.txt").write_text(SPEECH)
    old = pd.DataFrame({"date": ["2020-02-01"], "text": ["Health and wellbeing of the people."]})
    old.to_parquet(tmp_path / "old.parquet")
    page, event, tilt, appendix = make(
        "budget-day", tmp_path, speech="speech.txt", date="2022-02-01", earlier="old.parquet"
    )
    assert "no call" in page.finding
    assert "no prices were given" in event.body
    assert tilt.body.startswith("Left out")
    assert not any(s.error for s in (page, event, tilt))
    assert "Railways" in "".join(appendix.html) + appendix.body


def test_budget_day_with_prices_studies_the_event(tmp_path: Path) -> None:
    (tmp_path / "speech.txt").write_text(SPEECH)
    _, event, _, *rest = make(
        "budget-day",
        tmp_path,
        speech="speech.txt",
        date="2021-02-01",
        prices=prices(tmp_path, "2021-03-31"),
        market="NIFTY 500",
        evidence=False,
    )
    assert event.error == ""
    assert event.tables
    assert rest == []


def test_budget_day_with_broken_inputs_shows_why_and_goes_on(tmp_path: Path) -> None:
    page, event, tilt = make(
        "budget-day",
        tmp_path,
        speech="absent.pdf",
        date="2021-02-01",
        prices=prices(tmp_path, "2020-12-31"),
        market="NIFTY 500",
    )
    assert "there is no file" in page.error
    assert "prices end on" in event.error
    assert "without the speech there is no call" in tilt.body


def test_tilted_portfolio_acts_upon_calls_only() -> None:
    calls = pd.Series({"A": "UP", "B": "no call", "C": "DOWN"})
    weights = budget_day._weights(calls)
    assert weights.to_dict() == pytest.approx({"A": 2 / 3, "B": 1 / 3, "C": 0.0})
    assert budget_day._weights(pd.Series({"A": "DOWN"})).sum() == 0.0
    path = pd.DataFrame(
        {"A": [1.0, 1.1, 1.21], "B": [1.0, 1.0, 1.0], "C": [1.0, 0.5, 0.5]},
        index=pd.bdate_range("2021-02-01", periods=3),
    )
    run = budget_day._hold(path, weights, 0.0)
    assert float(run.wealth.iloc[-1]) == pytest.approx(2 / 3 * 1.21 + 1 / 3)
    section = budget_day._portfolio_section(path, calls, budget_day.Options(speech="x", date="2021-02-01"))
    assert "nothing can be concluded" in section.finding


def test_tax_reform_measures_against_zero_change(tmp_path: Path) -> None:
    law = {"us_federal": 2024}
    effects, gains, schedules = make(
        "tax-reform", tmp_path, current=law, reform=law, n=300, draws=3, ceiling=""
    )
    changes = effects.tables[0].frame["change"]
    assert set(changes) == {"0"}
    assert gains.finding.startswith("0%")
    assert len(schedules.figures) == 1


def test_tax_reform_higher_rates_raise_revenue_and_cut_hours(tmp_path: Path) -> None:
    options = {
        "current": {"edges": [0], "rates": [0.1]},
        "reform": {"edges": [0], "rates": [0.3]},
        "n": 300,
        "draws": 3,
        "ceiling": "inverse_income",
    }
    effects, _, _, ceiling = make("tax-reform", tmp_path, **options)
    table = effects.tables[0].frame.set_index("measure")
    number = table["change"].str.replace("−", "-").str.replace(",", "").astype(float)
    assert number["revenue per worker, USD"] > 0
    assert number["weekly hours"] < 0
    assert "of the gap" in ceiling.finding
    assert [f.name for f in tmp_path.glob("*.html")] == ["t.html"]


def test_tax_reform_says_what_is_wrong_with_a_schedule(tmp_path: Path) -> None:
    bad = {"edges": [0, 50_000, 10_000], "rates": [0.1, 0.2, 0.3]}
    (failed,) = make("tax-reform", tmp_path, current={"us_federal": 2024}, reform=bad)
    assert "edges" in failed.error
    with pytest.raises(ValueError, match="both edges and rates"):
        tax_reform.Schedule(edges=(0.0,))


RATES = [0.0, 0.15, 0.25, 0.28, 0.35, 0.40, 0.45]


def test_tax_reform_without_tax_calculator_says_that_its_people_are_invented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "taxcalc", None)
    first, *_ = make(
        "tax-reform",
        tmp_path,
        current={"us_federal": 2024},
        reform={"rates": RATES},
        n=300,
        draws=2,
        ceiling="",
    )
    assert "not the United States" in first.notes[0]
    assert "fisc[us]" in first.notes[0]
    with pytest.raises(ValueError, match="whose brackets it keeps"):
        tax_reform.Options(
            current=tax_reform.Schedule(edges=(0.0,), rates=(0.1,)), reform=tax_reform.Schedule(rates=(0.2,))
        )


def test_tax_reform_of_too_few_rates_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tax_reform, "load_tax_units", lambda year: None)
    monkeypatch.setattr("fisc.economist.actual_law.load_tax_units", lambda year, reform: None)
    (failed,) = make("tax-reform", tmp_path, current={"us_federal": 2024}, reform={"rates": [0.1, 0.2]})
    assert "seven fractions" in failed.error


@pytest.mark.slow
def test_the_shipped_tax_reform_is_scored_as_tax_calculator_does(tmp_path: Path) -> None:
    pytest.importorskip("taxcalc")
    options = tomllib.loads(tax_reform.TEMPLATE)["options"]
    first, gains, implied, ceiling = make("tax-reform", tmp_path, **options)
    assert first.finding.startswith("The reform raises 119.1 bn USD a year")  # version 6.8
    assert first.finding.count(". ") == 0  # one sentence
    assert first.notes[0].startswith("Left out: state taxes")
    parts = first.tables[-1].frame["change, bn USD"]
    assert parts["Tax-Calculator's static score"] == pytest.approx(119.1, abs=0.1)
    assert parts.iloc[:-1].sum() == pytest.approx(parts.iloc[-1])
    assert len(gains.tables) == 2
    assert "counts" in implied.finding
    assert "of the gap between the present law and the optimum" in ceiling.finding


def test_cutoff_finds_the_planted_effect_and_says_so(tmp_path: Path) -> None:
    simulate("repo1", n=400, seed=1).data.to_parquet(tmp_path / "micro.parquet")
    with pytest.warns(DataWarning, match="fewer than 100 values"):
        effect, diagnostics = make("cutoff", tmp_path, data="micro.parquet", y="y", x="x", unit="unit")
    assert "the distribution changes" in effect.finding
    assert diagnostics.error == ""
    (failed,) = make("cutoff", tmp_path, data="absent.csv", y="y", x="x", unit="unit")
    assert "absent.csv" in failed.error
    assert cutoff.SUBTITLE
