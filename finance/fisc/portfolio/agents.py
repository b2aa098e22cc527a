"""A trained agent: a network with the card that says what it is, on disk and in use."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
import safetensors
import safetensors.torch
import torch

from fisc.core import CorruptFileError, DataError, FloatArray, Provenance, Record, read_folder, write_folder
from fisc.core.encoding import Json, plain, structure
from fisc.portfolio import baselines, plots
from fisc.portfolio.market import Market
from fisc.portfolio.networks import MarketView, NetworkOptions, PolicyNetwork, PortfolioPolicy
from fisc.portfolio.options import Algorithm, Allocator, RewardName
from fisc.portfolio.rules import Rule
from fisc.portfolio.simulation import LOGIT_BOUND, softmax_weights
from fisc.report import Figure, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Agent", "AgentCard", "one_thread", "read_json"]

_KIND = "trading agent"


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread and put the setting back: the same bits everywhere, no spinning."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def read_json(path: Path) -> Json:
    """Return what a JSON file holds, or raise a CorruptFileError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptFileError(f"{path} is damaged ({error}); restore it or train again") from error


@dataclasses.dataclass(frozen=True)
class AgentCard(Record):
    """What a saved agent says about itself.

    Attributes
    ----------
    algorithm, reward : str
        How it was trained.
    network : dict
        Fields of `NetworkOptions`.
    scale : tuple of float
        Standard deviations of the price windows in training.
    assets : tuple of str
        In the order of the network's columns.
    base : str or None
        Allocation that logits of zero hold.
    base_window, base_every : int
        Past returns behind the base, and closes between its decisions.
    band : float
        No trade within this one-way distance of the target.
    buy, sell : float
        Cost rates in training.
    lag : int
        Closes between decision and trade in training.
    squash : bool
        Whether logits pass through ``10 tanh(x / 10)`` (sac).
    departed : bool
        False where validation gave no reason to leave the base portfolio, so that the agent
        holds it.
    seed : int
    steps : int
        Environment steps behind these weights.
    validation : dict of str to float
        Net Sharpe ratios on the validation span, of the agent and of its untrained start.
    provenance : Provenance
        Of the training data and options.
    """

    # Those that are options of training under the same name.
    OF_TRAINING: ClassVar[tuple[str, ...]] = ("algorithm", "base", "base_window", "base_every", "band", "lag")

    algorithm: Algorithm
    reward: RewardName
    network: dict[str, object]
    scale: tuple[float, ...]
    assets: tuple[str, ...]
    base: Allocator | None
    base_window: int
    base_every: int
    band: float
    buy: float
    sell: float
    lag: int
    squash: bool
    departed: bool
    seed: int
    steps: int
    validation: dict[str, float]
    provenance: Provenance

    def __post_init__(self) -> None:
        if not all(math.isfinite(x) and x > 0 for x in self.scale) or len(set(self.assets)) < 2:
            raise DataError(f"scale={self.scale!r:.60}, {len(self.assets)} assets; the card of no agent")

    @property
    def network_options(self) -> NetworkOptions:
        """The shape of the network."""
        return structure(self.network, NetworkOptions)


@dataclasses.dataclass(frozen=True)
class _AgentRule:
    name: str
    policy: PortfolioPolicy
    card: AgentCard
    base: FloatArray | None

    def decide(self, t: int, weights: FloatArray) -> FloatArray | None:
        base = None if self.base is None else self.base[t]
        if not self.card.departed and base is not None:
            target: FloatArray = base
        else:
            logits = self.policy.logits(t, weights)
            if self.card.squash:
                logits = LOGIT_BOUND * np.tanh(logits / LOGIT_BOUND)
            target = softmax_weights(logits, base)
        if 0.5 * np.abs(target - weights).sum() <= self.card.band:
            return None
        return target


