"""The pricing models on rows of a test's own: a company of one account in memory, its prices as Stripe payloads."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from tests.commands import ROOT

ACCOUNT, AS_OF = "acct_1", date(2026, 10, 31)
PAST, NEXT = datetime.fromisoformat("2026-10-01"), datetime.fromisoformat("2026-11-01")  # UTC without zone
VIEWS = {"int_scenario_reach", "int_scenario_rated", "int_scenario_customers"}
# in the order in which they are built
MODELS = (
    "int_price_book_faults", "int_price_book_tiers", "int_quantities_billed", "int_quantities_ahead",
    "int_scenario_quantities", "int_scenario_reach", "int_scenario_rated", "int_scenario_effects",
    "int_scenario_customers", "pricing_scenario_customers", "int_price_book_breaches", "int_price_books_judged",
    "pricing_scenarios",
)  # fmt: skip
MARTS = {"pricing_scenario_customers", "pricing_scenarios"}
AMOUNT, QUANTITY = "decimal(24, 12)", "decimal(18, 6)"
INPUTS = {
    "intermediate.int_as_of": "as_of date, known_until timestamp",
    "intermediate.int_price_tiers": (
        "price_id varchar, currency varchar, rating_mode varchar, package_size bigint, tier_index integer,"
        f"lower_bound {QUANTITY}, upper_bound {QUANTITY}, unit_amount_decimal {AMOUNT}, flat_amount_decimal {AMOUNT},"
        "billed_multiple_of integer"
    ),
    "intermediate.int_invoice_lines": (
        "customer_id varchar, subscription_id varchar, subscription_item_id varchar, invoice_id varchar,"
        f"price_id varchar, currency varchar, period_start timestamp, period_end timestamp, quantity {QUANTITY},"
        "amount_minor bigint,"
        "is_known boolean, finalized_at timestamp, is_void boolean, is_metered boolean, is_proration boolean"
    ),
    "intermediate.int_upcoming_items": (
        "subscription_item_id varchar, subscription_id varchar, customer_id varchar, price_id varchar,"
        "currency varchar, is_metered boolean, quantity bigint, is_last boolean, is_trial boolean,"
        "period_start timestamp,"
        "period_end timestamp, is_running boolean"
    ),
    "intermediate.int_usage_paths_rated": (
        "subscription_item_id varchar, is_backtest boolean, path integer, period_number integer,"
        f"period_start timestamp, quantity {QUANTITY}"
    ),
    "intermediate.int_subscription_ends": "subscription_id varchar, ends_at timestamp",
    "intermediate.int_subscriptions": "subscription_id varchar, customer_id varchar",
    "staging.stg_stripe__meters": "meter_event_name varchar",
    "staging.stg_stripe__subscription_schedules": (
        "subscription_id varchar, status varchar, is_deleted boolean, created_at timestamp,"
        "phases struct(ends_at timestamp)[]"
    ),
    "marts.dim_prices": (
        "price_id varchar, plan varchar, product_name varchar, usage_type varchar, tiers_mode varchar,"
        "meter_event_name varchar, billing_interval varchar, interval_count integer"
    ),
    "marts.dim_customers": "customer_id varchar, segment varchar",
    "marts.dim_subscriptions": "subscription_id varchar, plan varchar, started_at timestamp",
    "marts.fct_usage_periods": (
        "customer_id varchar, subscription_id varchar, price_id varchar, currency varchar, period_start timestamp,"
        f"period_end timestamp, quantity {QUANTITY}, invoiced_amount_minor bigint, invoice_id varchar, is_trial boolean"
    ),
    "marts.customer_ltv": (
        "customer_id varchar, currency varchar, monthly_churn decimal(12, 9), expected_months_mid decimal(9, 2),"
        "lifetime_cap_months decimal(18, 6)"
    ),
}
SEEDS = (
    "price_books", "price_book_tiers", "unit_costs", "price_rules", "competitor_prices", "elasticity_assumptions",
    "contract_locks", "message_templates",
)  # fmt: skip


def seed(name: str) -> list[dict[str, str]]:
    with (ROOT / "dbt_project" / "seeds" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def tiers_of(price_id: str, price: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A Stripe price payload in the shape of int_price_tiers."""
    row = {"price_id": price_id, "currency": price["currency"], "billed_multiple_of": 1, "lower_bound": 0}
    if price["billing_scheme"] == "per_unit":
        transform = price.get("transform_quantity")
        mode = f"package_{transform['round']}" if transform else "per_unit"
        size = transform["divide_by"] if transform else None
        unit = Decimal(price["unit_amount_decimal"])
        terms = {"rating_mode": mode, "package_size": size, "unit_amount_decimal": unit, "flat_amount_decimal": 0}
        return [row | terms | {"tier_index": 1}]
    bounds = [0, *(tier["up_to"] for tier in price["tiers"])]
    return [
        row
        | {"rating_mode": price["tiers_mode"], "tier_index": number, "upper_bound": tier["up_to"]}
        | {"lower_bound": bounds[number - 1], "unit_amount_decimal": Decimal(tier["unit_amount_decimal"])}
        | {"flat_amount_decimal": Decimal(tier.get("flat_amount_decimal", 0))}
        for number, tier in enumerate(price["tiers"], 1)
    ]


