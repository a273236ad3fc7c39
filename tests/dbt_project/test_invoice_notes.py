"""Who gets a note at the foot of invoices, and that it says how usage is billed, all of it and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from actions.executors.invoice_note import InvoiceNote
from tests.dbt_project.compiled import Bench
from tests.dbt_project.money_world import (
    AS_OF,
    CUSTOMERS,
    END,
    GONE,
    SUBSCRIPTIONS,
    TABLES,
    Row,
    compiled_in,
    proposed,
    put,
    seeds,
)  # fmt: skip

NOTES = ("int_metered_prices_worded", "int_invoice_notes_found", "int_invoice_notes_proposed")
TIERS = (
    "account_id text, price_id text, currency text, rating_mode text, tier_index integer, lower_bound decimal(18, 6), "
)
TIERS += "upper_bound decimal(18, 6), unit_amount_decimal decimal(24, 12), flat_amount_decimal decimal(24, 12), "
TIERS += "is_included boolean"


@pytest.fixture(scope="module")
def sql(first_run: tuple[Path, str]) -> dict[str, str]:
    return compiled_in(first_run[0], *NOTES)


@pytest.fixture
def bench(sql: dict[str, str]) -> Iterator[Bench]:
    made = Bench(sql)
    seeds(made)
    put(made, "staging.stg_stripe__meters", "account_id text, meter_id text, meter_name text", [])
    yield made
    made.con.close()


def noted(bench: Bench, prices: dict[str, list[Row]], **customers: list[tuple[int, int]]) -> dict[str, Row]:
    """Notes by customer; of each invoice (usage, other), the last one three days ago, and the prices of its items."""
    invoices: list[Row] = []
    lines: list[Row] = []
    for name, bills in customers.items():
        for number, (usage, other) in enumerate(bills):
            at = END - timedelta(days=3 + 30 * (len(bills) - 1 - number))
            invoice: Row = {"invoice_id": f"in_{name}_{number}", "customer_id": name, "subscription_id": f"sub_{name}"}
            invoice |= {
                "number": f"N{number}",
                "status": "paid",
                "billing_reason": "subscription_cycle",
                "as_of": AS_OF,
            }
            invoices.append(invoice | {"currency": "usd", "finalized_at": at, "total_minor": usage + other})
            lines.append({"invoice_id": invoice["invoice_id"], "amount_minor": usage, "is_metered": True})
    put(bench, "intermediate.int_invoices", TABLES["intermediate.int_invoices"], invoices)
    put(bench, "marts.fct_invoice_lines", TABLES["marts.fct_invoice_lines"], lines)
    base: Row = {"status": "active", "currency": "usd"}
    subs: list[Row] = [base | {"subscription_id": f"sub_{name}", "customer_id": name} for name in customers]
    for sub in subs:
        sub |= {"canceled_at": END} if sub["customer_id"] == "ending" else {}
    subs += [sub | {"subscription_id": f"{sub['subscription_id']}_2"} for sub in subs if sub["customer_id"] == "two"]
    put(bench, "marts.dim_subscriptions", SUBSCRIPTIONS, subs)
    items: list[Row] = [
        {"subscription_id": f"sub_{name}", "price_id": price, "usage_type": "metered"} | GONE
        for name in customers
        for price in prices
    ]
    columns = "account_id text, subscription_id text, price_id text, usage_type text, is_deleted boolean"
    put(bench, "staging.stg_stripe__subscription_items", columns, items)
    columns = "account_id text, price_id text, usage_type text, product_id text, product_name text, meter_id text"
    sold: Row = {"usage_type": "metered", "product_id": "prod", "product_name": "Pro", "meter_id": "calls"}
    put(bench, "marts.dim_prices", columns, [{"price_id": price} | sold for price in prices])
    terms: Row = {"currency": "usd", "rating_mode": "graduated", "flat_amount_decimal": 0, "lower_bound": 0}
    terms |= {"is_included": False}
    tiers = [
        terms | {"price_id": price, "tier_index": n} | tier
        for price, own in prices.items()
        for n, tier in enumerate(own)
    ]
    put(bench, "intermediate.int_price_tiers", TIERS, tiers)
    people: list[Row] = [
        {"customer_id": name, "name": name, "currency": "usd", "livemode": False} for name in customers
    ]
    people = [one | ({"currency": "eur"} if one["customer_id"] == "owes_euros" else {}) for one in people]
    put(bench, "staging.stg_stripe__customers", CUSTOMERS, [one | GONE for one in people])
    return {row["customer_id"]: row for row in proposed(bench, NOTES)}


FREE_THEN: list[Row] = [
    {"upper_bound": 1000, "unit_amount_decimal": 0, "is_included": True},
    {"lower_bound": 1000, "upper_bound": 5000, "unit_amount_decimal": 0.3},
    {"lower_bound": 5000, "unit_amount_decimal": 2},
]


def test_a_note_says_how_usage_is_billed_to_those_whose_bill_changed_by_it(bench: Bench) -> None:
    notes = noted(
        bench, {"p1": FREE_THEN}, at_share=[(0, 1000), (250, 1000)], below=[(0, 1000), (249, 1000)],
        mostly_fees=[(0, 1000), (300, 1301)], falling=[(900, 1000), (100, 1000)], first=[(900, 1000)],
    )  # fmt: skip
    assert set(notes) == {"at_share", "falling"}
    row = notes["at_share"]
    params, precondition = json.loads(row["params"]), json.loads(row["precondition"])
    assert params["footer"] == (
        "How usage is billed. calls on Pro: the first 1,000 of a billing period are included; "
        "USD 0.003 each up to 5,000; USD 0.02 each beyond 5,000."
    )
    assert InvoiceNote().plan(row["kind"], row["amount_minor"], params, precondition)
    assert (row["expected_value_minor"], row["confidence"], row["period"]) == (0, 1.0, "all")


def test_no_note_that_would_not_be_true_of_all_invoices_or_that_the_runner_could_not_leave(bench: Bench) -> None:
    """Two subscriptions, the last invoice, or another currency than the customer's."""
    names = ("plain", "two", "ending", "owes_euros")
    notes = noted(bench, {"p1": FREE_THEN}, **{name: [(0, 1000), (500, 1000)] for name in names})
    assert set(notes) == {"plain"}


@pytest.mark.parametrize(
    "other",
    [
        [{"unit_amount_decimal": 1, "flat_amount_decimal": 100}],
        [{"unit_amount_decimal": 1, "rating_mode": "package_up"}],
        [{"unit_amount_decimal": None}],
        [{"upper_bound": n, "lower_bound": n - 1, "unit_amount_decimal": n} for n in range(1, 30)],  # over 500 letters
    ],
)
def test_no_note_where_the_words_would_not_say_all_or_be_too_many(bench: Bench, other: list[Row]) -> None:
    assert noted(bench, {"p1": FREE_THEN, "p2": other}, one=[(0, 1000), (500, 1000)]) == {}
