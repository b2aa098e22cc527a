"""Prices as a source gave them, with what was repaired on the way."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from fisc.data.prices.price_set import EVENT_COLUMNS

__all__ = ["RawPrices", "bad_bars", "no_events", "set_aside"]


def no_events() -> pd.DataFrame:
    """Return an empty table of events."""
    table = pd.DataFrame(columns=list(EVENT_COLUMNS))
    return table.astype({"date": "datetime64[us]", "value": "float64"})


@dataclasses.dataclass
class RawPrices:
    """Prices as a source gave them, on their way to a `PriceSet`.

    `fields` maps names of `options.FIELDS` to tables, (days, tickers), with naive unique ascending
    dates and NaN where there is nothing. `notes` say what was repaired, counted; `warn` are those
    that the user must be told at once; `checks` are rows of `PriceSet.checks`.
    """

    fields: dict[str, pd.DataFrame] = dataclasses.field(default_factory=dict)
    events: pd.DataFrame = dataclasses.field(default_factory=no_events)
    split_adjusted: bool | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
    warn: list[str] = dataclasses.field(default_factory=list)
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    checks: list[tuple[object, ...]] = dataclasses.field(default_factory=list)

    @property
    def main(self) -> pd.DataFrame:
        """The closes, or whichever field comes first where there are none."""
        return self.fields.get("close", next(iter(self.fields.values())))

    def count(self, name: str, number: int, words: str, *, loud: bool = False) -> None:
        """Keep a count and its wording; `loud` also warns."""
        if number:
            self.counts[name] = self.counts.get(name, 0) + number
            self.notes.append(f"{words}: {number}")
            if loud:
                self.warn.append(f"{words}: {number}")


def bad_bars(frame: pd.DataFrame) -> pd.DataFrame:
    """Mark prices that cannot be: not above zero, or infinite; NaN is not marked."""
    return frame.notna() & ~((frame > 0) & np.isfinite(frame))


def set_aside(raw: RawPrices, field: str) -> None:
    """Set prices that cannot be to missing, and count them."""
    frame = raw.fields[field]
    wrong = bad_bars(frame)
    cells = frame.to_numpy()
    rows, columns = np.nonzero(wrong.to_numpy())
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
        raw.checks.append(
            ("not a price", frame.columns[j], frame.index[i], float(cells[i, j]), "set missing")
        )
    raw.count("not_a_price", len(rows), f"prices ({field}) that are not above zero set missing", loud=True)
    raw.fields[field] = frame.mask(wrong)
