"""The day that a sandbox stands at."""

from typing import Any

DAY = 86_400


def today(v1: Any) -> int:
    """00:00 UTC of the account's day."""
    now = int(v1.customers.create({}).created)
    return now - now % DAY
