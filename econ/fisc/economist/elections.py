"""Elections: candidates with platforms, exact voters, plurality or Borda, and who gains or loses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from fisc.core import check_number, check_option, check_whole
from fisc.core.arrays import FloatArray
from fisc.economist.arrays import mean_by_decile, person_mean
from fisc.economist.criteria import Criterion
from fisc.economist.objective import WelfareOfRates
from fisc.economist.options import Motive, Ties, VotingRule
from fisc.economist.population import Workers
from fisc.economist.response import respond
from fisc.economist.schedule import TaxSchedule
from fisc.economist.search import pattern_search
from fisc.report import Result

__all__ = ["Election", "count_votes", "hold_election", "platform"]

#: Workers whose answers a candidate considers when writing a platform.
SAMPLE = 500


@dataclass(frozen=True, eq=False)
class Election(Result):
    """One election and what it did.

    Attributes
    ----------
    candidates : tuple of int
        Positions of the workers who stood.
    platforms : ndarray, shape (C, K)
        Rates that each promises.
    scores : ndarray, shape (C,)
        Votes (plurality) or points (Borda).
    winner : int
        Index into `candidates`.
    tied : int
        How many shared the highest score.
    winners_share, losers_share : float
        Share of people whose utility rises or falls by more than 1 unit of money a year.
    gain_by_decile : ndarray, shape (10,)
        Mean change of utility by decile of skill, poorest first.
    """

    candidates: tuple[int, ...]
    platforms: FloatArray
    scores: FloatArray
    winner: int
    tied: int
    winners_share: float
    losers_share: float
    gain_by_decile: FloatArray

    @property
    def law(self) -> FloatArray:
        """Rates of the winner, shape (K,)."""
        return np.asarray(self.platforms[self.winner])

    def summary(self) -> str:
        """Return who won, and who gains."""
        return (
            f"worker {self.candidates[self.winner]} wins with {self.scores[self.winner]:g} of "
            f"{self.scores.sum():g} ({len(self.candidates)} candidates); {100 * self.winners_share:.0f} % gain, "
            f"{100 * self.losers_share:.0f} % lose; poorest tenth {self.gain_by_decile[0]:+,.0f}, "
            f"richest tenth {self.gain_by_decile[-1]:+,.0f}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each candidate: worker, score, elected, and the promised rates."""
        frame = pd.DataFrame(
            self.platforms, columns=[f"rate_{k + 1}" for k in range(self.platforms.shape[1])]
        )
        frame.insert(0, "elected", np.arange(len(self.candidates)) == self.winner)
        frame.insert(0, "score", self.scores)
        frame.insert(0, "worker", self.candidates)
        return frame


def count_votes(
    utility: FloatArray, rule: VotingRule = "plurality", weights: FloatArray | None = None
) -> FloatArray:
    """Return the score of each platform when everybody votes by own utility.

    From utility (C, n) of each worker under each platform to scores (C,): one vote for the best
    (plurality), or C - 1 points for the best, C - 2 for the next, ... (Borda). Who is indifferent
    between platforms splits the vote, or the points, among them. A worker has a vote for each of the
    people for whom it stands (`weights`, (n,)).

    >>> count_votes(np.array([[3.0, 1.0, 1.0], [2.0, 2.0, 2.0], [1.0, 3.0, 2.0]]))
    array([1. , 0.5, 1.5])
    >>> count_votes(np.array([[3.0, 1.0, 1.0], [2.0, 2.0, 2.0], [1.0, 3.0, 2.0]]), "borda")
    array([2. , 3.5, 3.5])
    """
    check_option("rule", rule, get_args(VotingRule))
    people = np.ones(utility.shape[1]) if weights is None else weights
    if rule == "plurality":
        best = utility == utility.max(axis=0)
        return np.asarray((best / best.sum(axis=0)) @ people)
    below = (utility[:, None, :] > utility[None, :, :]).sum(axis=1)
    level = (utility[:, None, :] == utility[None, :, :]).sum(axis=1) - 1
    return np.asarray((below + level / 2.0) @ people)


