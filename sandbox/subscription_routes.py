"""Routes of subscriptions: create, update, cancel, pause, resume, migrate (stripe.md 4.1); rules.json checks values."""

from collections.abc import Sequence

from sandbox import changes, invoice_items, invoices, objects, options, prorations, renewals, subscriptions
from sandbox import subscription_items as items_of
from sandbox.call import Call, Handler
from sandbox.clock import DAY, add_intervals
from sandbox.errors import missing
from sandbox.payment_methods import of_customer
from sandbox.refusals import refuse
from sandbox.simple import taken
from sandbox.store import Obj, Store

STORED = ("cancellation_details", "collection_method", "days_until_due", "default_payment_method", "description",
          "invoice_settings", "metadata", "pause_collection", "payment_settings", "trial_settings")  # fmt: skip
ENDS = {"min_period_end": min, "max_period_end": max, "max_billed_until": max}  # what cancel_at may say of the items
AFTER_THE_END = frozenset({"metadata", "cancellation_details", "expand"})
MANAGED = ("items", "billing_cycle_anchor", "trial_end", "cancel_at", "cancel_at_period_end", "add_invoice_items")
HOLDABLE = frozenset(  # what may come with payment_behavior=pending_if_incomplete
    {"items", "proration_behavior", "proration_date", "payment_behavior", "billing_cycle_anchor", "trial_end",
     "trial_from_plan", "discounts", "metadata", "add_invoice_items", "off_session", "expand"}
)  # fmt: skip


def _settings(call: Call, sub: Obj) -> Obj:
    """The fields that parameters set without further ado. Raises ApiError 400."""
    given, customer = call.params, call.store.get("customer", sub["customer"])
    given.get("off_session")  # every payment here is off session
    fields = taken("subscription", given, sub, STORED)
    if "default_tax_rates" in given:
        fields["default_tax_rates"] = items_of.tax_rates(call, given, key="default_tax_rates")
    if token := fields.get("default_payment_method"):
        method = of_customer(call.store, token, customer, "default_payment_method")
        fields["default_payment_method"] = method["id"]
    if fields.get("collection_method", sub["collection_method"]) == "charge_automatically":
        if "days_until_due" in fields:
            raise refuse("days_until_due", "days_until_due")
        fields["days_until_due"] = None
    elif fields.get("days_until_due", sub["days_until_due"]) is None:
        raise refuse("no_days_until_due", "days_until_due")
    return fields


def _trial_end(call: Call, items: Sequence[Obj] = ()) -> int | None:
    """When the trial asked for ends, None if none is: `trial_end`, `trial_period_days`, or that of the prices."""
    given = call.params
    end, days = given.get("trial_end"), given.get("trial_period_days")
    if end is None and days is None and given.get("trial_from_plan"):
        days = max((item["price"]["recurring"].get("trial_period_days") or 0 for item in items), default=0)
    return end if isinstance(end, int) else call.store.now + days * DAY if days else None


def _end(call: Call, sub: Obj) -> None:
    """`cancel_at` and `cancel_at_period_end` ask for the subscription's end, or take that back."""
    at, at_end = call.params.get("cancel_at"), call.params.get("cancel_at_period_end")
    if at in ENDS:
        at = ENDS[at](item["current_period_end"] for item in sub["items"]["data"])
    if at or (at_end and not sub["cancel_at_period_end"]):
        subscriptions.request_cancel(call.store, sub, at or None)
    elif sub["cancel_at"] is not None and (at_end is False or at == ""):
        subscriptions.keep(call.store, sub)


def _add_invoice_items(call: Call, sub: Obj) -> None:
    """Pending invoice items, for the subscription's next invoice, of one-time prices."""
    parent = {"subscription_details": {"subscription": sub["id"]}, "type": "subscription_details"}
    customer = call.store.get("customer", sub["customer"])
    for index, row in enumerate(call.params.get("add_invoice_items") or []):
        known, name = {key: row[key] for key in row if key != "period"}, f"add_invoice_items[{index}]"
        invoice_items.entered(call, customer, known, sub["currency"], None, name, parent=parent)


