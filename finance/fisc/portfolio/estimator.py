"""`RLPortfolio`: learned agents as an estimator of scikit-learn and skfolio."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skfolio.optimization import BaseOptimization
from skfolio.portfolio import Portfolio
from sklearn.utils.validation import check_is_fitted, validate_data

from fisc.core import DataError
from fisc.portfolio.agents import Agent
from fisc.portfolio.backtesting import Rule, backtest
from fisc.portfolio.market import Market
from fisc.portfolio.rewards import Reward
from fisc.portfolio.training import train

__all__ = ["PathPortfolio", "RLPortfolio", "average_rule"]


class PathPortfolio(Portfolio):  # type: ignore[misc]
    """A portfolio of skfolio whose weights change from one observation to the next.

    Parameters
    ----------
    X : DataFrame or array of shape (n_observations, n_assets)
        Returns of the assets.
    weights : array of shape (n_assets,)
        Weights of the assets in the first observation.
    path_returns : array of shape (n_observations,)
        Net returns of the portfolio.
    path_weights : array of shape (n_observations, n_assets)
        Weights of the assets in each observation; what is missing to one is cash.
    path_end : array of shape (n_assets,)
        Weights after the last observation.

    Notes
    -----
    The other parameters are those of ``skfolio.Portfolio`` that make sense for a path.
    """

    __slots__ = {"path_end", "path_returns", "path_weights"}

    def __init__(
        self,
        X: Any,
        weights: Any,
        path_returns: Any = None,
        path_weights: Any = None,
        path_end: Any = None,
        previous_weights: Any = None,
        risk_free_rate: float = 0,
        name: str | None = None,
        tag: str | None = None,
        annualization_factor: float | None = None,
        fitness_measures: Any = None,
        compounded: bool = False,
        sample_weight: Any = None,
    ) -> None:
        super().__init__(
            X=X,
            weights=weights,
            previous_weights=previous_weights,
            risk_free_rate=risk_free_rate,
            name=name,
            tag=tag,
            annualization_factor=annualization_factor,
            fitness_measures=fitness_measures,
            compounded=compounded,
            sample_weight=sample_weight,
            weight_drift=True,
        )
        # Attributes of the parent are read-only once it has been built.
        for name_, value in (
            ("_loaded", False),
            ("path_returns", path_returns),
            ("path_weights", path_weights),
            ("path_end", path_end),
            ("returns", np.asarray(path_returns, dtype=np.float64)),
            ("ending_weights", np.asarray(path_end, dtype=np.float64)),
            ("_weights_path", np.asarray(path_weights, dtype=np.float64)),
            ("_loaded", True),
        ):
            object.__setattr__(self, name_, value)


class RLPortfolio(BaseOptimization):  # type: ignore[misc]
    """A portfolio policy learned with a Sharpe reward.

    Parameters
    ----------
    algorithm : {"ppo", "sb3-ppo", "trpo", "sac"}
        See `fisc.portfolio.train`, which explains all parameters down to `settings`.
    network : {"eiie", "mlp", "vgg", "resnet", "vit"}
        ``mlp`` is several times faster than the others.
    reward : str or Reward
    base : str or None
        Allocation to start from: equal, min_variance, erc, hrp, min_cvar, ...
    steps, n_envs, window, episode, width, log_std
        Size of training and network.
    buy, sell, lag, band
        Market frictions.
    base_window, base_every, validation, evaluations, patience, evidence
        Of the base portfolio and of early stopping.
    settings : mapping, optional
        Of the algorithm.
    n_seeds : int, default 1
        Agents to train; the portfolio is the average of theirs.
    random_state : int, default 0
        First seed; the others follow it.
    checkpoint : path, optional
        Folder for checkpoints, one sub-folder a seed.
    portfolio_params, fallback, previous_weights, raise_on_failure
        As in skfolio.

    Attributes
    ----------
    agents_ : list of Agent
    weights_ : ndarray of shape (n_assets,)
        Weights of the assets at the last close of training; what is missing to one is cash.
    market_ : Market
        The training data, which `predict` uses as history.

    Notes
    -----
    ``fit(X)`` takes returns (skfolio's convention) or a `Market`. ``predict(X)`` runs the agents
    over later returns, day by day, net of costs, and gives a `PathPortfolio`, so that
    ``cross_val_predict`` and ``Population`` of skfolio work with it. The history behind the first
    predictions is the end of the training data: the test set loses no rows.

    Examples
    --------
    >>> from fisc.portfolio.worlds import ar1_market
    >>> market = ar1_market(500, 3)
    >>> model = RLPortfolio(network="mlp", window=10, episode=16, steps=2048, n_envs=32)
    >>> returns = market.frame().pct_change().dropna()
    >>> portfolio = model.fit(returns.iloc[:400]).predict(returns.iloc[400:])
    >>> len(portfolio.returns)
    99
    """

    def __init__(
        self,
        algorithm: str = "ppo",
        network: str = "eiie",
        reward: str | Reward = "differential_sharpe",
        base: str | None = "equal",
        steps: int = 200_000,
        n_envs: int = 128,
        window: int = 50,
        episode: int = 64,
        width: int = 32,
        log_std: float = 0.0,
        buy: float = 0.0025,
        sell: float = 0.0025,
        lag: int = 0,
        band: float = 0.0,
        base_window: int = 504,
        base_every: int = 21,
        validation: float = 0.2,
        evaluations: int = 10,
        patience: int = 4,
        evidence: float = 0.1,
        settings: Mapping[str, Any] | None = None,
        n_seeds: int = 1,
        random_state: int = 0,
        checkpoint: str | Path | None = None,
        portfolio_params: dict[str, Any] | None = None,
        fallback: Any = None,
        previous_weights: Any = None,
        raise_on_failure: bool = True,
    ) -> None:
        super().__init__(
            portfolio_params=portfolio_params,
            fallback=fallback,
            previous_weights=previous_weights,
            raise_on_failure=raise_on_failure,
        )
        self.algorithm = algorithm
        self.network = network
        self.reward = reward
        self.base = base
        self.steps = steps
        self.n_envs = n_envs
        self.window = window
        self.episode = episode
        self.width = width
        self.log_std = log_std
        self.buy = buy
        self.sell = sell
        self.lag = lag
        self.band = band
        self.base_window = base_window
        self.base_every = base_every
        self.validation = validation
        self.evaluations = evaluations
        self.patience = patience
        self.evidence = evidence
        self.settings = settings
        self.n_seeds = n_seeds
        self.random_state = random_state
        self.checkpoint = checkpoint

    def train_agent(
        self,
        market: Market,
        *,
        rows: tuple[int, int] | None = None,
        seed: int = 0,
        progress: Any = False,
        **changes: Any,
    ) -> Agent:
        """Train one agent on a span of a market with this estimator's parameters.

        Parameters
        ----------
        market, rows, progress
            As in `fisc.portfolio.train`.
        seed : int
        **changes
            Parameters to use instead of the estimator's.

        Returns
        -------
        Agent
        """
        own = {
            name: getattr(self, name)
            for name in [
                "algorithm",
                "network",
                "reward",
                "base",
                "steps",
                "n_envs",
                "window",
                "episode",
                "width",
                "log_std",
                "buy",
                "sell",
                "lag",
                "band",
                "base_window",
                "base_every",
                "validation",
                "evaluations",
                "patience",
                "evidence",
                "settings",
            ]
        }
        folder = None if self.checkpoint is None else Path(self.checkpoint) / f"seed-{seed}"
        return train(market, rows=rows, seed=seed, progress=progress, checkpoint=folder, **{**own, **changes})

    def fit(self, X: Any, y: Any = None) -> RLPortfolio:
        """Train the agents.

        Parameters
        ----------
        X : DataFrame or array of shape (n_observations, n_assets), or Market
            Simple returns of the assets, or a market.
        y : ignored

        Returns
        -------
        RLPortfolio
            Itself.
        """
        if isinstance(self.n_seeds, bool) or self.n_seeds < 1:
            raise DataError(f"n_seeds={self.n_seeds!r}; train at least one agent")
        self.market_ = self._market(X, reset=True)
        seeds = range(self.random_state, self.random_state + self.n_seeds)
        self.agents_ = [self.train_agent(self.market_, seed=seed) for seed in seeds]
        last = len(self.market_) - 1
        rule = self.bind(self.market_, last)
        cash = np.zeros(self.market_.n_assets + 1)
        cash[0] = 1.0
        target = rule.decide(last, cash)
        self.weights_ = (cash if target is None else target)[1:]
        return self

    def bind(self, market: Market, start: int) -> Rule:
        """Return the rule of the average of the agents for a market."""
        check_is_fitted(self, "agents_")
        return average_rule([agent.bind(market, start) for agent in self.agents_], self.name)

    @property
    def name(self) -> str:
        """Algorithm and base."""
        return self.algorithm if self.base is None else f"{self.algorithm}+{self.base}"

    def predict(self, X: Any) -> PathPortfolio:
        """Run the agents over returns that follow the training data.

        Parameters
        ----------
        X : DataFrame or array of shape (n_observations, n_assets)
            Simple returns.

        Returns
        -------
        PathPortfolio
            Net of this estimator's costs; wealth starts in cash.
        """
        if getattr(self, "weights_", None) is None or self.fallback_ is not None:
            plain: PathPortfolio = super().predict(X)
            return plain
        seen = self.market_
        after = self._market(X, reset=False)
        close = np.vstack([seen.close, seen.close[-1] * after.close[1:]])
        joined = Market.from_prices(pd.DataFrame(close, columns=list(seen.assets)))
        start = len(seen) - 1
        result = backtest(
            joined, self.bind(joined, start), buy=self.buy, sell=self.sell, lag=self.lag, start=start
        )
        held = result.weights.to_numpy()[:, 1:]
        kept = {k: v for k, v in (self.portfolio_params or {}).items() if k != "weight_drift"}
        return PathPortfolio(
            X=X,
            weights=held[0],
            path_returns=result.net_returns.to_numpy(),
            path_weights=held,
            path_end=result.weights_end.to_numpy()[-1, 1:],
            **{"name": type(self).__name__, **kept},
        )

    def _market(self, X: Any, *, reset: bool) -> Market:
        if isinstance(X, Market):
            self.feature_names_in_ = np.array(X.assets, dtype=object)
            self.n_features_in_ = X.n_assets
            return X
        validate_data(self, X, reset=reset, skip_check_array=True)
        frame = pd.DataFrame(X)
        names = getattr(self, "feature_names_in_", None)
        frame.columns = pd.Index(names if names is not None else [f"x{i}" for i in range(frame.shape[1])])
        return Market.from_returns(frame)

    def save(self, folder: str | Path) -> Path:
        """Write every agent into a sub-folder; see `Agent.save`."""
        check_is_fitted(self, "agents_")
        for agent in self.agents_:
            agent.save(Path(folder) / f"seed-{agent.card.seed}")
        return Path(folder)

    @staticmethod
    def load(folder: str | Path) -> list[Agent]:
        """Read the agents that `save` wrote, in the order of their seeds."""
        folders = sorted(Path(folder).glob("seed-*"), key=lambda path: int(path.name.removeprefix("seed-")))
        if not folders:
            raise DataError(f"there is no model in {folder}: expected sub-folders seed-0, seed-1, ...")
        return [Agent.load(path) for path in folders]


class average_rule:
    """The average of several rules: those that would not trade keep the weights as they are.

    Parameters
    ----------
    rules : list of Rule
    name : str
    """

    def __init__(self, rules: list[Rule], name: str) -> None:
        self.rules, self.name = rules, name

    def decide(self, t: int, weights: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the average target, or None if none of the rules trades."""
        targets = [rule.decide(t, weights) for rule in self.rules]
        if all(target is None for target in targets):
            return None
        average: NDArray[np.float64] = np.mean([weights if x is None else x for x in targets], axis=0)
        return average
