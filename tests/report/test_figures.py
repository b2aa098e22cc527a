"""Figures: matplotlib to SVG that is safe, small, themed, and laid out again for phones."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from fisc.data import DataError
from fisc.report import Figure, Report, Section, style, svg

PLAIN = '<svg viewBox="0 0 10 10"><path d="M 0 0 L 9 9"/></svg>'


def lines(width: float = 7.0, title: str = "A line"):
    with style.context():
        fig, ax = style.figure(width, 3.0)
        ax.plot([0, 1, 4], label="y")
        ax.set_title(title)
        ax.legend()
    return fig, ax


def texts(drawing: str) -> list[str]:
    return ["".join(e.itertext()) for e in ET.fromstring(drawing).iter() if e.tag.endswith("}text")]


def test_the_same_drawing_gives_the_same_bytes() -> None:
    one, other = (Figure.from_matplotlib(lines()[0]) for _ in range(2))
    assert one == other
    assert Figure.from_matplotlib(lines(title="Another")[1]) != one


def test_nothing_of_matplotlib_but_the_picture_remains() -> None:
    drawing = Figure.from_matplotlib(lines()[0]).svg
    for word in ("metadata", "Matplotlib", "<style", "DOCTYPE", "xlink", "DejaVu", "width="):
        assert word not in drawing.split(">", 1)[0] + drawing.replace("stroke-width", "").split("clipPath")[0]


def test_text_stays_text() -> None:
    assert "A line" in texts(Figure.from_matplotlib(lines()[0]).svg)


def test_an_axes_stands_for_its_figure() -> None:
    fig, ax = lines()
    assert Figure.from_matplotlib(ax) == Figure.from_matplotlib(fig)


def test_keeping_a_figure_leaves_it_as_it_was() -> None:
    with style.context():
        fig, (left, right) = style.figure(7, 3, ncols=2, sharey=True)
        left.plot([1, 2])
        right.plot([2, 9])
        left.set_title("A long title that has to be broken into lines on a phone")
    fig.draw_without_rendering()

    def state():
        return (
            tuple(fig.get_size_inches()),
            left.get_title(loc="left"),
            [tuple(np.round(ax.get_position().bounds, 12)) for ax in (left, right)],
            [ax.yaxis.get_tick_params()["labelleft"] for ax in (left, right)],
            len(fig.axes),
        )

    before = state()
    kept = Figure.from_matplotlib(fig)
    assert kept.narrow
    assert state() == before
    assert Figure.from_matplotlib(fig) == kept


def test_a_wide_figure_is_laid_out_again_for_phones() -> None:
    kept = Figure.from_matplotlib(
        lines(title="Growth of one dollar invested in January 2000, after costs")[0]
    )
    wide, narrow = svg.size(kept.svg), svg.size(kept.narrow)
    assert wide[0] == pytest.approx(504)
    assert narrow[0] == pytest.approx(302.4)
    assert any("\n" not in t and t.startswith("Growth of one dollar") for t in texts(kept.svg))
    assert "Growth of one dollar invested in January 2000, after costs" not in texts(kept.narrow)


def test_panels_side_by_side_go_below_each_other_on_phones() -> None:
    with style.context():
        fig, axes = style.figure(7, 3, ncols=3)
    for ax in axes:
        ax.plot([1, 2])
    width, height = svg.size(Figure.from_matplotlib(fig).narrow)
    assert height > 1.5 * width


@pytest.mark.parametrize("case", ["small", "crowded", "no layout", "unbreakable"])
def test_what_would_not_fit_a_phone_is_not_squeezed(case: str) -> None:
    with style.context():
        fig, ax = style.figure(4.5 if case == "small" else 7, 3)
        if case == "crowded":
            names = [f"agriculture {i}" for i in range(9)]
            ax.bar(names, range(9))
            ax.tick_params(labelsize=5)
        if case == "no layout":
            fig.set_layout_engine("none")
        if case == "unbreakable":
            ax.set_xlabel("x" * 60)
    assert Figure.from_matplotlib(fig).narrow == ""


def test_heat_maps_keep_their_colours_on_a_light_card(parse) -> None:
    with style.context():
        fig, ax = style.figure(4, 3)
        ax.imshow(np.eye(2))
    kept = Figure.from_matplotlib(fig)
    assert not kept.themed
    page = parse(Report("R", [Section("S", figures=[kept])]).to_html())
    assert page.all("div", class_="card")
    assert "var(" not in "".join(e.attributes.get("style", "") for e in page.elements)
    assert Figure.from_matplotlib(fig, themed=True).themed


def test_labels_that_look_like_ids_or_colours_keep_their_words() -> None:
    words = 'href="#i0" fill: #0072b2 url(#i1)'
    kept = Figure.from_matplotlib(lines(title=words)[0])
    assert words in texts(svg.embed(kept.svg, "p", themed=True))


def test_ids_are_made_unique_and_references_follow() -> None:
    kept = Figure.from_matplotlib(lines()[0])
    ids = re.findall(r'\sid="([^"]+)"', kept.svg)
    assert ids
    for prefix in ("a", "b"):
        shown = svg.embed(kept.svg, prefix, themed=False)
        found = set(re.findall(r'\sid="([^"]+)"', shown))
        assert found == {f"{prefix}-{i}" for i in ids}
        assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', shown)) <= found


@pytest.mark.parametrize(
    ("drawing", "words"),
    [
        ("", "expected an <svg> element"),
        (None, "expected an <svg> element"),
        ("<svg", "cannot be read"),
        ("<svg viewBox='0 0 1 1'><g></svg>", "cannot be read"),
        ("<svg><path/></svg>", "neither a viewBox"),
        ("<svg viewBox='0 0 1 1'><script>1</script></svg>", "<script> element"),
        ("<svg viewBox='0 0 1 1'><foreignObject/></svg>", "<foreignObject> element"),
        ("<svg viewBox='0 0 1 1'><a href='#x'/></svg>", "<a> element"),
        ("<svg viewBox='0 0 1 1'><animate/></svg>", "<animate> element"),
        ("<svg viewBox='0 0 1 1' onload='x()'/>", r"event handler \(onload\)"),
        ("<svg viewBox='0 0 1 1'><g OnClick='x()'/></svg>", "event handler"),
        ("<svg viewBox='0 0 1 1'><use href='https://example.org/x.svg#a'/></svg>", "fetches nothing"),
        ("<svg viewBox='0 0 1 1'><image href='x.png'/></svg>", "fetches nothing"),
        ("<svg viewBox='0 0 1 1'><image href='data:image/svg+xml;base64,AA=='/></svg>", "fetches nothing"),
        ("<svg viewBox='0 0 1 1'><path style='fill: url(http://x)'/></svg>", "something outside"),
        ("<svg viewBox='0 0 1 1'><path fill='url( \"//x\" )'/></svg>", "something outside"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><svg viewBox="0 0 1 1">&a;</svg>', "cannot be read"),
        ('<svg viewBox="0 0 1 1"><!ENTITY a "b"></svg>', "entities"),
    ],
)
def test_unsafe_or_broken_pictures_are_refused(drawing, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Figure(drawing)


def test_the_plain_form_is_a_fixed_point() -> None:
    for drawing in (PLAIN, Figure.from_matplotlib(lines()[0]).svg):
        assert svg.normalise(svg.normalise(drawing)) == svg.normalise(drawing)


def test_an_embedded_image_stays() -> None:
    data = "data:image/png;base64,iVBORw0KGgo="
    kept = Figure(f"<svg width='4' height='3'><image href='{data}' width='4' height='3'/></svg>")
    assert data in kept.svg
    assert svg.size(kept.svg) == (4.0, 3.0)


@pytest.mark.parametrize("thing", [None, "a.png", 3, np.zeros(3)])
def test_something_else_than_a_figure_is_named(thing) -> None:
    with pytest.raises(DataError, match=f"not a {type(thing).__name__}; a result's plot"):
        Figure.from_matplotlib(thing)


def test_a_formula_keeps_its_letters_together() -> None:
    _, ax = lines(title=r"effect $\tau_{10}$ at the cutoff")
    found = [text.replace("\xa0", " ") for text in texts(Figure.from_matplotlib(ax).svg)]
    assert "effect τ10 at the cutoff" in found


def test_a_long_band_is_thinned_without_moving_its_edge() -> None:
    n = 4000
    x = np.linspace(0, 1, n)
    y = np.sin(20 * x)
    y[n // 2] = 5.0  # a spike of one day must stay
    with style.context():
        fig, ax = style.figure(7, 3)
        style.shade(ax, x, np.full(n, -2.0), y)
    drawing = Figure.from_matplotlib(fig).svg
    longest = max(re.findall(r' d="([^"]*)"', drawing), key=len)
    heights = [float(v) for v in re.findall(r"[ML] \S+ (\S+)", longest)]
    assert len(heights) < n / 4
    fig.draw_without_rendering()
    bottom, top = (ax.transData.transform((0, v))[1] * 72 / fig.dpi for v in (-2.0, 5.0))
    assert 216 - min(heights) == pytest.approx(top, abs=0.5)
    assert 216 - max(heights) == pytest.approx(bottom, abs=0.5)
