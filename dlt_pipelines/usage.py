"""Meter usage per customer and UTC day, read from event summaries; a changed day appends a revision."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import msgspec

from dlt_pipelines.context import Batch, Load, in_parallel
from dlt_pipelines.errors import BadResponse
from dlt_pipelines.rows import USAGE_SCHEMA, Tally, decode, table_of
from dlt_pipelines.stripe_api import PAGE, SUMMARIES

TABLE = "meter_usage_revisions"
DAY = timedelta(days=1)
TRAILING = timedelta(days=36)  # meter events may be dated 35 days back (stripe.md 1.2), and a day of margin
_TWELVE_PLACES, _EXACT = Decimal("1e-12"), Context(prec=38)  # the warehouse's decimal(38,12)
_NEVER = datetime(9999, 1, 1)  # noqa: DTZ001 - UTC without zone, as all times on their way to the warehouse
Pair = tuple[str, str]  # meter id, customer id


class _Recurring(msgspec.Struct):
    meter: str | None = None


class _Price(msgspec.Struct):
    recurring: _Recurring | None = None


class _Item(msgspec.Struct):
    price: _Price


class _Subscription(msgspec.Struct):
    customer: str
    start_date: int
    ended_at: int | None = None


class Summary(msgspec.Struct):
    """One window of an event summary, as Stripe sends it."""

    aggregated_value: msgspec.Raw  # a JSON number of any size: read as text, never as a float
    start_time: int
    end_time: int


class _Meter(msgspec.Struct):
    id: str
    status: str = "active"


@dataclass
class Metered:
    """Which customers are metered on what, and since when: collected while subscriptions and meters are listed.

    customers: those that are listed. Stripe answers no question about a deleted one, so what landed of it stays.
    """

    customers: set[str]
    since: dict[Pair, datetime] = field(default_factory=dict)
    ended: dict[Pair, datetime] = field(default_factory=dict)  # _NEVER while a subscription lives
    active_meters: list[str] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)

    def tally(self, meter: str) -> Tally:
        """The counts of one meter, begun at zero."""
        return self.tallies.setdefault(meter, Tally())

    def see_subscription(self, subscription: msgspec.Raw, items: list[msgspec.Raw]) -> None:
        """Note each metered item, of ended subscriptions too: their usage is history to learn from."""
        owner = decode(subscription, _Subscription, "/v1/subscriptions")
        start = moment(owner.start_date).replace(hour=0, minute=0, second=0, microsecond=0)
        for item in items:
            recurring = decode(item, _Item, "/v1/subscription_items").price.recurring
            if recurring and recurring.meter:
                pair = (recurring.meter, owner.customer)
                self.since[pair] = min(start, self.since.get(pair, start))
                ended = _NEVER if owner.ended_at is None else moment(owner.ended_at)
                self.ended[pair] = max(ended, self.ended.get(pair, ended))

    def see_meter(self, payload: msgspec.Raw, _: list[msgspec.Raw]) -> None:
        """Note a meter that still takes events."""
        meter = decode(payload, _Meter, "/v1/billing/meters")
        if meter.status == "active":
            self.active_meters.append(meter.id)


def read_usage(load: Load, metered: Metered, say: Callable[[str], None]) -> Iterator[Batch]:
    """Revisions of daily usage up to the start of the server's current day; prints the request estimate first.

    A pair that never landed is read from its subscription's start; any other from 36 days before the end of what
    the last finished load covered, however long ago that was.
    """
    until = end_of_cover(load)
    landed = load.warehouse.last_used()
    starts = _starts(metered, landed, load.warehouse.covered_until())
    tasks = [(pair, start) for pair, start in sorted(starts.items()) if start < until]
    requests = sum(-(-(until - start).days // PAGE) for _, start in tasks)
    say(f"usage: {len(tasks)} customers x meters, about {requests} requests")
    known = _known(load, min((start for pair, start in tasks if pair in landed), default=until))
    yield TABLE, table_of(USAGE_SCHEMA, [])

    def windows(task: tuple[Pair, datetime]) -> tuple[Pair, datetime, dict[datetime, Decimal], int]:
        (pair, start), tally = task, Tally()
        return pair, start, _read_windows(load, pair, start, until, tally), tally.requests

    for pair, start, values, asked in in_parallel(windows, tasks):
        held = {day: value for day, value in known.get(pair, {}).items() if start <= day < until}
        dropped = {day: Decimal(0) for day, value in held.items() if value and day not in values}  # canceled events
        revised = {day: value for day, value in (values | dropped).items() if held.get(day) != value}
        for tally in (load.tally(TABLE), metered.tally(pair[0])):
            tally.rows_read += len(values)
            tally.rows_appended += len(revised)
            tally.requests += asked
        if revised:
            rows = [(load.account_id, *pair, day, day + DAY, revised[day], load.stamp) for day in sorted(revised)]
            yield TABLE, table_of(USAGE_SCHEMA, rows)


def end_of_cover(load: Load) -> datetime:
    """The exclusive end of the days that this load covers: the start of the server's current UTC day."""
    return load.started_at.replace(hour=0, minute=0, second=0, microsecond=0)


