"""The schema raw_exports: three tables that only grow. A load makes them, so that dbt finds them without an export."""

import duckdb

SCHEMA = "raw_exports"
_TABLES = f"""
create schema if not exists {SCHEMA};

create table if not exists {SCHEMA}.invoice_amounts (
    account_id varchar, file_id integer, row_number bigint, kind varchar, line_id varchar, invoice_id varchar,
    invoice_number varchar, currency varchar, amount varchar, units varchar, loaded_at timestamp
);

create table if not exists {SCHEMA}.quarantine (
    account_id varchar, file_id integer, path varchar, row_number bigint, reason varchar, raw varchar,
    loaded_at timestamp
);

create table if not exists {SCHEMA}.files (
    account_id varchar, file_id integer, path varchar, size_bytes bigint, fingerprint varchar, kind varchar,
    units varchar, row_count bigint, landed bigint, quarantined bigint, loaded_at timestamp
);
"""


def ensure_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the schema and its empty tables where they are missing."""
    connection.execute(_TABLES)
