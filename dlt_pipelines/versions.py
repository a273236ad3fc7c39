"""Versions on their way to one raw table, column by column: Arrow is fed whole columns, not rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import pyarrow as pa

from dlt_pipelines.context import Batch, Load
from dlt_pipelines.landed import Landed
from dlt_pipelines.rows import CHILD_SCHEMA, KIND_SCHEMA, Head, version_hash

# Payloads are turned into Arrow this much at a time: memory that fits the caches and is used again, where a column of
# eight megabytes is fetched anew from the kernel each time (1.5 against 7 us an object).
SLICE_BYTES = 2**20


@dataclass
class Versions:
    """Collects versions of one table until `batches` takes them. is_child: rows name their parent."""

    load: Load
    table: str
    landed: Landed
    is_child: bool = False
    _ids: list[str] = field(default_factory=list)
    _hashes: list[str] = field(default_factory=list)
    _created: list[int | None] = field(default_factory=list)
    _payloads: list[bytes | msgspec.Raw] = field(default_factory=list)
    _deleted: list[bool] = field(default_factory=list)
    _parents: list[str] = field(default_factory=list)
    _bytes: int = 0
    _slices: list[pa.Table] = field(default_factory=list)

    def add(
        self, head: Head, payload: bytes | msgspec.Raw, hashed: str, parent: str = "", is_deleted: bool = False
    ) -> None:
        """Append one version. Raises OtherAccount when the object's mode is not the key's."""
        self.load.check_mode(head)
        self._ids.append(head.id)
        self._hashes.append(hashed)
        self._created.append(head.created)
        self._payloads.append(payload)
        self._deleted.append(is_deleted)
        self._parents.append(parent)
        self._bytes += memoryview(payload).nbytes
        if self._bytes >= SLICE_BYTES:
            self._slice()

    def add_tombstone(self, object_id: str, parent: str = "", sent: bytes | None = None) -> None:
        """Append that an object is gone; its payload is what was sent, else the last one landed."""
        created, last = self.landed.payload(object_id)
        payload = last.encode() if sent is None else sent
        gone = Head(id=object_id, created=created)
        self.add(gone, payload, version_hash(payload, is_deleted=True), parent, is_deleted=True)

    def batches(self) -> Iterator[Batch]:
        """What was added since, as one table of KIND_SCHEMA or CHILD_SCHEMA, if anything was; counted as appended."""
        self._slice()
        if self._slices:
            slices, self._slices = self._slices, []
            yield self.table, pa.concat_tables(slices)

    def _slice(self) -> None:
        """Turn what was added into Arrow."""
        count = len(self._ids)
        if not count:
            return
        self.load.tally(self.table).rows_appended += count
        columns = [
            pa.repeat(pa.scalar(self.load.account_id), count),
            pa.array(self._ids, pa.string()),
            pa.array(self._hashes, pa.string()),
            pa.array(self._created, pa.int64()),
            pa.array([bytes(payload) for payload in self._payloads], pa.binary()).cast(pa.string()),
            pa.array(self._deleted, pa.bool_()),
            pa.repeat(pa.scalar(self.load.is_live), count),
            pa.repeat(pa.scalar(self.load.stamp, KIND_SCHEMA.field("loaded_at").type), count),
        ]
        if self.is_child:
            columns.append(pa.array(self._parents, pa.string()))
        schema = CHILD_SCHEMA if self.is_child else KIND_SCHEMA
        self._slices.append(pa.Table.from_arrays(columns, schema=schema))
        for column in (self._ids, self._hashes, self._created, self._payloads, self._deleted, self._parents):
            column.clear()
        self._bytes = 0
