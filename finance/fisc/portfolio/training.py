"""Train an agent on a span of a market: early stopping, checkpoints, the same bits every time."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fisc.core import DataError, atomic_write, check_option, fingerprint, record, require
from fisc.portfolio import baselines
from fisc.portfolio.agents import Agent, AgentCard, one_thread
from fisc.portfolio.backtesting import backtest
from fisc.portfolio.market import Market, as_market
from fisc.portfolio.metrics import sharpe_ratio
from fisc.portfolio.networks import NETWORKS, MarketView, NetworkOptions, PolicyNetwork
from fisc.portfolio.ppo import PPO, PPOOptions
from fisc.portfolio.rewards import Reward, as_reward
from fisc.portfolio.simulation import Simulation
from fisc.portfolio.statistics import sharpe_difference

__all__ = ["ALGORITHMS", "TrainOptions", "train"]

ALGORITHMS = ("ppo", "sb3-ppo", "trpo", "sac")
Report = Callable[[dict[str, float]], None]


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Everything that decides what a training run gives, besides the data.

    Attributes are the keyword arguments of `train` of the same names.
    """

    algorithm: str = "ppo"
    network: str = "eiie"
    reward: Reward = dataclasses.field(default_factory=Reward)
    base: str | None = "equal"
    steps: int = 200_000
    n_envs: int = 128
    window: int = 50
    episode: int = 64
    width: int = 32
    log_std: float = 0.0
    buy: float = 0.0025
    sell: float = 0.0025
    lag: int = 0
    band: float = 0.0
    base_window: int = baselines.WINDOW
    base_every: int = baselines.MONTH
    validation: float = 0.2
    evaluations: int = 10
    patience: int = 4
    evidence: float = 0.1
    seed: int = 0
    settings: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        check_option("algorithm", self.algorithm, ALGORITHMS)
        check_option("network", self.network, NETWORKS)
        if self.base is not None:
            check_option("base", self.base, baselines.ALLOCATORS)
        for name in (
            "steps",
            "n_envs",
            "window",
            "episode",
            "evaluations",
            "patience",
            "base_window",
            "base_every",
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise DataError(f"{name}={value!r}; give a whole number of at least 1")
        for name in ("buy", "sell"):
            rate = getattr(self, name)
            if not isinstance(rate, int | float) or not 0 <= rate < 1:
                raise DataError(
                    f"{name} cost {rate!r} is outside [0, 1); give one fraction of the traded value, 0.25 % is 0.0025"
                )
        if not 0 < self.validation < 0.9:
            raise DataError(
                f"validation={self.validation}; give the share of the rows kept for it, in (0, 0.9)"
            )
        if not 0 <= self.band < 1:
            raise DataError(f"band={self.band} is outside [0, 1); it is a share of wealth")
        if not 0 < self.evidence <= 1:
            raise DataError(f"evidence={self.evidence}; give a p-value in (0, 1]")


def train(
    market: Any,
    *,
    rows: tuple[int, int] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | Report = False,
    settings: Mapping[str, Any] | None = None,
    reward: str | Reward = "differential_sharpe",
    **options: Any,
) -> Agent:
    """Train one agent with one seed and return it.

    The last part of the rows is kept for validation: the run is judged there by its net Sharpe
    ratio after costs, stops when that no longer improves, and gives the best weights. An agent
    with a base portfolio that does not beat it there convincingly holds the base.

    Parameters
    ----------
    market : Market or DataFrame of prices
    rows : (int, int), optional
        First row to decide on and last close (exclusive) that training may see; rows before are
        history. Nothing after is looked at.
    checkpoint : path, optional
        Folder of a checkpoint, written after every evaluation. If it holds one of the same
        data and options, training goes on from there and gives the weights that an
        uninterrupted run gives (`ppo`; the other algorithms start again).
    progress : bool or callable, default False
        Show a progress bar with the validation Sharpe ratio, or call this with each row of the
        training curve.
    settings : mapping, optional
        Fields of `fisc.portfolio.ppo.PPOOptions` for ``ppo``; keyword arguments of the
        algorithm's class for the others.
    reward : str or Reward
        See `fisc.portfolio.rewards`.
    algorithm : {"ppo", "sb3-ppo", "trpo", "sac"}
        ``ppo`` is this package's loop for many environments; ``sb3-ppo`` and ``sac`` are those
        of stable-baselines3, ``trpo`` that of sb3-contrib, with the same networks.
    network : {"eiie", "mlp", "vgg", "resnet", "vit"}
        See `fisc.portfolio.networks`; ``mlp`` is the fastest by far.
    base : str or None, default "equal"
        Allocation to start from and depart from (`fisc.portfolio.baselines.ALLOCATORS`); None
        starts at equal weight of all assets and cash and departs freely.
    steps : int, default 200000
        Environment steps.
    n_envs, window, episode : int
        Environments at once, closes in the windows, steps of an episode.
    width : int, default 32
        Of the network's vectors.
    log_std : float, default 0.0
        Initial logarithm of the exploration, in logits.
    buy, sell : float, default 0.0025
    lag : int, default 0
    band : float, default 0.0
        No trade within this one-way distance of the target.
    base_window, base_every : int
        Past returns behind the base allocation (504) and closes between its decisions (21).
    validation : float, default 0.2
        Share of the rows.
    evaluations : int, default 10
        On the validation span, evenly over the run.
    patience : int, default 4
        Evaluations without improvement before stopping.
    evidence : float, default 0.1
        p-value of the paired bootstrap on the validation span below which an agent may leave
        its base; 1 lets it leave for any gain.
    seed : int, default 0

    Returns
    -------
    Agent
        With the training curve in ``curve``.

    Raises
    ------
    DataError
        On options that do not exist or do not fit the data, and on a checkpoint of another run.

    Notes
    -----
    Torch runs on one thread here; the setting is restored. Random numbers come from `seed`
    only, global generators are left alone (stable-baselines3's algorithms seed torch's global
    generator).

    Examples
    --------
    >>> from fisc.portfolio.worlds import ar1_market
    >>> agent = train(ar1_market(400, 3), network="mlp", window=10, episode=16, steps=2048, n_envs=32)
    >>> agent.card.steps
    2048
    """
    require("torch", extra="portfolio")
    names = {field.name for field in dataclasses.fields(TrainOptions)} - {"settings", "reward"}
    for name in options:
        check_option("option of train", name, names)
    chosen = TrainOptions(
        **options, reward=as_reward(reward), settings=tuple(sorted((settings or {}).items()))
    )
    run = _Run(as_market(market), chosen, rows)
    with one_thread():
        if chosen.algorithm == "ppo":
            return _train_ppo(run, checkpoint, progress)
        from fisc.portfolio import frameworks

        return frameworks.train(run, progress)


class _Run:
    """What all algorithms share: the spans, the base path, the network, the judgement."""

    def __init__(self, market: Market, options: TrainOptions, rows: tuple[int, int] | None) -> None:
        first, stop = (0, len(market)) if rows is None else rows
        if not 0 <= first < stop <= len(market):
            raise DataError(f"rows=({first}, {stop}) are not a span of the {len(market)} dates of the market")
        self.options = options
        self.market = market[:stop]  # nothing after the last row can be looked at
        self.first = max(first, options.window)
        self.split = self.first + round((stop - self.first) * (1 - options.validation))
        if stop - self.split < 22:
            raise DataError(
                f"validation={options.validation} of {stop - self.first} rows leaves {stop - self.split} closes; at "
                "least 22 are needed: give a longer history or a larger share"
            )
        self.base = None
        if options.base is not None:
            self.base = baselines.path(
                self.market,
                options.base,
                buy=options.buy,
                sell=options.sell,
                window=options.base_window,
                every=options.base_every,
            )
        training = self.market[: self.split]
        fields = 1 + sum(x is not None for x in (market.high, market.low, market.open, market.volume))
        self.network_options = NetworkOptions(
            options.network, options.window, fields, width=options.width, log_std=options.log_std
        )
        self.view = MarketView(training, self.network_options)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            self.network = PolicyNetwork(self.network_options)
        self.simulation_options: dict[str, Any] = {
            "n_envs": options.n_envs,
            "window": options.window + 1,
            "episode": options.episode,
            "reward": options.reward,
            "buy": options.buy,
            "sell": options.sell,
            "lag": options.lag,
            "seed": options.seed,
            "base": None if self.base is None else self.base[: self.split],
            "band": options.band,
            "initial": "equal" if self.base is None else "base",
            "rows": (self.first, self.split),
        }
        self.training = training
        self.provenance = record(
            options=dataclasses.asdict(options),
            inputs={"close": self.market.close, "dates": [str(d) for d in self.market.dates]},
            seed=options.seed,
        )

    def simulation(self) -> Simulation:
        """Return the training environments."""
        return Simulation(self.training, **self.simulation_options)

    def agent(self, steps: int, *, departed: bool = True, squash: bool = False) -> Agent:
        """Return the network as it stands as an agent."""
        options = self.options
        card = AgentCard(
            algorithm=options.algorithm,
            reward=options.reward.name,
            network=dataclasses.asdict(self.network_options),
            scale=tuple(float(x) for x in self.view.scale),
            assets=self.market.assets,
            base=options.base,
            base_window=options.base_window,
            base_every=options.base_every,
            band=options.band,
            buy=options.buy,
            sell=options.sell,
            lag=options.lag,
            squash=squash,
            departed=departed,
            seed=options.seed,
            steps=steps,
            validation={},
            provenance=self.provenance,
        )
        return Agent(self.network, card)

    def judge(self, *, squash: bool = False) -> NDArray[np.float64]:
        """Return the net excess returns of the network as it stands on the validation span."""
        agent = self.agent(0, squash=squash)
        options = self.options
        result = backtest(
            self.market,
            agent.bind(self.market, self.split),
            buy=options.buy,
            sell=options.sell,
            lag=options.lag,
            start=self.split,
        )
        return np.array(result.net_returns - result.cash_returns, dtype=np.float64)


class Judge:
    """Keeps the best weights of a run and knows when to stop.

    Parameters
    ----------
    run : _Run
    squash : bool
        Whether logits are squashed when the network is used.
    """

    def __init__(self, run: _Run, *, squash: bool = False) -> None:
        self.run, self.squash = run, squash
        self.start = run.judge(squash=squash)
        self.best = self.start
        self.best_sharpe = self.start_sharpe = _sharpe(self.start)
        self.best_steps = 0
        self.waited = 0
        self.weights = copy.deepcopy(run.network.state_dict())

    def consider(self, steps: int) -> float:
        """Judge the network as it stands, keep it if it is the best, return its Sharpe ratio."""
        returns = self.run.judge(squash=self.squash)
        score = _sharpe(returns)
        if score > self.best_sharpe:
            self.best, self.best_sharpe, self.best_steps, self.waited = returns, score, steps, 0
            self.weights = copy.deepcopy(self.run.network.state_dict())
        else:
            self.waited += 1
        return score

    @property
    def tired(self) -> bool:
        """Whether patience has run out."""
        return self.waited >= self.run.options.patience

    def finish(self, steps: int, curve: list[dict[str, float]]) -> Agent:
        """Return the best agent; one that does not beat its base convincingly holds the base."""
        options = self.run.options
        self.run.network.load_state_dict(self.weights)
        departed = True
        validation = {"agent": self.best_sharpe, "start": self.start_sharpe}
        if options.base is not None:
            departed = self.best_steps > 0
            if departed and options.evidence < 1:
                gain = sharpe_difference(self.best, self.start, draws=1000, seed=options.seed)
                departed = gain.estimate > 0 and gain.p_value / 2 <= options.evidence
                validation["p_value"] = gain.p_value / 2
        agent = self.run.agent(steps, departed=departed, squash=self.squash)
        card = dataclasses.replace(agent.card, validation=validation)
        return Agent(self.run.network, card, pd.DataFrame(curve))


def _sharpe(returns: NDArray[np.float64]) -> float:
    """Net Sharpe ratio, the worst possible where returns do not vary (all cash)."""
    ratio = float(sharpe_ratio(returns))
    return ratio if np.isfinite(ratio) else 0.0


def _train_ppo(run: _Run, checkpoint: str | Path | None, progress: bool | Report) -> Agent:
    options = run.options
    known = {field.name for field in dataclasses.fields(PPOOptions)}
    for name, _ in options.settings:
        check_option("setting of ppo", name, known)
    given = dict(options.settings)
    if options.reward.name == "telescoping_sharpe":
        given.setdefault("gamma", 1.0)
    settings = PPOOptions(**given)
    simulation = run.simulation()
    iterations = max(1, options.steps // (settings.n_steps * options.n_envs))
    ppo = PPO(run.network, run.view, simulation, settings, iterations=iterations, seed=options.seed)
    judge = Judge(run)
    curve: list[dict[str, float]] = []
    store = None if checkpoint is None else _Checkpoint(Path(checkpoint), run)
    if store is not None:
        store.load(ppo, judge, curve)
    every = max(1, iterations // options.evaluations)
    with _Reporter(progress, iterations) as report:
        while ppo.iteration < iterations and not judge.tired:
            row = ppo.iterate()
            due = ppo.iteration % every == 0 or ppo.iteration == iterations
            row["validation_sharpe"] = judge.consider(int(row["steps"])) if due else float("nan")
            curve.append(row)
            if due and store is not None:
                store.save(ppo, judge, curve)
            report(row)
    return judge.finish(ppo.iteration * ppo.steps_per_iteration, curve)


class _Checkpoint:
    """One file that holds all of a run, replaced as a whole; tensors and JSON only."""

    def __init__(self, folder: Path, run: _Run) -> None:
        self.path = folder / "checkpoint.safetensors"
        self.identity = fingerprint(
            {
                **run.provenance.options,
                **run.provenance.inputs,
                "rows": [run.first, run.split, len(run.market)],
            }
        )

    def save(self, ppo: PPO, judge: Judge, curve: list[dict[str, float]]) -> None:
        import safetensors.torch

        tensors, plain = ppo.state()
        tensors |= {f"best.{name}": value for name, value in judge.weights.items()}
        tensors["judge.best"] = torch.from_numpy(judge.best.copy())
        plain |= {
            "identity": self.identity,
            "judge": [judge.best_sharpe, judge.best_steps, judge.waited],
            "curve": [{k: None if np.isnan(v) else v for k, v in row.items()} for row in curve],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = safetensors.torch.save(
            {k: v.contiguous() for k, v in tensors.items()}, {"run": json.dumps(plain)}
        )
        with atomic_write(self.path, "wb") as file:
            file.write(content)

    def load(self, ppo: PPO, judge: Judge, curve: list[dict[str, float]]) -> None:
        import safetensors

        if not self.path.is_file():
            return
        try:
            with safetensors.safe_open(self.path, framework="pt") as file:
                plain = json.loads((file.metadata() or {})["run"])
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - not a dict
        except (safetensors.SafetensorError, json.JSONDecodeError, KeyError) as error:
            raise DataError(
                f"the checkpoint {self.path} is damaged ({error}); delete it to start again"
            ) from error
        if plain["identity"] != self.identity:
            raise DataError(
                f"the checkpoint {self.path} belongs to a run on other data or with other options; delete it, or "
                "give this run a folder of its own"
            )
        ppo.restore(tensors, plain)
        judge.weights = {k.removeprefix("best."): v for k, v in tensors.items() if k.startswith("best.")}
        judge.best = tensors["judge.best"].numpy()
        judge.best_sharpe, judge.best_steps, judge.waited = plain["judge"]
        curve.extend({k: float("nan") if v is None else v for k, v in row.items()} for row in plain["curve"])


class _Reporter:
    """A progress bar, a callable, or nothing, behind one call per row of the training curve."""

    def __init__(self, progress: bool | Report, total: int) -> None:
        self.given, self.total, self.last = progress, total, float("nan")
        self.bar: Any = None

    def __enter__(self) -> Report:
        if callable(self.given):
            return self.given
        if not self.given:
            return lambda row: None
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns)
        self.bar.start()
        task = self.bar.add_task("validation Sharpe   –", total=self.total)

        def show(row: dict[str, float]) -> None:
            score = row.get("validation_sharpe", float("nan"))
            self.last = self.last if np.isnan(score) else score
            label = "–" if np.isnan(self.last) else f"{self.last:+.2f}"
            self.bar.update(task, advance=1, description=f"validation Sharpe {label:>5}")

        return show

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()
