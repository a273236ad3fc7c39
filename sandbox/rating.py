"""The sandbox's own price arithmetic (stripe.md section 6), kept apart from dbt's on purpose.

Amounts are minor units; every line is rounded on its own, then lines are added.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, NamedTuple

from sandbox.options import AMOUNT_STEPS, FLAT_FEE_AT_ZERO_USAGE, ROUNDING

ZERO, ONE = Decimal(0), Decimal(1)
EXACT = Context(prec=80)  # a quantity of 21 digits times a price of 24 stays exact


@dataclass(frozen=True, slots=True)
class Part:
    """What becomes one invoice line: `amount` is a whole number of minor units.

    tier: index of the tier, None for prices without tiers. A flat fee has is_flat and quantity 1.
    """

    quantity: Decimal
    unit_amount: Decimal
    amount: int
    tier: int | None = None
    is_flat: bool = False


def step_of(currency: str) -> int:
    """What amounts of a currency are multiples of: 10 where it has three decimals, mostly 1 (stripe.md 6.2)."""
    return AMOUNT_STEPS.get(currency, 1)


def round_amount(value: Decimal, step: int = 1) -> int:
    """To the nearest multiple of `step`; the option ROUNDING says which way halves go (away from zero)."""
    return int((value if step == 1 else EXACT.divide(value, Decimal(step))).quantize(ONE, ROUNDING, EXACT)) * step


def part_of(amount: int, numerator: int, denominator: int, step: int = 1) -> int:
    """`amount` x numerator / denominator, rounded as a line is."""
    return round_amount(EXACT.divide(Decimal(amount * numerator), Decimal(denominator)), step)


def percent_of(amount: int, percent: Decimal, step: int = 1) -> int:
    """`percent` (0 to 100, any decimals) of a line's amount, rounded as a line is."""
    return round_amount(EXACT.multiply(Decimal(amount), percent).scaleb(-2, EXACT), step)


class Debit(NamedTuple):
    """An amount once billed for an item and the seconds [start, end); a credit given since is a negative one."""

    amount: int
    start: int
    end: int


def debit(amount: int, start: int, end: int, at: int, step: int = 1) -> int:
    """What `amount`, the price of the whole period, costs for its rest from `at` on (6.4); usage is never prorated."""
    return part_of(amount, _rest(start, end, at), end - start, step)


def credit(debits: Iterable[Debit], at: int, step: int = 1) -> int:
    """What goes back for the time after `at`: 0 or less, one line, rounded once.

    In flexible billing `debits` are the amounts originally billed for the item (and earlier credits on it); in classic
    billing one Debit of the present price's amount over the present period.
    """
    shares = (EXACT.divide(Decimal(amount * _rest(start, end, at)), end - start) for amount, start, end in debits)
    return -max(round_amount(sum(shares, ZERO), step), 0)


def _rest(start: int, end: int, at: int) -> int:
    return min(max(end - at, 0), end - start)


def rate(price: dict[str, Any], usage: Decimal) -> list[Part]:
    """The parts that `usage` units cost on a Stripe price (with its tiers); at least one, in order of tiers.

    usage: units of a meter, or the quantity of a licensed item; a negative one counts as zero, as Stripe bills it.
    price: a price object; its `unit_amount_decimal` has up to 12 decimals. ValueError if its last tier is bounded.
    """
    usage, step = max(usage, ZERO), step_of(price.get("currency", "usd"))
    if price["billing_scheme"] == "per_unit":
        if transform := price.get("transform_quantity"):
            rounding = ROUND_CEILING if transform["round"] == "up" else ROUND_FLOOR
            usage = EXACT.divide(usage, Decimal(transform["divide_by"])).to_integral_value(rounding)
        unit = _amount(price, "unit_amount")
        return [Part(usage, unit, round_amount(EXACT.multiply(usage, unit), step))]
    is_volume, parts, below = price["tiers_mode"] == "volume", list[Part](), ZERO
    for index, tier in enumerate(price["tiers"]):
        bound = usage if tier["up_to"] is None else min(usage, Decimal(tier["up_to"]))
        if is_volume and bound < usage:
            continue  # only the tier that holds the total counts
        units = usage if is_volume else EXACT.subtract(bound, below)
        unit, flat = _amount(tier, "unit_amount"), _amount(tier, "flat_amount")
        parts.append(Part(units, unit, round_amount(EXACT.multiply(units, unit), step), index))
        if flat and (usage or FLAT_FEE_AT_ZERO_USAGE):
            parts.append(Part(ONE, flat, round_amount(flat, step), index, is_flat=True))
        if bound == usage:
            return parts
        below = bound
    raise ValueError("the last tier of a price has no upper bound (up_to: null); this price's has one")


def _amount(holder: dict[str, Any], name: str) -> Decimal:
    """The decimal twin says it exactly; where only the whole one is given, that; nothing given: 0."""
    exact = holder.get(f"{name}_decimal")
    return Decimal(exact if exact is not None else holder.get(name) or 0)
