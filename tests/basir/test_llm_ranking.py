"""Pairwise ranking by a language model: both orders, masks, the memorisation probe."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from fisc.basir import memorisation_probe, pairwise_ranking
from fisc.basir.ranking.llm_ranking import bradley_terry, mask_names
from fisc.data import DataError
from fisc.llm import Client, ScriptedModel

ORDER = ["Steel", "Cement", "Banks", "Tyres"]


def _asked(request: object) -> str:
    return " ".join(m.content for m in request.messages)  # type: ignore[attr-defined]


def _by_order(request: object) -> str:
    a, b = re.search(r"Sector A: (\w+)\s+Sector B: (\w+)", _asked(request)).groups()  # type: ignore[union-attr]
    return json.dumps({"better": "A" if ORDER.index(a) < ORDER.index(b) else "B"})


def test_a_consistent_model_gives_its_order() -> None:
    out = pairwise_ranking(
        Client(ScriptedModel(_by_order)), "Duty on steel falls.", ["Tyres", "Banks", "Steel", "Cement"]
    )
    assert out.frame.index.tolist() == ORDER
    assert out.consistency == 1.0
    assert out.first_share == 0.5
    assert out.frame["strength"].sum() == pytest.approx(0.0, abs=1e-8)


def test_the_habit_of_choosing_the_first_cancels() -> None:
    out = pairwise_ranking(Client(ScriptedModel(lambda _: '{"better": "A"}')), "Text.", ORDER)
    assert out.first_share == 1.0
    assert out.consistency == 0.0
    assert np.allclose(out.frame["strength"], 0.0, atol=1e-8)


def test_years_persons_and_given_names_are_hidden() -> None:
    seen: list[str] = []

    def listen(request: object) -> str:
        seen.append(_asked(request))
        return '{"better": "A"}'

    pairwise_ranking(
        Client(ScriptedModel(listen)), "In 2021-22 Shri Rao helps Acme.", ORDER[:2], mask=["Acme"]
    )
    assert seen
    assert not any(w in text for text in seen for w in ("2021", "Rao", "Acme"))
    assert mask_names("In 1998, Acme", ["acme"]) == "In [YEAR], [NAME]"


def test_bradley_terry_recovers_strengths() -> None:
    truth = np.array([1.0, 0.2, -0.4, -0.8])
    p = 1 / (1 + np.exp(truth[None, :] - truth[:, None]))
    wins = 1000 * p * (1 - np.eye(4))
    assert np.allclose(bradley_terry(wins, prior=0.0), truth, atol=1e-6)


def test_the_probe_finds_a_model_that_knows_the_outcome() -> None:
    outcomes = {f"S{i}": (-1.0) ** i for i in range(12)}

    def recall(request: object) -> str:
        number = int(re.search(r"did S(\d+)", _asked(request)).group(1))  # type: ignore[union-attr]
        return json.dumps({"direction": "up" if number % 2 == 0 else "down"})

    knows = Client(ScriptedModel(recall))
    assert memorisation_probe(knows, "2020-02-01", outcomes)["p_value"] < 0.001
    guesses = memorisation_probe(
        Client(ScriptedModel(lambda _: '{"direction": "up"}')), "2020-02-01", outcomes
    )
    assert guesses["accuracy"] == 0.5
    assert guesses["p_value"] > 0.5


def test_errors() -> None:
    client = Client(ScriptedModel(lambda _: "no"), reasks=0)
    with pytest.raises(DataError, match="needs at least two"):
        pairwise_ranking(client, "Text.", ["Steel"])
    with pytest.raises(DataError, match="gave no usable answer"):
        pairwise_ranking(client, "Text.", ORDER[:2])
    with pytest.raises(DataError, match="all outcomes are zero"):
        memorisation_probe(client, "2020-02-01", {"Steel": 0.0})
