"""Compiled gradient of welfare by the rates, over sorted workers.

The envelope theorem's: a worker's own response changes revenue only. Where a rate falls, somebody is
indifferent between two incomes; those people's jump between them is added with their density, so that
the gradient is that of a large population. The steps are those of `fisc.economist.sorted_kernels`.
"""

from __future__ import annotations

import numpy as np

from fisc.core.arrays import FloatArray, IntArray
from fisc.economist.sorted_kernels import (
    AT_KINK,
    CONST,
    HIGH,
    INSIDE,
    KEEP,
    LINEAR,
    LOW,
    RATE,
    RAWLS,
    SHARE,
    bracket_rows,
    choose,
    compiled,
    earned,
    first_above,
    income_within,
    mean_revenue,
    split,
    total_power,
    value_line,
)  # fmt: skip

__all__ = ["gradient"]


@compiled
def _marginal(
    types: FloatArray,
    row: FloatArray,
    region: IntArray,
    rebate: float,
    cost_at_cap: float,
    family: int,
    gamma: float,
    scale: float,
    mass: FloatArray,
    sums: FloatArray,
    welfare_sums: FloatArray,
    small: FloatArray,
    large: FloatArray,
) -> tuple[float, float]:
    """Return the sum of marginal social utility over a region, and that of it times income."""
    kind, a, b = region[1], region[2], region[3]
    if family == LINEAR:
        return welfare_sums[b, 0] - welfare_sums[a, 0], earned(row, kind, a, b, welfare_sums)
    if family == RAWLS:
        return (1.0, income_within(types[0], row)) if a == 0 else (0.0, 0.0)
    slope, shift = value_line(row, kind, cost_at_cap)
    slope, shift = slope / scale, (shift + rebate) / scale
    x = types[:, kind]
    first = first_above(x, slope, shift, 1.0 / scale, a, b)
    social = total_power(x, kind, first, b, slope, shift, -gamma, mass, small, large)
    if kind == AT_KINK:
        return social / scale, social * row[HIGH] / scale
    if gamma == 1.0:
        with_u = sums[b, 0] - sums[first, 0]
    else:
        with_u = total_power(x, kind, first, b, slope, shift, 1.0 - gamma, mass, small, large)
    with_x = (with_u - shift * social) / slope
    unit = row[SHARE] if kind == INSIDE else 1.0
    return social / scale, with_x * unit / scale


@compiled
def _jump_density(types: FloatArray, sums: FloatArray, at: int) -> float:
    """Return the mass of people per unit of log A near a worker."""
    n = types.shape[0]
    reach = 4 + n // 400
    a, b = max(0, at - reach), min(n - 1, at + reach)
    spread = np.log(types[b, 0] / types[a, 0])
    return (sums[b, 0] - sums[a, 0]) / spread if spread > 0.0 else 0.0


@compiled
def _jumps(
    types: FloatArray,
    rows: FloatArray,
    chosen: IntArray,
    start: IntArray,
    count: int,
    delta: float,
    sums: FloatArray,
    slope_of_revenue: FloatArray,
) -> None:
    """Add what revenue gains from people who are indifferent between two brackets and change over."""
    incomes, slopes = np.empty(2), np.empty(2)
    for c in range(1, count):
        # The last who stays below: where the rate rises, the next bracket's best is its lower edge to him,
        # where he is, and nobody jumps.
        at, k = start[c] - 1, chosen[c]
        if at < 0 or chosen[c - 1] < 0:
            continue
        paid = 0.0
        for side in range(2):
            row = rows[chosen[c - 1 + side]]
            z = income_within(types[at], row)
            incomes[side] = z
            # Derivative of value by log A: less effort for the same income, or a higher cap.
            capped = z >= types[at, 1]
            slopes[side] = (
                row[KEEP] * z * (delta - 1.0) / delta if capped else (delta - 1.0) * types[at, 2] * z**delta
            )
            paid += (2 * side - 1) * (row[RATE] * z - row[CONST])
        if incomes[1] - incomes[0] < 1e-9 * incomes[1] or slopes[1] <= slopes[0]:
            continue
        leaving = paid * _jump_density(types, sums, at) / (slopes[1] - slopes[0])
        for m in range(chosen[c - 1], k + 1):
            between = min(incomes[1], rows[m, HIGH]) - max(incomes[0], rows[m, LOW])
            slope_of_revenue[m] -= leaving * max(between, 0.0)


@compiled
def gradient(
    edges: FloatArray,
    rates: FloatArray,
    delta: float,
    cost_at_cap: float,
    types: FloatArray,
    mass: FloatArray,
    sums: FloatArray,
    welfare_sums: FloatArray,
    small: FloatArray,
    large: FloatArray,
    family: int,
    gamma: float,
    scale: float,
    jumps: bool,
) -> FloatArray:
    """Return the derivative of welfare by each rate, shape (K,), for the families but LIVE.

    Arguments as in `welfare_batch`. Without `jumps` the derivative is that of this very population
    between two of its jumps.
    """
    size = edges.size
    chosen, start = np.empty(size + 1, np.int64), np.empty(size + 1, np.int64)
    regions = np.empty((3 * size, 4), np.int64)
    rows = bracket_rows(edges, rates, delta)
    count = choose(types, rows, cost_at_cap, chosen, start)
    found = split(types, rows, chosen, start, count, regions)
    rebate = mean_revenue(rows, regions, found, sums)
    # Per bracket: people, their income, marginal social utility, that times income.
    held = np.zeros((size, 4))
    by_rate = np.zeros(size)  # of revenue
    idle = regions[0, 2] if found else mass.size
    if family == LINEAR:
        social = welfare_sums[idle, 0]
    elif family == RAWLS:
        social = 1.0 if idle > 0 else 0.0
    else:
        u = rebate / scale
        social = sums[idle, 0] * u**-gamma / scale if u > 1.0 / scale else 0.0
    for r in range(found):
        k, kind, a, b = regions[r, 0], regions[r, 1], regions[r, 2], regions[r, 3]
        row = rows[k]
        income = earned(row, kind, a, b, sums)
        one, with_income = _marginal(
            types, row, regions[r], rebate, cost_at_cap, family, gamma, scale, mass, sums, welfare_sums, small, large
        )  # fmt: skip
        held[k, 0] += sums[b, 0] - sums[a, 0]
        held[k, 1] += income
        held[k, 2] += one
        held[k, 3] += with_income
        social += one
        if kind == INSIDE:  # income falls by e z / (1 - rate)
            by_rate[k] -= row[RATE] * income / ((delta - 1.0) * row[KEEP])
    if jumps:
        _jumps(types, rows, chosen, start, count, delta, sums, by_rate)
    answer = np.empty(size)
    people, weight = 0.0, 0.0  # above the bracket
    for k in range(size - 1, -1, -1):
        low = rows[k, LOW]
        width = rows[k, HIGH] - low if k + 1 < size else 0.0
        by_rate[k] += held[k, 1] - low * held[k, 0] + width * people
        answer[k] = social * by_rate[k] - (held[k, 3] - low * held[k, 2] + width * weight)
        people += held[k, 0]
        weight += held[k, 2]
    return answer
