"""Regression discontinuity when the outcome of each unit is a whole distribution.

`r3d` estimates how crossing a cutoff changes the average quantile function of units: schools with
many pupils, states with many households, days with many returns. `unit_quantiles` prepares the
quantile matrix, `select_bandwidth` only selects the bandwidth, `simulate` draws designs with a known
effect. `density_test`, `balance` and `placebo_cutoffs` check a design.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fisc.r3d.bands import Limits
    from fisc.r3d.density import DensityTest, density_test
    from fisc.r3d.designs import DESIGNS, Simulation, simulate
    from fisc.r3d.diagnostics import Diagnosis, balance, placebo_cutoffs
    from fisc.r3d.frontend import BandwidthChoice, select_bandwidth, unit_quantiles
    from fisc.r3d.functionals import Functional
    from fisc.r3d.mean import MeanEffect
    from fisc.r3d.model import r3d
    from fisc.r3d.montecarlo import MonteCarlo, monte_carlo
    from fisc.r3d.result import R3DResult
    from fisc.r3d.sensitivity import Sensitivity
    from fisc.r3d.testing import HypothesisTest

# Imported when first asked for (PEP 562), so that `import fisc.r3d` stays light.
_LAZY = {
    "BandwidthChoice": "frontend",
    "DESIGNS": "designs",
    "DensityTest": "density",
    "Diagnosis": "diagnostics",
    "Functional": "functionals",
    "HypothesisTest": "testing",
    "Limits": "bands",
    "MeanEffect": "mean",
    "MonteCarlo": "montecarlo",
    "R3DResult": "result",
    "Sensitivity": "sensitivity",
    "Simulation": "designs",
    "balance": "diagnostics",
    "density_test": "density",
    "monte_carlo": "montecarlo",
    "placebo_cutoffs": "diagnostics",
    "r3d": "model",
    "select_bandwidth": "frontend",
    "simulate": "designs",
    "unit_quantiles": "frontend",
}

__all__ = [
    "DESIGNS",
    "BandwidthChoice",
    "DensityTest",
    "Diagnosis",
    "Functional",
    "HypothesisTest",
    "Limits",
    "MeanEffect",
    "MonteCarlo",
    "R3DResult",
    "Sensitivity",
    "Simulation",
    "balance",
    "density_test",
    "monte_carlo",
    "placebo_cutoffs",
    "r3d",
    "select_bandwidth",
    "simulate",
    "unit_quantiles",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(importlib.import_module(f"fisc.r3d.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'fisc.r3d' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
