"""One batch of files into the warehouse: read three times, written once, in one transaction.

The files are cheap to read and dear to write, so nothing is copied on the way:

1. mark: of every row the hash of its identifier, in the order of the files: that is its row number. A mark that occurs
   twice, or is in the warehouse already, is suspect: an innocent row may look suspect, never the reverse.
2. set aside: bad rows and suspects, with their text; verdicts.py compares their identifiers themselves.
3. land: every good row that is no suspect goes straight into the table (nearly all rows of nearly all files), and with
   it, in the same transaction, what became of the rows set aside.

DuckDB keeps an order in parallel only where nothing is joined. So rows set aside find their numbers by their mark; rows
that share one are alike, or else (the same identifier, another content) they are found by one more ordered reading.
Readings that differ mean that a file changed meanwhile: nothing of the batch is landed then.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from dlt_pipelines.errors import UsageLogUnreadable
from dlt_pipelines.quoting import text
from dlt_pipelines.usage_log.config import LogConfig
from dlt_pipelines.usage_log.fields import identifiers_sql, mark_sql, raw_sql, rows_sql
from dlt_pipelines.usage_log.paths import fingerprint_of
from dlt_pipelines.usage_log.shapes import REJECTS, Batch, reader
from dlt_pipelines.usage_log.tables import SCHEMA
from dlt_pipelines.usage_log.verdicts import CONTENT, Outcome, book, judge

# Marks compared at a time: a hash table of so many takes about 2 GB of the 4.5 GB that run.py allows.
MARKS_AT_ONCE = 34_000_000
# Bits of a filter that is looked into without a join; DuckDB copies it for every 2,048 rows, so it must be small.
_BITS = 1 << 21
_SCRATCH = (
    *("marks", "read", "suspects", "known", "places", "aside", "place_of", "content_of", "found", "held", "verdicts"),
    *(REJECTS, f"{REJECTS}_scans"),
)


@dataclass(frozen=True)
class Context:
    """What all batches of a run share; `until` and `stamp` are naive UTC, `counts` the events that need no value."""

    account_id: str
    config: LogConfig
    until: datetime
    stamp: datetime
    counts: list[str]


class _Unsteady(Exception):
    """Two readings of the same files differ."""


class BatchLanding:
    """The passes over one batch. Use it once; `land` commits, or leaves the warehouse as it was."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, batch: Batch, context: Context) -> None:
        self._connection = connection
        self._batch = batch
        self._context = context
        self._is_parallel = True

    def land(self) -> list[Outcome]:
        """What became of each file's rows, in the batch's order. Raises UsageLogUnreadable when a file changed.

        Broken quotes can make DuckDB's parallel reader split a text otherwise from one reading to the next; such a
        batch is read again in one thread, which always splits it the same way.
        """
        try:
            try:
                return self._passes()
            except _Unsteady:
                if self._batch.shape.format == "parquet" or self._changed():
                    raise
                self._is_parallel = False
                return self._passes()
        except _Unsteady as error:
            raise UsageLogUnreadable(
                f"{self._changed() or self._batch.files[0].path} changed while it was read ({error}); "
                "nothing of it was landed: run this again when it is complete."
            ) from None
        finally:
            self._forget()

    def _passes(self) -> list[Outcome]:
        self._forget()
        self._mark()
        self._set_aside()
        judge(self._connection, has_known=self._known > 0)
        self._do("begin")
        try:
            [[last]] = self._do(f"select coalesce(max(file_id), 0) from {SCHEMA}.files")  # noqa: S608 - fixed names
            landed = self._land(first=last + 1)
            if landed + self._aside != self._read:
                raise _Unsteady(f"{self._read} rows at first, then {landed + self._aside}")
            done = book(self._connection, self._batch.files, last + 1, self._context.account_id, self._context.stamp)
            if self._changed():
                raise _Unsteady("its size or time is another")
            self._do("commit")
        except BaseException:
            self._do("rollback")
            raise
        return done

    def _mark(self) -> None:
        """Temp tables marks (file_index, mark), read (file_index, start, good_lines), suspects (mark) and known.

        known: mark and hash of the content of landed rows whose mark is in the batch.
        """
        self._keep_order(True)
        self._do(
            f"create temp table marks as select {self._file_index} as file_index, mark"  # noqa: S608 - names are quoted
            f" from ({self._rows(only_identifier=True)})"
        )
        self._keep_order(False)
        self._do(
            "create temp table read as select file_index, min(rowid) as start, count(*) as good_lines"
            " from marks group by file_index"
        )
        [[self._read]] = self._do("select coalesce(sum(good_lines), 0)::bigint from read")
        [[is_first]] = self._do(f"select count(*) = 0 from (from {SCHEMA}.meter_events limit 1)")  # noqa: S608 - names and literals are quoted
        self._do("create temp table suspects (mark ubigint)")
        self._do("create temp table known (mark ubigint, content ubigint)")
        parts = self._read // MARKS_AT_ONCE + 1
        for part in range(parts):
            of_part = f"where mark % {parts} = {part}" if parts > 1 else ""
            self._do(f"insert into suspects select mark from marks {of_part} group by mark having count(*) > 1")  # noqa: S608 - names and literals are quoted
            if not is_first:
                self._do(
                    f"insert into known select hash(identifier), hash({CONTENT}) from {SCHEMA}.meter_events"  # noqa: S608 - names and literals are quoted
                    f" where hash(identifier) in (select mark from marks {of_part})"
                )
        self._do("insert into suspects select distinct mark from known anti join suspects using (mark)")
        [[self._known]] = self._do("select count(*) from known")
        [[self._suspects]] = self._do("select count(*) from suspects")

    def _set_aside(self) -> None:
        """Temp tables aside (every bad row and every suspect) and places (row numbers of those not settled, from 1).

        A row whose mark and content are both those of a landed row (128 bits) is settled: it is that row once more,
        and of a log that grew most rows are, so nothing else of them is kept.
        """
        settled = "is_good and coalesce((mark, content) in (from known), false)" if self._known else "false"
        kept = ", ".join(
            f"case when not is_settled then {sql} end as {name}"
            for name, sql in [
                *((name, name) for name in ("identifier", *CONTENT.split(", "), "reason")),
                ("raw", raw_sql(self._batch.shape)),
            ]
        )
        self._do(
            f"""
            create temp table aside as
            select file_index, mark, content, is_settled, {kept}
            from (
                select *, {settled} as is_settled
                from (
                    select * replace ({self._file_index} as file_index), {self._content}
                    from ({self._marked})
                    where not is_good or mark in (from suspects)
                )
            )
            """  # noqa: S608 - names and literals are quoted
        )
        [[self._aside, seen]] = self._do(
            "select (select count(*) from aside), (select count(*) from marks where mark in (select mark from aside))"
        )
        if seen != self._aside:
            raise _Unsteady(f"{seen} rows to look at, then {self._aside}")
        self._find_alike()
        self._do(
            """
            create temp table places as
            select marks.file_index, mark, found.content, marks.rowid - start + 1 as row_number
            from marks
            join read using (file_index)
            left join found on marks.rowid = found.place
            where mark in (select mark from aside where not is_settled)
            """
        )

    def _find_alike(self) -> None:
        """Temp table found (place, content): where each content stands, for marks that several contents share.

        The same filter over the same order twice, so the n-th row of one is the n-th of the other.
        """
        alike = """
            select mark from aside where mark in (select mark from aside where not is_settled)
            group by file_index, mark having min(content) <> max(content)
        """
        [[count]] = self._do(f"select count(*) from ({alike})")  # noqa: S608 - fixed text
        if not count:
            self._do("create temp table found (place bigint, content ubigint)")
            return
        bit = f"(mark % {_BITS})"
        self._do(f"set variable alike = (select bitstring_agg({bit}::bigint, 0, {_BITS - 1}) from ({alike}))")  # noqa: S608 - names and literals are quoted
        is_alike = f"get_bit(getvariable('alike'), {bit}::integer) = 1"
        self._keep_order(True)
        try:
            self._do(f"create temp table place_of as select mark, rowid as place from marks where {is_alike}")  # noqa: S608 - names and literals are quoted
            self._do(
                f"create temp table content_of as select mark, {self._content} from ({self._marked}) where {is_alike}"  # noqa: S608 - names and literals are quoted
            )
        finally:
            self._keep_order(False)
            self._do("reset variable alike")
        self._do(
            "create temp table found as select place, content from place_of join content_of"
            " on place_of.rowid = content_of.rowid and place_of.mark = content_of.mark"
        )
        [[here, there, both]] = self._do(
            "select (select count(*) from place_of), (select count(*) from content_of), (select count(*) from found)"
        )
        if not here == there == both:
            raise _Unsteady(f"{here} rows of one mark, then {there}")

    def _land(self, first: int) -> int:
        """The good rows that are no suspects into meter_events; how many. `first` is the id of the first file."""
        without = "anti join suspects using (mark)" if self._suspects else ""
        [[landed]] = self._do(
            f"""
            insert into {SCHEMA}.meter_events
            select {text(self._context.account_id)}, identifier, {CONTENT}, {first} + {self._file_index},
                {moment(self._context.stamp)}
            from (select *, hash(identifier) as mark from ({self._rows()}) where is_good)
            {without}
            """  # noqa: S608 - names and literals are quoted
        )
        return int(landed)

    @property
    def _marked(self) -> str:
        """The rows with their mark."""
        return f"select *, {mark_sql(self._batch.shape)} as mark from ({self._rows()})"  # noqa: S608 - names are quoted

    @property
    def _content(self) -> str:
        return f"case when is_good then hash({CONTENT}) else hash({raw_sql(self._batch.shape)}) end as content"

    @property
    def _file_index(self) -> str:
        return "file_index::integer" if len(self._batch.files) > 1 else "0"

    def _rows(self, only_identifier: bool = False) -> str:
        """The query over the batch's rows, see fields.py; lines that cannot be split are kept in the first reading."""
        paths = [file.path for file in self._batch.files]
        shape, config = self._batch.shape, self._context.config
        query = (
            identifiers_sql(shape, config, str(paths[0]))
            if only_identifier
            else rows_sql(shape, config, moment(self._context.until), self._context.counts, str(paths[0]))
        )
        return query.replace("{reader}", reader(self._batch.shape, paths, only_identifier, self._is_parallel))

    def _keep_order(self, is_kept: bool) -> None:
        self._do(f"set preserve_insertion_order = {str(is_kept).lower()}")

    def _changed(self) -> str:
        """The first file that is not what it was when the run began; empty when none is."""
        for file in self._batch.files:
            try:
                if fingerprint_of(file.path) != (file.size, file.fingerprint):
                    return str(file.path)
            except OSError:
                return str(file.path)
        return ""

    def _forget(self) -> None:
        for name in _SCRATCH:
            self._do(f"drop table if exists temp.{name}")

    def _do(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query).fetchall()


def moment(at: datetime) -> str:
    """A naive UTC time as an SQL literal."""
    return f"timestamp '{at.isoformat(sep=' ')}'"
