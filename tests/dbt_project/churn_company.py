"""The churn models on rows of a test's own: each takes what it reads as given, so a case is a few rows."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import duckdb

DAY = timedelta(days=1)
AS_OF = date(2026, 10, 31)
END = datetime.combine(AS_OF + DAY, time())
MODELS = (
    *("int_customer_states_asof", "int_customer_payments_asof", "int_customer_bills_asof"),
    *("int_customer_credits_asof", "customer_asof", "customer_health", "int_churn_reasons_worded"),
    *("int_churn_bands", "account_health", "similar_cases"),
)
SCHEMA = {
    "customer_asof": "features",
    "customer_health": "features",
    "account_health": "marts",
    "similar_cases": "marts",
}
DAYS = "account_id text, customer_id text, as_of_date date, valued_until timestamp"
TABLES = {
    "intermediate.int_customer_days": f"{DAYS}, month_start date, currency text, first_subscribed_on date, "
    "is_scoring boolean, is_backfilled boolean",
    "intermediate.int_subscriptions": "account_id text, customer_id text, subscription_id text, has_lived boolean, "
    "started_at timestamp, created_at timestamp, ended_at timestamp, canceled_at timestamp, "
    "trial_started_at timestamp, trial_ends_at timestamp",
    "intermediate.int_subscription_states": "account_id text, subscription_id text, valid_from timestamp, "
    "valid_to timestamp, is_counted boolean",
    "intermediate.int_invoices": "account_id text, customer_id text, finalized_at timestamp, due_at timestamp, "
    "paid_at timestamp, voided_at timestamp, uncollectible_at timestamp, amount_due_minor bigint",
    "intermediate.int_invoice_lines": "account_id text, customer_id text, subscription_item_id text, price_id text, "
    "finalized_at timestamp, quantity decimal(18, 6), amount_minor bigint, is_known boolean, is_proration boolean",
    "staging.stg_stripe__credit_notes": "account_id text, customer_id text, created_at timestamp, voided_at timestamp",
    "staging.stg_stripe__credit_grants": "account_id text, customer_id text, category text, created_at timestamp, "
    "voided_at timestamp",
    "staging.stg_stripe__customer_balance_transactions": "account_id text, customer_id text, transaction_type text, "
    "amount_minor bigint, created_at timestamp",
    "staging.stg_stripe__customers": "account_id text, customer_id text, segment text",
    "intermediate.int_customer_usage_asof": "account_id text, customer_id text, as_of_date date, "
    "usage_ratio_7_28 double, usage_ratio_28_91 double, usage_mean_28 double, zero_share_28 double, "
    "usage_year_ago double, days_since_last_usage integer, usage_left_28 double, usage_left_91 double, "
    "usage_left_364 double, is_seasonal boolean, quota_share_last double",
    "intermediate.int_customer_plans_asof": "account_id text, customer_id text, as_of_date date, plan_rank integer, "
    "months_since_upgrade integer, seats decimal(18, 6), has_discount boolean",
    "marts.fct_mrr_monthly": "account_id text, customer_id text, currency text, month_start date, mrr_minor bigint, "
    "committed_mrr_minor bigint, metered_mrr_minor bigint",
    "seeds.health_parts": "part text, weight integer",
    "seeds.churn_bands": "horizon_days integer, risk_band text, band_number integer, from_probability decimal(9, 6)",
    "seeds.message_templates": "kind text, locale text, body text",
    "staging.stg_ml__churn_risk": "account_id text, customer_id text, as_of date, horizon_days integer, "
    "treatment text, probability double, reasons text",
    "staging.stg_ml__churn_backtest": "account_id text, customer_id text, as_of date, horizon_days integer, "
    "probability double, is_churned boolean",
    "intermediate.int_churn_labels": "account_id text, customer_id text, as_of_date date, horizon_days integer, "
    "is_churned boolean, is_contracted boolean, is_mature boolean",
    "features.churn_labels": "account_id text, customer_id text, as_of_date date, horizon_days integer, "
    "is_churned boolean, is_contracted boolean, is_mature boolean",
    "marts.churn_risk": "account_id text, customer_id text, is_current boolean, as_of date, horizon_days integer, "
    "treatment text, probability double, risk_band text, mrr_minor bigint",
    "marts.dim_customers": "account_id text, customer_id text, currency text",
    "intermediate.int_actions_executed": "account_id text, action_id text, customer_id text, kind text, "
    "executed_at timestamp",
}


class Small:
    """The tables above, empty, and a way to fill them; every customer is of account `a`."""

    def __init__(self, sql: dict[str, str]) -> None:
        self.sql = sql
        self.con = duckdb.connect()
        self.con.execute("attach ':memory:' as warehouse")
        self.con.execute("use warehouse")
        for schema in ("staging", "seeds", "intermediate", "features", "marts"):
            self.con.execute(f"create schema {schema}")
        for table, columns in TABLES.items():
            self.con.execute(f"create table {table} ({columns})")
        for part, weight in (("usage", 40), ("payment", 25), ("engagement", 15), ("contract", 20)):
            self.add("seeds.health_parts", part=part, weight=weight)

    def add(self, table: str, **values: Any) -> None:
        if "account_id" in TABLES[table]:
            values = {"account_id": "a"} | values
        marks = ", ".join(f"? as {name}" for name in values)
        self.con.execute(f"insert into {table} by name select {marks}", list(values.values()))

    def customer(self, name: str, day: date = AS_OF, **subscription: Any) -> None:
        """A customer there on a day, with one subscription begun half a year before that counts."""
        began = datetime.combine(date(2026, 4, 1), time())
        self.add(
            "intermediate.int_customer_days",
            customer_id=name,
            as_of_date=day,
            valued_until=datetime.combine(day + DAY, time()),
            month_start=day.replace(day=1),
            currency="usd",
            first_subscribed_on=began.date(),
            is_scoring=day == AS_OF,
            is_backfilled=False,
        )
        self.add("intermediate.int_customer_plans_asof", customer_id=name, as_of_date=day, seats=1, has_discount=False)
        if not self.rows(f"select 1 from intermediate.int_subscriptions where subscription_id = 'sub_{name}'"):
            life = {"has_lived": True, "started_at": began, "created_at": began} | subscription
            self.add("intermediate.int_subscriptions", customer_id=name, subscription_id=f"sub_{name}", **life)
            self.add("marts.dim_customers", customer_id=name, currency="usd")

    def build(self, *models: str) -> None:
        for model in models:
            self.con.execute(
                f"create or replace table {SCHEMA.get(model, 'intermediate')}.{model} as {self.sql[model]}"
            )

    def features(self) -> None:
        self.build(*MODELS[:5])

    def rows(self, query: str) -> list[Any]:
        return self.con.execute(query).fetchall()
