"""What the warehouse already holds: opened once per run, so that no other process can change it meanwhile."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from dlt_pipelines.errors import FolderUnusable, Locked, OtherAccount, WarehouseFailed
from dlt_pipelines.rows import Window

SCHEMA = "raw_stripe"
_HOLDER = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)")


@dataclass
class Landed:
    """The latest landed version of each object of one table.

    hashes: id → version hash; alive: ids whose latest version is no tombstone;
    by_parent: parent id → its alive children.
    """

    hashes: dict[str, str] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    by_parent: dict[str, set[str]] = field(default_factory=dict)


def open_warehouse(path: Path) -> duckdb.DuckDBPyConnection:
    """The warehouse for reading and writing, made if missing; held until closed, so two loads cannot interleave.

    Raises Locked naming the process that has it open, FolderUnusable or WarehouseFailed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(str(path))
    except (OSError, duckdb.Error) as error:
        raise explain(path, error) from error


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
        self._connection = connection
        self.tables = {
            name
            for (name,) in self._rows(
                "select table_name from duckdb_tables() where database_name = current_database() and schema_name = ?",
                [SCHEMA],
            )
        }

    def _rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.cursor().execute(query, parameters).fetchall()

    def check_account(self, account_id: str, is_live: bool) -> None:
        """Raises OtherAccount if rows of another account, or of the other mode, have landed."""
        if "accounts" not in self.tables:
            return
        for held, held_live in self._rows("select distinct account_id, livemode from raw_stripe.accounts"):
            if (held, held_live) != (account_id, is_live):
                raise OtherAccount(
                    f"The warehouse holds {held} ({mode(held_live)}) and the key is for {account_id} "
                    f"({mode(is_live)}); use that account's key, or set METERWISE_DATA to another folder."
                )

    def latest(self, table: str) -> Landed:
        """The latest version of each id of one table; empty before its first load."""
        landed = Landed()
        if table not in self.tables:
            return landed
        is_child = "parent_id" in self._columns(table)
        newest: pa.Table = self._connection.sql(
            f"""
            select id, version_hash, is_deleted, {"parent_id" if is_child else "null::varchar"} as parent_id
            from {SCHEMA}.{table}
            qualify row_number() over (partition by id order by loaded_at desc, rowid desc) = 1
            """  # noqa: S608 - names from stripe_api
        ).to_arrow_table()
        ids, hashes, deleted, parents = (newest[name].to_pylist() for name in newest.column_names)
        landed.hashes = dict(zip(ids, hashes, strict=True))
        for each, gone, parent in zip(ids, deleted, parents, strict=True):
            if not gone:
                landed.alive.add(each)
                if is_child:
                    landed.by_parent.setdefault(parent, set()).add(each)
        return landed

    def payload(self, table: str, object_id: str) -> tuple[int | None, str]:
        """`created` and payload of an object's last landed version, for the tombstone of one that left no trace."""
        [row] = self._rows(
            f"select created, payload from {SCHEMA}.{table} where id = ? order by loaded_at desc, rowid desc limit 1",  # noqa: S608 - names from stripe_api
            [object_id],
        )
        return row[0], row[1]

    def last_stamp(self) -> datetime | None:
        """The latest loaded_at or first_seen_at of any row; None in an empty warehouse."""
        stamps = []
        for table in sorted(self.tables):
            columns = self._columns(table)
            for stamp in {"loaded_at", "first_seen_at"} & columns:
                stamps += self._rows(f"select max({stamp}) from {SCHEMA}.{table}")  # noqa: S608 - names from the catalogue
        return max((stamp for (stamp,) in stamps if stamp is not None), default=None)

    def last_event(self) -> int | None:
        """`created` of the newest landed event, unix seconds; None before the first."""
        if "events" not in self.tables:
            return None
        created: int | None = self._rows("select max(created) from raw_stripe.events")[0][0]
        return created

    def covered_until(self) -> dict[str, datetime]:
        """Meter id → the end of what a finished run has read of it."""
        if "load_report" not in self.tables:
            return {}
        return dict(
            self._rows(
                "select meter_id, max(covered_until) from raw_stripe.load_report"
                " where kind = 'meter_usage' group by meter_id"
            )
        )

    def usage_since(self, start: datetime) -> list[tuple[str, str, datetime, Any]]:
        """(meter id, customer id, window start, latest value as Decimal) of landed windows from `start` on."""
        if "meter_usage_revisions" not in self.tables:
            return []
        return self._rows(
            """
            select meter_id, customer_id, window_start, arg_max(aggregated_value, first_seen_at)
            from raw_stripe.meter_usage_revisions
            where window_start >= ?
            group by all
            """,
            [start],
        )

    def period_usage(self) -> dict[Window, Decimal]:
        """The latest landed value of every window by billing period."""
        if "meter_usage_period_revisions" not in self.tables:
            return {}
        rows = self._rows(
            """
            select meter_id, customer_id, window_start, window_end, grain, arg_max(aggregated_value, first_seen_at)
            from raw_stripe.meter_usage_period_revisions
            group by all
            """
        )
        return {Window(*window): value for *window, value in rows}

    def last_used(self) -> dict[tuple[str, str], datetime | None]:
        """(meter id, customer id) of which any window has landed → its last window with usage."""
        if "meter_usage_revisions" not in self.tables:
            return {}
        rows = self._rows(
            """
            select meter_id, customer_id, max(window_start) filter (aggregated_value <> 0)
            from raw_stripe.meter_usage_revisions
            group by all
            """
        )
        return {(meter, customer): last for meter, customer, last in rows}

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
