"""New items, anchors and trials for a running subscription, and what they cost; clients, schedules and time use it."""

from dataclasses import dataclass, field
from typing import Any

from sandbox import invoices, options, prorations, subscriptions
from sandbox.errors import ApiError
from sandbox.events import emit
from sandbox.store import Obj, Store

Periods = dict[str, tuple[int, int]]  # item id → its period
TOUCHED = ("items", "billing_cycle_anchor", "trial_end", "status", "discounts", "latest_invoice")
HELD = ("billing_cycle_anchor", "discounts", "metadata", "trial_end")  # what a pending update holds beside the items


@dataclass
class Change:
    """items: as they shall be (those that stay keep their id). fields: of the subscription. restart: its periods begin
    anew now, and it is billed at once. at: as of when prorations are counted (default: now)."""

    items: list[Obj]
    fields: dict[str, Any] = field(default_factory=dict)
    proration: str = "create_prorations"
    payment: str = "allow_incomplete"
    at: int | None = None
    restart: bool = False


def apply(store: Store, sub: Obj, change: Change) -> Obj:
    """Carry out a change: prorations first, then the subscription and its event, then the invoice if one is due now.

    Raises ApiError 402 if payment fails and `change.payment` is error_if_incomplete; the caller rolls back.
    """
    before = sub["items"]["data"]
    restart = change.restart or _moves_billing(before, change.items)
    was = {name: sub[name] for name in (*change.fields, *TOUCHED)}
    used, ahead = (_restart if restart else _rebill)(store, sub, change, {item["id"]: item for item in before})
    sub.update(change.fields, items=subscriptions.listed(sub, change.items))
    store.put(sub)
    invoice = bill(store, sub, used, ahead) if restart or change.proration == "always_invoice" else None
    if invoice is not None and change.at is not None:
        invoice["parent"]["subscription_details"]["subscription_proration_date"] = change.at
    waits = invoice is not None and invoice["total"] > 0 and change.payment == "pending_if_incomplete"
    if waits:
        was = _hold(store, sub, was)
    subscriptions.tell(store, sub, was)
    if not waits:
        subscriptions.plan(store, sub)
        if change.items != before:
            store.world.changed(store, sub, before)
    if invoice is None:
        return sub
    invoice = subscriptions.collect(store, invoice, change.payment)
    if invoice["status"] == "open" and sub["collection_method"] == "charge_automatically":
        if change.payment == "error_if_incomplete":
            raise declined(store, invoice)
        if change.payment == "default_incomplete" and sub["status"] == "active":
            subscriptions.save(store, sub, status="past_due")
    return sub


def bill(store: Store, sub: Obj, used: Periods, ahead: Periods) -> Obj | None:
    """A draft between renewals, now the subscription's latest invoice; None if there is nothing to bill."""
    if not (used or ahead or prorations.pending(store, sub)):
        return None
    invoice = invoices.draft(store, sub, "subscription_update", used=used, ahead=ahead)
    sub["latest_invoice"] = invoice["id"]
    return invoice


def declined(store: Store, invoice: Obj) -> ApiError:
    """The refusal of a request whose invoice could not be collected."""
    failed = [one for one in store.rows("charge", customer=invoice["customer"]) if one["status"] == "failed"]
    reason = ((failed[-1]["outcome"] if failed else None) or {}).get("reason") or "generic_decline"
    return ApiError(402, "Your card was declined.", code="card_declined", kind="card_error", decline_code=reason)


def _prorate(store: Store, sub: Obj, old: Obj | None, new: Obj | None, change: Change) -> None:
    if change.proration != "none":
        prorations.prorate(store, sub, old, new, at=store.now if change.at is None else change.at)


def _meter(item: Obj) -> str | None:
    found: str | None = item["price"]["recurring"]["meter"]
    return found


# --- within the period


