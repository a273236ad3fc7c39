"""A company of any size, written by SQL straight into the raw tables, as a load leaves them; the same one every time.

Every customer has one subscription: a fee and three metered items (graduated, per unit, volume), billed monthly on its
own day and minute, from within the first of 24 months on; a tenth pays in yen, a tenth cancels after a year. Usage
is a window per item and day. Invoices and their lines carry what was used, so that all of it reconciles; payloads have
every field that the sandbox sends, and their length.
"""

from __future__ import annotations

import argparse
import json
import re
from datetime import date, timedelta
from pathlib import Path

import duckdb

from sandbox.state import data_folder
from tests.dbt_project.raw import RawWarehouse

ACCOUNT = "acct_bench"
LAST_DAY = date(2026, 10, 31)
FIRST_DAY = LAST_DAY - timedelta(days=729)
ROWS_PER_CUSTOMER = 2_000  # on average: most use three meters for 24 months, a tenth for a year
HERE = Path(__file__).parent
OBJECTS: dict[str, object] = json.loads((HERE / "objects.json").read_text())


def land_company(data: Path, rows: int) -> int:
    """Write a company with about `rows` usage rows into `data`/warehouse.duckdb; how many there are."""
    with RawWarehouse(data):
        pass  # every raw table exists now
    return _land(data, -(-rows // ROWS_PER_CUSTOMER), None, LAST_DAY)


def land_next_day(data: Path) -> int:
    """Append what a load finds a day later: usage, late usage, running summaries, renewals; the usage rows appended."""
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        [(covered,)] = connection.execute("select max(covered_until)::date from raw_stripe.load_report").fetchall()
        [(customers,)] = connection.execute("select count(*) from raw_stripe.customers").fetchall()
    return _land(data, customers, covered - timedelta(days=1), covered)


def payload(kind: str) -> str:
    """The SQL text of an object's payload: its template with each {column} set in as text, each {#column} bare."""
    text = json.dumps(OBJECTS[kind], indent=2).replace("'", "''")
    bare = re.sub(r'"\{#(\w+)\}"', r"' || coalesce(cast(\1 as varchar), 'null') || '", text)
    return "'" + re.sub(r"\{(\w+)\}", r"' || \1 || '", bare) + "'"


def _land(data: Path, customers: int, since: date | None, until: date) -> int:
    with duckdb.connect(str(data / "warehouse.duckdb")) as connection:
        connection.execute("set memory_limit = '3GB'; set preserve_insertion_order = false")
        given = {
            "account": ACCOUNT,
            "customers": customers,
            "first_day": FIRST_DAY,
            "since": since or FIRST_DAY - timedelta(days=2),
            "until": until,
            "is_first": since is None,
        }
        for name, value in given.items():
            connection.execute(f"set variable {name} = ?", [value])
        for script in ("customers", "usage", "objects", "bills"):
            connection.execute(
                re.sub(
                    r"payload_of\('(\w+)'\)",
                    lambda kind: payload(kind[1]),
                    (HERE / f"company_{script}.sql").read_text(),
                )
            )
        [(landed,)] = connection.execute(
            "select count(*) from raw_stripe.meter_usage_revisions where first_seen_at = getvariable('landed_at')"
        ).fetchall()
    return int(landed)


def main() -> None:
    """Write a company into METERWISE_DATA, or its next day, and print how many usage rows landed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, help="about so many usage rows; without it, the next day of what is there")
    rows = parser.parse_args().rows
    print(land_company(data_folder(), rows) if rows else land_next_day(data_folder()))


if __name__ == "__main__":
    main()
