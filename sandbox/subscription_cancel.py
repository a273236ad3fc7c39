"""`DELETE /v1/subscriptions/{id}`, `/pause`, `/resume` and `/migrate` (stripe.md 4.1)."""

from sandbox import changes, invoices, options, prorations, subscriptions
from sandbox.call import Call, Handler
from sandbox.errors import missing
from sandbox.objects import shape
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.simple import taken
from sandbox.store import Obj, Store


def cancel(call: Call) -> Obj:
    """End a subscription at once. Usage of the running period is billed only with `invoice_now`, unused time goes back
    only with `prorate`; without `invoice_now` what is pending stays so."""
    sub, given = call.target("subscription"), call.params
    if sub["status"] in subscriptions.ENDED:
        raise missing("subscription", sub["id"])
    sub |= taken("subscription", given, sub, ("cancellation_details",))
    return stop(call.store, sub, invoice_now=given.get("invoice_now", False), prorate=given.get("prorate", False))


def stop(store: Store, sub: Obj, *, invoice_now: bool, prorate: bool) -> Obj:
    """End a subscription on request, with a last invoice or credits if they are asked for."""
    status, items, used = sub["status"], sub["items"]["data"], {}
    if prorate and status not in ("incomplete", "paused"):
        for item in items:
            prorations.prorate(store, sub, item, None, at=store.now)
    if invoice_now and status not in ("incomplete", "paused"):
        used = {item["id"]: (item["current_period_start"], store.now) for item in items
                if not subscriptions.is_licensed(item) and item["current_period_start"] < store.now}  # fmt: skip
    invoice = changes.bill(store, sub, used, {}) if invoice_now else None
    first = store.find("invoice", sub["latest_invoice"] or "") if status == "incomplete" else None
    subscriptions.end(store, sub, "cancellation_requested")
    if invoice is not None:
        subscriptions.collect(store, invoice, "allow_incomplete")
    if first is not None and first["status"] == "open":
        invoices.void(store, first)
    return sub


def pause(call: Call) -> Obj:
    """Bill nothing from now on: unused time goes back and usage so far is billed, unless `bill_for` says otherwise."""
    store, sub, given = call.store, call.target("subscription"), call.params
    given.get("type")  # `subscription` is the only type
    if sub["billing_mode"]["type"] != "flexible":
        raise refuse("classic")
    if sub["schedule"] or sub["status"] not in ("active", "trialing", "past_due"):
        raise refuse("managed" if sub["schedule"] else "not_pausable", id=sub["schedule"], status=sub["status"])
    bill_for, now = given.get("bill_for") or Given({}), Given({"type": "now"})
    usage, unused = (bill_for.get(name, now)["type"] for name in ("outstanding_usage_through", "unused_time_from"))
    for item in sub["items"]["data"]:
        if usage == "now" and not subscriptions.is_licensed(item):
            prorations.accrued(store, sub, item)
        if unused != "none":
            at = store.now if unused == "now" else item["current_period_start"]
            prorations.prorate(store, sub, item, None, at=at)
    latest = sub["latest_invoice"]
    invoice = changes.bill(store, sub, {}, {}) if given.get("invoicing_behavior") == "invoice" else None
    subscriptions.tell(store, sub, {"latest_invoice": latest})
    subscriptions.hold(store, sub, "pause_requested")
    if invoice is not None:
        subscriptions.collect(store, invoice, "allow_incomplete")
    return sub


def resume(call: Call) -> Obj:
    """Begin new periods now, billed at once; with the old anchor for what remains of its period, as prorations."""
    store, sub, given = call.store, call.target("subscription"), call.params
    if sub["status"] != "paused":
        raise refuse("not_paused")
    is_new = given.get("billing_cycle_anchor", {"type": "now"})["type"] == "now"
    proration = given.get("proration_behavior", "create_prorations")
    was = {name: sub[name] for name in ("items", "billing_cycle_anchor", "latest_invoice")}
    if is_new:
        sub["billing_cycle_anchor"] = store.now
    rows = [item | subscriptions.first_period(sub, item, store.now) for item in sub["items"]["data"]]
    sub["items"] = subscriptions.listed(sub, rows)
    licensed = [item for item in rows if subscriptions.is_licensed(item)]
    if not is_new and proration != "none":
        for item in licensed:
            prorations.prorate(store, sub, None, item, at=given.get("proration_date") or store.now)
    ahead = {item["id"]: subscriptions.period_of(item) for item in licensed if is_new}
    invoice = changes.bill(store, sub, {}, ahead) if is_new or proration == "always_invoice" else None
    subscriptions.tell(store, sub, was)
    waits = given.get("payment_behavior") == "resume_on_payment_success" and invoice and invoice["total"] > 0
    if not waits:
        subscriptions.release(store, sub)
    if invoice is not None:
        subscriptions.collect(store, invoice, "allow_incomplete")
    if sub["status"] == "paused":
        store.schedule(store.now + options.INCOMPLETE_SECONDS, "payment_expire", sub["id"])
    return sub


def migrate(call: Call) -> Obj:
    """From classic to flexible billing; there is no way back."""
    sub, mode = call.target("subscription"), call.params["billing_mode"]
    if sub["billing_mode"]["type"] == "flexible":
        raise refuse("flexible", "billing_mode[type]")
    flexible = shape("subscription")["billing_mode"] | {"updated_at": call.store.now}
    flexible["flexible"] = flexible["flexible"] | dict(mode.get("flexible") or {})
    return subscriptions.save(call.store, sub, billing_mode=flexible)


ROUTES: dict[str, Handler] = {
    "DELETE /v1/subscriptions/{id}": cancel,
    "POST /v1/subscriptions/{id}/pause": pause,
    "POST /v1/subscriptions/{id}/resume": resume,
    "POST /v1/subscriptions/{id}/migrate": migrate,
}
