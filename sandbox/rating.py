"""The sandbox's own price arithmetic (stripe.md section 6), kept apart from dbt's on purpose.

Amounts are minor units; every line is rounded half up on its own, then lines are added.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

ZERO = Decimal(0)
CENT = Decimal("0.01")  # one per cent


@dataclass(frozen=True)
class Part:
    """What becomes one invoice line: `amount` is a whole number of minor units.

    tier: index of the tier, None for prices without tiers. A flat fee has is_flat and quantity 1.
    """

    quantity: Decimal
    unit_amount: Decimal
    amount: int
    tier: int | None = None
    is_flat: bool = False


def round_half_up(value: Decimal) -> int:
    """To the nearest whole number, halves away from zero."""
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


def percent_of(amount: int, percent: Decimal) -> int:
    """`percent` of a line's amount, rounded as a line is."""
    return round_half_up(amount * percent * CENT)


def rate(price: dict[str, Any], usage: Decimal) -> list[Part]:
    """The parts that `usage` units cost on a Stripe price (with its tiers); at least one, in order.

    A negative usage counts as zero, as Stripe bills it.
    """
    usage = max(usage, ZERO)
    if price["billing_scheme"] == "per_unit":
        quantity = _packages(usage, price.get("transform_quantity"))
        unit = Decimal(price["unit_amount_decimal"])
        return [Part(quantity, unit, round_half_up(quantity * unit))]
    if price["tiers_mode"] == "volume":
        return _volume(price["tiers"], usage)
    return _graduated(price["tiers"], usage)


def _packages(usage: Decimal, transform: dict[str, Any] | None) -> Decimal:
    if not transform:
        return usage
    rounding = ROUND_CEILING if transform["round"] == "up" else ROUND_FLOOR
    divisor: int = transform["divide_by"]
    return (usage / divisor).to_integral_value(rounding)


def _volume(tiers: list[dict[str, Any]], usage: Decimal) -> list[Part]:
    for index, tier in enumerate(tiers):
        if tier["up_to"] is None or usage <= tier["up_to"]:
            return _tier_parts(tier, index, usage)
    raise ValueError("the last tier of a price has no upper bound (up_to: null); this price's has one")


def _graduated(tiers: list[dict[str, Any]], usage: Decimal) -> list[Part]:
    parts: list[Part] = []
    below = ZERO
    for index, tier in enumerate(tiers):
        if index and usage <= below:
            break
        bound = usage if tier["up_to"] is None else min(usage, Decimal(tier["up_to"]))
        parts += _tier_parts(tier, index, bound - below)
        below = bound if tier["up_to"] is None else Decimal(tier["up_to"])
    return parts


def _tier_parts(tier: dict[str, Any], index: int, quantity: Decimal) -> list[Part]:
    unit = Decimal(tier["unit_amount_decimal"] or 0)
    parts = [Part(quantity, unit, round_half_up(quantity * unit), index)]
    if tier.get("flat_amount"):
        flat = int(tier["flat_amount"])
        parts.append(Part(Decimal(1), Decimal(flat), flat, index, is_flat=True))
    return parts
