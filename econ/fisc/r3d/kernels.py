"""Kernels on [-1, 1] and the exact boundary constants of a local polynomial.

With Gamma = [mu_{a+b}], Lambda_k = [mu_{a+k}] and Psi = [nu_{a+b}], where
mu_j = int_0^1 u^j K(u) du and nu_j = int_0^1 u^j K(u)^2 du, an order-`s` fit on the
side x >= 0 estimates the `deriv`-th coefficient with leading bias constant
e' Gamma^{-1} Lambda_{s+1} and variance constant e' Gamma^{-1} Psi Gamma^{-1} e
(Fan and Gijbels 1996, section 3.7). The moments are polynomials, so nothing is
integrated numerically.
"""

from __future__ import annotations

import numpy as np

from fisc.core.arrays import FloatArray, IntArray

from .options import Kernel

# K(|u|) = sum_j c_j |u|^j on [0, 1].
_COEFFICIENTS: dict[Kernel, tuple[float, ...]] = {
    "triangular": (1.0, -1.0),
    "epanechnikov": (0.75, 0.0, -0.75),
    "uniform": (0.5,),
}
# Normal-reference constants of a kernel density estimate, h = kappa * spread * n^(-1/5).
DENSITY_RULE: dict[Kernel, float] = {"triangular": 2.576, "epanechnikov": 2.34, "uniform": 1.843}


def kernel_weights(u: FloatArray, kernel: Kernel) -> FloatArray:
    """Weight at distances `u` in bandwidths, any shape, the edge |u| = 1 included.

    Examples
    --------
    >>> import numpy as np
    >>> kernel_weights(np.array([-0.5, 0.0, 2.0]), "triangular")
    array([0.5, 1. , 0. ])
    """
    distance = np.abs(u)
    if kernel == "triangular":
        weight = 1.0 - distance
    elif kernel == "uniform":
        weight = np.full_like(distance, 0.5)
    else:
        weight = 0.75 * (1.0 - distance * distance)
    return np.where(distance <= 1.0, weight, 0.0)


def _half_moments(coefficients: tuple[float, ...], orders: IntArray) -> FloatArray:
    """int_0^1 u^j sum_l c_l u^l du for each j in `orders` (any shape)."""
    out = np.zeros(orders.shape)
    for power, coefficient in enumerate(coefficients):
        out += coefficient / (orders + power + 1)
    return out


def boundary_constants(kernel: Kernel, order: int, deriv: int = 0) -> tuple[float, float]:
    """Bias and variance constant of the `deriv`-th boundary coefficient of an order-`order` fit, side x >= 0.

    They are beta = e' Gamma^{-1} Lambda_{s+1} and v = e' Gamma^{-1} Psi Gamma^{-1} e. On the side
    x < 0 the variance constant is the same and beta is multiplied by (-1)^(s+1+deriv).

    Examples
    --------
    >>> beta, v = boundary_constants("triangular", 1)
    >>> round(beta, 12), round(v, 12)
    (-0.1, 4.8)
    """
    c = _COEFFICIENTS[kernel]
    powers = np.arange(order + 1)
    sums = powers[:, None] + powers[None, :]
    gamma = _half_moments(c, sums)
    psi = _half_moments(tuple(np.convolve(c, c)), sums)
    row = np.linalg.solve(gamma, np.eye(order + 1)[:, deriv])
    beta = float(row @ _half_moments(c, powers + order + 1))
    return beta, float(row @ psi @ row)
