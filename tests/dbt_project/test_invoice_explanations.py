"""Texts of a thousand invoices against the invoices: every number parses back, parts sum to the minor unit."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt_project.explained_company import ACCOUNT, POISONED, Rows, Shelf, stocked
from tests.dbt_project.explained_words import parsed

# control, zero-width and bidi characters, and what markup, templates and spreadsheets are made of
HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069<>\\[\\]{}`]")


@pytest.fixture(scope="module")
def shelf(first_run: tuple[Path, str]) -> Shelf:
    return stocked(first_run[0])


@pytest.fixture(scope="module")
def told(shelf: Shelf) -> Rows:
    found = shelf.rows("from warehouse.marts.invoice_explanations order by account_id, invoice_id")
    return [row | {"facts": json.loads(row["facts"])} for row in found]


def leaves(facts: Any) -> list[Any]:
    if isinstance(facts, dict):
        return [leaf for value in facts.values() for leaf in leaves(value)]
    return [leaf for value in facts for leaf in leaves(value)] if isinstance(facts, list) else [facts]


def said_of(facts: dict[str, Any]) -> list[int]:
    """The amounts that a text has to name."""
    named = [
        facts["total_minor"],
        facts["expected_minor"],
        facts["low_minor"],
        facts["high_minor"],
        facts["rest_minor"] or None,
    ]
    if facts["situation"] in ("more", "less"):
        named += [facts["previous_total_minor"], facts["change_minor"]]
    if facts["settled_minor"] and facts["situation"] != "void":
        named += [facts["settled_minor"], facts["amount_due_minor"] if facts["total_minor"] >= 0 else None]
    for part in [*(facts["parts"] or []), *(facts["days"] or [])]:
        gone = part.get("amount_minor") == 0 and part.get("previous_amount_minor")
        named.append(None if gone else part["amount_minor"])
        named.append(
            part.get("previous_amount_minor") if part.get("quantity") and part.get("previous_quantity") else None
        )
    return [value for value in named if value is not None]


def test_each_number_of_a_thousand_texts_is_a_fact(told: Rows) -> None:
    assert len(told) >= 1_000
    for row in told:
        facts = row["facts"]
        names = {part[key] for part in facts["parts"] or [] for key in ("name", "previous_name")} - {None}
        amounts, days, numbers = parsed(row["said"], names | {facts["days_of"]} - {None})
        known = leaves(facts)
        whole = {value for value in known if isinstance(value, int)}
        whole |= {abs(value) for value in whole}  # "less", "discounts of", "settle" have no sign
        assert set(amounts) <= whole, row
        assert days <= {value for value in known if isinstance(value, str)}, row
        units = {Decimal(value) for value in known if isinstance(value, str) and re.fullmatch(r"-?[\d.]+", value)}
        units |= {abs(value) for value in units} | {Decimal(value) for value in whole} | {Decimal(80), Decimal(100)}
        assert numbers <= units, row
        assert {abs(value) for value in said_of(facts)} <= {abs(amount) for amount in amounts}, row


def test_the_facts_are_those_of_the_invoices(shelf: Shelf, told: Rows) -> None:
    invoices = {row["invoice_id"]: row for row in shelf.rows("from warehouse.intermediate.int_invoices")}
    expected, latest = {}, dict[Any, str]()
    for row in sorted(invoices.values(), key=lambda found: (found["created_at"], found["invoice_id"])):
        is_regular = row["subscription_id"] and row["billing_reason"] in (
            "subscription_cycle", "subscription_create", "quote_accept",
        )  # fmt: skip
        if is_regular and row["status"] not in ("void", "draft"):
            expected[row["invoice_id"]] = latest.get((row["subscription_id"], row["currency"]))
            latest[row["subscription_id"], row["currency"]] = row["invoice_id"]
    lines: dict[Any, Rows] = defaultdict(list)
    for row in shelf.rows("from warehouse.intermediate.int_invoice_lines"):
        if row["subscription_item_id"] and not row["is_proration"]:
            subject = row["meter_id"] if row["is_metered"] else row["subscription_item_id"]
            lines[row["invoice_id"], subject].append(row)
    checked = 0
    for row in told:
        facts, invoice = row["facts"], invoices[row["invoice_id"]]
        amounts, days, _ = parsed(row["said"], set())
        assert facts["total_minor"] == invoice["total_minor"]
        assert invoice["total_minor"] in amounts
        assert facts["amount_due_minor"] == invoice["amount_due_minor"]
        assert invoice["created_at"].date().isoformat() in days
        before = invoices.get(facts["previous_invoice_id"])
        assert facts["previous_invoice_id"] == expected.get(row["invoice_id"])
        assert len(facts["parts"] or []) <= 3
        shown = [part["change_minor" if before else "amount_minor"] for part in facts["parts"] or []]
        assert facts["rest_minor"] == invoice["total_minor"] - (before["total_minor"] if before else 0) - sum(shown)
        if before:
            assert facts["change_minor"] == invoice["total_minor"] - before["total_minor"]
            assert before["created_at"] < invoice["created_at"]
            assert (before["subscription_id"], before["currency"]) == (invoice["subscription_id"], invoice["currency"])
        for part in facts["parts"] or []:
            for prefix, of in (("", row["invoice_id"]), ("previous_", facts["previous_invoice_id"])):
                its = lines[of, part["subject_id"]] if part["subject_id"] else []
                if its:
                    assert part[prefix + "amount_minor"] == sum(found["amount_minor"] for found in its)
                    if part[prefix + "quantity"] and not any(found["quantity"] == 1 for found in its):
                        assert Decimal(part[prefix + "quantity"]) == sum(found["quantity"] for found in its)
                        checked += 1
    assert checked > 500


def test_parts_sum_to_every_invoice(shelf: Shelf) -> None:
    parts: dict[Any, Rows] = defaultdict(list)
    for row in shelf.rows("from warehouse.marts.invoice_explanation_parts"):
        parts[row["account_id"], row["invoice_id"]].append(row)
    for invoice in shelf.rows("from warehouse.intermediate.int_invoices where finalized_at is not null"):
        its = parts[invoice["account_id"], invoice["invoice_id"]]
        assert sum(row["amount_minor"] for row in its if row["is_in_total"]) == invoice["total_minor"]
        assert sum(row["amount_minor"] for row in its) == invoice["amount_due_minor"]
        for row in its:
            effects = [row[f"{name}_effect_minor"] or 0 for name in ("quantity", "tier", "price", "other")]
            assert row["change_minor"] is None or sum(effects) == row["change_minor"]
    made = sum(row["amount_minor"] for its in parts.values() for row in its if row["part"] == "unlisted")
    assert made, "some lines of the drawn invoices did not land"


def test_quantity_tiers_and_price_are_told_apart(shelf: Shelf) -> None:
    """What stays the same has no effect: no price effect at an unchanged price, no tier effect inside a tier."""
    rows = shelf.rows("from warehouse.marts.invoice_explanation_parts where part = 'usage' and is_now and is_before")
    crossed = [row for row in rows if row["tier_effect_minor"]]
    assert crossed
    # where the bills are the rating rule's, the three explain them whole
    left = shelf.rows(
        "select count(*) as n, count(*) filter (other_effect_minor != 0) as unexplained from"
        " warehouse.marts.invoice_explanation_parts as p join warehouse.intermediate.int_invoice_usage_compared as c"
        " using (account_id, invoice_id, subject_id) where p.amount_minor = c.rated_minor"
        " and p.previous_amount_minor = c.previous_rated_minor and c.price_effect_minor is not null"
    )[0]
    assert (left["n"] > 500, left["unexplained"]) == (True, 0)
    assert all(row["tier_index"] != row["previous_tier_index"] or row["price_effect_minor"] for row in crossed)
    for row in rows:
        if row["quantity"] == row["previous_quantity"] and row["quantity"] is not None:
            assert (row["quantity_effect_minor"], row["tier_effect_minor"]) == (0, 0)


def test_texts_are_short_and_no_name_does_harm(told: Rows) -> None:
    poisoned = [row for row in told if row["account_id"] == ACCOUNT]
    assert len(poisoned) > 500
    assert any("HYPERLINK" in row["said"] for row in poisoned)
    for row in told:
        assert not HARMFUL.search(row["said"] + "".join(map(str, leaves(row["facts"]))))
        assert row["said"].startswith("The invoice of ")
        assert len(re.findall(r"\.(?= [A-Z]|$)", re.sub(r"-2\b", "", row["said"]))) <= 6, row["said"]
        assert not any(name in row["said"] for name in POISONED if HARMFUL.search(name))


@pytest.mark.parametrize(
    ("situation", "status", "words"),
    [
        ("first", "paid", ("the first known of its subscription", "It is made of ")),
        ("void", "void", ("was voided: nothing of it is to be paid.",)),
        ("by_hand", "paid", ("was raised by hand", "compared with no other", "items raised by hand ")),
        ("between", "paid", ("was made between billing days", "compared with no other")),
        ("more", "uncollectible", (" more than the one of ", "It was written off as uncollectible.")),
    ],
)
def test_each_situation_has_words_of_its_own(told: Rows, situation: str, status: str, words: tuple[str, ...]) -> None:
    found = [row for row in told if row["situation"] == situation and row["status"] == status]
    assert found
    for row in found[:20]:
        assert all(word in row["said"] for word in words[:1]), row["said"]
    assert any(all(word in row["said"] for word in words) for row in found)


@pytest.mark.parametrize(
    ("invoice", "words"),
    [
        ("in_small_0", "too small to be charged: USD 0.30 is carried over in the customer's balance"),
        ("in_credited_0", "The customer's balance settles USD 20.00 of it, which leaves USD 30.00 to be paid."),
        ("in_noted_0", "Credit notes take USD 10.00 off it, which leaves USD 40.00 to be paid."),
        ("in_both_0", "The customer's balance and credit notes settle USD 15.00 of it, which leaves USD 35.00"),
        (
            "in_netted_0",
            "Credit notes, less an earlier balance, take USD 7.00 off it, which leaves USD 43.00 to be paid.",
        ),
        ("in_owing_0", "An earlier balance of USD 7.00 comes on top, which makes USD 57.00 to be paid."),
        # below zero, and still to be paid: more was owed
        ("in_owed_0", "An earlier balance of USD 10.00 comes on top, which makes USD 1.00 to be paid."),
        # a forecast is of what is due: with a balance in it, it is not beside this invoice's total
        ("in_settled_0", "of 2026-02-15, leaves USD 40.00 to be paid before tax, after the customer's balance."),
        ("in_settling_0", "is expected to leave USD 40.00 to be paid before tax, after the customer's balance, in 80"),
        ("in_last_0", "The next and last one, of 2026-02-15, comes to USD 10.00 before tax."),
        ("in_paused_0", "Collection is paused: as things stand, the next one, of 2026-02-15, is not collected."),
        # what waits for somebody to finalise it comes before what is forecast
        ("in_waiting_0", "The next one, of 2026-02-15, is still a draft."),
        ("in_ended_0", "Its subscription has ended, so that no other follows."),
        ("in_quoted_0", "the first known of its subscription"),
        ("in_quoted_1", "USD 60.00, USD 10.00 more than the one of 2026-01-15"),
        ("in_dearer_1", "USD 60.00 instead of USD 50.00 (its price changed)."),
        # another product at the same price
        ("in_moved_1", "No amount on it changed."),
        ("in_tried_1", "USD 50.00 instead of USD 0.00."),
        ("in_revived_1", "the first regular one known of its subscription"),
    ],
)
def test_what_is_due_and_what_follows_is_true_of_rare_invoices(told: Rows, invoice: str, words: str) -> None:
    [said] = [row["said"] for row in told if row["invoice_id"] == invoice]
    assert words in said


def test_one_more_invoice_after_the_end_is_not_denied(told: Rows) -> None:
    [said] = [row["said"] for row in told if row["invoice_id"] == "in_gone_0"]
    assert "no other follows" not in said


def test_the_days_that_are_named_went_the_way_of_the_period(told: Rows) -> None:
    """A day on which less was used than before is no reason why a period used more, however large the difference."""
    seen = 0
    for row in told:
        facts = row["facts"]
        for day in facts["days"] or []:
            [part] = [p for p in facts["parts"] if p["part"] == "usage" and p["name"] == facts["days_of"]]
            change = Decimal(part["quantity"]) - Decimal(part["previous_quantity"])
            assert (Decimal(day["quantity_change"]) > 0) == (change > 0), row["said"]
            assert f"Days on which {facts['days_of']} {'rose' if change > 0 else 'fell'} most" in row["said"]
            seen += 1
    assert seen > 20


def test_the_order_of_rows_changes_nothing_and_an_unknown_slot_stops_the_build(shelf: Shelf, told: Rows) -> None:
    for table in ("intermediate.int_invoice_lines", "intermediate.int_invoices", "marts.usage_drivers"):
        name = table.split(".")[1]
        shelf.con.execute(f"create or replace table warehouse.{table} as from warehouse.{table} order by hash({name})")
    shelf.build()
    again = shelf.rows("from warehouse.marts.invoice_explanations order by account_id, invoice_id")
    assert [row | {"facts": json.loads(row["facts"])} for row in again] == told
    shelf.con.execute("begin")
    shelf.con.execute(
        "update warehouse.seeds.message_templates set body = 'At {cost}.' where kind = 'invoice_head_first'"
    )
    with pytest.raises(duckdb.Error, match=r"slot \{cost\} is not offered"):
        shelf.build("marts.invoice_explanations")
    shelf.con.execute("rollback")
