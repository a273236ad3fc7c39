"""Subscription schedules: phases of a subscription that time enters (stripe.md 4.2)."""

from typing import Any

from sandbox import changes, discounts, objects, renewals, subscription_routes, subscriptions
from sandbox import schedule_phases as phases_of
from sandbox.call import Call, Handler
from sandbox.clock import DAY
from sandbox.events import emit
from sandbox.refusals import refuse
from sandbox.simple import taken
from sandbox.store import Obj, Store

KIND = "subscription_schedule"
STORED = ("end_behavior", "metadata", "default_settings")
SETS = ("collection_method", "default_payment_method", "description", "metadata", "trial_end")  # on the subscription
NOTICE = 7 * DAY  # subscription_schedule.expiring before the last phase ends


def create(call: Call) -> Obj:
    """Of phases for a customer, begun at `start_date`; or `from_subscription`, with its running period as a phase."""
    store, given, sub = call.store, call.params, None
    fields = taken(KIND, given, None, STORED)
    if "from_subscription" in given:
        sub = store.get("subscription", given["from_subscription"])
        if sub["schedule"] or sub["status"] in subscriptions.ENDED:
            raise refuse("has_schedule" if sub["schedule"] else "ended", "from_subscription", id=sub["schedule"])
        phase = phases_of.running(sub)
        fields |= {
            "phases": [phase],
            "subscription": sub["id"],
            "status": "active",
            "current_phase": phases_of.bounds(phase),
        }
    else:
        fields["phases"] = phases_of.described(call, given["phases"], given.get("start_date", "now"), None)
    customer = store.get("customer", sub["customer"] if sub else given["customer"])
    fields |= {"customer": customer["id"], "test_clock": customer["test_clock"]}
    schedule = objects.create(store, KIND, **fields)
    if sub is not None:
        subscriptions.save(store, sub, schedule=schedule["id"])
    _plan(store, schedule)
    if fields["phases"][0]["start_date"] <= store.now:
        step(store, schedule["id"])
    return schedule


def _plan(store: Store, schedule: Obj) -> None:
    """The next boundary goes on the agenda. A subscription that ends with its schedule shows when."""
    phases, current = schedule["phases"], schedule["current_phase"]
    at, last = current["end_date"] if current else phases[0]["start_date"], phases[-1]["end_date"]
    for kind, moment in (("schedule_step", max(at, store.now)), ("schedule_expiring", last - NOTICE)):
        store.unschedule(kind, schedule["id"])
        if moment >= store.now:
            store.schedule(moment, kind, schedule["id"])
    sub = _subscription(store, schedule)
    if sub is not None and schedule["end_behavior"] == "cancel" and sub["cancel_at"] != last:
        subscriptions.plan(store, subscriptions.save(store, sub, cancel_at=last))


def _subscription(store: Store, schedule: Obj) -> Obj | None:
    sub = store.find("subscription", schedule["subscription"] or "")
    return None if sub is None or sub["status"] in subscriptions.ENDED else sub


def step(store: Store, ref: str) -> None:
    """A phase begins, or the last one has ended."""
    schedule = store.get(KIND, ref)
    sub = _subscription(store, schedule)
    if sub is not None and any(item["current_period_end"] == store.now for item in sub["items"]["data"]):
        renewals.renew(store, sub["id"])  # bills the period that ends on the old items, and takes up the phase
    if phase := _due(store, schedule):
        _enter(store, schedule, sub, phase)
    elif schedule["status"] == "active" and store.now >= schedule["phases"][-1]["end_date"]:
        if schedule["end_behavior"] == "release" or sub is None:
            _release(store, schedule)
        else:
            subscriptions.end(store, sub, "cancellation_requested")


def expiring(store: Store, ref: str) -> None:
    """A week before the last phase ends."""
    if (schedule := store.get(KIND, ref))["status"] == "active":
        emit(store, "subscription_schedule.expiring", schedule)


