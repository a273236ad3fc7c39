"""New, changed and deleted objects, each with its event: shapes are data (shapes.json, API 2026-10-28.endive)."""

from pathlib import Path
from typing import Any

import msgspec

from sandbox.events import emit
from sandbox.resources import RESOURCES
from sandbox.store import Obj, Store

SHAPES: dict[str, bytes] = {
    kind: msgspec.json.encode(shape)
    for kind, shape in msgspec.json.decode((Path(__file__).parent / "shapes.json").read_bytes()).items()
}


def shape(kind: str, **fields: Any) -> Obj:
    """An object of that kind as Stripe shows it when nothing is set, with `fields`; no id, stored nowhere."""
    obj: Obj = msgspec.json.decode(SHAPES[kind])
    obj.update(fields)
    return obj


def create(store: Store, kind: str, /, *, emits: bool = True, parent: str | Obj | None = None, **fields: Any) -> Obj:
    """A new stored object of that kind: its shape, an id of the kind's prefix, `created` now, and `fields` over them.

    Emits `<event>.created` if the kind has events. `parent`: the id under which it is listed, or a field of that name.
    """
    if isinstance(parent, dict):
        fields, parent = fields | {"parent": parent}, None
    resource = RESOURCES[kind]
    obj: Obj = {"id": fields.pop("id", None) or store.new_id(resource.prefix, resource.width)}
    obj.update(msgspec.json.decode(SHAPES[kind]))
    if resource.dated:
        obj["created"] = store.now
    if resource.has_updated:
        obj["updated"] = store.now
    obj.update(fields)
    store.put(obj, parent=parent)
    if emits and resource.event:
        emit(store, f"{resource.event}.created", obj)
    return obj


def update(store: Store, obj: Obj, /, *, emits: bool = True, **changes: Any) -> Obj:
    """Set fields, save, and emit `<event>.updated` with what they were, if anything changed. Returns the object."""
    was = {key: obj.get(key) for key in changes}
    obj.update(changes)
    return tell(store, obj, was, emits=emits)


def tell(store: Store, obj: Obj, was: Obj, *, emits: bool = True) -> Obj:
    """Save an object and emit `<event>.updated`, if anything is not as in `was`, its fields (or some) before."""
    previous = {key: old for key, old in was.items() if (now := obj.get(key)) is not old and now != old}
    if not previous:
        return obj
    resource = RESOURCES[obj["object"]]
    if resource.has_updated and obj.get("updated") != store.now:
        previous["updated"], obj["updated"] = obj["updated"], store.now
    store.put(obj)
    if emits and resource.event and store.account_now >= store.events_from:  # nobody could read an older one
        shown = {key: _changed_part(old, obj.get(key)) for key, old in previous.items()}
        emit(store, f"{resource.event}.updated", obj, shown)
    return obj


def become(store: Store, obj: Obj, what: str, previous: Obj | None = None, /, **changes: Any) -> Obj:
    """Set fields, save, and emit `<event>.<what>`, such as invoice.voided; `status_transitions` note when. Returns it.

    previous: what an `.updated` event is to show of the fields' old values.
    """
    obj.update(changes)
    if f"{what}_at" in obj.get("status_transitions", ()):
        obj["status_transitions"][f"{what}_at"] = store.now
    emit(store, f"{RESOURCES[obj['object']].event}.{what}", store.put(obj), previous)
    return obj


def delete(store: Store, obj: Obj) -> Obj:
    """Take an object out, emit `<event>.deleted`, and return what Stripe answers to DELETE."""
    resource = RESOURCES[obj["object"]]
    store.remove(obj["id"])
    if resource.event:
        emit(store, f"{resource.event}.deleted", obj)
    return {"id": obj["id"], "object": obj["object"], "deleted": True}


def _changed_part(old: Any, new: Any) -> Any:
    """Of two hashes only the keys that differ, as `previous_attributes` shows them; other values whole."""
    if not (isinstance(old, dict) and isinstance(new, dict)) or old.get("object") == "list":
        return msgspec.json.decode(msgspec.json.encode(old))
    return {key: old.get(key) for key in {*old, *new} if old.get(key) != new.get(key)}
