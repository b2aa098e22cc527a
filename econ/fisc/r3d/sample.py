"""The prepared sample: what every estimator, test and picture of this package works on."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from fisc.core.arrays import AnyArray, BoolArray, FloatArray, IntArray

from .options import Rule
from .size_jump import SizeJump

_NOT_BY_UNIT = ("q", "n_given", "cutoff", "rule", "size_jump")


@dataclass(frozen=True)
class Sample:
    """Units ready for estimation; n units, m quantiles."""

    x: FloatArray  # (n,), running variable less the cutoff, ascending, so that every window is a slice
    q: FloatArray  # (m,), ascending probabilities inside (0, 1)
    curves: FloatArray  # (n, m), unit quantiles on q
    labels: AnyArray  # (n,), unit identifiers
    position: IntArray  # (n,), row of each unit in the caller's order (some may have been dropped)
    n_given: int  # units in the caller's data
    cutoff: float = 0.0  # where x = 0 lies in the caller's units
    means: FloatArray | None = None  # (n,), unit means (of the quantile curve where there is no micro-data)
    sizes: IntArray | None = None  # (n,), micro values behind each unit
    treatment: FloatArray | None = None  # (n,), treatment taken (fuzzy design)
    unit_weights: FloatArray | None = None  # (n,), positive, mean one
    clusters: IntArray | None = None  # (n,), codes 0..G-1
    covariates: FloatArray | None = None  # (n, k)
    rule: Rule = "linear"  # by which unit quantiles were computed
    size_jump: SizeJump | None = None  # test of a jump of the sizes, where there are sizes
    plain_curves: FloatArray | None = None  # (n, m), unit quantiles that ignore the micro weights

    @property
    def plus(self) -> BoolArray:
        """Whether a unit is at or above the cutoff."""
        return self.x >= 0.0

    def take(self, rows: AnyArray) -> Sample:
        """Return the same sample with only the units `rows` (a mask or positions)."""
        by_unit = (f.name for f in fields(self) if f.name not in _NOT_BY_UNIT)
        held = {name: getattr(self, name) for name in by_unit}
        return replace(self, **{name: v[rows] for name, v in held.items() if v is not None})

    def numbered(self) -> Sample:
        """Return the same sample with positions counted anew in its present order."""
        return replace(self, position=np.arange(self.x.size), n_given=self.x.size)


def build_sample(
    level: dict[str, AnyArray],
    curves: FloatArray,
    labels: AnyArray,
    position: IntArray,
    n_given: int,
    q: FloatArray,
    sizes: IntArray | None,
    means: FloatArray,
) -> Sample:
    """Return a `Sample` of finished curves and unit-level variables by role, x as given."""
    return Sample(
        x=level["x"],
        q=q,
        curves=curves,
        labels=labels,
        position=position,
        n_given=n_given,
        sizes=sizes,
        treatment=level.get("treatment"),
        unit_weights=level.get("unit_weights"),
        clusters=pd.factorize(level["cluster"])[0].astype(np.int64) if "cluster" in level else None,
        means=means,
        covariates=level.get("covariates"),
    )
