"""Recommendations for 100,000 customers: a company that went through the loop, and hundreds of copies of each customer.

Everything that the advice reads and that is built before it (marts, forecasts, risks) is multiplied in the warehouse,
with ids of their own for the copies; then the advice alone is built, from what is found to what is published.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

from tests.benches.measure import run
from tests.commands import DBT_AT

CUSTOMERS = 100_000
# Price books and scenarios are not among them: what price tests read of those is built before, with marks of its own.
FOLDERS = ("actions", "experiments", "explanations", "outcomes")
ENDS = ("recommendations", "recommendations_withheld", "customer_messages")
# A relation with one of these is about customers; in it, every id but those that customers share is a customer's own.
OWNED = {"customer_id", "subscription_id", "subscription_item_id", "invoice_id"}
SHARED = {"account_id", "meter_id", "coupon_id", "experiment_id", "run_id"}
SHARED_ENDS = ("price_id", "product_id")
LISTED = 12


def company(data: Path) -> None:
    """The default company after one whole run of the loop."""
    run(data, "sandbox", "exec", "--", sys.executable, "-m", "dlt_pipelines", "run")


def chain(data: Path) -> tuple[list[str], list[str]]:
    """(models of the advice, relations `schema.table` that they read and do not build), by the manifest."""
    nodes: dict[str, Any] = json.loads((data / "dbt" / "manifest.json").read_text())["nodes"]
    mine, waiting = set(), [f"model.meterwise.{name}" for name in ENDS]
    while waiting:
        name = waiting.pop()
        if name not in mine and _is_advice(nodes.get(name)):
            mine.add(name)
            waiting += nodes[name]["depends_on"]["nodes"]
    reads = {name for node in mine for name in nodes[node]["depends_on"]["nodes"]} - mine
    models = [nodes[name] for name in sorted(reads) if nodes.get(name, {}).get("resource_type") == "model"]
    return sorted(nodes[name]["name"] for name in mine), [f"{node['schema']}.{node['name']}" for node in models]


def _is_advice(node: dict[str, Any] | None) -> bool:
    is_model = node is not None and node["resource_type"] == "model"
    return bool(is_model and node and node["fqn"][-2] in FOLDERS and "after_ml" in node["tags"])


def multiply(data: Path, relations: Iterable[str], customers: int) -> int:
    """Copy every customer's rows of the relations until there are at least `customers`; how many there are then."""
    with duckdb.connect(str(data / "warehouse.duckdb")) as connection:
        connection.execute("set preserve_insertion_order = false")
        [(count,)] = connection.execute("select count(*) from marts.dim_customers").fetchall()
        copies = -(-customers // count)
        for relation in relations:
            _copied(connection, relation, copies)
    return int(count * copies)


def _copied(connection: duckdb.DuckDBPyConnection, relation: str, copies: int) -> None:
    columns = connection.execute(f"describe {relation}").fetchall()
    own = {name for name, kind, *_ in columns if kind == "VARCHAR" and _is_own(name)}
    if not own & OWNED:
        return
    chosen = [f"{name} || suffix as {name}" if name in own else name for name, *_ in columns]
    suffixes = f"select case when k = 0 then '' else '_' || k end as suffix from range({copies}) as copy (k)"
    schema, table = relation.split(".")
    connection.execute(f"create table {schema}.multiplied as select {', '.join(chosen)} from {relation}, ({suffixes})")
    connection.execute(f"drop table {relation}")
    connection.execute(f"alter table {schema}.multiplied rename to {table}")


def _is_own(column: str) -> bool:
    return column.endswith("_id") and column not in SHARED and not column.endswith(SHARED_ENDS)


def scale(folder: Path, base: Path | None = None, customers: int = CUSTOMERS) -> dict[str, float]:
    """Wall and CPU seconds of building the advice, start of dbt included, and what came of it.

    base: a state folder after `make run` to copy instead of making one.
    """
    data = folder / "data"
    if base is None:
        company(data)
    else:
        for part in ("warehouse.duckdb", "scores"):
            target = data / part
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (base / part).is_dir() else shutil.copy)(base / part, target)
    run(
        data, "dbt.cli.main", "--quiet", "build", *DBT_AT, "--select", "tag:after_ml", "--exclude-resource-type", "test"
    )
    models, relations = chain(data)
    count = multiply(data, relations, customers)
    used = run(data, "dbt.cli.main", "--quiet", "run", *DBT_AT, "--select", *models)
    results = json.loads((data / "dbt" / "run_results.json").read_text())
    seconds = sorted(
        ((one["execution_time"], one["unique_id"].split(".")[-1]) for one in results["results"]), reverse=True
    )
    print("\n".join(f"  {taken:8.2f} s  {name}" for taken, name in seconds[:LISTED]))
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        [(found,)] = connection.execute("select count(*) from marts.recommendations").fetchall()
    return {
        "scale_customers": count,
        "scale_models": len(models),
        "scale_recommendations": found,
        "scale_wall_s": round(used.wall_s, 1),
        "scale_cpu_s": round(used.cpu_s, 1),
        "scale_models_s": round(sum(taken for taken, _ in seconds), 1),
    }
