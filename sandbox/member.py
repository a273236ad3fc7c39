"""What has become of each customer since it signed up: one row a customer, in tables of the seeded company's own."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from sandbox.company_file import Company
from sandbox.hazard import Signs, decline_left
from sandbox.population import Person
from sandbox.store import Store
from sandbox.usage import Anomaly, Floats, Path, Wholes, anomalies, factors, path, quantities, touches

SCHEMA = (
    "create table member (idx integer primary key, customer text not null unique, ends_at integer,"
    " filled_until integer not null, state blob not null)",
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
    """What has become of a customer, or None if it is none of the company's."""
    row = store.db.execute("select state from member where customer = ?", (customer,)).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Member)


def lags(store: Store, customer: str, until: int) -> bool:
    """Whether usage of one of the company's customers is not recorded up to `until` and can be; asked often."""
    query = "select 1 from member where customer = ? and ends_at is null and filled_until < ?"
    return store.db.execute(query, (customer, until)).fetchone() is not None


def get(store: Store, idx: int) -> Member:
    """The customer with that index, who must have signed up."""
    row = store.db.execute("select state from member where idx = ?", (idx,)).fetchone()
    return msgspec.json.decode(row[0], type=Member)


def save(store: Store, member: Member) -> None:
    """Insert or replace the member's row."""
    row = (member.idx, member.customer, member.ends_at, member.filled_until, msgspec.json.encode(member))
    store.db.execute("insert or replace into member values (?, ?, ?, ?, ?)", row)


def everybody(store: Store, *, open_only: bool = False) -> list[Member]:
    """All members, or those whose subscription has not ended, in the order they signed up."""
    where = " where ends_at is null" if open_only else ""
    rows = store.db.execute(f"select state from member{where} order by idx")  # noqa: S608
    return [msgspec.json.decode(row[0], type=Member) for row in rows]


def record_hazard(store: Store, member: Member, month: int, hazard: float, gave_up: bool, signs: Signs) -> None:
    """Keep for truth what a month's decision was drawn from, as it was at that moment."""
    row = (member.idx, month, store.now, hazard, int(gave_up), msgspec.json.encode(signs._asdict()).decode())
    store.db.execute("insert into hazard values (?, ?, ?, ?, ?, ?)", row)


def take_back(store: Store, member: Member) -> None:
    """The customer's last decision to give up does not stand."""
    query = "update hazard set gave_up = 0 where idx = ? and month = (select max(month) from hazard where idx = ?)"
    store.db.execute(query, (member.idx, member.idx))
    member.leaves_at = member.cause = member.stops_paying_at = None


def hazards(store: Store) -> list[tuple[Any, ...]]:
    """Every decision so far: customer, month of its life, when, hazard, gave up, signs."""
    columns = "customer, month, at, hazard, gave_up, signs"
    return store.db.execute(f"select {columns} from hazard join member using (idx) order by idx, month").fetchall()  # noqa: S608


def unusual(company: Company, person: Person, member: Member, first: int, last: int) -> list[Anomaly]:
    """The customer's anomalies that touch those days, and earlier shifts; what the seed planted for it included."""
    found = anomalies(company, person.items, first, last)
    return found + [one for one in member.planted if touches(one, first, last)] if member.planted else found


def expected(company: Company, person: Person, member: Member, days: Wholes, known: int) -> tuple[Floats, Wholes]:
    """(mean units per item and day without noise and passing anomalies, the second of each day's record).

    days: consecutive. It answers to disengagement, prices and shifts that began by day `known`, foreseeing nothing.
    """
    found = unusual(company, person, member, int(days[0]), min(int(days[-1]), known))
    whole = path(company, person.items, int(days[0]), int(days[-1]))
    begun = [(first, *way, back if back <= known else -1) for first, *way, back in member.declines if first <= known]
    return _levels(person, member, days, whole, found, begun), whole.moment


def used(company: Company, person: Person, member: Member, days: Wholes) -> tuple[Wholes, Wholes, Wholes]:
    """(millionths used per item and day, the same without passing anomalies, the second each is recorded at)."""
    found = unusual(company, person, member, int(days[0]), int(days[-1]))
    whole = path(company, person.items, int(days[0]), int(days[-1]))
    normal = _levels(person, member, days, whole, found, member.declines) * whole.noise
    plain = quantities(normal, person.items)
    if not found:
        return plain, plain, whole.moment
    passing = factors(found, days, len(person.items.meters))[1]
    return quantities(normal * passing, person.items), plain, whole.moment


def _levels(
    person: Person, member: Member, days: Wholes, whole: Path, found: list[Anomaly], declines: Sequence[Sequence[float]]
) -> Floats:
    items, units = person.items, whole.expectation
    if any(anomaly.kind == "shift" for anomaly in found):
        units = units * factors(found, days, len(items.meters))[0]
    if declines:
        units = units * decline_left(declines, days)
    for step in member.prices:
        row = np.array([[meter == step.meter] for meter in items.meters])
        units = np.where(row & (whole.moment >= step.at), units * step.factor, units)
    return units
