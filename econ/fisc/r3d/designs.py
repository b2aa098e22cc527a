"""Simulation designs with known effects: data to try things on, and the Monte Carlo's ground truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import pandas as pd
from scipy.stats import exponnorm, norm

from fisc.core import check_option, check_seed, check_whole, renamed
from fisc.core.arrays import AnyArray, FloatArray

from .inputs import check_quantiles
from .options import DesignName

DESIGNS: tuple[DesignName, ...] = get_args(DesignName)
DECILES = np.arange(1, 10) / 10
UNIT_SIZE = 50

# Effects of the designs, in units of the outcome.
SHIFT = {"repo1": 1.0, "repo2": 1.0, "paper1": 1.14, "paper2": 1.86, "fuzzy1": 2.0, "lee": 0.04}
# Conditional mean of Lee's House elections data as fitted by Calonico, Cattaneo and Titiunik (2014).
_LEE_BELOW = (0.48, 1.27, 7.18, 20.21, 21.54, 7.33)
_LEE_ABOVE = (0.52, 0.84, -3.00, 7.99, -9.01, 3.56)
_LEE_WITHIN, _LEE_LOG_SCALE, _LEE_NOISE = 0.3, 0.2, 0.1295


@dataclass(frozen=True)
class Simulation:
    """A simulated sample and the effect it was drawn with.

    Attributes
    ----------
    design : str
        Name of the design.
    data : DataFrame
        Long: columns unit, x, y, and t in the fuzzy design; `unit_size` rows a unit.
    quantiles : array, shape (m,)
        Probabilities.
    truth : array, shape (m,)
        The population effect tau at `quantiles`.
    treatment : str or None
        Name of the treatment column.
    """

    design: str
    data: pd.DataFrame
    quantiles: FloatArray
    truth: FloatArray
    treatment: str | None = None
    columns: dict[str, str] = field(default_factory=lambda: {"y": "y", "x": "x", "unit": "unit"})

    def truth_at(self, q: FloatArray) -> FloatArray:
        """Return the population effect at any probabilities, shape of `q`."""
        return truth(self.design, q)

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for `fisc.r3d.r3d` beside the data."""
        return {**self.columns, "treatment": self.treatment, "quantiles": self.quantiles}


@renamed(seed="random_state")
def simulate(
    design: DesignName,
    n: int = 200,
    random_state: int = 0,
    *,
    quantiles: FloatArray | None = None,
    unit_size: int = UNIT_SIZE,
) -> Simulation:
    """Draw one of six designs with a known effect at the cutoff 0.

    Parameters
    ----------
    design : {"repo1", "repo2", "paper1", "paper2", "fuzzy1", "lee"}
        "repo1": normal units, mean 5 + 5x, scale 1 + x, shifted by 1. "repo2": normal plus exponential
        units, shifted by 1. "paper1": units with random mean and scale, shifted by 1.14. "paper2": units
        of very different location, whose exponential part shrinks at the cutoff, so that the effect
        falls along the quantiles. "fuzzy1": paper1 with treatment probabilities .1 and .9, effect 2.
        "lee": strong curvature and few units above the cutoff, scale up by e^0.2.
    n : int
        Units.
    random_state : int
        Same seed, same bits.
    quantiles : array, optional
        Where `truth` is evaluated; deciles by default.
    unit_size : int
        Micro values per unit.

    Returns
    -------
    Simulation
        With `.data` (long DataFrame) and `.truth`.

    Raises
    ------
    DataError
        For an unknown design, or fewer than one unit or value.

    References
    ----------
    van Dijcke, D. (2026), Regression discontinuity design with distribution-valued outcomes,
    arXiv:2504.03992, section 6 (paper1, paper2); Calonico, Cattaneo and Titiunik (2014),
    Econometrica 82, 2295-2326 (lee).

    Examples
    --------
    >>> sim = simulate("paper1", n=4, random_state=1, unit_size=2)
    >>> sim.data.shape, sim.truth[:2]
    ((8, 3), array([1.14, 1.14]))
    """
    check_option("design", design, DESIGNS)
    n, unit_size = check_whole("n", n, least=1), check_whole("unit_size", unit_size, least=1)
    seed = check_seed("random_state", random_state)
    q = DECILES if quantiles is None else check_quantiles(quantiles)
    x, y, t = draw(design, n, np.random.default_rng([DESIGNS.index(design), n, seed]), unit_size)
    columns: dict[str, AnyArray] = {
        "unit": np.repeat(np.arange(n), unit_size),
        "x": np.repeat(x, unit_size),
        "y": y.ravel(),
    }
    if t is not None:
        columns["t"] = np.repeat(t, unit_size)
    return Simulation(design, pd.DataFrame(columns), q, truth(design, q), None if t is None else "t")


