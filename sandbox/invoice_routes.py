"""What clients do to invoices: make, change, finalise, pay, send, void and give them up (stripe.md 4.9)."""

from sandbox import discounts, intents, invoice_items, invoices, objects, payment_methods, payments
from sandbox.call import Call, Handler
from sandbox.clock import DAY
from sandbox.events import emit
from sandbox.options import GRACE_SECONDS
from sandbox.refusals import refuse
from sandbox.simple import taken
from sandbox.store import Obj

PLAIN = ("custom_fields", "metadata", "description", "footer", "payment_settings", "default_source", "number",
         "auto_advance", "statement_descriptor", "shipping_details", "effective_at", "due_date",
         "collection_method")  # fmt: skip
AFTER_DRAFT = {"metadata", "auto_advance", "default_payment_method", "default_source", "payment_settings", "expand"}


def _create(call: Call) -> Obj:
    params, store = call.params, call.store
    sub = call.find("subscription", params["subscription"], "subscription") if "subscription" in params else None
    owner = params.get("customer") or (sub or {}).get("customer")
    if owner is None:
        raise refuse("missing", "customer")
    customer = call.find("customer", owner, "customer")
    if sub and sub["customer"] != owner:
        raise refuse("not_yours", "customer", id=sub["id"], customer=owner)
    if params.get("collection_method") != "send_invoice" and {"days_until_due", "due_date"} & set(params):
        raise refuse("days_until_due", "days_until_due")
    currency = (params.get("currency") or (sub or customer)["currency"] or "usd").lower()
    invoice = invoices.start(
        store, customer, sub, days_until_due=params.get("days_until_due"), auto_advance=False, billing_reason="manual",
        collection_method=params.get("collection_method", "charge_automatically"), currency=currency,
    )  # fmt: skip
    invoice.update(_fields(call, invoice))
    includes = params.get("pending_invoice_items_behavior") == "include"
    rows = invoices.pull_in(store, invoice, sub["id"] if sub else None) if includes else []
    if includes and not rows:
        raise refuse("nothing_waits", "customer", id=owner)
    if customer["currency"] is None:
        objects.update(store, customer, currency=currency)
    invoices.set_lines(store, invoice, rows)
    _plan(call, invoice)
    emit(store, "invoice.created", invoice)
    return invoice


def _fields(call: Call, invoice: Obj) -> Obj:
    """What the parameters ask of the invoice's own fields."""
    params, found = call.params, taken("invoice", call.params, invoice, PLAIN)
    if "days_until_due" in params:
        found["due_date"] = invoice["created"] + params["days_until_due"] * DAY
    if "default_payment_method" in params:
        method = payment_methods.named(call.store, params["default_payment_method"], "default_payment_method")
        found["default_payment_method"] = method["id"]
    if "default_tax_rates" in params:
        rates = params["default_tax_rates"] or []
        found["default_tax_rates"] = [call.find("tax_rate", one, "default_tax_rates") for one in rates]
    if "discounts" in params:
        found["discounts"] = discounts.chosen(
            call, params["discounts"], customer=invoice["customer"], currency=invoice["currency"],
            current=invoice["discounts"], invoice=invoice["id"])  # fmt: skip
    return found


def _plan(call: Call, invoice: Obj) -> None:
    """Put the invoice's next automatic step on the agenda, or take it off."""
    store, is_draft = call.store, invoice["status"] == "draft"
    kind = "invoice_finalize" if is_draft else "invoice_retry"
    store.unschedule(kind, invoice["id"])
    at = call.params.get("automatically_finalizes_at") or invoice["next_payment_attempt"] or store.now + GRACE_SECONDS
    is_due = invoice["auto_advance"] and invoice["status"] in ("draft", "open")
    if is_due:
        store.schedule(at, kind, invoice["id"])
    invoice["automatically_finalizes_at"] = at if is_due and is_draft else None
    store.put(invoice)


def _update(call: Call) -> Obj:
    params, invoice = call.params, call.target("invoice")
    frozen = sorted(set(params) - AFTER_DRAFT)
    if invoice["status"] != "draft" and frozen:
        raise refuse("frozen", frozen[0], names=", ".join(frozen))
    changes = _fields(call, invoice)
    before = {name: invoice[name] for name in (*changes, "amount_due", "total")}
    invoice.update(changes)
    if {"discounts", "default_tax_rates"} & set(changes):
        for row in invoice["lines"]["data"] if "default_tax_rates" in changes else ():
            row["taxes"] = []
        invoices.set_lines(call.store, invoice, invoice["lines"]["data"])
    call.store.put(invoice)
    if {"auto_advance", "automatically_finalizes_at"} & set(params):
        _plan(call, invoice)
    if previous := {name: old for name, old in before.items() if invoice[name] != old}:
        emit(call.store, "invoice.updated", invoice, previous)
    return invoice


