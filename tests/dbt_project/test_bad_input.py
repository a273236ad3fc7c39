"""What Stripe may send one day: unknown fields and values, missing ones, tombstones, repeats, and nothing at all."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.commands import dbt
from tests.dbt_project.raw import (
    LOADED_AT,
    RawWarehouse,
    account,
    customer,
    epoch,
    meter,
    metered_item,
    metered_price,
    subscription,
)

BEFORE_ML = ("--exclude", "tag:after_ml")
LATER = LOADED_AT + timedelta(days=1)


def test_an_account_with_nothing_in_it_builds_to_empty_marts(tmp_path: Path) -> None:
    with RawWarehouse(tmp_path) as raw:
        raw.add("accounts", [account()])
        raw.report_load(None)

    built = dbt(tmp_path, "build", "--resource-type", "model", "--resource-type", "seed", *BEFORE_ML)

    assert built.returncode == 0, built.stdout
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as con:
        as_of = con.execute("select as_of from intermediate.int_as_of").fetchall()
        tables = con.execute(
            "select table_schema, table_name from information_schema.tables where table_schema in ('marts', 'features')"
        ).fetchall()
        rows = {table: con.execute(f"select count(*) from {schema}.{table}").fetchall() for schema, table in tables}
    assert as_of == [(LOADED_AT.date() - timedelta(days=1),)]
    assert {"dim_customers", "fct_usage_periods", "usage_asof"} <= set(rows)
    assert all(count == [(0,)] for count in rows.values()), rows


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A warehouse built from odd payloads, and what dbt printed."""
    data = tmp_path_factory.mktemp("odd")
    price = metered_price("price_calls", unit_amount_decimal="0.5")
    future = {"schedule_hint": {"kind": "lunar", "phases": [1, 2]}, "status": "hibernating"}
    with RawWarehouse(data) as raw:
        raw.add("accounts", [account()])
        raw.add("meters", [meter()])
        raw.add("products", [{"id": "prod_calls", "created": epoch("2026-01-01"), "name": "Calls", "active": True}])
        raw.add(
            "prices",
            [
                price,
                {"id": "price_bare", "created": epoch("2026-01-01"), "currency": "usd"}
                | {
                    "billing_scheme": "by_the_moon",
                    "product": "prod_calls",
                    "active": True,
                    "unit_amount_decimal": None,
                },
            ],
        )
        raw.add("customers", [customer("cus_plain"), {"id": "cus_bare", "created": epoch("2026-02-01")}])
        raw.add("customers", [customer("cus_gone", name="Grace", metadata={"segment": "startup"})])
        raw.add("customers", [{"id": "cus_gone", "deleted": True}], is_deleted=True, loaded_at=LATER)
        raw.add("customers", [customer("cus_renamed", name="Old")])
        raw.add("customers", [customer("cus_renamed", name="New")] * 2, loaded_at=LATER)
        raw.add("subscriptions", [subscription("sub_odd", "cus_plain", **future)])
        raw.add("subscription_items", [metered_item("si_odd", "sub_odd", price, quantity="many")])
        raw.add("invoices", [_invoice("in_manual", parent=None, billing_reason="a_new_reason", status="escalated")])
        raw.add("invoice_lines", [_line("il_manual", "in_manual")], parent_id="in_manual")
        raw.add_usage("cus_plain", {"2026-02-10": 7, "2026-02-12": 5})
        raw.add_usage("cus_plain", {"2026-02-12": 9}, loaded_at=LATER)
        raw.report_load("2026-03-01")
    built = dbt(data, "build", *BEFORE_ML)
    assert built.returncode == 0, built.stdout
    return data, built.stdout


def _invoice(invoice_id: str, **fields: object) -> dict[str, object]:
    amounts = dict.fromkeys(("subtotal", "total", "amount_due", "amount_remaining"), 300) | {"amount_paid": 0}
    base: dict[str, object] = {"id": invoice_id, "customer": "cus_plain", "created": epoch("2026-02-05")}
    return base | {"currency": "usd", "status": "open"} | amounts | fields


def _line(line_id: str, invoice_id: str) -> dict[str, object]:
    """A manual line: no price, no subscription, no quantity."""
    period = {"start": epoch("2026-02-05"), "end": epoch("2026-02-05")}
    return {"id": line_id, "invoice": invoice_id, "amount": 300, "currency": "usd", "period": period, "pricing": None}


def _rows(data: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def test_an_unknown_status_is_kept_and_warned_of(odd: tuple[Path, str]) -> None:
    data, printed = odd

    assert _rows(data, "select status from marts.dim_subscriptions") == [("hibernating",)]
    assert _rows(data, "select status, billing_reason from marts.fct_invoices") == [("escalated", "a_new_reason")]
    assert "WARN" in printed


def test_a_field_that_does_not_fit_its_type_or_is_missing_is_null(odd: tuple[Path, str]) -> None:
    data, _ = odd

    assert _rows(data, "select quantity from staging.stg_stripe__subscription_items") == [(None,)]
    assert _rows(data, "select name, currency, segment from marts.dim_customers where customer_id = 'cus_bare'") == [
        (None, None, None)
    ]
    assert _rows(
        data, "select unit_amount_decimal, tiers_mode from marts.dim_prices where price_id = 'price_bare'"
    ) == [(None, None)]


def test_a_deleted_customer_keeps_what_was_last_known(odd: tuple[Path, str]) -> None:
    data, _ = odd

    assert _rows(data, "select name, segment, is_deleted from marts.dim_customers where customer_id = 'cus_gone'") == [
        ("Grace", "startup", True)
    ]


def test_the_latest_version_counts_once_though_it_was_appended_twice(odd: tuple[Path, str]) -> None:
    data, _ = odd

    assert _rows(data, "select name from marts.dim_customers where customer_id = 'cus_renamed'") == [("New",)]


def test_a_manual_invoice_keeps_its_line_without_a_price(odd: tuple[Path, str]) -> None:
    data, _ = odd

    assert _rows(
        data, "select subscription_id, price_id, amount_minor, quantity, is_metered from marts.fct_invoice_lines"
    ) == [(None, None, 300, None, False)]


def test_a_revised_day_counts_with_its_newest_value_and_days_between_are_zero(odd: tuple[Path, str]) -> None:
    data, _ = odd

    assert _rows(data, "select sum(quantity), count(*), min(usage_date) from marts.fct_usage_daily") == [
        (16, 28, date(2026, 2, 1))
    ]
    assert _rows(data, "select quantity, rated_amount_minor, is_open from marts.fct_usage_periods") == [(16, 8, False)]
