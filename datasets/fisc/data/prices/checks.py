"""From raw bars to a checked set of prices: holidays, adjustment, gaps, tradability."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from fisc.core.arrays import BoolArray, FloatArray
from fisc.core.errors import DataError, DataWarning, OptionError, nearest
from fisc.core.history import record
from fisc.data.prices.adjust import adjustment_factors
from fisc.data.prices.options import Adjustment, Shape
from fisc.data.prices.price_set import CHECK_COLUMNS, PriceSet, PriceState
from fisc.data.prices.raw import RawPrices

__all__ = ["assemble", "fill"]

JUMP = 0.5  # |log return| above it is flagged: a move of +65 % or -39 % in a day
_RANGE_TOLERANCE = 1e-4  # sources round the four prices of a bar apart, in single precision
_LONG_GAP_DAYS = 10  # no exchange closes for longer, save in wars: flagged


def assemble(
    raw: RawPrices,
    shape: Shape,
    *,
    status: pd.DataFrame,
    options: Mapping[str, object],
    inputs: Mapping[str, object],
    source: str,
    warn_level: int,
) -> PriceSet:
    """Turn raw prices into a checked set.

    `raw` is changed: its notes, counts and checks grow. `status` is kept as it is; `options`,
    `inputs` and `source` go to the provenance; `warn_level` is the ``stacklevel`` of the warning
    that counts the repairs.
    """
    field = shape.field
    if field not in raw.fields:
        guess = nearest(field, raw.fields)
        raise OptionError(
            f"field={field!r} is not in {source}; it has {', '.join(raw.fields)}"
            + (f" (did you mean {guess!r}?)" if guess else "")
        )
    if field == "adj_close" and shape.adjust != "none":
        raise OptionError(
            f"field='adj_close' is adjusted already, so adjust={shape.adjust!r} would count dividends twice; "
            "pass adjust='none', or field='close'"
        )
    _drop_holidays(raw)
    fields = _adjusted(raw, shape.adjust)
    chosen = _without_empty(raw, fields[field], source)
    days = chosen.notna()
    kept = days.all(axis=1) if shape.calendar == "intersection" else days.any(axis=1)
    if not kept.any():
        raise DataError(
            f"{source}: there is no day on which all {chosen.shape[1]} assets have a price; "
            "pass calendar='union', or fewer assets"
        )
    raw.count(
        "days_without_common_price",
        int((~kept & days.any(axis=1)).sum()),
        "days dropped that not all assets share",
    )
    chosen = chosen[kept]
    volume = raw.fields["volume"].reindex(index=chosen.index) if "volume" in raw.fields else None
    close, states = fill(chosen, volume, shape.max_gap)
    _count_states(raw, states)
    _check(raw, fields, chosen)
    others = {
        name: frame.reindex(index=chosen.index, columns=chosen.columns).astype("float64")
        for name, frame in fields.items()
        if name != field
    }
    if raw.warn:
        warnings.warn(f"{source}: {'; '.join(raw.warn)}", DataWarning, stacklevel=warn_level)
    return PriceSet(
        close=close,
        states=states,
        fields=others,
        events=raw.events[raw.events["ticker"].isin(close.columns)].reset_index(drop=True),
        status=status,
        checks=pd.DataFrame(raw.checks, columns=list(CHECK_COLUMNS)).astype(
            {"date": "datetime64[us]", "value": "float64"}
        ),
        provenance=record(
            options={**dataclasses.asdict(shape), **options, "repairs": raw.counts},
            inputs={**inputs, "closes": close},
            notes=raw.notes,
            source=source,
        ),
    )


def fill(
    chosen: pd.DataFrame, volume: pd.DataFrame | None, max_gap: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Carry prices forward over short gaps and say what stands behind each cell.

    `chosen`, (days, tickers), is NaN where there is no price; of a run of more than `max_gap` rows
    the first `max_gap` are filled. A `volume` of zero means suspended, for an asset that has any
    volume at all (an index or a currency has none). Returned are the closes and, of the same shape,
    the values of `PriceState` as int8.

    Examples
    --------
    >>> prices = pd.DataFrame({"A": [1.0, np.nan, np.nan]}, index=pd.date_range("2024-01-01", periods=3))
    >>> close, states = fill(prices, None, max_gap=1)
    >>> close["A"].tolist(), states["A"].tolist()
    ([1.0, 1.0, nan], [0, 1, 2])
    """
    known = chosen.notna().to_numpy()
    close = chosen.ffill(limit=min(max_gap, len(chosen))) if max_gap else chosen.copy()
    codes = np.full(known.shape, PriceState.MISSING, dtype=np.int8)
    codes[close.notna().to_numpy()] = PriceState.STALE
    codes[known] = PriceState.TRADED
    codes[~np.logical_or.accumulate(known, axis=0)] = PriceState.NOT_LISTED
    if volume is not None:
        shares = volume.reindex(columns=chosen.columns).to_numpy(float)
        codes[known & (shares == 0) & (shares > 0).any(axis=0)] = PriceState.SUSPENDED
    close = close.astype("float64")
    close.index.name = "date"
    close.columns.name = "ticker"
    return close, pd.DataFrame(codes, index=close.index, columns=close.columns)


