"""A subscription's life as time and clients share it: it begins, changes its items, is kept, paused or ended."""

from collections.abc import Iterable, Sequence
from typing import Any

from sandbox import changes, discounts, invoices, objects, options, payments, prorations, schedules
from sandbox.clock import DAY, period_at
from sandbox.events import plain
from sandbox.store import Obj, Store

ENDED = frozenset({"canceled", "incomplete_expired"})
Periods = dict[str, tuple[int, int]]  # item id → its period


def start(store: Store, customer: Obj, items: Sequence[tuple[Obj, int | None]], *, coupons: Iterable[str] = ()) -> Obj:
    """A new subscription from now on: its first invoice is finalised and collected, its renewal is on the agenda.

    items: prices with their quantity, None for metered ones. coupons: ids.
    """
    sub = prepare(store, customer, currency=items[0][0]["currency"])
    owner = {"customer": customer["id"], "subscription": sub["id"]}
    sub["discounts"] = [discounts.use(store, store.get("coupon", one), **owner)["id"] for one in coupons]
    return begin(store, sub, [new_item(store, sub, price, quantity) for price, quantity in items])


def prepare(store: Store, customer: Obj, **fields: Any) -> Obj:
    """A stored subscription without items that has not begun: no invoice, no event; `begin` does the rest."""
    owner = {"customer": customer["id"], "test_clock": customer["test_clock"], "start_date": store.now}
    return objects.create(store, "subscription", emits=False, billing_cycle_anchor=store.now, **owner, **fields)


def begin(
    store: Store, sub: Obj, items: list[Obj], *, payment: str = "allow_incomplete", proration: str = "create_prorations"
) -> Obj:
    """Bill the first period of these items and tell; `payment` and `proration` are Stripe's `…_behavior`."""
    customer = store.get("customer", sub["customer"])
    if customer["currency"] is None:
        objects.update(store, customer, currency=sub["currency"])
    sub |= {"status": "active", "items": listed(sub, opened(sub, items, store.now))}
    if sub["trial_end"]:
        sub |= {"status": "trialing", "trial_start": store.now}
        plan_trial_notice(store, sub)
    ahead = licences_ahead(store, sub, proration)
    invoice = bill(store, sub, {}, ahead, "subscription_create")
    is_charged = invoice and invoice["total"] > 0 and sub["collection_method"] == "charge_automatically"
    if is_charged and sub["status"] == "active":
        sub["status"] = "incomplete"
        store.schedule(store.now + options.INCOMPLETE_SECONDS, "payment_expire", sub["id"])
    plan(store, objects.become(store, sub, "created"))
    if invoice is not None:
        collect(store, invoice, payment)
    return sub


def new_item(store: Store, sub: Obj, price: Obj, quantity: int | None, **fields: Any) -> Obj:
    """An item for a subscription; it has no period yet."""
    blank: Obj = {"id": store.new_id("si_", 14)}
    blank |= objects.shape("subscription_item", created=store.now, subscription=sub["id"])
    return repriced(blank, price, quantity, **fields)


def repriced(item: Obj, price: Obj, quantity: int | None, **fields: Any) -> Obj:
    """The item with another price and quantity (None: metered)."""
    changed = {key: value for key, value in item.items() if key != "quantity"} | {"price": plain(price)} | fields
    return changed if quantity is None else changed | {"quantity": quantity}


def listed(sub: Obj, rows: list[Obj]) -> Obj:
    """A subscription's `items`."""
    url = f"/v1/subscription_items?subscription={sub['id']}"
    return {"object": "list", "data": rows, "has_more": False, "url": url}


def opened(sub: Obj, items: Iterable[Obj], at: int) -> list[Obj]:
    """The items with periods that begin at `at`, to the end of the trial or subscription, else the anchor's turn."""
    trial, last, found = sub["trial_end"] or 0, sub["cancel_at"] or 0, []
    for item in items:
        end = trial if trial > at else turn(sub, item, at)[1]
        end = min(end, last) if last > at else end
        billed = at if is_metered(item) else end
        found.append(item | {"current_period_start": at, "current_period_end": end, "billed_until": billed})
    return found


def turn(sub: Obj, item: Obj, at: int) -> tuple[int, int]:
    """The full period of the item's price around `at`, counted from the subscription's anchor."""
    unit = item["price"]["recurring"]
    return period_at(sub["billing_cycle_anchor"], unit["interval"], unit["interval_count"], at)


def is_metered(item: Obj) -> bool:
    """Whether an item is billed by usage, after its period; others are licences, paid before it."""
    return bool(item["price"]["recurring"]["usage_type"] == "metered")


def period_of(item: Obj) -> tuple[int, int]:
    return item["current_period_start"], item["current_period_end"]


def licences_ahead(store: Store, sub: Obj, proration: str = "create_prorations") -> Periods:
    """The periods of licences that begin now, to be billed ahead.

    What is shorter than its price's period (up to a later anchor, or to the subscription's end) is prorated instead,
    or free if `proration` is `none`.
    """
    ahead: Periods = {}
    for item in sub["items"]["data"]:
        if is_metered(item) or item["current_period_start"] != store.now:
            continue
        if sub["status"] == "trialing" or turn(sub, item, store.now) == period_of(item):
            ahead[item["id"]] = period_of(item)
        elif proration != "none":
            prorations.prorate(store, sub, None, item, at=store.now)
    return ahead


def bill(store: Store, sub: Obj, used: Periods, ahead: Periods, reason: str = "subscription_update") -> Obj | None:
    """A draft, now the subscription's latest invoice, for these periods and what is pending; None without any."""
    if not (used or ahead or prorations.pending(store, sub)):
        return None
    invoice = invoices.draft(store, sub, reason, used=used, ahead=ahead)
    sub["latest_invoice"] = invoice["id"]
    return invoice


