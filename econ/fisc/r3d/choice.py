"""The bandwidths of a fit: given by the user and checked, or selected from the data."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError, check_option
from fisc.core.arrays import FloatArray

from .bandwidth import Selection
from .compat import procedure_of
from .covariates import adjust
from .design import Bandwidths
from .options import Options
from .projection import cell_widths
from .sample import Sample


class Sides(TypedDict):
    """A bandwidth for each side."""

    minus: ArrayLike
    plus: ArrayLike


Bandwidth = float | ArrayLike | Sides


def choose_bandwidths(
    sample: Sample, options: Options, bandwidth: Bandwidth | None, bandwidth_treatment: Bandwidth | None
) -> tuple[Bandwidths, Selection | None]:
    """Bandwidths given by the user, or selected where they are not."""
    selection = None
    if bandwidth is None:
        _enough_for_selection(sample, options.p)
        selection = _select_outcome(sample, options)
        minus, plus = selection.minus, selection.plus
    else:
        minus, plus = _given(bandwidth, "bandwidth", sample, vector=options.method == "simple")
    if sample.treatment is None:
        if bandwidth_treatment is not None:
            raise DataError(
                "bandwidth_treatment was given without treatment=; leave it out or name the treatment"
            )
        return Bandwidths(minus, plus), selection
    if isinstance(bandwidth_treatment, str):
        check_option("bandwidth_treatment", bandwidth_treatment, ("common",))
        t_minus, t_plus = minus.mean(keepdims=True), plus.mean(keepdims=True)
    elif bandwidth_treatment is None:
        _enough_for_selection(sample, options.p)
        stage = procedure_of(options).select(sample, sample.treatment[:, None], options, None)
        t_minus, t_plus = stage.minus, stage.plus
    else:
        t_minus, t_plus = _given(bandwidth_treatment, "bandwidth_treatment", sample, vector=False)
    return Bandwidths(minus, plus, t_minus, t_plus), selection


def _select_outcome(sample: Sample, options: Options) -> Selection:
    pool = cell_widths(sample.q) if options.method == "frechet" else None
    select = procedure_of(options).select
    selection = select(sample, sample.curves, options, pool)
    if sample.covariates is None:
        return selection
    # Once more on the curves net of covariates, whose variance is smaller.
    net, _ = adjust(sample, sample.curves, options, selection.minus, selection.plus)
    return select(sample, net, options, pool)


def _enough_for_selection(sample: Sample, p: int) -> None:
    """Refuse to select a bandwidth from a handful of units."""
    least = 2 * (p + 2)
    for plus, side in ((False, "below"), (True, "at or above")):
        x = sample.x[sample.plus == plus]
        if x.size < least:
            raise DataError(
                f"only {x.size} units lie {side} the cutoff; an automatic bandwidth with p={p} needs "
                f"at least {least} on each side: pass bandwidth=, lower p, or gather more units"
            )
        distinct = np.unique(x).size
        if distinct < p + 2:
            raise DataError(
                f"the running variable has only {distinct} distinct values {side} the cutoff; p={p} needs at least "
                f"{p + 2}: lower p, or treat the design as one with a discrete running variable"
            )


def _given(value: Bandwidth, name: str, sample: Sample, *, vector: bool) -> tuple[FloatArray, FloatArray]:
    """Check a user's bandwidth; (minus, plus), each of shape (1,) or (m,)."""
    if isinstance(value, dict):
        if set(value) != {"minus", "plus"}:
            raise DataError(f"{name}={value!r}; a dict needs exactly the keys 'minus' and 'plus'")
        return _given(value["minus"], name, sample, vector=vector)[0], _given(
            value["plus"], name, sample, vector=vector
        )[1]
    try:
        h = np.atleast_1d(np.asarray(value, dtype=float))
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}={value!r} is not a number; give a distance in units of x") from error
    if h.ndim != 1 or h.size not in (1, sample.q.size):
        expected = f"one number, or {sample.q.size} (one per quantile)" if vector else "one number"
        raise DataError(f"{name} has shape {h.shape}; expected {expected}")
    if h.size > 1 and not vector:
        if np.ptp(h) > 0.0:
            raise DataError(
                f"{name} varies over quantiles, which only method='simple' allows; give one number"
            )
        h = h[:1]
    if not np.all(np.isfinite(h) & (h > 0.0)):
        low, high = sample.x[[0, -1]] + sample.cutoff
        raise DataError(
            f"{name}={h[~(np.isfinite(h) & (h > 0.0))][0]:g}; it must be a positive distance in units of x, "
            f"which spans {low:g}..{high:g} around the cutoff {sample.cutoff:g}"
        )
    if h.size > 1 and np.ptp(h) == 0.0:
        h = h[:1]
    return h, h
