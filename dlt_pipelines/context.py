"""What every reader of one load shares."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import msgspec
import pyarrow as pa

from dlt_pipelines.client import Reader
from dlt_pipelines.errors import OtherAccount
from dlt_pipelines.rows import Head, Tally, version_hash
from dlt_pipelines.warehouse import Warehouse, mode

WORKERS = 8  # requests in flight: at Stripe's usual latency these reach the budget; the sandbox needs two
Batch = tuple[str, pa.Table]  # table name, rows to append

Task = TypeVar("Task")
Done = TypeVar("Done")


@dataclass
class Load:
    """One load: whose data, from where, what has landed, and what it did so far.

    stamp: loaded_at and first_seen_at of everything this load appends, UTC: the server's clock, moved on by a
        microsecond where an earlier load has the same, so that the order of versions is never a tie.
    after_crash: the previous load did not end, so an unchanged parent does not prove that its children landed.
    is_upgrade: the warehouse was loaded by a version that did not read usage by billing period yet.
    """

    reader: Reader
    warehouse: Warehouse
    account_id: str
    is_live: bool
    started_at: datetime
    stamp: datetime
    after_crash: bool
    is_upgrade: bool = False
    tallies: dict[str, Tally] = field(default_factory=dict)

    @property
    def rereads(self) -> bool:
        """Whether nested lists of unchanged parents are read again."""
        return self.after_crash or self.is_upgrade

    def tally(self, table: str) -> Tally:
        """The counts of one table, begun at zero."""
        return self.tallies.setdefault(table, Tally())

    def version(self, head: Head, payload: bytes | msgspec.Raw, hashed: str) -> tuple[object, ...]:
        """A row of KIND_SCHEMA. Raises OtherAccount when the object's mode is not the key's."""
        is_live = self.is_live if head.livemode is None else head.livemode
        if is_live != self.is_live:
            raise OtherAccount(
                f"{head.id} is of {mode(is_live)} and the key is for {mode(self.is_live)}; "
                "check STRIPE_API_BASE: one warehouse holds one mode only."
            )
        text = bytes(payload).decode()
        return (self.account_id, head.id, hashed, head.created, text, head.deleted, is_live, self.stamp)

    def tombstone(self, table: str, object_id: str, sent: bytes | None = None) -> tuple[object, ...]:
        """A row of KIND_SCHEMA for an object that is gone; its payload is what was sent, else the last one landed."""
        created, last = self.warehouse.payload(table, object_id)
        payload = sent if sent is not None else last.encode()
        gone = Head(id=object_id, created=created, deleted=True)
        return self.version(gone, payload, version_hash(payload, is_deleted=True))


def in_parallel(work: Callable[[Task], Done], tasks: Iterable[Task]) -> Iterator[Done]:
    """`work` of each task, in order, WORKERS at a time; the first failure stops what has not begun."""
    pool = ThreadPoolExecutor(WORKERS)
    try:
        yield from pool.map(work, tasks)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
