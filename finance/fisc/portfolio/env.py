"""The market simulation as environments of stable-baselines3 and gymnasium."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import gymnasium
import numpy as np
from numpy.typing import ArrayLike
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

from fisc.core import AnyArray, BoolArray, DataError, Float32Array, IntArray, check_option, renamed
from fisc.portfolio.market import Market
from fisc.portfolio.options import EnvOptions, Observation, takes
from fisc.portfolio.simulation import LOGIT_BOUND, Simulation, price_tensor, window_table

__all__ = ["PortfolioEnv", "PortfolioVecEnv"]

_OBSERVED_BOUND = 1e9  # declared only: rows, logarithms and weights stay far inside
_LARGEST_TABLE = 4 * 2**30  # bytes of precomputed windows before it is an error


class _Observer:
    """Make observations of a simulation: precomputed windows, or only their row number.

    The rows of the window table carry room for the changing tail, so that one gather per step
    writes the whole observation. Two buffers alternate: an observation stays as it is until
    the step after the next.
    """

    def __init__(self, simulation: Simulation, observation: Observation) -> None:
        check_option("observation", observation, get_args(Observation))
        self.simulation, self.dense = simulation, observation == "dense"
        market, window = simulation.market, simulation.window
        if self.dense:
            fields = price_tensor(market[:2]).shape[1]
            head = fields * window * market.n_assets
            size = len(market) * (head + simulation.tail_size) * 4
            if size > _LARGEST_TABLE:
                raise DataError(
                    f"dense windows of {len(market)} dates, {window} closes and {market.n_assets} assets need "
                    f"{size / 2**30:.1f} GiB; use observation='index', where the policy gathers them"
                )
            self.table = np.zeros((len(market), head + simulation.tail_size), dtype=np.float32)
            self.table[:, :head] = window_table(market, window)
        else:
            head = 1
        self.head, self.size = head, head + simulation.tail_size
        self._buffers = [np.zeros((simulation.n_envs, self.size), dtype=np.float32) for _ in range(2)]

    @property
    def space(self) -> gymnasium.spaces.Box:
        return gymnasium.spaces.Box(-_OBSERVED_BOUND, _OBSERVED_BOUND, (self.size,), np.float32)

    def observe(self) -> Float32Array:
        self._buffers.reverse()
        out = self._buffers[0]
        if self.dense:
            np.take(self.table, self.simulation.t, axis=0, out=out, mode="clip")
        else:
            out[:, 0] = self.simulation.t
        out[:, self.head :] = self.simulation.tail
        return out

    def refresh(self, which: IntArray) -> None:
        """Rewrite the rows of the latest observation whose episode has been reset."""
        out, rows = self._buffers[0], self.simulation.t[which]
        if self.dense:
            out[which] = self.table[rows]
        else:
            out[which, 0] = rows
        out[which, self.head :] = self.simulation.tail[which]


def _action_space(market: Market) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(-LOGIT_BOUND, LOGIT_BOUND, (market.n_assets + 1,), np.float32)


class PortfolioVecEnv(VecEnv):
    """All environments of one market in one array, for stable-baselines3.

    One step: the action of row ``t`` (logits, cash first) becomes a portfolio by softmax; it is
    traded at close ``t`` (+ `lag`) at the exact cost, earns until close ``t + 1``, and the net
    return of that period makes the reward. Episodes start at random rows, last `episode` steps
    and are truncated, never terminated; ended ones start again by themselves, with
    ``info["terminal_observation"]``, ``info["TimeLimit.truncated"]`` and ``info["episode"]``
    (``r``: sum of rewards, ``l``: steps, ``wealth``: final wealth).

    Parameters
    ----------
    market : Market
    n_envs : int
        Number of environments; 64 to 1024 are efficient.
    observation : {"dense", "index"}
        *dense*: the window itself, ``log(price / last close)``, flattened from (fields, window,
        n_assets), fields close and whichever of high, low, open and volume the market has.
        *index*: the row number of the market only; the policy gathers what it needs. Both are
        followed by the tail: drifted weights (n_assets + 1), targets waiting to be traded
        (lag * (n_assets + 1)), share of the episode left, state of the reward (3).
    **options
        Fields of `fisc.portfolio.EnvOptions`, which explains them and has the defaults: window,
        episode, reward, buy, sell, lag, band, base, initial, rows, random_state.

    Notes
    -----
    ``reset()`` returns float32 of shape (n_envs, size); ``step(actions)`` takes float32 of shape
    (n_envs, n_assets + 1), declared within ±10 (a gap of 20 holds all but 2e-9 in one asset;
    larger logits are taken as they are) and returns observations, float32 rewards, bool dones
    and a list of infos. An observation array is reused two steps later; copy it to keep it. The
    empty infos of running episodes are the same objects at every step; do not write into them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> market = Market.from_prices(np.exp(rng.normal(0, 0.01, (300, 3)).cumsum(axis=0)))
    >>> envs = PortfolioVecEnv(market, n_envs=4, window=10, observation="index", seed=0)
    >>> envs.reset().shape
    (4, 9)
    >>> observations, rewards, dones, infos = envs.step(np.zeros((4, 4), dtype=np.float32))
    >>> rewards.shape, bool(dones.any())
    ((4,), False)
    """

    @renamed(seed="random_state")
    @takes(EnvOptions)
    def __init__(
        self, market: Market, *, n_envs: int, observation: Observation = "dense", **options: object
    ) -> None:
        self.simulation = Simulation(market, n_envs=n_envs, **options)
        self._observer = _Observer(self.simulation, observation)
        self._score = np.zeros(n_envs)
        self._actions: AnyArray = np.zeros((n_envs, market.n_assets + 1), dtype=np.float32)
        self._infos: list[dict[str, Any]] = [{} for _ in range(n_envs)]
        self.render_mode = None
        self.spec = None
        super().__init__(n_envs, self._observer.space, _action_space(market))

    def reset(self) -> Float32Array:
        """Start an episode everywhere and return the observations."""
        if self._seeds[0] is not None:
            self.simulation.seed(self._seeds[0])
        self._reset_seeds()
        self._reset_options()
        self.simulation.reset()
        self._score[:] = 0.0
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return self._observer.observe()

    def step_async(self, actions: AnyArray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Float32Array, Float32Array, BoolArray, list[dict[str, Any]]]:
        """Step all environments; see the class."""
        simulation = self.simulation
        reward, ended = simulation.step(self._actions)
        self._score += reward
        observations = self._observer.observe()
        infos = self._infos.copy()
        if ended.any():
            which = np.flatnonzero(ended)
            for e in which:
                infos[e] = {
                    "terminal_observation": observations[e].copy(),
                    "TimeLimit.truncated": True,
                    "episode": {
                        "r": float(self._score[e]),
                        "l": simulation.episode,
                        "wealth": float(simulation.wealth[e]),
                    },
                }
            simulation.reset(which)
            self._score[which] = 0.0
            self._observer.refresh(which)
        return observations, reward, ended, infos

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute once for each environment asked for."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: object, indices: VecEnvIndices = None) -> None:
        """Set an attribute; all environments are one object."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *args: object, indices: VecEnvIndices = None, **kwargs: object
    ) -> list[Any]:
        """Call a method once and return its answer for each environment asked for."""
        answer = getattr(self, method_name)(*args, **kwargs)
        return [answer] * len(list(self._get_indices(indices)))

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        """Say that no environment is wrapped."""
        return [False] * len(list(self._get_indices(indices)))

    def get_images(self) -> Sequence[AnyArray | None]:
        """Return no pictures; there is nothing to render."""
        return [None] * self.num_envs


