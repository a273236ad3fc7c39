"""A company of seven customers in the raw tables and what a model says of them, each at one boundary of the advice.

As of 2026-10-31 every billing period runs from the 10th: 22 days are over, 9 are to come. Starter includes 1,000 API
calls for USD 50.00 or JPY 5,000 a month, Growth 5,000 calls for twice that; further calls cost 10 minor units each.
"""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

import duckdb

from tests.dbt_project.raw import ACCOUNT, METER, RawWarehouse, epoch

AS_OF, PERIOD_START, PERIOD_END = date(2026, 10, 31), date(2026, 10, 10), date(2026, 11, 10)
STARTS = [date(2026, month, 10) for month in range(1, 12)]
FREE = {"starter": 1000, "growth": 5000}
FEE = {"starter": 5000, "growth": 10000}
# customer: currency, calls of the open period so far, calls forecast for its rest, churn probability
CUSTOMERS: dict[str, tuple[str, int, int, float]] = {
    "cus_below": ("usd", 500, 299, 0.05),  # 79.9 % of what is included
    "cus_exact": ("usd", 500, 300, 0.05),  # 80 %
    "cus_yen": ("jpy", 2000, 500, 0.05),  # far above: the larger plan is the cheaper one
    "cus_spike": ("usd", 1000, 300, 0.05),  # pressed as well, but a day of the period before was a spike
    "cus_leaving": ("usd", 110, 50, 0.6),
    "cus_moved": ("usd", 100, 50, 0.05),  # took Growth with the invoice of October
    "cus_gone": ("usd", 0, 0, 0.0),  # left in May
}
SPIKE_DAY, SPIKE_CALLS = date(2026, 10, 5), 4000
# its period had 30 days of 45 calls besides, of which 1,000 were free: 4,350 at 10
SPIKE_PERIOD_CALLS, SPIKE_PERIOD_AMOUNT = 5350, 43500
# calls a day in the ten weeks before, where they are others: 900 in the last period, 90 % of what is included
PRESSED_BEFORE = {"cus_below": 30, "cus_exact": 30}
# what October's invoice bills of the period before: calls, minor units
CALLS_BILLED = {
    "cus_spike": (SPIKE_PERIOD_CALLS, SPIKE_PERIOD_AMOUNT),
    **{customer: (30 * daily, 0) for customer, daily in PRESSED_BEFORE.items()},
}
GONE_ON, MOVED_ON = date(2026, 5, 10), date(2026, 10, 10)
# A name in every text that Stripe lets a person type and no category is made of: it must not reach a published copy.
PLANTED = "Quellenberg"
MAIL = f"{PLANTED.lower()}@example.com"
NOTE = {"description": f"for {PLANTED}", "metadata": {"note": PLANTED, PLANTED: "1"}}
PLANTS: dict[str, dict[str, Any]] = {
    "customers": NOTE | {"email": MAIL, "phone": PLANTED, "shipping": {"name": PLANTED}, "address": {"line1": PLANTED}},
    "subscriptions": NOTE | {"cancellation_details": {"comment": PLANTED, "reason": "cancellation_requested"}},
    "subscription_items": {"metadata": {"note": PLANTED}},
    "invoices": NOTE
    | {"customer_name": PLANTED, "customer_email": MAIL, "footer": PLANTED, "statement_descriptor": PLANTED}
    | {"custom_fields": [{"name": "attention", "value": PLANTED}], "number": f"{PLANTED.upper()}-0001"},
    "invoice_lines": NOTE,
    "coupons": {"name": f"only for {PLANTED}", "metadata": {"note": PLANTED}},
    "prices": {"nickname": PLANTED, "metadata": {"note": PLANTED}},
    "products": {"description": f"made for {PLANTED}", "metadata": {"note": PLANTED}},
    "accounts": {"email": MAIL, "business_profile": {"name": PLANTED, "support_email": MAIL}},
}
# what the ledger says was done on 2026-10-05, four days before the invoices of October
ACTED_ON, CREDIT_MINOR = date(2026, 10, 5), 1500


def seconds(day: date) -> int:
    return epoch(day.isoformat())


def write(data: Path) -> None:
    """The company's raw tables in a new warehouse of the state folder `data`."""
    with RawWarehouse(data) as raw:
        _fill(raw)
        for table, plant in PLANTS.items():
            raw.patch(table, plant)


