"""The hash chain over the ledger and its head, a small file kept apart from it.

The chain alone finds an altered or missing row, but not a cut tail or a chain computed anew; the head finds those.
Tamper-evident, not immutable: whoever can write both files can rewrite both.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actions.errors import LedgerAltered, LedgerBehind

RULE_1, RULE_2 = "h1:", "h2:"  # version 1 of the schema had no source_event_id: its rows are hashed without it
BEFORE_FIRST = RULE_1 + "0" * 64
SLOT = 512  # bytes; the head's two slots are written in turn, each in a disk sector of its own


@dataclass(frozen=True)
class Head:
    """Sequence number and hash of the last event that was committed."""

    seq: int
    hash: str

    @property
    def check(self) -> str:
        """Tells a slot that was written whole from one that a power cut tore."""
        return hashlib.sha256(f"{self.seq} {self.hash}".encode()).hexdigest()[:16]


def event_hash(values: Iterable[Any], rule: str = RULE_2) -> str:
    """Hash of an event: every column but `hash`, in the order of ledger.COLUMNS, source_event_id and prev_hash last."""
    *kept, source_event_id, prev_hash = values
    kept += [prev_hash] if rule == RULE_1 else [source_event_id, prev_hash]
    return rule + hashlib.sha256(json.dumps(kept, separators=(",", ":"), default=repr).encode()).hexdigest()


def read_head(path: Path) -> Head | None:
    """None when there is no head yet. Raises LedgerAltered when the file is not a head."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            raw = file.read()
    except FileNotFoundError:
        return None
    heads = [head for head in _slots(raw) if head]
    if raw and not heads:
        raise LedgerAltered(f"{path} is not a head file; restore a backup of it, or remove it and run `audit recover`")
    return max(heads, key=lambda head: head.seq, default=None)


def write_head(path: Path, head: Head, is_forced: bool = False, is_synced: bool = True) -> None:
    """Writes the head, unless another process has already written a later one. is_synced: it is on the disk then.

    The newer of the two slots stays as it is, so there is a whole one at any moment. is_forced: both are overwritten.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        raw = file.read()
        known = [-1 if found is None else found.seq for found in _slots(raw)]
        if max(known) >= head.seq and not is_forced:
            return
        text = json.dumps({"seq": head.seq, "hash": head.hash, "check": head.check}).ljust(SLOT - 1) + "\n"
        for slot in (0, 1) if is_forced else (known.index(min(known)),):
            os.pwrite(file.fileno(), text.encode(), slot * SLOT)
        if is_synced or len(raw) < 2 * SLOT:
            os.fdatasync(file.fileno())
    if not raw:
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _slots(raw: bytes) -> tuple[Head | None, Head | None]:
    return _slot(raw[:SLOT]), _slot(raw[SLOT:])


def _slot(raw: bytes) -> Head | None:
    """Version 1 kept one head as JSON without a check: it reads as the first slot, and the second is written next."""
    try:
        found = json.loads(raw.strip(b"\0 \n"))
        head = Head(int(found["seq"]), str(found["hash"]))
        return head if found.get("check", head.check) == head.check else None
    except (ValueError, KeyError, TypeError):
        return None


def check_head(path: Path, last: Head, hash_of: Callable[[int], str | None]) -> None:
    """Compares the ledger's last event with the head file. hash_of: the hash that the ledger has at a number.

    The ledger may be ahead of its head (killed between commit and head), never behind it.
    Raises LedgerBehind when it is, LedgerAltered when it is another ledger.
    """
    head = read_head(path)
    if head is None:
        if last.seq > 1:  # the genesis event is a transaction of its own, so only that one can be without a head
            raise LedgerBehind(f"{path} is missing, the ledger has {last.seq} events; restore it, else audit recover")
    elif head.seq > last.seq:
        raise LedgerBehind(
            f"the ledger ends at event {last.seq}, its head says {head.seq}: its tail was cut or an old copy put back; "
            "restore the latest copy, or if there is none run `python -m actions audit recover`"
        )
    elif hash_of(head.seq) != head.hash:
        raise LedgerAltered(f"event {head.seq} is not the one that the head names; the ledger was rewritten")


def check_chain(rows: Iterable[tuple[Any, ...]], seq: int = 0, prev_hash: str = BEFORE_FIRST) -> int:
    """Walks whole rows (in the order of ledger.COLUMNS) from the event after `seq`; returns how many it checked.

    Raises LedgerAltered naming the first event that does not fit.
    """
    first = seq
    for row in rows:
        seq, rule = seq + 1, str(row[-1])[: len(RULE_1)]
        if row[0] != seq:
            raise LedgerAltered(f"event {seq} is missing (found {row[0]} in its place)")
        if row[-2] != prev_hash or rule not in (RULE_1, RULE_2) or rule < prev_hash[: len(RULE_1)]:
            raise LedgerAltered(f"event {seq} does not follow event {seq - 1}: the chain is broken there")
        prev_hash = event_hash(row[:-1], rule)
        if row[-1] != prev_hash or (rule == RULE_1 and row[-3] is not None):
            raise LedgerAltered(f"event {seq} was altered: its content does not give its hash")
    return seq - first
