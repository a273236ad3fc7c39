"""Metered usage as a pure function of (seed, customer, meter, day), so that advancing the clock continues one path."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sandbox import draw
from sandbox.clock import DAY
from sandbox.population import Person
from sandbox.store import MICRO

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # the increment of splitmix64 (Steele, Lea, Flood 2014)
EPOCH_MONDAY = 4  # 1970-01-05 was a Monday


@dataclass(frozen=True)
class Spike:
    """Usage multiplied by `factor` on the days first..last (day numbers), both included."""

    meter: str
    first: int
    last: int
    factor: float


@dataclass(frozen=True)
class Plant:
    """What the seed arranges for one customer at the world's end: a level that is scaled, spikes that are added."""

    scale: float = 1.0
    spikes: tuple[Spike, ...] = field(default=())


def _noise(key: int, at: Days) -> Floats:
    """Uniform (0, 1) for each integer in `at` (splitmix64 of key + at)."""
    with np.errstate(over="ignore"):
        z = np.uint64(key) + at.astype(np.uint64) * GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _normal(key: int, at: Days) -> Floats:
    mixed: Floats = np.sqrt(-2 * np.log(_noise(key, at))) * np.cos(2 * np.pi * _noise(key ^ 0x5DEECE66D, at))
    return mixed


def _wander(key: int, days: Days, width: int) -> Floats:
    """A smooth path through a standard normal every `width` days (value noise, Perlin's ease curve)."""
    knot = days // width
    part = (days % width) * (1.0 / width)
    ease = part * part * (3 - 2 * part)
    path: Floats = _normal(key, knot) * (1 - ease) + _normal(key, knot + 1) * ease
    return path


def spikes(company: dict[str, Any], seed: int, person: Person, meter: str, first: int, last: int) -> list[Spike]:
    """The unplanned spikes of one item that touch the days first..last: at most one begins in each 30 days."""
    spec, found = company["anomalies"], []
    for month in range(first // 30 - 1, last // 30 + 1):
        key = (person.idx, meter, "spike", month)
        if draw.uniform(seed, *key) >= spec["per_item_month"]:
            continue
        begin = month * 30 + draw.whole(0, 29, seed, *key, "day")
        end = begin + draw.whole(*spec["days"], seed, *key, "days") - 1
        if end >= first and begin <= last and begin * DAY >= person.joins_at + 14 * DAY:
            found.append(Spike(meter, begin, end, draw.between(*spec["factor"], seed, *key, "factor")))
    return found


def normal_use(company: dict[str, Any], seed: int, person: Person, meter: str, days: Days) -> Floats:
    """Units on each of `days` without anomalies; zeros before signup. Fractions are not yet rounded away."""
    spec, idx = company["usage"], person.idx
    age = (days * DAY - person.joins_at) * (1.0 / (30.4 * DAY))
    growth = spec["growth"] + spec["growth_spread"] * draw.normal(seed, idx, meter, "growth")
    slow = spec["drift_slow"] * _wander(draw.number(seed, idx, meter, "slow"), days, 91)
    fast = spec["drift_fast"] * _wander(draw.number(seed, idx, meter, "fast"), days, 28)
    sigma = person.noise if meter != "storage_gb_days" else 0.4 * person.noise
    noise = sigma * _normal(draw.number(seed, idx, meter, "noise"), days) - 0.5 * sigma * sigma
    season = spec["season"] * np.sin(2 * np.pi * days / 365.25 + 6.28 * draw.uniform(seed, "season"))
    level = person.item_scale[meter] * np.exp(growth * age + slow + fast + noise + season)
    weekend = draw.between(*spec["weekend"], seed, idx, "weekend") if meter != "storage_gb_days" else 0.98
    level = level * np.where((days - EPOCH_MONDAY) % 7 >= 5, weekend, 1 + (1 - weekend) * 0.4)
    level = level * np.clip(0.4 + age * 2, 0.4, 1.0)  # new customers take nine days to get going
    if meter == "compute_seconds" and draw.uniform(seed, idx, "intermittent") < spec["intermittent"]:
        level = level * np.where(_noise(draw.number(seed, idx, "on"), days) < 0.25, 4.0, 0.0)
    if person.decline_from is not None:
        length = person.leaves_at - person.decline_from
        gone = np.clip((days * DAY - person.decline_from) * (1.0 / length), 0.0, 1.0)
        floor = draw.between(0.08, 0.35, seed, idx, "floor")
        level = level * (1 - gone * (1 - floor))
    used: Floats = np.where(days * DAY >= person.joins_at, level, 0.0)
    return used


def quantities(level: Floats, meter: str) -> npt.NDArray[np.int64]:
    """Whole millionths of a unit: calls and seconds are whole units, storage has two decimals."""
    step = 10_000 if meter == "storage_gb_days" else MICRO
    return np.rint(level * (MICRO / step)).astype(np.int64) * step


def seconds_of_day(seed: int, idx: int, meter: str, days: Days) -> npt.NDArray[np.int64]:
    """The second at which a day's usage is recorded."""
    return (_noise(draw.number(seed, idx, meter, "second"), days) * DAY).astype(np.int64)


def daily_use(
    company: dict[str, Any], seed: int, person: Person, meter: str, days: Days, plant: Plant
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(with anomalies, without), in millionths of a unit, for consecutive `days`."""
    if days.size == 0:
        return days, days
    level = normal_use(company, seed, person, meter, days) * plant.scale
    factor = np.ones_like(level)
    planted = [spike for spike in plant.spikes if spike.meter == meter]
    for spike in planted + spikes(company, seed, person, meter, int(days[0]), int(days[-1])):
        factor = np.where((days >= spike.first) & (days <= spike.last), np.maximum(factor, spike.factor), factor)
    return quantities(level * factor, meter), quantities(level, meter)
