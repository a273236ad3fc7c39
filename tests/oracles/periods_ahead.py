"""Billing periods and what they have used, from single events and calendar arithmetic in plain Python."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from tests.oracles.features import DAY, Account, Item

DAYS_AHEAD = 90
Event = tuple[datetime, int, datetime]  # when it happened, its quantity, the load that first saw it


@dataclass
class Metered:
    """An item with its price's interval (months or days), its meter's formula and the events of its customer."""

    item: Item
    started_at: datetime
    months: int
    days: int
    formula: str
    ended_at: datetime | None = None
    events: list[Event] = field(default_factory=list)

    def boundary(self, number: int) -> datetime:
        """The end of the number-th period: the anchor's day of the month, or the month's last day."""
        month = self.started_at.month - 1 + number * self.months
        year, month = self.started_at.year + month // 12, month % 12 + 1
        day = min(self.started_at.day, monthrange(year, month)[1])
        return self.started_at.replace(year=year, month=month, day=day) + number * self.days * DAY

    def periods(self, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Scheduled periods that begin by `until`, while the item lives."""
        number = 0
        while (start := self.boundary(number)) <= until and (self.ended_at is None or start < self.ended_at):
            yield start, self.boundary(number + 1)
            number += 1


def midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def value(item: Metered, start: datetime, end: datetime, seen_by: datetime) -> int:
    """What the meter says of a window at some time."""
    found = [(at, units) for at, units, seen_at in sorted(item.events) if start <= at < end and seen_at <= seen_by]
    return sum(units for _, units in found) if item.formula == "sum" else (found[-1][1] if found else 0)


def so_far(account: Account, item: Metered, start: datetime, origin: date) -> int:
    """Usage from the period's start to the end of the origin: what was seen by then, or by a day's first load."""
    end = midnight(origin + DAY)
    if origin == account.as_of:
        return value(item, start, end, account.loads[-1])
    known = [event for event in sorted(item.events) if start <= event[0] < end and is_known(account, event, origin)]
    if item.formula == "sum":
        return sum(units for _, units, _ in known)
    # of the day that a period shares with the one before nobody knows when its last value came
    whole = [
        event for event in known if event[0].date() > start.date() or start in (item.started_at, midnight(start.date()))
    ]
    return whole[-1][1] if whole else 0


def is_known(account: Account, event: Event, origin: date) -> bool:
    at, _, seen_at = event
    return seen_at < midnight(origin + DAY) or seen_at <= account.covered_at(at.date())


def periods_of(account: Account, item: Metered, origin: date) -> list[tuple[object, ...]]:
    """The rows of an item and origin: number, start, end, quantity so far, first and last horizon and share."""
    end = midnight(origin + DAY)
    number = next(n for n in range(5000) if item.boundary(n) <= end < item.boundary(n + 1))
    rows: list[tuple[object, ...]] = []
    for ahead in range(DAYS_AHEAD + 2):
        start, stop = item.boundary(number + ahead), item.boundary(number + ahead + 1)
        last = stop - timedelta(seconds=1)
        horizon = (last.date() - origin).days
        if ahead and horizon > DAYS_AHEAD:
            break
        used = so_far(account, item, start, origin) if ahead == 0 else 0
        first = (start.date() - origin).days if ahead else 1
        first_share = (midnight(start.date() + DAY) - start) / DAY if ahead else 1.0
        rows.append((ahead, start, stop, used, first, horizon, first_share, (stop - midnight(last.date())) / DAY))
    return rows
