"""Lists: newest first with cursors, over the store's table or over rows that an object embeds (stripe.md 2.1)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from sandbox.call import Call, Handler, Page, noun
from sandbox.errors import ApiError, refusal
from sandbox.events import HIDDEN
from sandbox.resources import RESOURCES, Resource
from sandbox.store import Obj

COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
NAMED_BY = {"customer", "subscription", "invoice", "test_clock"}  # filters whose object must exist
EMBEDDED_IN = {"line_item", "credit_note_line_item"}  # kinds that live inside their parent
ALWAYS = {"billing.alert": "status != 'archived'"}  # archived alerts are never listed
PRICE = "exists (select 1 from json_each(object.json, '$.items.data') where json_extract(value, '$.price.id') = ?)"
CLOCK: Mapping[Any, str] = {None: "clock is null", ...: "clock = ?"}  # unless it is named, its objects are left out
DELIVERIES = "json_extract(json, '$.pending_webhooks')"
# The filters that resources.py calls special: value → condition, `...` for any other value.
SPECIAL: dict[tuple[str, str], Mapping[Any, str]] = {
    ("customer", "test_clock"): CLOCK, ("quote", "test_clock"): CLOCK, ("subscription", "test_clock"): CLOCK,
    ("subscription", "status"): {None: "status != 'canceled'", "all": "true", ...: "status = ?",
        "ended": "status in ('canceled', 'incomplete_expired')"},
    ("subscription", "price"): {...: PRICE}, ("subscription", "plan"): {...: PRICE},
    ("subscription_schedule", "scheduled"): {True: "status = 'not_started'"},
    ("invoiceitem", "pending"): {True: "invoice is null", False: "invoice is not null"},
    ("event", "type"): {...: "status glob ?"}, ("event", "types"): {...: "status in (select value from json_each(?))"},
    ("event", "delivery_success"): {True: f"{DELIVERIES} = 0", False: f"{DELIVERIES} > 0"},
}  # fmt: skip


def list_of(resource: Resource) -> Handler:
    """GET of a kind's list, with the filters of its resource."""
    return lambda call: listed(call, resource.kind, str(resource.url), resource.filters)


def one_of(resource: Resource) -> Handler:
    """GET of one object. A deleted customer is still shown, as what is left of it; other kinds are 404 then."""

    def retrieve(call: Call) -> Obj:
        found = call.store.find(resource.kind, call.path["id"])
        return found if found and resource.kind == "customer" else call.target(resource.kind)

    return retrieve


def children_of(resource: Resource, name: str, kind: str) -> Handler:
    """GET of the rows under one object: embedded ones in their order, others newest first."""

    def children(call: Call) -> Page:
        owner = call.target(resource.kind)
        url = f"{resource.url}/{owner['id']}/{name}"
        if kind in EMBEDDED_IN:
            return embedded(call, kind, url, owner[name]["data"])
        return listed(call, kind, url, RESOURCES[kind].filters, parent=owner["id"])

    return children


