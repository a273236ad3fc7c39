"""What a quantity costs at a Stripe price, in exact Decimal: the slow second opinion on dbt's macro `rate`.

Written from Stripe's documentation (stripe.md 6.1, 6.2, 6.5), walking units through tiers one bound at a time; it
shares no code and no table layout with the warehouse.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from typing import Any, NamedTuple

# 18 digits of quantity times 24 of price need 42; the default context would round at 28.
PRECISION = 60
# What amounts are multiples of where it is not 1 (stripe.md 6.2).
TENS, HUNDREDS = ("bhd", "jod", "kwd", "omr", "tnd"), ("isk", "ugx")


class Step(NamedTuple):
    """One line of a bill: units of a tier (1 the lowest) and what they come to, or its flat fee, of which there is one.

    amount: minor units; None where the price names no amount for these units.
    """

    tier: int
    is_fee: bool
    units: Decimal
    amount: int | None


def rated_steps(price: Mapping[str, Any], quantity: Decimal, currency: str | None = None) -> list[Step]:
    """The lines that `quantity` is billed as, lowest tier first; [] where the price has no terms in the currency.

    price: a Stripe price payload, its tiers and currency_options expanded. quantity: usage in the meter's unit; below 0
    counts as 0. currency: lower case, the price's own if None.
    """
    charged = currency or price["currency"]
    if charged != price["currency"]:
        if charged not in price.get("currency_options", {}):
            return []
        price = {**price, "tiers": None, "unit_amount_decimal": None} | price["currency_options"][charged]
    with localcontext() as context:
        context.prec = PRECISION
        used = max(quantity, Decimal(0))
        if price["billing_scheme"] == "per_unit":
            if price["unit_amount_decimal"] is None:
                return []
            units = _packages(price.get("transform_quantity"), used)
            return [Step(1, False, units, _amount(units, price["unit_amount_decimal"], charged))]
        return _tiered(price["tiers_mode"], price.get("tiers") or [], used, charged)


def _tiered(mode: str, tiers: list[dict[str, Any]], used: Decimal, currency: str) -> list[Step]:
    steps: list[Step] = []
    left, below = used, Decimal(0)
    for number, tier in enumerate(tiers, 1):
        reach = left if tier["up_to"] is None else Decimal(tier["up_to"]) - below
        is_last = left <= reach
        if mode == "volume":
            if is_last:
                return _charged(number, tier, used, currency)
        else:
            steps += _charged(number, tier, min(left, reach), currency)
            if is_last:
                return steps
        left, below = left - reach, below + reach
    # usage beyond a last bound: Stripe makes no such price, and nobody knows what the rest costs
    return [*steps, Step(len(tiers) + 1, False, used if mode == "volume" else left, None)] if tiers else []


def _charged(number: int, tier: Mapping[str, Any], units: Decimal, currency: str) -> list[Step]:
    given = tier.get("unit_amount_decimal")
    steps = [Step(number, False, units, _amount(units, given if given is not None else "0", currency))]
    if fee := Decimal(tier.get("flat_amount_decimal") or tier.get("flat_amount") or 0):
        steps.append(Step(number, True, Decimal(1), _amount(Decimal(1), fee, currency)))
    return steps


def _packages(transform: Mapping[str, Any] | None, used: Decimal) -> Decimal:
    if transform is None:
        return used
    mode = ROUND_CEILING if transform["round"] == "up" else ROUND_FLOOR
    return (used / Decimal(transform["divide_by"])).quantize(Decimal(1), rounding=mode)


def _amount(units: Decimal, price: str | Decimal, currency: str) -> int:
    multiple = 10 if currency in TENS else 100 if currency in HUNDREDS else 1
    exact = units * Decimal(price) / multiple
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP)) * multiple
