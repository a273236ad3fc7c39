"""A raw warehouse written by hand: the tables that loads leave, and Stripe-shaped objects to put into them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from dlt_pipelines.exports.tables import ensure_tables as ensure_export_tables
from dlt_pipelines.rows import CHILD_SCHEMA, KIND_SCHEMA, PERIOD_SCHEMA, PROBLEM_SCHEMA, REPORT_SCHEMA, USAGE_SCHEMA
from dlt_pipelines.stripe_api import ACCOUNT as ACCOUNT_KIND
from dlt_pipelines.stripe_api import EVENTS, KINDS
from dlt_pipelines.usage_log import ensure_tables as ensure_usage_tables

ACCOUNT = "acct_test"
LOADED_AT = datetime.fromisoformat("2026-03-01T06:00:00")  # UTC without zone, as the warehouse keeps it
METER = "mtr_calls"

# Every table that a load leaves, made from the loader's own schemas.
TABLES = (
    {kind.table: KIND_SCHEMA for kind in (ACCOUNT_KIND, *KINDS, EVENTS)}
    | {nested.table: CHILD_SCHEMA for kind in KINDS for nested in kind.nested}
    | dict.fromkeys(("meter_usage_revisions", "meter_usage_hourly_revisions"), USAGE_SCHEMA)
    | {"meter_usage_period_revisions": PERIOD_SCHEMA, "load_report": REPORT_SCHEMA, "load_problems": PROBLEM_SCHEMA}
)


def epoch(day: str) -> int:
    """Unix seconds of an ISO date or time, read as UTC."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


class RawWarehouse:
    """A warehouse file whose raw tables all exist, as the loader leaves it; `add…` appends rows to them.

    Used as a context manager: dbt can open the file only when this has closed it.
    """

    def __init__(self, data: Path) -> None:
        """Open `data`/warehouse.duckdb and make the raw tables that it lacks; `data` is made when it is missing."""
        data.mkdir(parents=True, exist_ok=True)
        self._con = duckdb.connect(str(data / "warehouse.duckdb"))
        self._con.execute("create schema if not exists raw_stripe")
        ensure_usage_tables(self._con)
        ensure_export_tables(self._con)
        self._newest = LOADED_AT
        for table, schema in TABLES.items():
            empty = schema.empty_table()  # noqa: F841 - the query reads it
            self._con.execute(f"create table if not exists raw_stripe.{table} as from empty")

    def __enter__(self) -> RawWarehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.close()

    def add(
        self,
        kind: str,
        payloads: Iterable[Mapping[str, Any] | str],
        *,
        parent_id: str | None = None,
        is_deleted: bool = False,
        loaded_at: datetime = LOADED_AT,
    ) -> None:
        """Append one version per payload: what Stripe sends, its `created` in unix seconds, as a mapping or as text."""
        self._newest = max(self._newest, loaded_at)
        for payload in payloads:
            text = payload if isinstance(payload, str) else json.dumps(payload)
            parsed = json.loads(text)
            row = {
                "account_id": ACCOUNT,
                "id": parsed["id"],
                "version_hash": hashlib.sha256(text.encode()).hexdigest(),
                "created": parsed.get("created"),
                "payload": text,
                "is_deleted": is_deleted,
                "livemode": False,
                "loaded_at": loaded_at,
            }
            if "parent_id" in TABLES[kind].names:
                row["parent_id"] = parent_id or parsed.get("subscription") or parsed.get("invoice")
            self._insert(kind, row)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds in the warehouse as it is now."""
        return self._con.execute(query).fetchall()

    def patch(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Merge `fields` into every payload of a kind, as RFC 7386 has it."""
        self._con.execute(
            f"update raw_stripe.{kind} set payload = json_merge_patch(payload, ?::json)", [json.dumps(fields)]
        )

    def append(self, table: str, row: Mapping[str, object]) -> None:
        """Append one row to a table that holds no objects, named with its schema."""
        marks = ", ".join("?" * len(row))
        self._con.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))

    def _insert(self, table: str, row: Mapping[str, object]) -> None:
        self.append(f"raw_stripe.{table}", row)

    def add_usage(
        self,
        customer_id: str,
        quantities: Mapping[str, object],
        loaded_at: datetime = LOADED_AT,
        meter_id: str = METER,
    ) -> None:
        """Append daily windows of a meter: ISO date to quantity."""
        self._newest = max(self._newest, loaded_at)
        for day, quantity in quantities.items():
            self._con.execute(
                "insert into raw_stripe.meter_usage_revisions values "
                "(?, ?, ?, ?::timestamp, ?::timestamp + interval 1 day, ?, ?)",
                [ACCOUNT, meter_id, customer_id, day, day, quantity, loaded_at],
            )

    def add_period_usage(
        self,
        customer_id: str,
        start: str,
        end: str,
        quantity: object,
        grain: str = "period",
        meter_id: str = METER,
        loaded_at: datetime = LOADED_AT,
    ) -> None:
        """Append the summary of one window, ISO times in whole minutes; `grain` as the loader names it."""
        self._newest = max(self._newest, loaded_at)
        self._con.execute(
            "insert into raw_stripe.meter_usage_period_revisions values (?, ?, ?, ?::timestamp, ?::timestamp, ?, ?, ?)",
            [ACCOUNT, meter_id, customer_id, start, end, grain, quantity, loaded_at],
        )

    def report_load(
        self, covered_until: str | None, run_id: str = "run_1", recorded_at: datetime | None = None
    ) -> None:
        """Append the report of a run that finished at `recorded_at` (now), so that all rows appended so far are seen.

        It covered METER up to an ISO date (exclusive), or no meter at all.
        """
        kinds: list[tuple[str, str | None, str | None]] = [("accounts", None, None)]
        if covered_until is not None:
            kinds.append(("meter_usage", METER, covered_until))
        counts = dict.fromkeys(("rows_read", "rows_appended", "requests", "retries", "problems"), 1)
        times = dict.fromkeys(("server_now", "started_at", "finished_at"), LOADED_AT)
        times |= {"loaded_at": self._newest, "recorded_at": recorded_at or datetime.now(UTC).replace(tzinfo=None)}
        for kind, meter_id, until in kinds:
            row = {"account_id": ACCOUNT, "run_id": run_id, "kind": kind, "meter_id": meter_id, "covered_until": until}
            self._insert("load_report", row | {"how": "first", "livemode": False} | counts | times)


