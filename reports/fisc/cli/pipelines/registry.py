"""The kinds of report that a TOML file can ask for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

from pydantic import BaseModel

from fisc.core import FiscError
from fisc.report import Section
from fisc.report.definition import ReportDefinition

__all__ = [
    "KINDS",
    "OWN",
    "USES",
    "Pipeline",
    "json_schema",
    "models",
    "optional_section",
    "pipeline",
    "template",
]

# Kind and module. A module offers what `Pipeline` names.
KINDS = {
    "demo": "fisc.cli.pipelines.demo",
    "budget-day": "fisc.cli.pipelines.budget_day",
    "tax-reform": "fisc.cli.pipelines.tax_reform",
    "cutoff": "fisc.cli.pipelines.cutoff",
    "portfolio": "fisc.cli.pipelines.portfolio",
}
# A report that its file puts together.
OWN = "own"
# What a [[section]] can use, and the kind whose options and sections it has.
USES = {
    "demo": "demo",
    "basir.report": "budget-day",
    "economist.reform": "tax-reform",
    "r3d.fit": "cutoff",
    "portfolio.backtest": "portfolio",
}

Progress = Callable[[str, int, int], None]


class Pipeline(Protocol):
    """What the module of a kind offers."""

    Options: type[BaseModel]  # the table ``[options]`` of the file
    TEMPLATE: str  # the commented lines of ``[options]`` in a new file
    SUBTITLE: str  # under the title

    def sections(self, definition: ReportDefinition, progress: Progress) -> list[Section]:
        """Make the sections; what cannot be made is a failed section that says why."""
        ...


def pipeline(kind: str) -> Pipeline:
    """Return the pipeline of a kind."""
    module: Any = importlib.import_module(KINDS[kind])
    found: Pipeline = module
    return found


def models() -> dict[str, type[BaseModel]]:
    """Return the options' model of every kind."""
    return {kind: pipeline(kind).Options for kind in KINDS}


def optional_section(title: str, make: Callable[[], Section]) -> Section:
    """Make a section, or show in its place why it could not be made."""
    try:
        return make()
    except FiscError as error:
        return Section.failed(title, error)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a report definition, the options by kind."""
    schema = ReportDefinition.model_json_schema()
    for name in ("file", "folder", "variant", "allowed"):
        schema["properties"].pop(name, None)
    schema["properties"]["parameters"] = {
        "type": "object",
        "description": "Values for {name} in texts; a list makes one page a value.",
        "additionalProperties": {"type": ["string", "number", "array"]},
    }
    schema["oneOf"] = [{"required": ["kind"]}, {"required": ["section"]}]
    schema["properties"]["seed"] = {
        "type": "integer",
        "minimum": 0,
        "deprecated": True,
        "description": "Old name of random_state.",
    }
    schema["properties"]["kind"] = {"enum": list(KINDS), "description": "Which report."}
    definitions = schema.setdefault("$defs", {})
    rules = []
    for kind, model in models().items():
        part = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(part.pop("$defs", {}))
        name = f"options of {kind}"
        definitions[name] = part
        rules.append(
            {
                "if": {"properties": {"kind": {"const": kind}}},
                "then": {"properties": {"options": {"$ref": f"#/$defs/{name}"}}},
            }
        )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "allOf": rules}


_OWN = """
# [parameters]                  # {name} in a text stands for its value; a list makes one page a value
# state = ["Goa", "Assam"]      # then give an output such as "{state}.html"; {today} is always known

[[section]]
uses = "portfolio.backtest"     # or r3d.fit, economist.reform, basir.report, demo
[section.options]               # as of fisc report new portfolio, cutoff, tax-reform, budget-day
rules = ["equal_monthly", "buy_and_hold"]

# [[section]]
# uses = "package.module:function"   # returns a Section; of an installed package that registered it
#                                    # under the entry points fisc.sections, or with --allow package
# [section.options]             # its arguments
# level = 0.9

# [[section]]
# uses = "notebook.ipynb"       # what its cells end with; with --allow notebook.ipynb
"""


def template(kind: str, name: str) -> str:
    """Return a commented TOML file for a new report; the kind ``own`` is one of sections."""
    title = name.replace("-", " ").capitalize()
    what, holds = ("", _OWN) if kind == OWN else (f'kind = "{kind}"\n', pipeline(kind).TEMPLATE)
    return f'''# A report of fisc. Build it:  fisc report build {name}.toml
{what}title = "{title}"
output = "{name}.html"          # .html or .pdf, relative to this file
random_state = 0                # seed of everything random
# section_minutes = 60          # a section that takes longer is stopped

{holds.strip()}

# [schedule]                    # then: fisc report run --due {name}.toml, from cron or a timer
# cron = "30 12 1 2 *"          # minute hour day month weekday; if two kinds of day are given, either
# timezone = "Asia/Kolkata"
# misfire_grace_minutes = 1440  # a run missed by more than this is left out
# overlap = "wait"              # or "refuse"

# [retry]                       # of a failed run of the schedule
# times = 2
# minutes = 15

# [history]
# keep = 30                     # past outputs, in the folder {name}-runs

# [email]                       # the server: FISC_SMTP_HOST, _FROM, _PORT, _USER, _PASSWORD, _SECURITY
# to = ["analyst@example.org"]
# on_success = true
# on_failure = true             # told once, when the retries are used up
# failure_to = ["keeper@example.org"]   # if empty, the same
'''