def platform(
    workers: Workers,
    edges: npt.ArrayLike,
    law: FloatArray,
    candidate: int,
    criterion: Criterion,
    *,
    motive: Motive = "selfish",
    reach: float = 0.2,
) -> FloatArray:
    """Return the rates that a candidate (a position among the workers) promises, shape (K,).

    No rate moves by more than `reach` from those in force (`law`, shape (K,)). A selfish candidate
    maximises the own utility, a benevolent one the criterion, over a sample of the population.
    """
    check_option("motive", motive, get_args(Motive))
    picks, people = _sample(workers, candidate)
    rule = criterion
    if motive == "selfish":
        rule = Criterion("weighted", weights=(picks == candidate).astype(np.float64))
    elif criterion.name == "weighted":
        rule = Criterion("weighted", weights=criterion.fixed_weights(workers)[picks])
    objective = WelfareOfRates(workers.subset(picks).with_weights(people), edges, rule)
    low, high = np.clip(law - reach, 0.0, 1.0), np.clip(law + reach, 0.0, 1.0)

    def within(points: FloatArray) -> FloatArray:
        return objective(low + points * (high - low))

    start = (law - low) / np.maximum(high - low, 1e-12)
    point, _ = pattern_search(within, start, step=0.25, smallest=0.02)
    return np.asarray(low + point * (high - low))


def _sample(workers: Workers, candidate: int) -> tuple[npt.NDArray[np.intp], FloatArray | None]:
    """Return positions of every so-many-th person by skill, and of the candidate, and the people each stands for."""
    if workers.n <= SAMPLE:
        return np.arange(workers.n), workers.weights
    picks, people = workers.spread_evenly(SAMPLE)
    if candidate in picks:
        return picks, people
    return np.append(picks, candidate), np.append(people, 1.0)


def hold_election(
    workers: Workers,
    schedule: TaxSchedule,
    criterion: Criterion,
    rng: np.random.Generator,
    *,
    candidates: int = 5,
    rule: VotingRule = "plurality",
    ties: Ties = "random",
    motive: Motive = "selfish",
    reach: float = 0.2,
) -> Election:
    """Let workers stand, promise, vote, and count.

    Candidates are drawn at random; each writes a `platform`; every worker ranks the platforms by
    the exact own utility when all others answer exactly too.

    Parameters
    ----------
    workers, schedule
        The electorate, and the schedule in force.
    criterion : Criterion
        Of benevolent candidates.
    rng : numpy Generator
        Draws candidates and breaks ties.
    candidates : int
        How many stand, from 2 to n.
    rule, motive, reach
        See `count_votes` and `platform`.
    ties : {"random", "first"}
        A draw among those level, or the one who stood first.

    Returns
    -------
    Election

    Examples
    --------
    >>> workers = Workers.sample(50, seed=3)
    >>> law = TaxSchedule([0, 60_000], [0.2, 0.3])
    >>> result = hold_election(workers, law, Criterion("log"), np.random.default_rng(0), candidates=3)
    >>> len(result.candidates), bool(np.isclose(result.scores.sum(), 50))
    (3, True)
    """
    check_option("rule", rule, get_args(VotingRule))
    check_option("ties", ties, get_args(Ties))
    reach = check_number("reach", reach, above=0, most=1, what="the largest change of a rate, a number")
    present = workers.n if workers.weights is None else int(np.count_nonzero(workers.weights))
    candidates = check_whole("candidates", candidates, least=2, most=present)
    share = None if workers.weights is None else workers.weights / workers.weights.sum()
    standing = rng.choice(workers.n, size=candidates, replace=False, p=share)
    platforms = np.array(
        [
            platform(workers, schedule.edges, schedule.rates, int(i), criterion, motive=motive, reach=reach)
            for i in standing
        ]
    )
    utility = np.array([respond(workers, schedule.with_rates(rates)).utility for rates in platforms])
    scores = count_votes(utility, rule, workers.weights)
    level = np.flatnonzero(scores >= scores.max() - 1e-9)
    winner = int(level[0]) if ties == "first" else int(rng.choice(level))
    gain = utility[winner] - respond(workers, schedule).utility
    return Election(
        candidates=tuple(int(i) for i in standing),
        platforms=platforms,
        scores=scores,
        winner=winner,
        tied=int(level.size),
        winners_share=person_mean(gain > 1.0, workers.weights),
        losers_share=person_mean(gain < -1.0, workers.weights),
        gain_by_decile=mean_by_decile(gain, workers.skill, workers.weights),
    )
