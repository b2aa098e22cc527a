r"""Compiled welfare of a schedule over sorted workers.

Two steps. `choose` finds who picks which bracket: two brackets' values cross once in the sorted
workers, so the brackets are entered one by one into an upper envelope, each by bisection. `split` cuts
each interval where the bracket's interior income reaches the cap on hours or the upper kink. Within such
a region utility is *linear in one column* x of the types, :math:`u = s x + d + R`: in A inside a bracket,
in the cap on income, or in Q at a kink. So linear criteria need two cumulative sums a region; for log and
powers, whole blocks contribute a short series in their moments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from fisc.core.arrays import FloatArray, IntArray
from fisc.economist.sorted_population import BLOCKS

__all__ = [
    "LINEAR",
    "LIVE",
    "POWER",
    "RAWLS",
    "bracket_rows",
    "choose",
    "compiled",
    "earned",
    "first_above",
    "income_within",
    "mean_revenue",
    "split",
    "total_power",
    "value_line",
    "welfare_batch",
]

F = TypeVar("F", bound=Callable[..., Any])

#: Families of criteria: fixed weights, log or power, the smallest utility, weights by current income.
LINEAR, POWER, RAWLS, LIVE = range(4)
#: Half-width of a block of utilities, relative to its centre, up to which its series is exact to 1e-16.
NARROW = 0.04
#: Columns of a bracket's row.
LOW, HIGH, RATE, KEEP, SHARE, GAIN, CONST, KINK = range(8)
#: Kinds of a region; equal to the column of the types in which utility is linear.
INSIDE, CAP, AT_KINK = range(3)


def compiled(function: F) -> F:
    """Compile without the interpreter's lock; the machine code is kept beside the module."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@compiled
def bracket_rows(edges: FloatArray, rates: FloatArray, delta: float) -> FloatArray:
    """Return one row a bracket: the constants that every worker in it shares, shape (K, 8)."""
    rows = np.empty((rates.size, 8))
    due = 0.0
    for k in range(rates.size):
        low, rate = edges[k], rates[k]
        high = edges[k + 1] if k + 1 < rates.size else np.inf
        keep = 1.0 - rate
        rows[k, LOW] = low
        rows[k, HIGH] = high
        rows[k, RATE] = rate
        rows[k, KEEP] = keep
        rows[k, SHARE] = keep ** (1.0 / (delta - 1.0))  # interior income / A
        rows[k, GAIN] = keep * (1.0 - 1.0 / delta)  # value of an interior income, per unit
        rows[k, CONST] = rate * low - due  # T(z) = rate z - const
        rows[k, KINK] = high**delta
        due += rate * (high - low)
    return rows


@compiled
def income_within(worker: FloatArray, row: FloatArray) -> float:
    """Return what a worker (A, cap, Q) would earn within a bracket, its ends included."""
    return float(max(row[LOW], min(worker[0] * row[SHARE], row[HIGH], worker[1])))


@compiled
def _value(worker: FloatArray, row: FloatArray, cost_at_cap: float) -> float:
    """Return the value of a worker's best income above a bracket's lower edge, -inf if there is none."""
    z = worker[0] * row[SHARE]
    high, cap = row[HIGH], worker[1]
    if z <= row[LOW] or cap <= row[LOW]:
        return -np.inf  # the bracket below offers its upper end as well
    if high < cap:
        if z >= high:
            return float(high * row[KEEP] + row[CONST] - worker[2] * row[KINK])
    elif z >= cap:
        return float(cap * row[KEEP] + row[CONST] - cost_at_cap)
    return float(z * row[GAIN] + row[CONST])


@compiled
def _better(i: int, k: int, other: int, types: FloatArray, rows: FloatArray, cost_at_cap: float) -> bool:
    """Say whether worker i strictly prefers bracket k to a lower one (-1: no work)."""
    rival = _value(types[i], rows[other], cost_at_cap) if other >= 0 else 0.0
    return _value(types[i], rows[k], cost_at_cap) > rival


@compiled
def choose(types: FloatArray, rows: FloatArray, cost_at_cap: float, chosen: IntArray, start: IntArray) -> int:
    """Fill the brackets that somebody picks and their first workers; return how many there are.

    Bracket -1 (no work, income 0) stands first, with nobody in it unless a rate is 1.
    """
    n = types.shape[0]
    chosen[0], start[0] = -1, 0
    count = 1
    for k in range(rows.shape[0]):
        first, end = 0, n
        while count > 0:
            rival, at = chosen[count - 1], start[count - 1]
            if _better(at, k, rival, types, rows, cost_at_cap):
                count -= 1  # bracket k takes all of the rival's workers
                first, end = at, at
                continue
            low, high = at + 1, end
            while low < high:
                middle = (low + high) // 2
                if _better(middle, k, rival, types, rows, cost_at_cap):
                    high = middle
                else:
                    low = middle + 1
            first = low
            break
        if first < n:
            chosen[count], start[count] = k, first
            count += 1
    return count