class Agent:
    """A trained policy as a strategy: `bind` it to a market, `save` it, `load` it.

    Parameters
    ----------
    network : PolicyNetwork
    card : AgentCard
    curve : DataFrame, optional
        What training recorded, one row an iteration.
    """

    def __init__(self, network: PolicyNetwork, card: AgentCard, curve: pd.DataFrame | None = None) -> None:
        self.network, self.card = network, card
        self.curve = pd.DataFrame() if curve is None else curve
        self.name = card.algorithm if card.base is None else f"{card.algorithm}+{card.base}"

    def bind(self, market: Market, start: int) -> Rule:
        """Return the rule for a market with the same assets, first asked at row `start`.

        Raises
        ------
        DataError
            If the market has other assets, or too little history before `start`.
        """
        card = self.card
        if market.assets != card.assets:
            other = sorted(set(market.assets) ^ set(card.assets))
            raise DataError(
                f"this model was trained on {len(card.assets)} assets and the market has {market.n_assets}; they "
                f"differ in {other[:6] or 'their order'}: use the same assets in the same order, or train again"
            )
        options = card.network_options
        if start < options.window:
            raise DataError(
                f"the agent looks back {options.window} closes; row {start} has only {start}: start later, or keep "
                "earlier prices in the market as history"
            )
        scale = np.array(card.scale, dtype=np.float32)
        policy = PortfolioPolicy(self.network, MarketView(market, options, scale))
        return _AgentRule(self.name, policy, card, self.base_path(market))

    def base_path(self, market: Market) -> FloatArray | None:
        """Return what the base portfolio holds at every close, or None without a base."""
        card = self.card
        if card.base is None:
            return None
        held: FloatArray = baselines.path(
            market, card.base, buy=card.buy, sell=card.sell, window=card.base_window, every=card.base_every
        )
        return held

    def save(self, folder: str | Path) -> Path:
        """Write the folder: weights, card, training curve and a manifest; nothing in it can run code.

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        WriteError
            If it cannot be written, or holds anything but an agent, which is replaced.
        """
        tensors = {name: value.detach().contiguous() for name, value in self.network.state_dict().items()}
        with write_folder(folder, kind=_KIND) as new:
            (new / "weights.safetensors").write_bytes(safetensors.torch.save(tensors))
            for name, content in (("card", self.card.to_dict()), ("curve", plain(self.curve))):
                (new / f"{name}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Agent:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If there is no agent, or a file is missing, damaged or of another agent.
        """
        files = read_folder(folder, kind=_KIND)
        for name in ("card.json", "curve.json", "weights.safetensors"):
            if name not in files:
                raise CorruptFileError(f"there is no agent in {folder}: {name} is missing; train again")
        card = AgentCard.from_dict(read_json(files["card.json"]))
        curve = structure(read_json(files["curve.json"]), pd.DataFrame)
        network = PolicyNetwork(card.network_options)
        try:
            network.load_state_dict(safetensors.torch.load_file(files["weights.safetensors"]))
        except (safetensors.SafetensorError, RuntimeError) as error:
            raise CorruptFileError(f"the weights in {folder} do not fit its card ({error})") from error
        return cls(network, card, curve)

    def summary(self) -> str:
        """Return what was trained, on what, and how it did in validation."""
        card = self.card
        stays = "" if card.departed else f"; validation gave no reason to leave {card.base}, which it holds"
        scores = ", ".join(f"{key} {value:.2f}" for key, value in card.validation.items())
        return (
            f"{self.name}: {card.network['network']} network, reward {card.reward}, {card.steps:,} steps, seed "
            f"{card.seed}, {len(card.assets)} assets; validation Sharpe after costs: {scores}{stays}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the training curve."""
        return self.curve

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the training curve and return the Axes."""
        return plots.training_curves({f"seed {self.card.seed}": self.curve}, ax=ax)

    def section(self) -> Section:
        """Return the summary and the training curve as a section of a report."""
        figures: tuple[Figure, ...] = ()
        if len(self.curve):
            caption = "Net Sharpe ratio on the validation span during training."
            figures = (Figure.from_matplotlib(self.plot(), caption=caption, alt=self.summary()),)
        return Section(
            f"Training of {self.name}", body=self.summary(), figures=figures, provenance=self.card.provenance
        )

    def _repr_html_(self) -> str | None:
        return self.section()._repr_html_()

    def __repr__(self) -> str:
        return f"<Agent: {self.summary()}>"