def create(call: Call, held: Sequence[str] = ()) -> Obj:
    """A new subscription and its first invoice, collected as `payment_behavior` says. Raises ApiError 400 or 402.

    held: discounts made for it before, which `discounts` may name.
    """
    store, given = call.store, call.params
    customer = call.find("customer", given["customer"], "customer")
    payment = given.get("payment_behavior", "allow_incomplete")
    if payment == "pending_if_incomplete":
        raise refuse("pending_on_create", "payment_behavior")
    current = [one["status"] for one in store.rows("subscription", customer=customer["id"])]
    if sum(status not in subscriptions.ENDED for status in current) >= options.MAX_SUBSCRIPTIONS:
        raise refuse("many_subscriptions", id=customer["id"], most=options.MAX_SUBSCRIPTIONS)
    sub = subscriptions.prepare(store, customer, currency=given.get("currency", "").lower())
    if given.get("billing_mode", {}).get("type") == "classic":
        sub["billing_mode"] = {"type": "classic"}
    items = items_of.wanted(call, sub, items_of.rows_of(given), "items")
    if customer["currency"] not in (None, sub["currency"]):
        raise refuse("currencies", found=customer["currency"])
    end, anchor = _trial_end(call, items), given.get("billing_cycle_anchor")
    units = [item["price"]["recurring"] for item in items]
    limit = min(add_intervals(end or store.now, unit["interval"], unit["interval_count"]) for unit in units)
    if anchor is not None and anchor > limit:
        raise refuse("late_anchor", "billing_cycle_anchor", limit=limit)
    sub |= _settings(call, sub) | {"trial_end": end, "billing_cycle_anchor": anchor or end or store.now}
    sub["discounts"] = items_of.replaced(call, sub, list(held), given)
    _add_invoice_items(call, sub)
    proration = given.get("proration_behavior", "create_prorations")
    subscriptions.begin(store, sub, items, payment=payment, proration=proration)
    _end(call, sub)
    if sub["status"] == "incomplete" and payment != "default_incomplete":
        if not renewals.has_payment_method(store, sub):
            raise refuse("no_method")
        if payment == "error_if_incomplete":
            raise changes.declined(store, store.get("invoice", sub["latest_invoice"]))
    return sub


def update(call: Call) -> Obj:
    """Change a subscription. Raises ApiError 400 or 402, and the caller rolls everything back."""
    store, given, sub = call.store, call.params, call.target("subscription")
    _check(call, sub)
    fields = _settings(call, sub)
    if "discounts" in given:
        fields["discounts"] = items_of.replaced(call, sub, sub["discounts"], given)
    if "pause_collection" in fields:
        store.unschedule("collection_resume", sub["id"])
    if pause := fields.get("pause_collection"):
        pause.setdefault("resumes_at", None)
        if pause["resumes_at"] is not None:
            store.schedule(pause["resumes_at"], "collection_resume", sub["id"])
    items = items_of.wanted(call, sub, items_of.rows_of(given), "items")
    _add_invoice_items(call, sub)
    change = items_of.change_of(call, sub, items, fields)
    _move(call, sub, change)
    changes.apply(store, sub, change)
    _end(call, sub)
    return sub


def _check(call: Call, sub: Obj) -> None:
    """Refuse what the subscription's state does not allow."""
    given = call.params
    if sub["status"] in subscriptions.ENDED and set(given) - AFTER_THE_END:
        raise refuse("ended")
    for name in MANAGED:
        if given.get(name) is not None:
            items_of.check_open(sub, name)
    unfit = sorted(set(given) - HOLDABLE)
    if unfit and given.get("payment_behavior") == "pending_if_incomplete":
        raise refuse("not_holdable", unfit[0], names=", ".join(unfit))
    if sub["pending_update"] and given.get("items"):
        raise refuse("pending_update", "items")


def _move(call: Call, sub: Obj, change: "changes.Change") -> None:
    """What `billing_cycle_anchor` and `trial_end` ask for."""
    is_trial, now = sub["status"] == "trialing", call.store.now
    change.restart = (call.params.get("billing_cycle_anchor") or {}).get("type") == "now"
    if call.params.get("trial_end") == "now" and is_trial:
        change.restart, change.proration, change.fields["trial_end"] = True, "none", now
    elif (end := _trial_end(call)) is not None:
        change.fields |= {"trial_end": end, "status": "trialing", "billing_cycle_anchor": end}
        coming = sub | change.fields
        subscriptions.plan_trial_notice(call.store, coming)
        if is_trial:  # made longer or shorter: nothing to bill, its items' periods end with it
            change.items = [subscriptions.opened(coming, [item], item["current_period_start"])[0]
                            for item in change.items]  # fmt: skip
        else:
            change.fields["trial_start"], change.restart = now, True


