from itertools import pairwise
from typing import Any

import pytest
import stripe

from sandbox.clock import DAY, WORLD_END

from .conftest import CUSTOMERS, Sandbox

MIDNIGHT = WORLD_END - WORLD_END % DAY


def everything(reading: Sandbox, path: str, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        answer = reading.get(path, **params).json()
        rows += answer["data"]
        if not answer["has_more"]:
            return rows
        params["starting_after"] = rows[-1]["id"]


def test_the_sdk_pages_through_every_kind(reading: Sandbox) -> None:
    v1 = reading.stripe.v1
    customers = list(v1.customers.list({"limit": 7}).auto_paging_iter())
    assert len({customer.id for customer in customers}) == CUSTOMERS
    assert [c.created for c in customers] == sorted((c.created for c in customers), reverse=True)
    lists: list[Any] = [
        v1.products,
        v1.prices,
        v1.coupons,
        v1.invoices,
        v1.invoice_payments,
        v1.credit_notes,
        v1.events,
    ]
    for service in lists:
        ids = [row.id for row in service.list({"limit": 100}).auto_paging_iter()]
        assert ids
        assert len(set(ids)) == len(ids)
    assert v1.accounts.retrieve_current().id == "acct_1MeterwiseSandbox"


def test_the_response_carries_the_sandbox_clock_and_a_request_id(reading: Sandbox) -> None:
    answer = reading.get("/v1/customers", limit=1)
    assert answer.headers["Date"] == "Sun, 01 Nov 2026 06:00:00 GMT"
    assert answer.headers["Request-Id"].startswith("req_")


def test_tiers_are_hidden_until_asked_for(reading: Sandbox) -> None:
    v1 = reading.stripe.v1
    assert not any("tiers" in price for price in v1.prices.list({"limit": 100}).data)
    shown = v1.prices.list({"limit": 100, "expand": ["data.tiers"]}).data
    graduated = next(price for price in shown if price.tiers_mode == "graduated")
    assert graduated.tiers is not None
    assert graduated.tiers[0].unit_amount_decimal == 0
    assert graduated.tiers[-1].up_to is None
    assert v1.prices.retrieve(graduated.id, {"expand": ["tiers"]}).tiers == graduated.tiers


def test_canceled_subscriptions_hide_unless_all_are_asked_for(reading: Sandbox) -> None:
    v1 = reading.stripe.v1
    shown = {sub.status for sub in v1.subscriptions.list({"limit": 100}).data}
    every = v1.subscriptions.list({"limit": 100, "status": "all"}).data
    assert "canceled" not in shown
    assert len(every) == CUSTOMERS
    assert "canceled" in {sub.status for sub in every}


def test_discounts_are_ids_until_expanded(reading: Sandbox) -> None:
    plain = everything(reading, "/v1/subscriptions", status="all", limit=100)
    full = everything(reading, "/v1/subscriptions", status="all", limit=100, **{"expand[]": "data.discounts"})
    with_discount = next(sub for sub in plain if sub["discounts"])
    expanded = next(sub for sub in full if sub["id"] == with_discount["id"])
    assert [discount["id"] for discount in expanded["discounts"]] == with_discount["discounts"]
    assert expanded["discounts"][0]["source"] == {"coupon": "WELCOME10", "type": "coupon"}


def test_items_hold_the_period_and_the_subscription_does_not(reading: Sandbox) -> None:
    sub = reading.get("/v1/subscriptions", limit=1).json()["data"][0]
    items = everything(reading, "/v1/subscription_items", subscription=sub["id"], limit=2)
    assert items == sub["items"]["data"]
    assert "current_period_start" not in sub
    assert all(item["current_period_start"] <= WORLD_END < item["current_period_end"] for item in items)
    assert all(("quantity" in item) == (item["price"]["recurring"]["usage_type"] == "licensed") for item in items)


def test_lines_page_in_the_order_the_invoice_shows(reading: Sandbox) -> None:
    for invoice in reading.get("/v1/invoices", limit=20).json()["data"]:
        lines = everything(reading, f"/v1/invoices/{invoice['id']}/lines", limit=2)
        assert lines == invoice["lines"]["data"]


def test_daily_summaries_add_up_to_one_summary_of_the_range(reading: Sandbox) -> None:
    customer = reading.get("/v1/subscriptions", limit=1).json()["data"][0]["customer"]
    for meter in reading.get("/v1/billing/meters").json()["data"]:
        path = f"/v1/billing/meters/{meter['id']}/event_summaries"
        span = {"customer": customer, "start_time": MIDNIGHT - 90 * DAY, "end_time": MIDNIGHT}
        daily = everything(reading, path, value_grouping_window="day", limit=9, **span)
        whole = reading.get(path, **span).json()["data"]
        assert [window["start_time"] % DAY for window in daily] == [0] * len(daily)
        assert all(newer["start_time"] > older["start_time"] for newer, older in pairwise(daily))
        total = sum(window["aggregated_value"] for window in daily)
        assert total == pytest.approx(sum(window["aggregated_value"] for window in whole))


def test_summaries_can_be_paged_backwards(reading: Sandbox) -> None:
    customer = reading.get("/v1/invoices", limit=1, status="paid").json()["data"][0]["customer"]
    meter = next(m for m in reading.get("/v1/billing/meters").json()["data"] if m["event_name"] == "api_calls")
    path = f"/v1/billing/meters/{meter['id']}/event_summaries"
    span: dict[str, Any] = {"customer": customer, "start_time": MIDNIGHT - 300 * DAY, "end_time": MIDNIGHT}
    span |= {"value_grouping_window": "day", "limit": 3}
    first = reading.get(path, **span).json()["data"]
    second = reading.get(path, **span, starting_after=first[-1]["id"]).json()["data"]
    assert reading.get(path, **span, ending_before=second[0]["id"]).json()["data"] == first


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"start_time": MIDNIGHT + 60}, "start_time"),
        ({"start_time": MIDNIGHT + 1, "value_grouping_window": None}, "start_time"),
        ({"end_time": MIDNIGHT - DAY}, "start_time"),
        ({"value_grouping_window": "week"}, "value_grouping_window"),
        ({"limit": 101}, "limit"),
        ({"customer": "cus_nobody"}, "customer"),
        ({"customer": None}, "customer"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_summary_parameters_are_refused_by_name(reading: Sandbox, change: dict[str, Any], param: str) -> None:
    customer = reading.get("/v1/customers", limit=1).json()["data"][0]["id"]
    meter = reading.get("/v1/billing/meters").json()["data"][0]["id"]
    params: dict[str, Any] = {"customer": customer, "start_time": MIDNIGHT - DAY, "end_time": MIDNIGHT}
    params |= {"value_grouping_window": "day"} | change
    answer = reading.get(f"/v1/billing/meters/{meter}/event_summaries", **params)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_events_filter_by_type_and_time(reading: Sandbox) -> None:
    since = WORLD_END - 5 * DAY
    rows = everything(reading, "/v1/events", **{"types[]": ["invoice.paid", "invoice.created"], "created[gte]": since})
    assert {row["type"] for row in rows} == {"invoice.paid", "invoice.created"}
    assert min(row["created"] for row in rows) >= since
    assert {r["type"].split(".")[0] for r in everything(reading, "/v1/events", type="invoice.*")} == {"invoice"}
    assert min(row["created"] for row in everything(reading, "/v1/events", limit=100)) >= WORLD_END - 30 * DAY
    assert reading.get("/v1/events", **{"type": "invoice.paid", "types[]": "invoice.paid"}).status_code == 400


def test_filters_keep_only_what_belongs_to_the_owner(reading: Sandbox) -> None:
    note = reading.get("/v1/credit_notes", limit=1).json()["data"][0]
    invoices = everything(reading, "/v1/invoices", customer=note["customer"])
    assert {invoice["customer"] for invoice in invoices} == {note["customer"]}
    assert note["invoice"] in {invoice["id"] for invoice in invoices}
    payments = everything(reading, "/v1/invoice_payments", invoice=note["invoice"])
    assert [payment["invoice"] for payment in payments] == [note["invoice"]]
    moved = everything(reading, f"/v1/customers/{note['customer']}/balance_transactions")
    assert note["customer_balance_transaction"] in {row["id"] for row in moved}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/customers/cus_nobody", 404, "resource_missing"),
        ("/v1/customers?starting_after=cus_nobody", 400, "resource_missing"),
        ("/v1/customers?limit=0", 400, None),
        ("/v1/customers?created[after]=1", 400, "parameter_unknown"),
        ("/v1/subscriptions?status=alive", 400, None),
        ("/v1/subscription_items", 400, "parameter_missing"),
        ("/v1/prices?expand[]=data.nonsense", 400, None),
        ("/v1/charges", 404, None),
    ],
)
def test_what_is_not_there_is_answered_as_stripe_does(reading: Sandbox, path: str, status: int, code: str) -> None:
    answer = reading.get(path)
    assert answer.status_code == status
    assert answer.json()["error"].get("code") == code
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("key", ["sk_live_x", "rk_live_x", "pk_test_x", ""])
def test_only_test_keys_are_taken(reading: Sandbox, key: str) -> None:
    assert reading.get("/v1/account", key=key).status_code == 401


def test_basic_auth_works_and_the_sdk_sees_a_refused_key(reading: Sandbox) -> None:
    import requests

    assert requests.get(f"{reading.url}/v1/account", auth=("sk_test_x", ""), timeout=20).status_code == 200
    with pytest.raises(stripe.AuthenticationError):
        stripe.StripeClient("sk_live_x", base_addresses={"api": reading.url}).v1.customers.list()


@pytest.mark.parametrize("path", ["customers", "prices", "subscriptions", "invoices", "events", "billing/meters"])
@pytest.mark.parametrize("shape", ["{}[x][y]=1", "{}[][x]=1", "{}=", "{}=%FF%00"])
def test_parameters_of_the_wrong_shape_are_refused_not_crashed_on(reading: Sandbox, path: str, shape: str) -> None:
    for name in ("limit", "starting_after", "expand", "created", "status", "customer", "type", "types", "lookup_keys"):
        answer = reading.get(f"/v1/{path}?{shape.format(name)}")
        assert answer.status_code in (200, 400), (name, answer.text)
        assert answer.headers["Content-Type"] == "application/json"
