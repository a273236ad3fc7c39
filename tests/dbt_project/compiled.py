"""Models of the project as SQL, compiled once and then run on rows of a test's own: no warehouse, no dbt run."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from tests.commands import dbt
from tests.dbt_project.raw import ACCOUNT, LOADED_AT, TABLES

SCHEMAS = ("raw_stripe", "staging", "seeds", "intermediate", "marts")


def compiled_models(folder: Path, *models: str) -> dict[str, str]:
    """The SQL of each model, with everything that it reads named `warehouse.schema.table`."""
    done = dbt(folder, "compile", "--select", *models, "--threads", "1")
    assert done.returncode == 0, done.stdout
    manifest = json.loads((folder / "dbt" / "manifest.json").read_text())
    return {name: str(manifest["nodes"][f"model.meterwise.{name}"]["compiled_code"]) for name in models}


class Bench:
    """A database in memory with the schemas of a warehouse, in which models are built from their compiled SQL."""

    def __init__(self, sql: dict[str, str], *tables: str) -> None:
        """tables: raw tables of Stripe objects that the models read; `load_report` says that they are loaded."""
        self.sql = sql
        self.con = duckdb.connect()
        self.con.execute("attach ':memory:' as warehouse")
        self.con.execute("use warehouse")
        for schema in SCHEMAS:
            self.con.execute(f"create schema {schema}")
        for table in (*tables, "load_report"):
            empty = TABLES[table].empty_table()  # noqa: F841 - the query reads it
            self.con.execute(f"create table raw_stripe.{table} as from empty")
        self.con.execute(
            "insert into raw_stripe.load_report by name select ? as account_id, ? as loaded_at",
            [ACCOUNT, LOADED_AT + timedelta(days=1)],
        )

    def land(self, table: str, payloads: list[dict[str, Any]]) -> None:
        """Put these objects, and no others, into a raw table."""
        self.con.execute(f"delete from raw_stripe.{table}")
        rows = [[ACCOUNT, payload["id"], json.dumps(payload), LOADED_AT] for payload in payloads]
        self.con.executemany(
            f"insert into raw_stripe.{table} by name select ? as account_id, ? as id, ? as payload, "
            "false as is_deleted, false as livemode, ? as loaded_at",
            rows,
        )

    def build(self, schema: str, model: str) -> None:
        self.con.execute(f"create or replace table {schema}.{model} as {self.sql[model]}")
