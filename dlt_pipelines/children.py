"""One nested list of one kind: its entries as rows of their own, complete however long the list is."""

from collections.abc import Iterator

import msgspec

from dlt_pipelines.context import Batch, Load
from dlt_pipelines.crew import Crew, Job
from dlt_pipelines.rows import Embedded, head_decoder, read_head, version_hash
from dlt_pipelines.stripe_api import Nested
from dlt_pipelines.versions import Versions

CHUNK = 5_000  # entries that are compared with the warehouse at a time
_HEADS = head_decoder()


class Children:
    """Follows parents that changed: compares each one's whole list with what landed of it.

    followed: parents whose list is on its way already, and is not read a second time.
    """

    def __init__(self, load: Load, crew: Crew, nested: Nested) -> None:
        self.nested = nested
        self._load, self._crew = load, crew
        self._landed = load.landed(nested.table)
        self._tally = load.tally(nested.table)
        self._versions = Versions(load, nested.table, self._landed, is_child=True)
        self._lists: dict[str, list[msgspec.Raw]] = {}
        self._created: list[int | None] = []  # of the parents in _lists
        self._held = 0
        self.followed: set[str] = set()

    def prepare(self, parents: str) -> None:
        """All lists will be compared, of all parents in the table `parents`."""
        self._landed.prepare(parents)

    def follow(self, parent: str, created: int | None = None, embedded: Embedded | None = None) -> Iterator[Batch]:
        """Take the parent's list as it was embedded, or queue reading it where only its begin, or nothing, was.

        created: of the parent, where that is known.
        """
        if parent in self.followed:
            return
        self._load.progress.update(self.nested.table, self._tally)
        if embedded is not None and not embedded.has_more:
            yield from self._hold(parent, created, embedded.data)
        else:
            self._crew.add(
                Job(self.nested.path, lambda: self._read(parent), lambda found: self._then(parent, created, found))
            )

    def leave(self, parents: list[str]) -> Iterator[Batch]:
        """The parents are gone: so is what hangs on them, unless it outlives them."""
        if self.nested.outlives:
            return
        for parent, children in self._landed.children(parents).items():
            for child, version in children.items():
                if not version.is_deleted:
                    self._versions.add_tombstone(child, parent)
        yield from self._versions.batches()

    def flush(self) -> Iterator[Batch]:
        """Compare what is held with the warehouse, and give what is new of it."""
        lists, created = self._lists, self._created
        self._lists, self._created, self._held = {}, [], 0
        known = self._landed.children(list(lists), created)
        for parent, entries in lists.items():
            landed = known.get(parent, {})
            there = set()
            for payload in entries:
                head = read_head(payload, _HEADS, self._tally, f"in {parent}")
                if head is None:
                    continue
                there.add(head.id)
                hashed = version_hash(payload)
                version = landed.get(head.id)
                if version is None or version.hash != hashed:
                    self._versions.add(head, payload, hashed, parent)
            for child in sorted(landed.keys() - there):
                if not landed[child].is_deleted:
                    self._versions.add_tombstone(child, parent)
            self._tally.rows_read += len(entries)
        if lists:
            self._load.progress.update(self.nested.table, self._tally)
        yield from self._versions.batches()

    def _hold(self, parent: str, created: int | None, entries: list[msgspec.Raw]) -> Iterator[Batch]:
        self._held += len(entries) - len(self._lists.get(parent, ())) + 1
        self._lists[parent] = entries
        self._created.append(created)
        if self._held >= CHUNK:
            yield from self.flush()

    def _read(self, parent: str) -> list[msgspec.Raw] | None:
        by = {self.nested.by: parent} if self.nested.by else {}
        return self._load.reader.entries(self.nested.path, self.nested.params | by, self._tally, of=parent)

    def _then(self, parent: str, created: int | None, entries: list[msgspec.Raw] | None) -> Iterator[Batch]:
        if entries is None:
            self._tally.note("deleted_parent", parent)
        else:
            yield from self._hold(parent, created, entries)
