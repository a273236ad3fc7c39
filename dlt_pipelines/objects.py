"""Objects of every kind: each list is read whole, and a version is appended where its hash has changed."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from dlt_pipelines.context import Batch, Load, in_parallel
from dlt_pipelines.errors import BadResponse
from dlt_pipelines.rows import CHILD_SCHEMA, KIND_SCHEMA, Embedded, Tally, head_of, table_of, version_hash
from dlt_pipelines.stripe_api import ACCOUNT, BALANCES, Kind, Nested, object_params
from dlt_pipelines.warehouse import Landed

Watch = Callable[[msgspec.Raw, list[msgspec.Raw]], None]  # called with each parent and its whole nested list


def read_account(load: Load, body: bytes) -> Iterator[Batch]:
    """The account itself, one object without a list; `body` is the answer the load began with."""
    tally = load.tally(ACCOUNT.table)
    tally.rows_read += 1
    head, _ = head_of(body, ACCOUNT.path)
    hashed = version_hash(body)
    rows = []
    if load.warehouse.latest(ACCOUNT.table).hashes.get(head.id) != hashed:
        rows.append(load.version(head, body, hashed))
    tally.rows_appended += len(rows)
    yield ACCOUNT.table, table_of(KIND_SCHEMA, rows)


def read_kind(load: Load, kind: Kind, listed: set[str], watches: Sequence[Watch] = ()) -> Iterator[Batch]:
    """Changed objects of one kind, their children, and tombstones of those that are gone; page by page.

    listed: filled with the ids that are there now. Raises BadResponse for an object without id.
    """
    landed = load.warehouse.latest(kind.table)
    tally = load.tally(kind.table)
    children = Children(load, kind.nested) if kind.nested else None
    yield kind.table, table_of(KIND_SCHEMA, [])  # the table exists even when the list is empty
    if children:
        yield children.nested.table, table_of(CHILD_SCHEMA, [])
    for page in load.reader.pages(kind.path, kind.params, tally):
        rows, child_rows = [], []
        tally.rows_read += len(page)
        for payload in page:
            head, embedded = head_of(payload, kind.path, kind.nested.field if kind.nested else "")
            listed.add(head.id)
            hashed = version_hash(payload)
            changed = landed.hashes.get(head.id) != hashed
            if changed:
                rows.append(load.version(head, payload, hashed))
            whole = children.whole(head.id, embedded, changed) if children else []
            if children and (changed or load.rereads):
                child_rows += children.changed(head.id, whole)
            for watch in watches:
                watch(payload, whole)
        tally.rows_appended += len(rows)
        yield kind.table, table_of(KIND_SCHEMA, rows)
        if children:
            yield children.nested.table, table_of(CHILD_SCHEMA, child_rows)
    if kind.deletable:
        yield from _gone(load, kind, landed, landed.alive - listed, children)


def read_balances(load: Load, customers: Iterable[str]) -> Iterator[Batch]:
    """Every balance transaction of `customers` (ids). No event and no list across customers tells of them."""
    children = Children(load, BALANCES)
    yield BALANCES.table, table_of(CHILD_SCHEMA, [])

    def whole(customer: str) -> tuple[str, list[msgspec.Raw]]:
        return customer, children.fetch(customer)

    for customer, transactions in in_parallel(whole, sorted(customers)):
        rows = children.changed(customer, transactions, may_vanish=False)
        if rows:
            yield BALANCES.table, table_of(CHILD_SCHEMA, rows)


class Children:
    """One nested list of one kind: its entries as rows of their own, complete however long the list is."""

    def __init__(self, load: Load, nested: Nested) -> None:
        self.nested = nested
        self._load = load
        self._landed = load.warehouse.latest(nested.table)
        self._tally: Tally = load.tally(nested.table)
        self._counting = threading.Lock()  # balances are fetched by several workers

    def whole(self, parent_id: str, embedded: Embedded, changed: bool) -> list[msgspec.Raw]:
        """The whole list: what is embedded, or read from its own path when Stripe embedded only the first entries.

        An unchanged parent's long list is not read again (children follow their parent), unless `nested.always`
        or the load rereads; then only the embedded entries are returned.
        """
        if embedded.has_more and (changed or self.nested.always or self._load.rereads):
            return self.fetch(parent_id)
        self._tally.rows_read += len(embedded.data)
        return embedded.data

    def fetch(self, parent_id: str) -> list[msgspec.Raw]:
        """The list from its own path, page by page."""
        params = {self.nested.by: parent_id} if self.nested.by else {}
        pages = self._load.reader.pages(self.nested.path, params, self._tally, of=parent_id)
        whole = [entry for page in pages for entry in page]
        with self._counting:
            self._tally.rows_read += len(whole)
        return whole

    def changed(self, parent_id: str, whole: list[msgspec.Raw], may_vanish: bool = True) -> list[tuple[object, ...]]:
        """Rows of CHILD_SCHEMA: changed entries, and tombstones of landed ones that `whole` no longer has."""
        rows: list[tuple[object, ...]] = []
        there = set()
        for payload in whole:
            head, _ = head_of(payload, self.nested.path)
            there.add(head.id)
            hashed = version_hash(payload)
            if self._landed.hashes.get(head.id) != hashed:
                rows.append((*self._load.version(head, payload, hashed), parent_id))
        if may_vanish:
            for child in sorted(self._landed.by_parent.get(parent_id, set()) - there):
                rows.append((*self._load.tombstone(self.nested.table, child), parent_id))
        self._tally.rows_appended += len(rows)
        return rows


def _gone(load: Load, kind: Kind, landed: Landed, missing: set[str], children: Children | None) -> Iterator[Batch]:
    """Objects that were landed and are not listed any more: asked for by id, since a list may also just hide one."""
    tally = load.tally(kind.table)
    rows: list[tuple[object, ...]] = []
    child_rows: list[tuple[object, ...]] = []
    for object_id in sorted(missing):
        body = load.reader.get(kind.path + "/{id}", object_params(kind), tally, of=object_id)
        if body is None:
            rows.append(load.tombstone(kind.table, object_id))
        else:
            head, _ = head_of(body, kind.path)
            if head.id != object_id:
                raise BadResponse(
                    f"{kind.path} was asked for {object_id} and answered with {head.id}; run the load again."
                )
            if head.deleted:
                rows.append(load.tombstone(kind.table, object_id, body))
            elif landed.hashes[object_id] != (hashed := version_hash(body)):
                rows.append(load.version(head, body, hashed))
            if not head.deleted:
                continue
        if children:
            child_rows += children.changed(object_id, [])
    tally.rows_appended += len(rows)
    yield kind.table, table_of(KIND_SCHEMA, rows)
    if children:
        yield children.nested.table, table_of(CHILD_SCHEMA, child_rows)
