"""A result as a section of a report and in a notebook."""

from __future__ import annotations

import dataclasses

import pandas as pd

from fisc.core import Provenance, record
from fisc.report import Result, Section, Table


@dataclasses.dataclass(frozen=True)
class Effect(Result):
    name: str
    table: pd.DataFrame
    provenance: Provenance

    def section(self) -> Section:
        return Section(self.name, self.summary(), tables=[Table(self.table)], provenance=self.provenance)


@dataclasses.dataclass(frozen=True)
class TaxGain(Result):
    value: float

    def summary(self) -> str:
        return f"gain   {self.value}\n<b> _x_"


def test_a_notebook_shows_the_section(parse) -> None:
    effect = Effect("wages", pd.DataFrame({"q": [0.1, None]}), record(seed=3))
    page = parse(effect._repr_html_())
    assert page.all("h2")[0].text == "wages"
    assert page.all("details")
    assert Effect.from_dict(effect.to_dict()) == effect


def test_the_section_of_a_plain_result_is_its_summary(parse) -> None:
    page = parse(TaxGain(1.0)._repr_html_())
    assert page.all("h2")[0].text == "Tax Gain"
    assert page.all("pre")[0].text.strip() == "gain   1.0\n<b> _x_"
