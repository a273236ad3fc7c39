"""Test clocks, driven by the official SDK."""

from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox
from tests.sandbox.refusal import refused

DAY = 86_400
START = 1_700_000_000
MONTHLY = {"currency": "usd", "unit_amount": 500, "recurring": {"interval": "month"}, "product_data": {"name": "P"}}


@pytest.fixture
def v1(account: Sandbox) -> Any:
    return account.stripe.v1


@pytest.fixture
def clock(v1: Any) -> str:
    return str(v1.test_helpers.test_clocks.create({"frozen_time": START, "name": "mine"}).id)


def on(v1: Any, clock: str) -> Any:
    """A customer on the clock who pays by card."""
    default = {"default_payment_method": "pm_card_visa"}
    return v1.customers.create({"test_clock": clock, "payment_method": "pm_card_visa", "invoice_settings": default})


def test_a_clock_stands_still_until_it_is_advanced(v1: Any, clock: str, account: Sandbox) -> None:
    made = v1.test_helpers.test_clocks.retrieve(clock)
    assert (made.status, made.frozen_time, made.name) == ("ready", START, "mine")
    assert made.deletes_after == made.created + 30 * DAY
    account.advance(hours=1)
    assert v1.test_helpers.test_clocks.retrieve(clock).frozen_time == START
    answer = v1.test_helpers.test_clocks.advance(clock, {"frozen_time": START + 60})
    assert (answer.status, answer.status_details.advancing.target_frozen_time) == ("advancing", START + 60)
    again = v1.test_helpers.test_clocks.retrieve(clock)
    assert (again.status, again.frozen_time) == ("ready", START + 60)
    types = [event.type for event in v1.events.list({"limit": 2}).data]
    assert types == ["test_helpers.test_clock.ready", "test_helpers.test_clock.advancing"]


def test_a_clock_goes_forward_only(v1: Any, clock: str) -> None:
    for until in (START, START - 1):
        with refused("frozen_time"):
            v1.test_helpers.test_clocks.advance(clock, {"frozen_time": until})


def test_objects_of_a_clocks_customer_live_in_its_time(v1: Any, clock: str) -> None:
    customer = on(v1, clock)
    sub = v1.subscriptions.create({"customer": customer.id, "items": [{"price": v1.prices.create(MONTHLY).id}]})
    assert (customer.created, sub.created, sub["items"].data[0].current_period_start) == (START, START, START)
    v1.test_helpers.test_clocks.advance(clock, {"frozen_time": START + 32 * DAY})
    period = v1.subscriptions.retrieve(sub.id)["items"].data[0].current_period_start
    assert START + 29 * DAY < period < START + 32 * DAY
    invoices = v1.invoices.list({"customer": customer.id}).data
    assert [(invoice.billing_reason, invoice.status) for invoice in invoices] == [
        ("subscription_cycle", "paid"),
        ("subscription_create", "paid"),
    ]


def test_customers_of_a_clock_are_listed_by_it_only(v1: Any, clock: str) -> None:
    customer = on(v1, clock)
    assert customer.id not in [one.id for one in v1.customers.list({"limit": 100}).data]
    assert [one.id for one in v1.customers.list({"test_clock": clock}).data] == [customer.id]


def test_a_clock_has_three_customers_at_most(v1: Any, clock: str) -> None:
    for _ in range(3):
        on(v1, clock)
    with refused("test_clock"):
        on(v1, clock)
    with refused("test_clock", code="resource_missing"):
        on(v1, "clock_none")


def test_one_call_advances_two_intervals_at_most(v1: Any, clock: str) -> None:
    daily = MONTHLY | {"recurring": {"interval": "day"}}
    v1.subscriptions.create({"customer": on(v1, clock).id, "items": [{"price": v1.prices.create(daily).id}]})
    with refused("frozen_time"):
        v1.test_helpers.test_clocks.advance(clock, {"frozen_time": START + 2 * DAY + 1})
    v1.test_helpers.test_clocks.advance(clock, {"frozen_time": START + 2 * DAY})


def test_usage_of_a_clocks_customer_is_judged_by_its_time(v1: Any, clock: str) -> None:
    aggregation = {"formula": "sum"}
    v1.billing.meters.create({"display_name": "M", "event_name": "clocked", "default_aggregation": aggregation})
    payload = {"stripe_customer_id": on(v1, clock).id, "value": "1"}
    event = v1.billing.meter_events.create({"event_name": "clocked", "payload": payload})
    assert (event.created, event.timestamp) == (START, START)
    with refused("timestamp"):
        v1.billing.meter_events.create({"event_name": "clocked", "payload": payload, "timestamp": START + 301})


def test_a_credit_grant_expires_by_the_clock(v1: Any, clock: str) -> None:
    grant = v1.billing.credit_grants.create(
        {
            "customer": on(v1, clock).id,
            "amount": {"type": "monetary", "monetary": {"currency": "usd", "value": 5}},
            "applicability_config": {"scope": {"price_type": "metered"}},
            "expires_at": START + DAY,
        }
    )
    v1.test_helpers.test_clocks.advance(clock, {"frozen_time": START + DAY})
    rows = v1.billing.credit_balance_transactions.list({"customer": grant.customer}).data
    assert [(row.type, row.created) for row in rows] == [("debit", START + DAY), ("credit", START)]


def test_a_deleted_clock_takes_its_customers_and_all_of_theirs_along(v1: Any, clock: str) -> None:
    customer = on(v1, clock)
    sub = v1.subscriptions.create({"customer": customer.id, "items": [{"price": v1.prices.create(MONTHLY).id}]})
    assert v1.test_helpers.test_clocks.delete(clock).deleted
    for retrieve, gone in (
        (v1.test_helpers.test_clocks.retrieve, clock),
        (v1.customers.retrieve, customer.id),
        (v1.subscriptions.retrieve, sub.id),
        (v1.invoices.retrieve, sub.latest_invoice),
    ):
        with refused(status=404, code="resource_missing"):
            retrieve(gone)


def test_a_clock_is_deleted_after_thirty_days(v1: Any, clock: str, account: Sandbox) -> None:
    account.advance(days=31)
    with refused(status=404, code="resource_missing"):
        v1.test_helpers.test_clocks.retrieve(clock)


def test_what_time_does_on_an_advance_does_not_carry_the_request_s_idempotency_key(v1: Any, clock: str) -> None:
    price = v1.prices.create(MONTHLY)
    v1.subscriptions.create({"customer": on(v1, clock).id, "items": [{"price": price.id}]})
    v1.test_helpers.test_clocks.advance(clock, {"frozen_time": START + 32 * DAY}, {"idempotency_key": "mine"})
    made = {event.type: event.request.idempotency_key for event in reversed(v1.events.list({"limit": 30}).data)}
    assert made["test_helpers.test_clock.advancing"] == made["test_helpers.test_clock.ready"] == "mine"
    assert made["invoice.paid"] is made["charge.succeeded"] is None
