"""Drafting an invoice: its lines from items and usage, its discounts and totals (stripe.md section 6)."""

from decimal import Decimal

from sandbox import shapes
from sandbox.rating import percent_of, rate, round_half_up
from sandbox.store import Obj, Store

Period = tuple[int, int]


def draft(store: Store, sub: Obj, reason: str, used: Period | None, ahead: Period | None) -> Obj:
    """A stored draft for a subscription: metered lines for `used`, licensed lines for `ahead`; None leaves them out."""
    customer = store.get("customer", sub["customer"])
    invoice = _empty(store, sub, customer, reason, used or ahead or (store.now, store.now))
    items = store.children("subscription_item", sub["id"])
    rows: list[Obj] = []
    for item in items:
        is_metered = item["price"]["recurring"]["usage_type"] == "metered"
        if is_metered and used:
            rows += metered_lines(store, invoice, item, used)
        elif not is_metered and ahead:
            rows.append(licensed_line(store, invoice, item, ahead))
    apply_discounts(store, sub, invoice, rows)
    for row in rows:
        store.put(row, parent=invoice["id"], created=store.now)
    return store.put(invoice)


def licensed_line(store: Store, invoice: Obj, item: Obj, period: Period) -> Obj:
    quantity = Decimal(item["quantity"])
    unit = Decimal(item["price"]["unit_amount_decimal"])
    product = store.get("product", item["price"]["product"])
    text = f"{item['quantity']} × {product['name']} (per month)"
    return _line(store, invoice, item, period, quantity, unit, round_half_up(quantity * unit), text)


def metered_lines(store: Store, invoice: Obj, item: Obj, period: Period) -> list[Obj]:
    """One line per tier entered (and per flat fee); one of quantity 0 when nothing was used."""
    price = store.get("price", item["price"]["id"])
    product = store.get("product", price["product"])
    usage = store.usage(price["recurring"]["meter"], invoice["customer"], *period)
    rows = []
    for part in rate(price, usage):
        text = product["name"]
        if part.tier is not None:
            text += f" (Tier {part.tier + 1}{', flat fee' if part.is_flat else f' at {part.unit_amount:f}'})"
        row = _line(store, invoice, item, period, part.quantity, part.unit_amount, part.amount, text)
        rows.append(row)
    return rows


def apply_discounts(store: Store, sub: Obj, invoice: Obj, rows: list[Obj]) -> None:
    """Take the subscription's running percentage coupons off each line, in order, and set the invoice's totals."""
    running = []
    for identifier in sub["discounts"]:
        discount = store.get("discount", identifier)
        if discount["end"] is None or invoice["created"] < discount["end"]:
            running.append(discount)
    for row in rows:
        left = row["amount"]
        for discount in running:
            percent = Decimal(str(store.get("coupon", discount["source"]["coupon"])["percent_off"]))
            amount = percent_of(left, percent)
            left -= amount
            row["discount_amounts"].append({"amount": amount, "discount": discount["id"]})
        row["discounts"] = [discount["id"] for discount in running]
    by_discount = {
        discount["id"]: sum(
            taken["amount"] for row in rows for taken in row["discount_amounts"] if taken["discount"] == discount["id"]
        )
        for discount in running
    }
    subtotal = sum(row["amount"] for row in rows)
    total = subtotal - sum(by_discount.values())
    invoice.update(
        discounts=list(by_discount),
        total_discount_amounts=[{"amount": amount, "discount": key} for key, amount in by_discount.items()],
        subtotal=subtotal,
        subtotal_excluding_tax=subtotal,
        total=total,
        total_excluding_tax=total,
        amount_due=total,
        amount_remaining=total,
        lines=shapes.nested(f"/v1/invoices/{invoice['id']}/lines", rows),
    )


def _line(
    store: Store, invoice: Obj, item: Obj, period: Period, quantity: Decimal, unit: Decimal, amount: int, text: str
) -> Obj:
    return {
        "id": store.new_id("il_"),
        "object": "line_item",
        "amount": amount,
        "currency": invoice["currency"],
        "description": text,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice["id"],
        "livemode": False,
        "metadata": {},
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": item["subscription"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": period[1], "start": period[0]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": item["price"]["id"], "product": item["price"]["product"]},
            "type": "price_details",
            "unit_amount_decimal": f"{unit:f}",
        },
        "quantity": round_half_up(quantity),
        "quantity_decimal": f"{quantity:f}",
        "subscription": item["subscription"],
        "subtotal": amount,
        "taxes": [],
    }


def _empty(store: Store, sub: Obj, customer: Obj, reason: str, period: Period) -> Obj:
    return {
        "id": store.new_id("in_"),
        "object": "invoice",
        "account_country": "US",
        "account_name": "Meterwise Sandbox",
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": reason,
        "collection_method": sub["collection_method"],
        "created": store.now,
        "currency": sub["currency"],
        "custom_fields": None,
        "customer": customer["id"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "last_finalization_error": None,
        "latest_revision": None,
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "parent": {
            "quote_details": None,
            "subscription_details": {"metadata": dict(sub["metadata"]), "subscription": sub["id"]},
            "type": "subscription_details",
        },
        "period_end": period[1],
        "period_start": period[0],
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": customer["balance"],
        "status": "draft",
        "status_details": None,
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "test_clock": None,
        "threshold_reason": None,
        "total_discount_amounts": [],
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": None,
    }


def refresh(store: Store, invoice: Obj) -> Obj:
    """A draft with its metered lines made again if usage for its period came in since it was drafted."""
    rows = store.children("line_item", invoice["id"])
    sub = store.get("subscription", invoice["parent"]["subscription_details"]["subscription"])
    fresh: list[Obj] = []
    for item in store.children("subscription_item", sub["id"]):
        mine = [row for row in rows if _item_of(row) == item["id"]]
        if mine and item["price"]["recurring"]["usage_type"] == "metered":
            period = (mine[0]["period"]["start"], mine[0]["period"]["end"])
            issued = store.issued
            again = metered_lines(store, invoice, item, period)
            if [row["quantity_decimal"] for row in again] != [row["quantity_decimal"] for row in mine]:
                fresh += again
                continue
            store.issued = issued
        fresh += mine
    if fresh == rows:
        return invoice
    for row in rows:
        store.remove(row["id"])
    for row in fresh:
        row["discount_amounts"] = []
    apply_discounts(store, sub, invoice, fresh)
    for row in fresh:
        store.put(row, parent=invoice["id"], created=invoice["created"])
    return store.put(invoice)


def _item_of(row: Obj) -> str:
    return str(row["parent"]["subscription_item_details"]["subscription_item"])
