"""A restore: checked whole, built aside, then put in place with the warehouse last; nothing is ever overwritten."""

import errno
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path, PurePosixPath

import duckdb
import msgspec

from dlt_pipelines.backup.archive import check, extract
from dlt_pipelines.backup.make import LONG, Say, is_full, limits
from dlt_pipelines.backup.manifest import PLACES, WAREHOUSE, Entry, Manifest
from dlt_pipelines.errors import BackupDamaged, FolderUnusable, OtherAccount, RestoreUnfinished, StateInPlace
from dlt_pipelines.quoting import quoted
from dlt_pipelines.settings import Settings
from dlt_pipelines.stages import one_run_at_a_time
from dlt_pipelines.syncing import sync
from dlt_pipelines.warehouse import RESTORING, Warehouse, mode, open_warehouse

BUILT = "built"  # in RESTORING: the seal of the backup whose files are all there, ready to be put in place
DONE = ".restored"  # what RESTORING becomes, only to be removed
# Files that belong to the one they are named after; an old log beside a new file would spoil it.
BESIDE = ("", ".wal", "-wal", "-shm", "-journal")
Rename = Callable[[Path, Path], None]


def move(source: Path, target: Path) -> None:
    """Rename; by way of a copy beside `target` where that is on another volume, as the ledger's head may be."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        aside = target.parent / f".{target.name}.restored"
        shutil.rmtree(aside) if aside.is_dir() else aside.unlink(missing_ok=True)
        shutil.copytree(source, aside) if source.is_dir() else shutil.copy2(source, aside)
        os.sync()
        os.rename(aside, target)


def restore(settings: Settings, file: Path, say: Say, only_missing: bool = False, rename: Rename = move) -> Manifest:
    """Put back what `file` holds into a state folder that holds none of it; what was in it.

    A restore that was killed is taken up again by the same command: before its files were complete it begins anew,
    afterwards it goes on putting them in place. only_missing: what is there is kept, and only the rest put back.
    rename: moves one finished file or folder to its place.
    Raises BackupDamaged, BackupTooNew, StateInPlace, OtherAccount, RestoreUnfinished, Locked or FolderUnusable.
    """
    data, work = settings.data, settings.data / RESTORING
    if not (work / BUILT).exists():
        _free(settings, only_missing)
    manifest, seal = check(file)
    for line in manifest.lines():
        say(line)
    try:
        with one_run_at_a_time(data):
            if (work / BUILT).exists():
                _refuse_another(work, seal)
                say("an interrupted restore of it is finished")
            else:
                places = _free(settings, only_missing)
                _refuse_another_account(settings, manifest)
                wanted = [entry for entry in manifest.files if _place_of(entry) in places]
                _build(settings, file, msgspec.structs.replace(manifest, files=wanted), seal, say)
            _put_in_place(settings, work, rename)
    except OSError as error:
        raise FolderUnusable(
            f"{error.filename or data} cannot be written ({error.strerror or error}); the restore is not complete: "
            "mend that and run the same command again."
        ) from error
    return manifest


def _refuse_another_account(settings: Settings, manifest: Manifest) -> None:
    """Raises OtherAccount when the warehouse that stays is of another account or mode than the backup."""
    if manifest.account_id is None or not settings.warehouse.exists():
        return
    with closing(open_warehouse(settings.warehouse)) as connection:
        try:
            Warehouse(connection).check_account(manifest.account_id, bool(manifest.livemode))
        except OtherAccount as error:
            raise OtherAccount(
                f"The backup is of {manifest.account_id} ({mode(bool(manifest.livemode))}) and {settings.warehouse} "
                "is not; set METERWISE_DATA to another folder: nothing was restored."
            ) from error


def _build(settings: Settings, file: Path, manifest: Manifest, seal: str, say: Say) -> None:
    """Everything under data/.restore/tree as it will be in the state folder, on the disk, then the mark BUILT."""
    work = settings.data / RESTORING
    for left in (work, settings.data / DONE):  # of restores that were killed
        shutil.rmtree(left, ignore_errors=True)
    work.mkdir(mode=0o700)
    try:
        tree = work / "tree"
        tree.mkdir()
        with tarfile.open(file, "r:") as tar:
            for entry in manifest.files:
                if not entry.create:
                    (tree / entry.path).parent.mkdir(parents=True, exist_ok=True)
                    extract(tar, entry, tree / entry.path)
            if manifest.tables:
                _build_warehouse(tar, manifest.tables, work, say)
        if (tree / "mlflow.db").exists():
            _move_models(tree / "mlflow.db", manifest.folder, str(settings.data))
        for folder in [path for path in tree.rglob("*") if path.is_dir()]:
            sync(folder)
        sync(tree)
        mark = work / "mark"
        mark.write_text(seal)
        with mark.open() as written:
            os.fsync(written.fileno())
        os.rename(mark, work / BUILT)
        sync(work)
    except (duckdb.Error, tarfile.TarError) as error:
        if is_full(str(error)):
            raise OSError(errno.ENOSPC, "no space left", str(work)) from error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BackupDamaged(
            f"{file} could not be restored ({reason}); nothing was put in place: use another copy of the backup."
        ) from error
    finally:
        if not (work / BUILT).exists():
            shutil.rmtree(work, ignore_errors=True)


def _build_warehouse(tar: tarfile.TarFile, tables: Iterable[Entry], work: Path, say: Say) -> None:
    """The warehouse with its raw tables, rows in their old order; one table at a time is on the disk twice."""
    parquet = work / "table.parquet"
    with closing(duckdb.connect(str(work / "tree" / WAREHOUSE), config=limits(work))) as connection:
        # The tables' DDL comes out of a file: whatever it says can reach nothing but this folder.
        connection.execute("set allowed_directories = [?]", [f"{work}/"])
        connection.execute("set enable_external_access = false; set lock_configuration = true")
        for entry in tables:
            schema, table = PurePosixPath(entry.path).parts[1], PurePosixPath(entry.path).stem
            name = f"{quoted(schema)}.{quoted(table)}"
            extract(tar, entry, parquet)
            connection.execute(f"create schema if not exists {quoted(schema)}")
            connection.execute(entry.create)
            connection.execute(f"insert into {name} select * from read_parquet(?)", [str(parquet)])  # noqa: S608 - quoted
            parquet.unlink()
            counted = connection.execute(f"select count(*) from {name}").fetchone()  # noqa: S608 - quoted
            if counted != (entry.rows,):
                raise BackupDamaged(
                    f"{schema}.{table} came back with {counted} rows and the backup has {entry.rows}; "
                    "nothing was put in place: use another copy of the backup."
                )
            if entry.rows and entry.rows >= LONG:
                say(f"{schema}.{table}: {entry.rows:,} rows")
        connection.execute("checkpoint")


def _put_in_place(settings: Settings, work: Path, rename: Rename) -> None:
    """Move what is built to where it belongs; what an interrupted restore has moved is not there any more."""
    tree = work / "tree"
    waiting = [place for place in PLACES if (tree / place).exists()]
    if found := _occupied(settings, waiting):
        raise _in_place(settings, found)
    for place in waiting:
        target = _target(settings, place)
        if place == WAREHOUSE and settings.dlt.exists():
            # Its cursors may be those of a later warehouse; with none, dlt takes them from this one.
            move(settings.dlt, work / "dlt")
        if target.is_dir():
            _remove_empty(target)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        rename(tree / place, target)
        sync(target.parent)
    os.rename(work, done := settings.data / DONE)  # in one step: from here on the restore is complete
    shutil.rmtree(done)


def _free(settings: Settings, only_missing: bool) -> list[str]:
    """The places to fill. Raises StateInPlace when any is taken, or all are and `only_missing`."""
    found = _occupied(settings, PLACES)
    if found and (not only_missing or len(found) == len(PLACES)):
        raise _in_place(settings, found)
    return [place for place in PLACES if place not in found]


def _occupied(settings: Settings, places: Iterable[str]) -> list[str]:
    """Those that hold a file, or a file's old log; folders without files do not count."""
    return [
        place
        for place in places
        for target in [_target(settings, place)]
        if any(target.with_name(target.name + suffix).is_file() for suffix in BESIDE)
        or any(path.is_file() for path in target.rglob("*"))
    ]


