"""Optimal-tax formulas as baselines: bracket conditions with measured or assumed elasticities."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from fisc.core import OptionError, check_is, check_number, check_whole
from fisc.core.arrays import FloatArray
from fisc.economist.arrays import person_mean
from fisc.economist.criteria import Criterion, criterion_of
from fisc.economist.options import CriterionName
from fisc.economist.population import Workers
from fisc.economist.response import Outcome, respond
from fisc.economist.schedule import TaxSchedule

__all__ = ["paper_saez_schedule", "saez_schedule"]

#: No formula is trusted beyond these rates: at 1 nobody in the bracket would earn another unit.
LOWEST, HIGHEST = 0.0, 0.995
#: Change of a rate by which responses are measured: of continuous hours, and of hours on a grid,
#: where small changes move nobody.
SMALL_CHANGE, LARGE_CHANGE = 0.01, 0.05


def saez_schedule(
    workers: Workers,
    edges: npt.ArrayLike,
    criterion: CriterionName | Criterion,
    *,
    elasticity: Literal["measured"] | float = "measured",
    iterations: int = 80,
) -> TaxSchedule:
    r"""Return rates that satisfy the first-order condition of every bracket.

    Raising the rate of bracket k takes :math:`M_{ik} = \min(z_i, b_{k+1}) - b_k` from whoever earns
    more than :math:`b_k`, worth :math:`1 - g_i` to society when it returns as a rebate, and loses the
    revenue that workers take away by earning less. Setting the sum to zero,

    .. math:: \frac{\tau_k}{1-\tau_k} = \frac{\sum_i M_{ik} (1 - g_i)}{e_k \sum_{i \in k} z_i},

    with incomes, welfare weights :math:`g_i` (mean 1) and elasticities all taken at the schedule
    itself, so the formula is iterated to a fixed point.

    Parameters
    ----------
    workers : Workers
        The population; the planner is assumed to see incomes, not skills.
    edges : array_like, shape (K,)
        Bracket edges.
    criterion : str or Criterion
        See `fisc.economist.welfare`.
    elasticity : "measured" or float
        ``"measured"``: the revenue lost to behaviour is measured by raising and lowering each rate
        and letting the same workers answer, bunching and jumps included. A number: the elasticity of
        income with respect to the net-of-tax rate, the same in all brackets, > 0.
    iterations : int
        Rounds; the step shrinks with the round.

    Returns
    -------
    TaxSchedule

    References
    ----------
    Saez, E. (2001). Using elasticities to derive optimal income tax rates. Review of Economic
    Studies 68, 205-229. doi:10.1111/1467-937X.00166

    Examples
    --------
    >>> workers = Workers([20.0, 120.0], cost=0.0005)
    >>> rate = saez_schedule(workers, [0.0], "inverse_income").rates[0]
    >>> abs(rate - 0.60268641) < 1e-4
    np.True_
    """
    check_is("workers", workers, Workers, how="build them with Workers(...) or Workers.sample(...)")
    iterations = check_whole("iterations", iterations, least=1)
    if isinstance(elasticity, str):
        if elasticity != "measured":
            raise OptionError(
                f"elasticity={elasticity!r} is not an option; give 'measured' or a positive number"
            )
        assumed = None
    else:
        assumed = check_number("elasticity", elasticity, above=0)
    rule = criterion_of(criterion)
    fixed = rule.fixed_weights(workers)
    people = np.ones(workers.n) if workers.weights is None else workers.weights
    schedule = TaxSchedule.flat(0.4, edges)
    change = SMALL_CHANGE if workers.hours_grid is None else LARGE_CHANGE
    for round_ in range(iterations):
        outcome = respond(workers, schedule)
        g = rule.marginal_weights(outcome.utility, outcome.income, fixed, workers.weights)
        exposed = _exposure(schedule, outcome.income) * people
        gain = exposed @ (1.0 - g)
        rates = schedule.rates
        if assumed is None:
            lost = _behavioural_loss(workers, schedule, outcome, exposed, change)
            with np.errstate(divide="ignore", invalid="ignore"):
                odds = rates / (1.0 - rates) * gain / lost
            odds = np.where(lost > 0.0, odds, np.where(gain > 0.0, np.inf, 0.0))
        else:
            inside = _interior_income(schedule, outcome.income, people)
            with np.errstate(divide="ignore", invalid="ignore"):
                odds = gain / (assumed * inside)
            odds = np.where(inside > 0.0, odds, np.where(gain > 0.0, np.inf, 0.0))
        with np.errstate(invalid="ignore"):
            target = np.where(np.isinf(odds), HIGHEST, np.maximum(odds, 0.0) / (1.0 + np.maximum(odds, 0.0)))
        empty = exposed.sum(axis=1) <= 0.0  # nobody earns that much: nothing to learn, keep the rate
        target = np.where(empty, rates, np.clip(target, LOWEST, HIGHEST))
        # Rates move at most a quarter of the way, less and less: formulas that jump settle down.
        updated = rates + 0.5 / (1.0 + round_ / 8.0) * (target - rates)
        schedule = schedule.with_rates(
            np.clip(np.maximum(updated, 1e-3 if assumed is None else 0.0), LOWEST, HIGHEST)
        )
    return schedule


def _exposure(schedule: TaxSchedule, income: FloatArray) -> FloatArray:
    """Return M, income of each worker that falls into each bracket, shape (K, n)."""
    upper = np.concatenate([schedule.edges[1:], [np.inf]])[:, None]
    return np.asarray(np.clip(np.minimum(income, upper) - schedule.edges[:, None], 0.0, None))


def _interior_income(schedule: TaxSchedule, income: FloatArray, people: FloatArray) -> FloatArray:
    """Return the income of the people strictly inside each bracket, shape (K,)."""
    k = np.searchsorted(schedule.edges, income, side="right") - 1
    at_edge = np.isclose(income, schedule.edges[k], rtol=1e-12, atol=0.0)
    totals = np.bincount(k[~at_edge], weights=(people * income)[~at_edge], minlength=schedule.brackets)
    return totals.astype(np.float64)


def _behavioural_loss(
    workers: Workers, schedule: TaxSchedule, outcome: Outcome, exposed: FloatArray, change: float
) -> FloatArray:
    """Return the revenue lost to behaviour per unit of each rate, measured in both directions, shape (K,)."""
    people = workers.people
    revenue = people * outcome.rebate
    lost = np.empty(schedule.brackets)
    for k in range(schedule.brackets):
        slopes, weights = [], []
        for sign in (-1.0, 1.0):
            rates = schedule.rates.copy()
            rates[k] = np.clip(rates[k] + sign * change, 0.0, 1.0)
            moved = rates[k] - schedule.rates[k]
            if moved == 0.0:
                continue
            mechanical = moved * exposed[k].sum()
            collected = people * respond(workers, schedule.with_rates(rates)).rebate
            slopes.append(-(collected - revenue - mechanical) / moved)
            weights.append(abs(moved))
        lost[k] = np.average(slopes, weights=weights)
    return lost


def paper_saez_schedule(workers: Workers, edges: npt.ArrayLike, *, elasticity: float = 3.0) -> TaxSchedule:
    r"""Return the Saez rates as the source paper's code computes them, for replication only.

    Incomes are those of a 100-hour week whatever the tax, weights are :math:`1/z`, the density is a
    Gaussian kernel estimate, each bracket is judged at its midpoint, nothing is iterated, and the
    default elasticity is 3 where that of its workers is 0.4.

    Takes what `saez_schedule` takes, the elasticity as a number.
    """
    check_is("workers", workers, Workers, how="build them with Workers(...) or Workers.sample(...)")
    elasticity = check_number("elasticity", elasticity, above=0)
    b = TaxSchedule.flat(0.0, edges).edges
    if workers.weights is not None:
        workers = workers.subset(workers.weights > 0.0)
    people = np.ones(workers.n) if workers.weights is None else workers.weights
    z = 100.0 * workers.skill
    share = people / np.maximum(z, 1e-10)
    share = share / share.sum()
    rates = np.empty(b.size)
    for k in range(b.size):
        if k + 1 < b.size:
            point = (b[k] + b[k + 1]) / 2.0
        else:  # the open bracket is judged at the mean income above its edge
            point = float(np.average(z[z >= b[k]], weights=people[z >= b[k]])) if (z >= b[k]).any() else b[k]
        above = z >= point
        survival = 1.0 - person_mean(z <= point, workers.weights)
        if k + 1 == b.size:
            mean = float(np.average(z[above], weights=people[above])) if above.any() else point
            alpha = mean / (mean - b[k]) if mean > b[k] else np.inf
        elif survival > 0.0 and z.min() < z.max():
            alpha = point * _density(point, z, people) / survival
        else:
            alpha = 0.0
        G = float(share[above].sum()) / survival if survival > 0.0 else 0.0
        rates[k] = (1.0 - G) / (1.0 - G + alpha * elasticity) if np.isfinite(alpha) else 0.0
    return TaxSchedule(b, np.round(np.clip(np.nan_to_num(rates), 0.0, 1.0), 2))


def _density(point: float, values: FloatArray, people: FloatArray) -> float:
    """Return the Gaussian kernel estimate at a point, its bandwidth by Scott's rule for as many people."""
    share = people / people.sum()
    count = max(float(people.sum()), float(values.size))  # weights may be shares
    spread = np.sqrt(share @ (values - share @ values) ** 2 * count / (count - 1.0))
    width = float(spread * count**-0.2)
    heights = np.exp(-(((point - values) / width) ** 2) / 2.0)
    return float(share @ heights / (width * np.sqrt(2.0 * np.pi)))