def _fill(raw: RawWarehouse) -> None:
    _catalogue(raw)
    for customer_id, (currency, used, _, _) in CUSTOMERS.items():
        _customer(raw, customer_id, currency)
        raw.add_usage(customer_id, _daily_calls(customer_id, used))
    # Stripe's own record of the upgrade: it carries the key of the request
    event = {"id": "evt_moved", "type": "customer.subscription.updated", "created": seconds(ACTED_ON)}
    raw.add(
        "events", [event | {"request": {"idempotency_key": "key-cus_moved"}, "data": {"object": {"id": "sub_moved"}}}]
    )
    charge = {
        "id": "ch_exact",
        "customer": "cus_exact",
        "amount": 5000,
        "currency": "usd",
        "created": seconds(ACTED_ON),
    }
    payer = {"billing_details": {"name": PLANTED, "email": MAIL}, "receipt_email": MAIL, "failure_message": PLANTED}
    raw.add("charges", [charge | {"status": "succeeded", "paid": True} | NOTE | payer])
    raw.report_load("2026-11-01")


def _catalogue(raw: RawWarehouse) -> None:
    begin = {"created": epoch("2025-12-01")}
    raw.add("accounts", [{"id": ACCOUNT, "default_currency": "usd"} | begin])
    meter = {"id": METER, "display_name": "API calls", "event_name": "api_calls", "status": "active"}
    raw.add("meters", [meter | {"default_aggregation": {"formula": "sum"}} | begin])
    coupon = {"id": "RETAIN20", "percent_off": 20.0, "duration": "repeating", "duration_in_months": 3, "valid": True}
    raw.add("coupons", [coupon | begin])
    for rank, plan in enumerate(FREE, start=1):
        product = {"id": f"prod_{plan}", "name": plan.title(), "active": True}
        raw.add("products", [product | {"metadata": {"plan": plan, "plan_rank": str(rank)}} | begin])
        for currency in ("usd", "jpy"):
            raw.add("prices", [_price(plan, "base", currency) | begin])
            raw.add("prices", [_price(plan, "calls", currency) | begin])


def _price(plan: str, part: str, currency: str) -> dict[str, Any]:
    price = {"id": f"price_{plan}_{part}_{currency}", "product": f"prod_{plan}", "active": True, "currency": currency}
    recurring = {"interval": "month", "interval_count": 1}
    if part == "base":
        terms: dict[str, Any] = {"billing_scheme": "per_unit", "unit_amount_decimal": str(FEE[plan])}
        recurring |= {"usage_type": "licensed"}
    else:
        terms = {"billing_scheme": "tiered", "tiers_mode": "graduated"}
        terms["tiers"] = [{"up_to": FREE[plan], "unit_amount_decimal": "0"}, {"unit_amount_decimal": "10"}]
        recurring |= {"usage_type": "metered", "meter": METER}
    return price | terms | {"type": "recurring", "recurring": recurring}


def _customer(raw: RawWarehouse, customer_id: str, currency: str) -> None:
    begin, subscription = seconds(STARTS[0]), customer_id.replace("cus_", "sub_")
    # a name that would colour a terminal and mark up a page
    name = "Spike\u202e <b>Ltd</b>" if customer_id == "cus_spike" else customer_id.removeprefix("cus_").title()
    name += f" {PLANTED}"
    person = {"id": customer_id, "name": name, "currency": currency, "balance": 0, "created": begin}
    raw.add("customers", [person | {"metadata": {"segment": "startup", "tier": "standard"}}])
    state: dict[str, Any] = {"status": "active", "start_date": begin, "created": begin, "discounts": []}
    if customer_id == "cus_gone":
        state |= {"status": "canceled", "canceled_at": seconds(GONE_ON), "ended_at": seconds(GONE_ON)}
    raw.add("subscriptions", [{"id": subscription, "customer": customer_id, "currency": currency} | state])
    period = {"current_period_start": seconds(PERIOD_START), "current_period_end": seconds(PERIOD_END)}
    for part, quantity in (("base", {"quantity": 1}), ("calls", {})):
        item = {"id": subscription.replace("sub_", f"si_{part}_"), "subscription": subscription, "created": begin}
        raw.add(
            "subscription_items",
            [item | period | quantity | {"price": _price(_plan(customer_id, PERIOD_START), part, currency)}],
            parent_id=subscription,
        )
    for start, end in pairwise(STARTS):
        if customer_id != "cus_gone" or start < GONE_ON:
            _invoice(raw, customer_id, currency, start, end)


