"""Calendar arithmetic in whole UTC seconds. Nothing here, or anywhere in the sandbox, asks the wall clock."""

from calendar import monthrange
from datetime import UTC, datetime
from email.utils import formatdate

HOUR = 3600
DAY = 86_400
WORLD_END = int(datetime(2026, 11, 1, 6, tzinfo=UTC).timestamp())  # a fresh seed's "now"
EVENT_RETENTION = 30 * DAY  # Stripe lists events for 30 days


def midnight(year: int, month: int, day: int) -> int:
    """Unix seconds of 00:00 UTC on that date."""
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


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
    while add_months(anchor, count) > at:
        count -= 1
    while add_months(anchor, count + 1) <= at:
        count += 1
    return count


def history_start(months: int) -> int:
    """00:00 UTC on the first of the month that lies `months` before the world's end."""
    end = datetime.fromtimestamp(WORLD_END, UTC)
    return add_months(midnight(end.year, end.month, 1), -months)


def iso(at: int) -> str:
    """`2026-11-01T06:00:00Z`"""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_date(day: int) -> str:
    """The date of a day number (days since 1970-01-01)."""
    return datetime.fromtimestamp(day * DAY, UTC).strftime("%Y-%m-%d")


def http_date(at: int) -> str:
    """The value of the HTTP `Date` header."""
    return formatdate(at, usegmt=True)
