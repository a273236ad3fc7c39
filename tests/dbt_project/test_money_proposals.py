"""Courtesy credits and retention offers at their boundaries, and what they are said to be worth."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actions.executors.customer_credit import CustomerCredit
from tests.dbt_project.compiled import Bench
from tests.dbt_project.money_world import (
    AS_OF,
    BY_HAND,
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
    table,
)  # fmt: skip

CREDITS = ("int_courtesy_credits_found", "int_courtesy_credits_proposed")
OFFERS = ("int_retention_offers_found", "int_retention_offers_proposed")
MONTHS = (
    "account_id text, customer_id text, currency text, month_start date, mrr_minor bigint, committed_mrr_minor bigint"
)
RISKS = "account_id text, customer_id text, as_of date, is_current boolean, horizon_days integer, treatment text, "
RISKS += "probability double, base_rate double, reasons text, model_version text"
EFFECTS = "account_id text, kind text, month_start date, metric text, horizon_days integer, comparison text, "
EFFECTS += "treated_n bigint, held_back_n bigint, comparison_mean double, difference double, difference_low_80 double, "
EFFECTS += "difference_high_80 double"
ANOMALIES = "account_id text, anomaly_id text, customer_id text, subscription_item_id text, meter_id text, kind text, "
ANOMALIES += "started_on date, ended_on date, unusual_days integer, quantity decimal(18, 6), "
ANOMALIES += (
    "expected_quantity decimal(18, 6), excess_quantity decimal(18, 6), score double, excess_amount_minor bigint, "
)
ANOMALIES += "rated_amount_minor bigint, currency text, period_start timestamp, is_unexplained boolean"
PERIODS = "account_id text, subscription_item_id text, subscription_id text, price_id text, period_start timestamp, "
PERIODS += "period_end timestamp, is_open boolean, is_trial boolean, invoice_id text"


@pytest.fixture(scope="module")
def sql(first_run: tuple[Path, str]) -> dict[str, str]:
    return compiled_in(first_run[0], *CREDITS, *OFFERS)


@pytest.fixture
def bench(sql: dict[str, str]) -> Iterator[Bench]:
    made = Bench(sql)
    seeds(made)
    kinds: list[Row] = [
        {"kind": "courtesy_credit", "value_months": 12, "amount_share": 1, "window_days": 30}
        | {"effect_low": 0, "effect": 0.1, "effect_high": 0.3},
        {"kind": "retention_offer", "value_months": 12, "coupon_id": "KEEP20", "top_share": 1, "min_lift": 2}
        | {"effect_low": 0, "effect": 0.2, "effect_high": 0.4},
    ]
    table(made, "seeds.action_kinds", TABLES["seeds.action_kinds"], kinds)
    caps = [{"kind": "courtesy_credit", "currency": "usd", "floor_minor": 500, "cap_minor": 50000}]
    caps.append({"kind": "courtesy_credit", "currency": "jpy", "floor_minor": 750, "cap_minor": 75000})
    table(made, "seeds.action_caps", "kind text, currency text, floor_minor bigint, cap_minor bigint", caps)
    day: Row = {"as_of": AS_OF, "time_zone": "UTC", "known_until": END + timedelta(days=1)}
    put(made, "intermediate.int_as_of", f"{TABLES['intermediate.int_as_of']}, known_until timestamp", [day])
    for name, columns in BY_HAND.items():
        put(made, f"staging.{name}", columns, [])
    put(made, "marts.fct_payments", TABLES["marts.fct_payments"], [])
    put(made, "intermediate.int_actions_executed", TABLES["intermediate.int_actions_executed"], [])
    put(made, "staging.stg_stripe__meters", "account_id text, meter_id text, meter_name text", [])
    put(made, "marts.action_effects", EFFECTS, [])
    yield made
    made.con.close()


def spiked(bench: Bench, **spikes: Row) -> dict[str, Row]:
    """Credits by customer; each spike is of a customer of its own, with what is said of it, of its invoice
    (invoice_status, None: there is none; billed_minor, discount_minor) and customer (owes: a currency; status)."""
    anomalies, periods, invoices, lines, people, subs = ([] for _ in range(6))
    for name, said in spikes.items():
        state, discount = said.pop("invoice_status", "paid"), said.pop("discount_minor", 0)
        amount = said.pop("billed_minor", 9000)
        billed: Row = {"invoice_id": f"in_{name}", "subscription_item_id": f"si_{name}"}
        if state is not None:
            invoices.append({"invoice_id": f"in_{name}", "status": state})
            lines += [billed | {"amount_minor": amount, "discount_minor": discount, "is_metered": True}]
        owner: Row = {"customer_id": name, "currency": said.pop("owes", said.get("currency", "usd"))}
        people.append(owner | {"name": f"<b>{name}", "livemode": False, "is_deleted": False})
        living: Row = {"customer_id": name, "subscription_id": f"sub_{name}", "status": said.pop("status", "active")}
        subs.append(living | {"currency": said.get("currency", "usd")})
        period: Row = {"subscription_item_id": f"si_{name}", "subscription_id": "sub", "price_id": "price"}
        period |= {"period_start": datetime.fromisoformat("2026-09-20"), "is_open": False, "is_trial": False}
        period |= {"period_end": datetime.fromisoformat("2026-10-20"), "invoice_id": state and f"in_{name}"}
        periods.append(period | {key: said.pop(key) for key in ("is_open", "is_trial", "period_end") if key in said})
        spike: Row = {"anomaly_id": f"a_{name}", "customer_id": name, "subscription_item_id": f"si_{name}"}
        spike |= {"meter_id": "calls", "kind": "spike", "started_on": date(2026, 10, 1), "ended_on": date(2026, 10, 2)}
        spike |= {"unusual_days": 2, "quantity": 900, "expected_quantity": 200, "excess_quantity": 700, "score": 1.5}
        spike |= {"excess_amount_minor": 7000, "rated_amount_minor": 9000, "currency": "usd", "is_unexplained": True}
        anomalies.append(spike | {"period_start": period["period_start"]} | said)
    put(bench, "marts.usage_anomalies", ANOMALIES, anomalies)
    put(bench, "marts.fct_usage_periods", PERIODS, periods)
    put(bench, "intermediate.int_invoices", TABLES["intermediate.int_invoices"], invoices)
    put(bench, "marts.fct_invoice_lines", TABLES["marts.fct_invoice_lines"], lines)
    put(bench, "staging.stg_stripe__customers", CUSTOMERS, people)
    put(bench, "marts.dim_subscriptions", SUBSCRIPTIONS, subs)
    return {row["customer_id"]: row for row in proposed(bench, CREDITS)}


def nobody_is_scored(bench: Bench) -> None:
    put(bench, "marts.churn_risk", RISKS, [])
    put(bench, "marts.fct_mrr_monthly", MONTHS, [])


def test_a_credit_is_for_a_real_spike_that_was_billed_lately_and_between_floor_and_cap(bench: Bench) -> None:
    nobody_is_scored(bench)
    credits = spiked(
        bench,
        plain={},
        at_floor={"excess_amount_minor": 500},
        below_floor={"excess_amount_minor": 499},
        at_cap={"excess_amount_minor": 50001},
        yen={"currency": "jpy", "excess_amount_minor": 751},
        no_cap={"currency": "chf"},
        open_period={"is_open": True},
        trial={"is_trial": True},
        explained={"is_unexplained": False},
        surge={"kind": "surge"},
        unlikely={"score": 1.01, "unusual_days": 1},
        last_day={"period_end": END - timedelta(days=30)},
        too_old={"period_end": END - timedelta(days=31)},
        open_invoice={"invoice_status": "open"},
        void={"invoice_status": "void"},
        given_up={"invoice_status": "uncollectible"},
        never_billed={"invoice_status": None},
        billed_nothing={"billed_minor": 0},
        other_currency={"owes": "eur"},
        gone={"status": "canceled"},
    )
    assert {name: row["amount_minor"] for name, row in credits.items()} == {
        "plain": 7000, "at_floor": 500, "at_cap": 50000, "yen": 751, "last_day": 7000, "open_invoice": 7000,
    }  # fmt: skip
    plain = credits["plain"]
    # nobody knows whether the customer would leave: the credit is a cost and nothing else
    assert [plain[f"expected_value{end}_minor"] for end in ("_low", "", "_high")] == [-7000] * 3
    chance = 1 / (1 + math.exp(-(2.9 + 1.8 * math.log(1.5 - 0.98) + 1.2)))
    assert plain["confidence"] == pytest.approx(chance, abs=1e-6)
    assert json.loads(plain["words"])["customer"] == "b plain"
    params, precondition = json.loads(plain["params"]), json.loads(plain["precondition"])
    assert CustomerCredit().plan(plain["kind"], plain["amount_minor"], params, precondition)


def test_a_discount_is_not_given_back(bench: Bench) -> None:
    """What the spike cost is what was left of its price: a quarter off, halves away from zero."""
    nobody_is_scored(bench)
    credits = spiked(
        bench, quarter={"discount_minor": 2250, "excess_amount_minor": 7002}, free={"discount_minor": 9000}
    )
    assert {name: row["amount_minor"] for name, row in credits.items()} == {"quarter": 5252}
    assert json.loads(credits["quarter"]["words"])["excess_amount"] == "USD 52.52"


def test_a_spike_is_not_credited_twice_by_hand_and_by_us(bench: Bench) -> None:
    nobody_is_scored(bench)
    spike_day = datetime.fromisoformat("2026-10-01")
    given: dict[str, dict[str, Row]] = {
        "stg_stripe__customer_balance_transactions": {
            "adjusted": {"transaction_type": "adjustment", "amount_minor": -500, "created_at": spike_day},
            "before": {"transaction_type": "adjustment", "amount_minor": -500, "created_at": spike_day - timedelta(1)},
            "charged": {"transaction_type": "adjustment", "amount_minor": 500, "created_at": END},
            "applied": {"transaction_type": "applied_to_invoice", "amount_minor": -500, "created_at": END},
            "by_us": {"transaction_type": "adjustment", "amount_minor": -500, "created_at": END}
            | {"balance_transaction_id": "cbtxn_ours"},
        },
        "stg_stripe__credit_notes": {
            "noted": {"status": "issued", "created_at": END},
            "note_void": {"status": "void", "created_at": END},
        },
        "stg_stripe__credit_grants": {
            "granted": {"category": "promotional", "created_at": END},
            "bought": {"category": "paid", "created_at": END},
            "grant_void": {"category": "promotional", "created_at": END, "voided_at": END},
        },
    }
    for name, rows in given.items():
        said = [{"customer_id": customer} | GONE | row for customer, row in rows.items()]
        put(bench, f"staging.{name}", BY_HAND[name], said)
    ours = {"kind": "courtesy_credit", "object_id": "cbtxn_ours"}
    put(bench, "intermediate.int_actions_executed", TABLES["intermediate.int_actions_executed"], [ours])
    paid = {"kept": (0, 0), "refunded": (100, 0), "disputed": (0, 100)}
    put(bench, "marts.fct_payments", TABLES["marts.fct_payments"], [
        {"customer_id": name, "attempted_at": END, "refunded_minor": back, "disputed_minor": claimed}
        for name, (back, claimed) in paid.items()
    ])  # fmt: skip
    customers = [*paid, *(customer for rows in given.values() for customer in rows)]
    # what we gave is in the ledger: the proposal stays, so that it is told to be settled
    credited = {"adjusted", "noted", "granted", "refunded", "disputed"}
    assert set(spiked(bench, **{name: {} for name in customers})) == set(customers) - credited


def revenue(risk: float, base: float, effect: float, felt: int, months: int) -> tuple[float, float]:
    """Month by month: the revenue months of somebody of whom so many are left, and those while the action is felt."""
    left, total, while_felt = 1.0, 0.0, 0.0
    for month in range(1, months + 1):
        leaves = 1 - (1 - (risk if month <= 3 else base)) ** (1 / 3)
        after = left * (1 - leaves * ((1 - effect) if month <= felt else 1))
        total += (left + after) / 2
        while_felt += (left + after) / 2 if month <= felt else 0
        left = after
    return total, while_felt


def test_a_credit_also_keeps_a_share_of_those_who_would_leave(bench: Bench) -> None:
    """Of their revenue without the spike, which is in the MRR of the last period."""
    put(bench, "marts.churn_risk", RISKS, [scored("plain", 0.4)])
    put(bench, "marts.fct_mrr_monthly", MONTHS, [month("plain", 30000)])
    row = spiked(bench, plain={})["plain"]
    for end, effect in (("_low", 0.0), ("", 0.1), ("_high", 0.3)):
        kept = revenue(0.4, 0.08, effect, 3, 12)[0] - revenue(0.4, 0.08, 0, 3, 12)[0]
        assert row[f"expected_value{end}_minor"] == pytest.approx((30000 - 7000) * kept - 7000, abs=1)


def scored(customer: str, probability: float, **more: Any) -> Row:
    row: Row = {"customer_id": customer, "as_of": AS_OF, "is_current": True, "horizon_days": 90, "base_rate": 0.08}
    return row | {"treatment": "modelled", "probability": probability, "reasons": "so", "model_version": "1"} | more


def month(customer: str, mrr_minor: int) -> Row:
    return {"customer_id": customer, "currency": "usd", "month_start": AS_OF.replace(day=1)} | {
        "mrr_minor": mrr_minor, "committed_mrr_minor": mrr_minor,
    }  # fmt: skip


def offered(bench: Bench, duration: int = 3, **risks: Row) -> dict[str, Row]:
    """Offers by customer, each with a subscription of USD 300 a month, as `risks` says of it."""
    base: Row = {"status": "active", "currency": "usd", "started_at": END, "has_discount": False, "canceled_at": None}
    subs: list[Row] = []
    stripes: list[Row] = []
    for name, risk in risks.items():
        stripe = {"subscription_id": f"sub_{name}", "pause_behavior": risk.pop("pause_behavior", None)}
        stripes.append(stripe | {"subscription_schedule_id": risk.pop("schedule", None)})
        own = base | {"customer_id": name, "subscription_id": f"sub_{name}"}
        subs += [own | {"subscription_id": f"sub_{name}_2"}] if risk.pop("has_two", False) else []
        subs.append(own | {key: risk.pop(key) for key in base if key in risk})
    columns = TABLES["staging.stg_stripe__subscriptions"]
    put(bench, "staging.stg_stripe__subscriptions", columns, stripes)
    put(bench, "marts.churn_risk", RISKS, [scored(name, **risk) for name, risk in risks.items()])
    put(bench, "marts.fct_mrr_monthly", MONTHS, [month(name, 30000) for name in risks])
    put(bench, "marts.dim_subscriptions", SUBSCRIPTIONS, subs)
    coupon: Row = {"coupon_id": "KEEP20", "percent_off": 20, "duration_in_months": duration}
    columns = (
        "account_id text, coupon_id text, percent_off decimal(9, 6), duration_in_months integer, is_valid boolean, "
    )
    put(bench, "staging.stg_stripe__coupons", f"{columns} is_deleted boolean", [coupon | {"is_valid": True} | GONE])
    columns = "account_id text, customer_id text, name text"
    put(bench, "marts.dim_customers", columns, [{"customer_id": name} for name in risks])
    columns = "account_id text, subscription_id text, precondition text"
    put(bench, "intermediate.int_subscriptions_preconditioned", columns,
        [{"subscription_id": sub["subscription_id"], "precondition": "{}"} for sub in subs])  # fmt: skip
    return {row["customer_id"]: row for row in proposed(bench, OFFERS)}


@pytest.mark.parametrize("duration", [3, 6])
def test_an_offer_is_worth_what_it_keeps_less_what_it_costs_those_who_stay_too(bench: Bench, duration: int) -> None:
    offers = offered(
        bench, duration, likely={"probability": 0.9}, unlikely={"probability": 0.17},
        leaving={"probability": 0.9, "treatment": "leaving"}, below_lift={"probability": 0.15},
        discounted={"probability": 0.9, "has_discount": True}, likely_too={"probability": 0.6},
        ending={"probability": 0.9, "canceled_at": END}, paused={"probability": 0.9, "pause_behavior": "void"},
        scheduled={"probability": 0.9, "schedule": "sub_sched"}, two={"probability": 0.9, "has_two": True},
        late={"probability": 0.9, "status": "past_due"},
    )  # fmt: skip
    worth = {}
    for name, risk in (("likely", 0.9), ("likely_too", 0.6), ("unlikely", 0.17)):
        for end, effect in (("_low", 0.0), ("", 0.2), ("_high", 0.4)):
            stays, billed = revenue(risk, 0.08, effect, duration, 12)
            worth[name, end] = 30000 * (stays - revenue(risk, 0.08, 0, duration, 12)[0] - 0.2 * billed)
    assert set(offers) == {name for (name, end), value in worth.items() if end == "" and value > 0}
    assert "unlikely" not in offers
    for name, row in offers.items():
        for end in ("_low", "", "_high"):
            assert row[f"expected_value{end}_minor"] == pytest.approx(worth[name, end], abs=1)
        assert (row["amount_minor"], row["confidence"]) == (6000 * duration, {"likely": 0.9, "likely_too": 0.6}[name])


def test_a_measured_effect_takes_the_place_of_the_assumed_one_from_a_hundred_on_each_side(bench: Bench) -> None:
    effect: Row = {"kind": "retention_offer", "metric": "churn_share", "horizon_days": 90, "comparison": "held_back"}
    effect |= {"treated_n": 100, "comparison_mean": 0.5, "difference": -0.25}
    effect |= {"difference_low_80": -0.3, "difference_high_80": -0.2}
    for held_back, shares in ((99, ("0.200000", False)), (100, ("0.500000", True))):
        put(bench, "marts.action_effects", EFFECTS, [effect | {"held_back_n": held_back}])
        told = json.loads(offered(bench, one={"probability": 0.9})["one"]["evidence"])
        assert (told["effect"], told["is_effect_measured"]) == shares
