"""A policy cutoff: its effect on a whole distribution, with the diagnostics that referees ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from fisc.cli.pipelines.registry import optional_section
from fisc.core import FiscError
from fisc.r3d import R3DResult, r3d
from fisc.r3d import options as r3d_options
from fisc.report import Section
from fisc.report.definition import ReportDefinition

__all__ = ["SUBTITLE", "TEMPLATE", "Options", "sections"]

SUBTITLE = "What crossing a cutoff does to a whole distribution."
TEMPLATE = """
[options]
data = "microdata.parquet"      # CSV or Parquet, one row a value; relative to this file
y = "y"                         # column of the outcome
x = "x"                         # column of the running variable, constant within a unit
unit = "unit"                   # column of the unit
cutoff = 0.0                    # units at the cutoff belong to the upper side
# treatment = "treated"         # 0 or 1: makes the design fuzzy
# weights = "weight"            # sampling weights within a unit
# cluster = "state"             # clusters of units
# method = "frechet"            # or "simple"
# band = "studentized"          # or "constant", "pointwise", "anderson_rubin"
# alpha = 0.05
# donut = 0.0                   # leaves out units closer to the cutoff than this
"""


class Options(BaseModel):
    """What the fit needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Annotated[str, Field(description="CSV or Parquet file, one row a value.")]
    y: Annotated[str, Field(description="Column of the outcome.")]
    x: Annotated[str, Field(description="Column of the running variable.")]
    unit: Annotated[str, Field(description="Column of the unit.")]
    cutoff: float = 0.0
    treatment: str | None = None
    weights: str | None = None
    cluster: str | None = None
    method: r3d_options.Method = "frechet"
    kernel: r3d_options.Kernel = "triangular"
    band: r3d_options.Band = "studentized"
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    donut: Annotated[float, Field(ge=0)] = 0.0
    diagnose: Annotated[bool, Field(description="Whether the diagnostics are shown.")] = True


def sections(definition: ReportDefinition, progress: Callable[[str, int, int], None]) -> list[Section]:
    """Make the fit and its diagnostics; without a fit, tell the reason and stop there."""
    options = Options(**definition.options)
    progress("fit", 0, 2)
    try:
        fit = _fit(definition, options)
    except FiscError as error:
        return [Section.failed("Effect on the distribution", error)]
    found = [_effect(fit)]
    if options.diagnose:
        progress("diagnostics", 1, 2)
        seed = definition.random_state
        found.append(optional_section("Diagnostics", lambda: fit.diagnose(random_state=seed).section()))
    progress("writing", 2, 2)
    return found


def _fit(definition: ReportDefinition, options: Options) -> R3DResult:
    return r3d(
        str(definition.path(options.data)),
        y=options.y,
        x=options.x,
        unit=options.unit,
        treatment=options.treatment,
        weights=options.weights,
        cluster=options.cluster,
        cutoff=options.cutoff,
        method=options.method,
        kernel=options.kernel,
        band=options.band,
        alpha=options.alpha,
        donut=options.donut,
        random_state=definition.random_state,
    )


def _effect(fit: R3DResult) -> Section:
    """Return the fit's section under a question and its answer, with the mean effect's interval."""
    mean = fit.functional("mean")
    whole = fit.test("nullity")
    words = (
        f"Mean effect {mean.estimate:+.4g} [{mean.lower:+.4g}, {mean.upper:+.4g}]; "
        + (
            "no effect found anywhere in the distribution"
            if not whole.rejected
            else "the distribution changes"
        )
        + f" (test of no effect at any quantile: p = {whole.p_value:.3g})."
    )
    return dataclasses.replace(
        fit.section(),
        question="Does crossing the cutoff change the distribution?",
        finding=words.replace("-", "−"),
    )
