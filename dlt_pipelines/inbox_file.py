"""The inbox's file: its tables, how it is opened, and what is said when it fails."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dlt_pipelines.errors import InboxFailed

BUSY_S = 5.0  # what the receiver waits for another writer: Stripe waits for its answer
UNHURRIED_S = 60.0  # and what a load waits: SQLite has no queue, so that a busy receiver may be served first for long

SCHEMA = """
create table if not exists event (
  seq integer primary key autoincrement, -- order of arrival, never given twice
  id text not null unique,
  type text not null,
  created integer not null, -- Unix second at Stripe
  livemode integer not null,
  account_id text, -- account of this inbox when it landed, or the one it names; null: not known yet
  body blob not null, -- exact bytes; emptied once loaded
  received_at integer not null, -- Unix second of this machine
  loaded_at text -- stamp of the load that took it
) strict;
create index if not exists event_waiting on event (seq) where loaded_at is null;
create table if not exists owner (
  one integer primary key check (one = 1), account_id text not null, livemode integer not null
) strict;
"""


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the inbox, made if need be. Raises InboxFailed."""
    with told(path):
        db = connect(path, UNHURRIED_S)
        try:
            yield db
        finally:
            db.close()


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection | None]:
    """A connection that cannot write; None: there is no inbox, or it is just being made. Raises InboxFailed."""
    if not path.exists():
        yield None
        return
    with told(path):
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=UNHURRIED_S)
        try:
            is_made = db.execute("select 1 from sqlite_schema where name = 'event_waiting'").fetchone()
            yield db if is_made else None
        finally:
            db.close()


def connect(path: Path, patience: float = BUSY_S) -> sqlite3.Connection:
    """Open or make the inbox, readable by its owner only; it may be used in another thread than this one.

    patience: seconds that each statement waits for another writer. Raises sqlite3.Error and OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # only a new file is opened here: closing one in use would drop SQLite's locks
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    path.chmod(0o600)  # one that was made with another mode; SQLite gives its WAL the same
    until = time.monotonic() + patience
    while True:
        db = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
        try:
            db.executescript(
                "pragma journal_mode = wal; pragma synchronous = full; pragma secure_delete = on;" + SCHEMA
            )
        except sqlite3.Error as error:
            db.close()
            # two processes that make it at once: SQLite's own patience does not cover the change to WAL
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing; on disk when it ends."""
    db.execute("begin immediate")
    try:
        yield
        db.execute("commit")
    except BaseException:
        if db.in_transaction:  # SQLite ends it by itself on some failures, such as a full disk
            db.execute("rollback")
        raise


def owner_of(db: sqlite3.Connection) -> tuple[str, bool] | None:
    """(account id, whether live) of the loads of this state folder; None before the first."""
    row = db.execute("select account_id, livemode from owner").fetchone()
    return (row[0], bool(row[1])) if row else None


def inode(path: Path) -> int:
    """Which file is there now; 0 for none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite or the file system says into one sentence."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise InboxFailed(
            f"the webhook inbox {path} failed ({error}); make room, or move the file away if it is damaged: "
            "the next load lists the same events from Stripe, which keeps them for 30 days."
        ) from error
    except OSError as error:
        raise InboxFailed(
            f"the webhook inbox {path} cannot be opened ({error.strerror}); give this user its folder, or set "
            "METERWISE_DATA to another."
        ) from error
