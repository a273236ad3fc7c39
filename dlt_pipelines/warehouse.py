"""What the warehouse already holds: opened once per run, so that no other process can change it meanwhile."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from dlt_pipelines.errors import FolderUnusable, Locked, OtherAccount, RestoreUnfinished, WarehouseFailed

SCHEMA = "raw_stripe"
RESTORING = ".restore"  # beside the warehouse: the working folder of a restore, until all of it is in place
_HOLDER = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)")


def open_warehouse(path: Path) -> duckdb.DuckDBPyConnection:
    """The warehouse for reading and writing, made if missing; held until closed, so two loads cannot interleave.

    Raises Locked naming the process that has it open, RestoreUnfinished, FolderUnusable or WarehouseFailed.
    """
    refuse_unfinished_restore(path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(str(path))
    except (OSError, duckdb.Error) as error:
        raise explain(path, error) from error
    # DuckDB opens a CSV or Parquet file as well, as a database in memory: all that is written to it would be lost
    file = connection.execute("select path from duckdb_databases() where database_name = current_database()").fetchone()
    if file is None or file[0] is None:
        connection.close()
        raise WarehouseFailed(
            f"{path} is a file of another kind, no DuckDB database; name another by DESTINATION__DUCKDB__CREDENTIALS."
        )
    return connection


def refuse_unfinished_restore(data: Path) -> None:
    """Raises RestoreUnfinished while the state folder `data` is being restored, or the restore was interrupted."""
    if (unfinished := data / RESTORING).exists():
        raise RestoreUnfinished(
            f"{unfinished} holds a restore that is under way or was interrupted; let it end, or run the same "
            "`python -m dlt_pipelines restore FILE` again to finish it, or remove that folder to give it up."
        )


def explain(path: Path, error: Exception) -> Locked | FolderUnusable | WarehouseFailed:
    """The refusal that tells in one sentence why DuckDB, or the file system, would not open or write `path`."""
    text = str(error)
    if holder := _HOLDER.search(text):
        return Locked(
            f"{path} is open in another process, {holder[1]} (PID {holder[2]}); "
            "wait for it or stop it, then run this again."
        )
    if isinstance(error, OSError) or "Cannot open file" in text or "Permission denied" in text:
        return FolderUnusable(
            f"{path.parent} cannot be written ({text.splitlines()[0]}); "
            "make it writable, or point METERWISE_DATA at a folder that is."
        )
    return WarehouseFailed(
        f"DuckDB could not use {path} ({text.splitlines()[0] if text else type(error).__name__}); "
        "if the file is damaged, restore it, or move it away and load again."
    )


class Warehouse:
    """Questions to the raw schema about what landed in earlier runs."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.tables = {
            name
            for (name,) in self._rows(
                "select table_name from duckdb_tables() where database_name = current_database() and schema_name = ?",
                [SCHEMA],
            )
        }

    def _rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self.connection.cursor().execute(query, parameters).fetchall()

    def check_account(self, account_id: str, is_live: bool) -> None:
        """Raises OtherAccount if rows of another account, or of the other mode, have landed."""
        held: list[tuple[str, bool | None]] = []
        if "accounts" in self.tables:
            held = self._rows("select distinct account_id, livemode from raw_stripe.accounts")
        if not held:  # a first load that was killed may have landed other tables before that one
            for table in sorted(self.tables):
                if {"account_id", "livemode"} <= self._columns(table):
                    held += self._rows(f"select distinct account_id, livemode from {SCHEMA}.{table}")  # noqa: S608 - names from the catalogue
        if self._rows("select 1 from duckdb_tables() where schema_name = 'raw_usage' and table_name = 'files'"):
            held += self._rows("select distinct account_id, null from raw_usage.files")  # usage logs know no mode
        for account, held_live in held:
            if account != account_id or held_live not in (None, is_live):
                words = "usage logs" if held_live is None else mode(held_live)
                raise OtherAccount(
                    f"The warehouse holds {account} ({words}) and the key is for {account_id} "
                    f"({mode(is_live)}); use that account's key, or set METERWISE_DATA to another folder."
                )

    def count(self, table: str) -> int:
        """Rows of one raw table; 0 before its first load."""
        if table not in self.tables:
            return 0
        rows: int = self._rows(f"select count(*) from {SCHEMA}.{table}")[0][0]  # noqa: S608 - names from stripe_api
        return rows

    def last_stamp(self) -> datetime | None:
        """The latest loaded_at or first_seen_at of any row; None in an empty warehouse."""
        stamps = []
        for table in sorted(self.tables):
            columns = self._columns(table)
            for stamp in {"loaded_at", "first_seen_at"} & columns:
                stamps += self._rows(f"select max({stamp}) from {SCHEMA}.{table}")  # noqa: S608 - names from the catalogue
        return max((stamp for (stamp,) in stamps if stamp is not None), default=None)

    def finished(self) -> datetime | None:
        """The stamp of the last finished load: the newest of the load report; None before the first."""
        if "loaded_at" not in self._columns("load_report"):  # not there, or of a version without cursors
            return None
        [(stamp,)] = self._rows(f"select max(loaded_at) from {SCHEMA}.load_report")  # noqa: S608 - a name of ours
        return stamp if isinstance(stamp, datetime) else None

    def _columns(self, table: str) -> set[str]:
        return {
            name
            for (name,) in self._rows(
                "select column_name from duckdb_columns() where database_name = current_database()"
                " and schema_name = ? and table_name = ?",
                [SCHEMA, table],
            )
        }


def mode(is_live: bool) -> str:
    """The words people use for livemode."""
    return "live mode" if is_live else "test mode"
