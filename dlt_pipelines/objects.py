"""Objects of one kind on their way in: listed or fetched by id, compared with what landed, their children followed."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import msgspec

from dlt_pipelines.children import Children
from dlt_pipelines.context import Batch, Load
from dlt_pipelines.crew import Crew, Job
from dlt_pipelines.errors import BadResponse
from dlt_pipelines.lists import Pair, Walk
from dlt_pipelines.rows import CHILD_SCHEMA, KIND_SCHEMA, head_decoder, head_of, read_head, table_of, version_hash
from dlt_pipelines.stripe_api import ACCOUNT, Kind, by_id_params
from dlt_pipelines.versions import Versions

# How much is compared with the warehouse, and handed to dlt, at a time: each costs some milliseconds whatever it holds.
CHUNK, CHUNK_BYTES = 5_000, 8 * 2**20


def read_account(load: Load, body: bytes) -> Iterator[Batch]:
    """The account itself, one object without a list; `body` is the answer the load began with."""
    landed, tally = load.landed(ACCOUNT.table), load.tally(ACCOUNT.table)
    versions = Versions(load, ACCOUNT.table, landed)
    tally.rows_read += 1
    head, hashed = head_of(body, ACCOUNT.path), version_hash(body)
    known = landed.versions([head.id]).get(head.id)
    if known is None or known.hash != hashed:
        versions.add(head, body, hashed)
    yield from versions.batches()


class KindReader:
    """Everything about one kind in one load.

    touched: ids that events told of. compares_all: children of objects that have not changed are compared as well.
    audits: what is found changed, events should have told of.
    """

    def __init__(
        self, load: Load, crew: Crew, kind: Kind, touched: Iterable[str], compares_all: bool, audits: bool
    ) -> None:
        self.kind = kind
        self._load, self._crew = load, crew
        self._touched, self._compares_all, self._audits = set(touched), compares_all, audits
        self._landed = load.landed(kind.table)
        self._tally = load.tally(kind.table)
        self._versions = Versions(load, kind.table, self._landed)
        self._children = [
            Children(load, crew, nested) for nested in kind.nested if nested.table not in load.config.skip
        ]
        self._heads = head_decoder(*(nested.field for nested in kind.nested if nested.field))
        self._held: list[Pair] = []
        self._held_bytes = 0
        self._is_whole = False
        self._unlisted = set(self._touched)  # of a whole list: told of by events and not met yet
        self._seen: set[str] = set()  # ids of a list of some

    def tables(self) -> Iterator[Batch]:
        """No rows: the tables exist even where the lists are empty."""
        yield self.kind.table, table_of(KIND_SCHEMA, [])
        for nested in self.kind.nested:
            yield nested.table, table_of(CHILD_SCHEMA, [])

    def list_whole(self) -> None:
        """Queue the whole list; what landed and is not on it any more is asked for by id."""
        self._is_whole = True
        self._landed.prepare()
        if self._compares_all:
            for children in self._children:
                children.prepare(self.kind.table)
        self._load.progress.update(self.kind.table, self._tally)
        self._walk(self.kind.params, self._compare_listed).start()

    def list_some(self, since: int | None = None, ids: Iterable[str] = (), **params: Any) -> None:
        """Queue a part of the list, all of which counts as touched, then each of `ids` that was not on it."""
        wanted = list(ids)

        def rest() -> Iterator[Batch]:
            self.fetch(each for each in wanted if each not in self._seen)
            return iter(())

        self._walk(self.kind.params | params, rest).start(since)

    def fetch(self, ids: Iterable[str]) -> None:
        """Queue objects by id."""
        path = self.kind.path + "/{id}"
        self._load.progress.update(self.kind.table, self._tally)
        for each in ids:
            self._crew.add(Job(path, partial(self._get, each), partial(self._got, each)))

    def follow(self, table: str, parents: Iterable[str]) -> Iterator[Batch]:
        """Queue the nested lists `table` of parents that an event told of."""
        for children in self._children:
            if children.nested.table == table:
                for parent in parents:
                    yield from children.follow(parent)
                    children.followed.add(parent)

    def flush(self) -> Iterator[Batch]:
        """Compare what is held with the warehouse and give what is new; may queue the reading of nested lists."""
        held, self._held, self._held_bytes = self._held, [], 0
        ids = [head.id for _, head in held]
        known = self._landed.versions(ids, [head.created for _, head in held])
        if self._is_whole and (self.kind.deletable or self.kind.hides):
            self._landed.note_listed(ids)
        self._unlisted.difference_update(ids)
        for payload, head in held:
            hashed, version = version_hash(payload), known.get(head.id)
            is_new = version is None or version.hash != hashed
            if is_new:
                self._versions.add(head, payload, hashed)
                if self._audits and head.id not in self._touched:
                    self._tally.note("missed_by_events", head.id)
            is_sure = version is not None and version.is_settled and not self._compares_all
            is_changed = is_new or head.id in self._touched
            for children in self._children:
                if not is_sure or (is_changed and not children.nested.told):
                    embedded = getattr(head, children.nested.field) if children.nested.field else None
                    yield from children.follow(head.id, head.created, embedded)
        yield from self._versions.batches()
        for children in self._children:
            yield from children.flush()

    def _walk(self, params: dict[str, Any], at_end: Callable[[], Iterator[Batch]]) -> Walk:
        kind, load = self.kind, self._load
        return Walk(
            self._crew, load.reader, kind.path, params, self._tally, self._read, self._take, at_end, kind.is_dated
        )

    def _read(self, payloads: list[msgspec.Raw]) -> list[Pair]:
        """A page's objects with their heads; one without an id cannot be kept, and is counted."""
        pairs = []
        self._tally.rows_read += len(payloads)
        for payload in payloads:
            if (head := read_head(payload, self._heads, self._tally)) is not None:
                pairs.append((payload, head))
        self._load.progress.update(self.kind.table, self._tally)
        return pairs

    def _take(self, pairs: list[Pair]) -> Iterator[Batch]:
        if not self._is_whole:  # two requests may bring the same object, and a version is landed once
            pairs = [pair for pair in pairs if pair[1].id not in self._seen]
        self._held += pairs
        if not self._is_whole:
            self._seen.update(head.id for _, head in pairs)
            self._touched.update(head.id for _, head in pairs)
        self._held_bytes += sum(memoryview(payload).nbytes for payload, _ in pairs)
        if len(self._held) >= CHUNK or self._held_bytes >= CHUNK_BYTES:
            yield from self.flush()

    def _get(self, object_id: str) -> bytes | None:
        return self._load.reader.get(self.kind.path + "/{id}", by_id_params(self.kind), self._tally, of=object_id)

    def _got(self, object_id: str, body: bytes | None) -> Iterator[Batch]:
        """Hold an object that was asked for by id, or land that it is gone."""
        head = None if body is None else read_head(body, self._heads, self._tally) or head_of(body, self.kind.path)
        if head is not None and head.id != object_id:
            raise BadResponse(
                f"{self.kind.path} was asked for {object_id} and answered with {head.id}; run the load again."
            )
        if head is not None and head.test_clock and self.kind.hides_clocks:
            return  # a simulation that no list shows (stripe.md 2.1): whether its events came must not matter
        if body is not None and head is not None and not head.deleted:
            self._tally.rows_read += 1
            yield from self._take([(msgspec.Raw(body), head)])
            return
        known = self._landed.versions([object_id]).get(object_id)
        if known is not None and not known.is_deleted:
            self._versions.add_tombstone(object_id, sent=body)
        elif known is None and body is not None and head is not None:
            self._versions.add(head, body, version_hash(body, is_deleted=True), is_deleted=True)
        for children in self._children:
            yield from children.leave([object_id])

    def _compare_listed(self) -> Iterator[Batch]:
        """After a whole list: what landed, or was told of, and is not on it is asked for by id; it may just hide."""
        yield from self.flush()
        missing = self._landed.unlisted() if self.kind.deletable or self.kind.hides else []
        self.fetch(sorted(self._unlisted.union(missing)))
