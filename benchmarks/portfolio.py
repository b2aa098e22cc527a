"""Portfolio environment and PPO against an environment written per step, in CPU seconds.

The floor is a gymnasium environment that works in the manner of the reference system (prices
sliced and divided at every step, weights through a clipped softmax, geometric growth, the
running Sharpe ratio over a list of returns, an info dictionary of some forty keys), stepped by
stable-baselines3's DummyVecEnv and trained by its PPO. Both run here, on one thread.

Run: ``python benchmarks/portfolio.py [--short] [--json FILE]``
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pandas as pd
import torch
from stable_baselines3 import PPO as SB3PPO
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from fisc.portfolio import Market, PortfolioVecEnv
from fisc.portfolio.networks import MarketView, NetworkOptions, PolicyNetwork
from fisc.portfolio.ppo import PPO, PPOOptions
from fisc.portfolio.simulation import Simulation

ASSETS, DATES, WINDOW, FIELDS, EPISODE = 10, 3535, 50, 4, 128
COST = 0.0025


def make_market(seed: int = 0) -> Market:
    """Return ten synthetic stocks with close, high, low and open over 3,535 days."""
    rng = np.random.default_rng(seed)
    close = 10 * np.exp(rng.normal(0.0003, 0.018, (DATES, ASSETS)).cumsum(axis=0))
    spread = np.abs(rng.normal(0, 0.008, close.shape))
    return Market.from_prices(close, high=close * (1 + spread), low=close * (1 - spread), open=close)


class PerStepEnv(gymnasium.Env):
    """One portfolio, one step at a time, in the manner of the reference system.

    A dictionary of price window and weights, a record of everything known at every step, and the
    market's value computed from the whole record each time.
    """

    def __init__(self, market: Market) -> None:
        fields = [market.close, market.high, market.low, market.open]
        self.prices = np.stack([np.asarray(f) for f in fields], axis=2).transpose(1, 0, 2)
        self.names, self.dates = market.assets, pd.bdate_range("2010-03-17", periods=len(market))
        self.action_space = gymnasium.spaces.Box(0.0, 1.0, (ASSETS + 1,), np.float32)
        self.observation_space = gymnasium.spaces.Dict(
            {
                "history": gymnasium.spaces.Box(-10, 20, (ASSETS, WINDOW, FIELDS), np.float32),
                "weights": gymnasium.spaces.Box(0, 1, (ASSETS + 1,), np.float32),
            }
        )

    def _observe(self) -> dict[str, Any]:
        first = self.start + self.step_no
        window = self.prices[:, first : first + WINDOW, :].copy()
        window /= window[:, -1:, :1]
        return {"history": window.astype(np.float32), "weights": self.weights.astype(np.float32)}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode on a random day."""
        super().reset(seed=seed)
        self.start = int(self.np_random.integers(0, DATES - WINDOW - EPISODE - 2))
        self.step_no, self.value = 0, 1.0
        self.weights = np.array([1.0, *[0.0] * ASSETS])
        self.record: list[dict[str, Any]] = []
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Earn with the old weights, pay for the new ones, write everything down."""
        target = np.clip(action, 0, 1)
        target = target / target.sum()
        row = self.start + self.step_no + WINDOW
        y = np.concatenate([[1.0], self.prices[:, row, 0] / self.prices[:, row - 1, 0]])
        drifted = y * self.weights / (y @ self.weights)
        cost = COST * np.abs(drifted[1:] - target[1:]).sum()
        before = self.value
        self.value = before * (1 - cost) * np.exp(np.sum(self.weights * np.log(y)))
        returns = np.array([0.0, *(past["log_return"] for past in self.record), np.log(self.value / before)])
        sharpe = np.sqrt(252) * returns.mean() / (returns.std() + 1e-7)
        self.weights = target
        self.step_no += 1
        info: dict[str, Any] = {
            "reward": sharpe / EPISODE,
            "log_return": returns[-1],
            "portfolio_value": self.value,
            "return": y[1:].mean(),
            "rate_of_return": self.value / before - 1,
            "weights_mean": target.mean(),
            "weights_std": target.std(),
            "cost": cost,
            "date": self.dates[row].timestamp(),
            "steps": self.step_no,
        }
        for i, name in enumerate(self.names):
            info["price_" + name] = self.prices[i, row, 0]
            info["weight_" + name] = target[i + 1]
            info["relative_" + name] = y[i + 1]
        info["market_value"] = np.cumprod([past["return"] for past in [*self.record, info]])[-1]
        self.record.append(info)
        return self._observe(), sharpe / EPISODE, False, self.step_no >= EPISODE, info


class SoftmaxActions(gymnasium.ActionWrapper):
    """Clipped logits through a softmax."""

    def action(self, action: Any) -> Any:
        """Return weights."""
        exponent = np.exp(np.clip(action, 0, 1))
        return exponent / exponent.sum()


class Image(gymnasium.ObservationWrapper):
    """Fields first, and the risky weights as a further row: (fields, window + 1, assets)."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self.observation_space = gymnasium.spaces.Box(-10, 20, (FIELDS, WINDOW + 1, ASSETS), np.float32)

    def observation(self, observation: Any) -> Any:
        """Return the image."""
        image = np.transpose(observation["history"], (2, 1, 0))
        weights = np.broadcast_to(observation["weights"][1:], (FIELDS, 1, ASSETS))
        return np.concatenate([weights, image], axis=1)


