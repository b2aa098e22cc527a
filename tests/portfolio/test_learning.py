"""Training: reproducible, resumable, saved without pickles; it finds what is there."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from fisc.core import CorruptFileError, DataError, WriteError
from fisc.portfolio import (
    Agent,
    EpisodeOptions,
    Market,
    PortfolioEnv,
    PortfolioVecEnv,
    RLPortfolio,
    TrainOptions,
    backtest,
    rewards,
    selftest,
    train,
)
from fisc.portfolio.networks import NETWORKS, MarketView, NetworkOptions, PolicyNetwork, PortfolioPolicy
from fisc.portfolio.selftests import leak_test, with_other_future
from fisc.portfolio.simulation import Simulation
from fisc.portfolio.worlds import ar1_market, iid_market

SMALL: dict[str, Any] = {
    "network": "mlp",
    "window": 10,
    "episode": 16,
    "n_envs": 32,
    "steps": 4096,
    "evaluations": 4,
    "settings": {"n_steps": 16, "batch": 256},
}


@pytest.fixture(scope="module")
def market() -> Market:
    return ar1_market(600, 4, seed=3)


def weights_of(agent: Agent) -> dict[str, torch.Tensor]:
    return agent.network.state_dict()


def same_weights(first: Agent, second: Agent) -> bool:
    a, b = weights_of(first), weights_of(second)
    return all(torch.equal(a[name], b[name]) for name in a)


def test_same_seed_same_bits_and_global_state_is_left_alone(market: Market) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    first = train(market, **SMALL)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.rand(3), expected)
    assert same_weights(first, train(market, **SMALL))
    assert not same_weights(first, train(market, **SMALL, random_state=1))


def test_later_rows_do_not_reach_training(market: Market) -> None:
    first = train(market, rows=(0, 400), **SMALL)
    assert same_weights(first, train(with_other_future(market, 399), rows=(0, 400), **SMALL))
    assert not same_weights(first, train(with_other_future(market, 300), rows=(0, 400), **SMALL))


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_starts_at_its_base_and_moves(network: str, market: Market) -> None:
    options = NetworkOptions(network, 20)
    model = PolicyNetwork(options)
    policy = PortfolioPolicy(model, MarketView(market, options))
    held = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    assert (policy.logits(50, held) == 0).all()
    with torch.no_grad():
        model.asset_head[-1].weight.normal_()
    moved = policy.logits(50, held)
    assert not np.array_equal(moved, policy.logits(51, held))
    # Gradients reach every part of the trunk.
    view = MarketView(market, options)
    logits, values = model(view.gather(torch.arange(40, 60)), torch.rand(20, 9))
    with torch.no_grad():
        model.value_head[-1].weight.normal_()
    logits, values = model(view.gather(torch.arange(40, 60)), torch.rand(20, 9))
    (logits.square().sum() + values.sum()).backward()
    assert all(p.grad is not None for name, p in model.named_parameters() if name.startswith("trunk"))


@pytest.mark.parametrize("network", ["mlp", "eiie"])
def test_shared_networks_are_equivariant(network: str, market: Market) -> None:
    options = NetworkOptions(network, 20)
    torch.manual_seed(0)
    model = PolicyNetwork(options)
    with torch.no_grad():
        model.asset_head[-1].weight.normal_()
    order = [2, 0, 3, 1]
    names = [market.assets[i] for i in order]
    scale = MarketView(market, options).scale
    held = np.array([0.1, 0.2, 0.3, 0.15, 0.25])
    plain = PortfolioPolicy(model, MarketView(market, options, scale)).logits(60, held)
    turned = PortfolioPolicy(model, MarketView(market[names], options, scale)).logits(
        60, held[[0, *(i + 1 for i in order)]]
    )
    np.testing.assert_allclose(turned[1:], plain[1:][order], atol=1e-5)


def test_agent_is_saved_and_loaded_without_pickle(market: Market, tmp_path: Path) -> None:
    agent = train(market, **SMALL, base="inverse_volatility", base_window=50)
    folder = agent.save(tmp_path / "model")
    assert sorted(p.name for p in folder.iterdir()) == [
        "card.json",
        "curve.json",
        "manifest.json",
        "weights.safetensors",
    ]
    again = Agent.load(folder)
    assert again.card == agent.card
    assert again.curve.equals(agent.curve)
    first, second = (
        backtest(market, a.bind(market, 400), buy=0.001, sell=0.001, start=400).net_returns
        for a in (agent, again)
    )
    assert first.equals(second)
    card = json.loads((folder / "card.json").read_text())
    assert card["assets"] == list(market.assets)
    assert card["provenance"]["inputs"]["close"].startswith("sha256:")


def seal(folder: Path) -> None:
    """Make the manifest agree with the files, as somebody who means harm would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    files.pop("manifest.json")
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": files}))


