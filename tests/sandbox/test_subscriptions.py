"""A subscription from its first invoice to its end: periods, payment, renewals, cancellation."""

from datetime import UTC, datetime

from tests.sandbox.local import DAY, Local, local

__all__ = ["local"]


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())


def test_periods_begin_at_the_second_of_creation_and_a_first_invoice_is_paid_at_once(local: Local) -> None:
    sub = local.subscribe(local.price())
    item = sub["items"]["data"][0]
    assert item["current_period_start"] == sub["billing_cycle_anchor"] == sub["start_date"] == local.now
    assert item["current_period_end"] == at(2026, 12, 1, 12, 0, 7)
    (invoice,) = local.invoices(sub)
    assert (invoice["billing_reason"], invoice["status"], invoice["total"]) == ("subscription_create", "paid", 3000)
    assert sub["status"] == "active"
    assert sub["latest_invoice"] == invoice["id"]


def test_a_renewal_bills_the_coming_period_of_licences_and_the_past_usage(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.price(), local.metered(meter), customer=customer)
    local.advance(10)
    local.use(meter, customer, 50)
    local.advance(25)
    first, second = local.invoices(sub)
    assert first["total"] == 3000
    assert second["billing_reason"] == "subscription_cycle"
    lines = {line["quantity"]: line for line in second["lines"]["data"]}
    assert lines[1]["period"] == {"start": at(2026, 12, 1, 12, 0, 7), "end": at(2027, 1, 1, 12, 0, 7)}
    assert lines[50]["period"] == {"start": at(2026, 11, 1, 12, 0, 7), "end": at(2026, 12, 1, 12, 0, 7)}
    assert second["total"] == 3100
    assert second["status"] == "paid"


def test_items_with_different_intervals_renew_each_in_its_own_time(local: Local) -> None:
    sub = local.subscribe(local.price(100), local.price(1000, "year"))
    local.advance(366)
    amounts = [sorted(line["amount"] for line in invoice["lines"]["data"]) for invoice in local.invoices(sub)]
    assert amounts == [[100, 1000], *[[100]] * 11, [100, 1000]]


def test_month_ends_are_counted_from_the_anchor(local: Local) -> None:
    local.advance(to=at(2027, 1, 31, 9))
    sub = local.subscribe(local.price())
    ends = []
    for _ in range(3):
        ends.append(local.get(sub)["items"]["data"][0]["current_period_end"])
        local.advance(to=ends[-1] + 7200)
    assert ends == [at(2027, 2, 28, 9), at(2027, 3, 31, 9), at(2027, 4, 30, 9)]


def test_a_first_invoice_that_is_not_paid_leaves_the_subscription_incomplete_for_23_hours(local: Local) -> None:
    sub = local.subscribe(local.price(), customer=local.customer("pm_card_chargeCustomerFail"))
    assert sub["status"] == "incomplete"
    local.advance(1)
    sub = local.get(sub)
    assert sub["status"] == "incomplete_expired"
    assert local.invoices(sub)[0]["status"] == "void"
    assert local.types(sub)[-1] == "customer.subscription.updated"


def test_error_if_incomplete_refuses_with_402_and_changes_nothing(local: Local) -> None:
    customer, price = local.customer("pm_card_chargeCustomerFail"), local.price()
    error = local.refused(
        "subscriptions", customer=customer["id"], items=[{"price": price["id"]}], payment_behavior="error_if_incomplete"
    )
    assert (error.status, error.kind, error.code) == (402, "card_error", "card_declined")


def test_default_incomplete_waits_for_a_payment(local: Local) -> None:
    sub = local.subscribe(local.price(), payment_behavior="default_incomplete")
    (invoice,) = local.invoices(sub)
    assert (sub["status"], invoice["status"], invoice["attempted"]) == ("incomplete", "open", False)
    local.post(f"invoices/{invoice['id']}/pay")
    assert local.get(sub)["status"] == "active"


def test_without_a_payment_method_nothing_begins(local: Local) -> None:
    customer, price = local.customer(None), local.price()
    error = local.refused("subscriptions", customer=customer["id"], items=[{"price": price["id"]}])
    assert (error.status, error.code) == (400, "resource_missing")


def test_an_invoice_that_is_sent_needs_no_payment_method_but_days_until_due(local: Local) -> None:
    customer, items = local.customer(None), [{"price": local.price()["id"]}]
    error = local.refused("subscriptions", customer=customer["id"], items=items, collection_method="send_invoice")
    assert error.param == "days_until_due"
    sub = local.post(
        "subscriptions", customer=customer["id"], items=items, collection_method="send_invoice", days_until_due=14
    )
    assert sub["status"] == "active"
    assert local.invoices(sub)[0]["due_date"] == local.now + 14 * DAY


def test_a_later_billing_cycle_anchor_makes_a_prorated_first_period(local: Local) -> None:
    anchor = at(2026, 11, 16, 12, 0, 7)
    sub = local.subscribe(local.price(), billing_cycle_anchor=anchor)
    (line,) = local.invoices(sub)[0]["lines"]["data"]
    length = anchor - at(2026, 10, 16, 12, 0, 7)
    assert line["amount"] == round(3000 * 15 * DAY / length)
    assert sub["items"]["data"][0]["current_period_end"] == anchor
    local.advance(16)
    assert local.invoices(sub)[1]["total"] == 3000
    free = local.subscribe(local.price(), billing_cycle_anchor=local.now + DAY, proration_behavior="none")
    assert local.invoices(free) == []


