"""Meter usage by day: exact values, revisions, and which days are asked for when."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dlt_pipelines.config import Config
from tests.dlt_pipelines.metering import Metering, metering
from tests.dlt_pipelines.stripe_bytes import METER, TODAY, customer, load_quietly, rows, subscription
from tests.dlt_pipelines.stub import DAY, StubStripe

REVISIONS = "select window_start::varchar, aggregated_value::varchar from raw_stripe.meter_usage_revisions order by all"


@pytest.fixture
def account(stub: StubStripe, tmp_path: Path) -> Iterator[Metering]:
    with metering(stub, tmp_path) as own:
        yield own


def metered(stub: StubStripe, started: int, usage: dict[int, str]) -> None:
    """One customer metered since `started`, with usage on days counted back from today."""
    stub.lists |= {
        "/v1/customers": [customer("a")],
        "/v1/billing/meters": [METER],
        "/v1/subscriptions": [subscription(started)],
    }
    stub.usage["mtr_api", "cus_a"] = {TODAY - back * DAY: value for back, value in usage.items()}


def values(account: Metering) -> list[str]:
    return [value.rstrip("0").rstrip(".") for _, value in account.rows(REVISIONS)]


def days_asked(account: Metering) -> list[tuple[int, int]]:
    """Of each request for days: how many days before today it began, and how many it asked for."""
    return [((TODAY - start) // DAY, (end - start) // DAY) for _, start, end in account.stub.grouped]


def test_values_are_exact_and_todays_unfinished_day_waits(stub: StubStripe, tmp_path: Path) -> None:
    metered(stub, TODAY - 3 * DAY + 3600, {0: "5", 1: "9007199254740993", 2: "0.30000000000000004", 3: "1.5e3"})

    load_quietly(stub, tmp_path)

    assert rows(tmp_path, REVISIONS) == [
        ("2026-10-29 00:00:00", "1500.000000000000"),
        ("2026-10-30 00:00:00", "0.300000000000"),
        ("2026-10-31 00:00:00", "9007199254740993.000000000000"),
    ]
    assert rows(
        tmp_path, "select meter_id, covered_until::varchar from raw_stripe.load_report where kind = 'meter_usage'"
    ) == [("mtr_api", "2026-11-01 00:00:00")]
    assert rows(tmp_path, "select problem, occurrences from raw_stripe.load_problems") == [("beyond_2_53", 1)]


def test_a_changed_day_appends_a_revision_and_a_canceled_one_appends_zero(account: Metering) -> None:
    metered(account.stub, TODAY - 400 * DAY, {300: "7", 3: "1", 2: "2", 1: "3"})
    account.run()

    account.stub.now += timedelta(days=1)
    metered(account.stub, TODAY - 400 * DAY, {300: "8", 3: "1.0", 2: "2.5", 0: "4"})
    account.run()

    seen = "select window_start::date::varchar, aggregated_value::double from raw_stripe.meter_usage_revisions"
    assert account.rows(f"{seen} where first_seen_at >= '2026-11-02' order by all") == [
        ("2026-10-30", 2.5),
        ("2026-10-31", 0.0),
        ("2026-11-01", 4.0),
    ]


def test_a_first_load_asks_for_no_more_days_at_once_than_fit_on_a_page(account: Metering) -> None:
    metered(account.stub, TODAY - 250 * DAY, {250: "1", 150: "2", 1: "3"})

    account.run()

    assert sorted(days_asked(account), reverse=True) == [(250, 100), (150, 100), (50, 50)]
    assert values(account) == ["1", "2", "3"]


def test_each_load_asks_for_the_last_three_days_and_once_a_day_for_the_whole_window(account: Metering) -> None:
    metered(account.stub, TODAY - 400 * DAY, {1: "1", 2: "2", 20: "20"})
    account.run()

    account.stub.now += timedelta(hours=2)
    metered(account.stub, TODAY - 400 * DAY, {1: "11", 2: "2", 20: "21"})
    account.run()
    assert days_asked(account) == [(3, 3)]
    assert values(account) == ["20", "2", "1", "11"]

    account.stub.now += timedelta(hours=22)
    account.run()
    assert days_asked(account) == [(36, 37)]
    assert "21" in values(account)


def test_how_many_days_are_recent_and_how_long_the_window_waits_is_configured(account: Metering) -> None:
    metered(account.stub, TODAY - 400 * DAY, {1: "1"})
    often = Config(usage_recent_days=5, usage_window_days=40, usage_window_hours=2)
    account.run(often)

    account.stub.now += timedelta(hours=1)
    account.run(often)
    assert days_asked(account) == [(5, 5)]

    account.stub.now += timedelta(hours=1)
    account.run(often)
    assert days_asked(account) == [(40, 40)]


def test_a_long_gap_between_loads_leaves_no_day_unread(account: Metering) -> None:
    metered(account.stub, TODAY - 10 * DAY, {1: "1"})
    account.run()

    account.stub.now += timedelta(days=90)
    metered(account.stub, TODAY - 10 * DAY, {1: "1", -1: "2", -45: "3", -89: "4"})
    account.run()

    assert values(account) == ["1", "2", "3", "4"]


def test_a_gap_of_days_is_read_though_the_whole_window_is_not_due(account: Metering) -> None:
    metered(account.stub, TODAY - 10 * DAY, {1: "1"})
    weekly = Config(usage_window_hours=7 * 24)
    account.run(weekly)

    account.stub.now += timedelta(days=6)
    metered(account.stub, TODAY - 10 * DAY, {1: "1", 0: "2", -5: "3"})
    account.run(weekly)

    assert days_asked(account) == [(0, 6)]
    assert values(account) == ["1", "2", "3"]


def test_late_usage_is_found_however_long_ago_the_whole_window_was_read(account: Metering) -> None:
    """It came after the window was read, dated 35 days back, and the loads of ten days did not look there."""
    metered(account.stub, TODAY - 100 * DAY, {1: "1"})
    rarely = Config(usage_window_hours=10 * 24)
    account.run(rarely)
    metered(account.stub, TODAY - 100 * DAY, {1: "1", 35: "9"})
    for _ in range(2):
        account.stub.now += timedelta(days=5)
        account.run(rarely)

    assert values(account) == ["9", "1"]


def test_an_ended_subscription_is_asked_about_until_no_late_event_can_come(account: Metering) -> None:
    metered(account.stub, TODAY - 400 * DAY, dict.fromkeys(range(30, 401), "1"))
    account.stub.lists["/v1/subscriptions"] = [subscription(TODAY - 400 * DAY, ended=str(TODAY - 29 * DAY))]
    account.run()
    assert len(values(account)) == 371

    account.run()
    assert days_asked(account) == []

    account.stub.now += timedelta(days=1)
    account.run()
    assert days_asked(account) == [(36, 37)]

    account.stub.now += timedelta(days=7)
    account.run()
    assert days_asked(account) == [(35, 43)]

    account.stub.now += timedelta(days=1)
    account.run()
    assert days_asked(account) == []


def test_an_item_that_was_removed_may_still_get_late_usage(account: Metering) -> None:
    metered(account.stub, TODAY - 100 * DAY, {})
    account.run()
    removed = json.loads(subscription(TODAY - 100 * DAY))
    removed["items"]["data"] = []
    account.stub.lists["/v1/subscriptions"] = [json.dumps(removed).encode()]
    account.stub.now += timedelta(days=1)
    account.run()

    account.stub.now += timedelta(days=1)
    account.stub.usage["mtr_api", "cus_a"] = {TODAY - 5 * DAY: "5"}
    account.run()

    assert values(account) == ["5"]


def test_a_customer_that_uses_nothing_is_read_from_the_start_once(account: Metering) -> None:
    metered(account.stub, TODAY - 250 * DAY, {})
    account.run()
    assert len(days_asked(account)) == 3

    account.run()

    assert days_asked(account) == [(3, 3)]


def test_a_meter_that_an_item_changes_to_is_read_from_the_start(account: Metering) -> None:
    metered(account.stub, TODAY - 150 * DAY, {})
    account.run()
    account.stub.lists["/v1/subscriptions"] = [subscription(TODAY - 150 * DAY).replace(b"mtr_api", b"mtr_new")]
    account.stub.usage["mtr_new", "cus_a"] = {TODAY - 120 * DAY: "12"}

    account.run()

    assert sorted(days_asked(account)) == [(3, 3), (50, 50), (150, 100)]
    assert values(account) == ["12"]


def test_a_second_subscription_that_is_dated_back_is_read_from_its_own_start(account: Metering) -> None:
    metered(account.stub, TODAY - 5 * DAY, {1: "1", 60: "60"})
    account.run()
    second = subscription(TODAY - 80 * DAY).replace(b"sub_1", b"sub_2").replace(b"si_1", b"si_2")
    account.stub.lists["/v1/subscriptions"].append(second)

    account.run()

    assert values(account) == ["60", "1"]
    account.run()
    assert min(days_asked(account)) == (3, 3), "once is enough"


def test_history_that_a_killed_load_landed_in_part_is_read_again_from_the_start(account: Metering) -> None:
    metered(account.stub, TODAY - 5 * DAY, {})
    account.run()
    later = subscription(TODAY - 300 * DAY).replace(b"cus_a", b"cus_b").replace(b"_1", b"_2")
    account.stub.lists["/v1/subscriptions"].append(later)
    account.stub.lists["/v1/customers"].append(customer("b"))
    account.stub.usage["mtr_api", "cus_b"] = {TODAY - 2 * DAY: "2"}
    account.run(killed_after=1)
    account.stub.usage["mtr_api", "cus_b"][TODAY - 290 * DAY] = "290"

    account.run()

    assert values(account) == ["290", "2"]


def test_a_second_load_appends_nothing(account: Metering) -> None:
    metered(account.stub, TODAY - 50 * DAY, {back: "0" if back % 2 else str(back) for back in range(1, 50)})
    first = account.run()
    assert first.tally("meter_usage_revisions").rows_appended == 49

    account.stub.now += timedelta(hours=24)
    assert account.run().tally("meter_usage_revisions").rows_appended == 0


def test_a_deleted_customer_is_left_alone_and_what_landed_of_it_stays(account: Metering) -> None:
    metered(account.stub, TODAY - 20 * DAY, {2: "2"})
    account.run()
    account.stub.lists["/v1/customers"] = []

    account.run()

    assert account.stub.asked == []
    assert values(account) == ["2"]


@pytest.mark.parametrize("status", [400, 404])
def test_a_customer_whose_deletion_has_not_been_told_yet_is_noted_and_keeps_its_usage(
    account: Metering, status: int
) -> None:
    metered(account.stub, TODAY - 20 * DAY, {2: "2"})
    account.run()
    gone = b'{"error": {"type": "invalid_request_error", "code": "resource_missing", "param": "customer"}}'
    account.stub.answers["/v1/billing/meters/mtr_api/event_summaries"] = [(status, gone)]

    done = account.run()

    assert done.tally("meter_usage_revisions").problems == {"deleted_parent": 1}
    assert done.tally("meter_usage_revisions").examples == {"deleted_parent": "cus_a"}
    assert values(account) == ["2"]
