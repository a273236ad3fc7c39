"""The company that bench-warehouse measures on is a Stripe account whose bills follow from its usage."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from tests.benches.warehouse.company import FIRST_DAY, LAST_DAY, land_company, land_next_day

ROWS = 12_000
BILLED = """
    select
        line.payload->>'$.pricing.price_details.price' as price_id,
        usage.meter_id,
        usage.customer_id,
        usage.aggregated_value as used,
        (line.payload->>'$.quantity_decimal')::decimal(18, 6) as quantity,
        (line.payload->>'$.amount')::bigint as amount
    from raw_stripe.invoice_lines as line
    inner join raw_stripe.invoices as invoice on line.parent_id = invoice.id
    inner join raw_stripe.meter_usage_period_revisions as usage
        on
            usage.customer_id = invoice.payload->>'$.customer'
            and contains(line.payload->>'$.pricing.price_details.price', replace(usage.meter_id, 'mtr_bench_', ''))
            and usage.window_start = make_timestamp((line.payload->>'$.period.start')::bigint * 1000000)
            and usage.grain = 'period'
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    assert abs(land_company(folder, ROWS) - ROWS) < ROWS / 10
    return folder


@pytest.fixture
def raw(data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        yield connection


def test_every_metered_line_bills_its_periods_summary(raw: duckdb.DuckDBPyConnection) -> None:
    [(lines, differing, totals)] = raw.execute(
        f"select count(*), count(*) filter (where used != quantity), sum(amount) from ({BILLED})"
    ).fetchall()
    [(metered,)] = raw.execute(
        "select count(*) from raw_stripe.invoice_lines where payload->>'$.pricing.price_details.price' not like '%fee%'"
    ).fetchall()
    assert (lines, differing) == (metered, 0)
    assert lines > 300
    assert totals > 0


def test_days_and_summaries_of_periods_add_up_to_the_same(raw: duckdb.DuckDBPyConnection) -> None:
    query = "select meter_id, customer_id, sum(aggregated_value) from raw_stripe.{} group by all order by all"
    days = raw.execute(query.format("meter_usage_revisions")).fetchall()
    assert days == raw.execute(query.format("meter_usage_period_revisions")).fetchall()
    assert raw.execute(
        "select min(window_start)::date, max(window_start)::date from raw_stripe.meter_usage_revisions"
    ).fetchall() == [(FIRST_DAY, LAST_DAY)]


def test_a_day_later_a_load_finds_that_day_late_usage_and_running_summaries(data: Path) -> None:
    appended = land_next_day(data)
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set variable landed_at = (select max(loaded_at) from raw_stripe.load_report)")
        [(windows, first, last)] = connection.execute(
            "select count(*), min(window_start)::date, max(window_start)::date from raw_stripe.meter_usage_revisions"
            " where first_seen_at = getvariable('landed_at')"
        ).fetchall()
        [(summaries, items)] = connection.execute(
            "select count(*), count(distinct (meter_id, customer_id)) from raw_stripe.meter_usage_period_revisions"
            " where first_seen_at = getvariable('landed_at') and grain = 'so_far'"
        ).fetchall()
    assert (windows, last) == (appended, LAST_DAY + timedelta(days=1))
    assert first >= LAST_DAY - timedelta(days=3)
    assert (summaries, items) == (18, 18)
