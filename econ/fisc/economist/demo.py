"""The section of the tax planner in ``fisc demo``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fisc.report import Section

__all__ = ["demo_section"]


def demo_section(seed: int = 0) -> Section:
    """Compare US law, Saez, a Bayesian planner and the optimum on 10 000 workers.

    Parameters
    ----------
    seed : int
        Of the population, the planner and the search.

    Returns
    -------
    Section
    """
    from fisc.economist.comparison import compare
    from fisc.economist.population import Workers

    workers = Workers.sample(10_000, population="acs", seed=seed)
    result = compare(
        workers, "inverse_income", planners=("bayesian",), years=15, seed=seed, seeds=3, restarts=2
    )
    return result.section()
