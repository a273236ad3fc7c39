"""What may happen to an account between two loads: every kind of change, each on an object chosen by a number."""

import re
import sqlite3
from collections.abc import Callable
from typing import Any

import stripe

from sandbox import objects
from tests.dlt_pipelines.served import Served

REFUSALS = (stripe.InvalidRequestError, stripe.CardError)  # what Stripe may say to a change; a 500 is never one
CARD = {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
BAD_CARD = {
    "payment_method": "pm_card_chargeCustomerFail",
    "invoice_settings": {"default_payment_method": "pm_card_chargeCustomerFail"},
}
THRESHOLD = {"gte": 10, "recurrence": "one_time"}
Change = Callable[["Changer", int], object]


class Changer:
    """Changes one account. `done` and `refused` count what came of it; `last` names the change under way."""

    def __init__(self, served: Served) -> None:
        self.served, self.v1 = served, served.v1
        self.done, self.refused = 0, 0
        self._db = sqlite3.connect(f"file:{served.folder / 'sandbox.sqlite'}?mode=ro", uri=True)

    def make(self, name: str, number: int) -> None:
        """Make the change of that name (of CHANGES); what Stripe refuses changes nothing."""
        try:
            CHANGES[name](self, number)
            self.done += 1
        except REFUSALS:
            self.refused += 1

    def some(self, kind: str, number: int, where: str = "true") -> str:
        """The id of an object of that kind, or one that nobody has; `where` is SQL over the sandbox's table."""
        found = self._db.execute(
            f"select id from object where kind = ? and hidden = 0 and clock is null and {where} order by seq", (kind,)
        ).fetchall()
        return str(found[number % len(found)][0]) if found else f"{kind}_nobody"

    def item(self, number: int) -> tuple[str, str]:
        """Ids of a running subscription and of one of its licensed items."""
        sub = self.v1.subscriptions.retrieve(self.some("subscription", number, "status = 'active'"))
        items = [one.id for one in sub["items"].data if one.price.recurring.usage_type == "licensed"]
        return sub.id, items[number % len(items)] if items else "si_nobody"

    def monthly(self, number: int) -> str:
        monthly = "json_extract(json, '$.recurring.usage_type') = 'licensed' and json_extract(json, '$.active')"
        return self.some("price", number, monthly)

    def touch(self, kind: str, number: int, **fields: Any) -> None:
        """Change what no route changes, with the event that Stripe would send."""
        key = self.some(kind, number)
        self.served.within(lambda store: objects.update(store, store.get(kind, key), **fields))

    def subscribe(self, number: int, card: dict[str, Any] = CARD, **more: Any) -> Any:
        customer = self.v1.customers.create({"name": f"Subscriber {number}", **card}).id
        items = [{"price": self.monthly(number), "quantity": 1 + number % 5}]
        return self.v1.subscriptions.create({"customer": customer, "items": items, **more})

    def draft(self, number: int) -> Any:
        customer = self.some("customer", number)
        draft = self.v1.invoices.create({"customer": customer, "auto_advance": False})
        lines = [{"amount": 50 + n, "description": f"line {n}"} for n in range(number % 30)]
        return self.v1.invoices.add_lines(draft.id, {"lines": lines}) if lines else draft

    def sent(self, number: int) -> Any:
        how = {"collection_method": "send_invoice", "days_until_due": 5, "auto_advance": False}
        customer = self.v1.customers.create({"name": f"Billed {number}", **CARD}).id
        draft = self.v1.invoices.create({"customer": customer, **how})
        lines = [{"amount": 5000 + n, "description": f"line {n}"} for n in range(1 + number % 12)]
        self.v1.invoices.add_lines(draft.id, {"lines": lines})
        return self.v1.invoices.finalize_invoice(draft.id)

    def remove_product(self, number: int) -> None:
        spare = "not exists (select 1 from object as p where p.kind = 'price'"
        spare += " and json_extract(p.json, '$.product') = object.id)"
        key = self.some("product", number, spare)
        if key.endswith("_nobody"):
            key = self.v1.products.create({"name": "Spare"}).id
        self.v1.products.delete(key)

    def line_of_draft(self, number: int) -> tuple[str, str]:
        draft = self.some("invoice", number, "status = 'draft' and json_array_length(json, '$.lines.data') > 0")
        lines = self.v1.invoices.line_items.list(draft, {"limit": 100}).data
        return draft, lines[number % len(lines)].id

    def describe_line(self, number: int) -> Any:
        invoice, line = self.line_of_draft(number)
        return self.v1.invoices.line_items.update(invoice, line, {"description": f"d{number}"})

    def remove_line(self, number: int) -> Any:
        invoice, line = self.line_of_draft(number)
        return self.v1.invoices.remove_lines(invoice, {"lines": [{"id": line, "behavior": "delete"}]})

    def credit_note(self, number: int) -> Any:
        invoice = self.v1.invoices.retrieve(self.some("invoice", number, "status in ('open', 'paid')"))
        amount = max(1, invoice.total // (2 + number % 3))
        how = {"credit_amount": amount} if invoice.status == "paid" else {}
        return self.v1.credit_notes.create({"invoice": invoice.id, "amount": amount, **how})

    def intent(self, number: int) -> Any:
        payer = {"customer": self.some("customer", number, PAYER)}
        card = self.v1.customers.payment_methods.list(payer["customer"], {"limit": 1}).data
        method = payer | {"payment_method": card[0].id} if card and number % 2 else {}
        return self.v1.payment_intents.create({"amount": 900 + number % 99, "currency": "usd", **method})

    def grant(self, number: int) -> Any:
        return self.v1.billing.credit_grants.create(
            {
                "customer": self.some("customer", number),
                "amount": {"type": "monetary", "monetary": {"currency": "usd", "value": 500}},
                "applicability_config": {"scope": {"price_type": "metered"}},
                "category": "promotional",
            }
        )

    def use(self, number: int) -> Any:
        payload = {"stripe_customer_id": self.some("customer", number), "value": str(number % 40)}
        return self.v1.billing.meter_events.create({"event_name": "calls", "payload": payload})

    def schedule(self, number: int) -> Any:
        free = self.some("subscription", number, "status = 'active' and json_extract(json, '$.schedule') is null")
        return self.v1.subscription_schedules.create({"from_subscription": free})


def _named(number: int) -> dict[str, Any]:
    return {"metadata": {"seen": str(number)}}


PENDING, DRAFT, OPEN = "json_extract(json, '$.invoice') is null", "status = 'draft'", "status = 'open'"
PAYER = "json_extract(json, '$.invoice_settings.default_payment_method') is not null"
CHANGES: dict[str, Change] = {
    "customer made": lambda c, n: c.v1.customers.create({"name": f"New {n}", **CARD}),
    "customer edited": lambda c, n: c.v1.customers.update(c.some("customer", n), _named(n)),
    "customer deleted": lambda c, n: c.v1.customers.delete(c.some("customer", n)),
    "balance moved": lambda c, n: c.v1.customers.balance_transactions.create(
        c.some("customer", n), {"amount": 7 - n % 90, "currency": "usd"}
    ),
    "card attached": lambda c, n: c.v1.payment_methods.attach(
        "pm_card_mastercard", {"customer": c.some("customer", n)}
    ),
    "card detached": lambda c, n: c.v1.payment_methods.detach(c.some("payment_method", n, "customer is not null")),
    "product made": lambda c, n: c.v1.products.create({"name": f"Product {n}"}),
    "product archived": lambda c, n: c.v1.products.update(c.some("product", n), {"active": n % 2 == 0}),
    "product deleted": lambda c, n: c.remove_product(n),
    "price made": lambda c, n: c.v1.prices.create(
        {
            "product": c.some("product", n),
            "currency": "usd",
            "unit_amount": n % 9000,
            "recurring": {"interval": "month"},
        }
    ),
    "price edited": lambda c, n: c.v1.prices.update(c.some("price", n), {"nickname": f"n{n}", "active": n % 3 > 0}),
    "coupon made": lambda c, n: c.v1.coupons.create({"percent_off": 1 + n % 99, "duration": "once"}),
    "coupon edited": lambda c, n: c.v1.coupons.update(c.some("coupon", n), {"name": f"n{n}"}),
    "coupon deleted": lambda c, n: c.v1.coupons.delete(c.some("coupon", n, "id != 'PLANTED'")),
    "promotion code edited": lambda c, n: c.touch("promotion_code", n, active=n % 2 == 0, metadata={"n": str(n)}),
    "tax rate edited": lambda c, n: c.touch("tax_rate", n, active=n % 2 == 0, metadata={"n": str(n)}),
    "dispute closed": lambda c, n: c.touch("dispute", n, status="won" if n % 2 else "lost"),
    "subscribed": lambda c, n: c.subscribe(n),
    "subscribed in vain": lambda c, n: c.subscribe(n, BAD_CARD),
    "trial begun": lambda c, n: c.subscribe(n, trial_period_days=1 + n % 6),
    "subscription edited": lambda c, n: c.v1.subscriptions.update(
        c.some("subscription", n, "status != 'canceled'"), _named(n)
    ),
    "subscription discounted": lambda c, n: c.v1.subscriptions.update(
        c.some("subscription", n, "status = 'active'"), {"discounts": [{"coupon": c.some("coupon", n)}]}
    ),
    "subscription canceled": lambda c, n: c.v1.subscriptions.cancel(
        c.some("subscription", n, "status != 'canceled'"), {"invoice_now": n % 2 == 0}
    ),
    "subscription to end": lambda c, n: c.v1.subscriptions.update(
        c.some("subscription", n, "status = 'active'"), {"cancel_at_period_end": n % 3 > 0}
    ),
    "subscription paused": lambda c, n: c.v1.subscriptions.pause(
        c.some("subscription", n, "status = 'active'"), {"type": "subscription"}
    ),
    "subscription resumed": lambda c, n: c.v1.subscriptions.resume(c.some("subscription", n, "status = 'paused'")),
    "item changed": lambda c, n: c.v1.subscription_items.update(
        c.item(n)[1], {"quantity": 1 + n % 50, "price": c.monthly(n)}
    ),
    "item added": lambda c, n: c.v1.subscription_items.create(
        {"subscription": c.item(n)[0], "price": c.monthly(n), "quantity": 2}
    ),
    "item removed": lambda c, n: c.v1.subscription_items.delete(c.item(n)[1]),
    "schedule made": lambda c, n: c.schedule(n),
    "schedule released": lambda c, n: c.v1.subscription_schedules.release(
        c.some("subscription_schedule", n, "status = 'active'")
    ),
    "schedule canceled": lambda c, n: c.v1.subscription_schedules.cancel(
        c.some("subscription_schedule", n, "status = 'active'")
    ),
    "quote made": lambda c, n: c.v1.quotes.create(
        {
            "customer": c.some("customer", n, PAYER),
            "line_items": [{"price": c.monthly(n + m)} for m in range(1 + n % 12)],
        }
    ),
    "quote finalised": lambda c, n: c.v1.quotes.finalize_quote(c.some("quote", n, DRAFT)),
    "quote accepted": lambda c, n: c.v1.quotes.accept(c.some("quote", n, OPEN)),
    "quote canceled": lambda c, n: c.v1.quotes.cancel(c.some("quote", n, "status in ('draft', 'open')")),
    "invoice drafted": lambda c, n: c.draft(n),
    "invoice sent": lambda c, n: c.sent(n),
    "draft deleted": lambda c, n: c.v1.invoices.delete(c.some("invoice", n, DRAFT)),
    "draft edited": lambda c, n: c.v1.invoices.update(c.some("invoice", n, DRAFT), _named(n)),
    "draft finalised": lambda c, n: c.v1.invoices.finalize_invoice(c.some("invoice", n, DRAFT)),
    "line described": lambda c, n: c.describe_line(n),
    "line removed": lambda c, n: c.remove_line(n),
    "invoice paid": lambda c, n: c.v1.invoices.pay(c.some("invoice", n, OPEN)),
    "invoice voided": lambda c, n: c.v1.invoices.void_invoice(c.some("invoice", n, OPEN)),
    "invoice given up": lambda c, n: c.v1.invoices.mark_uncollectible(c.some("invoice", n, OPEN)),
    "invoice item made": lambda c, n: c.v1.invoice_items.create(
        {"customer": c.some("customer", n), "amount": n % 700 - 50, "currency": "usd"}
    ),
    "invoice item deleted": lambda c, n: c.v1.invoice_items.delete(c.some("invoiceitem", n, PENDING)),
    "credit note made": lambda c, n: c.credit_note(n),
    "credit note edited": lambda c, n: c.v1.credit_notes.update(c.some("credit_note", n), {"memo": f"n{n}"}),
    "credit note voided": lambda c, n: c.v1.credit_notes.void_credit_note(c.some("credit_note", n)),
    "payment begun": lambda c, n: c.intent(n),
    "payment confirmed": lambda c, n: c.v1.payment_intents.confirm(
        c.some("payment_intent", n, "status = 'requires_confirmation'")
    ),
    "payment canceled": lambda c, n: c.v1.payment_intents.cancel(
        c.some("payment_intent", n, "status like 'requires%'")
    ),
    "charge edited": lambda c, n: c.v1.charges.update(c.some("charge", n), {"description": f"n{n}"}),
    "refunded": lambda c, n: c.v1.refunds.create({"charge": c.some("charge", n), "amount": 1 + n % 20}),
    "refund edited": lambda c, n: c.v1.refunds.update(c.some("refund", n), _named(n)),
    "credit granted": lambda c, n: c.grant(n),
    "grant edited": lambda c, n: c.v1.billing.credit_grants.update(c.some("billing.credit_grant", n), _named(n)),
    "grant voided": lambda c, n: c.v1.billing.credit_grants.void_grant(c.some("billing.credit_grant", n)),
    "grant expired": lambda c, n: c.v1.billing.credit_grants.expire(c.some("billing.credit_grant", n)),
    "meter edited": lambda c, n: c.v1.billing.meters.update(c.some("billing.meter", n), {"display_name": f"n{n}"}),
    "meter turned off": lambda c, n: c.v1.billing.meters.deactivate(
        c.some("billing.meter", n, "json_extract(json, '$.event_name') != 'calls'")
    ),
    "meter turned on": lambda c, n: c.v1.billing.meters.reactivate(c.some("billing.meter", n, "status = 'inactive'")),
    "used": lambda c, n: c.use(n),
    "days passed": lambda c, n: c.served.advance(1 + n % 3),
}
# Changes that Stripe sends no event of: the next re-read finds them.
UNTOLD: dict[str, Change] = {
    "invoice item edited": lambda c, n: c.v1.invoice_items.update(
        c.some("invoiceitem", n, PENDING), {"amount": n % 80}
    ),
    "quote edited": lambda c, n: c.v1.quotes.update(c.some("quote", n, DRAFT), {"description": f"n{n}"}),
    "alert made": lambda c, n: c.v1.billing.alerts.create(
        {
            "title": f"n{n}",
            "alert_type": "usage_threshold",
            "usage_threshold": THRESHOLD | {"meter": c.some("billing.meter", n)},
        }
    ),
    "alert turned off": lambda c, n: c.v1.billing.alerts.deactivate(c.some("billing.alert", n, "status != 'archived'")),
    "alert turned on": lambda c, n: c.v1.billing.alerts.activate(c.some("billing.alert", n, "status != 'archived'")),
    "alert archived": lambda c, n: c.v1.billing.alerts.archive(c.some("billing.alert", n, "status != 'archived'")),
}
CHANGES |= UNTOLD
# The same as differences (`table id: field`) that may be there until the daily re-read.
IS_UNTOLD = re.compile(
    r"alerts \S+: |quotes \S+: description|invoice_items \S+: (?!has not landed)|payment_intents \S+: (amount|metadata)"
)