def _delete(call: Call) -> Obj:
    store, invoice = call.store, invoice_items.editable(call.target("invoice"))
    if payments.subscription_of(store, invoice) is not None:
        raise refuse("of_subscription")
    for row in invoice["lines"]["data"]:
        store.remove(invoice_items.item_of(row))
    return objects.delete(store, invoice)


def _in(call: Call, act: str, *statuses: str) -> Obj:
    """The invoice, if it has one of these statuses. Raises ApiError 400."""
    invoice = call.target("invoice")
    if invoice["status"] not in statuses:
        raise refuse("invoice_status", act=act, wanted=" or ".join(statuses), status=invoice["status"])
    return invoice


def _finalize(call: Call) -> Obj:
    invoice = call.target("invoice")
    if invoice["status"] != "draft":
        raise refuse("finalized")
    invoice["auto_advance"] = call.params.get("auto_advance", invoice["auto_advance"])
    invoices.finalize(call.store, invoice, by_hand=True)
    if invoice["amount_remaining"] == 0:
        payments.settle(call.store, invoice)
    elif invoice["auto_advance"]:
        _plan(call, invoice)
    return invoice


def _pay(call: Call) -> Obj:
    store, params, invoice = call.store, call.params, call.target("invoice")
    if invoice["status"] in ("paid", "void"):
        raise refuse("paid" if invoice["status"] == "paid" else "voided")
    invoices.finalize(store, invoice, by_hand=True)
    method, decline, rest = None, None, invoice["amount_remaining"]
    if "payment_method" in params:
        method = payment_methods.named(store, params["payment_method"], "payment_method")
    if params.get("paid_out_of_band"):
        invoice["amount_paid_off_stripe"] += rest
        invoice["amount_paid"] += rest
    elif rest:
        decline = payments.attempt(store, invoice, method, by_hand=True)
        if decline == payments.NO_METHOD:
            raise refuse("no_method")
        if decline and not (decline == "insufficient_funds" and params.get("forgive")):
            payment = payments.default_payment(store, invoice) or {}
            raise intents.declined(store, payments.intent_of(store, payment))
    if invoice["status"] != "paid":  # paid elsewhere, forgiven, or nothing to pay
        invoice["amount_remaining"] = 0
        payments.lower(store, invoice)
        payments.settle(store, invoice)
    return invoice


def _send(call: Call) -> Obj:
    invoice = _in(call, "send", "draft", "open", "paid", "uncollectible")
    if invoice["collection_method"] != "send_invoice":
        raise refuse("not_sent")
    invoices.finalize(call.store, invoice, by_hand=True)
    emit(call.store, "invoice.sent", invoice)
    if invoice["status"] == "open" and invoice["amount_remaining"] == 0:
        payments.settle(call.store, invoice)
    return invoice


def _give_up(call: Call) -> Obj:
    return invoices.end(call.store, _in(call, "mark as uncollectible", "open"), "uncollectible", "user_forgiven")


def _attach(call: Call) -> Obj:
    store, invoice = call.store, _in(call, "attach a payment to", "open", "uncollectible")
    intent = call.find("payment_intent", call.params.get("payment_intent"), "payment_intent")
    if intent["currency"] != invoice["currency"] or intent["customer"] not in (None, invoice["customer"]):
        raise refuse("intent_other", "payment_intent")
    if intent["status"] == "canceled" or payments.payment_of(store, intent) is not None:
        raise refuse("intent_used", "payment_intent")
    payment = payments.attach(store, invoice, intent)
    if intent["status"] == "succeeded":
        payments.credit(store, invoice, payment)
    return invoice


ROUTES: dict[str, Handler] = {
    "POST /v1/invoices": _create,
    "POST /v1/invoices/{id}": _update,
    "DELETE /v1/invoices/{id}": _delete,
    "POST /v1/invoices/{id}/finalize": _finalize,
    "POST /v1/invoices/{id}/pay": _pay,
    "POST /v1/invoices/{id}/send": _send,
    "POST /v1/invoices/{id}/void": lambda call: invoices.void(call.store, _in(call, "void", "open", "uncollectible")),
    "POST /v1/invoices/{id}/mark_uncollectible": _give_up,
    "POST /v1/invoices/{id}/attach_payment": _attach,
}
