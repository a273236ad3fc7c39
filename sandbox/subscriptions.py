"""Changes to a subscription that both time (billing.py) and clients (writes.py) make."""

from typing import Any

from sandbox import shapes
from sandbox.clock import add_months
from sandbox.events import emit, update, without_tiers
from sandbox.store import Obj, Store


def embed_items(store: Store, sub: Obj) -> Obj:
    """A subscription's nested item list, from its stored items."""
    url = f"/v1/subscription_items?subscription={sub['id']}"
    return shapes.nested(url, store.children("subscription_item", sub["id"]))


def save(store: Store, sub: Obj, **changes: Any) -> Obj:
    """Set fields, refresh the nested items, store, and tell what changed in one `customer.subscription.updated`."""
    return update(store, "customer.subscription", sub, **changes, items=embed_items(store, sub))


def put_item(store: Store, item: Obj) -> None:
    store.put(item, parent=item["subscription"])


def set_price(store: Store, item: Obj, price: Obj, quantity: int | None) -> None:
    """Swap an item's price without proration: the next invoice bills the whole period's usage on the new one."""
    item["price"] = without_tiers(price)
    if quantity is None:
        item.pop("quantity", None)
    else:
        item["quantity"] = quantity
    put_item(store, item)


def add_discount(store: Store, sub: Obj, coupon: Obj) -> str:
    """A new discount on the subscription from a coupon, starting now. Returns its id; the caller lists it on `sub`."""
    months = coupon["duration_in_months"]
    end = add_months(store.now, months) if months else None
    discount = store.put(shapes.discount(store, sub, coupon, end), created=store.now)
    coupon["times_redeemed"] += 1
    store.put(coupon)
    emit(store, "customer.discount.created", discount)
    return str(discount["id"])


def request_cancel(store: Store, sub: Obj) -> Obj:
    """Mark it to end with its period, as a customer's request."""
    end = sub["items"]["data"][0]["current_period_end"]
    details = sub["cancellation_details"] | {"reason": "cancellation_requested"}
    return save(
        store, sub, cancel_at_period_end=True, cancel_at=end, canceled_at=store.now, cancellation_details=details
    )


def keep(store: Store, sub: Obj) -> Obj:
    """Take a requested cancellation back."""
    details = sub["cancellation_details"] | {"reason": None}
    return save(store, sub, cancel_at_period_end=False, cancel_at=None, canceled_at=None, cancellation_details=details)


def end(store: Store, sub: Obj, reason: str) -> Obj:
    """It ends now; usage stops with it."""
    sub.update(
        status="canceled",
        canceled_at=sub["canceled_at"] or store.now,
        ended_at=store.now,
        cancellation_details=sub["cancellation_details"] | {"reason": reason},
    )
    store.put(sub)
    store.db.execute("update member set ends_at = ? where subscription = ?", (store.now, sub["id"]))
    emit(store, "customer.subscription.deleted", sub)
    return sub
