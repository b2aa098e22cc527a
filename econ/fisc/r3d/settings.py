"""Options and bandwidths of a call: checked, and selected where the user did not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError, check_option

from .bands import BANDS, Band
from .bandwidth import SELECTORS, Selection, Selector, select
from .estimation import METHODS, Bandwidths, Design, Method
from .kernels import KERNELS, FloatArray, Kernel
from .projection import cell_widths
from .reference import COMPAT, reference_bandwidth
from .sample import Sample
from .scores import RESIDUALS, Residuals
from .testing import check_level

Bandwidth = float | ArrayLike | dict[str, Any]


@dataclass(frozen=True)
class Options:
    """Checked options of one call."""

    method: Method
    kernel: Kernel
    p: int
    s: int
    deriv: int
    selector: Selector
    residuals: Residuals
    band: Band
    n_boot: int
    alpha: float
    compat: str | None

    @property
    def design(self) -> Design:
        """What the estimator needs of them."""
        return Design(self.method, self.kernel, self.p, self.deriv, self.residuals)


def check_options(
    method: Any,
    kernel: Any,
    p: Any,
    s: Any,
    deriv: Any,
    selector: Any = "mse",
    residuals: Any = "hc3",
    band: Any = "constant",
    n_boot: Any = 1999,
    alpha: Any = 0.05,
    compat: Any = None,
) -> Options:
    """Check every option that is not data."""
    check_option("method", method, METHODS)
    check_option("kernel", kernel, KERNELS)
    check_option("selector", selector, SELECTORS)
    check_option("residuals", residuals, RESIDUALS)
    check_option("band", band, BANDS)
    check_option("compat", compat, (None, COMPAT))
    for name, value, least in (("p", p, 0), ("s", s, 0), ("n_boot", n_boot, 1)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise DataError(f"{name}={value!r}; give a whole number of at least {least}")
    check_option("deriv", deriv, (0, 1))
    if p < deriv or s < deriv:
        raise DataError(f"deriv={deriv} needs p >= {deriv} and s >= {deriv}; p={p}, s={s} were given")
    level = check_level(alpha)
    if n_boot + 1 < 1.0 / level - 1e-9:
        raise DataError(
            f"n_boot={n_boot} draws cannot give a {100 * (1 - level):g}% band; "
            f"use at least {int(np.ceil(1 / level)) - 1}"
        )
    return Options(
        method, kernel, int(p), int(s), int(deriv), selector, residuals, band, int(n_boot), level, compat
    )


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
        stage = _select(sample, sample.treatment[:, None], options, pool=None)
        t_minus, t_plus = stage.minus, stage.plus
    else:
        t_minus, t_plus = _given(bandwidth_treatment, "bandwidth_treatment", sample, vector=False)
    return Bandwidths(minus, plus, t_minus, t_plus), selection


def _select_outcome(sample: Sample, options: Options) -> Selection:
    pool = cell_widths(sample.q) if options.method == "frechet" else None
    curves = sample.curves if options.compat is None or sample.plain_curves is None else sample.plain_curves
    selection = _select(sample, curves, options, pool)
    if sample.covariates is None:
        return selection
    # Once more on the curves net of covariates, whose variance is smaller.
    from .covariates import adjust_outcomes

    net, _ = adjust_outcomes(sample, curves, options.design, selection.minus, selection.plus)
    return _select(sample, net, options, pool)


def _select(sample: Sample, outcomes: FloatArray, options: Options, pool: FloatArray | None) -> Selection:
    if options.compat is not None:
        found = reference_bandwidth(
            sample.x,
            outcomes,
            kernel=options.kernel,
            s=options.s,
            pooled=pool is not None,
            coverage=options.selector == "cer",
        )
        difference = found["bias_plus"] - found["bias_minus"]
        total = found["variance_plus"] + found["variance_minus"]
        reach = float(np.abs(sample.x).max())
        return Selection(
            found["h"],
            found["h"],
            float(found["pilot"].mean()),
            float(found["density"][0]),
            0.0,
            reach,
            difference,
            total,
            np.zeros_like(total),
        )
    return select(
        sample.x,
        outcomes,
        kernel=options.kernel,
        p=options.p,
        s=options.s,
        deriv=options.deriv,
        selector=options.selector,
        pool=pool,
        unit_weights=sample.unit_weights,
        clusters=sample.clusters,
    )


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


def _given(value: Any, name: str, sample: Sample, *, vector: bool) -> tuple[FloatArray, FloatArray]:
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


def single(values: Any) -> Any:
    """Return a plain number where one value holds for all quantiles, else the array."""
    return values[0].item() if values.size == 1 else values


def plain(minus: Any, plus: Any) -> Any:
    """Return the bandwidth as the user thinks of it: a number, one per quantile, or (below, above)."""
    if np.array_equal(minus, plus):
        return single(plus)
    if minus.size == plus.size == 1:
        return np.array([minus[0], plus[0]])
    return np.stack([np.broadcast_to(minus, plus.shape), plus])