def _starts(
    metered: Metered, last_used: dict[Pair, datetime | None], covered: dict[str, datetime]
) -> dict[Pair, datetime]:
    """From when each pair is read; a pair that landed and ended before its trailing window is left out.

    last_used: pairs that landed and their last day with usage; covered: meter → end of what finished loads read.
    """
    starts = {}
    for pair in metered.since.keys() | last_used.keys():
        if pair[1] not in metered.customers:
            continue
        if pair not in last_used or pair[0] not in covered:
            if pair in metered.since:
                starts[pair] = metered.since[pair]
            continue
        trailing = covered[pair[0]] - TRAILING
        # A removed item is no longer listed, yet late events may still change its last days.
        if max(last_used[pair] or trailing, metered.ended.get(pair, trailing)) > trailing:
            starts[pair] = trailing
    return starts


def _known(load: Load, start: datetime) -> dict[Pair, dict[datetime, Decimal]]:
    """Pair → day → latest landed value, from `start` on."""
    known: dict[Pair, dict[datetime, Decimal]] = {}
    for meter, customer, window, value in load.warehouse.usage_since(start):
        known.setdefault((meter, customer), {})[window] = value
    return known


def _read_windows(load: Load, pair: Pair, start: datetime, until: datetime, tally: Tally) -> dict[datetime, Decimal]:
    """Day → value, exact to twelve places, in [start, until)."""
    meter, customer = pair
    params: dict[str, Any] = {
        "customer": customer,
        "start_time": seconds_of(start),
        "end_time": seconds_of(until),
        "value_grouping_window": "day",
    }
    values = {}
    for page in load.reader.pages(SUMMARIES, params, tally, of=meter):
        for payload in page:
            summary = decode(payload, Summary, SUMMARIES)
            if summary.end_time - summary.start_time != DAY.total_seconds() or summary.start_time % 86_400:
                raise BadResponse(
                    f"{SUMMARIES} was asked for UTC days and answered with a window from {summary.start_time} "
                    f"to {summary.end_time}; nothing of this meter was landed: report it to Stripe."
                )
            values[moment(summary.start_time)] = exact(summary.aggregated_value)
    return values


def exact(number: msgspec.Raw) -> Decimal:
    """A JSON number, or a string holding one, as Decimal: rounded half-even to the warehouse's twelve places."""
    text = bytes(number).decode().strip('"')
    try:
        value = Decimal(text).quantize(_TWELVE_PLACES, context=_EXACT)
    except InvalidOperation:
        raise BadResponse(
            f"{SUMMARIES} gave {text[:40]!r} as a quantity; expected a number below 10^26: report it to Stripe."
        ) from None
    return value


def moment(seconds: int) -> datetime:
    """Unix seconds as a UTC time without zone, as the warehouse keeps it."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def seconds_of(at: datetime) -> int:
    """The reverse of `moment`."""
    return int(at.replace(tzinfo=UTC).timestamp())
