"""An account's invoices and the tries to collect them, as tables for the models that propose what to do about them.

Rows are a test's own; the models are run as the SQL that `make run` of the small company has compiled.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.commands import ROOT
from tests.dbt_project.compiled import Bench

AS_OF = date(2026, 10, 31)
END = datetime.fromisoformat("2026-11-01")  # the first moment after it
ACCOUNT = "acct"
Row = dict[str, Any]

DUNNING = (
    *("fct_receivables_ageing", "int_dunning_invoices", "int_invoice_tries"),
    *("int_retry_payments_found", "int_retry_payments_valued", "int_retry_payments_proposed"),
)
PLANS = ("int_payment_plans_found", "int_payment_plans_proposed")
MARTS = ("fct_receivables_ageing",)

TABLES = {
    "intermediate.int_as_of": "account_id text, as_of date, time_zone text",
    "intermediate.int_invoices": "account_id text, invoice_id text, customer_id text, subscription_id text, "
    "number text, status text, billing_reason text, collection_method text, currency text, due_at timestamp, "
    "finalized_at timestamp, paid_at timestamp, total_minor bigint, amount_due_minor bigint, amount_paid_minor bigint, "
    "amount_remaining_minor bigint, attempt_count integer, as_of date",
    "staging.stg_stripe__invoices": "account_id text, invoice_id text, number text, billing_reason text, "
    "next_payment_attempt_at timestamp",
    "staging.stg_stripe__charges": "account_id text, charge_id text, payment_method_id text, advice_code text",
    "staging.stg_stripe__customers": "account_id text, customer_id text, name text, currency text, livemode boolean, "
    "is_deleted boolean, default_payment_method_id text",
    "staging.stg_stripe__subscriptions": "account_id text, subscription_id text, default_payment_method_id text, "
    "pause_behavior text, subscription_schedule_id text",
    "marts.fct_payments": "account_id text, payment_id text, payment_kind text, invoice_id text, outcome text, "
    "decline_reason text, attempt_number integer, attempted_at timestamp, dispute_status text, received_minor bigint, "
    "customer_id text, refunded_minor bigint, disputed_minor bigint",
    "marts.fct_invoice_lines": "account_id text, invoice_id text, subscription_item_id text, amount_minor bigint, "
    "discount_minor bigint, is_metered boolean",
    "intermediate.int_actions_executed": "account_id text, kind text, params json, object_id text, undone_at timestamp",
    "seeds.action_rules": "kind text, name text, currency text, value decimal(18, 6), meaning text",
    "seeds.action_kinds": "kind text, value_months integer, effect_low decimal(9, 6), effect decimal(9, 6), "
    "effect_high decimal(9, 6), amount_share decimal(9, 6), window_days integer, coupon_id text, "
    "top_share decimal(9, 6), min_lift decimal(9, 6)",
}
CUSTOMERS = TABLES["staging.stg_stripe__customers"]
SUBSCRIPTIONS = (
    "account_id text, subscription_id text, customer_id text, status text, currency text, started_at timestamp, "
)
SUBSCRIPTIONS += "has_discount boolean, canceled_at timestamp"
GONE = {"is_deleted": False}
BY_HAND = {
    "stg_stripe__customer_balance_transactions": "account_id text, customer_id text, balance_transaction_id text, "
    "transaction_type text, amount_minor bigint, created_at timestamp, is_deleted boolean",
    "stg_stripe__credit_notes": "account_id text, customer_id text, credit_note_id text, status text, "
    "created_at timestamp, is_deleted boolean",
    "stg_stripe__credit_grants": "account_id text, customer_id text, credit_grant_id text, category text, "
    "created_at timestamp, voided_at timestamp, is_deleted boolean",
}
SEEDS = ("decline_reasons", "currencies", "message_templates")
RULES: dict[str, dict[str, float]] = {
    "retry_payment": {"hours_to_next_attempt": 48, "prior_share": 0.3, "prior_tries": 10, "level_tries": 10}
    | {"least_chance": 0.1},
    "payment_plan": {"days_past_due": 5, "metered_share": 0.5, "instalments": 3, "first_after_days": 14}
    | {"least_notice_days": 7, "days_between": 30, "decide_within_days": 5, "prior_share": 0.5, "prior_invoices": 10},
    "invoice_note": {"changed_share": 0.25, "window_days": 35},
    "courtesy_credit": {"least_confidence": 0.6, "felt_months": 3, "least_held_back": 100},
    "retention_offer": {"least_held_back": 100},
}
FLOORS = {"usd": 10000, "jpy": 15000, "kwd": 10000}


def compiled_in(run: Path, *models: str) -> dict[str, str]:
    """The SQL of models, as a run in the state folder `run` has compiled it."""
    at = run / "dbt" / "compiled" / "meterwise" / "models"
    return {name: next(at.rglob(f"{name}.sql")).read_text() for name in models}


def slots_of(kind: str) -> list[str]:
    """The {slots} that the template of a kind names, subject and body."""
    with (ROOT / "dbt_project" / "seeds" / "message_templates.csv").open(newline="") as file:
        found = next(row for row in csv.DictReader(file) if row["kind"] == kind and row["locale"] == "en")
    return re.findall(r"{(\w+)}", found["subject"] + found["body"])


def table(bench: Bench, name: str, columns: str, rows: Sequence[Mapping[str, object]]) -> None:
    """A table of these rows; a column that a row does not name is null."""
    bench.con.execute(f"create or replace table {name} ({columns})")
    for row in rows:
        marks = ", ".join("?" * len(row))
        bench.con.execute(f"insert into {name} ({', '.join(row)}) values ({marks})", list(row.values()))


def seeds(bench: Bench, rules: Mapping[str, Mapping[str, float]] = RULES) -> None:
    """The seeds; numbers of rules are the test's own, so that tuning them breaks no test."""
    for name in SEEDS:
        path = ROOT / "dbt_project" / "seeds" / f"{name}.csv"
        bench.con.execute(f"create or replace table seeds.{name} as from read_csv('{path}', header=true)")
    numbers = [{"kind": kind, "name": name, "value": one} for kind, own in rules.items() for name, one in own.items()]
    floors = [{"kind": "payment_plan", "name": "floor_minor", "currency": c, "value": v} for c, v in FLOORS.items()]
    table(bench, "seeds.action_rules", TABLES["seeds.action_rules"], [*numbers, *floors])
    kinds: list[Row] = [{"kind": "retry_payment"}, {"kind": "invoice_note"}]
    kinds.append({"kind": "payment_plan", "value_months": 3, "effect_low": 0, "effect": 0.2, "effect_high": 0.4})
    table(bench, "seeds.action_kinds", TABLES["seeds.action_kinds"], kinds)


