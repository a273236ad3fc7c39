from itertools import pairwise
from typing import Any

import pytest

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
        v1.charges,
        v1.payment_intents,
        v1.balance_transactions,
        v1.events,
    ]
    for service in lists:
        ids = [row.id for row in service.list({"limit": 100}).auto_paging_iter()]
        assert ids
        assert len(set(ids)) == len(ids)
    assert v1.accounts.retrieve_current().id == "acct_1MeterwiseSandbox"


def test_tiers_are_hidden_until_asked_for(reading: Sandbox) -> None:
    v1 = reading.stripe.v1
    assert not any("tiers" in price for price in v1.prices.list({"limit": 100}).data)
    shown = v1.prices.list({"limit": 100, "expand": ["data.tiers"]}).data
    graduated = next(price for price in shown if price.tiers_mode == "graduated")
    assert graduated.tiers is not None
    assert graduated.tiers[0].unit_amount_decimal == 0
    assert graduated.tiers[-1].up_to is None
    assert v1.prices.retrieve(graduated.id, {"expand": ["tiers"]}).tiers == graduated.tiers


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
    paid = reading.get("/v1/invoices", limit=1, status="paid").json()["data"][0]
    invoices = everything(reading, "/v1/invoices", customer=paid["customer"])
    assert {invoice["customer"] for invoice in invoices} == {paid["customer"]}
    assert paid["id"] in {invoice["id"] for invoice in invoices}
    payments = everything(reading, "/v1/invoice_payments", invoice=paid["id"])
    assert {payment["invoice"] for payment in payments} == {paid["id"]}
    intent = payments[0]["payment"]["payment_intent"]
    charges = everything(reading, "/v1/charges", payment_intent=intent)
    assert {charge["payment_intent"] for charge in charges} == {intent}
    many: Any = {"types[]": ["invoice.paid"] * 21}
    assert reading.get("/v1/events", **many).status_code == 400
