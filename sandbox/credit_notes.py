"""Credit notes: what an invoice's customer owes less, or gets back (stripe.md 4.4)."""

from decimal import Decimal
from typing import Any

from sandbox import intents, objects, paging, payments
from sandbox.call import Call, Handler, Page, merge_metadata
from sandbox.events import emit
from sandbox.options import CREDITABLE
from sandbox.rating import part_of, percent_of, round_amount, step_of
from sandbox.refusals import refuse
from sandbox.simple import changes, taken
from sandbox.store import Obj, Store

TAKEN = ("memo", "reason", "metadata", "effective_at", "out_of_band_amount")
SPLIT = ("credit_amount", "refund_amount", "out_of_band_amount")


def create_for(store: Store, invoice: Obj, percent: int) -> Obj:
    """A credit note over `percent` of what was paid, given to the customer's balance: for a bad day."""
    amount = percent_of(invoice["amount_paid"], Decimal(percent), step_of(invoice["currency"]))
    fields = {"memo": "Credit for a service interruption", "reason": "product_unsatisfactory", "type": "post_payment"}
    note = _note(store, invoice, [_line(store, fields["memo"], amount)], post_payment_amount=amount, **fields)
    return _issue(store, invoice, note, {"credit_amount": amount}, {})


def _note(store: Store, invoice: Obj, rows: list[Obj], **fields: Any) -> Obj:
    """A note that is not stored, with its lines' sums."""
    count = len(store.rows("credit_note", invoice=invoice["id"])) + 1
    taxes, credits = ([part for row in rows for part in row[name]] for name in ("taxes", "pretax_credit_amounts"))
    subtotal, off = (sum(row[name] for row in rows) for name in ("amount", "discount_amount"))
    exclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    spent = sum(part["amount"] for part in credits if part["type"] == "credit_balance_transaction")
    total, identifier = subtotal - off - spent + exclusive, store.new_id("cn_")
    lines = {"object": "list", "data": rows, "has_more": False, "url": f"/v1/credit_notes/{identifier}/lines"}
    return {"id": identifier} | objects.shape(
        "credit_note", created=store.now, currency=invoice["currency"], customer=invoice["customer"],
        invoice=invoice["id"], number=f"{invoice['number']}-CN-{count:02d}", lines=lines, amount=total, total=total,
        discount_amount=off, discount_amounts=[part for row in rows for part in row["discount_amounts"]],
        pretax_credit_amounts=credits, subtotal=subtotal, subtotal_excluding_tax=subtotal, total_taxes=taxes,
        total_excluding_tax=total - exclusive, **{"effective_at": store.now} | fields,
    )  # fmt: skip


def _line(store: Store, text: str | None, amount: int, **fields: Any) -> Obj:
    plain = {"amount": amount, "description": text, "quantity": 1, "unit_amount": amount}
    plain["unit_amount_decimal"] = str(amount)
    return {"id": store.new_id("cnli_")} | objects.shape("credit_note_line_item", **(plain | fields))


def _given_line(call: Call, invoice: Obj, given: Any, name: str) -> Obj:
    """One of a request's lines; of an invoice's line it credits its discounts, credits and taxes in proportion."""
    quantity, step = given.get("quantity"), step_of(invoice["currency"])
    unit = given.get("unit_amount_decimal", given.get("unit_amount"))
    amount = given.get("amount")
    if amount is None and unit is not None:
        amount = round_amount(Decimal(unit) * (quantity or 1), step)
    fields = {"type": given["type"], "metadata": merge_metadata({}, given.get("metadata", {})), "quantity": quantity}
    if given["type"] == "custom_line_item":
        if amount is None:
            raise refuse("missing", f"{name}[unit_amount]")
        return _line(call.store, given.get("description"), amount, **fields | {"quantity": quantity or 1})
    found = [row for row in invoice["lines"]["data"] if row["id"] == given.get("invoice_line_item")]
    if not found:
        raise refuse("no_line", f"{name}[invoice_line_item]", id=given.get("invoice_line_item"))
    line = found[0]
    if amount is None:
        amount = line["amount"] if quantity is None else part_of(line["amount"], quantity, line["quantity"], step)
    if not 0 <= amount <= line["amount"]:
        raise refuse("line_large", f"{name}[amount]", amount=amount, most=line["amount"])
    for parts in ("discount_amounts", "pretax_credit_amounts", "taxes"):
        fields[parts] = [
            part | {key: part_of(part[key], amount, line["amount"] or 1, step) for key in part if "amount" in key}
            for part in line[parts]
        ]
    fields |= {"discount_amount": sum(part["amount"] for part in fields["discount_amounts"])}
    text = given.get("description", line["description"])
    return _line(call.store, text, amount, invoice_line_item=line["id"], **fields)


