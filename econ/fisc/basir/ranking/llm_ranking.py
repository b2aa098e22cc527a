"""Ranking sectors by asking a language model about pairs, with both orders and masked names."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel
from scipy import stats

import fisc.llm as llm
from fisc.core import DataError, FloatArray, Provenance, record
from fisc.report import Result, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fisc.llm import Client

__all__ = ["PairwiseRanking", "bradley_terry", "mask_names", "memorisation_probe", "pairwise_ranking"]

_YEAR = re.compile(r"\b(?:19|20)\d{2}(?:\s*[-–]\s*(?:\d{4}|\d{2}))?\b")
_PERSON = re.compile(r"\b(?:Shri|Smt\.?|Shrimati|Dr\.?|Mr\.?|Mrs\.?)\s+(?:[A-Z][\w.]*\s?){1,4}")


@dataclasses.dataclass(frozen=True)
class PairwiseRanking(Result):
    """Strengths of sectors by a language model's choices between pairs.

    Attributes
    ----------
    frame : DataFrame
        Indexed by sector, best first: rank, strength (log odds, mean zero), wins, games.
    consistency : float
        Share of pairs that got the same answer in both orders, 0..1; 0.5 is a coin.
    first_share : float
        Share of answers that chose the sector named first; 0.5 if position does not matter.
    unanswered : int
        Questions without a usable answer; they count for neither.
    provenance : Provenance
    """

    frame: pd.DataFrame
    consistency: float
    first_share: float
    unanswered: int
    provenance: Provenance

    def summary(self) -> str:
        """Return the order and how far the answers can be trusted."""
        order = ", ".join(self.frame.index[:5])
        return (
            f"best: {order}\n{self.consistency:.0%} of pairs answered alike in both orders, "
            f"{self.first_share:.0%} for the one "
            f"named first, {self.unanswered} without an answer"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each sector, best first."""
        return self.frame

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the strengths."""
        with style.context():
            ax = style.axes_of(ax, 6.0, 0.26 * len(self.frame) + 0.9)
            shown = self.frame.iloc[::-1]
            ax.plot(shown["strength"], range(len(shown)), "o", color=style.COLOURS[0])
            ax.axvline(0, color=style.MUTED, linewidth=0.8)
            ax.set_yticks(range(len(shown)), list(shown.index))
            ax.set_xlabel("strength, log odds")
        return ax


def pairwise_ranking(
    client: Client, text: str, sectors: Sequence[str], *, mask: Sequence[str] = (), max_words: int = 1500
) -> PairwiseRanking:
    """Ask a language model, pair by pair and in both orders, which sector a text helps more.

    Both orders cancel the habit of choosing what is named first. Years and names of persons are masked,
    and `mask` takes further words, so that the model reads the text and does not recall the outcome; use
    `memorisation_probe` to see whether it does all the same.

    Parameters
    ----------
    client : fisc.llm.Client
    text : str
        Speech, or its paragraphs on the sectors; cut after `max_words`.
    sectors : sequence of str
        Two or more.
    mask : sequence of str
        Names of firms, schemes and so on to hide.
    max_words : int

    Returns
    -------
    PairwiseRanking

    Raises
    ------
    DataError
        If fewer than two sectors are given, or no question was answered.

    References
    ----------
    Bradley and Terry (1952), Rank analysis of incomplete block designs, Biometrika 39.
    """
    names = list(dict.fromkeys(sectors))
    if len(names) < 2:
        raise DataError(f"{len(names)} sectors given; a comparison needs at least two")

    class Choice(BaseModel):
        better: Literal["A", "B"]

    masked = mask_names(" ".join(text.split()[:max_words]), mask)
    pairs = [(i, j) for i, j in itertools.permutations(range(len(names)), 2)]
    questions = [
        [
            llm.system(
                "You compare what a budget text means for two sectors. "
                'Answer with JSON {"better": "A"} or {"better": "B"}.'
            ),
            llm.user(
                f"Text:\n{masked}\n\nSector A: {names[i]}\nSector B: {names[j]}\n"
                "Shares of which sector should do better in the week after this text, relative to the market?"
            ),
        ]
        for i, j in pairs
    ]
    answers = client.ask_all(questions, Choice, max_tokens=64)
    wins = np.zeros((len(names), len(names)))
    chosen: dict[tuple[int, int], int] = {}
    first = 0
    for (i, j), answer in zip(pairs, answers, strict=True):
        if answer.value is None:
            continue
        winner = i if answer.value.better == "A" else j
        first += winner == i
        chosen[i, j] = winner
        wins[winner, j if winner == i else i] += 1
    if not chosen:
        raise DataError("the language model gave no usable answer; look at the client's ledger")
    return _result(names, wins, chosen, first, len(pairs), masked)


def _result(
    names: list[str],
    wins: FloatArray,
    chosen: Mapping[tuple[int, int], int],
    first: int,
    asked: int,
    masked: str,
) -> PairwiseRanking:
    both = [
        (i, j)
        for i, j in itertools.combinations(range(len(names)), 2)
        if (i, j) in chosen and (j, i) in chosen
    ]
    same = sum(chosen[i, j] == chosen[j, i] for i, j in both)
    strength = bradley_terry(wins)
    frame = pd.DataFrame(
        {
            "strength": strength,
            "wins": wins.sum(axis=1).astype(int),
            "games": (wins + wins.T).sum(axis=1).astype(int),
        },
        index=pd.Index(names, name="sector"),
    ).sort_values("strength", ascending=False, kind="stable")
    frame.insert(0, "rank", range(1, len(frame) + 1))
    return PairwiseRanking(
        frame, same / len(both) if both else float("nan"), first / len(chosen), asked - len(chosen),
        record(options={"sectors": names}, inputs={"masked text": masked}),
    )  # fmt: skip


def bradley_terry(wins: npt.ArrayLike, *, prior: float = 0.5, tolerance: float = 1e-10) -> FloatArray:
    """Return strengths s with P(i beats j) = 1 / (1 + exp(s_j - s_i)), by Hunter's MM iteration.

    ``wins[i, j]`` counts how often i beat j; `prior` imagined wins each way in every pair keep an unbeaten
    sector finite. Log strengths have mean zero.

    References
    ----------
    Hunter (2004), MM algorithms for generalized Bradley-Terry models, Annals of Statistics 32.

    Examples
    --------
    >>> bradley_terry([[0, 3], [1, 0]], prior=0.0).round(4).tolist()
    [0.5493, -0.5493]
    """
    w = np.asarray(wins, dtype=float)
    n = len(w)
    w = w + prior * (1 - np.eye(n))
    games = w + w.T
    p = np.ones(n)
    for _ in range(10_000):
        shares = games / (p[:, None] + p[None, :])
        np.fill_diagonal(shares, 0.0)
        new = w.sum(axis=1) / shares.sum(axis=1)
        new /= np.exp(np.log(new).mean())
        change = float(np.abs(np.log(new) - np.log(p)).max())
        p = new
        if change < tolerance:
            break
    return np.log(p)


def mask_names(text: str, names: Sequence[str] = ()) -> str:
    """Hide years, titled persons and the given names.

    Examples
    --------
    >>> mask_names("In 2021-22 Shri A. Rao supports Acme Steel.", ["Acme"])
    'In [YEAR] [PERSON]supports [NAME] Steel.'
    """
    out = _PERSON.sub("[PERSON]", _YEAR.sub("[YEAR]", text))
    for name in sorted(names, key=len, reverse=True):
        out = re.sub(re.escape(name), "[NAME]", out, flags=re.IGNORECASE)
    return out


def memorisation_probe(client: Client, date: str, outcomes: Mapping[str, float]) -> dict[str, float]:
    """Ask a model for a past outcome without showing it the text.

    Parameters
    ----------
    client : fisc.llm.Client
    date : str
        Day of the budget.
    outcomes : mapping of str to float
        What each sector did on that day, for instance abnormal returns.

    Returns
    -------
    dict
        asked, right, accuracy, p_value (one-sided binomial against a coin): a small p-value means that the
        model knows the outcome, so that this budget cannot test it.

    Raises
    ------
    DataError
        If no outcome differs from zero, or no question was answered.
    """

    class Direction(BaseModel):
        direction: Literal["up", "down"]

    known = {name: value for name, value in outcomes.items() if value}
    if not known:
        raise DataError("all outcomes are zero or none is given; the probe needs their signs")
    questions = [
        [
            llm.system('Answer from memory with JSON {"direction": "up"} or {"direction": "down"}.'),
            llm.user(
                f"On {date}, the day of the Indian budget, did {name} shares do better (up) or worse "
                f"(down) than the market?"
            ),
        ]
        for name in known
    ]
    answers = client.ask_all(questions, Direction, max_tokens=64)
    hits = [
        (a.value.direction == "up") == (value > 0)
        for a, value in zip(answers, known.values(), strict=True)
        if a.value is not None
    ]
    if not hits:
        raise DataError("the language model gave no usable answer; look at the client's ledger")
    right = int(sum(hits))
    return {
        "asked": len(hits), "right": right, "accuracy": right / len(hits),
        "p_value": float(stats.binomtest(right, len(hits), alternative="greater").pvalue),
    }  # fmt: skip
