"""Credit notes: what an invoice's customer owes less, or gets back (stripe.md 4.4)."""

from collections import Counter
from decimal import Decimal
from typing import Any

from sandbox import intents, objects, paging, payments
from sandbox.call import Call, Handler, Page, plain_value
from sandbox.errors import ApiError
from sandbox.options import CREDITABLE
from sandbox.params import Given
from sandbox.rating import part_of, percent_of, round_amount, step_of
from sandbox.refusals import refuse
from sandbox.simple import changes, taken
from sandbox.store import Obj, Store

TAKEN = ("memo", "reason", "metadata", "effective_at", "out_of_band_amount")
SPLIT = ("credit_amount", "refund_amount", "out_of_band_amount")
PARTS = ("discount_amounts", "pretax_credit_amounts", "taxes")
LINKED = {"payment_record_refund": None, "type": "refund"}


def create_for(store: Store, invoice: Obj, percent: int) -> Obj | None:
    """A credit note to the balance, for a bad day, over `percent` of what was paid; None if not so much is left."""
    amount = percent_of(invoice["amount_paid"], Decimal(percent), step_of(invoice["currency"]))
    given = {"invoice": invoice["id"], "amount": amount, "credit_amount": amount, "reason": "product_unsatisfactory"}
    try:
        return _issued(Call(store, {}, Given(given | {"memo": "Credit for a service interruption"})))
    except ApiError:  # after other notes and refunds; nothing is stored before a plan is complete
        return None


def _planned(call: Call) -> tuple[Obj, Obj, list[Obj]]:
    """The invoice, its charges, and the note that the parameters ask for. Nothing is stored or changed."""
    params, store = call.params, call.store
    invoice = store.get("invoice", params["invoice"])
    if invoice["status"] not in CREDITABLE:
        raise refuse("not_creditable", "invoice", status=invoice["status"])
    notes = store.rows("credit_note", invoice=invoice["id"])
    issued = [one for one in notes if one["status"] == "issued"]
    noted = Counter[str]()  # what notes have credited: of a line of the invoice, of a refund
    for one in issued:
        noted.update({part["refund"]: part["amount_refunded"] for part in one["refunds"]})
        for row in one["lines"]["data"]:
            noted[row.get("invoice_line_item", "")] += row["amount"]
    rows = [_line(call, invoice, one, f"lines[{place}]", noted) for place, one in enumerate(params.get("lines", ()))]
    if not rows:
        whole = {"type": "custom_line_item", "amount": params["amount"], "description": params.get("memo")}
        rows = [_line(call, invoice, whole, "", noted)]
    paid = store.rows("invoice_payment", invoice=invoice["id"], status="paid")
    charges = [store.get("charge", payments.intent_of(store, one)["latest_charge"]) for one in paid]
    ids = {one["id"] for one in charges}
    refunds = {one["id"]: one["amount"] for one in store.rows("refund", customer=invoice["customer"])
               if one["charge"] in ids}  # fmt: skip
    linked = Counter[str]()
    for index, given in enumerate(params.get("refunds", ())):
        if (one := given.get("refund")) not in refunds:
            raise refuse("note_refund", f"refunds[{index}][refund]", id=one)
        most = refunds[one] - noted[one] - linked[one]
        if (amount := given.get("amount_refunded", most)) > most:
            raise refuse("note_linked", f"refunds[{index}][amount_refunded]", amount=amount, id=one, most=most)
        linked[one] += amount
    left = invoice["total"] - sum(one["total"] for one in issued)
    left -= sum(amount - noted[one] - linked[one] for one, amount in refunds.items())
    note = _note(store, invoice, rows, f"{invoice['number']}-CN-{len(notes) + 1:02d}")
    if not 0 < note["total"] <= left:
        raise refuse("note_large", "amount", amount=note["total"], most=left)
    before = min(note["total"], 0 if invoice["status"] == "paid" else invoice["amount_remaining"])
    after = note["total"] - before
    amounts = [params.get(name, 0) for name in SPLIT] + list(linked.values())
    if sum(amounts) != after or min(amounts) < 0:
        raise refuse("note_split", "credit_amount" if after else "amount", given=sum(amounts), wanted=after)
    customer = store.get("customer", invoice["customer"])
    if params.get("credit_amount") and not payments.shares_balance(customer, invoice):
        own = customer["currency"]
        raise refuse("customer_currency", "credit_amount", own=own, given=invoice["currency"])
    kind = "mixed" if before and after else "post_payment" if after else "pre_payment"
    note |= {"pre_payment_amount": before, "post_payment_amount": after, "type": kind}
    note["refunds"] = [LINKED | {"amount_refunded": part, "refund": one} for one, part in linked.items()]
    return invoice, note | taken("credit_note", params, None, TAKEN), charges