def account() -> dict[str, Any]:
    """The account itself."""
    return {"id": ACCOUNT, "object": "account", "default_currency": "usd"}


def meter() -> dict[str, Any]:
    """The one meter, METER, summing events `calls`."""
    return {
        "id": METER,
        "created": epoch("2026-01-01"),
        "event_name": "calls",
        "status": "active",
        "default_aggregation": {"formula": "sum"},
    }


def metered_price(price_id: str, **terms: Any) -> dict[str, Any]:
    """A monthly price on METER in usd; `terms` say what it charges (per unit unless they say `tiered`)."""
    recurring = {"interval": "month", "interval_count": 1, "usage_type": "metered", "meter": METER}
    base = {"id": price_id, "created": epoch("2026-01-01"), "product": "prod_calls", "active": True, "currency": "usd"}
    return base | {"type": "recurring", "billing_scheme": "per_unit", "recurring": recurring} | terms


def customer(customer_id: str, **fields: Any) -> dict[str, Any]:
    """A customer made on 2026-02-01."""
    return {"id": customer_id, "created": epoch("2026-02-01"), "name": "Ada", "currency": "usd"} | fields


def subscription(subscription_id: str, customer_id: str, **fields: Any) -> dict[str, Any]:
    """An active subscription since 2026-02-01."""
    started = epoch("2026-02-01")
    base = {"id": subscription_id, "customer": customer_id, "created": started, "start_date": started}
    return base | {"status": "active", "currency": "usd", "discounts": []} | fields


def metered_item(item_id: str, subscription_id: str, price: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """An item on `price` whose current period is February 2026."""
    period = {"current_period_start": epoch("2026-02-01"), "current_period_end": epoch("2026-03-01")}
    base = {"id": item_id, "subscription": subscription_id, "created": epoch("2026-02-01"), "price": dict(price)}
    return base | period | fields
