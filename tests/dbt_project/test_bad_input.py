"""What Stripe may send one day: unknown fields and values, missing ones, tombstones, repeats, and nothing at all."""

from __future__ import annotations

import csv
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.commands import ROOT, dbt
from tests.dbt_project.odd_company import plant
from tests.dbt_project.raw import LOADED_AT, RawWarehouse, account

BEFORE_ML = ("--exclude", "tag:after_ml")
SEED = ROOT / "dbt_project" / "seeds" / "data_quality_checks.csv"
CHECKS = ROOT / "dbt_project" / "models" / "intermediate" / "quality"

# check → how many rows of it are planted; every other check must find nothing.
PLANTED = {
    "customers_in_unknown_currency": 1,
    "subscriptions_in_unknown_currency": 1,
    "invoices_in_unknown_currency": 1,
    "prices_in_unknown_currency": 1,
    "subscriptions_without_customer": 1,
    "items_without_subscription": 1,
    "items_without_price": 1,
    "invoices_without_customer": 2,
    "invoices_without_subscription": 1,
    "lines_without_invoice": 1,
    "lines_without_price": 1,
    "lines_of_unknown_price": 1,
    "payments_without_invoice": 1,
    "prices_without_product": 1,
    "metered_prices_without_meter": 1,
    "prices_without_tiers": 1,
    "prices_not_rateable": 3,
    "package_size_not_positive": 1,
    "prices_of_unknown_interval": 1,
    "meters_of_unknown_formula": 1,
    "subscriptions_in_unknown_status": 1,
    "invoices_in_unknown_status": 1,
    "living_subscriptions_of_deleted_customers": 1,
    "open_invoices_of_deleted_customers": 1,
    "items_of_deleted_prices": 1,
    "prices_of_deleted_products": 1,
    "lines_of_deleted_invoices": 1,
    "negative_line_quantities": 1,
    "fractional_line_quantities": 1,
    "fractional_package_usage": 1,
    "negative_period_usage": 1,
    "overlapping_periods": 1,
    "periods_not_rated": 4,
    "tiers_without_price": 1,
    "rating_overflows": 1,
    "licensed_items_not_rated": 1,
    "bills_unexplained": 1,
    "bills_differ_from_usage": 1,
    "bills_without_landed_price": 1,
    "bills_changed_by_hand": 1,
    "invoices_without_amount": 1,
    "invoice_totals_do_not_add_up": 1,
    "invoice_lines_do_not_add_up": 1,
    "settlements_unexplained": 1,
    "settlements_incomplete": 1,
    "subscriptions_with_over_ten_discounts": 1,
    "discounts_of_unknown_coupons": 1,
    "mrr_without_fx_rate": 1,
    "fx_rates_older_than_a_month": 1,
    "negative_usage": 1,
    "usage_overflows": 1,
    "usage_of_unknown_customers": 1,
    "usage_of_unknown_meters": 1,
    "usage_without_item": 2,
    "duplicated_events": 1,
    "duplicated_usage_events": 4,
    "conflicting_usage_events": 3,
    "quarantined_usage_rows": 2,
    "usage_log_differs": 2,
    "usage_log_of_unknown_objects": 1,
    "quarantined_export_rows": 1,
    "exported_bills_differ": 1,
    "load_problems": 5,
    "fatal_load_problems": 1,
}


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
    # each check is a row, also where there is nothing to find
    assert rows.pop("data_quality") == [(len(PLANTED),)]
    assert _rows(tmp_path, "select sum(rows_affected) from marts.data_quality") == [(0,)]
    assert all(count == [(0,)] for count in rows.values()), rows


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A warehouse in which everything is wrong at once, built with every test of the first pass; what dbt printed."""
    data = tmp_path_factory.mktemp("odd")
    with RawWarehouse(data) as raw:
        plant(raw)
    built = dbt(data, "build", *BEFORE_ML)
    assert built.returncode == 0, built.stdout
    return data, built.stdout


def _rows(data: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def test_an_unknown_status_is_kept_and_warned_of(odd: tuple[Path, str]) -> None:
    data, printed = odd

    assert _rows(data, "select status from marts.dim_subscriptions where subscription_id = 'sub_odd'") == [
        ("hibernating",)
    ]
    assert _rows(data, "select status, billing_reason from marts.fct_invoices where invoice_id = 'in_manual'") == [
        ("escalated", "a_new_reason")
    ]
    assert "WARN" in printed


def test_a_field_that_does_not_fit_its_type_or_is_missing_is_null(odd: tuple[Path, str]) -> None:
    data, _ = odd

    assert _rows(
        data, "select quantity from staging.stg_stripe__subscription_items where subscription_item_id = 'si_odd'"
    ) == [(None,)]
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
        data,
        "select subscription_id, price_id, amount_minor, quantity, is_metered from marts.fct_invoice_lines "
        "where invoice_line_id = 'il_manual'",
    ) == [(None, None, 300, None, False)]


def test_a_revised_day_counts_with_its_newest_value_and_days_between_are_zero(odd: tuple[Path, str]) -> None:
    data, _ = odd

    of_it = "where subscription_item_id = 'si_odd'"
    assert _rows(data, f"select sum(quantity), count(*), min(usage_date) from marts.fct_usage_daily {of_it}") == [
        (16, 28, date(2026, 2, 1))
    ]
    assert _rows(data, f"select quantity, rated_amount_minor, is_open from marts.fct_usage_periods {of_it}") == [
        (16, 8, False)
    ]


def test_every_check_counts_what_was_planted_for_it_and_nothing_else(odd: tuple[Path, str]) -> None:
    data, _ = odd

    assert dict(_rows(data, "select check_name, rows_affected from marts.data_quality")) == PLANTED
    assert _rows(data, "select distinct account_id, as_of from marts.data_quality") == [
        ("acct_test", date(2026, 2, 28))
    ]


def test_every_check_has_its_words_and_every_word_its_check() -> None:
    named = re.findall(r"'name': '(\w+)'", "".join(path.read_text() for path in CHECKS.glob("*.sql")))
    with SEED.open(newline="") as lines:
        worded = list(csv.DictReader(lines))

    assert sorted(named) == sorted(row["check_name"] for row in worded) == sorted(PLANTED)
    assert {row["severity"] for row in worded} == {"info", "warning", "error"}
    assert all(row["meaning"].endswith(".") and row["what_to_do"].endswith(".") for row in worded)


def test_no_mart_drops_what_is_odd(odd: tuple[Path, str]) -> None:
    """Every invoice that Stripe has not deleted is in the marts with its lines and its money."""
    data, _ = odd

    kept = _rows(data, "select count(*), sum(total_minor) from marts.fct_invoices")
    landed = _rows(
        data,
        "select count(*), sum((payload->>'total')::bigint) from raw_stripe.invoices "
        "where id not in (select id from raw_stripe.invoices where is_deleted)",
    )
    assert kept == landed
    lines = "select sum(amount_minor) from marts.fct_invoice_lines"
    of_invoices = "select sum((payload->>'amount')::bigint) from raw_stripe.invoice_lines where parent_id not in "
    assert _rows(data, lines) == _rows(data, of_invoices + "('in_nowhere', 'in_deleted')")
    assert _rows(data, "select currency, total_minor from marts.fct_invoices where invoice_id = 'in_xyz'") == [
        ("xyz", 2000)
    ]
    assert _rows(data, "select mrr_minor from marts.fct_mrr_monthly where currency = 'xyz'") == [(2000,)]
    assert _rows(data, "select sum(amount_remaining_minor) from marts.fct_receivables_ageing") == _rows(
        data, "select sum(amount_remaining_minor) from marts.fct_invoices where status = 'open'"
    )
