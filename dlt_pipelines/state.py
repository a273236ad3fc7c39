"""What the last finished load left for the next: dlt's state of the source, in the warehouse beside the load report."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dlt_pipelines.stripe_api import KINDS


@dataclass(frozen=True)
class Cursors:
    """Empty before the first finished load.

    stamp: loaded_at of the last finished load; rows with a later one were landed by a load that did not end.
    read_at: when it began, by Stripe's clock. events_until: `created` of the newest event it saw, unix seconds.
    whole_at: table → when its list was last read whole.
    reread_at: when what can change without an event was last read.
    usage_window_at: when the whole window of usage was last read.
    reading: what was read, and how (`reading_list`).
    """

    stamp: datetime | None = None
    read_at: datetime | None = None
    events_until: int | None = None
    whole_at: Mapping[str, datetime] = field(default_factory=dict)
    reread_at: datetime | None = None
    usage_window_at: datetime | None = None
    reading: str = ""


def reading_list(skip: tuple[str, ...] = ()) -> str:
    """A fingerprint of every kind's path and parameters, and of the tables left out: when it changes, all is read.

    (An event that came while its table was left out will not come a second time.)
    """
    return hashlib.sha256(repr((KINDS, sorted(skip))).encode()).hexdigest()[:16]


def from_state(state: Mapping[str, Any]) -> Cursors:
    """Cursors from dlt's state of the source; whatever it lacks is empty, which means: read it again."""
    times = {name: _time(state.get(name)) for name in ("stamp", "read_at", "reread_at", "usage_window_at")}
    whole = {table: datetime.fromisoformat(at) for table, at in state.get("whole_at", {}).items()}
    return Cursors(
        **times,
        events_until=state.get("events_until"),
        whole_at=whole,
        reading=state.get("reading", ""),
    )


def to_state(cursors: Cursors) -> dict[str, Any]:
    """The reverse of `from_state`: JSON values only."""
    times = {name: getattr(cursors, name) for name in ("stamp", "read_at", "reread_at", "usage_window_at")}
    return {
        **{name: at and at.isoformat() for name, at in times.items()},
        "events_until": cursors.events_until,
        "whole_at": {table: at.isoformat() for table, at in sorted(cursors.whole_at.items())},
        "reading": cursors.reading,
    }


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
