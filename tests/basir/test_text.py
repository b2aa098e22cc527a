"""Tokens, sentences, windows, set phrases, language, amounts, stance."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fisc.basir.text.amounts import find_amounts, parse_number_words
from fisc.basir.text.formulas import mute_formulas
from fisc.basir.text.language import share_of_english
from fisc.basir.text.stance import find_stance, stance_score
from fisc.basir.text.tokens import sentences, tokenize, windows

PROSE = st.text(alphabet="abcdeABC .,;:!?\n-'0123456789₹`é", max_size=300)


@given(PROSE)
def test_tokens_lie_where_they_say(text: str) -> None:
    for token in tokenize(text):
        assert 0 <= token.start < token.end <= len(text)
        assert not text[token.start : token.end].isspace()


@given(PROSE, st.integers(2, 20))
def test_windows_hold_every_word_once_and_in_order(text: str, most: int) -> None:
    spans = windows(text, most)
    held = [w for a, b in spans for w in text[a:b].split()]
    assert held == text.split()
    assert all(len(text[a:b].split()) <= most for a, b in spans)


@given(PROSE)
def test_sentences_do_not_overlap(text: str) -> None:
    spans = sentences(text)
    assert all(a < b for a, b in spans)
    assert all(x[1] <= y[0] for x, y in itertools.pairwise(spans))


def test_abbreviations_do_not_end_a_sentence() -> None:
    text = "Shri C.D. Rao gave Rs. 5 crore. Roads get more."
    assert [text[a:b] for a, b in sentences(text)] == ["Shri C.D. Rao gave Rs. 5 crore.", "Roads get more."]


@pytest.mark.parametrize(
    ("word", "stem"),
    [("fertilisers", "fertilizer"), ("futures", "futures"), ("future", "future"), ("gas", "gas"), ("buses", "buse"),
     ("bidis", "bidi"), ("biri", "bidi"), ("colour", "colour"), ("duties", "duty")],
)  # fmt: skip
def test_stems(word: str, stem: str) -> None:
    assert tokenize(word)[0].stem == stem


@given(st.text(max_size=200))
def test_muting_keeps_every_place(text: str) -> None:
    assert len(mute_formulas(text)) == len(text)


def test_parliament_is_no_dwelling() -> None:
    said = "The House heard the Finance Minister on foreign exchange."
    assert len(mute_formulas(said)) == len(said)
    assert mute_formulas(said).index("heard") == said.index("heard")
    assert "House" not in mute_formulas("I thank the House, and the Finance Minister.")
    assert "house" in mute_formulas("A tax on the house property")


def test_languages() -> None:
    assert share_of_english("I propose to reduce the duty on steel.") == 1.0
    assert share_of_english("इस्पात पर शुल्क कम किया जाता है") == 0.0
    assert share_of_english("Der Zoll auf Stahl wird gesenkt und die Steuer ist nicht mehr zu zahlen") < 0.5
    assert share_of_english("Steel, cement, tyres") == 1.0


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("Rs. 1,50,000 crore", 1.5e12, "rupees"),
        ("Rs.8,130 crore", 8.13e10, "rupees"),
        ("`2.5 lakh", 2.5e5, "rupees"),
        ("₹ 10 lakh crore", 1e13, "rupees"),
        ("five thousand crores", 5e10, "rupees"),
        ("one lakh crore", 1e12, "rupees"),
        ("three thousand rupees", 3000.0, "rupees"),
        ("19,500 crore for modules", 1.95e11, "rupees"),
        ("12.5 per cent", 12.5, "per cent"),
        ("12 ½ per cent", 12.5, "per cent"),
        ("seven and a half per cent", 7.5, "per cent"),
        ("18%", 18.0, "per cent"),
        ("twenty-five percent", 25.0, "per cent"),
    ],
)
def test_amounts(text: str, value: float, unit: str) -> None:
    found = find_amounts(f"An outlay of {text}.")
    assert [(a.value, a.unit) for a in found] == [(pytest.approx(value), unit)]
    assert found[0].start >= 0


@pytest.mark.parametrize(
    "text", ["four crore homes", "in 1998", "paragraph 12", "ten lakh farmers", "a new scheme"]
)
def test_counts_are_no_amounts(text: str) -> None:
    assert find_amounts(text) == []


@given(st.integers(1, 99), st.integers(0, 999))
def test_number_words_agree_with_figures(lakhs: int, rest: int) -> None:
    assert find_amounts(f"Rs. {lakhs} lakh")[0].value == lakhs * 100_000
    assert parse_number_words("five hundred and two thousand") == 502_000
    assert parse_number_words("nineteen") == 19
    assert rest >= 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I propose to reduce the excise duty on tyres.", [("tax", -1)]),
        ("The duty on tea is raised, but coffee is exempted.", [("tax", 1), ("tax", -1)]),
        ("I do not propose to increase the duty.", []),
        ("The outlay on defence has been enhanced by ten per cent.", [("spending", 1)]),
        ("The allocation is being cut.", [("spending", -1)]),
        ("I thank the House.", []),
    ],
)
def test_stance(text: str, expected: list[tuple[str, int]]) -> None:
    assert [(s.subject, s.direction) for s in find_stance(text)] == expected


def test_stance_score_is_a_balance() -> None:
    assert stance_score(
        "Duty on tea is raised. Duty on coffee is reduced. Tax on rice is cut.", "tax"
    ) == pytest.approx(-1 / 3)
    assert stance_score("Nothing.", "tax") == 0.0
