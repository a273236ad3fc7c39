"""What time does: signups, usage, renewals, upgrades, cancellations, payments; each a task with its moment."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import numpy as np

from sandbox import draw, invoices, payments, shapes, subscriptions
from sandbox.catalog import METERS, price_ids, price_key
from sandbox.clock import DAY, EVENT_RETENTION, HOUR, add_months, months_between
from sandbox.events import emit
from sandbox.population import Person, Population
from sandbox.store import Obj, Store
from sandbox.usage import Plant, daily_use, seconds_of_day

PLANS = ("starter", "growth", "scale")
QUOTA_PRESSURE = Decimal("1.05")  # share of the quota that two months must pass before a customer moves up


class Engine:
    """Moves a store's clock. The population says what customers do, `plants` what the seed arranged for some."""

    def __init__(self, store: Store, population: Population, plants: dict[int, Plant]) -> None:
        self.store, self.population, self.plants = store, population, plants
        self.prices = price_ids(store)
        self.meters = {meter["event_name"]: meter["id"] for meter in store.all("billing.meter")}
        self.people: dict[int, Person] = {}
        self.handlers: dict[str, Callable[[str], None]] = {
            "join": self.join,
            "renew": self.renew,
            "finalize": self.finalize,
            "retry": self.retry,
            "leave": self.leave,
            "upgrade": self.upgrade,
            "credit": self.credit,
        }

    def advance(self, until: int) -> None:
        """Do everything due up to `until`, in order of time, then set the clock there; one transaction."""
        store = self.store
        store.events_from = until - EVENT_RETENTION
        with store.transaction():
            while task := store.next_task(until):
                store.now = task.at
                self.handlers[task.kind](task.ref)
            store.now = until
            for (idx,) in store.db.execute("select idx from member").fetchall():
                self.fill_usage(idx, until)
            store.db.execute("delete from object where kind = 'event' and created < ?", (store.events_from,))
        store.events_from = 0

    def person(self, idx: int) -> Person:
        if idx not in self.people:
            self.people[idx] = self.population.person(idx)
        return self.people[idx]

    def person_of(self, subscription: str) -> Person:
        row = self.store.db.execute("select idx from member where subscription = ?", (subscription,)).fetchone()
        return self.person(row[0])

    def fill_usage(self, idx: int, until: int) -> None:
        """Record the customer's usage up to `until` (exclusive), or to the subscription's end."""
        query = "select customer, filled_until, ends_at from member where idx = ?"
        customer, filled, ends_at = self.store.db.execute(query, (idx,)).fetchone()
        until = until if ends_at is None else min(until, ends_at)
        if filled >= until:
            return
        person = self.person(idx)
        days = np.arange(filled // DAY, (until - 1) // DAY + 1, dtype=np.int64)
        rows = []
        for meter, meter_id in self.meters.items():
            if not person.item_scale[meter]:
                continue
            plant = self.plants.get(idx, Plant())
            values, _ = daily_use(self.population.company, self.store.seed, person, meter, days, plant)
            moments = days * DAY + seconds_of_day(self.store.seed, idx, meter, days)
            for at, value in zip(moments.tolist(), values.tolist(), strict=True):
                if filled <= at < until and value > 0:
                    rows.append((meter_id, customer, at, value))
        self.store.db.executemany("insert into usage values (?, ?, ?, '', ?)", rows)
        self.store.db.execute("update member set filled_until = ? where idx = ?", (until, idx))

    # --- tasks

    def join(self, ref: str) -> None:
        """A customer signs up; the next signup is put on the agenda."""
        store, person = self.store, self.person(int(ref))
        customer = store.put(shapes.customer(store, person))
        emit(store, "customer.created", customer)
        sub = shapes.subscription(store, customer)
        store.put(sub)
        self._add_items(sub, person)
        sub["items"] = subscriptions.embed_items(store, sub)
        if person.has_coupon:
            coupon = store.get("coupon", "WELCOME10")
            sub["discounts"] = [subscriptions.add_discount(store, sub, coupon)]
        invoice = invoices.draft(store, sub, "subscription_create", None, (store.now, add_months(store.now, 1)))
        sub["latest_invoice"] = invoice["id"]
        store.put(sub)
        emit(store, "customer.subscription.created", sub)
        emit(store, "invoice.created", invoice)
        store.db.execute(
            "insert into member values (?, ?, ?, ?, null)", (person.idx, customer["id"], sub["id"], store.now)
        )
        self.finalize(invoice["id"])
        store.schedule(add_months(store.now, 1), "renew", sub["id"])
        if person.cause != "payment_failure":
            store.schedule(person.leaves_at, "leave", sub["id"])
        self.schedule_signup(person.idx + 1)

    def schedule_signup(self, idx: int) -> None:
        """Put a customer's signup on the agenda; the first group's all at once, since their days are in no order."""
        first_group = round(self.population.customers * self.population.company["signups"]["at_start"])
        if idx == 0:
            for early in range(first_group + 1):
                self.store.schedule(self.population.joins_at(early), "join", str(early))
        elif idx > first_group:
            self.store.schedule(self.population.joins_at(idx), "join", str(idx))

    def _add_items(self, sub: Obj, person: Person) -> None:
        wanted: list[tuple[str, int | None]] = [(f"{person.plan}_fee", 1), (f"{person.plan}_api_calls", None)]
        wanted += [(meter, None) for meter in METERS if meter != "api_calls" and person.item_scale[meter]]
        wanted += [("seats", person.seats)] if person.seats else []
        for what, quantity in wanted:
            price = self.price(what, person.currency)
            end = add_months(self.store.now, 1)
            item = shapes.subscription_item(self.store, sub["id"], price, quantity, self.store.now, end)
            subscriptions.put_item(self.store, item)

    def price(self, what: str, currency: str) -> Obj:
        return self.store.get("price", self.prices[price_key(what, currency)])

    def renew(self, ref: str) -> None:
        """A period ends: bill what it used and the next one's licences; the next begins, unless this was the last."""
        store, sub = self.store, self.store.get("subscription", ref)
        if sub["status"] == "canceled":
            return
        person = self.person_of(ref)
        self.fill_usage(person.idx, store.now)
        anchor = sub["billing_cycle_anchor"]
        count = months_between(anchor, store.now)
        used = (add_months(anchor, count - 1), store.now)
        ahead = (store.now, add_months(anchor, count + 1))
        is_last = sub["cancel_at_period_end"]
        if not is_last:
            self._change_seats(sub, person)
        invoice = invoices.draft(store, sub, "subscription_cycle", used, None if is_last else ahead)
        invoice["automatically_finalizes_at"] = store.now + HOUR
        store.put(invoice)
        emit(store, "invoice.created", invoice)
        store.schedule(store.now + HOUR, "finalize", invoice["id"])
        if is_last:
            sub["latest_invoice"] = invoice["id"]
            subscriptions.end(store, sub, "cancellation_requested")
            return
        for item in store.children("subscription_item", ref):
            item.update(current_period_start=ahead[0], current_period_end=ahead[1])
            subscriptions.put_item(store, item)
        ended = [d for d in sub["discounts"] if (store.get("discount", d)["end"] or ahead[1]) <= store.now]
        kept = [d for d in sub["discounts"] if d not in ended]
        subscriptions.save(store, sub, latest_invoice=invoice["id"], discounts=kept)
        store.schedule(ahead[1], "renew", ref)
        if self._wants_more(sub, person, count):
            delay = draw.whole(30, 220, store.seed, person.idx, "upgrade", count) * HOUR
            store.schedule(store.now + delay, "upgrade", ref)

    def _change_seats(self, sub: Obj, person: Person) -> None:
        chance = self.population.company["behaviour"]["seat_change"]
        if draw.uniform(self.store.seed, person.idx, "seats", self.store.now) >= chance:
            return
        for item in self.store.children("subscription_item", sub["id"]):
            if item["price"]["lookup_key"].startswith("seats_"):
                step = draw.pick((1, 2, 4, -1), (4, 3, 1, 2), self.store.seed, person.idx, "step", self.store.now)
                item["quantity"] = max(item["quantity"] + step, 1)
                subscriptions.put_item(self.store, item)

    def plan_of(self, sub: Obj) -> str:
        """The plan of the subscription's graduated item, wherever a client has moved it."""
        for item in self.store.children("subscription_item", sub["id"]):
            if item["price"]["lookup_key"] and "_api_calls_" in item["price"]["lookup_key"]:
                return str(item["price"]["lookup_key"].split("_")[0])
        return PLANS[-1]

    def _wants_more(self, sub: Obj, person: Person, count: int) -> bool:
        plan = self.plan_of(sub)
        if not person.upgrades or person.idx in self.plants or plan == PLANS[-1] or count < 2:
            return False
        included: int = self.population.company["plans"][plan]["included"]
        anchor = sub["billing_cycle_anchor"]
        bounds = [add_months(anchor, count - back) for back in (2, 1, 0)]
        meter, customer = self.meters["api_calls"], sub["customer"]
        used = [self.store.usage(meter, customer, start, end) for start, end in pairwise(bounds)]
        return min(used) > included * QUOTA_PRESSURE

    def upgrade(self, ref: str) -> None:
        """The customer moves to the next plan by itself, without proration."""
        store, sub = self.store, self.store.get("subscription", ref)
        plan = self.plan_of(sub)
        if sub["status"] == "canceled" or sub["cancel_at_period_end"] or plan == PLANS[-1]:
            return
        target = PLANS[PLANS.index(plan) + 1]
        for item in store.children("subscription_item", ref):
            key = item["price"]["lookup_key"] or ""
            if key.startswith(f"{plan}_"):
                what = key.removeprefix(f"{plan}_").removesuffix(f"_{sub['currency']}")
                price = self.price(f"{target}_{what}", sub["currency"])
                subscriptions.set_price(store, item, price, item.get("quantity"))
        subscriptions.save(store, sub)

    def leave(self, ref: str) -> None:
        """The customer cancels, now or with the period."""
        sub = self.store.get("subscription", ref)
        if sub["status"] == "canceled" or sub["cancel_at_period_end"]:
            return
        person = self.person_of(ref)
        if person.leaves_at_period_end:
            subscriptions.request_cancel(self.store, sub)
        else:
            self.fill_usage(person.idx, self.store.now)
            subscriptions.end(self.store, sub, "cancellation_requested")

    def finalize(self, ref: str) -> None:
        """Open a draft, after taking in usage that arrived late for its period, and try to collect it."""
        store, invoice = self.store, self.store.get("invoice", ref)
        person = self.person_of(invoice["parent"]["subscription_details"]["subscription"])
        invoice = payments.finalize(store, invoices.refresh(store, invoice))
        invoice = payments.collect(store, invoice, person, self.population.company["behaviour"])
        chance = self.population.company["behaviour"]["credit_note"]
        if invoice["status"] == "paid" and draw.uniform(store.seed, person.idx, "credit", store.now) < chance:
            store.schedule(store.now + 4 * DAY + 9 * HOUR, "credit", ref)

    def retry(self, ref: str) -> None:
        """Another attempt to collect an open invoice."""
        invoice = self.store.get("invoice", ref)
        if invoice["status"] == "open":
            person = self.person_of(invoice["parent"]["subscription_details"]["subscription"])
            payments.collect(self.store, invoice, person, self.population.company["behaviour"])

    def credit(self, ref: str) -> None:
        """A credit note for a bad day: 5 to 20 % of the invoice."""
        invoice = self.store.get("invoice", ref)
        if invoice["amount_paid"]:
            payments.credit(self.store, invoice, draw.whole(5, 20, self.store.seed, ref))
