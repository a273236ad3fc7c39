"""Subscription schedules: phases entered by time, and their undoing."""

from datetime import UTC, datetime
from typing import Any

from tests.sandbox.local import DAY, Local, local

__all__ = ["local"]


def scheduled(local: Local, sub: Any, price: Any, **phase: Any) -> Any:
    """A schedule that moves the subscription to a price at its period's end."""
    schedule = local.post("subscription_schedules", from_subscription=sub["id"])
    (now,) = schedule["phases"]
    rows = [
        {"price": row["price"]} | ({"quantity": row["quantity"]} if "quantity" in row else {}) for row in now["items"]
    ]
    first = {"items": rows, "start_date": now["start_date"], "end_date": now["end_date"]}
    second = {"items": [{"price": price["id"]}], "duration": {"interval": "month", "interval_count": 1}}
    return local.post(
        f"subscription_schedules/{schedule['id']}", phases=[first, second | phase], end_behavior="release"
    )


def test_a_schedule_from_a_subscription_holds_its_running_period(local: Local) -> None:
    sub = local.subscribe(local.price())
    schedule = local.post("subscription_schedules", from_subscription=sub["id"])
    item = sub["items"]["data"][0]
    assert schedule["status"] == "active"
    assert schedule["current_phase"] == {
        "start_date": item["current_period_start"],
        "end_date": item["current_period_end"],
    }
    assert schedule["phases"][0]["items"][0]["price"] == item["price"]["id"]
    assert local.get(sub)["schedule"] == schedule["id"]
    assert local.types(schedule) == ["subscription_schedule.created"]
    assert local.refused("subscription_schedules", from_subscription=sub["id"]).param == "from_subscription"


def test_nothing_else_may_be_said_of_a_schedule_from_a_subscription(local: Local) -> None:
    sub = local.subscribe(local.price())
    changes: list[dict[str, Any]] = [{"metadata": {"a": "b"}}, {"end_behavior": "cancel"}]
    for more in changes:
        assert local.refused("subscription_schedules", from_subscription=sub["id"], **more).status == 400


def test_a_phase_changes_the_price_at_the_period_end_and_old_usage_stays_on_the_old_price(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.metered(meter, 2), customer=customer)
    schedule = scheduled(local, sub, local.metered(meter, 5), proration_behavior="none")
    local.use(meter, customer, 10)
    local.advance(31)
    local.use(meter, customer, 10)
    assert local.get(schedule)["current_phase"]["start_date"] == schedule["phases"][1]["start_date"]
    local.advance(31)
    assert [invoice["subtotal"] for invoice in local.invoices(sub)] == [20, 50]
    done = local.get(schedule)
    assert (done["status"], done["released_subscription"], done["subscription"]) == ("released", sub["id"], None)
    assert local.get(sub)["schedule"] is None
    assert local.get(sub)["status"] == "active"
    types = local.types(schedule)
    assert types[0] == "subscription_schedule.created"
    assert types[-1] == "subscription_schedule.released"


def test_licences_of_the_new_phase_are_billed_by_the_renewal(local: Local) -> None:
    sub = local.subscribe(local.price(1000))
    scheduled(local, sub, local.price(2500))
    local.advance(32)
    assert [invoice["total"] for invoice in local.invoices(sub)] == [1000, 2500]
    assert [line["amount"] for line in local.invoices(sub)[1]["lines"]["data"]] == [2500]


def test_a_phase_in_the_middle_of_a_period_is_prorated(local: Local) -> None:
    sub = local.subscribe(local.price(3000))
    schedule = local.post("subscription_schedules", from_subscription=sub["id"])
    start, middle = schedule["phases"][0]["start_date"], local.now + 15 * DAY
    rows = [{"price": sub["items"]["data"][0]["price"]["id"], "quantity": 1}]
    phases = [
        {"items": rows, "start_date": start, "end_date": middle},
        {"items": [{"price": local.price(6000)["id"]}], "start_date": middle},
    ]
    local.post(f"subscription_schedules/{schedule['id']}", phases=phases)
    local.advance(16)
    assert [entry["amount"] for entry in local.pending(sub)] == [-1500, 3000]


