"""What clients do to invoices (stripe.md 4.9). In which statuses they may: rules.json."""

from sandbox import discounts, intents, invoice_items, invoices, objects, payment_methods, payments
from sandbox.call import Call, Handler
from sandbox.clock import DAY
from sandbox.events import emit
from sandbox.options import GRACE_SECONDS
from sandbox.refusals import refuse
from sandbox.simple import taken
from sandbox.store import Obj

STORED = ("custom_fields", "metadata", "description", "footer", "payment_settings", "default_source", "number",
          "auto_advance", "statement_descriptor", "shipping_details", "effective_at", "due_date",
          "collection_method")  # fmt: skip
AFTER_DRAFT = {"metadata", "auto_advance", "default_payment_method", "default_source", "payment_settings", "expand"}


def _create(call: Call) -> Obj:
    params, store = call.params, call.store
    sub = store.find("subscription", params.get("subscription", ""))
    customer = call.find("customer", params.get("customer") or (sub or {}).get("customer"), "customer")
    if sub and sub["customer"] != customer["id"]:
        raise refuse("not_yours", "customer", id=sub["id"], customer=customer["id"])
    if params.get("collection_method") != "send_invoice" and {"days_until_due", "due_date"} & set(params):
        raise refuse("days_until_due", "days_until_due")
    currency = (params.get("currency") or (sub or customer)["currency"] or "usd").lower()
    sent = {name: params[name] for name in ("days_until_due", "collection_method") if name in params}
    sent |= {"auto_advance": False, "billing_reason": "manual", "currency": currency}
    invoice = invoices.start(store, customer, sub, **sent)
    invoice.update(_fields(call, invoice))
    includes = params.get("pending_invoice_items_behavior") == "include"
    rows = invoices.pull_in(store, invoice, sub["id"] if sub else None, by_hand=True) if includes else []
    if includes and not rows:
        raise refuse("nothing_waits", "customer", id=customer["id"])
    objects.update(store, customer, currency=customer["currency"] or currency)
    invoices.set_lines(store, invoice, rows)
    _plan(call, invoice, invoice["auto_advance"])
    return objects.become(store, invoice, "created")


def _fields(call: Call, invoice: Obj) -> Obj:
    """What the parameters ask of the invoice's own fields."""
    params, found = call.params, taken("invoice", call.params, invoice, STORED)
    if "days_until_due" in params:
        found["due_date"] = invoice["created"] + params["days_until_due"] * DAY
    if "default_payment_method" in params:
        method = payment_methods.named(call.store, params["default_payment_method"], "default_payment_method")
        found["default_payment_method"] = method["id"]
    if "default_tax_rates" in params:
        rates = params["default_tax_rates"] or []
        found["default_tax_rates"] = [call.find("tax_rate", one, "default_tax_rates") for one in rates]
    if "discounts" in params:
        owner = {name: invoice[name] for name in ("customer", "currency")} | {"invoice": invoice["id"]}
        found["discounts"] = discounts.chosen(call, params["discounts"], current=invoice["discounts"], **owner)
    return found


def _plan(call: Call, invoice: Obj, is_automatic: bool) -> None:
    """Put the invoice's next step by itself on the agenda, or take it off."""
    at = call.params.get("automatically_finalizes_at") or invoice["next_payment_attempt"]
    invoices.plan(call.store, invoice, (at or call.store.now + GRACE_SECONDS) if is_automatic else None)


def _update(call: Call) -> Obj:
    store, params, invoice = call.store, call.params, call.target("invoice")
    frozen = sorted(set(params) - AFTER_DRAFT)
    if invoice["status"] != "draft" and frozen:
        raise refuse("frozen", frozen[0], names=", ".join(frozen))
    changes = _fields(call, invoice)
    if {"auto_advance", "automatically_finalizes_at"} & set(params):
        _plan(call, invoice, changes.get("auto_advance", invoice["auto_advance"]) is True)
    if invoice["status"] != "draft":
        return objects.update(store, invoice, **changes)
    for row in invoice["lines"]["data"] if "default_tax_rates" in changes else ():
        row["taxes"] = []
    return invoices.revise(store, invoice, invoice["lines"]["data"], **changes)


def _delete(call: Call) -> Obj:
    store, invoice = call.store, call.target("invoice")
    if payments.subscription_of(store, invoice) is not None:
        raise refuse("of_subscription")
    for row in invoice["lines"]["data"]:
        objects.delete(store, store.get("invoiceitem", invoice_items.item_of(row)))
    return objects.delete(store, invoice)


def _opened(call: Call) -> Obj:
    """The invoice, no draft any more, and paid if nothing is to be paid."""
    invoice = invoices.finalize(call.store, call.target("invoice"), by_hand=True)
    if invoice["status"] == "open" and invoice["amount_remaining"] == 0:
        payments.settle(call.store, invoice)
    return invoice


def _finalize(call: Call) -> Obj:
    draft = call.target("invoice")
    draft["auto_advance"] = call.params.get("auto_advance", draft["auto_advance"])
    if (invoice := _opened(call))["status"] == "open":
        _plan(call, invoice, invoice["auto_advance"])
    return invoice


def _pay(call: Call) -> Obj:
    store, params, invoice = call.store, call.params, _opened(call)
    rest = invoice["amount_remaining"]
    if params.get("paid_out_of_band"):
        invoice["amount_paid_off_stripe"] += rest
        invoice["amount_paid"] += rest
    elif rest:
        named = params.get("payment_method")
        method = payment_methods.named(store, named, "payment_method") if named else None
        decline = payments.attempt(store, invoice, method, by_hand=True)
        if decline == payments.NO_METHOD:
            raise refuse("no_method")
        if decline and not (decline == "insufficient_funds" and params.get("forgive")):
            raise intents.declined(store, payments.intent_of(store, payments.default_payment(store, invoice) or {}))
    if invoice["status"] != "paid":  # paid elsewhere, or forgiven
        payments.settle(store, invoice)
    return invoice


def _send(call: Call) -> Obj:
    if call.target("invoice")["collection_method"] != "send_invoice":
        raise refuse("not_sent")
    invoice = _opened(call)
    emit(call.store, "invoice.sent", invoice)
    return invoice


def _give_up(call: Call) -> Obj:
    return payments.recover(call.store, invoices.give_up(call.store, call.target("invoice"), "user_forgiven"))


def _void(call: Call) -> Obj:
    invoice = call.target("invoice")
    if invoice["amount_paid"]:
        raise refuse("part_paid")
    return invoices.void(call.store, invoice)


def _attach(call: Call) -> Obj:
    store, invoice = call.store, call.target("invoice")
    intent = store.get("payment_intent", call.params["payment_intent"])
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
    "POST /v1/invoices/{id}/void": _void,
    "POST /v1/invoices/{id}/mark_uncollectible": _give_up,
    "POST /v1/invoices/{id}/attach_payment": _attach,
}
