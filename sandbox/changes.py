"""New items, anchors and trials for a running subscription, and what they cost; clients, schedules and time use it."""

from dataclasses import dataclass, field
from typing import Any

from sandbox import objects, options, prorations, subscriptions
from sandbox.errors import ApiError
from sandbox.store import Obj, Store

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
    was, before, invoice, waits = dict(sub), sub["items"]["data"], None, False
    if change.restart or _moves_billing(before, change.items):
        change.restart = True
        trial_end = change.fields.get("trial_end", sub["trial_end"]) or 0
        change.fields.setdefault("billing_cycle_anchor", max(trial_end, store.now))
        if sub["status"] == "trialing" and trial_end <= store.now:
            change.fields["status"] = "active"
    used = _settle(store, sub, change)
    sub |= change.fields | {"items": subscriptions.listed(sub, change.items)}
    if change.restart or change.proration == "always_invoice":
        ahead = subscriptions.licences_ahead(store, sub, change.proration) if change.restart else {}
        invoice = subscriptions.bill(store, sub, used, ahead)
    if invoice is not None:
        if change.at is not None:
            invoice["parent"]["subscription_details"]["subscription_proration_date"] = change.at
        waits = invoice["total"] > 0 and change.payment == "pending_if_incomplete"
    if invoice is not None and waits:
        _hold(store, sub, was, invoice)
    objects.tell(store, sub, was)
    if not waits:
        subscriptions.plan(store, sub)
        if change.items != before:
            store.world.changed(store, sub, before)
    if invoice is not None:
        subscriptions.collect(store, invoice, change.payment)
        is_owed = invoice["status"] == "open" and sub["collection_method"] == "charge_automatically"
        if is_owed and change.payment == "error_if_incomplete":
            raise declined(store, invoice)
        if is_owed and change.payment == "default_incomplete" and sub["status"] == "active":
            subscriptions.save(store, sub, status="past_due")
    return sub


def declined(store: Store, invoice: Obj) -> ApiError:
    """The refusal of a request whose invoice could not be collected."""
    failed = [one for one in store.rows("charge", customer=invoice["customer"]) if one["status"] == "failed"]
    reason = failed[-1]["outcome"]["reason"] if failed else "generic_decline"
    return ApiError(402, "Your card was declined.", code="card_declined", kind="card_error", decline_code=reason)


def _settle(store: Store, sub: Obj, change: Change) -> dict[str, tuple[int, int]]:
    """Prorate licences and bill usage where items change, and open the periods of those that begin now.

    Returns the periods that end because everything begins anew, of metered items that stay.
    """
    before, after = ({item["id"]: item for item in items} for items in (sub["items"]["data"], change.items))
    coming, used = sub | change.fields, dict[str, tuple[int, int]]()
    meters = {item["price"]["recurring"]["meter"] for item in change.items}
    for key in before | after:
        old, new, is_left = before.get(key), after.get(key), False
        if old is not None:
            keeps_price = new is not None and old["price"]["id"] == new["price"]["id"]
            if new is not None and keeps_price and not change.restart and old.get("quantity") == new.get("quantity"):
                continue
            is_left = not keeps_price and (change.restart or _leaves_meter(old, new))
            if is_left:
                prorations.accrued(store, sub, old, is_last=old["price"]["recurring"]["meter"] not in meters)
            elif change.restart and subscriptions.is_metered(old) and old["current_period_start"] < store.now:
                used[key] = (old["current_period_start"], store.now)
        if new is not None and (change.restart or old is None):
            (after[key],) = subscriptions.opened(coming, [new], store.now)
        elif new is not None and is_left:
            after[key] = new | {"current_period_start": store.now}
        if change.proration != "none":
            becomes = None if change.restart else after.get(key)  # a new period is billed by itself
            prorations.prorate(store, sub, old, becomes, at=change.at or store.now)
    change.items = list(after.values())
    return used


def _leaves_meter(old: Obj, new: Obj | None) -> bool:
    """Whether what an item has used so far is billed when it goes, or its price becomes another (stripe.md 6.4)."""
    if new is None:
        return options.REMOVED_USAGE_BILLED
    meter, other = (item["price"]["recurring"]["meter"] for item in (old, new))
    return bool(meter != other or (meter and options.METERED_SWAP == "switch"))


def _moves_billing(before: list[Obj], after: list[Obj]) -> bool:
    """Whether a change of items moves the billing date: an interval changes, or what was free costs now."""
    old, new = ({item["id"]: _interval(item) for item in items} for items in (before, after))
    is_swapped = any(old.get(key, interval) != interval for key, interval in new.items())
    is_other = not set(old.values()) & set(new.values())
    return is_swapped or is_other or (all(map(_is_free, before)) and not all(map(_is_free, after)))


def _interval(item: Obj) -> tuple[str, int]:
    return item["price"]["recurring"]["interval"], item["price"]["recurring"]["interval_count"]


def _is_free(item: Obj) -> bool:
    """Whether the item costs nothing whatever happens: a flat licence at 0, or none of it."""
    price = item["price"]
    is_zero = price["billing_scheme"] == "per_unit" and not float(price["unit_amount_decimal"] or 0)
    return not subscriptions.is_metered(item) and (item["quantity"] == 0 or is_zero)


def is_held_by(store: Store, update: Obj, invoice: Obj) -> bool:
    """Whether a pending update waits for this very invoice: the agenda knows when it is to give up on which."""
    query = "select at from task where kind = 'update_expire' and ref = ?"
    return (update["expires_at"],) in store.db.execute(query, (invoice["id"],)).fetchall()


def _hold(store: Store, sub: Obj, was: Obj, invoice: Obj) -> None:
    """Put the subscription back as it was, with what it shall be in `pending_update` until the invoice is paid."""
    update: Obj = {name: sub[name] if sub[name] != was[name] else None for name in HELD}
    update |= {"discount": None, "trial_from_plan": None, "subscription_items": sub["items"]["data"]}
    update["expires_at"] = store.now + options.INCOMPLETE_SECONDS
    sub |= was | {"latest_invoice": sub["latest_invoice"], "pending_update": update}
    store.schedule(update["expires_at"], "update_expire", invoice["id"])