def test_releasing_undoes_a_planned_change(local: Local) -> None:
    sub = local.subscribe(local.price(1000))
    schedule = scheduled(local, sub, local.price(2500))
    released = local.post(f"subscription_schedules/{schedule['id']}/release")
    assert released["status"] == "released"
    assert local.refused(f"subscription_schedules/{schedule['id']}/release").status == 400
    local.advance(32)
    assert local.invoices(sub)[-1]["total"] == 1000


def test_canceling_a_schedule_ends_the_subscription(local: Local) -> None:
    sub = local.subscribe(local.price(1000))
    schedule = local.post("subscription_schedules", from_subscription=sub["id"])
    assert local.post(f"subscription_schedules/{schedule['id']}/cancel")["status"] == "canceled"
    assert local.get(sub)["status"] == "canceled"
    assert local.types(schedule)[-1] == "subscription_schedule.canceled"


def test_a_schedule_can_begin_later_and_end_with_its_last_phase(local: Local) -> None:
    customer = local.customer()
    phases = [{"items": [{"price": local.price(1000)["id"]}], "duration": {"interval": "month", "interval_count": 2}}]
    start = local.now + 5 * DAY
    schedule = local.post(
        "subscription_schedules", customer=customer["id"], start_date=start, phases=phases, end_behavior="cancel"
    )
    assert (schedule["status"], schedule["subscription"]) == ("not_started", None)
    local.advance(6)
    schedule = local.get(schedule)
    sub = local.store.get("subscription", schedule["subscription"])
    assert schedule["status"] == "active"
    assert sub["start_date"] == start
    assert sub["cancel_at"] == schedule["phases"][0]["end_date"]
    local.advance(62)
    assert local.get(sub)["status"] == "canceled"
    assert local.get(schedule)["status"] == "completed"
    assert [invoice["total"] for invoice in local.invoices(sub)] == [1000, 1000]
    assert "subscription_schedule.completed" in local.types(schedule)


def test_a_scheduled_subscription_is_changed_through_its_schedule_only(local: Local) -> None:
    sub = local.subscribe(local.price(1000))
    schedule = local.post("subscription_schedules", from_subscription=sub["id"])
    item = sub["items"]["data"][0]
    for params in ({"items": [{"id": item["id"], "quantity": 2}]}, {"cancel_at_period_end": True}):
        assert schedule["id"] in local.refused(f"subscriptions/{sub['id']}", **params).message
    now = schedule["phases"][0]
    first = {
        "items": [{"price": item["price"]["id"], "quantity": 3}],
        **{k: now[k] for k in ("start_date", "end_date")},
    }
    local.post(f"subscription_schedules/{schedule['id']}", phases=[first], proration_behavior="none")
    assert local.get(sub)["items"]["data"][0]["quantity"] == 3
    late = first | {"start_date": now["start_date"] + 1}
    assert local.refused(f"subscription_schedules/{schedule['id']}", phases=[late]).param == "phases"


def test_a_phase_brings_its_discount(local: Local) -> None:
    coupon = local.post("coupons", percent_off=50, duration="forever")
    sub, price = local.subscribe(local.price(1000)), local.price(2000)
    scheduled(local, sub, price, discounts=[{"coupon": coupon["id"]}])
    local.advance(32)
    assert [invoice["total"] for invoice in local.invoices(sub)] == [1000, 1000]
    assert local.get(sub)["discounts"]


