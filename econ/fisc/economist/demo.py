"""The section of the tax planner in ``fisc demo``."""

from __future__ import annotations

from fisc.core import renamed
from fisc.economist.comparison import compare
from fisc.economist.population import Workers
from fisc.report import Section

__all__ = ["demo_section"]


@renamed(seed="random_state")
def demo_section(random_state: int = 0) -> Section:
    """Compare US law, Saez, a Bayesian planner and the optimum on 10 000 workers."""
    workers = Workers.sample(10_000, population="acs", random_state=random_state)
    return compare(workers, years=15, random_state=random_state, seeds=3, restarts=2).section()
