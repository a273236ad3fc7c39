"""Usage logs: when the command lands nothing, and that a killed one leaves nothing behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from dlt_pipelines.errors import OtherAccount, SettingMissing, UsageLogUnreadable
from dlt_pipelines.usage_log import ensure_tables
from dlt_pipelines.usage_log.verdicts import judge
from tests.commands import ROOT, clean_environment, module
from tests.dlt_pipelines.usage_logs import ACCOUNT, DAY, Logs, as_csv, as_jsonl, as_parquet, event


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "data")


def test_a_path_where_nothing_is_is_refused(logs: Logs, tmp_path: Path) -> None:
    for wrong in (tmp_path / "no.csv", tmp_path, tmp_path / "*.parquet"):
        with pytest.raises(UsageLogUnreadable, match="holds no usage log"):
            logs.land(wrong)
    (tmp_path / "log.txt").write_text("x")
    with pytest.raises(UsageLogUnreadable, match="no known kind"):
        logs.land(tmp_path / "log.txt")


def test_a_file_without_a_needed_column_is_refused_before_any_other_lands(logs: Logs, tmp_path: Path) -> None:
    good = as_csv([event("a")], tmp_path / "a.csv")
    row = event("b")
    del row["customer"]
    with pytest.raises(UsageLogUnreadable, match=r"b\.csv has no column payload\.stripe_customer_id or customer"):
        logs.land(good, as_csv([row], tmp_path / "b.csv"))
    assert logs.events() == {}


@pytest.mark.parametrize("name", ["log.parquet", "log.csv.gz"])
def test_a_damaged_file_is_refused(logs: Logs, tmp_path: Path, name: str) -> None:
    file = as_parquet([event("a")], tmp_path / name)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(UsageLogUnreadable, match="cannot be read as"):
        logs.land(file)


@pytest.mark.parametrize("name", ["log.jsonl.gz", "log.csv.gz", "log.jsonl.zst"])
def test_compressed_text_that_was_cut_short_is_refused_by_its_own_name(logs: Logs, tmp_path: Path, name: str) -> None:
    plain = (as_csv if ".csv" in name else as_jsonl)([event(f"e{n}") for n in range(20_000)], tmp_path / "plain")
    with pa.output_stream(str(tmp_path / name), compression="detect") as out:
        out.write(plain.read_bytes())
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageLogUnreadable, match=rf"{name} cannot be read .*nothing of it was landed"):
        logs.land(tmp_path / name)
    assert logs.events() == {}


def test_a_setting_that_cannot_be_meant_is_refused(logs: Logs, tmp_path: Path) -> None:
    file = as_csv([event("a")], tmp_path / "log.csv")
    with pytest.raises(SettingMissing, match="names amount"):
        logs.land(file, columns={"amount": "x"})
    with pytest.raises(SettingMissing, match="expected s, ms or us"):
        logs.land(file, timestamp_unit="minutes")


def test_the_account_comes_from_the_warehouse_or_from_the_option_and_never_changes(logs: Logs, tmp_path: Path) -> None:
    file = as_csv([event("a")], tmp_path / "log.csv")
    with pytest.raises(SettingMissing, match="--account"):
        logs.land(file, account=None)
    logs.execute("create schema raw_stripe", "create table raw_stripe.accounts as select 'acct_held' as account_id")
    with pytest.raises(OtherAccount, match="holds acct_held"):
        logs.land(file, account=ACCOUNT)
    logs.land(file, account=None)
    assert logs.ask("select account_id from raw_usage.meter_events") == [("acct_held",)]
    logs.execute("drop table raw_stripe.accounts")
    with pytest.raises(OtherAccount, match="holds acct_held"):
        logs.land(file, account=ACCOUNT)


def test_a_file_that_changes_while_it_is_read_lands_nothing(
    logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = as_csv([event("a")], tmp_path / "log.csv")

    def append_and_judge(connection: duckdb.DuckDBPyConnection, has_known: bool) -> None:
        with file.open("a") as log:
            log.write("calls,cus_1,1,1790000000,b\n")
        judge(connection, has_known)

    monkeypatch.setattr("dlt_pipelines.usage_log.passes.judge", append_and_judge)
    with pytest.raises(UsageLogUnreadable, match=r"log\.csv changed while it was read"):
        logs.land(file)
    assert logs.events() == {}
    assert logs.files() == []


def test_a_second_loader_is_told_who_has_the_warehouse(logs: Logs, tmp_path: Path) -> None:
    file = as_csv([event("a")], tmp_path / "log.csv")
    logs.data.mkdir()
    with duckdb.connect(str(logs.data / "warehouse.duckdb")):
        run = module(logs.data, "dlt_pipelines", "usage-log", str(file), "--account", ACCOUNT)
    assert run.returncode == 4
    assert f"(PID {os.getpid()})" in run.stderr


def test_the_command_takes_renames_and_settings_and_prints_a_summary(logs: Logs, tmp_path: Path) -> None:
    row = event("a") | {"who": "cus_5", "timestamp": "1790000000000"}
    del row["customer"]
    as_jsonl([row], tmp_path / "log.jsonl")
    run = module(
        *(logs.data, "dlt_pipelines", "usage-log", str(tmp_path / "*.jsonl"), "--column", "customer=who"),
        *("--account", ACCOUNT, "--quiet"),
        SOURCES__USAGE_LOG__TIMESTAMP_UNIT="ms",
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("1 files read, 0 skipped as landed before; 1 rows: 1 landed")
    assert logs.ask("select customer_id from raw_usage.meter_events") == [("cus_5",)]


def test_the_tables_are_there_before_the_first_log_and_keep_what_is_in_them() -> None:
    with duckdb.connect() as connection:
        ensure_tables(connection)
        connection.execute("insert into raw_usage.files select 'acct', 1, 'p', 1, 'f', 1, 1, 0, 0, 0, now()")
        ensure_tables(connection)
        assert connection.execute("select count(*) from raw_usage.files").fetchall() == [(1,)]


@pytest.mark.parametrize("attempt", range(int(os.environ.get("METERWISE_SOAK_KILLS", "1"))))
def test_killed_at_any_moment_a_load_leaves_nothing_half_and_the_next_one_lands_it_all(
    logs: Logs, tmp_path: Path, attempt: int
) -> None:
    """Killed while it works on the first file and on the second; a soak tries other moments, up to after the end."""
    delay = random.uniform(0, 2.5) if attempt else 0.1  # noqa: S311 - any moment will do
    files = [str(tmp_path / "0.csv"), str(tmp_path / "1.csv")]
    for part, file in enumerate(files):
        with duckdb.connect() as connection:
            # the two files have other columns, so that each is a transaction of its own
            connection.execute(
                f"""
                copy (
                    select md5((range - case when range % 100 = 99 then 50 else 0 end)::varchar) as identifier,
                        'calls' as event_name, 'cus_' || range % 1000 as customer, {DAY} as timestamp,
                        case when range % 1000 = 500 then 'x' else (range % 7)::varchar end as value, 0 as extra_{part}
                    from range({part} * 150000, {part + 1} * 150000)
                ) to '{file}' (header)
                """
            )
    clean = Logs(tmp_path / "clean")
    clean.land(*files)
    command = [sys.executable, "-m", "dlt_pipelines", "usage-log", *files, "--account", ACCOUNT]
    committed: list[int] = []
    for wait_for in ("0.csv: reading", "1.csv: reading"):
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=clean_environment(logs.data),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert child.stderr is not None
        while wait_for not in (child.stderr.readline() or wait_for):
            pass
        time.sleep(delay * len(committed) if not attempt else delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stderr.close()
        landed = logs.files()
        assert logs.ask("select count(*) from raw_usage.meter_events") == [(sum(file[1] for file in landed),)]
        committed.append(len(landed))
    assert attempt or committed[0] == 0, "the first kill came after the first commit"
    assert committed[-1] >= 1, "no kill came after the first commit"
    run = module(logs.data, "dlt_pipelines", "usage-log", *files, "--account", ACCOUNT)
    assert run.returncode == 0, run.stderr
    for table in ("meter_events", "quarantine", "files"):
        rows = f"select * exclude (loaded_at) from raw_usage.{table} order by all"
        assert logs.ask(rows) == clean.ask(rows)
    assert not (logs.data / "usage_log.tmp").exists()
