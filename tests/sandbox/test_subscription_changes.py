"""What changing a running subscription costs, what is refused, and what waits for a payment."""

from typing import Any

import pytest

from sandbox import options
from tests.sandbox.local import DAY, Local, change, item_of, local

__all__ = ["local"]


def test_an_upgrade_in_the_middle_gives_back_and_asks_by_the_second_on_the_next_invoice(local: Local) -> None:
    sub = local.subscribe(local.price(10000, name="Silver"))
    local.advance(15)
    changed = change(local, sub, local.price(20000, name="Gold"))
    credit, debit = local.pending(sub)
    assert (credit["amount"], debit["amount"]) == (-5000, 10000)
    assert credit["description"] == "Unused time on Silver after 16 Nov 2026"
    assert debit["description"] == "Remaining time on Gold after 16 Nov 2026"
    assert credit["proration"]
    assert credit["period"] == {"start": local.now, "end": changed["items"]["data"][0]["current_period_end"]}
    local.advance(16)
    (first, second) = local.invoices(sub)
    assert second["total"] == 20000 + 5000
    proration = next(line for line in second["lines"]["data"] if line["amount"] == -5000)
    assert proration["parent"]["subscription_item_details"]["proration"] is True
    assert proration["parent"]["subscription_item_details"]["proration_details"]["credited_items"] is not None
    assert first["total"] == 10000


def test_always_invoice_bills_a_change_at_once_and_none_bills_nothing(local: Local) -> None:
    gold = local.price(20000)
    sub, other = local.subscribe(local.price(10000)), local.subscribe(local.price(10000))
    local.advance(15)
    billed = change(local, sub, gold, proration_behavior="always_invoice")
    assert [invoice["total"] for invoice in local.invoices(sub)] == [10000, 5000]
    assert billed["latest_invoice"] == local.invoices(sub)[-1]["id"]
    change(local, other, gold, proration_behavior="none")
    assert local.pending(other) == []
    assert len(local.invoices(other)) == 1


def test_two_changes_in_one_period_give_back_only_what_was_asked(local: Local) -> None:
    sub = local.subscribe(local.price(3000))
    local.advance(10)
    change(local, sub, local.price(6000))
    local.advance(10)
    change(local, sub, local.price(3000))
    amounts = [entry["amount"] for entry in local.pending(sub)]
    assert amounts == [-2000, 4000, -2000, 1000]


def test_a_proration_date_repeats_a_preview_and_must_lie_in_the_period(local: Local) -> None:
    sub, gold = local.subscribe(local.price(3000)), local.price(6000)
    start = local.now
    local.advance(20)
    change(local, sub, gold, proration_date=start + 15 * DAY)
    assert [entry["amount"] for entry in local.pending(sub)] == [-1500, 3000]
    items = [{"id": item_of(sub), "quantity": 2}]
    error = local.refused(f"subscriptions/{sub['id']}", items=items, proration_date=start - 1)
    assert error.param == "proration_date"


def test_changing_the_price_resets_the_quantity(local: Local) -> None:
    customer, price = local.customer(), local.price()
    sub = local.post("subscriptions", customer=customer["id"], items=[{"price": price["id"], "quantity": 5}])
    assert change(local, sub, local.price())["items"]["data"][0]["quantity"] == 1


def test_items_are_added_and_removed_with_their_usage_billed(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.price(3000), customer=customer)
    local.advance(10)
    item = local.post("subscription_items", subscription=sub["id"], price=local.metered(meter)["id"])
    assert item["current_period_start"] == local.now
    local.use(meter, customer, 100)
    local.advance(1)
    local.delete(f"subscription_items/{item['id']}")
    (entry,) = local.pending(sub)
    assert (entry["amount"], entry["proration"], entry["quantity"]) == (200, False, 100)
    local.advance(20)
    assert local.invoices(sub)[-1]["total"] == 3200
    last = item_of(local.get(sub))
    assert local.refused(f"subscription_items/{last}", "DELETE").message.startswith("A subscription must have at least")


def test_a_metered_item_that_changes_its_price_is_billed_for_the_whole_period_on_the_new_one(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.metered(meter, 2), customer=customer)
    local.use(meter, customer, 100)
    local.advance(15)
    change(local, sub, local.metered(meter, 3), proration_behavior="none")
    local.use(meter, customer, 100)
    local.advance(16)
    assert [invoice["subtotal"] for invoice in local.invoices(sub)] == [600]


def test_an_account_can_bill_usage_at_the_switch_on_the_old_price(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "METERED_SWAP", "switch")
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.metered(meter, 2), customer=customer)
    local.use(meter, customer, 100, local.now)
    local.advance(15)
    change(local, sub, local.metered(meter, 3))
    local.use(meter, customer, 100)
    local.advance(16)
    assert [invoice["subtotal"] for invoice in local.invoices(sub)] == [200 + 300]


