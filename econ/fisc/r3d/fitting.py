"""From a prepared sample to a fit."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import cast, get_args

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError, check_array, check_option, check_seed, record
from fisc.core.arrays import FloatArray, IntArray

from .bands import make_band
from .choice import Bandwidth, choose_bandwidths
from .compat import procedure_of
from .design import Bandwidths, single
from .estimation import Estimate
from .fit import Fit
from .mass_points import LEVEL, values_have_effects
from .notes import Notes
from .options import MultiplierName, Options, check_draws
from .process import Process, make_process
from .sample import Sample
from .studentised import spread_of
from .weighted import too_small, values_needed

FEW = 10  # degrees of freedom or clusters a side below which the summary warns


def fit_sample(
    sample: Sample,
    options: Options,
    *,
    bandwidth: Bandwidth | None = None,
    bandwidth_treatment: Bandwidth | None = None,
    multipliers: ArrayLike | MultiplierName | None = None,
    random_state: int | None = None,
    notes: Notes | None = None,
    fingerprints: bool = False,
) -> Fit:
    """Fit a prepared sample; the part of `r3d` after reading the data.

    Without `notes` nothing is warned; fingerprints are left out where thousands of fits are made.
    """
    notes = notes or Notes(silent=True)
    bandwidths, selection = choose_bandwidths(sample, options, bandwidth, bandwidth_treatment)
    sample = _by_value(sample, options, bandwidths, notes)
    fitted = procedure_of(options).estimate(sample, options, bandwidths)
    seed = _seed_of(sample) if random_state is None else check_seed("random_state", random_state)
    xi = _multipliers(multipliers, sample, options)
    process = make_process(fitted, sample.clusters, options.n_boot, seed, xi)
    first_stage = None if sample.treatment is None else fitted.first_stage
    jump = fitted.plus - fitted.minus
    contrast = process.contrast(jump, fitted.first_stage)
    level = float(np.abs([fitted.raw_plus, fitted.raw_minus]).max())
    spread = spread_of(process.components, contrast, level, fitted.moving)
    clusters = _clusters(sample, fitted)
    stage_se = process.stage_error if first_stage is not None else None
    _judge(sample, options, fitted, stage_se, notes)
    _judge_errors(process, clusters, notes)
    raw = (fitted.raw_plus - fitted.raw_minus) / fitted.first_stage
    limits = make_band(
        options.band, options.alpha, fitted.tau, raw, process, contrast, spread, jump, first_stage
    )
    return Fit(
        quantiles=sample.q,
        tau=fitted.tau,
        se=spread.se,
        moving=fitted.moving,
        band_lower=limits.lower,
        band_upper=limits.upper,
        critical_value=limits.critical_value,
        band_kind=options.band,
        alpha=options.alpha,
        df_minus=single(fitted.df[-1]),
        df_plus=single(fitted.df[0]),
        clusters_minus=clusters[0],
        clusters_plus=clusters[1],
        q_plus=fitted.plus,
        q_minus=fitted.minus,
        raw_plus=fitted.raw_plus,
        raw_minus=fitted.raw_minus,
        bandwidth=bandwidths.outcome,
        bandwidth_treatment=bandwidths.treatment,
        bandwidth_minus=single(bandwidths.minus),
        bandwidth_plus=single(bandwidths.plus),
        automatic_bandwidth=bandwidth is None,
        selection=selection,
        quantile_rule=sample.rule,
        size_jump=sample.size_jump,
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
            options={**options.__dict__, "cutoff": sample.cutoff, "quantile_rule": sample.rule},
            inputs={"quantiles": sample.curves, "x": sample.x} if fingerprints else {},
            seed=seed,
            notes=notes.messages,
        ),
    ).with_sample(sample)


def _count(units: IntArray) -> int | IntArray:
    return int(units[0]) if units.size == 1 else units


def _by_value(sample: Sample, options: Options, bandwidths: Bandwidths, notes: Notes) -> Sample:
    """Cluster by the running variable where its few values have effects of their own."""
    if sample.clusters is not None or options.residuals != "hc2":
        return sample
    p = values_have_effects(sample, bandwidths, options.p)
    if p is None or p >= LEVEL:
        return sample
    notes.warn(
        f"units with the same value of the running variable differ from the fit together (F test, p = {p:.2g}): "
        "errors are clustered by its value; cluster= sets other clusters"
    )
    return replace(sample, clusters=np.unique(sample.x, return_inverse=True)[1])


def _seed_of(sample: Sample) -> int:
    """Return a seed made of the data, so that the same call gives the same numbers whatever the order of rows."""
    columns = sample.curves[:, [0, sample.q.size // 2, -1]]
    data = hashlib.sha256(sample.x.tobytes())
    data.update(np.sort(columns, axis=0).tobytes())
    return int.from_bytes(data.digest()[:4], "little")


def _clusters(sample: Sample, fitted: Estimate) -> tuple[int | None, int | None]:
    """Clusters with units inside the bandwidth, below and above."""
    if sample.clusters is None:
        return None, None
    zero = int(np.count_nonzero(~sample.plus))
    below = sample.clusters[fitted.minus_scores.rows.start : zero]
    above = sample.clusters[zero : fitted.plus_scores.rows.stop]
    return np.unique(below).size, np.unique(above).size


def _judge_errors(process: Process, clusters: tuple[int | None, int | None], notes: Notes) -> None:
    """Warn where the variance rests on little."""
    least = min(float(df.min()) for df in process.df)
    if least < FEW:
        notes.warn(
            f"variances rest on {least:.3g} degrees of freedom on a side: bands and tests allow for it, but they are "
            "wide and lean on errors being near normal; a wider bandwidth or lower p gives more"
        )
    few = [
        f"{count} {side}"
        for count, side in zip(clusters, ("below", "above"), strict=True)
        if count and count < FEW
    ]
    if few:
        notes.warn(
            f"few clusters lie inside the bandwidth ({' and '.join(few)} the cutoff), and clusters, not units, are the "
            "size of the sample"
        )


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
        few = too_small(sample.sizes, sample.q)
        if few:
            notes.warn(
                f"{few} of {sample.x.size} units have fewer than {values_needed(sample.q)} values (the smallest "
                f"{int(sample.sizes.min())}), so that their outermost quantiles are extremes; narrow the quantiles"
            )
    for plus, side in ((False, "below"), (True, "above")):
        x = sample.x[sample.plus == plus]
        distinct = np.unique(x).size
        if distinct < 10 and distinct < x.size:
            by_value = sample.clusters is not None and (
                np.unique(np.column_stack([x, sample.clusters[sample.plus == plus]]), axis=0).shape[0]
                == distinct
            )
            notes.warn(
                f"the running variable takes only {distinct} values {side} the cutoff: extrapolation to it rests "
                "on the functional form"
                + ("" if by_value else "; consider cluster= by its value, and fit.bounded_curvature()")
            )
