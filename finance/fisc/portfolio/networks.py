"""Policy networks: from the row of the market and the holdings to logits, and to a value.

Every network has a trunk that gives each asset a vector, and the same small heads: a score per
asset from its own vector, its weight and the mean vector; a score of cash; a value that also
sees the time left and the state of the reward. The last layer of the scores starts at zero, so
that a fresh policy holds exactly its base portfolio. The actor sees neither time nor reward
state, hence a trained policy is a function of the market and the holdings alone.

Trunks: ``mlp`` and ``eiie`` share all weights between assets (Jiang, Xu and Liang 2017,
arXiv:1706.10059); ``vgg``, ``resnet`` and ``vit`` look at the windows of all assets as an image,
after the paper (arXiv:2412.18563), in sizes that a CPU trains.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import get_args

import numpy as np
import torch
from torch import Tensor, nn

from fisc.core import DataError, Float32Array, FloatArray, check_number, check_option, check_whole
from fisc.portfolio.features import asset_features, feature_names
from fisc.portfolio.market import Market
from fisc.portfolio.options import Network
from fisc.portfolio.rewards import OBSERVED_SIZE
from fisc.portfolio.simulation import price_tensor

__all__ = ["NETWORKS", "MarketView", "NetworkOptions", "PolicyNetwork", "PortfolioPolicy"]

NETWORKS = get_args(Network)
# Of a card from elsewhere: more than any use, and no more memory than a machine has.
_LONGEST_WINDOW, _WIDEST = 10_000, 1024
_CONTEXT = 1 + OBSERVED_SIZE  # time left and reward state


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """Shape of a network over `n_fields` price fields (the close alone: 1), checked.

    `width` is the length of an asset's vector, a multiple of 4; `temperature` the initial factor of the scores,
    which is learned; `log_std` the initial logarithm of the exploration's standard deviation, in logits.
    """

    network: Network
    window: int
    n_fields: int = 1
    width: int = 32
    temperature: float = 1.0
    log_std: float = -1.0

    def __post_init__(self) -> None:
        check_option("network", self.network, NETWORKS)
        check_whole("window", self.window, least=1, most=_LONGEST_WINDOW)
        check_whole("n_fields", self.n_fields, least=1, most=5)
        if check_whole("width", self.width, least=4, most=_WIDEST) % 4:
            raise DataError(f"width={self.width}; give a multiple of 4")
        check_number("temperature", self.temperature, above=0)
        check_number("log_std", self.log_std, least=-20, most=20)


class MarketView:
    """The arrays of one market that a network gathers rows from.

    `scale`, of shape (n_fields,), is the standard deviation of each field of the windows; it is fitted on
    this market if not given, which is therefore to be the training span, and stored with the model.
    """

    def __init__(self, market: Market, options: NetworkOptions, scale: Float32Array | None = None) -> None:
        self.options = options
        self.scale = np.ones(options.n_fields, dtype=np.float32)
        if options.network == "mlp":
            self.rows = torch.from_numpy(asset_features(market, options.window))
            return
        logs = price_tensor(market)
        if logs.shape[1] != options.n_fields:
            raise DataError(
                f"the model was made for {options.n_fields} price fields and the market has {logs.shape[1]}; "
                "give the same of high, low, open and volume as in training"
            )
        self.rows = torch.from_numpy(logs.astype(np.float32))
        self._offsets = torch.arange(1 - options.window, 1)
        self._own_last = market.volume is not None
        if scale is None:
            sample = torch.arange(options.window - 1, len(market), max(1, len(market) // 512))
            scale = self._windows(sample).std(dim=(0, 1, 2)).clamp_min(1e-6).numpy()
        self.scale = scale

    def _windows(self, index: Tensor) -> Tensor:
        """Windows as log ratios to the last close: (batch, n_assets, window, n_fields)."""
        seen = self.rows[index[:, None] + self._offsets]
        last = seen[:, -1:, :1].expand(-1, -1, seen.shape[2], -1).clone()
        if self._own_last:
            last[:, :, -1] = seen[:, -1:, -1]
        windows = (seen - last).permute(0, 3, 1, 2)
        # Strides of dimensions of length one steer the choice of kernels: make them canonical,
        # so that equal values always give equal bits.
        return windows.clone(memory_format=torch.contiguous_format)

    def gather(self, index: Tensor) -> Tensor:
        """Return what the trunk takes for some rows of the market."""
        if self.options.network == "mlp":
            return self.rows[index]
        return self._windows(index) / torch.from_numpy(self.scale)


class _MLP(nn.Module):
    """Features of an asset through two layers, the same for every asset."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        size = len(feature_names(options.window))
        self.layers = nn.Sequential(
            nn.Linear(size, options.width), nn.Tanh(), nn.Linear(options.width, options.width), nn.Tanh()
        )

    def forward(self, seen: Tensor) -> Tensor:
        vectors: Tensor = self.layers(seen)
        return vectors


