"""The prepared sample: what every estimator, test and picture of this package works on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import FloatArray
from .quantiles import IntArray


@dataclass(frozen=True)
class Sample:
    """Units ready for estimation; n units, m quantiles.

    Attributes
    ----------
    x : array, shape (n,)
        Running variable less the cutoff, ascending, so that every window is a slice of the units.
    q : array, shape (m,)
        Ascending probabilities, strictly inside (0, 1).
    curves : array, shape (n, m)
        Unit quantiles on `q`.
    labels : array, shape (n,)
        Unit identifiers.
    means : array, shape (n,), optional
        Unit means (of the quantile curve where there is no micro-data).
    sizes : int array, shape (n,), optional
        Micro values behind each unit.
    treatment : array, shape (n,), optional
        Treatment taken (fuzzy design).
    unit_weights : array, shape (n,), optional
        Positive weights of units, mean one.
    clusters : int array, shape (n,), optional
        Cluster codes 0..G-1.
    covariates : array, shape (n, k), optional
        Unit-level covariates.
    plain_curves : array, shape (n, m), optional
        Unit quantiles that ignore the micro weights (kept for compatibility only).
    position : int array, shape (n,)
        Row of each unit in the caller's order of units (some may have been dropped).
    n_given : int
        Units in the caller's data.
    cutoff : float
        Where x = 0 lies in the caller's units.
    """

    x: FloatArray
    q: FloatArray
    curves: FloatArray
    labels: NDArray[Any]
    position: IntArray
    n_given: int
    cutoff: float = 0.0
    means: FloatArray | None = None
    sizes: IntArray | None = None
    treatment: FloatArray | None = None
    unit_weights: FloatArray | None = None
    clusters: IntArray | None = None
    covariates: FloatArray | None = None
    plain_curves: FloatArray | None = None

    @property
    def plus(self) -> NDArray[np.bool_]:
        """Whether a unit is at or above the cutoff."""
        return self.x >= 0.0

    def take(self, rows: NDArray[Any]) -> Sample:
        """Return the same sample with only the units `rows` (a mask or positions)."""

        def pick(values: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if values is None else values[rows]

        return replace(
            self,
            x=self.x[rows],
            curves=self.curves[rows],
            labels=self.labels[rows],
            position=self.position[rows],
            means=pick(self.means),
            sizes=pick(self.sizes),
            treatment=pick(self.treatment),
            unit_weights=pick(self.unit_weights),
            clusters=pick(self.clusters),
            covariates=pick(self.covariates),
            plain_curves=pick(self.plain_curves),
        )

    def numbered(self) -> Sample:
        """Return the same sample with positions counted anew in its present order."""
        return replace(self, position=np.arange(self.x.size), n_given=self.x.size)


def build_sample(
    level: dict[str, NDArray[Any]],
    curves: FloatArray,
    labels: NDArray[Any],
    position: IntArray,
    n_given: int,
    q: FloatArray,
    cutoff: float,
    sizes: IntArray | None,
    means: FloatArray,
) -> Sample:
    """Return a `Sample` of finished curves and unit-level variables by role."""
    clusters = None
    if "cluster" in level:
        import pandas as pd

        clusters = np.asarray(pd.factorize(level["cluster"])[0], dtype=np.intp)
    return Sample(
        x=level["x"] - cutoff,
        q=q,
        curves=curves,
        labels=labels,
        position=position,
        n_given=n_given,
        cutoff=cutoff,
        sizes=sizes,
        treatment=level.get("treatment"),
        unit_weights=level.get("unit_weights"),
        clusters=clusters,
        means=means,
        covariates=level.get("covariates"),
    )
