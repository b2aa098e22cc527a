"""Elections: counting by hand, ties, motives, and who gains."""

from __future__ import annotations

import numpy as np
import pytest

from fisc.data import DataError, OptionError
from fisc.economist import Criterion, Election, TaxSchedule, hold_election, respond
from fisc.economist.elections import count_votes, platform

LAW = TaxSchedule([0, 60_000], [0.2, 0.3])


def test_plurality_and_borda_can_differ() -> None:
    # Five voters, three platforms: the polarising first wins by plurality, the second by Borda.
    utility = np.array([[3, 3, 1, 1, 1], [2, 2, 3, 2, 2], [1, 1, 2, 3, 0]], dtype=float)
    assert count_votes(utility, "plurality").tolist() == [2.0, 2.0, 1.0]
    assert count_votes(utility, "borda").tolist() == [5.0, 7.0, 3.0]


def test_the_indifferent_split_their_vote() -> None:
    assert count_votes(np.ones((4, 8))).tolist() == [2.0] * 4
    assert count_votes(np.ones((3, 2)), "borda").tolist() == [2.0] * 3


def test_a_selfish_candidate_promises_what_serves_them(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(300)
    poor, rich = int(workers.skill.argmin()), int(workers.skill.argmax())
    for who in (poor, rich):
        promised = platform(workers, LAW.edges, LAW.rates, who, Criterion("log"))
        own = respond(workers, LAW.with_rates(promised)).utility[who]
        assert own > respond(workers, LAW).utility[who]
        assert np.abs(promised - LAW.rates).max() <= 0.2 + 1e-12
    towards_poor = platform(workers, LAW.edges, LAW.rates, poor, Criterion("log"))
    towards_rich = platform(workers, LAW.edges, LAW.rates, rich, Criterion("log"))
    assert towards_poor[1] > towards_rich[1]


def test_benevolent_candidates_agree(people) -> None:  # type: ignore[no-untyped-def]
    result = hold_election(
        people(80), LAW, Criterion("rawls"), np.random.default_rng(0), candidates=3, motive="benevolent"
    )
    assert np.ptp(result.platforms, axis=0).max() == 0.0
    assert result.tied == 3


def test_the_count_is_of_all_workers_and_gains_add_up(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(200)
    result = hold_election(workers, LAW, Criterion("log"), np.random.default_rng(3), rule="borda")
    assert result.scores.sum() == pytest.approx(200 * 10)
    assert result.scores[result.winner] == result.scores.max()
    gain = respond(workers, LAW.with_rates(result.law)).utility - respond(workers, LAW).utility
    assert result.gain_by_decile.mean() == pytest.approx(gain.mean())
    assert result.winners_share + result.losers_share <= 1.0
    again = Election.from_dict(result.to_dict())
    assert again.summary() == result.summary()
    assert result.to_frame()["elected"].sum() == 1


def test_ties_go_to_the_first_or_to_chance(people) -> None:  # type: ignore[no-untyped-def]
    options = {"candidates": 3, "motive": "benevolent"}
    winners = {
        hold_election(people(40), LAW, Criterion("rawls"), np.random.default_rng(s), **options).winner
        for s in range(12)
    }
    assert len(winners) > 1
    first = [
        hold_election(people(40), LAW, Criterion("rawls"), np.random.default_rng(s), ties="first", **options)
        for s in range(3)
    ]
    assert {result.winner for result in first} == {0}


def test_bad_elections_are_refused(people) -> None:  # type: ignore[no-untyped-def]
    workers, rng = people(10), np.random.default_rng(0)
    with pytest.raises(DataError, match="candidates=11; give a whole number of at least 2 and at most 10"):
        hold_election(workers, LAW, Criterion("log"), rng, candidates=11)
    with pytest.raises(OptionError, match="did you mean 'borda'"):
        hold_election(workers, LAW, Criterion("log"), rng, rule="bordas")
    with pytest.raises(DataError, match=r"reach=0\.0; give the largest change of a rate"):
        hold_election(workers, LAW, Criterion("log"), rng, reach=0.0)