def floor_env(market: Market) -> gymnasium.Env:
    """Return the floor with its wrappers."""
    return Image(SoftmaxActions(PerStepEnv(market)))


class SmallCNN(BaseFeaturesExtractor):
    """Two 3 x 3 convolutions with 16 and 32 channels: some one million multiplications."""

    def __init__(self, space: gymnasium.spaces.Box) -> None:
        super().__init__(space, 128)
        self.layers = nn.Sequential(
            nn.Conv2d(FIELDS, 16, 3, stride=(2, 1)),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=(2, 1)),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():
            size = self.layers(torch.zeros(1, *space.shape)).shape[1]
        self.last = nn.Linear(size, 128)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return features."""
        return torch.relu(self.last(self.layers(image)))


class SameNetwork(ActorCriticPolicy):
    """The package's EIIE network on the images of the environment written per step."""

    def _build(self, lr_schedule: Any) -> None:
        self.core = PolicyNetwork(NetworkOptions("eiie", WINDOW, FIELDS))
        self.action_dist = DiagGaussianDistribution(ASSETS + 1)
        self.optimizer = self.optimizer_class(
            self.core.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs
        )

    def _evaluate(self, image: torch.Tensor) -> tuple[Any, torch.Tensor]:
        seen = image[:, :, 1:].permute(0, 3, 2, 1) - 1.0
        weights = image[:, 0, 0]
        cash = 1.0 - weights.sum(dim=1, keepdim=True)
        tail = torch.cat([cash, weights, torch.zeros(len(image), 4)], dim=1)
        logits, values = self.core(seen, tail)
        return self.action_dist.proba_distribution(logits, self.core.log_std.expand(ASSETS + 1)), values[
            :, None
        ]

    def forward(self, obs: Any, deterministic: bool = False) -> Any:
        """Return actions, values, log probabilities."""
        distribution, values = self._evaluate(obs)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, values, distribution.log_prob(actions)

    def evaluate_actions(self, obs: Any, actions: Any) -> Any:
        """Return values, log probabilities, entropies."""
        distribution, values = self._evaluate(obs)
        return values, distribution.log_prob(actions), distribution.entropy()

    def predict_values(self, obs: Any) -> Any:
        """Return values."""
        return self._evaluate(obs)[1]


def rate(work: Callable[[], int], *, at_least: float) -> float:
    """Return steps per CPU second of repeated work."""
    work()
    done, began = 0, time.process_time()
    while (passed := time.process_time() - began) < at_least:
        done += work()
    return done / passed


def stepping(envs: Any, steps: int, size: int, *, low: float, high: float) -> Callable[[], int]:
    """Return a function that steps environments with fixed random actions."""
    actions = np.random.default_rng(0).uniform(low, high, (size, ASSETS + 1)).astype(np.float32)
    envs.reset()

    def work() -> int:
        for _ in range(steps):
            envs.step(actions)
        return steps * size

    return work


