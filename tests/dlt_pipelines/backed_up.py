"""A state folder with everything that a backup covers, made of real parts, and what is in it."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from dlt_pipelines.settings import Settings

RAW = """
create schema raw_stripe; create schema raw_usage; create schema raw_exports; create schema raw_reference;
create schema marts;
create table raw_exports.files as select 1 as file_id, 'lines.csv' as path;
create table raw_reference.fx_rates as select date '2026-01-01' as "date", 'eur' as from_currency, '1.10' as rate;
create table raw_stripe.accounts as select 'acct_1' as account_id, 'acct_1' as id, false as livemode;
create table raw_stripe._dlt_version (version bigint not null, inserted_at timestamptz not null, "schema" varchar);
insert into raw_stripe._dlt_version values (3, '2026-11-01 06:00:00.123456+00', '{"a": 1.10}');
-- Two versions of each id, both of one moment: which of them is the current one, only the order of the rows says.
create table raw_stripe.customers as
    select 'cus_' || (i % 10000) as id, md5((i * 7)::varchar) as version_hash,
        '{"n": 1e5, "i": ' || i || '}' as payload, timestamp '2026-11-01 06:00:00.000001' as loaded_at
    from range(20000) t(i);
create table raw_stripe.load_report as select timestamp '2026-11-01 06:00:00' as server_now, 'x' as kind;
create table raw_stripe.load_problems (kind varchar, occurrences bigint);
create table raw_usage.files (
    path varchar not null, "odd ""name" hugeint, value decimal(38, 12), seen timestamp, tags varchar[],
    primary key (path)
);
insert into raw_usage.files values
    ('b', 170141183460469231731687303715884105727, 1.000000000001, '2026-01-01', ['a', null]), ('a', -1, 0, null, null);
-- More than one row group of DuckDB's and of Parquet's.
create table raw_usage.meter_events as select hash(i) as identifier from range(150000) t(i);
create table marts.dim_customers as select 1 as built_again;
"""


def fill(data: Path) -> Settings:
    """Fill `data`, a folder that is not there yet."""
    settings = Settings(data)
    data.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute(RAW)
    for run in ("empty", "20261101T060000"):
        score = data / "scores" / "churn_risk" / f"run={run}.parquet"
        score.parent.mkdir(parents=True, exist_ok=True)
        duckdb.sql(f"copy (select 0.5 as probability) to '{score}'")
    write_events(settings, 5)
    settings.inbox.parent.mkdir(mode=0o700)
    for path, mode in ((settings.inbox, 0o600), (data / "mlflow.db", 0o644)):
        with closing(sqlite3.connect(path)) as database:
            database.execute("create table kept (what text, number real)")
            database.execute("insert into kept values (?, 1.5)", [f"{data}/mlflow-artifacts/1/model"])
            database.commit()
        path.chmod(mode)
    model = data / "mlflow-artifacts" / "1" / "model" / "spec.json"
    model.parent.mkdir(parents=True)
    model.write_text("{}")
    (data / "dlt" / "meterwise_stripe").mkdir(parents=True)
    (data / "dlt" / "meterwise_stripe" / "state.json").write_text("{}")
    return settings


def head_of(settings: Settings) -> Path:
    """Where actions keeps the ledger's head."""
    return settings.data / "ledger-head" / "head.json"


def write_events(settings: Settings, events: int) -> None:
    """Append `events` to the ledger, each a transaction, and its head after it, as actions does."""
    settings.ledger.parent.mkdir(mode=0o700, exist_ok=True)
    head_of(settings).parent.mkdir(mode=0o700, exist_ok=True)
    with closing(sqlite3.connect(settings.ledger, isolation_level=None)) as ledger:
        settings.ledger.chmod(0o600)
        ledger.execute("pragma journal_mode = wal")
        ledger.execute("create table if not exists event (seq integer primary key, hash text)")
        for _ in range(events):
            [[seq]] = ledger.execute("select coalesce(max(seq), 0) + 1 from event")
            digest = hashlib.sha256(str(seq).encode()).hexdigest()
            ledger.execute("insert into event values (?, ?)", [seq, digest])
            fresh = head_of(settings).with_suffix(".new")
            fresh.write_text(json.dumps({"seq": seq, "hash": digest}))
            fresh.replace(head_of(settings))


def contents(data: Path) -> dict[str, Any]:
    """All that a backup covers: raw rows in their order with their columns' types, rows of SQLite, bytes of files."""
    found: dict[str, Any] = {}
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as warehouse:
        for schema, table, ddl in warehouse.execute(
            "select schema_name, table_name, sql from duckdb_tables() where schema_name like 'raw%' order by all"
        ).fetchall():
            rows = warehouse.execute(
                f"select count(*), bit_xor(hash(rowid, t)) from {schema}.{table} t",
            ).fetchall()
            found[f"{schema}.{table}"] = (ddl, rows)
    for name, query in (
        ("ledger/ledger.sqlite", "select * from event order by seq"),
        ("landing/inbox.sqlite", "select number from kept"),
        ("mlflow.db", "select number from kept"),
    ):
        with closing(sqlite3.connect(data / name)) as database:
            found[name] = (database.execute(query).fetchall(), oct((data / name).stat().st_mode))
    for path in sorted([head_of(Settings(data)), *data.glob("scores/*/*"), *data.glob("mlflow-artifacts/*/*/*")]):
        found[str(path.relative_to(data))] = path.read_bytes()
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the run lock, which says nothing; empty when there is no such folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.lock"
    }
