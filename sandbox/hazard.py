"""What makes a customer give up, and how it answers to prices: pure arithmetic over the company file."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from sandbox.company_file import Company
from sandbox.rating import rate
from sandbox.store import Obj
from sandbox.usage import Floats, Wholes

CAUSES = ("usage_decline", "payment_failure", "price", "other")
MOST_FAILURES = 3  # failed payments that still add to the hazard
MOST_OVERAGE = 4.0  # overage / fee that still adds
COST_SPAN = (0.25, 4.0)  # of a cost ratio: a bill that grows tenfold frightens no more than one that grows fourfold


class Signs(NamedTuple):
    """What the hazard of a month is computed from, as it stands when the month begins.

    usage_left: share of the usage of 91 days ago that disengagement has left. failed_payments: first attempts in
    90 days. cost_ratio: bill after / before the changes of three months. overage: last month's, over the fees.
    """

    usage_left: float = 1.0
    failed_payments: int = 0
    cost_ratio: float = 1.0
    overage: float = 0.0
    has_discount: bool = False
    has_credit: bool = False
    has_offer: bool = False


def multipliers(spec: Mapping[str, float], signs: Signs) -> dict[str, float]:
    """What each sign multiplies the odds by; `spec` is [hazards]."""
    low, high = COST_SPAN
    return {
        "usage_decline": (1 / max(signs.usage_left, 0.01)) ** spec["decline"],
        "payment_failure": spec["failed_payment"] ** min(signs.failed_payments, MOST_FAILURES),
        "price": min(max(signs.cost_ratio, low), high) ** spec["cost_rise"],
        "overage": (1 + min(signs.overage, MOST_OVERAGE)) ** spec["overage"],
        "discount": spec["discount"] if signs.has_discount else 1.0,
        "credit": spec["credit"] if signs.has_credit else 1.0,
        "offer": spec["offer"] if signs.has_offer else 1.0,
    }


def hazard(company: Company, segment: str, signs: Signs) -> float:
    """Probability, 0 to 1, that a customer of that segment gives up within the month that begins.

    The segment's odds times the signs' multipliers, as odds again: a logistic model in the logarithms of the signs.
    """
    odds = company["segments"][segment]["hazard"]
    for factor in multipliers(company["hazards"], signs).values():
        odds *= factor
    return float(min(odds / (1 + odds), company["hazards"]["highest"]))


def cause_weights(company: Company, signs: Signs) -> list[float]:
    """How likely each of CAUSES is to have been the reason: what a sign adds to the odds, against a base of 1."""
    found = multipliers(company["hazards"], signs)
    stops: float = company["hazards"]["stops_paying"]
    price = max(found["price"] - 1, 0.0) + found["overage"] - 1
    return [found["usage_decline"] - 1, found["payment_failure"] - 1 + stops, price, 1 - stops]


def marginal(price: Obj, units: float) -> float:
    """What one more unit costs in minor units at `units` a month: the unit price of the tier they end in.

    In a free tier it is that of the next tier that has a price: a customer within its quota looks at what comes
    after it. 0 if nothing has a price.
    """
    if price["billing_scheme"] == "per_unit":
        package = (price.get("transform_quantity") or {}).get("divide_by", 1)
        return float(Decimal(price["unit_amount_decimal"] or 0) / package)
    for tier in price["tiers"]:
        unit = float(tier["unit_amount_decimal"] or 0)
        if unit and (tier["up_to"] is None or units <= tier["up_to"]):
            return unit
    return 0.0


def cost(price: Obj, units: float) -> float:
    """What `units` a month, or a licensed item's quantity, cost in minor units."""
    return float(sum(part.amount for part in rate(price, Decimal(round(units, 6)))))


def elasticity(company: Company, segment: str, meter: str) -> float:
    """The exponent by which usage of a meter answers to the ratio of its unit prices."""
    own: Mapping[str, float] = company["segments"][segment]["elasticity"]
    return float(own.get(meter, company["elasticity"].get(meter, 0.0)))


def decline_left(episodes: Sequence[Sequence[float]], day: Wholes) -> Floats:
    """Share of usage left on each day: of each episode (first day, days, floor, day it recovers or -1)."""
    left = np.ones(day.shape)
    for first, length, floor, back in episodes:
        depth = np.clip((day - first) * (1 / length), 0.0, 1.0) * (1 - floor)
        if back >= 0:  # the way back takes half as long as the way down
            depth *= 1 - np.clip((day - back) * (2 / length), 0.0, 1.0)
        left *= 1 - depth
    return left
