"""Social welfare: how the utilities of a population become one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from fisc.core import DataError, check_array, check_is, check_number, check_option, is_number
from fisc.core.arrays import FloatArray
from fisc.economist.arrays import checked_array, person_mean
from fisc.economist.options import AnyCriterion, CriterionName
from fisc.economist.population import Workers
from fisc.economist.response import Outcome

__all__ = ["CRITERIA", "Criterion", "criterion_of", "gap_closed", "welfare"]

#: Utility in money below which log and crra do not look: one unit a year.
FLOOR = 1.0

CRITERIA: dict[str, str] = {
    "inverse_income": "mean of w u with w = 1/(income at 40 hours), scaled to mean 1; fixed in advance",
    "log": "mean of ln max(u, 1)",
    "utilitarian": "mean of u; its optimum is no tax at all",
    "rawls": "smallest u",
    "crra": "mean of (max(u, 1)/1e4)^(1-gamma)/(1-gamma), times 1e4 where gamma is 2",
    "paper_live": "sum of u / max(z, 1), weights from CURRENT income: gameable, for replication only",
    "paper_live1000": "the same with income floored at 1000: still gameable",
}

# Names under which the reference cases know the same criteria.
_ALIASES = {"invinc_fixed": "inverse_income", "crra2": "crra"}


@dataclass(frozen=True, eq=False)
class Criterion:
    """A welfare criterion with its parameters.

    Parameters
    ----------
    name : str
        A key of `CRITERIA`, or ``"weighted"`` with weights of your own.
    weights : ndarray, shape (n,), optional
        For ``"weighted"``: what a unit of each worker's utility counts, not negative; scaled to mean 1.
    gamma : float
        For ``"crra"``: aversion to inequality, positive and not 1 (that is ``"log"``).

    Examples
    --------
    >>> Criterion("crra", gamma=3.0).gamma
    3.0
    """

    name: AnyCriterion
    weights: FloatArray | None = None
    gamma: float = 2.0

    def __post_init__(self) -> None:
        name = _ALIASES.get(self.name, self.name) if isinstance(self.name, str) else self.name
        object.__setattr__(self, "name", check_option("criterion", name, get_args(AnyCriterion)))
        if not (is_number(self.gamma) and self.gamma > 0.0 and self.gamma != 1.0):
            raise DataError(
                f"gamma must be positive and not 1 (use criterion='log' there), got {self.gamma!r}"
            )
        if self.name == "weighted":
            if self.weights is None:
                raise DataError("criterion 'weighted' needs weights, one for each worker")
            weights = checked_array("weights", self.weights, what="welfare weights, none negative")
            if weights.size == 0 or weights.min() < 0.0 or weights.sum() <= 0.0:
                raise DataError("weights must not be negative and not all zero")
            mean = weights.mean()
            if abs(mean - 1.0) > 1e-12:  # once scaled, they keep their bits
                weights = weights / mean
            object.__setattr__(self, "weights", weights)
        elif self.weights is not None:
            raise DataError(
                f"criterion {self.name!r} takes no weights; use Criterion('weighted', weights=...)"
            )

    @property
    def scale(self) -> float:
        """Money unit of crra (1e4), or floor of income in the live criteria."""
        return {"paper_live": 1.0, "paper_live1000": 1000.0}.get(self.name, 1e4)

    @property
    def code(self) -> str:
        """Name of the compiled formula, a key of ``kernels.CODES``."""
        linear = ("inverse_income", "utilitarian", "weighted")
        if self.name in linear:
            return "weighted"
        return "live" if self.name.startswith("paper_live") else self.name

    def fixed_weights(self, workers: Workers) -> FloatArray:
        """Return the weights set in advance, mean 1 over people, shape (n,); all 1 if the criterion has none."""
        if self.name == "inverse_income":
            raw = 1.0 / workers.standard_income
            return np.asarray(raw / person_mean(raw, workers.weights))
        if self.name == "weighted":
            assert self.weights is not None
            if self.weights.size != workers.n:
                raise DataError(f"{self.weights.size} weights for {workers.n} workers; give one for each")
            if workers.weights is None:
                return self.weights
            mean = person_mean(self.weights, workers.weights)
            if not mean > 0.0:
                raise DataError(
                    "the criterion weighs nobody who is there: its weights are 0 wherever those of the workers "
                    "are not; give weight to somebody whom the workers stand for"
                )
            return self.weights / mean
        return np.ones(workers.n)

    def value(
        self,
        utility: FloatArray,
        income: FloatArray,
        weights: FloatArray,
        people: FloatArray | None = None,
    ) -> float:
        """Return welfare from utility (n,), current income (n,), `fixed_weights` (n,) and weights of people (n,)."""
        if self.code == "weighted":
            return person_mean(weights * utility, people)
        if self.code == "rawls":
            return float((utility if people is None else utility[people > 0.0]).min())
        if self.code == "live":
            count = utility.size if people is None else float(people.sum())
            return count * person_mean(utility / np.maximum(income, self.scale), people)
        floored = np.maximum(utility, FLOOR)
        if self.code == "log":
            return person_mean(np.log(floored), people)
        if self.gamma == 2.0:
            return -person_mean(self.scale / floored, people)
        return person_mean((floored / self.scale) ** (1.0 - self.gamma) / (1.0 - self.gamma), people)

    def marginal_weights(
        self,
        utility: FloatArray,
        income: FloatArray,
        weights: FloatArray,
        people: FloatArray | None = None,
    ) -> FloatArray:
        """Return what one unit of money to each worker adds, scaled to mean 1 over people, shape (n,).

        For ``"rawls"`` the worst-off 1 % (at least one worker) share the weight, so that a
        first-order condition does not hang on one person.
        """
        if self.code == "weighted":
            raw = weights
        elif self.code == "rawls":
            order = np.argsort(utility, kind="stable")
            if people is not None:
                order = order[people[order] > 0.0]
            reached = np.arange(1.0, order.size + 1.0) if people is None else np.cumsum(people[order])
            worst = max(1, int(np.searchsorted(reached, 0.01 * reached[-1], side="right")))
            raw = np.zeros(utility.size)
            raw[order[:worst]] = 1.0
        elif self.code == "live":
            raw = 1.0 / np.maximum(income, self.scale)
        else:
            power = 1.0 if self.code == "log" else self.gamma
            floored = np.maximum(utility, FLOOR)
            raw = (floored / floored.mean()) ** -power
        return np.asarray(raw / person_mean(raw, people))


def criterion_of(criterion: CriterionName | Criterion) -> Criterion:
    """Return `criterion` as an object; a name gets its default parameters."""
    return criterion if isinstance(criterion, Criterion) else Criterion(criterion)


def welfare(outcome: Outcome, workers: Workers, criterion: CriterionName | Criterion) -> float:
    """Return social welfare of an outcome.

    Parameters
    ----------
    outcome, workers
        What the workers do, from `respond`, and who they are: fixed weights come from their income at
        40 hours, never from what they earn now.
    criterion : str or Criterion
        One of `CRITERIA`.

    Returns
    -------
    float
        In units of money for inverse_income, utilitarian and rawls; in logs or utils otherwise.

    Examples
    --------
    >>> from fisc.economist import TaxSchedule, respond
    >>> workers = Workers([500.0, 1500.0], cost=0.02)
    >>> poor, rich = respond(workers, TaxSchedule.flat(0.3)).utility
    >>> bool(welfare(respond(workers, TaxSchedule.flat(0.3)), workers, "rawls") == poor)
    True
    """
    rule = criterion_of(criterion)
    check_is("outcome", outcome, Outcome, how="pass what respond() gave")
    check_is("workers", workers, Workers, how="build them with Workers(...) or Workers.sample(...)")
    if outcome.n != workers.n:
        raise DataError(
            f"the outcome holds {outcome.n} workers, the population {workers.n}; pass the pair that belongs"
        )
    return rule.value(outcome.utility, outcome.income, rule.fixed_weights(workers), workers.weights)


def gap_closed(value: npt.ArrayLike, start: float, best: float) -> FloatArray:
    """Return (value - start) / (best - start): 0 at the start policy, 1 at the optimum.

    Raises
    ------
    DataError
        If start and best do not differ, so that there is no gap.

    Examples
    --------
    >>> float(gap_closed(5.0, start=0.0, best=10.0))
    0.5
    """
    start, best = check_number("start", start), check_number("best", best)
    if not best > start:
        raise DataError(
            f"there is no gap to close: welfare at the optimum ({best:.8g}) does not exceed that of the "
            f"start ({start:.8g}); choose another criterion or another start"
        )
    with np.errstate(over="ignore"):
        closed = (check_array("value", value, what="welfare, a number or several") - start) / (best - start)
    return check_array("value in shares of a gap as small as this", closed)
