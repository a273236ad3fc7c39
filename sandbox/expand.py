"""`expand[]`: ids replaced by the objects they name, and fields that are hidden until asked for (stripe.md 2.1)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from sandbox.call import Page
from sandbox.errors import ApiError, refusal
from sandbox.events import HIDDEN, plain
from sandbox.keys import Key
from sandbox.objects import SHAPES
from sandbox.options import INLINE_LINES as EMBEDDED
from sandbox.resources import RESOURCES
from sandbox.store import Obj, Store

MAX_DEPTH = 4  # levels of one path, `data` of a list counted
# Lists that show only when asked for: the kind of their rows, and where in the table those name the holder.
LISTS = {
    ("invoice", "payments"): ("invoice_payment", "invoice"),
    ("customer", "subscriptions"): ("subscription", "status != 'canceled' and customer"),
    ("charge", "refunds"): ("refund", "json_extract(json, '$.charge')"),
}


class Expander:
    """Expands the objects of one answer; `key` needs read permission on what is expanded.

    lenient: paths that cannot be expanded end up in `ignored` instead of being refused (older clients send them).
    """

    def __init__(self, store: Store, paths: list[str], key: Key, account: str, *, lenient: bool = False) -> None:
        self.store, self.paths, self.key, self.account = store, paths, key, account
        self.lenient, self.ignored = lenient, set[str]()
        if any(path.count(".") >= MAX_DEPTH for path in paths):
            raise refusal("too_deep", levels=MAX_DEPTH)

    def obj(self, obj: Obj, prefix: str = "") -> Obj:
        """The object as a client sees it; the stored one stays as it is. Raises ApiError for what has no expansion."""
        shown = dict(plain(obj)) if self.paths else plain(obj)
        for path in self.paths:
            with self._tried(path):
                self._step(shown, path.removeprefix(prefix).split("."), path)
        return shown

    def page(self, page: Page) -> bytes:
        """The list's JSON. Rows that show everything they hold are passed on as the text they are stored as."""
        for path in self.paths:
            with self._tried(path):
                self._check(path, page.kind)
        self.paths = [path for path in self.paths if f"expand.{path}" not in self.ignored]
        texts = []
        for row in page.rows:
            if self.paths or not isinstance(row, str):
                shown = self.obj(msgspec.json.decode(row) if isinstance(row, str) else row, "data.")
                row = msgspec.json.encode(shown).decode()
            texts.append(row)
        rest = msgspec.json.encode({"has_more": page.has_more, "url": page.url} | page.more).decode()
        return f'{{"object":"list","data":[{",".join(texts)}],{rest[1:]}'.encode()

    @contextmanager
    def _tried(self, path: str) -> Iterator[None]:
        try:
            yield
        except ApiError as error:
            if not self.lenient or error.status != 400:
                raise
            self.ignored.add(f"expand.{path}")

    def _check(self, path: str, kind: str) -> None:
        """A list's path begins with `data`; what follows is checked here, because a page may have no rows."""
        first, _, rest = path.partition(".")
        named = rest.partition(".")[0]
        known = {*msgspec.json.decode(SHAPES.get(kind, b"{}")), *HIDDEN.get(kind, ())}
        known |= {name for holder, name in LISTS if holder == kind}
        if first != "data" or (known and named not in known):
            raise refusal("not_expandable_in_a_list" if first in known else "not_expandable", path=path)

    def _step(self, holder: Obj, steps: list[str], path: str) -> None:
        name, rest, kind = steps[0], steps[1:], holder.get("object", "")
        if (kind, name) in LISTS:
            holder[name] = self._list(holder, *LISTS[kind, name])
        elif name in HIDDEN.get(kind, ()):
            value = (self.store.any(holder["id"]) or holder).get(name)
            if value is None or not rest:  # a price without tiers shows none even then
                holder |= {} if value is None else {name: value}
                return
            holder[name] = value
        elif name not in holder:
            raise refusal("not_expandable", path=path)
        holder[name] = self._value(holder[name], rest, path)

    def _value(self, value: Any, rest: list[str], path: str) -> Any:
        """An id as its object; lists and objects one level deeper; null stays."""
        if value is None:
            return None
        if isinstance(value, list):
            return [self._value(one, rest, path) for one in value]
        found = self.store.any(value) if isinstance(value, str) else None
        if found is not None:
            self.key.demand(f"{RESOURCES[found['object']].permission}_read", self.account)
            value = plain(found)
        if not isinstance(value, dict) or not (rest or "object" in value):
            raise refusal("not_expandable", path=path)
        value = dict(value)
        if rest:
            self._step(value, rest, path)
        return value

    def _list(self, holder: Obj, kind: str, place: str) -> Obj:
        """A list that is put together when asked for, newest first, cut like every nested list."""
        self.key.demand(f"{RESOURCES[kind].permission}_read", self.account)
        self.store.flush()
        where = f"kind = ? and hidden = 0 and {place} = ? order by created desc, seq desc limit {EMBEDDED + 1}"
        found = self.store.db.execute(f"select json from object where {where}", (kind, holder["id"]))  # noqa: S608 # ours
        rows = [plain(msgspec.json.decode(row[0])) for row in found]
        url = f"{RESOURCES[kind].url}?{holder['object']}={holder['id']}"
        return {"object": "list", "data": rows[:EMBEDDED], "has_more": len(rows) > EMBEDDED, "url": url}
