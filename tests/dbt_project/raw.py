"""A raw warehouse written by hand: the tables of `raw_stripe`, and Stripe-shaped objects to put into them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

ACCOUNT = "acct_test"
LOADED_AT = datetime.fromisoformat("2026-03-01T06:00:00")  # UTC without zone, as the warehouse keeps it
METER = "mtr_calls"

_OBJECT_COLUMNS = (
    "account_id varchar, id varchar, version_hash varchar, created bigint, payload varchar, "
    "is_deleted boolean, livemode boolean, loaded_at timestamp"
)
_KINDS = (
    "accounts",
    "customers",
    "products",
    "prices",
    "coupons",
    "subscriptions",
    "invoices",
    "invoice_payments",
    "credit_notes",
    "meters",
    "events",
)
_CHILD_KINDS = ("subscription_items", "invoice_lines", "credit_note_lines", "customer_balance_transactions")


def epoch(day: str) -> int:
    """Unix seconds of an ISO date or time, read as UTC."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


class RawWarehouse:
    """A warehouse file whose raw tables all exist, as the loader leaves it; `add…` appends rows to them.

    Used as a context manager: dbt can open the file only when this has closed it.
    """

    def __init__(self, data: Path) -> None:
        """Make `data`/warehouse.duckdb with empty raw tables; `data` is made when it is missing."""
        data.mkdir(parents=True, exist_ok=True)
        self._con = duckdb.connect(str(data / "warehouse.duckdb"))
        self._con.execute("create schema raw_stripe")
        for kind in _KINDS:
            self._con.execute(f"create table raw_stripe.{kind} ({_OBJECT_COLUMNS})")
        for kind in _CHILD_KINDS:
            self._con.execute(f"create table raw_stripe.{kind} ({_OBJECT_COLUMNS}, parent_id varchar)")
        self._con.execute(
            "create table raw_stripe.meter_usage_revisions (account_id varchar, meter_id varchar, customer_id varchar, "
            "window_start timestamp, window_end timestamp, aggregated_value decimal(38,12), first_seen_at timestamp)"
        )
        self._con.execute(
            "create table raw_stripe.meter_usage_period_revisions (account_id varchar, meter_id varchar, "
            "customer_id varchar, window_start timestamp, window_end timestamp, grain varchar, "
            "aggregated_value decimal(38,12), first_seen_at timestamp)"
        )
        self._con.execute(
            "create table raw_stripe.load_report (account_id varchar, run_id varchar, kind varchar, meter_id varchar, "
            "rows_read bigint, rows_appended bigint, requests bigint, covered_until timestamp, server_now timestamp, "
            "started_at timestamp, finished_at timestamp, livemode boolean)"
        )

    def __enter__(self) -> RawWarehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.close()

    def add(
        self,
        kind: str,
        payloads: Iterable[Mapping[str, Any]],
        *,
        parent_id: str | None = None,
        is_deleted: bool = False,
        loaded_at: datetime = LOADED_AT,
    ) -> None:
        """Append one version per payload; a payload is what Stripe sends, its `created` in unix seconds."""
        for payload in payloads:
            text = json.dumps(payload)
            row: list[object] = [
                ACCOUNT,
                payload["id"],
                hashlib.sha256(text.encode()).hexdigest(),
                payload.get("created"),
                text,
                is_deleted,
                False,
                loaded_at,
            ]
            if kind in _CHILD_KINDS:
                row.append(parent_id or payload.get("subscription") or payload.get("invoice"))
            self._con.execute(f"insert into raw_stripe.{kind} values ({', '.join('?' * len(row))})", row)

    def add_usage(
        self,
        customer_id: str,
        quantities: Mapping[str, object],
        loaded_at: datetime = LOADED_AT,
        meter_id: str = METER,
    ) -> None:
        """Append daily windows of a meter: ISO date to quantity."""
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
        self._con.execute(
            "insert into raw_stripe.meter_usage_period_revisions values (?, ?, ?, ?::timestamp, ?::timestamp, ?, ?, ?)",
            [ACCOUNT, meter_id, customer_id, start, end, grain, quantity, loaded_at],
        )

    def report_load(self, covered_until: str | None) -> None:
        """Append the report of a run that covered METER up to an ISO date (exclusive), or no meter at all."""
        kinds: list[tuple[str, str | None, str | None]] = [("accounts", None, None)]
        if covered_until is not None:
            kinds.append(("meter_usage", METER, covered_until))
        for kind, meter_id, until in kinds:
            self._con.execute(
                "insert into raw_stripe.load_report values (?, 'run_1', ?, ?, 1, 1, 1, ?, ?, ?, ?, false)",
                [ACCOUNT, kind, meter_id, until, LOADED_AT, LOADED_AT, LOADED_AT],
            )


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
