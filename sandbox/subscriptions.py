"""A subscription's life as time and clients share it: it begins, changes its items, is kept, paused or ended."""

from collections.abc import Iterable, Sequence
from typing import Any

from sandbox import changes, discounts, invoices, objects, options, payments, prorations
from sandbox.clock import DAY, period_at
from sandbox.events import emit, plain
from sandbox.store import Obj, Store

ENDED = frozenset({"canceled", "incomplete_expired"})
Spec = dict[str, Any]  # of an item to be made: price, quantity (None: metered), and fields such as metadata


def start(
    store: Store, customer: Obj, items: Sequence[tuple[Obj, int | None]], *, coupons: Iterable[str] = (), **fields: Any
) -> Obj:
    """A new subscription from now on: its first invoice is finalised and collected, its renewal is on the agenda.

    items: prices with their quantity, None for metered ones. coupons: ids. fields: of the object; `trial_end` and
    `billing_cycle_anchor` (unix seconds, in the future) shape the first period.
    """
    sub = prepare(store, customer, [{"price": price, "quantity": quantity} for price, quantity in items], **fields)
    found = [store.get("coupon", one) for one in coupons]
    sub["discounts"] = [
        discounts.use(store, one, customer=customer["id"], subscription=sub["id"])["id"] for one in found
    ]
    return begin(store, sub)


def prepare(store: Store, customer: Obj, specs: Sequence[Spec], **fields: Any) -> Obj:
    """A stored subscription that has not begun: no invoice, no event; `begin` does the rest."""
    currency, trial_end = fields.pop("currency", None) or specs[0]["price"]["currency"], fields.get("trial_end")
    if customer["currency"] is None:
        objects.update(store, customer, currency=currency)
    fields = {"billing_cycle_anchor": trial_end or store.now, "trial_start": store.now if trial_end else None} | fields
    fields |= {"currency": currency, "customer": customer["id"], "test_clock": customer["test_clock"]}
    sub = objects.create(store, "subscription", emits=False, start_date=store.now, **fields)
    sub["items"] = listed(sub, [new_item(store, sub, spec, store.now) for spec in specs])
    return sub


def begin(store: Store, sub: Obj, *, payment: str = "allow_incomplete", proration: str = "create_prorations") -> Obj:
    """Bill the first period and say that the subscription is there; `payment` is Stripe's payment_behavior.

    A first period that is shorter than its price's (up to a later billing_cycle_anchor, or to the end) is prorated, or
    free if `proration` is `none`.
    """
    sub["status"] = "trialing" if sub["trial_end"] else "active"
    ahead, invoice = {}, None
    for item in sub["items"]["data"]:
        if is_licensed(item) and (sub["trial_end"] or is_whole(sub, item)):
            ahead[item["id"]] = period_of(item)
        elif proration != "none":
            prorations.prorate(store, sub, None, item, at=store.now)
    if ahead or prorations.pending(store, sub):
        invoice = invoices.draft(store, sub, "subscription_create", ahead=ahead)
        sub["latest_invoice"] = invoice["id"]
        if sub["status"] == "active" and invoice["total"] > 0 and sub["collection_method"] == "charge_automatically":
            sub["status"] = "incomplete"
    store.put(sub)
    emit(store, "customer.subscription.created", sub)
    plan(store, sub)
    if sub["trial_end"]:
        store.schedule(max(sub["trial_end"] - options.TRIAL_NOTICE_SECONDS, store.now), "trial_will_end", sub["id"])
    for one in sub["discounts"]:
        plan_discount(store, one)
    if invoice is not None:
        collect(store, invoice, payment)
    if sub["status"] == "incomplete":
        store.schedule(store.now + options.INCOMPLETE_SECONDS, "payment_expire", sub["id"])
    return sub


def collect(store: Store, invoice: Obj, payment: str) -> Obj:
    """Finalise an invoice, and try to collect it unless `payment` (Stripe's payment_behavior) leaves that to others."""
    invoice = invoices.finalize(store, invoice)
    waits = payment == "default_incomplete" and invoice["amount_due"] > 0
    return invoice if waits else payments.collect(store, invoice)


# --- items


def new_item(store: Store, sub: Obj, spec: Spec, at: int) -> Obj:
    """An item for a subscription whose first period begins at `at`."""
    item: Obj = {"id": store.new_id("si_", 14)} | objects.shape("subscription_item", created=at, subscription=sub["id"])
    item |= {key: value for key, value in spec.items() if value is not None} | {"price": plain(spec["price"])}
    return item | first_period(sub, item, at)


def first_period(sub: Obj, item: Obj, at: int) -> Obj:
    """The bounds of an item's period that begins at `at`: to the end of the trial, else to the anchor's next turn."""
    trial, last = sub["trial_end"] or 0, sub["cancel_at"] or 0
    end = trial if trial > at else _turn(sub, item, at)[1]
    end = min(end, last) if last > at else end
    return {"current_period_start": at, "current_period_end": end, "billed_until": end if is_licensed(item) else at}


def is_whole(sub: Obj, item: Obj) -> bool:
    """Whether an item's period is a full one of its price, counted from the subscription's anchor."""
    return _turn(sub, item, item["current_period_start"]) == period_of(item)


def _turn(sub: Obj, item: Obj, at: int) -> tuple[int, int]:
    recurring = item["price"]["recurring"]
    return period_at(sub["billing_cycle_anchor"], recurring["interval"], recurring["interval_count"], at)


def listed(sub: Obj, rows: list[Obj]) -> Obj:
    """A subscription's `items`."""
    url = f"/v1/subscription_items?subscription={sub['id']}"
    return {"object": "list", "data": rows, "has_more": False, "url": url}


def is_licensed(item: Obj) -> bool:
    return bool(item["price"]["recurring"]["usage_type"] == "licensed")