def _due(store: Store, schedule: Obj) -> Obj | None:
    """The phase that runs now and has not been taken up."""
    began = (schedule["current_phase"] or {}).get("start_date")
    phases: list[Obj] = schedule["phases"] if schedule["status"] in ("not_started", "active") else []
    found = (phase for phase in phases if phase["start_date"] <= store.now < phase["end_date"])
    return next((phase for phase in found if phase["start_date"] != began), None)


def take_up(store: Store, sub: Obj) -> tuple[list[Obj], Obj] | None:
    """At a renewal: the items and fields of the phase that begins with it, if one does."""
    schedule = store.get(KIND, sub["schedule"]) if sub["schedule"] else None
    phase = _due(store, schedule) if schedule else None
    return _begin(store, schedule, phase, sub) if schedule and phase else None


def _enter(store: Store, schedule: Obj, sub: Obj | None, phase: Obj) -> None:
    """A phase changes the subscription in the middle of a period, or begins one."""
    if sub is not None:
        items, fields = _begin(store, schedule, phase, sub)
        anew = phase["billing_cycle_anchor"] == "phase_start" or "trial_start" in fields
        changes.apply(store, sub, changes.Change(items, fields, phase["proration_behavior"], restart=anew))
        return
    customer, last = store.get("customer", schedule["customer"]), schedule["phases"][-1]["end_date"]
    ends = {"cancel_at": last if schedule["end_behavior"] == "cancel" else None, "currency": phase["currency"]}
    sub = subscriptions.prepare(store, customer, schedule=schedule["id"], **ends)
    schedule["subscription"] = sub["id"]
    items, fields = _begin(store, schedule, phase, sub)
    sub |= fields | {"billing_cycle_anchor": fields.get("trial_end") or store.now}
    subscriptions.begin(store, sub, items)


def _begin(store: Store, schedule: Obj, phase: Obj, sub: Obj) -> tuple[list[Obj], Obj]:
    """The phase is now the current one; returns the items and fields that it gives the subscription."""
    before = next((one for one in schedule["phases"] if phases_of.bounds(one) == schedule["current_phase"]), None)
    objects.update(store, schedule, status="active", current_phase=phases_of.bounds(phase))
    _plan(store, schedule)
    return _wanted(store, sub, phase, before)


def _wanted(store: Store, sub: Obj, phase: Obj, before: Obj | None) -> tuple[list[Obj], Obj]:
    """A phase's items on the subscription (an item keeps its id where its price stays), and its fields.

    before: the phase that it follows, or replaces.
    """
    old, items = {item["price"]["id"]: item for item in sub["items"]["data"]}, []
    owner = {"customer": sub["customer"], "subscription": sub["id"]}
    rows_before = {row["price"]: row["discounts"] for row in before["items"]} if before else {}
    for row in phase["items"]:
        spec = {"price": store.get("price", row["price"]), "quantity": row.get("quantity")}
        spec |= {"metadata": dict(row["metadata"]), "tax_rates": list(row["tax_rates"])}
        item = old.get(row["price"])
        item = subscriptions.repriced(item, **spec) if item else subscriptions.new_item(store, sub, **spec)
        earlier, named = rows_before.get(row["price"], []), {**owner, "subscription_item": item["id"]}
        items.append(item | {"discounts": _discounts(store, item["discounts"], row["discounts"], earlier, **named)})
    fields = {name: phase[name] for name in SETS if phase[name]}
    earlier = before["discounts"] if before else []
    fields["discounts"] = _discounts(store, sub["discounts"], phase["discounts"], earlier, **owner)
    if (phase["trial_end"] or 0) > store.now and sub["status"] != "trialing":
        end = phase["trial_end"]
        fields |= {"status": "trialing", "trial_start": store.now, "billing_cycle_anchor": end}
        subscriptions.plan_trial_notice(store, sub | fields)
    return items, fields


