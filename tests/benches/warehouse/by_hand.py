"""The heaviest models beside DuckDB SQL written by hand for the same rows: `python -m tests.benches.warehouse.by_hand`.

Both are timed as they fill an empty table of the model's own columns, in turn, the fastest of three runs each; then the
two tables are compared row by row, whatever their order. The hand-written queries (folder by_hand/) may use all that
DuckDB has, and read what the model reads.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import duckdb

from sandbox.state import data_folder
from tests.benches.warehouse.builds import compiled

FOLDER = Path(__file__).parent / "by_hand"
RUNS = 3


def compare(data: Path) -> dict[str, float]:
    """Flat figures of each model that has a query in by_hand/: seconds of both, and how many times the query's time.

    Ends the process with a sentence when rows differ.
    """
    flat: dict[str, float] = {}
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set preserve_insertion_order = false")
        for query in sorted(FOLDER.glob("*.sql")):
            model, by_hand = compiled(data, query.stem), query.read_text()
            took = {"model": [0.0] * RUNS, "by_hand": [0.0] * RUNS}
            for turn in range(RUNS):
                took["model"][turn] = _fill(connection, "model", query.stem, model)
                took["by_hand"][turn] = _fill(connection, "by_hand", query.stem, by_hand)
            _check(connection, query.stem)
            ours, theirs = min(took["model"]), min(took["by_hand"])
            flat |= {
                f"{query.stem}_s": round(ours, 2),
                f"{query.stem}_by_hand_s": round(theirs, 2),
                f"{query.stem}_times_by_hand": round(ours / theirs, 2),
            }
    return flat


def _fill(connection: duckdb.DuckDBPyConnection, table: str, model: str, query: str) -> float:
    [(schema,)] = connection.execute("select schema_name from duckdb_tables() where table_name = ?", [model]).fetchall()
    connection.execute(f"create or replace temp table {table} as from {schema}.{model} limit 0")
    started = time.monotonic()
    connection.execute(f"insert into {table} by name {query}")
    return time.monotonic() - started


def _check(connection: duckdb.DuckDBPyConnection, model: str) -> None:
    [ours, theirs] = (
        connection.execute(f"select count(*), sum(hash({table})::hugeint) from {table}").fetchall()
        for table in ("model", "by_hand")
    )
    if ours != theirs:
        raise SystemExit(f"{model} and by_hand/{model}.sql differ: rows and their sum are {ours} and {theirs}")


if __name__ == "__main__":
    print(json.dumps(compare(data_folder())))
