"""The one reader of dates: how days are written is decided by a column as a whole, and never guessed."""

from __future__ import annotations

import datetime as dt
import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fisc.core.errors import DataError, DataWarning

__all__ = ["NotDatesError", "read_date", "read_dates", "read_day_list"]

_FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y",
    "%d%b%Y", "%d/%b/%Y", "%d-%B-%Y", "%Y-%b-%d", "%b-%d-%Y", "%d.%m.%Y", "%d-%b-%y", "%d %b %y", "%d/%b/%y",
    "%d%b%y", "%d.%m.%y", "%Y年%m月%d日",
)  # fmt: skip
_TWO_WAYS = (
    ("%d/%m/%Y", "%m/%d/%Y"),
    ("%d-%m-%Y", "%m-%d-%Y"),
    ("%d/%m/%y", "%m/%d/%y", "%y/%m/%d"),
    ("%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
)
# A month, whose price is that of its last day: 2024-11, 2024M11, 2024m11, Nov 2024, Nov-24.
_MONTHS = ("%Y-%m", "%Y/%m", "%YM%m", "%Ym%m", "%b %Y", "%b-%Y", "%B %Y")
_PARTS = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.?,?\s+)?(?P<day>.*?)"
    r"(?:(?:T|\s+|,\s*)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::\d{2}(?:[.,]\d+)?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[A-Z]{3,4}|[+-]\d{2}:?\d{2})?)?\s*"
)
_UTC = {"Z", "UTC", "GMT", "+0000", "+00:00", "-00:00", "-0000"}
_NO_DATE = "no date can be read from"
_YEAR = re.compile(r"\d{4}(?:-(?:0[1-9]|1[0-2]))?")
_AHEAD = dt.timedelta(days=366)  # a two-digit year is not further in the future than this


class NotDatesError(DataError):
    """A column holds something else than dates."""


def read_dates(values: pd.Series[Any], *, where: str, date_format: str | None = None) -> pd.Series[Any]:
    """Read a column as naive days.

    A time of day and an offset from UTC are left out without converting: the day is the one that is
    written, which is the day at the exchange. Moments in UTC that are the midnights of a zone to the
    east (Tokyo's are 15:00 of the day before) are read as the day that begins then, with a warning.

    Parameters
    ----------
    values : Series
        Dates, moments, texts, or whole numbers such as 20240131 and 202401.
    where : str
        Names the column in messages.
    date_format : str, optional
        A format of `strptime`, such as ``"%d/%m/%Y"``, where the column does not tell.

    Returns
    -------
    Series of datetime64[us]
        Midnights, with the index of `values`. A month is its last day.

    Raises
    ------
    DataError
        If a value is no date, or days cannot be told from months by the column as a whole.

    Examples
    --------
    >>> read_dates(pd.Series(["28/02/2015", "01/02/2017"]), where="events").dt.strftime("%d %b").tolist()
    ['28 Feb', '01 Feb']
    >>> read_dates(pd.Series(["2024-01-31 00:00:00-05:00"]), where="x.csv").dt.strftime("%d %b").tolist()
    ['31 Jan']
    """
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        moments: pd.Series[Any] = values
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            in_utc = str(values.dtype.tz) in ("UTC", "Etc/UTC", "GMT", "UTC+00:00")
            moments = values.dt.tz_localize(None)
            if in_utc:
                moments = _eastern_midnights(moments, where)
        return _days(moments, values, where)
    if isinstance(values.dtype, pd.PeriodDtype):
        return _days(values.dt.to_timestamp(how="end"), values, where)
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_timedelta64_dtype(values.dtype):
        raise NotDatesError(f"{where}: {_NO_DATE} {values.dtype}; name the column of dates")
    if pd.api.types.is_float_dtype(values.dtype) and values.notna().all() and (values % 1 == 0).all():
        values = values.astype("int64")
    # A long file repeats each day for every ticker: each text is read once.
    codes, distinct = pd.factorize(values.astype("str").str.strip())
    parsed = _read(pd.Series(distinct, dtype="str"), date_format, where)
    missing = pd.Series(pd.NaT, index=[-1])
    spread = pd.concat([parsed, missing]).reindex(codes)
    return _days(spread.set_axis(values.index), values, where, date_format)


