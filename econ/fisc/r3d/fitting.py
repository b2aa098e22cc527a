"""From a prepared sample to a fit."""

from __future__ import annotations

from typing import cast, get_args

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError, check_array, check_option, check_seed, record
from fisc.core.arrays import FloatArray, IntArray

from .bands import make_band
from .choice import Bandwidth, choose_bandwidths
from .compat import procedure_of
from .design import single
from .estimation import Estimate
from .fit import Fit
from .notes import Notes
from .options import MultiplierName, Options, Rule, check_draws
from .process import make_process
from .sample import Sample


def fit_sample(
    sample: Sample,
    options: Options,
    *,
    bandwidth: Bandwidth | None = None,
    bandwidth_treatment: Bandwidth | None = None,
    multipliers: ArrayLike | MultiplierName | None = None,
    random_state: int | None = None,
    notes: Notes | None = None,
    quantile_rule: Rule = "linear",
    fingerprints: bool = False,
) -> Fit:
    """Fit a prepared sample; the part of `r3d` after reading the data.

    Without `notes` nothing is warned; fingerprints are left out where thousands of fits are made.
    """
    notes = notes or Notes(silent=True)
    bandwidths, selection = choose_bandwidths(sample, options, bandwidth, bandwidth_treatment)
    fitted = procedure_of(options).estimate(sample, options, bandwidths)
    seed = _fresh_seed() if random_state is None else check_seed("random_state", random_state)
    xi = _multipliers(multipliers, sample, options)
    process = make_process(fitted, sample.clusters, options.n_boot, seed, xi)
    first_stage = None if sample.treatment is None else fitted.first_stage
    jump = fitted.plus - fitted.minus
    contrast = process.contrast(jump, fitted.first_stage)
    se = process.standard_errors(contrast)
    stage_se = process.stage_error if first_stage is not None else None
    _judge(sample, options, fitted, stage_se, notes)
    limits = make_band(options.band, options.alpha, fitted.tau, se, process, contrast, jump, first_stage)
    return Fit(
        quantiles=sample.q,
        tau=fitted.tau,
        se=se,
        band_lower=limits.lower,
        band_upper=limits.upper,
        critical_value=limits.critical_value,
        band_kind=options.band,
        alpha=options.alpha,
        q_plus=fitted.plus,
        q_minus=fitted.minus,
        raw_plus=fitted.raw_plus,
        raw_minus=fitted.raw_minus,
        bandwidth=bandwidths.outcome,
        bandwidth_treatment=bandwidths.treatment,
        bandwidth_minus=single(bandwidths.minus),
        bandwidth_plus=single(bandwidths.plus),
        automatic_bandwidth=bandwidth is None,
        pilot=None if selection is None else selection.pilot,
        density=None if selection is None else selection.density,
        first_stage=first_stage,
        first_stage_se=stage_se,
        n_minus=int(np.count_nonzero(~sample.plus)),
        n_plus=int(np.count_nonzero(sample.plus)),
        n_effective_minus=_count(fitted.n_inside_minus),
        n_effective_plus=_count(fitted.n_inside_plus),
        covariate_coefficients=fitted.adjustment,
        process=process,
        options=options,
        cutoff=sample.cutoff,
        warnings=tuple(notes.messages),
        provenance=record(
            options={**options.__dict__, "cutoff": sample.cutoff, "quantile_rule": quantile_rule},
            inputs={"quantiles": sample.curves, "x": sample.x} if fingerprints else {},
            seed=seed,
            notes=notes.messages,
        ),
    ).with_sample(sample)


def _count(units: IntArray) -> int | IntArray:
    return int(units[0]) if units.size == 1 else units


def _fresh_seed() -> int:
    """Return a seed that the provenance keeps."""
    return int(np.random.SeedSequence().generate_state(1, np.uint32)[0])


def _multipliers(
    multipliers: ArrayLike | MultiplierName | None, sample: Sample, options: Options
) -> FloatArray | MultiplierName | None:
    """Check multipliers and bring explicit ones into the sample's order."""
    if multipliers is None:
        return None
    if isinstance(multipliers, str):
        return cast(MultiplierName, check_option("multipliers", multipliers, get_args(MultiplierName)))
    what = "an array of shape (units, draws), or a name"
    xi = check_array("multipliers", multipliers, what=what)
    if xi.ndim != 2 or xi.shape[0] not in (sample.n_given, sample.x.size):
        raise DataError(
            f"multipliers have shape {xi.shape}; expected ({sample.n_given}, B), one row per unit in order of first "
            "appearance in the data"
        )
    check_draws("multipliers", xi.shape[1], options.alpha)
    whole = xi.shape[0] == sample.n_given
    xi = xi[sample.position if whole else np.argsort(np.argsort(sample.position))]
    if sample.clusters is not None:
        _, first = np.unique(sample.clusters, return_index=True)
        if not np.array_equal(xi, xi[first][sample.clusters]):
            raise DataError(
                "with cluster= the units of a cluster share their multipliers; give them equal rows"
            )
    return xi


def _judge(sample: Sample, options: Options, fitted: Estimate, stage_se: float | None, notes: Notes) -> None:
    """Warn where the numbers rest on thin ground."""
    p, s = options.p, options.s
    if p <= s:
        notes.warn(
            f"p={p} is not above s={s}: the estimate is not bias-corrected, so bands may undercover; use p={s + 1}"
        )
    if stage_se is not None:
        t = abs(fitted.first_stage) / stage_se if stage_se > 0.0 else np.inf
        if not np.isfinite(fitted.tau).all():
            raise DataError(
                "the treatment does not jump at the cutoff at all (first stage 0): there is no effect to estimate"
            )
        if t < 3.0:
            notes.warn(
                f"the first stage is weak (jump {fitted.first_stage:.3g}, t = {t:.2g}): ratios are unreliable; "
                "use band='anderson_rubin'"
            )
    if sample.sizes is not None:
        extreme = float(np.minimum(sample.q, 1.0 - sample.q).min())
        smallest = int(sample.sizes.min())
        if smallest * extreme < 1.0:
            few = int(np.count_nonzero(sample.sizes * extreme < 1.0))
            notes.warn(
                f"{few} of {sample.x.size} units have fewer than {int(np.ceil(1 / extreme - 1e-9))} values "
                f"(the smallest {smallest}), so that their quantiles at {extreme:g} from the ends are extremes; "
                "narrow the quantiles"
            )
    for plus, side in ((False, "below"), (True, "above")):
        x = sample.x[sample.plus == plus]
        distinct = np.unique(x).size
        if distinct < 10 and distinct < x.size:
            notes.warn(
                f"the running variable takes only {distinct} values {side} the cutoff: extrapolation to it rests "
                "on the functional form; consider cluster= by its value"
            )
