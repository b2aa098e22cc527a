"""Workers: skills, tastes for leisure, and populations drawn from published distributions."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from fisc.core import (
    DataError,
    DataWarning,
    check_array,
    check_is,
    check_number,
    check_option,
    check_seed,
    nearest,
    renamed,
)
from fisc.core.arrays import FloatArray
from fisc.core.frames import TableLike, as_frame
from fisc.economist.arrays import checked_array, checked_weights, person_quantile
from fisc.economist.calibration import PAPER_COST, STANDARD_HOURS
from fisc.economist.earnings import sample_incomes
from fisc.economist.inversion import Inversion, free_income_at_rates, invert_schedule, skill_and_cost
from fisc.economist.options import DEFAULT_POPULATION, Calibration, ObservedCalibration, Population
from fisc.economist.personas import Persona, draw_personas
from fisc.economist.schedule import TaxSchedule
from fisc.economist.sorted_population import SortedPopulation, why_not_sorted

__all__ = ["Workers"]

#: Largest curvature: an elasticity of 1/99, beyond which powers of hours leave the range of floats.
STEEPEST = 100.0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Workers:
    r"""A population whose utility is :math:`u = z - T(z) + R/N - c\,l^{\delta}` with :math:`z = s\,l`.

    Parameters
    ----------
    skill : array_like, shape (n,)
        Annual income per weekly hour, s > 0: who works 40 hours a week earns ``40 * skill`` a year.
    cost : array_like, shape (n,), or float
        Weight c > 0 of the disutility of hours; one number stands for all.
    delta : float
        Curvature of the disutility, > 1. The elasticity of income with respect to the
        net-of-tax rate is 1/(delta - 1).
    max_hours : float
        Cap on weekly hours, > 0.
    hours_grid : array_like, shape (m,), optional
        If given, hours come from this increasing list only (none below 0 or above `max_hours`).
    personas : sequence of Persona, optional
        One for each worker, where a language model plays them or their tolerance of taxes matters.
    weights : array_like, shape (n,), optional
        People for whom each worker stands, not negative; 1 each if left out. Means, welfare, deciles,
        votes and surveys count people, so whole weights give what repeated workers give; a worker of
        weight 0 answers the tax, and nobody looks.

    Raises
    ------
    DataError
        If the population is empty, a skill or cost is not positive, a weight is negative or all are 0, or
        lengths disagree.

    Notes
    -----
    Utility is quasi-linear: there is no income effect on hours. Left out: savings, families,
    unemployment, migration.

    Examples
    --------
    >>> workers = Workers(skill=[500.0, 2000.0], cost=0.02)
    >>> workers.n, workers.delta
    (2, 3.5)
    """

    skill: FloatArray
    cost: FloatArray
    delta: float
    max_hours: float
    hours_grid: FloatArray | None
    personas: tuple[Persona, ...] | None
    weights: FloatArray | None

    def __init__(
        self,
        skill: npt.ArrayLike,
        cost: npt.ArrayLike,
        delta: float = 3.5,
        max_hours: float = 100.0,
        hours_grid: npt.ArrayLike | None = None,
        personas: Sequence[Persona] | None = None,
        *,
        weights: npt.ArrayLike | None = None,
    ) -> None:
        skill_ = checked_array("skill", skill, what="incomes per weekly hour, one for each worker")
        if skill_.size == 0:
            raise DataError("the population is empty: skill has no entries; give at least one worker")
        disutility = "positive weights of the disutility of hours"
        cost_ = check_array("cost", cost, what=disutility, missing=True)
        cost_ = checked_array("cost", cost_ if cost_.ndim else np.full(skill_.size, cost_), what=disutility)
        if cost_.size != skill_.size:
            raise DataError(
                f"{skill_.size} skills but {cost_.size} costs; give a cost for each worker, or one number"
            )
        for name, array in (("skill", skill_), ("cost", cost_)):
            bad = np.flatnonzero(array <= 0.0)
            if bad.size:
                raise DataError(
                    f"{name} must be positive, got {array[bad[0]]:g} at position {bad[0]} "
                    f"({bad.size} such value(s)); drop workers who cannot earn"
                )
        delta = _checked_delta(delta)
        max_hours = check_number("max_hours", max_hours, above=0, what="a number of weekly hours")
        _check_powers(skill_, cost_, delta, max_hours)
        grid = None
        if hours_grid is not None:
            grid = checked_array("hours_grid", hours_grid, what="increasing weekly hours")
            if grid.size == 0 or (np.diff(grid) <= 0).any() or grid[0] < 0.0 or grid[-1] > max_hours:
                raise DataError(
                    f"hours_grid must increase within [0, {max_hours:g}], got {grid.tolist()!r:.80}; "
                    "sort it, drop repeats, or raise max_hours"
                )
            grid.flags.writeable = False
        if personas is not None and (not isinstance(personas, list | tuple)):
            raise DataError(
                f"personas is of type {type(personas).__name__}; give a list with a persona for each worker"
            )
        if personas is not None and len(personas) != skill_.size:
            raise DataError(f"{skill_.size} workers but {len(personas)} personas; give one for each worker")
        skill_.flags.writeable = False
        cost_.flags.writeable = False
        counted = None
        if weights is not None:
            counted = checked_weights(weights, skill_.size)
            counted.flags.writeable = False
        drawn = None if personas is None else tuple(personas)
        for field, value in zip(
            dataclasses.fields(self), (skill_, cost_, delta, max_hours, grid, drawn, counted), strict=True
        ):
            object.__setattr__(self, field.name, value)

    @classmethod
    @renamed(seed="random_state")
    def sample(
        cls,
        n: int,
        population: Population = DEFAULT_POPULATION,
        random_state: int = 0,
        calibration: Calibration = "common",
        personas: bool = False,
        *,
        delta: float = 3.5,
        max_hours: float = 100.0,
        hours_grid: npt.ArrayLike | None = None,
    ) -> Workers:
        """Draw a population that earns what people in the United States earn, under the tax they pay.

        Incomes are drawn from a published distribution, and turned into the workers who choose them under
        the federal schedule of 2024 (single filers, no deduction); see `from_frame`.

        Parameters
        ----------
        n : int
            Number of workers.
        population : {"gb2", "acs"}
            ``"gb2"``: the four-parameter distribution that the source paper fitted to ACS 2023
            incomes. ``"acs"``: rounded quantiles of workers' earnings with a Pareto tail, thinner at the
            bottom.
        random_state : int
            Same seed, same workers.
        calibration : {"common", "individual", "paper"}
            How an income is made of skill and cost of hours: see `from_frame`. ``"paper"`` takes income for
            skill, as the source paper does, and 0.0005 for the cost, which leaves nine in ten at the cap;
            for replication only.
        personas : bool
            If true, each worker also gets an occupation, age and sex that agree with the income.
        delta, max_hours, hours_grid
            As in `Workers`.

        Returns
        -------
        Workers

        Examples
        --------
        >>> from fisc.economist import respond
        >>> workers = Workers.sample(1000, random_state=1)
        >>> bool(30_000 < np.median(respond(workers, TaxSchedule.us_federal(2024)).income) < 50_000)
        True
        """
        check_option("calibration", calibration, get_args(Calibration))
        delta = _checked_delta(delta)
        max_hours = check_number("max_hours", max_hours, above=0, what="a number of weekly hours")
        rng = np.random.default_rng(check_seed("random_state", random_state))
        income = sample_incomes(n, population, rng)
        drawn = None
        if check_option("personas", personas, (False, True)):
            drawn = draw_personas(income, rng)
        if calibration == "paper":
            return cls(income / STANDARD_HOURS, PAPER_COST, delta, max_hours, hours_grid, drawn)
        law = TaxSchedule.us_federal(2024)
        found = invert_schedule(income, law.edges, law.rates, delta)
        skill, cost = skill_and_cost(found, delta, max_hours, calibration=calibration)
        return cls(skill, cost, delta, max_hours, hours_grid, drawn)

    @classmethod
    def from_frame(
        cls,
        frame: TableLike,
        *,
        income: str,
        weight: str | None = None,
        marginal_rate: str | None = None,
        schedule: TaxSchedule | None = None,
        elasticity: float = 0.4,
        max_hours: float = 100.0,
        calibration: ObservedCalibration = "common",
    ) -> Workers:
        r"""Find the people who would choose the incomes of a survey under the tax they faced.

        Who chooses income z at marginal rate :math:`\tau` would earn :math:`z/(1-\tau)^e` without tax.

        Parameters
        ----------
        frame : table
            A row for each person, of any table library.
        income : str
            Column of annual earnings, above 0: leave out who does not work.
        weight : str, optional
            Column of the people for whom each row stands; 1 each if left out.
        marginal_rate : str, optional
            Column of the marginal rate that each faced, a fraction below 1 (negative where credits grow
            with earnings).
        schedule : TaxSchedule, optional
            The tax on these earnings, where the table holds no rates. People at an edge where the rate
            rises are spread over the types who bunch there; incomes that nobody would choose, because the
            rate falls there, move to the nearest one that somebody would.
        elasticity : float
            e: of income with respect to the net-of-tax rate, above 0 and at most 10.
        max_hours : float
            As in `Workers`.
        calibration : {"common", "individual"}
            ``"common"``: an hour costs everybody the same, and the person of median income works 40 of
            them; who would need more than the cap without tax has more skill instead. ``"individual"``:
            everybody works 40 hours.

        Returns
        -------
        Workers
            In the order of the rows.

        Raises
        ------
        DataError
            If a column is missing, an income is not above 0 or is missing, a rate is 1 or more, or neither
            or both of `marginal_rate` and `schedule` are given.

        Warns
        -----
        DataWarning
            If incomes lie at kinks, or where nobody would choose them; it counts both.

        References
        ----------
        Saez, E. (2001). Using elasticities to derive optimal income tax rates. Review of Economic
        Studies 68, 205-229. doi:10.1111/1467-937X.00166

        Examples
        --------
        >>> survey = pd.DataFrame({"wages": [20_000.0, 60_000.0], "people": [900.0, 300.0], "rate": [0.2, 0.3]})
        >>> workers = Workers.from_frame(
        ...     survey, income="wages", weight="people", marginal_rate="rate", elasticity=0.25
        ... )
        >>> workers.people, workers.free_income.round().tolist()
        (1200.0, [21147.0, 65596.0])
        """
        table = as_frame("frame", frame, what="a row for each person")
        elasticity = check_number("elasticity", elasticity, above=0, most=10)
        delta = _checked_delta(1.0 + 1.0 / elasticity)
        max_hours = check_number("max_hours", max_hours, above=0, what="a number of weekly hours")
        check_option("calibration", calibration, get_args(ObservedCalibration))
        observed = _column(table, income, "annual earnings above 0")
        if observed.size == 0:
            raise DataError("frame has no rows; give at least one person")
        idle = np.flatnonzero(observed <= 0.0)
        if idle.size:
            raise DataError(
                f"{income} must be above 0, got {observed[idle[0]]:g} in row {idle[0]} ({idle.size} such); leave out "
                f"who does not work, like frame[frame[{income!r}] > 0]"
            )
        people = None
        if weight is not None:
            people = checked_weights(_column(table, weight, "numbers of people"), observed.size)
        if (marginal_rate is None) == (schedule is None):
            raise DataError(
                "give either marginal_rate, the column of the rates that people faced, or schedule, the tax on "
                "these earnings: incomes tell who people are only together with their tax"
            )
        if marginal_rate is not None:
            rate = _column(table, marginal_rate, "marginal rates below 1")
            free = free_income_at_rates(observed, rate, elasticity)
            nobody = np.zeros(observed.size, dtype=np.bool_)
            found = Inversion(free, observed, nobody, nobody)
        else:
            law = check_is("schedule", schedule, TaxSchedule, how="build one with TaxSchedule(edges, rates)")
            found = invert_schedule(observed, law.edges, law.rates, delta, weights=people)
            _tell(found)
        skill, cost = skill_and_cost(found, delta, max_hours, calibration=calibration, weights=people)
        return cls(skill, cost, delta, max_hours, weights=people)

    @property
    def n(self) -> int:
        """Number of workers."""
        return int(self.skill.size)

    @property
    def people(self) -> float:
        """Number of people for whom the workers stand together."""
        return float(self.n) if self.weights is None else float(self.weights.sum())

    @property
    def elasticity(self) -> float:
        """Elasticity of an uncapped worker's income with respect to the net-of-tax rate."""
        return 1.0 / (self.delta - 1.0)

    @property
    def standard_income(self) -> FloatArray:
        """Annual income at 40 hours a week, shape (n,); welfare weights are built from it."""
        return STANDARD_HOURS * self.skill

    @cached_property
    def free_income(self) -> FloatArray:
        """Income A that each worker would choose without tax and without the cap, shape (n,)."""
        with np.errstate(over="ignore"):
            return self.skill * (self.skill / (self.cost * self.delta)) ** (1.0 / (self.delta - 1.0))

    @cached_property
    def kink_weight(self) -> FloatArray:
        """Factor Q = c s^-delta: the disutility of earning z is ``Q z ** delta``, shape (n,)."""
        return self.cost * self.skill**-self.delta

    @cached_property
    def sorted_people(self) -> SortedPopulation:
        """The workers in the order of their one type, where `why_not_sorted` finds no reason against it."""
        people = (self.skill, self.cost, self.delta, self.max_hours)
        return SortedPopulation.of(*people, weights=self.weights)

    def why_not_sorted(self, lowest_rate: float = 0.0) -> str | None:
        """Return why the workers differ in more than one number at rates from `lowest_rate` on, or None."""
        people = (self.skill, self.cost, self.delta, self.max_hours)
        return why_not_sorted(*people, hours_grid=self.hours_grid, lowest_rate=lowest_rate)

    def subset(self, index: npt.ArrayLike) -> Workers:
        """Return the workers at `index`, positions or a truth value for each, in that order."""
        rows = np.arange(self.n)[np.asarray(index)]
        personas = None if self.personas is None else tuple(self.personas[i] for i in rows.tolist())
        weights = None if self.weights is None else self.weights[rows]
        people = (self.skill[rows], self.cost[rows])
        return Workers(*people, self.delta, self.max_hours, self.hours_grid, personas, weights=weights)

    def spread_evenly(self, people: int) -> tuple[npt.NDArray[np.intp], FloatArray]:
        """Return positions of every so-many-th of the people by skill, and how many of `people` each stands for."""
        order = np.argsort(self.skill, kind="stable")
        weights = np.ones(self.n) if self.weights is None else self.weights
        reached = np.cumsum(weights[order])
        places = np.searchsorted(reached, (np.arange(people) + 0.5) * reached[-1] / people, side="right")
        picks, counts = np.unique(order[places], return_counts=True)
        return picks, counts.astype(np.float64)

    def with_weights(self, weights: npt.ArrayLike | None) -> Workers:
        """Return the same workers, standing for other numbers of people, shape (n,)."""
        people = (self.skill, self.cost, self.delta, self.max_hours)
        return Workers(*people, self.hours_grid, self.personas, weights=weights)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each worker: skill, cost, standard_income, and weight and persona if there are any."""
        columns = {"skill": self.skill, "cost": self.cost, "standard_income": self.standard_income}
        if self.weights is not None:
            columns["weight"] = self.weights
        frame = pd.DataFrame(columns)
        if self.personas is None:
            return frame
        return frame.join(pd.DataFrame([dataclasses.asdict(p) for p in self.personas]))

    def summary(self) -> str:
        """Return a paragraph on the population."""
        p10, p50, p90 = person_quantile(self.standard_income, [0.1, 0.5, 0.9], self.weights)
        hours = "any hours" if self.hours_grid is None else f"{self.hours_grid.size} choices of hours"
        counted = "" if self.weights is None else f" for {self.people:,.0f} people"
        return (
            f"{self.n:,} workers{counted}; income at 40 hours: p10 {p10:,.0f}, median {p50:,.0f}, p90 {p90:,.0f}; "
            f"elasticity {self.elasticity:.3g}; {hours} up to {self.max_hours:g} a week"
        )

    def __repr__(self) -> str:
        return f"Workers({self.summary()})"


def _column(table: pd.DataFrame, name: str, what: str) -> FloatArray:
    """Return a column as finite floats, shape (n,), or raise a DataError."""
    if name not in table.columns:
        guess = nearest(name, [str(column) for column in table.columns])
        hint = f"did you mean {guess!r}?" if guess else f"it has {', '.join(map(str, table.columns))}"
        raise DataError(f"frame has no column {name!r}; {hint}")
    return checked_array(name, table[name], what=what)


def _tell(found: Inversion) -> None:
    """Warn of incomes that do not tell the type of who earns them."""
    kinks, holes = int(found.at_kink.sum()), int(found.unexplained.sum())
    if kinks or holes:
        warnings.warn(
            f"of {found.income.size:,} incomes {kinks:,} lie at a kink of the schedule (spread over the types who "
            f"bunch there) and {holes:,} where nobody would choose them (moved to the nearest that somebody would)",
            DataWarning,
            stacklevel=3,
        )


def _checked_delta(delta: float) -> float:
    return check_number(
        "delta", delta, above=1, most=STEEPEST, what="a number (the elasticity is 1/(delta-1))"
    )


def _check_powers(skill: FloatArray, cost: FloatArray, delta: float, max_hours: float) -> None:
    """Refuse populations whose disutility c l^delta = c s^-delta z^delta leaves the range of floats."""
    with np.errstate(all="ignore"):
        held = [cost * skill**-delta, cost * max_hours**delta, (skill * max_hours) ** delta]
        good = np.all([np.isfinite(power) & (power > 0.0) for power in held], axis=0)
    if not good.all():
        i = int(np.flatnonzero(~good)[0])
        raise DataError(
            f"skill {skill[i]:g} and cost {cost[i]:g} at position {i} cannot be raised to the power delta={delta:g} "
            f"over {max_hours:g} hours; give incomes in other units, or a smaller delta"
        )
