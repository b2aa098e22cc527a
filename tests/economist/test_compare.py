"""Side by side, pictures, sections and the demo."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from fisc.data import DataError, OptionError
from fisc.economist import (
    Comparison,
    Criterion,
    Simulation,
    SimulationConfig,
    TaxSchedule,
    Workers,
    compare,
    respond,
)
from fisc.economist import plots as draw


@pytest.fixture(scope="module")
def side_by_side() -> Comparison:
    workers = Workers.sample(300, population="acs", seed=2)
    mine = {"mine": TaxSchedule([0, 50_000], [0.3, 0.5])}
    return compare(workers, "log", planners=("bayesian", "hill"), years=6, restarts=1, extra=mine)


def test_the_optimum_is_the_ceiling(side_by_side: Comparison) -> None:
    frame = side_by_side.to_frame()
    assert frame["gap_closed"].max() <= 1.0 + 1e-3
    assert frame.loc["optimum", "gap_closed"] == pytest.approx(1.0)
    assert frame.loc["US 2024", "gap_closed"] == 0.0
    assert frame.loc["bayesian", "gap_closed"] > frame.loc["hill", "gap_closed"] > 0.0
    assert {"mine", "Saez, measured", "free market", "best flat"} <= set(frame.index)
    assert "mine" not in side_by_side.rates_frame().index  # it has brackets of its own


def test_gains_are_against_us_law_by_decile(side_by_side: Comparison) -> None:
    gains = side_by_side.gains("optimum")
    change = side_by_side.outcomes["optimum"].utility - side_by_side.outcomes["US 2024"].utility
    assert gains.mean() == pytest.approx(change.mean())
    assert gains[0] > 0.0 > gains[-1]
    assert not side_by_side.gains("US 2024").any()


def test_comparisons_go_to_json_and_back(side_by_side: Comparison) -> None:
    again = Comparison.from_dict(json.loads(json.dumps(side_by_side.to_dict())))
    assert again.summary() == side_by_side.summary()


def test_the_section_holds_what_the_issue_promises(side_by_side: Comparison) -> None:
    section = side_by_side.section()
    assert "Bayesian".lower() in section.finding.lower()
    assert len(section.figures) == 5
    assert len(section.tables) == 2
    assert section.provenance is not None
    page = section._repr_html_()
    assert "<svg" in page
    assert "Saez, measured" in page


def test_own_weights_govern_the_planners_too() -> None:
    workers = Workers.sample(80, population="acs", seed=1)
    rich = Criterion("weighted", weights=workers.skill)
    result = compare(workers, rich, planners=("hill",), years=4, restarts=1)
    assert result.optimum.schedule.rates.mean() < 0.4
    assert result.gap("hill") <= 1.0


def test_several_seeds_give_an_interval() -> None:
    result = compare(Workers.sample(80, population="acs"), planners=("cmaes",), years=12, seeds=3, restarts=1)
    reached = result.reached["cmaes"]
    assert reached.size == 3
    assert reached[0] == result.progress["cmaes"].max()
    assert np.ptp(reached) > 0.0
    assert f"[{100 * reached.min():.2f}, {100 * reached.max():.2f}, 3 seeds]" in result.section().finding
    with pytest.raises(DataError, match="seeds=0; give a whole number of at least 1"):
        compare(Workers.sample(5), seeds=0)


def test_bad_comparisons_are_refused() -> None:
    workers = Workers.sample(20)
    with pytest.raises(OptionError, match="did you mean 'bayesian'"):
        compare(workers, planners=("bayes",))
    with pytest.raises(DataError, match=r"'optimum'.* have names of schedules that are compared anyway"):
        compare(workers, extra={"optimum": TaxSchedule.flat(0.1)})


def labels(ax) -> set[str]:  # type: ignore[no-untyped-def]
    return {ax.get_xlabel(), ax.get_ylabel()}


def test_pictures_have_labels_units_and_the_right_lines(side_by_side: Comparison) -> None:
    ax = side_by_side.plot()
    assert labels(ax) == {"annual income before tax, USD (log scale)", "tax rate, per cent"}
    heights = ax.get_lines()[0].get_ydata()
    assert set(np.round(heights, 6)) == {10.0, 12.0, 22.0, 24.0, 32.0, 35.0, 37.0}
    ax = draw.plot_progress(side_by_side.progress)
    texts = {text.get_text() for text in ax.texts}
    assert {"optimum", "US law"} <= texts
    ax = draw.plot_gains({"optimum": side_by_side.gains("optimum")})
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(
        list(side_by_side.gains("optimum") / 1000)
    )
    ax = draw.plot_hours_density({"US 2024": side_by_side.outcomes["US 2024"]})
    assert sum(ax.patches[0].get_data().values) == pytest.approx(100.0)


def test_bunching_shows(people: Callable[..., Workers]) -> None:
    law = TaxSchedule([0, 50_000], [0.1, 0.6])
    ax = draw.plot_income_density({"": respond(people(3000), law)}, schedule=law)
    heights = ax.patches[0].get_data().values
    spike = ax.patches[0].get_data().edges[:-1][heights.argmax()]
    assert spike == pytest.approx(50_000, rel=0.06)


def test_simulations_draw_themselves_and_their_ledger() -> None:
    config = SimulationConfig(n=30, years=3, planner="language", workers="language", reference=True)
    result = Simulation(config).run()
    assert len(result.section().figures) == 3
    assert result.ledger is not None
    ax = draw.plot_ledger(result.ledger)
    shown = {text.get_text() for text in ax.texts}
    assert f"{result.ledger['prompt_tokens']:,}" in shown
    assert "cost 0" in ax.get_xlabel()
    plain = Simulation(SimulationConfig(n=30, years=3, planner="fixed")).run()
    assert plain.plot().get_ylabel() == "welfare"


@pytest.mark.slow
def test_the_demo_is_the_same_twice() -> None:
    from fisc.economist.demo import demo_section

    one, two = demo_section(), demo_section()
    assert one.finding == two.finding
    assert [figure.svg for figure in one.figures] == [figure.svg for figure in two.figures]
