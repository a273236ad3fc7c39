"""The real `ml score` on 100 thousand items: a small company's, repeated under other ids, by a champion it trained."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from tests.benches.marks import Mark
from tests.benches.measure import run
from tests.benches.ml.backtests import ONE_THREAD
from tests.benches.ml.stages import load_and_build

ITEMS, HORIZON = 100_000, 28
COMPANY = ("--customers", "60", "--months", "14", "--seed", "7")
MUST = {
    "speed_rows_per_cpu_s": Mark(least=300_000),
    "speed_wall_s": Mark(most=60),
    "speed_peak_mb": Mark(most=4 * 1024),
}
# What is repeated for each item, and of which rows: scoring reads no other.
REPEATED = {
    "features.usage_asof": "is_scoring",
    "features.usage_periods_ahead": "is_scoring",
    "marts.fct_usage_daily": "usage_date > (select max(usage_date) - 98 from marts.fct_usage_daily)",
}


def measure(folder: Path) -> dict[str, float]:
    """Seconds, memory and rows per CPU second. The rate leaves out what scoring the small company costs already.

    rows: of the usage forecast, items x 28 days; the other score tables and the paths are written as well.
    """
    run(folder, "sandbox", "seed", *COMPANY)
    load_and_build(folder)
    run(folder, "ml", "train")
    small, large = folder / "warehouse.duckdb", folder / "large.duckdb"
    horizon = ("--horizon", str(HORIZON))
    fixed = run(folder, "ml", "score", *horizon, **ONE_THREAD)
    items = int(run(folder, "tests.benches.ml.speed", str(small), str(large), str(ITEMS)).printed)
    at = {"DESTINATION__DUCKDB__CREDENTIALS": f"duckdb:///{large}"}
    alone = run(folder, "ml", "score", *horizon, **at, **ONE_THREAD)
    both = run(folder, "ml", "score", *horizon, **at)
    rows = items * HORIZON
    return {
        "speed_items": items,
        "speed_rows": rows,
        "speed_small_cpu_s": round(fixed.cpu_s, 1),
        "speed_cpu_s": round(alone.cpu_s, 1),
        "speed_rows_per_cpu_s": round(rows / max(alone.cpu_s - fixed.cpu_s, 0.1)),
        "speed_rows_per_cpu_s_with_start": round(rows / alone.cpu_s),
        "speed_one_thread_wall_s": round(alone.wall_s, 1),
        "speed_wall_s": round(both.wall_s, 1),
        "speed_peak_mb": round(max(alone.peak_mb, both.peak_mb)),
    }


def repeat(small: Path, large: Path, items: int) -> int:
    """Write `large`: all that ml reads of `small`, its live items repeated until there are `items`; how many."""
    large.unlink(missing_ok=True)
    with duckdb.connect(str(large), config={"threads": 2, "memory_limit": "2GB"}) as connection:
        connection.execute(f"attach '{small}' as small (read_only)").fetchall()
        live = "select count(*) from small.features.usage_asof where is_scoring"
        times = -(-items // int(connection.execute(live).fetchall()[0][0]))
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where database_name = 'small' and schema_name in ('features', 'marts', 'meta')"
        ).fetchall()
        for schema in ("features", "marts", "meta"):
            connection.execute(f"create schema if not exists {schema}").fetchall()
        for (table,) in tables:
            if table not in REPEATED:
                connection.execute(f"create table {table} as from small.{table}").fetchall()
                continue
            where = REPEATED[table].replace("from marts", "from small.marts")
            connection.execute(
                f"create table {table} as"
                " select * replace (subscription_item_id || '_' || copy as subscription_item_id)"
                f" from (from small.{table} where {where}) cross join range({times}) as copies (copy)"
            ).fetchall()
            connection.execute(f"alter table {table} drop column if exists copy").fetchall()
        made: int = connection.execute("select count(*) from features.usage_asof").fetchall()[0][0]
    return made


if __name__ == "__main__":
    print(repeat(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
