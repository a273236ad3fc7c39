"""The audit rows in: the ledger's events copied whole into raw_ledger.audit_log."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa

from dlt_pipelines.errors import LedgerUnreadable
from dlt_pipelines.rows import table_of
from dlt_pipelines.settings import Settings
from dlt_pipelines.warehouse import explain, open_warehouse

# The columns of the ledger's table `event`, without pii_ref: what it points to stays with the ledger.
AUDIT_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("event_id", pa.string()),
        ("at_us", pa.int64()),
        ("wall_us", pa.int64()),
        ("kind", pa.string()),
        ("recommendation_id", pa.string()),
        ("action_id", pa.string()),
        ("step", pa.int64()),
        ("attempt", pa.int64()),
        ("account_id", pa.string()),
        ("livemode", pa.bool_()),
        ("customer_id", pa.string()),
        ("subscription_id", pa.string()),
        ("object_id", pa.string()),
        ("stripe_event_id", pa.string()),
        ("request_id", pa.string()),
        ("idempotency_key", pa.string()),
        ("plan_hash", pa.string()),
        ("currency", pa.string()),
        ("amount_minor", pa.int64()),
        ("actor", pa.string()),
        ("actor_assurance", pa.string()),
        ("reasoning", pa.string()),
        ("body", pa.string()),
        ("source_event_id", pa.string()),
        ("prev_hash", pa.string()),
        ("hash", pa.string()),
    ]
)


def load_ledger(settings: Settings, say: Callable[[str], None]) -> int:
    """Replace raw_ledger.audit_log by the ledger's events, in one transaction; the number of events.

    Without a ledger file the table is made empty if it is missing, and kept as it is otherwise: a ledger that got
    lost must not take its copy along. Raises LedgerUnreadable, Locked or FolderUnusable.
    """
    events = _read_events(settings.ledger) if settings.ledger.exists() else None
    connection = open_warehouse(settings.warehouse)
    try:
        connection.execute("begin")
        connection.execute("create schema if not exists raw_ledger")
        arriving = table_of(AUDIT_SCHEMA, []) if events is None else events
        connection.register("arriving", arriving)
        if events is None:
            connection.execute("create table if not exists raw_ledger.audit_log as from arriving")
        else:
            connection.execute("create or replace table raw_ledger.audit_log as from arriving order by seq")
        counted = connection.execute("select count(*) from raw_ledger.audit_log").fetchone()
        connection.execute("commit")
    except duckdb.Error as error:
        raise explain(settings.warehouse, error) from error
    finally:
        connection.close()
    rows: int = counted[0] if counted else 0
    if events is None and rows:
        say(f"{settings.ledger} is missing; the {rows} audit rows loaded from it before are kept")
    return rows


def _read_events(path: Path) -> pa.Table:
    """The table `event`, opened read-only so that a running `apply` is neither blocked nor changed."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as ledger:
            there = {name for (name,) in ledger.execute("select name from pragma_table_info('event')")}
            # A ledger that actions has not opened for writing since has not got the column yet.
            lacking = {"source_event_id"} - there
            columns = ", ".join("null" if name in lacking else f'"{name}"' for name in AUDIT_SCHEMA.names)
            query = f"select {columns} from event order by seq"  # noqa: S608 - names from AUDIT_SCHEMA
            rows = ledger.execute(query).fetchall()
    except sqlite3.Error as error:
        raise LedgerUnreadable(
            f"{path} could not be read as the ledger of actions ({error}); run `python -m actions audit verify`."
        ) from error
    position = AUDIT_SCHEMA.names.index("livemode")
    return table_of(AUDIT_SCHEMA, [(*row[:position], bool(row[position]), *row[position + 1 :]) for row in rows])
