"""What finance closes with: payments, settlement, receivables, dunning, accruals and leaks, against counts by hand."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.commands import dbt
from tests.dbt_project.finance_company import plant
from tests.dbt_project.raw import RawWarehouse
from tests.oracles.accruals import accruals

Query = Callable[[str], list[tuple[Any, ...]]]
MARTS = (
    "+fct_invoice_settlement",
    "+fct_receivables_ageing",
    "+dunning_recovery",
    "+revenue_leakage",
    "+fct_unbilled_usage",
)


@pytest.fixture(scope="module")
def close(tmp_path_factory: pytest.TempPathFactory) -> Query:
    """Asks the marts of the company made for the close."""
    data = tmp_path_factory.mktemp("close")
    with RawWarehouse(data) as raw:
        plant(raw)
    built = dbt(data, "build", "--resource-type", "model", "--resource-type", "seed", "--select", *MARTS)
    assert built.returncode == 0, built.stdout
    return lambda query: _rows(data, query)


@pytest.fixture(scope="module")
def company(modelled_company: Path) -> Query:
    """Asks the marts of the small company."""
    return lambda query: _rows(modelled_company, query)


def _rows(data: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def _objects(data: Path, kind: str) -> list[dict[str, Any]]:
    with sqlite3.connect(data / "sandbox" / "sandbox.sqlite") as con:
        return [json.loads(text) for (text,) in con.execute("select json from object where kind = ?", [kind])]


def test_each_attempt_is_a_row_with_its_number_and_what_became_of_it(close: Query) -> None:
    columns = "payment_id, attempt_number, outcome, received_minor, refunded_minor, disputed_minor, dispute_status"
    columns += ", decline_reason, settled_currency, fee_minor, net_minor"
    assert close(f"select {columns} from marts.fct_payments where invoice_id = 'in_card' order by 2") == [
        ("ch_in_card_2026-02-03", 1, "failed", 0, 0, 0, None, "insufficient_funds", None, None, None),
        ("ch_in_card_paid", 2, "succeeded", 1000, 200, 100, "lost", None, "eur", 30, 890),
    ]


def test_money_without_a_charge_is_a_payment_too(close: Query) -> None:
    columns = "invoice_id, payment_kind, received_minor"
    assert close(f"select {columns} from marts.fct_payments where payment_kind != 'charge' order by 1") == [
        ("in_balance", "customer_balance", 500),
        ("in_cash", "off_stripe", 700),
        ("in_late", "off_stripe", 10),
        ("in_over", "overpaid", -100),
        ("in_record", "payment_record", 600),
        ("in_swapped", "off_stripe", 10),
    ]
    assert close("select payment_id, attempt_number from marts.fct_payments where invoice_id is null") == [
        ("ch_alone", 1)
    ]


def test_paid_invoices_are_their_payments_credits_and_balance_or_the_cause_is_named(close: Query) -> None:
    columns = "invoice_id, charged_minor, paid_elsewhere_minor, balance_applied_minor, overpaid_minor"
    columns += ", credit_notes_minor, difference_minor, difference_cause"
    assert close(f"select {columns} from marts.fct_invoice_settlement where status = 'paid' order by 1") == [
        ("in_balance", 0, 0, 500, 0, 0, 0, None),
        ("in_card", 1000, 0, 0, 0, 0, 0, None),
        ("in_cash", 0, 700, 0, 0, 0, 0, None),
        ("in_forgiven", 100, 0, 0, 0, 0, 200, "forgiven"),
        ("in_late", 0, 10, 0, 0, 0, 0, None),
        ("in_lost", 0, 0, 0, 0, 0, 300, "payment_not_landed"),
        ("in_note", 250, 0, 0, 0, 150, 0, None),
        ("in_over", 900, 0, 0, 100, 0, 0, None),
        ("in_record", 0, 600, 0, 0, 0, 0, None),
        ("in_swapped", 0, 10, 0, 0, 0, 0, None),
    ]


def test_the_small_company_settles_to_the_cent(modelled_company: Path, company: Query) -> None:
    charges, invoices = _objects(modelled_company, "charge"), _objects(modelled_company, "invoice")
    final = [one for one in invoices if one["status"] not in ("draft", "void")]

    assert company(
        "select count(*), sum(difference_minor), count(difference_cause) from marts.fct_invoice_settlement"
    ) == [(len(final), 0, 0)]
    taken = sum(one["amount_captured"] for one in charges)
    assert company("select sum(received_minor), count(*) from marts.fct_payments where payment_kind = 'charge'") == [
        (taken, len(charges))
    ]
    assert taken == company("select sum(charged_minor) from marts.fct_invoice_settlement")[0][0] > 0
    owed = sum(one["amount_remaining"] for one in invoices if one["status"] == "open")
    assert company("select coalesce(sum(amount_remaining_minor), 0) from marts.fct_receivables_ageing") == [(owed,)]


def test_open_invoices_age_by_days_after_they_were_due(close: Query) -> None:
    columns = "invoice_id, days_past_due, age_bucket, amount_remaining_minor"
    assert close(f"select {columns} from marts.fct_receivables_ageing order by days_past_due, invoice_id") == [
        ("in_sent", 0, "not_due", 20),
        ("in_today", 0, "not_due", 10),
        ("in_8", 8, "1_30", 30),
        ("in_tried", 8, "1_30", 70),
        ("in_no_card", 27, "1_30", 80),
        ("in_31", 31, "31_60", 40),
        ("in_75", 75, "61_90", 50),
        ("in_100", 100, "over_90", 60),
    ]
    tried = "attempt_count, cast(next_payment_attempt_at as date), last_decline_reason"
    assert close(f"select {tried} from marts.fct_receivables_ageing where invoice_id = 'in_tried'") == [
        (1, date(2026, 3, 2), "insufficient_funds")
    ]


def test_recovery_rates_have_their_denominators(close: Query) -> None:
    columns = "failed_month, attempt_number, invoices_failed, invoices_attempted, recovered_on_attempt"
    columns += ", recovered_by_attempt_share, invoices_observed_7_days, recovered_7_days_share"
    columns += ", invoices_observed_30_days, recovered_30_days_share, recoverable_minor"
    share = Decimal("0.333333")
    assert close(f"select {columns} from marts.dunning_recovery order by 1, 2") == [
        (date(2026, 1, 1), 1, 1, 1, 0, 0, 1, 0, 1, 0, 0),
        (date(2026, 1, 1), 2, 1, 1, 0, 0, 1, 0, 1, 0, 0),
        (date(2026, 1, 1), 3, 1, 1, 0, 0, 1, 0, 1, 0, 0),
        (date(2026, 2, 1), 1, 3, 3, 0, 0, 3, share, 0, None, 150),
        (date(2026, 2, 1), 2, 3, 1, 1, share, 3, share, 0, None, 150),
    ]


def test_dunning_of_the_small_company_is_what_its_charges_say(modelled_company: Path, company: Query) -> None:
    intents = {
        one["payment"]["payment_intent"]: one["invoice"] for one in _objects(modelled_company, "invoice_payment")
    }
    invoices = {one["id"]: one for one in _objects(modelled_company, "invoice")}
    tried: dict[str, list[str]] = {}
    for charge in sorted(_objects(modelled_company, "charge"), key=lambda one: one["created"]):
        tried.setdefault(intents[charge["payment_intent"]], []).append(charge["status"])
    failed = {invoice: outcomes for invoice, outcomes in tried.items() if outcomes[0] == "failed"}
    statuses = [invoices[invoice]["status"] for invoice in failed]
    by_second = sum("succeeded" in outcomes[:2] for outcomes in failed.values())

    counted = "sum(invoices_failed), sum(invoices_recovered), sum(invoices_given_up), sum(invoices_open)"
    assert company(f"select {counted} from marts.dunning_recovery where attempt_number = 1") == [
        (len(failed), statuses.count("paid"), statuses.count("uncollectible"), statuses.count("open"))
    ]
    assert company("select sum(recovered_on_attempt) from marts.dunning_recovery where attempt_number = 2") == [
        (by_second,)
    ]
    assert len(failed) > 10


def test_accruals_are_what_a_brute_force_over_the_events_finds(modelled_company: Path, company: Query) -> None:
    as_of = company("select as_of from intermediate.int_as_of")[0][0]
    expected = accruals(modelled_company / "sandbox" / "sandbox.sqlite", as_of)
    found = company(
        "select subscription_item_id, epoch(period_start)::bigint, month_start, quantity, accrued_minor "
        "from marts.fct_unbilled_usage"
    )

    assert len(expected) > 500
    assert {(item, start, month): (used, amount) for item, start, month, used, amount in found} == expected


def test_what_is_accrued_and_the_rest_of_the_period_is_the_invoice(company: Query) -> None:
    wrong = company(
        "select count(*) from marts.fct_unbilled_usage as accrued where invoiced_amount_minor is not null "
        "and accrued_minor + rest_minor != invoiced_amount_minor and not exists (select 1 "
        "from marts.fct_invoice_reconciliation as named "
        "where named.subscription_item_id = accrued.subscription_item_id and named.period_start = accrued.period_start "
        "and named.difference_cause is not null)"
    )
    assert wrong == [(0,)]


def test_each_planted_leak_is_found_and_nothing_else(close: Query) -> None:
    columns = "kind, customer_id, since_day, amount_basis, amount_minor, currency"
    assert close(f"select {columns} from marts.revenue_leakage order by kind, customer_id") == [
        ("expired_coupon", "cus_fifth", date(2026, 2, 12), "per_month", 400, "usd"),
        # its coupon was deleted before the first load
        ("expired_coupon", "cus_gone", None, "per_month", None, "usd"),
        ("expired_coupon", "cus_over", date(2026, 2, 1), "per_month", 300, "usd"),
        ("price_below_book", "cus_cheap", date(2026, 1, 1), "per_month", 400, "usd"),
        ("trial_past_end", "cus_trial", date(2026, 2, 15), "per_month", 3000, "usd"),
        ("usage_after_cancellation", "cus_left", date(2026, 2, 20), "in_all", 50, "usd"),
        ("usage_after_invoice", "cus_late", date(2026, 2, 1), "in_all", 5, "usd"),
        ("usage_never_invoiced", "cus_left", date(2026, 2, 10), "in_all", 15, "usd"),
        ("usage_not_in_stripe", "cus_unheard", date(2026, 1, 10), "in_all", 5, "usd"),
        # 40 in January and 1 in February: each month is rated by itself
        ("usage_without_item", "cus_nobody", date(2026, 1, 30), "in_all", 21, "usd"),
        # more than can be rated
        ("usage_without_item", "cus_spill", date(2026, 2, 3), "in_all", None, "usd"),
    ]


def test_the_small_company_leaks_only_where_it_cancels_at_once(modelled_company: Path, company: Query) -> None:
    at_once = {
        sub["id"] for sub in _objects(modelled_company, "subscription")
        if sub["status"] == "canceled" and not sub["cancel_at_period_end"]
    }  # fmt: skip

    found = company("select distinct kind, subscription_id from marts.revenue_leakage")
    assert {kind for kind, _ in found} == {"usage_never_invoiced"}
    assert {subscription for _, subscription in found} <= at_once
