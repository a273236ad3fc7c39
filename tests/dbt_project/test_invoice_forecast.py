"""Whole invoices and prepaid credits from usage paths: rated, discounted and paid path by path, as Stripe would."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sandbox import waterfall
from sandbox.waterfall import Discount, Grant, Line
from tests.dbt_project.compiled import compiled_models
from tests.dbt_project.invoice_bench import MODELS, InvoiceBench
from tests.dbt_project.invoice_company import (
    DRAWS,
    END,
    NEXT_END,
    SEAT,
    SEATS,
    Company,
    cost,
    plant,
    plant_backtest,
)  # fmt: skip


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    bench = InvoiceBench(compiled_models(tmp_path_factory.mktemp("invoices"), *MODELS))
    company = Company(bench)
    plant(company)
    plant_backtest(company)
    bench.build_all()
    return company


def invoice(company: Company, name: str) -> dict[str, Any]:
    found = company.bench.rows(f"from marts.invoice_forecast where subscription_id = 'sub_{name}'")
    assert len(found) == 1, found
    return found[0]


def expected_totals(company: Company) -> list[tuple[waterfall.Totals, list[Line]]]:
    """The invoice of sub_whole on each path, by the sandbox's own waterfall."""
    item = Discount("di_calls", Decimal(10))
    rest = [Discount("di_1", Decimal("12.5")), Discount("di_2", None, 901, "usd")]
    grants = [Grant("cg_late", 4000, expires_at=2), Grant("cg_first", 1500, 1, prices=frozenset({"price_volume"}))]
    found = []
    for path in range(DRAWS):
        calls, volume = (
            cost(f"price_{part}", company.paths[f"si_{part}_whole", 0][path]) for part in ("calls", "volume")
        )
        lines = [
            Line(450), Line(calls, price="price_calls", is_metered=True, own=(item,)), Line(SEATS * SEAT),
            Line(volume, price="price_volume", is_metered=True),
        ]  # fmt: skip
        found.append((waterfall.apply(lines, rest, grants), lines))
    return found


def test_the_mean_of_the_prices_of_paths_is_not_the_price_of_their_mean(company: Company) -> None:
    edge = invoice(company, "edge")
    assert (edge["usage_minor"], edge["usage_median_minor"]) == (1500, 0)
    assert cost("price_calls", 500 + 600) == 1000
    # 500 calls in 16 of 31 days are no more than what is free
    assert (edge["run_rate_usage_minor"], edge["run_rate_total_minor"]) == (0, SEATS * SEAT)


def test_each_path_is_discounted_and_paid_as_the_sandbox_would(company: Company) -> None:
    rows = company.bench.rows(
        "from intermediate.int_upcoming_path_totals where subscription_id = 'sub_whole' and path > 0 order by path"
    )
    assert len(rows) == DRAWS
    for row, (totals, _) in zip(rows, expected_totals(company), strict=True):
        assert row["fees_minor"] + row["pending_minor"] + row["usage_minor"] == totals.subtotal
        assert -row["discounts_minor"] == totals.discounts
        # the odd unit of a fixed discount may lie on another line, of which credits pay more or less
        assert -row["credits_minor"] == pytest.approx(totals.credits, abs=1)
        assert row["total_minor"] == pytest.approx(max(totals.total - 3000, 0), abs=1)


def test_the_parts_of_an_invoice_add_up_and_its_usage_is_the_sum_of_its_items(company: Company) -> None:
    whole = invoice(company, "whole")
    parts = ("fees", "pending", "usage", "discounts", "credits", "balance")
    assert sum(whole[f"{part}_minor"] for part in parts) == whole["total_minor"]
    items = company.bench.rows(
        "select sum(rated_amount_minor) as usage from intermediate.int_usage_paths_periods"
        " where subscription_item_id like '%_whole' and period_number = 0"
    )
    assert items[0]["usage"] == whole["usage_minor"]
    totals = sum(max(totals.total - 3000, 0) for totals, _ in expected_totals(company))
    assert whole["total_minor"] == pytest.approx(totals / DRAWS, abs=2.5)


