"""What is advised, on a company whose seven customers each stand at one boundary (after_ml_company.py)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_pipelines.publish import publish
from dlt_pipelines.settings import Settings
from tests.commands import dbt, module
from tests.dbt_project.after_ml_company import ACTED_ON, AS_OF, PLANTED, write, write_ledger, write_scores
from tests.published import values_with

Rows = list[dict[str, Any]]
BILLS = ("tier_upgrade", "right_size_downgrade", "upgrade_quote", "courtesy_credit", "retention_offer")
SCORE_TABLES = {"usage_forecast", "usage_paths", "churn_risk", "revenue_trend", "model_performance", "feature_drift"}
SCORE_TABLES |= {"usage_anomaly_days", "usage_anomaly_runs", "churn_backtest"}
SCORE_TABLES |= {"alerts_said", "usage_period_said", "invoice_forecast_said", "revenue_forecast_said"}
SCORE_TABLES |= {"recommendations_said", "price_assignments_said"}


@dataclass(frozen=True)
class Builds:
    """The recommendations after each of four builds of one company, and the marts after the last."""

    data: Path
    never_scored: Rows
    scored: Rows
    again: Rows
    declined: Rows


def rows(data: Path, query: str) -> Rows:
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        found = con.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def built(data: Path, *arguments: str) -> Rows:
    done = dbt(data, *arguments)
    assert done.returncode == 0, done.stdout
    return rows(data, "from marts.recommendations order by recommendation_id")


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    data = tmp_path_factory.mktemp("small_company's data")
    write(data)
    # (data tests run once, on scores: end_to_end/ has them on an empty account and with a ledger)
    never_scored = built(data, "build", "--exclude-resource-type", "test")
    write_scores(data)
    detected = module(data, "ml", "detect")
    assert detected.returncode == 0, detected.stderr
    scored = built(data, "build", "--select", "tag:after_ml")
    # another run of the model says the same; its file comes to the others
    write_scores(data, "run_2")
    again = built(data, "run", "--select", "tag:after_ml,+recommendations")
    write_ledger(data, declined=of(scored, "cus_exact")["recommendation_id"])
    return Builds(data, never_scored, scored, again, built(data, "run", "--select", "tag:after_ml"))


def of(recommendations: Rows, customer_id: str, kind: str | None = None) -> dict[str, Any]:
    """The one recommendation for a customer, of this kind, or of those that change bills."""
    kinds = (kind,) if kind else BILLS
    found = [row for row in recommendations if row["customer_id"] == customer_id and row["kind"] in kinds]
    assert len(found) == 1, found
    return found[0]


def by_kind(recommendations: Rows) -> Rows:
    return sorted(recommendations, key=lambda row: (row["kind"], row["customer_id"]))


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def refuse_float(text: str) -> None:
    pytest.fail(f"a float in JSON: {text}")


def test_a_warehouse_that_was_never_scored_builds_and_advises_nothing_that_needs_a_score(builds: Builds) -> None:
    assert {path.parent.name for path in builds.data.glob("scores/*/run=empty.parquet")} == SCORE_TABLES
    assert [row["kind"] for row in by_kind(builds.never_scored)] == ["customer_message", "invoice_note"]


def test_at_79_per_cent_of_the_quota_nothing_is_advised_and_at_80_one_upgrade(builds: Builds) -> None:
    assert [row for row in builds.scored if row["customer_id"] == "cus_below"] == []
    assert of(builds.scored, "cus_exact")["kind"] == "tier_upgrade"
    shares = rows(
        builds.data,
        "select projected_quantity / included_units as share from intermediate.int_open_periods_forecast"
        " where customer_id in ('cus_below', 'cus_exact') order by share",
    )
    assert [row["share"] for row in shares] == pytest.approx([0.799, 0.8])


def test_an_upgrade_moves_every_item_of_the_plan_and_keeps_licensed_quantities(builds: Builds) -> None:
    upgrade = of(builds.scored, "cus_exact")
    assert json.loads(upgrade["params"]) == {
        "items": [
            {"id": "si_base_exact", "price": "price_growth_base_usd", "quantity": 1},
            {"id": "si_calls_exact", "price": "price_growth_calls_usd"},
        ],
        "proration_behavior": "none",
        "subscription": "sub_exact",
    }
    assert json.loads(upgrade["precondition"])["items"] == [
        {"id": "si_base_exact", "price": "price_starter_base_usd", "quantity": 1},
        {"id": "si_calls_exact", "price": "price_starter_calls_usd", "quantity": None},
    ]
    # six of the eleven paths reach 800 calls
    assert (upgrade["amount_minor"], upgrade["confidence"]) == (5000, pytest.approx(6 / 11, abs=1e-6))


def test_an_upgrade_that_costs_the_customer_more_says_so(builds: Builds) -> None:
    upgrade = of(builds.scored, "cus_exact")
    assert upgrade["reason"] == (
        "Exact Quellenberg has used 50 % of the 1,000 API calls included in Starter, "
        "with 9 of 31 days of the billing period left; "
        "the forecast takes it to 80 %, after 90 % in the period before. "
        "On Growth, with 5,000 included, a billing period would cost about USD 100.00 instead of USD 50.00: "
        "USD 50.00 more, so it buys headroom, not a lower bill. "
        "The chance that Growth is the cheaper plan is 0 %."
    )
    # 12 months of the difference, less what leaves over a bill of twice the size (test_plan_moves.py has the oracle)
    assert 0 < upgrade["expected_value_minor"] < 12 * 5000


def test_an_upgrade_that_saves_money_says_so_in_a_currency_without_decimals(builds: Builds) -> None:
    upgrade = of(builds.scored, "cus_yen")
    # 2,500 calls: 5,000 + 1,500 x 10 yen on Starter, 10,000 on Growth
    assert (
        "a billing period would cost about JPY 10,000 instead of JPY 20,000: JPY 10,000 less for the customer, and"
        in upgrade["reason"]
    )
    # 12 months of the difference, a little less because not everybody stays, and those with a smaller bill rather
    assert -12 * 10000 < upgrade["expected_value_minor"] < -11 * 10000
    assert upgrade["expected_value_low_minor"] < upgrade["expected_value_minor"] < upgrade["expected_value_high_minor"]
    assert upgrade["confidence"] == 1.0


def test_a_customer_with_a_spike_gets_its_excess_back_when_the_period_is_over_and_no_upgrade_beside_it(
    builds: Builds,
) -> None:
    credit = of(builds.scored, "cus_spike")
    # 4,000 calls above the expected, at 10 minor units each
    assert (credit["kind"], credit["amount_minor"]) == ("courtesy_credit", 40000)
    assert credit["expected_value_minor"] == -39600  # less what it is assumed to keep
    assert json.loads(credit["params"])["amount"] == -40000
    assert json.loads(credit["precondition"]) == {"currency": "usd", "customer": "cus_spike", "livemode": False}
    assert credit["period"] == "2026-09-10"


def test_only_the_customer_most_at_risk_gets_an_offer_and_the_reasons_are_quoted(builds: Builds) -> None:
    assert [row["customer_id"] for row in builds.scored if row["kind"] == "retention_offer"] == ["cus_leaving"]
    offer = of(builds.scored, "cus_leaving")
    assert json.loads(offer["params"]) == {"discounts": [{"coupon": "RETAIN20"}], "subscription": "sub_leaving"}
    assert offer["amount_minor"] == 3000  # 20 % of three times USD 50.00
    assert "The chance that Leaving Quellenberg leaves within 90 days is 60 %, against " in offer["reason"]
    assert "usage of the last 28 days is at 42 % of the 91-day level" in offer["reason"]


def test_a_name_with_markup_and_control_characters_comes_out_harmless(builds: Builds) -> None:
    assert of(builds.scored, "cus_spike")["reason"].startswith("Spike b Ltd /b Quellenberg used 4,0")


def test_a_recommendation_id_is_the_hash_of_what_would_be_done(builds: Builds) -> None:
    keys = ("account_id", "customer_id", "kind", "livemode", "period", "subject_id", "target_key")
    for row in builds.scored:
        digest = hashlib.sha256(canonical({key: row[key] for key in keys}).encode()).hexdigest()
        assert row["recommendation_id"] == f"h1:{digest[:32]}"


def test_json_columns_are_canonical_and_hold_no_floats(builds: Builds) -> None:
    for row in builds.scored:
        for column in ("params", "precondition", "evidence"):
            value = json.loads(row[column], parse_float=refuse_float)
            assert canonical(value) == row[column]


def test_two_builds_on_the_same_data_give_the_same_recommendations(builds: Builds) -> None:
    advised = [(row["kind"], row["customer_id"]) for row in by_kind(builds.scored) if row["kind"] != "customer_message"]
    assert advised == [
        ("courtesy_credit", "cus_spike"), ("retention_offer", "cus_leaving"),
        ("tier_upgrade", "cus_exact"), ("tier_upgrade", "cus_yen"), ("usage_alert", "cus_spike"),
    ]  # fmt: skip
    assert builds.again == builds.scored


def test_a_draft_goes_with_each_recommendation(builds: Builds) -> None:
    drafts = {row["source_event_id"]: row for row in builds.scored if row["kind"] == "customer_message"}
    others = {row["recommendation_id"] for row in builds.scored if row["kind"] != "customer_message"}
    assert set(drafts) == others
    texts = {
        (row["recommendation_id"], row["locale"]): (row["subject"], row["body"], row["text_hash"])
        for row in rows(builds.data, "from marts.customer_messages")
    }
    left = {row["recommendation_id"] for row in builds.declined if row["kind"] != "customer_message"}
    assert {recommendation for recommendation, _ in texts} == left
    for (recommendation, locale), (subject, body, text_hash) in texts.items():
        digest = hashlib.sha256(canonical({"body": body, "subject": subject}).encode()).hexdigest()
        assert text_hash == f"h1:{digest[:32]}"
        params = json.loads(drafts[recommendation]["params"])
        assert (params["locale"], params["text_hash"]) == (locale, text_hash)


def test_a_declined_recommendation_does_not_come_back(builds: Builds) -> None:
    gone = {row["recommendation_id"] for row in builds.scored} - {row["recommendation_id"] for row in builds.declined}
    upgrade = of(builds.scored, "cus_exact")["recommendation_id"]
    (draft,) = (row["recommendation_id"] for row in builds.scored if row["source_event_id"] == upgrade)
    assert gone == {upgrade, draft}
    assert len(builds.declined) == len(builds.scored) - 2


def test_scores_name_their_day_and_the_base_rate_that_was_known_then(builds: Builds) -> None:
    risks = rows(builds.data, "from marts.churn_risk")
    assert {(row["as_of"], row["is_current"], row["mrr_minor"]) for row in risks} >= {(AS_OF, True, 5000)}
    assert {row["customer_id"]: row["mrr_at_risk_minor"] for row in risks}["cus_leaving"] == 3000
    assert all(0 < row["base_rate"] < 0.2 for row in risks)  # one of seven left


def test_an_upgrade_that_was_carried_out_is_seen_on_the_next_invoice(builds: Builds) -> None:
    outcome = {row["customer_id"]: row for row in rows(builds.data, "from marts.action_outcomes")}["cus_moved"]
    assert (outcome["kind"], outcome["executed_at"].date()) == ("tier_upgrade", ACTED_ON)
    assert (outcome["next_invoice_id"], outcome["next_invoice_total_minor"]) == ("in_cus_moved_10", 10000)
    assert outcome["is_price_invoiced"]
    assert outcome["is_price_in_force"]
    assert (outcome["mrr_before_minor"], outcome["mrr_latest_minor"]) == (5000, 10000)
    assert outcome["is_credit_applied"] is None


def test_a_credit_that_was_carried_out_is_seen_on_the_next_invoice(builds: Builds) -> None:
    outcome = {row["customer_id"]: row for row in rows(builds.data, "from marts.action_outcomes")}["cus_exact"]
    assert (outcome["kind"], outcome["executed_at"].date()) == ("courtesy_credit", ACTED_ON)
    assert (outcome["next_invoice_id"], outcome["is_credit_applied"]) == ("in_cus_exact_10", True)
    assert outcome["is_price_invoiced"] is None


def test_what_takes_an_action_back_is_no_action_of_its_own(builds: Builds) -> None:
    undone = {row["recommendation_id"]: row["undone_at"] for row in rows(builds.data, "from marts.action_outcomes")}
    assert set(undone) == {"h1:up", "h1:credit"}
    assert undone["h1:up"] is None
    assert undone["h1:credit"] is not None


def test_the_audit_mart_holds_every_event_of_the_ledger_in_order(builds: Builds) -> None:
    audit = rows(builds.data, "from marts.action_audit order by seq")
    assert [row["kind"] for row in audit] == [
        "planned", "planned", "approved", "approved", "intent", "outcome", "intent", "outcome", "declined",
        "planned", "approved", "intent", "outcome", "compensated",
    ]  # fmt: skip
    assert audit[0]["recorded_at"].isoformat() == "2026-11-22T00:00:01"


def shown(data: Path, query: str) -> str:
    done = dbt(data, "show", "--inline", query, "--output", "json", "--limit", "-1")
    return done.stdout


def test_money_is_written_with_the_decimals_of_its_currency(builds: Builds) -> None:
    amounts = {
        (0, "usd", 2): "USD 0.00", (5, "usd", 2): "USD 0.05", (123456, "usd", 2): "USD 1,234.56",
        (-99, "eur", 2): "EUR -0.99", (1234567, "jpy", 0): "JPY 1,234,567", (1234567, "kwd", 3): "KWD 1,234.567",
        (9223372036854775807, "usd", 2): "USD 92,233,720,368,547,758.07",
    }  # fmt: skip
    values = ", ".join(f"({amount}::bigint, '{currency}', {places})" for amount, currency, places in amounts)
    text = "{{ money_to_text('amount', 'currency', 'places') }}"
    query = f"select {text} as text from (values {values}) as v (amount, currency, places)"
    assert re.findall(r'"text": "(.*)"', shown(builds.data, query)) == list(amounts.values())


def test_a_value_with_braces_is_no_slot_and_a_slot_that_is_not_offered_fails(builds: Builds) -> None:
    fill = "{{ fill_template('body', {'name': 'name'}) }}"
    # braces are spelled as characters, because dbt would read them as its own
    value = "chr(123) || 'slot' || chr(125)"
    query = f"select {fill} as text from (values ('Dear ' || chr(123) || '%s' || chr(125), {value})) as v (body, name)"
    assert "Dear {slot}" in shown(builds.data, query % "name")
    assert "slot {other} is not offered" in shown(builds.data, query % "other")


def test_a_name_that_is_everywhere_in_stripe_is_nowhere_in_the_published_copy_unless_asked_for(builds: Builds) -> None:
    settings = Settings(builds.data)
    publish(replace(settings, publish_personal=True))
    shown = values_with(settings.published, PLANTED)
    assert {
        "dim_customers.name", "recommendations.reason", "customer_messages.body", "run_digest.text",
        "action_audit.actor", "action_audit.reasoning", "fct_invoices.number", "fct_invoice_lines.description",
    } <= set(shown)  # fmt: skip
    publish(settings)
    assert values_with(settings.published, PLANTED) == {}
    assert PLANTED.lower().encode() not in settings.published.read_bytes().lower()
