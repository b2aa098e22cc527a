"""`RLPortfolio`: learned agents as an estimator of scikit-learn and skfolio."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from skfolio.optimization import BaseOptimization
from skfolio.portfolio import Portfolio
from sklearn.utils.validation import check_is_fitted, validate_data

from fisc.core import DataError, check_seed, check_whole, is_table, renamed
from fisc.portfolio.agents import Agent
from fisc.portfolio.backtesting import backtest
from fisc.portfolio.market import Market, Prices, as_prices
from fisc.portfolio.options import TrainOptions, takes
from fisc.portfolio.rules import AverageRule, Rule
from fisc.portfolio.runs import Report
from fisc.portfolio.training import train

if TYPE_CHECKING:
    from fisc.core import AnyArray, FloatArray

__all__ = ["PathPortfolio", "RLPortfolio"]

_TRAINED_BY = tuple(f.name for f in dataclasses.fields(TrainOptions) if f.name != "random_state")


class PathPortfolio(Portfolio):  # type: ignore[misc]
    """A portfolio of skfolio whose weights change from one observation to the next.

    `weights` (n_assets,) are those of the first observation, `path_end` those after the last; `path_returns`
    (n_observations,) are net, and what `path_weights` (n_observations, n_assets) lack to one is cash. The other
    parameters are those of ``skfolio.Portfolio`` that make sense for a path.

    Notes
    -----
    The other parameters are those of ``skfolio.Portfolio`` that make sense for a path.
    """

    __slots__ = {"path_end", "path_returns", "path_weights"}

    def __init__(
        self,
        X: ArrayLike,
        weights: ArrayLike,
        path_returns: ArrayLike = (),
        path_weights: ArrayLike = (),
        path_end: ArrayLike = (),
        previous_weights: ArrayLike | Mapping[str, float] | None = None,
        risk_free_rate: float = 0,
        name: str | None = None,
        tag: str | None = None,
        annualization_factor: float | None = None,
        fitness_measures: list[object] | None = None,
        compounded: bool = False,
        sample_weight: FloatArray | None = None,
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


@dataclasses.dataclass(eq=False, repr=False)
class RLPortfolio(BaseOptimization, TrainOptions):  # type: ignore[misc]
    """A portfolio policy learned with a Sharpe reward.

    Its parameters are the fields of `fisc.portfolio.TrainOptions`, which explains them and has the
    defaults, and those below. As everywhere in scikit-learn, they are checked by `fit`.

    Parameters
    ----------
    random_state : int, default 0
        First seed; those of further agents follow it.
    n_seeds : int, default 1
        Agents to train; the portfolio is the average of theirs.
    checkpoint : path, optional
        As in `fisc.portfolio.train`, one for each seed: ``seed-0`` and so on below this path.
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

    n_seeds: int = 1
    checkpoint: str | Path | None = None
    portfolio_params: dict[str, Any] | None = None
    fallback: BaseOptimization | str | list[BaseOptimization | str] | None = None
    previous_weights: ArrayLike | Mapping[str, float] | None = None
    raise_on_failure: bool = True

    @renamed(seed="random_state")
    @takes(TrainOptions)
    def train_agent(
        self,
        market: Market,
        *,
        rows: tuple[int, int] | None = None,
        progress: bool | Report = False,
        **changes: object,
    ) -> Agent:
        """Train one agent on a span of a market with this estimator's parameters.

        Parameters
        ----------
        market, rows, progress
            As in `fisc.portfolio.train`.
        **changes
            Parameters to use instead of the estimator's.

        Returns
        -------
        Agent
        """
        own = {name: getattr(self, name) for name in _TRAINED_BY}
        chosen = {**own, "random_state": self.random_state, **changes}
        path = None if self.checkpoint is None else Path(self.checkpoint) / f"seed-{chosen['random_state']}"
        return train(market, rows=rows, progress=progress, checkpoint=path, **chosen)

    def fit(self, X: Market | Prices, y: object = None) -> RLPortfolio:
        """Train the agents.

        Parameters
        ----------
        X : table or array of shape (n_observations, n_assets), or Market
            Simple returns of the assets, or a market.
        y : ignored

        Returns
        -------
        RLPortfolio
            Itself.
        """
        check_whole("n_seeds", self.n_seeds, least=1)
        check_seed("random_state", self.random_state)
        self.market_ = self._market(X, reset=True)
        seeds = range(self.random_state, self.random_state + self.n_seeds)
        self.agents_ = [self.train_agent(self.market_, random_state=seed) for seed in seeds]
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
        return AverageRule([agent.bind(market, start) for agent in self.agents_], self.name)

    @property
    def name(self) -> str:
        """Algorithm and base."""
        return self.algorithm if self.base is None else f"{self.algorithm}+{self.base}"

    def predict(self, X: Prices) -> PathPortfolio:
        """Run the agents over returns that follow the training data.

        Parameters
        ----------
        X : table or array of shape (n_observations, n_assets)
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
            X=_as_given(X),
            weights=held[0],
            path_returns=result.net_returns.to_numpy(),
            path_weights=held,
            path_end=result.weights_end.to_numpy()[-1, 1:],
            **{"name": type(self).__name__, **kept},
        )

    def _market(self, X: Market | Prices, *, reset: bool) -> Market:
        if isinstance(X, Market):
            self.feature_names_in_ = np.array(X.assets, dtype=object)
            self.n_features_in_ = X.n_assets
            return X
        table = _as_given(X)
        validate_data(self, table, reset=reset, skip_check_array=True)
        frame = pd.DataFrame(table)
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


def _as_given(X: Prices) -> pd.DataFrame | AnyArray:
    """Return a table as a DataFrame and an array as it is, as scikit-learn tells them apart."""
    return as_prices(X, "X") if is_table(X) else np.asarray(X)
