"""Proximal policy optimisation for many portfolios at once, without a framework around it.

The clipped objective and generalised advantages of Schulman et al. (2017, arXiv:1707.06347),
with three things that the problem offers:

* one forward pass a step serves all environments, and observations are row numbers, so that
  nothing but a small network costs time;
* the market does not react to the portfolio. What a fixed reference portfolio earned on the same
  day is therefore a baseline that no action can change: subtracting it leaves the gradient
  unbiased and removes the market's own noise from it (Mao et al. 2019, arXiv:1807.02264);
* an episode ends by truncation, so that its last value is bootstrapped.

All random numbers come from one NumPy generator; the state of a run is a dictionary of arrays,
from which it goes on bit by bit.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fisc.core import DataError, Float32Array, FloatArray, IntArray, check_number, check_whole
from fisc.portfolio.networks import MarketView, PolicyNetwork
from fisc.portfolio.rewards import differential_sharpe_by_row
from fisc.portfolio.simulation import Simulation

__all__ = ["PPO", "PPOOptions", "reference_rewards"]

_LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)


@dataclasses.dataclass(frozen=True)
class PPOOptions:
    """Settings of the optimisation.

    `n_steps` of every environment lie between two updates, each of `epochs` passes in mini-batches of `batch`;
    the `learning_rate` of Adam falls linearly to a tenth over the run; `clip` is the range of the probability
    ratio. Actions only matter through what trading them away costs, hence short horizons (`gamma`, `gae_lambda`)
    learn fastest; the telescoping Sharpe reward needs gamma 1. `control_variate` subtracts the reference
    portfolio's reward of the same day.
    """

    n_steps: int = 64
    epochs: int = 4
    batch: int = 2048
    learning_rate: float = 2e-3
    gamma: float = 0.9
    gae_lambda: float = 0.7
    clip: float = 0.2
    value_weight: float = 0.5
    max_grad_norm: float = 0.5
    control_variate: bool = True

    def __post_init__(self) -> None:
        for name in ("n_steps", "epochs", "batch"):
            check_whole(name, getattr(self, name), least=1)
        check_number("gamma", self.gamma, above=0, most=1)
        check_number("gae_lambda", self.gae_lambda, least=0, most=1)
        for name in ("learning_rate", "clip", "max_grad_norm"):
            check_number(name, getattr(self, name), above=0)
        check_number("value_weight", self.value_weight, least=0)


def reference_rewards(simulation: Simulation) -> FloatArray:
    """Return what the reference portfolio (base, or equal weight) earns on every row, as a reward.

    It depends on the market only. For the Sharpe ratios of an episode, whose rewards depend on
    the whole path, it is zero.
    """
    market, kind = simulation.market, simulation.reward
    held = np.full((len(market) - 1, market.n_assets + 1), 1.0 / market.n_assets)
    held[:, 0] = 0.0
    if simulation.base is not None:
        held = simulation.base[:-1]
    returns = (held * market.relatives).sum(axis=1) - 1.0
    if kind.name in ("log_return", "drawdown", "turnover"):
        rewards: FloatArray = np.log1p(returns)
        return rewards
    if kind.name == "mean_variance":
        quadratic: FloatArray = returns - 0.5 * kind.risk_aversion * returns**2
        return quadratic
    if kind.name == "differential_sharpe":
        return differential_sharpe_by_row(market, returns, kind.eta)
    return np.zeros_like(returns)


class PPO:
    """A training run: collect steps in a simulation, improve a network, again.

    `network` is improved in place; `view` is of the simulation's market; `iterations` is the length of
    the run, for the learning-rate schedule; `random_state` of exploration and mini-batches.
    """

    def __init__(
        self,
        network: PolicyNetwork,
        view: MarketView,
        simulation: Simulation,
        options: PPOOptions,
        *,
        iterations: int,
        random_state: int,
    ) -> None:
        self.network, self.view, self.simulation, self.options = network, view, simulation, options
        self.iterations, self.iteration = iterations, 0
        self.rng = np.random.default_rng(random_state)
        self.optimiser = torch.optim.Adam(network.parameters(), lr=options.learning_rate, eps=1e-5)
        self.reference = reference_rewards(simulation) if options.control_variate else None
        self.reward_scale = 0.0
        simulation.reset()
        steps, envs = options.n_steps, simulation.n_envs
        self._index = np.empty((steps, envs), dtype=np.int64)
        self._tails = np.empty((steps, envs, simulation.tail_size), dtype=np.float32)
        self._actions = np.empty((steps, envs, simulation.market.n_assets + 1), dtype=np.float32)
        self._log_prob = np.empty((steps, envs), dtype=np.float32)
        self._values = np.empty((steps + 1, envs), dtype=np.float32)
        self._rewards = np.empty((steps, envs), dtype=np.float32)
        self._ended = np.empty((steps, envs), dtype=bool)
        self._final = np.zeros((steps, envs), dtype=np.float32)

    @property
    def steps_per_iteration(self) -> int:
        """Environment steps in one iteration."""
        return self.options.n_steps * self.simulation.n_envs

    def _forward(self, index: IntArray, tails: Float32Array) -> tuple[Tensor, Tensor]:
        logits, values = self.network(self.view.gather(torch.from_numpy(index)), torch.from_numpy(tails))
        return logits, values

    def _collect(self) -> float:
        """Fill the buffers; return the mean net log return per step."""
        simulation, rng = self.simulation, self.rng
        growth = 0.0
        with torch.no_grad():
            std = float(self.network.log_std.exp())
            for step in range(self.options.n_steps):
                self._index[step], self._tails[step] = simulation.t, simulation.tail
                mean, value = self._forward(self._index[step], self._tails[step])
                noise = rng.standard_normal(self._actions.shape[1:], dtype=np.float32)
                self._actions[step] = mean.numpy() + std * noise
                self._log_prob[step] = -(0.5 * noise**2 + math.log(std) + _LOG_ROOT_TWO_PI).sum(axis=1)
                self._values[step] = value.numpy()
                reward, ended = simulation.step(self._actions[step])
                growth += float(np.log1p(simulation.net).mean())
                if self.reference is not None:
                    reward = reward - self.reference[self._index[step]]
                self._rewards[step], self._ended[step] = reward, ended
                if ended.any():
                    which = np.flatnonzero(ended)
                    _, final = self._forward(simulation.t[which], simulation.tail[which])
                    self._final[step, which] = final.numpy()
                    simulation.reset(which)
            _, value = self._forward(simulation.t.copy(), simulation.tail.copy())
            self._values[-1] = value.numpy()
        return growth / self.options.n_steps

    def _advantages(self) -> tuple[Float32Array, Float32Array]:
        """Return generalised advantages and value targets, rewards in units of their own spread."""
        gamma, decay = self.options.gamma, self.options.gae_lambda
        spread = float(self._rewards.std())
        self.reward_scale = spread if self.reward_scale == 0.0 else 0.9 * self.reward_scale + 0.1 * spread
        rewards = self._rewards / max(self.reward_scale, 1e-12)
        advantages = np.zeros_like(rewards)
        running = np.zeros(rewards.shape[1], dtype=np.float32)
        for step in range(len(rewards) - 1, -1, -1):
            ended = self._ended[step]
            following = np.where(ended, self._final[step], self._values[step + 1])
            delta = rewards[step] + gamma * following - self._values[step]
            running = delta + np.where(ended, 0.0, gamma * decay * running).astype(np.float32)
            advantages[step] = running
        return advantages, advantages + self._values[:-1]

    def _improve(self, advantages: Float32Array, targets: Float32Array) -> dict[str, float]:
        options = self.options
        rate = options.learning_rate * (1.0 - 0.9 * self.iteration / max(1, self.iterations))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        index = torch.from_numpy(self._index.reshape(-1))
        tails = torch.from_numpy(self._tails.reshape(-1, self._tails.shape[-1]))
        actions = torch.from_numpy(self._actions.reshape(-1, self._actions.shape[-1]))
        before = torch.from_numpy(self._log_prob.reshape(-1))
        flat = advantages.reshape(-1)
        gains = torch.from_numpy((flat - flat.mean()) / (flat.std() + 1e-8))
        wanted = torch.from_numpy(targets.reshape(-1))
        kl, clipped, updates = 0.0, 0.0, 0
        for _ in range(options.epochs):
            order = torch.from_numpy(self.rng.permutation(len(index)))
            for chosen in torch.split(order, options.batch):
                mean, values = self.network(self.view.gather(index[chosen]), tails[chosen])
                log_std = self.network.log_std
                z = (actions[chosen] - mean) * (-log_std).exp()
                log_prob = -(0.5 * z.square() + log_std + _LOG_ROOT_TWO_PI).sum(dim=1)
                log_ratio = log_prob - before[chosen]
                ratio = log_ratio.exp()
                gain = gains[chosen]
                bounded = ratio.clamp(1 - options.clip, 1 + options.clip)
                policy_loss = -torch.minimum(ratio * gain, bounded * gain).mean()
                value_loss = (values - wanted[chosen]).square().mean()
                loss = policy_loss + options.value_weight * value_loss
                self.optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), options.max_grad_norm)
                self.optimiser.step()
                with torch.no_grad():
                    kl += float((ratio - 1 - log_ratio).mean())
                    clipped += float(((ratio - 1).abs() > options.clip).float().mean())
                updates += 1
        return {"kl": kl / updates, "clip_fraction": clipped / updates}

    def iterate(self) -> dict[str, float]:
        """Collect, improve once, and return what a training curve shows.

        ``steps`` so far, ``log_return`` (mean per step while exploring), ``std`` of exploration in logits, ``kl``,
        ``clip_fraction``.
        """
        growth = self._collect()
        changes = self._improve(*self._advantages())
        self.iteration += 1
        if not math.isfinite(changes["kl"]):
            raise DataError(
                "training has diverged (the policy's change is not finite); lower the learning rate"
            )
        return {
            "steps": float(self.iteration * self.steps_per_iteration),
            "log_return": growth,
            "std": float(self.network.log_std.detach().exp()),
            **changes,
        }

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return tensors and plain values from which `restore` goes on bit by bit."""
        tensors = {f"network.{k}": v.detach().clone() for k, v in self.network.state_dict().items()}
        for number, values in self.optimiser.state_dict()["state"].items():
            for key, value in values.items():
                tensors[f"adam.{number}.{key}"] = value.detach().clone()
        snapshot = self.simulation.snapshot()
        for key, array in snapshot["arrays"].items():
            tensors[f"simulation.{key}"] = torch.from_numpy(array)
        plain = {
            "iteration": self.iteration,
            "reward_scale": self.reward_scale,
            "generator": self.rng.bit_generator.state,
            "starts": snapshot["generator"],
        }
        return tensors, plain

    def restore(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
        """Go on from a `state`."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in part("adam.").items():
            number, key = name.split(".")
            moments.setdefault(int(number), {})[key] = value.clone()
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})
        arrays = {k: v.numpy() for k, v in part("simulation.").items()}
        self.simulation.restore({"arrays": arrays, "generator": plain["starts"]})
        self.iteration, self.reward_scale = int(plain["iteration"]), float(plain["reward_scale"])
        self.rng.bit_generator.state = plain["generator"]
