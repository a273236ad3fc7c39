"""What has become of each customer since it signed up: one row a customer, in tables of the seeded company's own."""

from typing import Any

import msgspec
import numpy as np

from sandbox import usage
from sandbox.hazard import Signs, decline_left
from sandbox.population import Person
from sandbox.store import Store
from sandbox.usage import Anomaly, Floats, Wholes

SCHEMA = (
    "create table member (idx integer primary key, customer text not null unique, ends_at integer,"
    " state blob not null)",
    "create table hazard (idx integer not null, month integer not null, at integer not null, hazard real not null,"
    " gave_up integer not null, signs text not null, primary key (idx, month)) without rowid",
)


class PriceStep(msgspec.Struct, array_like=True):
    """From `at` on usage of a meter is `factor` times what it was, because its unit price became `ratio` times."""

    at: int
    meter: str
    ratio: float
    factor: float
    is_own_choice: bool


class Member(msgspec.Struct):
    """One customer's state. Times are unix seconds, days are day numbers.

    leaves_at, cause: it has decided to give up then, why. stops_paying_at: no attempt works from then on.
    declines: first day, days, floor, day it recovers or -1, of each disengagement. failures: times of failed first
    attempts. effects: (credit | offer, when). costs: (when, bill after / before). used: millionths of each item since
    month_at; calls: units of API calls in the last two months. planted: what the seed arranged for it, if anything.
    """

    idx: int
    customer: str
    subscription: str
    filled_until: int
    month_at: int
    used: list[int]
    ends_at: int | None = None
    leaves_at: int | None = None
    cause: str | None = None
    stops_paying_at: int | None = None
    trouble_until: int = 0
    declines: list[tuple[int, int, float, int]] = []
    failures: list[int] = []
    effects: list[tuple[str, int]] = []
    costs: list[tuple[int, float]] = []
    prices: list[PriceStep] = []
    calls: list[float] = []
    planted: list[Anomaly] = []


def find(store: Store, customer: str) -> Member | None:
    """What has become of a customer, or None if it is none of the company's. Live: change it, then `save` it."""
    key = ("idx", customer)
    if key not in store.memo:
        row = store.db.execute("select idx from member where customer = ?", (customer,)).fetchone()
        store.memo[key] = row and row[0]
    idx = store.memo[key]
    return None if idx is None else get(store, idx)


def get(store: Store, idx: int) -> Member:
    """The customer with that index, who must have signed up; live as well."""
    key = ("member", idx)
    if key not in store.memo:
        row = store.db.execute("select state from member where idx = ?", (idx,)).fetchone()
        store.memo[key] = msgspec.json.decode(row[0], type=Member)
    found: Member = store.memo[key]
    return found


def save(store: Store, member: Member) -> None:
    """Insert or replace the member's row."""
    row = (member.idx, member.customer, member.ends_at, msgspec.json.encode(member))
    store.db.execute("insert or replace into member values (?, ?, ?, ?)", row)
    store.memo["member", member.idx], store.memo["idx", member.customer] = member, member.idx


def everybody(store: Store, *, open_only: bool = False) -> list[Member]:
    """Copies of all members, or of those whose subscription has not ended, in the order they signed up."""
    where = " where ends_at is null" if open_only else ""
    rows = store.db.execute(f"select state from member{where} order by idx")  # noqa: S608 # both forms are ours
    return [msgspec.json.decode(row[0], type=Member) for row in rows]


def record_hazard(store: Store, member: Member, month: int, hazard: float, gave_up: bool, signs: Signs) -> None:
    """Keep for truth what a month's decision was drawn from, as it was at that moment."""
    row = (member.idx, month, store.now, hazard, int(gave_up), msgspec.json.encode(signs._asdict()).decode())
    store.db.execute("insert into hazard values (?, ?, ?, ?, ?, ?)", row)


def take_back(store: Store, member: Member) -> None:
    """The customer's last decision to give up does not stand; the caller saves it."""
    query = "update hazard set gave_up = 0 where idx = ?1 and month = (select max(month) from hazard where idx = ?1)"
    store.db.execute(query, (member.idx,))
    member.leaves_at = member.cause = member.stops_paying_at = None


def hazards(store: Store) -> list[tuple[Any, ...]]:
    """Every decision so far: customer, month of its life, when, hazard, gave up, signs."""
    columns = "select customer, month, at, hazard, gave_up, signs"
    return store.db.execute(columns + " from hazard join member using (idx) order by idx, month").fetchall()


def expected(person: Person, member: Member, days: Wholes, known: int) -> tuple[Floats, Wholes]:
    """(mean units per item and day without noise and passing anomalies, the second of each day's record).

    days: consecutive. It answers to disengagement, prices and shifts that began by day `known`, foreseeing nothing.
    """
    items, first, last = person.items, int(days[0]), int(days[-1])
    units, _, moment = usage.path(items, first, last)
    if found := usage.anomalies(items, member.planted, first, min(last, known)):
        units = units * usage.factors(found, days, len(items.meters))[0]
    if begun := [
        (start, *way, back if back <= known else -1) for start, *way, back in member.declines if start <= known
    ]:
        units = units * decline_left(begun, days)
    for step in member.prices:
        row = np.array([[meter == step.meter] for meter in items.meters])
        units = np.where(row & (moment >= step.at), units * step.factor, units)
    return units, moment


def used(person: Person, member: Member, days: Wholes) -> tuple[Wholes, Wholes, Wholes]:
    """(millionths used per item and day, the same without passing anomalies, the second each is recorded at)."""
    items, first, last = person.items, int(days[0]), int(days[-1])
    mean, moment = expected(person, member, days, last)
    normal = mean * usage.path(items, first, last).noise
    plain = actual = usage.quantities(normal, items)
    if found := usage.anomalies(items, member.planted, first, last):
        actual = usage.quantities(normal * usage.factors(found, days, len(items.meters))[1], items)
    return actual, plain, moment