def test_cancel_at_period_end_bills_the_usage_and_ends(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.price(), local.metered(meter), customer=customer)
    local.use(meter, customer, 10)
    changed = local.post(f"subscriptions/{sub['id']}", cancel_at_period_end=True)
    assert changed["cancel_at"] == changed["items"]["data"][0]["current_period_end"]
    assert changed["canceled_at"] == local.now
    local.advance(31)
    sub = local.get(sub)
    assert sub["status"] == "canceled"
    assert sub["ended_at"] == sub["cancel_at"]
    last = local.invoices(sub)[-1]
    assert [line["quantity"] for line in last["lines"]["data"]] == [10]
    assert local.types(sub)[-1] == "customer.subscription.deleted"


def test_a_cancellation_can_be_taken_back(local: Local) -> None:
    sub = local.subscribe(local.price())
    local.post(f"subscriptions/{sub['id']}", cancel_at_period_end=True)
    kept = local.post(f"subscriptions/{sub['id']}", cancel_at_period_end=False)
    assert (kept["cancel_at"], kept["canceled_at"], kept["cancel_at_period_end"]) == (None, None, False)
    local.advance(31)
    assert local.get(sub)["status"] == "active"


def test_cancel_at_within_a_coming_period_cuts_and_prorates_it(local: Local) -> None:
    sub = local.subscribe(local.price())
    end = at(2026, 12, 16, 12, 0, 7)
    local.post(f"subscriptions/{sub['id']}", cancel_at=end)
    local.advance(31)
    item = local.get(sub)["items"]["data"][0]
    assert item["current_period_end"] == end
    assert local.invoices(sub)[1]["total"] == round(3000 * 15 / 31)
    local.advance(20)
    assert local.get(sub)["ended_at"] == end
    assert len(local.invoices(sub)) == 2


def test_canceling_at_once_bills_usage_only_with_invoice_now(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    price = local.metered(meter, 100)
    subs = [local.subscribe(price, customer=customer) for _ in range(2)]
    local.advance(1)
    local.use(meter, customer, 7)
    local.advance(1)
    silent = local.delete(f"subscriptions/{subs[0]['id']}")
    billed = local.delete(f"subscriptions/{subs[1]['id']}", invoice_now=True)
    assert silent["status"] == billed["status"] == "canceled"
    assert local.invoices(silent) == []
    assert [invoice["total"] for invoice in local.invoices(billed)] == [700]
    assert local.refused(f"subscriptions/{silent['id']}", "DELETE").status == 404


def test_prorate_on_cancel_gives_back_the_unused_time(local: Local) -> None:
    customer = local.customer()
    sub = local.subscribe(local.price(), customer=customer)
    local.advance(15)
    local.delete(f"subscriptions/{sub['id']}", prorate=True, invoice_now=True)
    assert local.invoices(sub)[-1]["total"] == -1500
    assert local.get(customer)["balance"] == -1500


def test_each_change_of_a_subscription_emits_what_it_was(local: Local) -> None:
    sub = local.subscribe(local.price())
    local.post(f"subscriptions/{sub['id']}", metadata={"tier": "gold"})
    event = local.events(sub)[-1]
    assert event["type"] == "customer.subscription.updated"
    assert event["data"]["previous_attributes"] == {"metadata": {"tier": None}}
    local.advance(31)
    renewal = [one for one in local.events(sub) if "items" in (one["data"].get("previous_attributes") or {})][-1]
    before = renewal["data"]["previous_attributes"]["items"]["data"][0]
    now = renewal["data"]["object"]["items"]["data"][0]
    assert before["current_period_end"] == now["current_period_start"]


def test_a_customer_hears_of_the_coming_invoice_before_it(local: Local) -> None:
    local.subscribe(local.price())
    local.advance(25)
    (event,) = local.events(prefix="invoice.upcoming")
    assert event["created"] == at(2026, 11, 24, 12, 0, 7)
    assert event["data"]["object"]["amount_due"] == 3000
    assert "id" not in event["data"]["object"] or event["data"]["object"]["id"] is None


def test_coupons_end_after_one_invoice_or_after_their_months(local: Local) -> None:
    customer = local.customer()
    once = local.post("coupons", percent_off=50, duration="once")
    twice = local.post("coupons", percent_off=10, duration="repeating", duration_in_months=2)
    offers = [{"coupon": once["id"]}, {"coupon": twice["id"]}]
    sub = local.subscribe(local.price(), customer=customer, discounts=offers)
    local.advance(93)
    assert [invoice["total"] for invoice in local.invoices(sub)] == [1350, 2700, 3000, 3000]
    assert local.get(sub)["discounts"] == []
    assert len(local.events(prefix="customer.discount.deleted")) == 2


def test_a_removed_discount_is_told_and_no_longer_taken_off(local: Local) -> None:
    coupon = local.post("coupons", percent_off=50, duration="forever")
    sub = local.subscribe(local.price(), discounts=[{"coupon": coupon["id"]}])
    gone = local.delete(f"subscriptions/{sub['id']}/discount")
    assert gone["deleted"] is True
    assert local.get(sub)["discounts"] == []
    assert local.refused(f"subscriptions/{sub['id']}/discount", "DELETE").code == "resource_missing"
    local.advance(31)
    assert [invoice["total"] for invoice in local.invoices(sub)] == [1500, 3000]
