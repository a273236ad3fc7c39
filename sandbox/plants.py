"""What the seed arranges before the world's end, so that every recommendation has somebody to be about."""

import math
from typing import TYPE_CHECKING

import numpy as np

from sandbox import draw, member
from sandbox.clock import DAY, WORLD_END, add_months, months_between
from sandbox.member import Member
from sandbox.store import Store
from sandbox.usage import Anomaly

if TYPE_CHECKING:
    from sandbox.world_company import SeededCompany

LEAD = 60 * DAY  # before the world's end: the open period of everybody, and that of every planted spike, begins later
SHOWS = 7  # days on which the change of level is labelled, if it is large
SPIKE_WINDOW = 25  # days before the world's end in which planted spikes fall
# of the quota: at least so much (drawn between two), at most; and the fewest days a period may have had
WANTED = {"hot": (0.88, 1.02, 1.25, 15), "spiked": (0.93, 1.0, 1.08, 20)}
LOOKED_AT = 4_000  # candidates: enough to find close ones for any share that is asked for
Candidate = tuple[float, int, list[Anomaly], Member]  # how far its level must move (|log|), whose, the plant


def moment(start: int) -> int:
    """When the seed arranges its plants, in a history that begins at `start`."""
    return max(WORLD_END - LEAD, start + 1)


def arrange(world: "SeededCompany", store: Store) -> list[Member]:
    """Members to save: those whose level must move least to be near their quota ("hot") or to have a costly spike.

    Only settled customers below the highest plan. They may still leave, but neither lose interest nor upgrade.
    """
    left, chosen = member.everybody(store, open_only=True), list[Member]()
    left = [one for one in left if _is_settled(world, one)][:LOOKED_AT]
    for name in WANTED:
        least, share = (world.company["plants"][f"{name}_{what}"] for what in ("customers", "share"))
        found: list[Candidate] = sorted(
            filter(None, (_candidate(world, one, name) for one in left)), key=lambda each: each[:2]
        )
        for _, _, planted, one in found[: math.ceil(max(least, world.population.customers * share))]:
            one.planted = planted
            chosen.append(one)
        left = [one for one in left if not one.planted]
    return chosen


def _is_settled(world: "SeededCompany", one: Member) -> bool:
    highest = max(spec["rank"] for spec in world.company["plans"].values())
    plan = world.company["plans"][world.person(one.idx).plan]
    is_low = bool(one.declines) and one.declines[-1][3] < 0
    grown = any(step.meter == "api_calls" for step in one.prices)  # it has changed plans: its quota is another
    return plan["rank"] < highest and not is_low and not grown and one.leaves_at is None


def _candidate(world: "SeededCompany", one: Member, name: str) -> Candidate | None:
    """The nearest level at which a billing period uses a wanted share of the quota, before its spikes: the open period,
    or that in which the spike falls. None if that period is too short, or begins within the spike."""
    seed, person, spec, at, spikes = world.seed, world.person(one.idx), world.company["plants"], WORLD_END, []
    low, most, high, shortest = WANTED[name]
    if name == "spiked":
        end = WORLD_END // DAY - 1 - draw.whole(0, SPIKE_WINDOW - 5, seed, one.idx, "planted day")
        begin = end - draw.whole(*spec["days"], seed, one.idx, "planted days") + 1
        factor = draw.between(*spec["factor"], seed, one.idx, "planted factor")
        at, spikes = end * DAY, [Anomaly(0, "spike", begin, end, factor)]
    age = months_between(person.joins_at, at)
    first = add_months(person.joins_at, age) // DAY
    last = (min(add_months(person.joins_at, age + 1), WORLD_END) - 1) // DAY
    if last - first < shortest or any(spike.first <= first for spike in spikes):
        return None
    _, normal, _ = member.used(person, one, np.arange(first, last + 1, dtype=np.int64))
    share = max(float(normal[0].sum()) * 1e-6, 1.0) / world.company["plans"][person.plan]["included"]
    scale = min(max(share, draw.between(low, most, seed, one.idx, name)), high) / share
    begins = max(WORLD_END - LEAD, person.joins_at) // DAY
    return abs(math.log(scale)), one.idx, [Anomaly(0, "shift", begins, begins + SHOWS - 1, scale), *spikes], one
