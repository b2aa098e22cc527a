"""Every option of the package: its allowed values, its default and what it means, written once."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, get_args

from fisc.core import DataError, check_number, check_option, check_seed, check_whole, is_number

if TYPE_CHECKING:
    from fisc.core import FloatArray
    from fisc.portfolio.market import CostRate

__all__ = [
    "Algorithm",
    "Allocator",
    "Baseline",
    "EnvOptions",
    "EpisodeOptions",
    "Network",
    "Observation",
    "Part",
    "Reward",
    "RewardName",
    "TrainOptions",
    "as_reward",
    "made",
    "takes",
]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

Algorithm = Literal["ppo", "sb3-ppo", "trpo", "sac"]
Network = Literal["eiie", "mlp", "vgg", "resnet", "vit"]
# The compiled kernels know a reward by its place in this list.
RewardName = Literal[
    "log_return",
    "mean_variance",
    "differential_sharpe",
    "telescoping_sharpe",
    "average_sharpe",
    "drawdown",
    "turnover",
]
Optimised = Literal["min_variance", "max_sharpe", "erc", "inverse_volatility", "hrp", "min_cvar", "mean_cvar"]
Allocator = Literal["equal", Optimised]
Online = Literal["eg", "olmar", "universal", "best_crp"]
Baseline = Literal["equal_daily", "equal_monthly", "buy_and_hold", Optimised, Online]
Observation = Literal["dense", "index"]
Initial = Literal["cash", "base", "equal"]
Part = Literal["leak", "planted", "iid"]

MONTH = 21  # closes between two monthly decisions
WINDOW = 504  # closes of history behind an estimate: two years


@dataclasses.dataclass(frozen=True)
class Reward:
    """A reward by name with its parameters.

    Attributes
    ----------
    name : str
        See `fisc.portfolio.rewards`.
    eta : float
        Rate of the moving averages of ``differential_sharpe`` per step, in (0, 1).
    risk_aversion : float
        Lambda of ``mean_variance``; mean over variance of the returns makes it a linearised
        Sharpe ratio.
    penalty : float
        Of ``drawdown`` and ``turnover``.
    warm_up : int
        Returns before ``telescoping_sharpe`` starts, at least 2.

    Examples
    --------
    >>> Reward("differential_sharpe", eta=1 / 60).name
    'differential_sharpe'
    """

    name: RewardName = "differential_sharpe"
    eta: float = 1 / 252
    risk_aversion: float = 5.0
    penalty: float = 0.1
    warm_up: int = 20

    def __post_init__(self) -> None:
        check_option("reward", self.name, get_args(RewardName))
        check_number("eta", self.eta, above=0, below=1, what="a rate (1/252 looks back about a year)")
        check_number("risk_aversion", self.risk_aversion, least=0)
        check_number("penalty", self.penalty, least=0)
        check_whole("warm_up", self.warm_up, least=2)

    @property
    def code(self) -> int:
        """Place of the name in `RewardName`."""
        return get_args(RewardName).index(self.name)


def as_reward(reward: RewardName | Reward) -> Reward:
    """Return a `Reward` from its name or itself."""
    return reward if isinstance(reward, Reward) else Reward(reward)


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class EpisodeOptions:
    """What training and the environments share.

    Attributes
    ----------
    window : int
        Closes that a policy looks back on.
    episode : int
        Steps of an episode.
    reward : str or Reward
        See `fisc.portfolio.rewards`.
    buy, sell : cost rates
        Shares of the traded value, in [0, 1); see `fisc.portfolio.backtesting.cost_rates`.
    lag : int
        Closes between decision and trade.
    band : float
        No trade while the one-way distance to the target is at most this share of wealth.
    """

    window: int = 50
    episode: int = 64
    reward: RewardName | Reward = "differential_sharpe"
    buy: CostRate = 0.0025
    sell: CostRate = 0.0025
    lag: int = 0
    band: float = 0.0

    def checked(self) -> Self:
        """Return the options with the reward as a `Reward`, or raise a DataError about the first bad one."""
        check_whole("window", self.window, least=1)
        check_whole("episode", self.episode, least=1)
        check_whole("lag", self.lag, least=0)
        check_number("band", self.band, least=0, below=1, what="a share of wealth")
        return dataclasses.replace(self, reward=as_reward(self.reward))


@dataclasses.dataclass(eq=False, repr=False)
class TrainOptions(EpisodeOptions):
    """Everything that decides what a training run gives, besides the data.

    Attributes
    ----------
    algorithm : {"ppo", "sb3-ppo", "trpo", "sac"}
        ``ppo`` is this package's loop for many environments; ``sb3-ppo`` and ``sac`` are those
        of stable-baselines3, ``trpo`` that of sb3-contrib, with the same networks.
    network : {"eiie", "mlp", "vgg", "resnet", "vit"}
        See `fisc.portfolio.networks`; ``mlp`` is the fastest by far.
    base : str or None
        Allocation to start from and depart from (`fisc.portfolio.baselines.ALLOCATORS`); None
        starts at equal weight of all assets and cash and departs freely.
    steps, n_envs : int
        Environment steps, and environments at once.
    width : int
        Of the network's vectors, a multiple of 4.
    log_std : float
        Initial logarithm of the exploration, in logits.
    base_window, base_every : int
        Past returns behind the base allocation, and closes between its decisions.
    validation : float
        Share of the rows kept for validation, in (0, 0.9).
    evaluations : int
        On the validation span, evenly over the run.
    patience : int
        Evaluations without improvement before stopping.
    evidence : float
        p-value of the paired bootstrap on the validation span below which an agent may leave
        its base; 1 lets it leave for any gain.
    settings : mapping or None
        Fields of `fisc.portfolio.ppo.PPOOptions` for ``ppo``; keyword arguments of the
        algorithm's class for the others.
    random_state : int
        Seed.

    Notes
    -----
    Those of `EpisodeOptions` belong to it: window, episode, reward, lag, band, and buy and sell, which
    are one number each here.
    """

    buy: float = 0.0025
    sell: float = 0.0025
    algorithm: Algorithm = "ppo"
    network: Network = "eiie"
    base: Allocator | None = "equal"
    steps: int = 200_000
    n_envs: int = 128
    width: int = 32
    log_std: float = 0.0
    base_window: int = WINDOW
    base_every: int = MONTH
    validation: float = 0.2
    evaluations: int = 10
    patience: int = 4
    evidence: float = 0.1
    settings: Mapping[str, object] | None = None
    random_state: int = 0

    def checked(self) -> Self:
        """Return the options with the reward as a `Reward`, or raise a DataError about the first bad one."""
        check_option("algorithm", self.algorithm, get_args(Algorithm))
        check_option("network", self.network, get_args(Network))
        if self.base is not None:
            check_option("base", self.base, get_args(Allocator))
        for name in ["steps", "n_envs", "width", "base_window", "base_every", "evaluations", "patience"]:
            check_whole(name, getattr(self, name), least=1)
        for name in ("buy", "sell"):
            rate = getattr(self, name)
            if not is_number(rate) or not 0 <= rate < 1:
                raise DataError(
                    f"{name} cost {rate!r:.60} is outside [0, 1); give one fraction of the traded value, 0.25 % is "
                    "0.0025"
                )
        check_number("log_std", self.log_std, least=-20, most=20)
        check_number(
            "validation", self.validation, above=0, below=0.9, what="the share of the rows kept for it"
        )
        check_number("evidence", self.evidence, above=0, most=1, what="a p-value")
        check_seed("random_state", self.random_state)
        if self.settings is not None and not isinstance(self.settings, Mapping):
            raise DataError(
                f"settings is of type {type(self.settings).__name__}; give a mapping of names to values"
            )
        return super().checked()


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class EnvOptions(EpisodeOptions):
    """How episodes run in a market.

    Attributes
    ----------
    base : ndarray of shape (n_dates, n_assets + 1) or None
        Base portfolio at every close (`fisc.portfolio.baselines.path`); logits of zero hold it.
    initial : {"cash", "base", "equal"}
        Holdings at the start of an episode.
    rows : (int, int) or None
        First row to decide on and last close (exclusive) that episodes may use; earlier rows
        are history.
    random_state : int or None
        Seed of the random starts: one generator for all environments.

    Notes
    -----
    Those of `EpisodeOptions` belong to it: window, episode, reward, buy, sell, lag, band.
    """

    base: FloatArray | None = None
    initial: Initial = "cash"
    rows: tuple[int, int] | None = None
    random_state: int | None = None

    def checked(self) -> Self:
        """Return the options with the reward as a `Reward`, or raise a DataError about the first bad one."""
        if self.random_state is not None:
            check_seed("random_state", self.random_state)
        check_option("initial", self.initial, get_args(Initial))
        if self.initial == "base" and self.base is None:
            raise DataError("initial='base' needs a base portfolio; give base or start from 'cash'")
        if self.rows is not None:
            if not isinstance(self.rows, tuple | list) or len(self.rows) != 2:
                raise DataError(f"rows={self.rows!r:.80}; give two row numbers, (start, stop)")
            for row in self.rows:
                check_whole("a row of rows", row)
        return super().checked()


def made(kind: type[T], given: Mapping[str, object], *, of: str) -> T:
    """Return a dataclass of options from keywords; an unknown one is an OptionError with the nearest."""
    for name in given:
        check_option(f"option of {of}", name, [field.name for field in dataclasses.fields(kind)])  # type: ignore[arg-type]
    return kind(**given)


def takes(kind: type) -> Callable[[F], F]:
    """Show the fields of a dataclass of options as the keywords of a function with ``**options``."""

    def wrap(function: F) -> F:
        own = inspect.signature(function)
        before = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = [
            inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
            for f in dataclasses.fields(kind)
        ]
        function.__signature__ = own.replace(parameters=[*before, *options])  # type: ignore[attr-defined]
        return function

    return wrap
