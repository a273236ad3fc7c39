"""The append-only event store: one SQLite file, every commit on disk before the call returns."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from actions.chain import BEFORE_FIRST, Head, check_chain, check_head, event_hash, read_head, write_head
from actions.clock import Clock
from actions.errors import AlreadyClaimed, LedgerAltered, LedgerUnwritable, Locked, NothingToDo, WrongAccount
from actions.ids import canon, event_id

SCHEMA_VERSION = 1
TAIL = 100  # events checked on every open (actions.md R12); `verify` checks all
BUSY_MS = 30_000


@dataclass(frozen=True)
class Event:
    """One row of the ledger, in the order of the table. seq, event_id, times and hashes are the ledger's to fill.

    at_us never goes backwards, wall_us is the raw clock (both microseconds since 1970). amount_minor is the
    exposure of the event in minor units of `currency`. body is canonical JSON. No personal data anywhere.
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
    prev_hash: str = ""
    hash: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """The body as an object."""
        found: dict[str, Any] = json.loads(self.body)
        return found


COLUMNS = tuple(field.name for field in fields(Event))
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM event"  # noqa: S608 - the names are the constants above
_INSERT = f"INSERT INTO event ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - as above


def no_point(name: str) -> None:
    """Where a test may kill the process; does nothing otherwise."""


class Ledger:
    """Opened for one command, by one thread. Writing happens in `with ledger.write():` only."""

    def __init__(self, path: Path, head: Path, clock: Clock, point: Callable[[str], None] = no_point) -> None:
        """Opens an existing ledger; raises NothingToDo when there is none, LedgerAltered when its head is elsewhere."""
        self.path, self.head_path, self.clock, self.point = path, head, clock, point
        if not path.exists():
            if read_head(head) is not None:
                raise LedgerAltered(f"{path} is gone but {head} remembers it; restore the ledger from a backup")
            raise NothingToDo(f"no ledger at {path} yet; run `python -m actions plan` first")
        with _as_refusals(path):
            self._db = sqlite3.connect(path, isolation_level=None)
            for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                self._db.execute(f"PRAGMA {pragma}")
            self.check_tail()

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def write(self) -> Iterator[None]:
        """One transaction, taken for writing from its start; on disk (fsync) when the block has ended."""
        with _as_refusals(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.point("commit")
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self.point("committed")
            row = self._db.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
            if row:
                write_head(self.head_path, Head(*row))
        self.point("head written")

    def append(self, event: Event) -> Event:
        """Adds `event` to the open transaction, numbered and chained; returns it as stored."""
        row = self._db.execute("SELECT seq, hash, at_us FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        seq, prev_hash, last_us = row or (0, BEFORE_FIRST, 0)
        now = self.clock.now_us()
        stored = replace(
            event, seq=seq + 1, event_id=event_id(now), at_us=max(now, last_us), wall_us=now, prev_hash=prev_hash
        )
        stored = replace(stored, hash=event_hash(_values(stored)[:-1]))
        self._db.execute(_INSERT, _values(stored))
        return stored

    def events(self, action_id: str | None = None) -> list[Event]:
        """Every event, or those of one action, oldest first."""
        if action_id is None:
            return [_event(row) for row in self._db.execute(f"{_SELECT} ORDER BY seq")]
        rows = self._db.execute(f"{_SELECT} WHERE action_id = ? ORDER BY seq", (action_id,))
        return [_event(row) for row in rows]

    def actions_with_intent(self, customer_id: str | None) -> list[str]:
        """Ids of the actions of one customer that were ever about to be sent."""
        sql = "SELECT DISTINCT action_id FROM event WHERE kind = 'intent' AND customer_id IS ?"
        return [row[0] for row in self._db.execute(sql, (customer_id,))]

    def events_exist(self) -> bool:
        return self._db.execute("SELECT 1 FROM event LIMIT 1").fetchone() is not None

    def account(self) -> tuple[str, bool]:
        """Account id and livemode that this ledger belongs to for good."""
        row = self._db.execute("SELECT account_id, livemode FROM event WHERE seq = 1").fetchone()
        return (row[0], bool(row[1]))

    def check_tail(self) -> None:
        """Head and the last TAIL events; raises LedgerAltered."""
        last = check_head(self._db, self.head_path)
        start = max(last.seq - TAIL, 0)
        before = self._db.execute("SELECT hash FROM event WHERE seq = ?", (start,)).fetchone()
        rows = self._db.execute(f"{_SELECT} WHERE seq > ? ORDER BY seq", (start,))
        check_chain(rows, start, before[0] if before else BEFORE_FIRST)

    def verify(self) -> int:
        """Checks the file, the head, the numbering and every hash; returns the number of events.

        Raises LedgerAltered.
        """
        with _as_refusals(self.path):
            health = self._db.execute("PRAGMA integrity_check").fetchone()[0]
            if health != "ok":
                raise LedgerAltered(f"SQLite finds the file damaged ({health}); restore it from a backup")
            check_head(self._db, self.head_path)
            return check_chain(self._db.execute(f"{_SELECT} ORDER BY seq"))


def open_or_create(path: Path, head: Path, clock: Clock, account_id: str, livemode: bool, actor: str) -> Ledger:
    """The ledger of this account, made when neither it nor a head exists.

    Raises WrongAccount when the ledger belongs to another account or mode.
    """
    if not path.exists() and read_head(head) is None:
        with _as_refusals(path):
            _create(path)
    ledger = Ledger(path, head, clock)
    with ledger.write():
        if not ledger.events_exist():
            ledger.append(
                Event(
                    kind="genesis",
                    account_id=account_id,
                    livemode=livemode,
                    actor=actor,
                    actor_assurance="os_user",
                    reasoning="The ledger begins.",
                    body=canon({"schema_version": SCHEMA_VERSION}),
                )
            )
    if ledger.account() != (account_id, livemode):
        raise WrongAccount(
            f"{path} belongs to account {ledger.account()[0]}, the published warehouse to {account_id} "
            f"(livemode {livemode}); use another METERWISE_DATA for it"
        )
    return ledger


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS // 1_000)
    try:
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            schema = Path(__file__).with_name("schema.sql").read_text()
            db.executescript(f"BEGIN IMMEDIATE; {schema} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    finally:
        db.close()


def _values(event: Event) -> tuple[Any, ...]:
    return tuple(int(value) if isinstance(value, bool) else value for value in vars(event).values())


def _event(row: tuple[Any, ...]) -> Event:
    event = Event(*row)
    return replace(event, livemode=bool(event.livemode))


@contextmanager
def _as_refusals(path: Path) -> Iterator[None]:
    """SQLite's and the file system's errors as ours, with the next step."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise AlreadyClaimed(
            f"the ledger refused a second claim ({error}); look with `python -m actions log`"
        ) from error
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise Locked(f"another process has been writing {path} for {BUSY_MS // 1_000} s; try again") from error
        raise LedgerUnwritable(f"cannot write {path}: {error}; check space and permissions, then run again") from error
    except sqlite3.DatabaseError as error:
        raise LedgerAltered(f"SQLite cannot read {path}: {error}; restore it from a backup") from error
    except OSError as error:
        raise LedgerUnwritable(f"cannot write {error.filename or path}: {error.strerror}; then run again") from error
