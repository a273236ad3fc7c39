"""What a meter makes of its events, as SQL over the usage table."""

from typing import Any

MICRO = 1_000_000  # usage is kept as whole millionths, so that sums are exact
WINDOWS = {"hour": 3600, "day": 86_400}  # in UTC
FOUND = "from usage where meter = ? and customer = ? and at >= ? and at < ?"


def aggregate(meter: dict[str, Any], group: str = "0") -> tuple[str, str]:
    """The rows that count (a table with `at`; it binds meter, customer, start, end) and the sum of each group of them.

    group: an expression in `at`. The sum is in millionths, null without rows. Of events pre-aggregated by the hour or
    day (`event_time_window`) the last in each window counts.
    """
    formula, window = meter["default_aggregation"]["formula"], WINDOWS.get(meter["event_time_window"] or "")
    value = {"sum": "sum(value)", "count": f"count(*) * {MICRO}", "last": "max(value)"}[formula]
    by = group if formula == "last" else f"at / {window}" if window else "0"
    if by == "0":  # all in one: no need to number them
        latest = " order by at desc, received desc limit 1" if formula == "last" else ""
        return f"(select at, value {FOUND}{latest})", value
    place = f"row_number() over (partition by {by} order by at desc, received desc) as place"
    last = f"select at, value, {place} {FOUND}"  # numbers and our own names
    return f"(select at, value from ({last}) where place = 1)", value  # noqa: S608 # ours