@pytest.fixture(scope="module")
def saved(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(market, **SMALL).save(tmp_path_factory.mktemp("saved") / "model")


def test_weights_and_cards_of_two_agents_cannot_be_mixed(market: Market, saved: Path, tmp_path: Path) -> None:
    other = train(market, **SMALL, random_state=1).save(tmp_path / "other")
    for name in ("weights.safetensors", "card.json"):
        mixed = shutil.copytree(saved, tmp_path / f"with {name}")
        shutil.copy(other / name, mixed / name)
        with pytest.raises(CorruptFileError, match=rf"{name} is not the file that was saved"):
            Agent.load(mixed)


def damaged_cards() -> dict[str, Callable[[dict[str, Any]], object]]:
    return {
        "no object": lambda card: [card],
        "null": lambda card: None,
        "another schema": lambda card: {**card, "schema": "fisc.portfolio.AgentCard/99"},
        "a missing key": lambda card: {k: v for k, v in card.items() if k != "scale"},
        "a further key": lambda card: {**card, "__reduce__": "os.system"},
        "another type": lambda card: {**card, "lag": "0"},
        "another algorithm": lambda card: {**card, "algorithm": "builtins.eval"},
        "another network": lambda card: {**card, "network": {**card["network"], "network": "os"}},
        "a network of other keys": lambda card: {**card, "network": {"window": 10}},
        "a huge network": lambda card: {**card, "network": {**card["network"], "width": 10**12}},
        "a huge window": lambda card: {**card, "network": {**card["network"], "window": 10**12}},
        "a network as text": lambda card: {**card, "network": "mlp"},
        "no assets": lambda card: {**card, "assets": []},
        "an infinite scale": lambda card: {**card, "scale": [1e999]},
        "a null scale": lambda card: {**card, "scale": [None]},
    }


@pytest.mark.parametrize("harm", damaged_cards())
def test_a_damaged_card_is_refused_in_words(saved: Path, tmp_path: Path, harm: str) -> None:
    folder = shutil.copytree(saved, tmp_path / "model")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(damaged_cards()[harm](card)))
    with pytest.raises(CorruptFileError, match=r"card\.json"):
        Agent.load(folder)
    seal(folder)
    with pytest.raises(DataError):
        Agent.load(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("card.json", b"{"),
        ("card.json", b"\xff\xfe"),
        ("card.json", b"[" * 100_000),
        ("curve.json", b'{"columns": ["a"]}'),
        ("curve.json", b"3"),
        ("weights.safetensors", b""),
        ("weights.safetensors", b"cos\nsystem\n(S'touch ran'\ntR."),  # a pickle that would run a command
        ("weights.safetensors", b"\xff" * 200),
    ],
)
def test_a_damaged_file_is_refused_and_nothing_runs(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = shutil.copytree(saved, tmp_path / "model")
    (folder / name).write_bytes(content)
    seal(folder)
    with pytest.raises(DataError):
        Agent.load(folder)
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_shape_are_refused_even_with_a_manifest(
    market: Market, saved: Path, tmp_path: Path
) -> None:
    other = train(market, **{**SMALL, "width": 16, "steps": 512}).save(tmp_path / "other")
    folder = shutil.copytree(saved, tmp_path / "model")
    shutil.copy(other / "weights.safetensors", folder)
    seal(folder)
    with pytest.raises(CorruptFileError, match="do not fit its card"):
        Agent.load(folder)


def test_no_model_and_an_incomplete_model_are_said(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no folder .*trading agent"):
        Agent.load(tmp_path / "nothing")
    folder = shutil.copytree(saved, tmp_path / "model")
    (folder / "curve.json").unlink()
    seal(folder)
    with pytest.raises(DataError, match=r"curve\.json is missing"):
        Agent.load(folder)


def test_an_agent_is_not_saved_over_other_files(tmp_path: Path, saved: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(WriteError, match="choose another folder"):
        Agent.load(saved).save(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_model_of_other_assets_is_refused(market: Market) -> None:
    agent = train(market, **SMALL)
    with pytest.raises(DataError, match="trained on 4 assets and the market has 3"):
        agent.bind(market[list(market.assets[:3])], 100)
    with pytest.raises(DataError, match="differ in their order"):
        agent.bind(market[list(market.assets[::-1])], 100)
    with pytest.raises(DataError, match="looks back 10 closes"):
        agent.bind(market, 3)


def test_weak_evidence_keeps_the_base_and_strong_evidence_leaves_it(market: Market) -> None:
    quiet = train(iid_market(600, 4), **SMALL, evidence=0.001)
    assert quiet.card.departed is False
    assert "validation gave no reason" in quiet.summary()
    free = train(iid_market(600, 4), **{**SMALL, "steps": 8192}, evidence=1.0)
    assert free.card.departed is (free.card.validation["agent"] > free.card.validation["start"])


CHILD = """
import sys
from fisc.portfolio import train
from fisc.portfolio.worlds import ar1_market
import json
options = json.loads(sys.argv[2])
def slow(row):
    print(int(row["steps"]), flush=True)
    import time; time.sleep(0.02)
train(ar1_market(600, 4, seed=3), checkpoint=sys.argv[1], progress=slow, **options)
"""


def test_killed_training_goes_on_to_the_same_weights(market: Market, tmp_path: Path) -> None:
    options = {**SMALL, "steps": 16_384, "evaluations": 16, "patience": 100}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "model"), json.dumps(options)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) >= 8000:
            os.kill(child.pid, signal.SIGKILL)
            break
    assert child.wait() == -signal.SIGKILL
    folder = tmp_path / "model.checkpoint"
    assert {p.name for p in folder.iterdir()} == {"manifest.json", "run.json", "tensors.safetensors"}
    seen: list[float] = []
    resumed = train(
        market, **options, checkpoint=tmp_path / "model", progress=lambda row: seen.append(row["steps"])
    )
    assert seen[0] > 4000  # it went on, it did not start again
    straight = train(market, **options)
    assert same_weights(resumed, straight)
    assert resumed.curve.equals(straight.curve)
    with pytest.raises(DataError, match="belongs to a run on other data or with other options"):
        train(market, **{**options, "random_state": 9}, checkpoint=tmp_path / "model")
    resumed.save(tmp_path / "model")  # beside its checkpoint
    whole = json.loads((folder / "run.json").read_text())
    for harm in (
        {},
        {**whole, "judge": [1.0]},
        {**whole, "generator": {"bit_generator": "os.system", "state": 1}},
        {**whole, "curve": 3},
        {**whole, "iteration": "many"},
    ):
        (folder / "run.json").write_text(json.dumps(harm))
        with pytest.raises(CorruptFileError, match=r"damaged .*delete it to start again"):
            train(market, **options, checkpoint=tmp_path / "model")
        seal(folder)
        with pytest.raises(CorruptFileError, match=r"damaged .*delete it to start again"):
            train(market, **options, checkpoint=tmp_path / "model")


def test_ppo_finds_a_planted_signal_quickly() -> None:
    world = ar1_market(1600, 6, phi=-0.3, seed=1)
    agent = train(
        world,
        rows=(0, 1200),
        network="mlp",
        window=10,
        steps=32_768,
        buy=0.0,
        sell=0.0,
        settings={"n_steps": 16},
    )
    result = backtest(world, agent.bind(world, 1200), buy=0.0, sell=0.0, start=1200)
    equal = backtest(world, lambda history: [0.0] + [1 / 6] * 6, buy=0.0, sell=0.0, start=1200)
    assert result.metrics()["sharpe"] > equal.metrics()["sharpe"] + 2


@pytest.mark.parametrize("algorithm", ["sb3-ppo", "trpo", "sac"])
def test_other_algorithms_train_the_same_networks(algorithm: str, market: Market, tmp_path: Path) -> None:
    small = {**SMALL, "settings": None, "steps": 512, "n_envs": 16, "evaluations": 2, "evidence": 1.0}
    small["settings"] = (
        {"gradient_steps": 1, "learning_starts": 64, "batch_size": 32} if algorithm == "sac" else None
    )
    agent = train(market, algorithm=algorithm, **small)
    assert len(agent.curve) >= 1
    again = Agent.load(agent.save(tmp_path))
    runs = [
        backtest(market, a.bind(market, 500), buy=0.0, sell=0.0, start=500).net_returns
        for a in (agent, again)
    ]
    assert runs[0].equals(runs[1])
    assert same_weights(agent, train(market, algorithm=algorithm, **small))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"algorithm": "pppo"}, "did you mean 'ppo'"),
        ({"network": "cnn"}, "network='cnn'"),
        ({"base": "equals"}, "did you mean 'equal'"),
        ({"stepz": 5}, "did you mean 'steps'"),
        ({"steps": 0}, "steps=0"),
        ({"buy": 1.5}, r"outside \[0, 1\)"),
        ({"validation": 0.0}, "validation=0.0"),
        ({"settings": {"gama": 0.5}}, "did you mean 'gamma'"),
        ({"settings": {"gamma": 1.5}}, "gamma=1.5"),
        ({"episode": 5000}, "longer than the data"),
        ({"window": 5000}, "validation"),
        ({"rows": (0, 5000)}, "not a span"),
        ({"reward": "sharp_ratio"}, "is not an option"),
    ],
)
def test_bad_options(options: dict[str, Any], words: str, market: Market) -> None:
    with pytest.raises(DataError, match=words):
        train(market, **{**SMALL, **options})


