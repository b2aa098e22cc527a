"""The page: one file, the same bytes, a way through it, and where numbers come from."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
import re
import sys
import time

import pandas as pd
import pytest

from fisc.data import DataError, MissingExtraError, Provenance, WriteError
from fisc.report import Figure, Report, Section, Table, style
from fisc.report.facts import moment
from fisc.report.page import _page

NOW = "2026-03-01T10:30:00+02:00"
HISTORY = Provenance(
    version="0.1.0",
    options={"cost_bp": 10, "start": "2000-01-03"},
    inputs={"prices": "sha256:00112233445566aa"},
    seed=7,
    time="2026-02-28T09:00:00Z",
    notes=("3 rows dropped",),
    source="skfolio",
)


def picture(colour: str = style.COLOURS[0], **words: str) -> Figure:
    with style.context():
        fig, ax = style.figure(7, 3)
        ax.plot([1, 2, 3], color=colour, marker="o")
        ax.set_title("Growth of one dollar invested in January 2000, after costs")
    return Figure.from_matplotlib(fig, **words)


@pytest.fixture(scope="module")
def report() -> Report:
    table = Table(pd.DataFrame({"mean": [0.1, 0.2]}, index=["a", "b"]), caption="Means", note="Daily")
    return Report(
        "Public money",
        [
            Section(
                "Prices",
                "See [the tax](#tax-reform-2026).",
                [picture(caption="One"), picture()],
                [table],
                notes="A caution.",
                provenance=HISTORY,
                question="How much?",
                finding="**11%** (6 to 16)",
            ),
            Section("Tax reform, 2026", "# Top\n\n#### Deep", [picture()], [table]),
            Section("Prices", provenance=HISTORY),
            Section.failed("Speech", FileNotFoundError("speech.pdf is not there")),
        ],
        subtitle="Four *questions*",
    )


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return report.to_html(now=NOW)


@pytest.fixture(scope="module")
def page(html: str, parse):
    return parse(html)


def test_the_same_report_gives_the_same_bytes(report: Report, html: str) -> None:
    assert report.to_html(now=NOW) == html
    assert report.to_html(now=dt.datetime(2026, 3, 1, 8, 30, tzinfo=dt.UTC)) == html


def test_a_report_made_anew_differs_in_times_alone() -> None:
    def build(time: str) -> str:
        history = Provenance(version="1", options={}, inputs={}, seed=1, time=time)
        return Report("R", [Section("S", figures=[picture()], provenance=history)]).to_html(now=time)

    one, other = build("2026-01-01T00:00:00Z"), build("2026-05-05T05:05:05Z")
    times = re.compile(r"<time.*?</time>|<meta name=\"dcterms.created\"[^>]*>")
    assert one != other
    assert times.sub("", one) == times.sub("", other)


def test_nothing_is_fetched_and_the_policy_says_so(page, html: str) -> None:
    policy = next(e for e in page.all("meta") if "http-equiv" in e.attributes)
    assert "default-src 'none'" in policy.attributes["content"]
    (script,) = page.all("script")
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy.attributes["content"], "the only one that may run"
    assert not script.attributes
    assert not re.search(r"fetch|XMLHttp|import|eval|innerHTML|http|Function|WebSocket", script.text)
    for element in page.elements:
        for key in ("src", "href", "data", "poster", "srcset"):
            assert element.attributes.get(key, "#").startswith(("#", "data:")), element
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_anchors_are_unique_and_every_link_arrives(page) -> None:
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    targets = {
        e.attributes["href"][1:] for e in page.elements if e.attributes.get("href", "").startswith("#")
    }
    used = {
        t for e in page.elements for v in e.attributes.values() for t in re.findall(r"url\(#([^)]+)\)", v)
    }
    assert targets | used <= set(ids)
    assert {"prices", "tax-reform-2026", "prices-2", "speech"} <= targets


def test_contents_list_the_sections_in_order(page) -> None:
    (nav,) = page.all("nav")
    assert nav.text.split("\n")[2:] != []
    entries = re.findall(r"(\d)\s*([A-Z][\w, ]+)", nav.text.replace("Contents", ""))
    assert entries == [("1", "Prices"), ("2", "Tax reform, 2026"), ("3", "Prices"), ("4", "Speech")]


def test_the_front_page_says_what_was_asked_and_found(page) -> None:
    (brief,) = page.all("div", class_="brief")
    assert "How much?" in brief.text
    assert "11% (6 to 16)" in brief.text
    assert "Speech: this section could not be made." in brief.text
    assert "Tax reform" not in brief.text


def test_a_report_without_findings_has_no_brief(parse) -> None:
    page = parse(Report("R", [Section("A"), Section("B")]).to_html(now=NOW))
    assert not page.all("div", class_="brief")


def test_a_failed_section_shows_its_error_in_its_place(page, report: Report) -> None:
    (failed,) = page.all("section", class_="failed")
    assert failed.attributes["id"] == "speech"
    assert "FileNotFoundError: speech.pdf is not there" in failed.text
    assert "1 of 4 sections could not be made" in page.text
    assert [s.title for s in report.failures] == ["Speech"]


def test_figures_and_tables_are_numbered_through_the_report(page) -> None:
    labels = [e.text for e in page.all("b") if e.text.startswith(("Figure", "Table"))]
    assert labels == ["Figure 1.", "Figure 2.", "Table 1.", "Figure 3.", "Table 2."]


def test_headings_of_a_body_stay_below_the_section(page) -> None:
    assert [e.text for e in page.all("h3")] == ["Top"]
    assert [e.text for e in page.all("h4")] == ["Deep"]


def test_every_number_says_where_it_comes_from(page) -> None:
    first, whole = page.all("details")[0], page.all("details")[-1]
    for words in (
        "0.1.0",
        "sha256:00112233445566aa",
        "cost_bp 10",
        "7",
        "3 rows dropped",
        "skfolio",
        "2026-02-28",
    ):
        assert words in first.text
    for words in ("Python", "numpy", "pandas", "sha256:00112233445566aa", "2026-03-01T08:30:00Z"):
        assert words in whole.text
    assert whole.text.count("sha256:00112233445566aa") == 1
    assert "1 March 2026, 08:30 UTC" in page.text


def test_dark_colours_and_phone_figures_are_in_the_file(html: str, page) -> None:
    assert "prefers-color-scheme: dark" in html
    assert "--c-0072b2: #" in html
    assert "stroke: var(--c-0072b2,#0072b2)" in html
    assert len(page.all("div", class_="narrow")) == len(page.all("div", class_="twin")) == 3


def test_to_html_writes_the_file_that_it_returns(report: Report, html: str, tmp_path) -> None:
    path = tmp_path / "new folder" / "r.html"
    assert report.to_html(path, now=NOW) == html
    assert path.read_text(encoding="utf-8") == html
    assert [p.name for p in path.parent.iterdir()] == ["r.html"]


def test_an_unwritable_place_is_said_and_nothing_is_left(report: Report, tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match="choose another"):
        report.to_html(tmp_path / "file" / "r.html", now=NOW)
    assert (tmp_path / "file").read_text() == "x"


def test_pdf_has_the_sections_and_the_same_bytes(report: Report, tmp_path, monkeypatch) -> None:
    pytest.importorskip("weasyprint")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    clock = time.time
    one = report.to_pdf(tmp_path / "1.pdf", now=NOW)
    monkeypatch.setattr(time, "time", lambda: clock() + 3600)
    two = report.to_pdf(tmp_path / "2.pdf", now=NOW)
    assert os.environ["SOURCE_DATE_EPOCH"] == "7"
    assert one.read_bytes()[:5] == b"%PDF-"
    assert one.read_bytes() == two.read_bytes()


def test_pdf_without_weasyprint_names_the_extra(report: Report, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(MissingExtraError, match=r"fisc\[pdf\]"):
        report.to_pdf(tmp_path / "r.pdf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Report("", [Section("A")]), "a report needs a title in words"),
        (lambda: Report("R", ["text"]), "expected Section objects, not a str; a result gives one"),
        (lambda: Section("  "), "a section needs a title in words"),
        (lambda: Section("S", figures=[Table({"a": [1]})]), "figures holds a Table; expected Figure"),
        (lambda: Section("S", tables=[pd.DataFrame()]), "tables holds a DataFrame; expected Table"),
        (lambda: Section("S", notes=[3]), "notes holds a int; expected str"),
        (lambda: Section("S", figures=None), "figures holds a NoneType; expected Figure"),
        (lambda: Section("S", body=3), "body is of type int; expected text"),
        (lambda: Report("R", [Section("A")]).to_html(now="yesterday"), "'yesterday' is not a time"),
        (lambda: Report("R", [Section("A")]).to_html(now=3), "expected a datetime or ISO 8601"),
    ],
)
def test_bad_input_is_named(make, words: str) -> None:
    with pytest.raises(DataError, match=words):
        make()


def test_one_item_may_be_given_bare() -> None:
    table = Table({"a": [1]})
    section = Section("S", tables=table, notes="one note")
    assert section.tables == (table,)
    assert section.notes == ("one note",)
    assert Report("R", section).sections == (section,)


def test_failed_takes_an_exception_or_words() -> None:
    assert Section.failed("A", KeyError("x")).error == "KeyError: 'x'"
    assert Section.failed("A", ValueError()).error == "ValueError"
    assert Section.failed("A", "no file").error == "no file"
    assert Section.failed("A", "").error == "unknown error"


def test_anchors_of_titles() -> None:
    assert Section("Steuern & Löhne: 2026!").anchor == "steuern-löhne-2026"
    assert Section("§§").anchor == "section"


def test_a_page_without_tables_and_a_printed_one_have_no_script(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "<script" not in Report("R", [Section("S")]).to_html()
    whole = Report("R", [Section("S", tables=[Table({"a": [1, 2]})])])
    assert "<script" in whole.to_html()
    assert "<script" not in _page(whole, moment(NOW), printed=True)
