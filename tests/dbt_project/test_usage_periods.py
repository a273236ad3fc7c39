"""What a billing period used when it begins at a second of its own, and what becomes of bills that say otherwise."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.commands import dbt
from tests.dbt_project.raw import (
    LOADED_AT,
    METER,
    RawWarehouse,
    account,
    customer,
    epoch,
    meter,
    metered_item,
    metered_price,
    subscription,
)

MODELS = ("--resource-type", "model", "--resource-type", "seed", "--exclude", "tag:after_ml")
FIRST, SECOND, THIRD = "2026-01-10T14:23:37", "2026-02-10T14:23:37", "2026-03-10T14:23:37"
LEVEL = "mtr_level"  # a meter whose value is the last one
# before SECOND: 10 + 85 + 5 of the 12; from it on 7 of the 12, and 26
DAYS = {"2026-01-10": 10, "2026-01-20": 85, "2026-02-10": 12, "2026-02-20": 26}
PRICE = metered_price("price_calls", unit_amount_decimal="0.5")
LEVEL_PRICE = metered_price("price_level", unit_amount_decimal="2") | {
    "recurring": {"interval": "month", "interval_count": 1, "usage_type": "metered", "meter": LEVEL}
}
TAXED = {
    "total_discount_amounts": [{"amount": 5, "discount": "di_1"}],
    # Stripe lists discounts here once more
    "total_pretax_credit_amounts": [
        {"amount": 5, "type": "discount"},
        {"amount": 10, "type": "credit_balance_transaction"},
    ],
    "total_taxes": [{"amount": 7, "tax_behavior": "exclusive"}, {"amount": 2, "tax_behavior": "inclusive"}],
    "total": 42,
}


def _begin(raw: RawWarehouse, name: str, price: dict[str, Any] = PRICE, **terms: Any) -> None:
    """A customer whose subscription began at FIRST, with one metered item that is in its second period."""
    at = {"created": epoch(FIRST)}
    span = {"current_period_start": epoch(SECOND), "current_period_end": epoch(THIRD)}
    raw.add("customers", [customer(f"cus_{name}", **at)])
    raw.add("subscriptions", [subscription(f"sub_{name}", f"cus_{name}", start_date=epoch(FIRST), **at | terms)])
    raw.add("subscription_items", [metered_item(f"si_{name}", f"sub_{name}", price, **at | span)])


def _bill(raw: RawWarehouse, name: str, amount: int, units: int, **fields: Any) -> None:
    """The final invoice of the first period, of one metered line."""
    totals = dict.fromkeys(("subtotal", "total", "amount_due", "amount_paid"), amount) | {"amount_remaining": 0}
    finished = {"finalized_at": epoch(SECOND) + 3600, "paid_at": epoch(SECOND) + 3600}
    invoice = {"id": f"in_{name}", "customer": f"cus_{name}", "created": epoch(SECOND), "currency": "usd"}
    invoice |= {"status": "paid", "status_transitions": finished} | totals | fields
    details = {"subscription": f"sub_{name}", "subscription_item": f"si_{name}", "proration": False}
    line = {"id": f"il_{name}", "invoice": invoice["id"], "amount": amount, "quantity": units, "currency": "usd"}
    line |= {
        "period": {"start": epoch(FIRST), "end": epoch(SECOND)},
        "pricing": {"price_details": {"price": PRICE["id"]}},
    }
    line |= {"parent": {"type": "subscription_item_details", "subscription_item_details": details}}
    raw.add("invoices", [invoice])
    raw.add("invoice_lines", [line])


def _summaries(raw: RawWarehouse, name: str, closed: int, so_far: int) -> None:
    raw.add_period_usage(f"cus_{name}", FIRST[:16], SECOND[:16], closed)
    raw.add_period_usage(f"cus_{name}", SECOND[:16], "2026-03-01", so_far, "so_far")


def _fill(raw: RawWarehouse) -> None:
    raw.add("accounts", [account()])
    level = meter() | {"id": LEVEL, "event_name": "level", "default_aggregation": {"formula": "last"}}
    raw.add("meters", [meter(), level])
    raw.add("products", [{"id": "prod_calls", "created": epoch("2026-01-01"), "name": "Calls", "active": True}])
    raw.add("prices", [PRICE, LEVEL_PRICE])
    for name in ("odd", "edge", "wrong", "late"):
        _begin(raw, name)
        raw.add_usage(f"cus_{name}", DAYS)
        # what the units of the wrong bill cost is neither what it says nor what was used
        _bill(raw, name, 52 if name == "wrong" else 50, 100)
    _summaries(raw, "odd", 100, 33)
    # four units at 14:23:10: Stripe bills them to the first period, the summary counts them to the second
    _summaries(raw, "edge", 96, 37)
    raw.add_period_usage("cus_edge", "2026-02-10T14:23", "2026-02-10T14:24", 4, "shared_minute")
    _summaries(raw, "wrong", 90, 43)
    _summaries(raw, "late", 100, 33)
    raw.add_period_usage("cus_late", FIRST[:16], SECOND[:16], 120, loaded_at=LOADED_AT + timedelta(days=1))
    _begin(raw, "taxed")
    _bill(raw, "taxed", 50, 100, **TAXED)
    _summaries(raw, "taxed", 100, 33)
    _begin(raw, "level", LEVEL_PRICE)
    raw.add_usage("cus_level", {"2026-01-20": 40, "2026-02-12": 60, "2026-02-20": 55, "2026-02-21": 0}, meter_id=LEVEL)
    _begin(raw, "trial", status="trialing", trial_end=epoch("2026-03-05"))
    _begin(raw, "tried", trial_end=epoch(SECOND))
    _begin(raw, "paused", status="paused")
    _begin(raw, "unpaid", status="unpaid")
    _begin(raw, "expired", status="incomplete_expired")
    raw.report_load("2026-03-01")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company's warehouse as of 2026-02-28, ten days before the second periods end."""
    data = tmp_path_factory.mktemp("periods")
    with RawWarehouse(data) as raw:
        _fill(raw)
    done = dbt(data, "build", *MODELS)
    assert done.returncode == 0, done.stdout
    return data


