"""`expand[]`: ids replaced by the objects they name, and fields that are hidden until asked for."""

from typing import Any

from sandbox.errors import ApiError
from sandbox.events import without_tiers as plain
from sandbox.store import Obj, Store

__all__ = ["expand", "plain"]
MAX_DEPTH = 4


def expand(store: Store, obj: Obj, paths: list[str]) -> Obj:
    """The object with each dotted path expanded. Raises ApiError for a path that names nothing expandable."""
    shown = plain(obj)
    for path in paths:
        steps = path.split(".")
        if len(steps) > MAX_DEPTH:
            raise ApiError(400, f"You cannot expand more than {MAX_DEPTH} levels of a property: {path}", param="expand")
        _expand(store, shown, steps, path, obj)
    return shown


def _expand(store: Store, shown: Obj, steps: list[str], path: str, full: Obj | None = None) -> None:
    name, rest = steps[0], steps[1:]
    kind = shown.get("object")
    if name == "tiers" and kind == "price":
        shown["tiers"] = (full or store.get("price", shown["id"])).get("tiers")
        return
    if name == "payments" and kind == "invoice":
        rows = store.of_invoice("invoice_payment", shown["id"])
        url = f"/v1/invoice_payments?invoice={shown['id']}"
        shown["payments"] = {"object": "list", "data": rows, "has_more": False, "url": url}
        return
    if name not in shown:
        raise ApiError(400, f"This property cannot be expanded ({path}).", param="expand")
    shown[name] = _resolved(store, shown[name], rest, path)


def _resolved(store: Store, value: Any, rest: list[str], path: str) -> Any:
    """An id as its object; lists and objects one level deeper; nulls stay."""
    if isinstance(value, list):
        return [_resolved(store, one, rest, path) for one in value]
    if isinstance(value, str):
        found = store.any(value)
        if found is None:
            raise ApiError(400, f"This property cannot be expanded ({path}).", param="expand")
        value = plain(found)
    if isinstance(value, dict) and rest:
        _expand(store, value, rest, path)
    return value
