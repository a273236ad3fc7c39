"""The invoice models on rows of a test's own: their inputs as tables with only the columns that they read."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import duckdb

from tests.commands import ROOT
from tests.dbt_project.compiled import Bench

AS_OF = date(2026, 10, 31)
ACCOUNT = "acct_test"
# in the order in which they are built
MODELS = (
    "int_usage_periods_settled", "int_usage_paths_priced", "int_usage_paths_fixed", "int_usage_paths_rated",
    "int_usage_paths_periods", "int_open_periods_raw", "int_subscription_periods_raw", "int_band_factors",
    "int_open_periods_backtested", "int_subscription_periods_backtested", "int_customer_balances",
    "int_credit_grants_live", "int_upcoming_items", "int_upcoming_invoices", "int_upcoming_lines",
    "int_upcoming_discounts", "int_upcoming_paths", "int_upcoming_path_lines", "int_upcoming_credits",
    "int_upcoming_path_totals", "int_invoices_expected", "int_invoices_said", "int_credit_draws_pathed",
    "int_credits_expected", "invoice_forecast", "credit_burn_down",
)  # fmt: skip
MARTS = {"invoice_forecast", "credit_burn_down"}
INPUTS = {
    "intermediate.int_as_of": "as_of date, known_until timestamp",
    "seeds.billing_intervals": "billing_interval varchar, intervals_per_year integer",
    "seeds.currencies": "currency varchar, minor_unit_exponent integer",
    "seeds.message_templates": "kind varchar, locale varchar, subject varchar, body varchar",
    "marts.dim_prices": "price_id varchar, product_id varchar, billing_interval varchar, interval_count integer",
    "marts.dim_subscriptions": "subscription_id varchar, plan varchar",
    "marts.usage_forecast": "subscription_item_id varchar, is_current boolean, demand_class varchar",
    "marts.fct_usage_periods": (
        "subscription_item_id varchar, subscription_id varchar, customer_id varchar, meter_id varchar,"
        "aggregation_formula varchar, price_id varchar, currency varchar, period_start timestamp,"
        "period_end timestamp, is_open boolean, is_trial boolean, is_estimated boolean, days_elapsed integer,"
        "days_in_period integer, quantity decimal(18, 6), rated_amount_minor bigint"
    ),
    "intermediate.int_usage_periods_ahead": (
        "subscription_item_id varchar, origin_date date, period_start timestamp, period_end timestamp,"
        "is_scoring boolean"
    ),
    "intermediate.int_subscription_items": (
        "subscription_item_id varchar, subscription_id varchar, price_id varchar, currency varchar,"
        "aggregation_formula varchar, is_metered boolean, quantity bigint, is_alive boolean, is_deleted boolean,"
        "first_day date, ended_at timestamp, trial_ends_at timestamp, current_period_start timestamp,"
        "current_period_end timestamp"
    ),
    "intermediate.int_subscriptions": (
        "subscription_id varchar, customer_id varchar, currency varchar, standing varchar,"
        "cancel_at_period_end boolean, canceled_at timestamp"
    ),
    "staging.stg_stripe__subscriptions": (
        "subscription_id varchar, cancel_at timestamp, pause_behavior varchar, resumes_at timestamp"
    ),
    "intermediate.int_price_tiers": (
        "price_id varchar, currency varchar, rating_mode varchar, package_size bigint, tier_index integer,"
        "lower_bound decimal(18, 6), upper_bound decimal(18, 6), unit_amount_decimal decimal(24, 12),"
        "flat_amount_decimal decimal(24, 12), billed_multiple_of integer, is_included boolean"
    ),
    "staging.stg_stripe__credit_grants": (
        "credit_grant_id varchar, customer_id varchar, currency varchar, category varchar, priority integer,"
        "scope_price_ids varchar[], amount_minor bigint, is_deleted boolean, effective_at timestamp,"
        "expires_at timestamp, voided_at timestamp, created_at timestamp"
    ),
    "staging.stg_stripe__credit_balance_transactions": (
        "credit_grant_id varchar, amount_minor bigint, is_deleted boolean, created_at timestamp"
    ),
    "staging.stg_stripe__customers": (
        "customer_id varchar, currency varchar, balance_minor bigint, is_deleted boolean"
    ),
    "staging.stg_stripe__customer_balance_transactions": (
        "customer_id varchar, currency varchar, amount_minor bigint, is_deleted boolean, created_at timestamp"
    ),
    "staging.stg_stripe__invoice_items": (
        "invoice_item_id varchar, invoice_id varchar, customer_id varchar, subscription_id varchar,"
        "subscription_item_id varchar, product_id varchar, currency varchar, amount_minor bigint,"
        "is_discountable boolean, is_deleted boolean, created_at timestamp"
    ),
    "intermediate.int_invoices": (
        "invoice_id varchar, subscription_id varchar, total_minor bigint, tax_minor bigint,"
        "finalized_at timestamp, voided_at timestamp"
    ),
    "intermediate.int_discounts_placed": (
        "subscription_id varchar, subscription_item_id varchar, discount_id varchar, owner_rank integer,"
        "position integer, duration varchar, percent_off decimal(9, 6), amount_off_minor bigint, currency varchar,"
        "product_ids varchar[], valid_from timestamp, valid_to timestamp"
    ),
    "staging.stg_ml__usage_paths": (
        "subscription_item_id varchar, as_of date, is_backtest boolean, period_start timestamp,"
        "period_number integer, path integer, quantity_so_far double, path_quantity double, method varchar,"
        "model_version varchar"
    ),
}


class InvoiceBench(Bench):
    """The models' inputs, empty but for the seeds and as_of; `put` fills them, `build_all` makes every model."""

    def __init__(self, sql: dict[str, str]) -> None:
        super().__init__(sql)
        for table, columns in INPUTS.items():
            key = "" if table.startswith("seeds.") else "account_id varchar, "
            self.con.execute(f"create table {table} ({key}{columns})")
        self.put("intermediate.int_as_of", [{"as_of": AS_OF, "known_until": datetime.fromisoformat("9999-12-31")}])
        self.put(
            "seeds.billing_intervals",
            [
                {"billing_interval": "month", "intervals_per_year": 12},
                {"billing_interval": "year", "intervals_per_year": 1},
            ],
        )
        self.put(
            "seeds.currencies",
            [{"currency": "usd", "minor_unit_exponent": 2}, {"currency": "jpy", "minor_unit_exponent": 0}],
        )
        with (ROOT / "dbt_project" / "seeds" / "message_templates.csv").open(newline="") as file:
            self.put("seeds.message_templates", list(csv.DictReader(file)))

    def put(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows, each with the columns that it names and the account."""
        for row in rows:
            values = dict(row) if table.startswith("seeds.") else {"account_id": ACCOUNT} | dict(row)
            marks = ", ".join("?" * len(values))
            self.con.execute(f"insert into {table} ({', '.join(values)}) values ({marks})", list(values.values()))

    def build_all(self) -> duckdb.DuckDBPyConnection:
        for model in MODELS:
            self.build("marts" if model in MARTS else "intermediate", model)
        return self.con

    def rows(self, query: str) -> list[dict[str, Any]]:
        found = self.con.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
