"""Amounts in words and figures: what budgets write, and texts that once took minutes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fisc.basir import find_amounts

CRORE, LAKH = 1e7, 1e5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rs. 50 cr", [(50 * CRORE, "rupees")]),
        ("-3.5%", [(-3.5, "per cent")]),
        ("minus two per cent", [(-2, "per cent")]),
        ("(-) Rs. 500 crore", [(-500 * CRORE, "rupees")]),
        ("Rs. 3 crores 50 lakhs", [(3.5 * CRORE, "rupees")]),
        ("three crore fifty lakh rupees", [(3.5 * CRORE, "rupees")]),
        ("one lakh twenty thousand rupees", [(120_000, "rupees")]),
        ("Rs. 12-15 crore", [(12 * CRORE, "rupees"), (15 * CRORE, "rupees")]),
        ("Rs. 5 to Rs. 10 crore", [(5 * CRORE, "rupees"), (10 * CRORE, "rupees")]),
        ("Rs. 300 crore-Rs. 400 crore", [(300 * CRORE, "rupees"), (400 * CRORE, "rupees")]),
        ("Rs. 50,000 to 5 lakh", [(50_000, "rupees"), (5 * LAKH, "rupees")]),
        ("between 5 and 10 per cent", [(5, "per cent"), (10, "per cent")]),
        ("from 1.9 per cent in 1990-91 to 3.8 per cent", [(1.9, "per cent"), (3.8, "per cent")]),
        ("nineteen hundred crore rupees", [(1900 * CRORE, "rupees")]),
        ("five thousand two hundred crores", [(5200 * CRORE, "rupees")]),
        ("one and a half lakh crore rupees", [(1.5e12, "rupees")]),
        ("twelve point five per cent", [(12.5, "per cent")]),
        ("12 1/2 per cent", [(12.5, "per cent")]),
        ("1/4 per cent", [(0.25, "per cent")]),
        ("two and three quarter per cent", [(2.75, "per cent")]),
        ("half a per cent", [(0.5, "per cent")]),
        ("$5 crore", [(5 * CRORE, "dollars")]),
        ("£2.5 billion and $300 million", [(2.5e9, "pounds"), (3e8, "dollars")]),
        ("US$ 5 billion, €3bn, £5m", [(5e9, "dollars"), (3e9, "euros"), (5e6, "pounds")]),
        ("Rs. 1,50,000\xad crore", [(1.5e12, "rupees")]),
        ("Rs. 1,50,\n000 crore", [(1.5e12, "rupees")]),
        ("l,50,000 crore", [(1.5e12, "rupees")]),
        ("Rs.2,000-crore fund", [(2000 * CRORE, "rupees")]),
        ("spent Rs. 83crores", [(83 * CRORE, "rupees")]),
        ("of our farmers. 4. Industry", []),
        ("employers. 5 Scheme", []),
        ("in the years 2019-20", []),
        ("bars of one pound and more", []),
        ("Rs. 5 crore and 20 lakh tonnes", [(5 * CRORE, "rupees")]),
    ],
)
def test_what_budgets_write_is_read_as_it_is_meant(text: str, expected: list[tuple[float, str]]) -> None:
    assert [(pytest.approx(a.value), a.unit) for a in find_amounts(text)] == expected
    padded = f"An outlay: {text}, as said."
    assert [(pytest.approx(a.value), a.unit) for a in find_amounts(padded)] == expected
    for amount in find_amounts(padded):
        assert padded[amount.start : amount.end] == amount.text


@pytest.mark.parametrize(
    "piece", ["1", "1,", "one ", "1 crore ", "Rs. ", "l,11", "-", "1 to ", "5 crore 2 lakh ", " "]
)
def test_a_line_of_a_megabyte_is_read_once(piece: str) -> None:
    text = piece * (1_000_000 // len(piece) // 5)
    assert isinstance(find_amounts(text), list)  # took 55 s for a tenth of it


@given(st.integers(1, 999), st.integers(1, 99), st.sampled_from(["-", " to ", "–"]))
def test_ranges_and_sums_of_terms_have_the_value_of_their_parts(crores: int, lakhs: int, joint: str) -> None:
    (one,) = find_amounts(f"Rs. {crores} crore {lakhs} lakh")
    assert one.value == pytest.approx(crores * CRORE + lakhs * LAKH)
    low, high = find_amounts(f"Rs. {crores}{joint}{crores + lakhs} crore")
    assert (low.value, high.value) == (crores * CRORE, (crores + lakhs) * CRORE)
