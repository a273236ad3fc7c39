"""MRR another way: a ledger that writes down, day after day, what every subscription item is worth a month.

It looks at subscriptions as they stand at the end of each day, never back, never at an invoice, and never at dbt: the
sandbox's own state is played again from its first day, or a running sandbox is asked. Amounts are whole minor units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from sandbox import engine, objects, state, waterfall
from sandbox.clock import DAY, EVENT_RETENTION, WORLD_END, history_start
from sandbox.discounts import rule
from sandbox.rating import rate
from sandbox.store import Obj, Store
from sandbox.world_company import new_company

PER_YEAR = {"day": 365, "week": 52, "month": 12, "year": 1}
COUNTED = ("active", "past_due")
Key = tuple[str, str, date]  # subscription item, component, day


def monthly(amount: int, recurring: Mapping[str, Any]) -> int:
    """An amount per interval as one per month, halves up."""
    exact = Decimal(amount) * PER_YEAR[recurring["interval"]] / (12 * recurring["interval_count"])
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def is_metered(item: Obj) -> bool:
    return bool(item["price"]["recurring"]["usage_type"] == "metered")


def committed(store: Store, sub: Obj) -> dict[str, int]:
    """What each licensed item of a subscription is worth a month as it stands, by item."""
    if sub["status"] not in COUNTED or sub["pause_collection"]:
        return {}
    bills: dict[tuple[str, int], list[Obj]] = {}  # items of different intervals are billed apart
    for item in sub["items"]["data"]:
        if not is_metered(item):
            every = item["price"]["recurring"]
            bills.setdefault((every["interval"], every["interval_count"]), []).append(item)
    worth: dict[str, int] = {}
    for billed in bills.values():
        lines = [_line(store, item) for item in billed]
        waterfall.apply(lines, _recurring(store, sub["discounts"]), currency=sub["currency"])
        for item, line in zip(billed, lines, strict=True):
            worth[item["id"]] = monthly(line.left, item["price"]["recurring"])
    return worth


def _line(store: Store, item: Obj) -> waterfall.Line:
    price = store.get("price", item["price"]["id"])
    amount = sum(part.amount for part in rate(price, Decimal(item["quantity"])))
    return waterfall.Line(amount, price["product"], price["id"], own=tuple(_recurring(store, item["discounts"])))


def _recurring(store: Store, identifiers: Iterable[str]) -> list[waterfall.Discount]:
    """The discounts that go on: neither once nor over."""
    found = [store.get("discount", one) for one in identifiers]
    coupons = {one["id"]: store.get("coupon", one["source"]["coupon"]) for one in found}
    going_on = [one for one in found if one["end"] is None or store.now < one["end"]]
    return [rule(store, one["id"]) for one in going_on if coupons[one["id"]]["duration"] != "once"]


@dataclass
class Ledger:
    """`worth`: by item, component and day, zero left out. `at_renewal`: committed, as it was when its period began."""

    worth: dict[Key, int] = field(default_factory=dict)
    at_renewal: dict[tuple[str, date], int] = field(default_factory=dict)
    customers: dict[str, tuple[str, str]] = field(default_factory=dict)  # item → customer, currency
    _prices: dict[str, str] = field(default_factory=dict)
    _began: dict[str, int] = field(default_factory=dict)
    _ends: dict[str, int] = field(default_factory=dict)
    _renewed: dict[str, int] = field(default_factory=dict)
    _used: dict[str, int] = field(default_factory=dict)

    def write(self, store: Store, day: date) -> None:
        """Note how things stand at the end of a day; the store's clock is at its last second."""
        for sub in store.rows("subscription"):
            for item in sub["items"]["data"]:
                self.customers[item["id"]] = (sub["customer"], sub["currency"])
                self._close(store, sub, item)
            if sub["status"] not in COUNTED:
                continue
            for item, amount in committed(store, sub).items():
                self._note(item, "committed", day, amount)
            self._note_renewals(store, sub, day)
            if sub["pause_collection"]:
                continue
            for item in (one["id"] for one in sub["items"]["data"] if is_metered(one)):
                self._note(item, "metered", day, self._used.get(item, 0))

    def note_prices(self, sub: Obj) -> None:
        """Note the prices just before a renewal: a period is billed at the price that its item has as it closes."""
        self._prices |= {item["id"]: item["price"]["id"] for item in sub["items"]["data"]}

    def _note(self, item: str, component: str, day: date, amount: int) -> None:
        if amount:
            self.worth[item, component, day] = amount

    def _close(self, store: Store, sub: Obj, item: Obj) -> None:
        """When a metered item's period is a new one, the one before has closed: rate what it used."""
        began = item["current_period_start"]
        last = self._began.setdefault(item["id"], began)
        if is_metered(item) and began != last:
            is_trial = (sub["trial_start"] or 0) <= last < (sub["trial_end"] or 0)
            price = store.get("price", self._prices.get(item["id"], item["price"]["id"]))
            meter = store.get("billing.meter", price["recurring"]["meter"])
            used = store.usage(meter, sub["customer"], last, min(began, self._ends[item["id"]]))
            amount = 0 if is_trial else sum(part.amount for part in rate(price, used))
            self._used[item["id"]] = monthly(amount, price["recurring"])
        self._began[item["id"]], self._ends[item["id"]] = began, item["current_period_end"]

    def _note_renewals(self, store: Store, sub: Obj, day: date) -> None:
        now = committed(store, sub)
        for item in sub["items"]["data"]:
            key, began = item["id"], item["current_period_start"]
            if not is_metered(item) and began != self._renewed.get(key):
                self._renewed[key] = began
                self._used[f"{key} at renewal"] = now.get(key, 0)
            self.at_renewal[key, day] = self._used.get(f"{key} at renewal", 0)


