"""The revenue forecast's models on rows of a test's own: each takes what it reads as given, so a case is a few rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb

ACCOUNT, AS_OF = "acct_1", date(2026, 10, 31)
SCHEMAS = ("staging", "seeds", "intermediate", "features", "marts")
# in the order in which they are built
MODELS = {
    "int_usage_growth_ahead": "intermediate",
    "int_subscriptions_ahead": "intermediate",
    "int_revenue_forecast_customers": "intermediate",
    "int_forecast_overrides": "intermediate",
    "int_customers_overridden": "intermediate",
    "int_revenue_amounts_added": "intermediate",
    "int_revenue_forecast_parts": "intermediate",
    "int_revenue_forecast_notes": "intermediate",
    "int_revenue_forecast_levels": "intermediate",
    "revenue_forecast": "marts",
}
OTHERS = (
    *("int_metered_items_closing", "int_metered_items_ahead", "int_subscription_ends"),
    *("int_subscription_months", "revenue_months"),
)
INPUTS = {
    "intermediate.int_as_of": "account_id varchar, as_of date, known_until timestamp",
    "intermediate.int_subscriptions_planned": "account_id varchar, subscription_id varchar, customer_id varchar, "
    "currency varchar, plan varchar, has_paths boolean, committed_mrr_minor bigint, metered_mrr_minor bigint, "
    "carried_minor bigint, level_1_minor bigint, level_2_minor bigint, level_3_minor bigint",
    "intermediate.int_subscription_ends": "account_id varchar, subscription_id varchar, ends_at timestamp",
    "intermediate.int_fx_rates": "from_currency varchar, quoted_on date, valid_from date, valid_to date, "
    "numerator bigint, denominator bigint",
    "staging.stg_ml__revenue_trend": "account_id varchar, level varchar, plan varchar, currency varchar, as_of date, "
    "months_ahead integer, metered_growth double, q025 double, q10 double, q90 double, q975 double, method varchar, "
    "model_version varchar",
    "marts.churn_risk": "account_id varchar, customer_id varchar, is_current boolean, treatment varchar, "
    "probability double, horizon_days integer, base_rate double",
    "marts.dim_customers": "account_id varchar, customer_id varchar, currency varchar, plan varchar",
    "seeds.currencies": "currency varchar, minor_unit_exponent integer",
    "seeds.new_business": "plan varchar, currency varchar, month_start date, mrr_minor bigint",
    "seeds.forecast_overrides": "kind varchar, customer_id varchar, plan varchar, currency varchar, from_month date, "
    "to_month date, amount_minor bigint, share decimal(9, 6), note varchar",
}
EXPONENTS = [("usd", 2), ("eur", 2), ("jpy", 0), ("sek", 2)]
# a euro is 1.10 dollars, a hundred yen are 0.66; nobody quotes the krona
RATES = [("usd", 1, 1), ("eur", 11, 10), ("jpy", 66, 10_000)]


class RevenueBench:
    """A database in memory with one account's inputs; `forecast` builds all models and gives rows of the last."""

    def __init__(self, sql: dict[str, str]) -> None:
        self.sql = sql
        self.con = duckdb.connect()
        self.con.execute("attach ':memory:' as warehouse")
        self.con.execute("use warehouse")
        for schema in SCHEMAS:
            self.con.execute(f"create schema {schema}")
        for table, columns in INPUTS.items():
            self.con.execute(f"create table {table} ({columns})")
        self.insert("intermediate.int_as_of", [(ACCOUNT, AS_OF, "9999-12-31")])
        self.insert("seeds.currencies", EXPONENTS)
        self.insert("intermediate.int_fx_rates", [(a, None, "2020-01-01", None, n, d) for a, n, d in RATES])

    def insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        self.con.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)

    def subscription(
        self,
        name: str,
        committed: int,
        metered: int,
        levels: tuple[int, int, int] | None = None,
        *,
        plan: str = "growth",
        currency: str = "usd",
        customer: str | None = None,
    ) -> None:
        """A subscription of the customer of the same name; without levels nothing forecasts its usage."""
        money = (committed, metered, 0 if levels else metered, *(levels or (0, 0, 0)))
        customer = customer or f"cus_{name}"
        key = (ACCOUNT, f"sub_{name}", customer, currency, plan, levels is not None)
        self.insert("intermediate.int_subscriptions_planned", [key + money])
        self.con.execute(f"delete from marts.dim_customers where customer_id = '{customer}'")
        self.insert("marts.dim_customers", [(ACCOUNT, customer, currency, plan)])

    def trend(
        self,
        growth: list[float],
        *,
        level: str = "company",
        plan: str = "all",
        currency: str = "all",
        band: float = 0.1,
    ) -> None:
        """Growth 1 … 12 months ahead, and a band of the sum that far below and above it."""
        bounds = (1 - 1.5 * band, 1 - band, 1 + band, 1 + 1.5 * band)
        key = (ACCOUNT, level, plan, currency, AS_OF)
        rows = [(*key, ahead, one, *bounds, "damped_trend", "2") for ahead, one in enumerate(growth, start=1)]
        self.insert("staging.stg_ml__revenue_trend", rows)

    def risk(
        self,
        customer: str,
        probability: float,
        horizon: int = 90,
        base_rate: float | None = 0.1,
        treatment: str = "modelled",
    ) -> None:
        row = (ACCOUNT, f"cus_{customer}", True, treatment, probability, horizon, base_rate)
        self.insert("marts.churn_risk", [row])

    def override(self, kind: str, from_month: str | None, **said: Any) -> None:
        columns = ("customer_id", "plan", "currency", "to_month", "amount_minor", "share", "note")
        assert set(said) <= set(columns)
        found = {name: said.get(name) for name in columns}
        key = (kind, found["customer_id"], found["plan"], found["currency"], from_month, found["to_month"])
        self.insert("seeds.forecast_overrides", [(*key, found["amount_minor"], found["share"], found["note"])])

    def build(self, *models: str) -> None:
        for model in models or MODELS:
            schema = MODELS.get(model, "features" if model == "revenue_months" else "intermediate")
            self.con.execute(f"create or replace table {schema}.{model} as {self.sql[model]}")

    def forecast(self, where: str = "true") -> list[dict[str, Any]]:
        self.build()
        found = self.con.execute(
            f"from marts.revenue_forecast where {where} order by level, plan, currency, months_ahead"
        )
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
