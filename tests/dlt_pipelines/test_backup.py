"""A backup is whole, of one moment, and there under its name only when it is finished."""

import json
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import duckdb
import pytest

from dlt_pipelines.backup.archive import check
from dlt_pipelines.backup.make import back_up
from dlt_pipelines.backup.restore import restore
from dlt_pipelines.errors import BackupFailed, BackupInPlace, Locked, NothingToBackUp
from dlt_pipelines.settings import Settings
from dlt_pipelines.stages import one_run_at_a_time
from tests.commands import ROOT, clean_environment, module
from tests.dlt_pipelines.backed_up import contents, fill, head_of, write_events


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Filled once; no test changes what is in it."""
    return fill(tmp_path_factory.mktemp("state") / "data")


@pytest.fixture(scope="module")
def backup(state: Settings) -> Path:
    return back_up(state, None, print)[0]


def left_beside(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


def test_what_cannot_be_loaded_again_comes_back_row_for_row_in_its_old_order(
    state: Settings, backup: Path, tmp_path: Path
) -> None:
    restored = Settings(tmp_path / "elsewhere")

    restore(restored, backup, print)

    assert contents(restored.data) == contents(state.data)
    with duckdb.connect(str(restored.warehouse), read_only=True) as warehouse:
        current = "from raw_stripe.customers qualify row_number() over (partition by id order by rowid desc) = 1"
        second = "'{\"n\": 1e5, \"i\": ' || (id[5:]::int + 10000) || '}'"
        wrong = f"select count(*) from ({current}) where payload <> {second}"
        assert warehouse.execute(wrong).fetchone() == (0,)
        assert warehouse.execute("select count(*) from duckdb_tables() where schema_name = 'marts'").fetchone() == (0,)


def test_what_is_secret_stays_with_its_owner(state: Settings, backup: Path, tmp_path: Path) -> None:
    restored = tmp_path / "elsewhere"
    restore(Settings(restored), backup, print)

    modes = {
        path.name: oct(stat.S_IMODE(path.stat().st_mode))
        for path in (backup, backup.parent, *(restored / name for name in ("ledger", "ledger-head", "landing")))
    }
    assert modes == {backup.name: "0o600", **dict.fromkeys(("backups", "ledger", "ledger-head", "landing"), "0o700")}


def test_models_are_found_in_the_folder_they_were_restored_to(backup: Path, tmp_path: Path) -> None:
    restored = tmp_path / "elsewhere"
    restore(Settings(restored), backup, print)

    with closing(sqlite3.connect(restored / "mlflow.db")) as registry:
        [[path]] = registry.execute("select what from kept")
    assert Path(path, "spec.json").read_text() == "{}"
    assert Path(path).is_relative_to(restored)


def test_the_command_says_what_is_in_it_and_how_to_restore(state: Settings, tmp_path: Path) -> None:
    file = tmp_path / "to" / "b.tar"

    said = module(state.data, "dlt_pipelines", "backup", "--to", str(file))

    assert said.returncode == 0, said.stderr
    table = " ".join(said.stdout.split())
    assert "acct_1 (test mode), loaded until 2026-11-01 06:00:00 UTC" in said.stdout
    assert "raw_stripe 5 tables 20,003 rows" in table
    assert "raw_usage 2 tables 150,002 rows" in table
    assert "ledger 2 files 5 rows" in table
    assert f"make restore FROM={file}" in said.stdout
    checked = module(tmp_path / "none", "dlt_pipelines", "restore", "--check", str(file))
    assert (checked.returncode, checked.stdout.splitlines()[-1]) == (0, f"{file} is whole.")
    assert not (tmp_path / "none").exists()


def test_the_manifest_can_be_read_without_us(backup: Path) -> None:
    with tarfile.open(backup) as tar:
        manifest = json.load(tar.extractfile("manifest.json") or sys.stdin)
        names = set(tar.getnames())
    assert (manifest["format"], manifest["account_id"], manifest["livemode"]) == (1, "acct_1", False)
    assert manifest["duckdb"] == duckdb.__version__
    assert {entry["path"] for entry in manifest["files"]} == names - {"manifest.json", "manifest.sha256"}
    [customers] = [entry for entry in manifest["files"] if entry["path"] == "tables/raw_stripe/customers.parquet"]
    assert customers["rows"] == 20_000


def test_a_ledger_that_is_being_written_is_never_behind_its_head(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "data")
    settings.data.mkdir()
    write_events(settings, 1)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            write_events(settings, 20)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            file, _ = back_up(settings, tmp_path / f"{number}.tar", print)
            restored = Settings(tmp_path / f"restored-{number}")
            restore(restored, file, print)
            head = json.loads(head_of(restored).read_text())
            with closing(sqlite3.connect(restored.ledger)) as ledger:
                assert ledger.execute("select hash from event where seq = ?", [head["seq"]]).fetchall() == [
                    (head["hash"],)
                ]
                assert ledger.execute("pragma integrity_check").fetchone() == ("ok",)
    finally:
        stop.set()
        writer.join()


def test_while_another_process_writes_the_warehouse_or_runs_there_is_no_backup(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    held = f"import duckdb; c = duckdb.connect({str(settings.warehouse)!r}); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(Locked, match=rf"PID {holder.pid}\b"):
            back_up(settings, None, print)
        holder.communicate(b"\n")
    with one_run_at_a_time(tmp_path):
        refused = module(tmp_path, "dlt_pipelines", "backup")
    assert (refused.returncode, str(os.getpid()) in refused.stderr) == (4, True)
    assert not list(tmp_path.glob("backups/*.tar"))


def test_a_backup_is_never_overwritten_and_nothing_gives_none(state: Settings, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_text("another")
    with pytest.raises(BackupInPlace, match="not overwritten"):
        back_up(state, tmp_path / "b.tar", print)
    assert (tmp_path / "b.tar").read_text() == "another"
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "none", tmp_path / "empty"):
        with pytest.raises(NothingToBackUp):
            back_up(Settings(nothing), tmp_path / "c.tar", print)
    assert left_beside(tmp_path / "c.tar") == ["b.tar", "empty"]


def test_a_full_disk_leaves_nothing_under_the_name_and_no_litter(state: Settings, backup: Path, tmp_path: Path) -> None:
    """The limit of a file's size stands in for the disk's: the kernel refuses the write in the same way."""
    sizes = [entry.bytes for entry in check(backup)[0].files]
    for room in (max(sizes) // 2, max(sizes) + 10_000):  # too small for a table; enough for each, not for all
        refused = subprocess.run(
            [sys.executable, "-m", "dlt_pipelines", "backup", "--to", str(tmp_path / "b.tar")],
            cwd=ROOT,
            env=clean_environment(state.data),
            capture_output=True,
            text=True,
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, room)),
        )
        assert refused.returncode == 1, refused.stderr
        assert "There is no room for the backup" in refused.stderr
        assert left_beside(tmp_path / "b.tar") == []


@pytest.mark.parametrize("moment", ["Writer.add", "Writer.seal"])
def test_a_killed_backup_leaves_nothing_under_its_name_and_the_next_one_clears_up(
    state: Settings, tmp_path: Path, moment: str
) -> None:
    script = (
        "import os, sys; from pathlib import Path; from dlt_pipelines.backup import make;"
        " from dlt_pipelines.backup.archive import Writer; from dlt_pipelines.settings import Settings;"
        f" {moment} = lambda *given, **named: os.kill(os.getpid(), 9);"
        " make.back_up(Settings(Path(sys.argv[1])), Path(sys.argv[2]), print)"
    )
    command = [sys.executable, "-c", script, str(state.data), str(tmp_path / "b.tar")]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    [litter] = left_beside(tmp_path / "b.tar")
    assert litter.startswith(".meterwise-backup.")

    file, _ = back_up(state, tmp_path / "b.tar", print)

    assert left_beside(file) == ["b.tar"]
    assert check(file)[0].account_id == "acct_1"


@pytest.fixture
def broken_ledger(tmp_path: Path) -> Settings:
    settings = Settings(tmp_path / "data")
    settings.ledger.parent.mkdir(parents=True)
    settings.ledger.write_bytes(b"not a database at all" * 100)
    return settings


def test_a_ledger_that_cannot_be_read_is_told_and_nothing_written(broken_ledger: Settings, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match=r"ledger\.sqlite could not be copied"):
        back_up(broken_ledger, tmp_path / "to" / "b.tar", print)
    assert left_beside(tmp_path / "to" / "b.tar") == []
