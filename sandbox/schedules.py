"""Subscription schedules: phases of a subscription that time enters (stripe.md 4.2)."""

from typing import Any

from sandbox import changes, discounts, objects, renewals, subscription_cancel, subscriptions
from sandbox import subscription_items as items_of
from sandbox.call import Call, Handler, plain_value
from sandbox.clock import DAY, add_intervals
from sandbox.events import emit
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.simple import taken
from sandbox.store import Obj, Store

STORED = ("end_behavior", "metadata", "default_settings")
NOTICE = 7 * DAY  # subscription_schedule.expiring before the last phase ends
SETS = ("collection_method", "default_payment_method", "description", "metadata", "trial_end")  # on the subscription
UNSET = ("application_fee_percent", "billing_cycle_anchor", "billing_thresholds", "default_tax_rates",
         "invoice_settings", "on_behalf_of", "transfer_data")  # fmt: skip
PHASE: Obj = dict.fromkeys((*SETS, *UNSET)) | {"add_invoice_items": [], "discounts": []}
PHASE["proration_behavior"] = "create_prorations"


def create(call: Call) -> Obj:
    """Of phases for a customer, begun at `start_date`; or `from_subscription`, with its running period as a phase."""
    store, given = call.store, call.params
    fields, sub, start = taken("subscription_schedule", given, None, STORED), None, given.get("start_date", "now")
    start = store.now if start == "now" else start
    if "from_subscription" in given:
        for name in {"phases", "customer", "start_date"} & set(given):
            raise refuse("from_subscription", name, name=name)
        sub = call.find("subscription", given["from_subscription"], "from_subscription")
        if sub["schedule"] or sub["status"] in subscriptions.ENDED:
            raise refuse("has_schedule" if sub["schedule"] else "ended", "from_subscription", id=sub["schedule"])
        phase = _running(sub)
        fields |= {"phases": [phase], "subscription": sub["id"], "status": "active", "current_phase": _bounds(phase)}
        customer = store.get("customer", sub["customer"])
    else:
        for name in ("customer", "phases"):
            if not given.get(name):
                raise refuse("missing", name)
        customer = call.find("customer", given["customer"], "customer")
        fields["phases"] = _phases(call, given["phases"], start, None)
    fields |= {"customer": customer["id"], "test_clock": customer["test_clock"]}
    schedule = objects.create(store, "subscription_schedule", **fields)
    if sub is not None:
        subscriptions.save(store, sub, schedule=schedule["id"])
    _plan(store, schedule)
    if sub is None and start <= store.now:
        step(store, schedule["id"])
    return schedule


def _bounds(phase: Obj) -> Obj:
    return {name: phase[name] for name in ("start_date", "end_date")}


def _item(price: Obj, given: Any) -> Obj:
    """An item of a phase, of one of a subscription or of what a request says."""
    kept = {"price": price["id"], "billing_thresholds": None, "discounts": plain_value(given.get("discounts", []))}
    kept |= {"metadata": given["metadata"], "tax_rates": given["tax_rates"]}
    return kept | ({} if given.get("quantity") is None else {"quantity": given["quantity"]})


def _running(sub: Obj) -> Obj:
    """The subscription's present period as a phase."""
    items = [_item(item["price"], item | {"discounts": []}) for item in sub["items"]["data"]]
    start, end = subscriptions.period_of(sub["items"]["data"][0])
    held = [{"coupon": None, "discount": one, "promotion_code": None} for one in sub["discounts"]]
    phase = PHASE | {"currency": sub["currency"], "discounts": held, "items": items, "trial_end": sub["trial_end"]}
    return phase | {"metadata": dict(sub["metadata"]), "start_date": start, "end_date": end}


def _phases(call: Call, rows: list[Given], start: int, sub: Obj | None) -> list[Obj]:
    """The phases that a request describes, one after the other from `start`. Raises ApiError 400."""
    phases: list[Obj] = []
    for index, row in enumerate(rows):
        name, given = f"phases[{index}]", row.get("start_date", start)
        if given not in (start, "now") or (given == "now" and start != call.store.now):
            raise refuse("phase_start", f"{name}[start_date]", wanted=start)
        currency = sub["currency"] if sub else phases[0]["currency"] if phases else row.get("currency")
        mode = sub["billing_mode"]["type"] if sub else "flexible"
        specs = items_of.specs_of(call, row["items"], currency, f"{name}[items]", mode)
        end, length = row.get("end_date"), row.get("duration")
        if end is not None and length is not None:
            raise refuse("one_of", f"{name}[end_date]", names="end_date, duration")
        unit = length or specs[0]["price"]["recurring"]
        natural = add_intervals(start, unit["interval"], unit.get("interval_count", 1))
        end = natural if end is None else call.store.now if end == "now" else end
        if end <= start or (end <= call.store.now and row is rows[-1]):
            raise refuse("phase_end", f"{name}[end_date]")
        phase = PHASE | {key: plain_value(row[key]) for key in PHASE if row.get(key, "") != ""}
        phase["trial_end"] = end if row.get("trial") else phase["trial_end"]
        items = [_item(spec["price"], dict(one) | spec) for spec, one in zip(specs, row["items"], strict=True)]
        phase |= {"currency": specs[0]["price"]["currency"], "start_date": start, "end_date": end, "items": items}
        phases.append(phase)
        start = end
    return phases


