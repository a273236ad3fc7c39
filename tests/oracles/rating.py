"""What a quantity costs at a Stripe price, in exact Decimal: the slow second opinion on dbt's macro `rate`.

Written from Stripe's documentation (stripe.md 6.1, 6.2, 6.5), walking units through tiers one bound at a time; it
shares no code and no table layout with the warehouse.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from typing import Any

# 18 digits of quantity times 24 of price need 42; the default context would round at 28.
PRECISION = 60


def rated_steps(price: Mapping[str, Any], quantity: Decimal) -> list[tuple[Decimal, int]]:
    """The steps a bill is made of: (units charged, amount in minor units) per tier entered, lowest tier first.

    price: a Stripe price payload, its tiers expanded. quantity: usage in the meter's unit; below 0 counts as 0.
    """
    with localcontext() as context:
        context.prec = PRECISION
        used = max(quantity, Decimal(0))
        if price["billing_scheme"] == "per_unit":
            units = _packages(price.get("transform_quantity"), used)
            return [(units, _whole(units * Decimal(price["unit_amount_decimal"])))]
        tiers = price["tiers"]
        if price["tiers_mode"] == "volume":
            reached = next(tier for tier in tiers if tier["up_to"] is None or used <= tier["up_to"])
            return [(used, _charge(reached, used))]
        return _graduated(tiers, used)


def _graduated(tiers: list[dict[str, Any]], used: Decimal) -> list[tuple[Decimal, int]]:
    steps: list[tuple[Decimal, int]] = []
    left, below = used, Decimal(0)
    for tier in tiers:
        room = left if tier["up_to"] is None else Decimal(tier["up_to"]) - below
        units = min(left, room)
        if units > 0 or not steps:  # the first tier is entered by no usage at all
            steps.append((units, _charge(tier, units)))
        left -= units
        below += room
    return steps


def _charge(tier: Mapping[str, Any], units: Decimal) -> int:
    return _whole(units * Decimal(tier["unit_amount_decimal"])) + int(tier["flat_amount"] or 0)


def _packages(transform: Mapping[str, Any] | None, used: Decimal) -> Decimal:
    if transform is None:
        return used
    mode = ROUND_CEILING if transform["round"] == "up" else ROUND_FLOOR
    return (used / Decimal(transform["divide_by"])).quantize(Decimal(1), rounding=mode)


def _whole(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))
