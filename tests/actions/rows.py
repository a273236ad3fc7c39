"""A recommendation of every kind, as the mart would have it, for customer `cus_1` of the loopback Stripe or another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.actions.conftest import recommendation
from tests.actions.fault_server import SERVER_NOW

Row = dict[str, Any]


def facts(number: int, **more: Any) -> Row:
    return {"customer": f"cus_{number}", "currency": "usd", "livemode": False} | more


def items(number: int) -> list[Row]:
    tail = "" if number == 1 else f"_{number}"
    return [
        {"id": f"si_1{tail}", "price": "price_1", "quantity": 3},
        {"id": f"si_2{tail}", "price": "price_2", "quantity": None},
    ]


def on(number: int, **more: Any) -> Row:
    about = {"subscription": f"sub_{number}", "subscription_status": "active", "items": items(number)}
    return facts(number) | about | more


def courtesy(number: int = 1, **more: Any) -> Row:
    params = {"amount": -1200, "currency": "usd", "customer": f"cus_{number}", "description": "Courtesy credit"}
    return recommendation("courtesy_credit", params, facts(number), **more)


def credit_note(number: int = 1, **more: Any) -> Row:
    held = facts(number, invoice=f"in_{number}", invoice_status="open", total=1200)
    return recommendation("courtesy_credit", {"invoice": f"in_{number}", "amount": 1200}, held, **more)


def credit_grant(number: int = 1, **more: Any) -> Row:
    monetary = {"type": "monetary", "monetary": {"currency": "usd", "value": 1200}}
    params = {
        "amount": monetary, "applicability_config": {"scope": {"price_type": "metered"}}, "customer": f"cus_{number}",
    }  # fmt: skip
    return recommendation("courtesy_credit", params, facts(number), **more)


def alert(number: int = 1, **more: Any) -> Row:
    filters = [{"type": "customer", "customer": f"cus_{number}"}]
    threshold = {"meter": "mtr_1", "gte": 100, "recurrence": "one_time", "filters": filters}
    params = {"alert_type": "usage_threshold", "usage_threshold": threshold}
    return recommendation("usage_alert", params, facts(number, meter="mtr_1"), **({"amount_minor": 0} | more))


def retry(number: int = 1, **more: Any) -> Row:
    held = facts(number, invoice=f"in_{number}", invoice_status="open", amount_remaining=5000, attempt_count=1)
    held |= {"next_payment_attempt": None}
    return recommendation("retry_payment", {"invoice": f"in_{number}"}, held, **({"amount_minor": 5000} | more))


def note(number: int = 1, **more: Any) -> Row:
    params = {"customer": f"cus_{number}", "footer": "Terms: 30 days"}
    return recommendation("invoice_note", params, facts(number), **({"amount_minor": 0} | more))


def draft_note(number: int = 1, **more: Any) -> Row:
    held = facts(number, invoice=f"in_draft{number}", invoice_status="draft")
    params = {"invoice": f"in_draft{number}", "footer": "Terms: 30 days"}
    return recommendation("invoice_note", params, held, **({"amount_minor": 0} | more))


def decided(number: int = 1, **more: Any) -> Row:
    parts = [{"amount": 2500, "due_on": "2026-12-01"}, {"amount": 2500, "due_on": "2027-01-01"}]
    held = facts(number, invoice=f"in_{number}", invoice_status="open", amount_remaining=5000)
    params = {"invoice": f"in_{number}", "instalments": parts}
    return recommendation("payment_plan", params, held, **({"amount_minor": 5000} | more))


def label(number: int = 1, **more: Any) -> Row:
    params = {"customer": f"cus_{number}", "metadata": {"segment": "enterprise"}}
    return recommendation("metadata_change", params, facts(number), **({"amount_minor": 0} | more))


def price(number: int = 1, **more: Any) -> Row:
    params = {
        "currency": "usd", "product": "prod_1", "unit_amount": 1100, "recurring": {"interval": "month"},
        "metadata": {"experiment": f"exp_{number}", "arm": "b"},
    }  # fmt: skip
    held = {"product": "prod_1", "currency": "usd", "livemode": False, "customer": None}
    return recommendation("experiment_price", params, held, **({"amount_minor": 0, "margin": "0.5"} | more))


def quote(number: int = 1, **more: Any) -> Row:
    lines = [{"price": "price_11", "quantity": 3}, {"price": "price_12"}]
    params = {"customer": f"cus_{number}", "line_items": lines}
    return recommendation("upgrade_quote", params, facts(number), **more)


def schedule(number: int = 1, **more: Any) -> Row:
    swap = [{"id": items(number)[0]["id"], "price": "price_11"}]
    now = int(SERVER_NOW.timestamp())
    held = on(number, period=[now - 86_400, now + 30 * 86_400], new_prices=["price_11"])
    params = {"subscription": f"sub_{number}", "items": swap, "at": "period_end"}
    return recommendation("right_size_downgrade", params, held, **more)


ONE_CALL: dict[str, Callable[..., Row]] = {
    "credit": courtesy, "credit_note": credit_note, "credit_grant": credit_grant, "alert": alert, "note": note,
    "draft_note": draft_note, "label": label, "price": price,
}  # fmt: skip
TWO_CALLS: dict[str, Callable[..., Row]] = {"retry": retry, "quote": quote, "schedule": schedule}
NO_CALL: dict[str, Callable[..., Row]] = {"decided": decided}