# --- what time does


def _plan(store: Store, schedule: Obj) -> None:
    """The next boundary goes on the agenda. A subscription that ends with its schedule shows when."""
    phases, current = schedule["phases"], schedule["current_phase"]
    store.unschedule("schedule_step", schedule["id"])
    store.unschedule("schedule_expiring", schedule["id"])
    at = current["end_date"] if current else phases[0]["start_date"]
    store.schedule(max(at, store.now), "schedule_step", schedule["id"])
    last = phases[-1]["end_date"]
    if last - NOTICE > store.now:
        store.schedule(last - NOTICE, "schedule_expiring", schedule["id"])
    sub = _subscription(store, schedule)
    if sub is not None and schedule["end_behavior"] == "cancel" and sub["cancel_at"] != last:
        subscriptions.save(store, sub, cancel_at=last)
        subscriptions.plan(store, sub)


def _subscription(store: Store, schedule: Obj) -> Obj | None:
    sub = store.find("subscription", schedule["subscription"] or "")
    return None if sub is None or sub["status"] in subscriptions.ENDED else sub


def step(store: Store, ref: str) -> None:
    """A phase begins, or the last one has ended."""
    schedule = store.get("subscription_schedule", ref)
    sub = _subscription(store, schedule)
    if sub is not None and any(item["current_period_end"] == store.now for item in sub["items"]["data"]):
        renewals.renew(store, sub["id"])  # bills the period that ends on the old items, and takes up the phase
    phase = _due(store, schedule)
    if phase is not None:
        _enter(store, schedule, sub, phase)
    elif schedule["status"] == "active" and store.now >= schedule["phases"][-1]["end_date"]:
        if schedule["end_behavior"] == "release" or sub is None:
            _release(store, schedule)
        else:
            subscriptions.end(store, sub, "cancellation_requested")


def expiring(store: Store, ref: str) -> None:
    """A week before the last phase ends."""
    if (schedule := store.get("subscription_schedule", ref))["status"] == "active":
        emit(store, "subscription_schedule.expiring", schedule)


def _due(store: Store, schedule: Obj) -> Obj | None:
    """The phase that runs now and has not been taken up."""
    began = (schedule["current_phase"] or {"start_date": None})["start_date"]
    phases: list[Obj] = schedule["phases"] if schedule["status"] in ("not_started", "active") else []
    found = (phase for phase in phases if phase["start_date"] <= store.now < phase["end_date"])
    return next((phase for phase in found if phase["start_date"] != began), None)


def take_up(store: Store, sub: Obj) -> tuple[list[Obj], Obj] | None:
    """At a renewal: the items and fields of the phase that begins with it, if one does."""
    schedule = store.find("subscription_schedule", sub["schedule"] or "")
    phase = _due(store, schedule) if schedule else None
    if schedule is None or phase is None:
        return None
    return _mark(store, schedule, phase, sub)


def _enter(store: Store, schedule: Obj, sub: Obj | None, phase: Obj) -> None:
    if sub is not None:
        items, fields = _mark(store, schedule, phase, sub)
        anew = phase["billing_cycle_anchor"] == "phase_start"
        changes.apply(store, sub, changes.Change(items, fields, phase["proration_behavior"], restart=anew))
        return
    names = ("price", "quantity", "metadata", "tax_rates")
    specs = [{name: row.get(name) for name in names} for row in phase["items"]]
    specs = [spec | {"price": store.get("price", spec["price"])} for spec in specs]
    fields = {name: phase[name] for name in SETS if phase[name]} | {"schedule": schedule["id"]}
    fields["cancel_at"] = schedule["phases"][-1]["end_date"] if schedule["end_behavior"] == "cancel" else None
    sub = subscriptions.prepare(store, store.get("customer", schedule["customer"]), specs, **fields)
    schedule["subscription"] = sub["id"]
    sub["discounts"] = _mark(store, schedule, phase, sub)[1].get("discounts", [])
    subscriptions.begin(store, sub)


