"""The state folder: one SQLite file with Stripe objects as ready JSON text, meter usage, the agenda and the clock."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from sandbox.draw import identifier
from sandbox.errors import SandboxError
from sandbox.options import INLINE_LINES as EMBEDDED
from sandbox.world import World

Obj = dict[str, Any]
FORMAT = "3"  # of the state file; raised when it changes so that older files cannot be read
MICRO = 1_000_000  # usage is kept as whole millionths, so that sums are exact
WINDOWS = {"hour": 3600, "day": 86_400}  # in UTC
FOUND = "from usage where meter = ? and customer = ? and at >= ? and at < ?"
CACHED = 20_000  # live objects kept before they are written and forgotten
COLUMNS = ("customer", "subscription", "invoice", "parent", "status")

SCHEMA = Path(__file__).with_name("schema.sql").read_text()

INSERT = (
    "insert into object (id, kind, created, status, customer, subscription, invoice, parent, clock, hidden, long, json)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do update set status = excluded.status,"
    " customer = excluded.customer, subscription = excluded.subscription, invoice = excluded.invoice,"
    " hidden = excluded.hidden, long = excluded.long, json = excluded.json"
)


@dataclass(frozen=True)
class Task:
    """Something time will do: `kind` names the handler (engine.py), `ref` its object."""

    at: int
    kind: str
    ref: str


class Store:
    """Objects and events by id, over one SQLite connection. Changes belong inside `transaction()`.

    `find` returns the live object: change it, then `put` it. Writes reach SQLite when something asks SQLite, and at
    the latest with the transaction's end. `now` is the running clock: the account's, or that of test clock `clock`.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.seed = int(self.meta("seed") or 0)
        self.account_now = self.now = int(self.meta("clock") or 0)
        self.clock: str | None = None
        self.issued = int(self.meta("issued") or 0)
        self.events_from = 0  # events older than this are not worth building: nobody could list them
        self.request: Obj = {"id": None, "idempotency_key": None}
        self.world = World()
        self.memo: dict[Any, Any] = {}  # what is known of the tables beside `object`, forgotten with a rollback
        self._live: dict[str, Obj] = {}
        self._dirty: dict[str, tuple[Obj, str | None, int | None]] = {}
        self._unwritten: set[str] = set()  # kinds of those
        self._kinds: dict[str, bool] = {}  # whether there are any

    @staticmethod
    def create(path: Path, meta: dict[str, str]) -> "Store":
        """A new state file at `path`, written fast and unsafely: the caller renames it once it is whole."""
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("pragma journal_mode = off")
        db.execute("pragma synchronous = off")
        db.execute("pragma cache_size = -500000")  # kilobytes; ids are random, so inserts touch all of their index
        db.executescript(SCHEMA)
        db.executemany("insert into meta values (?, ?)", {"format": FORMAT, **meta}.items())
        return Store(db)

    @staticmethod
    def open(path: Path, *, read_only: bool = False) -> "Store":
        """The state file at `path`; raises SandboxError if it is missing or of another format."""
        if not path.exists():
            raise SandboxError(f"there is no sandbox state in {path.parent}: run `python -m sandbox seed`")
        mode = "ro" if read_only else "rw"
        db = sqlite3.connect(f"file:{path}?mode={mode}", uri=True, isolation_level=None)
        if not read_only:
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = normal")
        found = db.execute("select value from meta where key = 'format'").fetchone()
        if found is None or found[0] != FORMAT:
            raise SandboxError(
                f"{path} was made by another version of the sandbox: set METERWISE_DATA to a new folder, or delete "
                f"{path.parent.parent} (a warehouse in it holds the old company, and a new seed would be mixed into it)"
            )
        return Store(db)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the body's changes, or none; the clock and the id counter are part of them."""
        before = self.now, self.account_now, self.clock, self.issued
        self.db.execute("begin immediate")
        try:
            yield
            self.flush()
            self.set_meta("clock", str(self.account_now))
            self.set_meta("issued", str(self.issued))
        except BaseException:
            self.now, self.account_now, self.clock, self.issued = before
            self.memo.clear()
            self._live.clear()
            self._dirty.clear()
            self._unwritten.clear()
            if self.db.in_transaction:
                self.db.execute("rollback")
            raise
        self.db.execute("commit")
        self.relax()

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
        """Insert or replace an object by its id; its place in lists and its parent are kept. Returns it."""
        identifier = obj["id"]
        if obj["object"] != "event":  # an event is a snapshot, encoded already
            self._live[identifier] = obj
        if parent is None and created is None and identifier in self._dirty:
            _, parent, created = self._dirty[identifier]
        self._dirty[identifier] = (obj, parent, self.now if created is None else created)
        self._unwritten.add(obj["object"])
        return obj

    def relax(self) -> None:
        """Between two pieces of work: keep memory flat. Objects found before are no longer live."""
        if len(self._live) + len(self._dirty) > CACHED:
            self.flush()
            self._live.clear()

    def flush(self) -> None:
        """Write what changed to SQLite."""
        if not self._dirty:
            return
        rows, items = [], []
        for obj, parent, created in self._dirty.values():
            kind = obj["object"]
            nested = obj.get("items") if kind == "subscription" else obj.get("lines")
            if kind == "subscription":
                items += [(item["id"], obj["id"]) for item in obj["items"]["data"]]
            is_long = isinstance(nested, dict) and len(nested["data"]) > EMBEDDED
            status = obj["type"] if kind == "event" else obj.get("status")
            owners = (obj.get("customer"), subscription_of(obj), obj.get("invoice"), parent, obj.get("test_clock"))
            text = msgspec.json.encode(obj).decode()
            flags = (1 if obj.get("deleted") else 0, 1 if is_long else 0)
            rows.append((obj["id"], kind, obj.get("created", created), status, *owners, *flags, text))
        self._dirty.clear()
        self._kinds.update(dict.fromkeys(self._unwritten, True))
        self._unwritten.clear()
        self.db.executemany(INSERT, rows)
        self.db.executemany("insert or ignore into item values (?, ?)", items)

    def find(self, kind: str, identifier: str) -> Obj | None:
        """The object, live, or None."""
        obj = self.any(identifier)
        return obj if obj is not None and obj["object"] == kind else None

    def get(self, kind: str, identifier: str) -> Obj:
        """The object; KeyError if it is not there, which is a bug: routes use `find`."""
        obj = self.any(identifier)
        if obj is None or obj["object"] != kind:
            raise KeyError(f"{kind} {identifier}")
        return obj

    def any(self, identifier: str) -> Obj | None:
        """The object of whatever kind that has this id: ids are unique across kinds."""
        obj = self._live.get(identifier)
        if obj is None:
            if identifier in self._dirty:
                self.flush()
            row = self.db.execute("select json from object where id = ?", (identifier,)).fetchone()
            if row is None:
                return None
            obj = self._live[identifier] = msgspec.json.decode(row[0])
        return obj

    def remove(self, identifier: str) -> None:
        """Take an object out for good."""
        self._live.pop(identifier, None)
        self._dirty.pop(identifier, None)
        self.db.execute("delete from object where id = ?", (identifier,))

    def rows(self, kind: str, **where: str) -> list[Obj]:
        """Every object of a kind, live, in the order they were made; `where` names columns of COLUMNS and values."""
        if unknown := set(where) - set(COLUMNS):
            raise KeyError(f"no columns {unknown}: there are {COLUMNS}")
        if kind in self._unwritten:
            self.flush()
        if kind not in self._kinds:
            self._kinds[kind] = self.db.execute("select 1 from object where kind = ?", (kind,)).fetchone() is not None
        if not self._kinds[kind]:  # most accounts have no invoice items and credits, and billing asks for them often
            return []
        tests = "".join(f" and {name} = ?" for name in where)
        query = f"select id, json from object where kind = ?{tests} order by seq"  # noqa: S608 # names are checked above
        live, decode = self._live, msgspec.json.decode
        found = self.db.execute(query, (kind, *where.values()))
        return [live.get(key) or live.setdefault(key, decode(text)) for key, text in found]

    def owner(self, item: str) -> Obj | None:
        """The subscription that holds (or held) a subscription item."""
        if "subscription" in self._unwritten:
            self.flush()
        row = self.db.execute("select subscription from item where id = ?", (item,)).fetchone()
        return None if row is None else self.any(row[0])

    # --- usage

    def series(self, meter: str, customer: str) -> int:
        """The short key of a customer's events of a meter in usage_event: they are most of a large state's rows."""
        key = (meter, customer)
        if key not in self.memo:
            self.db.execute("insert or ignore into series (meter, customer) values (?, ?)", key)
            query = "select id from series where meter = ? and customer = ?"
            self.memo[key] = self.db.execute(query, key).fetchone()[0]
        return int(self.memo[key])

    def usage(self, meter: Obj, customer: str, start: int, end: int) -> Decimal:
        """Units in [start, end) by the meter's formula (sum, count or last), exact; 0 without events."""
        source, value = aggregate(meter)
        query = f"select {value} from {source}"  # noqa: S608 # ours
        row = self.db.execute(query, (meter["id"], customer, start, end)).fetchone()
        return (Decimal(row[0] or 0) * Decimal("0.000001")).normalize()

    # --- the agenda

    def schedule(self, at: int, kind: str, ref: str) -> None:
        """Put a task on the running clock's agenda."""
        row = (self.clock or "", at, kind, ref)
        self.db.execute("insert into task (clock, at, kind, ref) values (?, ?, ?, ?)", row)

    def unschedule(self, kind: str, ref: str) -> None:
        """Take an object's tasks of a kind off the agenda."""
        self.db.execute("delete from task where ref = ? and kind = ?", (ref, kind))

    def next_task(self, until: int) -> Task | None:
        """Take the earliest task due by `until` off the running clock's agenda."""
        query = "select seq, at, kind, ref from task where clock = ? and at <= ? order by at, seq limit 1"
        row = self.db.execute(query, (self.clock or "", until)).fetchone()
        if row is None:
            return None
        self.db.execute("delete from task where seq = ?", (row[0],))
        return Task(*row[1:])


