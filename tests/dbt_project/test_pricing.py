"""Price books rated by the one rule: against a Decimal oracle, and by what must hold whatever the prices are."""

from __future__ import annotations

import csv
import random
import re
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.commands import ROOT
from tests.dbt_project.pricing_bench import NEXT, PricingBench, seed
from tests.oracles.rating import rated_steps

Terms = dict[str, Any]
TODAY: Terms = {
    "currency": "usd", "billing_scheme": "tiered", "tiers_mode": "graduated",
    "tiers": [
        {"up_to": 1000, "unit_amount_decimal": "0"}, {"up_to": 5000, "unit_amount_decimal": "0.3"},
        {"up_to": None, "unit_amount_decimal": "0.25"},
    ],
}  # fmt: skip
YEN: Terms = {"currency": "jpy", "billing_scheme": "per_unit", "unit_amount_decimal": "0.45"}
USED = [0, 1, 999, 1000, 1001, 5000, 5001, 123_456, Decimal("2500.5")]
DEARER = [
    {"tiers_mode": "graduated", "up_to": "1000", "unit_amount_decimal": "0"},
    {"tiers_mode": "graduated", "unit_amount_decimal": "0.36"},
]


def tiered(mode: str, *tiers: tuple[int | None, str, str], currency: str = "usd") -> Terms:
    parts = [{"up_to": to, "unit_amount_decimal": unit, "flat_amount_decimal": flat} for to, unit, flat in tiers]
    return {"currency": currency, "billing_scheme": "tiered", "tiers_mode": mode, "tiers": parts}


def packaged(unit: str, size: int, rounding: str) -> Terms:
    terms = {"currency": "usd", "billing_scheme": "per_unit", "unit_amount_decimal": unit}
    return terms | {"transform_quantity": {"divide_by": size, "round": rounding}}


# what a book says as a Stripe price, and the least that a period is billed
BOOKS: dict[str, tuple[Terms, int]] = {
    "the_same": (TODAY, 0),
    "graduated": (tiered("graduated", (1000, "0", "0"), (4000, "0.333", "0"), (None, "0.2", "700")), 0),
    "volume": (tiered("volume", (1000, "0.5", "0"), (5000, "0.4", "12.5"), (None, "0.111111", "0")), 0),
    "smaller_quota": (tiered("graduated", (800, "0", "0"), (5000, "0.3", "0"), (None, "0.25", "0")), 0),
    "package": (packaged("40", 300, "up"), 0),
    "package_down": (packaged("40", 300, "down"), 0),
    "floor": (TODAY, 500),
    "yen": (tiered("graduated", (500, "0", "0"), (None, "0.505", "0"), currency="jpy"), 0),
}


def rows_of(price: Terms, minimum: int) -> list[Terms]:
    """A price as rows of price_book_tiers."""
    common = {"currency": price["currency"], "price_id": "y" if price["currency"] == "jpy" else "p"}
    common |= {"minimum_amount_minor": minimum or None}
    if price["billing_scheme"] == "per_unit":
        transform = price.get("transform_quantity", {})
        terms = {"package_size": transform.get("divide_by"), "package_rounding": transform.get("round")}
        return [common | terms | {"unit_amount_decimal": price["unit_amount_decimal"]}]
    return [common | {"tiers_mode": price["tiers_mode"]} | tier for tier in price["tiers"]]


def bill(price: Terms, quantity: Any, minimum: int = 0) -> int:
    return max(sum(step.amount or 0 for step in rated_steps(price, Decimal(quantity))), minimum)


@pytest.fixture(scope="module")
def made(manifest: dict[str, Any]) -> PricingBench:
    return PricingBench(manifest)


@pytest.fixture
def bench(made: PricingBench) -> PricingBench:
    """A catalogue of two prices, p in dollars and y in yen, and nobody who uses them yet."""
    made.begin(TODAY)
    made.sell("y", YEN, plan="asia", product_name="Asia")
    return made


def test_every_book_bills_what_the_oracle_does_and_today_what_was_billed(bench: PricingBench) -> None:
    for number, quantity in enumerate(USED):
        bench.use(f"d{number}", "p", quantity, invoiced_amount_minor=bill(TODAY, quantity))
        bench.use(f"y{number}", "y", quantity, "jpy", invoiced_amount_minor=bill(YEN, quantity))
    for name, (price, minimum) in BOOKS.items():
        bench.book(name, *rows_of(price, minimum))
    bench.build()

    for name, (price, minimum) in ({"today": (TODAY, 0)} | BOOKS).items():
        found, billed_in = bench.customers(name), price["currency"]
        for number, quantity in enumerate(USED):
            dollars, yen = found[f"d{number}"], found[f"y{number}"]
            assert dollars["before_minor"] == dollars["invoiced_minor"] == bill(TODAY, quantity)
            assert yen["before_minor"] == yen["invoiced_minor"] == bill(YEN, quantity)
            reached, other = (yen, dollars) if billed_in == "jpy" else (dollars, yen)
            assert (other["change_minor"], other["reach"]) == (0, "not_reached")
            if name != "today":
                assert reached["after_unchanged_usage_minor"] == bill(price, quantity, minimum), (name, quantity)
                assert reached["after_minor"] == reached["after_unchanged_usage_minor"]  # nobody answers here
                assert reached["reach"] == "repriced"


