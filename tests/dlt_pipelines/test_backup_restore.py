"""A restore believes no byte unchecked, overwrites nothing, and is complete or plainly not there."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from dlt_pipelines.backup.archive import Writer, check
from dlt_pipelines.backup.make import back_up
from dlt_pipelines.backup.manifest import PLACES
from dlt_pipelines.backup.restore import move, restore
from dlt_pipelines.errors import (
    BackupDamaged,
    BackupTooNew,
    FolderUnusable,
    Locked,
    OtherAccount,
    RestoreUnfinished,
    StateInPlace,
)
from dlt_pipelines.settings import Settings
from dlt_pipelines.stages import one_run_at_a_time
from dlt_pipelines.warehouse import open_warehouse
from tests.commands import ROOT, clean_environment, module
from tests.dlt_pipelines.backed_up import contents, files, fill
from tests.dlt_pipelines.stripe_bytes import customer, load_quietly, rows
from tests.dlt_pipelines.stub import StubStripe

Backup = tuple[Settings, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Backup:
    """A filled state folder and its backup; no test changes them."""
    state = fill(tmp_path_factory.mktemp("state") / "data")
    return state, back_up(state, None, print)[0]


def test_any_flipped_bit_is_found_before_anything_is_touched(made: Backup, tmp_path: Path) -> None:
    whole = made[1].read_bytes()
    with tarfile.open(made[1]) as tar:
        members = tar.getmembers()
    places = {at for one in members for at in (one.offset, one.offset + 124, one.offset_data)}
    places |= {at for one in members for at in (one.offset_data + one.size // 2, one.offset_data + one.size - 1)}
    damaged = tmp_path / "b.tar"
    for at in sorted(places):
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(BackupDamaged, match=r"is not a whole backup .* nothing was restored"):
            restore(Settings(tmp_path / "data"), damaged, print)
    assert len(places) > 60
    assert not (tmp_path / "data").exists()


def test_a_file_that_was_cut_or_is_something_else_is_refused(made: Backup, tmp_path: Path) -> None:
    whole, other = made[1].read_bytes(), tmp_path / "b.tar"
    for content in (b"", b"not a tar", whole[:512], whole[: len(whole) // 2], whole[:-11_000], bytes(20_480)):
        other.write_bytes(content)
        with pytest.raises(BackupDamaged):
            check(other)
    with pytest.raises(BackupDamaged, match="does not exist"):
        check(tmp_path / "none.tar")


def sealed(made: Backup, target: Path, name: str = "", create: str = "", **changes: object) -> Path:
    """A backup with one more file, and a manifest that differs, whose checksums are all right."""
    writer = Writer(target)
    if name:
        writer.add(made[0].data / "scores" / "churn_risk" / "run=empty.parquet", name, 1, create)
    manifest = check(made[1])[0]
    writer.seal(msgspec.structs.replace(manifest, files=writer.files, **changes))
    return target


def test_a_backup_of_a_later_version_is_refused_by_its_format(made: Backup, tmp_path: Path) -> None:
    later = sealed(made, tmp_path / "b.tar", format=2)
    refused = module(tmp_path / "data", "dlt_pipelines", "restore", str(later))
    assert refused.returncode == 6
    assert "has format 2 and this version knows formats up to 1" in refused.stderr
    with pytest.raises(BackupTooNew):
        check(later)


@pytest.mark.parametrize(
    ("name", "create"),
    [("../outside", ""), ("/srv/outside", ""), ("run.lock", ""), ("tables/x", "x"), ("warehouse.duckdb", "")],
)
def test_a_file_that_belongs_nowhere_is_refused(made: Backup, tmp_path: Path, name: str, create: str) -> None:
    with pytest.raises(BackupDamaged, match="is nothing that a backup holds"):
        check(sealed(made, tmp_path / "b.tar", name, create))


@pytest.mark.parametrize(
    "create",
    [
        "create table raw_stripe.t as select content as probability from read_text('/etc/passwd')",
        "copy (select 1) to '{0}/out'; create table raw_stripe.t (probability real)",
        "create table raw_stripe.t (another integer, number of_columns)",
    ],
)
def test_the_sql_in_a_backup_reaches_nothing_but_its_own_tables(made: Backup, tmp_path: Path, create: str) -> None:
    crafted = sealed(made, tmp_path / "b.tar", "tables/raw_stripe/t.parquet", create.format(tmp_path))
    with pytest.raises(BackupDamaged, match="could not be restored"):
        restore(Settings(tmp_path / "data"), crafted, print)
    assert files(tmp_path / "data") == {}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "there",
    [
        "warehouse.duckdb",
        "warehouse.duckdb.wal",
        "ledger/ledger.sqlite-wal",
        "ledger-head/head.json",
        "scores/churn_risk/run=x.parquet",
        "landing/inbox.sqlite",
        "mlflow.db",
    ],
)
def test_what_is_there_is_never_overwritten(made: Backup, tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_bytes(b"mine")
    with pytest.raises(StateInPlace, match=f"/{there.removesuffix('.wal').split('/')[0]}"):
        restore(Settings(tmp_path), made[1], print)
    assert files(tmp_path) == {there: b"mine"}


def test_a_second_restore_is_refused_and_what_is_no_part_of_a_backup_stays(made: Backup, tmp_path: Path) -> None:
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox" / "state").write_text("kept")
    (tmp_path / "scores" / "churn_risk").mkdir(parents=True)  # a folder alone is nothing that could be lost
    first = module(tmp_path, "dlt_pipelines", "restore", str(made[1]))
    assert first.returncode == 0, first.stderr
    before = files(tmp_path)

    second = module(tmp_path, "dlt_pipelines", "restore", str(made[1]))

    assert second.returncode == 6
    for place in PLACES:
        assert str(tmp_path / place) in second.stderr
    assert files(tmp_path) == before
    assert before["sandbox/state"] == b"kept"


def test_on_request_what_is_there_is_kept_and_only_the_rest_put_back(made: Backup, tmp_path: Path) -> None:
    data = Path(shutil.copytree(made[0].data, tmp_path / "data"))
    (data / "warehouse.duckdb").unlink()
    shutil.rmtree(data / "scores")
    (data / "ledger-head" / "head.json").write_text("newer")
    (data / "mlflow.db").write_bytes(b"mine")

    restore(Settings(data), made[1], print, only_missing=True)

    kept = {"ledger-head/head.json": b"newer", "mlflow.db": b"mine"}
    assert {name: files(data)[name] for name in kept} == kept
    shutil.copy(made[0].data / "mlflow.db", data)
    assert contents(data) == contents(made[0].data) | {"ledger-head/head.json": b"newer"}
    with pytest.raises(StateInPlace):
        restore(Settings(data), made[1], print, only_missing=True)


def test_nothing_of_one_account_is_put_beside_anothers_warehouse(made: Backup, tmp_path: Path) -> None:
    data = Path(shutil.copytree(made[0].data, tmp_path / "data"))
    shutil.rmtree(data / "scores")
    with open_warehouse(data / "warehouse.duckdb") as connection:
        connection.execute("update raw_stripe.accounts set account_id = 'acct_another'; drop table raw_usage.files")
    with pytest.raises(OtherAccount, match="nothing was restored"):
        restore(Settings(data), made[1], print, only_missing=True)


def test_no_restore_while_a_run_works_on_the_folder(made: Backup, tmp_path: Path) -> None:
    with one_run_at_a_time(tmp_path), pytest.raises(Locked, match=str(os.getpid())):
        restore(Settings(tmp_path), made[1], print)
    assert files(tmp_path) == {}


KILLED = """
import os, signal, sys
from pathlib import Path
from dlt_pipelines.backup import restore
from dlt_pipelines.settings import Settings
left = int(sys.argv[3])
def rename(source, target):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    os.rename(source, target)
if left < 0:
    restore.sync = lambda folder: os.kill(os.getpid(), signal.SIGKILL)
