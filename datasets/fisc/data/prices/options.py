"""The options of reading and fetching prices: the values of each, written once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict, get_args

from fisc.core.arguments import check_whole
from fisc.core.errors import check_option

__all__ = [
    "ADJUSTMENTS",
    "CALENDARS",
    "FIELDS",
    "PRICES",
    "Adjustment",
    "Calendar",
    "Decimal",
    "FileOptions",
    "OnBad",
    "OnDuplicates",
    "PriceField",
    "ReadOptions",
    "Shape",
    "ShapeOptions",
]

PriceField = Literal["open", "high", "low", "close", "adj_close"]
Adjustment = Literal["total", "splits", "none"]
Calendar = Literal["union", "intersection"]
OnBad = Literal["raise", "missing"]
OnDuplicates = Literal["raise", "first", "last"]
Decimal = Literal[".", ","]

PRICES: tuple[str, ...] = get_args(PriceField)
FIELDS = (*PRICES, "volume")
ADJUSTMENTS: tuple[str, ...] = get_args(Adjustment)
CALENDARS: tuple[str, ...] = get_args(Calendar)


class FileOptions(TypedDict, total=False):
    """How a file is to be understood."""

    tickers: Sequence[str] | None
    start: object
    end: object
    on_bad: OnBad
    on_duplicates: OnDuplicates
    columns: Mapping[str, str] | None
    date_format: str | None
    decimal: Decimal | None
    name: str | None
    encoding: str


class ShapeOptions(TypedDict, total=False):
    """What becomes of the prices."""

    field: PriceField
    adjust: Adjustment
    calendar: Calendar
    max_gap: int


class ReadOptions(FileOptions, ShapeOptions, total=False):
    """Options of `fisc.data.read_prices`."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """What becomes of raw prices: the field, its adjustment, the days, the longest gap to fill."""

    field: PriceField
    adjust: Adjustment
    calendar: Calendar
    max_gap: int

    def __post_init__(self) -> None:
        check_option("field", self.field, PRICES)
        check_option("adjust", self.adjust, ADJUSTMENTS)
        check_option("calendar", self.calendar, CALENDARS)
        object.__setattr__(self, "max_gap", check_whole("max_gap", self.max_gap, least=0))
