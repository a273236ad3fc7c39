"""Previews: what the next invoice would be, while nothing changes."""

from typing import Any

from tests.sandbox.local import DAY, Local, local

__all__ = ["local"]


def preview(local: Local, **params: Any) -> Any:
    """The preview; the account must be as it was."""
    before = local.state()
    found = local.post("invoices/create_preview", **params)
    assert local.state() == before
    return found


def test_a_preview_is_what_the_renewal_then_bills(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.price(), local.metered(meter), customer=customer)
    local.use(meter, customer, 50)
    local.post("invoiceitems", customer=customer["id"], amount=700, currency="usd")
    shown = preview(local, subscription=sub["id"])
    assert shown["id"].startswith("upcoming_in_")
    assert (shown["status"], shown["number"], shown["billing_reason"]) == ("draft", None, "upcoming")
    local.advance(31)
    billed = local.invoices(sub)[-1]
    assert shown["total"] == billed["total"] == 3000 + 100 + 700
    assert [row["amount"] for row in shown["lines"]["data"]] == [row["amount"] for row in billed["lines"]["data"]]


def test_a_recurring_preview_leaves_out_what_comes_once(local: Local) -> None:
    sub = local.subscribe(local.price())
    local.post("invoiceitems", customer=sub["customer"], amount=700, currency="usd")
    assert preview(local, subscription=sub["id"], preview_mode="recurring")["total"] == 3000


def test_a_coupon_can_be_seen_before_it_is_given(local: Local) -> None:
    sub = local.subscribe(local.price(3000))
    coupon = local.post("coupons", percent_off=20, duration="once")
    shown = preview(local, subscription=sub["id"], discounts=[{"coupon": coupon["id"]}])
    assert shown["total"] == 2400
    local.post(f"subscriptions/{sub['id']}", discounts=[{"coupon": coupon["id"]}])
    assert preview(local, subscription=sub["id"])["total"] == 2400


def test_a_change_can_be_seen_before_it_is_made(local: Local) -> None:
    sub = local.subscribe(local.price(3000))
    dear, item = local.price(6000), sub["items"]["data"][0]
    local.advance(15)
    at = item["current_period_start"] + 15 * DAY
    details = {"items": [{"id": item["id"], "price": dear["id"]}], "proration_date": at}
    shown = preview(local, subscription=sub["id"], subscription_details=details)
    prorated = [row for row in shown["lines"]["data"] if row["parent"]["subscription_item_details"]["proration"]]
    assert [row["amount"] for row in prorated] == [-1500, 3000]
    assert shown["total"] == 6000 + 1500
    local.post(f"subscriptions/{sub['id']}", items=details["items"], proration_date=at)
    assert preview(local, subscription=sub["id"])["total"] == shown["total"]
    other = {"items": [{"id": item["id"], "price": local.price(9000)["id"]}], "proration_behavior": "always_invoice"}
    now = preview(local, subscription=sub["id"], subscription_details=other)
    assert now["billing_reason"] == "subscription_update"
    assert local.get(sub)["items"]["data"][0]["price"]["id"] == dear["id"]


def test_a_subscription_that_does_not_exist_yet_can_be_seen(local: Local) -> None:
    customer, price = local.customer(), local.price(2000)
    coupon = local.post("coupons", percent_off=50, duration="once")
    details = {"items": [{"price": price["id"], "quantity": 3}]}
    shown = preview(local, customer=customer["id"], subscription_details=details, discounts=[{"coupon": coupon["id"]}])
    assert (shown["total"], shown["lines"]["data"][0]["quantity"]) == (3000, 3)


def test_cancelling_now_can_be_seen(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.metered(meter), customer=customer)
    local.use(meter, customer, 60)
    local.advance(1)
    assert preview(local, subscription=sub["id"], subscription_details={"cancel_now": True})["total"] == 120


def test_without_anything_to_come_there_is_no_preview(local: Local) -> None:
    customer = local.customer()
    refusal = local.refused("invoices/create_preview", customer=customer["id"])
    assert (refusal.status, refusal.code) == (404, "invoice_upcoming_none")
    sub = local.subscribe(local.price(), customer=customer, cancel_at_period_end=True)
    assert local.refused("invoices/create_preview", subscription=sub["id"]).code == "invoice_upcoming_none"
    items = [{"amount": 500, "currency": "usd"}]
    assert preview(local, customer=customer["id"], invoice_items=items)["total"] == 500
