"""Tax schedules: arithmetic, US law, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fisc.data import DataError, OptionError
from fisc.economist import TaxSchedule, Workers, respond


def test_us_law_by_hand() -> None:
    law = TaxSchedule.us_federal(2024)
    by_hand = (
        0.10 * 11_600 + 0.12 * (47_150 - 11_600) + 0.22 * (100_525 - 47_150) + 0.24 * (150_000 - 100_525)
    )
    assert law.tax(150_000.0) == pytest.approx(by_hand, rel=1e-14)
    assert law.effective_rate(150_000.0) == pytest.approx(by_hand / 150_000)
    assert law.marginal_rate(150_000.0) == 0.24


def test_standard_deduction_moves_the_edges() -> None:
    plain, deducted = TaxSchedule.us_federal(2024), TaxSchedule.us_federal(2024, standard_deduction=True)
    assert deducted.tax(14_600.0) == 0.0
    assert deducted.tax(100_000.0) == pytest.approx(plain.tax(85_400.0))


def test_no_year_is_made_up() -> None:
    with pytest.raises(OptionError, match="year=1890 is not an option"):
        TaxSchedule.us_federal(1890)


def test_an_edge_belongs_to_the_upper_bracket() -> None:
    law = TaxSchedule([0, 100], [0.1, 0.5])
    assert law.marginal_rate([99.999, 100.0]).tolist() == [0.1, 0.5]
    assert law.tax(100.0) == pytest.approx(10.0)


def test_effective_rate_at_zero_is_its_limit() -> None:
    assert TaxSchedule([0, 100], [0.3, 0.5]).effective_rate(0.0) == 0.3


def test_there_is_no_income_beyond_which_tax_stops() -> None:
    assert TaxSchedule([0, 100], [0.0, 0.5]).tax(1e9 + 100.0) == pytest.approx(5e8)


@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=7),
    st.lists(st.floats(0.0, 1e6), min_size=2, max_size=6),
)
def test_tax_is_the_integral_of_the_marginal_rate(rates: list[float], incomes: list[float]) -> None:
    edges = np.concatenate([[0.0], 1e4 * np.cumsum(1.0 + np.arange(len(rates) - 1))])
    law = TaxSchedule(edges, rates)
    for z in incomes:
        upper = np.minimum(np.append(edges[1:], np.inf), z)
        by_hand = float(np.sum(np.array(rates) * np.maximum(upper - edges, 0.0)))
        assert law.tax(z) == pytest.approx(by_hand, rel=1e-12, abs=1e-9)


def test_it_goes_to_json_and_back() -> None:
    law = TaxSchedule([0, 1 / 3], [0.1, 2 / 3])
    again = TaxSchedule.from_dict(law.to_dict())
    assert again == law
    assert hash(again) == hash(law)
    assert law != TaxSchedule([0, 1 / 3], [0.1, 0.6])


def test_it_cannot_be_changed_in_place() -> None:
    law = TaxSchedule([0.0], [0.1])
    with pytest.raises(ValueError, match="read-only"):
        law.rates[0] = 0.9


@pytest.mark.parametrize(
    ("edges", "rates", "message"),
    [
        ([], [], "edges is empty"),
        ([5, 10], [0.1, 0.2], "edges must start at 0, got 5"),
        ([0, 20, 10], [0.1, 0.2, 0.3], "edges must increase: 20 is followed by the smaller 10"),
        ([0, 10, 10], [0.1, 0.2, 0.3], "edges must increase: 10 repeats"),
        ([0, 10], [0.1], "2 edges but 1 rates"),
        ([0, 10, np.inf], [0.1, 0.2], "NaN or infinite"),
        ([0, 10], [0.1, 1.2], "rates must lie in \\[0, 1\\], got 1.2 in bracket 2"),
        ([0, 10], [10, 37], "divide percentages by 100"),
        ([0, 10], [-0.1, 0.2], "got -0.1 in bracket 1"),
        ([0, 10], [np.nan, 0.2], "rates holds 1 value"),
        ([[0, 10]], [0.1, 0.2], "one dimension"),
        (["low", "high"], [0.1, 0.2], "edges must be"),
    ],
)
def test_bad_schedules_are_refused_in_words(edges: object, rates: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        TaxSchedule(edges, rates)  # type: ignore[arg-type]


def test_negative_income_has_no_tax() -> None:
    with pytest.raises(DataError, match="income must not be negative, got -1"):
        TaxSchedule([0.0], [0.1]).tax([-1.0, 5.0])


def test_credits_on_earnings_need_to_be_asked_for() -> None:
    with pytest.raises(
        DataError, match=r"rates must lie in \[0, 1\], got -0.2 .* credits on earnings need lowest"
    ):
        TaxSchedule([0.0, 10_000.0], [-0.2, 0.3])
    credit = TaxSchedule([0.0, 10_000.0], [-0.2, 0.3], lowest=-0.5)
    assert credit.tax(20_000.0) == 1_000.0
    assert credit.with_rates([-0.5, 0.0]).rates.tolist() == [-0.5, 0.0]
    assert TaxSchedule.from_dict(credit.to_dict()) == credit
    worker = Workers([1000.0], 0.02)
    hours = respond(worker, TaxSchedule([0.0], [-0.2], lowest=-1.0)).hours[0]
    assert 0.02 * 3.5 * hours**2.5 == pytest.approx(1000.0 * 1.2)  # c delta l^(delta - 1) = s (1 - t)
    for lowest in (-1.5, 0.1, float("nan")):
        with pytest.raises(DataError, match="lowest="):
            TaxSchedule([0.0], [0.1], lowest=lowest)
