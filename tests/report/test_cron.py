"""Times of cron expressions: against croniter where clocks do not jump, by hand where they do."""

from __future__ import annotations

import datetime as dt
import itertools
import random

import pytest

from fisc.core import DataError
from fisc.report.cron import last_fire, next_fire, parse, time_zone

SCHEDULES = [
    "* * * * *",
    "*/5 * * * *",
    "30 2 * * *",
    "0 8 * * 1-5",
    "30 1 * * 0",
    "0 1 1 * *",
    "0 9 29 2 *",
    "15 4 1,15 * 1",
    "0 0 last * *",
    "0 */6 * * *",
    "5-50/7 3-5 * jan-jun mon,fri",
]
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago"]
TICKED = [
    "*/5 * * * *",
    "0 * * * *",
    "30 2 * * *",
    "30 1 * * *",
    "30 2 * * 0",
    "0 1 1 * *",
    "0 8 * * 1-5",
    "0 0 1 1 *",
]
DAY = dt.timedelta(days=1)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("cron", SCHEDULES)
def test_as_croniter_where_clocks_do_not_jump(cron: str, zone: str) -> None:
    croniter = pytest.importorskip("croniter").croniter
    draw = random.Random(0)
    for _ in range(20):
        now = utc("2026-01-01") + dt.timedelta(minutes=draw.random() * 2 * 525_600)
        line, here = cron.replace("last", "L"), now.astimezone(time_zone(zone))
        assert next_fire(cron, zone, now) == croniter(line, here).get_next(dt.datetime)
        just_after = here + dt.timedelta(microseconds=1)
        assert last_fire(cron, zone, now) == croniter(line, just_after).get_prev(dt.datetime)


@pytest.mark.parametrize(
    ("cron", "zone", "now", "last"),
    [
        # Autumn: the hour from 2 to 3 comes twice; a fixed time fires in the first.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T09:00", "2026-10-25T02:30:00+02:00"),
        ("30 2 * * 0", "Europe/Berlin", "2026-11-20T09:00", "2026-11-15T02:30:00+01:00"),
        ("0 1 1 * *", "America/New_York", "2026-11-20T09:00", "2026-11-01T01:00:00-04:00"),
        # Elapsed time: every five minutes, in both passings.
        ("*/5 * * * *", "Europe/Berlin", "2026-10-25T00:07", "2026-10-25T02:05:00+02:00"),
        ("*/5 * * * *", "Europe/Berlin", "2026-10-25T01:07", "2026-10-25T02:05:00+01:00"),
        # Spring: the hour from 2 to 3 does not come; a fixed time fires an hour later.
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T09:00", "2026-03-29T03:30:00+02:00"),
        ("*/30 * * * *", "Europe/Berlin", "2026-03-29T01:10", "2026-03-29T03:00:00+02:00"),
        # The far past, over a leap day.
        ("0 9 29 2 *", "UTC", "2026-11-22T09:15", "2024-02-29T09:00:00+00:00"),
        ("0 8 * * 7", "UTC", "2026-11-22T09:15", "2026-11-22T08:00:00+00:00"),
        # Half an hour only.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T22:00", "2026-10-04T02:45:00+11:00"),
    ],
)
def test_on_the_odd_days(cron: str, zone: str, now: str, last: str) -> None:
    found = last_fire(cron, zone, utc(now))
    assert found is not None
    assert found == dt.datetime.fromisoformat(last)
    assert found.isoformat() == last


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", TICKED)
def test_ticks_of_five_minutes_deal_with_every_fire_once(cron: str, zone: str) -> None:
    """Over the two odd days of a year, and a year in steps of a day around them."""
    dealt: list[dt.datetime] = []
    now, end = utc("2026-01-01T12:00"), utc("2027-01-01T12:00")
    while now < end:
        fire = last_fire(cron, zone, now)
        assert fire is not None
        assert fire <= now
        if not dealt or fire != dealt[-1]:
            dealt.append(fire)
        odd = (
            now.astimezone(time_zone(zone)).utcoffset() != (now + DAY).astimezone(time_zone(zone)).utcoffset()
        )
        now += dt.timedelta(minutes=5) if odd else DAY
    assert all(a < b for a, b in itertools.pairwise(dealt))
    # Whatever next_fire names between two looks a day apart, each fire is found by last_fire in its turn.
    for fire in dealt[:-1:3]:
        following = next_fire(cron, zone, fire)
        assert following is not None
        assert following > fire
        assert last_fire(cron, zone, following) == following
        assert last_fire(cron, zone, following - dt.timedelta(microseconds=1)) == fire


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("cron", "times"), [("30 2 * * *", 365), ("30 0 * * 5", 52), ("0 1 1 * *", 12), ("0 */4 * * *", None)]
)
def test_a_year_holds_as_many_fires_as_days(cron: str, times: int | None, zone: str) -> None:
    start = dt.datetime(2026, 1, 1, tzinfo=time_zone(zone)) - dt.timedelta(seconds=1)
    end, found = dt.datetime(2027, 1, 1, tzinfo=time_zone(zone)) - dt.timedelta(seconds=1), 0
    fire = next_fire(cron, zone, start)
    while fire is not None and fire <= end:
        found, fire = found + 1, next_fire(cron, zone, fire)
    # By elapsed time, four hours more or fewer of a day are one fire more or fewer at most.
    assert found == times if times is not None else abs(found - 6 * 365) <= 1


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields"),
        ("60 * * * *", "'60' is not within 0 to 59"),
        ("* * * * 8", "'8' is not within 0 to 7"),
        ("* * 31 2 *", "never fires"),
        ("* * 0 * *", "not within 1 to 31"),
        ("*/0 * * * *", "not within"),
        ("* * * febr *", "'febr' is not a number or a name such as feb"),
        ("9-5 * * * *", "not within"),
        ("1,,2 * * * *", "is not a number"),
        ("* * 31 2 x", "'x' is not a number"),
        ("* * * * 1/0", "not within"),
    ],
)
def test_unreadable_lines_are_named(cron: str, words: str) -> None:
    with pytest.raises(DataError, match=words.replace("*", r"\*")):
        parse(cron)


def test_zones_and_naive_moments_are_refused_in_words() -> None:
    with pytest.raises(DataError, match="'Europe/Berln' is not a time zone"):
        next_fire("* * * * *", "Europe/Berln", utc("2026-01-01"))
    with pytest.raises(DataError, match="has no time zone"):
        next_fire("* * * * *", "UTC", dt.datetime(2026, 1, 1))


def test_either_day_suffices_as_in_cron() -> None:
    # 2026-11-02 is a Monday.
    assert parse("0 8 15 * 1").on(dt.date(2026, 11, 2))
    assert parse("0 8 15 * 1").on(dt.date(2026, 11, 15))
    assert not parse("0 8 15 * *").on(dt.date(2026, 11, 2))
