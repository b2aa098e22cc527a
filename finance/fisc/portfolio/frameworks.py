"""Training with stable-baselines3 (PPO, SAC) and sb3-contrib (TRPO), on the same networks.

The environments give index observations; the policies gather windows or features inside, with
the same `PolicyNetwork` as the package's own loop, so that what is trained can be saved,
loaded and judged in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.sac.policies import Actor, SACPolicy
from torch import Tensor, nn

from fisc.core import DataError, require
from fisc.portfolio.agents import Agent
from fisc.portfolio.env import PortfolioVecEnv
from fisc.portfolio.networks import MarketView, NetworkOptions, PolicyNetwork
from fisc.portfolio.runs import Judge, Report, Reporter, Run
from fisc.portfolio.simulation import LOGIT_BOUND

__all__ = ["ActorCritic", "GatherExtractor", "SquashedPolicy", "train"]


# What the base classes declare; ours is always a tensor.
Seen: TypeAlias = Tensor | dict[str, Tensor]


def _split(observations: Seen) -> tuple[Tensor, Tensor]:
    """Return rows of the market and tails of index observations."""
    assert isinstance(observations, Tensor)
    return observations[:, 0].long(), observations[:, 1:]


class ActorCritic(ActorCriticPolicy):
    """A `PolicyNetwork`, trained in place, as policy of PPO and TRPO."""

    def __init__(self, *args: Any, core: PolicyNetwork, view: MarketView, **kwargs: Any) -> None:
        # Kept out of the module tree until torch's own constructor has run.
        self._given = core, view
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        core, view = self._given
        self.core, self.view = core, view
        self.action_dist = DiagGaussianDistribution(int(np.prod(self.action_space.shape or ())))
        make: Any = self.optimizer_class
        self.optimizer = make(core.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)

    def _evaluate(self, observations: Seen) -> tuple[Any, Tensor]:
        index, tail = _split(observations)
        logits, values = self.core(self.view.gather(index), tail)
        return self.action_dist.proba_distribution(
            logits, self.core.log_std.expand(logits.shape[-1])
        ), values[:, None]

    def forward(self, obs: Seen, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Return actions, values and log probabilities."""
        distribution, values = self._evaluate(obs)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, values, distribution.log_prob(actions)

    def evaluate_actions(self, obs: Seen, actions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return values, log probabilities and entropies of given actions."""
        distribution, values = self._evaluate(obs)
        return values, distribution.log_prob(actions), distribution.entropy()

    def get_distribution(self, obs: Seen) -> Any:
        """Return the distribution of actions."""
        return self._evaluate(obs)[0]

    def predict_values(self, obs: Seen) -> Tensor:
        """Return values."""
        return self._evaluate(obs)[1]


class GatherExtractor(BaseFeaturesExtractor):
    """What a critic of SAC sees: the mean vector of a trunk of its own and the tail."""

    def __init__(
        self, observation_space: gymnasium.spaces.Box, options: NetworkOptions, view: MarketView
    ) -> None:
        n_assets = int(view.rows.shape[1] if options.network == "mlp" else view.rows.shape[2])
        tail = int(observation_space.shape[0]) - 1
        super().__init__(observation_space, n_assets * 4 + tail)
        self.view = view
        self.trunk = PolicyNetwork(options).trunk
        self.narrow = nn.Linear(options.width, 4)

    def forward(self, observations: Seen) -> Tensor:
        """Return features of shape (batch, features)."""
        index, tail = _split(observations)
        vectors = torch.relu(self.narrow(self.trunk(self.view.gather(index))))
        return torch.cat([vectors.flatten(1), tail], dim=1)


class _SquashedActor(Actor):
    """The actor of SAC with a `PolicyNetwork` in it; logits pass through ``10 tanh(x / 10)``."""

    core: PolicyNetwork
    core_view: MarketView

    def get_action_dist_params(self, obs: Seen) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        index, tail = _split(obs)
        logits, _ = self.core(self.core_view.gather(index), tail)
        # Exploration is in units of the squashed action, a tenth of a logit.
        log_std = self.core.log_std - float(np.log(LOGIT_BOUND))
        return logits / LOGIT_BOUND, log_std.clamp(-10.0, 2.0).expand_as(logits), {}


class SquashedPolicy(SACPolicy):
    """Policy of SAC around a `PolicyNetwork`, which is trained in place as the actor."""

    def __init__(self, *args: Any, core: PolicyNetwork, view: MarketView, **kwargs: Any) -> None:
        self._given = core, view
        super().__init__(*args, **kwargs)

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Actor:
        """Return the actor; its own layers of stable-baselines3 stay unused."""
        actor = _SquashedActor(**self._update_features_extractor(self.actor_kwargs, features_extractor))
        actor.core, actor.core_view = self._given
        return actor


class _Watch(BaseCallback):
    """Judge the network at equal distances, and stop when patience runs out."""

    def __init__(self, judge: Judge, every: int, report: Report, curve: list[dict[str, float]]) -> None:
        super().__init__()
        self.judge, self.every, self.report, self.curve, self.due = judge, every, report, curve, every
        self.core: PolicyNetwork = judge.run.network

    def _on_step(self) -> bool:
        if self.num_timesteps < self.due:
            return True
        self.due += self.every
        row = {
            "steps": float(self.num_timesteps),
            "std": float(self.core.log_std.detach().exp()),
            "validation_sharpe": self.judge.consider(self.num_timesteps),
        }
        self.curve.append(row)
        self.report(row)
        return not self.judge.tired


def train(run: Run, progress: bool | Report) -> Agent:
    """Train a prepared run with an algorithm of stable-baselines3."""
    options = run.options
    squash = options.algorithm == "sac"
    environments = PortfolioVecEnv(run.training, observation="index", n_envs=options.n_envs, **run.episodes)
    kind, defaults = _algorithm(options.algorithm, options.n_envs)
    shared: dict[str, object] = {"core": run.network, "view": run.view}
    if squash:
        extractor = {"options": run.network_options, "view": run.view}
        shared |= {
            "features_extractor_class": GatherExtractor,
            "features_extractor_kwargs": extractor,
            "net_arch": [64, 64],
        }
    if run.reward.name == "telescoping_sharpe":
        defaults["gamma"] = 1.0
    with torch.random.fork_rng(devices=[]):
        try:
            model = kind(
                SquashedPolicy if squash else ActorCritic,
                environments,
                policy_kwargs=shared,
                seed=options.random_state,
                device="cpu",
                **{**defaults, **(options.settings or {})},
            )
        except (TypeError, ValueError, AssertionError) as error:
            raise DataError(f"settings do not fit {options.algorithm}: {error}") from error
        judge = Judge(run, squash=squash)
        curve: list[dict[str, float]] = []
        every = max(options.n_envs, options.steps // options.evaluations)
        with Reporter(progress, options.evaluations) as report:
            model.learn(options.steps, callback=_Watch(judge, every, report, curve))
            if not judge.tired and (not curve or curve[-1]["steps"] < model.num_timesteps):
                judge.consider(int(model.num_timesteps))
    return judge.finish(int(model.num_timesteps), curve)


def _algorithm(name: str, n_envs: int) -> tuple[Any, dict[str, Any]]:
    """Return the class and settings that suit short horizons and many environments."""
    horizon: dict[str, Any] = {"gamma": 0.9}
    if name == "sac":
        return SAC, {
            **horizon,
            "buffer_size": 100_000,
            "learning_starts": 10 * n_envs,
            "batch_size": 512,
            "train_freq": 1,
            "gradient_steps": 4,
            "ent_coef": 0.01,
            "learning_rate": 1e-3,
        }
    rollout = {**horizon, "n_steps": 32, "gae_lambda": 0.7, "batch_size": min(1024, 32 * n_envs)}
    if name == "trpo":
        contrib = require("sb3_contrib", extra="portfolio")
        return contrib.TRPO, {**rollout, "target_kl": 0.02, "learning_rate": 2e-3}
    return PPO, {**rollout, "n_epochs": 4, "learning_rate": 2e-3, "ent_coef": 0.0}