def _plan(customer_id: str, day: date) -> str:
    return "growth" if customer_id == "cus_moved" and day >= MOVED_ON else "starter"


def _invoice(raw: RawWarehouse, customer_id: str, currency: str, start: date, end: date) -> None:
    """The base fee of one period, paid when it began; a credit lowers the one of cus_exact in October.

    October's also bills CALLS_BILLED.
    """
    plan, subscription = _plan(customer_id, start), customer_id.replace("cus_", "sub_")
    at, fee = seconds(start), FEE[plan]
    credit = CREDIT_MINOR if (customer_id, start) == ("cus_exact", PERIOD_START) else 0
    billed = CALLS_BILLED.get(customer_id) if start == PERIOD_START else None
    total = fee + (billed[1] if billed else 0)
    body: dict[str, Any] = {"id": f"in_{customer_id}_{start:%m}", "customer": customer_id, "currency": currency}
    body |= {"status": "paid", "billing_reason": "subscription_cycle", "attempt_count": 1, "created": at}
    body |= {"parent": {"subscription_details": {"subscription": subscription}}, "period_start": at, "period_end": at}
    body |= {
        "status_transitions": {"finalized_at": at, "paid_at": at},
        "starting_balance": -credit,
        "amount_remaining": 0,
    }
    body |= {"subtotal": total, "total": total, "amount_due": total - credit, "amount_paid": total - credit}
    raw.add("invoices", [body])
    detail = {"subscription": subscription, "subscription_item": subscription.replace("sub_", "si_base_")}
    line = {"id": f"il_{customer_id}_{start:%m}", "subscription": subscription, "currency": currency, "created": at}
    line |= {"amount": fee, "quantity": 1, "period": {"start": at, "end": seconds(end)}, "discount_amounts": []}
    line |= {"parent": {"type": "subscription_item_details", "subscription_item_details": detail}}
    price = {"price_details": {"price": f"price_{plan}_base_{currency}", "product": f"prod_{plan}"}}
    lines = [line | {"pricing": price}]
    if billed:
        calls, amount = billed
        before = {"start": seconds(STARTS[STARTS.index(start) - 1]), "end": at}
        used = {"id": f"{line['id']}_calls", "amount": amount, "quantity": calls, "period": before}
        item = detail | {"subscription_item": subscription.replace("sub_", "si_calls_")}
        used |= {"parent": {"type": "subscription_item_details", "subscription_item_details": item}}
        used |= {"pricing": {"price_details": {"price": f"price_{plan}_calls_{currency}", "product": f"prod_{plan}"}}}
        lines.append(line | used)
    raw.add("invoice_lines", lines, parent_id=body["id"])


def _daily_calls(customer_id: str, used: int) -> dict[str, object]:
    """The open period's calls spread over its days, the remainder on its first; ten weeks before."""
    days = (AS_OF - PERIOD_START).days + 1
    daily, rest = divmod(used, days)
    before = PRESSED_BEFORE.get(customer_id, daily)
    calls = {AS_OF - timedelta(days=day): daily if day < days else before for day in range(days + 70)}
    calls[PERIOD_START] += rest
    if customer_id == "cus_spike":
        calls[SPIKE_DAY] += SPIKE_CALLS
    return {day.isoformat(): quantity for day, quantity in calls.items() if quantity}


