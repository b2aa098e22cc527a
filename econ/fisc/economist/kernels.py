r"""The compiled inner loops: the exact best response of each worker, and welfare of many schedules.

A worker with skill :math:`s` (income per weekly hour), cost :math:`c` and curvature :math:`\delta`
chooses annual income :math:`z \in [0, s L]` to maximise :math:`z - T(z) - c (z/s)^\delta`. Within a
bracket with rate :math:`\tau_k` the maximum is :math:`A (1-\tau_k)^{1/(\delta-1)}`, where
:math:`A = s (s / (c\delta))^{1/(\delta-1)}` is the income without tax; its value is linear in it:
:math:`z (1-\tau_k)(1-1/\delta)` plus a constant. At a kink :math:`b` the cost is
:math:`Q b^\delta` with :math:`Q = c s^{-\delta}`. So a schedule needs its powers once, a worker
none, and the loop over brackets compares a handful of products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from fisc.core.arrays import FloatArray

__all__ = ["CODES", "best_response", "best_response_branching", "best_response_on_grid", "welfare_batch"]

F = TypeVar("F", bound=Callable[..., Any])

#: Workers that pass through the brackets together.
BLOCK = 512

#: Number of each welfare criterion inside `welfare_batch`.
CODES = {"weighted": 0, "log": 1, "rawls": 2, "crra": 3, "live": 4}


def _compiled(function: F) -> F:
    """Compile without the interpreter's lock; the machine code is kept beside the module."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@_compiled
def best_response(
    skill: FloatArray,
    cost: FloatArray,
    free_income: FloatArray,
    weight: FloatArray,
    edges: FloatArray,
    rates: FloatArray,
    delta: float,
    max_hours: float,
    income: FloatArray,
    tax: FloatArray,
    value: FloatArray,
) -> float:
    """Fill income, tax and value (before the rebate) of each worker; return total tax.

    Workers pass in blocks that stay in cache; within a block the loop over workers is the inner
    one and holds selections instead of branches, so that the compiler can vectorise it. `skill`,
    `cost`, `free_income` and `weight` are s, c, A and Q of the module's text.
    """
    brackets = rates.size
    hours_power = max_hours**delta
    # Arrays made here cannot overlap with the arguments; only so does the compiler vectorise.
    cap = np.empty(BLOCK)
    cost_at_cap = np.empty(BLOCK)
    best = np.empty(BLOCK)
    chosen = np.empty(BLOCK)
    paid = np.empty(BLOCK)
    total = 0.0
    for start in range(0, skill.size, BLOCK):
        size = min(BLOCK, skill.size - start)
        for j in range(size):
            best[j] = 0.0
            chosen[j] = 0.0
            paid[j] = 0.0
            cap[j] = skill[start + j] * max_hours
            cost_at_cap[j] = cost[start + j] * hours_power
        due = 0.0
        for k in range(brackets):
            low, rate = edges[k], rates[k]
            high = edges[k + 1] if k + 1 < brackets else np.inf
            keep = 1.0 - rate
            share = keep ** (1.0 / (delta - 1.0))  # interior income / A
            gain = keep * (1.0 - 1.0 / delta)  # value of an interior income, per unit
            const = rate * low - due  # tax = rate z - const
            kink = high**delta if k + 1 < brackets else 0.0
            for j in range(size):
                inside = free_income[start + j] * share
                top = min(high, cap[j])
                cost_at_top = weight[start + j] * kink if high < cap[j] else cost_at_cap[j]
                interior = inside < top
                z = inside if interior else top
                v = (z * gain if interior else top * keep - cost_at_top) + const
                # Strictly better: a tie goes to the lower bracket. An income at or below the
                # bracket's lower edge is one that the bracket below offers as well.
                better = (z > low) & (v > best[j])
                best[j] = v if better else best[j]
                chosen[j] = z if better else chosen[j]
                paid[j] = z * rate - const if better else paid[j]
            due += rate * (high - low)
        for j in range(size):
            income[start + j] = chosen[j]
            tax[start + j] = paid[j]
            value[start + j] = best[j]
            total += paid[j]
    return total


