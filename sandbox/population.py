"""Who the seeded company's customers are and what they will do: each one a pure function of the seed and an index."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import draw
from sandbox.clock import DAY, WORLD_END, add_months, history_start
from sandbox.errors import BadCompany

FIRST = [
    "Harbor",
    "Cedar",
    "Northwind",
    "Lumen",
    "Quartz",
    "Juniper",
    "Atlas",
    "Vela",
    "Orchid",
    "Summit",
    "Kestrel",
    "Tidal",
    "Ember",
    "Nimbus",
    "Aster",
    "Fjord",
]
SECOND = [
    "Analytics",
    "Labs",
    "Robotics",
    "Health",
    "Systems",
    "Freight",
    "Media",
    "Foods",
    "Capital",
    "Games",
    "Energy",
    "Studio",
    "Networks",
    "Works",
]
REQUIRED = ("currencies", "plans", "addons", "coupons", "segments", "signups", "usage", "behaviour", "anomalies")
TIERS = {"startup": (0.9, 0.08, 0.02), "midmarket": (0.5, 0.4, 0.1), "enterprise": (0.1, 0.4, 0.5)}


@dataclass(frozen=True)
class Person:
    """One customer's script. Times are unix seconds; `leaves_at` may lie long after the world's end.

    item_scale: meter → units a day at signup (0: has no such item). From `decline_from` on usage falls.
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
    leaves_at: int
    cause: str
    leaves_at_period_end: bool
    decline_from: int | None
    has_coupon: bool
    upgrades: bool
    item_scale: dict[str, float]
    noise: float


@dataclass(frozen=True)
class Population:
    """The company's parameters with a seed and a size; `person(idx)` works for any idx >= 0."""

    company: dict[str, Any]
    seed: int
    customers: int
    months: int

    @property
    def start(self) -> int:
        """The first second of history."""
        return history_start(self.months)

    def joins_at(self, idx: int) -> int:
        """00:00 UTC of the signup day: a first group within 28 days, then ever faster; later at the last pace."""
        signups = self.company["signups"]
        first = round(self.customers * signups["at_start"])
        if idx < first:
            return self.start + draw.whole(0, 27, self.seed, idx, "joins") * DAY
        later = max(self.customers - first, 1)
        span = WORLD_END - self.start - 30 * DAY
        share = (idx - first + 0.5) * (1 / later)
        curve = signups["growth"] - 1  # signups per unit of time rise linearly from 1 to `growth`
        if share < 1:
            total = 1 + curve / 2
            at = (math.sqrt(1 + 2 * curve * share * total) - 1) / curve if curve else share
        else:
            at = 1 + (share - 1) * (1 + curve / 2) / signups["growth"]
        day = self.start + 28 * DAY + int(at * span) // DAY * DAY
        return day if idx < self.customers else max(day, WORLD_END - WORLD_END % DAY + DAY)

    def person(self, idx: int) -> Person:
        """The customer with that index."""
        company, seed = self.company, self.seed
        currency = draw.pick(list(company["currencies"]), list(company["currencies"].values()), seed, idx, "currency")
        shares = [spec["share"] for spec in company["segments"].values()]
        segment = draw.pick(list(company["segments"]), shares, seed, idx, "segment")
        spec, behaviour, usage = company["segments"][segment], company["behaviour"], company["usage"]
        plan = draw.pick(list(spec["plans"]), list(spec["plans"].values()), seed, idx, "plan")
        joins_at = self.joins_at(idx)
        leaves_at, cause = self._leaving(idx, joins_at, spec["churn"])
        declines = cause == "usage_decline"
        name = f"{FIRST[draw.whole(0, len(FIRST) - 1, seed, idx, 'first')]} {SECOND[idx % len(SECOND)]} {idx + 1}"
        has_seats = draw.uniform(seed, idx, "has seats") < usage["seats"]
        return Person(
            idx=idx,
            name=name,
            email=f"billing@{name.lower().replace(' ', '-')}.example",
            currency=currency,
            segment=segment,
            tier=draw.pick(("standard", "priority", "strategic"), TIERS[segment], seed, idx, "tier"),
            plan=plan,
            seats=draw.whole(*spec["seats"], seed, idx, "seats") if has_seats else 0,
            joins_at=joins_at,
            leaves_at=leaves_at,
            cause=cause,
            leaves_at_period_end=draw.uniform(seed, idx, "period end") < behaviour["at_period_end"],
            decline_from=leaves_at - draw.whole(30, 60, seed, idx, "decline") * DAY if declines else None,
            has_coupon=draw.uniform(seed, idx, "coupon") < behaviour["welcome_coupon"],
            upgrades=draw.uniform(seed, idx, "upgrades") < behaviour["upgrades"],
            item_scale=self._scales(idx, plan, spec),
            noise=spec["noise"] * draw.between(0.8, 1.2, seed, idx, "noise"),
        )

    def _leaving(self, idx: int, joins_at: int, chance: float) -> tuple[int, str]:
        """When the customer gives up (at the earliest after two months, in office hours) and why."""
        waits = math.log(1 - draw.uniform(self.seed, idx, "leaves")) / math.log(1 - chance)
        month = min(2 + int(waits), 600)
        day = draw.whole(0, 27, self.seed, idx, "leaving day")
        second = draw.whole(8 * 3600, 18 * 3600, self.seed, idx, "leaving second")
        causes = self.company["behaviour"]["causes"]
        cause = draw.pick(list(causes), list(causes.values()), self.seed, idx, "cause")
        return add_months(joins_at, month) + day * DAY + second, cause

    def _scales(self, idx: int, plan: str, spec: dict[str, Any]) -> dict[str, float]:
        usage = self.company["usage"]
        included = self.company["plans"][plan]["included"]
        spread = math.exp(usage["quota_spread"] * draw.normal(self.seed, idx, "quota"))
        scales = {"api_calls": included * usage["quota_share"] * spread * 0.0329}  # 1 / 30.4 days
        for meter, key in (("compute_seconds", "compute"), ("storage_gb_days", "storage")):
            has = draw.uniform(self.seed, idx, "has", meter) < usage[key]
            scales[meter] = spec[key] * math.exp(0.5 * draw.normal(self.seed, idx, meter)) if has else 0.0
        return scales


def read_company(path: Path) -> dict[str, Any]:
    """The tables of company.toml; raises BadCompany with what is wrong."""
    try:
        company = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadCompany(f"cannot read {path}: {error}; restore it with `git checkout sandbox/company.toml`") from error
    absent = [name for name in REQUIRED if name not in company]
    if absent:
        raise BadCompany(f"{path} lacks the tables {', '.join(absent)}: add them, see the file in the repository")
    return company
