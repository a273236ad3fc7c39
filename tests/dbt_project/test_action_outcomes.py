"""What became of customers, treated or not: windows, intervals and precision, against figures worked out otherwise."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from statistics import fmean, variance

import pytest
from scipy import stats

from tests.benches.advice.value import combined
from tests.dbt_project.compiled import Bench, compiled_models
from tests.dbt_project.outcome_bench import (
    BEGAN,
    MODELS,
    NEW_YEAR,
    C,
    action,
    at,
    customers_alike,
    effects,
    held,
    measured,
    only,
    outcome_bench,
    put,
    rows,
    said_by_runs,
    window,
)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return compiled_models(tmp_path_factory.mktemp("outcomes"), *MODELS)


@pytest.fixture
def bench(compiled: dict[str, str]) -> Bench:
    return outcome_bench(compiled)


@pytest.mark.parametrize(("treated", "untreated"), [([90, 130, 105, 180, 99], [100, 80, 120, 95, 110, 101]),
                                                    ([100, 140], [100, 90, 95, 99, 105])])  # fmt: skip
def test_a_difference_of_means_has_welchs_interval_with_few_customers_too(
    bench: Bench, treated: list[int], untreated: list[int]
) -> None:
    measured(bench, {"carried_out": [(100, one, False) for one in treated],
                     "held_back": [(100, one, False) for one in untreated]})  # fmt: skip
    found = only(effects(bench), "mrr_change")

    ours, theirs = [one / 100 - 1 for one in treated], [one / 100 - 1 for one in untreated]
    parts = [variance(side) / len(side) for side in (ours, theirs)]
    degrees = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (ours, theirs), strict=True))
    difference = fmean(ours) - fmean(theirs)
    assert found["difference"] == pytest.approx(difference)
    assert (found["treated_n"], found["comparison_n"], found["comparison"]) == (len(ours), len(theirs), "held_back")
    for level, tail in (("80", 0.9), ("95", 0.975)):
        reach = float(stats.t.ppf(tail, max(math.floor(degrees), 1))) * math.sqrt(sum(parts))
        assert found[f"difference_low_{level}"] == pytest.approx(difference - reach, rel=0.005)
        assert found[f"difference_high_{level}"] == pytest.approx(difference + reach, rel=0.005)


def test_a_difference_of_shares_has_newcombes_interval(bench: Bench) -> None:
    # the example of Newcombe (1998): 56 of 70 and 48 of 80, by method 10 from 0.0524 to 0.3339
    measured(bench, {"carried_out": [(100, 100, number < 56) for number in range(70)],
                     "held_back": [(100, 100, number < 48) for number in range(80)]})  # fmt: skip
    found = only(effects(bench), "churn_share")
    assert (found["treated_mean"], found["comparison_mean"]) == (0.8, 0.6)
    assert found["difference_low_95"] == pytest.approx(0.0524, abs=0.00005)
    assert found["difference_high_95"] == pytest.approx(0.3339, abs=0.00005)
    assert found["difference_low_95"] < found["difference_low_80"] < 0.2 < found["difference_high_80"]


def test_there_is_no_interval_from_one_customer_and_none_where_nothing_varies(bench: Bench) -> None:
    measured(bench, {"carried_out": [(100, 120, False)], "held_back": [(100, 100, False)] * 5})
    found = effects(bench)
    assert only(found, "mrr_change")["difference"] == pytest.approx(0.2)
    assert only(found, "mrr_change")["difference_low_80"] is None
    assert only(found, "churn_share")["difference_high_95"] is None

    bench.con.execute("delete from intermediate.int_actions_executed; delete from staging.stg_ml__recommendations_said")
    measured(bench, {"carried_out": [(100, 120, False)] * 3, "held_back": [(100, 100, False)] * 5})
    assert only(effects(bench), "mrr_change")["difference_low_80"] is None


def test_with_nobody_to_compare_with_the_treated_are_told_alone(bench: Bench) -> None:
    measured(bench, {"carried_out": [(100, 120, False), (100, 90, False)]})
    found = only(effects(bench), "mrr_change")
    assert (found["comparison"], found["is_observational"], found["comparison_n"]) == ("none", False, 0)
    assert found["treated_mean"] == pytest.approx(0.05)
    assert found["difference"] is None


def test_fewer_than_five_held_back_are_passed_over_for_customers_like_the_treated(bench: Bench) -> None:
    customers_alike(bench)
    put(bench, "intermediate.int_actions_executed", [
        action(1, customer=C), action(2, BEGAN + timedelta(80), "courtesy_credit", "cus_treated_too"),
        # found in Stripe after the ledger was lost: nobody knows its kind and currency
        action(3, customer="cus_recovered") | {"kind": None, "currency": None},
    ])  # fmt: skip
    put(bench, "staging.stg_ml__recommendations_said", [held(number) for number in range(4)])
    for name in (C, *(f"cus_held{number}" for number in range(4))):
        put(bench, "intermediate.int_subscriptions", [{"customer_id": name, "has_lived": True, "started_at": NEW_YEAR}])
    found = [row for row in effects(bench, is_measured=False) if row["kind"] == "tier_upgrade"]
    matched = rows(bench, "select kind, customer_id from intermediate.int_treatment_matches order by customer_id")
    assert [row["customer_id"] for row in matched if row["kind"] == "tier_upgrade"] == [
        "cus_gone_soon", "cus_grown_since", "cus_like",
    ]  # fmt: skip
    assert all(row["kind"] for row in matched)
    assert rows(bench, "select * from intermediate.int_windows_opened where currency is null") == []
    row = only(found, "mrr_change")
    assert (row["comparison"], row["is_observational"], row["comparison_n"]) == ("matched", True, 3)
    assert row["comparison_mean"] == pytest.approx((-1 + 3 + 0) / 3)
    assert only(found, "churn_share")["held_back_n"] == 4


def test_a_window_tells_mrr_usage_payments_and_the_end_of_a_customer(bench: Bench) -> None:
    put(bench, "intermediate.int_as_of", [])
    bench.con.execute("update intermediate.int_as_of set as_of = ?", [BEGAN + timedelta(89)])  # 90 days are just over
    put(bench, "intermediate.int_actions_executed", [action(1, customer=C)])
    put(bench, "staging.stg_ml__recommendations_said", [held(1, BEGAN + timedelta(30))])  # 30 days are over, not 90
    midnight = at(BEGAN)
    later = midnight + timedelta(30)
    put(bench, "intermediate.int_mrr_spans", [
        {"customer_id": C, "currency": "usd", "valid_from": NEW_YEAR, "valid_to": midnight, "mrr_minor": 999},
        {"customer_id": C, "currency": "usd", "valid_from": midnight, "valid_to": later, "mrr_minor": 100},
        {"customer_id": C, "currency": "usd", "valid_from": later, "valid_to": None, "mrr_minor": 70},
        {"customer_id": C, "currency": "usd", "valid_from": NEW_YEAR, "valid_to": None, "mrr_minor": 11},
        {"customer_id": C, "currency": "eur", "valid_from": NEW_YEAR, "valid_to": None, "mrr_minor": 5},
    ])  # fmt: skip
    days = {"calls": {-31: 500, -30: 60, -1: 40, 0: 30, 29: 20, 30: 5, 60: 7, 89: 3, 90: 999}, "seconds": {0: 4}}
    put(bench, "marts.fct_usage_daily", [
        {"customer_id": C, "currency": "usd", "meter_id": meter, "usage_date": BEGAN + timedelta(day), "quantity": used}
        for meter, of_day in days.items() for day, used in of_day.items()
    ])  # fmt: skip
    put(bench, "marts.fct_invoices", [
        {"customer_id": C, "currency": "usd", "status": "paid", "created_at": midnight + timedelta(made),
         "paid_at": None if paid is None else midnight + timedelta(paid), "amount_due_minor": 10}
        for made, paid in ((-91, None), (-90, -80), (-1, 1), (0, 29), (40, 95))
    ])  # fmt: skip
    # one was open as it began, and stayed so; nobody lives there who could leave
    put(bench, "intermediate.int_actions_executed", [action(2, kind="retry_payment", customer="cus_owes")])
    put(bench, "marts.fct_invoices", [
        {"customer_id": "cus_owes", "currency": "usd", "status": "open", "created_at": midnight - timedelta(made),
         "paid_at": paid, "amount_due_minor": 10} for made, paid in ((20, None), (40, midnight - timedelta(1)))
    ])  # fmt: skip
    put(bench, "intermediate.int_subscriptions", [
        {"customer_id": name, "has_lived": True, "started_at": NEW_YEAR, "ended_at": end}
        for name, end in ((C, later), ("cus_held1", None), ("cus_owes", midnight - timedelta(9)))
    ])  # fmt: skip
    put(bench, "intermediate.int_churn_dates", [
        {"customer_id": C, "churned_on": BEGAN + timedelta(30), "cause": "subscription_ended"},
        {"customer_id": C, "churned_on": BEGAN + timedelta(3), "cause": "usage_stopped"},
    ])  # fmt: skip
    told_of = effects(bench, is_measured=False)
    found = {
        (row["customer_id"], row["horizon_days"]): row
        for row in rows(bench, "select * from intermediate.int_windows_measured")
    }
    assert {horizon for customer, horizon in found if customer == C} == {0, 30, 90}
    assert {horizon for customer, horizon in found if customer == "cus_held1"} == {0, 30}
    assert (found["cus_held1", 30]["is_paid"], found["cus_held1", 30]["has_churned"]) == (None, False)
    assert (found["cus_owes", 30]["is_paid"], found["cus_owes", 30]["has_churned"]) == (False, None)
    of_retries = {(row["metric"], row["horizon_days"]) for row in told_of if row["kind"] == "retry_payment"}
    assert of_retries == {("paid_share", 30), ("paid_share", 90)}
    told = ("mrr_minor", "usage_change", "is_paid", "has_churned")
    # before: paid too late, one of the two; then 50 calls after 100, and seconds that there were none of before
    assert [found[C, 0][name] for name in told] == [111, None, False, False]
    assert [float(found[C, 30][name]) for name in told] == [81, -0.5, 1, 0]
    assert [float(found[C, 90][name]) for name in told] == [81, -0.9, 0, 1]


def test_advice_held_back_counts_from_the_day_it_would_have_been_carried_out_and_not_when_it_was(bench: Bench) -> None:
    executed = [action(7), action(8, BEGAN + timedelta(5)), action(9, kind="usage_alert")]
    put(bench, "intermediate.int_actions_executed", executed)
    put(bench, "staging.stg_ml__recommendations_said", [
        held(1, date(2026, 3, 9), run_id="r2"), held(1, date(2026, 3, 4)), held(2, is_held_back=False),
        held(3, recommendation_id="h1:7"), held(4, date(2026, 3, 4), "retention_offer"),
        # the upgrades were carried out one and six days after they were first advised
        held(5, recommendation_id="h1:8", is_held_back=False), held(5, BEGAN, recommendation_id="h1:8"),
    ])  # fmt: skip
    bench.build("intermediate", "int_treatments")
    found = rows(bench, "select * from intermediate.int_treatments where arm = 'held_back' order by recommendation_id")
    assert [(row["recommendation_id"], row["started_on"]) for row in found] == [
        ("h1:held1", date(2026, 3, 7)),
        ("h1:held4", date(2026, 3, 5)),
    ]


def test_what_a_later_run_of_the_day_says_no_more_stays_said(bench: Bench) -> None:
    later = held(1, run_id="r2", scored_at=NEW_YEAR + timedelta(hours=1), is_held_back=False)
    said_by_runs(bench, [held(1), held(2), later])
    bench.build("staging", "stg_ml__recommendations_said")
    query = "select recommendation_id, run_id, is_held_back from staging.stg_ml__recommendations_said order by 1"
    assert [tuple(row.values()) for row in rows(bench, query)] == [("h1:held1", "r2", False), ("h1:held2", "r1", True)]


def test_a_customer_counts_once_in_an_arm_however_often_the_advice_came(bench: Bench) -> None:
    measured(bench, {"carried_out": [(100, 120, False)] * 2, "held_back": [(100, 80, False)] * 5})
    # a new billing period is a new recommendation, and whoever stays is told again
    for later in (31, 61):
        began = BEGAN + timedelta(later)
        again = held(0, began - timedelta(1), recommendation_id=f"h1:again{later}")
        put(bench, "staging.stg_ml__recommendations_said", [again])
        put(bench, "intermediate.int_actions_executed", [action(later, began, customer="cus_0")])
        for name in ("cus_held0", "cus_0"):
            put(bench, "intermediate.int_windows_measured", [window(name, days, 100, began) for days in (0, 30)])
    found = only(effects(bench), "mrr_change")
    assert (found["treated_n"], found["comparison_n"], found["held_back_n"]) == (2, 5, 5)
    assert (found["treated_mean"], found["comparison_mean"]) == (pytest.approx(0.2), pytest.approx(-0.2))
    months = rows(bench, "select distinct month_start from marts.action_effects where month_start is not null")
    assert months == [{"month_start": BEGAN.replace(day=1)}]


def test_precision_is_nine_of_ten_until_people_or_events_say_otherwise(bench: Bench) -> None:
    kinds = ("reviewed", "declined", "done", "undone", "left", "untouched", "automatic", "half_done")
    put(bench, "seeds.action_kinds", [{"kind": kind} for kind in kinds])
    done = ["approved", "outcome"]
    # an undo is an action of the same kind, and a person approves it
    ledger = {"declined": ["declined"], "done": done, "undone": [*done, "compensated"], "undone undo": done,
              "left": done, "untouched": ["approved"], "reviewed": ["declined"], "automatic": done,
              "half_done": done, "untouched undo": ["declined"]}  # fmt: skip
    for name, events in ledger.items():
        kind, _, undo = name.partition(" ")
        if "outcome" in events and kind != "half_done" and not undo:
            did = action(1, kind=kind, customer=f"cus_{kind}") | {"recommendation_id": f"h1:{name}"}
            put(bench, "intermediate.int_actions_executed", [did])
        for event in ("planned", *events):
            body = json.dumps({"recommendation_kind": kind, "undoes": undo or None} if event == "planned" else {})
            put(bench, "staging.stg_action_ledger__events", [
                {"recommendation_id": f"h1:{name}", "customer_id": f"cus_{kind}", "kind": event, "body": body,
                 "actor_assurance": "service" if name == "automatic" else "os_user"}
            ])  # fmt: skip
    put(bench, "intermediate.int_reviews", [
        {"recommendation_id": "h1:reviewed", "recommendation_kind": "reviewed", "verdict": verdict}
        for verdict in ("agree", "edited", "wrong", "wrong")
    ])  # fmt: skip
    put(bench, "intermediate.int_churn_dates", [
        {"customer_id": "cus_left", "churned_on": date(2026, 6, 7), "cause": "subscription_ended"},
        {"customer_id": "cus_done", "churned_on": date(2026, 6, 8), "cause": "subscription_ended"},
    ])  # fmt: skip
    bench.build("intermediate", "int_kind_precision")
    found = {row["kind"]: row for row in rows(bench, "select * from intermediate.int_kind_precision")}
    expected = {"reviewed": (9 + 1.5 / 4) / 11, "declined": 9 / 10.5, "done": 9.5 / 10.5, "undone": 9 / 11,
                "left": 9 / 10.5, "untouched": 0.9, "automatic": 0.9, "half_done": 0.9}  # fmt: skip
    assert {kind: row["precision"] for kind, row in found.items()} == pytest.approx(expected)
    assert {kind: row["factor"] for kind, row in found.items()} == pytest.approx(
        {kind: min(1, precision / 0.9) for kind, precision in expected.items()}
    )
    silent = {"untouched", "automatic", "half_done"}
    assert {kind: row["judged_n"] for kind, row in found.items()} == {kind: int(kind not in silent) for kind in kinds}
    assert found["reviewed"]["reviewed_n"] == 1


def test_the_band_of_the_digests_sum_is_the_one_that_the_value_proof_judges(bench: Bench) -> None:
    put(bench, "seeds.action_kinds", [{"kind": "tier_upgrade"}, {"kind": "retention_offer", "effect": 0.2},
                                      {"kind": "retry_payment"}])  # fmt: skip
    put(bench, "seeds.currencies", [{"currency": "usd", "minor_unit_exponent": 2}])
    worth = "{value} ({low} to {high})"
    put(bench, "seeds.message_templates", [{"kind": "digest_advice_worth", "locale": "en", "body": worth}])
    split = {"with_low_effect_minor": 900, "with_high_effect_minor": -50, "with_low_usage_minor": 100,
             "with_high_usage_minor": 700}  # fmt: skip
    other = {name: 2 * value - 300 for name, value in split.items()}
    # the move's usage may reach less far than its effect, and the other way round
    said = [("tier_upgrade", 500, -50, 900, split), ("tier_upgrade", 800, -400, 1500, other),
            ("retention_offer", 60, -20, 90, {}), ("retention_offer", 30, -10, 80, {}),
            ("retry_payment", 400, 0, 600, {}), ("retry_payment", 300, 100, 600, {})]  # fmt: skip
    told = [
        {"recommendation_id": f"h1:{number}", "kind": kind, "currency": "usd", "is_held_back": False,
         "expected_value_minor": value, "expected_value_low_minor": low, "expected_value_high_minor": high,
         "evidence": json.dumps(evidence)}
        for number, (kind, value, low, high, evidence) in enumerate(said)
    ]  # fmt: skip
    put(bench, "marts.recommendations", told)
    put(bench, "marts.recommendations", [told[0] | {"is_held_back": True}, told[0] | {"kind": "customer_message"}])
    bench.build("intermediate", "int_recommendations_summed")
    (found,) = rows(bench, "select * from intermediate.int_recommendations_summed")

    value, low, high = combined(told, {"usd": 1.0}, {"retention_offer"})
    assert (found["recommendations"], found["value_minor"]) == (6, value)
    # by hand: effects of moves 550 + 1200, of offers 80 + 40; usage of moves 400 and 900, retries 400 and 200
    assert value - low == pytest.approx(math.sqrt(1750**2 + 120**2 + 400**2 + 900**2 + 400**2 + 200**2))
    assert (found["value_low_minor"], found["value_high_minor"]) == (round(low), round(high))
