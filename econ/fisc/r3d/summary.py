"""Words and tables of a fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fisc.core import DataError
from fisc.core.arrays import FloatArray
from fisc.report import Figure, Section, Table

from . import plots
from .fit import Fit
from .functionals import evaluate
from .mean import mean_effect
from .options import Band, Selector
from .testing import HypothesisTest, run_test

_SHOWN = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
_BANDS: dict[Band, str] = {
    "constant": "uniform band of constant width",
    "studentized": "uniform band, width proportional to the standard error",
    "pointwise": "pointwise intervals (not simultaneous)",
    "anderson_rubin": "uniform Anderson-Rubin band",
}
_RULES: dict[Selector, str] = {
    "mse": "minimises squared error",
    "cer": "minimises coverage error",
    "msetwo": "minimises squared error by side",
}


def summarise(fit: Fit) -> str:
    """Plain-text summary of a fit."""
    lines = [head(fit), ""]
    lines += [f"{label:<22}{value}" for label, value in facts(fit)]
    table = selected_rows(fit)
    lines += ["", table.to_string(index=False, float_format=lambda v: f"{v:.4g}"), ""]
    lines += [test.summary() for test in _tests(fit)]
    mean = evaluate(fit, "mean")
    lines.append(
        f"mean effect on {fit.names.y} over [{fit.quantiles[0]:g}, {fit.quantiles[-1]:g}]: {mean.estimate:.4g} "
        f"(se {mean.se:.3g}), {_level(fit)} interval [{mean.lower:.4g}, {mean.upper:.4g}]"
    )
    lines += companion(fit)
    lines += [f"note: {message}" for message in fit.warnings]
    return "\n".join(lines)


def companion(fit: Fit) -> list[str]:
    """Return what rdrobust says about unit means, in one line; none without data."""
    if fit._sample is None:
        return []
    try:
        return [mean_effect(fit).summary()]
    except DataError as error:
        return [f"no scalar companion: {error}"]


def _level(fit: Fit) -> str:
    return f"{100 * (1 - fit.alpha):g}%"


def head(fit: Fit) -> str:
    """Kind of design, cutoff and number of units."""
    kind = ("Fuzzy" if fit.fuzzy else "Sharp") + (" kink" if fit.deriv else "")
    names = fit.names
    return (
        f"{kind} distributional regression discontinuity: {names.y} by {names.x}, cutoff {fit.cutoff:g}, "
        f"{fit.n_minus} + {fit.n_plus} {names.units}"
    )


def facts(fit: Fit) -> list[tuple[str, str]]:
    """Label and value of what describes a fit."""
    options = fit.options
    rows = [
        (
            "method",
            f"{options.method}, {options.kernel} kernel, order {options.p} (bandwidth for order {options.s})",
        ),
        (f"{fit.names.units} below / above", f"{fit.n_minus} / {fit.n_plus}"),
        ("within bandwidth", f"{_range(fit.n_effective_minus)} / {_range(fit.n_effective_plus)}"),
        (
            "bandwidth",
            _range(fit.bandwidth)
            + (f" (automatic, {_RULES[options.selector]})" if fit.automatic_bandwidth else " (given)"),
        ),
    ]
    if fit.first_stage is not None and fit.first_stage_se is not None:
        t = fit.first_stage / fit.first_stage_se if fit.first_stage_se > 0 else np.inf
        rows.append(("first stage", f"{fit.first_stage:.4g} (se {fit.first_stage_se:.3g}, F = {t * t:.4g})"))
        rows.append(("its bandwidth", _range(fit.bandwidth_treatment)))
    rows.append((f"{_level(fit)} band", f"{_BANDS[fit.band_kind]}, critical value {fit.critical_value:.4g}"))
    if np.isfinite(fit.df_plus).all():
        tied = len(fit.process.df) == 1
        df = (
            f"{_range(fit.df_plus)} (both sides together)"
            if tied
            else f"{_range(fit.df_minus)} / {_range(fit.df_plus)}"
        )
        rows.append(("degrees of freedom", df))
    if fit.clusters_minus is not None:
        rows.append(("clusters in bandwidth", f"{fit.clusters_minus} / {fit.clusters_plus}"))
    if fit.size_jump is not None and fit.quantile_rule == "size_free":
        rows.append(("unit quantiles", f"free of unit sizes ({fit.size_jump.words})"))
    below, above = fit.projection_active
    if below or above:
        rows.append(("curves made monotone", f"{below:.0%} of the grid below, {above:.0%} above the cutoff"))
    return rows


def _range(values: ArrayLike | None) -> str:
    array = np.atleast_1d(np.asarray(values, dtype=float))
    if array.size == 1 or np.ptp(array) == 0.0:
        return f"{array.flat[0]:.4g}"
    if array.shape == (2,):
        return f"{array[0]:.4g} below, {array[1]:.4g} above"
    return f"{array.min():.4g} to {array.max():.4g}"


def selected_rows(fit: Fit) -> pd.DataFrame:
    """Return the rows of the table nearest to usual quantiles."""
    frame = fit.to_frame().drop(columns=["bandwidth_minus", "bandwidth_plus"])
    if len(frame) > len(_SHOWN) + 4:
        nearest = sorted({int(np.argmin(np.abs(fit.quantiles - q))) for q in _SHOWN})
        frame = frame.iloc[nearest]
    return frame


def _tests(fit: Fit) -> list[HypothesisTest]:
    if not fit.moving.any():
        return []
    same = [run_test(fit, "homogeneity")] if fit.quantiles.size > 1 else []
    return [run_test(fit, "nullity"), *same]


def verdict(fit: Fit) -> str:
    """Return what the band says, in a sentence or two."""
    higher, lower = fit.moving & (fit.band_lower > 0.0), fit.moving & (fit.band_upper < 0.0)
    outside = higher | lower
    span = f"[{fit.quantiles[0]:g}, {fit.quantiles[-1]:g}]"
    simultaneous = fit.band_kind != "pointwise"
    if not outside.any():
        words = (
            f"The {_level(fit)} band holds zero at every quantile in {span}: these data do not show an effect on "
            f"{fit.names.y}"
        )
        words += " anywhere in its distribution." if simultaneous else " at any single quantile."
    else:
        up, down = fit.quantiles[higher], fit.quantiles[lower]
        parts = [
            f"{word} zero for quantiles {spans(fit.quantiles, chosen)}"
            for word, chosen in (("above", up), ("below", down))
            if chosen.size
        ]
        words = f"The {_level(fit)} band of the effect on {fit.names.y} lies {' and '.join(parts)}."
    if fit.quantiles.size > 1 and fit.moving.any():
        test = run_test(fit, "homogeneity")
        same = "rejected" if test.rejected else "not rejected"
        words += f" That the effect is the same at all quantiles is {same} (p = {test.p_value:.3g})."
    if fit.notes:
        words += f" Note: {fit.notes}."
    return words


def spans(q: FloatArray, chosen: FloatArray) -> str:
    """Return runs of neighbouring grid points as ranges."""
    index = np.searchsorted(q, chosen)
    runs = np.split(index, np.flatnonzero(np.diff(index) > 1) + 1)
    return ", ".join(f"{q[r[0]]:g}" if r.size == 1 else f"{q[r[0]]:g} to {q[r[-1]]:g}" for r in runs)


def make_section(fit: Fit) -> Section:
    """Section of a report: verdict, effect and limit curves, table."""
    effect = Figure.from_matplotlib(
        plots.effect(fit),
        caption=f"Effect of crossing the cutoff on {fit.names.y} by quantile, with the {_level(fit)} "
        f"{_BANDS[fit.band_kind]}.",
        alt=verdict(fit),
    )
    limits = Figure.from_matplotlib(
        plots.limits(fit),
        caption=f"Average quantile functions of {fit.names.y} just below and just above the cutoff.",
        alt="Two quantile curves, one for each side of the cutoff.",
    )
    lines = [verdict(fit), ""] + [f"- **{label}**: {value}" for label, value in facts(fit)]
    lines += [f"- {test.summary()}" for test in _tests(fit)]
    lines += [f"- {line}" for line in companion(fit)]
    table = Table(
        selected_rows(fit).set_index("quantile"),
        caption=f"Effect on {fit.names.y} at selected quantiles",
        decimals=4,
    )
    return Section(
        head(fit),
        body="\n".join(lines),
        figures=(effect, limits),
        tables=(table,),
        notes=fit.warnings,
        provenance=fit.provenance,
    )
