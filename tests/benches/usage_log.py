"""Usage logs end to end: a file of N meter events on disk → deduplicated rows in the warehouse, per kind of file.

`python -m tests.benches.usage_log --rows 100000000` (or METERWISE_BENCH_USAGE_ROWS). The rows: 1 % repeat an earlier
identifier, 0.1 % are bad in five ways, 100,000 customers, 4 meters, identifiers of 32 random hexadecimal digits. JSONL
is in Stripe's own shape. Each kind is written, landed by the real command in a process of its own, checked and deleted
before the next: 100 million rows take some 30 GB of disk.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from tests.commands import ROOT, clean_environment

ROWS = 100_000_000
# Rows k with k % 100 = 99 repeat the row 50 before them, those with k % 1000 = 500 are bad: no row is both.
DUPLICATE, BAD = "k % 100 = 99", "k % 1000 = 500"
_ROWS = f"""
    select
        ['api_calls', 'gb_stored', 'seats_used', 'minutes'][1 + k % 4] as event_name,
        case when {BAD} and k % 5000 = 500 then null else 'cus_' || lpad((hash(k) % 100000)::varchar, 14, 'N') end
            as customer,
        case when {BAD} and k % 5000 = 1500 then 'many' when {BAD} and k % 5000 = 2500 then '0.12345678901234567890'
            else ((hash(k + 7) % 1000000) / 1000.0)::decimal(18, 3)::varchar end as value,
        case when {BAD} and k % 5000 = 3500 then 9999999999 else 1760000000 + (k // 40) % 2500000 end as timestamp,
        case when {BAD} and k % 5000 = 4500 then null else md5(k::varchar) end as identifier
    from (select case when {DUPLICATE} then k - 50 else k end as k from range($rows) as numbers (k))
"""
_OBJECTS = f"""
    select event_name, {{'stripe_customer_id': customer, 'value': value}} as payload, timestamp, identifier
    from ({_ROWS})
"""
KINDS = {
    "parquet": (_ROWS, "format parquet"),
    "csv": (_ROWS, "format csv, header"),
    "jsonl": (_OBJECTS, "format json"),
}


def measure(rows: int, folder: Path) -> dict[str, float]:
    """The figures of every kind of file: rows/s of wall time, rows per CPU second, peak MB of memory, sizes in MB.

    Keys start with the kind, as parquet_rows_per_s; peak_mb is the largest of all. Ends the process with a sentence
    when a count is not exact.
    """
    flat: dict[str, float] = {"rows": rows}
    for kind in KINDS:
        with tempfile.TemporaryDirectory(prefix="usage-log-", dir=folder) as scratch:
            flat |= {f"{kind}_{name}": value for name, value in _one(kind, rows, Path(scratch)).items()}
    return flat | {"peak_mb": max(flat[f"{kind}_peak_mb"] for kind in KINDS)}


def _one(kind: str, rows: int, folder: Path) -> dict[str, float]:
    file, data = folder / f"usage.{kind}", folder / "data"
    # in a process of its own: what DuckDB takes to write the file is none of the command's memory or time
    _timed([sys.executable, "-m", "tests.benches.usage_log", "--write", str(file), "--rows", str(rows)], data)
    command = [sys.executable, "-m", "dlt_pipelines", "usage-log", str(file), "--account", "acct_bench"]
    wall, cpu, peak = _timed(command, data)
    warehouse = data / "warehouse.duckdb"
    _check(warehouse, rows)
    return {
        "rows_per_s": round(rows / wall),
        "rows_per_cpu_s": round(rows / cpu),
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "peak_mb": round(peak),
        "file_mb": round(file.stat().st_size / 1e6),
        "warehouse_mb": round(warehouse.stat().st_size / 1e6),
    }


def _timed(command: list[str], data: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak resident MB of a command."""
    started = time.monotonic()
    child = subprocess.Popen(command, cwd=ROOT, env=clean_environment(data), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"`{' '.join(command[1:])}` ended with status {status}")
    return time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def expected(rows: int) -> tuple[int, int, int]:
    """(landed, duplicates, quarantined) of `rows` rows; only row numbers that end in 49 are repeated, none is bad."""
    duplicates, bad = rows // 100, (rows + 499) // 1000
    return rows - duplicates - bad, duplicates, bad


def _check(warehouse: Path, rows: int) -> None:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        [books] = connection.execute(
            "select row_count, landed, duplicates, quarantined, conflicts from raw_usage.files"
        ).fetchall()
        [held] = connection.execute(
            "select (select count(*) from raw_usage.meter_events), (select count(*) from raw_usage.quarantine)"
        ).fetchall()
        # the sum over identifiers says that it is these rows, each once, without a table of them all
        [sums] = connection.execute(
            "select (select sum(hash(identifier)::hugeint) from raw_usage.meter_events),"
            f" (select sum(hash(md5(k::varchar))::hugeint) from range(?) as t (k) where not {DUPLICATE} and not {BAD})",
            [rows],
        ).fetchall()
    landed, duplicates, bad = expected(rows)
    if books != (rows, landed, duplicates, bad, 0) or held != (landed, bad) or sums[0] != sums[1]:
        raise SystemExit(f"counts are wrong: {books} and {held}; expected {(rows, landed, duplicates, bad, 0)}")


def write(file: Path, rows: int) -> None:
    """Write the log that a name ends in."""
    query, how = KINDS[file.suffix[1:]]
    with duckdb.connect() as connection:
        connection.execute("set memory_limit = '2GB'; set preserve_insertion_order = true")
        connection.execute(f"copy ({query.replace('$rows', str(rows))}) to '{file}' ({how})")


def main() -> None:
    """Print the figures as a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=int(os.environ.get("METERWISE_BENCH_USAGE_ROWS", ROWS)))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--write", type=Path, help="only write one log of this name")
    options = parser.parse_args()
    if options.write:
        write(options.write, options.rows)
        return
    for name, value in measure(options.rows, options.folder).items():
        print(f"usage_log_{name:<24}{value:>16,}")


if __name__ == "__main__":
    main()
