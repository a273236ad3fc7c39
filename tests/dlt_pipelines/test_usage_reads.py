"""Usage by the hour, the estimate that each load begins with, refusals of Stripe and windows nobody asked for."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dlt_pipelines.budget import Budget
from dlt_pipelines.config import Config
from dlt_pipelines.errors import BadResponse
from tests.dlt_pipelines.metering import Metering, metering
from tests.dlt_pipelines.stripe_bytes import METER, TODAY, customer, subscription
from tests.dlt_pipelines.stub import DAY, StubStripe

HOURLY = Config(usage_grain="hour")
SUMMARIES = "/v1/billing/meters/mtr_api/event_summaries"
LATER_METER = METER.replace(b"mtr_api", b"mtr_two")


@pytest.fixture
def account(stub: StubStripe, tmp_path: Path) -> Iterator[Metering]:
    """Thirty customers, each metered twice for 130 days; each used something a month ago and yesterday."""
    names = [f"{number:02}" for number in range(30)]
    stub.lists = {
        "/v1/customers": [customer(name) for name in names],
        "/v1/billing/meters": [METER, LATER_METER],
        "/v1/subscriptions": [
            subscription(TODAY - 130 * DAY)
            .replace(b"cus_a", f"cus_{name}".encode())
            .replace(b"sub_1", f"sub_{meter}_{name}".encode())
            .replace(b"si_1", f"si_{meter}_{name}".encode())
            .replace(b"mtr_api", meter.encode())
            for name in names
            for meter in ("mtr_api", "mtr_two")
        ],
    }
    for name in names:
        for meter in ("mtr_api", "mtr_two"):
            stub.usage[meter, f"cus_{name}"] = {TODAY - 30 * DAY: "30", TODAY - DAY: "1"}
            stub.hours[meter, f"cus_{name}"] = {TODAY - DAY - 3600: "2", TODAY - 3600: "7", TODAY + 3600: "3"}
    with metering(stub, tmp_path) as own:
        yield own


def one_customer(account: Metering) -> None:
    for path, objects in account.stub.lists.items():
        account.stub.lists[path] = objects[:1]


def test_a_load_says_first_how_many_requests_its_usage_takes_and_takes_as_many(account: Metering) -> None:
    done = account.run(HOURLY)

    assert account.said == [
        "usage, the whole window: 60 customers x meters, 180 requests: 120 for days, 60 for hours, "
        "0 for periods (0 open, 0 closed)"
    ]
    assert sum(tally.requests for tally in done.tallies.values()) == len(account.stub.asked) == 180
    account.run()
    assert "recent days: 60 customers x meters, 60 requests" in account.said[0]
    assert len(account.stub.asked) == 60


def test_the_report_has_a_row_per_meter_that_takes_events_and_how_far_it_is_covered(account: Metering) -> None:
    account.run()

    query = "select kind, meter_id, requests, rows_appended, covered_until::date::varchar from raw_stripe.load_report"
    assert account.rows(f"{query} where meter_id is not null order by kind, meter_id") == [
        ("meter_usage", "mtr_api", 60, 60, "2026-11-01"),
        ("meter_usage", "mtr_two", 60, 60, "2026-11-01"),
        ("meter_usage_periods", "mtr_api", 0, 0, "2026-11-01"),
        ("meter_usage_periods", "mtr_two", 0, 0, "2026-11-01"),
    ]
    account.run()
    hows = "select distinct how from raw_stripe.load_report where kind = 'meter_usage' order by how"
    assert account.rows(hows) == [("recent",), ("window",)]


def test_hours_are_read_of_the_recent_days_only_where_they_are_asked_for(account: Metering) -> None:
    one_customer(account)
    account.run()
    assert account.rows("select count(*) from raw_stripe.meter_usage_hourly_revisions") == [(0,)]
    assert {grain for grain, _, _ in account.stub.grouped} == {"day"}

    account.run(HOURLY)

    assert ("hour", TODAY - 3 * DAY, TODAY) in account.stub.grouped
    query = (
        "select epoch(window_start)::bigint, epoch(window_end)::bigint, aggregated_value::integer"
        " from raw_stripe.meter_usage_hourly_revisions order by 1"
    )
    hours = [(TODAY - DAY - 3600, TODAY - DAY, 2), (TODAY - 3600, TODAY, 7)]
    assert account.rows(query) == hours
    account.stub.hours["mtr_api", "cus_00"] = {TODAY - 3600: "8"}
    account.run(HOURLY)
    assert account.rows(query) == [hours[0], (TODAY - DAY - 3600, TODAY - DAY, 0), hours[1], (TODAY - 3600, TODAY, 8)]


def test_hours_of_a_gap_between_loads_are_read_a_page_at_a_time(account: Metering) -> None:
    one_customer(account)
    account.run(HOURLY)

    account.stub.now += timedelta(days=6)
    account.run(HOURLY)

    hours = sorted((end - start) // 3600 for grain, start, end in account.stub.grouped if grain == "hour")
    assert hours == [44, 100]


def test_no_page_is_lost_when_stripe_says_429_again_and_again(account: Metering) -> None:
    limited = b'{"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests"}}'
    account.stub.answers[SUMMARIES] = [(429, limited)] * 20

    done = account.run()

    tally = done.tally("meter_usage_revisions")
    assert (tally.rows_appended, tally.requests, tally.retries) == (120, 140, 20)


def test_on_a_paced_account_the_estimate_says_the_minutes(account: Metering) -> None:
    account.run(budget=Budget(None, 400.0))

    assert account.said[0].endswith("; about 0.3 s at 400 requests/s")


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (
            f'"aggregated_value": 1, "start_time": {TODAY - 9 * DAY}, "end_time": {TODAY - 8 * DAY}',
            "was asked for days",
        ),
        (f'"aggregated_value": 1, "start_time": {TODAY - DAY}, "end_time": {TODAY - DAY + 60}', "was asked for days"),
        (f'"aggregated_value": 1, "start_time": {TODAY - DAY + 60}, "end_time": {TODAY + 60}', "was asked for days"),
        (f'"aggregated_value": "NaN", "start_time": {TODAY - DAY}, "end_time": {TODAY}', "expected a number"),
        (f'"aggregated_value": 1e26, "start_time": {TODAY - DAY}, "end_time": {TODAY}', "expected a number"),
    ],
)
def test_a_window_nobody_asked_for_and_a_value_that_is_no_number_are_refused(
    account: Metering, window: str, said: str
) -> None:
    one_customer(account)
    account.run()
    body = f'{{"object": "list", "has_more": false, "data": [{{"id": "mtrusg_1", {window}}}]}}'.encode()
    account.stub.answers[SUMMARIES] = [(200, body)] * 9

    with pytest.raises(BadResponse, match=said):
        account.run()

    assert account.rows("select count(*) from raw_stripe.meter_usage_revisions") == [(2,)]


def test_a_page_of_usage_that_is_not_the_last_is_refused(account: Metering) -> None:
    one_customer(account)
    account.run()
    summary = f'"aggregated_value": 1, "start_time": {TODAY - DAY}, "end_time": {TODAY}'
    body = f'{{"object": "list", "has_more": true, "data": [{{"id": "mtrusg_1", {summary}}}]}}'.encode()
    account.stub.answers[SUMMARIES] = [(200, body)] * 99

    with pytest.raises(BadResponse, match="says that there are more"):
        account.run()


def test_the_plan_leaves_nothing_in_the_warehouse(account: Metering) -> None:
    one_customer(account)
    account.run()

    names = "select schema_name || '.' || table_name from duckdb_tables() where schema_name <> 'raw_stripe'"
    assert account.rows(names) == []