@compiled
def split(
    types: FloatArray, rows: FloatArray, chosen: IntArray, start: IntArray, count: int, regions: IntArray
) -> int:
    """Fill regions (bracket, kind, first worker, end); return how many there are. No work has none."""
    found = 0
    for c in range(count):
        k, a = chosen[c], start[c]
        b = start[c + 1] if c + 1 < count else types.shape[0]
        if k < 0 or a >= b:
            continue
        share, high = rows[k, SHARE], rows[k, HIGH]
        low, end = a, b
        while low < end:  # inside, then at the cap or the kink
            middle = (low + end) // 2
            if types[middle, 0] * share >= min(high, types[middle, 1]):
                end = middle
            else:
                low = middle + 1
        inside = low
        end = b
        while low < end:  # at the cap, then at the kink
            middle = (low + end) // 2
            if types[middle, 1] > high:
                end = middle
            else:
                low = middle + 1
        ends = (inside, low, b)
        for kind in range(3):
            if ends[kind] > a:
                regions[found, 0], regions[found, 1] = k, kind
                regions[found, 2], regions[found, 3] = a, ends[kind]
                found += 1
                a = ends[kind]
    return found


@compiled
def value_line(row: FloatArray, kind: int, cost_at_cap: float) -> tuple[float, float]:
    """Return slope and constant of value in the region's own column of the types."""
    if kind == INSIDE:
        return row[SHARE] * row[GAIN], row[CONST]
    if kind == CAP:
        return row[KEEP], row[CONST] - cost_at_cap
    return -row[KINK], row[HIGH] * row[KEEP] + row[CONST]


@compiled
def earned(row: FloatArray, kind: int, a: int, b: int, sums: FloatArray) -> float:
    """Return the weighted income of a region."""
    if kind == INSIDE:
        return float(row[SHARE] * (sums[b, 1] - sums[a, 1]))
    if kind == CAP:
        return float(sums[b, 2] - sums[a, 2])
    return float(row[HIGH] * (sums[b, 0] - sums[a, 0]))


@compiled
def mean_revenue(rows: FloatArray, regions: IntArray, found: int, sums: FloatArray) -> float:
    """Return the mean tax."""
    revenue = 0.0
    for r in range(found):
        row, kind, a, b = rows[regions[r, 0]], regions[r, 1], regions[r, 2], regions[r, 3]
        revenue += row[RATE] * earned(row, kind, a, b, sums) - row[CONST] * (sums[b, 0] - sums[a, 0])
    return revenue


@compiled
def first_above(x: FloatArray, slope: float, shift: float, floor: float, a: int, b: int) -> int:
    """Return the first worker of [a, b) whose slope * x + shift, which rises, reaches `floor`."""
    while a < b:
        middle = (a + b) // 2
        if slope * x[middle] + shift >= floor:
            b = middle
        else:
            a = middle + 1
    return a


@compiled
def _series(row: FloatArray, slope: float, shift: float, power: float) -> float:
    """Return a block's sum of mass * u**power (power 0: log u), or NaN where it is too wide."""
    centre = slope * row[0] + shift
    e = slope * row[1] / centre
    if not (centre > 0.0 and abs(e) < NARROW):
        return np.nan
    total, term = 0.0, e
    if power == 0.0:
        for k in range(1, row.size - 2):
            total += term * row[2 + k] / k
            term *= -e
            if abs(term) < 1e-17:
                break
        return float(row[2] * np.log(centre) + total)
    for k in range(1, row.size - 2):
        term *= (power - k + 1) / k
        total += term * row[2 + k]
        term *= e
        if abs(term) < 1e-17:
            break
    return float((1.0 / centre if power == -1.0 else centre**power) * (row[2] + total))


