"""The inbox: webhook events as they arrived, each once, until a load has taken them (data/landing/inbox.sqlite).

SQLite in WAL mode, so that a load reads while the receiver writes; each commit is on disk (synchronous=FULL)
before anybody is told that an event is here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from dlt_pipelines.inbox_file import connect, inode, owner_of, reading, told, transaction, writing
from dlt_pipelines.settings import Settings

KEPT_S = 30 * 86_400  # Stripe re-sends an event for as long as it keeps it (stripe.md 3): until then its id is known
AT_ONCE = 64 * 2**20  # bytes of bodies that one load takes
CHUNK = 1_000  # ids marked in one transaction, so that the receiver never waits long


@dataclass(frozen=True)
class Arrival:
    """A verified event. created: Unix second at Stripe; account: the connected account it names, if any."""

    id: str
    type: str
    created: int
    livemode: bool
    account: str | None
    body: bytes


class Verdict(Enum):
    """What became of an arrival."""

    LANDED = "landed"
    KNOWN = "known"  # it was here already: a repeated delivery
    FOREIGN = "foreign"  # of the other mode or of another account: not stored


class Inbox:
    """A connection that lands events; belongs to one thread at a time. Raises InboxFailed when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with told(path):
            self._open()

    def land(self, arrivals: Sequence[Arrival]) -> list[Verdict]:
        """Store what is new in one transaction; when this returns it is on disk. One verdict per arrival, in order.

        Raises InboxFailed; then nothing of these was stored, and the next call starts afresh.
        """
        with told(self.path):
            if inode(self.path) != self._file:  # somebody removed it: rows written to the old one would be lost
                self._db.close()
                self._open()
            with transaction(self._db):
                owner = owner_of(self._db)
                return [self._keep(arrival, owner) for arrival in arrivals]

    def close(self) -> None:
        self._db.close()

    def _open(self) -> None:
        self._file = -1  # no file is that, should it fail now
        self._db = connect(self.path)
        self._file = inode(self.path)

    def _keep(self, arrival: Arrival, owner: tuple[str, bool] | None) -> Verdict:
        account, livemode = owner or (None, arrival.livemode)
        if arrival.livemode != livemode or arrival.account not in (None, account or arrival.account):
            return Verdict.FOREIGN
        # not `insert or ignore`: that would drop a row that breaks another constraint, and say nothing
        added = self._db.execute(
            "insert into event (id, type, created, livemode, account_id, body, received_at) "
            "values (?, ?, ?, ?, ?, ?, ?) on conflict (id) do nothing",
            (arrival.id, arrival.type, arrival.created, arrival.livemode, account or arrival.account, arrival.body,
             int(time.time())),
        )  # fmt: skip
        return Verdict.LANDED if added.rowcount else Verdict.KNOWN


def pending(settings: Settings, at_once: int = AT_ONCE) -> list[tuple[str, bytes]]:
    """(event id, exact body) of the events no load has taken, oldest arrival first; empty without an inbox.

    at_once: bytes of bodies after which the rest waits for the next load, so that memory stays flat.
    Call `remember_account` first: it drops what came from another account. Raises InboxFailed.
    """
    found: list[tuple[str, bytes]] = []
    with reading(settings.inbox) as db:
        rows = db.execute("select id, body from event where loaded_at is null order by seq") if db else ()
        for event_id, body in rows:
            found.append((event_id, body))
            at_once -= len(body)
            if at_once <= 0:
                break
    return found


def waiting(settings: Settings) -> tuple[int, int]:
    """How many events no load has taken, and the arrival number of the newest of them (0: none). Raises InboxFailed."""
    with reading(settings.inbox) as db:
        row = db.execute("select count(*), max(seq) from event where loaded_at is null").fetchone() if db else (0, 0)
    return row[0], row[1] or 0


def mark_loaded(settings: Settings, ids: Sequence[str], stamp: datetime) -> None:
    """These events are in the warehouse, by the load of that stamp: call it once that load is finished.

    Their bodies are emptied (the warehouse is the home of personal data); their ids stay for 30 days, so that
    a repeated delivery is still known. Events not loaded are never dropped. Raises InboxFailed.
    """
    if not settings.inbox.exists():
        return
    with writing(settings.inbox) as db:
        for start in range(0, len(ids), CHUNK):
            taken = [(stamp.isoformat(), each) for each in ids[start : start + CHUNK]]
            with transaction(db):
                db.executemany("update event set loaded_at = ?, body = x'' where id = ? and loaded_at is null", taken)
        with transaction(db):
            old = int(time.time()) - KEPT_S
            db.execute("delete from event where loaded_at is not null and received_at < ?", (old,))


def remember_account(settings: Settings, account_id: str, is_live: bool) -> int:
    """Tell the receiver whose events to take; events of another account or mode are dropped from now on.

    Returns how many waiting events were dropped because they are another's. Raises InboxFailed.
    """
    with writing(settings.inbox) as db:
        if owner_of(db) == (account_id, is_live):
            return 0
        with transaction(db):
            db.execute(
                "insert into owner values (1, ?, ?) on conflict (one) "
                "do update set account_id = excluded.account_id, livemode = excluded.livemode",
                (account_id, is_live),
            )
            anothers = "livemode <> ? or account_id <> ?"  # an unknown account is taken to be ours
            dropped = db.execute(
                f"delete from event where loaded_at is null and ({anothers})",  # noqa: S608 both parts are ours
                (is_live, account_id),
            )
            db.execute("update event set account_id = ? where account_id is null", (account_id,))
            return dropped.rowcount
