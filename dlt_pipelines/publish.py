"""The published copy: marts only, personal columns masked, written beside the old copy and swapped in in one step."""

import fcntl
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from dlt_pipelines.build_file import attached, is_live, subject
from dlt_pipelines.errors import Locked, NothingToPublish, PublishFailed
from dlt_pipelines.masking import read_marts, select
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
    is_masked: bool


def publish(settings: Settings, replace: Replace = os.replace) -> Publication:
    """Copy every mart of the build file into a new published copy and swap it in.

    replace: puts the finished file in the place of the old one; a failure up to it leaves the old copy as it was.
    Raises NothingToPublish before the first dbt build, Locked while another process writes the build file,
    ManifestUnusable and ColumnUnknown when nothing says what is personal, PublishFailed when the copy differs from
    what was built.
    """
    target = settings.published
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent):
            return _publish(settings, target, replace)
    except (OSError, duckdb.Error) as error:
        raise explain(target, error) from error


def _publish(settings: Settings, target: Path, replace: Replace) -> Publication:
    for left in target.parent.glob(".warehouse.*.tmp*"):  # of a run that was killed: nobody else is publishing
        left.unlink()
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{uuid.uuid4().hex[:8]}"
    temporary = target.parent / f".warehouse.{run_id}.tmp"
    try:
        publication = _write(settings, temporary, run_id)
        _check(temporary)
        sync(temporary)
        temporary.chmod(temporary.stat().st_mode & 0o444)  # for whom the umask lets read, and for nobody to write
        # A stale write-ahead log beside the new file would make it unopenable (tools.md 1.4).
        Path(f"{target}.wal").unlink(missing_ok=True)
        replace(temporary, target)
        sync(target.parent)
        return publication
    finally:
        for left in (temporary, Path(f"{temporary}.wal")):
            left.unlink(missing_ok=True)


def _write(settings: Settings, temporary: Path, run_id: str) -> Publication:
    """The new copy at `temporary`: schema marts with its comments, schema meta.

    A table in schema marts that is no mart of the project is of an older one: nothing keeps it true, so it is left.
    """
    is_masked = not settings.publish_personal
    connection = attached(settings.warehouse)
    try:
        account_id, as_of = subject(connection)
        built = _built(connection)
        marts = [mart for name, mart in read_marts(settings.dbt_manifest).items() if name in built]
        selects = {mart.name: select(mart, built[mart.name], is_masked) for mart in marts}
        connection.execute(f"attach {text(str(temporary))} as publication (storage_version {text(STORAGE_VERSION)})")
        connection.execute("create schema publication.marts; create schema publication.meta")
        connection.execute("create table publication.meta.row_counts (table_name varchar, rows bigint)")
        for name, selected in sorted(selects.items()):
            table = f"marts.{quoted(name)}"
            connection.execute(f"create table publication.{table} as {selected}")
            connection.execute(
                f"insert into publication.meta.row_counts select ?, count(*) from warehouse.{table}",  # noqa: S608 - quoted
                [name],
            )
        for comment in _comments(connection, set(selects)):
            connection.execute(comment)
        connection.execute(
            """
            create table publication.meta.publication (
                run_id varchar, published_at timestamp, as_of date, account_id varchar, livemode boolean,
                dbt_invocation_id varchar, is_masked boolean
            )
            """
        )
        connection.execute(
            "insert into publication.meta.publication values (?, ?, ?, ?, ?, ?, ?)",
            [
                run_id,
                datetime.now(UTC).replace(tzinfo=None),
                as_of,
                account_id,
                is_live(connection, account_id),
                _invocation(settings.dbt_results),
                is_masked,
            ],
        )
        counted = connection.execute(
            "select count(*), coalesce(sum(rows), 0) from publication.meta.row_counts"
        ).fetchone()
        connection.execute("detach publication")  # writes everything into the file and removes its log
        tables, rows = counted or (0, 0)
        return Publication(run_id, as_of, int(tables), int(rows), is_masked)
    finally:
        connection.close()


def _built(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The columns of every table in schema marts, in order."""
    rows = connection.execute(
        "select table_name, list(column_name order by column_index) from duckdb_columns()"
        " where database_name = 'warehouse' and schema_name = 'marts' group by table_name"
    ).fetchall()
    if not rows:
        raise NothingToPublish("The warehouse has no marts; run `dbt build`, then this again.")
    return dict(rows)


def _comments(connection: duckdb.DuckDBPyConnection, names: set[str]) -> Iterator[str]:
    """Statements that put those marts' comments on the copy: `create table as` does not carry them."""
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
        if table in names and comment is not None:
            yield f"comment on table publication.marts.{quoted(table)} is {text(comment)}"
    for table, column, comment in columns:
        if table in names and comment is not None:
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
