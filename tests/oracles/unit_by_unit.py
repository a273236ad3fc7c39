"""Price arithmetic the slowest way: one unit after the other, in fractions; a second opinion on the sandbox's rating.

Written from stripe.md 6.1 to 6.5; shares nothing with `sandbox.rating`, not even its numbers' type.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any


def rounded(value: Fraction, step: int = 1) -> int:
    """The nearest multiple of `step`; of two as near, the one further from zero."""
    low = value.numerator // (value.denominator * step) * step
    candidates = [low, low + step]
    return min(candidates, key=lambda amount: (abs(value - amount), -abs(amount)))


def amounts(price: dict[str, Any], usage: Decimal, step: int = 1) -> list[int]:
    """The amounts of the lines: units of a tier, then its flat fee, tier by tier; usage in millionths at most."""
    units = pieces(max(usage, Decimal(0)))
    if price["billing_scheme"] == "per_unit":
        if transform := price.get("transform_quantity"):
            units = packages(sum(units, Fraction(0)), transform["divide_by"], transform["round"] == "up")
        return [rounded(sum((piece * Fraction(price["unit_amount_decimal"]) for piece in units), Fraction(0)), step)]
    tiers = price["tiers"]
    if price["tiers_mode"] == "volume":
        reached = tier_of(tiers, sum(units, Fraction(0)))
        tier_of_piece = [reached] * len(units)
    else:
        tier_of_piece, before = [], Fraction(0)
        for piece in units:
            before += piece
            tier_of_piece.append(tier_of(tiers, before))
    entered = sorted(set(tier_of_piece)) or [0]
    lines = []
    for index in entered:
        unit = Fraction(tiers[index]["unit_amount_decimal"] or 0)
        its = [piece * unit for piece, tier in zip(units, tier_of_piece, strict=True) if tier == index]
        lines.append(rounded(sum(its, Fraction(0)), step))
        if tiers[index].get("flat_amount"):
            lines.append(tiers[index]["flat_amount"])
    return lines


def pieces(usage: Decimal) -> list[Fraction]:
    """Whole units, and the last part of one."""
    exact = Fraction(usage)
    whole = exact.numerator // exact.denominator
    rest = exact - whole
    return [Fraction(1)] * whole + ([rest] if rest else [])


def packages(usage: Fraction, size: int, is_up: bool) -> list[Fraction]:
    """Packages of `size` filled one by one; the one begun last counts where one rounds up."""
    counted: list[Fraction] = []
    while usage >= size:
        usage -= size
        counted.append(Fraction(1))
    return counted + ([Fraction(1)] if usage and is_up else [])


def tier_of(tiers: list[dict[str, Any]], unit: Fraction) -> int:
    """The tier that the unit lies in, counted from the first unit; bounds belong to the tier below."""
    return next(i for i, tier in enumerate(tiers) if tier["up_to"] is None or unit <= tier["up_to"])
