"""What a customer is worth under a price book: a month's margin times the months that they are expected to stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.dbt_project.pricing_bench import NEXT, PAST, PricingBench
from tests.dbt_project.test_pricing import DEARER, TODAY


@pytest.fixture(scope="module")
def made(manifest: dict[str, Any]) -> PricingBench:
    return PricingBench(manifest)


@pytest.fixture
def bench(made: PricingBench) -> PricingBench:
    """A price p in dollars, and nobody who uses it yet."""
    made.begin(TODAY)
    return made


def test_a_dearer_bill_shortens_the_stay(bench: PricingBench) -> None:
    bench.use("c", "p", 4000)
    bench.answer("churn", "1", "2", "3")
    bench.add("marts.customer_ltv", customer_id="c", currency="usd", monthly_churn=Decimal("0.02"),
              expected_months_mid=Decimal("25.87"), lifetime_cap_months=36)  # fmt: skip
    bench.book("b", *DEARER)
    bench.build()

    found = bench.customers("b")["c"]
    odds = 0.02 / 0.98 * 1.2**2
    months, still_there = 0.0, 1.0
    for month in range(36):
        months += still_there
        still_there *= 1 - (odds / (1 + odds) if month < 3 else 0.02)  # a new bill is felt for three months
    cost = 900 + 40  # a subscription and 4,000 calls, by the seed unit_costs
    assert found["ltv_before_minor"] == round((900 - cost) * 25.87)
    assert abs(found["ltv_after_minor"] - (1080 - cost) * months) <= 1
    assert found["ltv_after_low_minor"] < found["ltv_after_minor"] < found["ltv_after_high_minor"]


def test_who_paid_nothing_and_now_pays_is_no_likelier_to_stay(bench: PricingBench) -> None:
    bench.use("free", "p", 500)
    bench.use("freer", "p", 50)
    bench.answer("churn", "1", "2", "3")
    for customer in ("free", "freer"):
        bench.add("marts.customer_ltv", customer_id=customer, currency="usd", monthly_churn=Decimal("0.02"),
                  expected_months_mid=Decimal("25.84"), lifetime_cap_months=36)  # fmt: skip
    bench.book("b", {"tiers_mode": "graduated", "up_to": "100", "unit_amount_decimal": "0"},
               {"tiers_mode": "graduated", "unit_amount_decimal": "0.4"})  # fmt: skip
    bench.build()

    # bill less cost of a subscription and the calls, times months: the odds are multiplied by 4^2 for three of them
    odds = 0.02 / 0.98 * 4**2
    leaves = odds / (1 + odds)
    months = sum((1 - leaves) ** month for month in range(3)) + (1 - leaves) ** 3 * sum(0.98**m for m in range(33))
    found = bench.customers("b")
    assert abs(found["free"]["ltv_after_minor"] - (160 - 905) * months) <= 5
    assert abs(found["freer"]["ltv_after_minor"] - found["freer"]["ltv_before_minor"]) <= 5


def test_no_year_of_history_has_thirteen_months(bench: PricingBench) -> None:
    """Bills on the last day of each month: a leap day is not within the year that ends on a February 28."""
    bench.con.execute("update intermediate.int_as_of set as_of = '2029-02-28', known_until = '2029-03-01'")
    ends = [datetime(2028 + month // 12, month % 12 + 1, 28 + (month == 1), 12) for month in range(1, 14)]  # noqa: DTZ001
    bench.use("c", "p", 4000)
    bench.con.execute("delete from marts.fct_usage_periods")
    for end in ends:
        bench.use("c", "p", 4000, period_start=end - timedelta(28), period_end=end)
    bench.build()

    found = bench.customers("today")["c"]
    assert (found["months"], found["before_minor"]) == (12, 12 * 900)


def test_a_fee_of_a_year_is_of_twelve_months(bench: PricingBench) -> None:
    """A lifetime is worth what a month leaves, and a subscription costs each month, however seldom it is billed."""
    bench.sell("fee", {"currency": "usd", "billing_scheme": "per_unit", "unit_amount_decimal": "120000"},
               usage_type="licensed", meter_event_name=None, billing_interval="year")  # fmt: skip
    fee = {"subscription_id": "sub_c_usd", "customer_id": "c", "price_id": "fee", "currency": "usd"}
    bench.use("c", "p", 500)
    bench.con.execute("delete from marts.fct_usage_periods")
    bench.add("intermediate.int_invoice_lines", **fee, subscription_item_id="si", invoice_id="in_y", period_start=PAST,
              period_end=PAST + timedelta(365), quantity=1, amount_minor=120000, is_known=True, finalized_at=PAST,
              is_void=False, is_metered=False, is_proration=False)  # fmt: skip
    bench.add("intermediate.int_upcoming_items", **fee, subscription_item_id="si", is_running=True, is_last=False,
              is_trial=False, is_metered=False, quantity=1, period_start=PAST,
              period_end=PAST + timedelta(365))  # fmt: skip
    bench.add("marts.customer_ltv", customer_id="c", currency="usd", expected_months_mid=Decimal("20"))
    # who leaves in two months is billed for two
    bench.use("d", "p", 500)
    usage = {"subscription_item_id": "si_d", "subscription_id": "sub_d_usd", "customer_id": "d", "price_id": "p"}
    bench.add("intermediate.int_upcoming_items", **usage, currency="usd", is_running=True, is_last=False,
              is_trial=False, is_metered=True, period_start=PAST, period_end=NEXT)  # fmt: skip
    bench.add("intermediate.int_usage_paths_rated", subscription_item_id="si_d", is_backtest=False, path=1,
              period_number=0, period_start=PAST, quantity=4000)  # fmt: skip
    bench.add("intermediate.int_subscription_ends", subscription_id="sub_d_usd", ends_at=NEXT + timedelta(30))
    bench.build()

    for basis in ("history", "forecast"):
        found = bench.customers("today", basis)["c"]
        assert (found["months"], found["cost_before_minor"]) == (12, 12 * 900), basis
        assert found["ltv_before_minor"] == (120000 - 12 * 900) * 20 // 12
    leaving = bench.customers("today", "forecast")["d"]
    assert (leaving["months"], leaving["before_minor"], leaving["cost_before_minor"]) == (2, 1800, 2 * (900 + 40))