def test_a_dearer_book_never_lowers_revenue_and_customers_add_up_to_the_scenario(bench: PricingBench) -> None:
    """Random tiers, then the same with every unit and flat amount raised; usage does not answer."""
    draw = random.Random(9)  # noqa: S311 - prices, not secrets
    for number in range(40):
        bench.use(f"c{number}", "p", draw.randrange(20_000), segment=draw.choice(["startup", "enterprise"]))
    for number in range(12):
        bounds: list[int | None] = [*sorted(draw.sample(range(100, 15_000), 3)), None]
        units = [Decimal(draw.randrange(60)) / 100 for _ in bounds]
        for step, rise in enumerate((Decimal(0), Decimal("0.01"), Decimal("0.2"))):
            mode = "volume" if number % 2 else "graduated"
            tiers = [(to, str(unit + rise), str(100 * rise)) for to, unit in zip(bounds, units, strict=True)]
            bench.book(f"b{number}_{step}", *rows_of(tiered(mode, *tiers), 0))
    bench.build()

    after = {row["book"]: row for row in bench.rows("from marts.pricing_scenarios where segment = 'all'")}
    for number in range(12):
        revenues = [after[f"b{number}_{step}"]["after_minor"] for step in range(3)]
        assert revenues == sorted(revenues)
        assert revenues[0] < revenues[2]
    sums = ("before_minor", "after_minor", "after_low_minor", "after_high_minor", "after_unchanged_usage_minor")
    for row in bench.rows("from marts.pricing_scenarios where segment != 'all'"):
        own = bench.customers(row["book"]).values()
        for name in sums:
            assert row[name] == sum(found[name] for found in own if found["segment"] == row["segment"])
        assert row["winners"] + row["losers"] <= row["customers"]


def test_who_is_reached_is_told_apart_from_what_changes(bench: PricingBench) -> None:
    old, new = datetime.fromisoformat("2025-01-01"), datetime.fromisoformat("2026-06-01")
    subscribed: dict[str, Terms] = {
        "old": {"started_at": old}, "new": {"started_at": new}, "held": {"started_at": new},
        "booked": {"started_at": new}, "big": {"started_at": new, "segment": "enterprise"},
        "freed": {"started_at": new},
    }  # fmt: skip
    for name, more in subscribed.items():
        bench.use(name, "p", 3000, **more)
    bench.use("asian", "y", 3000, "jpy")
    bench.add("seeds.contract_locks", customer_id="held", locked_until="2027-06-30")
    bench.add("seeds.contract_locks", customer_id="freed", locked_until="2026-06-30")
    bench.add(
        "staging.stg_stripe__subscription_schedules", subscription_id="sub_booked_usd", status="active",
        is_deleted=False, created_at=old, phases=[{"ends_at": NEXT + timedelta(60)}],
    )  # fmt: skip
    bench.book(
        "b",
        *DEARER,
        grandfathers_before="2026-01-01",
        segment="Startup",
    )
    bench.build()

    found = bench.customers("b")
    assert {name: row["reach"] for name, row in found.items()} == {
        "old": "grandfathered", "new": "repriced", "held": "locked", "booked": "locked", "big": "not_reached",
        "asian": "not_reached", "freed": "repriced",
    }  # fmt: skip
    changed = {name: row["change_minor"] for name, row in found.items() if row["change_minor"]}
    assert changed == {"new": 120, "freed": 120}
    [row] = bench.rows("from marts.pricing_scenarios where book = 'b' and currency = 'usd' and segment = 'all'")
    counts = [row[f"customers_{reach}"] for reach in ("repriced", "grandfathered", "locked", "not_reached")]
    assert [*counts, row["losers"]] == [2, 1, 2, 1, 2]


def test_the_forecast_is_repriced_from_the_day_the_book_is_in_force(bench: PricingBench) -> None:
    """Twelve invoices ahead: the open period, one more with paths, and that one ten times again."""
    bench.use("c", "p", 3000)
    item = {"subscription_item_id": "si", "is_running": True, "is_last": False, "is_trial": False, "is_metered": True}
    whose = {"subscription_id": "sub_c_usd", "customer_id": "c", "price_id": "p", "currency": "usd"}
    bench.add(
        "intermediate.int_upcoming_items",
        **item,
        **whose,
        period_start=NEXT - timedelta(10),
        period_end=NEXT + timedelta(20),
    )
    for period, quantity in ((0, 2000), (1, 4000)):
        start = NEXT - timedelta(10) + timedelta(30 * period)
        for path in range(1, 21):
            bench.add("intermediate.int_usage_paths_rated", subscription_item_id="si", is_backtest=False, path=path,
                      period_number=period, period_start=start, quantity=quantity)  # fmt: skip
    bench.book("next", *DEARER)
    bench.book("later", *DEARER, starts_on=str((NEXT + timedelta(20 + 3 * 30)).date()))
    bench.build()

    one, two, dearer = bill(TODAY, 2000), bill(TODAY, 4000), 3000 * 36 // 100
    # the open period has begun, and keeps its price
    assert bench.customers("next", "forecast")["c"]["before_minor"] == one + 11 * two
    assert bench.customers("next", "forecast")["c"]["after_minor"] == one + 11 * dearer
    assert bench.customers("later", "forecast")["c"]["after_minor"] == one + 3 * two + 8 * dearer


