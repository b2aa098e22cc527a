"""What an hour of work costs people of given skills who work a standard week, as in the reference problems."""

from __future__ import annotations

from typing import get_args

import numpy as np

from fisc.core import DataError, check_option
from fisc.core.arrays import FloatArray
from fisc.economist.options import Calibration
from fisc.economist.schedule import TaxSchedule

__all__ = ["PAPER_COST", "STANDARD_HOURS", "calibrated_cost"]

#: Hours of a standard week; incomes are quoted at it and calibrations aim for it.
STANDARD_HOURS = 40.0
#: Cost of the source paper. At United States incomes it leaves 9 workers in 10 at the cap.
PAPER_COST = 5e-4


def calibrated_cost(
    skill: FloatArray, schedule: TaxSchedule, calibration: Calibration, *, delta: float = 3.5
) -> FloatArray:
    r"""Return the cost of hours of each worker, shape (n,), from skill (n,) and the tax of the time.

    Who faces marginal rate :math:`\tau` works h hours if :math:`s (1-\tau) = c\,\delta\,h^{\delta-1}`.
    ``"common"``: one c, so that the worker of median skill works 40 hours. ``"individual"``: a c for
    each, so that everybody does. ``"paper"``: 0.0005, which at United States incomes leaves nine in
    ten at the cap; for replication only.

    >>> cost = calibrated_cost(np.array([1000.0]), TaxSchedule.flat(0.5), "common")
    >>> bool(np.isclose(1000 * 0.5, cost[0] * 3.5 * 40**2.5))
    True
    """
    check_option("calibration", calibration, get_args(Calibration))
    if calibration == "paper":
        return np.full(skill.size, PAPER_COST)
    anchor = skill if calibration == "individual" else np.full(skill.size, np.median(skill))
    keep = 1.0 - schedule.marginal_rate(STANDARD_HOURS * anchor)
    if (keep <= 0.0).any():
        raise DataError(
            "a marginal rate of 1 at 40 hours leaves no cost that would explain them; lower the rate"
        )
    return np.asarray(anchor * keep / (delta * STANDARD_HOURS ** (delta - 1.0)))
