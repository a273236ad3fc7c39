"""The published copy: marts only, written beside the old copy and put in its place in one step."""

import fcntl
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from dlt_pipelines.errors import Locked, NothingToPublish, PublishFailed
from dlt_pipelines.quoting import quoted, text
from dlt_pipelines.settings import Settings
from dlt_pipelines.syncing import sync
from dlt_pipelines.warehouse import explain

# DuckDB 1.4 and later can read it: BI tools lag behind the format of 2.0.
STORAGE_VERSION = "v1.4.0"
Replace = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Publication:
    """What the published copy says of itself, in meta.publication."""

    run_id: str
    as_of: date
    tables: int
    rows: int


def publish(settings: Settings, replace: Replace = os.replace) -> Publication:
    """Copy every mart of the build file into a new published copy and swap it in.

    replace: puts the finished file in the place of the old one; a failure up to it leaves the old copy as it was.
    Raises NothingToPublish before the first dbt build, Locked while another process writes the build file,
    PublishFailed when the copy differs from what was built.
    """
    target = settings.published
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent):
            return _publish(settings, target, replace)
    except (OSError, duckdb.Error) as error:
        raise explain(target, error) from error


def read_as_of(settings: Settings) -> date:
    """The last UTC day that the build file's models cover, from intermediate.int_as_of.

    Raises NothingToPublish when dbt has not built it, Locked while another process writes the build file.
    """
    connection = _attached(settings.warehouse)
    try:
        return _subject(connection)[1]
    finally:
        connection.close()


def _publish(settings: Settings, target: Path, replace: Replace) -> Publication:
    for left in target.parent.glob(".warehouse.*.tmp*"):  # of a run that was killed: nobody else is publishing
        left.unlink()
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{uuid.uuid4().hex[:8]}"
    temporary = target.parent / f".warehouse.{run_id}.tmp"
    try:
        publication = _write(settings, temporary, run_id)
        _check(temporary)
        sync(temporary)
        temporary.chmod(0o444)
        # A stale write-ahead log beside the new file would make it unopenable (tools.md 1.4).
        Path(f"{target}.wal").unlink(missing_ok=True)
        replace(temporary, target)
        sync(target.parent)
        return publication
    finally:
        for left in (temporary, Path(f"{temporary}.wal")):
            left.unlink(missing_ok=True)


def _write(settings: Settings, temporary: Path, run_id: str) -> Publication:
    """The new copy at `temporary`: schema marts with its comments, schema meta."""
    connection = _attached(settings.warehouse)
    try:
        account_id, as_of = _subject(connection)
        names = _marts(connection)
        connection.execute(f"attach {text(str(temporary))} as publication (storage_version {text(STORAGE_VERSION)})")
        connection.execute("create schema publication.marts; create schema publication.meta")
        connection.execute("create table publication.meta.row_counts (table_name varchar, rows bigint)")
        for name in names:
            table = f"marts.{quoted(name)}"
            connection.execute(f"create table publication.{table} as from warehouse.{table}")
            connection.execute(
                f"insert into publication.meta.row_counts select ?, count(*) from warehouse.{table}",  # noqa: S608 - quoted
                [name],
            )
        for comment in _comments(connection):
            connection.execute(comment)
        connection.execute(
            """
            create table publication.meta.publication (
                run_id varchar, published_at timestamp, as_of date, account_id varchar, livemode boolean,
                dbt_invocation_id varchar
            )
            """
        )
        connection.execute(
            "insert into publication.meta.publication values (?, ?, ?, ?, ?, ?)",
            [
                run_id,
                datetime.now(UTC).replace(tzinfo=None),
                as_of,
                account_id,
                _is_live(connection, account_id),
                _invocation(settings.dbt_results),
            ],
        )
        counted = connection.execute(
            "select count(*), coalesce(sum(rows), 0) from publication.meta.row_counts"
        ).fetchone()
        connection.execute("detach publication")  # writes everything into the file and removes its log
        tables, rows = counted or (0, 0)
        return Publication(run_id, as_of, int(tables), int(rows))
    finally:
        connection.close()