def _mark(store: Store, schedule: Obj, phase: Obj, sub: Obj) -> tuple[list[Obj], Obj]:
    """The phase is now the current one; returns the items and fields that it gives the subscription."""
    objects.update(store, schedule, status="active", current_phase=_bounds(phase))
    _plan(store, schedule)
    fields = {name: phase[name] for name in SETS if phase[name]}
    coupons = [store.get("coupon", row["coupon"]) for row in phase["discounts"] if row.get("coupon")]
    if coupons:
        kept = [row["discount"] for row in phase["discounts"] if row.get("discount")]
        made = [discounts.use(store, one, customer=sub["customer"], subscription=sub["id"])["id"] for one in coupons]
        fields["discounts"] = kept + made
    return _items(store, sub, phase), fields


def _items(store: Store, sub: Obj, phase: Obj) -> list[Obj]:
    """A phase's items on the subscription: an item keeps its id where its price stays."""
    old, found = {item["price"]["id"]: item for item in sub["items"]["data"]}, []
    for row in phase["items"]:
        price = store.get("price", row["price"])
        item = old.get(row["price"]) or subscriptions.new_item(store, sub, {"price": price}, store.now)
        item = subscriptions.repriced(item, price, row.get("quantity"))
        found.append(item | {"metadata": dict(row["metadata"] or {}), "tax_rates": list(row["tax_rates"] or [])})
    return found


# --- routes


def _live(call: Call, act: str) -> Obj:
    schedule = call.target("subscription_schedule")
    if schedule["status"] not in ("not_started", "active"):
        raise refuse("schedule_status", act=act, status=schedule["status"])
    return schedule


def update(call: Call) -> Obj:
    """Other phases from the current one on; a current phase with other items changes the subscription now."""
    store, given, schedule = call.store, call.params, _live(call, "update")
    fields, now = taken("subscription_schedule", given, schedule, STORED), schedule["current_phase"]
    sub, proration = _subscription(store, schedule), given.get("proration_behavior", "create_prorations")
    if rows := given.get("phases"):
        start = rows[0].get("start_date", schedule["phases"][0]["start_date"])
        fields["phases"] = _phases(call, rows, store.now if start == "now" else start, sub)
        found = [phase for phase in fields["phases"] if now and phase["start_date"] == now["start_date"]]
        if now and not found:
            raise refuse("phase_current", "phases", start=now["start_date"])
        fields["current_phase"] = _bounds(found[0]) if found else None
    objects.update(store, schedule, **fields)
    _plan(store, schedule)
    if sub is not None and rows and (items := _items(store, sub, found[0])) != sub["items"]["data"]:
        changes.apply(store, sub, changes.Change(items, {}, proration))
    return schedule


def release(call: Call) -> Obj:
    """Let the subscription go on as it is, without the schedule."""
    schedule = _live(call, "release")
    keeps_end = call.params.get("preserve_cancel_date") or schedule["end_behavior"] != "cancel"
    sub = _release(call.store, schedule)
    if sub is not None and not keeps_end:
        subscriptions.keep(call.store, sub)
    return schedule


def _release(store: Store, schedule: Obj) -> Obj | None:
    sub = _subscription(store, schedule)
    gone = {"status": "released", "released_at": store.now, "released_subscription": schedule["subscription"]}
    objects.update(store, schedule, emits=False, **gone, subscription=None, current_phase=None)
    emit(store, "subscription_schedule.released", schedule)
    if sub is not None:
        subscriptions.save(store, sub, schedule=None)
    return sub


def cancel(call: Call) -> Obj:
    """End the schedule, and its subscription with it at once."""
    store, given, schedule = call.store, call.params, _live(call, "cancel")
    now, prorate = given.get("invoice_now", True), given.get("prorate", True)
    if (sub := _subscription(store, schedule)) is not None:
        subscription_cancel.stop(store, sub, invoice_now=now, prorate=prorate)
    else:
        objects.update(store, schedule, emits=False, status="canceled", canceled_at=store.now)
        emit(store, "subscription_schedule.canceled", schedule)
    return schedule


TASKS = {"schedule_step": step, "schedule_expiring": expiring}
ROUTES: dict[str, Handler] = {
    "POST /v1/subscription_schedules": create,
    "POST /v1/subscription_schedules/{id}": update,
    "POST /v1/subscription_schedules/{id}/cancel": cancel,
    "POST /v1/subscription_schedules/{id}/release": release,
}
