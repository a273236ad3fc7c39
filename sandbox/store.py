"""The state folder: one SQLite file with Stripe objects as ready JSON text, meter usage and the clock."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from sandbox.draw import identifier
from sandbox.errors import StateMissing, StateOutdated

Obj = dict[str, Any]
FORMAT = "1"  # of the state file; raised when it changes so that older files cannot be read
MICRO = 1_000_000  # usage is kept as whole millionths, so that sums are exact
ASCENDING = {"line_item", "subscription_item", "credit_note_line_item"}  # Stripe lists children in order

SCHEMA = """
create table object (
    seq integer primary key autoincrement, id text not null unique, kind text not null, created integer not null,
    status text, customer text, subscription text, invoice text, parent text, json text not null);
create index object_newest on object (kind, created, seq);
create index object_customer on object (kind, customer, created, seq) where customer is not null;
create index object_subscription on object (kind, subscription, created, seq) where subscription is not null;
create index object_invoice on object (kind, invoice, created, seq) where invoice is not null;
create index object_parent on object (kind, parent, created, seq) where parent is not null;
create table usage (
    meter text not null, customer text not null, at integer not null, identifier text not null, value integer not null,
    primary key (meter, customer, at, identifier)) without rowid;
create unique index usage_identifier on usage (identifier) where identifier != '';
create table task (seq integer primary key autoincrement, at integer not null, kind text not null, ref text not null);
create index task_next on task (at, seq);
create table member (
    idx integer primary key, customer text unique, subscription text, filled_until integer, ends_at integer);
create table idempotency (
    key text primary key, fingerprint text not null, status integer not null, body blob not null,
    created integer not null);
create table meta (key text primary key, value text not null);
"""


@dataclass(frozen=True)
class Task:
    """Something time will do: `kind` names the handler in billing.py, `ref` its object."""

    at: int
    kind: str
    ref: str


class Store:
    """Objects and events by id, over one SQLite connection. Changes belong inside `transaction()`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.seed = int(self.meta("seed") or 0)
        self.now = int(self.meta("clock") or 0)
        self.issued = int(self.meta("issued") or 0)
        self.events_from = 0  # events older than this are not worth building: nobody could list them
        self.request: Obj = {"id": None, "idempotency_key": None}

    @staticmethod
    def create(path: Path, meta: dict[str, str]) -> "Store":
        """A new state file at `path`, written fast and unsafely: the caller renames it once it is whole."""
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("pragma journal_mode = off")
        db.execute("pragma synchronous = off")
        db.executescript(SCHEMA)
        db.executemany("insert into meta values (?, ?)", {"format": FORMAT, **meta}.items())
        return Store(db)

    @staticmethod
    def open(path: Path, *, read_only: bool = False) -> "Store":
        """The state file at `path`; raises StateMissing, or StateOutdated for another format."""
        if not path.exists():
            raise StateMissing(f"there is no sandbox state in {path.parent}: run `python -m sandbox seed`")
        mode = "ro" if read_only else "rw"
        db = sqlite3.connect(f"file:{path}?mode={mode}", uri=True, isolation_level=None)
        if not read_only:
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = normal")
        store = Store(db)
        if store.meta("format") != FORMAT:
            raise StateOutdated(
                f"{path} has format {store.meta('format')}, this sandbox reads {FORMAT}: run `python -m sandbox seed`"
            )
        return store

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the body's changes, or none; the clock and the id counter are part of them."""
        before = self.now, self.issued
        self.db.execute("begin immediate")
        try:
            yield
            self.set_meta("clock", str(self.now))
            self.set_meta("issued", str(self.issued))
        except BaseException:
            self.now, self.issued = before
            if self.db.in_transaction:
                self.db.execute("rollback")
            raise
        self.db.execute("commit")

    # --- meta and ids

    def meta(self, key: str) -> str | None:
        row = self.db.execute("select value from meta where key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        self.db.execute("insert or replace into meta values (?, ?)", (key, value))

    def new_id(self, prefix: str, width: int = 24) -> str:
        """The next id of the seeded sequence."""
        self.issued += 1
        return identifier(prefix, width, self.seed, self.issued)

    # --- objects

    def put(self, obj: Obj, *, parent: str | None = None, created: int | None = None) -> Obj:
        """Insert or replace an object by its id; its place in lists is kept. Returns it."""
        status = obj["type"] if obj["object"] == "event" else obj.get("status")
        self.db.execute(
            "insert into object (id, kind, created, status, customer, subscription, invoice, parent, json)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " on conflict (id) do update set status = excluded.status, json = excluded.json",
            (
                obj["id"],
                obj["object"],
                obj.get("created", created),
                status,
                obj.get("customer"),
                subscription_of(obj),
                obj.get("invoice"),
                parent,
                msgspec.json.encode(obj).decode(),
            ),
        )
        return obj

    def find(self, kind: str, identifier: str) -> Obj | None:
        """The object, or None."""
        row = self.db.execute("select json from object where id = ? and kind = ?", (identifier, kind)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    def get(self, kind: str, identifier: str) -> Obj:
        """The object; KeyError if it is not there, which is a bug: routes use `find`."""
        obj = self.find(kind, identifier)
        if obj is None:
            raise KeyError(f"{kind} {identifier}")
        return obj

    def any(self, identifier: str) -> Obj | None:
        """The object of whatever kind that has this id: ids are unique across kinds."""
        row = self.db.execute("select json from object where id = ?", (identifier,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    def remove(self, identifier: str) -> None:
        self.db.execute("delete from object where id = ?", (identifier,))

    def children(self, kind: str, parent: str) -> list[Obj]:
        """All children of that kind, in the order they were made."""
        query = "select json from object where kind = ? and parent = ? order by seq"
        return [msgspec.json.decode(row[0]) for row in self.db.execute(query, (kind, parent))]

    def of_invoice(self, kind: str, invoice: str) -> list[Obj]:
        """Everything of a kind that names this invoice, in the order it was made."""
        query = "select json from object where kind = ? and invoice = ? order by seq"
        return [msgspec.json.decode(row[0]) for row in self.db.execute(query, (kind, invoice))]

    def all(self, kind: str) -> list[Obj]:
        """Every object of a kind, in the order they were made."""
        return [
            msgspec.json.decode(r[0])
            for r in self.db.execute("select json from object where kind = ? order by seq", (kind,))
        ]

    # --- usage

    def usage(self, meter: str, customer: str, start: int, end: int) -> Decimal:
        """Units used in [start, end), exact."""
        query = "select coalesce(sum(value), 0) from usage where meter = ? and customer = ? and at >= ? and at < ?"
        total: int = self.db.execute(query, (meter, customer, start, end)).fetchone()[0]
        return (Decimal(total) * Decimal("0.000001")).normalize()

    # --- tasks

    def schedule(self, at: int, kind: str, ref: str) -> None:
        self.db.execute("insert into task (at, kind, ref) values (?, ?, ?)", (at, kind, ref))

    def next_task(self, until: int) -> Task | None:
        """Take the earliest task due by `until` off the agenda."""
        row = self.db.execute(
            "select seq, at, kind, ref from task where at <= ? order by at, seq limit 1", (until,)
        ).fetchone()
        if row is None:
            return None
        self.db.execute("delete from task where seq = ?", (row[0],))
        return Task(*row[1:])


def subscription_of(obj: Obj) -> str | None:
    """The subscription an object belongs to, wherever its kind keeps it."""
    if obj["object"] == "invoice":
        details = (obj.get("parent") or {}).get("subscription_details") or {}
        found = details.get("subscription")
    else:
        found = obj.get("subscription")
    return found if isinstance(found, str) else None
