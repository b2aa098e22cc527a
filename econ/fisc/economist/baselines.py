"""Schedules that every planner is compared with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fisc.core import check_number, check_seed, check_whole, renamed
from fisc.core.arrays import FloatArray
from fisc.economist.criteria import Criterion
from fisc.economist.objective import WelfareOfRates
from fisc.economist.options import CriterionName
from fisc.economist.population import Workers
from fisc.economist.saez import paper_saez_schedule, saez_schedule
from fisc.economist.schedule import TaxSchedule

__all__ = ["baseline_schedules", "best_flat_tax", "flat_tax_grid", "random_monotone_schedules"]


def flat_tax_grid(
    workers: Workers, criterion: CriterionName | Criterion, *, step: float = 0.01
) -> tuple[FloatArray, FloatArray]:
    """Return flat rates from 0 to 1, `step` apart, and the welfare of each, shapes (P,) and (P,).

    >>> rates, values = flat_tax_grid(Workers([20.0, 120.0], cost=0.0005), "inverse_income", step=0.1)
    >>> round(float(rates[values.argmax()]), 2)
    0.6
    """
    step = check_number("step", step, above=0, most=1, what="the spacing of the flat rates, a number")
    rates = np.linspace(0.0, 1.0, round(1.0 / step) + 1)
    return rates, WelfareOfRates(workers, [0.0], criterion)(rates[:, None])


def best_flat_tax(
    workers: Workers, edges: npt.ArrayLike, criterion: CriterionName | Criterion, *, step: float = 0.01
) -> TaxSchedule:
    """Return the best flat tax of `flat_tax_grid`, written on the given brackets."""
    rates, values = flat_tax_grid(workers, criterion, step=step)
    return TaxSchedule.flat(float(rates[int(values.argmax())]), edges)


@renamed(seed="random_state")
def random_monotone_schedules(
    edges: npt.ArrayLike, n: int, *, random_state: int = 0, highest: float = 0.6
) -> tuple[TaxSchedule, ...]:
    """Return `n` schedules whose rates are sorted draws from U(0, highest): the control of the paper.

    Examples
    --------
    >>> schedule, = random_monotone_schedules([0, 10_000, 50_000], 1)
    >>> bool((np.diff(schedule.rates) >= 0).all())
    True
    """
    n = check_whole("n", n, least=1)
    highest = abs(check_number("highest", highest, least=0, most=1))  # -0 too
    rng = np.random.default_rng(check_seed("random_state", random_state))
    zero = TaxSchedule.flat(0.0, edges)
    return tuple(zero.with_rates(np.sort(rng.uniform(0.0, highest, zero.brackets))) for _ in range(n))


@renamed(seed="random_state")
def baseline_schedules(
    workers: Workers, edges: npt.ArrayLike, criterion: CriterionName | Criterion, *, random_state: int = 0
) -> dict[str, TaxSchedule]:
    """Return every baseline by name.

    Parameters
    ----------
    workers : Workers
        The population.
    edges : array_like, shape (K,)
        Brackets of the schedules that are computed; US law keeps its own.
    criterion : str or Criterion
        See `fisc.economist.welfare`.
    random_state : int
        For the random schedule.

    Returns
    -------
    dict of str to TaxSchedule
        ``free market``, ``US 2024``, ``flat 50 %`` (the first policy of the source paper), ``best
        flat``, ``random monotone``, ``Saez, measured``, ``Saez, 0.4`` and ``Saez of the paper``.
    """
    return {
        "free market": TaxSchedule.flat(0.0, edges),
        "US 2024": TaxSchedule.us_federal(2024),
        "flat 50 %": TaxSchedule.flat(0.5, edges),
        "best flat": best_flat_tax(workers, edges, criterion),
        "random monotone": random_monotone_schedules(edges, 1, random_state=random_state)[0],
        "Saez, measured": saez_schedule(workers, edges, criterion),
        "Saez, 0.4": saez_schedule(workers, edges, criterion, elasticity=0.4),
        "Saez of the paper": paper_saez_schedule(workers, edges),
    }