def subscription_of(obj: Obj) -> str | None:
    """The subscription an object belongs to, wherever its kind keeps it."""
    found = obj.get("subscription")
    if found is None and obj["object"] in ("invoice", "invoiceitem"):
        found = ((obj.get("parent") or {}).get("subscription_details") or {}).get("subscription")
    return found if isinstance(found, str) else None


def aggregate(meter: dict[str, Any], group: str = "0") -> tuple[str, str]:
    """The rows that count (a table with `at`; it binds meter, customer, start, end) and the sum of each group of them.

    group: an expression in `at`. The sum is in millionths, null without rows. Of events pre-aggregated by the hour or
    day (`event_time_window`) the last in each window counts.
    """
    formula, window = meter["default_aggregation"]["formula"], WINDOWS.get(meter["event_time_window"] or "")
    value = {"sum": "sum(value)", "count": f"count(*) * {MICRO}", "last": "max(value)"}[formula]
    by = group if formula == "last" else f"at / {window}" if window else "0"
    if by == "0":  # all in one: no need to number them
        latest = " order by at desc, received desc limit 1" if formula == "last" else ""
        return f"(select at, value {FOUND}{latest})", value
    place = f"row_number() over (partition by {by} order by at desc, received desc) as place"
    last = f"select at, value, {place} {FOUND}"  # numbers and our own names
    return f"(select at, value from ({last}) where place = 1)", value  # noqa: S608 # ours
