"""Cron expressions: the trigger that one stands for, its last and its next time."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from apscheduler.triggers.cron import CronTrigger

from fisc.core import DataError

__all__ = ["cron_trigger", "last_fire", "next_fire"]

# How far back the last time of a schedule is looked for: the longest step between two leap days.
_WINDOWS = [dt.timedelta(minutes=3), dt.timedelta(hours=2), dt.timedelta(days=2), dt.timedelta(days=63)]
_HORIZON = dt.timedelta(days=366 * 8 + 2)


def cron_trigger(cron: str, timezone: str) -> CronTrigger:
    """Return APScheduler's trigger of a cron expression.

    Parameters
    ----------
    cron : str
        Five fields: minute, hour, day of month, month, day of week (0 or 7 = Sunday, or names).
        Where both a day of the month and a day of the week are given, both must hold.
    timezone : str
        Name of the time zone that the fields are in.

    Raises
    ------
    DataError
        If the expression cannot be read.

    Examples
    --------
    >>> cron_trigger("30 12 1 2 *", "Asia/Kolkata").timezone.key
    'Asia/Kolkata'
    """
    fields = cron.split()
    if len(fields) != 5:
        raise DataError(
            f"cron={cron!r} has {len(fields)} fields; give five: minute hour day month weekday, "
            "for instance '30 12 1 2 *'"
        )
    try:
        return CronTrigger(
            minute=fields[0],
            hour=fields[1],
            day=fields[2],
            month=fields[3],
            day_of_week=_weekdays(fields[4]),
            timezone=zoneinfo.ZoneInfo(timezone),
        )
    except ValueError as error:
        raise DataError(f"cron={cron!r} cannot be read ({error}); for instance '30 12 1 2 *'") from error


def _weekdays(field: str) -> str:
    """Turn cron's numbered weekdays (0 and 7 are Sunday) into names; APScheduler counts from Monday."""
    names = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
    days: list[str] = []
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            days.append(part)
            continue
        low = int(first)
        high = int(last) if dash else (6 if slash else low)
        if not (0 <= low <= high <= 7) or (slash and not step.isdigit()) or step == "0":
            raise ValueError(f"weekday {part!r}; 0 to 7, or mon to sun")
        days += [names[day] for day in range(low, high + 1, int(step) if slash else 1)]
    return ",".join(dict.fromkeys(days))


def next_fire(cron: str, timezone: str, now: dt.datetime) -> dt.datetime | None:
    """Return the first time of a schedule after `now`, or None if there is none.

    Examples
    --------
    >>> now = dt.datetime(2026, 2, 1, 7, 0, tzinfo=dt.UTC)
    >>> next_fire("30 12 1 2 *", "Asia/Kolkata", now).isoformat()
    '2027-02-01T12:30:00+05:30'
    """
    found: dt.datetime | None = cron_trigger(cron, timezone).get_next_fire_time(
        None, now + dt.timedelta(microseconds=1)
    )
    return found


def last_fire(cron: str, timezone: str, now: dt.datetime) -> dt.datetime | None:
    """Return the latest time of a schedule that is not after `now`, or None within eight years.

    Examples
    --------
    >>> now = dt.datetime(2026, 2, 1, 7, 0, tzinfo=dt.UTC)
    >>> last_fire("30 12 1 2 *", "Asia/Kolkata", now).isoformat()
    '2026-02-01T12:30:00+05:30'
    """
    trigger = cron_trigger(cron, timezone)
    for window in (*_WINDOWS, _HORIZON):
        found: dt.datetime | None = None
        moment = trigger.get_next_fire_time(None, now - window)
        while moment is not None and moment <= now:
            found, moment = moment, trigger.get_next_fire_time(moment, moment + dt.timedelta(seconds=1))
        if found is not None:
            return found
    return None
