"""`POST /v1/subscriptions/{id}`: items, dates, trials, discounts, settings, collection, and when it ends."""

from sandbox import changes, discounts, options, subscriptions
from sandbox import subscription_create as params_of
from sandbox import subscription_items as items_of
from sandbox.call import Call, Handler
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.store import Obj

AFTER_THE_END = frozenset({"metadata", "cancellation_details", "expand"})
MANAGED = ("items", "billing_cycle_anchor", "trial_end", "cancel_at", "cancel_at_period_end", "add_invoice_items")
HOLDABLE = frozenset(  # what may come with payment_behavior=pending_if_incomplete
    {"items", "proration_behavior", "proration_date", "payment_behavior", "billing_cycle_anchor", "trial_end",
     "trial_from_plan", "discounts", "metadata", "add_invoice_items", "off_session", "expand"}
)  # fmt: skip


def update(call: Call) -> Obj:
    """Change a subscription. Raises ApiError 400 or 402, and the caller rolls everything back."""
    store, given, sub = call.store, call.params, call.target("subscription")
    _check(given, sub)
    fields = params_of.settings(call, store.get("customer", sub["customer"]), sub)
    if "discounts" in given:
        fields["discounts"] = items_of.replaced(call, sub, sub["discounts"], given)
    if "pause_collection" in given:
        fields["pause_collection"] = _pause(call, sub)
    items = items_of.wanted(call, sub, given["items"]) if given.get("items") else list(sub["items"]["data"])
    params_of.add_invoice_items(call, sub)
    change = items_of.change_of(call, sub, items, fields)
    _timing(call, sub, change)
    if change.restart or change.items != sub["items"]["data"] or change.proration == "always_invoice":
        changes.apply(store, sub, change)
    else:
        subscriptions.save(store, sub, **change.fields)
    _cancellation(call, sub)
    return sub


def _check(given: Given, sub: Obj) -> None:
    """Refuse what the subscription's state does not allow."""
    names = set(given)
    if sub["status"] in subscriptions.ENDED and names - AFTER_THE_END:
        raise refuse("ended")
    for name in MANAGED:
        if given.get(name) is not None:
            items_of.check_open(sub, name)
    unfit = sorted(names - HOLDABLE)
    if unfit and given.get("payment_behavior") == "pending_if_incomplete":
        raise refuse("not_holdable", unfit[0], names=", ".join(unfit))
    if sub["pending_update"] and given.get("items"):
        raise refuse("pending_update", "items")


def _pause(call: Call, sub: Obj) -> Obj | None:
    """`pause_collection`: what becomes of the invoices meanwhile, and for how long."""
    pause, store = call.params["pause_collection"], call.store
    store.unschedule("collection_resume", sub["id"])
    if pause == "":
        return None
    if (until := params_of.future(pause, "resumes_at", store.now)) is not None:
        store.schedule(until, "collection_resume", sub["id"])
    return {"behavior": pause["behavior"], "resumes_at": until}


def _timing(call: Call, sub: Obj, change: changes.Change) -> None:
    """What `billing_cycle_anchor` and `trial_end` ask for."""
    store, given, now = call.store, call.params, call.store.now
    is_trial = sub["status"] == "trialing"
    change.restart = (given.get("billing_cycle_anchor") or {}).get("type") == "now"
    if given.get("trial_end") == "now" and is_trial:
        change.restart, change.proration, change.fields["trial_end"] = True, "none", now
    elif (end := params_of.trial_end(call, [])) is not None:
        store.unschedule("trial_will_end", sub["id"])
        store.schedule(max(end - options.TRIAL_NOTICE_SECONDS, now), "trial_will_end", sub["id"])
        change.fields |= {"trial_end": end, "status": "trialing", "billing_cycle_anchor": end}
        if is_trial:  # a trial made longer or shorter: nothing to bill, its items' periods end with it
            longer = sub | change.fields
            bounds = [subscriptions.first_period(longer, item, item["current_period_start"]) for item in change.items]
            change.items = [item | period for item, period in zip(change.items, bounds, strict=True)]
        else:
            change.fields["trial_start"], change.restart = now, True


def _cancellation(call: Call, sub: Obj) -> None:
    """`cancel_at_period_end` and `cancel_at`: ask for the end, or take it back."""
    given, store = call.params, call.store
    at_end, at = given.get("cancel_at_period_end"), params_of.cancel_at(given, store.now, sub["items"]["data"])
    if at_end and at is not None:
        raise refuse("one_of", "cancel_at", names="cancel_at, cancel_at_period_end")
    if at is not None or (at_end and not sub["cancel_at_period_end"]):
        subscriptions.request_cancel(store, sub, at)
    elif sub["cancel_at"] is not None and (at_end is False or given.get("cancel_at") == ""):
        subscriptions.keep(store, sub)


def remove_discount(call: Call) -> Obj:
    """Take the subscription's discounts off; answers with the first of them."""
    store, sub = call.store, call.target("subscription")
    if not sub["discounts"]:
        raise refuse("no_discount", "id", http=404, id=sub["id"])
    gone = sub["discounts"]
    for one in gone:
        discounts.end(store, one)
    subscriptions.save(store, sub, discounts=[])
    shown = {name: value for name, value in store.get("discount", gone[0]).items() if name != "end"}
    return shown | {"deleted": True}


ROUTES: dict[str, Handler] = {
    "POST /v1/subscriptions/{id}": update,
    "DELETE /v1/subscriptions/{id}/discount": remove_discount,
}