def write_scores(data: Path, run_id: str = "run_1") -> None:
    """What a model says of each living item: forecast days, and paths of its open period; and who may churn."""

    def by(model: str) -> tuple[str, ...]:
        return ("xgboost", model, "1", run_id, "2026-11-01 06:10")

    usage: list[tuple[Any, ...]] = []
    paths: list[tuple[Any, ...]] = []
    risks: list[tuple[Any, ...]] = []
    start = datetime.combine(PERIOD_START, time())
    for customer_id, (_, used, ahead, probability) in CUSTOMERS.items():
        if customer_id == "cus_gone":
            continue
        item = customer_id.replace("cus_", "si_calls_")
        for path in range(1, 12):
            # from half of `ahead` to one and a half: `ahead` in the mean
            drawn = (start, 0, path, float(used), ahead * (0.4 + path / 10))
            paths.append((ACCOUNT, item, AS_OF, False, *drawn, *by("usage_forecast")))
        for horizon in range(1, 29):
            # the remainder on the first day, so that the nine days add up to `ahead`
            mean = float(ahead // 9 + (ahead % 9 if horizon == 1 else 0))
            said = (mean, mean, *(mean * factor for factor in (0.5, 0.8, 1.2, 1.5)), mean, mean, "regular")
            day = AS_OF + timedelta(days=horizon)
            usage.append((ACCOUNT, item, customer_id, METER, AS_OF, day, horizon, *said, *by("usage_forecast")))
        one = {"rank": 1, "feature": "usage_ratio_28_91", "value": 0.42, "level": None, "contribution": 1.5}
        margin = log(probability / (1 - probability))
        adds_up = (margin - 1.75, margin, 0.25, json.dumps([one]))  # base, the whole, what is not shown
        keys = (ACCOUNT, customer_id, AS_OF, 90, "modelled")
        risks.append((*keys, probability, probability, *adds_up, *by("churn_risk")))
    for table, rows in (("usage_forecast", usage), ("usage_paths", paths), ("churn_risk", risks)):
        folder = data / "scores" / table
        with duckdb.connect() as con:
            # the empty file that dbt made has the columns and their types
            con.read_parquet(str(folder / "run=empty.parquet")).create("scored")
            con.executemany(f"insert into scored values ({', '.join('?' * len(rows[0]))})", rows)
            con.table("scored").write_parquet(str(folder / f"run={run_id}.parquet"))


def write_ledger(data: Path, declined: str) -> None:
    """An upgrade and a credit carried out on 2026-10-05, the credit then undone; `declined` was turned down."""
    items = [{"id": f"si_{part}_moved", "price": f"price_growth_{part}_usd"} for part in ("base", "calls")]
    upgrade = {"recommendation_kind": "tier_upgrade", "params": {"items": items, "proration_behavior": "none"}}
    credit = {"recommendation_kind": "courtesy_credit", "params": {"amount": -CREDIT_MINOR, "currency": "usd"}}
    # the credit has no event in the log any more: the response's date says when it was
    done = {"status": 200, "server_at": seconds(ACTED_ON)}
    plan = {"verdict": {"approvers": 1}, "steps": [{"path": "/v1/subscriptions"}]}
    approved = {"uid": 1, "expires_us": epoch("2026-11-23") * 1_000_000}
    events: list[tuple[str, str, str, dict[str, Any]]] = [
        ("planned", "cus_moved", "h1:up", plan),
        ("planned", "cus_exact", "h1:credit", plan),
        ("approved", "cus_moved", "h1:up", approved),
        ("approved", "cus_exact", "h1:credit", approved),
        ("intent", "cus_moved", "h1:up", upgrade),
        ("outcome", "cus_moved", "h1:up", {"status": 200}),
        ("intent", "cus_exact", "h1:credit", credit),
        ("outcome", "cus_exact", "h1:credit", done),
        ("declined", "cus_exact", declined, {}),
        ("planned", "cus_exact", "h1:undo", plan | {"undoes": "h1:credit-action"}),
        ("approved", "cus_exact", "h1:undo", approved),
        ("intent", "cus_exact", "h1:undo", credit),
        ("outcome", "cus_exact", "h1:undo", done),
        ("compensated", "cus_exact", "h1:credit", {}),
    ]
    rows = []
    for seq, (kind, customer_id, recommendation_id, body) in enumerate(events, start=1):
        at_us = (epoch("2026-11-22") + seq) * 1_000_000  # the runner's clock is weeks ahead of Stripe's
        subscription_id = customer_id.replace("cus_", "sub_")
        named = (recommendation_id, f"{recommendation_id}-action", 0, 0, ACCOUNT, False, customer_id, subscription_id)
        sent = (subscription_id, None, None, f"key-{customer_id}", f"plan of {recommendation_id}", "usd", CREDIT_MINOR)
        why = (MAIL, "os_user", f"because {PLANTED} asked", json.dumps(body), None, f"hash-{seq - 1}", f"hash-{seq}")
        rows.append((seq, f"event-{seq}", at_us, at_us, kind, *named, *sent, *why))
    with duckdb.connect(str(data / "warehouse.duckdb")) as con:
        con.executemany(f"insert into raw_ledger.audit_log values ({', '.join('?' * 27)})", rows)
