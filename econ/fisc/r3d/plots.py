"""Pictures of a fit. Each function draws on the axes given, or on a new figure, and returns the axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fisc.core import DataError, check_option
from fisc.report.style import COLOURS, INK, MUTED, axes_of, reference_line, shade, styled

from .kernels import FloatArray
from .localpoly import fit_side
from .projection import cell_widths, isotonic_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .density import DensityTest
    from .diagnostics import Diagnosis
    from .montecarlo import MonteCarlo
    from .result import R3DResult
    from .sensitivity import Sensitivity

PlotKind = Literal["effect", "limits", "densities", "rd", "sensitivity", "running"]
KINDS: tuple[PlotKind, ...] = ("effect", "limits", "densities", "rd", "sensitivity", "running")
BELOW, ABOVE = COLOURS[0], COLOURS[1]


def draw(fit: R3DResult, kind: PlotKind, ax: Axes | None, **options: Any) -> Axes:
    """Dispatch of `R3DResult.plot`."""
    check_option("kind", kind, KINDS)
    if kind == "sensitivity":
        return fit.sensitivity(**options).plot(ax)
    if kind == "running":
        from .density import density_test

        sample = fit.sample
        return density_test(sample.x + sample.cutoff, sample.cutoff, kernel=fit.options.kernel).plot(ax)
    drawers: dict[str, Any] = {"effect": effect, "limits": limits, "densities": densities, "rd": rd}
    drawn: Axes = drawers[kind](fit, ax, **options)
    return drawn


@styled
def effect(fit: R3DResult, ax: Axes | None = None) -> Axes:
    """Effect by quantile with its band, and pointwise intervals inside a uniform band."""
    ax = axes_of(ax)
    level = f"{100 * (1 - fit.alpha):g}%"
    finite = np.isfinite(fit.band_lower) & np.isfinite(fit.band_upper)
    if fit.tau.size == 1:
        half = np.abs(np.array([fit.tau - fit.band_lower, fit.band_upper - fit.tau]))
        ax.errorbar(
            fit.quantiles,
            fit.tau,
            yerr=half,
            fmt="o",
            color=BELOW,
            capsize=4,
            label=f"effect, {level} interval",
        )
    else:
        q = fit.quantiles
        if fit.band_kind == "pointwise":
            shade(
                ax,
                q,
                fit.band_lower,
                fit.band_upper,
                color=BELOW,
                alpha=0.3,
                label=f"{level} pointwise intervals",
            )
        else:
            if finite.any():
                lower, upper = (
                    np.where(finite, fit.band_lower, np.nan),
                    np.where(finite, fit.band_upper, np.nan),
                )
                shade(ax, q, lower, upper, color=BELOW, label=f"{level} uniform band")
            point = fit.band("pointwise")
            shade(ax, q, point.lower, point.upper, color=BELOW, alpha=0.3, label=f"{level} pointwise")
        ax.plot(q, fit.tau, color=BELOW, linewidth=2.0, label="effect")
        if q.size <= 21:
            ax.plot(q, fit.tau, "o", color=BELOW)
        ax.set_xlim(0.0, 1.0)
    reference_line(ax, 0.0)
    ax.set_xlabel("quantile")
    ax.set_ylabel("effect on the slope" if fit.deriv else "effect, units of the outcome")
    ax.set_title("Effect of crossing the cutoff, by quantile")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.16 * (high - low))  # room for the legend
    ax.legend(loc="upper left", ncols=3)
    return ax


@styled
def limits(fit: R3DResult, ax: Axes | None = None) -> Axes:
    """Average quantile functions just below and just above the cutoff, with pointwise intervals."""
    from scipy.stats import norm

    ax = axes_of(ax)
    z = float(norm.ppf(1.0 - fit.alpha / 2.0))
    half = fit.process.covariance.shape[0] // 2
    variance = np.diag(fit.process.covariance)
    m = fit.tau.size
    for curve, start, colour, style, label in (
        (fit.q_minus, half, BELOW, (0, (5, 2)), "just below the cutoff"),
        (fit.q_plus, 0, ABOVE, "solid", "just above the cutoff"),
    ):
        se = np.sqrt(variance[start : start + m])
        shade(ax, fit.quantiles, curve - z * se, curve + z * se, color=colour)
        ax.plot(fit.quantiles, curve, color=colour, linestyle=style, linewidth=2.0, label=label)
    ax.set_xlim(0.0, 1.0)
    ax.set_xlabel("quantile")
    ax.set_ylabel("slope in x" if fit.deriv else "outcome")
    ax.set_title(f"Average unit quantiles at the cutoff, {100 * (1 - fit.alpha):g}% pointwise intervals")
    ax.legend(loc="upper left")
    return ax


@styled
def densities(fit: R3DResult, ax: Axes | None = None) -> Axes:
    """Densities that the two limit quantile curves imply, between their first and last quantile."""
    from scipy.stats import gaussian_kde

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
    grid = np.linspace(low, high, 400)
    for curve, colour, style, label in (
        (fit.q_minus, BELOW, (0, (5, 2)), "just below the cutoff"),
        (fit.q_plus, ABOVE, "solid", "just above the cutoff"),
    ):
        values = np.interp(fine, q, curve)
        if np.ptp(values) == 0.0:
            raise DataError(
                "a limit quantile curve is constant: the distribution is one point and has no density"
            )
        density = gaussian_kde(values, bw_method=0.18)(grid) * (q[-1] - q[0])
        ax.plot(grid, density, color=colour, linestyle=style, linewidth=2.0, label=label)
        shade(ax, grid, np.zeros_like(grid), density, color=colour)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("outcome")
    ax.set_ylabel("density")
    ax.set_title(f"Implied densities, quantiles {q[0]:g} to {q[-1]:g}")
    ax.legend(loc="best")
    return ax


@styled
def rd(
    fit: R3DResult, ax: Axes | None = None, quantiles: Sequence[float] = (0.1, 0.5, 0.9), bins: int = 20
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
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise DataError(f"bins={bins!r}; give a whole number of at least 1")
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
    ax.set_xlabel("running variable")
    ax.set_ylabel("unit quantile, units of the outcome")
    ax.set_title("Unit quantiles by running variable: bin means and local fits")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.14 * (high - low))
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], loc="upper left", ncols=len(columns))
    return ax


def _fitted_lines(fit: R3DResult, h: FloatArray, plus: bool) -> list[tuple[FloatArray, FloatArray]]:
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


@styled
def sensitivity_picture(result: Sensitivity, ax: Axes | None = None) -> Axes:
    """Mean effect with interval, and the effect at three quantiles, against the bandwidth."""
    ax = axes_of(ax)
    table = result.table
    x = table["bandwidth"].to_numpy(dtype=float)
    shade(
        ax,
        x,
        table["lower"].to_numpy(),
        table["upper"].to_numpy(),
        color=INK,
        alpha=0.12,
        label=f"mean effect, {100 * (1 - result.alpha):g}% interval",
    )
    ax.plot(x, table["mean_effect"], "o-", color=INK, linewidth=2.0, label="mean effect")
    styles = ((0.1, (0, (1, 1.5))), (0.5, (0, (5, 2))), (0.9, (0, (6, 2, 1, 2))))
    columns = [int(np.argmin(np.abs(result.quantiles - q))) for q, _ in styles]
    for i, (column, (_, style)) in enumerate(zip(columns, styles, strict=True)):
        if column not in columns[:i]:
            ax.plot(
                x,
                result.tau[:, column],
                color=COLOURS[i],
                linestyle=style,
                label=f"effect at quantile {result.quantiles[column]:g}",
            )
    used = x[np.isclose(result.multipliers, 1.0)]
    for value in used:
        reference_line(ax, float(value), which="x")
        ax.annotate(
            "used",
            (float(value), 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            color=MUTED,
            fontsize=9,
        )
    reference_line(ax, 0.0)
    ax.set_xlabel("bandwidth, units of the running variable")
    ax.set_ylabel("effect, units of the outcome")
    ax.set_title("Effect by bandwidth")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.3 * (high - low))
    ax.legend(loc="upper left", ncols=2)
    return ax


@styled
def running_density(test: DensityTest, ax: Axes | None = None) -> Axes:
    """Histogram of the running variable with the estimated densities at the cutoff."""
    ax = axes_of(ax)
    x, c = test.x, test.cutoff
    width = 2.0 * float(np.subtract(*np.quantile(x, [0.75, 0.25]))) * x.size ** (-1 / 3)
    low, high = np.quantile(x, [0.005, 0.995])
    fine = max(float(high - low), 1e-12) / 24
    width = min(width, fine) if width > 0.0 else fine
    left = c - width * np.arange(int(np.ceil(max(c - low, 0.0) / width)) + 1)[::-1]
    right = c + width * np.arange(int(np.ceil(max(high - c, 0.0) / width)) + 1)
    for edges, colour, label in ((left, BELOW, "below"), (right, ABOVE, "above")):
        if edges.size > 1:
            counts, _ = np.histogram(x[x < c] if label == "below" else x[x >= c], edges)
            ax.bar(
                edges[:-1],
                counts / (x.size * width),
                width=width,
                align="edge",
                color=colour,
                alpha=0.35,
                edgecolor="white",
                label=f"units {label} the cutoff",
            )
    reach = 0.06 * float(high - low)
    for value, se, shift, colour in (
        (test.density_minus, test.se_minus, -reach, BELOW),
        (test.density_plus, test.se_plus, reach, ABOVE),
    ):
        half = [[min(1.96 * se, max(value, 0.0))], [1.96 * se]]  # a density is not negative
        ax.errorbar(
            c + 0.25 * shift, value, yerr=half, fmt="o", color=colour, capsize=4, linewidth=2.0, zorder=4
        )
    ax.plot([], [], "o", color=MUTED, label="density at the cutoff, 95% interval")
    reference_line(ax, c, which="x")
    ax.set_xlabel("running variable")
    ax.set_ylabel("density")
    ax.set_title(f"Running variable at the cutoff (no jump: p = {test.p_value:.2g})")
    ax.set_ylim(0.0, ax.get_ylim()[1] * 1.25)
    ax.legend(loc="upper left", ncols=2)
    return ax


@styled
def placebo_picture(result: Diagnosis, ax: Axes | None = None) -> Axes:
    """Mean effect with interval at the true cutoff and at placebo cutoffs."""
    ax = axes_of(ax)
    table = result.placebo
    for placebo, colour, marker, label in (
        (False, ABOVE, "D", "true cutoff"),
        (True, MUTED, "o", "placebo cutoffs"),
    ):
        part = table[table["placebo"] == placebo]
        half = np.array([part["mean_effect"] - part["lower"], part["upper"] - part["mean_effect"]])
        ax.errorbar(
            part["cutoff"],
            part["mean_effect"],
            yerr=half,
            fmt=marker,
            color=colour,
            capsize=4,
            linewidth=1.8,
            label=label,
        )
    reference_line(ax, 0.0)
    ax.set_xlabel("cutoff, units of the running variable")
    ax.set_ylabel("mean effect, units of the outcome")
    ax.set_title("Mean effect at the cutoff and at placebo cutoffs")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.16 * (high - low))
    ax.legend(loc="upper left", ncols=2)
    return ax


@styled
def monte_carlo_coverage(result: MonteCarlo, ax: Axes | None = None) -> Axes:
    """Coverage of every cell with two simulation standard errors, and the nominal level."""
    table = result.table
    cells = table[["design", "n"]].drop_duplicates().reset_index(drop=True)
    ax = axes_of(ax, height=max(3.2, 0.24 * len(cells) + 1.4))
    methods = list(dict.fromkeys(table["method"]))
    for i, method in enumerate(methods):
        part = table[table["method"] == method].reset_index(drop=True)
        y = np.arange(len(part)) + 0.22 * (i - 0.5 * (len(methods) - 1))
        ax.errorbar(
            part["coverage"],
            y,
            xerr=2 * part["mc_se"],
            fmt="os^"[i % 3],
            color=COLOURS[i],
            capsize=2,
            label=method,
        )
        if "r_coverage" in part:
            ax.plot(
                part["r_coverage"],
                y,
                "os^"[i % 3],
                markerfacecolor="none",
                color=COLOURS[i],
                label=f"{method}, R package",
            )
    reference_line(ax, 1.0 - result.alpha, which="x")
    ax.set_yticks(np.arange(len(cells)), [f"{row.design}, n = {row.n}" for row in cells.itertuples()])
    ax.set_ylim(len(cells) - 0.4, -0.6)
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(f"coverage of the {100 * (1 - result.alpha):g}% uniform band")
    ax.set_title("Coverage by design")
    ax.legend(loc="lower left" if table["coverage"].min() > 0.85 else "best")
    return ax
