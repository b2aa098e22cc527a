"""Pictures of a fit. Each function draws on the axes given, or on a new figure, and returns the axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import gaussian_kde
from scipy.stats import t as student

from fisc.core import DataError, check_whole
from fisc.core.arrays import FloatArray
from fisc.report.style import COLOURS, axes_of, reference_line, shade, styled

from .fit import Fit
from .localpoly import fit_side
from .projection import cell_widths, isotonic_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BELOW, ABOVE = COLOURS[0], COLOURS[1]


@styled
def effect(fit: Fit, ax: Axes | None = None) -> Axes:
    """Effect by quantile with its band, and pointwise intervals inside a uniform band."""
    ax = axes_of(ax)
    level = f"{100 * (1 - fit.alpha):g}%"
    finite = np.isfinite(fit.band_lower) & np.isfinite(fit.band_upper)
    if fit.tau.size == 1:
        half = np.abs(np.array([fit.tau - fit.band_lower, fit.band_upper - fit.tau]))
        words = f"effect, {level} interval"
        ax.errorbar(fit.quantiles, fit.tau, yerr=half, fmt="o", color=BELOW, capsize=4, label=words)
    else:
        q = fit.quantiles
        if fit.band_kind == "pointwise":
            words = f"{level} pointwise intervals"
            shade(ax, q, fit.band_lower, fit.band_upper, color=BELOW, alpha=0.3, label=words)
        else:
            if finite.any():
                lower, upper = (np.where(finite, v, np.nan) for v in (fit.band_lower, fit.band_upper))
                shade(ax, q, lower, upper, color=BELOW, label=f"{level} uniform band")
            point = fit.band("pointwise")
            shade(ax, q, point.lower, point.upper, color=BELOW, alpha=0.3, label=f"{level} pointwise")
        ax.plot(q, fit.tau, color=BELOW, linewidth=2.0, label="effect")
        if q.size <= 21:
            ax.plot(q, fit.tau, "o", color=BELOW)
        ax.set_xlim(0.0, 1.0)
    reference_line(ax, 0.0)
    y = fit.names.y
    ax.set_xlabel(f"quantile of {y}")
    ax.set_ylabel(f"effect on the slope of {y}" if fit.deriv else f"effect on {y}")
    ax.set_title(f"Effect of crossing the cutoff on {y}, by quantile")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.16 * (high - low))  # room for the legend
    ax.legend(loc="upper left", ncols=3)
    return ax


@styled
def limits(fit: Fit, ax: Axes | None = None) -> Axes:
    """Average quantile functions just below and just above the cutoff, with pointwise intervals."""
    ax = axes_of(ax)
    errors, m, y = fit.process.errors, fit.tau.size, fit.names.y
    inside = np.asarray if fit.deriv else fit.names.clip
    for curve, df, start, colour, style, label in (
        (fit.q_minus, fit.df_minus, errors.size // 2, BELOW, (0, (5, 2)), "just below the cutoff"),
        (fit.q_plus, fit.df_plus, 0, ABOVE, "solid", "just above the cutoff"),
    ):
        z = student.ppf(1.0 - fit.alpha / 2.0, df)
        se = errors[start : start + m]
        shade(ax, fit.quantiles, inside(curve - z * se), inside(curve + z * se), color=colour)
        ax.plot(fit.quantiles, inside(curve), color=colour, linestyle=style, linewidth=2.0, label=label)
    ax.set_xlim(0.0, 1.0)
    ax.set_xlabel(f"quantile of {y}")
    ax.set_ylabel(f"slope of {y} in {fit.names.x}" if fit.deriv else y)
    level = f"{100 * (1 - fit.alpha):g}%"
    ax.set_title(f"Average quantiles of {y} at the cutoff, {level} pointwise intervals")
    ax.legend(loc="upper left")
    return ax


@styled
def densities(fit: Fit, ax: Axes | None = None) -> Axes:
    """Densities that the two limit quantile curves imply, between their first and last quantile."""
    if fit.deriv:
        raise DataError("a kink design has limits of slopes, which imply no densities; use kind='limits'")
    if fit.tau.size < 5:
        raise DataError(f"densities need a curve of at least 5 quantiles; there are {fit.tau.size}")
    ax = axes_of(ax)
    q = fit.quantiles
    fine = np.linspace(q[0], q[-1], 801)
    span = max(float(np.ptp(fit.q_minus)), float(np.ptp(fit.q_plus)))
    low = min(fit.q_minus[0], fit.q_plus[0]) - 0.1 * span
    high = max(fit.q_minus[-1], fit.q_plus[-1]) + 0.1 * span
    first, last = fit.names.clip(np.array([low, high]))
    grid = np.linspace(first, last, 400)
    for curve, colour, style, label in (
        (fit.q_minus, BELOW, (0, (5, 2)), "just below the cutoff"),
        (fit.q_plus, ABOVE, "solid", "just above the cutoff"),
    ):
        values = fit.names.clip(np.interp(fine, q, curve))
        if np.ptp(values) == 0.0:
            raise DataError(
                "a limit quantile curve is constant: the distribution is one point and has no density"
            )
        density = _density(values, grid, fit.names.bounds) * (q[-1] - q[0])
        ax.plot(grid, density, color=colour, linestyle=style, linewidth=2.0, label=label)
        shade(ax, grid, np.zeros_like(grid), density, color=colour)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel(fit.names.y)
    ax.set_ylabel("density")
    ax.set_title(f"Implied densities of {fit.names.y}, quantiles {q[0]:g} to {q[-1]:g}")
    ax.legend(loc="best")
    return ax


@styled
def rd(
    fit: Fit, ax: Axes | None = None, quantiles: Sequence[float] = (0.1, 0.5, 0.9), bins: int = 20
) -> Axes:
    """Binned unit quantiles against the running variable, with the local fits inside the bandwidth.

    Parameters
    ----------
    fit : R3DResult
        A fit with its data.
    ax : Axes, optional
        Where to draw.
    quantiles : sequence of float
        Which quantiles; the nearest on the grid are drawn.
    bins : int
        Bins of equal numbers of units on each side.
    """
    bins = check_whole("bins", bins, least=1)
    sample = fit.sample
    ax = axes_of(ax, height=4.4)
    columns = sorted({int(np.argmin(np.abs(fit.quantiles - q))) for q in quantiles})
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(columns))]
    markers = ("o", "s", "^", "D", "v")
    for plus in (False, True):
        own = np.flatnonzero(sample.plus == plus)
        for group in np.array_split(own, min(bins, own.size)):
            at = float(sample.x[group].mean()) + sample.cutoff
            for i, (column, colour) in enumerate(zip(columns, colours, strict=True)):
                ax.plot(
                    at,
                    sample.curves[group, column].mean(),
                    markers[i % 5],
                    color=colour,
                    alpha=0.45,
                    markeredgewidth=0,
                )
        h = np.atleast_1d(fit.bandwidth_plus if plus else fit.bandwidth_minus)
        lines = _fitted_lines(fit, h, plus)
        for (x, y), colour, column in zip((lines[c] for c in columns), colours, columns, strict=True):
            label = f"quantile {fit.quantiles[column]:g}" if plus else None
            ax.plot(x + sample.cutoff, y, color=colour, linewidth=2.2, label=label)
    reference_line(ax, sample.cutoff, which="x")
    ax.set_xlabel(fit.names.x)
    ax.set_ylabel(f"quantile of {fit.names.y} within {fit.names.unit}")
    ax.set_title(f"Quantiles of {fit.names.y} by {fit.names.x}: bin means and local fits")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.14 * (high - low))
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], loc="upper left", ncols=len(columns))
    return ax


def _density(values: FloatArray, grid: FloatArray, bounds: tuple[float, float]) -> FloatArray:
    """Kernel density on a grid; mass that would fall outside the bounds is reflected at them."""
    kernel = gaussian_kde(values, bw_method=0.18)
    mirrored = (kernel(2.0 * end - grid) for end in bounds if np.isfinite(end))
    return np.asarray(sum(mirrored, kernel(grid)))


def _fitted_lines(fit: Fit, h: FloatArray, plus: bool) -> list[tuple[FloatArray, FloatArray]]:
    """X (relative to the cutoff) and fitted value along the window, for every quantile."""
    sample, options = fit.sample, fit.options
    side = fit_side(
        sample.x, sample.curves, h, options.p, options.kernel, plus=plus, unit_weights=sample.unit_weights
    )
    u = np.linspace(0.0, 1.0, 60) * (1.0 if plus else -1.0)
    values = (u[:, None] ** np.arange(options.p + 1)) @ side.alpha
    if options.method == "frechet":
        values = isotonic_rows(values, cell_widths(sample.q))
    edge = np.abs(sample.x[sample.plus == plus]).max()
    lines = []
    for column in range(values.shape[1]):
        x = u * h[0 if h.size == 1 else column]
        inside = np.abs(x) <= edge
        lines.append((x[inside], values[inside, column]))
    return lines
