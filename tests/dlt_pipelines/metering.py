"""The usage part of a load by itself: the stub's objects are landed as a load lands them, then their usage is read."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from dlt_pipelines.budget import Budget
from dlt_pipelines.client import Reader
from dlt_pipelines.config import Config
from dlt_pipelines.context import Load
from dlt_pipelines.progress import Progress
from dlt_pipelines.report import report_rows
from dlt_pipelines.rows import CHILD_SCHEMA, KIND_SCHEMA, table_of
from dlt_pipelines.state import Cursors
from dlt_pipelines.usage import MeteredUsage
from dlt_pipelines.warehouse import Warehouse
from tests.dlt_pipelines.stripe_bytes import settings_for
from tests.dlt_pipelines.stub import StubStripe

LISTS = {
    "customers": ("/v1/customers", ""),
    "meters": ("/v1/billing/meters", ""),
    "prices": ("/v1/prices", ""),
    "subscriptions": ("/v1/subscriptions", "items"),
    "invoices": ("/v1/invoices", "lines"),
}
CHILDREN = {"items": "subscription_items", "lines": "invoice_lines"}


class Killed(Exception):
    """The process ends here."""


@dataclass
class Metering:
    """One warehouse, loaded again and again; `now` of the stub is the time.

    said: the lines of the last run. cursors: what the last finished run left.
    landed: table and id → the payload of its last version; None for a tombstone.
    """

    stub: StubStripe
    connection: duckdb.DuckDBPyConnection
    data: Path
    cursors: Cursors = field(default_factory=Cursors)
    said: list[str] = field(default_factory=list)
    runs: int = 0
    landed: dict[tuple[str, str], str | None] = field(default_factory=dict)

    def run(self, config: Config | None = None, killed_after: int | None = None, budget: Budget | None = None) -> Load:
        """Land what changed and read the usage; `killed_after`: batches of rows, then the load does not finish."""
        self.runs += 1
        self.stub.ranges.clear()
        self.stub.grouped.clear()
        self.stub.asked.clear()
        heard = StringIO()
        now = self.stub.now.astimezone(UTC).replace(tzinfo=None)
        begun = Load(
            reader=Reader(settings_for(self.stub, self.data), budget=budget),
            warehouse=Warehouse(self.connection),
            account_id="acct_stub",
            is_live=False,
            started_at=now,
            stamp=now + timedelta(microseconds=self.runs),
            config=config or Config(),
            cursors=self.cursors,
            progress=Progress(heard, is_quiet=False),
        )
        self._land_objects(begun.stamp)
        usage = MeteredUsage(begun)
        try:
            with suppress(Killed):
                self._append_all(usage, killed_after)
                rows = report_rows(begun, str(self.runs), usage.report(), now)
                for table, reported in rows:
                    self._append(table, reported)
                at = now if usage.is_whole else self.cursors.usage_window_at
                self.cursors = replace(self.cursors, stamp=begun.stamp, usage_window_at=at)
        finally:
            usage.close()
            self.said = heard.getvalue().splitlines()
        return begun

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def _append_all(self, usage: MeteredUsage, killed_after: int | None) -> None:
        batches = 0
        for reading in (usage.read_days(), usage.read_hours(), usage.read_periods()):
            for table, rows in reading:
                self._append(table, rows)
                batches += rows.num_rows > 0
                if batches == killed_after:
                    raise Killed

    def _append(self, table: str, rows: pa.Table) -> None:
        self.connection.register("batch", rows)
        self.connection.execute("create schema if not exists raw_stripe")
        self.connection.execute(f"create table if not exists raw_stripe.{table} as from batch where false")
        self.connection.execute(f"insert into raw_stripe.{table} by name from batch")

    def _land_objects(self, stamp: datetime) -> None:
        for table, (path, nested) in LISTS.items():
            there = [json.loads(payload) for payload in self.stub.lists.get(path, [])]
            self._land(table, [(each["id"], each, None) for each in there], stamp)
            if nested:
                children = [(child, each["id"]) for each in there for child in each[nested]["data"]]
                self._land(CHILDREN[nested], [(child["id"], child, parent) for child, parent in children], stamp)

    def _land(self, table: str, there: list[tuple[str, dict[str, Any], str | None]], stamp: datetime) -> None:
        """A version of what is new or changed, and a tombstone of what is gone."""
        rows: list[tuple[Any, ...]] = []
        for each, body, parent in there:
            payload = json.dumps(body)
            if self.landed.get((table, each)) != payload:
                self.landed[table, each] = payload
                rows.append(("acct_stub", each, "hash", body.get("created"), payload, False, False, stamp, parent))
        listed = {each for each, _, _ in there}
        for of, each in [*self.landed]:
            if of == table and each not in listed and (last := self.landed[of, each]) is not None:
                self.landed[of, each] = None
                rows.append(("acct_stub", each, "gone", None, last, True, False, stamp, None))
        if table in CHILDREN.values():
            self._append(table, table_of(CHILD_SCHEMA, rows))
        else:
            self._append(table, table_of(KIND_SCHEMA, [row[:-1] for row in rows]))


@contextmanager
def metering(stub: StubStripe, data: Path) -> Iterator[Metering]:
    """An empty warehouse on disk, until the block ends."""
    with duckdb.connect(str(data / "warehouse.duckdb")) as connection:
        yield Metering(stub, connection, data)
