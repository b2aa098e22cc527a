"""A test whether units that share a value of the running variable share an error too.

With cohorts, scores or months the average outcome at one value may lie off any smooth curve: the value has an effect
of its own, and units at it are one draw and not many (Lee and Card 2008). An F test of lack of fit tells: the scatter
of the values' means around the local polynomial, against the scatter of units around the mean of their value.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import f as fisher

from fisc.core.arrays import FloatArray

from .design import Bandwidths
from .localpoly import window
from .quantiles import trapezoid_weights
from .sample import Sample

# More values a side than this, or fewer units at each, are no mass points.
MASS_POINTS, UNITS_AT_EACH = 25, 5
# Level of the test. Few values leave it little power, and overlooking an effect costs coverage where seeing one that
# is not there costs width only, so that the level is that of a preliminary test, not of a finding.
LEVEL = 0.25


def values_have_effects(sample: Sample, bandwidths: Bandwidths, order: int) -> float | None:
    """Return the p-value of H0: means at the values of x lie on a polynomial; None where x is not discrete.

    The outcome is the mean of the unit curve, the window that of the fit, both sides together.

    References
    ----------
    Lee, D. S. and Card, D. (2008), Journal of Econometrics 142, 655-674.
    """
    off, within, free, spare = 0.0, 0.0, 0, 0
    for x, y in _windows(sample, bandwidths):
        values, group, counts = np.unique(x, return_inverse=True, return_counts=True)
        if not order + 2 <= values.size <= MASS_POINTS or x.size < UNITS_AT_EACH * values.size:
            return None
        means = np.bincount(group, y) / counts
        root = np.sqrt(counts)
        powers = (values / np.abs(values).max())[:, None] ** np.arange(order + 1)
        coefficients, *_ = np.linalg.lstsq(root[:, None] * powers, root * means, rcond=None)
        off += float(counts @ (means - powers @ coefficients) ** 2)
        within += float(((y - means[group]) ** 2).sum())
        free += values.size - order - 1
        spare += y.size - values.size
    if free < 1 or spare < 1 or not within > 0.0:
        return None
    return float(fisher.sf(off / free / (within / spare), free, spare))


def _windows(sample: Sample, bandwidths: Bandwidths) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield the running variable and mean of the curve of the units near the cutoff, side by side."""
    weights = trapezoid_weights(sample.q)
    for plus, h in ((False, bandwidths.minus), (True, bandwidths.plus)):
        rows = window(sample.x, float(h.max()), plus)
        yield sample.x[rows], sample.curves[rows] @ weights
