"""Usage logs for tests: rows of meter events as Parquet, CSV or JSONL files, landed in a state folder of their own."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dlt_pipelines.settings import Settings
from dlt_pipelines.usage_log import land_usage_logs
from dlt_pipelines.usage_log.config import LogConfig

ACCOUNT = "acct_log"
DAY = 1_790_000_000  # 2026-09-21 14:13:20 UTC, before any clock that runs these tests
Row = dict[str, Any]


def event(identifier: str | None, value: Any = "1", **more: Any) -> Row:
    """A row of every column; `more` replaces any of them."""
    row = {"event_name": "calls", "customer": "cus_1", "value": value, "timestamp": str(DAY), "identifier": identifier}
    return row | more


def as_csv(rows: Sequence[Row], path: Path) -> Path:
    lines = [",".join(rows[0])] + [",".join("" if cell is None else str(cell) for cell in row.values()) for row in rows]
    text = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def as_jsonl(rows: Sequence[Row], path: Path) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_parquet(rows: Sequence[Row], path: Path) -> Path:
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]}
    pq.write_table(pa.table(columns), path)
    return path


WRITERS: dict[str, Callable[[Sequence[Row], Path], Path]] = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}


class Logs:
    """A state folder into which usage logs are landed, and questions about what is in its warehouse."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.said: list[str] = []

    def land(self, *paths: Path | str, again: bool = False, account: str | None = ACCOUNT, **config: Any) -> str:
        self.said = []
        return land_usage_logs(
            Settings(data=self.data),
            [str(path) for path in paths],
            LogConfig(**config),
            self.said.append,
            account=account,
            again=again,
            memory="500MB",
        )

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.data / "warehouse.duckdb")) as connection:
            return connection.execute(query).fetchall()

    def execute(self, *statements: str) -> None:
        with duckdb.connect(str(self.data / "warehouse.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    def events(self) -> dict[str, tuple[Any, ...]]:
        """identifier → (event name, customer, value as text without zeros, time as text); each identifier once."""
        rows = self.ask(
            "select identifier, event_name, customer_id, rtrim(rtrim(value::varchar, '0'), '.'), occurred_at::varchar"
            " from raw_usage.meter_events"
        )
        assert len({row[0] for row in rows}) == len(rows), "an identifier has landed twice"
        return {row[0]: row[1:] for row in rows}

    def quarantine(self) -> list[tuple[Any, ...]]:
        """(row number, reason) in order."""
        return self.ask("select row_number, reason from raw_usage.quarantine order by path, row_number, line_number")

    def files(self) -> list[tuple[Any, ...]]:
        """(rows, landed, duplicates, conflicts, quarantined) of every reading."""
        return self.ask(
            "select row_count, landed, duplicates, conflicts, quarantined from raw_usage.files order by file_id"
        )
