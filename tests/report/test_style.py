"""The style: no global state, colours that can be told apart, axes that read well."""

from __future__ import annotations

import datetime as dt
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest

from fisc.core.palette import DARK
from fisc.data import DataError, OptionError
from fisc.report import style

# Vienot, Brettel and Mollon (1999): linear RGB as seen without long- or middle-wave cones.
PROTAN = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
DEUTAN = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


def linear(colour: str) -> np.ndarray:
    rgb = np.array(mpl.colors.to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    f = np.cbrt(np.clip(xyz / np.array([0.9505, 1.0, 1.089]), 1e-6, None))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    a, b = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (b + 0.05) / (a + 0.05)


@pytest.mark.parametrize("eyes", [np.eye(3), PROTAN, DEUTAN], ids=["usual", "protan", "deutan"])
@pytest.mark.parametrize("page", ["light", "dark"])
def test_the_first_five_colours_can_be_told_apart(eyes: np.ndarray, page: str) -> None:
    colours = [c if page == "light" else "#" + DARK[c[1:]] for c in style.COLOURS[:5]]
    for one, other in combinations(colours, 2):
        # CIE 1976 difference; 2.3 is just noticeable, 10 is plain at a glance.
        assert np.linalg.norm(lab(eyes @ linear(one)) - lab(eyes @ linear(other))) > 10, (one, other)


@pytest.mark.parametrize(("colour", "least"), [(style.INK, 7.0), (style.MUTED, 4.5)])
def test_text_can_be_read_on_both_pages(colour: str, least: float) -> None:
    assert contrast(colour, "#ffffff") >= least
    assert contrast("#" + DARK[colour[1:]], "#" + DARK["ffffff"]) >= least


def test_every_colour_of_the_style_has_a_dark_form() -> None:
    for colour in (*style.COLOURS, style.INK, style.MUTED, style.GRID):
        assert colour[1:] in DARK
        assert contrast("#" + DARK[colour[1:]], "#" + DARK["ffffff"]) >= min(3.0, contrast(colour, "#ffffff"))


def test_settings_are_put_back() -> None:
    before = dict(mpl.rcParams)
    with style.context():
        assert mpl.rcParams["axes.spines.top"] is False
    style.figure()
    assert dict(mpl.rcParams) == before


def test_styled_draws_in_style_and_keeps_the_name() -> None:
    @style.styled
    def draw(scale: float = 1.0) -> tuple[object, float]:
        """Draw."""
        return mpl.rcParams["axes.spines.top"], scale

    assert draw(scale=2.0) == (False, 2.0)
    assert draw.__name__ == "draw"


def test_figure_gives_one_axes_or_an_array() -> None:
    fig, ax = style.figure(5, 3)
    assert tuple(fig.get_size_inches()) == (5, 3)
    assert ax.get_figure() is fig
    assert style.figure(nrows=2, ncols=3)[1].shape == (2, 3)


@pytest.mark.parametrize("size", [(0, 3), (7, -1), (float("nan"), 3), (7, 1e9)])
def test_impossible_sizes_are_named(size: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="inches cannot be drawn"):
        style.figure(*size)


def test_axes_of_keeps_the_users_axes() -> None:
    _, ax = style.figure()
    assert style.axes_of(ax) is ax
    assert style.axes_of(None, 5, 2).get_figure().get_figwidth() == 5


def test_shade_fills_between_the_curves() -> None:
    _, ax = style.figure()
    band = style.shade(ax, [0, 1], [0, 0], [1, 2], color=style.COLOURS[1], label="90% band")
    (path,) = band.get_paths()
    assert path.vertices[:, 1].max() == 2
    assert band.get_label() == "90% band"


def test_axes_are_labelled_as_their_kind() -> None:
    _, ax = style.figure()
    ax.set_ylim(0, 1)
    style.percent_axis(ax, decimals=0)
    assert ax.yaxis.get_major_formatter()(0.25) == "25%"
    style.number_axis(ax, "x", unit="$")
    write = ax.xaxis.get_major_formatter()
    assert [write(v) for v in (0, -0.0, 1500, -1234567.5, 0.25)] == [
        "$0",
        "$0",
        "$1,500",
        "−$1,234,567.5",
        "$0.25",
    ]
    _, ax = style.figure()
    ax.plot([dt.date(2000, 1, 1), dt.date(2024, 1, 1)], [0, 1])
    style.date_axis(ax)
    labels = ax.xaxis.get_major_formatter().format_ticks(ax.get_xticks())
    assert "2008" in labels


@pytest.mark.parametrize("helper", [style.percent_axis, style.number_axis, style.date_axis])
def test_an_unknown_axis_is_named(helper) -> None:
    with pytest.raises(OptionError, match="which='z' is not an option"):
        helper(style.figure()[1], "z")


def test_reference_lines_lie_where_they_should() -> None:
    _, ax = style.figure()
    style.reference_line(ax, 0.5)
    style.reference_line(ax, 0.2, "x")
    horizontal, vertical = ax.lines
    assert list(horizontal.get_ydata()) == [0.5, 0.5]
    assert list(vertical.get_xdata()) == [0.2, 0.2]


@pytest.mark.parametrize("colour", ["black", "white", "#777777", "#0072b2", "yellow", (0.5, 0.4, 0.1)])
def test_text_on_colour_is_readable(colour) -> None:
    assert contrast(style.on(colour), mpl.colors.to_hex(colour)) >= 4.4
