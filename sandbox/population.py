"""Who the seeded company's customers are: each one a pure function of the company file, the seed and an index."""

import math
from dataclasses import dataclass

from sandbox import draw
from sandbox.clock import DAY, WORLD_END, history_start
from sandbox.company_file import Company
from sandbox.usage import Items, items_of

FIRST = "Harbor Cedar Northwind Lumen Quartz Juniper Atlas Vela Orchid Summit Kestrel Tidal Ember Nimbus Aster Fjord"
SECOND = "Analytics Labs Robotics Health Systems Freight Media Foods Capital Games Energy Studio Networks Works"
FIRST_DAYS = 28  # in which the customers of signups.at_start join


@dataclass(frozen=True, slots=True)
class Person:
    """One customer as it signs up. `joins_at`: unix seconds, never midnight. seats: 0 without the item.

    items: what it meters, a row each. upgrades: it moves to the next plan by itself when it needs to.
    """

    idx: int
    name: str
    email: str
    currency: str
    segment: str
    tier: str
    plan: str
    seats: int
    joins_at: int
    leaves_at_period_end: bool
    has_coupon: bool
    upgrades: bool
    items: Items


@dataclass(frozen=True)
class Population:
    """The company with a seed and a size; `person(idx)` works for any idx >= 0, later ones join after the end."""

    company: Company
    seed: int
    customers: int
    months: int

    @property
    def start(self) -> int:
        """The first second of history."""
        return history_start(self.months)

    def joins_at(self, idx: int) -> int:
        """The second of signup, rising with idx: a first group in 28 days, then at a pace that changes evenly.

        One customer falls in each equal share of the signups, at a random place in it, so that exactly `customers`
        have joined by the world's end; later ones follow at the last pace.
        """
        signups = self.company["signups"]
        first = round(self.customers * signups["at_start"])
        place = draw.uniform(self.seed, idx, "joins")
        begin = self.start + FIRST_DAYS * DAY
        if idx < first:
            second = int(self.start + (idx + place) * (1 / first) * FIRST_DAYS * DAY)
        else:
            share = (idx - first + place) * (1 / max(self.customers - first, 1))
            curve = signups["growth"] - 1  # signups per unit of time go linearly from 1 to `growth`
            total = 1 + curve / 2
            passed = (math.sqrt(1 + 2 * curve * min(share, 1) * total) - 1) / curve if curve else min(share, 1)
            passed += max(share - 1, 0) * total / signups["growth"]
            second = int(begin + passed * (WORLD_END - begin))
        return second if second % DAY else second + 1

    def person(self, idx: int) -> Person:
        """The customer with that index."""
        company, seed = self.company, self.seed

        def one_of(weights: dict[str, float], what: str) -> str:
            return draw.pick(list(weights), list(weights.values()), seed, idx, what)

        def happens(chance: float, what: str) -> bool:
            return draw.uniform(seed, idx, what) < chance

        currency = one_of(company["currencies"], "currency")
        segment = one_of({name: spec["share"] for name, spec in company["segments"].items()}, "segment")
        spec, behaviour = company["segments"][segment], company["behaviour"]
        first, second = FIRST.split(), SECOND.split()
        name = f"{first[draw.whole(0, len(first) - 1, seed, idx, 'first')]} {second[idx % len(second)]} {idx + 1}"
        plan, joins_at = one_of(spec["plans"], "plan"), self.joins_at(idx)
        seats = draw.whole(*spec["seats"], seed, idx, "seats")
        return Person(
            idx=idx,
            name=name,
            email=f"billing@{name.lower().replace(' ', '-')}.example",
            currency=currency,
            segment=segment,
            tier=one_of(spec["tiers"], "tier"),
            plan=plan,
            seats=seats if happens(company["usage"]["seats"], "has seats") else 0,
            joins_at=joins_at,
            leaves_at_period_end=happens(behaviour["at_period_end"], "period end"),
            has_coupon=happens(behaviour["welcome"], "coupon"),
            upgrades=happens(behaviour["upgrades"], "upgrades"),
            items=items_of(company, seed, idx, segment, company["plans"][plan]["included"], joins_at),
        )
