"""A store to try things on: it reads the real one, and keeps every change to itself. Previews are made on it."""

import msgspec

from sandbox.draw import identifier
from sandbox.store import Obj, Store, subscription_of
from sandbox.world import Nobody


class Sketch(Store):
    """Objects are copied when they are first read; nothing is emitted or scheduled, and nobody in the world acts."""

    def __init__(self, real: Store) -> None:
        self.real, self.db, self.seed, self.clock = real, real.db, real.seed, real.clock
        self.now, self.account_now, self.issued, self.request = real.now, real.account_now, 0, real.request
        self.events_from = self.account_now + 2**40
        self.world = Nobody()
        self.copies: dict[str, Obj | None] = {}  # None: removed
        self.made: list[str] = []

    def new_id(self, prefix: str, width: int = 24) -> str:
        self.issued += 1
        return identifier(prefix, width, self.seed, "sketch", self.real.issued, self.issued)

    def put(self, obj: Obj, *, parent: str | None = None, created: int | None = None) -> Obj:
        if obj["id"] not in self.copies:
            self.made.append(obj["id"])
        self.copies[obj["id"]] = obj
        return obj

    def any(self, identifier: str) -> Obj | None:
        if identifier not in self.copies:
            found = self.real.any(identifier)
            self.copies[identifier] = None if found is None else msgspec.json.decode(msgspec.json.encode(found))
        return self.copies[identifier]

    def remove(self, identifier: str) -> None:
        self.copies[identifier] = None

    def rows(self, kind: str, **where: str) -> list[Obj]:
        """As the real store's, with what was changed here; objects made here have no `parent`."""
        found = [self.any(one["id"]) for one in self.real.rows(kind, **where)]
        found += [self.copies[one] for one in self.made if (self.copies[one] or {}).get("object") == kind]
        return [one for one in found if one is not None and _fits(one, where)]

    def owner(self, item: str) -> Obj | None:
        found = self.real.owner(item)
        return None if found is None else self.any(found["id"])

    def schedule(self, at: int, kind: str, ref: str) -> None: ...

    def unschedule(self, kind: str, ref: str) -> None: ...

    def flush(self) -> None: ...


def _fits(obj: Obj, where: dict[str, str]) -> bool:
    shown = obj | {"subscription": subscription_of(obj)}
    return all(shown.get(name, value) == value for name, value in where.items())
