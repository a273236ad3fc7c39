"""Price books that nobody understands, or that break a rule: refused with the row named; the others are computed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.dbt_project.pricing_bench import PricingBench
from tests.dbt_project.test_pricing import TODAY, bill

Tier = dict[str, Any]
QUOTA: Tier = {"tiers_mode": "graduated", "up_to": "1000", "unit_amount_decimal": "0"}
REST: Tier = {"tiers_mode": "graduated", "unit_amount_decimal": "0.4"}
NAMED: Tier = {"price_id": "", "meter_event_name": "api_calls"}

# name → its rows, and the words that the refusal must have: what is wrong, and the row as it stands in the file
WRONG: dict[str, tuple[list[Tier], str, str]] = {
    "gap": ([QUOTA, REST | {"above": "2000"}], "gap", "gap,p,,,,usd,graduated,2000,"),
    "overlap": ([QUOTA, REST | {"above": "900"}], "overlap", "overlap,p,,,,usd,graduated,900,"),
    "two_lasts": ([QUOTA, REST, REST | {"unit_amount_decimal": "0.5"}], "more than once", ",0.5,"),
    "same_row": ([QUOTA, QUOTA, REST], "more than once", "1000,0,"),
    "bounded": ([QUOTA, REST | {"up_to": "5000"}], "last tier has a bound", "5000,0.4"),
    "moon": ([QUOTA, REST | {"currency": "moon"}], "does not know the currency", "moon,graduated"),
    "negative": ([QUOTA, REST | {"unit_amount_decimal": "-0.1"}], "below zero", "-0.1"),
    "negative_floor": ([REST | {"minimum_amount_minor": "-5"}], "below zero", "-5"),
    "words": ([QUOTA, REST | {"unit_amount_decimal": "cheap"}], "a number is expected", "cheap"),
    "not_finite": ([QUOTA, REST | {"unit_amount_decimal": "NaN"}], "a number is expected", "NaN"),
    "half_a_yen": ([REST | {"minimum_amount_minor": "0.5"}], "a number is expected", "0.5"),
    "bad_bound": ([QUOTA | {"up_to": "1k"}, REST], "a number is expected", "1k"),
    "priceless": ([QUOTA, REST | {"unit_amount_decimal": ""}], "no unit price", "priceless,p,"),
    "mode": ([REST | {"tiers_mode": "lunar"}], "tiers_mode", "lunar"),
    "nameless": ([REST | {"price_id": ""}], "names no price", "nameless,,"),
    "flat_bound": ([REST | {"tiers_mode": "per_unit", "up_to": "5"}], "only a graduated or volume", "per_unit"),
    "sized_tiers": ([QUOTA | {"package_size": "1000"}, REST], "by the package", "1000,0,,1000"),
    "sized_units": ([REST | {"tiers_mode": "per_unit", "package_size": "1000"}], "by the package", "0.4,,1000"),
    "unsized": ([{"unit_amount_decimal": "0.4", "package_rounding": "down"}], "by the package", "0.4,,,down"),
    "mixed": ([QUOTA, REST | {"tiers_mode": "volume"}], "disagree", "graduated"),
    "twice": ([REST, REST | NAMED | {"plan": "Growth"}], "another name", "growth"),
    "intervals": ([REST | NAMED], "by price_id", "api_calls"),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(manifest: dict[str, Any]) -> PricingBench:
    return PricingBench(manifest)


@pytest.fixture
def bench(made: PricingBench) -> PricingBench:
    """One customer on the price p, which bills by the month."""
    made.begin(TODAY)
    made.use("c", "p", 4000)
    return made


def judged(bench: PricingBench) -> dict[str, dict[str, Any]]:
    return {row["book"]: row for row in bench.rows("from intermediate.int_price_books_judged")}


def test_a_book_that_nobody_can_understand_is_refused_with_its_row_and_others_go_on(bench: PricingBench) -> None:
    bench.sell("yearly", TODAY, plan="growth_yearly", billing_interval="year")
    for name, (tiers, _, _) in WRONG.items():
        bench.book(name, *tiers)
    bench.book("empty")
    bench.book("someday", REST, starts_on="next spring")
    bench.book("double", REST)
    bench.add("seeds.price_books", book="double")
    for table, column in {"price_books": "book", "price_book_tiers": "book", "contract_locks": "note"}.items():
        bench.add(f"seeds.{table}", **{column: None})  # an empty line
    bench.book("today", REST)
    bench.add("seeds.price_book_tiers", book="unheard_of", price_id="p", currency="usd", unit_amount_decimal="1")
    bench.book("right", QUOTA, REST | {"unit_amount_decimal": "0.35"})
    bench.con.execute("delete from seeds.unit_costs where meter_event_name = 'subscription'")
    bench.build()

    found = judged(bench)
    for name, (_, what, row) in WRONG.items():
        assert found[name]["is_refused"], name
        assert {part in found[name]["refusal"] for part in (what, row)} == {True}, (name, found[name]["refusal"])
    others = {
        "empty": "has no row", "someday": "next spring", "double": "more than once", "today_taken": "today is taken",
        "unheard_of": "price_books has no book",
    }  # fmt: skip
    for name, what in others.items():
        assert what in found[name]["refusal"]
    assert found["right"]["refusal"] is None
    assert set(found) == {*WRONG, *others, "right"}
    rows = bench.rows("from marts.pricing_scenarios where segment = 'all'")
    figures = {row["book"]: row["after_minor"] for row in rows}
    assert {name for name, after in figures.items() if after is not None} == {"today", "right"}
    assert (figures["right"], figures["today"]) == (1050, bill(TODAY, 4000))
    assert set(figures) == {*found, "today"}


def test_a_book_whose_names_match_nothing_reaches_nobody(bench: PricingBench) -> None:
    bench.book("elsewhere", REST | {"price_id": "", "plan": "platinum", "meter_event_name": "api_calls"})
    bench.build()

    [found] = judged(bench).values()
    assert (found["is_refused"], found["prices_replaced"], found["customers_repriced"]) == (False, 0, 0)
    assert bench.customers("elsewhere")["c"]["reach"] == "not_reached"


def test_a_row_whose_name_fits_no_price_is_named_though_the_others_count(bench: PricingBench) -> None:
    bench.book("half", QUOTA, REST, REST | NAMED | {"meter_event_name": "api_call"})
    bench.build()

    rows = bench.rows("select rows_without_price from marts.pricing_scenarios where book = 'half' and segment = 'all'")
    assert [row["rows_without_price"] for row in rows] == ["half,,,,api_call,usd,graduated,,,0.4,,,,"]
    assert bench.customers("half")["c"]["after_unchanged_usage_minor"] == 1200


def test_a_book_that_breaks_a_rule_is_refused_in_words_that_name_it(bench: PricingBench) -> None:
    """900 a month for a subscription and .01 a call by unit_costs; at 4,000 calls today's bill is 900."""
    bench.add("seeds.competitor_prices", competitor="Acme", meter_event_name="api_calls", currency="usd",
              quantity="4000", amount_minor="2000")  # fmt: skip
    bench.book("poor", QUOTA, REST | {"unit_amount_decimal": "0.4"})
    bench.book("below_cost", QUOTA, REST | {"unit_amount_decimal": "0.0105"})
    bench.book("rich", QUOTA, REST | {"unit_amount_decimal": "0.8"})
    bench.book("dearest", QUOTA, REST | {"unit_amount_decimal": "0.9"})
    bench.build()

    found = judged(bench)
    assert found["poor"]["margin"] == Decimal("0.216667")
    said = {
        "poor": ["min_margin"], "below_cost": ["min_unit_margin", "0.0105"], "rich": ["most_shocked_share"],
        "dearest": ["most_above_competitor", "Acme"],
    }  # fmt: skip
    for book, parts in said.items():
        assert [part for part in parts if part not in found[book]["refusal"]] == [], book
    assert "most_above_competitor" not in found["rich"]["refusal"]  # 2,400 is within a quarter above 2,000