def draw(
    design: DesignName, n: int, rng: np.random.Generator, unit_size: int = UNIT_SIZE
) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Return running variable (n,), micro values (n, unit_size) and treatment (n,) or None."""
    x = 2.0 * rng.beta(2.0, 4.0, n) - 1.0 if design == "lee" else rng.uniform(-1.0, 1.0, n)
    above = (x >= 0.0).astype(float)
    return _DRAWS[design](x, above, rng, unit_size)


Drawn = tuple[FloatArray, FloatArray, FloatArray | None]


def _repo1(x: FloatArray, above: FloatArray, rng: np.random.Generator, size: int) -> Drawn:
    location = 5.0 + 5.0 * x + SHIFT["repo1"] * above
    scale = np.maximum(np.abs(1.0 + x), 0.1)
    return x, location[:, None] + scale[:, None] * rng.standard_normal((x.size, size)), None


def _repo2(x: FloatArray, above: FloatArray, rng: np.random.Generator, size: int) -> Drawn:
    location = 2.0 * x + SHIFT["repo2"] * above
    rate = np.clip(1.0 + 0.5 * x, 0.5, 1.5)
    return x, _normal_exponential(location, rate, rng, size), None


def _paper1(x: FloatArray, above: FloatArray, rng: np.random.Generator, size: int) -> Drawn:
    return x, _random_normal_units(x, SHIFT["paper1"] * above, rng, size), None


def _paper2(x: FloatArray, above: FloatArray, rng: np.random.Generator, size: int) -> Drawn:
    location = rng.uniform(-5.0, 5.0, x.size) + 2.0 * x + SHIFT["paper2"] * above
    rate = rng.uniform(0.5, 1.5, x.size) + 0.5 * above
    return x, _normal_exponential(location, rate, rng, size), None


def _fuzzy1(x: FloatArray, above: FloatArray, rng: np.random.Generator, size: int) -> Drawn:
    t = (rng.random(x.size) < 0.1 + 0.8 * above).astype(float)
    return x, _random_normal_units(x, SHIFT["fuzzy1"] * t, rng, size), t


def _lee(x: FloatArray, above: FloatArray, rng: np.random.Generator, size: int) -> Drawn:
    mean = np.where(above > 0, np.polyval(_LEE_ABOVE[::-1], x), np.polyval(_LEE_BELOW[::-1], x))
    location = mean + _LEE_NOISE * rng.standard_normal(x.size)
    scale = _LEE_WITHIN * np.exp(_LEE_LOG_SCALE * above)
    return x, location[:, None] + scale[:, None] * rng.standard_normal((x.size, size)), None


def _random_normal_units(x: FloatArray, shift: FloatArray, rng: np.random.Generator, size: int) -> FloatArray:
    location = 5.0 + 5.0 * x + shift + rng.standard_normal(x.size)
    scale = np.abs(1.0 + x + rng.standard_normal(x.size))
    return np.asarray(location[:, None] + scale[:, None] * rng.standard_normal((x.size, size)))


def _normal_exponential(
    location: FloatArray, rate: FloatArray, rng: np.random.Generator, size: int
) -> FloatArray:
    """N(location, 1) + 2 Exp(rate)."""
    normal = rng.standard_normal((rate.size, size))
    return np.asarray(
        location[:, None] + normal + 2.0 * rng.standard_exponential((rate.size, size)) / rate[:, None]
    )


_DRAWS: dict[str, Callable[[FloatArray, FloatArray, np.random.Generator, int], Drawn]] = dict(
    zip(DESIGNS, (_repo1, _repo2, _paper1, _paper2, _fuzzy1, _lee), strict=True)
)


def truth(design: str, q: FloatArray) -> FloatArray:
    """Evaluate the population effect tau(q): the jump of the average unit quantile function at the cutoff.

    Examples
    --------
    >>> truth("paper2", np.array([0.1, 0.9])).round(4)
    array([1.6264, 0.1155])
    """
    q = np.asarray(q, dtype=float)
    if design == "lee":
        return np.asarray(SHIFT["lee"] + _LEE_WITHIN * (np.exp(_LEE_LOG_SCALE) - 1.0) * norm.ppf(q))
    if design != "paper2":
        return np.full(q.shape, SHIFT[design])
    nodes, weights = np.polynomial.legendre.leggauss(24)

    def average(low: float) -> FloatArray:
        """Mean over rate ~ U(low, low + 1) of the quantiles of N(0, 1) + 2 Exp(rate)."""
        rates = low + 0.5 + 0.5 * nodes
        return np.asarray(0.5 * weights @ np.stack([exponnorm.ppf(q, 2.0 / rate) for rate in rates]))

    return SHIFT["paper2"] + average(1.0) - average(0.5)
