"""Local polynomial fits of many outcomes at once, on one side of the cutoff.

With u_i = x_i / h, R_i = (1, u_i, ..., u_i^p) and kernel weights K_i, the coefficients
alpha = (sum K_i R_i R_i')^{-1} sum K_i R_i Q_i' are linear in the outcomes, so that with one
bandwidth all quantiles share the weights and the whole curve is one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np

from fisc.core import DataError
from fisc.core.arrays import BoolArray, FloatArray, IntArray

from .kernels import kernel_weights
from .options import Kernel

# Smallest reciprocal condition number of sqrt(K) R (in units of u) that counts as identified.
RCOND_MIN = 1e-7


@dataclass(frozen=True, slots=True)
class SideFit:
    """A fit on one side; g = 1 with one bandwidth for all m outcomes, else g = m."""

    rows: slice  # the k units within the (widest) bandwidth; x ascends, so they lie side by side
    root: FloatArray  # (k, g), square root of kernel times unit weight
    coefficient_weights: FloatArray  # (k, g), sum_i w_i Q_i = the coefficient asked for, per unit of x
    leverage: FloatArray  # (k, g), K_i R_i' G^{-1} R_i
    alpha: FloatArray  # (p+1, m), coefficients in powers of u = x/h
    fitted: FloatArray  # (k, m), fitted values at the units
    n_inside: IntArray  # (g,), units with positive kernel weight

    @property
    def inside(self) -> BoolArray:
        """Shape (k, g): whether a unit has positive weight."""
        return self.root > 0.0


def fit_side(
    x: FloatArray,
    outcomes: FloatArray,
    bandwidth: FloatArray,
    order: int,
    kernel: Kernel,
    *,
    plus: bool,
    deriv: int = 0,
    unit_weights: FloatArray | None = None,
) -> SideFit:
    """Local polynomial of `order` at 0 on one side, of outcomes of shape (n, m).

    `x` of shape (n,) ascends, and x = 0 belongs to the plus side; `bandwidth` of shape (1,) or (m,) is in
    units of x; `deriv` is the derivative at 0 that `coefficient_weights` deliver. A window with too few
    distinct values of x for the order is a DataError.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0, 1, 9)
    >>> side = fit_side(x, 2 + 3 * x[:, None], np.array([1.]), 1, "triangular", plus=True)
    >>> side.alpha.ravel().round(12)
    array([2., 3.])
    """
    widest = float(bandwidth.max())
    rows = window(x, widest, plus)
    u = x[rows][:, None] / bandwidth
    mass = kernel_weights(u, kernel)
    if unit_weights is not None:
        mass = mass * unit_weights[rows][:, None]
    n_inside = np.count_nonzero(mass > 0.0, axis=0)
    fewest = int(np.argmin(n_inside))
    if n_inside[fewest] < order + 1:
        raise _too_few(int(n_inside[fewest]), order, bandwidth[fewest], plus)
    view = _Window(rows, u, mass, outcomes[rows], order, deriv, n_inside, plus, bandwidth)
    return _common(view) if bandwidth.size == 1 else _columnwise(view)


def window(x: FloatArray, reach: float, plus: bool) -> slice:
    """Return the units of one side within `reach` of the cutoff; `x` ascends.

    Examples
    --------
    >>> import numpy as np
    >>> window(np.array([-2., -1., 0., 1.]), 1.0, plus=False)
    slice(1, 2, None)
    """
    zero = int(np.searchsorted(x, 0.0, side="left"))
    if plus:
        return slice(zero, max(zero, int(np.searchsorted(x, reach, side="right"))))
    return slice(min(zero, int(np.searchsorted(x, -reach, side="left"))), zero)


@dataclass(frozen=True, slots=True)
class _Window:
    """The k units of one side within the widest bandwidth, and what is asked of them."""

    rows: slice
    u: FloatArray  # (k, g), distances in bandwidths
    mass: FloatArray  # (k, g), kernel times unit weight
    outcomes: FloatArray  # (k, m)
    order: int
    deriv: int
    n_inside: IntArray
    plus: bool
    bandwidth: FloatArray  # (g,)

    @property
    def scale(self) -> FloatArray:
        """From a coefficient in powers of u to a derivative in units of x."""
        return np.asarray(factorial(self.deriv) / self.bandwidth**self.deriv)


def _common(view: _Window) -> SideFit:
    """One bandwidth: QR of the weighted design, then products with all outcomes."""
    root = np.sqrt(view.mass)
    regressors = view.u ** np.arange(view.order + 1)
    basis, triangle = np.linalg.qr(root * regressors)
    singular = np.linalg.svd(triangle, compute_uv=False)
    if not singular[-1] > RCOND_MIN * singular[0]:
        raise _singular(view, 0)
    coefficient_map = np.linalg.solve(triangle, (basis * root).T)  # (p+1, k)
    alpha = coefficient_map @ view.outcomes
    return SideFit(
        rows=view.rows,
        root=root,
        coefficient_weights=(view.scale * coefficient_map[view.deriv])[:, None],
        leverage=np.einsum("ij,ij->i", basis, basis)[:, None],
        alpha=alpha,
        fitted=regressors @ alpha,
        n_inside=view.n_inside,
    )


def _columnwise(view: _Window) -> SideFit:
    """One bandwidth per outcome: kernel moments of every column, then m small systems."""
    m, order, u, mass = view.bandwidth.size, view.order, view.u, view.mass
    moments = np.empty((2 * order + 1, m))
    products = np.empty((order + 1, m))
    power = mass.copy()
    for j in range(2 * order + 1):
        moments[j] = power.sum(axis=0)
        if j <= order:
            products[j] = np.einsum("ij,ij->j", power, view.outcomes)
        power *= u
    index = np.arange(order + 1)
    gram = moments[index[:, None] + index[None, :]].transpose(2, 0, 1)  # (m, p+1, p+1)
    eigenvalues = np.linalg.eigvalsh(gram)
    weak = ~(eigenvalues[:, 0] > RCOND_MIN**2 * eigenvalues[:, -1])
    if weak.any():
        raise _singular(view, int(np.argmax(weak)))
    inverse = np.linalg.inv(gram)
    alpha = np.einsum("mab,bm->am", inverse, products)
    quadratic = np.zeros((2 * order + 1, m))
    for a in range(order + 1):
        for b in range(order + 1):
            quadratic[a + b] += inverse[:, a, b]
    return SideFit(
        rows=view.rows,
        root=np.sqrt(mass),
        coefficient_weights=view.scale * mass * _horner(inverse[:, view.deriv, :].T, u),
        leverage=mass * _horner(quadratic, u),
        alpha=alpha,
        fitted=_horner(alpha, u),
        n_inside=view.n_inside,
    )


def _horner(coefficients: FloatArray, u: FloatArray) -> FloatArray:
    """sum_j coefficients[j] u^j, column by column."""
    value = np.broadcast_to(coefficients[-1], u.shape).copy()
    for row in coefficients[-2::-1]:
        value *= u
        value += row
    return value


def _side(plus: bool) -> str:
    return "at or above" if plus else "below"


def _too_few(count: int, order: int, bandwidth: float, plus: bool) -> DataError:
    return DataError(
        f"bandwidth {bandwidth:.6g} leaves {count} units with positive weight {_side(plus)} the cutoff; "
        f"a polynomial of order {order} needs at least {order + 1}: widen the bandwidth, lower p, "
        "or check that the cutoff lies inside the data"
    )


def _singular(view: _Window, column: int) -> DataError:
    return DataError(
        f"the units {_side(view.plus)} the cutoff within bandwidth {view.bandwidth[column]:.6g} do not identify a "
        f"polynomial of order {view.order} (too few distinct values of the running variable): widen the bandwidth or "
        "lower p"
    )
