"""The wall clock as a value, so that tests decide what time it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US


def _wall_us() -> int:
    return time.time_ns() // 1_000


@dataclass(frozen=True)
class Clock:
    """now_us: microseconds since 1970 UTC; sleep: seconds."""

    now_us: Callable[[], int] = _wall_us
    sleep: Callable[[float], None] = time.sleep


def stamp(at_us: int) -> str:
    """Microseconds since 1970 as `2026-11-01 06:00:00Z`."""
    return f"{datetime.fromtimestamp(at_us // SECOND_US, UTC):%Y-%m-%d %H:%M:%S}Z"