def collect(store: Store, invoice: Obj, payment: str = "allow_incomplete") -> Obj:
    """Finalise an invoice, and try to collect it unless `payment` (Stripe's payment_behavior) leaves that to others."""
    invoice = invoices.finalize(store, invoice)
    waits = payment == "default_incomplete" and invoice["amount_due"] > 0
    return invoice if waits else payments.collect(store, invoice)


def swap(store: Store, sub: Obj, item_id: str, price: Obj, quantity: int | None) -> list[Obj]:
    """Change an item's price without proration and without an event: its period's usage is billed on the new price.

    Returns the items as they were, for `save(..., before=...)`, which tells.
    """
    before: list[Obj] = sub["items"]["data"]
    sub["items"] = listed(sub, [repriced(item, price, quantity) if item["id"] == item_id else item for item in before])
    store.put(sub)
    return before


def save(store: Store, sub: Obj, *, before: list[Obj] | None = None, **fields: Any) -> Obj:
    """Set fields and tell in one `customer.subscription.updated`; `before`: the items, if they changed since."""
    was = {name: sub[name] for name in fields} | ({} if before is None else {"items": listed(sub, before)})
    sub |= fields
    return objects.tell(store, sub, was)


def request_cancel(store: Store, sub: Obj, at: int | None = None) -> Obj:
    """The customer asks that it end at `at`, or with its (longest) period."""
    said = sub["cancellation_details"] | {"reason": "cancellation_requested"}
    fields: Obj = {"cancel_at": at or max(item["current_period_end"] for item in sub["items"]["data"])}
    fields |= {"cancel_at_period_end": at is None, "canceled_at": store.now, "cancellation_details": said}
    plan(store, save(store, sub, **fields))
    return sub


def keep(store: Store, sub: Obj) -> Obj:
    """Take a requested cancellation back."""
    said = dict.fromkeys(sub["cancellation_details"])
    fields: Obj = {"cancel_at_period_end": False, "cancel_at": None, "canceled_at": None, "cancellation_details": said}
    plan(store, save(store, sub, **fields))
    return sub


def end(store: Store, sub: Obj, reason: str | None, status: str = "canceled") -> Obj:
    """It ends now and is billed no more; `reason` is Stripe's (None leaves what the details say)."""
    was = dict(sub)
    sub |= {"status": status, "ended_at": store.now}
    sub["cancellation_details"] = sub["cancellation_details"] | ({"reason": reason} if reason else {})
    if status == "canceled":
        sub["canceled_at"] = sub["canceled_at"] or store.now
        objects.become(store, sub, "deleted")
    else:
        objects.tell(store, sub, was)
    plan(store, sub)
    schedules.end_with(store, sub)
    invoices.stop_collecting(store, sub)
    store.world.ended(store, sub)
    return sub


def hold(store: Store, sub: Obj, reason: str) -> Obj:
    """Pause it: its periods end now, and none begins until it is resumed. `reason`: see stripe.md 2.2."""
    said = {"paused": {"type": "subscription", "transitioned_at": store.now, "subscription": {"type": reason}}}
    cut = [item | {"current_period_end": min(item["current_period_end"], store.now)} for item in sub["items"]["data"]]
    save(store, sub, status="paused", status_details=said, items=listed(sub, cut))
    plan(store, objects.become(store, sub, "paused"))
    return sub


def drop_discounts(store: Store, sub: Obj, gone: list[str]) -> None:
    """Take discounts off the subscription and its items, and tell."""
    owners = (sub, *sub["items"]["data"])
    for one in [one for one in gone if any(one in owner["discounts"] for owner in owners)]:
        discounts.end(store, one)
    left, *of_items = [[one for one in owner["discounts"] if one not in gone] for owner in owners]
    items = [item | {"discounts": own} for item, own in zip(owners[1:], of_items, strict=True)]
    save(store, sub, items=listed(sub, items), discounts=left)


def paid(store: Store, sub: Obj, invoice: Obj) -> None:
    """An invoice was paid; if it is that of a pending update, the subscription becomes what that holds."""
    update, before = sub["pending_update"], sub["items"]["data"]
    if update is None or sub["status"] in ENDED or not changes.is_held_by(store, update, invoice):
        return
    fields = {name: update[name] for name in changes.HELD if update[name] is not None}
    items = update["subscription_items"]
    if update["billing_cycle_anchor"] is None:  # a renewal may have begun other periods since
        items = [_on_time(store, sub, item) for item in items]
    store.unschedule("update_expire", invoice["id"])
    save(store, sub, items=listed(sub, items), pending_update=None, **fields)
    plan(store, objects.become(store, sub, "pending_update_applied"))
    store.world.changed(store, sub, before)


def _on_time(store: Store, sub: Obj, item: Obj) -> Obj:
    """A held item in the period of its like that has been renewed since, if one has; new ones run from now on."""
    if item["current_period_end"] > store.now:
        return item
    like = next((one for one in sub["items"]["data"] if one["id"] == item["id"]), None)
    names = ("current_period_start", "current_period_end", "billed_until")
    return item | {name: like[name] for name in names} if like else opened(sub, [item], store.now)[0]


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


def plan_trial_notice(store: Store, sub: Obj) -> None:
    """`trial_will_end` comes some days before the trial's end, or at once."""
    store.unschedule("trial_will_end", sub["id"])
    store.schedule(max(sub["trial_end"] - options.TRIAL_NOTICE_SECONDS, store.now), "trial_will_end", sub["id"])
