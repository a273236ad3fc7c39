"""An account that holds every kind of object, in every state the sandbox can bring about, and long lists of each."""

from pathlib import Path
from typing import Any

import stripe

from sandbox import objects, payments, state
from sandbox.store import Store
from tests.dlt_pipelines.served import Served, serving
from tests.sandbox.conftest import Sandbox
from tests.sandbox.drive import drive
from tests.sandbox.furnish import DAY

MANY = 130  # customers, so that their list and its events have several pages
LONG = 250  # lines of the longest invoice: what Stripe allows
ITEMS = 20  # of the largest subscription
MONTHLY = {"interval": "month"}


def furnish(folder: Path) -> None:
    """Make the state of such an account in `folder`."""
    folder.mkdir(parents=True)
    state.seed(folder, customers=1, months=1, seed=7, empty=True)
    with serving(folder) as served:
        served.within(_plant)
        drive(stripe.StripeClient("sk_test_furnish", base_addresses={"api": served.url}), Sandbox(served.url, folder))
        _long_lists(served)
        _ended_and_unfinished(served)
        served.within(_many)
        served.advance(0.1)  # so that an idle load does not find all of this in the last hour's events


def _plant(store: Store) -> None:
    """One each of what no route makes."""
    coupon = objects.create(store, "coupon", id="PLANTED", percent_off=5.0)
    promotion = {"type": "coupon", "coupon": coupon["id"]}
    objects.create(store, "promotion_code", id="promo_planted", code="HELLO", promotion=promotion)
    objects.create(store, "promotion_code", id="promo_over", code="BYE", promotion=promotion, active=False)
    objects.create(store, "tax_rate", id="txr_planted", display_name="VAT", percentage=20.0)
    objects.create(store, "tax_rate", id="txr_archived", display_name="VAT", percentage=19.0, active=False)
    objects.create(store, "dispute", id="dp_planted", charge="ch_gone", amount=100, reason="fraudulent")


def _many(store: Store) -> None:
    """Customers for several pages, five of a second, and one with more balance transactions than a page has."""
    for number in range(MANY):
        created = store.now - DAY + number // 5
        customer = objects.create(store, "customer", name=f"Customer {number}", created=created, currency="usd")
    for number in range(LONG):
        payments.move_balance(store, customer, -number - 1, "adjustment")


def _long_lists(served: Served) -> None:
    """Invoices, a subscription, a quote and a credit note with more rows than Stripe embeds."""
    v1 = served.v1
    product = v1.products.create({"name": "Parts"}).id
    parts = [_price(v1, product, 100 + number).id for number in range(ITEMS)]
    customer = _payer(v1)
    v1.subscriptions.create({"customer": customer, "items": [{"price": part} for part in parts]})
    once = [v1.prices.create({"product": product, "currency": "usd", "unit_amount": 50}).id for _ in range(12)]
    v1.quotes.create({"customer": customer, "line_items": [{"price": each} for each in [*once, *parts[:3]]]})
    for count in (25, LONG):
        draft = v1.invoices.create({"customer": customer, "auto_advance": False})
        lines = [{"amount": 100 + number, "description": f"part {number}"} for number in range(count)]
        for start in range(0, count, 100):
            v1.invoices.add_lines(draft.id, {"lines": lines[start : start + 100]})
        v1.invoices.finalize_invoice(draft.id)
    listed = v1.invoices.line_items.list(draft.id, {"limit": 100}).data
    credited = [{"type": "invoice_line_item", "invoice_line_item": line.id, "amount": 50} for line in listed[:12]]
    v1.credit_notes.create({"invoice": draft.id, "lines": credited})


def _ended_and_unfinished(served: Served) -> None:
    """What lists hide, or show only with a parameter, and drafts."""
    v1 = served.v1
    product = v1.products.create({"name": "Old", "active": False})
    v1.prices.update(_price(v1, product.id, 900).id, {"active": False})
    customer = _payer(v1)
    sub = v1.subscriptions.create({"customer": customer, "items": [{"price": _price(v1, product.id, 800).id}]})
    v1.subscriptions.cancel(sub.id)
    v1.invoices.create({"customer": customer, "auto_advance": False})
    v1.invoice_items.create({"customer": customer, "amount": 4200, "currency": "usd"})
    v1.quotes.create({"customer": customer, "line_items": []})
    meter = v1.billing.meters.create(
        {"display_name": "Old", "event_name": "old", "default_aggregation": {"formula": "count"}}
    )
    threshold = {"meter": meter.id, "gte": 5, "recurrence": "one_time"}
    for title in ("kept", "off"):
        alert = {"title": title, "alert_type": "usage_threshold", "usage_threshold": threshold}
        made = v1.billing.alerts.create(alert)
    v1.billing.alerts.deactivate(made.id)
    v1.billing.meters.deactivate(meter.id)
    clock = v1.test_helpers.test_clocks.create({"frozen_time": product.created})
    v1.customers.create({"test_clock": clock.id})


def _payer(v1: Any) -> str:
    card = {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
    return str(v1.customers.create({"name": "Payer", **card}).id)


def _price(v1: Any, product: str, amount: int) -> Any:
    return v1.prices.create({"product": product, "currency": "usd", "unit_amount": amount, "recurring": MONTHLY})
