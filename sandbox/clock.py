"""Calendar arithmetic in whole UTC seconds. Nothing here, or anywhere in the sandbox, asks the wall clock."""

from calendar import monthrange
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

HOUR = 3600
DAY = 86_400
SECONDS = {"day": DAY, "week": 7 * DAY}  # Stripe's intervals of a fixed length
MONTHS = {"month": 1, "year": 12}  # and those of the calendar
WORLD_END = int(datetime(2026, 11, 1, 6, tzinfo=UTC).timestamp())  # a fresh seed's "now"
EVENT_RETENTION = 30 * DAY  # Stripe lists events for 30 days


@lru_cache(8192)  # billing asks for the same few bounds again and again
def add_months(anchor: int, months: int) -> int:
    """The same day and time `months` later; a day the month lacks becomes its last, as Stripe's anchor does."""
    at = datetime.fromtimestamp(anchor, UTC)
    year, month0 = divmod(at.year * 12 + at.month - 1 + months, 12)
    day = min(at.day, monthrange(year, month0 + 1)[1])
    return int(at.replace(year=year, month=month0 + 1, day=day).timestamp())


def months_between(anchor: int, at: int) -> int:
    """How many whole monthly periods since `anchor` have begun by `at`."""
    first, second = datetime.fromtimestamp(anchor, UTC), datetime.fromtimestamp(at, UTC)
    count = (second.year - first.year) * 12 + second.month - first.month
    return count - (add_months(anchor, count) > at)


def add_intervals(anchor: int, interval: str, count: int) -> int:
    """`count` days, weeks, months or years after `anchor` (before it, if negative), counted from the anchor itself:
    31 January + 1 month is the last of February, + 2 months 31 March."""
    if interval in SECONDS:
        return anchor + count * SECONDS[interval]
    return add_months(anchor, count * MONTHS[interval])


@lru_cache(8192)  # the items of a subscription ask for the same period
def period_at(anchor: int, interval: str, interval_count: int, at: int) -> tuple[int, int]:
    """The period [start, end) that holds `at`, of those that begin every `interval_count` intervals from `anchor`."""
    if interval in SECONDS:
        length = SECONDS[interval] * interval_count
        start = anchor + (at - anchor) // length * length
        return start, start + length
    months = MONTHS[interval] * interval_count
    count = months_between(anchor, at) // months * months
    return add_months(anchor, count), add_months(anchor, count + months)


def history_start(months: int) -> int:
    """00:00 UTC on the first of the month that lies `months` before the world's end."""
    first = datetime.fromtimestamp(WORLD_END, UTC).replace(day=1, hour=0)
    return add_months(int(first.timestamp()), -months)


def iso(at: int) -> str:
    """`2026-11-01T06:00:00Z`"""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_date(day: int) -> str:
    """The date of a day number (days since 1970-01-01)."""
    return datetime.fromtimestamp(day * DAY, UTC).strftime("%Y-%m-%d")


def http_date(at: int) -> str:
    """The value of the HTTP `Date` header."""
    return formatdate(at, usegmt=True)
