"""What `r3d` found, as data; everything that can be asked of it takes this."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Self, get_args

import numpy as np
import pandas as pd

from fisc.core import DataError, Provenance, check_option
from fisc.core.arrays import BoolArray, FloatArray, IntArray
from fisc.report import Result

from .bands import Limits, make_band
from .bandwidth import Selection
from .compat import procedure_of
from .names import Names
from .options import Band, Options, Rule, check_alpha
from .procedure import Procedure
from .process import Process
from .sample import Sample
from .size_jump import SIZES_JUMP, SizeJump
from .studentised import Spread, spread_of, t_draws


@dataclass(frozen=True, eq=False)
class Fit(Result):
    """Curves, errors and bands of a fit; m quantiles.

    Attributes
    ----------
    quantiles : array, shape (m,)
        Probabilities.
    tau : array, shape (m,)
        Effect on the average quantile function, in units of the outcome (per unit of x for a kink).
    se : array, shape (m,)
        Conditional standard errors, point by point.
    moving : bool array, shape (m,)
        False at quantiles inside an atom of the outcome, where (nearly) all units have the same value: no error
        describes the effect there, and tests leave it out.
    band_lower, band_upper : array, shape (m,)
        Confidence band of kind `band_kind` with coverage 1 - `alpha`.
    critical_value : float
        Half width of a constant band; multiple of the standard error otherwise.
    df_minus, df_plus : float or array
        Degrees of freedom of the variance on each side (of both together where covariates or clusters tie them);
        infinite unless `residuals` is "hc2".
    clusters_minus, clusters_plus : int or None
        Clusters with units inside the bandwidth, where there are clusters.
    q_plus, q_minus : array, shape (m,)
        Limit quantile curves at the cutoff after projection (slopes for a kink).
    raw_plus, raw_minus : array, shape (m,)
        The same before projection.
    bandwidth : float or array
        In units of x: a number; shape (m,) if it varies over quantiles; shape (2,) = (below, above) if it differs
        by side.
    bandwidth_treatment : float, array or None
        Of the first stage.
    bandwidth_minus, bandwidth_plus : float or array
        Of each side.
    automatic_bandwidth : bool
        Whether `bandwidth` was selected from the data.
    selection : Selection or None
        What an automatic bandwidth rests on.
    quantile_rule : str
        How unit quantiles were computed.
    size_jump : SizeJump or None
        Test of a jump of the unit sizes at the cutoff, where sizes are known.
    first_stage, first_stage_se : float or None
        Jump of the treatment and its standard error; None in sharp designs.
    n_minus, n_plus : int
        Units on each side.
    n_effective_minus, n_effective_plus : int or array
        Units inside the bandwidth.
    covariate_coefficients : array (k, m) or None
        Coefficients of the covariates.
    process : Process
        Joint errors of the limits.
    options : Options
        Options of the call.
    cutoff : float
        Cutoff in units of x.
    warnings : tuple of str
        What was dropped, repaired or doubtful.
    provenance : Provenance
        Version, options, fingerprints of the data, seed, time.
    names : Names
        What the user calls outcome, running variable and units, and the support of the outcome.
    """

    quantiles: FloatArray
    tau: FloatArray
    se: FloatArray
    moving: BoolArray
    band_lower: FloatArray
    band_upper: FloatArray
    critical_value: float
    band_kind: Band
    alpha: float
    df_minus: float | FloatArray
    df_plus: float | FloatArray
    clusters_minus: int | None
    clusters_plus: int | None
    q_plus: FloatArray
    q_minus: FloatArray
    raw_plus: FloatArray
    raw_minus: FloatArray
    bandwidth: float | FloatArray
    bandwidth_treatment: float | FloatArray | None
    bandwidth_minus: float | FloatArray
    bandwidth_plus: float | FloatArray
    automatic_bandwidth: bool
    selection: Selection | None
    quantile_rule: Rule
    size_jump: SizeJump | None
    first_stage: float | None
    first_stage_se: float | None
    n_minus: int
    n_plus: int
    n_effective_minus: int | IntArray
    n_effective_plus: int | IntArray
    covariate_coefficients: FloatArray | None
    process: Process
    options: Options
    cutoff: float
    warnings: tuple[str, ...]
    provenance: Provenance
    names: Names = field(default_factory=Names)
    _sample: Sample | None = field(default=None, init=False, repr=False)

    def with_sample(self, sample: Sample) -> Self:
        """Attach the data, which JSON leaves out."""
        object.__setattr__(self, "_sample", sample)
        return self

    @property
    def sample(self) -> Sample:
        """The prepared data.

        Raises
        ------
        DataError
            When the result was read back from JSON, which does not carry data.
        """
        if self._sample is None:
            raise DataError("this result was read back without its data; run r3d on the data again for this")
        return self._sample

    @property
    def method(self) -> str:
        """Which estimator: "frechet" or "simple"."""
        return self.options.method

    @property
    def deriv(self) -> int:
        """0 for a jump, 1 for a kink."""
        return self.options.deriv

    @property
    def pilot(self) -> float | None:
        """Pilot bandwidth behind an automatic bandwidth."""
        return None if self.selection is None else self.selection.pilot

    @property
    def density(self) -> float | None:
        """Density of x at the cutoff behind an automatic bandwidth."""
        return None if self.selection is None else self.selection.density

    @property
    def notes(self) -> str:
        """What qualifies every test and verdict of this fit, in a sentence or two; empty where nothing does."""
        words = []
        if not self.moving.all():
            words.append(
                f"{np.count_nonzero(~self.moving)} of {self.tau.size} quantiles lie in an atom of the outcome and are "
                "not looked at"
            )
        jump = self.size_jump
        if jump is not None and jump.p_value < SIZES_JUMP:
            free = (
                "quantiles are free of sizes"
                if self.quantile_rule == "size_free"
                else "quantiles depend on sizes"
            )
            words.append(f"unit sizes jump at the cutoff ({jump.words}); {free}")
        return "; ".join(words)

    @property
    def procedure(self) -> Procedure:
        """The steps with which it was made and is tested."""
        return procedure_of(self.options)

    @property
    def compat(self) -> str | None:
        """Which package is reproduced, if any."""
        return self.options.compat

    @property
    def fuzzy(self) -> bool:
        """Whether the effect is a ratio with a first stage."""
        return self.first_stage is not None

    @cached_property
    def contrast(self) -> FloatArray:
        """Error of tau as a linear map of the process, shape (2M, m)."""
        stage = 1.0 if self.first_stage is None else self.first_stage
        return self.process.contrast(self.q_plus - self.q_minus, stage)

    def spread(self, contrast: FloatArray | None = None, moving: BoolArray | None = None) -> Spread:
        """Return the variance of tau, or of other linear maps of the process, with its degrees of freedom."""
        level = float(np.abs([self.raw_plus, self.raw_minus]).max())
        chosen, kept = (self.contrast, self.moving) if contrast is None else (contrast, moving)
        return spread_of(self.process.components, chosen, level, kept)

    @cached_property
    def draws(self) -> FloatArray:
        """Draws of the error of tau, shape (n_boot, m)."""
        return np.asarray(self.process.draws @ self.contrast)

    @property
    def limit_errors(self) -> tuple[FloatArray, FloatArray]:
        """Draws of the errors of the upper and the lower limit with the noise of their scale, each (n_boot, m)."""
        process = self.process
        draws = t_draws(process.draws, process.components, process.seed + 1)
        m, half = process.m, draws.shape[1] // 2
        return draws[:, :m], draws[:, half : half + m]

    @property
    def projection_active(self) -> tuple[float, float]:
        """Share of the grid where the raw limit curve was not monotone and was changed: (below, above)."""
        shares = []
        for raw, limit in ((self.raw_minus, self.q_minus), (self.raw_plus, self.q_plus)):
            scale = max(float(np.abs(raw).max()), 1e-300)
            shares.append(float(np.mean(np.abs(raw - limit) > 1e-9 * scale)))
        return shares[0], shares[1]

    def band(self, kind: Band | None = None, alpha: float | None = None) -> Limits:
        """Return a confidence band of any kind and level from the same fit.

        Parameters
        ----------
        kind : {"constant", "studentized", "pointwise", "anderson_rubin"}, optional
            "constant" and "studentized" cover the whole curve at once; "pointwise" each point alone;
            "anderson_rubin" the whole curve in fuzzy designs, however weak the first stage.
        alpha : float, optional
            One minus coverage.

        Returns
        -------
        Limits
            `lower`, `upper` and `critical_value`.
        """
        chosen: Band = self.band_kind if kind is None else check_option("band", kind, get_args(Band))
        stage = 1.0 if self.first_stage is None else self.first_stage
        return make_band(
            chosen,
            self.level(alpha),
            self.tau,
            (self.raw_plus - self.raw_minus) / stage,
            self.process,
            self.contrast,
            self.spread(),
            self.q_plus - self.q_minus,
            self.first_stage,
        )

    def level(self, alpha: float | None) -> float:
        """Return one minus coverage: the one given, else that of the fit."""
        return self.alpha if alpha is None else check_alpha(alpha)

    def to_frame(self) -> pd.DataFrame:
        """One row a quantile: effect, error, band and both limit curves."""
        return pd.DataFrame(
            {
                "quantile": self.quantiles,
                "tau": self.tau,
                "se": self.se,
                "band_lower": self.band_lower,
                "band_upper": self.band_upper,
                "q_minus": self.q_minus,
                "q_plus": self.q_plus,
                "bandwidth_minus": np.broadcast_to(self.bandwidth_minus, self.tau.shape),
                "bandwidth_plus": np.broadcast_to(self.bandwidth_plus, self.tau.shape),
            }
        )
