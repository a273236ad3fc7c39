"""`alerts`: what changed in `marts.alerts`, appended to alerts.jsonl, one JSON object a line, each change once.

The file is its own memory: the last line about an alert says what is known of it. A line is written by one call, so a
process that is killed leaves whole lines; what a power cut tore off is cut away before anything is appended.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml import scores, warehouse
from ml.errors import AlertsLocked, NothingToDo
from ml.settings import Settings

FILE = "alerts.jsonl"
# What a reader acts on: a change of any of these is a line. Days move by themselves and are told, not compared.
COMPARED = ("state", "severity", "owner", "title", "is_acknowledged")
TOLD = ("body", "first_seen_on", "last_seen_on", "customer_id", "subscription_item_id", "meter_id", "model_name")
COLUMNS = {name: name for name in ("account_id", "dedupe_key", "kind", *COMPARED, *TOLD, "as_of")}
Say = Callable[[str], None]


def run(settings: Settings, say: Say) -> None:
    """Append a line for every alert that opened, changed, was acknowledged or closed since the last line about it.

    Raises NothingToDo when nothing changed, AlertsLocked while another process appends, RelationMissing before the
    first `make recommend`.
    """
    with warehouse.opened(settings.warehouse, settings.threads) as connection:
        rows = warehouse.fetch(connection, "marts.alerts", COLUMNS, "true", [])
    rows = rows.sort_values(["account_id", "dedupe_key"])
    found = [{str(name): plain(value) for name, value in row.items()} for row in rows.to_dict("records")]
    path = settings.data / FILE
    at = scores.new_run().at
    with appending(path) as (descriptor, known):
        lines = list(changes(found, known))
        for line in lines:
            os.write(descriptor, encoded({"at": f"{at:%Y-%m-%dT%H:%M:%SZ}", **line}))
        if lines:
            os.fsync(descriptor)
    still = sum(one["state"] == "open" and not one["is_acknowledged"] for one in found)
    if not lines:
        raise NothingToDo(f"Nothing changed: {still} alerts stand open, all of them in {path}.")
    counts = [
        f"{sum(line['event'] == event for line in lines)} {event}" for event in sorted({e["event"] for e in lines})
    ]
    say(f"{path}: {', '.join(counts)}; {still} alerts stand open.")


def changes(
    found: list[dict[str, Any]], known: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The lines to append: event (opened, changed, acknowledged, closed) and the alert's columns.

    known: (account_id, dedupe_key) -> the last line about it. An alert that is closed and was never told is no news.
    """
    for one in found:
        before = known.get((one["account_id"], one["dedupe_key"]))
        if before is None:
            event = "opened" if one["state"] == "open" else ""
        elif all(before.get(name) == one[name] for name in COMPARED):
            event = ""
        elif one["state"] != before.get("state"):
            event = "opened" if one["state"] == "open" else "closed"
        else:
            event = "acknowledged" if one["is_acknowledged"] and not before.get("is_acknowledged") else "changed"
        if event:
            yield {"event": event, **one}


@contextmanager
def appending(path: Path) -> Iterator[tuple[int, dict[tuple[str, str], dict[str, Any]]]]:
    """The file, locked and open for appending, and what it says last of each alert. A torn last line is cut off.

    Raises AlertsLocked. A line that is no JSON object (somebody edited the file) is passed over, never removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlertsLocked(path) from None
        written = path.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]
        if len(whole) < len(written):
            os.ftruncate(descriptor, len(whole))
        yield descriptor, remembered(whole)
    finally:
        os.close(descriptor)


def remembered(written: bytes) -> dict[tuple[str, str], dict[str, Any]]:
    """The last line about each alert, by account and dedupe key."""
    known = {}
    for line in written.splitlines():
        try:
            one = json.loads(line)
            known[(one["account_id"], one["dedupe_key"])] = one
        except (ValueError, TypeError, KeyError):
            continue
    return known


def encoded(line: Mapping[str, Any]) -> bytes:
    """One line; line breaks within texts are escaped by JSON."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def plain(value: Any) -> Any:
    """A value of the mart as JSON has it: days as ISO text, what is missing as null."""
    if pd.isna(value):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()[:10]
    return bool(value) if isinstance(value, np.bool_) else value