def _attached(warehouse: Path) -> duckdb.DuckDBPyConnection:
    """The build file, read-only, under the name `warehouse` that views in it use."""
    if not warehouse.exists():
        raise NothingToPublish(
            f"{warehouse} does not exist; load first: `python -m dlt_pipelines load`, then `dbt build`."
        )
    connection = duckdb.connect()
    try:
        connection.execute(f"attach {text(str(warehouse))} as warehouse (read_only)")
    except duckdb.Error as error:
        connection.close()
        raise explain(warehouse, error) from error
    return connection


def _subject(connection: duckdb.DuckDBPyConnection) -> tuple[str, date]:
    """Account and as-of date of the build."""
    try:
        row = connection.execute("select account_id, as_of from warehouse.intermediate.int_as_of").fetchone()
    except duckdb.CatalogException:
        row = None
    if row is None or row[1] is None:
        raise NothingToPublish(
            "The warehouse has no as-of date, so its marts are not built; run `dbt build`, then this again."
        )
    return row[0], row[1]


def _marts(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select table_name from information_schema.tables"
        " where table_catalog = 'warehouse' and table_schema = 'marts' order by table_name"
    ).fetchall()
    if not rows:
        raise NothingToPublish("The warehouse has no marts; run `dbt build`, then this again.")
    return [name for (name,) in rows]


def _is_live(connection: duckdb.DuckDBPyConnection, account_id: str) -> bool | None:
    """The mode of what was loaded, from the account's own row; None when it was not loaded by this loader."""
    with suppress(duckdb.CatalogException):
        row = connection.execute(
            "select livemode from warehouse.raw_stripe.accounts where account_id = ? limit 1", [account_id]
        ).fetchone()
        return None if row is None else bool(row[0])
    return None


def _comments(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Statements that put the marts' comments on the copy: `create table as` does not carry them."""
    relations = connection.execute(
        "select table_name, comment from duckdb_tables() where database_name = 'warehouse' and schema_name = 'marts'"
        " union all "
        "select view_name, comment from duckdb_views() where database_name = 'warehouse' and schema_name = 'marts'"
    ).fetchall()
    columns = connection.execute(
        "select table_name, column_name, comment from duckdb_columns()"
        " where database_name = 'warehouse' and schema_name = 'marts'"
    ).fetchall()
    for table, comment in relations:
        if comment is not None:
            yield f"comment on table publication.marts.{quoted(table)} is {text(comment)}"
    for table, column, comment in columns:
        if comment is not None:
            yield f"comment on column publication.marts.{quoted(table)}.{quoted(column)} is {text(comment)}"


def _check(temporary: Path) -> None:
    """Open the copy as a reader would and count. Raises PublishFailed on any difference to what was built."""
    connection = duckdb.connect(str(temporary), read_only=True)
    try:
        expected = connection.execute("select table_name, rows from meta.row_counts").fetchall()
        for table, rows in expected:
            found = connection.execute(f"select count(*) from marts.{quoted(table)}").fetchone()  # noqa: S608 - quoted
            if found != (rows,):
                raise PublishFailed(
                    f"The new copy holds {found} rows of {table} and {rows} were built; the previous copy stays: "
                    "check the disk, then publish again."
                )
    finally:
        connection.close()


def _invocation(results: Path) -> str | None:
    """The id of the dbt run that built the marts, for the trail from a figure to its build; None if dbt left none."""
    try:
        found = json.loads(results.read_bytes())["metadata"]["invocation_id"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(found)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One publisher at a time. Raises Locked naming the other one."""
    with (folder / ".publishing").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Locked(
                f"{folder} is being published to by another process (PID {lock.read().strip() or 'unknown'}); "
                "wait for it, then run this again."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
