"""Objects of the stub, as bytes, and questions to a loaded warehouse."""

import sys
from pathlib import Path
from typing import Any

import duckdb

from dlt_pipelines.load import Loaded, load
from dlt_pipelines.progress import Progress
from dlt_pipelines.settings import Settings
from tests.dlt_pipelines.stub import DAY, NOW, StubStripe

TODAY = int(NOW.timestamp()) // DAY * DAY  # start of the stub's current UTC day, unix seconds
METER = b'{"id": "mtr_api", "object": "billing.meter", "status": "active", "created": 1, "livemode": false}'


def settings_for(stub: StubStripe, data: Path, key: str = "rk_test_stub") -> Settings:
    return Settings(data=data, api_base=stub.url, api_key=key)


def load_quietly(stub: StubStripe, data: Path, key: str = "rk_test_stub") -> Loaded:
    return load(settings_for(stub, data, key), Progress(sys.stderr, is_quiet=True))


def customer(name: str, extra: str = "") -> bytes:
    return f'{{"id": "cus_{name}", "object": "customer", "created": 10, "livemode": false{extra}}}'.encode()


def line(number: int) -> bytes:
    return f'{{"id": "il_{number:03}", "object": "line_item", "amount": {number}, "livemode": false}}'.encode()


def invoice(lines: list[bytes], status: str = "open") -> bytes:
    """An invoice that embeds its first ten lines, as Stripe does."""
    more = b"true" if len(lines) > 10 else b"false"
    head = f'{{"id": "in_1", "object": "invoice", "status": "{status}", "created": 20, "livemode": false, "lines": '
    paid = b'}, "payments": {"object": "list", "data": [], "has_more": false}}'
    return head.encode() + b'{"object": "list", "data": [' + b", ".join(lines[:10]) + b'], "has_more": ' + more + paid


def subscription(started: int, ended: str = "null") -> bytes:
    """One subscription of cus_a with one metered item; `started` in unix seconds."""
    return (
        f'{{"id": "sub_1", "object": "subscription", "customer": "cus_a", "created": {started}, "livemode": false,'
        f' "start_date": {started}, "ended_at": {ended}, "items": {{"has_more": false, "data":'
        ' [{"id": "si_1", "created": 5, "price": {"id": "price_1", "recurring": {"meter": "mtr_api"}}}]}}'
    ).encode()


def rows(data: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()
