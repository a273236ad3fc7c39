"""The revenue forecast's arithmetic against the same done in Python, customer by customer, and what its seeds do."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from tests.dbt_project import revenue_cases
from tests.dbt_project.compiled import compiled_models
from tests.dbt_project.revenue_bench import ACCOUNT, AS_OF, MODELS, OTHERS, RevenueBench

FLAT = [1.0] * 12
GROWTH = [1.02, 1.04, 1.05, 1.06, 1.07, 1.08, 1.09, 1.10, 1.11, 1.12, 1.13, 1.14]
PARTS = ("existing_book_minor", "usage_growth_minor", "new_business_minor")


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return compiled_models(tmp_path_factory.mktemp("revenue"), *MODELS, *OTHERS)


@pytest.fixture
def bench(sql: dict[str, str]) -> RevenueBench:
    return RevenueBench(sql)


def end_of(ahead: int) -> date:
    year, month = divmod(AS_OF.year * 12 + AS_OF.month - 1 + ahead, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])


def whole(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def expected(committed: int, metered: int, levels: list[Decimal], probability: float) -> list[tuple[int, int]]:
    """Book and usage growth of one customer at each month end; levels: its metered MRR then, if it stays."""
    found = []
    for ahead, level in enumerate(levels, start=1):
        days = (end_of(ahead) - AS_OF).days
        stays = Decimal(round((1 - probability) ** (days / 90), 9)).quantize(Decimal("1e-9"))
        book = whole(committed * stays) + whole(metered * stays)
        found.append((book, whole((level - metered).quantize(Decimal("1e-6")) * stays)))
    return found


def row(rows: list[dict[str, Any]], level: str, ahead: int) -> dict[str, Any]:
    return next(one for one in rows if (one["level"], one["months_ahead"]) == (level, ahead))


def test_each_customer_is_worth_what_it_pays_times_the_chance_that_it_stays(bench: RevenueBench) -> None:
    bench.trend(GROWTH)
    bench.trend(FLAT, level="plan", plan="starter", currency="usd")
    bench.subscription("a", 10_000, 5_555, (6_000, 6_100, 6_200))
    bench.subscription("b", 333, 777)
    bench.subscription("c", 0, 9_999, plan="starter")
    bench.subscription("stranger", 4_000, 0)
    for customer, probability in (("a", 0.3), ("b", 0.05), ("c", 1.0)):
        bench.risk(customer, probability, base_rate=0.12)
    growth = [Decimal(str(one)) for one in GROWTH]
    since_third = [(one / growth[2]).quantize(Decimal("1e-9")) for one in growth]
    paths = [Decimal(6_000), Decimal(6_100), Decimal(6_200), *(6_200 * one for one in since_third[3:])]
    by_hand = [
        expected(10_000, 5_555, paths, 0.3),
        expected(333, 777, [777 * one for one in growth], 0.05),
        expected(0, 9_999, [Decimal(9_999)] * 12, 1.0),
        expected(4_000, 0, [Decimal(0)] * 12, 0.12),
    ]
    rows = bench.forecast("level = 'currency'")
    assert [(one["existing_book_minor"], one["usage_growth_minor"]) for one in rows] == [
        (sum(one[0] for one in month), sum(one[1] for one in month)) for month in zip(*by_hand, strict=True)
    ]
    assert {(one["customers"], one["customers_at_base_rate"], one["customers_without_hazard"]) for one in rows} == {
        (4, 1, 0)
    }
    assert [one["method"] for one in rows] == ["daily_model"] * 3 + ["damped_trend"] * 9


def test_levels_and_columns_add_up_and_a_currency_without_rate_is_counted_not_guessed(bench: RevenueBench) -> None:
    bench.trend(GROWTH)
    for place, (currency, plan) in enumerate(
        [("usd", "growth"), ("usd", "starter"), ("eur", "growth"), ("sek", "growth")]
    ):
        bench.subscription(f"{place}", 1_001 + place, 2_003, (2_100, 2_200, 2_050), plan=plan, currency=currency)
        bench.risk(f"{place}", 0.07 * (place + 1))
    bench.subscription("yen", 333, 0, currency="jpy")
    bench.override("add_amount", "2026-12-01", plan="growth", currency="eur", amount_minor=70)
    bench.insert("seeds.new_business", [("starter", "usd", date(2027, 1, 1), 5_000)])
    rows = bench.forecast()
    for one in rows:
        assert sum(one[part] for part in PARTS) == one["mrr_minor"]
        assert one["committed_mrr_minor"] + one["usage_revenue_minor"] == one["mrr_minor"]
        assert one["arr_minor"] == 12 * one["mrr_minor"]
        if one["level"] == "company":
            band = [one[name] for name in ("q025_minor", "q10_minor", "mrr_minor", "q90_minor", "q975_minor")]
            assert band == sorted(band)
        assert one["currencies_without_rate"] == (1 if one["level"] == "company" else 0)
    for currency in ("usd", "eur", "jpy", "sek"):
        for ahead in range(1, 13):
            mine = [one for one in rows if one["months_ahead"] == ahead and one["currency"] == currency]
            total = next(one for one in mine if one["level"] == "currency")
            for part in (*PARTS, "override_minor", "mrr_now_minor", "customers"):
                assert sum(one[part] for one in mine if one["level"] == "plan") == total[part]
    total = {one["currency"]: one for one in rows if (one["level"], one["months_ahead"]) == ("currency", 4)}
    company = row(rows, "company", 4)
    for part in ("usage_growth_minor", "new_business_minor", "override_minor"):
        in_dollars = whole(total["eur"][part] * Decimal("1.1")) + whole(total["jpy"][part] * Decimal("0.66"))
        assert company[part] == total["usd"][part] + in_dollars
    assert company["override_minor"] == 77
    assert (company["currency"], company["customers"]) == ("usd", 5)


def test_the_empty_seeds_add_nothing_and_without_a_trend_nothing_is_forecast(bench: RevenueBench) -> None:
    bench.subscription("a", 1_000, 0)
    assert bench.forecast() == []
    bench.trend(FLAT)
    rows = bench.forecast()
    assert {(one["new_business_minor"], one["override_minor"], one["annotations"]) for one in rows} == {(0, 0, None)}
    # nobody knows how many leave: taken to stay, and said
    assert {(one["mrr_minor"], one["customers_without_hazard"]) for one in rows} == {(1_000, 1)}
    assert len(rows) == 36


def test_a_booked_end_is_the_end_of_the_book_from_its_month_on(bench: RevenueBench) -> None:
    bench.trend(FLAT)
    bench.subscription("a", 1_000, 500, (500, 500, 500))
    bench.subscription("a_second", 40, 0, customer="cus_a")
    bench.insert("intermediate.int_subscription_ends", [(ACCOUNT, "sub_a", "2027-01-31 23:59:59")])
    assert [one["mrr_minor"] for one in bench.forecast("level = 'plan'")] == [1_540, 1_540] + [40] * 10
    bench.con.execute("update intermediate.int_subscription_ends set ends_at = '2027-02-01'")
    assert [one["mrr_minor"] for one in bench.forecast("level = 'plan'")] == [1_540, 1_540, 1_540] + [40] * 9


def test_overrides_do_what_their_kinds_say_and_are_visible(bench: RevenueBench) -> None:
    bench.trend(FLAT)
    bench.subscription("a", 1_000, 500)
    bench.subscription("b", 2_000, 100, plan="starter")
    bench.override("contract_end", "2027-03-15", customer_id="cus_a", note="leaves after the merger")
    bench.override("launch", "2026-12-01", to_month="2026-12-01", plan="growth", share=0.2)
    bench.override("set_usage_growth", "2027-01-01", to_month="2027-02-01", customer_id="cus_a", share=0.1)
    bench.override("launch", "2027-01-01", to_month="2027-01-01", currency="usd", amount_minor=7_000, note="new API")
    bench.override("add_amount", "2027-01-01", to_month="2027-01-01", customer_id="cus_b", amount_minor=-300)
    bench.override("note", "2026-11-01", to_month="2026-11-01", note="strike")
    rows = bench.forecast()
    plans = {(one["plan"], one["months_ahead"]): one for one in rows if one["level"] == "plan"}
    assert [plans["growth", ahead]["override_minor"] for ahead in range(1, 7)] == [0, 100, 50, 105, -1_500, -1_500]
    assert [plans["growth", ahead]["usage_growth_minor"] for ahead in range(1, 7)] == [0, 100, 50, 105, 0, 0]
    assert (plans["starter", 3]["mrr_minor"], plans["starter", 3]["override_minor"]) == (1_800, -300)
    assert (plans["none", 3]["mrr_minor"], plans["none", 3]["usage_growth_minor"]) == (7_000, 7_000)
    assert row(rows, "company", 1)["annotations"] == "strike"
    assert row(rows, "currency", 3)["annotations"] == "add amount; new API; set usage growth"
    assert plans["growth", 5]["annotations"] == "leaves after the merger"
    assert plans["starter", 5]["annotations"] is None


def test_an_override_that_cannot_be_understood_changes_nothing_and_says_why(bench: RevenueBench) -> None:
    bench.trend(FLAT)
    bench.subscription("a", 1_000, 500)
    bench.override("contract_end", "2026-11-01", customer_id="cus_nobody")
    bench.override("dance", "2026-11-01")
    bench.override("contract_end", None)
    bench.override("contract_end", "2027-01-01", to_month="2026-12-01")
    bench.override("add_amount", "2026-11-01", plan="growth", amount_minor=5)
    bench.override("launch", "2026-11-01")
    bench.override("set_usage_growth", "2026-11-01")
    bench.override("contract_end", "2026-11-01", currency="zzz")
    assert {one["mrr_minor"] for one in bench.forecast()} == {1_500}
    problems = bench.con.execute("select problem from intermediate.int_forecast_overrides order by 1").fetchall()
    assert [problem for (problem,) in problems] == [
        "an amount without currency",
        "neither amount_minor nor share",
        "no from_month",
        "no share",
        "to_month before from_month",
        "unknown currency",
        "unknown customer",
        "unknown kind",
    ]


def test_new_business_stays_from_its_month_on_less_the_base_rate(bench: RevenueBench) -> None:
    bench.trend(FLAT, band=0.2)
    bench.subscription("a", 1_000, 0)
    bench.risk("a", 0.0, base_rate=0.1)
    bench.insert(
        "seeds.new_business", [("growth", "usd", date(2026, 12, 1), 900), ("growth", "usd", date(2026, 10, 1), 1)]
    )
    rows = bench.forecast("level = 'company'")
    later = [round(900 * 0.9 ** ((end_of(ahead) - end_of(2)).days / 90)) for ahead in range(2, 13)]
    assert [one["new_business_minor"] for one in rows] == [0, *later]
    # the band is of the customers there are
    assert (rows[1]["q10_minor"], rows[1]["mrr_minor"], rows[1]["q90_minor"]) == (1_700, 1_900, 2_100)


def test_a_months_level_is_the_last_forecast_period_closed_by_its_end(bench: RevenueBench) -> None:
    bench.con.execute(revenue_cases.CLOSING_PERIODS)
    bench.build("int_metered_items_closing", "int_metered_items_ahead")
    found = bench.con.execute("""
        select subscription_item_id, now_minor, level_1_minor, level_2_minor, level_3_minor, has_paths
        from intermediate.int_metered_items_ahead order by 1
    """).fetchall()
    assert found == [
        # the period that ends as December begins closes November; the unrated one is carried over
        ("si_month", 90, 110, 120, 120, True),
        ("si_none", 70, 70, 70, 70, False),
        ("si_trial", 0, 0, 50, 50, True),
        ("si_week", 0, 130, 260, 260, True),
        ("si_year", 0, 0, 0, 200, True),
    ]


def test_ends_are_booked_by_a_date_a_period_or_a_schedule(bench: RevenueBench) -> None:
    bench.con.execute(revenue_cases.BOOKED_ENDS)
    found = bench.con.execute(
        f"select subscription_id, ends_at::date from ({bench.sql['int_subscription_ends']}) order by 1"
    )
    assert found.fetchall() == [
        ("sub_date", date(2027, 2, 3)),
        ("sub_period", date(2026, 11, 20)),
        ("sub_schedule", date(2027, 5, 1)),
    ]


def test_a_months_value_and_plan_are_those_known_at_its_end_whatever_came_later(bench: RevenueBench) -> None:
    bench.con.execute(revenue_cases.PLAN_CHANGES)
    columns = "month_start, plan, committed_mrr_minor, metered_mrr_minor, is_running, round(reporting_factor, 4)"
    bench.build("int_subscription_months", "revenue_months")
    found = bench.con.execute(f"select {columns} from features.revenue_months order by 1").fetchall()
    assert found == [
        # no bill names a plan yet: that of the present items
        (date(2026, 7, 1), "scale", 100, 0, False, 0.66),
        (date(2026, 8, 1), "starter", 100, 40, False, 0.66),
        (date(2026, 9, 1), "growth", 300, 70, False, 0.66),
        (date(2026, 10, 1), "growth", 300, 70, True, 0.66),
    ]
    bench.con.execute("delete from intermediate.int_mrr_spans where valid_from > '2026-09-01'")
    bench.con.execute("delete from intermediate.int_plan_history where known_from > '2026-09-01'")
    bench.con.execute("delete from intermediate.int_valuation_days where month_start > '2026-08-01'")
    bench.build("int_subscription_months", "revenue_months")
    assert bench.con.execute(f"select {columns} from features.revenue_months order by 1").fetchall() == found[:2]


def test_a_plan_that_only_a_seed_names_has_a_row_in_each_of_the_twelve_months(bench: RevenueBench) -> None:
    bench.trend(FLAT)
    bench.subscription("a", 1_000, 0)
    bench.insert("seeds.new_business", [("premium", "usd", date(2027, 3, 1), 700)])
    bench.override("add_amount", "2027-01-01", to_month="2027-01-01", currency="eur", amount_minor=50)
    rows = bench.forecast("level = 'plan'")
    amounts = {plan: [one["mrr_minor"] for one in rows if one["plan"] == plan] for plan in ("premium", "none")}
    assert amounts == {"premium": [0] * 4 + [700] * 8, "none": [0, 0, 50] + [0] * 9}


def test_launches_that_take_usage_away_take_no_more_than_there_is(bench: RevenueBench) -> None:
    bench.trend(FLAT)
    bench.subscription("a", 1_000, 500)
    bench.override("launch", "2026-11-01", customer_id="cus_a", share=-0.8)
    bench.override("launch", "2026-12-01", customer_id="cus_a", share=-0.7)
    assert [one["mrr_minor"] for one in bench.forecast("level = 'company'")] == [1_100] + [1_000] * 11
