"""The options of a call: their allowed values, each written once, and the checks."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal, TypedDict, get_args

from fisc.core.arguments import check_number, check_whole
from fisc.core.errors import DataError, check_option

Method = Literal["simple", "frechet"]
Kernel = Literal["triangular", "epanechnikov", "uniform"]
Deriv = Literal[0, 1]
Selector = Literal["mse", "cer", "msetwo"]
Residuals = Literal["hc0", "hc1", "hc2", "hc3", "nn"]
Band = Literal["constant", "studentized", "pointwise", "anderson_rubin"]
Compat = Literal["r3d-0.1"]
Rule = Literal["linear", "inverse_cdf", "weighted_hmisc", "size_free"]
QuantileRule = Literal["auto", "linear", "inverse_cdf", "weighted_hmisc", "size_free"]
Missing = Literal["drop", "raise"]
MultiplierName = Literal["normal", "mammen", "rademacher"]
TestName = Literal["nullity", "homogeneity", "gini"]
Alternative = Literal["two-sided", "greater", "less"]
FunctionalName = Literal["mean", "iqr", "variance", "gini", "top_share", "w2"]
PlotKind = Literal["effect", "limits", "densities", "rd", "sensitivity", "running"]
DiagnosisPicture = Literal["placebo", "running", "sensitivity"]
DesignName = Literal["repo1", "repo2", "paper1", "paper2", "fuzzy1", "lee"]

_CHOICES: dict[str, tuple[object, ...]] = {
    "method": get_args(Method),
    "kernel": get_args(Kernel),
    "selector": get_args(Selector),
    "residuals": get_args(Residuals),
    "band": get_args(Band),
    "deriv": get_args(Deriv),
    "compat": (None, *get_args(Compat)),
}


@dataclass(frozen=True)
class Options:
    """Options of a fit, checked; the defaults are those of `r3d`."""

    method: Method = "frechet"
    kernel: Kernel = "triangular"
    p: int = 2
    s: int = 1
    deriv: int = 0
    selector: Selector = "mse"
    residuals: Residuals = "hc2"
    band: Band = "studentized"
    n_boot: int = 9999
    alpha: float = 0.05
    compat: Compat | None = None

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            check_option(name, getattr(self, name), allowed)
        for name, least in (("p", 0), ("s", 0), ("deriv", 0), ("n_boot", 1)):
            object.__setattr__(self, name, check_whole(name, getattr(self, name), least=least))
        if self.p < self.deriv or self.s < self.deriv:
            raise DataError(
                f"deriv={self.deriv} needs p >= {self.deriv} and s >= {self.deriv}; p={self.p}, s={self.s} were given"
            )
        object.__setattr__(self, "alpha", check_alpha(self.alpha))
        check_draws("n_boot", self.n_boot, self.alpha)


class EstimatorOptions(TypedDict, total=False):
    """The options of `r3d` that `monte_carlo` passes on."""

    kernel: Kernel
    p: int
    s: int
    deriv: Deriv
    selector: Selector
    residuals: Residuals
    band: Band


def check_alpha(alpha: float) -> float:
    """Return one minus a coverage, strictly between 0 and 1."""
    return check_number("alpha", alpha, above=0, below=1, what="a level such as 0.05,")


def check_draws(name: str, draws: int, alpha: float) -> None:
    """Refuse fewer draws than the quantile of a band needs."""
    if draws + 1 < 1.0 / alpha - 1e-9:
        raise DataError(
            f"{name}: {draws} draws cannot give a {100 * (1 - alpha):g}% band; use at least {ceil(1 / alpha) - 1}"
        )
