"""Reports of hostile frames and words, and definitions out of damaged files."""

from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from fisc.report import Report, Section, Table, plain
from fisc.report.definition import load_definition
from fisc.report.page import _text

SCRIPT = f"<script>{_text('tables.js').strip()}</script>"
MANY = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.data_too_large]
)
NOW = "2026-01-01T00:00:00Z"
BAD = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{7*7}}</td></table>'
FRAME = pd.DataFrame({"share": [0.1, 0.2, 0.3], "name": ["a", BAD, "c"], BAD: [1.0, 2.0, 3.0]})


class Page(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def check(text: str) -> Page:
    assert text.count("<script") == text.count(SCRIPT), "none but the page's own"
    page = Page(text.replace(SCRIPT, ""))
    assert not page.names & {"script", "img", "object", "embed", "form", "input", "base"}
    for key, value in page.attributes:
        assert not key.startswith("on"), key
        assert not (value or "").strip().lower().startswith(("javascript:", "vbscript:", "data:text")), value
    return page


@given(data=st.data())
@MANY
def test_tables_of_hostile_frames(data: st.DataObject, hostile) -> None:
    frame = hostile.spoil(data, FRAME)
    good = {"caption": BAD, "note": BAD, "decimals": 3, "index": True, "percent": (), "max_rows": 60}
    chosen = good
    if data.draw(st.booleans(), label="options"):
        chosen = hostile.options(
            data, good, decimals=({"share": 1}, {"nope": 1}), percent=(("share",), ("name",), ("no",))
        )
    got = hostile.attempt(
        lambda: Report(BAD, [Section(BAD, BAD, tables=[Table(frame, **chosen)])]).to_html(now=NOW)
    )
    if not got.refusal:
        page = check(got.value)
        assert "<script>alert(1)</script>" in page.text


@given(data=st.data())
@MANY
def test_sections_and_reports_of_anything(data: st.DataObject, hostile) -> None:
    good = {
        "title": BAD,
        "body": BAD,
        "figures": (),
        "tables": (),
        "notes": (BAD,),
        "question": BAD,
        "finding": BAD,
        "error": "",
    }
    chosen = hostile.options(data, good, provenance=(3,))
    got = hostile.attempt(lambda: Report(chosen["title"], [Section(**chosen)], subtitle=BAD).to_html(now=NOW))
    if not got.refusal:
        check(got.value)
    value = data.draw(st.sampled_from([*hostile.numbers, *hostile.others]), label="value")
    for call in (
        lambda: Report("R", value).to_html(now=NOW),
        lambda: Report("R", [value]).to_html(now=NOW),
        lambda: Report("R", [Section("S")]).to_html(now=value),
        lambda: Section("S", plain(value)).html and "",
        lambda: Report("R", [Section.failed("S", value)]).to_html(now=NOW),
    ):
        got = hostile.attempt(call)
        if isinstance(got.value, str):
            check(got.value)


class Options(BaseModel):
    prices: str = "p.csv"
    level: float = 0.95


TOML = """\
kind = "demo"
title = "T"
output = "o.html"
seed = 1
[options]
level = 0.9
[schedule]
cron = "0 6 * * *"
"""
puts = st.sampled_from(
    [
        "nan",
        "-1",
        "[[schedule]]",
        '"',
        "\n",
        "\x00",
        '"Mars/Olympus"',
        "[email]\nto=['x']\n",
        "folder='/'",
        "1979-05-27",
        "é",
        "misfire_grace_minutes = inf\n",
        "overlap='x'\n",
        "timezone = '../../etc/passwd'\n",
        "cron = '99 * * * *'\n",
        "= = =",
    ]
)


@given(data=st.data())
@MANY
def test_definitions_of_damaged_files(
    data: st.DataObject, hostile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = TOML
    for _ in range(data.draw(st.integers(0, 2), label="faults")):
        at = data.draw(st.integers(0, len(text)), label="at")
        length = data.draw(st.integers(0, 12), label="length")
        text = text[:at] + data.draw(puts | st.text(max_size=4), label="put") + text[at + length :]
    file = tmp_path_factory.getbasetemp() / "definition.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    got = hostile.attempt(lambda: load_definition(file, {"demo": Options}))
    if not got.refusal:
        schedule = got.value.schedule
        assert schedule is None or not hostile.unfinished(schedule.misfire_grace_minutes)
