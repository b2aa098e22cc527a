"""The bandwidths of a fit, as the estimators use them and as the user thinks of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fisc.core.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Bandwidths:
    """Bandwidths in units of x, each of shape (1,) or (m,); `t_*` for the treatment, shape (1,)."""

    minus: FloatArray
    plus: FloatArray
    t_minus: FloatArray | None = None
    t_plus: FloatArray | None = None

    @property
    def outcome(self) -> float | FloatArray:
        """A number, one per quantile, or (below, above)."""
        return _shown(self.minus, self.plus)

    @property
    def treatment(self) -> float | FloatArray | None:
        """A number or (below, above); None in sharp designs."""
        return None if self.t_minus is None or self.t_plus is None else _shown(self.t_minus, self.t_plus)


def single(values: FloatArray) -> float | FloatArray:
    """Return a number where one value holds for all quantiles, else the array."""
    return float(values[0]) if values.size == 1 else values


def _shown(minus: FloatArray, plus: FloatArray) -> float | FloatArray:
    if np.array_equal(minus, plus):
        return single(plus)
    if minus.size == plus.size == 1:
        return np.array([minus[0], plus[0]])
    return np.stack([np.broadcast_to(minus, plus.shape), plus])