def _in_place(settings: Settings, found: Iterable[str]) -> StateInPlace:
    names = ", ".join(str(_target(settings, place)) for place in found)
    return StateInPlace(
        f"A restore overwrites nothing, and there is already {names} (or a log of it); move that away, "
        "set METERWISE_DATA to a new folder, or restore only what is not there with --missing."
    )


def _target(settings: Settings, place: str) -> Path:
    return settings.warehouse if place == WAREHOUSE else settings.data / place


def _place_of(entry: Entry) -> str:
    path = PurePosixPath(entry.path)
    return (
        WAREHOUSE if entry.create else next(place for place in PLACES if PurePosixPath(place) in (path, *path.parents))
    )


def _remove_empty(folder: Path) -> None:
    """A folder that holds nothing but empty folders."""
    for below in sorted(folder.rglob("*"), reverse=True):
        below.rmdir()
    folder.rmdir()


def _refuse_another(work: Path, seal: str) -> None:
    if (work / BUILT).read_text() != seal:
        raise RestoreUnfinished(
            f"{work} holds the interrupted restore of another backup; restore that one again to finish it, "
            f"or remove {work} to give it up."
        )


def _move_models(database: Path, old: str, new: str) -> None:
    """MLflow keeps absolute paths of the models' files: those below the old state folder become the new one's."""
    if old == new:
        return
    with closing(sqlite3.connect(database)) as registry:
        columns = registry.execute(
            "select t.name, c.name from sqlite_master t join pragma_table_info(t.name) c where t.type = 'table'"
        ).fetchall()
        for table, column in columns:
            for prefix in (f"{old}/", f"file://{old}/"):
                registry.execute(
                    f"update {quoted(table)} set {quoted(column)} = ? || substr({quoted(column)}, ?)"  # noqa: S608 - quoted
                    f" where typeof({quoted(column)}) = 'text' and substr({quoted(column)}, 1, ?) = ?",
                    [prefix.replace(old, new), len(prefix) + 1, len(prefix), prefix],
                )
        registry.commit()