def remove_discount(call: Call) -> Obj:
    """Take the subscription's discounts off; answers with the first of them."""
    sub = call.target("subscription")
    if not (gone := sub["discounts"]):
        raise refuse("no_discount", "id", http=404, id=sub["id"])
    subscriptions.drop_discounts(call.store, sub, gone)
    shown = {name: value for name, value in call.store.get("discount", gone[0]).items() if name != "end"}
    return shown | {"deleted": True}


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
    used: subscriptions.Periods = {}
    for item in sub["items"]["data"] if sub["status"] not in ("incomplete", "paused") else ():
        if prorate:
            prorations.prorate(store, sub, item, None, at=store.now)
        if invoice_now and subscriptions.is_metered(item) and item["current_period_start"] < store.now:
            used[item["id"]] = (item["current_period_start"], store.now + 1)  # no other period takes this second
    first = store.find("invoice", sub["latest_invoice"] or "") if sub["status"] == "incomplete" else None
    invoice = subscriptions.bill(store, sub, used, {}) if invoice_now else None
    subscriptions.end(store, sub, "cancellation_requested")
    if invoice is not None:
        subscriptions.collect(store, invoice)
    if first is not None and first["status"] == "open":
        invoices.void(store, first)
    return sub


def pause(call: Call) -> Obj:
    """Bill nothing from now on: unused time goes back, and usage so far is billed."""
    store, sub, given = call.store, call.target("subscription"), call.params
    given.get("type")  # `subscription` is the only type
    if sub["billing_mode"]["type"] != "flexible" or sub["schedule"]:
        raise refuse("managed" if sub["schedule"] else "classic", id=sub["schedule"])
    for item in sub["items"]["data"]:
        prorations.accrued(store, sub, item)
        prorations.prorate(store, sub, item, None, at=store.now)
    was, is_billed = {"latest_invoice": sub["latest_invoice"]}, given.get("invoicing_behavior") == "invoice"
    invoice = subscriptions.bill(store, sub, {}, {}) if is_billed else None
    subscriptions.hold(store, objects.tell(store, sub, was), "pause_requested")
    if invoice is not None:
        subscriptions.collect(store, invoice)
    return sub


def resume(call: Call) -> Obj:
    """Begin new periods now, billed at once; with the old anchor for what remains of its period, as prorations."""
    store, sub, given = call.store, call.target("subscription"), call.params
    was, proration = dict(sub), given.get("proration_behavior", "create_prorations")
    sub |= {"status": "active", "status_details": None}
    if given.get("billing_cycle_anchor", {"type": "now"})["type"] == "now":
        sub["billing_cycle_anchor"] = store.now
    sub["items"] = subscriptions.listed(sub, subscriptions.opened(sub, sub["items"]["data"], store.now))
    ahead = subscriptions.licences_ahead(store, sub, proration)
    invoice = subscriptions.bill(store, sub, {}, ahead) if ahead or proration == "always_invoice" else None
    objects.become(store, objects.tell(store, sub, was), "resumed")
    subscriptions.plan(store, sub)
    if invoice is not None:
        subscriptions.collect(store, invoice)
    return sub


def migrate(call: Call) -> Obj:
    """From classic to flexible billing; there is no way back."""
    sub = call.target("subscription")
    if sub["billing_mode"]["type"] == "flexible":
        raise refuse("flexible", "billing_mode[type]")
    mode = taken("subscription", call.params, None, ("billing_mode",))["billing_mode"]
    return subscriptions.save(call.store, sub, billing_mode=mode | {"updated_at": call.store.now})


ROUTES: dict[str, Handler] = {
    "POST /v1/subscriptions": create,
    "POST /v1/subscriptions/{id}": update,
    "DELETE /v1/subscriptions/{id}": cancel,
    "DELETE /v1/subscriptions/{id}/discount": remove_discount,
    "POST /v1/subscriptions/{id}/pause": pause,
    "POST /v1/subscriptions/{id}/resume": resume,
    "POST /v1/subscriptions/{id}/migrate": migrate,
}
