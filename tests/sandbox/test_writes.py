from typing import Any

import pytest
import stripe

from sandbox.clock import DAY, WORLD_END

from .conftest import Sandbox


def customers(sandbox: Sandbox, currency: str = "usd") -> list[dict[str, Any]]:
    rows = sandbox.get("/v1/customers", limit=100).json()["data"]
    return [row for row in rows if row["currency"] == currency]


def events(sandbox: Sandbox, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.get("/v1/events", type=kind, limit=100).json()["data"]
    return found


def active_on(sandbox: Sandbox, plan: str, index: int) -> stripe.Subscription:
    """The index-th active subscription on a plan, by its fee's lookup key."""
    found = []
    for sub in sandbox.stripe.v1.subscriptions.list({"limit": 100, "status": "active"}).auto_paging_iter():
        keys = [item.price.lookup_key or "" for item in sub["items"].data]
        if any(key.startswith(f"{plan}_fee") for key in keys) and not sub.cancel_at_period_end:
            found.append(sub)
    return found[index]


def price(sandbox: Sandbox, key: str) -> str:
    return next(p.id for p in sandbox.stripe.v1.prices.list({"lookup_keys": [key]}).data)


def swap(sandbox: Sandbox, sub: stripe.Subscription, old: str, new: str) -> list[dict[str, Any]]:
    items = [item for item in sub["items"].data if item.price.lookup_key.startswith(f"{old}_")]
    keys = [item.price.lookup_key.replace(old, new) for item in items]
    return [{"id": item.id, "price": price(sandbox, key)} for item, key in zip(items, keys, strict=True)]


def test_a_change_of_metadata_merges_and_its_event_tells_who_asked(sandbox: Sandbox) -> None:
    before = customers(sandbox)[0]
    given = {"metadata[note]": "kept", "metadata[tier]": "", "name": "New name"}
    answer = sandbox.post(f"/v1/customers/{before['id']}", given, **{"Idempotency-Key": "meta-1"})
    after = answer.json()
    assert after["metadata"] == {"segment": before["metadata"]["segment"], "note": "kept"}
    event = next(e for e in events(sandbox, "customer.updated") if e["data"]["object"]["id"] == before["id"])
    assert event["data"]["object"] == after
    changed = {"note": None, "tier": before["metadata"]["tier"]}
    assert event["data"]["previous_attributes"] == {"metadata": changed, "name": before["name"]}
    assert event["request"] == {"id": answer.headers["Request-Id"], "idempotency_key": "meta-1"}


def test_a_credit_moves_the_balance_once_per_key(sandbox: Sandbox) -> None:
    v1, customer = sandbox.stripe.v1, customers(sandbox)[1]
    params: Any = {"amount": -500, "currency": "usd", "description": "for the spike", "metadata": {"plan": "p1"}}
    first = v1.customers.balance_transactions.create(customer["id"], params, {"idempotency_key": "credit-1"})
    again = v1.customers.balance_transactions.create(customer["id"], params, {"idempotency_key": "credit-1"})
    assert again.id == first.id
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert v1.customers.retrieve(customer["id"]).balance == customer["balance"] - 500 == first.ending_balance
    listed = v1.customers.balance_transactions.list(customer["id"]).data
    assert [row.amount for row in listed if row.type == "adjustment"] == [-500]


def test_a_key_used_with_other_parameters_is_refused(sandbox: Sandbox) -> None:
    v1, customer = sandbox.stripe.v1, customers(sandbox)[2]
    v1.customers.update(customer["id"], {"name": "One"}, {"idempotency_key": "other-1"})
    with pytest.raises(stripe.IdempotencyError) as refused:
        v1.customers.update(customer["id"], {"name": "Two"}, {"idempotency_key": "other-1"})
    assert refused.value.http_status == 400
    assert v1.customers.retrieve(customer["id"]).name == "One"


def test_a_refused_change_changes_nothing_and_is_refused_again_with_its_key(sandbox: Sandbox) -> None:
    customer = customers(sandbox)[3]
    path = f"/v1/customers/{customer['id']}/balance_transactions"
    wrong, again = (
        sandbox.post(path, {"amount": "-500", "currency": "jpy"}, **{"Idempotency-Key": "wrong-1"}) for _ in range(2)
    )
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "currency")
    assert again.content == wrong.content
    right = sandbox.post(path, {"amount": "-500", "currency": "usd"}, **{"Idempotency-Key": "right-1"})
    assert right.json()["ending_balance"] == customer["balance"] - 500


@pytest.mark.parametrize(
    ("path", "given", "param", "code"),
    [
        ("/v1/customers/{id}", {"colour": "red"}, "colour", "parameter_unknown"),
        ("/v1/customers/{id}", {"metadata[" + "k" * 41 + "]": "v"}, "metadata[" + "k" * 41 + "]", None),
        ("/v1/customers/{id}/balance_transactions", {"currency": "usd"}, "amount", "parameter_missing"),
        ("/v1/customers/{id}/balance_transactions", {"amount": "1.5", "currency": "usd"}, "amount", None),
    ],
)
def test_bad_parameters_are_refused_by_name(
    sandbox: Sandbox, path: str, given: dict[str, str], param: str, code: str | None
) -> None:
    answer = sandbox.post(path.format(id=customers(sandbox)[4]["id"]), given)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    if code:
        assert answer.json()["error"]["code"] == code


