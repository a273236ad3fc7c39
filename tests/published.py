"""Looking for texts in a whole published copy."""

from __future__ import annotations

from pathlib import Path

import duckdb


def values_with(published: Path, *wanted: str) -> dict[str, str]:
    """`table.column` to one of the texts that a value of it holds, whatever its type; case does not count."""
    found: dict[str, str] = {}
    with duckdb.connect(str(published), read_only=True) as copy:
        columns = copy.execute(
            "select schema_name, table_name, column_name from duckdb_columns() where not internal"
        ).fetchall()
        assert columns
        for schema, table, column in columns:
            values = copy.execute(f'select distinct "{column}"::varchar from {schema}."{table}"').fetchall()
            text = "\n".join(value for (value,) in values if value is not None).lower()
            if hit := next((name for name in wanted if name.lower() in text), None):
                found[f"{table}.{column}"] = hit
    return found
