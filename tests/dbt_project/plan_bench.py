"""The models of plan moves, quotes and usage alerts on rows of a test's own: the inputs' columns that they read."""

from __future__ import annotations

import csv
import functools
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped] # the types are a package of their own

from tests.commands import ROOT
from tests.dbt_project.compiled import Bench, compiled_models

AS_OF, ACCOUNT = date(2026, 10, 31), "acct_test"
MOVES = (
    "int_subscriptions_preconditioned", "int_plan_prices_paired", "int_plan_moves_possible", "int_quota_pressure",
    "int_plan_moves_screened", "int_plan_moves_rated", "int_plan_moves_judged", "int_plan_moves_valued",
    "int_tier_upgrades_proposed", "int_right_size_downgrades_proposed",
)  # fmt: skip
QUOTES = (
    "int_plan_prices_paired", "int_upgrade_quotes_possible", "int_upgrade_quotes_found", "int_upgrade_quotes_proposed",
)  # fmt: skip
CHECKS = ("int_proposals_checked",)
ALERTS = (
    "int_usage_levels_of_credits", "int_usage_levels_ahead", "int_usage_levels_counted", "int_usage_alerts_found",
    "int_usage_alerts_proposed",
)  # fmt: skip
SEEDS = {"_after_ml__seeds.yml": ("action_kinds", "message_templates"), "_dunning__seeds.yml": ("action_rules",)}
SEEDS |= {"_pricing__seeds.yml": ("elasticity_assumptions", "contract_locks", "price_rules")}
INPUTS = {
    "intermediate.int_as_of": "as_of date, known_until timestamp",
    "intermediate.int_subscriptions": "subscription_id varchar, customer_id varchar",
    "intermediate.int_actions_decided": (
        "recommendation_id varchar, customer_id varchar, conflict_key varchar, decided_on date"
    ),
    "intermediate.int_customer_margins": (
        "customer_id varchar, currency varchar, monthly_revenue_minor bigint, monthly_cost_minor bigint"
    ),
    "marts.alerts": "state varchar, is_acknowledged boolean, model_name varchar",
    "staging.stg_ml__usage_forecast": "as_of date",
    "staging.stg_ml__churn_risk": "as_of date",
    "staging.stg_ml__usage_anomaly_runs": "as_of date",
    "staging.stg_stripe__subscription_schedules": (
        "subscription_id varchar, status varchar, is_deleted boolean, created_at timestamp,"
        "phases struct(ends_at timestamp)[]"
    ),
    "seeds.billing_intervals": "billing_interval varchar, intervals_per_year integer",
    "seeds.currencies": "currency varchar, minor_unit_exponent integer",
    "marts.dim_prices": (
        "price_id varchar, product_id varchar, product_name varchar, plan_rank integer, currency varchar,"
        "usage_type varchar, billing_interval varchar, interval_count integer, meter_id varchar,"
        "included_units decimal(18, 6), is_active boolean, experiment_id varchar"
    ),
    "marts.dim_subscriptions": (
        "subscription_id varchar, customer_id varchar, status varchar, currency varchar, ended_at timestamp,"
        "cancel_at_period_end boolean, cancellation_reason varchar"
    ),
    "marts.dim_customers": "customer_id varchar, name varchar, segment varchar",
    "marts.fct_mrr_monthly": "customer_id varchar, currency varchar, month_start date, mrr_minor bigint",
    "marts.churn_risk": (
        "customer_id varchar, is_current boolean, horizon_days integer, probability double, base_rate double"
    ),
    "marts.fct_usage_periods": (
        "subscription_item_id varchar, period_start timestamp, is_open boolean, is_trial boolean,"
        "aggregation_formula varchar"
    ),
    "marts.usage_forecast": "subscription_item_id varchar, is_current boolean, forecast_date date, yhat_mean double",
    "staging.stg_stripe__subscriptions": (
        "subscription_id varchar, customer_id varchar, currency varchar, livemode boolean, status varchar,"
        "is_deleted boolean, subscription_schedule_id varchar, cancel_at timestamp, pause_behavior varchar,"
        "discounts varchar[]"
    ),
    "staging.stg_stripe__subscription_items": (
        "subscription_item_id varchar, subscription_id varchar, price_id varchar, meter_id varchar, quantity bigint,"
        "is_deleted boolean, discounts varchar[], current_period_start timestamp, current_period_end timestamp"
    ),
    "staging.stg_stripe__customers": (
        "customer_id varchar, currency varchar, livemode boolean, is_deleted boolean, is_delinquent boolean"
    ),
    "staging.stg_stripe__meters": "meter_id varchar, meter_name varchar, status varchar",
    "staging.stg_stripe__quotes": "customer_id varchar, status varchar, is_deleted boolean",
    "staging.stg_stripe__alerts": (
        "alert_id varchar, meter_id varchar, customer_id varchar, alert_type varchar, status varchar,"
        "threshold decimal(18, 6), is_deleted boolean"
    ),
    "intermediate.int_price_tiers": (
        "price_id varchar, currency varchar, rating_mode varchar, package_size bigint, tier_index integer,"
        "lower_bound decimal(18, 6), upper_bound decimal(18, 6), unit_amount_decimal decimal(24, 12),"
        "flat_amount_decimal decimal(24, 12), billed_multiple_of integer, is_included boolean"
    ),
    "intermediate.int_open_periods_forecast": (
        "subscription_item_id varchar, subscription_id varchar, customer_id varchar, meter_id varchar,"
        "price_id varchar, currency varchar, as_of date, period_start timestamp, period_end timestamp,"
        "days_elapsed integer, days_in_period integer, days_remaining integer, included_units decimal(18, 6),"
        "quantity_so_far decimal(18, 6), projected_quantity_low decimal(18, 6),"
        "projected_quantity_high decimal(18, 6), median_quantity decimal(18, 6),"
        "run_rate_quantity decimal(18, 6), model_version varchar"
    ),
    "intermediate.int_usage_periods_settled": (
        "subscription_item_id varchar, quantity decimal(18, 6), rated_amount_minor bigint, period_start timestamp,"
        "period_end timestamp"
    ),
    "intermediate.int_usage_paths_rated": (
        "subscription_item_id varchar, period_start timestamp, is_backtest boolean, period_number integer,"
        "path integer, quantity decimal(18, 6)"
    ),
    "intermediate.int_usage_paths_periods": (
        "subscription_item_id varchar, is_backtest boolean, period_number integer, q025_quantity decimal(18, 6),"
        "q10_quantity decimal(18, 6), median_quantity decimal(18, 6), q90_quantity decimal(18, 6),"
        "q975_quantity decimal(18, 6), run_rate_quantity decimal(18, 6)"
    ),
    "intermediate.int_credit_grants_live": "credit_grant_id varchar, place integer, remaining_minor bigint",
    "intermediate.int_upcoming_credits": (
        "credit_grant_id varchar, subscription_id varchar, line_id varchar, period_end timestamp, path integer,"
        "drawn_minor bigint"
    ),
    "intermediate.int_upcoming_invoices": "subscription_id varchar, period_end timestamp, is_running boolean",
    "intermediate.int_credit_draws_pathed": (
        "credit_grant_id varchar, path integer, remaining_minor bigint, running_draw_minor bigint"
    ),
}


