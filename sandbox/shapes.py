"""New Stripe objects in the shape of API version 2026-10-28.endive (stripe.md 2.2)."""

from typing import Any

from sandbox.population import Person
from sandbox.store import Obj, Store

EMBEDDED = 10  # nested lists show at most this many rows


def nested(url: str, rows: list[Obj]) -> Obj:
    """A list inside an object: the first rows, and where to read on."""
    return {
        "object": "list",
        "data": rows[:EMBEDDED],
        "has_more": len(rows) > EMBEDDED,
        "total_count": len(rows),
        "url": url,
    }


def account(created: int) -> Obj:
    return {
        "id": "acct_1MeterwiseSandbox",
        "object": "account",
        "business_profile": {"name": "Meterwise Sandbox", "url": None},
        "business_type": "company",
        "charges_enabled": True,
        "country": "US",
        "created": created,
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@sandbox.example",
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": "Meterwise Sandbox", "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def customer(store: Store, person: Person) -> Obj:
    return {
        "id": store.new_id("cus_", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": store.now,
        "currency": person.currency,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "email": person.email,
        "invoice_prefix": store.new_id("", 8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": store.new_id("pm_"),
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {"segment": person.segment, "tier": person.tier},
        "name": person.name,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def subscription(store: Store, customer: Obj) -> Obj:
    """Active, with no items and discounts yet; its monthly periods are anchored at now."""
    identifier = store.new_id("sub_")
    return {
        "id": identifier,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": store.now,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": None},
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": store.now,
        "currency": customer["currency"],
        "customer": customer["id"],
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": nested(f"/v1/subscription_items?subscription={identifier}", []),
        "latest_invoice": None,
        "livemode": False,
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {"payment_method_options": None, "payment_method_types": None},
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": store.now,
        "status": "active",
        "test_clock": None,
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None,
    }


def subscription_item(store: Store, sub: str, price: Obj, quantity: int | None, start: int, end: int) -> Obj:
    """`quantity` is None for a metered price: the key is then absent, as in Stripe's answers."""
    item: Obj = {
        "id": store.new_id("si_", 14),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": store.now,
        "current_period_end": end,
        "current_period_start": start,
        "discounts": [],
        "metadata": {},
        "price": {key: value for key, value in price.items() if key != "tiers"},
        "quantity": quantity,
        "subscription": sub,
        "tax_rates": [],
    }
    if quantity is None:
        del item["quantity"]
    return item


def discount(store: Store, sub: Obj, coupon: Obj, end: int | None) -> Obj:
    return {
        "id": store.new_id("di_"),
        "object": "discount",
        "checkout_session": None,
        "customer": sub["customer"],
        "end": end,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": None,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": store.now,
        "subscription": sub["id"],
        "subscription_item": None,
    }


def balance_transaction(store: Store, customer: Obj, amount: int, kind: str, **fields: Any) -> Obj:
    """`amount` in minor units, negative: a credit for the customer. The caller changes the customer's balance."""
    return {
        "id": store.new_id("cbtxn_"),
        "object": "customer_balance_transaction",
        "amount": amount,
        "checkout_session": None,
        "created": store.now,
        "credit_note": None,
        "currency": customer["currency"],
        "customer": customer["id"],
        "description": None,
        "ending_balance": customer["balance"] + amount,
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
    } | fields


def invoice_payment(store: Store, invoice: Obj) -> Obj:
    return {
        "id": store.new_id("inpay_"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_due"],
        "created": store.now,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": store.new_id("pi_"), "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }


def credit_note(store: Store, invoice: Obj, amount: int) -> Obj:
    """Issued on a paid invoice for `amount` minor units, all to the customer's balance; `lines` is to be added."""
    return {
        "id": store.new_id("cn_"),
        "object": "credit_note",
        "amount": amount,
        "amount_shipping": 0,
        "created": store.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": store.now,
        "invoice": invoice["id"],
        "livemode": False,
        "memo": "Credit for a service interruption",
        "metadata": {},
        "number": f"{invoice['number']}-CN-01",
        "out_of_band_amount": None,
        "pdf": "",
        "post_payment_amount": amount,
        "pre_payment_amount": 0,
        "pretax_credit_amounts": [],
        "reason": "product_unsatisfactory",
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": amount,
        "subtotal_excluding_tax": amount,
        "total": amount,
        "total_excluding_tax": amount,
        "total_taxes": [],
        "type": "post_payment",
        "voided_at": None,
    }


def credit_note_line(store: Store, note: Obj) -> Obj:
    """The one line of a credit note that is given as an amount."""
    return {
        "id": store.new_id("cnli_"),
        "object": "credit_note_line_item",
        "amount": note["amount"],
        "description": note["memo"],
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": None,
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": 1,
        "tax_rates": [],
        "taxes": [],
        "type": "custom_line_item",
        "unit_amount": note["amount"],
        "unit_amount_decimal": str(note["amount"]),
    }
