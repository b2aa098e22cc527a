"""The demonstration as a report that can be scheduled."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from fisc.cli.demo_report import demo_sections
from fisc.report import Section
from fisc.report.definition import ReportDefinition

__all__ = ["SUBTITLE", "TEMPLATE", "Options", "sections"]

SUBTITLE = "Made offline from data that ships with the package."
TEMPLATE = """
[options]                       # the demonstration has none
"""


class Options(BaseModel):
    """The demonstration has no options."""

    model_config = ConfigDict(extra="forbid")


def sections(definition: ReportDefinition, progress: Callable[[str, int, int], None]) -> list[Section]:
    """Make the demonstration's sections."""
    return demo_sections(definition.random_state, progress)
