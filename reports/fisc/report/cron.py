"""Times of a cron expression in a time zone, searched day by day so that clocks may jump either way.

A time inside the hour that is skipped in spring fires as much later as the clock jumped. A time inside
the hour that is repeated in autumn fires once, at its first passing, unless the hours are ``*``: such a
schedule goes by elapsed time and fires in both.
"""

from __future__ import annotations

import calendar
import dataclasses
import datetime as dt
import functools
import zoneinfo
from collections.abc import Iterator

from fisc.core import DataError

__all__ = ["Cron", "last_fire", "next_fire", "parse", "time_zone"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LAST_DAY = 32
# From one 29 February to the next over a century that has none.
_HORIZON = 366 * 8 + 2


@dataclasses.dataclass(frozen=True)
class Cron:
    """The values that each of the five fields allows.

    Where both days of the month and days of the week are restricted, either suffices, as in cron.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_hour: bool
    either_day: bool

    def on(self, day: dt.date) -> bool:
        """Tell whether the schedule fires on a day."""
        if day.month not in self.months:
            return False
        last = day.day == calendar.monthrange(day.year, day.month)[1] and _LAST_DAY in self.days
        in_month, in_week = day.day in self.days or last, day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week


@functools.cache
def parse(cron: str) -> Cron:
    """Read a cron expression.

    Parameters
    ----------
    cron : str
        Five fields: minute, hour, day of month (``last`` too), month, day of week (0 and 7 are Sunday);
        numbers or English names, ``*``, ranges, steps and lists.

    Raises
    ------
    DataError
        If it cannot be read, or names a day that no month has.

    Examples
    --------
    >>> parse("30 12 1 2 *").hours
    (12,)
    """
    fields = cron.split()
    if len(fields) != 5:
        raise DataError(
            f"cron={cron!r} has {len(fields)} fields; give five: minute hour day month weekday, "
            "for instance '30 12 1 2 *'"
        )
    try:
        minutes, hours = _values(fields[0], 0, 59), _values(fields[1], 0, 23)
        days = _values(fields[2].replace("last", str(_LAST_DAY)), 1, _LAST_DAY)
        months, weekdays = _values(fields[3], 1, 12, _MONTHS), _values(fields[4], 0, 7, _WEEKDAYS)
    except ValueError as error:
        raise DataError(f"cron={cron!r} cannot be read: {error}; for instance '30 12 1 2 *'") from error
    if fields[2].startswith("*"):
        days = days - {_LAST_DAY}
    restricted = [not field.startswith("*") for field in (fields[2], fields[4])]
    longest = max(31 if m in (1, 3, 5, 7, 8, 10, 12) else 30 if m != 2 else 29 for m in months)
    if not restricted[1] and min(days) > longest and _LAST_DAY not in days:
        raise DataError(f"cron={cron!r} never fires: none of its months has {min(days)} days")
    return Cron(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(day % 7 for day in weekdays),
        any_hour=fields[1].startswith("*"),
        either_day=all(restricted),
    )


def _values(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> set[int]:
    """Return the numbers that one field allows."""
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        start = low if span == "*" else _number(first, low, names)
        stop = _number(last, low, names) if dash else high if span == "*" or slash else start
        every = int(step) if step.isdigit() else 0 if slash else 1
        if not low <= start <= stop <= high or every < 1:
            raise ValueError(
                f"{part!r} is not within {low} to {min(high, 31) if high == _LAST_DAY else high}"
            )
        found.update(range(start, stop + 1, every))
    return found


def _number(word: str, low: int, names: tuple[str, ...]) -> int:
    if word.isascii() and word.isdigit():
        return int(word)
    if word.lower() in names:
        return names.index(word.lower()) + low
    raise ValueError(f"{word!r} is not a number{' or a name such as ' + names[1] if names else ''}")


@functools.cache
def time_zone(name: str) -> zoneinfo.ZoneInfo:
    """Return a time zone by name.

    Raises
    ------
    DataError
        If there is none of that name.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DataError(
            f"timezone={name!r} is not a time zone; give one such as 'Europe/Berlin' or 'UTC'"
        ) from error


def next_fire(cron: str, timezone: str, moment: dt.datetime) -> dt.datetime | None:
    """Return the first time after a moment, or None if there is none within eight years.

    Examples
    --------
    >>> now = dt.datetime(2026, 2, 1, 7, 0, tzinfo=dt.UTC)
    >>> next_fire("30 12 1 2 *", "Asia/Kolkata", now).isoformat()
    '2027-02-01T12:30:00+05:30'
    """
    for instants in _days(cron, timezone, moment, 1):
        later = [instant for instant in instants if instant > moment]
        if later:
            return _shown(min(later), timezone)
    return None


def last_fire(cron: str, timezone: str, moment: dt.datetime) -> dt.datetime | None:
    """Return the latest time that is not after a moment, or None if there is none within eight years.

    Examples
    --------
    >>> now = dt.datetime(2026, 2, 1, 7, 0, tzinfo=dt.UTC)
    >>> last_fire("30 12 1 2 *", "Asia/Kolkata", now).isoformat()
    '2026-02-01T12:30:00+05:30'
    """
    for instants in _days(cron, timezone, moment, -1):
        earlier = [instant for instant in instants if instant <= moment]
        if earlier:
            return _shown(max(earlier), timezone)
    return None


def _shown(instant: dt.datetime, timezone: str) -> dt.datetime:
    """Return an instant with the zone's offset of that moment: fixed, so that it compares exactly."""
    offset = instant.astimezone(time_zone(timezone)).utcoffset()
    assert offset is not None
    return instant.astimezone(dt.timezone(offset))


def _days(cron: str, timezone: str, moment: dt.datetime, step: int) -> Iterator[tuple[dt.datetime, ...]]:
    """Yield the instants of each day on which a schedule fires, from the day at hand on."""
    if moment.tzinfo is None:
        raise DataError(f"{moment} has no time zone; give an aware datetime, for instance in UTC")
    rule, here = parse(cron), moment.astimezone(time_zone(timezone)).date()
    # From a day aside: a jump of the clock can carry a time over midnight.
    for offset in range(-1, _HORIZON):
        try:
            day = here + dt.timedelta(days=offset * step)
        except OverflowError:
            return
        if rule.on(day):
            yield _instants(cron, timezone, day)


@functools.lru_cache(maxsize=64)  # who asks every minute asks for one day again and again
def _instants(cron: str, timezone: str, day: dt.date) -> tuple[dt.datetime, ...]:
    """Return the instants in UTC at which a schedule fires on a day that it fires on."""
    rule, zone = parse(cron), time_zone(timezone)
    midnight = dt.datetime.combine(day, dt.time(), zone)
    # The day after may be past the last that a datetime can be.
    after = midnight + dt.timedelta(days=1, hours=3) if day < dt.date.max - dt.timedelta(days=2) else midnight
    if midnight.utcoffset() == after.utcoffset():
        start = midnight.astimezone(dt.UTC)
        return tuple(start + dt.timedelta(hours=h, minutes=m) for h in rule.hours for m in rule.minutes)
    found = []
    for hour in rule.hours:
        for minute in rule.minutes:
            first = dt.datetime.combine(day, dt.time(hour, minute), zone)
            instant = first.astimezone(dt.UTC)
            skipped = instant.astimezone(zone).replace(tzinfo=None) != first.replace(tzinfo=None)
            if skipped and rule.any_hour:
                continue
            found.append(instant)
            if rule.any_hour and not skipped:
                found.append(first.replace(fold=1).astimezone(dt.UTC))
    return tuple(found)