def put(bench: Bench, name: str, columns: str, rows: list[Row]) -> None:
    table(bench, name, columns, [{"account_id": ACCOUNT} | row for row in rows])


def proposed(bench: Bench, models: tuple[str, ...]) -> list[Row]:
    for model in models:
        bench.build("intermediate", model)
    found = bench.con.execute(f"from intermediate.{models[-1]} order by customer_id")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@dataclass
class Collecting:
    """Invoices of one account; `tables` has the rows."""

    tables: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, table_name: str, /, **row: Any) -> None:
        self.tables.setdefault(table_name, []).append({"account_id": ACCOUNT} | row)

    def invoice(
        self, name: str, tries: Sequence[tuple[int, str | None]], *, next_at: datetime | None = None, **more: Any
    ) -> None:
        """An invoice of its own customer, tried on the days `tries` ago, each with its refusal (None: it was paid).

        more: columns of int_invoices, and metered (share of it that is usage), card (on file now), advice, dispute,
        customer (columns of the customer). A refusal "pending" is a charge that is still under way.
        """
        is_paid = bool(tries) and tries[-1][1] is None
        metered, card = more.pop("metered", 1.0), more.pop("card", "pm_1")
        advice, dispute, customer = more.pop("advice", None), more.pop("dispute", None), more.pop("customer", {})
        begun = END - timedelta(days=tries[0][0] if tries else 10, hours=12)
        row: Row = {"invoice_id": name, "customer_id": f"cus_{name}", "subscription_id": f"sub_{name}"}
        row |= {"number": f"N-{name}", "status": "paid" if is_paid else "open", "billing_reason": "subscription_cycle"}
        row |= {"collection_method": "charge_automatically", "currency": "usd", "finalized_at": begun}
        row |= {"paid_at": END - timedelta(days=tries[-1][0], hours=12) if is_paid else None, "total_minor": 20000}
        row |= {"amount_due_minor": 20000, "amount_paid_minor": 20000 if is_paid else 0, "as_of": AS_OF}
        row |= {"amount_remaining_minor": 0 if is_paid else 20000, "attempt_count": len(tries)} | more
        self.add("intermediate.int_invoices", **row)
        told = {key: row[key] for key in ("invoice_id", "number", "billing_reason")}
        self.add("staging.stg_stripe__invoices", **told, next_payment_attempt_at=next_at)
        for number, (days, refusal) in enumerate(tries, 1):
            paid: Row = {"payment_id": f"ch_{name}_{number}", "payment_kind": "charge", "invoice_id": name}
            outcome = "succeeded" if refusal is None else "pending" if refusal == "pending" else "failed"
            paid |= {"outcome": outcome, "decline_reason": refusal if outcome == "failed" else None}
            paid |= {"attempt_number": number, "attempted_at": END - timedelta(days=days, hours=12)}
            paid |= {"received_minor": 0 if refusal else row["amount_due_minor"], "dispute_status": dispute}
            self.add("marts.fct_payments", **paid)
            charge = {"charge_id": paid["payment_id"], "payment_method_id": "pm_1", "advice_code": advice}
            self.add("staging.stg_stripe__charges", **charge)
        usage = round(row["total_minor"] * metered)
        for amount, is_metered in ((usage, True), (row["total_minor"] - usage, False)):
            self.add("marts.fct_invoice_lines", invoice_id=name, amount_minor=amount, is_metered=is_metered)
        owner: Row = {"customer_id": row["customer_id"], "name": f"Customer {name}", "currency": row["currency"]}
        owner |= {"livemode": False, "is_deleted": False, "default_payment_method_id": card} | customer
        self.add("staging.stg_stripe__customers", **owner)
        self.add("staging.stg_stripe__subscriptions", subscription_id=row["subscription_id"])

    def proposed(self, sql: dict[str, str], last: str, rules: Mapping[str, Mapping[str, float]] = RULES) -> list[Row]:
        """What the model `last` says, by invoice, after those before it were built."""
        bench = Bench(sql)
        seeds(bench, rules)
        self.tables["intermediate.int_as_of"] = [{"account_id": ACCOUNT, "as_of": AS_OF, "time_zone": "UTC"}]
        for name, columns in TABLES.items():
            if not name.startswith("seeds."):
                table(bench, name, columns, self.tables.get(name, []))
        for model in (*DUNNING, *PLANS):
            bench.build("marts" if model in MARTS else "intermediate", model)
        found = bench.con.execute(f"from intermediate.{last} order by subject_id")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
