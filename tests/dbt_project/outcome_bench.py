"""What became of customers, on rows of a test's own: the inputs of models as tables with the columns that they read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from tests.dbt_project.compiled import Bench

A, C = "acct_test", "cus_treated"
MODELS = (
    "int_treatments", "int_treatment_matches", "int_windows_opened", "int_windows_measured", "int_effects_counted",
    "int_kind_precision", "int_recommendations_summed", "action_effects",
)  # fmt: skip
TABLES = {
    "intermediate.int_as_of": "account_id varchar, as_of date",
    "intermediate.int_actions_executed": (
        "account_id varchar, action_id varchar, recommendation_id varchar, livemode boolean, kind varchar,"
        "customer_id varchar, subscription_id varchar, object_id varchar, currency varchar, amount_minor bigint,"
        "executed_at timestamp, undone_at timestamp"
    ),
    "staging.stg_ml__recommendations_said": (
        "account_id varchar, recommendation_id varchar, livemode boolean, kind varchar, customer_id varchar,"
        "subscription_id varchar, currency varchar, amount_minor bigint, is_held_back boolean, as_of date,"
        "run_id varchar, scored_at timestamp"
    ),
    "intermediate.int_plan_history": (
        "account_id varchar, customer_id varchar, plan varchar, known_from timestamp, known_to timestamp"
    ),
    "marts.churn_risk": (
        "account_id varchar, customer_id varchar, as_of date, horizon_days integer, currency varchar,"
        "risk_band varchar, mrr_minor bigint"
    ),
    "intermediate.int_mrr_spans": (
        "account_id varchar, customer_id varchar, currency varchar, valid_from timestamp, valid_to timestamp,"
        "mrr_minor bigint"
    ),
    "marts.fct_usage_daily": (
        "account_id varchar, customer_id varchar, currency varchar, meter_id varchar, usage_date date,"
        "quantity decimal(18, 6)"
    ),
    "intermediate.int_churn_dates": "account_id varchar, customer_id varchar, churned_on date, cause varchar",
    "marts.fct_invoices": (
        "account_id varchar, customer_id varchar, currency varchar, status varchar, created_at timestamp,"
        "paid_at timestamp, amount_due_minor bigint"
    ),
    "staging.stg_stripe__accounts": "account_id varchar",
    "seeds.action_kinds": "kind varchar, effect decimal(9, 6)",
    "seeds.currencies": "currency varchar, minor_unit_exponent integer",
    "seeds.message_templates": "kind varchar, locale varchar, subject varchar, body varchar",
    "marts.recommendations": (
        "account_id varchar, recommendation_id varchar, kind varchar, currency varchar, is_held_back boolean,"
        "expected_value_minor bigint, expected_value_low_minor bigint, expected_value_high_minor bigint,"
        "evidence varchar"
    ),
    "staging.stg_action_ledger__events": (
        "account_id varchar, recommendation_id varchar, customer_id varchar, kind varchar, body varchar,"
        "recorded_at timestamp"
    ),
    "intermediate.int_reviews": (
        "account_id varchar, recommendation_id varchar, recommendation_kind varchar, verdict varchar"
    ),
}
BEGAN = date(2026, 3, 10)
Row = dict[str, Any]


def at(day: date, hour: int = 0) -> datetime:
    """A UTC time as the warehouse has it, without a zone."""
    return datetime.combine(day, time(hour))


NEW_YEAR = at(date(2026, 1, 1))


def outcome_bench(compiled: dict[str, str]) -> Bench:
    """Empty inputs, but for the account and its day."""
    bench = Bench(compiled)
    for name, columns in TABLES.items():
        bench.con.execute(f"create table {name} ({columns})")
    put(bench, "intermediate.int_as_of", [{"as_of": date(2026, 12, 31)}])
    put(bench, "staging.stg_stripe__accounts", [{}])
    return bench


def put(bench: Bench, table: str, rows: Iterable[Row]) -> None:
    """Add rows of the one account; columns that are not named are null."""
    for row in rows:
        given = {"account_id": A} | row
        if table.startswith("seeds."):
            given.pop("account_id")
        marks = ", ".join(f"? as {name}" for name in given)
        bench.con.execute(f"insert into {table} by name select {marks}", list(given.values()))


def rows(bench: Bench, query: str) -> list[Row]:
    found = bench.con.execute(query)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def action(number: int, began: date = BEGAN, kind: str = "tier_upgrade", customer: str | None = None) -> Row:
    """An action that was carried out at noon."""
    return {
        "action_id": f"h1:{number}-1", "recommendation_id": f"h1:{number}", "livemode": False, "kind": kind,
        "customer_id": customer or f"cus_{number}", "currency": "usd", "amount_minor": 100,
        "executed_at": at(began, 12),
    }  # fmt: skip


def held(number: int, as_of: date = BEGAN - timedelta(1), kind: str = "tier_upgrade", **more: Any) -> Row:
    row = {"recommendation_id": f"h1:held{number}", "livemode": False, "kind": kind, "customer_id": f"cus_held{number}"}
    said = {"currency": "usd", "amount_minor": 5, "is_held_back": True, "as_of": as_of, "run_id": "r1"}
    return row | said | {"scored_at": NEW_YEAR} | more


def window(customer: str, horizon: int, mrr: int, began: date = BEGAN, **more: Any) -> Row:
    row = {"customer_id": customer, "currency": "usd", "started_on": began, "horizon_days": horizon, "mrr_minor": mrr}
    return row | {"usage_change": None, "is_paid": None, "has_churned": False} | more
