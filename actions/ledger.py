"""The append-only event store: one SQLite file, every commit on disk before the call returns."""

import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from actions import errors
from actions.chain import BEFORE_FIRST, Head, check_chain, check_head, event_hash, read_head, write_head
from actions.clock import Clock
from actions.ids import canon, event_id

SCHEMA = ("schema.sql", "schema_2.sql")  # run in turn; a file of version n has seen the first n
HEAD_LAG_S = 1.0  # a power cut may leave the head so far behind, which is accepted; the ledger itself loses nothing
TAIL = 100  # events checked on every open (actions.md R12); `audit verify` checks all
BUSY_MS = 30_000
OTHERS_WRITE = 0o022
REFUSALS = (  # words of SQLite and the operating system, tried in turn
    ("Errno|full|readonly|I/O|unable", errors.LedgerUnwritable, "check space and permissions, then run again"),
    ("constraint|append-only", errors.AlreadyClaimed, "it is there already; look with `python -m actions log`"),
    ("locked|busy", errors.Locked, f"another process has been writing it for {BUSY_MS // 1_000} s; try again"),
    ("", errors.LedgerAltered, "SQLite cannot read it; restore it from a backup"),
)


@dataclass(frozen=True)
class Event:
    """One row of the ledger. seq, event_id, times and hashes are the ledger's to fill.

    at_us never goes backwards, wall_us is the raw clock (both microseconds since 1970). amount_minor is the
    exposure of the event in minor units of `currency`. body is canonical JSON. source_event_id: what the
    recommendation came from, an incident or a Stripe event. No personal data anywhere.
    """

    seq: int = 0
    event_id: str = ""
    at_us: int = 0
    wall_us: int = 0
    kind: str = ""
    recommendation_id: str | None = None
    action_id: str | None = None
    step: int = 0
    attempt: int = 0
    account_id: str = ""
    livemode: bool = False
    customer_id: str | None = None
    subscription_id: str | None = None
    object_id: str | None = None
    stripe_event_id: str | None = None
    request_id: str | None = None
    idempotency_key: str | None = None
    plan_hash: str | None = None
    currency: str | None = None
    amount_minor: int | None = None
    actor: str = ""
    actor_assurance: str = ""
    reasoning: str = ""
    body: str = "{}"
    source_event_id: str | None = None
    prev_hash: str = ""
    hash: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """The body as an object."""
        found: dict[str, Any] = json.loads(self.body)
        return found


COLUMNS = tuple(field.name for field in fields(Event))
_MODE = COLUMNS.index("livemode")
_MARKS = ", ".join("?" * len(COLUMNS))
INSERT = f"INSERT INTO event ({', '.join(COLUMNS)}) VALUES ({_MARKS})"  # noqa: S608 - field names of Event, values by ?


Point = Callable[[str], None]


def no_point(name: str) -> None:
    """Where a test may kill the process; does nothing otherwise."""


