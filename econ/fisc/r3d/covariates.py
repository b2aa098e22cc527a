"""Additive adjustment for unit-level covariates, the same coefficients on both sides."""

from __future__ import annotations

import numpy as np

from fisc.core import DataError
from fisc.core.arrays import FloatArray

from .kernels import kernel_weights
from .localpoly import window
from .options import Options
from .sample import Sample

_COLLINEAR = 1e-10


def adjust(
    sample: Sample, outcomes: FloatArray, options: Options, h_minus: FloatArray, h_plus: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Outcomes (n, m) net of covariates, Q_i(q) - (Z_i - Zbar)' gamma(q), and gamma (k, m).

    Bandwidths have shape (1,) or (m,). gamma(q) comes from the joint local regression of Q(q) on a
    polynomial in x on each side and on Z (Calonico, Cattaneo, Farrell and Titiunik 2019, Review of Economics
    and Statistics 101, 442-451). The covariates must not jump at the cutoff themselves: test that with
    `balance`.
    """
    assert sample.covariates is not None
    m = outcomes.shape[1]
    gamma = np.empty((sample.covariates.shape[1], m))
    pairs = np.stack([np.broadcast_to(h_minus, m), np.broadcast_to(h_plus, m)])
    for pair in np.unique(pairs, axis=1).T:
        columns = np.flatnonzero((pairs == pair[:, None]).all(axis=0))
        gamma[:, columns] = _coefficients(
            sample, outcomes[:, columns], options, float(pair[0]), float(pair[1])
        )
    rows = np.r_[window(sample.x, float(h_minus.max()), False), window(sample.x, float(h_plus.max()), True)]
    centre = sample.covariates[rows].mean(axis=0)
    return outcomes - (sample.covariates - centre) @ gamma, gamma


def _coefficients(
    sample: Sample, outcomes: FloatArray, options: Options, h_minus: float, h_plus: float
) -> FloatArray:
    """Gamma by partialling the side polynomials out of outcomes and covariates."""
    assert sample.covariates is not None
    parts_z: list[FloatArray] = []
    parts_y: list[FloatArray] = []
    for plus, h in ((False, h_minus), (True, h_plus)):
        rows = window(sample.x, h, plus)
        u = sample.x[rows] / h
        mass = kernel_weights(u, options.kernel)
        if sample.unit_weights is not None:
            mass = mass * sample.unit_weights[rows]
        root = np.sqrt(mass)[:, None]
        basis, _ = np.linalg.qr(root * u[:, None] ** np.arange(options.p + 1))
        for parts, values in ((parts_z, sample.covariates[rows]), (parts_y, outcomes[rows])):
            weighted = root * values
            parts.append(weighted - basis @ (basis.T @ weighted))
    z, y = np.vstack(parts_z), np.vstack(parts_y)
    spread = np.sqrt((z**2).sum(axis=0))
    if not np.all(spread > _COLLINEAR * np.abs(sample.covariates).max(axis=0).clip(1e-300)):
        raise DataError(
            "a covariate does not vary within the bandwidth once x is controlled for; leave it out"
        )
    solution, _, rank, _ = np.linalg.lstsq(z / spread, y, rcond=_COLLINEAR)
    if rank < z.shape[1]:
        raise DataError(
            f"the {z.shape[1]} covariates are collinear within the bandwidth (rank {rank}); leave some out"
        )
    return np.asarray(solution / spread[:, None])
