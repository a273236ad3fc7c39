"""Lists: which kinds there are, their filters, cursors and the envelope."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sandbox import forms
from sandbox.errors import ApiError, missing
from sandbox.expand import expand, plain
from sandbox.forms import Params
from sandbox.store import ASCENDING, Store

COMMON = {"limit", "starting_after", "ending_before", "expand"}
COMPARISONS = {"gt": "created > ?", "gte": "created >= ?", "lt": "created < ?", "lte": "created <= ?"}
OWNERS = {"customer": "customer", "subscription": "subscription", "invoice": "invoice"}


@dataclass(frozen=True)
class Listing:
    """One kind's list: `filters` maps a parameter to its SQL condition, `choices` the values it may take."""

    kind: str
    url: str
    filters: dict[str, str] = field(default_factory=dict)
    choices: dict[str, set[str]] = field(default_factory=dict)
    has_created: bool = True
    always: str = ""  # a condition that holds for every request


def limit_of(params: Params) -> int:
    """1 to 100, 10 unless asked."""
    limit = forms.integer(params["limit"], "limit") if "limit" in params else 10
    if not 1 <= limit <= 100:
        raise ApiError(400, f"This value must be between 1 and 100 (inclusive): {limit}", param="limit")
    return limit


def envelope(url: str, rows: list[str], has_more: bool) -> bytes:
    """Stripe's list object around JSON texts."""
    more = "true" if has_more else "false"
    return f'{{"object":"list","data":[{",".join(rows)}],"has_more":{more},"url":"{url}"}}'.encode()


def page(store: Store, listing: Listing, params: Params, parent: str | None = None) -> bytes:
    """One page; children of `parent` in their order, everything else newest first. Raises ApiError."""
    created = {"created"} if listing.has_created else set()
    forms.only(params, COMMON | created | set(listing.filters))
    where, values = ["kind = ?"], [listing.kind]
    if parent is not None:
        where.append("parent = ?")
        values.append(parent)
    if listing.always:
        where.append(listing.always)
    _add_filters(store, listing, params, where, values)
    if "created" in params:
        _add_created(params["created"], where, values)
    is_up = listing.kind in ASCENDING
    backwards = "ending_before" in params
    for name in ("starting_after", "ending_before"):
        if name in params:
            row = store.db.execute(
                "select created, seq from object where id = ? and kind = ?",
                (forms.text(params[name], name), listing.kind),
            ).fetchone()
            if row is None:
                error = missing(listing.kind, params[name], name)
                raise ApiError(400, error.message, param=name, code=error.code)
            where.append("(created, seq) > (?, ?)" if is_up != backwards else "(created, seq) < (?, ?)")
            values += row
    order = "order by created, seq" if is_up != backwards else "order by created desc, seq desc"
    limit = limit_of(params)
    query = " ".join(["select json from object where", " and ".join(where), order, "limit ?"])
    rows = [row[0] for row in store.db.execute(query, (*values, limit + 1))]
    has_more, rows = len(rows) > limit, rows[:limit]
    if backwards:
        rows.reverse()
    return envelope(listing.url, _render(store, listing, params, rows), has_more)


def _add_filters(store: Store, listing: Listing, params: Params, where: list[str], values: list[Any]) -> None:
    for name, condition in listing.filters.items():
        if name not in params:
            continue
        value = params[name]
        given = [
            forms.text(one, name) for one in (value if "(?)" in condition and isinstance(value, list) else [value])
        ]
        allowed = listing.choices.get(name)
        if allowed and value not in allowed:
            raise ApiError(400, f"Invalid {name}: must be one of {', '.join(sorted(allowed))}", param=name)
        if name in OWNERS and store.find(OWNERS[name], value) is None:
            raise ApiError(400, f"No such {name}: '{value}'", param=name, code="resource_missing")
        where.append(condition.replace("(?)", f"({', '.join('?' * len(given))})"))
        values += given


def _add_created(given: Any, where: list[str], values: list[Any]) -> None:
    if isinstance(given, dict):
        forms.only(given, set(COMPARISONS), "created")
        for name, value in given.items():
            where.append(COMPARISONS[name])
            values.append(forms.integer(value, f"created[{name}]"))
    else:
        where.append("created = ?")
        values.append(forms.integer(given, "created"))


def _render(store: Store, listing: Listing, params: Params, rows: list[str]) -> list[str]:
    """Rows as they are stored, unless something is hidden in them or to be expanded."""
    asked = forms.strings(params, "expand")
    if not asked and listing.kind != "price":
        return rows
    paths = [path.removeprefix("data.") for path in asked]
    for path in asked:
        if not path.startswith("data."):
            raise ApiError(
                400, f"This property cannot be expanded ({path}): in lists, begin with `data.`", param="expand"
            )
    change: Callable[[Any], Any] = (lambda obj: expand(store, obj, paths)) if paths else plain
    return [msgspec.json.encode(change(msgspec.json.decode(row))).decode() for row in rows]
