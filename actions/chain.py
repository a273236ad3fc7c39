"""The hash chain over the ledger and its head, a small file kept apart from it.

The chain alone finds an altered or missing row, but not a cut tail or a chain computed anew; the head finds those.
Tamper-evident, not immutable: whoever can write both files can rewrite both.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actions.errors import LedgerAltered
from actions.ids import HASH_VERSION, digest

BEFORE_FIRST = HASH_VERSION + "0" * 64


@dataclass(frozen=True)
class Head:
    """Sequence number and hash of the last event that was committed."""

    seq: int
    hash: str


def event_hash(values: Iterable[Any]) -> str:
    """Hash of an event: every column but `hash`, in the table's order, prev_hash among them."""
    return digest(json.dumps(list(values), separators=(",", ":")))


def read_head(path: Path) -> Head | None:
    """None when there is no head yet. Raises LedgerAltered when the file is not a head."""
    try:
        found = json.loads(path.read_text())
        return Head(int(found["seq"]), str(found["hash"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerAltered(f"{path} is not a head file; restore it from a backup, together with the ledger") from error


def write_head(path: Path, head: Head) -> None:
    """Replaces the head atomically and durably, unless another process has already written a later one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read_head(path)
        if known is not None and known.seq >= head.seq:
            return
        fresh = path.with_suffix(".new")
        with open(fresh, "w") as file:
            json.dump({"seq": head.seq, "hash": head.hash}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def check_head(db: sqlite3.Connection, path: Path) -> Head:
    """The ledger's last event, after comparing it with the head file.

    The ledger may be ahead of its head (killed between commit and head), never behind it.
    Raises LedgerAltered.
    """
    row = db.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    last = Head(*row) if row else Head(0, BEFORE_FIRST)
    head = read_head(path)
    if head is None:
        if last.seq > 1:  # the genesis event is a transaction of its own, so only that one can be without a head
            raise LedgerAltered(f"{path} is missing, the ledger has {last.seq} events; restore the file from a backup")
        return last
    if head.seq > last.seq:
        raise LedgerAltered(
            f"the ledger ends at event {last.seq}, its head says {head.seq}: the tail was cut or an old copy "
            "was put back; restore the latest copy before anything else is sent"
        )
    found = db.execute("SELECT hash FROM event WHERE seq = ?", (head.seq,)).fetchone()
    if found is None or found[0] != head.hash:
        raise LedgerAltered(f"event {head.seq} is not the one that the head names; the ledger was rewritten")
    return last


def check_chain(rows: Iterable[tuple[Any, ...]], seq: int = 0, prev_hash: str = BEFORE_FIRST) -> int:
    """Walks whole rows (table order, hash last) from the event after `seq`; returns how many it checked.

    Raises LedgerAltered naming the first event that does not fit.
    """
    count = 0
    for row in rows:
        seq, count = seq + 1, count + 1
        if row[0] != seq:
            raise LedgerAltered(f"event {seq} is missing (found {row[0]} in its place)")
        if row[-2] != prev_hash:
            raise LedgerAltered(f"event {seq} does not follow event {seq - 1}: the chain is broken there")
        prev_hash = event_hash(row[:-1])
        if row[-1] != prev_hash:
            raise LedgerAltered(f"event {seq} was altered: its content does not give its hash")
    return count
