"""What makes time pass: tasks on the agenda of the account's clock, or of a test clock, done in order."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sandbox.clock import EVENT_RETENTION
from sandbox.routes import modules
from sandbox.store import Obj, Store

CLOCK_OWNERS = ("customer", "subscription", "invoice", "test_clock", "from_subscription", "quote", "charge",
                "payment_intent")  # fmt: skip


@cache
def handlers() -> dict[str, Callable[[Store, str], None]]:
    """Task kind → what it does to the object it names."""
    return {kind: task for module in modules() for kind, task in getattr(module, "TASKS", {}).items()}


def advance(store: Store, until: int) -> None:
    """Do everything due on the account's clock up to `until`, in order of time, then set it there; one transaction."""
    with store.transaction():
        store.events_from = until - EVENT_RETENTION
        try:
            run(store, until)
            store.world.advanced(store)
            for module in modules():
                for rest in getattr(module, "RESTS", ()):  # what looks whenever the account's clock comes to rest
                    rest(store)
        finally:
            store.events_from = 0
        store.flush()
        store.db.execute("delete from object where kind = 'event' and created < ?", (until - EVENT_RETENTION,))


def run(store: Store, until: int) -> None:
    """The running clock's tasks up to `until`, then its `now` is there. Inside a transaction."""
    table = handlers()
    while task := store.next_task(until):
        move(store, task.at)
        table[task.kind](store, task.ref)
        store.relax()
    move(store, until)


def move(store: Store, at: int) -> None:
    """Set the running clock."""
    store.now = at
    if store.clock is None:
        store.account_now = at


@contextmanager
def on_clock(store: Store, clock: Obj | None) -> Iterator[None]:
    """The body runs at a test clock's frozen time and with its agenda; with None at the account's."""
    before = store.clock, store.now
    store.clock = clock["id"] if clock else None
    store.now = clock["frozen_time"] if clock else store.account_now
    try:
        yield
    finally:
        store.clock, store.now = before[0], before[1] if before[0] else store.account_now


def clock_of(store: Store, path: dict[str, str], params: dict[str, Any]) -> Obj | None:
    """The test clock that a request's object hangs on, by the URL's id or by a parameter that names its owner."""
    named = [*path.values(), *(dict.get(params, name) for name in CLOCK_OWNERS)]
    for identifier in (name for name in named if isinstance(name, str)):
        found = store.any(identifier) or store.owner(identifier)
        for _ in range(3):  # an object, its invoice, its customer
            if found is None or found["object"] == "test_helpers.test_clock":
                break
            owner = found.get("test_clock") or found.get("customer") or found.get("invoice")
            found = store.any(owner or "")
        if found is not None and found["object"] == "test_helpers.test_clock":
            return found
    return None
