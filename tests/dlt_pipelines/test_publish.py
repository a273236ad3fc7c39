"""The published copy: marts only, swapped in whole or not at all."""

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest

from dlt_pipelines.build_file import read_as_of
from dlt_pipelines.errors import NothingToPublish
from dlt_pipelines.publish import publish
from dlt_pipelines.settings import Settings
from tests.commands import module
from tests.dlt_pipelines.manifests import describe

READER = """
import duckdb, pathlib, sys
path, stop = sys.argv[1], pathlib.Path(sys.argv[2])
seen, mixed = set(), 0
while not stop.exists():
    with duckdb.connect(path, read_only=True) as copy:
        a, b, meta = (copy.execute(q).fetchone()[0] for q in (
            "select max(version) from marts.fct_a", "select max(version) from marts.fct_b",
            "select day(as_of) from meta.publication"))
    mixed += not (a == b == meta)
    seen.add(a)
    print(a, flush=True)
print("mixed", mixed, "versions", len(seen), flush=True)
"""


MARTS = {"fct_a": ("version", 'odd "name'), "fct_b": ("version", "amount"), "fct_c": ("account_id", "as_of")}


def build(data: Path, version: int = 1) -> Settings:
    """A build file with two marts and a view of the same version, and things that must not be published."""
    settings = Settings(data)
    describe(settings, {mart: dict.fromkeys(columns) for mart, columns in MARTS.items()})
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute(
            f"""
            create schema if not exists marts; create schema if not exists intermediate;
            create schema if not exists raw_stripe;
            create or replace table marts.fct_a as select {version} as version, i as "odd ""name" from range(1000) t(i);
            create or replace table marts.fct_b as select {version} as version, 1.10::decimal(38, 2) as amount;
            create or replace table intermediate.int_as_of as
                select 'acct_1' as account_id, date '2026-10-{version:02}' as as_of;
            create or replace view marts.fct_c as select * from "warehouse"."intermediate"."int_as_of";
            create or replace table marts.fct_of_an_older_project as select 'Ada' as name;
            create or replace table raw_stripe.accounts as select 'acct_1' as account_id, false as livemode;
            comment on table marts.fct_a is 'One row per ''thing''.';
            comment on column marts.fct_b.amount is 'Minor units.';
            comment on column marts.fct_of_an_older_project.name is 'Stays behind.';
            """
        )
    return settings


def read(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.published), read_only=True) as copy:
        return copy.execute(query).fetchall()


def left_over(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.published.parent.iterdir() if path.name != ".publishing")


def test_marts_alone_are_published_with_their_comments_and_what_they_are(tmp_path: Path) -> None:
    settings = build(tmp_path)
    settings.dbt_results.write_text(json.dumps({"metadata": {"invocation_id": "abc-1"}}))

    done = publish(settings)

    assert (done.tables, done.rows, done.as_of) == (3, 1002, date(2026, 10, 1))
    assert read(settings, "select distinct schema_name from duckdb_tables() order by 1") == [("marts",), ("meta",)]
    assert read(settings, "select * from meta.row_counts order by 1") == [("fct_a", 1000), ("fct_b", 1), ("fct_c", 1)]
    assert read(settings, "select as_of, account_id, livemode, dbt_invocation_id from meta.publication") == [
        (date(2026, 10, 1), "acct_1", False, "abc-1")
    ]
    assert read(settings, "select comment from duckdb_tables() where table_name = 'fct_a'") == [
        ("One row per 'thing'.",)
    ]
    assert read(settings, "select comment from duckdb_columns() where column_name = 'amount'") == [("Minor units.",)]
    assert read_as_of(settings) == date(2026, 10, 1)
    version = read(settings, "select tags['storage_version'] from duckdb_databases() where database_name = 'warehouse'")
    assert "1.4" in str(version)


def test_a_fault_before_the_swap_leaves_the_old_copy_and_no_litter(tmp_path: Path) -> None:
    publish(build(tmp_path, 1))
    before = (tmp_path / "published" / "warehouse.duckdb").read_bytes()
    settings = build(tmp_path, 2)

    def fault(temporary: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(settings, replace=fault)

    assert settings.published.read_bytes() == before
    assert left_over(settings) == ["warehouse.duckdb"]


def test_what_a_killed_publication_left_is_cleared_and_a_stale_log_does_not_spoil_the_new_copy(tmp_path: Path) -> None:
    settings = build(tmp_path, 1)
    publish(settings)
    for name in (".warehouse.killed.tmp", ".warehouse.killed.tmp.wal", "warehouse.duckdb.wal"):
        (settings.published.parent / name).write_bytes(b"of another file")

    publish(build(tmp_path, 2))

    assert left_over(settings) == ["warehouse.duckdb"]
    assert read(settings, "select max(version) from marts.fct_a") == [(2,)]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o444), (0o077, 0o400)])
def test_nobody_writes_to_the_copy_and_only_whom_the_umask_lets_reads_it(tmp_path: Path, umask: int, mode: int) -> None:
    settings, before = build(tmp_path), os.umask(umask)
    try:
        publish(settings)
    finally:
        os.umask(before)
    assert settings.published.stat().st_mode & 0o777 == mode


def test_a_reader_during_many_publications_never_sees_a_mix(tmp_path: Path) -> None:
    settings, stop = build(tmp_path, 1), tmp_path / "stop"
    publish(settings)
    command = [sys.executable, "-c", READER, str(settings.published), str(stop)]
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert reader.stdout
    for version in range(1, 21):
        if version > 1:  # the first was there before the reader
            publish(build(tmp_path, version))
        while reader.stdout.readline() != f"{version}\n":
            assert reader.poll() is None
    stop.touch()

    assert "mixed 0 versions 20" in reader.stdout.read()
    assert reader.wait() == 0


def test_before_the_first_build_there_is_nothing_to_publish(tmp_path: Path) -> None:
    with pytest.raises(NothingToPublish, match="load first"):
        publish(Settings(tmp_path))
    duckdb.connect(str(tmp_path / "warehouse.duckdb")).close()
    refused = module(tmp_path, "dlt_pipelines", "publish")
    assert refused.returncode == 1
    assert "run `dbt build`" in refused.stderr
    assert not (tmp_path / "published" / "warehouse.duckdb").exists()
