"""An account in which every reason for a bill to differ from what its usage costs is planted, through Stripe's API.

Each customer carries one reason and is named for it. What Stripe's own routes refuse is planted in raw tables by
test_reconciliation_causes.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox import state
from tests.dlt_pipelines.proof import Proof
from tests.dlt_pipelines.served import Served, serving

HOUR, DAY = 3600, 86_400
MONTH = {"interval": "month", "usage_type": "metered"}
TIERS = [
    {"up_to": 100, "unit_amount_decimal": "0", "flat_amount": 500},
    {"up_to": 1000, "unit_amount_decimal": "1.5"},
    {"up_to": "inf", "unit_amount_decimal": "1.25"},
]


class Planting:
    """The account while things are planted: `customers` by the name of what is planted on them, `subs` likewise."""

    def __init__(self, served: Served) -> None:
        self.served, self.v1 = served, served.v1
        self.customers: dict[str, str] = {}
        self.subs: dict[str, Any] = {}
        meter = self.v1.billing.meters.create(
            {"display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "sum"}}
        )
        self.meter, self.product = meter.id, self.v1.products.create({"name": "Calls"}).id
        self.flat = self.price(unit_amount_decimal="2")
        self.dear = self.price(unit_amount_decimal="3")
        self.tiered = self.price(billing_scheme="tiered", tiers_mode="graduated", tiers=TIERS)
        self.start = self.now

    @property
    def now(self) -> int:
        return self.served.within(lambda store: store.account_now)

    def price(self, **terms: Any) -> str:
        recurring = MONTH | {"meter": self.meter}
        base = {"product": self.product, "currency": "usd", "recurring": recurring}
        return str(self.v1.prices.create(base | terms).id)

    def subscribe(self, name: str, *prices: str, **terms: Any) -> Any:
        card = {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
        self.customers[name] = self.v1.customers.create({"name": name, **card}).id
        items = [{"price": price} for price in prices]
        self.subs[name] = self.v1.subscriptions.create({"customer": self.customers[name], "items": items, **terms})
        return self.subs[name]

    def use(self, name: str, value: int, at: int) -> None:
        payload = {"stripe_customer_id": self.customers[name], "value": str(value)}
        self.v1.billing.meter_events.create({"event_name": "calls", "payload": payload, "timestamp": at})

    def until(self, moment: int) -> None:
        self.served.advance((moment - self.now) / DAY)

    def drop(self, name: str) -> None:
        """Take the first item off the customer's subscription: what it has used goes on the next invoice."""
        self.v1.subscription_items.delete(self.subs[name]["items"].data[0].id)

    def draft(self, name: str) -> Any:
        """The newest draft of the customer."""
        return self.v1.invoices.list({"customer": self.customers[name], "status": "draft"}).data[0]


def plant(data: Path) -> None:
    """Make the account in `data`/sandbox and load it before, with, and after the bills."""
    (data / "sandbox").mkdir(parents=True)
    state.seed(data / "sandbox", customers=1, months=1, seed=7, empty=True)
    with serving(data / "sandbox") as served:
        served.advance(43 / DAY)  # no period begins on a whole minute
        account, proof = Planting(served), Proof(served, data)
        for name in ("unseen", "forgotten"):
            account.subscribe(name, account.flat)
        account.until(account.start + 5 * DAY)
        _subscribe(account)
        billed_at = account.now + 30 * DAY
        account.until(account.now + 3 * DAY)
        for name in account.customers:
            account.use(name, 150, account.now - DAY)
        account.until(account.start + 15 * DAY)
        account.drop("dropped")
        proof.load()
        account.use("forgotten", 7, account.now)  # billed, and never read: the customer is gone when it could be
        for name in ("edited", "taken_off"):
            account.drop(name)
        account.v1.subscription_items.update(account.subs["swapped"]["items"].data[0].id, {"price": account.dear})
        account.until(account.start + 31 * DAY)
        account.use("unseen", 7, account.start + 20 * DAY)  # its bill is final, its usage not read yet
        account.v1.customers.delete(account.customers["forgotten"])
        account.until(billed_at - 9)
        # within the minute that the period ends in: Stripe bills it, and shows it in no summary of whole minutes
        account.use("seconds", 6, billed_at - 9)
        account.until(billed_at + HOUR // 2)
        proof.load()
        _edit_drafts(account)
        account.until(billed_at + DAY)
        proof.load()
        account.use("late", 9, billed_at - DAY)
        account.until(billed_at + 2 * DAY)
        proof.load()


def _subscribe(account: Planting) -> None:
    for name in ("plain", "late", "seconds", "swapped"):
        account.subscribe(name, account.flat)
    account.subscribe("tiered", account.tiered)
    for name in ("dropped", "edited", "taken_off"):
        account.subscribe(name, account.flat, account.tiered)
    account.subscribe("dinar", account.price(currency="kwd", unit_amount_decimal="12.345"))
    account.subscribe("tried", account.flat, trial_period_days=14)


def _edit_drafts(account: Planting) -> None:
    """What a billing team does to a draft: an amount of its own, a line less, a line more."""
    for name in ("edited", "taken_off"):
        draft = account.draft(name)
        line = next(line for line in draft.lines.data if line.parent.subscription_item_details.invoice_item)
        if name == "edited":
            account.v1.invoices.update_lines(draft.id, {"lines": [{"id": line.id, "amount": 111}]})
        else:
            account.v1.invoices.remove_lines(draft.id, {"lines": [{"id": line.id, "behavior": "delete"}]})
    courtesy = {"description": "as agreed", "amount": -100}
    account.v1.invoices.add_lines(account.draft("dropped").id, {"lines": [courtesy]})
