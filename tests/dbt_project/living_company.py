"""A company that goes on after its first load: customers change things, usage arrives late, and it is loaded again."""

from __future__ import annotations

import random
import shutil
from datetime import date, timedelta
from pathlib import Path

from tests.dlt_pipelines.changes import REFUSALS, Changer
from tests.dlt_pipelines.proof import Proof
from tests.dlt_pipelines.served import serving

DAY = 86_400
FIRST = date(2026, 10, 31)  # as_of of the first load, a month end
SECOND = FIRST + timedelta(days=30)  # another
LAST = SECOND + timedelta(weeks=5)  # whole weeks on, so that SECOND is an origin of the last build
# What changes customers' features; of each kind some, at random. What Stripe refuses changes nothing.
KINDS = (
    *("item changed", "item added", "item removed", "subscription discounted", "subscription canceled"),
    *("subscription to end", "subscription paused", "subscription resumed", "subscribed", "subscribed in vain"),
    *("trial begun", "invoice paid", "invoice voided", "invoice given up", "customer edited", "coupon edited"),
    *("item swapped",) * 3,
)


def live_on(modelled: Path, data: Path) -> None:
    """Copy the state folder of a company modelled after its first load, and load it twice more as time passes."""
    shutil.copytree(modelled, data)
    chance = random.Random(11)  # noqa: S311 - chance, no secret
    with serving(data / "sandbox") as served:
        account, proof = Changer(served), Proof(served, data)
        _pass(account, chance, 30)
        proof.load()
        _pass(account, chance, 14)
        proof.load()
        _pass(account, chance, 21)
        proof.load()


def _pass(account: Changer, chance: random.Random, days: int) -> None:
    """Time passes in weeks; what is used late goes back to days that were loaded before."""
    for start in range(0, days, 7):
        for kind in KINDS:
            if kind == "item swapped":
                _swap(account, chance.randrange(100))
            else:
                account.make(kind, chance.randrange(100))
        for _ in range(25):
            _use_late(account, chance)
        account.served.advance(min(7, days - start))


def _swap(account: Changer, number: int) -> None:
    """A metered item goes to another price of its meter, in the middle of a period."""
    sub = account.v1.subscriptions.retrieve(account.some("subscription", number, "status = 'active'"))
    for item in sub["items"].data:
        meter = item.price.recurring.meter
        prices = account.v1.prices.list({"limit": 100}).data
        others = [
            price.id
            for price in prices
            if price.recurring and price.recurring.meter == meter and price.currency == item.price.currency and meter
        ]
        if others:
            try:
                account.v1.subscription_items.update(item.id, {"price": others[number % len(others)]})
            except REFUSALS:
                account.refused += 1


def _use_late(account: Changer, chance: random.Random) -> None:
    """Usage of up to 34 days ago, of a customer with a metered item."""
    sub = account.v1.subscriptions.retrieve(account.some("subscription", chance.randrange(100), "status = 'active'"))
    meters = [item.price.recurring.meter for item in sub["items"].data if item.price.recurring.meter]
    if not meters:
        return
    event = account.v1.billing.meters.retrieve(meters[chance.randrange(len(meters))]).event_name
    now = account.served.within(lambda store: store.account_now)
    at = now - chance.choice([1, 2, 3, chance.randrange(4, 34)]) * DAY
    payload = {"stripe_customer_id": sub.customer, "value": str(chance.randrange(1, 5000))}
    try:
        account.v1.billing.meter_events.create({"event_name": event, "payload": payload, "timestamp": at})
        account.done += 1
    except REFUSALS:
        account.refused += 1
