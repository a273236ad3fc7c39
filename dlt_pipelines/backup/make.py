"""A backup: everything that cannot be loaded again, of one moment, in one file."""

import errno
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import duckdb

from dlt_pipelines.backup.archive import Writer
from dlt_pipelines.backup.manifest import FORMAT, TABLES, Manifest, now
from dlt_pipelines.errors import BackupFailed, BackupInPlace, FolderUnusable, NothingToBackUp
from dlt_pipelines.quoting import quoted, text
from dlt_pipelines.settings import Settings
from dlt_pipelines.stages import one_run_at_a_time
from dlt_pipelines.syncing import sync
from dlt_pipelines.warehouse import explain, refuse_unfinished_restore

# raw_ledger is a copy of the ledger, all else is built by dbt
SCHEMAS = ("raw_stripe", "raw_usage", "raw_exports", "raw_reference")
LONG = 1_000_000  # rows from which a table is announced, because it takes seconds
# Parquet has no such types and would keep them inexactly; as text they come back as they were.
AS_TEXT = {"HUGEINT", "UHUGEINT", "INTERVAL", "BIT", "TIME WITH TIME ZONE"}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
Say = Callable[[str], None]


def back_up(settings: Settings, target: Path | None, say: Say) -> tuple[Path, Manifest]:
    """Write a backup to `target` (None: data/backups/meterwise-<UTC>.tar); the file and what is in it.

    No load, build or run can change the warehouse meanwhile; `actions` and the webhook receiver may work on.
    Raises Locked, RestoreUnfinished, NothingToBackUp, BackupInPlace, BackupFailed or FolderUnusable; then there is
    no such file.
    """
    file = target or settings.data / "backups" / f"meterwise-{now():%Y%m%dT%H%M%SZ}.tar"
    if not settings.data.is_dir():
        raise NothingToBackUp(f"{settings.data} does not exist, so there is nothing to back up; load first: make load.")
    _refuse_existing(file)
    with one_run_at_a_time(settings.data):
        refuse_unfinished_restore(settings.data)
        try:
            with _work_beside(file) as work:
                manifest = _write(settings, work, say)
                _refuse_existing(file)
                os.rename(work / "backup.tar", file)
                sync(file.parent)
        except duckdb.Error as error:
            if not is_full(str(error)):
                raise explain(settings.warehouse, error) from error
            raise _no_room(file) from error
        except OSError as error:
            if error.errno not in FULL:
                raise FolderUnusable(
                    f"{error.filename or file} cannot be read or written ({error.strerror or error}); "
                    "no backup was written: mend that, or name another place with --to."
                ) from error
            raise _no_room(file) from error
    return file, manifest


def is_full(said: str) -> bool:
    """Whether DuckDB's or SQLite's words mean that the disk, or a quota on it, has no room."""
    words = ("no space left", "disk is full", "quota exceeded", "file too large")
    return any(word in said.lower() for word in words)


def _write(settings: Settings, work: Path, say: Say) -> Manifest:
    """backup.tar in `work`, complete and on the disk."""
    data, writer = settings.data, Writer(work / "backup.tar")
    try:
        about = _add_tables(settings.warehouse, writer, work, say) if settings.warehouse.exists() else (None,) * 3
        for score in sorted((data / "scores").glob("*/run=*.parquet")):
            writer.add(score, score.relative_to(data).as_posix())
        _add_ledger(settings, writer, work, say)
        for database in (data / "landing" / "inbox.sqlite", data / "mlflow.db"):
            if database.exists():
                _add_database(database, database.relative_to(data).as_posix(), writer, work)
        # After mlflow.db: a version is registered when its files are there, so none is listed without them.
        for model in sorted(path for path in (data / "mlflow-artifacts").rglob("*") if path.is_file()):
            writer.add(model, model.relative_to(data).as_posix())
        if not writer.files:
            raise NothingToBackUp(f"{data} holds nothing that a backup covers; load first: make load.")
        manifest = Manifest(FORMAT, now(), *about, duckdb.__version__, str(data), writer.files)
        writer.seal(manifest)
        return manifest
    finally:
        writer.abandon()