class PortfolioEnv(gymnasium.Env):
    """The same market as one gymnasium environment.

    Parameters are those of `PortfolioVecEnv` without `n_envs`. ``reset(options={"start": row})``
    starts on a given row. The fourth answer of ``step``, truncated, ends an episode; info holds
    ``net_return``, ``wealth`` and ``row``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> market = Market.from_prices(np.exp(rng.normal(0, 0.01, (300, 3)).cumsum(axis=0)))
    >>> env = PortfolioEnv(market, window=10, episode=5)
    >>> observation, info = env.reset(seed=0, options={"start": 20})
    >>> observation.shape, info["row"]
    ((38,), 20)
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - the form gymnasium asks for

    @renamed(seed="random_state")
    @takes(EnvOptions)
    def __init__(self, market: Market, *, observation: Observation = "dense", **options: object) -> None:
        self.simulation = Simulation(market, n_envs=1, **options)
        self._observer = _Observer(self.simulation, observation)
        self.observation_space = self._observer.space
        self.action_space = _action_space(market)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Start an episode; see the class."""
        super().reset(seed=seed)
        if seed is not None:
            self.simulation.seed(seed)
        self.simulation.reset(start=(options or {}).get("start"))
        return self._observer.observe()[0].copy(), {"row": int(self.simulation.t[0])}

    def step(self, action: ArrayLike) -> tuple[Float32Array, float, bool, bool, dict[str, Any]]:
        """Trade, let one period pass; see `PortfolioVecEnv`."""
        simulation = self.simulation
        reward, ended = simulation.step(np.asarray(action, dtype=np.float32)[None])
        info = {
            "net_return": float(simulation.net[0]),
            "wealth": float(simulation.wealth[0]),
            "row": int(simulation.t[0]),
        }
        return self._observer.observe()[0].copy(), float(reward[0]), False, bool(ended[0]), info
