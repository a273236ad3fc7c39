"""Texts of a thousand invoices against the invoices: every number parses back, parts sum to the minor unit."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from statistics import mean
from typing import Any

import duckdb
import pytest

from tests.dbt_project.explained_company import ACCOUNT, POISONED, Rows, Shelf, compiled, stocked

DECIMALS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}  # ISO 4217
MONEY = re.compile(r"\b([A-Z]{3}) (-?)([\d,]+)(?:\.(\d+))?")
DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
# control, zero-width and bidi characters, and what markup, templates and spreadsheets are made of
HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069<>\\[\\]{}`]")


@pytest.fixture(scope="module")
def shelf(first_run: tuple[Path, str]) -> Shelf:
    return stocked(first_run[0])


@pytest.fixture(scope="module")
def told(shelf: Shelf) -> Rows:
    found = shelf.rows("from warehouse.marts.invoice_explanations order by account_id, invoice_id")
    return [row | {"facts": json.loads(row["facts"])} for row in found]


def minor(currency: str, sign: str, whole: str, rest: str | None) -> int:
    """An amount in words as minor units; a text with other decimals than the currency's is wrong."""
    assert len(rest or "") == DECIMALS[currency], (currency, whole, rest)
    return int(f"{sign}{whole.replace(',', '')}{rest or ''}")


def parsed(said: str, names: set[str]) -> tuple[Counter[int], set[str], set[Decimal]]:
    """The amounts, days and other numbers of a text without the names of things."""
    for name in sorted(names, key=len, reverse=True):
        said = said.replace(name, "·")
    amounts = Counter(minor(*found) for found in MONEY.findall(said))
    said = MONEY.sub(" ", said)
    days, said = set(DAY.findall(said)), DAY.sub(" ", said)
    return amounts, days, {Decimal(found.replace(",", "")) for found in NUMBER.findall(said)}


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
        is_regular = row["subscription_id"] and row["billing_reason"] in ("subscription_cycle", "subscription_create")
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


def test_a_day_is_beside_its_weekdays_and_its_text_says_so(first_run: tuple[Path, str]) -> None:
    with duckdb.connect(str(first_run[0] / "warehouse.duckdb"), read_only=True) as con:
        found = con.execute("from marts.usage_day_explanations")
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        daily = con.execute("select subscription_item_id, usage_date, quantity from marts.fct_usage_daily").fetchall()
        # at one price for each unit a day costs its units, wherever it stands in the period; rounding is twice a half
        [(straight, wrong)] = con.execute(
            "select count(*), count(*) filter (abs(days.cost_minor - days.quantity * tiers.unit_amount_decimal) > 1)"
            " from marts.usage_day_explanations as days join intermediate.int_usage_periods as periods"
            " using (account_id, subscription_item_id, period_start) join intermediate.int_price_tiers as tiers"
            " on periods.price_id = tiers.price_id and periods.currency = tiers.currency"
            " where tiers.rating_mode = 'per_unit' and not periods.is_trial"
        ).fetchall()
    assert (straight > 500, wrong) == (True, 0)
    usage = {(item, day): used for item, day, used in daily}
    by_weekday: dict[Any, list[tuple[Any, Decimal]]] = defaultdict(list)
    for (item, day), used in sorted(usage.items()):
        by_weekday[item, day.weekday()].append((day, used))
    assert rows
    for row in rows:
        item, day = row["subscription_item_id"], row["usage_date"]
        assert row["quantity"] == usage[item, day]
        earlier = [used for then, used in by_weekday[item, day.weekday()] if then < day][-4:]
        assert (row["usual_quantity"] is None) == (not earlier)
        if earlier:
            assert abs(row["usual_quantity"] - mean(earlier)) <= Decimal("0.005")
        amounts, days, numbers = parsed(row["said"].replace(row["name"], "·"), {row["cause"] or "·"})
        columns = {abs(value) for value in row.values() if isinstance(value, int)}
        assert {abs(amount) for amount in amounts} <= columns
        assert str(day) in days
        assert numbers <= {value for value in row.values() if isinstance(value, Decimal)}


def test_a_persons_newest_word_counts_in_its_month(first_run: tuple[Path, str]) -> None:
    con = duckdb.connect()
    con.execute("attach ':memory:' as warehouse")
    for schema in ("staging", "intermediate", "marts"):
        con.execute(f"create schema warehouse.{schema}")
    words = [("ann", "in_1", "wrong", 9), ("ann", "in_1", "agree", 10), ("bob", "in_1", "edited", 10),
             ("ann", "in_2", "agree", 11), ("cid", "in_3", "agree", 11), ("cid", "in_4", "wrong", 11)]  # fmt: skip
    con.execute(
        "create table warehouse.staging.stg_action_ledger__events (account_id text, livemode boolean, kind text,"
        " body text, recommendation_id text, object_id text, actor text, action_id text, recorded_at timestamp,"
        " seq int)"
    )
    for seq, (who, invoice, verdict, month) in enumerate(words):
        body = json.dumps({"verdict": verdict, "recommendation_kind": "invoice_explanation"})
        con.execute(
            "insert into warehouse.staging.stg_action_ledger__events"
            " values ('a', false, 'reviewed', ?, null, ?, ?, null, ?, ?)",
            [body, invoice, who, f"2026-{month:02}-03", seq],
        )
    for model in ("intermediate.int_reviews", "marts.review_agreement"):
        con.execute(f"create table warehouse.{model} as {compiled(first_run[0], model)}")
    found = con.execute(
        "select month_start, reviewers, subjects, reviews, agreed, edited, wrong, agreement_low, agreement_high"
        " from warehouse.marts.review_agreement order by month_start nulls last"
    ).fetchall()
    assert [row[1:7] for row in found] == [(2, 1, 2, 1, 1, 0), (2, 3, 3, 2, 0, 1), (3, 4, 5, 3, 1, 1)]
    # Wilson's interval: the shares from which 3 of 5 is 1.28 standard errors away
    for bound in found[-1][7:]:
        assert abs(0.6 - bound) / (bound * (1 - bound) / 5) ** 0.5 == pytest.approx(1.2815515655)
