"""Trials, pauses and resumption: time in which nothing is billed."""

from tests.sandbox.local import DAY, Local, local

__all__ = ["local"]


def test_a_trial_bills_nothing_warns_three_days_before_and_turns_into_a_paid_period(local: Local) -> None:
    meter, customer = local.meter(), local.customer()
    sub = local.subscribe(local.price(), local.metered(meter), customer=customer, trial_period_days=14)
    end = local.now + 14 * DAY
    assert (sub["status"], sub["trial_end"], sub["billing_cycle_anchor"]) == ("trialing", end, end)
    local.use(meter, customer, 1000)
    local.advance(12)
    assert "customer.subscription.trial_will_end" in local.types(sub)
    local.advance(3)
    assert local.get(sub)["status"] == "active"
    assert [invoice["total"] for invoice in local.invoices(sub)] == [0, 3000]
    assert local.get(sub)["items"]["data"][0]["current_period_start"] == end


def test_a_trial_without_a_payment_method_pauses_or_cancels_as_its_settings_say(local: Local) -> None:
    statuses = {}
    for behavior in ("pause", "cancel"):
        settings = {"end_behavior": {"missing_payment_method": behavior}}
        sub = local.subscribe(
            local.price(), customer=local.customer(None), trial_period_days=7, trial_settings=settings
        )
        local.advance(8)
        statuses[behavior] = local.get(sub)
    assert statuses["pause"]["status"] == "paused"
    reason = statuses["pause"]["status_details"]["paused"]["subscription"]["type"]
    assert reason == "trial_end_without_payment_method"
    assert statuses["cancel"]["status"] == "canceled"


def test_a_trial_can_be_ended_now_or_later(local: Local) -> None:
    sub = local.subscribe(local.price(), trial_period_days=14)
    later = local.post(f"subscriptions/{sub['id']}", trial_end=local.now + 20 * DAY)
    assert later["items"]["data"][0]["current_period_end"] == local.now + 20 * DAY
    local.advance(15)
    assert local.get(sub)["status"] == "trialing"
    ended = local.post(f"subscriptions/{sub['id']}", trial_end="now")
    assert (ended["status"], ended["billing_cycle_anchor"]) == ("active", local.now)
    assert local.invoices(sub)[-1]["total"] == 3000


def test_a_trial_from_the_price_is_used_only_when_asked_for(local: Local) -> None:
    product = local.post("products", name="Try")
    recurring = {"interval": "month", "trial_period_days": 5}
    price = local.post("prices", product=product["id"], currency="usd", unit_amount=500, recurring=recurring)
    assert local.subscribe(price)["status"] == "active"
    assert local.subscribe(price, trial_from_plan=True)["trial_end"] == local.now + 5 * DAY


def test_pausing_gives_back_unused_time_and_resuming_begins_a_new_period(local: Local) -> None:
    sub = local.subscribe(local.price())
    local.advance(15)
    paused = local.post(f"subscriptions/{sub['id']}/pause", type="subscription")
    assert paused["status"] == "paused"
    assert paused["status_details"]["paused"]["subscription"]["type"] == "pause_requested"
    assert [entry["amount"] for entry in local.pending(sub)] == [-1500]
    local.advance(40)
    assert len(local.invoices(sub)) == 1
    resumed = local.post(f"subscriptions/{sub['id']}/resume")
    assert (resumed["status"], resumed["status_details"]) == ("active", None)
    assert local.invoices(sub)[-1]["total"] == 1500
    assert {"customer.subscription.paused", "customer.subscription.resumed"} <= set(local.types(sub))
    local.advance(31)
    assert local.invoices(sub)[-1]["total"] == 3000


def test_a_resumption_can_keep_the_anchor_and_prorate(local: Local) -> None:
    sub = local.subscribe(local.price())
    local.post(f"subscriptions/{sub['id']}/pause")
    local.advance(45)
    resumed = local.post(
        f"subscriptions/{sub['id']}/resume",
        billing_cycle_anchor={"type": "unchanged"},
        proration_behavior="always_invoice",
    )
    assert resumed["billing_cycle_anchor"] == sub["billing_cycle_anchor"]
    assert local.invoices(sub)[-1]["total"] == round(3000 * 16 / 31) - 3000


def test_only_a_running_flexible_subscription_can_be_paused_and_only_a_paused_one_resumed(local: Local) -> None:
    sub, classic = local.subscribe(local.price()), local.subscribe(local.price(), billing_mode={"type": "classic"})
    assert local.refused(f"subscriptions/{sub['id']}/resume").status == 400
    assert local.refused(f"subscriptions/{classic['id']}/pause").status == 400
    local.post(f"subscriptions/{sub['id']}/pause")
    assert local.refused(f"subscriptions/{sub['id']}/pause").status == 400
    item = sub["items"]["data"][0]["id"]
    assert local.refused(f"subscriptions/{sub['id']}", items=[{"id": item, "quantity": 2}]).param == "items"


def test_a_trialing_subscription_cannot_be_paused(local: Local) -> None:
    sub = local.subscribe(local.price(), trial_period_days=14)
    assert local.refused(f"subscriptions/{sub['id']}/pause").status == 400