def test_rewards_all_train(market: Market) -> None:
    for name in rewards.NAMES:
        agent = train(market, **{**SMALL, "steps": 1024}, reward=name)
        assert agent.card.reward == name


def test_leaks_are_found_in_policies_that_peek(market: Market) -> None:
    class Peeks:
        name = "peeks"

        def bind(self, world: Market, start: int) -> Any:
            class Rule:
                def decide(self, t: int, weights: Any) -> Any:
                    best = world.close[min(t + 1, len(world) - 1)] / world.close[t]
                    return np.concatenate([[0.0], best / best.sum()])

            return Rule()

    assert leak_test(Peeks(), market, t=200, start=50) == ["decision", "weights"]


def test_selftest_reports_failures() -> None:
    result = selftest("planted", seeds=1, steps=2048)
    assert not result.passed
    assert "2 of 2 checks failed" in result.summary()
    again = type(result).from_dict(json.loads(json.dumps(result.to_dict())))
    assert again.checks.equals(result.checks)
    with pytest.raises(DataError, match="did you mean 'leak'"):
        selftest("leaks")


@pytest.mark.slow
def test_selftest_passes() -> None:
    result = selftest()
    assert result.passed, result.summary()


def test_options_are_the_same_everywhere_and_seed_is_an_older_name() -> None:
    said = {f.name: f.default for f in dataclasses.fields(TrainOptions)}
    shared = {f.name: f.default for f in dataclasses.fields(EpisodeOptions)}
    for function in (train, RLPortfolio, RLPortfolio.train_agent):
        shown = inspect.signature(function).parameters
        assert {name: shown[name].default for name in said} == said, function
    for kind in (PortfolioVecEnv, PortfolioEnv, Simulation):
        shown = inspect.signature(kind).parameters
        assert {name: shown[name].default for name in shared} == shared, kind
    market = iid_market(200, 3, seed=2)
    assert (market.close == iid_market(200, 3, random_state=2).close).all()
    with pytest.raises(TypeError, match="random_state twice"):
        train(market, seed=1, random_state=1)


def test_the_estimator_keeps_what_it_was_given_and_checks_it_when_fitted(market: Market) -> None:
    model = RLPortfolio("sac", "vit", settings={"a": 1}, reward=rewards.Reward(eta=0.1), n_seeds=2)
    again = clone(model)
    assert again.get_params() == model.get_params()
    assert again.reward is not None
    assert RLPortfolio(steps=0).set_params(window=7).get_params()["window"] == 7
    assert repr(RLPortfolio(steps=5)) == "RLPortfolio(steps=5)"
    with pytest.raises(DataError, match="steps=0"):
        RLPortfolio(steps=0).fit(market)
    with pytest.raises(TypeError, match="stepz"):
        RLPortfolio(stepz=0)
