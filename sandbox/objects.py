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
    previous = {key: obj.get(key) for key, value in changes.items() if obj.get(key) != value}
    if not previous:
        return obj
    shown = {key: _changed_part(old, changes[key]) for key, old in previous.items()}
    obj.update(changes)
    resource = RESOURCES[obj["object"]]
    if resource.has_updated and obj.get("updated") != store.now:
        shown["updated"] = obj["updated"]
        obj["updated"] = store.now
    store.put(obj)
    if emits and resource.event:
        emit(store, f"{resource.event}.updated", obj, shown)
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
