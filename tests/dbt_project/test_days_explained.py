"""Days of usage in words, and what people said of explanations."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from statistics import mean
from typing import Any

import duckdb
import pytest

from tests.dbt_project.explained_company import compiled
from tests.dbt_project.explained_words import parsed


def test_a_day_is_beside_its_weekdays_and_its_text_says_so(first_run: tuple[Path, str]) -> None:
    with duckdb.connect(str(first_run[0] / "warehouse.duckdb"), read_only=True) as con:
        found = con.execute("from marts.usage_day_explanations")
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        projected = con.execute("select anomaly_id from marts.usage_anomalies where is_projected").fetchall()
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
        # what an incident makes of a bill that is not written yet is a forecast
        assert ("is forecast to end" in row["said"]) == ((row["anomaly_id"],) in projected)
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