@functools.cache
def compiled() -> dict[str, str]:
    """All of the models, compiled once for the tests of this process."""
    with tempfile.TemporaryDirectory() as folder:
        return compiled_models(Path(folder), *dict.fromkeys((*MOVES, *QUOTES, *ALERTS, *CHECKS)))


def seed_rows(name: str) -> list[dict[str, str | None]]:
    with (ROOT / "dbt_project" / "seeds" / f"{name}.csv").open(newline="") as file:
        return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]


class PlanBench(Bench):
    """The inputs, empty but for the project's seeds; `put` fills them, `rows` reads what was built."""

    def __init__(self) -> None:
        super().__init__(compiled())
        for table, columns in INPUTS.items():
            key = "" if table.startswith("seeds.") else "account_id varchar, "
            self.con.execute(f"create table {table} ({key}{columns})")
        for file, names in SEEDS.items():
            described = yaml.safe_load((ROOT / "dbt_project" / "seeds" / file).read_text())["seeds"]
            types = {seed["name"]: seed["config"]["column_types"] for seed in described}
            for name in names:
                columns = ", ".join(f"{column} {kind}" for column, kind in types[name].items())
                self.con.execute(f"create table seeds.{name} ({columns})")
                self.put(f"seeds.{name}", seed_rows(name))
        self.put("intermediate.int_as_of", [{"as_of": AS_OF}])
        self.put("seeds.billing_intervals", [{"billing_interval": "month", "intervals_per_year": 12},
                                             {"billing_interval": "year", "intervals_per_year": 1}])  # fmt: skip
        self.put("seeds.currencies", [{"currency": "usd", "minor_unit_exponent": 2},
                                      {"currency": "gbp", "minor_unit_exponent": 2},
                                      {"currency": "jpy", "minor_unit_exponent": 0}])  # fmt: skip

    def put(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows, each with the columns that it names and the account."""
        if rows:
            full = [dict(row) if table.startswith("seeds.") else {"account_id": ACCOUNT} | dict(row) for row in rows]
            marks = ", ".join("?" * len(full[0]))
            statement = f"insert into {table} ({', '.join(full[0])}) values ({marks})"
            self.con.executemany(statement, [list(row.values()) for row in full])

    def make(self, *models: str) -> None:
        for model in models:
            self.build("intermediate", model)

    def rows(self, query: str) -> list[dict[str, Any]]:
        found = self.con.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)
