"""`expand[]`: ids replaced by the objects they name, and fields that are hidden until asked for (stripe.md 2.1)."""

from collections.abc import Callable
from typing import Any

import msgspec

from sandbox.call import Page
from sandbox.errors import ApiError
from sandbox.events import plain
from sandbox.keys import Key
from sandbox.options import INLINE_LINES as EMBEDDED
from sandbox.refusals import refuse
from sandbox.resources import HIDDEN, LISTS, RESOURCES
from sandbox.simple import EMPTY
from sandbox.store import Obj, Store

MAX_DEPTH = 4  # levels of one path, `data` of a list counted


class Expander:
    """Expands the objects of one answer; `key` needs read permission on what is expanded.

    lenient: paths that cannot be expanded end up in `ignored` instead of being refused (older clients send them).
    """

    def __init__(self, store: Store, paths: list[str], key: Key, account: str, *, lenient: bool = False) -> None:
        self.store, self.paths, self.key, self.account = store, paths, key, account
        self.lenient, self.ignored = lenient, set[str]()
        if any(path.count(".") >= MAX_DEPTH for path in paths):
            raise refuse("too_deep", levels=MAX_DEPTH)

    def obj(self, obj: Obj, prefix: str = "") -> Obj:
        """The object as a client sees it; the stored one stays as it is. Raises ApiError for what has no expansion."""
        shown = dict(plain(obj)) if self.paths else plain(obj)
        for path in self.paths:
            self._try(path, self._step, shown, path.removeprefix(prefix).split("."))
        return shown

    def page(self, page: Page) -> bytes:
        """The list's JSON. Rows that show everything they hold are passed on as the text they are stored as."""
        self.paths = [path for path in self.paths if self._try(path, self._check, page.kind)]
        texts = []
        for row in page.rows:
            if self.paths or not isinstance(row, str):
                shown = self.obj(msgspec.json.decode(row) if isinstance(row, str) else row, "data.")
                row = msgspec.json.encode(shown).decode()
            texts.append(row)
        rest = msgspec.json.encode({"has_more": page.has_more, "url": page.url} | page.more).decode()
        return f'{{"object":"list","data":[{",".join(texts)}],{rest[1:]}'.encode()

    def _try(self, path: str, work: Callable[..., None], *given: Any) -> bool:
        """Whether work on a path went well; one that an older client sends in vain is remembered, not refused."""
        try:
            work(*given, path)
        except ApiError as error:
            if not self.lenient or error.status != 400:
                raise
            self.ignored.add(f"expand.{path}")
            return False
        return True

    def _check(self, kind: str, path: str) -> None:
        """A list's path begins with `data`; what follows is checked here, because a page may have no rows."""
        first, named = [*path.split("."), ""][:2]
        known = {*EMPTY.get(kind, ()), *HIDDEN.get(kind, ()), *(name for holder, name in LISTS if holder == kind)}
        if first != "data" or (known and named not in known):
            raise refuse("not_expandable_in_a_list" if first in known else "not_expandable", path=path)

    def _step(self, holder: Obj, steps: list[str], path: str) -> None:
        """Expand what the first step names in a copy of an object, then what the others name in that."""
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
            raise refuse("not_expandable", path=path)
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
            raise refuse("not_expandable", path=path)
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