def read_date(name: str, value: object) -> dt.date:
    """Read one day given as an argument: a date, a moment, or text that can be read in one way only.

    A year or a month is its first day.

    Raises
    ------
    DataError
        If it is no day, or can be read as two.

    Examples
    --------
    >>> read_date("start", "2024-01-31"), read_date("start", "28/02/2015")
    (datetime.date(2024, 1, 31), datetime.date(2015, 2, 28))
    """
    if isinstance(value, (dt.datetime, np.datetime64)) and not pd.isna(value):
        return pd.Timestamp(value).date()
    if type(value) is dt.date:
        return value
    if isinstance(value, str) and _YEAR.fullmatch(value.strip()):
        return dt.date.fromisoformat(f"{value.strip()}-01-01"[:10])
    if isinstance(value, str) and value.strip() and not value.strip().isdigit():
        try:
            return pd.Timestamp(read_dates(pd.Series([value]), where=name).iloc[0]).date()
        except NotDatesError:
            pass  # said below, with what was given
    raise DataError(f"{name}={value!r:.60} is not a day; give a date or text such as '2024-01-31'")


def _read(texts: pd.Series[Any], date_format: str | None, where: str) -> pd.Series[Any]:
    """Read distinct texts in the one format that fits all of them; NaT where the best one fails."""
    if date_format is not None:
        return _in_this_century(pd.to_datetime(texts, format=date_format, errors="coerce"), date_format)
    if texts.str.fullmatch(r"\d+").all() and len(texts):
        return _from_digits(texts, where)
    parts = texts.str.extract(rf"^{_PARTS.pattern}$", flags=re.ASCII)
    iso = texts.str.extract(r"^(\d{4}-\d{1,2}-\d{1,2})(?:[T ].*)?$")[0]
    days = iso.fillna(parts["day"].str.strip()).fillna("")
    best = _best(days, where)
    hours = pd.to_numeric(parts["hour"], errors="coerce").fillna(0) % 24
    if parts["zone"].isin(_UTC).all() and best.notna().all():
        moments = best + pd.to_timedelta(hours, unit="h")
        return _eastern_midnights(moments, where)
    return best


def _best(days: pd.Series[Any], where: str) -> pd.Series[Any]:
    """Read texts of days alone; where no format fits all, the one that fits most."""
    best = pd.Series(pd.NaT, index=days.index, dtype="datetime64[us]")
    for patterns in (*((one,) for one in _FORMATS), *_TWO_WAYS):
        ways = [_parsed(days, pattern) for pattern in patterns]
        fitting = [i for i, way in enumerate(ways) if way.notna().all()]
        if len(fitting) > 1 and patterns[fitting[-1]].startswith(
            "%y"
        ):  # the year first: told by the order of days
            ordered = [i for i in fitting if _in_order(ways[i])]
            fitting = ordered if ordered and fitting != ordered else fitting
        whole = [ways[i] for i in fitting]
        for i, other in zip(fitting[1:], whole[1:], strict=True):
            if not whole[0].equals(other):
                raise DataError(
                    f"{where}: dates such as {days.iloc[0]!r} read both as day/month and as month/day; write them as "
                    f"2024-01-31, or, for a file, pass date_format={patterns[fitting[0]]!r} or "
                    f"date_format={patterns[i]!r}"
                )
        if whole:
            return whole[0]
        best = max([best, *ways], key=lambda way: int(way.notna().sum()))
    for pattern in _MONTHS:
        months = _parsed(days, pattern)
        if months.notna().all():
            return months + pd.offsets.MonthEnd(0)
    quarters = days.str.extract(r"^(\d{4})\s*-?[Qq]([1-4])$")
    if quarters.notna().all(axis=None):
        starts = pd.to_datetime(quarters[0] + "-" + (quarters[1].astype(int) * 3).astype(str), format="%Y-%m")
        return starts + pd.offsets.MonthEnd(0)
    return best


def _in_order(days: pd.Series[Any]) -> bool:
    return bool(days.is_monotonic_increasing or days.is_monotonic_decreasing)


