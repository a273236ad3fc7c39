"""One long scenario through the official SDK that calls every route of the sandbox at least once."""

from typing import Any

import stripe

from tests.sandbox.conftest import Sandbox
from tests.sandbox.furnish import DAY, catalogue, credits, customers, meters, webhooks


def drive(sdk: stripe.StripeClient, sandbox: Sandbox) -> None:
    """From an empty account to one in which everything has happened."""
    v1: Any = sdk.v1  # the SDK's parameter types want literals; this scenario builds its parameters
    v1.accounts.retrieve(v1.accounts.retrieve_current().id)
    v1.accounts.list()
    webhooks(v1)
    made = catalogue(v1)
    customers(v1, made)
    meters(v1, made)
    credits(v1, made)
    subscriptions(v1, made)
    invoices(v1, made)
    payments(v1, made)
    credit_notes(v1, made)
    schedules(v1, made)
    quotes(v1, made)
    clocks(v1, made)
    sandbox.advance(days=40)
    looks(v1, made)
    clean_up(v1, made)


def subscriptions(v1: Any, made: dict[str, Any]) -> None:
    items = [{"price": made["price"].id, "quantity": 2}, {"price": made["metered"].id}]
    made["sub"] = sub = v1.subscriptions.create(
        {"customer": made["customer"].id, "items": items, "discounts": [{"coupon": made["coupon"].id}]}
    )
    licensed = next(item for item in sub["items"].data if item.price.id == made["price"].id)
    v1.subscriptions.retrieve(sub.id, {"expand": ["latest_invoice.payments", "customer", "discounts"]})
    v1.subscriptions.update(sub.id, {"items": [{"id": licensed.id, "price": made["dear"].id}]})
    v1.subscriptions.list({"status": "all"})
    v1.subscriptions.delete_discount(sub.id)
    added = v1.subscription_items.create(
        {"subscription": sub.id, "price": made["price"].id, "quantity": 1, "proration_behavior": "none"}
    )
    v1.subscription_items.update(added.id, {"quantity": 3})
    v1.subscription_items.retrieve(added.id)
    v1.subscription_items.list({"subscription": sub.id})
    v1.subscription_items.delete(added.id, {"proration_behavior": "none"})
    other = v1.subscriptions.create({"customer": made["customer"].id, "items": [{"price": made["price"].id}]})
    v1.subscriptions.pause(other.id, {"type": "subscription"})
    v1.subscriptions.resume(other.id)
    v1.subscriptions.update(other.id, {"discounts": [{"coupon": made["coupon"].id}]})
    v1.customers.update(made["customer"].id, {"description": "pays"})
    v1.subscriptions.cancel(other.id, {"invoice_now": True, "prorate": True})
    classic = v1.subscriptions.create(
        {
            "customer": made["customer"].id,
            "items": [{"price": made["price"].id}],
            "trial_period_days": 10,
            "billing_mode": {"type": "classic"},
        }
    )
    v1.subscriptions.migrate(classic.id, {"billing_mode": {"type": "flexible"}})


def invoices(v1: Any, made: dict[str, Any]) -> None:
    paying = {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
    made["payer"] = v1.customers.create({"name": "Grace", "email": "grace@example.com", **paying})
    customer = made["payer"].id
    item = v1.invoice_items.create({"customer": customer, "amount": 25000, "currency": "usd", "description": "setup"})
    v1.invoice_items.update(item.id, {"amount": 26000})
    v1.invoice_items.retrieve(item.id)
    v1.invoice_items.list({"customer": customer})
    spare = v1.invoice_items.create({"customer": customer, "amount": 100, "currency": "usd"})
    v1.invoice_items.delete(spare.id)
    preview = {"customer": made["customer"].id, "subscription": made["sub"].id}
    v1.invoices.create_preview(preview)
    draft = v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})
    v1.invoices.update(draft.id, {"description": "one-off", "footer": "thanks"})
    v1.invoices.add_lines(draft.id, {"lines": [{"amount": 900, "description": "help"}]})
    lines = v1.invoices.line_items.list(draft.id)
    help_line = next(line for line in lines.data if line.description == "help")
    v1.invoices.update_lines(draft.id, {"lines": [{"id": help_line.id, "amount": 950}]})
    v1.invoices.line_items.update(draft.id, help_line.id, {"description": "more help"})
    v1.invoices.remove_lines(draft.id, {"lines": [{"id": help_line.id, "behavior": "delete"}]})
    v1.invoices.finalize_invoice(draft.id)
    made["paid"] = v1.invoices.pay(draft.id, {"expand": ["payments"]})
    v1.invoices.retrieve(draft.id)
    v1.invoices.list({"customer": customer})

    def sent() -> Any:
        invoice = v1.invoices.create(
            {"customer": customer, "collection_method": "send_invoice", "days_until_due": 14, "auto_advance": False}
        )
        v1.invoice_items.create({"customer": customer, "invoice": invoice.id, "amount": 4000, "currency": "usd"})
        return v1.invoices.finalize_invoice(invoice.id)

    made["open"], void, bad = sent(), sent(), sent()
    v1.invoices.send_invoice(made["open"].id)
    v1.invoices.void_invoice(void.id)
    v1.invoices.mark_uncollectible(bad.id)
    v1.invoices.delete(v1.invoices.create({"customer": customer}).id)


