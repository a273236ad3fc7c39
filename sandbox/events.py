"""The event log: what a client that polls `/v1/events`, or has a webhook endpoint, learns."""

from fnmatch import fnmatchcase

import msgspec

from sandbox.options import EVENTS_ON_CLOCK
from sandbox.options import INLINE_LINES as EMBEDDED
from sandbox.resources import HIDDEN
from sandbox.store import Obj, Store

API_VERSION = "2026-10-28.endive"


def emit(store: Store, kind: str, obj: Obj, previous: Obj | None = None) -> None:
    """Record that `obj` changed, as a snapshot of now; `previous` holds the old values on *.updated.

    Events that fall out of Stripe's 30 days before anybody can read them are not built. Enabled webhook endpoints
    whose `enabled_events` match get a delivery each.
    """
    if store.account_now < store.events_from:
        return
    endpoints = [one for one in store.rows("webhook_endpoint") if wants(one, kind)]
    data: Obj = {"object": snapshot(obj)}
    if previous is not None:
        data["previous_attributes"] = {key: _cut(value) for key, value in previous.items()}
    created = store.now if EVENTS_ON_CLOCK else store.account_now
    event: Obj = {"id": store.new_id("evt_"), "object": "event", "api_version": API_VERSION, "created": created}
    event |= {"data": data, "livemode": False, "pending_webhooks": len(endpoints), "request": dict(store.request)}
    event["type"] = kind
    store.put(event)
    for endpoint in endpoints:
        sql = "insert into delivery (event, endpoint, at, attempt) values (?, ?, ?, 0)"
        store.db.execute(sql, (event["id"], endpoint["id"], store.account_now))


def wants(endpoint: Obj, kind: str) -> bool:
    """Whether an enabled webhook endpoint has subscribed to events of that type."""
    patterns = endpoint["enabled_events"]
    return endpoint["status"] == "enabled" and any(fnmatchcase(kind, pattern) for pattern in patterns)


def snapshot(obj: Obj) -> msgspec.Raw:
    """An object's bytes as Stripe shows it unexpanded: hidden fields left out, nested lists cut."""
    return msgspec.Raw(msgspec.json.encode(plain(obj)))


def plain(obj: Obj) -> Obj:
    """The object (itself if nothing is to be hidden, else a copy) without hidden fields, nested lists cut to ten."""
    if obj.get("deleted") and obj["object"] == "customer":
        return {name: obj[name] for name in ("id", "object", "deleted")}
    hidden = HIDDEN.get(obj["object"])
    if hidden:
        return {key: value for key, value in obj.items() if key not in hidden}
    for name in ("items", "lines"):
        nested = obj.get(name)
        if isinstance(nested, dict) and len(nested.get("data", ())) > EMBEDDED:
            return obj | {name: _cut(nested)}
    return obj


def _cut(value: object) -> object:
    """A nested list with its first rows only, `has_more` telling of the others."""
    if isinstance(value, dict) and value.get("object") == "list" and len(value["data"]) > EMBEDDED:
        return value | {"data": value["data"][:EMBEDDED], "has_more": True}
    return value
