"""What the staging models make of payloads: exact, lenient, nothing unfinished, the newest version and the history."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_pipelines.stripe_api import KINDS
from tests.commands import ROOT, dbt
from tests.dbt_project.raw import LOADED_AT, METER, RawWarehouse, account, customer, epoch, meter

LATER, LAST = LOADED_AT + timedelta(hours=1), LOADED_AT + timedelta(hours=2)
BEYOND = 2**53 + 1  # the first integer that a float cannot hold
TABLES = sorted({table for kind in KINDS for table in (kind.table, *(nested.table for nested in kind.nested))})
MADE_UP = "Hopper"  # stands for what must not come through
PERSON = {"name": f"Grace {MADE_UP}", "email": f"grace@{MADE_UP}.example", "phone": MADE_UP}
PERSONAL: dict[str, dict[str, Any]] = {
    "payment_methods": {"billing_details": PERSON, "card": {"brand": "visa", "last4": MADE_UP, "fingerprint": MADE_UP}},
    "charges": {"receipt_email": MADE_UP, "payment_method_details": {"card": {"last4": MADE_UP}}},
    "payment_intents": {"receipt_email": MADE_UP, "shipping": PERSON, "client_secret": MADE_UP},
    "disputes": {"evidence": {"customer_name": MADE_UP, "customer_purchase_ip": MADE_UP}},
    "invoices": {"customer_name": MADE_UP, "customer_email": MADE_UP, "hosted_invoice_url": MADE_UP},
}  # fmt: skip


def _fill(raw: RawWarehouse) -> None:
    raw.add("accounts", [account()])
    raw.add("meters", [meter()])
    for table in TABLES:
        raw.add(table, [{"id": "bare"}], parent_id="parent")
        # nothing is of the type that Stripe describes
        raw.add(
            table, ['{"id":"odd","amount":{"a":[1]},"customer":7,"currency":true,"metadata":[],"discounts":"none"}']
        )
    raw.add("charges", [f'{{"id":"ch_big","amount":{BEYOND},"currency":"USD","customer":{{"id":"cus_big"}}}}'])
    tier = f'{{"up_to":{BEYOND},"unit_amount_decimal":"0.000000000001"}}'
    raw.add("prices", [f'{{"id":"price_big","unit_amount_decimal":"9007199254.740993123456","tiers":[{tier}]}}'])
    coupon = {"id": "TEN", "percent_off": 10.125, "applies_to": {"products": ["prod_a", "prod_b"]}}
    raw.add("coupons", [coupon])
    discount = {"id": "di_1", "start": epoch("2026-02-01"), "end": None, "source": {"coupon": coupon}}
    raw.add("invoices", [{"id": "in_expanded", "customer": customer("cus_1"), "discounts": [discount, "di_2"]}])
    for table, fields in PERSONAL.items():
        raw.add(table, [{"id": "personal"} | fields])
    # versions: appended in another order than they were read, twice in one load, and deleted
    raw.add("customers", [customer("cus_late", name="new")], loaded_at=LATER)
    raw.add("customers", [customer("cus_late", name="old")])
    raw.add("customers", [customer("cus_twice", name=name) for name in ("first", "second")], loaded_at=LATER)
    raw.add("customers", [customer("cus_gone", name="Ada")])
    raw.add("customers", ['{"id":"cus_gone","deleted":true}'], is_deleted=True, loaded_at=LATER)
    raw.add_usage("cus_late", {"2026-02-10": 7}, loaded_at=LATER)
    raw.add_usage("cus_late", {"2026-02-10": 5})
    raw.report_load("2026-02-28", recorded_at=datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=27))


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder in which dbt has built staging from odd payloads. Copy before changing."""
    data = tmp_path_factory.mktemp("staged")
    with RawWarehouse(data) as raw:
        _fill(raw)
    # the tests of keys and of the models above are other files' work
    chosen = ("staging.stripe,resource_type:model", "usage_is_covered_to_within_two_days")
    built = dbt(data, "build", "--select", *chosen, "--indirect-selection", "empty")
    assert built.returncode == 0, built.stdout
    assert "WARN=0" in built.stdout
    return data


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


def again(staged: Path, model: str, kind: str = "models/staging/stripe") -> str:
    """The SQL that dbt ran for a model, to run it on other raw rows."""
    return (staged / "dbt" / "compiled" / "meterwise" / kind / f"{model}.sql").read_text()


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
    told = {name: value for name, value in known.items() if value and name not in {"account_id", key}}
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


def test_rows_of_a_load_show_only_when_it_has_written_its_report(staged: Path, tmp_path: Path) -> None:
    shutil.copy(staged / "warehouse.duckdb", tmp_path)
    seen = (
        (again(staged, "stg_stripe__customers"), "customer_id = 'cus_twice'", "name"),
        (again(staged, "stg_stripe__subscription_items"), "subscription_item_id = 'si_new'", "subscription_id"),
        (again(staged, "stg_stripe__meter_usage"), "customer_id = 'cus_late'", "quantity"),
        (again(staged, "stg_stripe__meter_period_usage"), "true", "quantity"),
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
    behind = again(staged, "usage_is_covered_to_within_two_days", "tests")
    model = again(staged, "stg_stripe__load_report")
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
        f"select customer_id, name, is_deleted, livemode from ({again(staged, 'stg_stripe__customers')})"
    )
    assert theirs.fetchall() == [("cus_theirs", "second", False, True)]


def test_freshness_goes_by_the_loaders_own_clock(staged: Path) -> None:
    """27 hours warn, though Stripe's clock in the report is months away, and though it is another hour elsewhere."""
    checked = dbt(staged, "source", "freshness", TZ="America/New_York")

    assert checked.returncode == 0, checked.stdout
    assert "WARN freshness of stripe.load_report" in checked.stdout