restore.restore(Settings(Path(sys.argv[1])), Path(sys.argv[2]), print, rename=rename)
"""


def kill_restore(data: Path, file: Path, moves: int) -> None:
    """Restore in a process that dies after so many moves; with -1, before the mark that all files are built."""
    command = [sys.executable, "-c", KILLED, str(data), str(file), str(moves)]
    killed = subprocess.run(command, cwd=ROOT, env=clean_environment(data), stdout=subprocess.DEVNULL)
    assert killed.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moves", [-1, 3, len(PLACES) - 1])
def test_a_killed_restore_looks_like_none_and_is_finished_by_the_same_command(
    made: Backup, tmp_path: Path, moves: int
) -> None:
    data = tmp_path / "data"
    kill_restore(data, made[1], moves)
    assert not (data / "warehouse.duckdb").exists()
    with pytest.raises(RestoreUnfinished, match="run the same"):
        open_warehouse(data / "warehouse.duckdb")
    with pytest.raises(RestoreUnfinished):
        back_up(Settings(data), tmp_path / "half.tar", print)

    restore(Settings(data), made[1], print)

    assert contents(data) == contents(made[0].data)
    assert not [path.name for path in data.iterdir() if path.name.startswith(".")]


def test_another_backup_does_not_finish_an_interrupted_restore(made: Backup, tmp_path: Path) -> None:
    data, other = tmp_path / "data", sealed(made, tmp_path / "b.tar", "scores/churn_risk/run=1.parquet")
    kill_restore(data, made[1], 2)
    before = files(data)
    with pytest.raises(RestoreUnfinished, match="another backup"):
        restore(Settings(data), other, print)
    assert files(data) == before


def test_a_file_made_meanwhile_is_kept_and_the_restore_finished_once_it_is_moved_away(
    made: Backup, tmp_path: Path
) -> None:
    kill_restore(tmp_path, made[1], 2)
    (tmp_path / "warehouse.duckdb").write_bytes(b"mine")
    with pytest.raises(StateInPlace, match=r"there is already \S+/warehouse\.duckdb \("):
        restore(Settings(tmp_path), made[1], print)
    (tmp_path / "warehouse.duckdb").unlink()
    restore(Settings(tmp_path), made[1], print)
    assert contents(tmp_path) == contents(made[0].data)


def test_a_folder_that_cannot_be_written_is_told_and_left_empty(made: Backup, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(FolderUnusable):
        restore(Settings(tmp_path / "data"), made[1], print)


def test_a_warehouse_that_dlts_setting_names_is_backed_up_and_restored_there(made: Backup, tmp_path: Path) -> None:
    old = Settings(tmp_path / "a", destination=made[0].warehouse)
    old.data.mkdir()
    file, _ = back_up(old, tmp_path / "b.tar", print)
    new = Settings(tmp_path / "c", destination=tmp_path / "d" / "w.duckdb")

    restore(new, file, print)

    assert new.warehouse.exists()
    assert files(new.data) == {}
    with pytest.raises(StateInPlace, match=r"d/w\.duckdb"):
        restore(new, file, print)


def test_a_head_on_another_volume_is_moved_there(tmp_path: Path) -> None:
    volume = Path("/dev/shm")  # noqa: S108 - the volume that nearly every Linux has beside its disk
    if not volume.is_dir() or volume.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second volume at /dev/shm")
    there = volume / f"meterwise-test-{os.getpid()}"
    there.mkdir()
    try:
        (tmp_path / "head.json").write_text("{}")
        move(tmp_path / "head.json", there / "head.json")
        assert files(there) == {"head.json": b"{}"}
    finally:
        shutil.rmtree(there)


def test_after_a_restore_the_loader_goes_on_where_the_backup_was_made(stub: StubStripe, tmp_path: Path) -> None:
    stub.lists["/v1/customers"] = [customer("a")]
    load_quietly(stub, tmp_path / "old")
    file, _ = back_up(Settings(tmp_path / "old"), tmp_path / "b.tar", print)
    # The folder of a warehouse that went on and was lost: dlt's cursors in it are ahead of the rows to be restored.
    new = tmp_path / "new"
    shutil.copytree(tmp_path / "old", new)
    stub.lists["/v1/customers"].insert(0, customer("b"))
    stub.now += timedelta(days=8)  # every list is read whole again
    load_quietly(stub, new)
    (new / "warehouse.duckdb").unlink()

    restore(Settings(new), file, print, only_missing=True)
    stub.now += timedelta(days=1)  # by those cursors no list is due
    again = load_quietly(stub, new)

    assert {table: one.rows_appended for table, one in again.tallies.items() if one.rows_appended} == {"customers": 1}
    assert rows(new, "select id from raw_stripe.customers order by id") == [("cus_a",), ("cus_b",)]
