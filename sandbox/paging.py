"""Lists: newest first with cursors, over the store's table or over rows that an object embeds (stripe.md 2.1)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sandbox.call import Call, Handler, Page, noun
from sandbox.errors import missing
from sandbox.refusals import refuse
from sandbox.resources import HIDDEN, RESOURCES, Filter, Resource
from sandbox.store import Obj

COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
NAMED_BY = {name: name for name in ("customer", "subscription", "invoice")} | {  # filters whose object must exist
    "test_clock": "test_helpers.test_clock"
}


def list_of(resource: Resource) -> Handler:
    """GET of a kind's list, with the filters of its resource."""
    return lambda call: listed(call, resource.kind, resource.url)


def one_of(resource: Resource) -> Handler:
    """GET of one object. A deleted customer is still shown, as what is left of it; other kinds are 404 then."""
    is_kept = resource.kind == "customer"
    return lambda call: (is_kept and call.store.find(resource.kind, call.path["id"])) or call.target(resource.kind)


def children_of(resource: Resource, name: str, kind: str) -> Handler:
    """GET of the rows under one object: embedded ones in their order, others newest first."""

    def children(call: Call) -> Page:
        owner = call.target(resource.kind)
        url = f"{resource.url}/{owner['id']}/{name}"
        if name in owner:
            return embedded(call, kind, url, owner[name]["data"])
        return listed(call, kind, url, parent=owner["id"])

    return children


def listed(call: Call, kind: str, url: str, **fixed: str) -> Page:
    """A page of stored objects, filtered as their resource says; fixed: column → value."""
    resource, store = RESOURCES[kind], call.store
    where = ["kind = ?", "hidden = 0", resource.listed, *(f"{column} = ?" for column in fixed)]
    values: list[Any] = [kind, *fixed.values()]
    for name, place in {**resource.filters, "created": "created"}.items():
        value: Any = call.params
        for step in name.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if name == "test_clock" and value is None and call.params.get("customer"):
            continue  # who names a customer gets what is on its clock
        if value is not None and name in NAMED_BY:
            call.find(NAMED_BY[name], value, name)
        for condition, bound in _conditions(place, value):
            where.append(condition)
            values += [bound] if "?" in condition else []
    store.flush()
    more = {}
    if _is_counted(call):
        query = f"select count(*) from object where {' and '.join(where)}"  # noqa: S608 # ours
        more["total_count"] = store.db.execute(query, values).fetchone()[0]
    limit, cursor, backwards = _window(call)
    if cursor is not None:
        query = "select created, seq from object where id = ? and kind = ?"
        found = store.db.execute(query, (cursor, kind)).fetchone()
        if found is None:
            raise missing(noun(kind), cursor, _cursor_name(backwards), 400)
        where.append(f"(created, seq) {'>' if backwards else '<'} (?, ?)")
        values += found
    order = "created, seq" if backwards else "created desc, seq desc"
    query = f"select json, long from object where {' and '.join(where)} order by {order} limit ?"  # noqa: S608 # ours
    rows = store.db.execute(query, (*values, limit + 1)).fetchall()
    # what hides fields or embeds more rows than are shown is read; the rest is passed on as it is stored
    shown = [msgspec.json.decode(text) if long or kind in HIDDEN else text for text, long in rows[:limit]]
    return Page(kind, url, shown[::-1] if backwards else shown, len(rows) > limit, more)


def embedded(call: Call, kind: str, url: str, rows: Sequence[Obj]) -> Page:
    """A page of rows that are at hand, in the order they are to be shown."""
    limit, cursor, backwards = _window(call)
    more = {"total_count": len(rows)} if _is_counted(call) else {}
    if cursor is not None:
        at = next((index for index, row in enumerate(rows) if row["id"] == cursor), None)
        if at is None:
            raise missing(noun(kind), cursor, _cursor_name(backwards), 400)
        rows = rows[:at] if backwards else rows[at + 1 :]
    return Page(kind, url, rows[-limit:] if backwards else rows[:limit], len(rows) > limit, more)


def _is_counted(call: Call) -> bool:
    """Whether `include[]=total_count` was sent, which Stripe dropped and older clients still send."""
    return "total_count" in (call.params.get("include") or ())


def _conditions(place: Filter, value: Any) -> list[tuple[str, Any]]:
    """The SQL that a filter's value means, each with what it binds."""
    if isinstance(place, dict):
        name = "unset" if value is None else str(value).lower() if isinstance(value, bool) else value
        condition = place.get(name) or (place.get("any") if value is not None else None)
        return [(condition, value)] if condition else []
    column = f"json_extract(json, '{place}')" if place.startswith("$") else place
    if isinstance(value, dict):
        return [(f"{column} {COMPARISONS[comparison]} ?", bound) for comparison, bound in value.items()]
    if isinstance(value, list):
        return [(f"{column} in (select value from json_each(?))", msgspec.json.encode(value).decode())]  # noqa: S608 # a column of ours
    return [] if value is None else [(f"{column} = ?", value)]


def _window(call: Call) -> tuple[int, str | None, bool]:
    """How many rows (1 to 100, 10 unless asked), the cursor if one is given, and whether the page lies before it."""
    limit, after, before = (call.params.get(name) for name in ("limit", "starting_after", "ending_before"))
    limit = 10 if limit is None else limit
    if not 1 <= limit <= 100:
        raise refuse("limit_too_low" if limit < 1 else "limit_too_high", "limit")
    if after is not None and before is not None:
        raise refuse("two_cursors")
    return limit, after if before is None else before, before is not None


def _cursor_name(backwards: bool) -> str:
    return "ending_before" if backwards else "starting_after"