def _discounts(store: Store, held: list[str], rows: list[Obj], before: list[Obj], **owner: str) -> list[str]:
    """The discounts of a subscription or an item that held some, by those of a phase: they replace all others; where
    there are none, those of the phase before end."""
    current = {discounts.coupon_of(store, one)["id"]: one for one in held}
    if rows:
        found = []
        for row in rows:
            identifier = row.get("discount") or current.get(phases_of.coupon_of(store, row) or "")
            coupon = store.get("coupon", phases_of.coupon_of(store, row) or "") if identifier is None else None
            if coupon and discounts.is_redeemable(store, coupon):  # else it ended since the phase was written
                used = discounts.use(store, coupon, **owner, promotion_code=row.get("promotion_code"))
                identifier = used["id"]
            found += [identifier] if identifier else []
        found = discounts.running(store, found, store.now)
    else:
        gone = [row.get("discount") or current.get(phases_of.coupon_of(store, row) or "") for row in before]
        found = [one for one in held if one not in gone]
    for one in [one for one in held if one not in found]:
        discounts.end(store, one)
    return found


def _finish(store: Store, schedule: Obj, how: str, **fields: Any) -> None:
    """It is `completed`, `released` or `canceled` now."""
    objects.become(store, schedule, how, status=how, current_phase=None, **{f"{how}_at": store.now}, **fields)


def end_with(store: Store, sub: Obj) -> None:
    """The schedule of a subscription that has ended ends as well: completed after its last phase, else canceled."""
    schedule = store.get(KIND, sub["schedule"]) if sub["schedule"] else None
    if schedule and schedule["status"] == "active":
        is_done = schedule["end_behavior"] == "cancel" and schedule["phases"][-1]["end_date"] <= store.now
        _finish(store, schedule, "completed" if is_done else "canceled")


def _release(store: Store, schedule: Obj) -> Obj | None:
    sub = _subscription(store, schedule)
    _finish(store, schedule, "released", released_subscription=schedule["subscription"], subscription=None)
    return subscriptions.save(store, sub, schedule=None) if sub else None


def update(call: Call) -> Obj:
    """Other phases from the current one on; a current phase that differs changes the subscription now."""
    store, given, schedule = call.store, call.params, call.target(KIND)
    sub, now, before = _subscription(store, schedule), schedule["current_phase"], schedule["phases"]
    fields, found = taken(KIND, given, schedule, STORED), list[Obj]()
    proration = given.get("proration_behavior", "create_prorations")
    if rows := given.get("phases"):
        fields["phases"] = phases_of.described(call, rows, rows[0].get("start_date", before[0]["start_date"]), sub)
        found = [phase for phase in fields["phases"] if now and phase["start_date"] == now["start_date"]]
        if now and not found:
            raise refuse("phase_current", "phases", start=now["start_date"])
        fields["current_phase"] = phases_of.bounds(found[0]) if found else None
    objects.update(store, schedule, **fields)
    _plan(store, schedule)
    if sub is not None and found and found[0] not in before:
        replaced = next((phase for phase in before if now and phase["start_date"] == now["start_date"]), None)
        items, sets = _wanted(store, sub, found[0], replaced)
        changes.apply(store, sub, changes.Change(items, sets, proration, restart="trial_start" in sets))
    return schedule


def release(call: Call) -> Obj:
    """Let the subscription go on as it is, without the schedule."""
    schedule = call.target(KIND)
    sub = _release(call.store, schedule)
    if sub is not None and schedule["end_behavior"] == "cancel" and not call.params.get("preserve_cancel_date"):
        subscriptions.keep(call.store, sub)
    return schedule


def cancel(call: Call) -> Obj:
    """End the schedule, and its subscription with it at once."""
    schedule, given = call.target(KIND), call.params
    now, prorate = given.get("invoice_now", True), given.get("prorate", True)
    if (sub := _subscription(call.store, schedule)) is not None:
        subscription_routes.stop(call.store, sub, invoice_now=now, prorate=prorate)
    else:
        _finish(call.store, schedule, "canceled")
    return schedule


TASKS = {"schedule_step": step, "schedule_expiring": expiring}
ROUTES: dict[str, Handler] = {
    "POST /v1/subscription_schedules": create,
    "POST /v1/subscription_schedules/{id}": update,
    "POST /v1/subscription_schedules/{id}/cancel": cancel,
    "POST /v1/subscription_schedules/{id}/release": release,
}
