"""What has landed of one table, asked of the warehouse by chunks of ids: memory does not grow with the table."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from heapq import nlargest
from itertools import pairwise
from typing import Any, NamedTuple

import pyarrow as pa

from dlt_pipelines.warehouse import SCHEMA, Warehouse

# One row per id of a raw table: its newest version. rowid decides between equal stamps.
_NEWEST = """
    select id, {parent} as parent, version_hash, is_deleted, loaded_at, {made} as made
    from {table} as versions
    {narrowed}
    qualify row_number() over (partition by id order by loaded_at desc, versions.rowid desc) = 1
"""
# A question reads the table's ids from end to end, some 100 ms per million. From so many rows on, a whole list is
# compared with a copy of the newest versions instead, ordered as lists are, of which a chunk meets a few parts only.
WORTH_PREPARING = 50_000
PARTS = 8  # a chunk holds pages of some six stretches of `created` (crew.PER_ENDPOINT)


class Version(NamedTuple):
    """The newest landed version of an object. is_settled: landed by a load that ended, with all that hangs on it."""

    hash: str
    is_deleted: bool
    is_settled: bool


class Landed:
    """Questions about one raw table.

    settled: loaded_at of the last finished load; None when none has finished.
    """

    def __init__(self, warehouse: Warehouse, table: str, settled: datetime | None) -> None:
        self._connection = warehouse.connection
        self._table = f"{SCHEMA}.{table}"
        self._listed, self._newest = f"listed_{table}", f"newest_{table}"  # temporary tables
        self._settled = settled
        self._is_prepared = False
        self.count = warehouse.count(table)

    def prepare(self, parents: str = "", least: int = WORTH_PREPARING) -> None:
        """Make ready for comparing whole lists; nothing may land in between.

        parents: for a nested list, the table of its parents, by whose `created` children will be asked for.
        least: rows of the table from which on this pays.
        """
        if not self.count or self.count < least or self._is_prepared:
            return
        newest = self._newest_of("")
        if parents:
            owners = f"(select id as owner, max(created) as made from {SCHEMA}.{parents} group by id) as owners"  # noqa: S608 - names from stripe_api
            newest = self._newest_of(f"left join {owners} on owners.owner = versions.parent_id", "parent_id", "made")
        self._connection.execute(f"create or replace temp table {self._newest} as {newest} order by made")
        self._is_prepared = True

    def versions(self, ids: Sequence[str], created: Sequence[int | None] = (None,)) -> dict[str, Version]:
        """The newest version of each of `ids` that has landed. created: of these objects, in any order."""
        if not self.count or not ids:
            return {}
        found = self._about(ids, self._parts(created, "id"), "id")
        return {each: Version(*version) for each, _, *version in found}

    def children(
        self, parents: Sequence[str], created: Sequence[int | None] = (None,)
    ) -> dict[str, dict[str, Version]]:
        """Parent id → child id → newest version, of the children that landed of `parents`. created: of the parents."""
        by_parent: dict[str, dict[str, Version]] = {}
        if self.count and parents:
            for child, parent, *version in self._about(parents, self._parts(created, "parent_id"), "parent"):
                by_parent.setdefault(parent, {})[child] = Version(*version)
        return by_parent

    def payload(self, object_id: str) -> tuple[int | None, str]:
        """`created` and payload of an object's newest version, for the tombstone of one that left no trace."""
        [row] = self._rows(
            f"select created, payload from {self._table} where id = ? order by loaded_at desc, rowid desc limit 1",  # noqa: S608 - names from stripe_api
            [object_id],
        )
        return row[0], row[1]

    def where(self, condition: str) -> list[tuple[str, int | None]]:
        """(id, created) of living objects whose newest payload fulfils `condition`, SQL over `payload`."""
        if not self.count:
            return []
        newest = f"select arg_max(rowid, row(loaded_at, rowid)) as position from {self._table} group by id"  # noqa: S608 - names from stripe_api
        return self._rows(
            f"select id, created from {self._table} as held semi join ({newest}) as newest"  # noqa: S608 - names from stripe_api
            f" on held.rowid = newest.position where not is_deleted and ({condition})"
        )

    def note_listed(self, ids: Iterable[str]) -> None:
        """Remember that `ids` are listed now."""
        if self.count:
            self._connection.execute(f"create temp table if not exists {self._listed} (id varchar)")
            self._ask(list(ids), f"insert into {self._listed} select id from asked")  # noqa: S608 - names from stripe_api

    def unlisted(self) -> list[str]:
        """Living ids that landed and were not noted as listed; forgets what was noted."""
        if not self.count:
            return []
        self.note_listed([])
        newest = self._newest if self._is_prepared else f"({self._newest_of('')})"
        missing = self._rows(
            f"select id from {newest} as newest anti join {self._listed} using (id) where not is_deleted order by id"  # noqa: S608 - names from stripe_api
        )
        self._connection.execute(f"drop table {self._listed}")
        return [each for (each,) in missing]

    def _newest_of(self, narrowed: str, parent: str = "null", made: str = "created") -> str:
        return _NEWEST.format(table=self._table, narrowed=narrowed, parent=parent, made=made)

    def _parts(self, created: Sequence[int | None], asked_for: str) -> str:
        """What may hold the newest versions asked for: parts of what was prepared, else of the raw table."""
        if not self._is_prepared:
            parent = "parent_id" if asked_for == "parent_id" else "null"
            return self._newest_of(f"semi join asked on versions.{asked_for} = asked.id", parent)
        if None in created:
            return f"select * from {self._newest}"  # noqa: S608 - names from stripe_api
        ranges = [
            f"made between {first} and {last}" for first, last in _stretches([at for at in created if at is not None])
        ]
        return " union all ".join(f"select * from {self._newest} where {each}" for each in [*ranges, "made is null"])  # noqa: S608 - names from stripe_api

    def _about(self, ids: Sequence[str], parts: str, column: str) -> list[tuple[Any, ...]]:
        """(id, parent, hash, is_deleted, is_settled) of the rows of `parts` whose `column` is one of `ids`."""
        settled = "false" if self._settled is None else f"loaded_at <= timestamp '{self._settled.isoformat()}'"
        return self._ask(
            ids,
            f"select found.id, parent, version_hash, is_deleted, {settled} from ({parts}) as found"  # noqa: S608 - names from stripe_api
            f" semi join asked on found.{column} = asked.id",
        )

    def _ask(self, ids: Sequence[str], query: str) -> list[tuple[Any, ...]]:
        """The rows of a query that reads the ids as the relation `asked`."""
        self._connection.register("asked", pa.table({"id": pa.array(ids, pa.string())}))
        try:
            return self._rows(query)
        finally:
            self._connection.unregister("asked")

    def _rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, parameters).fetchall()


def _stretches(created: Sequence[int]) -> list[tuple[int, int]]:
    """At most PARTS ranges, ends included, that hold all of `created`, cut where the gaps are widest."""
    at = sorted(created)
    widest = nlargest(PARTS - 1, range(1, len(at)), key=lambda place: at[place] - at[place - 1])
    return [(at[begin], at[end - 1]) for begin, end in pairwise([0, *sorted(widest), len(at)])] if at else []
