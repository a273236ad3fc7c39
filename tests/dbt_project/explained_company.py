"""A thousand invoices and more to explain: the small company's, all of them, and as many odd ones drawn here.

The models run from the SQL that the company's own run compiled, in a database in memory: no dbt run.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

Rows = list[dict[str, Any]]
READS = (
    "intermediate.int_invoices", "intermediate.int_invoice_lines", "intermediate.int_metered_lines_rated",
    "intermediate.int_price_tiers", "intermediate.int_reviews", "staging.stg_stripe__invoices",
    "staging.stg_stripe__products", "staging.stg_stripe__meters", "marts.fct_rating_steps", "marts.usage_drivers",
    "marts.invoice_forecast", "marts.dim_subscriptions", "seeds.currencies", "seeds.message_templates",
)  # fmt: skip
BUILDS = (
    "intermediate.int_invoices_explained", "intermediate.int_invoice_parts", "intermediate.int_invoice_usage_compared",
    "marts.invoice_explanation_parts", "intermediate.int_invoice_parts_worded", "intermediate.int_invoice_days_worded",
    "intermediate.int_invoices_worded", "marts.invoice_explanations",
)  # fmt: skip
# What a merchant might have called things, or been made to.
POISONED = (
    "<b>Calls</b>", "=HYPERLINK(calls)", "Ca\u202ells\u2066", "Calls\x1b[31m\x07", "[link=x]Calls[/link]",
    "{total} calls", "\u200b\u200d", "+Calls\r\n@calls", "`calls`",
)  # fmt: skip
ACCOUNT = "acct_drawn"
FIRST = datetime.fromisoformat("2026-01-15T06:30:00")


def compiled(data: Path, model: str) -> str:
    """The SQL of a model as the last run of this state folder compiled it."""
    [path] = (data / "dbt" / "compiled" / "meterwise" / "models").rglob(f"{model.split('.')[1]}.sql")
    return path.read_text()


class Shelf:
    """The tables that explanations read, and the models of explanations on top of them."""

    def __init__(self, data: Path) -> None:
        self.sql = {model: compiled(data, model) for model in BUILDS}
        self.con = duckdb.connect()
        self.con.execute("attach ':memory:' as warehouse")
        self.con.execute(f"attach '{data / 'warehouse.duckdb'}' as made (read_only)")
        for schema in ("intermediate", "staging", "marts", "seeds"):
            self.con.execute(f"create schema warehouse.{schema}")
        for table in READS:
            self.con.execute(f"create table warehouse.{table} as from made.{table}")
        # explained_months are counted from as_of: from this one on every invoice is explained
        self.con.execute("update warehouse.intermediate.int_invoices set as_of = date '2001-01-01'")

    def add(self, table: str, rows: Rows) -> None:
        """Put rows into a table; columns that they do not name are null."""
        if not rows:
            return
        frame = pd.DataFrame(rows).astype(object).where(lambda found: found.notna(), None)  # noqa: F841 - the query reads it
        self.con.execute(f"insert into warehouse.{table} by name select * from frame")

    def build(self, *models: str) -> None:
        """Build these models, or all, from what the tables hold now."""
        for model in models or BUILDS:
            self.con.execute(f"create or replace table warehouse.{model} as {self.sql[model]}")

    def rows(self, query: str) -> Rows:
        found = self.con.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def line(invoice: dict[str, Any], number: int, amount: int, **more: Any) -> dict[str, Any]:
    plain = {"account_id": ACCOUNT, "invoice_line_id": f"il_{invoice['invoice_id']}_{number}",
             "invoice_id": invoice["invoice_id"], "currency": invoice["currency"], "amount_minor": amount,
             "discount_minor": 0, "is_proration": False,
             "is_metered": False, "is_unpriced": False, "is_known": True, "is_void": False}  # fmt: skip
    return plain | more


def draw(subscriptions: int, months: int, seed: int = 9) -> dict[str, Rows]:
    """Invoices of every kind: first and later, by hand, between billing days, void, written off; with fees, seats,
    usage, prorations, one-offs, discounts, credits, tax in and beside prices, balances, and lines that did not land.
    """
    dice = random.Random(seed)  # noqa: S311 - no secret
    tables: dict[str, Rows] = {"int_invoices": [], "int_invoice_lines": [], "int_metered_lines_rated": [], "sent": []}
    for number in range(subscriptions):
        currency = dice.choice(["usd", "eur", "jpy", "kwd"])
        seats, used = dice.randint(1, 20), dice.randint(0, 90_000)
        for month in range(months):
            seats, used = seats + dice.choice([0, 0, 1, -1]), used + dice.randint(-500, 900)
            invoice: dict[str, Any]
            invoice = {"account_id": ACCOUNT, "invoice_id": f"in_{number}_{month}", "currency": currency,
                       "status": "paid", "customer_id": f"cus_{number}", "subscription_id": f"sub_{number}",
                       "billing_reason": "subscription_cycle" if month else "subscription_create",
                       "created_at": FIRST + timedelta(days=31 * month)}  # fmt: skip
            odd = dice.random()
            if odd < 0.06:
                invoice |= {"billing_reason": "subscription_update"}
            elif odd < 0.10:
                invoice |= {"subscription_id": None, "billing_reason": "manual"}
            elif odd < 0.14:
                invoice |= {"status": "void", "voided_at": invoice["created_at"] + timedelta(days=2)}
            elif odd < 0.18:
                invoice |= {"status": "uncollectible", "uncollectible_at": invoice["created_at"] + timedelta(days=40)}
            _fill(dice, tables, invoice, max(seats, 0), Decimal(max(used, 0)) / dice.choice([1, 1, 4]))
    return tables


def _fill(dice: random.Random, tables: dict[str, Rows], invoice: dict[str, Any], seats: int, used: Decimal) -> None:
    """Lines, totals and what stands between them and the amount due."""
    number, where = invoice["invoice_id"].split("_")[1], invoice["created_at"]
    fee, lines = dice.choice([0, 4_900, 4_900, 19_900]), []
    if invoice["subscription_id"]:
        lines.append(line(invoice, 0, fee, subscription_item_id=f"si_fee{number}", product_id="prod_plan",
                          quantity=Decimal(1), unit_amount_decimal=Decimal(fee)))  # fmt: skip
        if seats:
            lines.append(line(invoice, 1, 700 * seats, subscription_item_id=f"si_seat{number}", product_id="prod_seats",
                              quantity=Decimal(seats), unit_amount_decimal=Decimal(700)))  # fmt: skip
        cost = int(used) // 10
        lines.append(line(invoice, 2, cost, subscription_item_id=f"si_use{number}", is_metered=True, quantity=used,
                          meter_id=f"mtr_{int(number) % len(POISONED)}"))  # fmt: skip
        tables["int_metered_lines_rated"].append({
            "account_id": ACCOUNT, "invoice_id": invoice["invoice_id"], "subscription_item_id": f"si_use{number}",
            "price_id": "price_drawn", "currency": invoice["currency"], "meter_id": lines[-1]["meter_id"],
            "period_start": where - timedelta(days=31), "period_end": where, "bills_the_period": True,
            "invoiced_amount_minor": cost, "period_amount_minor": cost, "quantity": used, "billed_quantity": used,
        })  # fmt: skip
    if dice.random() < 0.2:
        lines.append(line(invoice, 3, dice.randint(-3_000, 3_000), is_proration=True))
    if dice.random() < 0.2 or not invoice["subscription_id"]:
        lines.append(line(invoice, 4, dice.randint(-500, 50_000), quantity=Decimal(1)))
    subtotal = sum(found["amount_minor"] for found in lines)
    if dice.random() < 0.05:
        lines.pop()  # did not land
    discount, credit = (dice.choice([0, 0, 0, max(subtotal, 0) // part]) for part in (10, 3))
    tax = dice.choice([0, 0, max(subtotal, 0) // 5])
    inclusive = tax if dice.random() < 0.3 else 0
    total = subtotal - discount - credit + tax - inclusive
    notes = dice.choice([0, 0, 0, 0, max(total, 0) // 7])
    due = max(total - notes + dice.choice([0, 0, 0, -450, 800]), 0)
    tables["int_invoices"].append(invoice | {
        "finalized_at": where + timedelta(hours=1), "subtotal_minor": subtotal, "discount_minor": discount,
        "pretax_credit_minor": credit, "tax_minor": tax, "inclusive_tax_minor": inclusive, "total_minor": total,
        "amount_due_minor": due, "as_of": date(2001, 1, 1),
    })  # fmt: skip
    sent = {"account_id": ACCOUNT, "invoice_id": invoice["invoice_id"], "pre_payment_credit_notes_minor": notes}
    tables["sent"].append(sent)
    tables["int_invoice_lines"] += lines


def odd() -> dict[str, Rows]:
    """One subscription (sub_NAME) for each thing that a month of a real account holds and a draw does not; its
    invoices are in_NAME_0 and so on.
    """
    tables: dict[str, Rows] = {"int_invoices": [], "int_invoice_lines": [], "sent": [], "forecasts": [], "living": []}

    def invoice(
        name: str, number: int, total: int = 5_000, notes: int = 0, product: str = "prod_plan", **more: Any
    ) -> None:
        where = FIRST + timedelta(days=31 * number)
        made = {"account_id": ACCOUNT, "invoice_id": f"in_{name}_{number}", "customer_id": f"cus_{name}",
                "subscription_id": f"sub_{name}", "currency": "usd", "status": "paid", "created_at": where,
                "finalized_at": where + timedelta(hours=1), "billing_reason": "subscription_cycle",
                "subtotal_minor": total, "discount_minor": 0, "pretax_credit_minor": 0, "tax_minor": 0,
                "inclusive_tax_minor": 0, "total_minor": total, "starting_balance_minor": 0,
                "amount_due_minor": total, "as_of": date(2001, 1, 1)} | more  # fmt: skip
        tables["int_invoices"].append(made)
        tables["int_invoice_lines"].append(line(made, 0, total, subscription_item_id=f"si_{name}", quantity=1,
                                                product_id=product, unit_amount_decimal=total))  # fmt: skip
        keys = {"account_id": ACCOUNT, "invoice_id": made["invoice_id"]}
        tables["sent"].append(keys | {"pre_payment_credit_notes_minor": notes})

    def forecast(name: str, total: int, **more: Any) -> None:
        found = {
            "account_id": ACCOUNT,
            "subscription_id": f"sub_{name}",
            "currency": "usd",
            "status": "ok",
            "period_end": FIRST + timedelta(days=31),
            "is_last": False,
            "is_collected": True,
            "balance_minor": 0,
        }
        band = dict.fromkeys(("total_q10_minor", "total_median_minor", "total_q90_minor"), total)
        tables["forecasts"].append(found | band | more)

    made: tuple[tuple[str, dict[str, Any]], ...] = (
        ("small", {"total": 30, "amount_due_minor": 0}),
        ("credited", {"starting_balance_minor": -2_000, "amount_due_minor": 3_000}),
        ("noted", {"notes": 1_000, "amount_due_minor": 4_000}),
        ("both", {"notes": 1_000, "starting_balance_minor": -500, "amount_due_minor": 3_500}),
        ("netted", {"notes": 1_000, "starting_balance_minor": 300, "amount_due_minor": 4_300}),
        ("owing", {"starting_balance_minor": 700, "amount_due_minor": 5_700}),
        ("owed", {"total": -900, "starting_balance_minor": 1_000, "amount_due_minor": 100}),
        *((name, {}) for name in ("settled", "settling", "last", "paused", "gone", "ended", "waiting")),
    )
    for name, fields in made:
        invoice(name, 0, **fields)
    forecast("settled", 4_000, balance_minor=-1_000)
    forecast("settling", 4_000, balance_minor=-1_000, total_q90_minor=4_500)
    forecast("last", 1_000, is_last=True)
    forecast("paused", 5_000, is_collected=False)
    forecast("waiting", 5_000, period_end=FIRST + timedelta(days=62))
    invoice("waiting", 1, status="draft", finalized_at=None)
    invoice("gone", 1, billing_reason="subscription_update")
    invoice("quoted", 0, billing_reason="quote_accept")
    invoice("quoted", 1, total=6_000)
    invoice("dearer", 0)
    invoice("dearer", 1, total=6_000)
    invoice("moved", 0, product="prod_seats")
    invoice("moved", 1)
    invoice("tried", 0, total=0)
    invoice("tried", 1)
    invoice("revived", 0, status="void", billing_reason="subscription_create")
    invoice("revived", 1)
    for name in ("gone", "ended"):
        gone = {"subscription_id": f"sub_{name}", "customer_id": f"cus_{name}", "status": "canceled"}
        tables["living"].append({"account_id": ACCOUNT, "has_discount": False, "cancel_at_period_end": False,
                                 "currency": "usd", "started_at": FIRST} | gone)  # fmt: skip
    return tables


def stocked(data: Path, subscriptions: int = 150, months: int = 7) -> Shelf:
    """A shelf with the company's invoices and the drawn ones, its models built."""
    shelf = Shelf(data)
    for drawn in (draw(subscriptions, months), odd()):
        shelf.add("staging.stg_stripe__invoices", drawn.pop("sent"))
        shelf.add("marts.invoice_forecast", drawn.pop("forecasts", []))
        shelf.add("marts.dim_subscriptions", drawn.pop("living", []))
        for table, rows in drawn.items():
            shelf.add(f"intermediate.{table}", rows)
    products = {"prod_plan": "Plan 9 <i>from</i> =space", "prod_seats": "Seats"}
    meters = [
        {"account_id": ACCOUNT, "meter_id": f"mtr_{place}", "meter_name": name} for place, name in enumerate(POISONED)
    ]
    shelf.add("staging.stg_stripe__meters", meters)
    named = [{"account_id": ACCOUNT, "product_id": key, "product_name": name} for key, name in products.items()]
    shelf.add("staging.stg_stripe__products", named)
    shelf.build()
    return shelf
