"""Personas: occupation, age and sex drawn together, so that they agree with each other and with the income."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from fisc.core import Record
from fisc.core.arrays import FloatArray
from fisc.data import load_occupations
from fisc.data.population import load_employment_by_age

__all__ = ["Persona", "draw_personas", "joint_shares"]

# Our own rough figures, used only to decide who goes with whom: how much more an occupation or an
# age earns (logarithm), in the order of the published tables.
_OCCUPATION_PREMIUM = np.array([0.55, 0.45, -0.50, -0.05, -0.15, -0.45, 0.05, 0.10, -0.10, -0.15])
_AGE_PREMIUM = np.array([-1.2, -0.5, 0.0, 0.15, 0.18, 0.10, -0.20])
_WITHIN = 0.55
# Relative odds of finding the young (16-19, 20-24) and those over 65 in an occupation.
_YOUNG = np.array([0.03, 0.05, 3.0, 2.5, 1.0, 1.0, 0.5, 0.4, 0.7, 1.2])
_EARLY = np.array([0.25, 0.5, 1.8, 1.5, 1.2, 1.0, 1.0, 0.9, 1.0, 1.2])
_OLD = np.array([1.3, 1.1, 0.9, 1.1, 1.1, 1.8, 0.6, 0.6, 0.7, 1.1])
_LAST_AGE = 74


@dataclass(frozen=True)
class Persona(Record):
    """Who a worker is.

    The occupation is one of the ten groups of the Current Population Survey; above a net tax (tax less
    rebate) of `tax_tolerance` as a share of income the worker is dissatisfied.
    """

    occupation: str
    age: int
    sex: Literal["man", "woman"]
    tax_tolerance: float

    def describe(self) -> str:
        """Return a few words for a prompt.

        Examples
        --------
        >>> Persona("Sales and related", 34, "woman", 0.3).describe()
        'woman, 34, sales and related'
        """
        return f"{self.sex}, {self.age}, {self.occupation.lower()}"


@cache
def joint_shares() -> tuple[tuple[str, ...], tuple[tuple[int, int], ...], FloatArray]:
    """Return occupations, age ranges, and the share of each (sex, occupation, age), shape (2, 10, 7).

    The shares of occupations within each sex and of ages are those published; the rest follows by
    iterative proportional fitting from rough odds of finding the young and the old in an occupation.

    References
    ----------
    US Bureau of Labor Statistics, Current Population Survey, annual averages 2022 (table 10) and
    2024 (table 3).
    """
    jobs, ages = load_occupations(), load_employment_by_age()
    men, women = 84_203.0, 74_089.0  # thousands employed, 2022
    by_sex = np.stack(
        [jobs["share_men_2022_pct"].to_numpy(float), jobs["share_women_2022_pct"].to_numpy(float)]
    )
    by_sex = by_sex / by_sex.sum(axis=1, keepdims=True) * np.array([[men], [women]]) / (men + women)
    by_age = ages["share_pct"].to_numpy(float) / ages["share_pct"].sum()
    odds = np.ones((by_sex.shape[1], by_age.size))
    odds[:, 0], odds[:, 1], odds[:, -1] = _YOUNG, _EARLY, _OLD
    table = by_sex[:, :, None] * (odds * by_age)[None, :, :]
    for _ in range(200):
        table *= (by_sex / table.sum(axis=2))[:, :, None]
        table *= by_age / table.sum(axis=(0, 1))
    upper = ages["age_to"].fillna(_LAST_AGE).to_numpy(int)
    ranges = tuple((int(a), int(b)) for a, b in zip(ages["age_from"], upper, strict=True))
    return tuple(jobs["occupation"]), ranges, table


def draw_personas(income: FloatArray, rng: np.random.Generator) -> tuple[Persona, ...]:
    """Draw a persona for each income.

    As many people as incomes (at 40 hours a week, shape (n,)) are drawn from `joint_shares`; each gets
    a score from occupation, age and chance; the highest score goes with the highest income, and so on.

    >>> people = draw_personas(np.array([20_000.0, 250_000.0]), np.random.default_rng(0))
    >>> len(people)
    2
    """
    occupations, ranges, table = joint_shares()
    cells = rng.choice(table.size, size=income.size, p=table.ravel() / table.sum())
    sex, job, band = np.unravel_index(cells, table.shape)
    score = _OCCUPATION_PREMIUM[job] + _AGE_PREMIUM[band] + rng.normal(0.0, _WITHIN, income.size)
    by_income = np.argsort(income, kind="stable")
    drawn = np.empty(income.size, dtype=np.intp)
    drawn[by_income] = np.argsort(score, kind="stable")
    low, high = np.array(ranges).T
    age = rng.integers(low[band], high[band] + 1)
    tolerance = np.clip(rng.normal(0.30, 0.12, income.size), 0.02, 0.9)
    sexes: tuple[Literal["man"], Literal["woman"]] = ("man", "woman")
    return tuple(
        Persona(occupations[job[i]], int(age[i]), sexes[sex[i]], round(float(tolerance[i]), 3))
        for i in drawn.tolist()
    )
