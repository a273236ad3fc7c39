"""The invoice that is to come, as it stands: the next renewal tried out on a sketch of the store (stripe.md 4.1)."""

from sandbox import invoice_items, invoices, renewals, subscription_cancel, subscription_create, subscription_update
from sandbox.call import Call, Handler
from sandbox.options import GRACE_SECONDS
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.sketch import Sketch
from sandbox.store import Obj, Store

CREATED = ("items", "trial_end", "default_tax_rates", "cancel_at", "cancel_at_period_end", "billing_mode")
UPDATED = (*CREATED, "proration_behavior", "proration_date", "billing_cycle_anchor")
PASSING = {"amount_paid": 0, "attempted": False, "attempt_count": 0, "automatically_finalizes_at": None,
           "ending_balance": None, "number": None, "status": "draft"}  # fmt: skip


def upcoming(store: Store, sub: Obj) -> Obj | None:
    """The invoice of a subscription's next renewal, without an id; None if there will be none."""
    sketch = Sketch(store)
    found = _next(sketch, sketch.get("subscription", sub["id"]))
    return found and {key: value for key, value in found.items() if key != "id"}


def _next(sketch: Sketch, sub: Obj) -> Obj | None:
    latest = sub["latest_invoice"]
    if sub["status"] not in ("canceled", "incomplete_expired", "paused"):
        at = min(item["current_period_end"] for item in sub["items"]["data"])
        sketch.now = min(at, sub["cancel_at"] or at)
        renewals.renew(sketch, sub["id"])
    return _newer(sketch, sub, latest)


def _newer(sketch: Sketch, sub: Obj, than: str | None) -> Obj | None:
    """The subscription's latest invoice, if it was made on the sketch."""
    return None if sub["latest_invoice"] == than else _shown(sketch, sketch.get("invoice", sub["latest_invoice"]))


def _shown(sketch: Sketch, invoice: Obj) -> Obj:
    """As a preview: a draft with a passing id."""
    invoice.update(PASSING, id=sketch.new_id("upcoming_in_"), amount_remaining=invoice["amount_due"])
    invoice["next_payment_attempt"] = sketch.now + GRACE_SECONDS
    if invoice["billing_reason"] == "subscription_cycle":
        invoice["billing_reason"] = "upcoming"
    for row in invoice["lines"]["data"]:
        row["invoice"] = invoice["id"]
    return invoice


def _preview(call: Call) -> Obj:
    """Of a subscription as it is or as it would be changed, of one that does not exist yet, or of waiting items."""
    params, sketch = call.params, Sketch(call.store)
    details, tried = params.get("subscription_details") or Given({}), Call(sketch, call.path, params)
    if "subscription" in params:
        sub = tried.find("subscription", params["subscription"], "subscription")
        _add(tried, sketch.get("customer", sub["customer"]), sub)
        invoice = _changed(sketch, sub, details)
    else:
        customer = tried.find("customer", params.get("customer"), "customer")
        _add(tried, customer, None)
        invoice = _started(sketch, customer, params, details) if "items" in details else _waiting(sketch, customer)
    if invoice is None:
        raise refuse("no_upcoming", http=404, id=params.get("customer") or sub["customer"])
    if params.get("preview_mode") == "recurring":
        rows = [row for row in invoice["lines"]["data"] if not invoice_items.item_of(row)]
        invoices.set_lines(sketch, invoice, rows)
    return invoice


def _add(call: Call, customer: Obj, sub: Obj | None) -> None:
    """The invoice items that the preview is to have besides."""
    parent = {"subscription_details": {"subscription": sub["id"]}, "type": "subscription_details"} if sub else None
    for index, given in enumerate(call.params.get("invoice_items", ())):
        currency = given.get("currency") or (sub or customer)["currency"] or "usd"
        invoice_items.entered(call, customer, given, currency, None, f"invoice_items[{index}]", parent=parent)


def _changed(sketch: Sketch, sub: Obj, details: Given) -> Obj | None:
    latest = sub["latest_invoice"]
    if details.get("cancel_now"):
        prorate = details.get("proration_behavior") != "none"
        subscription_cancel.stop(sketch, sub, invoice_now=True, prorate=prorate)
    elif changes := {name: details[name] for name in UPDATED if name in details}:
        given = Given({**changes, "payment_behavior": "default_incomplete"})
        subscription_update.update(Call(sketch, {"id": sub["id"]}, given))
    return _newer(sketch, sub, latest) or _next(sketch, sub)


def _started(sketch: Sketch, customer: Obj, params: Given, details: Given) -> Obj | None:
    wanted = {name: details[name] for name in CREATED if name in details} | {"customer": customer["id"]}
    wanted |= {name: params[name] for name in ("discounts", "currency") if name in params}
    sub = subscription_create.create(Call(sketch, {}, Given({**wanted, "payment_behavior": "default_incomplete"})))
    return _newer(sketch, sub, None) if isinstance(sub, dict) else None


def _waiting(sketch: Sketch, customer: Obj) -> Obj | None:
    """A one-off invoice of what waits for one; None if nothing does."""
    invoice = invoices.start(sketch, customer, billing_reason="upcoming", currency=customer["currency"] or "usd")
    rows = invoices.pull_in(sketch, invoice, None)
    return _shown(sketch, invoices.set_lines(sketch, invoice, rows)) if rows else None


ROUTES: dict[str, Handler] = {"POST /v1/invoices/create_preview": _preview}
