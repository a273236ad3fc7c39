"""What became of customers, on rows of a test's own: the inputs of models as tables with the columns that they read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from tests.dbt_project.compiled import Bench

A, C = "acct_test", "cus_treated"
MODELS = (
    "int_treatments", "int_treatment_matches", "int_windows_opened", "int_windows_measured", "int_effects_counted",
    "int_kind_precision", "int_recommendations_summed", "action_effects", "stg_ml__recommendations_said",
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
        "account_id varchar, customer_id varchar, as_of date, horizon_days integer, currency varchar,risk_band varchar"
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
    "intermediate.int_subscriptions": (
        "account_id varchar, customer_id varchar, has_lived boolean, started_at timestamp, ended_at timestamp"
    ),
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
        "actor_assurance varchar"
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


def customers_alike(bench: Bench) -> None:
    """C and customers like it by its churn scores of three days before: who differs in what says its name."""
    risks, plans, spans = [], [], []
    # like C: the same plan, currency, band and size; the others each differ in one of them, or were treated themselves
    for name, plan, currency, band, mrr in (
        (C, "growth", "usd", "low", 20_000), ("cus_like", "growth", "usd", "low", 21_000),
        ("cus_gone_soon", "growth", "usd", "low", 20_400), ("cus_grown_since", "growth", "usd", "low", 20_300),
        ("cus_other_plan", "scale", "usd", "low", 20_000), ("cus_other_money", "growth", "eur", "low", 20_000),
        ("cus_other_risk", "growth", "usd", "high", 20_000), ("cus_larger", "growth", "usd", "low", 90_000),
        ("cus_treated_too", "growth", "usd", "low", 20_001), ("cus_recovered", "growth", "usd", "low", 20_001),
        ("cus_owes", "growth", "usd", "low", 20_001),
    ):  # fmt: skip
        risks.append({"customer_id": name, "as_of": BEGAN - timedelta(3), "horizon_days": 90, "currency": currency,
                      "risk_band": band})  # fmt: skip
        plans.append({"customer_id": name, "plan": plan, "known_from": NEW_YEAR})
        # what became of them within the month does not make them less alike
        ends = at(BEGAN + timedelta(5)) if name in ("cus_gone_soon", "cus_grown_since") else None
        spans.append({"customer_id": name, "currency": currency, "valid_from": NEW_YEAR, "valid_to": ends,
                      "mrr_minor": mrr})  # fmt: skip
    spans.append({"customer_id": "cus_grown_since", "currency": "usd", "valid_from": at(BEGAN + timedelta(5)),
                  "mrr_minor": 81_200})  # fmt: skip
    put(bench, "marts.churn_risk", risks)
    put(bench, "marts.fct_invoices", [{"customer_id": "cus_owes", "currency": "usd", "status": "open",
                                       "created_at": at(BEGAN - timedelta(40)), "amount_due_minor": 10}])  # fmt: skip
    put(bench, "intermediate.int_plan_history", plans)
    put(bench, "intermediate.int_mrr_spans", spans)


def said_by_runs(bench: Bench, said: list[Row]) -> None:
    """Files of recommendations as runs left them, for stg_ml__recommendations_said to read."""
    sql = bench.sql["stg_ml__recommendations_said"]
    columns = dict(re.findall(r"cast\((\w+) as ([a-z]+(?:\(\d+, \d+\))?)\) as", sql))
    named = ", ".join(f"{name} {data_type}" for name, data_type in columns.items())
    bench.con.execute(f"create table staging.files ({named}); drop table staging.stg_ml__recommendations_said")
    bench.sql = bench.sql | {"stg_ml__recommendations_said": re.sub(r"read_parquet\([^)]*\)", "staging.files", sql)}
    put(bench, "staging.files", said)


def measured(bench: Bench, arms: dict[str, list[tuple[int, int, bool]]]) -> None:
    """Windows of treated and held-back customers as given: (MRR before, MRR after 30 days, has churned)."""
    bench.con.execute(
        "create or replace table intermediate.int_windows_measured (account_id varchar, customer_id varchar,"
        " currency varchar, started_on date, horizon_days integer, mrr_minor bigint, usage_change decimal(18, 6),"
        " is_paid boolean, has_churned boolean)"
    )
    for arm, given in arms.items():
        for number, (before, after, has_churned) in enumerate(given):
            is_treated = arm == "carried_out"
            name = f"cus_{number}" if is_treated else f"cus_held{number}"
            if is_treated:
                put(bench, "intermediate.int_actions_executed", [action(number)])
            else:
                put(bench, "staging.stg_ml__recommendations_said", [held(number)])
            put(bench, "intermediate.int_windows_measured", [window(name, 0, before)])
            put(bench, "intermediate.int_windows_measured", [window(name, 30, after, has_churned=has_churned)])


def effects(bench: Bench, is_measured: bool = True) -> list[Row]:
    left_out = {"int_recommendations_summed", "action_effects", "stg_ml__recommendations_said"} | (
        {"int_windows_measured"} if is_measured else set()
    )
    names = [name for name in MODELS if name not in left_out]
    for name in names:
        bench.build("intermediate", name)
    bench.build("marts", "action_effects")
    return rows(
        bench, "select * from marts.action_effects where month_start is null order by kind, metric, horizon_days"
    )


def only(found: list[Row], metric: str, horizon: int = 30) -> Row:
    (row,) = [row for row in found if (row["metric"], row["horizon_days"]) == (metric, horizon)]
    return row
