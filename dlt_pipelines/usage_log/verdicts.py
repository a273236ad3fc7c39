"""What becomes of the rows that passes.py set aside, and the books of a batch: quarantine and files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from dlt_pipelines.usage_log.paths import LogFile
from dlt_pipelines.usage_log.shapes import REJECTS
from dlt_pipelines.usage_log.tables import SCHEMA

# What makes two rows of one identifier the same event.
CONTENT = "event_name, customer_id, value, occurred_at"
_COLUMNS = CONTENT.split(", ")


@dataclass(frozen=True)
class Outcome:
    """A file's rows, each in one of landed, duplicates, conflicts and quarantined; reasons count the last two."""

    path: str
    rows: int
    landed: int
    duplicates: int
    conflicts: int
    quarantined: int


def judge(connection: duckdb.DuckDBPyConnection, has_known: bool) -> None:
    """Temp table verdicts: the rows of `aside` with file_index, row_number (from 1) and verdict.

    verdict: 'landed', 'duplicate', 'conflict', or the reason why a row is bad. Of equal identifiers the one in the
    warehouse wins, else the first in the order of the files.
    """
    connection.execute(
        f"""
        create temp table held as
        select identifier, true as is_held, {_named("held")}
        from {SCHEMA}.meter_events
        where hash(identifier) in (select mark from aside where reason is null and not is_settled)
        {"" if has_known else "limit 0"}
        """  # noqa: S608 - fixed names
    )
    firsts = ", ".join(f"first_value({name}) over claim as first_{name}" for name in _COLUMNS)
    same = " and ".join(
        f"{name} is not distinct from case when is_held then held_{name} else first_{name} end" for name in _COLUMNS
    )
    connection.execute(
        f"""
        create temp table verdicts as
        with
        -- places know the content only of marks that several contents share
        known_places as (
            select * replace (coalesce(places.content, aside.content) as content)
            from places
            left join (
                select file_index, mark, any_value(content) as content
                from aside where not is_settled
                group by file_index, mark
            ) as aside using (file_index, mark)
        ),
        numbered as (
            select *, row_number() over (partition by file_index, mark, content) as alike
            from aside where not is_settled
        ),
        placed as (
            select numbered.*, row_number
            from numbered
            left join (
                select *, row_number() over (partition by file_index, mark, content order by row_number) as alike
                from known_places
            ) as places
                using (file_index, mark, content, alike)
        ),
        claims as (
            select *, row_number() over claim as claim_number, {firsts}
            from placed
            where reason is null
            window claim as (partition by identifier order by file_index, row_number)
        )
        select file_index, row_number, identifier, {CONTENT}, raw, case
            when claim_number = 1 and is_held is null then 'landed' when {same} then 'duplicate' else 'conflict'
        end as verdict
        from claims left join held using (identifier)
        union all
        select file_index, row_number, identifier, {CONTENT}, raw, reason
        from placed
        where reason is not null
        union all
        select file_index, null, identifier, {CONTENT}, raw, 'duplicate'
        from aside
        where is_settled
        """  # noqa: S608 - fixed names
    )


def _named(prefix: str) -> str:
    return ", ".join(f"{name} as {prefix}_{name}" for name in _COLUMNS)


def book(
    connection: duckdb.DuckDBPyConnection, files: Sequence[LogFile], first: int, account_id: str, stamp: datetime
) -> list[Outcome]:
    """Write what the verdicts say, the quarantine and a row of `files` for each file; `first` is the first file's id.

    A row that an earlier reading of the same path put into quarantine is counted again and not kept twice.
    """
    connection.execute(
        f"""
        insert into {SCHEMA}.meter_events
        select $account, identifier, {CONTENT}, $first + file_index, $stamp from verdicts where verdict = 'landed'
        """,  # noqa: S608 - fixed names
        {"account": account_id, "first": first, "stamp": stamp},
    )
    connection.execute(
        "create or replace temp table batch_files (file_index integer, path varchar, size bigint, mark varchar)"
    )
    connection.executemany(
        "insert into batch_files values (?, ?, ?, ?)",
        [(index, str(file.path), file.size, file.fingerprint) for index, file in enumerate(files)],
    )
    connection.execute(
        f"""
        create or replace temp table refused as
        select file_index, row_number, null::bigint as line_number, verdict as reason, raw
        from verdicts
        where verdict not in ('landed', 'duplicate')
        {_REJECTED if _has_rejects(connection) else ""}
        """  # noqa: S608 - fixed names
    )
    connection.execute(
        f"""
        insert into {SCHEMA}.quarantine
        select $account, $first + file_index, path, row_number, line_number, reason, raw, $stamp
        from refused join batch_files using (file_index)
        where not exists (
            from {SCHEMA}.quarantine as kept
            where kept.path = batch_files.path and kept.raw is not distinct from refused.raw
            and kept.row_number is not distinct from refused.row_number
            and kept.line_number is not distinct from refused.line_number
        )
        """,  # noqa: S608 - fixed names
        {"account": account_id, "first": first, "stamp": stamp},
    )
    connection.execute(
        f"""
        insert into {SCHEMA}.files
        with
        landed as (
            select file_id - $first as file_index, count(*) as landed
            from {SCHEMA}.meter_events where file_id >= $first group by file_id
        ),
        again as (
            select file_index, count(*) as duplicates from verdicts where verdict = 'duplicate' group by file_index
        ),
        bad as (
            select file_index, count(*) as bad, count(*) filter (reason = 'conflict') as conflicts,
                count(line_number) as split
            from refused group by file_index
        )
        select $account, $first + file_index, path, size, mark,
            coalesce(good_lines, 0) + coalesce(split, 0), coalesce(landed, 0), coalesce(duplicates, 0),
            coalesce(conflicts, 0), coalesce(bad, 0) - coalesce(conflicts, 0), $stamp
        from batch_files
        left join read using (file_index) left join landed using (file_index)
        left join again using (file_index) left join bad using (file_index)
        order by file_index
        """,  # noqa: S608 - fixed names
        {"account": account_id, "first": first, "stamp": stamp},
    )
    rows = connection.execute(
        f"select path, row_count, landed, duplicates, conflicts, quarantined from {SCHEMA}.files"  # noqa: S608 - fixed names
        " where file_id >= ? order by file_id",
        [first],
    ).fetchall()
    return [Outcome(*row) for row in rows]


# Lines that DuckDB could not split: one row for each column that is missing, so each line once.
_REJECTED = f"""
    union all
    select distinct on (file_index, line) file_index, null, line, 'unreadable', csv_line
    from {REJECTS} as rejects
    join {REJECTS}_scans as scans using (scan_id, file_id)
    join batch_files on batch_files.path = scans.file_path
"""  # noqa: S608 - fixed names


def _has_rejects(connection: duckdb.DuckDBPyConnection) -> bool:
    """Text was read: DuckDB makes the table of lines that it could not split when it reads CSV, and only then."""
    return bool(
        connection.execute("select 1 from duckdb_tables() where temporary and table_name = ?", [REJECTS]).fetchall()
    )
