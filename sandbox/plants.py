"""What the seed arranges at the world's end, so that every recommendation has somebody to be about."""

import math
from typing import Any

import numpy as np

from sandbox import draw
from sandbox.clock import DAY, WORLD_END, add_months, months_between
from sandbox.population import Person, Population
from sandbox.usage import Plant, Spike, normal_use

Candidate = tuple[float, int, Plant]  # how far the level must move (|log|), whose, the plant
METER = "api_calls"
SPIKE_WINDOW = 25  # days before the world's end in which planted spikes fall
STAYS = 90 * DAY  # a planted customer does not leave sooner than this after the world's end


def arrange(population: Population) -> dict[int, Plant]:
    """idx → plant: customers near or over their quota ("hot"), and others with a spike that costs money."""
    spec, count = population.company["anomalies"], population.customers
    people = [person for person in map(population.person, range(count)) if _is_settled(person)]
    hot = _closest(
        [_hot(population, person) for person in people], max(spec["hot_customers"], count * spec["hot_share"])
    )
    rest = [person for person in people if person.idx not in hot]
    wanted = max(spec["spiked_customers"], count * spec["spiked_share"])
    return hot | _closest([_spiked(population, person) for person in rest], wanted)


def _is_settled(person: Person) -> bool:
    stays = person.leaves_at > WORLD_END + STAYS
    return person.plan != "scale" and stays and person.joins_at < WORLD_END - 60 * DAY


def _closest(candidates: list[Candidate | None], wanted: float) -> dict[int, Plant]:
    """The candidates whose level must move least."""
    found = sorted((candidate for candidate in candidates if candidate), key=lambda candidate: candidate[:2])
    return {idx: plant for _, idx, plant in found[: math.ceil(wanted)]}


def _period(person: Person, at: int) -> tuple[int, int]:
    """First and last day number of the billing period around `at`, no further than the world's end."""
    count = months_between(person.joins_at, at)
    end = min(add_months(person.joins_at, count + 1), WORLD_END)
    return add_months(person.joins_at, count) // DAY, (end - 1) // DAY


def _scale(population: Population, person: Person, days: tuple[int, int], share: float) -> float:
    """What the level must be multiplied by for the days first..last to use `share` of the included quota."""
    company = population.company
    span = np.arange(days[0], days[1] + 1, dtype=np.int64)
    used = float(normal_use(company, population.seed, person, METER, span).sum())
    return float(share * company["plans"][person.plan]["included"] * (1.0 / max(used, 1.0)))


def _hot(population: Population, person: Person) -> Candidate | None:
    days = _period(person, WORLD_END)
    if days[1] - days[0] < 15:
        return None
    scale = _scale(population, person, days, draw.between(0.88, 1.25, population.seed, person.idx, "hot"))
    return abs(math.log(scale)), person.idx, Plant(scale)


def _spiked(population: Population, person: Person) -> Candidate | None:
    seed, spec = population.seed, population.company["anomalies"]
    last = WORLD_END // DAY - 1 - draw.whole(0, SPIKE_WINDOW - 5, seed, person.idx, "planted day")
    first = last - draw.whole(*spec["days"], seed, person.idx, "planted days") + 1
    days = _period(person, last * DAY)
    if first < days[0] or days[1] - days[0] < 20:
        return None
    factor = draw.between(*spec["factor"], seed, person.idx, "planted factor")
    scale = _scale(population, person, days, draw.between(0.93, 1.08, seed, person.idx, "spiked"))
    return abs(math.log(scale)), person.idx, Plant(scale, (Spike(METER, first, last, factor),))


def to_plain(plants: dict[int, Plant]) -> list[dict[str, Any]]:
    """The plants as JSON-ready rows, for the state's meta table."""
    return [
        {"idx": idx, "scale": plant.scale, "spikes": [[s.meter, s.first, s.last, s.factor] for s in plant.spikes]}
        for idx, plant in plants.items()
    ]


def from_plain(rows: list[dict[str, Any]]) -> dict[int, Plant]:
    """The reverse of to_plain."""
    return {row["idx"]: Plant(row["scale"], tuple(Spike(*spike) for spike in row["spikes"])) for row in rows}