def _drop_holidays(raw: RawPrices) -> None:
    """Drop the days on which no asset has a price, or all merely repeat the last one untraded.

    A single asset that repeats its price without volume may as well be suspended: the day stays.
    """
    close = raw.fields.get("close")
    if close is None:
        return
    known = close.notna().to_numpy()
    repeated = np.zeros_like(known)
    if "volume" in raw.fields:
        shares = raw.fields["volume"].reindex_like(close).to_numpy(float)
        last = close.ffill().shift().to_numpy()
        repeated = (shares == 0) & (close.to_numpy() == last) & (shares > 0).any(axis=0)
    empty = (~known | repeated).all(axis=1) & (repeated.sum(axis=1) != 1)
    if not empty.any():
        return
    for day in close.index.to_numpy()[empty]:
        raw.checks.append(("holiday", "*", day, np.nan, "dropped"))
    raw.count("holiday_rows", int(empty.sum()), "rows of days without any trade dropped (holidays)")
    raw.fields = {name: frame.iloc[np.flatnonzero(~empty)] for name, frame in raw.fields.items()}


def _adjusted(raw: RawPrices, adjust: Adjustment) -> dict[str, pd.DataFrame]:
    """Apply dividends and splits to the prices of the bars."""
    if adjust == "none":
        return raw.fields
    if "close" not in raw.fields:
        raise DataError(f"adjust={adjust!r} needs closes, and there are none; pass adjust='none'")
    factors, repaired = adjustment_factors(
        raw.fields["close"], raw.events, adjust=adjust, split_adjusted=raw.split_adjusted
    )
    for ticker, day, ratio in repaired:
        raw.checks.append(("split", ticker, day, ratio, "repaired"))
    raw.count(
        "splits_applied",
        len(repaired),
        "splits that the source had left out of its history applied",
        loud=True,
    )
    gains = raw.events[raw.events["kind"] == "capital gain"]
    for row in gains.itertuples():
        raw.checks.append(("capital gain", row.ticker, row.date, row.value, "left out"))
    if adjust == "total":
        raw.count("capital_gains", len(gains), "capital gains of funds left out of the adjustment", loud=True)
    scaled = ("open", "high", "low", "close")
    return {name: frame * factors if name in scaled else frame for name, frame in raw.fields.items()}


def _without_empty(raw: RawPrices, chosen: pd.DataFrame, source: str) -> pd.DataFrame:
    """Drop the assets without any price: an empty column would only hide that they failed."""
    empty = chosen.columns[chosen.isna().all()]
    if len(empty) == chosen.shape[1]:
        raise DataError(f"{source}: no price at all is left for {', '.join(map(str, empty[:10]))}")
    for ticker in empty:
        raw.checks.append(("no prices", ticker, pd.NaT, np.nan, "dropped"))
    named = ", ".join(map(str, empty[:10])) + (" ..." if len(empty) > 10 else "")
    raw.count("empty_columns", len(empty), f"assets without any price dropped ({named})", loud=True)
    return chosen.drop(columns=empty)


def _count_states(raw: RawPrices, states: pd.DataFrame) -> None:
    """Note how many cells are stale, missing, suspended or before listing."""
    counts = np.bincount(states.to_numpy().ravel(), minlength=len(PriceState))
    raw.count(
        "stale", int(counts[PriceState.STALE]), "missing closes filled with the last one (marked stale)"
    )
    raw.count("missing", int(counts[PriceState.MISSING]), "closes missing and left so")
    raw.count("suspended", int(counts[PriceState.SUSPENDED]), "closes of days without volume (suspended)")
    raw.count("not_listed", int(counts[PriceState.NOT_LISTED]), "cells before an asset's first close")


def _check(raw: RawPrices, fields: Mapping[str, pd.DataFrame], chosen: pd.DataFrame) -> None:
    """Flag jumps, bars whose high or low contradict them, and long gaps of the calendar."""
    last = chosen.ffill().shift()
    moves = np.log(chosen.to_numpy() / last.to_numpy())
    _flag(raw, "jump", chosen, np.abs(moves) > JUMP, moves, f"daily moves above {JUMP:.0%} in logs flagged")
    prices = {name: fields[name].reindex_like(chosen).to_numpy() for name in fields if name != "volume"}
    body = [prices[name] for name in ("open", "close") if name in prices]
    if body and "high" in prices:
        short = np.fmax.reduce([*body, prices.get("low", body[0])]) / prices["high"] - 1
        _flag(
            raw,
            "high",
            chosen,
            short > _RANGE_TOLERANCE,
            short,
            "highs below another price of the bar flagged",
        )
    if body and "low" in prices:
        over = prices["low"] / np.fmin.reduce([*body, prices.get("high", body[0])]) - 1
        _flag(
            raw, "low", chosen, over > _RANGE_TOLERANCE, over, "lows above another price of the bar flagged"
        )
    steps = np.diff(chosen.index.to_numpy()).astype("timedelta64[D]").astype(int)
    if len(steps) and np.median(steps) <= 3:
        holes = np.flatnonzero(steps > _LONG_GAP_DAYS)
        for k in holes.tolist():
            raw.checks.append(("gap", "*", chosen.index[k + 1], float(steps[k]), "flagged"))
        raw.count(
            "calendar_gaps", len(holes), f"gaps of more than {_LONG_GAP_DAYS} days in the calendar flagged"
        )


def _flag(
    raw: RawPrices,
    check: str,
    frame: pd.DataFrame,
    where: BoolArray,
    values: FloatArray,
    words: str,
) -> None:
    """Add the marked cells to the checks."""
    rows, columns = np.nonzero(where)
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
        raw.checks.append((check, frame.columns[j], frame.index[i], float(values[i, j]), "flagged"))
    raw.count(f"{check}_flags", len(rows), words)
