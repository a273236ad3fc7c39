"""Price experiments on a company's rows: which of its days, bills and prices they read, and what they ask for."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from actions.executors.experiment_price import ExperimentPrice
from actions.executors.subscription_change import SubscriptionChange
from tests.commands import ROOT
from tests.dbt_project.experiment_bench import AS_OF, Experiments, design

MODELS = (
    "int_price_experiments_judged", "int_price_experiment_draws", "price_experiment_assignments",
    "int_price_experiment_measures", "int_price_experiment_candidates", "int_experiment_prices_proposed",
    "int_price_test_assignments_proposed", "price_experiment_suggestions", "pricing_elasticity", "int_effects_counted",
)  # fmt: skip
QUANTITY = "quantity decimal(18, 6)"
PRICE = "price_id varchar, product_id varchar, meter_id varchar, currency varchar, billing_interval varchar"
MORE = {
    "staging.stg_stripe__prices": (
        f"{PRICE}, interval_count integer default 1, usage_type varchar default 'metered', created_at timestamp,"
        " is_active boolean default true, is_deleted boolean default false, livemode boolean default false,"
        " experiment_id varchar, experiment_variant varchar, tax_behavior varchar"
    ),
    "staging.stg_stripe__products": "product_id varchar, product_name varchar, default_price_id varchar",
    "staging.stg_stripe__meters": "meter_id varchar, meter_event_name varchar, meter_name varchar",
    "staging.stg_stripe__subscriptions": (
        "subscription_id varchar, status varchar, subscription_schedule_id varchar,"
        " cancel_at_period_end boolean, cancel_at timestamp"
    ),
    "marts.dim_prices": f"{PRICE}, plan varchar, meter_event_name varchar, is_active boolean, experiment_id varchar",
    "marts.dim_subscriptions": "subscription_id varchar, has_discount boolean",
    "marts.dim_customers": (
        "customer_id varchar, name varchar, segment varchar, plan varchar, created_at timestamp,"
        " is_delinquent boolean default false, is_deleted boolean default false"
    ),
    "marts.fct_usage_daily": (
        "customer_id varchar, subscription_item_id varchar, meter_event_name varchar, usage_date date,"
        f" {QUANTITY}, is_counted boolean"
    ),
    "marts.fct_usage_periods": (
        "customer_id varchar, subscription_id varchar, subscription_item_id varchar, meter_id varchar,"
        " meter_event_name varchar, price_id varchar, currency varchar, period_start timestamp, period_end timestamp,"
        f" days_in_period integer, {QUANTITY}, is_open boolean default false, is_trial boolean default false"
    ),
    "marts.fct_rating_steps": (
        "subscription_item_id varchar, price_id varchar, currency varchar, period_start timestamp, tier_index integer,"
        " unit_amount_decimal decimal(24, 12), amount_minor bigint, is_flat_fee boolean default false"
    ),
    "intermediate.int_subscription_items": (
        "customer_id varchar, subscription_id varchar, subscription_item_id varchar, price_id varchar,"
        " meter_id varchar, currency varchar, first_day date, started_at timestamp,"
        " is_alive boolean default true, is_deleted boolean default false"
    ),
    "intermediate.int_subscriptions_preconditioned": "subscription_id varchar, precondition varchar",
    "intermediate.int_price_book_tiers": (
        "book varchar, price_id varchar, currency varchar, rating_mode varchar, package_size bigint,"
        " tier_index integer, lower_bound decimal(18, 6) default 0, upper_bound decimal(18, 6),"
        " unit_amount_decimal decimal(24, 12), flat_amount_decimal decimal(24, 12), minimum_amount_minor bigint"
        " default 0, marginal_price double"
    ),
    "intermediate.int_price_tiers": (
        "price_id varchar, currency varchar, rating_mode varchar, package_size bigint, tier_index integer,"
        " lower_bound decimal(18, 6) default 0, upper_bound decimal(18, 6), unit_amount_decimal decimal(24, 12),"
        " flat_amount_decimal decimal(24, 12), billed_multiple_of integer default 1"
    ),
    "intermediate.int_price_experiment_states": (
        "experiment_id varchar, variant varchar, is_control boolean, state varchar, price_book varchar,"
        " as_of date, starts_on date, ends_on date"
    ),
    "intermediate.int_price_books_judged": "book varchar, is_refused boolean, refusal varchar, margin decimal(18, 6)",
    "intermediate.int_treatments": (
        "kind varchar, arm varchar, customer_id varchar, currency varchar, started_on date,"
        " is_first boolean default true"
    ),
    "intermediate.int_treatment_matches": (
        "kind varchar, month_start date, customer_id varchar, currency varchar, started_on date"
    ),
    "marts.price_experiment_assignments": (
        "experiment_id varchar, variant varchar, customer_id varchar, subscription_id varchar,"
        " subscription_item_id varchar, price_id varchar, currency varchar, enrolled_on date, is_control boolean"
    ),
    "intermediate.int_windows_measured": (
        "customer_id varchar, currency varchar, started_on date, horizon_days integer, mrr_minor bigint,"
        " usage_change decimal(18, 6), is_paid boolean, has_churned boolean"
    ),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Experiments:
    found = Experiments(tmp_path_factory.mktemp("rows"), MODELS, MORE)
    folder: Path = ROOT / "dbt_project" / "seeds"
    for name in ("currencies", "action_kinds", "elasticity_assumptions"):
        read = f"read_csv('{folder}/{name}.csv', all_varchar = {name == 'elasticity_assumptions'})"
        found.con.execute(f"create or replace table seeds.{name} as from {read}")
    return found


def test_days_and_bills_count_before_or_after_to_the_day(bench: Experiments) -> None:
    said = {"experiment_id": "up", "variant": "dearer", "currency": "usd", "as_of": AS_OF}
    bench.put("staging.stg_ml__price_assignments_said", *(said | {"customer_id": name} for name in ("a", "free")))
    bench.put("intermediate.int_as_of", {"as_of": date(2027, 1, 30)})
    bench.designs(*design())
    bench.build("intermediate", "int_price_experiment_draws")
    bench.build("marts", "price_experiment_assignments")
    days = [date(2026, 8, 8) + timedelta(days=n) for n in range(200)]
    # 84 days from 9 August, 7 days that do not count, 84 days to 30 January; all others are far off
    spans = [(date(2026, 8, 9), date(2026, 10, 31), 7), (date(2026, 11, 8), date(2027, 1, 30), 5)]
    quantity = {day: next((units for first, last, units in spans if first <= day <= last), 999) for day in days}
    common = {"customer_id": "a", "meter_event_name": "api_calls", "is_counted": True}
    bench.put("marts.fct_usage_daily", *(common | {"usage_date": day, "quantity": quantity[day]} for day in days))
    invoice = {"customer_id": "a", "status": "paid", "billing_reason": "subscription_cycle", "discount_minor": 0}
    invoice |= {"currency": "usd"}
    periods = [("2026-09-20", 100), ("2026-10-20", 999), ("2026-11-20", 150), ("2026-12-20", 50), ("2027-01-20", 999)]
    ends = ["2026-10-20", "2026-11-20", "2026-12-20", "2027-01-20", "2027-02-20"]
    bench.put(
        "marts.fct_invoices",
        *(
            # bills in another currency are another sum; and who never had a bill above 0 had no shock
            invoice | {"period_start": start, "period_end": end, "subtotal_minor": amount * times} | of
            for (start, amount), end in zip(periods, ends, strict=True)
            for times, of in ((1, {}), (300, {"currency": "jpy"}), (0, {"customer_id": "free"}))
        ),
    )
    bench.put("intermediate.int_churn_dates", {"customer_id": "a", "churned_on": date(2027, 1, 30)})
    bench.build("intermediate", "int_price_experiment_measures")

    query = "select * exclude (account_id, experiment_id, variant, is_control, customer_id)"
    (before, after, paid_before, paid_after, left, is_shocked), free = bench.rows(
        f"{query} from intermediate.int_price_experiment_measures order by customer_id"
    )
    assert free[2:] == (None, None, None, False)
    assert [float(one) for one in (before, after, paid_before, paid_after)] == pytest.approx(
        [math.log(7), math.log(5), math.log(100), math.log(100)], abs=1e-8
    )
    assert (left, is_shocked) == (date(2027, 1, 30), True)
    bench.put("staging.stg_ml__price_assignments_said")
    bench.put("intermediate.int_as_of", {"as_of": AS_OF})


def price(price_id: str, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"price_id": price_id, "product_id": "prod_1", "meter_id": "mtr_1", "currency": "usd"}
    row |= {"billing_interval": "month", "interval_count": 1, "usage_type": "metered", "is_active": True}
    row |= {"is_deleted": False, "livemode": False, "created_at": datetime(2024, 1, 1)}  # noqa: DTZ001 - UTC without zone
    return row | {"experiment_id": None, "experiment_variant": None, "tax_behavior": None} | more


def trial(price_id: str, **more: Any) -> dict[str, Any]:
    return price(price_id, experiment_id="up", experiment_variant="dearer", **more)


def assigned(customer: str, price_id: str, currency: str = "usd") -> dict[str, Any]:
    row = {"customer_id": customer, "subscription_id": f"sub_{customer}", "subscription_item_id": f"si_{customer}"}
    return row | {"price_id": price_id, "currency": currency}


def test_each_price_gets_its_own_variant_and_each_customer_the_one_of_their_term_and_currency(
    bench: Experiments,
) -> None:
    variant = {"experiment_id": "up", "variant": "dearer", "is_control": False, "price_book": "dearer"}
    days = {"as_of": AS_OF, "starts_on": date(2026, 11, 1), "ends_on": date(2027, 1, 30)}
    bench.put("intermediate.int_price_experiment_states", variant | days | {"state": "running"})
    # one pays by the month, one by the year, one in another currency of the monthly price, one signed a contract since
    people = [("month", "p_month"), ("year", "p_year"), ("euro", "p_month", "eur"), ("held", "p_month")]
    rows = [assigned(*one) for one in people]
    drawn = {"experiment_id": "up", "variant": "dearer", "enrolled_on": AS_OF, "is_control": False}
    bench.put("marts.price_experiment_assignments", *(row | drawn for row in rows))
    alive = {"meter_id": "mtr_1", "is_alive": True, "is_deleted": False}
    bench.put("intermediate.int_subscription_items", *(row | alive for row in rows))
    bench.put("marts.dim_customers", *({"customer_id": row["customer_id"], "name": "Ada"} for row in rows))
    bench.put("seeds.contract_locks", {"customer_id": "held", "locked_until": "2026-12-31"})
    bench.put("intermediate.int_price_books_judged", {"book": "dearer", "is_refused": False, "margin": 0.6})
    tiers = {"book": "dearer", "rating_mode": "per_unit", "tier_index": 1, "unit_amount_decimal": 1.5}
    names = [("p_month", "usd"), ("p_month", "eur"), ("p_year", "usd")]
    bench.put("intermediate.int_price_book_tiers", *(tiers | {"price_id": name, "currency": of} for name, of in names))
    known = [price("p_month"), price("p_year", billing_interval="year", tax_behavior="inclusive")]
    made = [trial("n_month"), trial("n_year", billing_interval="year"), trial("n_euro", currency="eur")]
    bench.put("staging.stg_stripe__prices", *known, *made[:1])
    bench.build("intermediate", "int_experiment_prices_proposed")

    query = "select subject_id, currency, params, precondition from intermediate.int_experiment_prices_proposed"
    found = sorted(bench.rows(query))
    assert [row[:2] for row in found] == [("p_month", "eur"), ("p_year", "usd")]
    for _, currency, params, precondition in found:
        (request,) = ExperimentPrice().plan("experiment_price", 0, json.loads(params), json.loads(precondition))
        assert request.params["currency"] == currency
    assert [json.loads(row[2])["tax_behavior"] for row in found] == ["unspecified", "inclusive"]

    bench.put("staging.stg_stripe__prices", *known, *made)
    per_unit = {"rating_mode": "per_unit", "tier_index": 1, "unit_amount_decimal": 1, "billed_multiple_of": 1}
    rated = [(one["price_id"], one["currency"]) for one in (*known, price("p_month", currency="eur"), *made)]
    bench.put("intermediate.int_price_tiers", *(per_unit | {"price_id": name, "currency": of} for name, of in rated))
    held = {"customer": "c", "livemode": False, "subscription_status": "active", "currency": "usd"}
    for row in rows:
        items = [{"id": row["subscription_item_id"], "price": row["price_id"], "quantity": None}]
        row["precondition"] = json.dumps(held | {"subscription": row["subscription_id"], "items": items})
    facts = [{key: row[key] for key in ("subscription_id", "precondition")} for row in rows]
    bench.put("intermediate.int_subscriptions_preconditioned", *facts)
    bench.build("intermediate", "int_price_test_assignments_proposed")
    query = "select customer_id, target_key, params, precondition from intermediate.int_price_test_assignments_proposed"
    moves = bench.rows(query)
    assert {row[:2] for row in moves} == {("month", "n_month"), ("year", "n_year"), ("euro", "n_euro")}
    assert len(moves) == 3
    for _, target, params, precondition in moves:
        (request,) = SubscriptionChange().plan("price_test_assignment", 0, json.loads(params), json.loads(precondition))
        assert request.params["items"][0]["price"] == target
    bench.put("seeds.contract_locks")


def test_of_prices_that_are_alike_the_catalogues_is_tested_and_who_pays_another_one_takes_no_part(
    bench: Experiments,
) -> None:
    bench.designs(*design())
    old, new = datetime(2024, 1, 1), datetime(2025, 1, 1)  # noqa: DTZ001 - UTC without zone
    prices = [price("p_old", created_at=old), price("p_new", created_at=new), price("p_year", billing_interval="year")]
    bench.put("staging.stg_stripe__prices", *prices, price("p_gone", is_active=False), trial("p_trial"))
    names = ["p_old", "p_new", "p_year", "p_gone", "p_trial"]
    sold = {"plan": "growth", "meter_event_name": "api_calls", "currency": "usd"}
    bench.put("marts.dim_prices", *(sold | {"price_id": name, "is_active": name != "p_gone"} for name in names))
    tier = {"book": "dearer", "currency": "usd", "tier_index": 1, "minimum_amount_minor": 0}
    bench.put("intermediate.int_price_book_tiers", *(tier | {"price_id": name} for name in names))
    alive = {"is_alive": True, "is_deleted": False, "first_day": date(2025, 1, 1), "started_at": old}
    bench.put("intermediate.int_subscription_items", *(assigned(name[2:], name) | alive for name in names))
    who = {"is_delinquent": False, "is_deleted": False, "created_at": old, "segment": "startup"}
    bench.put("marts.dim_customers", *(who | {"customer_id": name[2:]} for name in names))
    subs = [{"subscription_id": f"sub_{name[2:]}"} for name in names]
    bench.put(
        "staging.stg_stripe__subscriptions",
        *(one | {"status": "active", "cancel_at_period_end": False} for one in subs),
    )
    bench.put("marts.dim_subscriptions", *(one | {"has_discount": False} for one in subs))
    query = "select customer_id from intermediate.int_price_experiment_candidates where is_in_catalogue order by 1"

    for default, wanted in ((None, ["new", "year"]), ("p_old", ["old", "year"])):
        bench.put("staging.stg_stripe__products", {"product_id": "prod_1", "default_price_id": default})
        bench.build("intermediate", "int_price_experiment_candidates")
        assert [name for (name,) in bench.rows(query)] == wanted


def test_a_suggestion_counts_a_month_once_and_what_a_trial_price_did_is_no_history(bench: Experiments) -> None:
    bench.put("marts.dim_customers", {"customer_id": "a", "segment": "startup"})
    bench.put("staging.stg_stripe__meters", {"meter_id": "mtr_1", "meter_event_name": "api_calls"})
    sold = {"plan": "growth", "meter_event_name": "api_calls", "currency": "usd", "is_active": True}
    bench.put("marts.dim_prices", *({**sold, "price_id": n, "experiment_id": e} for n, e in (("p", None), ("n", "up"))))
    today = {"book": "today", "currency": "usd", "tier_index": 1, "lower_bound": 0}
    amounts = (("p", 1.0), ("n", 1.5))
    bench.put("intermediate.int_price_book_tiers", *(today | {"price_id": n, "marginal_price": m} for n, m in amounts))
    common: dict[str, Any] = {
        "customer_id": "a",
        "subscription_id": "s",
        "subscription_item_id": "i",
        "currency": "usd",
    }
    common |= {"meter_id": "mtr_1", "meter_event_name": "api_calls", "days_in_period": 30, "quantity": 90}
    # on trial from June to August; the newest two end on the first of a month, a month apart to the second
    months = [date(2026, month, 1) for month in range(3, 12)]
    periods = [
        common | {"period_start": start, "period_end": end, "price_id": "n" if 6 <= start.month <= 8 else "p"}
        | {"is_open": False, "is_trial": False}
        for start, end in pairwise(months)
    ]  # fmt: skip
    bench.put("marts.fct_usage_periods", *periods)
    step: dict[str, Any] = {"subscription_item_id": "i", "currency": "usd", "tier_index": 1, "unit_amount_decimal": 1}
    step |= {"amount_minor": 100, "is_flat_fee": False}
    starts = [{key: one[key] for key in ("period_start", "price_id")} for one in periods]
    bench.put("marts.fct_rating_steps", *(step | one for one in starts))
    bench.build("marts", "pricing_elasticity")
    bench.build("marts", "price_experiment_suggestions")

    assert bench.rows("select * from marts.pricing_elasticity") == []
    assert bench.rows("select revenue_minor, customers_n from marts.price_experiment_suggestions") == [(100, 1)]

    # a plan's name is typed by hand in Stripe
    bench.put("marts.dim_prices", sold | {"price_id": "p", "plan": "=gr\u202eow<b>th"})
    bench.build("marts", "price_experiment_suggestions")
    [(said,)] = bench.rows("select said from marts.price_experiment_suggestions")
    assert "of api_calls on gr ow b th brings USD 1.00 a month (customers in it: 1)." in said


def test_what_a_price_on_trial_does_is_not_told_among_the_outcomes_of_actions(bench: Experiments) -> None:
    kinds = ("price_test_assignment", "tier_upgrade")
    one = {"arm": "carried_out", "customer_id": "a", "currency": "usd", "started_on": AS_OF, "is_first": True}
    bench.put("intermediate.int_treatments", *(one | {"kind": kind} for kind in kinds))
    like = {"customer_id": "b", "currency": "usd", "started_on": AS_OF, "month_start": date(2026, 10, 1)}
    bench.put("intermediate.int_treatment_matches", *(like | {"kind": kind} for kind in kinds))
    seen = [(who, days) for who in ("a", "b") for days in (0, 30)]
    at = {"currency": "usd", "started_on": AS_OF, "mrr_minor": 100}
    bench.put("intermediate.int_windows_measured", *(at | {"customer_id": who, "horizon_days": d} for who, d in seen))
    bench.build("intermediate", "int_effects_counted")

    found = bench.rows("select distinct kind, arm from intermediate.int_effects_counted order by all")
    assert found == [("tier_upgrade", "carried_out"), ("tier_upgrade", "matched")]
