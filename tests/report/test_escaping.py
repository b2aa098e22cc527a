"""Whatever stands in titles, captions, cells and notes is shown as text."""

from __future__ import annotations

import string

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fisc.data import Provenance
from fisc.report import Figure, Report, Section, Table, plain, prose, style
from fisc.report.page import _text

SCRIPT = _text("tables.js").strip()

HOSTILE = (
    """<script>alert("x")</script>'"><img src=x onerror=alert(1)>&lt;b&gt;</style></title>--><!--{{7*7}}"""
)
NOW = "2026-01-01T00:00:00Z"
# Every element that our own templates, markdown and figures may make.
KNOWN = {
    *("html", "head", "meta", "title", "link", "style", "body", "div", "header", "nav", "main", "footer"),
    *("section", "h1", "h2", "h3", "h4", "p", "b", "a", "span", "em", "strong", "code", "pre", "blockquote"),
    *("ol", "ul", "li", "dl", "dt", "dd", "details", "summary", "time", "br", "hr", "iframe", "script"),
    *("figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td"),
    *("svg", "g", "path", "use", "defs", "clippath", "rect", "text", "tspan"),
}


def hostile_figure(words: str) -> Figure:
    with style.context():
        fig, ax = style.figure(16, 4)
        ax.plot([0, 1], label=words.replace("$", ""))
        ax.set_title(words.replace("$", ""))
        ax.legend()
    return Figure.from_matplotlib(fig, caption=words, alt=words)


def hostile_section(words: str, figure: Figure | None = None) -> Section:
    frame = pd.DataFrame(
        {words: [words, words + "2"], "n": [1.0, 2.0]}, index=pd.Index([words, "b"], name=words)
    )
    wide = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([(words, words), ("u", "v")]))
    history = Provenance(
        version=words,
        options={words: words},
        inputs={words: words},
        seed=1,
        time=words,
        notes=(words,),
        source=words,
    )
    return Section(
        words,
        body=words,
        figures=[figure] if figure is not None else [],
        tables=[Table(frame, caption=words, note=words), Table(wide, caption=words)],
        notes=[words],
        provenance=history,
        question=words,
        finding=words,
    )


def check(page) -> None:
    for element in page.elements:
        assert element.name in KNOWN, element.name
        for key, value in element.attributes.items():
            assert not key.startswith("on"), (element.name, key)
            if key in ("src", "href"):
                assert not value.lower().strip().startswith(("javascript:", "vbscript:", "file:"))
    assert {e.text for e in page.all("script")} <= {SCRIPT}
    assert not page.all("img")


@pytest.fixture(scope="module")
def hostile_page(parse):
    section = hostile_section(HOSTILE, hostile_figure(HOSTILE))
    report = Report(HOSTILE, [section, Section.failed(HOSTILE, HOSTILE)], subtitle=HOSTILE)
    return parse(report.to_html(now=NOW))


def test_no_element_or_handler_comes_from_the_data(hostile_page) -> None:
    check(hostile_page)
    assert len(hostile_page.all("section")) == 2
    assert len(hostile_page.all("style")) == 1


def test_the_words_stay_readable_as_they_were_given(hostile_page) -> None:
    assert hostile_page.all("h1")[0].text == HOSTILE
    assert hostile_page.all("title")[0].text == HOSTILE
    assert hostile_page.all("td")[0].text == HOSTILE
    assert hostile_page.all("th")[0].text == HOSTILE
    assert hostile_page.all("pre")[0].text == HOSTILE
    assert hostile_page.all("svg")[0].attributes["aria-label"] == HOSTILE
    assert any(e.text == HOSTILE for e in hostile_page.all("text"))
    assert any(HOSTILE in e.text for e in hostile_page.all("dd"))


def test_fragments_for_notebooks_are_escaped_too(parse) -> None:
    figure = hostile_figure(HOSTILE)
    section = hostile_section(HOSTILE, figure)
    for block in (section, figure, section.tables[0], Report(HOSTILE, [section])):
        check(parse(block._repr_html_()))


def test_a_notebook_shows_a_report_in_a_closed_frame(parse) -> None:
    (frame,) = parse(Report("R", [Section("<script>1</script>")])._repr_html_()).elements
    assert frame.attributes["sandbox"] == ""
    check(parse(frame.attributes["srcdoc"]))


@pytest.mark.parametrize(
    "body",
    [
        "[x](javascript:alert(1))",
        "[x](JAVASCRIPT:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "<javascript:alert(1)>",
        "![x](https://example.org/x.png)",
        '[x](https://example.org "\\" onclick=alert(1)")',
        "[x][y]\n\n[y]: javascript:alert(1)",
        "<b onclick=alert(1)>x</b>",
    ],
)
def test_markdown_gives_no_script_and_fetches_nothing(body: str, parse) -> None:
    check(parse(Report("R", [Section("S", body, finding=body)]).to_html(now=NOW)))


text = st.text(alphabet=string.printable + "é–§़", min_size=1, max_size=60).filter(lambda s: s.strip() != "")


@given(words=text)
@settings(max_examples=25, deadline=None)
def test_any_text_anywhere(words: str, parse) -> None:
    check(parse(Report(words, [hostile_section(words)], subtitle=words).to_html(now=NOW)))


@given(words=st.text(alphabet=string.printable, max_size=60))
@settings(max_examples=200, deadline=None)
def test_plain_text_survives_markdown(words: str, parse) -> None:
    page = parse(prose.to_html("before " + plain(words)))
    assert page.text.split()[1:] == words.split()
    assert [e.name for e in page.elements] == ["p"]