@compiled
def total_power(
    x: FloatArray,
    kind: int,
    a: int,
    b: int,
    slope: float,
    shift: float,
    power: float,
    mass: FloatArray,
    small: FloatArray,
    large: FloatArray,
) -> float:
    """Return the sum over [a, b) of mass * u**power, u = slope * x + shift > 0 (power 0: log u)."""
    fine, coarse = BLOCKS
    total = 0.0
    i = a
    while i < b:
        if i % coarse == 0 and i + coarse <= b:
            part = _series(large[i // coarse, kind], slope, shift, power)
            if part == part:
                total += part
                i += coarse
                continue
        if i % fine == 0 and i + fine <= b:
            part = _series(small[i // fine, kind], slope, shift, power)
            if part == part:
                total += part
                i += fine
                continue
        end = min(b, (i // fine + 1) * fine)
        for j in range(i, end):
            u = slope * x[j] + shift
            if power == 0.0:
                total += mass[j] * np.log(u)
            elif power == -1.0:
                total += mass[j] / u
            else:
                total += mass[j] * u**power
        i = end
    return total


@compiled
def _curved(
    types: FloatArray,
    rows: FloatArray,
    regions: IntArray,
    found: int,
    rebate: float,
    cost_at_cap: float,
    gamma: float,
    scale: float,
    mass: FloatArray,
    sums: FloatArray,
    small: FloatArray,
    large: FloatArray,
) -> float:
    """Return welfare by log (gamma 1) or power, utilities below 1 counting as 1."""
    power = 1.0 - gamma
    floor = 1.0 / scale
    at_floor = 0.0 if power == 0.0 else floor**power
    idle = regions[0, 2] if found else mass.size
    u = max(rebate / scale, floor)
    welfare = sums[idle, 0] * (np.log(u) if power == 0.0 else u**power)
    for r in range(found):
        k, kind, a, b = regions[r, 0], regions[r, 1], regions[r, 2], regions[r, 3]
        slope, shift = value_line(rows[k], kind, cost_at_cap)
        slope, shift = slope / scale, (shift + rebate) / scale
        x = types[:, kind]
        first = first_above(x, slope, shift, floor, a, b)
        welfare += at_floor * (sums[first, 0] - sums[a, 0])
        welfare += total_power(x, kind, first, b, slope, shift, power, mass, small, large)
    return float(welfare if power == 0.0 else welfare / power)


@compiled
def _live(
    types: FloatArray,
    rows: FloatArray,
    regions: IntArray,
    found: int,
    rebate: float,
    cost_at_cap: float,
    floor: float,
    sums: FloatArray,
    inverse: FloatArray,
) -> float:
    """Return the mean of utility over current income, the latter at least `floor`."""
    idle = regions[0, 2] if found else types.shape[0]
    welfare = sums[idle, 0] * rebate / floor
    for r in range(found):
        k, kind, a, b = regions[r, 0], regions[r, 1], regions[r, 2], regions[r, 3]
        slope, shift = value_line(rows[k], kind, cost_at_cap)
        shift += rebate
        if kind == AT_KINK:
            u = slope * (sums[b, 3] - sums[a, 3]) + shift * (sums[b, 0] - sums[a, 0])
            welfare += u / max(rows[k, HIGH], floor)
            continue
        unit = rows[k, SHARE] if kind == INSIDE else 1.0  # income = unit * x
        column = 1 + kind
        split = first_above(types[:, kind], unit, 0.0, floor, a, b)
        low = slope * (sums[split, column] - sums[a, column]) + shift * (sums[split, 0] - sums[a, 0])
        high = slope * (sums[b, 0] - sums[split, 0]) + shift * (inverse[b, column] - inverse[split, column])
        welfare += low / floor + high / unit
    return float(welfare)


@compiled
def _lowest(types: FloatArray, rows: FloatArray, cost_at_cap: float) -> float:
    """Return the value of the least able worker, which is the smallest."""
    lowest = 0.0
    for k in range(rows.shape[0]):
        lowest = max(lowest, _value(types[0], rows[k], cost_at_cap))
    return lowest


@compiled
def welfare_batch(
    edges: FloatArray,
    policies: FloatArray,
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
    revenues: FloatArray,
) -> FloatArray:
    """Return the welfare of each row of `policies` (P, K), and fill mean revenue, shape (P,).

    Arrays are those of a `SortedPopulation`; `welfare_sums` are the sums of the welfare weights
    (LINEAR) or the inverse sums (LIVE). `scale` is the unit of money (POWER) or the floor of income.
    """
    chosen = np.empty(edges.size + 1, np.int64)
    start = np.empty(edges.size + 1, np.int64)
    regions = np.empty((3 * edges.size, 4), np.int64)
    answers = np.empty(policies.shape[0])
    for p in range(policies.shape[0]):
        rows = bracket_rows(edges, policies[p], delta)
        count = choose(types, rows, cost_at_cap, chosen, start)
        found = split(types, rows, chosen, start, count, regions)
        rebate = mean_revenue(rows, regions, found, sums)
        revenues[p] = rebate
        if family == LINEAR:
            welfare = rebate * welfare_sums[mass.size, 0]
            for r in range(found):
                k, kind, a, b = regions[r, 0], regions[r, 1], regions[r, 2], regions[r, 3]
                slope, shift = value_line(rows[k], kind, cost_at_cap)
                welfare += slope * (welfare_sums[b, 1 + kind] - welfare_sums[a, 1 + kind])
                welfare += shift * (welfare_sums[b, 0] - welfare_sums[a, 0])
        elif family == POWER:
            welfare = _curved(
                types, rows, regions, found, rebate, cost_at_cap, gamma, scale, mass, sums, small, large
            )
        elif family == RAWLS:
            welfare = _lowest(types, rows, cost_at_cap) + rebate
        else:
            welfare = _live(types, rows, regions, found, rebate, cost_at_cap, scale, sums, welfare_sums)
        answers[p] = welfare
    return answers