def test_with_another_meter_each_is_billed_on_its_own_price(local: Local) -> None:
    calls, files, customer = local.meter(), local.meter("files"), local.customer()
    sub = local.subscribe(local.metered(calls, 2), customer=customer)
    local.use(calls, customer, 100)
    local.advance(15)
    change(local, sub, local.metered(files, 3))
    local.use(files, customer, 100)
    local.advance(16)
    assert local.invoices(sub)[-1]["subtotal"] == 500


def test_another_interval_begins_a_new_period_that_is_billed_at_once(local: Local) -> None:
    sub = local.subscribe(local.price(3000))
    local.advance(15)
    yearly = change(local, sub, local.price(36000, "year"))
    assert yearly["billing_cycle_anchor"] == local.now == yearly["items"]["data"][0]["current_period_start"]
    assert local.invoices(sub)[-1]["total"] == 36000 - 1500
    assert local.invoices(sub)[-1]["status"] == "paid"


def test_an_anchor_of_now_bills_usage_and_the_new_period(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.price(3000), local.metered(meter), customer=customer)
    local.advance(15)
    local.use(meter, customer, 50, local.now - 5)
    moved = local.post(f"subscriptions/{sub['id']}", billing_cycle_anchor={"type": "now"})
    assert moved["billing_cycle_anchor"] == local.now
    assert local.invoices(sub)[-1]["total"] == 3000 - 1500 + 100
    local.advance(31)
    assert local.invoices(sub)[-1]["total"] == 3000


def test_an_update_can_wait_for_its_payment_and_is_forgotten_without_it(local: Local) -> None:
    customer = local.customer()
    sub = local.subscribe(local.price(3000), customer=customer)
    bad = local.post("payment_methods/pm_card_chargeCustomerFail/attach", customer=customer["id"])
    good = customer["invoice_settings"]["default_payment_method"]
    local.post(f"customers/{customer['id']}", invoice_settings={"default_payment_method": bad["id"]})
    local.advance(15)
    behavior = {"payment_behavior": "pending_if_incomplete", "proration_behavior": "always_invoice"}
    waiting = change(local, sub, local.price(9000), **behavior)
    assert waiting["items"]["data"][0]["price"]["unit_amount"] == 3000
    assert waiting["pending_update"]["subscription_items"][0]["price"]["unit_amount"] == 9000
    assert waiting["status"] == "active"
    local.advance(1)
    assert local.get(sub)["pending_update"] is None
    assert "customer.subscription.pending_update_expired" in local.types(sub)
    change(local, sub, local.price(9000), **behavior)
    local.post(f"invoices/{local.get(sub)['latest_invoice']}/pay", payment_method=good)
    assert local.get(sub)["items"]["data"][0]["price"]["unit_amount"] == 9000
    assert "customer.subscription.pending_update_applied" in local.types(sub)


def test_error_if_incomplete_leaves_the_subscription_as_it_was(local: Local) -> None:
    customer = local.customer()
    sub = local.subscribe(local.price(3000), customer=customer)
    bad = local.post("payment_methods/pm_card_chargeCustomerFail/attach", customer=customer["id"])
    local.post(f"customers/{customer['id']}", invoice_settings={"default_payment_method": bad["id"]})
    items = [{"id": item_of(sub), "price": local.price(9000)["id"]}]
    rules = {"payment_behavior": "error_if_incomplete", "proration_behavior": "always_invoice"}
    error = local.refused(f"subscriptions/{sub['id']}", items=items, **rules)
    assert (error.status, error.kind) == (402, "card_error")


REFUSALS: list[tuple[dict[str, Any], str, str | None]] = [
    ({"items": [{"price": "price_none"}]}, "items[0][price]", "resource_missing"),
    ({"items": [{"price": "INACTIVE"}]}, "items[0][price]", None),
    ({"items": [{"price": "EURO"}]}, "items[0][price]", None),
    ({"items": [{"price": "ONCE"}]}, "items[0][price]", None),
    ({"items": [{"price": "SAME"}]}, "items[0][price]", None),
    ({"items": [{"price": "WEEKLY"}]}, "items", None),
    ({"items": [{"price": "METERED", "quantity": 2}]}, "items[0][quantity]", None),
    ({"items": [{"id": "si_none", "quantity": 2}]}, "items[0][id]", "resource_missing"),
    ({"items": [{"id": "ITEM", "quantity": -1}]}, "items[0][quantity]", "parameter_invalid_integer"),
    ({"items": [{"id": "ITEM", "deleted": True}]}, "items", None),
    ({"discounts": [{"coupon": "none"}]}, "discounts[0][coupon]", "resource_missing"),
    ({"cancel_at": 5}, "cancel_at", None),
    ({"trial_end": 5}, "trial_end", None),
    ({"days_until_due": 5}, "days_until_due", None),
    ({"collection_method": "send_invoice"}, "days_until_due", "parameter_missing"),
    ({"default_payment_method": "pm_none"}, "default_payment_method", "resource_missing"),
    ({"payment_behavior": "pending_if_incomplete", "description": "x"}, "description", None),
]


