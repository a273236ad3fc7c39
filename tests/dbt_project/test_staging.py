"""What the staging models make of payloads: exact, lenient, nothing unfinished, the newest version and the history."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.commands import ROOT, dbt
from tests.dbt_project.raw import LOADED_AT, METER, RawWarehouse, customer
from tests.dbt_project.staged_payloads import BEYOND, LAST, LATER, MADE_UP, TABLES, whole


@pytest.fixture(scope="module")
def con(staged: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the warehouse, to look only."""
    copy = shutil.copy(staged / "warehouse.duckdb", tmp_path_factory.mktemp("looked_at"))
    with duckdb.connect(copy, read_only=True) as opened:
        yield opened


@pytest.fixture
def copy(staged: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a warehouse of one's own."""
    with duckdb.connect(shutil.copy(staged / "warehouse.duckdb", tmp_path)) as opened:
        yield opened


def test_integers_and_decimals_beyond_a_float_come_through_exactly(con: duckdb.DuckDBPyConnection) -> None:
    charge = con.execute("select amount_minor, currency from staging.stg_stripe__charges where charge_id = 'ch_big'")
    assert charge.fetchall() == [(BEYOND, "usd")]
    price = con.execute(
        "select unit_amount_decimal, tiers[1].up_to, tiers[1].unit_amount_decimal "
        "from staging.stg_stripe__prices where price_id = 'price_big'"
    )
    assert price.fetchall() == [(Decimal("9007199254.740993123456"), BEYOND, "0.000000000001")]
    percent = con.execute("select percent_off from staging.stg_stripe__coupons where coupon_id = 'TEN'").fetchall()
    assert percent == [(Decimal("10.125"),)]


def test_no_column_is_a_float(con: duckdb.DuckDBPyConnection) -> None:
    types = con.execute("select distinct data_type from duckdb_columns() where schema_name = 'staging'").fetchall()
    assert len(types) > 8
    assert [name for (name,) in types if "DOUBLE" in name or "FLOAT" in name] == []


@pytest.mark.parametrize("table", TABLES)
def test_a_payload_of_nothing_but_an_id_or_of_other_types_is_a_row_of_nulls(
    con: duckdb.DuckDBPyConnection, table: str
) -> None:
    model = f"staging.stg_stripe__{table}"
    columns = [name for name, *_ in con.execute(f"describe {model}").fetchall()]
    key = columns[1]
    assert columns[0] == "account_id"
    assert con.execute(f"select count(*) from {model} where {key} = 'odd'").fetchall() == [(1,)]
    [bare] = con.execute(f"select * from {model} where {key} = 'bare'").fetchall()
    known = dict(zip(columns, bare, strict=True))
    assert known["is_deleted"] is False
    told = {name: value for name, value in known.items() if value and name not in {"account_id", key, "version_hash"}}
    assert set(told.values()) <= {"parent", True}, told  # true only where nothing else is pending


def test_an_id_is_the_same_whether_the_object_was_expanded_or_not(con: duckdb.DuckDBPyConnection) -> None:
    assert con.execute(
        "select customer_id from staging.stg_stripe__charges where charge_id = 'ch_big' union all "
        "select customer_id from staging.stg_stripe__invoices where invoice_id = 'in_expanded'"
    ).fetchall() == [("cus_big",), ("cus_1",)]
    [(discounts,)] = con.execute(
        "select discounts from staging.stg_stripe__invoices where invoice_id = 'in_expanded'"
    ).fetchall()
    begun = {"discount_id": "di_1", "coupon_id": "TEN", "starts_at": datetime.fromisoformat("2026-02-01")}
    assert discounts == [begun | {"ends_at": None}, dict.fromkeys((*begun, "ends_at"))]


def test_nothing_that_names_a_person_leaves_the_customers_and_the_payloads(con: duckdb.DuckDBPyConnection) -> None:
    tables = con.execute("select table_name from duckdb_tables() where schema_name = 'staging'").fetchall()
    assert len(tables) > len(TABLES)
    shown = [
        name
        for (name,) in tables
        if con.execute(
            f"select * from staging.{name} as model where contains(cast(model as varchar), '{MADE_UP}')"
        ).fetchall()
    ]
    assert shown == []
    brand = "select card_brand from staging.stg_stripe__payment_methods where payment_method_id = 'personal'"
    assert con.execute(brand).fetchall() == [("visa",)]


def test_the_version_read_last_counts_and_of_one_load_the_one_appended_last(con: duckdb.DuckDBPyConnection) -> None:
    assert con.execute(
        "select customer_id, name, is_deleted from staging.stg_stripe__customers where is_deleted or name in "
        "('new', 'old', 'first', 'second') order by all"
    ).fetchall() == [("cus_gone", "Ada", True), ("cus_late", "new", False), ("cus_twice", "second", False)]
    assert con.execute("select quantity, is_revised, revised_at from staging.stg_stripe__meter_usage").fetchall() == [
        (7, True, LATER)
    ]


def test_what_changed_is_staged_anew_and_nothing_else_is_left(staged: Path, con: duckdb.DuckDBPyConnection) -> None:
    """After the second run every table holds what the first run's SQL makes of all that has landed."""
    products = con.execute("select product_id, product_name, is_deleted from staging.stg_stripe__products order by all")
    assert [row for row in products.fetchall() if row[0] not in {"bare", "odd"}] == [
        ("back", "back now", False),
        ("gone", "as before", True),
        ("kept", "as before", False),
        ("made", "made now", False),
        ("renamed", "renamed now", False),
    ]
    tables = con.execute("select table_name from duckdb_tables() where schema_name = 'staging'").fetchall()
    assert len(tables) > len(TABLES)
    for (table,) in tables:
        columns = ", ".join(name for name, *_ in con.execute(f"describe staging.{table}").fetchall())
        shown, all_of_it = (
            f"select {columns} from {each}" for each in (f"staging.{table}", f"({whole(staged, table)})")
        )
        for query in (f"{shown} except all {all_of_it}", f"{all_of_it} except all {shown}"):
            assert con.execute(query).fetchall() == [], table


def test_rows_of_a_load_show_only_when_it_has_written_its_report(staged: Path, tmp_path: Path) -> None:
    shutil.copy(staged / "warehouse.duckdb", tmp_path)
    seen = (
        (whole(staged, "stg_stripe__customers"), "customer_id = 'cus_twice'", "name"),
        (whole(staged, "stg_stripe__subscription_items"), "subscription_item_id = 'si_new'", "subscription_id"),
        (whole(staged, "stg_stripe__meter_usage"), "customer_id = 'cus_late'", "quantity"),
        (whole(staged, "stg_stripe__meter_period_usage"), "true", "quantity"),
        ("from staging.stg_stripe__versions", "id in ('cus_twice', 'si_new') and is_current", "kind"),
        ("from staging.stg_stripe__meter_usage_versions", "is_current", "quantity"),
    )

    def look(raw: RawWarehouse) -> list[list[tuple[Any, ...]]]:
        return [
            raw.rows(f"select {column} from ({sql}) where {condition} order by all") for sql, condition, column in seen
        ]

    with RawWarehouse(tmp_path) as raw:
        before = [[("second",)], [], [(7,)], [], [("customers",)], [(7,)]]
        assert look(raw) == before
        raw.add("customers", [customer("cus_twice", name="third")], loaded_at=LAST)
        raw.add("subscription_items", [{"id": "si_new"}], parent_id="sub_new", loaded_at=LAST)
        raw.add_usage("cus_late", {"2026-02-10": 9}, loaded_at=LAST)
        raw.add_period_usage("cus_late", "2026-02-01", "2026-02-28", 9, loaded_at=LAST)
        assert look(raw) == before
        raw.report_load("2026-02-28", "run_2")
        after = [[("third",)], [("sub_new",)], [(9,)], [(9,)], [("customers",), ("subscription_items",)], [(9,), (9,)]]
        assert look(raw) == after


def test_every_version_is_kept_with_the_time_it_was_read_and_superseded(con: duckdb.DuckDBPyConnection) -> None:
    versions = con.execute(
        "select id, payload ->> '$.name', is_deleted, is_current, loaded_at, superseded_at "
        "from staging.stg_stripe__versions where kind = 'customers' and id in ('cus_late', 'cus_gone') "
        "order by id, loaded_at"
    ).fetchall()
    assert versions == [
        ("cus_gone", "Ada", False, False, LOADED_AT, LATER),
        ("cus_gone", None, True, True, LATER, None),
        ("cus_late", "old", False, False, LOADED_AT, LATER),
        ("cus_late", "new", False, True, LATER, None),
    ]
    assert con.execute("select distinct kind from staging.stg_stripe__versions order by 1").fetchall() == [
        (table,) for table in sorted({*TABLES, "accounts"})
    ]
    usage = (
        "select grain, quantity, is_current, superseded_at from staging.stg_stripe__meter_usage_versions order by all"
    )
    assert con.execute(usage).fetchall() == [("day", 5, False, LATER), ("day", 7, True, None)]


def test_an_active_meter_without_recent_usage_is_warned_of(staged: Path, copy: duckdb.DuckDBPyConnection) -> None:
    behind = whole(staged, "usage_is_covered_to_within_two_days", "tests")
    model = whole(staged, "stg_stripe__load_report")
    assert copy.execute(behind).fetchall() == []
    for until, found in (("2026-02-27T06:00:00", 0), ("2026-02-27T05:59:59", 1), (None, 1)):
        copy.execute("update raw_stripe.load_report set covered_until = ? where kind = 'meter_usage'", [until])
        copy.execute(f"create or replace table staging.stg_stripe__load_report as {model}")
        assert [row[1] for row in copy.execute(behind).fetchall()] == [METER] * found, until


def test_the_view_over_another_loaders_table_that_the_page_shows_works(
    staged: Path, copy: duckdb.DuckDBPyConnection
) -> None:
    [view] = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "staging-contract.md").read_text(), flags=re.DOTALL)
    copy.execute("create schema airbyte_internal; drop table raw_stripe.customers")
    copy.execute(
        "create table airbyte_internal.stripe_raw__stream_customers "
        "(_airbyte_raw_id varchar, _airbyte_data json, _airbyte_extracted_at timestamptz)"
    )
    for number, (name, hours) in enumerate([("first", 0), ("second", 1), ("unfinished", 9)]):
        row = [str(number), json.dumps(customer("cus_theirs", name=name)), LOADED_AT.replace(tzinfo=UTC)]
        copy.execute(
            "insert into airbyte_internal.stripe_raw__stream_customers "
            f"select $1, $2, $3::timestamptz + interval {hours} hour",
            row,
        )
    copy.execute("set timezone = 'UTC'")
    copy.execute(view)

    theirs = copy.execute(
        f"select customer_id, name, is_deleted, livemode from ({whole(staged, 'stg_stripe__customers')})"
    )
    assert theirs.fetchall() == [("cus_theirs", "second", False, True)]


def test_freshness_goes_by_the_loaders_own_clock(staged: Path) -> None:
    """27 hours warn, though Stripe's clock in the report is months away, and though it is another hour elsewhere."""
    checked = dbt(staged, "source", "freshness", TZ="America/New_York")

    assert checked.returncode == 0, checked.stdout
    assert "WARN freshness of stripe.load_report" in checked.stdout
