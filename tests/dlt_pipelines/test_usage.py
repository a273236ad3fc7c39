"""Meter usage: exact values, revisions, and which days are asked for."""

from datetime import timedelta
from pathlib import Path

from tests.dlt_pipelines.stripe_bytes import METER, TODAY, customer, load_quietly, rows, subscription
from tests.dlt_pipelines.stub import DAY, StubStripe

REVISIONS = "select window_start::varchar, aggregated_value::varchar from raw_stripe.meter_usage_revisions order by all"


def metered(stub: StubStripe, started: int, usage: dict[int, str]) -> None:
    """One customer metered since `started`, with usage on days counted back from today."""
    stub.lists |= {
        "/v1/customers": [customer("a")],
        "/v1/billing/meters": [METER],
        "/v1/subscriptions": [subscription(started)],
    }
    stub.usage["mtr_api", "cus_a"] = {TODAY - back * DAY: value for back, value in usage.items()}


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


def test_a_changed_day_appends_a_revision_and_a_canceled_one_appends_zero(stub: StubStripe, tmp_path: Path) -> None:
    metered(stub, TODAY - 400 * DAY, {300: "7", 3: "1", 2: "2", 1: "3"})
    load_quietly(stub, tmp_path)

    stub.now += timedelta(days=1)
    metered(stub, TODAY - 400 * DAY, {300: "8", 3: "1.0", 2: "2.5", 0: "4"})
    load_quietly(stub, tmp_path)

    seen = "select window_start::date::varchar, aggregated_value::double from raw_stripe.meter_usage_revisions"
    assert rows(tmp_path, f"{seen} where first_seen_at >= '2026-11-02' order by all") == [
        ("2026-10-30", 2.5),
        ("2026-10-31", 0.0),
        ("2026-11-01", 4.0),
    ]


def test_a_long_gap_between_loads_leaves_no_day_unread(stub: StubStripe, tmp_path: Path) -> None:
    metered(stub, TODAY - 10 * DAY, {1: "1"})
    load_quietly(stub, tmp_path)

    stub.now += timedelta(days=90)
    metered(stub, TODAY - 10 * DAY, {1: "1", -1: "2", -45: "3", -89: "4"})
    load_quietly(stub, tmp_path)

    assert [value for _, value in rows(tmp_path, REVISIONS)] == [f"{number}.000000000000" for number in range(1, 5)]


def test_an_idle_load_asks_once_per_customer_and_meter_and_no_more_after_the_end(
    stub: StubStripe, tmp_path: Path
) -> None:
    metered(stub, TODAY - 400 * DAY, dict.fromkeys(range(60, 401), "1"))
    stub.lists["/v1/subscriptions"] = [subscription(TODAY - 400 * DAY, ended=str(TODAY - 59 * DAY))]
    load_quietly(stub, tmp_path)
    assert len(rows(tmp_path, REVISIONS)) == 341

    stub.asked.clear()
    assert load_quietly(stub, tmp_path).tallies["meter_usage_revisions"].requests == 0
    assert not [path for path in stub.asked if path.endswith("event_summaries")]
