"""A company for the close: one invoice per way of being paid or owed, and one customer per leak."""

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

ENDED_ON, TRIAL_END, COUPON_END = "2026-02-10", "2026-02-15", "2026-02-12"
BEGUN = {"created": epoch("2026-01-01"), "start_date": epoch("2026-01-01")}
CALLS = metered_price("price_calls", unit_amount_decimal="0.5")


def plant(raw: RawWarehouse) -> None:
    """Fill an empty raw warehouse; as_of is 2026-02-28."""
    raw.add("accounts", [account()])
    raw.add("meters", [meter()])
    raw.add("products", [{"id": "prod_calls", "created": epoch("2026-01-01"), "name": "Calls", "active": True}])
    raw.add("prices", [CALLS, _seats("price_seats", "1000"), _seats("price_old", "800", active=False)])
    raw.add("customers", [customer("cus_payer"), customer("cus_nobody")])
    _paid(raw)
    _owed(raw)
    _leaks_of_usage(raw)
    _leaks_of_terms(raw)
    raw.report_load("2026-03-01")


def _seats(price_id: str, amount: str, **fields: Any) -> dict[str, Any]:
    recurring = {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
    made = {"created": epoch("2025-06-01" if price_id == "price_old" else "2026-01-01")}
    return metered_price(price_id, unit_amount_decimal=amount) | {"recurring": recurring} | made | fields


def _invoice(raw: RawWarehouse, invoice_id: str, total: int, day: str = "2026-02-02", **fields: Any) -> None:
    """An open invoice that became final on `day`, unless `fields` say otherwise."""
    sums = dict.fromkeys(("subtotal", "total", "amount_due", "amount_remaining"), total) | {"amount_paid": 0}
    final = {"finalized_at": epoch(day)} | fields.pop("became", {})
    base = {"id": invoice_id, "customer": "cus_payer", "currency": "usd", "status": "open", "created": epoch(day)}
    raw.add("invoices", [base | sums | {"status_transitions": final} | fields])


def _settled(raw: RawWarehouse, invoice_id: str, total: int, paid: int, **fields: Any) -> None:
    became = {"became": {"paid_at": epoch("2026-02-06")}}
    sums: dict[str, Any] = {"status": "paid", "amount_due": paid, "amount_paid": paid, "amount_remaining": 0}
    _invoice(raw, invoice_id, total, **(sums | became | fields))


def _attempts(raw: RawWarehouse, invoice_id: str, amount: int, failed: tuple[str, ...], paid: str | None) -> None:
    """Charges of the invoice's payment intent, on these days."""
    intent = f"pi_{invoice_id}"
    link = {"type": "payment_intent", "payment_intent": intent}
    made = {"created": epoch("2026-01-01"), "invoice": invoice_id, "currency": "usd", "payment": link}
    raw.add("invoice_payments", [made | {"id": f"inpay_{invoice_id}", "status": "paid" if paid else "open"}])
    base = {"payment_intent": intent, "customer": "cus_payer", "currency": "usd", "amount": amount}
    for day in failed:
        outcome = {"failure_code": "card_declined", "outcome": {"reason": "insufficient_funds"}}
        raw.add(
            "charges", [base | outcome | {"id": f"ch_{invoice_id}_{day}", "status": "failed", "created": epoch(day)}]
        )
    if paid:
        done = {"id": f"ch_{invoice_id}_paid", "status": "succeeded", "created": epoch(paid), "amount_captured": amount}
        raw.add("charges", [base | done | {"balance_transaction": f"txn_{invoice_id}"}])


def _moved(raw: RawWarehouse, invoice_id: str, amount: int, kind: str) -> None:
    moved = {"id": f"cbtxn_{invoice_id}", "amount": amount, "currency": "usd", "type": kind, "invoice": invoice_id}
    raw.add("customer_balance_transactions", [moved | {"created": epoch("2026-02-05")}], parent_id="cus_payer")


def _paid(raw: RawWarehouse) -> None:
    _settled(raw, "in_card", 1000, 1000, attempt_count=2)
    _attempts(raw, "in_card", 1000, ("2026-02-03",), "2026-02-06")
    charge = {"charge": "ch_in_card_paid", "currency": "usd", "created": epoch("2026-02-10")}
    raw.add("refunds", [charge | {"id": "re_1", "amount": 200, "status": "succeeded"}])
    raw.add("refunds", [charge | {"id": "re_2", "amount": 999, "status": "failed"}])
    raw.add("disputes", [charge | {"id": "dp_1", "amount": 100, "status": "lost"}])
    raw.add("disputes", [charge | {"id": "dp_0", "amount": 50, "status": "won", "created": epoch("2026-02-08")}])
    booked = {"id": "txn_in_card", "amount": 920, "fee": 30, "net": 890, "currency": "eur", "type": "charge"}
    raw.add("balance_transactions", [booked | {"created": epoch("2026-02-06"), "available_on": epoch("2026-02-08")}])
    _settled(raw, "in_balance", 500, 0)
    _moved(raw, "in_balance", 500, "applied_to_invoice")
    _settled(raw, "in_cash", 700, 700, amount_paid_off_stripe=700)
    _settled(raw, "in_record", 600, 600, amount_paid_off_stripe=600)
    record = {"id": "inpay_record", "created": epoch("2026-02-05"), "invoice": "in_record", "currency": "usd"}
    by_hand = {"type": "payment_record", "payment_record": "prec_1"}
    raw.add("invoice_payments", [record | {"status": "paid", "amount_paid": 600, "payment": by_hand}])
    _settled(raw, "in_over", 800, 900, amount_due=800)
    _attempts(raw, "in_over", 900, (), "2026-02-06")
    _moved(raw, "in_over", -100, "invoice_overpaid")
    _settled(raw, "in_note", 400, 250, pre_payment_credit_notes_amount=150)
    _attempts(raw, "in_note", 250, (), "2026-02-06")
    note = {"id": "cn_1", "created": epoch("2026-02-03"), "invoice": "in_note", "customer": "cus_payer"}
    raw.add("credit_notes", [note | {"status": "issued", "pre_payment_amount": 150, "total": 150, "currency": "usd"}])
    _settled(raw, "in_forgiven", 300, 100, amount_due=300)
    _attempts(raw, "in_forgiven", 100, (), "2026-02-06")
    _settled(raw, "in_lost", 300, 300, attempt_count=1)
    alone = {"id": "ch_alone", "customer": "cus_payer", "currency": "usd", "amount": 77, "amount_captured": 77}
    raw.add("charges", [alone | {"status": "succeeded", "payment_intent": "pi_alone", "created": epoch("2026-02-07")}])


def _owed(raw: RawWarehouse) -> None:
    _invoice(raw, "in_today", 10, "2026-02-28")
    _invoice(raw, "in_sent", 20, due_date=epoch("2026-03-15"), collection_method="send_invoice")
    _invoice(raw, "in_8", 30, due_date=epoch("2026-02-20"))
    _invoice(raw, "in_31", 40, due_date=epoch("2026-01-28"))
    _invoice(raw, "in_75", 50, due_date=epoch("2025-12-15"))
    _invoice(raw, "in_100", 60, due_date=epoch("2025-11-20"))
    _invoice(raw, "in_tried", 70, "2026-02-20", attempt_count=1, next_payment_attempt=epoch("2026-03-02"))
    _attempts(raw, "in_tried", 70, ("2026-02-20",), None)
    _invoice(raw, "in_no_card", 80, "2026-02-01", attempt_count=1)
    gone = {"status": "uncollectible", "became": {"marked_uncollectible_at": epoch("2026-01-25")}}
    _invoice(raw, "in_given_up", 90, "2026-01-10", attempt_count=3, **gone)
    _attempts(raw, "in_given_up", 90, ("2026-01-10", "2026-01-13", "2026-01-18"), None)
    _invoice(raw, "in_void", 5, status="void", became={"voided_at": epoch("2026-02-03")})


def _member(raw: RawWarehouse, name: str, price: dict[str, Any], quantity: int | None = None, **fields: Any) -> None:
    """A customer with a subscription since January to one item."""
    raw.add("customers", [customer(f"cus_{name}")])
    raw.add("subscriptions", [subscription(f"sub_{name}", f"cus_{name}", **(BEGUN | fields))])
    raw.add("subscription_items", [metered_item(f"si_{name}", f"sub_{name}", price, created=BEGUN["created"])
                                   | ({} if quantity is None else {"quantity": quantity})])  # fmt: skip


def _leaks_of_usage(raw: RawWarehouse) -> None:
    _member(raw, "fine", CALLS)
    raw.add_usage("cus_fine", {"2026-02-10": 11})
    ended: dict[str, Any] = {"status": "canceled", "ended_at": epoch(ENDED_ON), "canceled_at": epoch(ENDED_ON)}
    _member(raw, "left", CALLS, **ended)
    raw.add_usage("cus_left", {"2026-02-05": 30, "2026-02-20": 100})
    raw.add_usage("cus_nobody", {"2026-01-30": 40, "2026-02-01": 1})
    _member(raw, "unheard", CALLS)
    event = {"account_id": "acct_test", "identifier": "e1", "event_name": "calls", "customer_id": "cus_unheard"}
    read = {"file_id": 1, "loaded_at": LOADED_AT}
    raw.append("raw_usage.meter_events", event | read | {"value": 10, "occurred_at": "2026-01-10 12:00:00"})
    counts = {"row_count": 1, "landed": 1, "duplicates": 0, "conflicts": 0, "quarantined": 0}
    path = {"account_id": "acct_test", "path": "usage.csv", "size_bytes": 1, "fingerprint": "f"}
    raw.append("raw_usage.files", read | path | counts)
    _member(raw, "late", CALLS)
    for quantity, days in ((20, 0), (30, 1)):
        loaded_at = LOADED_AT + timedelta(days=days)
        raw.add_usage("cus_late", {"2026-01-20": quantity}, loaded_at=loaded_at)
        raw.add_period_usage("cus_late", "2026-01-01", "2026-02-01", quantity, loaded_at=loaded_at)
    _billed(raw, "late", "si_late")
    # the item that was billed in January had been taken off before the first load: Stripe lists it no more
    _member(raw, "swapped", _seats("price_seats", "1000"), 1)
    raw.add_usage("cus_swapped", {"2026-01-20": 20})
    raw.add_period_usage("cus_swapped", "2026-01-01", "2026-02-01", 20)
    _billed(raw, "swapped", "si_taken_off")
    # more in a month than a price can rate, with an item and without one
    _member(raw, "flood", CALLS)
    raw.add("customers", [customer("cus_spill")])
    for name in ("cus_flood", "cus_spill"):
        raw.add_usage(name, dict.fromkeys(("2026-02-03", "2026-02-04"), 600_000_000_000))


def _billed(raw: RawWarehouse, name: str, item: str) -> None:
    """20 calls of January on an invoice paid outside of Stripe."""
    _settled(raw, f"in_{name}", 10, 10, customer=f"cus_{name}", amount_paid_off_stripe=10)
    details = {"subscription_item": item, "subscription": f"sub_{name}", "proration": False}
    pricing = {"price_details": {"price": "price_calls", "product": "prod_calls"}}
    line = {"id": f"il_{name}", "amount": 10, "currency": "usd", "quantity": 20, "pricing": pricing}
    line |= {"period": {"start": epoch("2026-01-01"), "end": epoch("2026-02-01")}}
    raw.add("invoice_lines", [line | {"parent": {"subscription_item_details": details}}], parent_id=f"in_{name}")


def _discount(name: str, coupon: str, end: str | None) -> dict[str, Any]:
    ends = None if end is None else epoch(end)
    return {"discounts": [{"id": f"di_{name}", "start": BEGUN["created"], "end": ends, "source": {"coupon": coupon}}]}


def _leaks_of_terms(raw: RawWarehouse) -> None:
    made = {"created": epoch("2025-12-01"), "duration": "forever", "valid": True}
    fifth = {"id": "FIFTH", "percent_off": 20, "duration": "repeating", "duration_in_months": 2}
    used_up = {"id": "USEDUP", "percent_off": 10, "valid": False, "max_redemptions": 1}
    over = {"id": "OVER", "amount_off": 300, "currency": "usd", "redeem_by": epoch("2026-02-01")}
    raw.add("coupons", [made | one for one in (fifth, used_up, over)])
    seats, old = _seats("price_seats", "1000"), _seats("price_old", "800", active=False)
    _member(raw, "fifth", seats, 2, **_discount("fifth", "FIFTH", COUPON_END))
    _member(raw, "over", seats, 1, **_discount("over", "OVER", None))
    _member(raw, "used_up", seats, 1, **_discount("used_up", "USEDUP", None))
    _member(raw, "gone", seats, 1, **_discount("gone", "DELETED", None))
    _member(raw, "trial", seats, 3, status="trialing", trial_start=BEGUN["created"], trial_end=epoch(TRIAL_END))
    _member(raw, "trying", seats, 3, status="trialing", trial_start=BEGUN["created"], trial_end=epoch("2026-03-20"))
    _member(raw, "cheap", old, 2)
