"""The event log: what a client that polls `/v1/events` learns."""

from typing import Any

from sandbox.store import Obj, Store

API_VERSION = "2026-10-28.endive"


def emit(store: Store, kind: str, obj: Obj, previous: Obj | None = None) -> None:
    """Record that `obj` changed, as a snapshot of now; `previous` holds the old values on *.updated.

    Events that fall out of Stripe's 30 days before anybody can read them are not built.
    """
    if store.now < store.events_from:
        return
    data: Obj = {"object": obj}
    if previous is not None:
        data["previous_attributes"] = previous
    event = {
        "id": store.new_id("evt_"),
        "object": "event",
        "api_version": API_VERSION,
        "created": store.now,
        "data": data,
        "livemode": False,
        "pending_webhooks": 0,
        "request": dict(store.request),
        "type": kind,
    }
    store.put(event)


def update(store: Store, kind: str, obj: Obj, **changes: Any) -> Obj:
    """Set fields of a stored object, save it, and emit `<kind>.updated` if anything changed. Returns the object."""
    previous = {key: obj.get(key) for key, value in changes.items() if obj.get(key) != value}
    if not previous:
        return obj
    obj.update(changes)
    store.put(obj)
    emit(store, f"{kind}.updated", without_tiers(obj), previous)
    return obj


def without_tiers(obj: Obj) -> Obj:
    """A price as it is shown unless its tiers are asked for; other objects as they are."""
    return {key: value for key, value in obj.items() if key != "tiers"} if obj["object"] == "price" else obj
