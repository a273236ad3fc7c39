"""Churn in the warehouse on a few rows: states, what is known of bills and payments, health, bands, reasons, cases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from math import sqrt
from statistics import NormalDist

import pytest

from tests.dbt_project.churn_company import AS_OF, DAY, END, MODELS, Small
from tests.dbt_project.compiled import compiled_models


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return compiled_models(tmp_path_factory.mktemp("compiled"), *MODELS)


@pytest.fixture
def small(sql: dict[str, str]) -> Iterator[Small]:
    made = Small(sql)
    yield made
    made.con.close()


def test_states_are_told_apart_and_the_first_that_holds_counts(small: Small) -> None:
    noon = END - timedelta(hours=12)
    for name in ("active", "owing", "seasonal", "new"):
        small.customer(name)
    small.customer("leaving", canceled_at=noon, ended_at=END + 9 * DAY)
    small.customer("tomorrow", canceled_at=END, ended_at=END + 9 * DAY)
    small.customer("paused")
    small.customer("trialing", trial_started_at=noon - 3 * DAY, trial_ends_at=END + 9 * DAY)
    for name in ("paused", "trialing"):
        small.add(
            "intermediate.int_subscription_states",
            subscription_id=f"sub_{name}",
            valid_from=noon - 3 * DAY,
            is_counted=False,
        )
    bill = {"finalized_at": END - 10 * DAY, "amount_due_minor": 500}
    for name in ("owing", "paused"):
        small.add("intermediate.int_invoices", customer_id=name, **bill)
    small.add("intermediate.int_invoices", customer_id="active", due_at=END, **bill)  # not due yet
    small.add("intermediate.int_invoices", customer_id="new", paid_at=END - 2 * DAY, **bill)  # paid late
    used = {"as_of_date": AS_OF, "usage_mean_28": 0.1, "zero_share_28": 0.9, "usage_left_28": 0.2, "usage_left_91": 0.1}
    small.add(
        "intermediate.int_customer_usage_asof", customer_id="seasonal", usage_left_364=0.8, is_seasonal=True, **used
    )
    small.add("intermediate.int_customer_usage_asof", customer_id="active", is_seasonal=False, **used)

    small.features()

    columns = "customer_id, state, failed_payments_90d, days_past_due, usage_left_91, usage_mean_28"
    assert small.rows(f"select {columns} from features.customer_asof order by 1") == [
        ("active", "active", 1, 0, 0.1, 0.1),
        ("leaving", "leaving", 0, 0, None, None),
        ("new", "active", 1, 0, None, None),  # no usage yet: nothing is known of it
        ("owing", "past_due", 1, 9, None, None),
        ("paused", "paused", 1, 9, None, None),
        ("seasonal", "seasonal", 0, 0, 0.8, None),  # held against the year before
        ("tomorrow", "active", 0, 0, None, None),
        ("trialing", "trialing", 0, 0, None, None),
    ]


@pytest.mark.parametrize(("customers", "left"), [(21, 0.5), (19, 0.4)])
def test_what_the_middle_one_of_many_customers_has_lost_is_no_ones_own_fall(
    small: Small, customers: int, left: float
) -> None:
    for number in range(customers):
        small.customer(f"c{number:02}")
        used = {"usage_left_28": 1.0, "usage_left_91": 0.4 if number == 0 else 0.8, "is_seasonal": False}
        small.add("intermediate.int_customer_usage_asof", customer_id=f"c{number:02}", as_of_date=AS_OF, **used)

    small.features()

    ((own, another),) = small.rows(
        "select max(usage_left_91) filter (customer_id = 'c00'), max(usage_left_91) filter (customer_id = 'c01') "
        "from features.customer_asof"
    )
    assert (own, another) == (pytest.approx(left), 1 if customers >= 20 else 0.8)


def test_another_price_is_valued_at_the_quantity_of_the_bill_before_and_an_upgrade_is_ones_own_choice(
    small: Small,
) -> None:
    for name in ("raised", "same", "upgraded"):
        small.customer(name)
        for price, days, quantity, amount in (("old", 100, 1000, 4000), ("new", 5, 500, 3000)):
            small.add(
                "intermediate.int_invoice_lines",
                customer_id=name,
                subscription_item_id=f"si_{name}",
                price_id="old" if name == "same" else price,
                finalized_at=END - days * DAY,
                quantity=quantity,
                amount_minor=amount,
                is_known=True,
                is_proration=False,
            )
    small.add(
        "intermediate.int_invoice_lines",  # a fee that stays halves what the change is of the whole
        customer_id="raised",
        subscription_item_id="si_fee",
        price_id="fee",
        finalized_at=END - 100 * DAY,
        quantity=1,
        amount_minor=4000,
        is_known=True,
        is_proration=False,
    )
    small.con.execute(
        "insert into intermediate.int_invoice_lines by name select * replace (? as finalized_at) "
        "from intermediate.int_invoice_lines where price_id = 'fee'",
        [END - 5 * DAY],
    )
    small.con.execute(
        "update intermediate.int_customer_plans_asof set months_since_upgrade = 1 where customer_id = 'upgraded'"
    )
    small.add(
        "staging.stg_stripe__credit_grants", customer_id="same", category="promotional", created_at=END - 90 * DAY
    )
    small.add("staging.stg_stripe__credit_grants", customer_id="raised", category="paid", created_at=END - DAY)
    small.add("staging.stg_stripe__credit_notes", customer_id="upgraded", created_at=END - 92 * DAY)

    small.features()

    # 1,000 units at 6 in place of 4, and a fee of 4,000
    found = small.rows("select customer_id, bill_change_ratio, credited_90d from features.customer_asof order by 1")
    assert found == [("raised", 1.25, 0), ("same", 1, 1), ("upgraded", 1, 0)]


def test_health_is_half_the_mean_and_half_the_worst_and_says_what_changed(small: Small) -> None:
    small.add("seeds.message_templates", kind="health_part", locale="en", body="{part} {before} to {now}")
    before = date(2026, 9, 30)
    for name in ("fell", "silent", "gone"):
        small.customer(name, before, **({"canceled_at": END - DAY} if name == "gone" else {}))
        small.customer(name)
    for day, left in ((before, 0.9), (AS_OF, 0.3)):
        used = {"as_of_date": day, "zero_share_28": 0.0, "usage_left_91": left, "is_seasonal": False}
        small.add("intermediate.int_customer_usage_asof", customer_id="fell", usage_left_28=left, **used)

    small.features()
    small.build("customer_health", "account_health")

    columns = "customer_id, health_score, health_band, usage_score, previous_health_score, changed_part, changed_text"
    assert small.rows(f"select {columns} from marts.account_health order by 1") == [
        # .5 x ((40 x 30 + 25 x 100 + 15 x 100 + 20 x 100) / 100 + 30)
        ("fell", 51, "watch", 30, 93, "usage", "usage 90 to 30"),
        ("gone", 20, "poor", None, 100, "contract", "contract 100 to 0"),
        ("silent", 100, "healthy", None, 100, None, None),
    ]


def test_bands_hold_what_came_of_scores_once_each_with_wilsons_interval(small: Small) -> None:
    for number, (band, lowest) in enumerate((("low", 0), ("high", 0.25)), start=1):
        small.add("seeds.churn_bands", horizon_days=90, risk_band=band, band_number=number, from_probability=lowest)
    for number in range(10):
        key = {"customer_id": f"c{number}", "horizon_days": 90}
        # held out as low; three of them were later said to be high, and two of those left
        small.add("staging.stg_ml__churn_backtest", as_of=AS_OF, probability=0.1, is_churned=number < 2, **key)
        small.add("intermediate.int_churn_labels", as_of_date=AS_OF, is_churned=number < 2, is_mature=True, **key)
        if number < 3:
            small.add("staging.stg_ml__churn_risk", as_of=AS_OF, probability=0.25, **key)
    # who had cancelled, and what had not matured by the day that is built, say nothing of the model
    for name, said, mature in (
        ("gone", "staging.stg_ml__churn_risk", True),
        ("young", "staging.stg_ml__churn_backtest", False),
    ):
        key = {"customer_id": name, "horizon_days": 90}
        small.add(said, as_of=AS_OF, probability=0.9, **key, **({"treatment": "leaving"} if mature else {}))
        small.add("intermediate.int_churn_labels", as_of_date=AS_OF, is_churned=True, is_mature=mature, **key)

    small.build("int_churn_bands")

    columns = "band_number, observed_n, observed_share, observed_low, observed_high"
    found = small.rows(f"select {columns} from intermediate.int_churn_bands order by 1")
    assert [row[:3] for row in found] == [(1, 7, 0), (2, 3, pytest.approx(2 / 3))]
    for _, n, share, low, high in found:
        for bound in (low, high):  # each is as many of its own standard errors off as nine of ten are within
            off = NormalDist().inv_cdf(0.9) * sqrt(bound * (1 - bound) / n)
            assert abs(share - bound) == pytest.approx(off, abs=1e-9)


def test_reasons_keep_their_sign_and_only_what_raises_the_risk_is_told(small: Small) -> None:
    bodies = {"churn_reason_other": "{feature} is {number}", "churn_reason_segment": "segment {level}"}
    bodies |= {"churn_reason_has_discount_0": "no discount", "churn_reason_has_discount_1": "a discount"}
    for kind, body in bodies.items():
        small.add("seeds.message_templates", kind=kind, locale="en", body=body)
    parts = [("tenure_days", 400, None, 0.5), ("has_discount", 1, None, -0.9), ("segment", None, "startup", 0.7)]
    reasons = [
        {"rank": rank, "feature": feature, "value": value, "level": level, "contribution": contribution}
        for rank, (feature, value, level, contribution) in enumerate(parts, start=1)
    ]
    key = {"customer_id": "c", "as_of": AS_OF, "horizon_days": 30, "probability": 0.1}
    small.add("staging.stg_ml__churn_risk", reasons=json.dumps(reasons), **key)
    small.add("staging.stg_ml__churn_risk", reasons="[]", **(key | {"customer_id": "nothing"}))

    small.build("int_churn_reasons_worded")

    columns = "reasons, reason_1, contribution_1, reason_2, contribution_2, reason_3, contribution_3"
    assert small.rows(f"select {columns} from intermediate.int_churn_reasons_worded") == [
        ("segment startup; tenure days is 400", "a discount", -0.9, "segment startup", 0.7, "tenure days is 400", 0.5)
    ]


def test_the_nearest_case_is_another_customer_at_a_matured_day_with_what_was_done_and_followed(small: Small) -> None:
    then = date(2026, 6, 30)
    small.customer("asked")
    for name, day in (("asked", then), ("twin", then), ("twin", date(2026, 9, 30)), ("far", then)):
        small.customer(name, day)
    for name, day, left in small.rows(
        "select customer_id, as_of_date, case when customer_id = 'far' then 1 else 0.3 end "
        "from intermediate.int_customer_days"
    ):
        used = {"as_of_date": day, "usage_left_28": left, "usage_left_91": left, "is_seasonal": False}
        small.add("intermediate.int_customer_usage_asof", customer_id=name, **used)
        if day == then:
            outcome = {"is_churned": name == "twin", "is_mature": True, "horizon_days": 90}
            small.add("features.churn_labels", customer_id=name, as_of_date=day, **outcome)
    risk = {"is_current": True, "as_of": AS_OF, "horizon_days": 90, "treatment": "modelled"}
    small.add("marts.churn_risk", customer_id="asked", probability=0.7, **risk)
    small.add("marts.churn_risk", customer_id="twin", probability=0.9, **(risk | {"treatment": "leaving"}))
    for name, day in (("credit", then + 20 * DAY), ("late", then + 91 * DAY), ("early", then)):
        at = datetime.combine(day, time(12))
        small.add("intermediate.int_actions_executed", action_id=name, customer_id="twin", kind=name, executed_at=at)

    small.features()
    small.build("similar_cases")

    columns = "customer_id, similar_rank, similar_customer_id, similar_as_of, action_kinds, is_churned"
    assert small.rows(f"select {columns} from marts.similar_cases order by 2") == [
        ("asked", 1, "twin", then, "credit", True),
        ("asked", 2, "far", then, None, False),
    ]
