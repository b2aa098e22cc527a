"""From what models write to JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fisc.llm import read_json


@pytest.mark.parametrize(
    ("text", "value", "repairs"),
    [
        ('{"a": 1}', {"a": 1}, ()),
        ("[1, 2]", [1, 2], ()),
        ('```json\n{"a": 1}\n```', {"a": 1}, ("fence",)),
        ('```\n{"a": 1}', {"a": 1}, ("fence",)),
        ('Here you are: {"a": 1}. Enjoy!', {"a": 1}, ("prose",)),
        ('{"a": 1} and so on', {"a": 1}, ("prose",)),
        ('{"a": 1,}', {"a": 1}, ("comma",)),
        ("{'a': [1, 2,]}", {"a": [1, 2]}, ("quotes", "comma")),
        ('{"a": {"b": 1, "c": 2', {"a": {"b": 1}}, ("truncated",)),
        ('{"a": [1, 2, 3', {"a": [1, 2]}, ("truncated",)),
        ('{"a": "x, y", "b": "z', {"a": "x, y"}, ("truncated",)),
        ('{"a": NaN, "b": -Infinity}', {"a": None, "b": None}, ("nan",)),
    ],
)
def test_repairs_are_made_and_named(text: str, value: object, repairs: tuple[str, ...]) -> None:
    found = read_json(text)
    assert found.value == value
    assert found.repairs == repairs


@pytest.mark.parametrize("text", ["", "   ", "I would rather not.", "{", '{"a', "```\n```"])
def test_what_is_no_json_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"empty|no JSON|could not be read"):
        read_json(text)


plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = plain | st.lists(plain, max_size=3) | st.dictionaries(st.text(), plain, max_size=3)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_proper_json_is_never_touched(value: dict[str, object]) -> None:
    if "```" not in json.dumps(value):
        found = read_json(json.dumps(value))
        assert found.value == value
        assert found.repairs == ()


@given(st.dictionaries(st.text(min_size=1), st.integers(), min_size=1), st.data())
def test_a_cut_never_invents_anything(value: dict[str, int], data: st.DataObject) -> None:
    whole = json.dumps(value)
    if "```" in whole:
        return
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        found = read_json(cut).value
    except ValueError:
        return
    assert isinstance(found, dict)
    assert found.items() <= value.items()
