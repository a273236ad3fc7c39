"""The issue's loop, from the sandbox's side: a changed price is on the next invoice."""

from typing import Any

from .conftest import Sandbox
from .test_writes import active_on, swap


def test_an_upgrade_and_an_offer_are_on_the_next_invoice(sandbox: Sandbox) -> None:
    v1 = sandbox.stripe.v1
    upgraded, offered = active_on(sandbox, "starter", 0), active_on(sandbox, "growth", 0)
    params: Any = {"items": swap(sandbox, upgraded, "starter", "growth"), "proration_behavior": "none"}
    after = v1.subscriptions.update(upgraded.id, params)
    v1.subscriptions.update(offered.id, {"discounts": [{"coupon": "RETAIN20"}]})
    v1.customers.balance_transactions.create(
        str(upgraded.customer), {"amount": -700, "currency": upgraded.currency, "description": "courtesy"}
    )
    balance = v1.customers.retrieve(str(upgraded.customer)).balance
    sandbox.advance(35)

    new_prices = {item.price.id for item in after["items"].data if item.price.lookup_key.startswith("growth_")}
    period_end = after["items"].data[0].current_period_end
    invoice = next(i for i in v1.invoices.list({"subscription": upgraded.id}).data if i.created == period_end)
    details = [line.pricing.price_details for line in invoice.lines.data if line.pricing]
    billed = {detail.price for detail in details if detail}
    assert new_prices <= billed
    assert invoice.starting_balance == balance
    assert invoice.amount_due == invoice.total + balance

    discounted = v1.invoices.list({"subscription": offered.id, "limit": 1}).data[0]
    assert discounted.total_discount_amounts
    assert sum(d.amount for d in discounted.total_discount_amounts) > 0