@_compiled
def best_response_branching(
    skill: FloatArray,
    cost: FloatArray,
    free_income: FloatArray,
    weight: FloatArray,
    edges: FloatArray,
    rates: FloatArray,
    delta: float,
    max_hours: float,
    income: FloatArray,
    tax: FloatArray,
    value: FloatArray,
) -> float:
    """Do the same as `best_response`, worker by worker.

    Twice as fast where the same few thousand workers answer again and again, as in a search: the
    processor learns their branches.
    """
    brackets = rates.size
    share = np.empty(brackets)  # interior income / A
    gain = np.empty(brackets)  # value of an interior income, per unit
    const = np.empty(brackets)  # T(z) = rate z - const
    kink = np.empty(brackets)  # edge ** delta
    due = 0.0
    for k in range(brackets):
        keep = 1.0 - rates[k]
        share[k] = keep ** (1.0 / (delta - 1.0))
        gain[k] = keep * (1.0 - 1.0 / delta)
        const[k] = rates[k] * edges[k] - due
        kink[k] = edges[k] ** delta
        if k + 1 < brackets:
            due += rates[k] * (edges[k + 1] - edges[k])
    hours_power = max_hours**delta
    total = 0.0
    for i in range(skill.size):
        cap = skill[i] * max_hours
        best = 0.0
        chosen = 0.0
        bracket = 0
        for k in range(brackets):
            if edges[k] >= cap:
                break
            z = free_income[i] * share[k]
            if z <= edges[k]:
                continue  # the lower bracket's end is at least as good
            if k + 1 < brackets and edges[k + 1] < cap:
                if z >= edges[k + 1]:
                    z = edges[k + 1]
                    v = z * (1.0 - rates[k]) + const[k] - weight[i] * kink[k + 1]
                else:
                    v = z * gain[k] + const[k]
            elif z >= cap:
                z = cap
                v = z * (1.0 - rates[k]) + const[k] - cost[i] * hours_power
            else:
                v = z * gain[k] + const[k]
            if v > best:  # strictly: a tie goes to the lower bracket
                best = v
                chosen = z
                bracket = k
        paid = chosen * rates[bracket] - const[bracket]
        income[i] = chosen
        tax[i] = paid
        value[i] = best
        total += paid
    return total


@_compiled
def best_response_on_grid(
    skill: FloatArray,
    cost: FloatArray,
    edges: FloatArray,
    rates: FloatArray,
    delta: float,
    hours_grid: FloatArray,
    income: FloatArray,
    tax: FloatArray,
    value: FloatArray,
) -> float:
    """Fill the same as `best_response` where hours come from a grid; ties go to fewer hours."""
    brackets = rates.size
    tax_at_edge = np.zeros(brackets)
    for k in range(1, brackets):
        tax_at_edge[k] = tax_at_edge[k - 1] + rates[k - 1] * (edges[k] - edges[k - 1])
    effort = hours_grid**delta
    total = 0.0
    for i in range(skill.size):
        best = -np.inf
        chosen = 0.0
        paid = 0.0
        k = 0
        for j in range(hours_grid.size):
            z = skill[i] * hours_grid[j]
            while k + 1 < brackets and z >= edges[k + 1]:
                k += 1
            t = tax_at_edge[k] + rates[k] * (z - edges[k])
            v = z - t - cost[i] * effort[j]
            if v > best:
                best = v
                chosen = z
                paid = t
        income[i] = chosen
        tax[i] = paid
        value[i] = best
        total += paid
    return total


@_compiled
def welfare_batch(
    skill: FloatArray,
    cost: FloatArray,
    free_income: FloatArray,
    weight: FloatArray,
    edges: FloatArray,
    policies: FloatArray,
    delta: float,
    max_hours: float,
    hours_grid: FloatArray,
    code: int,
    welfare_weight: FloatArray,
    gamma: float,
    scale: float,
    mass: FloatArray,
) -> FloatArray:
    """Return the welfare of each row of `policies` (P, K), the workers answering each exactly.

    `code` is one of `CODES`; an empty `hours_grid` means continuous hours. For ``weighted``,
    `welfare_weight` holds a weight for each worker; for ``live``, `scale` is the income floor. `mass`
    says for how many people each worker stands, mean 1.
    """
    n = skill.size
    income = np.empty(n)
    tax = np.empty(n)
    value = np.empty(n)
    answers = np.empty(policies.shape[0])
    for p in range(policies.shape[0]):
        if hours_grid.size:
            best_response_on_grid(skill, cost, edges, policies[p], delta, hours_grid, income, tax, value)
        else:
            best_response_branching(
                skill, cost, free_income, weight, edges, policies[p], delta, max_hours, income, tax, value
            )
        rebate = 0.0
        for i in range(n):
            rebate += mass[i] * tax[i]
        rebate /= n
        w = 0.0
        if code == 0:
            for i in range(n):
                w += mass[i] * welfare_weight[i] * (value[i] + rebate)
            w /= n
        elif code == 1:
            for i in range(n):
                w += mass[i] * np.log(max(value[i] + rebate, 1.0))
            w /= n
        elif code == 2:
            w = value.min() + rebate
        elif code == 3:
            if gamma == 2.0:
                for i in range(n):
                    w -= mass[i] * scale / max(value[i] + rebate, 1.0)
            else:
                for i in range(n):
                    utils = (max(value[i] + rebate, 1.0) / scale) ** (1.0 - gamma) / (1.0 - gamma)
                    w += mass[i] * utils
            w /= n
        else:
            for i in range(n):
                w += mass[i] * (value[i] + rebate) / max(income[i], scale)
        answers[p] = w
    return answers
