"""Rows on their way to the warehouse: what is read of an object, its version hash, and the Arrow tables."""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

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
        ("how", pa.string()),
        ("rows_read", pa.int64()),
        ("rows_appended", pa.int64()),
        ("requests", pa.int64()),
        ("retries", pa.int64()),
        ("problems", pa.int64()),
        ("covered_until", STAMP),
        ("server_now", STAMP),
        ("started_at", STAMP),
        ("finished_at", STAMP),
        ("loaded_at", STAMP),
        ("recorded_at", STAMP),
        ("livemode", pa.bool_()),
    ]
)
PROBLEM_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("run_id", pa.string()),
        ("kind", pa.string()),
        ("problem", pa.string()),
        ("occurrences", pa.int64()),
        ("example", pa.string()),
        ("is_fatal", pa.bool_()),
        ("loaded_at", STAMP),
    ]
)

Shape = TypeVar("Shape")


@dataclass
class Tally:
    """What one table's load did, for the progress lines and the load report. Workers add to it at once.

    problems: name (problems.py) → how often it was met; examples: name → the first one, an id and never a body.
    how: how the table was read: whole, changes, …
    """

    rows_read: int = 0
    rows_appended: int = 0
    requests: int = 0
    retries: int = 0
    how: str = ""
    problems: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def asked(self, retries: int = 0) -> None:
        """One more request went out, or one more try of it."""
        with self._lock:
            self.requests += 1
            self.retries += retries

    def note(self, problem: str, example: str = "") -> None:
        """Count one problem of `problems.PROBLEMS`."""
        with self._lock:
            self.problems[problem] = self.problems.get(problem, 0) + 1
            self.examples.setdefault(problem, example)


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
    test_clock: str | None = None


def head_decoder(*nested_fields: str) -> msgspec.json.Decoder[Any]:
    """A decoder of one kind's heads: Head, and an `Embedded` per field of a nested list (None where there is none)."""
    embedded = [(name, Embedded | None, None) for name in nested_fields]
    return msgspec.json.Decoder(msgspec.defstruct("HeadWithLists", embedded, bases=(Head,)) if embedded else Head)


class _Named(msgspec.Struct):
    id: str


def read_head(
    payload: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[Any], tally: Tally, where: str = ""
) -> Any | None:
    """What `decoder` reads of an object; of one whose fields are of another type than documented, the id alone.

    None when it has no id, and cannot be kept. Both are counted; where: told of one without an id.
    """
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError:
        try:
            named = msgspec.json.decode(payload, type=_Named)
        except msgspec.ValidationError:
            tally.note("no_id", where)
            return None
    tally.note("odd_shape", named.id)
    return decoder.type(id=named.id)


def head_of(payload: bytes | msgspec.Raw, path: str) -> Head:
    """An object's head. Raises BadResponse when the payload is no JSON object with a text id."""
    return decode(payload, Head, path)


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


def seconds_of(at: datetime) -> int:
    """Unix seconds of a UTC time without zone."""
    return int(at.replace(tzinfo=UTC).timestamp())


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
