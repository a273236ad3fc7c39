"""The schema raw_usage: three tables that only grow, and whose account they hold."""

from datetime import datetime, timedelta

import duckdb

from dlt_pipelines.errors import OtherAccount, SettingMissing

SCHEMA = "raw_usage"
# Wide enough for any quantity Stripe takes: 26 digits before the point and 12 behind it.
VALUE = "decimal(38, 12)"
# Stripe takes events of up to 5 minutes ahead of its clock (stripe.md section 1.2).
AHEAD = timedelta(minutes=5)
_TABLES = f"""
create schema if not exists {SCHEMA};

create table if not exists {SCHEMA}.meter_events (
    account_id varchar not null,
    -- as it is: squeezing random text to half would take a third of the whole load, and each later load reads it
    identifier varchar not null using compression uncompressed,
    event_name varchar not null,
    customer_id varchar not null,
    value {VALUE},
    occurred_at timestamp not null,
    file_id integer not null,
    loaded_at timestamp not null
);

create table if not exists {SCHEMA}.quarantine (
    account_id varchar not null,
    file_id integer not null,
    path varchar not null,
    row_number bigint,
    line_number bigint,
    reason varchar not null,
    raw varchar,
    loaded_at timestamp not null
);

create table if not exists {SCHEMA}.files (
    account_id varchar not null,
    file_id integer not null,
    path varchar not null,
    size_bytes bigint not null,
    fingerprint varchar not null,
    row_count bigint not null,
    landed bigint not null,
    duplicates bigint not null,
    conflicts bigint not null,
    quarantined bigint not null,
    loaded_at timestamp not null
);
"""


def ensure_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the schema and its empty tables where they are missing, so that dbt builds before the first usage log."""
    connection.execute(_TABLES)


def account_of(connection: duckdb.DuckDBPyConnection, given: str | None) -> str:
    """The account whose events these are: the one that the warehouse holds, else the one `given`.

    Raises OtherAccount when they differ, SettingMissing when there is neither.
    """
    held = {
        account
        for table in ("raw_stripe.accounts", f"{SCHEMA}.files")
        if has_table(connection, table)
        for (account,) in connection.execute(f"select distinct account_id from {table}").fetchall()  # noqa: S608 - fixed names
    }
    if given and held - {given}:
        raise OtherAccount(
            f"The warehouse holds {', '.join(sorted(held))} and --account names {given}; "
            "leave --account out, or set METERWISE_DATA to another folder."
        )
    if not held and not given:
        raise SettingMissing(
            "The warehouse holds no Stripe account yet, so nothing says whose events these are; "
            "load Stripe first (`make load`), or name the account: --account acct_…"
        )
    if len(held) > 1:
        raise OtherAccount(f"The warehouse holds {', '.join(sorted(held))}; expected one: set METERWISE_DATA apart.")
    return given or held.pop()


def newest_moment(connection: duckdb.DuckDBPyConnection, now: datetime) -> datetime:
    """The latest time an event may have: the newer of this machine's clock and Stripe's at the last load, and AHEAD.

    `now` is naive UTC. Stripe's clock counts because a sandbox may be ahead of the machine.
    """
    newest = now
    if has_table(connection, "raw_stripe.load_report"):
        [row] = connection.execute("select max(loaded_at) from raw_stripe.load_report").fetchall()
        newest = max(now, row[0] or now)
    return newest + AHEAD


def count_events(connection: duckdb.DuckDBPyConnection, configured: tuple[str, ...]) -> list[str]:
    """Event names of meters that count events, whose value nobody reads: those of loaded meters and `configured`."""
    names = set(configured)
    if has_table(connection, "raw_stripe.meters"):
        rows = connection.execute(
            "select distinct payload ->> '$.event_name' from raw_stripe.meters"
            " where payload ->> '$.default_aggregation.formula' = 'count'"
        ).fetchall()
        names |= {name for (name,) in rows if name}
    return sorted(names)


def has_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether `schema.table` is in the warehouse and has the columns that its readers here ask for."""
    schema, table = name.split(".")
    columns = connection.execute(
        "select list(column_name) from duckdb_columns()"
        " where database_name = current_database() and schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchall()[0][0]
    needed = {"accounts": "account_id", "load_report": "loaded_at", "meters": "payload"}.get(table)
    return bool(columns) and (needed is None or needed in columns)