def lean(market: Market, network: str, *, n_envs: int, options: PPOOptions) -> Callable[[], int]:
    """Return a function that runs one iteration of the package's PPO."""
    own = NetworkOptions(network, WINDOW, 1 if network == "mlp" else FIELDS)
    simulation = Simulation(market, n_envs=n_envs, window=WINDOW + 1, episode=EPISODE, random_state=0)
    model = PPO(
        PolicyNetwork(own), MarketView(market, own), simulation, options, iterations=100, random_state=0
    )

    def work() -> int:
        model.iterate()
        return model.steps_per_iteration

    return work


def sb3(
    market: Market, policy: Any, *, n_envs: int, n_steps: int, epochs: int, batch: int, **kwargs: Any
) -> Any:
    """Return a function that runs one rollout and update of stable-baselines3's PPO on the floor."""
    envs = DummyVecEnv([lambda: floor_env(market)] * n_envs)
    model = SB3PPO(
        policy,
        envs,
        n_steps=n_steps,
        n_epochs=epochs,
        batch_size=batch,
        device="cpu",
        seed=0,
        policy_kwargs=kwargs,
    )

    def work() -> int:
        model.learn(n_envs * n_steps, reset_num_timesteps=False)
        return n_envs * n_steps

    return work


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="about 30 CPU seconds instead of some 90")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seconds = 1.0 if arguments.short else 4.0
    market = make_market()
    rates: dict[str, float] = {}
    for n in (1, 8):
        envs = DummyVecEnv([lambda: floor_env(market)] * n)
        rates[f"floor n={n}"] = rate(stepping(envs, 64, n, low=0, high=1), at_least=seconds)
    for observation in ("dense", "index"):
        for n in (8, 64, 256, 1024):
            ours = PortfolioVecEnv(
                market, n_envs=n, window=WINDOW, episode=EPISODE, observation=observation, random_state=0
            )
            rates[f"{observation} n={n}"] = rate(stepping(ours, 64, n, low=-2, high=2), at_least=seconds / 2)
    floor = max(v for k, v in rates.items() if k.startswith("floor"))
    best = {kind: max(v for k, v in rates.items() if k.startswith(kind)) for kind in ("dense", "index")}
    image = {"features_extractor_class": SmallCNN, "normalize_images": False}
    cnn = rate(
        sb3(market, "CnnPolicy", n_envs=8, n_steps=64, epochs=10, batch=256, **image), at_least=seconds
    )
    same = rate(
        sb3(market, SameNetwork, n_envs=8, n_steps=128, epochs=4, batch=1024, normalize_images=False),
        at_least=seconds,
    )
    four = PPOOptions(n_steps=32, epochs=4, batch=1024)
    eiie = rate(lean(market, "eiie", n_envs=128, options=four), at_least=seconds)
    recommended = PPOOptions(n_steps=32, epochs=3, batch=2048)
    mlp = rate(lean(market, "mlp", n_envs=256, options=recommended), at_least=seconds)
    rows = [
        ("environment, dense observation, best number", best["dense"], floor, 100.0),
        ("environment, index observation, best number", best["index"], floor, 500.0),
        ("PPO, same EIIE network, 4 epochs, batch 1024", eiie, same, 1.4),
        ("PPO, recommended settings against small CNN, 10 x 256", mlp, cnn, 30.0),
    ]
    print(f"{'steps per CPU second, one thread':58s}{'ours':>12s}{'floor':>10s}{'ratio':>8s}  needed")
    for label, ours_rate, floor_rate, needed in rows:
        ratio = ours_rate / floor_rate
        print(f"{label:58s}{ours_rate:12,.0f}{floor_rate:10,.0f}{ratio:8.1f}  >= {needed:g}")
    print("all environment rates: " + ", ".join(f"{k} {v:,.0f}" for k, v in rates.items()))
    if arguments.json:
        result = {label: {"ours": a, "floor": b, "ratio": a / b, "needed": c} for label, a, b, c in rows}
        arguments.json.write_text(json.dumps({"rows": result, "environments": rates}, indent=1))


if __name__ == "__main__":
    main()