def _parsed(days: pd.Series[Any], pattern: str) -> pd.Series[Any]:
    """Read texts strictly in one format; two digits of a year are never four."""
    tried = pd.to_datetime(days, format=pattern, errors="coerce")
    if "%Y" in pattern:  # strptime takes "24" for the year 24, and pandas 202411 for January
        tried = tried.where(days.str.contains(r"\d{4}"))
    return _in_this_century(tried, pattern)


def _in_this_century(parsed: pd.Series[Any], pattern: str) -> pd.Series[Any]:
    """Move years that two digits would put into the future back by a century."""
    if "%y" not in pattern:
        return parsed
    late = parsed > pd.Timestamp.now() + _AHEAD
    return parsed.mask(late, parsed - pd.DateOffset(years=100))


def _from_digits(texts: pd.Series[Any], where: str) -> pd.Series[Any]:
    """Read dates written in figures only: 20240131, 202401 or 240131."""
    lengths = set(texts.str.len())
    if lengths == {8}:
        return pd.to_datetime(texts, format="%Y%m%d", errors="coerce")
    if lengths == {6}:
        months = pd.to_datetime(texts + "01", format="%Y%m%d", errors="coerce") + pd.offsets.MonthEnd(0)
        days = _in_this_century(pd.to_datetime(texts, format="%y%m%d", errors="coerce"), "%y")
        plausible = months.between("1700", "2200")
        if plausible.all() and days.notna().all():
            raise DataError(
                f"{where}: {texts.iloc[0]!r} reads both as a month (YYYYMM) and as a day (YYMMDD); write 2024-01, or "
                "pass date_format='%Y%m' or date_format='%y%m%d'"
            )
        return months if plausible.all() else days
    kind = {
        5: "a spreadsheet's serial numbers of days",
        10: "seconds since 1970",
        13: "milliseconds since 1970",
    }
    seems = next((words for length, words in kind.items() if lengths == {length}), "row numbers or years")
    raise NotDatesError(
        f"{where}: {_NO_DATE} {texts.iloc[0]!r}; they look like {seems}: write days as 2024-01-31"
    )


def _eastern_midnights(moments: pd.Series[Any], where: str) -> pd.Series[Any]:
    """Read moments in UTC that are midnights east of it as the days that begin then.

    They are told by their hours, late ones beside 00:00 (London), or by the week: days that begin on the
    evenings of Sunday to Thursday are Monday to Friday.
    """
    late = moments.dt.hour >= 12
    if not late.any():
        return moments
    hours = set(moments.dt.hour)
    evenings = set(moments[late].dt.day_of_week)
    if hours == {0, 23} or (6 in evenings and not {4, 5} & evenings and len(hours) <= 2):
        warnings.warn(
            f"{where}: {int(late.sum())} moments are midnights east of UTC, written in UTC; "
            "read as the days that begin then",
            DataWarning,
            stacklevel=2,
        )
        return moments.where(~late, moments.dt.normalize() + pd.Timedelta(days=1))
    return moments


def _days(
    parsed: pd.Series[Any], column: pd.Series[Any], where: str, date_format: str | None = None
) -> pd.Series[Any]:
    """Return whole days, or say which rows are no dates."""
    bad = parsed.isna()
    if bad.any():
        row = int(np.flatnonzero(bad.to_numpy())[0])
        how = f"date_format={date_format!r}" if date_format else "a format such as 2024-01-31"
        raise NotDatesError(
            f"{where}: {int(bad.sum())} of {len(parsed)} dates cannot be read with {how}; the first is "
            f"{column.iloc[row]!r} in data row {row + 1}. Correct it, or pass date_format="
        )
    days: pd.Series[Any] = parsed.dt.normalize().astype("datetime64[us]")
    return days


def read_day_list(name: str, values: Sequence[object]) -> list[dt.date]:
    """Read several days given as an argument: texts among them are read together, as a column is."""
    texts = [i for i, v in enumerate(values) if isinstance(v, str) and not _YEAR.fullmatch(v.strip())]
    read = dict(
        zip(
            texts,
            read_dates(pd.Series([values[i] for i in texts], dtype="str"), where=name).dt.date
            if texts
            else [],
            strict=True,
        )
    )
    return [read[i] if i in read else read_date(name, value) for i, value in enumerate(values)]
