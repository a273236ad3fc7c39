"""Creating and changing objects whose parameters become fields of the same name, where their kind has such a field."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from sandbox import objects
from sandbox.call import Call, Handler, Page, merge_metadata, noun, plain_value
from sandbox.params import Given
from sandbox.refusals import refuse
from sandbox.store import Obj

EMPTY: dict[str, Obj] = {kind: msgspec.json.decode(text) for kind, text in objects.SHAPES.items()}
MORE = {"customer": ("business_name", "individual_name"), "coupon": ("applies_to",)}  # fields that may be absent


def taken(kind: str, given: Given, old: Obj | None = None, names: Iterable[str] | None = None) -> Obj:
    """The fields of a kind that parameters of the same names ask for; `names`: only these.

    "" puts a field back to what the kind's shape has; a hash that is always there keeps what is not sent; metadata
    merges; currencies become lower case. Raises ApiError (400) where what may not be empty is cleared.
    """
    fields: Obj = {}
    sent = [name for name in given if names is None or name in names]
    for name in [name for name in sent if name in EMPTY[kind] or name in MORE.get(kind, ())]:
        value, shape = given[name], EMPTY[kind].get(name)
        if name == "metadata":
            fields[name] = merge_metadata(old and old["metadata"], value)
        elif value == "" == shape:
            raise refuse("cannot_unset", name)
        elif value == "":
            fields[name] = shape
        elif isinstance(value, dict) and isinstance(shape, dict):
            fields[name] = (old[name] if old else shape) | plain_value(value)
        else:
            fields[name] = value.lower() if name == "currency" else plain_value(value)
    return fields


def make(call: Call, kind: str, given: Given | None = None, /, **fields: Any) -> Obj:
    """A new object from the call's parameters (or those of a hash in them); `fields` go before them.

    Raises ApiError (400) if the id that the caller chose is taken.
    """
    given = call.params if given is None else given
    wanted = given.get("id")
    if wanted and (found := call.store.any(wanted)):
        if not found.get("deleted"):
            raise refuse("taken", "id", noun=noun(kind).capitalize())
        call.store.remove(wanted)
    return objects.create(call.store, kind, id=wanted, **(taken(kind, given) | fields))


def changes(kind: str, check: Callable[[Call, Obj, Obj], object] | None = None) -> Handler:
    """POST to one object; `check` (of the call, the object and its changes) may refuse, and add to the changes."""

    def change(call: Call) -> Obj:
        obj = call.target(kind)
        fields = taken(kind, call.params, obj)
        if check is not None:
            check(call, obj, fields)
        return objects.update(call.store, obj, **fields)

    return change


def sets(kind: str, **fields: Any) -> Handler:
    """POST that gives the object of the URL certain fields."""
    return lambda call: objects.update(call.store, call.target(kind), **fields)


ROUTES: dict[str, Handler] = {
    "GET /v1/account": lambda call: call.store.rows("account")[0],
    "GET /v1/accounts": lambda call: Page("account", "/v1/accounts", [], has_more=False),  # those connected: none
}
