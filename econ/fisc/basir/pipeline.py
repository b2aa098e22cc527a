"""The kind of report ``budget-day`` for TOML files: what ``fisc report build`` asks of a module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import pandas as pd

    from fisc.basir.classifier import SectorClassifier
    from fisc.report import Section
    from fisc.report.definition import ReportDefinition

__all__ = ["SUBTITLE", "TEMPLATE", "Options", "sections"]

SUBTITLE = "What a budget speech says of which sectors, what is new, and what it may mean."
TEMPLATE = """
[options]
speech = "speech.pdf"           # PDF with a text layer or text file, relative to this file; or http(s) address
# date = "2022-02-01"           # by default from the name of the file
# classifier = "lexical"        # or "pair", "finetuned" (extras basir and minilm)
# model = "model"               # folder that `fisc basir train` wrote, in place of a classifier
# method = "surprise"           # or "attention", "last_budget", "ridge", "lambdamart"
# coverage = 0.9                # of the intervals
# earlier = "budget-speeches.parquet"   # paragraphs of earlier speeches, for novelty
# evidence = true               # every paragraph with its marked evidence
"""
EARLIER_SPEECHES = 5


class Options(BaseModel):
    """What the report needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    speech: Annotated[str, Field(description="PDF or text file, or http(s) address.")]
    date: Annotated[str | None, Field(description="Day of the speech, YYYY-MM-DD.")] = None
    classifier: Literal["lexical", "pair", "finetuned"] = "lexical"
    model: Annotated[str | None, Field(description="Folder of a saved classifier.")] = None
    method: Annotated[str, Field(description="Method of the ranking.")] = "surprise"
    coverage: Annotated[float, Field(gt=0, lt=1, description="Coverage of the intervals.")] = 0.9
    earlier: Annotated[str | None, Field(description="Parquet file of earlier paragraphs.")] = None
    evidence: Annotated[bool, Field(description="Whether every paragraph is shown.")] = True


def sections(definition: ReportDefinition, progress: Callable[[str, int, int], None]) -> list[Section]:
    """Make the page of the day, and the paragraphs with their evidence.

    Parameters
    ----------
    definition : ReportDefinition
        With the table ``[options]`` of `Options`.
    progress : callable
        Called with (what is being done, steps done, steps in all).

    Returns
    -------
    list of Section
        What cannot be made is one failed section that says why.
    """
    from fisc.basir.one_page import budget_day
    from fisc.basir.speech import read_speech
    from fisc.data import FiscError
    from fisc.report import Section

    options = Options(**definition.options)
    try:
        progress("reading the speech", 0, 3)
        web = options.speech.startswith(("http://", "https://"))
        source = options.speech if web else Path(definition.path(options.speech))
        paragraphs = read_speech(source, date=options.date)
        progress("preparing the classifier", 1, 3)
        classifier = _classifier(definition, options)
        progress("sectors and ranking", 2, 3)
        day = budget_day(
            paragraphs,
            classifier,
            method=options.method,
            coverage=options.coverage,
            earlier=_earlier(definition, options, paragraphs.attrs.get("date")),
            seed=definition.seed,
        )
    except FiscError as error:
        return [Section.failed("Budget day", error)]
    progress("writing", 3, 3)
    return [day.section(), *([day.sectors.section()] if options.evidence else [])]


def _classifier(definition: ReportDefinition, options: Options) -> SectorClassifier:
    from fisc.basir.classifier import SectorClassifier
    from fisc.data import load_budget_excerpts

    if options.model is not None:
        return SectorClassifier.load(definition.path(options.model))
    excerpts = load_budget_excerpts()
    model = SectorClassifier(options.classifier, random_state=definition.seed)
    return model.fit(excerpts["text"], excerpts["sectors"])


def _earlier(definition: ReportDefinition, options: Options, day: str | None) -> pd.DataFrame | None:
    """Return the paragraphs of the last speeches before the day."""
    import pandas as pd

    from fisc.data import DataError

    if options.earlier is None or day is None:
        return None
    path = Path(definition.path(options.earlier))
    if not path.exists():
        raise DataError(f"there is no file {path}; make it with: fisc data build budget-speeches --from DIR")
    frame = pd.read_parquet(path, columns=["date", "text"])
    frame = frame[frame["date"].astype(str) < day]
    last = sorted(frame["date"].unique())[-EARLIER_SPEECHES:]
    return frame[frame["date"].isin(last)] if last else None