def live(store: Store, until: int, ledger: Ledger) -> None:
    """Let time pass to `until`, a midnight, and write each day down in its last second. Inside a transaction."""
    while (midnight := (store.now // DAY + 1) * DAY) <= until:
        due = store.db.execute("select at, ref from task where kind = 'renew' and at < ? order by at", (midnight,))
        for at, ref in due.fetchall():
            engine.run(store, max(at - 1, store.now))
            ledger.note_prices(store.get("subscription", ref))
        engine.run(store, midnight - 1)
        ledger.write(store, datetime.fromtimestamp(midnight - 1, UTC).date())
        engine.run(store, midnight)


def played_again(folder: Path, *, customers: int, months: int, seed: int) -> Ledger:
    """The ledger of a seeded company, played from its first day to the world's end; ids are those of `sandbox seed`."""
    world = new_company(state.COMPANY_FILE, seed=seed, customers=customers, months=months)
    store, ledger = Store.create(folder / "again.sqlite", {"seed": str(seed)}), Ledger()
    with store.transaction():
        engine.move(store, history_start(months))
        objects.create(store, "account", emits=False, id=state.ACCOUNT)
        world.begin(store)
    with store.transaction():
        store.events_from = WORLD_END - EVENT_RETENTION
        live(store, WORLD_END, ledger)
    store.db.close()
    return ledger


def spans_by_day(rows: Iterable[tuple[str, str, datetime, datetime | None, int]], last: date) -> dict[Key, int]:
    """Rows of int_mrr_spans (item, component, valid_from, valid_to, mrr_minor) as what they say of each day's end."""
    found: dict[Key, int] = {}
    for item, component, begin, end, amount in rows:
        day = begin.date()
        while day <= last:
            midnight = datetime.combine(day + timedelta(days=1), datetime.min.time())
            if end is not None and midnight > end:
                break
            if begin < midnight:
                found[item, component, day] = amount
            day += timedelta(days=1)
    return found
