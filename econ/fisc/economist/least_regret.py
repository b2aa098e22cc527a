r"""Rates that are safe in several worlds: the smallest worst regret, as a short sequence of fixed worlds.

Nobody knows the elasticity of income, or the income distribution of the year after next. The regret of
rates in a world is the share of what could be gained there over the law in force that they miss,

.. math:: (W^* - W(\tau)) / (W^* - W(\tau_0)),

0 at that world's own optimum, 1 at the law in force, above 1 where the law in force is better. The worst
regret over all worlds is made small by playing against a growing list of worlds: solve for the list, find
the world that is worst for the solution, put it on the list, until it is there already. Few worlds bind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from fisc.core.arrays import FloatArray
from fisc.core.errors import DataError
from fisc.economist.gradient_search import HIGHEST
from fisc.economist.search import basin_hops

__all__ = ["LeastRegret", "World", "least_regret"]

#: A world joins the list only if its regret exceeds that of the listed worlds by this much.
GAIN = 1e-4
#: Change of a rate by which slopes are measured in a world that gives none.
STEP = 1e-3
#: Kicks a bracket after the climb; a small population's regret is rugged.
HOPS = 6


@dataclass(frozen=True, eq=False)
class World:
    """One way the economy may turn out to be.

    Attributes
    ----------
    name : str
        What the tables call it.
    welfare : callable
        Welfare of each row of rates, shape (P, K) -> (P,); a `SortedWelfare` or a `WelfareOfRates`.
    optimum : ndarray, shape (K,)
        Best rates if this world were certain.
    gradient : callable, optional
        Derivative of welfare by each rate, shape (K,) -> (K,); differences are taken if left out.
    """

    name: str
    welfare: Callable[[FloatArray], FloatArray]
    optimum: FloatArray
    gradient: Callable[[FloatArray], FloatArray] | None = None

    def slope(self, rates: FloatArray, lowest: float = 0.0) -> FloatArray:
        """Return the derivative of welfare by each rate, none of which may fall below `lowest`, shape (K,)."""
        if self.gradient is not None:
            return np.asarray(self.gradient(rates))
        steps = STEP * np.eye(rates.size)
        ahead, behind = np.clip(rates + steps, None, 1.0), np.clip(rates - steps, lowest, None)
        values = self.welfare(np.concatenate([ahead, behind]))
        return np.asarray((values[: rates.size] - values[rates.size :]) / np.diag(ahead - behind))


@dataclass(frozen=True, eq=False)
class LeastRegret:
    """The safe rates.

    Attributes
    ----------
    rates : ndarray, shape (K,)
        Rates with the smallest worst regret.
    active : tuple of str
        Worlds that were played against, in the order in which they joined.
    names : tuple of str
        All worlds.
    regrets : ndarray, shape (worlds,)
        Regret of `rates` in each world.
    own : ndarray, shape (worlds, worlds)
        Regret of each world's own optimum (row) in each world (column).
    """

    rates: FloatArray
    active: tuple[str, ...]
    names: tuple[str, ...]
    regrets: FloatArray
    own: FloatArray


def least_regret(
    worlds: Sequence[World], at_law: FloatArray, *, first: int = 0, lowest: float = 0.0
) -> LeastRegret:
    """Find the rates whose worst regret over `worlds` is smallest.

    Parameters
    ----------
    worlds : sequence of World
        At least one.
    at_law : ndarray, shape (worlds,)
        Welfare of the law in force in each world: regret 1.
    first : int
        World that opens the list.
    lowest : float
        Smallest rate that is allowed.

    Returns
    -------
    LeastRegret

    Raises
    ------
    DataError
        If there is no world, or the law in force is already the best in one of them.

    References
    ----------
    Ben-Tal, A., El Ghaoui, L. and Nemirovski, A. (2009). Robust Optimization. Princeton. Cutting-plane
    solution of a problem with uncertain data. Savage, L. J. (1951). The theory of statistical decision.
    Journal of the American Statistical Association 46, 55-67 (regret).

    Examples
    --------
    Two worlds whose best rates are .2 and .6; the law in force is nearer to the second:

    >>> def world(best):
    ...     return World(f"best {best}", lambda rates: -((rates[:, 0] - best) ** 2), np.array([best]))
    >>> safe = least_regret([world(0.2), world(0.6)], np.array([-0.49, -0.09]))      # the law is 0.9
    >>> safe.active, float(safe.rates[0].round(3)), safe.regrets.round(3).tolist()
    (('best 0.2', 'best 0.6'), 0.48, [0.16, 0.16])
    """
    regret = _Regret(worlds, at_law, lowest)
    optima = np.array([world.optimum for world in worlds])
    own = regret(optima)
    active = [first]
    rates = optima[first]
    while True:
        regrets = regret(rates[None, :])[0]
        worst = int(regrets.argmax())
        if regrets[worst] <= regrets[active].max() + GAIN or worst in active:
            break
        active.append(worst)
        starts = [*optima[active], rates, optima[active].mean(axis=0)]
        rates = _safest(regret, active, starts, lowest)
    return LeastRegret(
        rates=rates,
        active=tuple(worlds[k].name for k in active),
        names=tuple(world.name for world in worlds),
        regrets=regrets,
        own=own,
    )


class _Regret:
    """Regret of rates in each world."""

    def __init__(self, worlds: Sequence[World], at_law: FloatArray, lowest: float) -> None:
        if not worlds:
            raise DataError("there is no world to be safe in; give at least one")
        self.worlds = worlds
        self.lowest = lowest
        self.best = np.array([float(world.welfare(world.optimum[None, :])[0]) for world in worlds])
        self.gap = self.best - at_law
        for world, gap in zip(worlds, self.gap, strict=True):
            if not gap > 0.0:
                raise DataError(
                    f"in world {world.name!r} the optimum is no better than the law in force (by {gap:.3g}), so that "
                    "there is no gain to regret; search its optimum again, or leave the world out"
                )

    def __call__(self, points: FloatArray) -> FloatArray:
        """Return regrets, shape (P, K) -> (P, worlds)."""
        values = np.column_stack([world.welfare(points) for world in self.worlds])
        return np.asarray((self.best - values) / self.gap)

    def of(self, k: int, rates: FloatArray) -> float:
        return float((self.best[k] - self.worlds[k].welfare(rates[None, :])[0]) / self.gap[k])

    def slope(self, k: int, rates: FloatArray) -> FloatArray:
        return np.asarray(-self.worlds[k].slope(rates, self.lowest) / self.gap[k])


def _safest(regret: _Regret, active: list[int], starts: list[FloatArray], lowest: float) -> FloatArray:
    """Return the best end over all starts of: minimise a bound on the regret of every active world."""

    def worst(points: FloatArray) -> FloatArray:
        return np.asarray(regret(points)[:, active].max(axis=1))

    ends = []
    for start in starts:
        size = start.size
        point = np.clip(start, lowest, HIGHEST)
        for _ in range(3):  # from where the last one stopped, which jumps of workers may have caused
            found = minimize(
                lambda x: x[-1],
                np.append(point, worst(point[None, :])[0]),
                jac=lambda x: np.eye(1, x.size, x.size - 1)[0],
                bounds=[(lowest, HIGHEST)] * size + [(None, None)],
                constraints={
                    "type": "ineq",
                    "fun": lambda x: np.array([x[-1] - regret.of(k, x[:-1]) for k in active]),
                    "jac": lambda x: np.array([np.append(-regret.slope(k, x[:-1]), 1.0) for k in active]),
                },
                method="SLSQP",
                options={"maxiter": 200, "ftol": 1e-9},
            )
            end = np.clip(found.x[:-1], lowest, HIGHEST)
            if not worst(end[None, :])[0] < worst(point[None, :])[0] - GAIN / 10:
                break
            point = end
        ends.append(point)
    values = worst(np.array(ends))
    best = ends[int(values.argmin())]
    kicked, _ = basin_hops(
        lambda points: -worst(points),
        best,
        -float(values.min()),
        np.random.default_rng(0),
        hops=HOPS * best.size,
        smallest=1e-5,
        lowest=lowest,
    )
    return kicked
