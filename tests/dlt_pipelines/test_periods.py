"""Usage per billing period: which windows are asked for, once or again, and what lands of them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_pipelines.errors import BadResponse
from tests.dlt_pipelines.stripe_bytes import METER, TODAY, customer, load_quietly, rows
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
def metered(stub: StubStripe) -> StubStripe:
    """cus_a, metered by the second for three invoiced periods of 100 units each and ten days with 7."""
    stub.lists |= {
        "/v1/customers": [customer("a")],
        "/v1/billing/meters": [METER],
        "/v1/prices": [price()],
        "/v1/subscriptions": [subscription()],
        "/v1/invoices": [invoice(back, "100") for back in (1, 2, 3)],
    }
    stub.moments["mtr_api", "cus_a"] = {begun(back) + 5 * DAY: 100 for back in (1, 2, 3)} | {RUNNING + DAY: 7}
    return stub


def landed(data: Path, where: str = "true") -> list[tuple[Any, ...]]:
    return rows(data, f"{LANDED} where {where} order by all")


def test_each_period_is_one_window_of_whole_minutes_and_the_open_one_ends_with_the_cover(
    metered: StubStripe, tmp_path: Path
) -> None:
    load_quietly(metered, tmp_path)

    closed = [("period", minute(begun(back)), minute(begun(back - 1)), 100) for back in (3, 2, 1)]
    assert landed(tmp_path) == [*closed, ("so_far", minute(RUNNING), TODAY, 7)]
    assert len(metered.ranges) == 4


def test_the_report_says_how_many_windows_were_asked_for_and_how_far_they_reach(
    metered: StubStripe, tmp_path: Path
) -> None:
    load_quietly(metered, tmp_path)

    assert rows(
        tmp_path,
        "select meter_id, requests, rows_appended, covered_until::varchar from raw_stripe.load_report "
        "where kind = 'meter_usage_periods'",
    ) == [("mtr_api", 4, 4, "2026-11-01 00:00:00")]


def test_an_idle_load_asks_only_for_the_open_period_and_those_that_ended_within_36_days(
    metered: StubStripe, tmp_path: Path
) -> None:
    load_quietly(metered, tmp_path)
    metered.ranges.clear()

    load_quietly(metered, tmp_path)

    assert sorted(metered.ranges) == [(minute(begun(1)), minute(RUNNING)), (minute(RUNNING), TODAY)]
    assert len(landed(tmp_path)) == 4


def test_late_usage_of_a_recent_period_appends_a_revision_and_that_of_an_old_one_is_not_looked_for(
    metered: StubStripe, tmp_path: Path
) -> None:
    load_quietly(metered, tmp_path)
    metered.moments["mtr_api", "cus_a"] |= {begun(1) + 6 * DAY: 5, begun(3) + 6 * DAY: 5}

    load_quietly(metered, tmp_path)

    values = landed(tmp_path, "grain = 'period'")
    assert [row for row in values if row[3] == 105] == [("period", minute(begun(1)), minute(RUNNING), 105)]
    assert len(values) == 4


def test_usage_that_came_late_in_a_long_gap_between_loads_is_found(metered: StubStripe, tmp_path: Path) -> None:
    load_quietly(metered, tmp_path)
    metered.now += timedelta(days=90)
    metered.moments["mtr_api", "cus_a"][begun(1) + 29 * DAY] = 5

    load_quietly(metered, tmp_path)

    assert 105 in [value for *_, value in landed(tmp_path, f"epoch(window_start) = {minute(begun(1))}")]


def test_a_period_that_ran_is_asked_for_once_more_when_it_is_over(metered: StubStripe, tmp_path: Path) -> None:
    load_quietly(metered, tmp_path)
    metered.now += timedelta(days=30)
    metered.moments["mtr_api", "cus_a"][RUNNING + 20 * DAY] = 93
    metered.lists["/v1/invoices"] = [invoice(0, "100"), *metered.lists["/v1/invoices"]]

    load_quietly(metered, tmp_path)

    assert landed(tmp_path, f"epoch(window_start) = {minute(RUNNING)}") == [
        ("period", minute(RUNNING), minute(begun(-1)), 100),
        ("so_far", minute(RUNNING), TODAY, 7),
    ]


def test_the_last_period_of_an_ended_subscription_ends_with_it(metered: StubStripe, tmp_path: Path) -> None:
    metered.lists["/v1/subscriptions"] = [subscription(ended=RUNNING + 3 * DAY)]

    load_quietly(metered, tmp_path)

    assert landed(tmp_path)[-1] == ("period", minute(RUNNING), minute(RUNNING + 3 * DAY), 7)


def test_the_minutes_that_periods_share_are_read_only_where_the_bill_is_not_for_the_windows_usage(
    metered: StubStripe, tmp_path: Path
) -> None:
    # ten seconds before the running period begins, in the minute that its window counts
    metered.moments["mtr_api", "cus_a"][RUNNING - 10] = 3
    metered.lists["/v1/invoices"][0] = invoice(1, "103")

    load_quietly(metered, tmp_path)

    first, last = minute(begun(1)), minute(RUNNING)
    assert landed(tmp_path, "grain = 'shared_minute'") == [
        ("shared_minute", first, first + 60, 0),
        ("shared_minute", last, last + 60, 3),
    ]
    assert ("so_far", last, TODAY, 10) in landed(tmp_path)


@pytest.mark.parametrize(
    ("terms", "line"),
    [
        ({"transform_quantity": {"divide_by": 40, "round": "up"}}, {"quantity_decimal": "3"}),
        ({"transform_quantity": {"divide_by": 40, "round": "down"}}, {"quantity_decimal": "2"}),
    ],
)
def test_a_bill_in_whole_packages_stands_for_the_usage_that_fills_them(
    metered: StubStripe, tmp_path: Path, terms: dict[str, Any], line: dict[str, Any]
) -> None:
    metered.lists["/v1/prices"] = [price(**terms)]
    metered.lists["/v1/invoices"] = [invoice(1, "0", **line)]

    load_quietly(metered, tmp_path)

    assert landed(tmp_path, "grain = 'shared_minute'") == []


def test_prorations_and_lines_without_a_meter_name_no_period(metered: StubStripe, tmp_path: Path) -> None:
    details = {"subscription_item": "si_1", "proration": True}
    prorated = invoice(1, "1", parent={"subscription_item_details": details})
    by_hand = invoice(2, "1", parent={"type": "invoice_item_details", "invoice_item_details": {"proration": False}})
    licensed = invoice(3, "1", pricing={"price_details": {"price": "price_of_seats"}})
    metered.lists["/v1/invoices"] = [prorated, by_hand, licensed]

    load_quietly(metered, tmp_path)

    assert landed(tmp_path) == [("so_far", minute(RUNNING), TODAY, 7)]


def test_a_warehouse_of_the_version_before_reads_its_periods_with_the_next_load(
    metered: StubStripe, tmp_path: Path
) -> None:
    """Long invoices that have not changed since are opened once more, for the periods on their later lines."""
    short = json.loads(invoice(1, "100"))
    seats = [{"id": f"il_seat_{number}", "amount": 1} for number in range(10)]
    short["lines"] = {"has_more": True, "data": seats}
    whole = [*seats, json.loads(invoice(1, "100"))["lines"]["data"][0]]
    metered.lists["/v1/invoices"] = [json.dumps(short).encode()]
    metered.lists["/v1/invoices/in_1/lines"] = [json.dumps(line).encode() for line in whole]
    load_quietly(metered, tmp_path)
    everything = landed(tmp_path)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        con.execute("drop table raw_stripe.meter_usage_period_revisions")
        con.execute("delete from raw_stripe.load_report where kind = 'meter_usage_periods'")
        con.execute("delete from raw_stripe._dlt_version")
    before = rows(tmp_path, "select count(*) from raw_stripe.invoice_lines")

    load_quietly(metered, tmp_path)

    assert landed(tmp_path) == everything
    assert rows(tmp_path, "select count(*) from raw_stripe.invoice_lines") == before


def test_nothing_is_asked_about_a_deleted_customer_and_what_landed_of_it_stays(
    metered: StubStripe, tmp_path: Path
) -> None:
    metered.usage["mtr_api", "cus_a"] = {TODAY - 3 * DAY: "7"}
    load_quietly(metered, tmp_path)
    everything = landed(tmp_path)
    metered.lists["/v1/customers"] = []
    metered.asked.clear()

    load_quietly(metered, tmp_path)

    assert not [path for path in metered.asked if path.endswith("event_summaries")]
    assert landed(tmp_path) == everything
    assert rows(tmp_path, "select aggregated_value::integer from raw_stripe.meter_usage_revisions") == [(7,)]


def test_a_summary_of_another_window_than_was_asked_for_is_refused(metered: StubStripe, tmp_path: Path) -> None:
    summary = b'{"id": "mtrusg_1", "aggregated_value": 1.0, "start_time": 0, "end_time": 60}'
    page = b'{"object": "list", "has_more": false, "data": [' + summary + b"]}"
    days = b'{"object": "list", "has_more": false, "data": []}'
    path = "/v1/billing/meters/mtr_api/event_summaries"
    metered.answers[path] = [(200, days)] * 2 + [(200, page)] * 4

    with pytest.raises(BadResponse, match="asked for the one window"):
        load_quietly(metered, tmp_path)