def period_of(item: Obj) -> tuple[int, int]:
    return item["current_period_start"], item["current_period_end"]


def repriced(item: Obj, price: Obj, quantity: int | None) -> Obj:
    """The item with another price and quantity (None: metered)."""
    changed = {key: value for key, value in item.items() if key != "quantity"} | {"price": plain(price)}
    return changed if quantity is None else changed | {"quantity": quantity}


def swap(store: Store, sub: Obj, item_id: str, price: Obj, quantity: int | None) -> list[Obj]:
    """Change an item's price without proration and without an event: its period's usage is billed on the new price.

    Returns the items as they were, for `save(..., before=...)`, which tells.
    """
    before: list[Obj] = sub["items"]["data"]
    sub["items"] = listed(sub, [repriced(item, price, quantity) if item["id"] == item_id else item for item in before])
    store.put(sub)
    return before


# --- changes


def save(store: Store, sub: Obj, *, before: list[Obj] | None = None, **fields: Any) -> Obj:
    """Set fields and tell in one `customer.subscription.updated`; `before`: the items, if they changed since."""
    if before is not None:
        fields["items"] = sub["items"]
        sub["items"] = listed(sub, before)
    return objects.update(store, sub, **fields)


def tell(store: Store, sub: Obj, was: Obj) -> Obj:
    """Say that a subscription changed whose fields were set before; `was` holds their old values."""
    fields = {key: sub[key] for key in was}
    sub.update(was)
    return objects.update(store, sub, **fields)


def request_cancel(store: Store, sub: Obj, at: int | None = None) -> Obj:
    """Mark it to end at `at`, or with its (longest) period, as a customer's request."""
    said = sub["cancellation_details"] | {"reason": "cancellation_requested"}
    end = at or max(item["current_period_end"] for item in sub["items"]["data"])
    fields: Obj = {"cancel_at_period_end": at is None, "cancel_at": end, "canceled_at": store.now}
    save(store, sub, cancellation_details=said, **fields)
    plan(store, sub)
    return sub


def keep(store: Store, sub: Obj) -> Obj:
    """Take a requested cancellation back."""
    said = dict.fromkeys(sub["cancellation_details"])
    save(store, sub, cancel_at_period_end=False, cancel_at=None, canceled_at=None, cancellation_details=said)
    plan(store, sub)
    return sub


def end(store: Store, sub: Obj, reason: str | None, status: str = "canceled") -> Obj:
    """It ends now and is billed no more; `reason` is Stripe's (None leaves what the details say)."""
    is_canceled, was = status == "canceled", {"status": sub["status"], "ended_at": None}
    details = sub["cancellation_details"] | ({"reason": reason} if reason else {})
    sub |= {"status": status, "ended_at": store.now, "cancellation_details": details}
    sub["canceled_at"] = sub["canceled_at"] or (store.now if is_canceled else None)
    store.put(sub)
    plan(store, sub)
    schedule = store.find("subscription_schedule", sub["schedule"] or "")
    if schedule is not None and schedule["status"] == "active":
        is_done = schedule["end_behavior"] == "cancel" and schedule["phases"][-1]["end_date"] <= store.now
        how = "completed" if is_done else "canceled"
        objects.update(store, schedule, emits=False, status=how, current_phase=None, **{f"{how}_at": store.now})
        emit(store, f"subscription_schedule.{how}", schedule)
    if is_canceled:
        emit(store, "customer.subscription.deleted", sub)
    else:
        tell(store, sub, was)
    invoices.stop_collecting(store, sub)
    store.world.ended(store, sub)
    return sub


def hold(store: Store, sub: Obj, reason: str) -> Obj:
    """Pause it: its periods end now, and none begins until it is resumed. `reason`: see stripe.md 2.2."""
    said = {"paused": {"type": "subscription", "transitioned_at": store.now, "subscription": {"type": reason}}}
    cut = [item | {"current_period_end": min(item["current_period_end"], store.now)} for item in sub["items"]["data"]]
    save(store, sub, status="paused", status_details=said, items=listed(sub, cut))
    emit(store, "customer.subscription.paused", sub)
    plan(store, sub)
    return sub


def release(store: Store, sub: Obj) -> Obj:
    """A paused subscription runs again, in the periods its items show."""
    save(store, sub, status="active", status_details=None)
    emit(store, "customer.subscription.resumed", sub)
    plan(store, sub)
    return sub


def paid(store: Store, sub: Obj, invoice: Obj) -> None:
    """An invoice of the subscription was paid: what had waited for that happens now."""
    if sub["latest_invoice"] != invoice["id"]:
        return
    if sub["pending_update"]:
        changes.apply_pending(store, sub)
    elif sub["status"] == "paused" and sub["items"]["data"][0]["current_period_end"] > store.now:  # resume began it
        release(store, sub)


# --- the agenda


def plan(store: Store, sub: Obj) -> None:
    """Put the next renewal (or the end, whichever comes first) on the agenda, and the notice before it."""
    for kind in ("renew", "upcoming"):
        store.unschedule(kind, sub["id"])
    if sub["status"] in (*ENDED, "paused"):
        return
    at = min(item["current_period_end"] for item in sub["items"]["data"])
    at = max(min(at, sub["cancel_at"] or at), store.now)
    store.schedule(at, "renew", sub["id"])
    notice = at - options.UPCOMING_DAYS * DAY
    if options.UPCOMING_DAYS and notice > store.now and notice >= store.events_from:
        store.schedule(notice, "upcoming", sub["id"])


def plan_discount(store: Store, identifier: str) -> None:
    """A discount with an end leaves its subscription then."""
    if (end := store.get("discount", identifier)["end"]) is not None:
        store.schedule(end, "discount_end", identifier)