def test_an_upgrade_without_proration_swaps_the_prices_and_tells_what_they_were(sandbox: Sandbox) -> None:
    v1, sub = sandbox.stripe.v1, active_on(sandbox, "starter", 0)
    params: Any = {"items": swap(sandbox, sub, "starter", "growth"), "proration_behavior": "none"}
    after = v1.subscriptions.update(sub.id, params, {"idempotency_key": "upgrade-1"})
    keys = {item.price.lookup_key for item in after["items"].data}
    assert {f"growth_fee_{sub.currency}", f"growth_api_calls_{sub.currency}"} <= keys
    assert len(after["items"].data) == len(sub["items"].data)
    event = next(e for e in events(sandbox, "customer.subscription.updated") if e["data"]["object"]["id"] == sub.id)
    assert event["request"]["idempotency_key"] == "upgrade-1"
    old = {item["price"]["lookup_key"] for item in event["data"]["previous_attributes"]["items"]["data"]}
    assert f"starter_fee_{sub.currency}" in old


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"proration_behavior": "sometimes"}, "proration_behavior"),
        ({"items[0][id]": "si_nobody"}, "items[0][id]"),
        ({"items[0][price]": "price_nobody"}, "items[0][price]"),
        ({"items[0][quantity]": "-1"}, "items[0][quantity]"),
        ({"items[0][colour]": "red"}, "items[0][colour]"),
        ({"discounts[0][coupon]": "NOBODY"}, "discounts[0][coupon]"),
    ],
)
def test_a_bad_subscription_change_changes_nothing(sandbox: Sandbox, change: dict[str, str], param: str) -> None:
    sub = active_on(sandbox, "starter", 1)
    fee = next(item for item in sub["items"].data if "_fee_" in item.price.lookup_key)
    before = sandbox.get(f"/v1/subscriptions/{sub.id}").content
    given = {"items[0][id]": fee.id, "items[0][quantity]": "2", "proration_behavior": "none", "metadata[a]": "b"}
    answer = sandbox.post(f"/v1/subscriptions/{sub.id}", given | change)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert sandbox.get(f"/v1/subscriptions/{sub.id}").content == before


def test_a_retention_coupon_lowers_the_next_invoice_and_then_can_be_cleared(sandbox: Sandbox) -> None:
    v1, sub = sandbox.stripe.v1, active_on(sandbox, "growth", 0)
    after = v1.subscriptions.update(sub.id, {"discounts": [{"coupon": "RETAIN20"}], "expand": ["discounts"]})
    discount: Any = after.discounts[0]
    assert (discount.source.coupon, discount.start) == ("RETAIN20", WORLD_END)
    cleared = v1.subscriptions.update(sub.id, {"discounts": ""})
    assert cleared.discounts == []


def test_cancelling_with_the_period_can_be_taken_back(sandbox: Sandbox) -> None:
    v1, sub = sandbox.stripe.v1, active_on(sandbox, "growth", 1)
    ending = v1.subscriptions.update(sub.id, {"cancel_at_period_end": True})
    assert ending.cancel_at == ending["items"].data[0].current_period_end
    assert ending.status == "active"
    kept = v1.subscriptions.update(sub.id, {"cancel_at_period_end": False})
    assert (kept.cancel_at, kept.canceled_at) == (None, None)


def meter_event(customer: str, **change: Any) -> dict[str, Any]:
    payload = {"payload[stripe_customer_id]": customer, "payload[value]": "5"}
    return {"event_name": "api_calls", **payload, **change}


def test_a_meter_event_shows_in_the_hours_summary(sandbox: Sandbox) -> None:
    customer = customers(sandbox)[5]["id"]
    at = WORLD_END - 2 * DAY
    meter = next(m for m in sandbox.get("/v1/billing/meters").json()["data"] if m["event_name"] == "api_calls")
    span = {"customer": customer, "start_time": at, "end_time": at + 3600, "value_grouping_window": "hour"}
    path = f"/v1/billing/meters/{meter['id']}/event_summaries"
    before = sum(row["aggregated_value"] for row in sandbox.get(path, **span).json()["data"])
    given = meter_event(customer, timestamp=at + 5, identifier="once", **{"payload[value]": "2.25"})
    assert sandbox.post("/v1/billing/meter_events", given).json()["identifier"] == "once"
    after = sandbox.get(path, **span).json()["data"]
    assert sum(row["aggregated_value"] for row in after) == before + 2.25
    again = sandbox.post("/v1/billing/meter_events", given)
    assert again.status_code == 400
    assert again.json()["error"]["message"] == "An event already exists with identifier once."


@pytest.mark.parametrize(
    "change",
    [
        {"event_name": "nothing"},
        {"timestamp": WORLD_END - 36 * DAY},
        {"timestamp": WORLD_END + 301},
        {"payload[value]": "many"},
        {"payload[value]": "1.0000001"},
        {"payload[value]": "NaN"},
        {"payload[stripe_customer_id]": "cus_nobody"},
    ],
)
def test_meter_events_that_stripe_would_refuse_are_refused(sandbox: Sandbox, change: dict[str, Any]) -> None:
    answer = sandbox.post("/v1/billing/meter_events", meter_event(customers(sandbox)[6]["id"], **change))
    assert answer.status_code == 400