def _rows(data: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def _periods(data: Path, name: str) -> list[tuple[Any, ...]]:
    return _rows(
        data,
        "select quantity, rated_amount_minor, is_open, is_estimated from marts.fct_usage_periods "
        f"where customer_id = 'cus_{name}' order by period_start",
    )


def test_a_period_holds_what_its_own_summary_says_whatever_its_days_add_up_to(built: Path) -> None:
    assert _periods(built, "odd") == [(100, 50, False, False), (33, 17, True, False)]
    assert _periods(built, "wrong") == [(90, 45, False, False), (43, 22, True, False)]


def test_whole_days_make_up_the_length_of_a_period_and_the_shared_one_is_the_later_ones(built: Path) -> None:
    assert _rows(
        built,
        "select days_elapsed, days_in_period from marts.fct_usage_periods where customer_id = 'cus_odd' "
        "order by period_start",
    ) == [(31, 31), (19, 28)]


def test_a_replay_splits_the_day_that_two_periods_share_by_what_the_first_one_used(built: Path, tmp_path: Path) -> None:
    shutil.copy(built / "warehouse.duckdb", tmp_path / "warehouse.duckdb")
    done = dbt(tmp_path, "run", "--select", "+fct_usage_periods", "--vars", '{"as_of": "2026-02-15"}')
    assert done.returncode == 0, done.stdout

    assert _periods(tmp_path, "odd") == [(100, 50, False, False), (7, 4, True, True)]


def test_every_difference_from_a_bill_is_named_by_its_cause(built: Path) -> None:
    causes = _rows(
        built,
        "select customer_id, difference_minor, difference_cause from marts.fct_invoice_reconciliation order by 1",
    )

    assert causes == [
        ("cus_edge", -2, "seconds_outside_minute_grid"),
        ("cus_late", 10, "usage_after_invoice"),
        ("cus_odd", 0, None),
        ("cus_taxed", 0, None),
        ("cus_wrong", -7, "unexplained"),
    ]


def test_only_the_unexplained_difference_is_warned_of(built: Path) -> None:
    checked = dbt(built, "test", "--select", "invoices_match_the_rating_rule")

    assert checked.returncode == 0
    assert "Got 1 result" in checked.stdout


def test_values_of_a_meter_that_keeps_the_last_one_are_never_added_up(built: Path) -> None:
    assert [quantity for quantity, *_ in _periods(built, "level")] == [55]
    # a day without an event may be listed as zero: it is not a value
    assert _rows(
        built,
        "select quantity from marts.fct_usage_daily "
        "where customer_id = 'cus_level' and usage_date between '2026-02-20' and '2026-02-21' order by usage_date",
    ) == [(55,), (0,)]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("odd", "active"),
        ("trial", "trialing"),
        ("tried", "active"),
        ("paused", "suspended"),
        ("unpaid", "suspended"),
        ("expired", "never_subscribed"),
    ],
)
def test_a_customers_status_is_the_best_of_its_subscriptions(built: Path, name: str, status: str) -> None:
    assert _rows(built, f"select status from marts.dim_customers where customer_id = 'cus_{name}'") == [(status,)]


def test_a_trial_a_pause_and_an_unpaid_subscription_are_no_revenue(built: Path) -> None:
    assert _rows(built, "select distinct customer_id from marts.fct_mrr_monthly order by 1") == [
        (f"cus_{name}",) for name in ("edge", "late", "odd", "taxed", "wrong")
    ]
    assert _rows(
        built, "select customer_id from marts.fct_usage_periods where is_trial order by customer_id, period_start"
    ) == [("cus_trial",)]


def test_days_of_both_periods_are_there_and_the_meter_has_no_other(built: Path) -> None:
    days = _rows(
        built,
        f"select min(usage_date), max(usage_date), sum(quantity) from marts.fct_usage_daily "
        f"where customer_id = 'cus_odd' and meter_id = '{METER}'",
    )

    assert days == [(date(2026, 1, 10), date(2026, 2, 28), sum(DAYS.values()))]


def test_taxes_credits_and_discounts_each_have_a_column_and_lead_to_the_total(built: Path) -> None:
    assert _rows(
        built,
        "select subtotal_minor, discount_minor, pretax_credit_minor, tax_minor, inclusive_tax_minor, total_minor "
        "from marts.fct_invoices where invoice_id = 'in_taxed'",
    ) == [(50, 5, 10, 9, 2, 50 - 5 - 10 + 7)]
