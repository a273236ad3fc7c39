"""A company in which everything is wrong at once: each oddity that data_quality counts, planted so many times."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.dbt_project.raw import (
    LOADED_AT,
    RawWarehouse,
    account,
    customer,
    epoch,
    meter,
    metered_item,
    metered_price,
    subscription,
)

LATER = LOADED_AT + timedelta(days=1)


def plant(raw: RawWarehouse) -> None:
    """Fill an empty raw warehouse with all of it."""
    raw.add("accounts", [account()])
    raw.add(
        "meters",
        [
            meter(),
            meter() | {"id": "mtr_guess", "event_name": "guesses", "default_aggregation": {"formula": "geometric"}},
        ],
    )
    _catalogue(raw)
    _customers(raw)
    _invoices(raw)
    _usage(raw)
    _unheard_of(raw)
    raw.report_load("2026-03-01")


def _licensed(price_id: str, **fields: Any) -> dict[str, Any]:
    recurring = {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
    base = metered_price(price_id, unit_amount_decimal="1000") | {"recurring": recurring}
    return base | fields


def _catalogue(raw: RawWarehouse) -> None:
    product = {"created": epoch("2026-01-01"), "name": "Calls", "active": True}
    raw.add("products", [product | {"id": "prod_calls"}, product | {"id": "prod_gone"}])
    raw.add("products", [{"id": "prod_gone", "deleted": True}], is_deleted=True, loaded_at=LATER)
    unmetered = {"interval": "month", "interval_count": 1, "usage_type": "metered", "meter": None}
    raw.add(
        "prices",
        [
            metered_price("price_calls", unit_amount_decimal="0.5"),
            metered_price("price_huge", unit_amount_decimal="999999999999"),
            metered_price("price_pack", unit_amount_decimal="50", transform_quantity={"divide_by": 10, "round": "up"}),
            metered_price("price_untiered", billing_scheme="tiered", tiers_mode="graduated", tiers=[]),
            metered_price("price_bounded", billing_scheme="tiered", tiers_mode="graduated")
            | {"tiers": [{"up_to": 10, "unit_amount_decimal": "1", "flat_amount": None}]},
            metered_price("price_unmetered", unit_amount_decimal="1", recurring=unmetered),
            _licensed("price_seats"),
            _licensed("price_xyz", currency="xyz"),
            _licensed("price_eur", currency="eur"),
            _licensed("price_orphan", product="prod_nowhere"),
            _licensed("price_of_gone", product="prod_gone"),
            _licensed("price_lunar", recurring={"interval": "moon", "interval_count": 1, "usage_type": "licensed"}),
            _licensed("price_empty_box", transform_quantity={"divide_by": 0, "round": "up"}),
            _licensed("price_open", unit_amount_decimal=None),
            _licensed("price_deleted"),
        ],
    )
    raw.add("coupons", [{"id": "TWICE", "created": epoch("2026-01-01"), "duration": "forever", "percent_off": 1}])
    raw.add("prices", [{"id": "price_deleted", "deleted": True}], is_deleted=True, loaded_at=LATER)


def _customers(raw: RawWarehouse) -> None:
    """Customers, what they subscribe to, and the usage of those whose items are rated."""
    names = ("ok", "pack", "negative", "overlap", "untiered", "bounded", "huge", "late", "wrong")
    raw.add("customers", [customer(f"cus_{name}") for name in names] + [
        customer("cus_xyz", currency="xyz"), customer("cus_eur", currency="eur"),
    ])  # fmt: skip
    raw.add("customers", [customer("cus_gone", name="Grace", metadata={"segment": "startup"})])
    raw.add("customers", [{"id": "cus_gone", "deleted": True}], is_deleted=True, loaded_at=LATER)
    metered = {
        "ok": "calls", "pack": "pack", "negative": "calls", "overlap": "calls", "untiered": "untiered",
        "bounded": "bounded", "huge": "huge", "late": "calls", "wrong": "calls",
    }  # fmt: skip
    begun = {"created": epoch("2026-01-01"), "start_date": epoch("2026-01-01")}
    for name, price in metered.items():
        raw.add("subscriptions", [subscription(f"sub_{name}", f"cus_{name}", **begun)])
        terms = metered_price(f"price_{price}")
        raw.add("subscription_items", [metered_item(f"si_{name}", f"sub_{name}", terms, created=begun["created"])])
    raw.add(
        "subscriptions",
        [
            subscription("sub_xyz", "cus_xyz", currency="xyz"),
            subscription("sub_strange", "cus_nowhere"),
            subscription("sub_of_gone", "cus_gone"),
            subscription("sub_eur", "cus_eur", currency="eur"),
            subscription("sub_dear", "cus_ok", discounts=[_discount(number) for number in range(12)]),
        ],
    )
    licensed = {
        "si_xyz": ("sub_xyz", _licensed("price_xyz", currency="xyz")),
        "si_eur": ("sub_eur", _licensed("price_eur", currency="eur")),
        "si_adrift": ("sub_nowhere", _licensed("price_seats")),
        "si_priceless": ("sub_ok", _licensed("price_nowhere")),
        "si_of_deleted": ("sub_ok", _licensed("price_deleted")),
        "si_open": ("sub_ok", _licensed("price_open", unit_amount_decimal=None)),
    }
    for item, (owner, terms) in licensed.items():
        raw.add("subscription_items", [metered_item(item, owner, terms, quantity=2)])


def _discount(number: int) -> dict[str, Any]:
    """One of twelve; the coupon of the first one is not to be had."""
    coupon = "TWICE" if number else "LOST"
    return {"id": f"di_{number}", "start": epoch("2026-02-01"), "end": None, "source": {"coupon": coupon}}


def _bill(raw: RawWarehouse, invoice_id: str, lines: list[dict[str, Any]], **fields: Any) -> None:
    """An open invoice of 2026-02-02 that its lines add up to, unless `fields` say otherwise."""
    total = sum(line["amount"] for line in lines)
    amounts = dict.fromkeys(("subtotal", "total", "amount_due", "amount_remaining"), total) | {"amount_paid": 0}
    made = {"created": epoch("2026-02-02"), "status_transitions": {"finalized_at": epoch("2026-02-02")}}
    base = {"id": invoice_id, "customer": "cus_ok", "currency": "usd", "status": "open"} | amounts | made
    raw.add("invoices", [base | fields])
    raw.add("invoice_lines", lines, parent_id=invoice_id)


def _line(
    line_id: str, amount: int, item: str | None = None, price: str | None = None, start: str = "2026-01-01",
    end: str = "2026-02-01", **fields: Any,
) -> dict[str, Any]:  # fmt: skip
    details = {"subscription_item": item, "subscription": None, "proration": False} if item else None
    base = {"id": line_id, "amount": amount, "currency": "usd", "period": {"start": epoch(start), "end": epoch(end)}}
    base["pricing"] = {"price_details": {"price": price, "product": None}} if price else None
    return base | {"parent": {"subscription_item_details": details} if details else None} | fields


def _invoices(raw: RawWarehouse) -> None:
    _bill(raw, "in_xyz", [_line("il_xyz", 2000, "si_xyz", "price_xyz", "2026-02-01", "2026-03-01")],
          currency="xyz", customer="cus_xyz")  # fmt: skip
    _bill(raw, "in_eur", [_line("il_eur", 2000, "si_eur", "price_eur", "2026-02-01", "2026-03-01")],
          currency="eur", customer="cus_eur")  # fmt: skip
    _bill(raw, "in_nobody", [_line("il_nobody", 10)], customer=None)
    _bill(raw, "in_stranger", [_line("il_stranger", 10)], customer="cus_nowhere")
    _bill(raw, "in_gone", [_line("il_gone", 10)], customer="cus_gone")
    _bill(raw, "in_adrift", [_line("il_adrift", 10)], parent={"subscription_details": {"subscription": "sub_nowhere"}})
    _bill(raw, "in_priceless", [_line("il_priceless", 10, "si_of_deleted")])
    _bill(raw, "in_vanished", [_line("il_vanished", 10, "si_ok", "price_vanished", quantity=20)])
    _bill(raw, "in_negative", [_line("il_negative", -10, None, "price_seats", quantity=-1)])
    _bill(raw, "in_half", [_line("il_half", 10, None, "price_seats", quantity_decimal="1.5")])
    _bill(raw, "in_by_hand", [_line("il_by_hand", 10, None, "price_calls", quantity=3)])
    # they end together, so that MRR has two amounts from one moment on
    _bill(raw, "in_first", [_line("il_first", 3, "si_overlap", "price_calls", quantity=6)])
    _bill(
        raw, "in_second", [_line("il_second", 2, "si_overlap", "price_calls", "2026-01-20", "2026-02-01", quantity=4)]
    )
    _bill(raw, "in_wrong", [_line("il_wrong", 777, "si_wrong", "price_calls", quantity=20)],
          customer="cus_wrong", created=epoch("2026-02-03"))  # fmt: skip
    _bill(raw, "in_late", [_line("il_late", 10, "si_late", "price_calls", quantity=20)])
    _bill(raw, "in_blank", [_line("il_blank", 10)], amount_due=None)
    _bill(raw, "in_total", [_line("il_total", 10)], total=11, amount_due=11, amount_remaining=11)
    _bill(raw, "in_lines", [_line("il_lines", 10)], **dict.fromkeys(("subtotal", "total"), 20), amount_due=20,
          amount_remaining=20)  # fmt: skip
    _bill(raw, "in_less", [_line("il_less", 300)], amount_remaining=200)
    _bill(raw, "in_paid", [_line("il_paid", 300)], status="paid", amount_paid=300, amount_remaining=0)
    raw.add("invoice_lines", [_line("il_nowhere", 10)], parent_id="in_nowhere")
    _bill(raw, "in_deleted", [_line("il_deleted", 10)], status="draft", status_transitions={})
    raw.add("invoices", [{"id": "in_deleted", "deleted": True}], is_deleted=True, loaded_at=LATER)
    payment = {"type": "payment_intent", "payment_intent": "pi_1"}
    raw.add("invoice_payments", [{"id": "inpay_1", "created": epoch("2026-02-02"), "invoice": "in_nowhere"}
                                 | {"status": "open", "currency": "usd", "payment": payment}])  # fmt: skip


def _usage(raw: RawWarehouse) -> None:
    used = {"ok": "20", "pack": "12.5", "untiered": "7", "bounded": "50", "huge": "999999999999", "negative": "-5"}
    for name, quantity in used.items():
        raw.add_usage(f"cus_{name}", {"2026-02-10": quantity})
    for quantity, loaded_at in (("20", LOADED_AT), ("30", LATER)):
        raw.add_usage("cus_late", {"2026-01-10": quantity}, loaded_at=loaded_at)
        raw.add_period_usage("cus_late", "2026-01-01", "2026-02-01", quantity, loaded_at=loaded_at)
    raw.add_usage("cus_overlap", {"2026-01-12": "2", "2026-01-25": "4"})
    raw.add_period_usage("cus_overlap", "2026-01-01", "2026-02-01", "6")
    raw.add_period_usage("cus_overlap", "2026-01-20", "2026-02-01", "4")
    raw.add_usage("cus_wrong", {"2026-01-20": "20"})
    raw.add_period_usage("cus_wrong", "2026-01-01", "2026-02-01", "20")
    raw.add_usage("cus_nowhere", {"2026-02-10": "1"})
    raw.add_usage("cus_ok", {"2026-02-10": "1"}, meter_id="mtr_nowhere")
    event = {"id": "evt_1", "created": epoch("2026-02-10"), "type": "customer.updated", "data": {"object": {}}}
    raw.add("events", [event, event])
    _log_and_loads(raw)


def _unheard_of(raw: RawWarehouse) -> None:
    """Fields and values that Stripe may send one day, missing ones, and versions that repeat."""
    price = metered_price("price_calls", unit_amount_decimal="0.5")
    bare = {"id": "price_bare", "created": epoch("2026-01-01"), "currency": "usd", "unit_amount_decimal": None}
    raw.add("prices", [bare | {"billing_scheme": "by_the_moon", "product": "prod_calls", "active": True}])
    raw.add("customers", [customer("cus_plain"), {"id": "cus_bare", "created": epoch("2026-02-01")}])
    raw.add("customers", [customer("cus_renamed", name="Old")])
    raw.add("customers", [customer("cus_renamed", name="New")] * 2, loaded_at=LATER)
    future = {"schedule_hint": {"kind": "lunar", "phases": [1, 2]}, "status": "hibernating"}
    raw.add("subscriptions", [subscription("sub_odd", "cus_plain", **future)])
    raw.add("subscription_items", [metered_item("si_odd", "sub_odd", price, quantity="many")])
    _bill(raw, "in_manual", [_line("il_manual", 300)], parent=None, billing_reason="a_new_reason", status="escalated")
    raw.add_usage("cus_plain", {"2026-02-10": 7, "2026-02-12": 5})
    raw.add_usage("cus_plain", {"2026-02-12": 9}, loaded_at=LATER)
    raw.add_usage("cus_bare", {"2026-02-11": 10**12})
    raw.rows("create schema if not exists raw_reference")
    raw.rows("create table raw_reference.fx_rates (date date, from_currency text, to_currency text, rate text)")
    quote = {"date": "2025-06-01", "from_currency": "eur", "to_currency": "usd", "rate": "1.1"}
    raw.append("raw_reference.fx_rates", quote)
    raw.append("raw_reference.fx_rates", quote | {"from_currency": "usd", "rate": "1"})


def _log_and_loads(raw: RawWarehouse) -> None:
    """A usage log with rows that could not be taken, and a load that met problems."""
    read = {"account_id": "acct_test", "file_id": 1, "path": "usage.csv", "loaded_at": LOADED_AT}
    event = {"account_id": "acct_test", "file_id": 1, "loaded_at": LOADED_AT, "value": 5, "customer_id": "cus_ok"}
    # Stripe has no such calls of that day, and the log none of cus_late's; nobody has a meter of naps
    for name in ("calls", "naps"):
        named = {"identifier": name, "event_name": name, "occurred_at": "2026-01-10 12:00:00"}
        raw.append("raw_usage.meter_events", event | named)
    counts = {"row_count": 11, "landed": 2, "duplicates": 4, "conflicts": 3, "quarantined": 2}
    raw.append("raw_usage.files", read | {"size_bytes": 1, "fingerprint": "f"} | counts)
    for row in (1, 2):
        raw.append("raw_usage.quarantine", read | {"row_number": row, "reason": "bad_value", "raw": "?"})
    met = {"account_id": "acct_test", "run_id": "run_1", "kind": "invoices", "example": "in_1", "loaded_at": LOADED_AT}
    raw.append("raw_stripe.load_problems", met | {"problem": "odd_object", "occurrences": 5, "is_fatal": False})
    raw.append("raw_stripe.load_problems", met | {"problem": "broken", "occurrences": 1, "is_fatal": True})
    _exports(raw)


def _exports(raw: RawWarehouse) -> None:
    """An export that says something else of an invoice, and has a row that could not be read."""
    row = {"account_id": "acct_test", "file_id": 1, "row_number": 1, "loaded_at": LOADED_AT}
    amount = {"kind": "invoice", "invoice_id": "in_wrong", "currency": "usd", "amount": "7.76", "units": "major"}
    raw.append("raw_exports.invoice_amounts", row | amount)
    raw.append("raw_exports.quarantine", row | {"path": "export.csv", "reason": "bad_amount", "raw": "?"})