COSTS, RULES = "unit_costs has no number, or several, for usd", "price_rules has no number, or several, for"
ANSWER = "insert into seeds.elasticity_assumptions (response, low, mid, high) values"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("delete from seeds.unit_costs where meter_event_name = 'api_calls'", f"{COSTS} api_calls"),
        ("update seeds.unit_costs set unit_cost_decimal = 'little'", f"{COSTS} api_calls"),
        ("update seeds.unit_costs set unit_cost_decimal = 'x' where note like '%month'", f"{COSTS} subscription"),
        ("insert into seeds.unit_costs values ('subscription', 'USD', '1', '')", f"{COSTS} subscription"),
        ("update seeds.price_rules set value = 'much' where rule = 'min_margin'", f"{RULES} min_margin"),
        ("insert into seeds.price_rules values ('most_shocked_share', '1', '')", f"{RULES} most_shocked_share"),
        ("delete from seeds.price_rules where rule = 'bill_shock_share'", f"{RULES} bill_shock_share"),
        (f"{ANSWER} ('usage', '-0.1', '-0.2', '-0.3')", "or stands twice: usage,-0.1,-0.2,-0.3"),
        (f"{ANSWER} ('usage', '0.1', '0.2', '0.3')", "or stands twice: usage,0.1"),
        (f"{ANSWER} ('churn', '1', '2', '3'), ('churn', '2', '2', '2')", "or stands twice: churn,1,2,3"),
        ("insert into seeds.contract_locks values (null, ' ', '2030-01-01', 'form 12')", "2030-01-01,form 12"),
    ],
)
def test_what_nobody_knows_of_a_book_refuses_it(bench: PricingBench, spoil: str, words: str) -> None:
    bench.con.execute(spoil)
    bench.book("b", QUOTA, REST)
    bench.build()

    assert words in judged(bench)["b"]["refusal"]
    assert bench.customers("b")["c"]["after_minor"] == 1200  # what it would bill is known all the same
