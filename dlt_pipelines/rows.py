"""Rows on their way to the warehouse: what is read of an object, its version hash, and the Arrow tables."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec
import pyarrow as pa

from dlt_pipelines.errors import BadResponse

STAMP = pa.timestamp("us")  # UTC without zone

KIND_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("id", pa.string()),
        ("version_hash", pa.string()),
        ("created", pa.int64()),
        ("payload", pa.string()),
        ("is_deleted", pa.bool_()),
        ("livemode", pa.bool_()),
        ("loaded_at", STAMP),
    ]
)
CHILD_SCHEMA = KIND_SCHEMA.append(pa.field("parent_id", pa.string()))
USAGE_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("meter_id", pa.string()),
        ("customer_id", pa.string()),
        ("window_start", STAMP),
        ("window_end", STAMP),
        ("aggregated_value", pa.decimal128(38, 12)),
        ("first_seen_at", STAMP),
    ]
)
PERIOD_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("meter_id", pa.string()),
        ("customer_id", pa.string()),
        ("window_start", STAMP),
        ("window_end", STAMP),
        ("grain", pa.string()),
        ("aggregated_value", pa.decimal128(38, 12)),
        ("first_seen_at", STAMP),
    ]
)
REPORT_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("run_id", pa.string()),
        ("kind", pa.string()),
        ("meter_id", pa.string()),
        ("rows_read", pa.int64()),
        ("rows_appended", pa.int64()),
        ("requests", pa.int64()),
        ("covered_until", STAMP),
        ("server_now", STAMP),
        ("started_at", STAMP),
        ("finished_at", STAMP),
        ("livemode", pa.bool_()),
    ]
)

Shape = TypeVar("Shape")


@dataclass
class Tally:
    """What one table's load did, for the progress lines and the load report."""

    rows_read: int = 0
    rows_appended: int = 0
    requests: int = 0


class Window(NamedTuple):
    """What one summary is asked for; UTC, whole minutes, `end` exclusive."""

    meter: str
    customer: str
    start: datetime
    end: datetime
    grain: str


class Embedded(msgspec.Struct):
    """The first entries of a nested list, as embedded in its parent."""

    data: list[msgspec.Raw]
    has_more: bool = False


class Head(msgspec.Struct):
    """All that the loader reads of an object; the rest stays in the payload, whatever Stripe adds to it."""

    id: str
    created: int | None = None
    livemode: bool | None = None
    deleted: bool = False


class _ItemsHead(Head):
    items: Embedded = msgspec.field(default_factory=lambda: Embedded([]))


class _LinesHead(Head):
    lines: Embedded = msgspec.field(default_factory=lambda: Embedded([]))


def head_of(payload: bytes | msgspec.Raw, path: str, nested_field: str = "") -> tuple[Head, Embedded]:
    """An object's head and its embedded list (`items`, `lines`, or '' for none).

    Raises BadResponse when the payload is no JSON object with a text id.
    """
    if nested_field == "items":
        with_items = decode(payload, _ItemsHead, path)
        return with_items, with_items.items
    if nested_field == "lines":
        with_lines = decode(payload, _LinesHead, path)
        return with_lines, with_lines.lines
    return decode(payload, Head, path), Embedded([])


def decode(body: bytes | msgspec.Raw, shape: type[Shape], path: str) -> Shape:
    """`body` read as `shape`; what `shape` does not name is skipped.

    Raises BadResponse in one line that does not show the body, which may hold personal data.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadResponse(
            f"{path} answered with something that is not what its API describes ({error}); nothing of it was landed: "
            "check STRIPE_API_BASE and any proxy, and run the load again."
        ) from error


def version_hash(payload: bytes | msgspec.Raw, is_deleted: bool = False) -> str:
    """sha256, in hex, of the payload's bytes without the white space between its tokens.

    Numbers and strings keep their spelling: 1.10 and 1.1 are two versions, `{"a": 1}` and `{"a":1}` are one.
    A tombstone hashes differently from the last version of the same payload.
    """
    digest = hashlib.sha256(b"deleted\n" if is_deleted else b"")
    digest.update(msgspec.json.format(bytes(payload), indent=-1))
    return digest.hexdigest()


def table_of(schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """An Arrow table of `rows`, each a tuple in the order of `schema`."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
