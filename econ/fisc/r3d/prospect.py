"""Power of a study like a given fit, and the smallest effect it finds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import check_array, check_number, check_whole
from fisc.core.arrays import FloatArray

from .fit import Fit
from .planning import bandwidth_growth, power, smallest_effect


def planned_power(fit: Fit, effect: ArrayLike, n: int | None, alpha: float | None) -> float:
    """Return the power of the uniform test with n units; see `R3DResult.power`."""
    units, planned, growth = _plan(fit, n)
    return power(
        _curve(fit, "effect", effect),
        fit.draws,
        fit.spread(),
        n0=units,
        n=planned,
        alpha=fit.level(alpha),
        growth=growth,
        seed=fit.process.seed + 1,
    )


def planned_effect(fit: Fit, wanted: float, n: int | None, shape: ArrayLike, alpha: float | None) -> float:
    """Return the multiple of a shape that is found with the wanted power; see `R3DResult.mde`."""
    units, planned, growth = _plan(fit, n)
    return smallest_effect(
        _curve(fit, "shape", shape),
        fit.draws,
        fit.spread(),
        n0=units,
        n=planned,
        power=check_number("power", wanted, above=0, below=1, what="a probability such as 0.8,"),
        alpha=fit.level(alpha),
        growth=growth,
        seed=fit.process.seed + 1,
    )


def _plan(fit: Fit, n: int | None) -> tuple[int, int, float]:
    """Units of the fit, units planned, and how the bandwidth changes; one that was given stays."""
    units = fit.n_minus + fit.n_plus
    planned = units if n is None else check_whole("n", n, least=2)
    if fit.selection is None or planned == units:
        return units, planned, 1.0
    cap = float(np.abs(fit.sample.x).max())
    return units, planned, bandwidth_growth(fit.selection, units, planned, cap=cap)


def _curve(fit: Fit, name: str, values: ArrayLike) -> FloatArray:
    given = check_array(name, values, what=f"one number, or {fit.tau.size} (one per quantile)")
    return np.array(np.broadcast_to(given, fit.tau.shape))
