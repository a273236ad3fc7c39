"""Quotes: amounts, and what becomes of them when they are accepted, withdrawn or left alone."""

from typing import Any

from tests.sandbox.local import DAY, Local, local

__all__ = ["local"]


def drafted(local: Local, *prices: Any, quantity: int = 1, **params: Any) -> Any:
    customer = params.pop("customer", None) or local.customer()
    lines = [{"price": price["id"], "quantity": quantity} for price in prices]
    return local.post("quotes", customer=customer["id"], line_items=lines, **params)


def test_a_quote_shows_what_is_due_at_once_and_what_each_period(local: Local) -> None:
    coupon = local.post("coupons", percent_off=10, duration="forever")
    quote = drafted(
        local, local.price(3000), local.price(500, interval=""), quantity=2, discounts=[{"coupon": coupon["id"]}]
    )
    assert (quote["amount_subtotal"], quote["amount_total"]) == (7000, 6300)
    recurring = quote["computed"]["recurring"]
    assert (recurring["amount_total"], recurring["interval"]) == (5400, "month")
    lines = local.call("GET", f"/v1/quotes/{quote['id']}/line_items").rows
    assert [line["amount_total"] for line in lines] == [5400, 900]
    assert (quote["status"], quote["number"]) == ("draft", None)


def test_an_accepted_quote_makes_a_subscription(local: Local) -> None:
    quote = drafted(local, local.price(3000), local.price(500, interval=""))
    opened = local.post(f"quotes/{quote['id']}/finalize")
    assert opened["status"] == "open"
    assert opened["number"]
    accepted = local.post(f"quotes/{quote['id']}/accept")
    sub = local.store.get("subscription", accepted["subscription"])
    assert sub["status"] == "active"
    assert local.store.get("invoice", accepted["invoice"])["total"] == 3500
    assert local.types(quote) == ["quote.created", "quote.finalized", "quote.accepted"]


def test_an_accepted_quote_for_later_makes_a_schedule(local: Local) -> None:
    start = local.now + 10 * DAY
    quote = drafted(local, local.price(3000), subscription_data={"effective_date": start})
    assert quote["amount_total"] == 0
    local.post(f"quotes/{quote['id']}/finalize")
    accepted = local.post(f"quotes/{quote['id']}/accept")
    schedule = local.store.get("subscription_schedule", accepted["subscription_schedule"])
    assert schedule["phases"][0]["start_date"] == start
    local.advance(11)
    assert local.get(schedule)["subscription"]


def test_an_accepted_quote_of_one_time_prices_makes_an_invoice(local: Local) -> None:
    quote = drafted(local, local.price(500, interval=""), quantity=3)
    local.post(f"quotes/{quote['id']}/finalize")
    accepted = local.post(f"quotes/{quote['id']}/accept")
    invoice = local.store.get("invoice", accepted["invoice"])
    assert (invoice["total"], invoice["parent"]["quote_details"]["quote"]) == (1500, quote["id"])
    assert accepted["subscription"] is None


def test_a_quote_moves_only_forward(local: Local) -> None:
    quote = drafted(local, local.price(3000))
    assert local.refused(f"quotes/{quote['id']}/accept").status == 400
    changed = local.post(f"quotes/{quote['id']}", description="for you")
    assert changed["description"] == "for you"
    local.post(f"quotes/{quote['id']}/finalize")
    assert local.refused(f"quotes/{quote['id']}", description="other").status == 400
    assert local.post(f"quotes/{quote['id']}/cancel")["status"] == "canceled"
    assert local.refused(f"quotes/{quote['id']}/accept").status == 400


def test_an_open_quote_expires(local: Local) -> None:
    quote = drafted(local, local.price(3000), expires_at=local.now + 3 * DAY)
    local.post(f"quotes/{quote['id']}/finalize")
    local.advance(4)
    assert local.get(quote)["status"] == "canceled"
    assert local.types(quote)[-1] == "quote.canceled"


def test_a_quote_without_lines_or_customer_cannot_be_finalized(local: Local) -> None:
    bare = local.post("quotes", customer=local.customer()["id"])
    assert local.refused(f"quotes/{bare['id']}/finalize").status == 400
