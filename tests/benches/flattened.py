"""dlt as one meets it: a resource that yields objects, flattened into tables by default. Run as a module."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import duckdb
import requests


def invoices(base: str, count: int) -> Iterator[list[dict[str, Any]]]:
    """The first `count` invoices, page by page, parsed."""
    params = {"limit": "100"}
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer rk_test_bench"
        for _ in range(0, count, 100):
            page = session.get(f"{base}/v1/invoices", params=params).json()
            yield page["data"]
            if not page["has_more"]:
                return
            params["starting_after"] = page["data"][-1]["id"]


def main() -> None:
    """Load them and print how many lines landed in the table that dlt makes of them."""
    asked = argparse.ArgumentParser(description="Load invoices with dlt's defaults.")
    asked.add_argument("base")
    asked.add_argument("count", type=int)
    asked.add_argument("folder", type=Path)
    options = asked.parse_args(sys.argv[1:])
    file = options.folder / "flattened.duckdb"
    pipeline = dlt.pipeline(
        "flattened",
        destination=dlt.destinations.duckdb(str(file)),
        dataset_name="raw",
        pipelines_dir=str(options.folder / "dlt"),
    )
    pipeline.run(dlt.resource(invoices(options.base, options.count), name="invoices"))
    with duckdb.connect(str(file)) as connection:
        print(connection.sql("select count(*) from raw.invoices__lines__data").fetchall()[0][0])


if __name__ == "__main__":
    main()
