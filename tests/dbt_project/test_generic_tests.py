"""The project's own data tests: a broken rule fails the build, and the words for people say which rule and where."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from tests.commands import dbt
from tests.parsed import LINTED

# What is broken, and what dbt is to say of it; warnings do not fail the build.
BROKEN = {
    "update marts.dim_customers set status = 'odd' where customer_id = "
    "(select min(customer_id) from marts.dim_customers where status = 'active')": (
        "1 of dim_customers_holds: [status in ('active', 'trialing', 'suspended', 'churned', 'never_subscribed')]"
    ),
    "update marts.fct_usage_periods set days_elapsed = -1, period_end = period_start where (subscription_item_id, "
    "period_start) = (select (subscription_item_id, period_start) from marts.fct_usage_periods order by all limit 1)": (
        "1 of fct_usage_periods_holds: [days_elapsed between 0 and days_in_period][period_start < period_end]"
    ),
    "insert into intermediate.int_customer_payments_asof from intermediate.int_customer_payments_asof limit 3": (
        "3 of customer_days_have_keys: int_customer_payments_asof (account_id, customer_id, as_of_date)"
    ),
    "update intermediate.int_customer_bills_asof set customer_id = null where customer_id = "
    "(select min(customer_id) from intermediate.int_customer_bills_asof)": (
        "of customer_days_have_keys: int_customer_bills_asof (account_id, customer_id, as_of_date)"
    ),
    "update marts.fct_mrr_movements set movement_kind = 'sideways' where month_start = "
    "(select max(month_start) from marts.fct_mrr_movements)": ": movement_kind in movement_kinds",
    "update marts.fct_invoices set status = 'lost' "
    "where invoice_id = (select min(invoice_id) from marts.fct_invoices)": (
        "1 of fct_invoices_should_hold: [status in ('draft', 'open', 'paid', 'uncollectible', 'void')]"
    ),
}
UNKNOWN = (
    "update marts.fct_invoices set paid_at = null where invoice_id = (select max(invoice_id) from marts.fct_invoices)"
)
TESTS = ["dim_customers_holds", "fct_usage_periods_holds", "customer_days_have_keys"]
TESTS += ["fct_invoices_holds", "fct_invoices_should_hold", "fct_mrr_movements,test_name:refers_to"]


@pytest.fixture(scope="module")
def said(modelled_company: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What dbt prints when it tests a warehouse in which each of these rules is broken."""
    data = tmp_path_factory.mktemp("broken")
    shutil.copy(modelled_company / "warehouse.duckdb", data / "warehouse.duckdb")
    with duckdb.connect(str(data / "warehouse.duckdb")) as con:
        for statement in (*BROKEN, UNKNOWN):
            con.execute(statement)
    tested = dbt(data, "--no-use-colors", "test", "--select", *TESTS)
    assert tested.returncode == 1, tested.stdout
    assert "WARN=1 ERROR=4" in tested.stdout, tested.stdout
    # and dbt did not parse the project for it anew (tests/parsed.py)
    assert not LINTED.exists() or "Unable to do partial parsing" not in tested.stdout, tested.stdout
    return tested.stdout


@pytest.mark.parametrize("words", BROKEN.values())
def test_a_rule_that_is_broken_is_named_with_the_number_of_rows_that_break_it(said: str, words: str) -> None:
    assert words in said


def test_a_null_passes_a_rule_that_compares_it(said: str) -> None:
    assert "fct_invoices_holds" not in said.split("Finished running")[1], "paid_at >= created_at, of an unpaid one"
    assert "fct_invoices_holds" in said