class Ledger:
    """Opened for one command, by one thread. Writing happens in `with ledger.write():` only."""

    def __init__(
        self, path: Path, head: Path, clock: Clock, point: Point = no_point, despite_damage: bool = False
    ) -> None:
        """Opens an existing ledger; raises NothingToDo when there is none, LedgerExposed when others may write it.

        Raises LedgerAltered when the newest events or the head do not fit; with despite_damage it is kept in
        `damage` instead, for commands that only read: they say so, and writing stays refused.
        """
        self.path, self.head_path, self.clock, self.point = path, head, clock, point
        self.damage: errors.LedgerAltered | None = None
        self._head_synced = -HEAD_LAG_S
        with _as_refusals(path):
            if not path.exists() and read_head(head) is not None:
                raise errors.LedgerAltered(f"{path} is gone, {head} remembers it; restore a backup, else audit recover")
            if not path.exists():
                raise errors.NothingToDo(f"no ledger at {path} yet; run `python -m actions plan` first")
            if path.is_symlink() or (path.parent.stat().st_mode | path.stat().st_mode) & OTHERS_WRITE:
                raise errors.LedgerExposed(f"{path} is a link, or others may write it or its folder; run chmod go-w")
            # Who may only read it cannot make the files that SQLite shares with writers.
            options = "" if os.access(path.parent, os.W_OK, effective_ids=True) else "?immutable=1"
            self._db = sqlite3.connect(path.absolute().as_uri() + options, uri=True, isolation_level=None)
            for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL"):
                self._db.execute(f"PRAGMA {pragma}")
            if self._version > len(SCHEMA):
                raise errors.LedgerTooNew(f"{path} has version {self._version}, this program knows 2; update it")
            try:
                self.check(TAIL)
            except errors.LedgerAltered as error:
                if not despite_damage:
                    raise
                self.damage = error

    @property
    def _version(self) -> int:
        return int(self.query("PRAGMA user_version")[0][0])

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def write(self) -> Iterator[None]:
        """One transaction, taken for writing from its start; on disk (fsync) when the block has ended.

        The head is written then as well, and synced by the first one and once a second: what it costs is that a tail
        of up to a second, cut off right after a power cut, would not be missed.
        An older file is brought to this version first. Raises LedgerAltered, LedgerUnwritable, Locked.
        """
        if self.damage:
            raise self.damage
        with _as_refusals(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._migrate()
                yield
                self.point("commit")
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite itself rolls back when the disk is full
                    self._db.execute("ROLLBACK")
                raise
            self.point("committed")
            is_due = time.monotonic() - self._head_synced >= HEAD_LAG_S
            write_head(self.head_path, self.last(), is_synced=is_due)
            self._head_synced = time.monotonic() if is_due else self._head_synced
        self.point("head written")

    def _migrate(self) -> None:
        for version, name in enumerate(SCHEMA[self._version :], self._version + 1):
            for statement in Path(__file__).with_name(name).read_text().split(";\n\n"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {version}")

    def append(self, event: Event) -> Event:
        """Adds `event` to the open transaction, numbered and chained; returns it as stored."""
        last, now = self.last(), self.clock.now_us()
        [(last_us,)] = self.query("SELECT coalesce(max(at_us), 0) FROM event WHERE seq = ?", last.seq)
        stored = replace(event, event_id=event_id(now), at_us=max(now, last_us), wall_us=now)
        stored = replace(stored, seq=last.seq + 1, prev_hash=last.hash)
        stored = replace(stored, hash=event_hash(_values(stored)[:-1]))
        self.insert(_values(stored))
        return stored

    def insert(self, row: tuple[Any, ...]) -> None:
        """A whole row as it is, for the open transaction; only a restore has one."""
        self._db.execute(INSERT, row)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a SELECT on the table `event`. Raises LedgerAltered when the file cannot be read."""
        with _as_refusals(self.path):
            return self._db.execute(sql, values).fetchall()

    def rows(self, where: str = "true", *values: Any) -> Iterator[tuple[Any, ...]]:
        """Whole rows in the order of COLUMNS, oldest first, one at a time. where: a condition, `?` for values."""
        names = ", ".join(COLUMNS) if self._version > 1 else ", ".join(COLUMNS).replace("source_", "NULL AS source_")
        with _as_refusals(self.path):
            # The conditions are constants of this package; what varies is bound as values.
            sql = f"SELECT {names} FROM event WHERE {where} ORDER BY seq"  # noqa: S608 - constants, as said above
            yield from self._db.execute(sql, values)

    def events(self, action_id: str | None = None) -> list[Event]:
        """Every event, or those of one action, oldest first."""
        found = self.rows() if action_id is None else self.rows("action_id = ?", action_id)
        return [Event(*(*row[:_MODE], bool(row[_MODE]), *row[_MODE + 1 :])) for row in found]

    def last(self) -> Head:
        """The newest event."""
        rows = self.query("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1") if self._version else []
        return Head(*rows[0]) if rows else Head(0, BEFORE_FIRST)

    def account(self) -> tuple[str, bool]:
        """Account id and livemode that this ledger belongs to for good."""
        [(account_id, livemode)] = self.query("SELECT account_id, livemode FROM event WHERE seq = 1")
        return account_id, bool(livemode)

    def check(self, newest: int | None = None) -> int:
        """Compares the ledger with its head, and the `newest` events (None: all) with their hashes; how many these are.

        Raises LedgerAltered.
        """
        last = self.last()
        check_head(self.head_path, last, self._hash_of)
        start = 0 if newest is None else max(last.seq - newest, 0)
        return check_chain(self.rows("seq > ?", start), start, self._hash_of(start) or BEFORE_FIRST) if last.seq else 0

    def _hash_of(self, seq: int) -> str | None:
        return next((str(found) for (found,) in self.query("SELECT hash FROM event WHERE seq = ?", seq)), None)


def create(path: Path) -> None:
    """An empty file, its owner's alone; the first transaction makes the table."""
    with _as_refusals(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))


def begin(ledger: Ledger, account_id: str, livemode: bool, actor: str) -> None:
    """The first event, unless there is one; a transaction in any case, so that an older file is migrated."""
    about: dict[str, Any] = {"actor": actor, "actor_assurance": "os_user", "reasoning": "The ledger begins."}
    body = canon({"schema_version": len(SCHEMA)})
    with ledger.write():
        if not ledger.last().seq:
            ledger.append(Event(kind="genesis", account_id=account_id, livemode=livemode, body=body, **about))


def open_or_create(path: Path, head: Path, clock: Clock, account_id: str, livemode: bool, actor: str) -> Ledger:
    """The ledger of this account, made when neither it nor a head exists.

    Raises WrongAccount when the ledger belongs to another account or mode.
    """
    if not path.exists() and read_head(head) is None:
        create(path)
    ledger = Ledger(path, head, clock)
    begin(ledger, account_id, livemode, actor)
    if ledger.account() != (account_id, livemode):
        found = f"{path} is of account {ledger.account()[0]}, the published warehouse of {account_id}"
        raise errors.WrongAccount(f"{found} (livemode {livemode}); use another METERWISE_DATA for it")
    return ledger


def _values(event: Event) -> tuple[Any, ...]:
    return tuple(int(value) if isinstance(value, bool) else value for value in vars(event).values())


@contextmanager
def _as_refusals(path: Path) -> Iterator[None]:
    """SQLite's and the file system's errors as ours, with the next step."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError, OverflowError) as error:
        refusal, advice = next((kind, advice) for words, kind, advice in REFUSALS if re.search(words, str(error)))
        raise refusal(f"{path}: {error}; {advice}") from error
