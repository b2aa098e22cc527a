"""A trained agent: a network with the card that says what it is, on disk and in use."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fisc.core import DataError, Provenance, atomic_write
from fisc.portfolio import baselines
from fisc.portfolio.backtesting import Rule
from fisc.portfolio.market import Market
from fisc.portfolio.networks import MarketView, NetworkOptions, PolicyNetwork, PortfolioPolicy
from fisc.portfolio.simulation import LOGIT_BOUND, softmax_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fisc.report import Section

__all__ = ["Agent", "AgentCard", "one_thread"]

_FORMAT = 1


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread and put the setting back: the same bits everywhere, no spinning."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclasses.dataclass(frozen=True)
class AgentCard:
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

    algorithm: str
    reward: str
    network: dict[str, Any]
    scale: tuple[float, ...]
    assets: tuple[str, ...]
    base: str | None
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        values = dataclasses.asdict(self)
        return {**values, "provenance": self.provenance.to_dict(), "format": _FORMAT}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AgentCard:
        """Build from `to_dict`'s answer."""
        if values.get("format") != _FORMAT:
            raise DataError(
                f"the model card has format {values.get('format')!r}; this version reads {_FORMAT}: train again"
            )
        names = {field.name for field in dataclasses.fields(cls)}
        missing = sorted(names - set(values))
        if missing:
            raise DataError(f"the model card lacks {missing}; the file is damaged: restore it or train again")
        kept = {name: values[name] for name in names}
        kept["scale"], kept["assets"] = tuple(kept["scale"]), tuple(kept["assets"])
        kept["provenance"] = Provenance.from_dict(kept["provenance"])
        return cls(**kept)


@dataclasses.dataclass(frozen=True)
class _AgentRule:
    name: str
    policy: PortfolioPolicy
    card: AgentCard
    base: NDArray[np.float64] | None

    def decide(self, t: int, weights: NDArray[np.float64]) -> NDArray[np.float64] | None:
        base = None if self.base is None else self.base[t]
        if not self.card.departed and base is not None:
            target: NDArray[np.float64] = base
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
        options = NetworkOptions(**card.network)
        if start < options.window:
            raise DataError(
                f"the agent looks back {options.window} closes; row {start} has only {start}: start later, or keep "
                "earlier prices in the market as history"
            )
        scale = np.array(card.scale, dtype=np.float32)
        policy = PortfolioPolicy(self.network, MarketView(market, options, scale))
        return _AgentRule(self.name, policy, card, self.base_path(market))

    def base_path(self, market: Market) -> NDArray[np.float64] | None:
        """Return what the base portfolio holds at every close, or None without a base."""
        card = self.card
        if card.base is None:
            return None
        held: NDArray[np.float64] = baselines.path(
            market, card.base, buy=card.buy, sell=card.sell, window=card.base_window, every=card.base_every
        )
        return held

    def save(self, folder: str | Path) -> Path:
        """Write ``weights.safetensors`` and ``card.json``; nothing in them can run code.

        Returns
        -------
        pathlib.Path
            The folder.
        """
        import safetensors.torch

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: value.detach().contiguous() for name, value in self.network.state_dict().items()}
        with atomic_write(folder / "weights.safetensors", "wb") as file:
            file.write(safetensors.torch.save(tensors))
        card = {**self.card.to_dict(), "curve": json.loads(self.curve.to_json(orient="split"))}
        with atomic_write(folder / "card.json", "w") as file:
            json.dump(card, file, indent=1)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Agent:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If a file is missing or damaged.
        """
        import safetensors
        import safetensors.torch

        folder = Path(folder)
        for name in ("card.json", "weights.safetensors"):
            if not (folder / name).is_file():
                raise DataError(
                    f"there is no model in {folder}: {name} is missing; give the folder that save() or "
                    "`fisc portfolio train --out` wrote"
                )
        try:
            values = json.loads((folder / "card.json").read_text(encoding="utf-8"))
            card = AgentCard.from_dict(values)
            tensors = safetensors.torch.load_file(folder / "weights.safetensors")
        except (json.JSONDecodeError, UnicodeDecodeError, safetensors.SafetensorError) as error:
            raise DataError(
                f"the model in {folder} is damaged ({error}); restore it or train again"
            ) from error
        network = PolicyNetwork(NetworkOptions(**card.network))
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise DataError(f"the weights in {folder} do not fit its card ({error})") from error
        curve = values.get("curve")
        frame = pd.DataFrame(curve["data"], columns=curve["columns"], index=curve["index"]) if curve else None
        return cls(network, card, frame)

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
        from fisc.portfolio import plots

        return plots.training_curves({f"seed {self.card.seed}": self.curve}, ax=ax)

    def section(self) -> Section:
        """Return the summary and the training curve as a section of a report."""
        from fisc.report import Figure, Section

        figures: tuple[Figure, ...] = ()
        if len(self.curve):
            caption = "Net Sharpe ratio on the validation span during training."
            figures = (Figure.from_matplotlib(self.plot(), caption=caption, alt=self.summary()),)
        return Section(
            f"Training of {self.name}", body=self.summary(), figures=figures, provenance=self.card.provenance
        )

    def _repr_html_(self) -> str:
        return self.section()._repr_html_()

    def __repr__(self) -> str:
        return f"<Agent: {self.summary()}>"