def test_a_balance_pays_the_invoices_of_a_customer_in_the_order_of_their_ends(company: Company) -> None:
    first, second = invoice(company, "two_a"), invoice(company, "two_b")
    assert (first["total_minor"], first["balance_minor"]) == (0, -SEATS * SEAT)
    assert (second["total_minor"], second["balance_minor"]) == (SEATS * SEAT - 100, -100)


def test_the_last_invoice_bills_usage_and_no_fees_and_a_trial_fees_and_no_usage(company: Company) -> None:
    last, trial = invoice(company, "last"), invoice(company, "trial")
    assert (last["is_last"], last["fees_minor"], last["usage_minor"], last["total_minor"]) == (True, 0, 1000, 1000)
    assert (trial["fees_minor"], trial["usage_minor"], trial["total_minor"]) == (SEATS * SEAT, 0, SEATS * SEAT)


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("early", "too_early", "less than 7 days"),
        ("unscored", "no_forecast", "No model has forecast"),
        ("bare", "no_forecast", "no price that is known in USD"),
        ("yearly", "beyond_horizon", "2027-10-16, more than 90 days ahead"),
        ("strange", "ok", "comes to 2100 minor units of XYZ before tax"),
    ],
)
def test_what_cannot_be_said_is_not_said_in_numbers_but_in_words(
    company: Company, name: str, status: str, words: str
) -> None:
    found = invoice(company, name)
    assert (found["status"], words in found["said"]) == (status, True), found["said"]
    assert (found["total_minor"] is None) == (found["total_q90_minor"] is None) == (status != "ok")


def test_a_meters_last_value_replaces_what_it_had(company: Company) -> None:
    gauge = invoice(company, "gauge")
    assert (gauge["usage_minor"], gauge["run_rate_usage_minor"]) == (2000, 40000)


def test_items_of_two_intervals_are_billed_apart_and_a_coupon_for_once_comes_off_the_next_invoice(
    company: Company,
) -> None:
    rows = company.bench.rows("from marts.invoice_forecast where subscription_id = 'sub_mixed' order by period_end")
    assert [(row["status"], row["fees_minor"], row["discounts_minor"]) for row in rows] == [
        ("ok", SEATS * SEAT, -SEATS * SEAT // 2),
        ("beyond_horizon", 0, None),
    ]


def test_a_suspended_subscription_has_no_invoice_to_come(company: Company) -> None:
    assert company.bench.rows("from marts.invoice_forecast where subscription_id = 'sub_paused'") == []


def test_credits_are_burnt_down_by_the_invoices_to_come_in_the_order_of_spending(company: Company) -> None:
    grants = {row["credit_grant_id"]: row for row in company.bench.rows("from marts.credit_burn_down")}
    drawn = [sum(amount for line in lines for by, amount in line.credits if by == "cg_first")
             for _, lines in expected_totals(company)]  # fmt: skip
    first, late, spent = grants["cg_first"], grants["cg_late"], grants["cg_spent_after"]
    assert first["running_draw_minor"] == pytest.approx(sum(drawn) / DRAWS, abs=0.5)
    assert (first["place"], spent["place"], late["place"]) == (1, 2, 3)
    # the period's own invoice is made when it has expired
    assert (spent["outlook"], spent["draw_minor"], "2026-11-16" in spent["said"]) == ("expires", 0, True)
    assert late["depletes_on"] in (END.date(), NEXT_END.date())
    assert late["outlook"] == "depletes"


def test_bands_are_scaled_by_what_was_missed_in_the_quarter_or_where_that_is_too_little_in_all(
    company: Company,
) -> None:
    factors = company.bench.rows(
        "from intermediate.int_band_factors where level = 'item_quantity' and for_as_of = '2026-10-31' order by quarter"
    )
    # what came was 3 distances below the median to 3.9 above it; in the first quarter to 2.9
    assert [float(row["q90_factor"]) for row in factors] == [2.3, 3.2, 3.2, 3.2, 3.2]
    assert [float(row["q10_factor"]) for row in factors] == [2.4, 2.3, 2.3, 2.3, 2.3]


def test_a_backtested_day_is_left_out_of_its_own_factors(company: Company) -> None:
    bands = company.bench.rows(
        "select distinct q10_quantity, median_quantity, q90_quantity from intermediate.int_open_periods_backtested"
    )
    assert [tuple(map(int, row.values())) for row in bands] == [(90, 100, 110)]
