"""How far from the cutoff a pilot polynomial may look.

Bandwidth selectors begin with a polynomial on each side that stands for the curvature at the cutoff. On a whole
side with a heavy tail it describes the tail. Kept to a few median distances it uses all of a uniform side, all but
some 0.7 % of a normal one, and none of the far tail of incomes or town sizes, whatever the sample size.
"""

from __future__ import annotations

import numpy as np

from fisc.core.arrays import FloatArray

# In median distances of a side to the cutoff.
REACH = 4.0


def pilot_reach(distance: FloatArray, units: int) -> float:
    """Width of the pilot window of one side.

    Parameters
    ----------
    distance : array, shape (k,)
        Distances of the side's units to the cutoff, ascending, k at least one.
    units : int
        The window holds at least so many units, where there are so many.

    Returns
    -------
    float
        Distance of the farthest unit to use.

    Examples
    --------
    >>> pilot_reach(np.arange(1., 101.), 30), pilot_reach(np.r_[np.arange(1., 100.), 1e6], 30)
    (100.0, 99.0)
    """
    wanted = float(distance[min(units, distance.size) - 1])
    reach = max(REACH * float(np.median(distance)), wanted)
    return float(distance[np.searchsorted(distance, reach, side="right") - 1])


def near_side(x: FloatArray, plus: bool, units: int) -> slice:
    """Units of one side within `pilot_reach`; x ascends, and 0 belongs to the plus side.

    Examples
    --------
    >>> near_side(np.array([-900., -2., -1.5, -1., 0.5, 1., 2.]), False, 2)
    slice(1, 4, None)
    """
    zero = int(np.searchsorted(x, 0.0, side="left"))
    if plus:
        reach = pilot_reach(x[zero:], units)
        return slice(zero, int(np.searchsorted(x, reach, side="right")))
    reach = pilot_reach(-x[:zero][::-1], units)
    return slice(int(np.searchsorted(x, -reach, side="left")), zero)
