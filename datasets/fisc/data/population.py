"""Who earns what and does what in the United States: incomes, occupations, ages."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from scipy.special import gammaln

from fisc.core.arguments import check_array, check_seed, check_whole, is_number
from fisc.core.arrays import FloatArray
from fisc.core.errors import DataError
from fisc.core.history import attach, provenance
from fisc.data.tables import read_table

__all__ = ["GB2", "load_employment_by_age", "load_incomes", "load_occupations"]

_QUANTILES = {"p10": 0.10, "p25": 0.25, "p50": 0.50, "p75": 0.75, "p90": 0.90, "p95": 0.95, "p99": 0.99}
_EMPLOYED_2022_THOUSANDS = 158_291


@dataclasses.dataclass(frozen=True)
class GB2:
    r"""Generalised beta distribution of the second kind, for incomes.

    In the GAMLSS parametrisation :math:`X = \mu B^{1/\sigma}` with
    :math:`B \sim \mathrm{BetaPrime}(\nu, \tau)`. The lower tail is a power law of exponent
    :math:`\sigma\nu`, the upper of exponent :math:`\sigma\tau`.

    Parameters
    ----------
    mu : float
        Scale, in units of income, > 0.
    sigma, nu, tau : float
        Shapes, > 0.

    References
    ----------
    McDonald, J. B. (1984). Some generalized functions for the size distribution of income.
    Econometrica 52(3), 647-663.

    Examples
    --------
    >>> income = GB2.us_2023()
    >>> round(float(income.quantile(0.5)))
    38102
    >>> income.sample(2, seed=0).shape
    (2,)
    """

    mu: float
    sigma: float
    nu: float
    tau: float

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not (is_number(value) and value > 0):
                raise DataError(f"GB2({name}={value!r}): every parameter must be a finite number above 0")

    @classmethod
    def us_2023(cls) -> GB2:
        """Return the fit to individual incomes of the American Community Survey 2023.

        The parameters are those published with the code of arXiv 2507.15815.
        """
        return cls(72402.78177917618, 2.0721070746154746, 0.48651871959386955, 1.1410398548220329)

    def cdf(self, income: npt.ArrayLike) -> FloatArray:
        """Return the share of the population with at most `income` (any shape)."""
        x = check_array("income", income, what="incomes")
        with np.errstate(over="ignore"):  # beyond any income the share is 1
            return np.asarray(stats.betaprime.cdf((x.clip(0) / self.mu) ** self.sigma, self.nu, self.tau))

    def pdf(self, income: npt.ArrayLike) -> FloatArray:
        """Return the density at `income`, per unit of income."""
        x = check_array("income", income, what="incomes")
        if np.any(~(x > 0)):
            raise DataError("GB2.pdf: every income must be above 0")
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            unit = (x / self.mu) ** self.sigma
            density = np.asarray(stats.betaprime.pdf(unit, self.nu, self.tau) * self.sigma * unit / x)
        return np.where(np.isinf(unit), 0.0, density)

    def quantile(self, probability: npt.ArrayLike) -> FloatArray:
        """Return the income below which a share `probability` (0 to 1) of the population lies."""
        p = check_array("probability", probability, what="probabilities from 0 to 1", missing=True)
        if np.any(~((p >= 0) & (p <= 1))):
            raise DataError(f"GB2.quantile: probabilities must lie in [0, 1], got {probability!r:.80}")
        return np.asarray(self.mu * stats.betaprime.ppf(p, self.nu, self.tau) ** (1 / self.sigma))

    def mean(self) -> float:
        """Return the mean income; infinite if ``sigma * tau <= 1``."""
        if self.sigma * self.tau <= 1:
            return float("inf")
        a = 1 / self.sigma
        logs = gammaln(self.nu + a) + gammaln(self.tau - a) - gammaln(self.nu) - gammaln(self.tau)
        return self.mu * math.exp(float(logs))

    def sample(self, n: int, seed: int | np.random.Generator = 0) -> FloatArray:
        """Draw `n` incomes.

        Parameters
        ----------
        n : int
            How many, at least 1.
        seed : int or numpy.random.Generator
            Same seed, same draws.

        Returns
        -------
        ndarray, shape (n,)
        """
        n = check_whole("n", n, least=1)
        rng = np.random.default_rng(
            seed if isinstance(seed, np.random.Generator) else check_seed("seed", seed)
        )
        with np.errstate(all="ignore"):
            ratio = rng.standard_gamma(self.nu, n) / rng.standard_gamma(self.tau, n)
            income = np.asarray(self.mu * ratio ** (1 / self.sigma))
        if not np.isfinite(income).all():
            raise DataError(
                f"{self!r} is so heavy-tailed that incomes leave the range of floats; use other parameters"
            )
        return income


def load_incomes() -> pd.DataFrame:
    """Load published quantiles of US incomes, and those of a fitted GB2 distribution.

    Returns
    -------
    DataFrame
        Columns ``population`` (individuals, households), ``year``, ``statistic``,
        ``probability`` (missing for the mean), ``income_usd``, ``kind`` (published or fitted)
        and ``source``. The fitted rows are computed from `GB2.us_2023`.

    Examples
    --------
    >>> incomes = load_incomes().set_index(["kind", "population", "year", "statistic"])["income_usd"]
    >>> int(incomes["published", "households", 2023, "p50"])
    80610
    """
    published = read_table("incomes.csv", "IPUMS-CPS, Census P60-282, GB2 fit to ACS 2023")
    gb2 = GB2.us_2023()
    values = {name: float(gb2.quantile(p)) for name, p in _QUANTILES.items()} | {"mean": gb2.mean()}
    fitted = pd.DataFrame(
        {
            "population": "individuals",
            "year": 2023,
            "statistic": list(values),
            "probability": [_QUANTILES.get(name) for name in values],
            "income_usd": list(values.values()),
            "kind": "fitted",
            "source": "GB2 fit to ACS 2023, parameters of arXiv 2507.15815 (code)",
        }
    )
    return attach(pd.concat([published, fitted], ignore_index=True), provenance(published))


def load_occupations() -> pd.DataFrame:
    """Load the shares of ten occupation groups among employed persons, by sex.

    Returns
    -------
    DataFrame, shape (10, 6)
        Columns ``occupation``, ``share_2022_pct``, ``share_men_2022_pct``,
        ``share_women_2022_pct``, ``share_may_2026_pct`` (per cent of all, men or women employed)
        and ``employed_2022_thousands``.

    References
    ----------
    US Bureau of Labor Statistics, Current Population Survey, annual averages 2022, table 10
    (158 291 thousand employed); table A-20, May 2026.

    Examples
    --------
    >>> load_occupations().set_index("occupation").loc["Service", "share_women_2022_pct"]
    np.float64(19.6)
    """
    frame = read_table("occupations.csv", "US Bureau of Labor Statistics, CPS")
    frame["employed_2022_thousands"] = (
        (frame["share_2022_pct"] * _EMPLOYED_2022_THOUSANDS / 100).round().astype("int64")
    )
    return frame


def load_employment_by_age() -> pd.DataFrame:
    """Load the number of employed persons by age band, United States, 2024.

    Returns
    -------
    DataFrame, shape (7, 5)
        Columns ``age_band``, ``age_from``, ``age_to`` (years; missing for 65+),
        ``employed_2024_thousands`` and ``share_pct``.

    References
    ----------
    US Bureau of Labor Statistics, Current Population Survey, annual averages 2024, table 3.

    Examples
    --------
    >>> int(load_employment_by_age()["employed_2024_thousands"].sum())
    161346
    """
    frame = read_table("employment_by_age.csv", "US Bureau of Labor Statistics, CPS")
    persons = frame["employed_2024_thousands"]
    frame["share_pct"] = 100 * persons / persons.sum()
    return frame