def _planned(call: Call) -> tuple[Obj, Obj, dict[str, int]]:
    """The invoice, the note that the parameters ask for, and refunds to link to it. Nothing is stored or changed."""
    params, store = call.params, call.store
    invoice = call.find("invoice", params["invoice"], "invoice")
    if invoice["status"] not in CREDITABLE:
        raise refuse("not_creditable", "invoice", status=invoice["status"])
    if ("amount" in params) == ("lines" in params):
        raise refuse("amount_or_lines", "amount")
    rows = [_given_line(call, invoice, one, f"lines[{place}]") for place, one in enumerate(params.get("lines", ()))]
    rows = rows or [_line(store, params.get("memo"), params["amount"])]
    note = _note(store, invoice, rows, **taken("credit_note", params, None, TAKEN))
    made = _refunds(store, invoice)
    linked: dict[str, int] = {}
    for index, given in enumerate(params.get("refunds", ())):
        if (one := given.get("refund")) not in made:
            raise refuse("note_refund", f"refunds[{index}][refund]", id=one)
        linked[one] = given.get("amount_refunded", made[one]["amount"])
    notes = [one for one in store.rows("credit_note", invoice=invoice["id"]) if one["status"] == "issued"]
    by_note = {part["refund"] for one in notes for part in one["refunds"]} | set(linked)
    left = invoice["total"] - sum(one["total"] for one in notes)
    left -= sum(one["amount"] for one in made.values() if one["id"] not in by_note)
    if not 0 < note["total"] <= left:
        raise refuse("note_large", "amount", amount=note["total"], most=left)
    before = min(note["total"], 0 if invoice["status"] == "paid" else invoice["amount_remaining"])
    after = note["total"] - before
    kind = "mixed" if before and after else "post_payment" if after else "pre_payment"
    given = sum(params.get(name, 0) for name in SPLIT) + sum(linked.values())
    if given != after or any(params.get(name, 0) < 0 for name in SPLIT):
        raise refuse("note_split", "credit_amount" if after else "amount", given=given, wanted=after)
    return invoice, note | {"pre_payment_amount": before, "post_payment_amount": after, "type": kind}, linked


def _charges(store: Store, invoice: Obj) -> list[Obj]:
    paid = store.rows("invoice_payment", invoice=invoice["id"], status="paid")
    return [store.get("charge", payments.intent_of(store, one)["latest_charge"]) for one in paid]


def _refunds(store: Store, invoice: Obj) -> dict[str, Obj]:
    """The refunds of an invoice's charges, by id."""
    charges = {one["id"] for one in _charges(store, invoice) if one["amount_refunded"]}
    found = store.rows("refund", customer=invoice["customer"]) if charges else []
    return {one["id"]: one for one in found if one["charge"] in charges}


def _issue(store: Store, invoice: Obj, note: Obj, split: Any, linked: dict[str, int]) -> Obj:
    """Store the note and do what it says to invoice, balance and card."""
    back = split.get("refund_amount", 0)
    for charge in _charges(store, invoice) if back else ():
        if part := min(back, charge["amount"] - charge["amount_refunded"]):
            linked[intents.refund(store, charge, part, "requested_by_customer")["id"]] = part
            back -= part
    if back:
        raise refuse("note_charged", "refund_amount", more=back)
    shown = {"payment_record_refund": None, "type": "refund"}
    note["refunds"] = [shown | {"amount_refunded": part, "refund": one} for one, part in linked.items()]
    if amount := split.get("credit_amount"):
        customer, on = store.get("customer", invoice["customer"]), {"credit_note": note["id"], "invoice": invoice["id"]}
        moved = payments.move_balance(store, customer, -amount, "credit_note", **on)
        note["customer_balance_transaction"] = moved["id"]
    emit(store, "credit_note.created", store.put(note))
    _count(store, invoice, note["pre_payment_amount"], note["post_payment_amount"])
    return note


def _count(store: Store, invoice: Obj, before: int, after: int) -> None:
    """Count a note (or, negative, its voiding) on its invoice; one that owes nothing any more is paid."""
    moved = {"amount_due": -before, "amount_remaining": -before, "pre_payment_credit_notes_amount": before}
    moved["post_payment_credit_notes_amount"] = after
    objects.update(store, invoice, emits=True, **{name: invoice[name] + change for name, change in moved.items()})
    if before:
        payments.lower(store, invoice)
        if invoice["amount_remaining"] == 0:
            payments.settle(store, invoice)


# --- routes


def _create(call: Call) -> Obj:
    invoice, note, linked = _planned(call)
    issued = _issue(call.store, invoice, note, {name: call.params.get(name, 0) for name in SPLIT}, linked)
    call.store.world.treated(call.store, invoice["customer"], "credit", note["total"])
    return issued


def _preview_lines(call: Call) -> Page:
    rows = _planned(call)[1]["lines"]["data"]
    return paging.embedded(call, "credit_note_line_item", "/v1/credit_notes/preview/lines", rows)


def _void(call: Call) -> Obj:
    store, note = call.store, call.target("credit_note")
    invoice = store.get("invoice", note["invoice"])
    if note["status"] == "void" or note["post_payment_amount"] or invoice["status"] != "open":
        raise refuse("note_void")
    note.update(status="void", voided_at=store.now)
    emit(store, "credit_note.voided", store.put(note))
    _count(store, invoice, -note["pre_payment_amount"], 0)
    return note


ROUTES: dict[str, Handler] = {
    "POST /v1/credit_notes": _create,
    "POST /v1/credit_notes/{id}": changes("credit_note"),
    "POST /v1/credit_notes/{id}/void": _void,
    "GET /v1/credit_notes/preview": lambda call: _planned(call)[1],
    "GET /v1/credit_notes/preview/lines": _preview_lines,
}