@pytest.mark.parametrize(("params", "param", "code"), REFUSALS)
def test_a_refused_update_names_its_parameter_and_changes_nothing(
    local: Local, params: dict[str, Any], param: str, code: str | None
) -> None:
    gold = local.price()
    sub = local.subscribe(gold)
    inactive = local.price()
    local.post(f"prices/{inactive['id']}", active=False)
    names = {
        "INACTIVE": inactive["id"],
        "EURO": local.price(currency="eur")["id"],
        "ONCE": local.price(interval="")["id"],
        "SAME": gold["id"],
        "WEEKLY": local.price(interval="week")["id"],
        "METERED": local.metered(local.meter())["id"],
        "ITEM": item_of(sub),
    }
    if "items" in params:
        params = params | {"items": [{k: names.get(v, v) for k, v in row.items()} for row in params["items"]]}
    error = local.refused(f"subscriptions/{sub['id']}", **params)
    assert (error.status, error.param, error.code) == (400, param, code)


def test_a_canceled_subscription_takes_only_metadata_and_details(local: Local) -> None:
    sub = local.subscribe(local.price())
    local.delete(f"subscriptions/{sub['id']}", cancellation_details={"feedback": "too_expensive"})
    error = local.refused(f"subscriptions/{sub['id']}", description="x")
    assert error.code == "invalid_canceled_subscription_fields"
    told = local.post(f"subscriptions/{sub['id']}", metadata={"a": "b"}, cancellation_details={"comment": "dear"})
    assert told["cancellation_details"]["feedback"] == "too_expensive"
    assert told["cancellation_details"]["comment"] == "dear"


def test_discounts_replace_clear_or_stay(local: Local) -> None:
    coupons = [local.post("coupons", percent_off=percent, duration="forever") for percent in (10, 20)]
    sub = local.subscribe(local.price(), discounts=[{"coupon": coupons[0]["id"]}])
    (first,) = sub["discounts"]
    both = local.post(f"subscriptions/{sub['id']}", discounts=[{"discount": first}, {"coupon": coupons[1]["id"]}])[
        "discounts"
    ]
    assert both[0] == first
    assert len(both) == 2
    assert local.post(f"subscriptions/{sub['id']}", description="x")["discounts"] == both
    assert local.post(f"subscriptions/{sub['id']}", discounts="")["discounts"] == []
    assert len(local.events(prefix="customer.discount.deleted")) == 2


def test_prorations_are_net_of_the_discount(local: Local) -> None:
    coupon = local.post("coupons", percent_off=50, duration="forever")
    sub = local.subscribe(local.price(10000), discounts=[{"coupon": coupon["id"]}])
    local.advance(15)
    change(local, sub, local.price(20000))
    assert [entry["amount"] for entry in local.pending(sub)] == [-2500, 5000]


def test_collection_can_be_paused_until_a_day(local: Local) -> None:
    sub = local.subscribe(local.price())
    pause = {"behavior": "void", "resumes_at": local.now + 40 * DAY}
    paused = local.post(f"subscriptions/{sub['id']}", pause_collection=pause)
    assert paused["status"] == "active"
    local.advance(62)
    assert [invoice["status"] for invoice in local.invoices(sub)] == ["paid", "void", "paid"]
    assert local.get(sub)["pause_collection"] is None


def test_the_world_is_told_of_changed_items_and_offers(local: Local) -> None:
    told: list[Any] = []
    world = local.store.world
    world.changed = lambda store, sub, before: told.append(len(before))  # type: ignore[method-assign] # to listen
    world.treated = lambda store, customer, kind, amount: told.append(kind)  # type: ignore[method-assign] # to listen
    coupon = local.post("coupons", percent_off=50, duration="forever")
    sub = local.subscribe(local.price())
    change(local, sub, local.price())
    local.post(f"subscriptions/{sub['id']}", discounts=[{"coupon": coupon["id"]}])
    assert told == [1, "offer"]


def test_classic_billing_moves_to_flexible_and_not_back(local: Local) -> None:
    sub = local.subscribe(local.price(), billing_mode={"type": "classic"})
    moved = local.post(f"subscriptions/{sub['id']}/migrate", billing_mode={"type": "flexible"})
    assert moved["billing_mode"]["type"] == "flexible"
    local.refused(f"subscriptions/{sub['id']}/migrate", billing_mode={"type": "flexible"})