def test_usage_answers_by_the_assumption_and_its_band(bench: PricingBench) -> None:
    bench.use("c", "p", 4000)
    bench.use("inside", "p", 500)
    bench.answer("usage", "-0.8", "-0.5", "-0.1")
    bench.book("b", *DEARER)
    bench.build()

    found = bench.customers("b")["c"]
    rated = [round((float(4000 * 1.2**power) - 1000) * 0.36) for power in (-0.8, -0.5, -0.1)]
    assert [found[f"after_{name}minor"] for name in ("low_", "", "high_")] == rated
    assert found["after_unchanged_usage_minor"] == 1080 > found["after_high_minor"]
    assert bench.customers("b")["inside"]["after_high_minor"] == 0  # less of what is included costs nothing


def test_a_customer_of_two_currencies_has_two_rows_that_say_so(bench: PricingBench) -> None:
    bench.use("both", "p", 4000)
    bench.use("both", "y", 4000, "jpy")
    bench.use("one", "p", 4000)
    bench.book("b", {"unit_amount_decimal": "1"})
    bench.build()

    rows = bench.rows("select customer_id, currency, before_minor, has_other_currency "
                      "from marts.pricing_scenario_customers where book = 'b' order by all")  # fmt: skip
    assert [tuple(row.values()) for row in rows] == [
        ("both", "jpy", 1800, True), ("both", "usd", 900, True), ("one", "usd", 900, False)
    ]  # fmt: skip


def test_today_reproduces_the_invoices_of_the_company(first_run: tuple[Path, str]) -> None:
    """Where the facts reconcile, to the minor unit, metered and licensed; and the demo books reach somebody."""
    with duckdb.connect(str(first_run[0] / "warehouse.duckdb"), read_only=True) as con:
        off = con.execute(
            "with metered as (select customer_id, sum(rated_amount_minor) as minor, "
            "sum(invoiced_amount_minor) as invoiced from marts.fct_usage_periods cross join intermediate.int_as_of a "
            "where invoice_id is not null and not is_trial and period_end > a.as_of + 1 - interval 1 year "
            "and period_end <= a.as_of + 1 group by all), licensed as (select customer_id, sum(amount_minor) as minor "
            "from intermediate.int_invoice_lines cross join intermediate.int_as_of as a where not is_metered "
            "and not is_proration and finalized_at is not null and period_start > a.as_of + 1 - interval 1 year "
            "and period_start <= a.as_of + 1 group by all) "
            "select c.customer_id from marts.pricing_scenario_customers as c left join metered using (customer_id) "
            "left join licensed using (customer_id) where book = 'today' and basis = 'history' and "
            "(before_minor != coalesce(metered.minor, 0) + coalesce(licensed.minor, 0) "
            "or invoiced_minor != coalesce(metered.invoiced, 0) + coalesce(licensed.minor, 0))"
        ).fetchall()
        assert off == []
        [(customers, exact)] = con.execute(
            "select count(*), count(*) filter (before_minor = invoiced_minor) from marts.pricing_scenario_customers "
            "where book = 'today' and basis = 'history'"
        ).fetchall()
        assert exact >= 0.95 * customers > 0  # the rest is named in fct_invoice_reconciliation
        reached = dict(
            con.execute("select book, sum(customers_repriced) from marts.pricing_scenarios group by book").fetchall()
        )
    assert {row["book"] for row in seed("price_books")} == {book for book in reached if book != "today"}
    assert all(reached[row["book"]] > 0 for row in seed("price_books"))


def test_the_page_can_be_followed(first_run: tuple[Path, str]) -> None:
    """Its queries answer, and its rows have the columns of the seeds."""
    page = (ROOT / "docs" / "pricing.md").read_text()
    with duckdb.connect(str(first_run[0] / "warehouse.duckdb"), read_only=True) as con:
        queries = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
        assert all(con.execute(query).fetchall() for query in queries)
    assert len(queries) == 2
    book, tiers = (list(csv.reader(block.splitlines())) for block in re.findall(r"```csv\n(.*?)```", page, re.DOTALL))
    assert {len(row) for row in book} == {len(seed("price_books")[0])}
    assert {len(row) for row in tiers} == {len(seed("price_book_tiers")[0])}