def _note(store: Store, invoice: Obj, rows: list[Obj], number: str) -> Obj:
    """A note with its lines' sums."""
    off, credits, taxes = ([part for row in rows for part in row[name]] for name in PARTS)
    subtotal, discount = sum(row["amount"] for row in rows), sum(part["amount"] for part in off)
    exclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    spent = sum(part["amount"] for part in credits if part["type"] == "credit_balance_transaction")
    untaxed, identifier = subtotal - discount - spent, store.new_id("cn_")
    lines = {"object": "list", "data": rows, "has_more": False, "url": f"/v1/credit_notes/{identifier}/lines"}
    return {"id": identifier} | objects.shape(
        "credit_note", created=store.now, currency=invoice["currency"], customer=invoice["customer"],
        invoice=invoice["id"], number=number, lines=lines, amount=untaxed + exclusive, total=untaxed + exclusive,
        total_excluding_tax=untaxed, effective_at=store.now, discount_amount=discount, discount_amounts=off,
        pretax_credit_amounts=credits, subtotal=subtotal, subtotal_excluding_tax=subtotal, total_taxes=taxes,
    )  # fmt: skip


def _line(call: Call, invoice: Obj, given: Any, name: str, noted: Counter[str]) -> Obj:
    """One of a request's lines; of an invoice's line it credits its discounts, credits and taxes in proportion.

    noted: line of the invoice → what is already credited of it; this one is added.
    """
    step, amount, quantity = step_of(invoice["currency"]), given.get("amount"), given.get("quantity")
    unit = given.get("unit_amount_decimal", given.get("unit_amount"))
    if amount is None and unit is not None:
        amount = round_amount(Decimal(unit) * (quantity or 1), step)
    shown = {key: plain_value(given[key]) for key in ("type", "description", "metadata") if key in given}
    if given["type"] == "invoice_line_item":
        wanted = given.get("invoice_line_item")
        line = next((row for row in invoice["lines"]["data"] if row["id"] == wanted), None)
        if line is None:
            raise refuse("no_line", f"{name}[invoice_line_item]", id=wanted)
        whole = line["amount"]
        if amount is None:
            amount = whole if quantity is None else part_of(whole, quantity, line["quantity"], step)
        if not 0 <= amount <= whole - noted[wanted]:
            raise refuse("line_large", f"{name}[amount]", amount=amount, most=whole - noted[wanted])
        noted[wanted] += amount
        for parts in PARTS:
            shown[parts] = [dict(part) for part in line[parts]]
            for part in shown[parts]:
                part |= {key: part_of(part[key], amount, whole or 1, step) for key in part if "amount" in key}
        off = sum(part["amount"] for part in shown["discount_amounts"])
        shown |= {"discount_amount": off, "invoice_line_item": wanted, "quantity": quantity}
        shown.setdefault("description", line["description"])
    elif amount is None:
        raise refuse("missing", f"{name}[unit_amount]")
    fixed = {"amount": amount, "unit_amount": amount, "unit_amount_decimal": str(amount), "quantity": quantity or 1}
    return {"id": call.store.new_id("cnli_")} | objects.shape("credit_note_line_item", **fixed | shown)


def _issued(call: Call) -> Obj:
    """The note, stored; what it says is done to invoice, balance and card."""
    store, params, (invoice, note, charges) = call.store, call.params, _planned(call)
    back = params.get("refund_amount", 0)
    for charge in charges:
        if part := min(back, charge["amount"] - charge["amount_refunded"]):
            made = intents.refund(store, charge, part, "requested_by_customer")
            note["refunds"].append(LINKED | {"amount_refunded": part, "refund": made["id"]})
            back -= part
    if back:
        raise refuse("note_charged", "refund_amount", more=back)
    if amount := params.get("credit_amount"):
        customer, on = store.get("customer", invoice["customer"]), {"credit_note": note["id"], "invoice": invoice["id"]}
        moved = payments.move_balance(store, customer, -amount, "credit_note", **on)
        note["customer_balance_transaction"] = moved["id"]
    objects.become(store, note, "created")
    _count(store, invoice, note["pre_payment_amount"], note["post_payment_amount"])
    return note


def _count(store: Store, invoice: Obj, before: int, after: int) -> None:
    """Count a note (or, negative, its voiding) on its invoice."""
    moved = {
        "amount_due": -before,
        "pre_payment_credit_notes_amount": before,
        "post_payment_credit_notes_amount": after,
    }
    was = {name: invoice[name] for name in moved}
    invoice.update({name: was[name] + change for name, change in moved.items()})
    payments.reduce(store, invoice, before, **was)


# --- routes


def _create(call: Call) -> Obj:
    note = _issued(call)
    call.store.world.treated(call.store, note["customer"], "credit", note["total"])
    return note


def _preview_lines(call: Call) -> Page:
    rows = _planned(call)[1]["lines"]["data"]
    return paging.embedded(call, "credit_note_line_item", "/v1/credit_notes/preview/lines", rows)


def _void(call: Call) -> Obj:
    store, note = call.store, call.target("credit_note")
    invoice = store.get("invoice", note["invoice"])
    if note["status"] == "void" or note["post_payment_amount"] or invoice["status"] != "open":
        raise refuse("note_void")
    _count(store, invoice, -note["pre_payment_amount"], 0)
    return objects.become(store, note, "voided", status="void", voided_at=store.now)


ROUTES: dict[str, Handler] = {
    "POST /v1/credit_notes": _create,
    "POST /v1/credit_notes/{id}": changes("credit_note"),
    "POST /v1/credit_notes/{id}/void": _void,
    "GET /v1/credit_notes/preview": lambda call: _planned(call)[1],
    "GET /v1/credit_notes/preview/lines": _preview_lines,
}
