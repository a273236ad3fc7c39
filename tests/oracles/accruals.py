"""What metered usage was owed and not invoiced at each month end: a brute force over the sandbox's own state.

Reads the sandbox's events, invoices and prices as they are stored; no table of the warehouse, no summary, no SQL sums.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

from tests.oracles.rating import rated_steps

MILLIONTHS = Decimal("0.000001")
Accruals = dict[
    tuple[str, int, date], tuple[Decimal, int]
]  # item, period start, month's first day → quantity, minor units


@dataclass(frozen=True)
class Period:
    """A billing period of a metered item in unix seconds; until: exclusive end of what counts to it."""

    item: str
    customer: str
    price: dict[str, Any]
    start: int
    until: int
    finalized: int | None
    is_invoiced: bool
    ended: int | None


def accruals(sandbox: Path, last_day: date) -> Accruals:
    """For each month end up to `last_day` (the last one is that day's end) and each period owed then.

    Only meters that sum; the sandbox's company has no others.
    """
    with sqlite3.connect(f"file:{sandbox}?mode=ro", uri=True) as con:
        periods = list(_periods(con, _second(last_day) + 86_400))
        events = _events(con)
    found: Accruals = {}
    for month, end in _month_ends(min(one.start for one in periods), last_day):
        for one in periods:
            is_owed = one.is_invoiced or one.ended is None or one.ended > end
            if one.start < end and (one.finalized or end) >= end and is_owed:
                used = _used(events, one, min(one.until, end))
                amount = sum(step[-1] or 0 for step in rated_steps(one.price, used))
                found[one.item, one.start, month] = (used, amount)
    return found


def _objects(con: sqlite3.Connection, kind: str) -> dict[str, dict[str, Any]]:
    rows = con.execute("select id, json from object where kind = ?", [kind])
    return {identifier: json.loads(text) for identifier, text in rows}


def _periods(con: sqlite3.Connection, known_until: int) -> Iterator[Period]:
    prices, subscriptions = _objects(con, "price"), _objects(con, "subscription")
    billed: dict[tuple[str, int], Period] = {}
    for invoice in _objects(con, "invoice").values():
        for line in invoice["lines"]["data"] if invoice["status"] != "void" else ():
            parent = (line["parent"] or {}).get("subscription_item_details")
            price = prices[line["pricing"]["price_details"]["price"]]
            if parent and not parent["proration"] and (price["recurring"] or {}).get("usage_type") == "metered":
                sub, at = subscriptions[parent["subscription"]], line["period"]
                if at["start"] >= (sub["trial_end"] or 0) and at["start"] < at["end"]:
                    finalized = invoice["status_transitions"]["finalized_at"]
                    key = (parent["subscription_item"], at["start"])
                    billed[key] = Period(
                        *key[:1], sub["customer"], price, at["start"], at["end"], finalized, True, None
                    )
    yield from billed.values()
    for sub in subscriptions.values():
        for item in sub["items"]["data"]:
            start = item["current_period_start"]
            is_metered = item["price"]["recurring"]["usage_type"] == "metered"
            is_owed = (item["id"], start) not in billed and start >= (sub["trial_end"] or 0)
            if is_metered and is_owed and start < item["current_period_end"]:
                until = min(item["current_period_end"], sub["ended_at"] or known_until, known_until)
                price = prices[item["price"]["id"]]
                yield Period(item["id"], sub["customer"], price, start, until, None, False, sub["ended_at"])


def _events(con: sqlite3.Connection) -> dict[tuple[str, str], tuple[list[int], list[int]]]:
    """(meter, customer) → seconds in order, and the running total of millionths before each and after the last."""
    values: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for meter, customer, at, value in con.execute("select meter, customer, at, value from usage order by at"):
        values.setdefault((meter, customer), []).append((at, value))
    return {
        pair: ([at for at, _ in rows], [0, *accumulate(value for _, value in rows)]) for pair, rows in values.items()
    }


def _used(events: dict[tuple[str, str], tuple[list[int], list[int]]], one: Period, until: int) -> Decimal:
    """Units in whole minutes, as Stripe's summaries count them."""
    seconds, totals = events.get((one.price["recurring"]["meter"], one.customer), ([], [0]))
    first, last = (bisect_left(seconds, moment - moment % 60) for moment in (one.start, until))
    return Decimal(totals[last] - totals[first]) * MILLIONTHS


def _second(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _month_ends(first: int, last_day: date) -> Iterator[tuple[date, int]]:
    month = datetime.fromtimestamp(first, UTC).date().replace(day=1)
    while month <= last_day:
        following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        yield month, min(_second(following), _second(last_day) + 86_400)
        month = following
