"""Reading the published marts in end-to-end tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb


def published(data: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of a query on the published copy, opened read-only for this one query."""
    with duckdb.connect(str(data / "published" / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(query, list(values)).fetchall()


def hashes(data: Path) -> dict[str, tuple[int, int]]:
    """Rows and an order-free hash of every fact, dimension and recommendation table of the published copy."""
    tables = published(
        data,
        "select table_name from information_schema.tables where table_schema = 'marts' "
        "and (table_name like 'fct_%' or table_name like 'dim_%' "
        "or table_name in ('recommendations', 'usage_anomalies'))",
    )
    return {
        name: published(data, f"select count(*), coalesce(bit_xor(hash(rows)), 0) from marts.{name} as rows")[0]
        for (name,) in tables
    }