def listed(call: Call, kind: str, url: str, filters: Mapping[str, str], **fixed: str) -> Page:
    """A page of stored objects. filters: parameter → a column, `$.json.path`, or `special`. fixed: column → value."""
    where = ["kind = ?", "hidden = 0", ALWAYS.get(kind, "true"), *(f"{column} = ?" for column in fixed)]
    values: list[Any] = [kind, *fixed.values()]
    if kind == "event":
        _check_types(call)
    for name, place in (dict(filters) | {"created": "created"}).items():
        value: Any = call.params
        for step in name.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if name == "test_clock" and value is None and call.params.get("customer"):
            continue  # who names a customer gets what is on its clock
        if value is not None and name in NAMED_BY:
            call.find("test_helpers.test_clock" if name == "test_clock" else name, value, name)
        for condition, bound in _conditions(kind, name, place, value):
            where.append(condition)
            values += [bound] if "?" in condition else []
    call.store.flush()
    counted = f"select count(*) from object where {' and '.join(where)}"  # noqa: S608 # ours
    more = _counted(call, lambda: call.store.db.execute(counted, values).fetchone()[0])
    limit, cursor, backwards = window(call)
    if cursor is not None:
        query = "select created, seq from object where id = ? and kind = ?"
        found = call.store.db.execute(query, (cursor, kind)).fetchone()
        if found is None:
            raise unknown_cursor(kind, cursor, backwards)
        where.append(f"(created, seq) {'>' if backwards else '<'} (?, ?)")
        values += found
    order = "created, seq" if backwards else "created desc, seq desc"
    query = f"select json, long from object where {' and '.join(where)} order by {order} limit ?"  # noqa: S608 # ours
    rows = call.store.db.execute(query, (*values, limit + 1)).fetchall()
    # what hides fields or embeds more rows than are shown is read; the rest is passed on as it is stored
    shown = [msgspec.json.decode(text) if long or kind in HIDDEN else text for text, long in rows[:limit]]
    return Page(kind, url, shown[::-1] if backwards else shown, len(rows) > limit, more)


def embedded(call: Call, kind: str, url: str, rows: Sequence[Obj]) -> Page:
    """A page of rows that are at hand, in the order they are to be shown."""
    limit, cursor, backwards = window(call)
    more = _counted(call, partial(len, rows))
    if cursor is not None:
        at = next((index for index, row in enumerate(rows) if row["id"] == cursor), None)
        if at is None:
            raise unknown_cursor(kind, cursor, backwards)
        rows = rows[:at] if backwards else rows[at + 1 :]
    return Page(kind, url, rows[-limit:] if backwards else rows[:limit], len(rows) > limit, more)


def _counted(call: Call, count: Callable[[], int]) -> Obj:
    """What the envelope holds for `include[]=total_count`, which Stripe dropped and older clients still send."""
    return {"total_count": count()} if "total_count" in (call.params.get("include") or ()) else {}


def _check_types(call: Call) -> None:
    if call.params.get("type") is not None and call.params.get("types") is not None:
        raise refusal("type_and_types", param="types")
    if len(call.params.get("types") or ()) > 20:
        raise refusal("too_many_types", param="types")


def _conditions(kind: str, name: str, place: str, value: Any) -> list[tuple[str, Any]]:
    """The SQL that a filter's value means, each with what it binds."""
    if place == "special":
        value = msgspec.json.encode(value).decode() if isinstance(value, list) else value
        table = SPECIAL[kind, name]
        condition = table.get(value, table.get(...) if value is not None else None)
        return [(condition, value)] if condition else []
    column = f"json_extract(json, '{place}')" if place.startswith("$") else place
    if isinstance(value, dict):
        return [(f"{column} {COMPARISONS[comparison]} ?", bound) for comparison, bound in value.items()]
    if isinstance(value, list):
        return [(f"{column} in (select value from json_each(?))", msgspec.json.encode(value).decode())]  # noqa: S608
    return [] if value is None else [(f"{column} = ?", value)]


def window(call: Call) -> tuple[int, str | None, bool]:
    """How many rows (1 to 100, 10 unless asked), the cursor if one is given, and whether the page lies before it."""
    limit, after, before = (call.params.get(name) for name in ("limit", "starting_after", "ending_before"))
    limit = 10 if limit is None else limit
    if not 1 <= limit <= 100:
        raise refusal("limit_too_low" if limit < 1 else "limit_too_high", param="limit")
    if after is not None and before is not None:
        raise refusal("two_cursors")
    return limit, after if before is None else before, before is not None


def unknown_cursor(kind: str, cursor: str, backwards: bool) -> ApiError:
    """400 for a cursor that names nothing of the kind listed."""
    param = "ending_before" if backwards else "starting_after"
    return refusal("unknown_cursor", noun=noun(kind), id=cursor, param=param)