def _rebill(store: Store, sub: Obj, change: Change, before: dict[str, Obj]) -> tuple[Periods, Periods]:
    """Prorations and accrued usage of what changed, the periods going on; new items begin theirs now."""
    for gone in before.values():
        if gone["id"] not in {item["id"] for item in change.items}:
            if options.REMOVED_USAGE_BILLED:
                prorations.accrued(store, sub, gone)
            _prorate(store, sub, gone, None, change)
    for place, new in enumerate(change.items):
        old: Obj | None = before.get(new["id"])
        if old is None:
            new = new | subscriptions.first_period(sub | change.fields, new, store.now)
        elif old["price"]["id"] == new["price"]["id"] and old.get("quantity") == new.get("quantity"):
            continue
        elif old["price"]["id"] != new["price"]["id"] and _is_settled(old, new):
            prorations.accrued(store, sub, old)
            new = new | {"current_period_start": store.now}
        change.items[place] = new
        _prorate(store, sub, old, new, change)
    return {}, {}


def _is_settled(old: Obj, new: Obj) -> bool:
    """Whether what an item has used so far is billed when its price becomes another (stripe.md 6.4)."""
    return _meter(old) != _meter(new) or (_meter(old) is not None and options.METERED_SWAP == "switch")


# --- a new beginning


def _restart(store: Store, sub: Obj, change: Change, before: dict[str, Obj]) -> tuple[Periods, Periods]:
    """The running periods end now: unused time goes back, usage is billed; returns the periods to bill, used, ahead."""
    now, after, used = store.now, {item["id"]: item for item in change.items}, {}
    for old in before.values():
        same = old["price"]["id"] == after.get(old["id"], {"price": {"id": None}})["price"]["id"]
        if same and _meter(old) and old["current_period_start"] < now:
            used[old["id"]] = (old["current_period_start"], now)
        elif not same:
            prorations.accrued(store, sub, old)
        _prorate(store, sub, old, None, change)
    trial_end = change.fields.get("trial_end", sub["trial_end"]) or 0
    change.fields.setdefault("billing_cycle_anchor", trial_end if trial_end > now else now)
    if sub["status"] == "trialing" and trial_end <= now:
        change.fields["status"] = "active"
    coming = sub | change.fields
    change.items = [item | subscriptions.first_period(coming, item, now) for item in change.items]
    return used, {item["id"]: subscriptions.period_of(item) for item in change.items if subscriptions.is_licensed(item)}


def _moves_billing(before: list[Obj], after: list[Obj]) -> bool:
    """Whether a change of items moves the billing date: an interval changes, or what was free costs now."""
    old = {item["id"]: _interval(item) for item in before}
    is_swapped = any(old.get(item["id"], _interval(item)) != _interval(item) for item in after)
    is_new = not set(old.values()) & {_interval(item) for item in after}
    return is_swapped or is_new or (all(map(_is_free, before)) and not all(map(_is_free, after)))


def _interval(item: Obj) -> tuple[str, int]:
    return item["price"]["recurring"]["interval"], item["price"]["recurring"]["interval_count"]


def _is_free(item: Obj) -> bool:
    """Whether the item costs nothing whatever happens: a flat licence at 0, or none of it."""
    price = item["price"]
    is_zero = price["billing_scheme"] == "per_unit" and not float(price["unit_amount_decimal"] or 0)
    return subscriptions.is_licensed(item) and (item["quantity"] == 0 or is_zero)


# --- updates that wait for payment


def _hold(store: Store, sub: Obj, was: Obj) -> Obj:
    """Put the subscription back as it was, with what it shall be in `pending_update`. Returns what then has changed."""
    update: Obj = {name: sub[name] if sub[name] != was.get(name, sub[name]) else None for name in HELD}
    update |= {"discount": None, "trial_from_plan": None, "subscription_items": sub["items"]["data"]}
    update["expires_at"] = store.now + options.INCOMPLETE_SECONDS
    sub |= {name: old for name, old in was.items() if name != "latest_invoice"} | {"pending_update": update}
    store.schedule(update["expires_at"], "payment_expire", sub["id"])
    return {"pending_update": None, "latest_invoice": was["latest_invoice"]}


def apply_pending(store: Store, sub: Obj) -> None:
    """The invoice of a pending update was paid: the subscription becomes what it holds."""
    update, before = sub["pending_update"], sub["items"]["data"]
    fields = {name: update[name] for name in HELD if update[name] is not None}
    store.unschedule("payment_expire", sub["id"])
    items = subscriptions.listed(sub, update["subscription_items"])
    subscriptions.save(store, sub, items=items, pending_update=None, **fields)
    emit(store, "customer.subscription.pending_update_applied", sub)
    subscriptions.plan(store, sub)
    store.world.changed(store, sub, before)