def _add_tables(
    warehouse: Path, writer: Writer, work: Path, say: Say
) -> tuple[str | None, bool | None, datetime | None]:
    """Every table of SCHEMAS as Parquet in the order of its rows; account, mode, and how far the last load read.

    Opened for reading, which shuts out every writer until it is closed. One table at a time is on the disk twice.
    """
    try:
        connection = duckdb.connect(str(warehouse), read_only=True, config=limits(work))
    except duckdb.Error as error:
        raise explain(warehouse, error) from error
    with closing(connection):
        tables = connection.execute(
            "select schema_name, table_name, sql from duckdb_tables() where database_name = current_database()"
            " and schema_name in (select unnest(?)) order by all",
            [SCHEMAS],
        ).fetchall()
        for schema, table, create in tables:
            parquet = work / "table.parquet"
            [(rows,)] = connection.execute(
                f"copy (select {_columns(connection, schema, table)} from {quoted(schema)}.{quoted(table)})"  # noqa: S608 - quoted
                f" to {text(str(parquet))} (format parquet, compression zstd)"
            ).fetchall()
            if rows >= LONG:
                say(f"{schema}.{table}: {rows:,} rows, {parquet.stat().st_size / 1e6:,.1f} MB")
            writer.add(parquet, f"{TABLES}/{schema}/{table}.parquet", rows, create)
            parquet.unlink()
        there = {(schema, table) for schema, table, _ in tables}
        account, loaded = None, None
        if ("raw_stripe", "accounts") in there:
            account = connection.execute("select account_id, livemode from raw_stripe.accounts limit 1").fetchone()
        if ("raw_stripe", "load_report") in there:
            loaded = connection.execute("select max(server_now) from raw_stripe.load_report").fetchone()
        return (*(account or (None, None)), loaded[0] if loaded else None)


def limits(work: Path) -> dict[str, str | bool | int | float | list[str]]:
    """DuckDB's settings here: flat memory whatever the table's size, and rows in the order they are stored.

    Of two versions landed at one moment the one appended last is the current one, so order is content.
    """
    return {"memory_limit": "400MB", "temp_directory": str(work / "spill"), "preserve_insertion_order": True}


def _columns(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> str:
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns() where database_name = current_database()"
        " and schema_name = ? and table_name = ? order by column_index",
        [schema, table],
    ).fetchall()
    names = [(quoted(name), kind) for name, kind in columns]
    return ", ".join(f"cast({name} as varchar) as {name}" if kind in AS_TEXT else name for name, kind in names)


def _add_ledger(settings: Settings, writer: Writer, work: Path, say: Say) -> None:
    """The head first: actions writes it after the ledger, and a ledger that is behind its head would be refused."""
    head, copied_head = settings.data / "ledger-head" / "head.json", work / "head.json"
    if not settings.ledger.exists():
        if head.exists():
            say(f"{settings.ledger} is missing though {head} remembers it: run `python -m actions audit verify`")
        return
    _copy_head(head, copied_head)
    ledger = _copy_database(settings.ledger, work)
    if not copied_head.exists() and head.exists():  # made in between: actions wrote its very first events
        _copy_head(head, copied_head)
        ledger = _copy_database(settings.ledger, work)
    try:
        with closing(sqlite3.connect(ledger)) as copy:
            [events] = copy.execute("select count(*) from event").fetchone()
    except sqlite3.Error as error:
        raise BackupFailed(
            f"{settings.ledger} is not the ledger of actions ({error}), so nothing was backed up; "
            "run `python -m actions audit verify`."
        ) from error
    if copied_head.exists():
        writer.add(copied_head, "ledger-head/head.json")
    writer.add(ledger, "ledger/ledger.sqlite", rows=events)


def _copy_head(source: Path, target: Path) -> None:
    """None when there is none. actions rewrites it in place, holding the same lock."""
    with suppress(FileNotFoundError), source.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        target.write_bytes(file.read())
        shutil.copymode(source, target)


def _add_database(source: Path, name: str, writer: Writer, work: Path) -> None:
    copy = _copy_database(source, work)
    writer.add(copy, name)
    copy.unlink()


def _copy_database(source: Path, work: Path) -> Path:
    """A copy of an SQLite file as of one moment, without its log, while others may write it; same permissions."""
    target = work / source.name
    target.unlink(missing_ok=True)
    try:
        uri = f"{source.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as found, closing(sqlite3.connect(target)) as copy:
            found.backup(copy)
    except sqlite3.Error as error:
        if is_full(str(error)):
            raise OSError(errno.ENOSPC, str(error), str(target)) from error
        raise BackupFailed(
            f"{source} could not be copied ({error}), so nothing was backed up; mend it first."
        ) from error
    shutil.copymode(source, target)
    return target


@contextmanager
def _work_beside(file: Path) -> Iterator[Path]:
    """A folder beside `file`, on the same disk, gone afterwards; what killed backups left there goes as well."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in file.parent.glob(".meterwise-backup.*"):
        with suppress(OSError), (left / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # another account's backup may be at work there
            shutil.rmtree(left)
    work = Path(tempfile.mkdtemp(prefix=".meterwise-backup.", dir=file.parent))
    try:
        with (work / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise BackupInPlace(f"{file} is there already and is not overwritten; name another file with --to.")


def _no_room(file: Path) -> BackupFailed:
    free = shutil.disk_usage(file.parent).free / 1e6
    return BackupFailed(
        f"There is no room for the backup beside {file} ({free:,.0f} MB free), so none was written; "
        "make room, or name another disk with --to."
    )