def test_time_goes_on_past_a_phase_whose_coupon_is_gone_by_then(local: Local) -> None:
    coupon = local.post("coupons", percent_off=50, duration="forever", redeem_by=local.store.now + 9 * DAY)
    sub, price = local.subscribe(local.price(1000)), local.price(2000)
    scheduled(local, sub, price, discounts=[{"coupon": coupon["id"]}])
    local.advance(32)
    assert [invoice["total"] for invoice in local.invoices(sub)] == [1000, 2000]
    assert local.get(sub)["discounts"] == []


def phased(local: Local, *phases: dict[str, Any], **params: Any) -> Any:
    """A schedule, begun now, of phases of a month each."""
    rows = [{"duration": {"interval": "month", "interval_count": 1}} | phase for phase in phases]
    return local.post(
        "subscription_schedules", customer=local.customer()["id"], start_date="now", phases=rows, **params
    )


def test_the_phases_of_a_schedule_from_the_31st_end_on_the_last_days_of_their_months(local: Local) -> None:
    local.advance(to=int(datetime(2027, 1, 31, 12, tzinfo=UTC).timestamp()))
    one, two = ([{"price": local.price(amount)["id"]}] for amount in (1000, 2000))
    schedule = phased(local, {"items": one}, {"items": one}, {"items": two})
    ends = [datetime.fromtimestamp(phase["end_date"], UTC) for phase in schedule["phases"]]
    assert [(end.month, end.day) for end in ends] == [(2, 28), (3, 31), (4, 30)]
    local.advance(91)
    sub = local.store.get("subscription", local.get(schedule)["released_subscription"])
    assert [invoice["total"] for invoice in local.invoices(sub)] == [1000, 1000, 2000, 2000]
    assert local.pending(sub) == []


def test_a_phase_without_discounts_ends_those_of_the_phase_before_and_one_with_others_replaces_them(
    local: Local,
) -> None:
    half, tenth = (local.post("coupons", percent_off=off, duration="forever")["id"] for off in (50, 10))
    items = [{"price": local.price(1000)["id"]}]
    schedule = phased(
        local,
        {"items": items, "discounts": [{"coupon": half}]},
        {"items": items, "discounts": [{"coupon": tenth}]},
        {"items": [items[0] | {"discounts": [{"coupon": half}]}]},
        {"items": items},
    )
    sub = local.store.get("subscription", schedule["subscription"])
    local.advance(95)
    assert [invoice["total"] for invoice in local.invoices(sub)] == [500, 900, 500, 1000]
    assert local.get(sub)["discounts"] == local.get(sub)["items"]["data"][0]["discounts"] == []
    assert len(local.events(prefix="customer.discount.deleted")) == 3


def test_a_phase_refuses_a_coupon_of_another_currency(local: Local) -> None:
    coupon = local.post("coupons", amount_off=500, currency="eur", duration="forever")
    phase = {"items": [{"price": local.price()["id"]}], "discounts": [{"coupon": coupon["id"]}]}
    error = local.refused("subscription_schedules", customer=local.customer()["id"], start_date="now", phases=[phase])
    assert (error.status, error.param) == (400, "phases[0][discounts][0][coupon]")


def test_a_later_phase_can_be_a_trial(local: Local) -> None:
    meter, price = local.meter(), local.price(1000)
    items = [{"price": price["id"]}, {"price": local.metered(meter)["id"]}]
    schedule = phased(local, {"items": items}, {"items": items, "trial": True}, {"items": items})
    sub = local.store.get("subscription", schedule["subscription"])
    local.use(meter, {"id": sub["customer"]}, 10)
    local.advance(33)
    now, trial = local.get(sub), local.get(schedule)["phases"][1]
    assert (now["status"], now["trial_start"], now["trial_end"]) == ("trialing", trial["start_date"], trial["end_date"])
    local.use(meter, {"id": sub["customer"]}, 10)
    local.advance(30)
    assert local.get(sub)["status"] == "active"
    assert [invoice["total"] for invoice in local.invoices(sub)] == [1000, 20, 1000]
    assert "customer.subscription.trial_will_end" in local.types(sub)
