"""Changes at the edge of a period: an update that outlives a renewal, usage of the last second."""

from tests.sandbox.local import DAY, Local, change, local

__all__ = ["local"]


def test_a_pending_update_waits_for_its_own_invoice_and_is_dropped_though_a_renewal_came_between(local: Local) -> None:
    for is_paid in (True, False):
        customer = local.customer()
        sub = local.subscribe(local.price(3000), customer=customer)
        good = customer["invoice_settings"]["default_payment_method"]
        end = sub["items"]["data"][0]["current_period_end"]
        bad = local.post("payment_methods/pm_card_chargeCustomerFail/attach", customer=customer["id"])
        local.post(f"customers/{customer['id']}", invoice_settings={"default_payment_method": bad["id"]})
        local.advance(to=end - DAY // 2)
        behavior = {"payment_behavior": "pending_if_incomplete", "proration_behavior": "always_invoice"}
        own = change(local, sub, local.price(9000), **behavior)["latest_invoice"]
        local.post(f"customers/{customer['id']}", invoice_settings={"default_payment_method": good})
        local.advance(to=end + 7200)
        renewal = local.invoices(sub)[-1]
        assert (renewal["status"], local.store.get("invoice", own)["status"]) == ("paid", "open")
        assert local.get(sub)["pending_update"]
        if is_paid:
            local.post(f"invoices/{own}/pay", payment_method=good)
        local.advance(2)
        (item,) = local.get(sub)["items"]["data"]
        assert local.get(sub)["pending_update"] is None
        assert item["price"]["unit_amount"] == (9000 if is_paid else 3000)
        assert item["current_period_start"] == end
        assert local.store.get("invoice", own)["status"] == ("paid" if is_paid else "void")
        assert local.invoices(sub)[-1]["id"] == renewal["id"]


def test_usage_of_the_last_second_is_billed_when_its_item_goes_or_its_subscription_is_canceled(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.price(), local.metered(meter), customer=customer)
    local.advance(5)
    local.use(meter, customer, 100)
    row = {"id": sub["items"]["data"][1]["id"], "deleted": True}
    local.post(f"subscriptions/{sub['id']}", items=[row])
    assert [entry["amount"] for entry in local.pending(sub)] == [200]
    other = local.customer()
    sub = local.subscribe(local.metered(meter), customer=other)
    local.advance(5)
    local.use(meter, other, 100)
    local.delete(f"subscriptions/{sub['id']}", invoice_now=True)
    assert local.invoices(sub)[-1]["total"] == 200
