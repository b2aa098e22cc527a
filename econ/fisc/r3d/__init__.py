"""Regression discontinuity when the outcome of each unit is a whole distribution.

`r3d` estimates how crossing a cutoff changes the average quantile function of units: schools with
many pupils, states with many households, days with many returns. `unit_quantiles` prepares the
quantile matrix, `select_bandwidth` only selects the bandwidth, `simulate` draws designs with a known
effect. `density_test`, `balance` and `placebo_cutoffs` check a design.
"""

from fisc.core import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
