"""What the seed arranges before the world's end, so that every recommendation has somebody to be about."""

import math
from typing import TYPE_CHECKING

import numpy as np

from sandbox import draw, member
from sandbox.clock import DAY, WORLD_END, add_months, months_between
from sandbox.member import Member
from sandbox.population import Person
from sandbox.store import Store
from sandbox.usage import Anomaly

if TYPE_CHECKING:
    from sandbox.world_company import SeededCompany

LEAD = 60 * DAY  # before the world's end: the open period of everybody, and that of every planted spike, begins later
SHOWS = 7  # days on which the change of level is labelled, if it is large
SPIKE_WINDOW = 25  # days before the world's end in which planted spikes fall
LOOKED_AT = 4_000  # candidates: enough to find close ones for any share that is asked for
Candidate = tuple[float, int, Member]  # how far its level must move (|log|), whose, with the plant


def moment(start: int) -> int:
    """When the seed arranges its plants, in a history that begins at `start`."""
    return max(WORLD_END - LEAD, start + 1)


def arrange(world: "SeededCompany", store: Store) -> list[Member]:
    """Members to save: those whose level must move least to be near their quota ("hot") or to have a costly spike.

    Only settled customers below the highest plan. They may still leave, but neither lose interest nor upgrade.
    """
    spec = world.company["plants"]
    members = [one for one in member.everybody(store, open_only=True) if _is_settled(world, one)][:LOOKED_AT]
    count = world.population.customers
    hot = _closest([_hot(world, one) for one in members], max(spec["hot_customers"], count * spec["hot_share"]))
    taken = {one.idx for one in hot}
    rest = [_spiked(world, one) for one in members if one.idx not in taken]
    return hot + _closest(rest, max(spec["spiked_customers"], count * spec["spiked_share"]))


def _is_settled(world: "SeededCompany", one: Member) -> bool:
    highest = max(spec["rank"] for spec in world.company["plans"].values())
    plan = world.company["plans"][world.person(one.idx).plan]
    is_low = bool(one.declines) and one.declines[-1][3] < 0
    grown = any(step.meter == "api_calls" for step in one.prices)  # it has changed plans: its quota is another
    return plan["rank"] < highest and not is_low and not grown and one.leaves_at is None


def _closest(candidates: list[Candidate | None], wanted: float) -> list[Member]:
    found = sorted((each for each in candidates if each), key=lambda each: each[:2])
    return [one for _, _, one in found[: math.ceil(wanted)]]


def _period(person: Person, at: int) -> tuple[int, int]:
    """First and last day number of the billing period around `at`, no further than the world's end."""
    count = months_between(person.joins_at, at)
    end = min(add_months(person.joins_at, count + 1), WORLD_END)
    return add_months(person.joins_at, count) // DAY, (end - 1) // DAY


def _plant(
    world: "SeededCompany", one: Member, days: tuple[int, int], low: float, high: float, spikes: list[Anomaly]
) -> Candidate:
    """The nearest level at which the days first..last, without anomalies, use `low` to `high` of the quota."""
    person = world.person(one.idx)
    one.planted = []  # it may have been a candidate for something else
    span = np.arange(days[0], days[1] + 1, dtype=np.int64)
    _, normal, _ = member.used(world.company, person, one, span)
    share = max(float(normal[0].sum()) * 1e-6, 1.0) / world.company["plans"][person.plan]["included"]
    scale = min(max(share, low), high) / share
    first = max(WORLD_END - LEAD, person.joins_at) // DAY
    one.planted = [Anomaly(0, "shift", first, first + SHOWS - 1, scale), *spikes]
    return abs(math.log(scale)), one.idx, one


def _hot(world: "SeededCompany", one: Member) -> Candidate | None:
    days = _period(world.person(one.idx), WORLD_END)
    if days[1] - days[0] < 15:
        return None
    return _plant(world, one, days, draw.between(0.88, 1.02, world.seed, one.idx, "hot"), 1.25, [])


def _spiked(world: "SeededCompany", one: Member) -> Candidate | None:
    seed, spec = world.seed, world.company["plants"]
    last = WORLD_END // DAY - 1 - draw.whole(0, SPIKE_WINDOW - 5, seed, one.idx, "planted day")
    first = last - draw.whole(*spec["days"], seed, one.idx, "planted days") + 1
    days = _period(world.person(one.idx), last * DAY)
    if first <= days[0] or days[1] - days[0] < 20:
        return None
    spike = Anomaly(0, "spike", first, last, draw.between(*spec["factor"], seed, one.idx, "planted factor"))
    return _plant(world, one, days, draw.between(0.93, 1.0, seed, one.idx, "spiked"), 1.08, [spike])
