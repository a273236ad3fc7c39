"""Usage per billing period: which windows are asked for, once or again, and what lands of them."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dlt_pipelines.errors import BadResponse
from tests.dlt_pipelines.metering import Metering, metering
from tests.dlt_pipelines.stripe_bytes import METER, TODAY, customer
from tests.dlt_pipelines.stub import DAY, StubStripe

# Periods begin at 14:23:37 and are 30 days long; the running one began ten days before today.
RUNNING = TODAY - 10 * DAY + 14 * 3600 + 23 * 60 + 37
LANDED = (
    "select grain, epoch(window_start)::bigint, epoch(window_end)::bigint, aggregated_value::bigint "
    "from raw_stripe.meter_usage_period_revisions"
)


def minute(at: int) -> int:
    return at - at % 60


def begun(back: int) -> int:
    """When the period began that lies `back` periods before the running one."""
    return RUNNING - 30 * DAY * back


def price(**terms: Any) -> bytes:
    recurring = {"interval": "month", "usage_type": "metered", "meter": "mtr_api"}
    return json.dumps({"id": "price_1", "object": "price", "created": 1, "recurring": recurring} | terms).encode()


def subscription(ended: int | None = None) -> bytes:
    span = {"current_period_start": RUNNING, "current_period_end": RUNNING + 30 * DAY}
    item = {"id": "si_1", "created": 5, "price": json.loads(price())} | span
    owner = {"id": "sub_1", "object": "subscription", "customer": "cus_a", "created": begun(4), "livemode": False}
    items = {"has_more": False, "data": [item]}
    return json.dumps(owner | {"start_date": begun(4), "ended_at": ended, "items": items}).encode()


def invoice(back: int, billed: str, **line: Any) -> bytes:
    """The invoice of the period `back` before the running one, made at its end."""
    details = {"subscription": "sub_1", "subscription_item": "si_1", "proration": False}
    body = {
        "id": f"il_{back}",
        "amount": 1,
        "period": {"start": begun(back), "end": begun(back - 1)},
        "quantity": round(float(billed)),
        "quantity_decimal": billed,
        "pricing": {"price_details": {"price": "price_1", "product": "prod_1"}},
        "parent": {"type": "subscription_item_details", "subscription_item_details": details},
    }
    lines = {"has_more": False, "data": [body | line]}
    head = {"id": f"in_{back}", "object": "invoice", "customer": "cus_a", "created": begun(back - 1)}
    return json.dumps(head | {"livemode": False, "lines": lines}).encode()


@pytest.fixture
def account(stub: StubStripe, tmp_path: Path) -> Iterator[Metering]:
    """cus_a, metered by the second for three invoiced periods of 100 units each and ten days with 7."""
    stub.lists |= {
        "/v1/customers": [customer("a")],
        "/v1/billing/meters": [METER],
        "/v1/prices": [price()],
        "/v1/subscriptions": [subscription()],
        "/v1/invoices": [invoice(back, "100") for back in (1, 2, 3)],
    }
    stub.moments["mtr_api", "cus_a"] = {begun(back) + 5 * DAY: 100 for back in (1, 2, 3)} | {RUNNING + DAY: 7}
    with metering(stub, tmp_path) as own:
        yield own


def landed(account: Metering, where: str = "true") -> list[tuple[Any, ...]]:
    return account.rows(f"{LANDED} where {where} order by all")


def test_each_period_is_one_window_of_whole_minutes_and_the_open_one_ends_with_the_cover(account: Metering) -> None:
    account.run()

    closed = [("period", minute(begun(back)), minute(begun(back - 1)), 100) for back in (3, 2, 1)]
    assert landed(account) == [*closed, ("so_far", minute(RUNNING), TODAY, 7)]
    assert len(account.stub.ranges) == 4


def test_the_report_says_how_many_windows_were_asked_for_and_how_far_they_reach(account: Metering) -> None:
    account.run()

    assert account.rows(
        "select meter_id, requests, rows_appended, covered_until::varchar from raw_stripe.load_report "
        "where kind = 'meter_usage_periods'",
    ) == [("mtr_api", 4, 4, "2026-11-01 00:00:00")]


def test_a_load_asks_for_the_open_period_and_once_a_day_for_those_that_ended_within_36_days(account: Metering) -> None:
    account.run()

    account.stub.now += timedelta(hours=1)
    account.run()
    assert account.stub.ranges == [(minute(RUNNING), TODAY)]

    account.stub.now += timedelta(hours=23)
    account.run()
    assert sorted(account.stub.ranges) == [(minute(begun(1)), minute(RUNNING)), (minute(RUNNING), TODAY + DAY)]
    assert len(landed(account)) == 5


def test_a_period_that_ended_in_the_recent_days_is_asked_for_with_each_load_as_its_days_are(account: Metering) -> None:
    account.stub.now += timedelta(days=22)
    account.stub.lists["/v1/invoices"].insert(0, invoice(0, "7"))
    account.run()

    account.run()

    assert account.stub.ranges == [(minute(RUNNING), minute(begun(-1)))]


def test_late_usage_of_a_recent_period_appends_a_revision_and_that_of_an_old_one_is_not_looked_for(
    account: Metering,
) -> None:
    account.run()
    account.stub.moments["mtr_api", "cus_a"] |= {begun(1) + 6 * DAY: 5, begun(3) + 6 * DAY: 5}

    account.stub.now += timedelta(hours=24)
    account.run()

    values = landed(account, "grain = 'period'")
    assert [row for row in values if row[3] == 105] == [("period", minute(begun(1)), minute(RUNNING), 105)]
    assert len(values) == 4


def test_usage_that_came_late_in_a_long_gap_between_loads_is_found(account: Metering) -> None:
    account.run()
    account.stub.now += timedelta(days=90)
    account.stub.moments["mtr_api", "cus_a"][begun(1) + 29 * DAY] = 5

    account.run()

    assert 105 in [value for *_, value in landed(account, f"epoch(window_start) = {minute(begun(1))}")]


def test_a_period_that_ran_is_asked_for_once_more_when_it_is_over(account: Metering) -> None:
    account.run()
    account.stub.now += timedelta(days=30)
    account.stub.moments["mtr_api", "cus_a"][RUNNING + 20 * DAY] = 93
    account.stub.lists["/v1/invoices"] = [invoice(0, "100"), *account.stub.lists["/v1/invoices"]]

    account.run()

    assert landed(account, f"epoch(window_start) = {minute(RUNNING)}") == [
        ("period", minute(RUNNING), minute(begun(-1)), 100),
        ("so_far", minute(RUNNING), TODAY, 7),
    ]


def test_the_last_period_of_an_ended_subscription_ends_with_it(account: Metering) -> None:
    account.stub.lists["/v1/subscriptions"] = [subscription(ended=RUNNING + 3 * DAY)]

    account.run()

    assert landed(account)[-1] == ("period", minute(RUNNING), minute(RUNNING + 3 * DAY), 7)


def test_the_minutes_that_periods_share_are_read_only_where_the_bill_is_not_for_the_windows_usage(
    account: Metering,
) -> None:
    # ten seconds before the running period begins, in the minute that its window counts
    account.stub.moments["mtr_api", "cus_a"][RUNNING - 10] = 3
    account.stub.lists["/v1/invoices"][0] = invoice(1, "103")

    account.run()

    first, last = minute(begun(1)), minute(RUNNING)
    assert landed(account, "grain = 'shared_minute'") == [
        ("shared_minute", first, first + 60, 0),
        ("shared_minute", last, last + 60, 3),
    ]
    assert ("so_far", last, TODAY, 10) in landed(account)


@pytest.mark.parametrize(
    ("terms", "line"),
    [
        ({"transform_quantity": {"divide_by": 40, "round": "up"}}, {"quantity_decimal": "3"}),
        ({"transform_quantity": {"divide_by": 40, "round": "down"}}, {"quantity_decimal": "2"}),
    ],
)
def test_a_bill_in_whole_packages_stands_for_the_usage_that_fills_them(
    account: Metering, terms: dict[str, Any], line: dict[str, Any]
) -> None:
    account.stub.lists["/v1/prices"] = [price(**terms)]
    account.stub.lists["/v1/invoices"] = [invoice(1, "0", **line)]

    account.run()

    assert landed(account, "grain = 'shared_minute'") == []


def test_prorations_and_lines_without_a_meter_name_no_period(account: Metering) -> None:
    details = {"subscription_item": "si_1", "proration": True}
    prorated = invoice(1, "1", parent={"subscription_item_details": details})
    by_hand = invoice(2, "1", parent={"type": "invoice_item_details", "invoice_item_details": {"proration": False}})
    licensed = invoice(3, "1", pricing={"price_details": {"price": "price_of_seats"}})
    account.stub.lists["/v1/invoices"] = [prorated, by_hand, licensed]

    account.run()

    assert landed(account) == [("so_far", minute(RUNNING), TODAY, 7)]


def test_a_warehouse_of_the_version_before_reads_all_its_periods_with_the_next_load(account: Metering) -> None:
    account.run()
    everything = landed(account)
    account.rows("drop table raw_stripe.meter_usage_period_revisions")
    account.rows("delete from raw_stripe.load_report where kind = 'meter_usage_periods'")

    account.run()

    assert landed(account) == everything


def test_an_old_invoice_that_gets_new_lines_names_their_periods(account: Metering) -> None:
    account.stub.lists["/v1/invoices"] = [invoice(1, "100")]
    account.run()

    account.stub.now += timedelta(hours=1)
    account.stub.lists["/v1/invoices"].append(invoice(3, "100"))
    account.run()

    assert sorted(account.stub.ranges) == [(minute(begun(3)), minute(begun(2))), (minute(RUNNING), TODAY)]


def test_a_line_that_does_not_name_its_subscription_is_that_of_the_invoices_customer(account: Metering) -> None:
    details = {"subscription": None, "subscription_item": None, "proration": False}
    account.stub.lists["/v1/invoices"] = [invoice(3, "100", parent={"subscription_item_details": details})]

    account.run()

    assert landed(account, "grain = 'period'") == [("period", minute(begun(3)), minute(begun(2)), 100)]


def test_a_flat_fee_is_no_usage_and_two_lines_of_an_item_are_one_bill(account: Metering) -> None:
    account.stub.lists["/v1/prices"] = [price(tiers=[{"up_to": 60, "flat_amount": 900}, {"flat_amount": None}])]
    parts = [invoice(1, "60"), invoice(1, "40", id="il_b"), invoice(1, "1", id="il_c", amount=900)]
    whole = json.loads(parts[0])
    whole["lines"]["data"] = [json.loads(part)["lines"]["data"][0] for part in parts]
    account.stub.lists["/v1/invoices"] = [json.dumps(whole).encode()]

    account.run()

    assert landed(account, "grain = 'shared_minute'") == []


def test_the_estimate_of_periods_is_exact_but_for_minutes_that_bills_ask_for(account: Metering) -> None:
    account.run()
    assert "4 for periods (1 open, 3 closed), and up to 6 for minutes where a bill differs" in account.said[0]
    assert len(account.stub.ranges) == 4

    account.stub.now += timedelta(hours=24)
    account.stub.lists["/v1/invoices"][0] = invoice(1, "99")
    account.run()

    assert "2 for periods (1 open, 1 closed), and up to 2 for minutes" in account.said[0]
    assert len(account.stub.ranges) == 2 + 2


def test_nothing_is_asked_about_a_deleted_customer_and_what_landed_of_it_stays(account: Metering) -> None:
    account.stub.usage["mtr_api", "cus_a"] = {TODAY - 3 * DAY: "7"}
    account.run()
    everything = landed(account)
    account.stub.lists["/v1/customers"] = []

    account.run()

    assert not [path for path in account.stub.asked if path.endswith("event_summaries")]
    assert landed(account) == everything
    assert account.rows("select aggregated_value::integer from raw_stripe.meter_usage_revisions") == [(7,)]


def test_a_summary_of_another_window_than_was_asked_for_is_refused(account: Metering) -> None:
    summary = b'{"id": "mtrusg_1", "aggregated_value": 1.0, "start_time": 0, "end_time": 60}'
    page = b'{"object": "list", "has_more": false, "data": [' + summary + b"]}"
    days = b'{"object": "list", "has_more": false, "data": []}'
    path = "/v1/billing/meters/mtr_api/event_summaries"
    account.stub.answers[path] = [(200, days)] * 2 + [(200, page)] * 4

    with pytest.raises(BadResponse, match="asked for the one window"):
        account.run()
