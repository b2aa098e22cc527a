"""What ``fisc demo`` puts together: a section of the market and one an instrument."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from fisc.core.errors import FiscError
from fisc.report import Report, Section

__all__ = ["build_demo", "demo_sections"]

# Title in case of failure, and the function that makes the section.
SECTIONS = {
    "Twenty stocks of the S&P 500": "fisc.cli.market:market_section",
    "Crossing the 200-day average": "fisc.r3d.demo:demo_section",
    "Portfolio: does a learned policy beat classical rules?": "fisc.portfolio.demo:demo_section",
    "Tax planner": "fisc.economist.demo:demo_section",
    "Budget speeches: from words to sectors to an honest ranking": "fisc.basir.demo:demo_section",
}

Progress = Callable[[str, int, int], None]


def demo_sections(seed: int, progress: Progress) -> list[Section]:
    """Make every section; one that fails is shown as failed, in its place."""
    sections = []
    for number, (title, where) in enumerate(SECTIONS.items()):
        progress(title, number, len(SECTIONS))
        module, _, function = where.partition(":")
        try:
            sections.append(getattr(importlib.import_module(module), function)(seed=seed))
        except FiscError as error:
            sections.append(Section.failed(title, error))
    progress("writing", len(SECTIONS), len(SECTIONS))
    return sections


def build_demo(out: Path, progress: Progress, seed: int = 0) -> Path:
    """Write the demo report into the folder `out` and return the path of its HTML file.

    `progress` is called with (what is being done, steps done, steps in all).
    """
    path = out.expanduser().absolute() / "index.html"
    demo_report(demo_sections(seed, progress)).to_html(path)
    return path


def demo_report(sections: list[Section]) -> Report:
    """Put sections under the demo's title."""
    return Report(
        "fisc: a demonstration on real data",
        sections,
        subtitle="Made offline by `fisc demo`. Every number carries its interval and its provenance.",
    )