class _EIIE(nn.Module):
    """Two convolutions along time, the same for every asset."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        if options.window < 3:
            raise DataError(f"window={options.window}; the eiie network needs at least 3 closes")
        self.first = nn.Linear(3 * options.n_fields, 4)
        self.second = nn.Linear(4 * (options.window - 2), options.width)

    def forward(self, seen: Tensor) -> Tensor:
        batch, n_assets, _, _ = seen.shape
        patches = seen.unfold(2, 3, 1).reshape(batch, n_assets, -1, self.first.in_features)
        return torch.relu(self.second(torch.relu(self.first(patches)).flatten(2)))


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, stride=(stride, 1)), nn.GroupNorm(4, outputs), nn.ReLU()
    )


def _image(seen: Tensor) -> Tensor:
    """Windows as images: (batch, n_fields, window, n_assets)."""
    return seen.permute(0, 3, 2, 1).clone(memory_format=torch.contiguous_format)


class _VGG(nn.Module):
    """Stacks of 3 x 3 convolutions over time and assets, pooled along time."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(options.n_fields, 8),
            nn.MaxPool2d((2, 1)),
            _convolution(8, 16),
            nn.MaxPool2d((2, 1)),
            _convolution(16, options.width),
            nn.AdaptiveAvgPool2d((1, None)),
        )

    def forward(self, seen: Tensor) -> Tensor:
        vectors: Tensor = self.layers(_image(seen)).squeeze(2).transpose(1, 2)
        return vectors


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(inputs, outputs, stride=2),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.GroupNorm(4, outputs),
        )
        self.skip = nn.Conv2d(inputs, outputs, 1, stride=(2, 1))

    def forward(self, image: Tensor) -> Tensor:
        return torch.relu(self.body(image) + self.skip(image))


class _ResNet(nn.Module):
    """Residual blocks over time and assets, halving time."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Block(options.n_fields, 8),
            _Block(8, 16),
            _Block(16, options.width),
            nn.AdaptiveAvgPool2d((1, None)),
        )

    def forward(self, seen: Tensor) -> Tensor:
        vectors: Tensor = self.layers(_image(seen)).squeeze(2).transpose(1, 2)
        return vectors


class _ViT(nn.Module):
    """A transformer over patches of one asset and some closes each."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.patch = max(1, options.window // 5)
        self.n_patches = options.window // self.patch
        self.embed = nn.Linear(self.patch * options.n_fields, options.width)
        self.position = nn.Parameter(torch.zeros(self.n_patches, options.width))
        layer = nn.TransformerEncoderLayer(
            options.width,
            4,
            2 * options.width,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, seen: Tensor) -> Tensor:
        batch, n_assets, _, _ = seen.shape
        latest = seen[:, :, -self.n_patches * self.patch :]
        patches = latest.reshape(batch, n_assets, self.n_patches, self.embed.in_features)
        tokens = (self.embed(patches) + self.position).flatten(1, 2)
        vectors: Tensor = self.encoder(tokens).unflatten(1, (n_assets, self.n_patches)).mean(dim=2)
        return vectors


_TRUNKS: dict[str, Callable[[NetworkOptions], nn.Module]] = {
    "mlp": _MLP,
    "eiie": _EIIE,
    "vgg": _VGG,
    "resnet": _ResNet,
    "vit": _ViT,
}


class PolicyNetwork(nn.Module):
    """Trunk and heads of one agent.

    ``forward(seen, tail)`` takes what `MarketView.gather` gives and the tail of the
    observation, (batch, tail_size) with the drifted weights first and time and reward state
    last, and returns logits (batch, n_assets + 1) and values (batch,).
    """

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.options = options
        width = options.width
        self.trunk = _TRUNKS[options.network](options)
        self.asset_head = nn.Sequential(nn.Linear(2 * width + 1, width), nn.Tanh(), nn.Linear(width, 1))
        self.cash_head = nn.Sequential(nn.Linear(width + 1, width), nn.Tanh(), nn.Linear(width, 1))
        self.value_head = nn.Sequential(
            nn.Linear(width + 1 + _CONTEXT, width), nn.Tanh(), nn.Linear(width, 1)
        )
        for head in (self.asset_head, self.cash_head, self.value_head):
            nn.init.zeros_(head[-1].get_parameter("weight"))
            nn.init.zeros_(head[-1].get_parameter("bias"))
        self.log_temperature = nn.Parameter(torch.tensor(float(np.log(options.temperature))))
        self.log_std = nn.Parameter(torch.tensor(options.log_std))

    def forward(self, seen: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and values; see the class."""
        vectors = self.trunk(seen)
        n_assets = vectors.shape[1]
        cash, weights = tail[:, :1], tail[:, 1 : n_assets + 1]
        mean = vectors.mean(dim=1)
        around = mean[:, None].expand(-1, n_assets, -1)
        # Weights enter relative to equal weight, so that they do not shrink with the universe.
        scores = self.asset_head(torch.cat([vectors, around, weights[..., None] * n_assets - 1.0], dim=-1))
        cash_score = self.cash_head(torch.cat([mean, cash], dim=-1))
        logits = torch.cat([cash_score, scores.squeeze(-1)], dim=-1) * self.log_temperature.exp()
        value = self.value_head(torch.cat([mean, cash, tail[:, -_CONTEXT:]], dim=-1))
        return logits, value.squeeze(-1)


class PortfolioPolicy:
    """A network bound to a market: deterministic logits for a row and holdings."""

    def __init__(self, network: PolicyNetwork, view: MarketView) -> None:
        self.network, self.view = network, view

    def logits(self, t: int, weights: FloatArray) -> Float32Array:
        """Return the mean action at row `t` for drifted `weights` (cash first)."""
        tail = np.zeros((1, weights.size + _CONTEXT), dtype=np.float32)
        tail[0, : weights.size] = weights
        with torch.no_grad():
            logits, _ = self.network(self.view.gather(torch.tensor([t])), torch.from_numpy(tail))
        values: Float32Array = logits[0].numpy()
        return values