class PricingBench:
    """A database in memory. Rows are added, then `build` makes every model, and `rows` reads one."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        """manifest: dbt's, with compiled code."""
        nodes = manifest["nodes"]
        self.sql = {name: str(nodes[f"model.meterwise.{name}"]["compiled_code"]) for name in MODELS}
        self.con = duckdb.connect()
        self.con.execute("attach ':memory:' as warehouse; use warehouse")
        for schema in ("seeds", "staging", "intermediate", "marts"):
            self.con.execute(f"create schema {schema}")
        self.clear()

    def clear(self) -> None:
        """No company, no books; costs, rules and texts as they ship, no elasticity."""
        for table, columns in INPUTS.items():
            self.con.execute(f"create or replace table {table} (account_id varchar, {columns})")
        folder = ROOT / "dbt_project" / "seeds"
        for name in (*SEEDS, "currencies", "billing_intervals"):
            as_text = name not in ("currencies", "billing_intervals")
            source = f"read_csv('{folder}/{name}.csv', header = true, all_varchar = {as_text})"
            self.con.execute(f"create or replace table seeds.{name} as from {source}")
        for name in ("price_books", "price_book_tiers", "competitor_prices", "elasticity_assumptions"):
            self.con.execute(f"delete from seeds.{name}")
        self.add("intermediate.int_as_of", as_of=AS_OF, known_until=NEXT)

    def add(self, table: str, **row: Any) -> None:
        """A row of a table; columns that are not named are null."""
        if not table.startswith("seeds."):
            row = {"account_id": ACCOUNT} | row
        marks = ", ".join("?" * len(row))
        self.con.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))

    def begin(self, price: Mapping[str, Any]) -> None:
        """Nobody yet, and one price, p, of API calls."""
        self.clear()
        self.add("staging.stg_stripe__meters", meter_event_name="api_calls")
        self.sell("p", price)

    def sell(self, price_id: str, price: Mapping[str, Any], **more: Any) -> None:
        """A monthly price of the catalogue."""
        named = {"plan": "growth", "product_name": "Growth", "usage_type": "metered", "meter_event_name": "api_calls"}
        tiers_mode = price.get("tiers_mode")
        terms = {"price_id": price_id, "tiers_mode": tiers_mode, "billing_interval": "month", "interval_count": 1}
        self.add("marts.dim_prices", **(named | terms | more))
        for tier in tiers_of(price_id, price):
            self.add("intermediate.int_price_tiers", **tier)

    def use(self, customer: str, price_id: str, quantity: Any, currency: str = "usd", **more: Any) -> None:
        """A customer with a subscription of its own who used so much last month, as the invoice billed it."""
        subscription = f"sub_{customer}_{currency}"
        started = more.pop("started_at", PAST - timedelta(days=400))
        if not self.con.execute("from marts.dim_customers where customer_id = ?", [customer]).fetchall():
            self.add("marts.dim_customers", customer_id=customer, segment=more.pop("segment", "startup"))
        more.pop("segment", None)
        if not self.con.execute("from marts.dim_subscriptions where subscription_id = ?", [subscription]).fetchall():
            self.add("marts.dim_subscriptions", subscription_id=subscription, plan="growth", started_at=started)
            self.add("intermediate.int_subscriptions", subscription_id=subscription, customer_id=customer)
        billed = {"period_start": PAST, "period_end": NEXT, "invoice_id": "in_1", "is_trial": False}
        whose = {"customer_id": customer, "subscription_id": subscription, "price_id": price_id, "currency": currency}
        self.add("marts.fct_usage_periods", **(billed | whose | {"quantity": quantity} | more))

    def book(self, name: str, *tiers: Mapping[str, Any], **more: Any) -> None:
        """A price book; each tier a row of price_book_tiers, of price p, in dollars, unless it says otherwise."""
        self.add("seeds.price_books", book=name, says="a test", **more)
        for tier in tiers:
            row = {"book": name, "price_id": "p", "currency": "usd", **tier}
            self.add("seeds.price_book_tiers", **{key: value and str(value) for key, value in row.items()})

    def answer(self, response: str, low: str, mid: str, high: str) -> None:
        self.add("seeds.elasticity_assumptions", response=response, low=low, mid=mid, high=high)

    def build(self) -> None:
        for model in MODELS:
            schema = "marts" if model in MARTS else "intermediate"
            kind = "view" if model in VIEWS else "table"
            self.con.execute(f"create or replace {kind} {schema}.{model} as {self.sql[model]}")

    def rows(self, query: str) -> list[dict[str, Any]]:
        found = self.con.execute(query)
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def customers(self, book: str, basis: str = "history") -> dict[str, dict[str, Any]]:
        """Rows of pricing_scenario_customers by customer."""
        every = self.rows(f"from marts.pricing_scenario_customers where book = '{book}' and basis = '{basis}'")
        return {row["customer_id"]: row for row in every}