def payments(v1: Any, made: dict[str, Any]) -> None:
    customer = made["payer"].id
    intent = v1.payment_intents.create(
        {"amount": 1000, "currency": "usd", "customer": customer, "payment_method": "pm_card_visa"}
    )
    v1.payment_intents.update(intent.id, {"metadata": {"part": "1"}})
    v1.invoices.attach_payment(made["open"].id, {"payment_intent": intent.id})
    v1.payment_intents.confirm(intent.id)
    v1.payment_intents.retrieve(intent.id)
    v1.payment_intents.list({"customer": customer})
    v1.payment_intents.cancel(v1.payment_intents.create({"amount": 500, "currency": "usd"}).id)
    payment = v1.invoice_payments.list({"invoice": made["paid"].id}).data[0]
    v1.invoice_payments.retrieve(payment.id)
    charge = v1.charges.list({"customer": customer}).data[0]
    v1.charges.retrieve(charge.id)
    v1.charges.update(charge.id, {"description": "seen"})
    refund = v1.refunds.create({"charge": charge.id, "amount": 100})
    v1.refunds.update(refund.id, {"metadata": {"why": "kind"}})
    v1.refunds.retrieve(refund.id)
    v1.refunds.list({"charge": charge.id})
    row = v1.balance_transactions.list().data[0]
    v1.balance_transactions.retrieve(row.id)


def credit_notes(v1: Any, made: dict[str, Any]) -> None:
    params = {"invoice": made["open"].id, "amount": 500}
    v1.credit_notes.preview(params)
    v1.credit_notes.preview_lines.list(params)
    note = v1.credit_notes.create(params)
    v1.credit_notes.update(note.id, {"memo": "sorry"})
    v1.credit_notes.retrieve(note.id)
    v1.credit_notes.list({"invoice": made["open"].id})
    v1.credit_notes.line_items.list(note.id)
    v1.credit_notes.void_credit_note(note.id)
    v1.credit_notes.create({"invoice": made["paid"].id, "amount": 200, "credit_amount": 200})


def schedules(v1: Any, made: dict[str, Any]) -> None:
    sub = v1.subscriptions.create({"customer": made["customer"].id, "items": [{"price": made["price"].id}]})
    schedule = v1.subscription_schedules.create({"from_subscription": sub.id})
    current = schedule.phases[0]
    v1.subscription_schedules.update(
        schedule.id,
        {
            "end_behavior": "release",
            "phases": [
                {
                    "items": [{"price": made["price"].id, "quantity": 1}],
                    "start_date": current.start_date,
                    "end_date": current.end_date,
                },
                {
                    "items": [{"price": made["dear"].id, "quantity": 1}],
                    "duration": {"interval": "month", "interval_count": 1},
                    "proration_behavior": "none",
                },
            ],
        },
    )
    v1.subscription_schedules.retrieve(schedule.id)
    v1.subscription_schedules.list({"customer": made["customer"].id})
    v1.subscription_schedules.release(schedule.id)
    again = v1.subscription_schedules.create({"from_subscription": sub.id})
    v1.subscription_schedules.cancel(again.id)


def quotes(v1: Any, made: dict[str, Any]) -> None:
    def draft() -> Any:
        lines = [{"price": made["price"].id, "quantity": 2}]
        return v1.quotes.create({"customer": made["customer"].id, "line_items": lines})

    quote, other = draft(), draft()
    v1.quotes.update(quote.id, {"description": "for you"})
    v1.quotes.line_items.list(quote.id)
    v1.quotes.computed_upfront_line_items.list(quote.id)
    v1.quotes.finalize_quote(quote.id)
    v1.quotes.accept(quote.id)
    v1.quotes.retrieve(quote.id)
    v1.quotes.cancel(other.id)
    v1.quotes.list({"customer": made["customer"].id})


def clocks(v1: Any, made: dict[str, Any]) -> None:
    now = v1.customers.retrieve(made["customer"].id).created
    clock = v1.test_helpers.test_clocks.create({"frozen_time": now, "name": "trial"})
    card = {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
    customer = v1.customers.create({"test_clock": clock.id, **card})
    v1.subscriptions.create({"customer": customer.id, "items": [{"price": made["price"].id}]})
    v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": now + 32 * DAY})
    v1.test_helpers.test_clocks.retrieve(clock.id)
    v1.test_helpers.test_clocks.list()
    v1.test_helpers.test_clocks.delete(clock.id)


def looks(v1: Any, made: dict[str, Any]) -> None:
    """What is only listed and retrieved, and everything again after forty days."""
    events = v1.events.list({"limit": 100})
    v1.events.retrieve(events.data[0].id)
    for service, planted in (
        (v1.disputes, "dp_planted"),
        (v1.promotion_codes, "promo_planted"),
        (v1.tax_rates, "txr_planted"),
    ):
        service.list()
        service.retrieve(planted)
    v1.invoices.list({"limit": 100, "expand": ["data.payments", "data.discounts"]})
    v1.subscriptions.list({"status": "all", "expand": ["data.discounts"]})
    v1.charges.list({"limit": 100})
    v1.balance_transactions.list({"limit": 100})


def clean_up(v1: Any, made: dict[str, Any]) -> None:
    customer = v1.customers.create({"name": "Bye", "payment_method": "pm_card_visa"})
    v1.customers.delete(customer.id)
    v1.customers.retrieve(customer.id)
