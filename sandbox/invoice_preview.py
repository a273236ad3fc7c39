"""The invoice that is to come, as it stands: the next renewal tried out on a sketch of the store (stripe.md 4.1)."""

import msgspec

from sandbox import invoice_items, invoices, renewals, subscription_routes
from sandbox.call import Call, Handler
from sandbox.draw import identifier
from sandbox.options import GRACE_SECONDS
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.store import Obj, Store, subscription_of
from sandbox.world import World

CREATED = ("items", "trial_end", "default_tax_rates", "cancel_at", "cancel_at_period_end", "billing_mode")
UPDATED = (*CREATED, "proration_behavior", "proration_date", "billing_cycle_anchor")
PASSING = {"amount_paid": 0, "attempted": False, "attempt_count": 0, "automatically_finalizes_at": None,
           "ending_balance": None, "number": None, "status": "draft"}  # fmt: skip


class Sketch(Store):
    """A store to try things on: it reads the real one, and keeps every change to itself.

    Objects are copied when they are first read; nothing is emitted or scheduled, and nobody in the world acts.
    """

    def __init__(self, real: Store) -> None:
        vars(self).update(vars(real))
        self.real, self.world, self.issued = real, World(), 0
        self.events_from = self.account_now + 2**40
        self.copies: dict[str, Obj | None] = {}  # None: removed
        self.made: list[str] = []

    def new_id(self, prefix: str, width: int = 24) -> str:
        self.issued += 1
        return identifier(prefix, width, self.seed, "sketch", self.real.issued, self.issued)

    def put(self, obj: Obj, *, parent: str | None = None, created: int | None = None) -> Obj:
        if obj["id"] not in self.copies:
            self.made.append(obj["id"])
        self.copies[obj["id"]] = obj
        return obj

    def any(self, identifier: str) -> Obj | None:
        if identifier not in self.copies:
            found = self.real.any(identifier)
            self.copies[identifier] = None if found is None else msgspec.json.decode(msgspec.json.encode(found))
        return self.copies[identifier]

    def remove(self, identifier: str) -> None:
        self.copies[identifier] = None

    def rows(self, kind: str, **where: str) -> list[Obj]:
        """As the real store's, with what was changed here; objects made here have no `parent`."""
        ids = [one["id"] for one in self.real.rows(kind, **where)] + self.made
        found = [one for one in map(self.any, ids) if one is not None and one["object"] == kind]
        shown = [(one, one | {"subscription": subscription_of(one)}) for one in found]
        return [one for one, its in shown if all(its.get(name, value) == value for name, value in where.items())]

    def owner(self, item: str) -> Obj | None:
        found = self.real.owner(item)
        return found and self.any(found["id"])

    def schedule(self, at: int, kind: str, ref: str) -> None: ...

    def unschedule(self, kind: str, ref: str) -> None: ...

    def flush(self) -> None: ...


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
    reason, identifier = invoice["billing_reason"], sketch.new_id("upcoming_in_")
    invoice.update(PASSING, id=identifier, amount_remaining=invoice["amount_due"],
                   billing_reason="upcoming" if reason == "subscription_cycle" else reason,
                   next_payment_attempt=sketch.now + GRACE_SECONDS)  # fmt: skip
    for row in invoice["lines"]["data"]:
        row["invoice"] = identifier
    return invoice


def _preview(call: Call) -> Obj:
    """Of a subscription as it is or as it would be changed, of one that does not exist yet, or of waiting items."""
    params, sketch = call.params, Sketch(call.store)
    details, tried = params.get("subscription_details") or Given({}), Call(sketch, call.path, params)
    sub = sketch.find("subscription", params.get("subscription", ""))
    customer = sketch.get("customer", sub["customer"] if sub else params["customer"])
    parent = {"subscription_details": {"subscription": sub["id"]}, "type": "subscription_details"} if sub else None
    for index, given in enumerate(params.get("invoice_items", ())):
        currency = given.get("currency") or (sub or customer)["currency"] or "usd"
        invoice_items.entered(tried, customer, given, currency, None, f"invoice_items[{index}]", parent=parent)
    if sub:
        invoice = _changed(sketch, sub, details, {name: params[name] for name in ("discounts",) if name in params})
    else:
        invoice = _started(sketch, customer, params, details) if "items" in details else _waiting(sketch, customer)
    if invoice is None:
        raise refuse("no_upcoming", http=404, id=customer["id"])
    if params.get("preview_mode") == "recurring":
        rows = [row for row in invoice["lines"]["data"] if not invoice_items.item_of(row)]
        invoices.set_lines(sketch, invoice, rows)
    return invoice


def _changed(sketch: Sketch, sub: Obj, details: Given, more: Obj) -> Obj | None:
    latest = sub["latest_invoice"]
    if details.get("cancel_now"):
        prorate = details.get("proration_behavior") != "none"
        subscription_routes.stop(sketch, sub, invoice_now=True, prorate=prorate)
    elif changes := {name: details[name] for name in UPDATED if name in details} | more:
        given = Given({**changes, "payment_behavior": "default_incomplete"})
        subscription_routes.update(Call(sketch, {"id": sub["id"]}, given))
    return _newer(sketch, sub, latest) or _next(sketch, sub)


def _started(sketch: Sketch, customer: Obj, params: Given, details: Given) -> Obj | None:
    wanted = {name: details[name] for name in CREATED if name in details} | {"customer": customer["id"]}
    wanted |= {name: params[name] for name in ("discounts", "currency") if name in params}
    sub = subscription_routes.create(Call(sketch, {}, Given({**wanted, "payment_behavior": "default_incomplete"})))
    return _newer(sketch, sub, None)


def _waiting(sketch: Sketch, customer: Obj) -> Obj | None:
    """A one-off invoice of what waits for one; None if nothing does."""
    invoice = invoices.start(sketch, customer, billing_reason="upcoming", currency=customer["currency"] or "usd")
    rows = invoices.pull_in(sketch, invoice, None)
    return _shown(sketch, invoices.set_lines(sketch, invoice, rows)) if rows else None


ROUTES: dict[str, Handler] = {"POST /v1/invoices/create_preview": _preview}
