"""Metered usage as a pure function of (seed, customer, meter, day), so that advancing the clock continues one path.

Arrays have a row per metered item of one customer and a column per day (days since 1970-01-01); units are the meter's.
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sandbox import draw
from sandbox.clock import DAY
from sandbox.company_file import ANOMALIES, Company
from sandbox.store import MICRO

Floats = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # the increment of splitmix64 (Steele, Lea, Flood 2014)
MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
DAY_NOISE, WEEK_NOISE, DRIFT, ON, SECOND, ANOMALY = (np.uint64(n * 0x5DEECE66D) for n in range(1, 7))
EPOCH_MONDAY = 4  # 1970-01-05 was a Monday
BLOCK = 30  # days in which at most one anomaly of an item begins
YEARS = 1_500  # days whose anomalies are found at once, whole blocks
LENGTH = 128  # days that are computed at once
WEEK_SWING = 6  # days between the knots of week_noise
SLOW_SWING = 91  # days between the knots of drift
CALM = 0.4  # of the noise that storage has: it is a stock, not a flow
MONTH = 30.4  # days
MOST = 1e11  # units a day: a month of it, in millionths, still fits 64 bits


class Path(NamedTuple):
    """What an item's days are made of, each an array of rows x days.

    expectation: mean units at the prices of signup, without noise, anomalies, shifts and disengagement; zero on days
    before that of signup. noise: what multiplies it, of mean 1; rarely used items are 0 on most days. moment: the
    unix second at which the day's usage is recorded.
    """

    expectation: Floats
    noise: Floats
    moment: Wholes


class Anomaly(NamedTuple):
    """Usage multiplied by `factor` on the days first..last, both included; a shift goes on after `last`."""

    row: int
    kind: str
    first: int
    last: int
    factor: float


@dataclass(frozen=True, slots=True)
class Items:
    """The metered items of one customer: arrays of one column, a row each. Constants of the path, drawn once.

    scale: units a day at signup. key: of the item's own noise. step: millionths of the smallest quantity.
    """

    meters: tuple[str, ...]
    joins_at: int
    segment: str
    scale: Floats
    growth: Floats
    noise: Floats
    week_noise: Floats
    weekend: Floats
    workday: Floats
    is_on: Floats  # share of days an item is used on
    is_seasonal: Floats
    key: Keys
    step: Wholes
    blocks: dict[int, Path] = field(default_factory=dict)
    anomalies: dict[int, list[Anomaly]] = field(default_factory=dict)


def items_of(company: Company, seed: int, idx: int, segment: str, included: int, joins_at: int) -> Items:
    """What customer `idx` meters: API calls always, compute and storage by chance."""
    spec, usage = company["segments"][segment], company["usage"]
    median = {"api_calls": included * usage["quota_share"] * (1 / MONTH)}
    for meter, name in (("compute_seconds", "compute"), ("storage_gb_days", "storage")):
        if draw.uniform(seed, idx, "has", meter) < usage[name]:
            median[meter] = spec[name]
    noise = spec["noise"] * draw.between(0.8, 1.2, seed, idx, "noise")
    rest = draw.between(*spec["weekend"], seed, idx, "weekend")
    is_rare = draw.uniform(seed, idx, "intermittent") < usage["intermittent"]
    rows = []
    for meter, units in median.items():
        is_stock = meter == "storage_gb_days"
        spread = usage["quota_spread"] if meter == "api_calls" else usage["spread"]
        weekend = 0.98 if is_stock else rest
        rows.append(
            (
                units * math.exp(spread * draw.normal(seed, idx, "scale", meter)),
                (spec["growth"] + spec["growth_spread"] * draw.normal(seed, idx, "growth", meter)) * (1 / MONTH),
                noise * (CALM if is_stock else 1),
                usage["week_noise"] * (CALM if is_stock else 1),
                weekend,
                max((7 - 2 * weekend) * 0.2, 0.0),  # so that a week adds up to seven mean days
                usage["intermittent_days"] if is_rare and meter == "compute_seconds" else 1.0,
                0.0 if is_stock else 1.0,
            )
        )
    scale, growth, day, week, weekend_, workday, is_on, seasonal = np.array(rows, np.float64).T[:, :, None]
    keys = np.array([[draw.number(seed, idx, "path", meter)] for meter in median], np.uint64)
    steps = np.array([[10_000 if meter == "storage_gb_days" else MICRO] for meter in median], np.int64)
    return Items(
        tuple(median), joins_at, segment, scale, growth, day, week, weekend_, workday, is_on, seasonal, keys, steps
    )


def uniform(key: Keys, at: Wholes) -> Floats:
    """In (0, 1), for each key and each integer in `at` (splitmix64 of key + at)."""
    with np.errstate(over="ignore"):
        z = key + at.astype(np.uint64) * GOLDEN
        z = (z ^ (z >> np.uint64(30))) * MIX[0]
        z = (z ^ (z >> np.uint64(27))) * MIX[1]
        z = z ^ (z >> np.uint64(31))
    found: Floats = ((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return found


def normal(key: Keys, at: Wholes) -> Floats:
    """Standard normal (Box and Muller, 1958)."""
    mixed: Floats = np.sqrt(-2 * np.log(uniform(key, at))) * np.cos(2 * np.pi * uniform(key ^ GOLDEN, at))
    return mixed


def swing(key: Keys, days: Wholes, width: int) -> Floats:
    """A standard normal path that is smooth over `width` days: knots of noise, eased between (Perlin 2002)."""
    knots = np.arange(days[0] // width, days[-1] // width + 2, dtype=np.int64)
    heights = normal(key, knots)
    place = days // width - knots[0]
    part = (days % width) * (1.0 / width)
    ease = part * part * (3 - 2 * part)
    smooth: Floats = (heights[:, place] * (1 - ease) + heights[:, place + 1] * ease) / np.hypot(1 - ease, ease)
    return smooth


@lru_cache(maxsize=64)
def _calendar(peak_day: int, amplitude: float, holidays: tuple[str, ...], factor: float) -> Floats:
    """Season x holidays for each day from 1970 to 2150."""
    days = np.arange(65_744, dtype=np.int64)
    wave = np.exp(amplitude * np.cos((days - peak_day) * (2 * np.pi / 365.25)))
    dates = np.datetime_as_string(days.astype("datetime64[D]")).tolist()
    found: Floats = np.where([date[5:] in holidays for date in dates], factor, 1.0) * wave
    return found


def path(company: Company, items: Items, first: int, last: int) -> Path:
    """The days first..last, both included. Whole blocks are computed and the last few kept, because months follow."""
    wanted = range(first // LENGTH, last // LENGTH + 1)
    blocks = [items.blocks.get(number) or _block(company, items, number) for number in wanted]
    for number in list(items.blocks)[:-2]:
        del items.blocks[number]
    start, end = first - wanted[0] * LENGTH, last + 1 - wanted[0] * LENGTH
    whole = blocks[0]
    if len(blocks) > 1:
        mean, noise, moment = ([block[part] for block in blocks] for part in range(3))
        whole = Path(np.concatenate(mean, 1), np.concatenate(noise, 1), np.concatenate(moment, 1))
    return Path(whole.expectation[:, start:end], whole.noise[:, start:end], whole.moment[:, start:end])


def _block(company: Company, items: Items, number: int) -> Path:
    days = np.arange(number * LENGTH, (number + 1) * LENGTH, dtype=np.int64)
    second = (uniform(items.key ^ SECOND, days) * DAY).astype(np.int64)
    made = Path(_expectation(company, items, days), _noise(items, days), days * DAY + second)
    items.blocks[number] = made
    return made


def _expectation(company: Company, items: Items, days: Wholes) -> Floats:
    usage = company["usage"]
    age = days - items.joins_at * (1 / DAY)
    amplitude = company["segments"][items.segment]["season"]
    calendar = _calendar(usage["peak_day"], amplitude, tuple(usage["holidays"]), usage["holiday_factor"])[days]
    week = np.where((days - EPOCH_MONDAY) % 7 >= 5, items.weekend, items.workday)
    ramp = np.clip(0.4 + 0.6 * age * (1 / usage["ramp_days"]), 0.4, 1.0) * (days >= items.joins_at // DAY)
    level = np.exp(items.growth * age + usage["drift"] * swing(items.key ^ DRIFT, days, SLOW_SWING))
    units: Floats = items.scale * level * week * ramp * (1 + items.is_seasonal * (calendar - 1))
    return units


def _noise(items: Items, days: Wholes) -> Floats:
    day, week = items.noise, items.week_noise
    exponent = day * normal(items.key ^ DAY_NOISE, days) + week * swing(items.key ^ WEEK_NOISE, days, WEEK_SWING)
    factor: Floats = np.exp(exponent - 0.5 * (day * day + week * week))
    if items.is_on.min() < 1:
        factor *= np.where(uniform(items.key ^ ON, days) < items.is_on, 1 / items.is_on, 0.0)
    return factor


def anomalies(company: Company, items: Items, first: int, last: int) -> list[Anomaly]:
    """Anomalies that touch the days first..last, and every shift before: at most one begins in each 30 days.

    None in a customer's first two weeks, and none for rarely used items, where nobody could tell.
    """
    found: list[Anomaly] = []
    for years in range(items.joins_at // DAY // YEARS, last // YEARS + 1):
        if years not in items.anomalies:
            items.anomalies[years] = _anomalies(company, items, years)
        found += [one for one in items.anomalies[years] if touches(one, first, last)]
    return found


def touches(one: Anomaly, first: int, last: int) -> bool:
    """Whether usage of the days first..last is other for it; a shift goes on."""
    return one.first <= last and (one.last >= first or one.kind == "shift")


def _anomalies(company: Company, items: Items, years: int) -> list[Anomaly]:
    kinds, found = company["anomalies"], []
    blocks = np.arange(years * YEARS // BLOCK, (years + 1) * YEARS // BLOCK, dtype=np.int64)
    point = uniform(items.key ^ ANOMALY, blocks)
    for row, at in np.argwhere(point < sum(kind["per_item_month"] for kind in kinds.values())).tolist():
        left = float(point[row, at])
        for kind in (kind for kind in ANOMALIES if kind in kinds):
            left -= kinds[kind]["per_item_month"]
            if left < 0:
                break
        key = (int(items.key[row, 0]), int(blocks[at]))
        begin = key[1] * BLOCK + draw.whole(0, BLOCK - 1, *key, "day")
        if begin >= items.joins_at // DAY + 14 and items.is_on[row, 0] == 1:
            end = begin + draw.whole(*kinds[kind]["days"], *key, "days") - 1
            found.append(Anomaly(row, kind, begin, end, draw.between(*kinds[kind]["factor"], *key, "factor")))
    return found


def factors(found: list[Anomaly], days: Wholes, rows: int) -> tuple[Floats, Floats]:
    """What anomalies multiply usage by: (shifts, all else), so that expectations can take in the shifts alone."""
    shifts, passing = np.ones((rows, days.size)), np.ones((rows, days.size))
    for row, kind, first, last, factor in found:
        if kind == "shift":
            shifts[row, days >= first] *= factor
        else:
            passing[row, (days >= first) & (days <= last)] *= factor
    return shifts, passing


def quantities(units: Floats, items: Items) -> Wholes:
    """Whole millionths of a unit: calls and seconds are whole units, storage has two decimals; MOST at most."""
    return np.rint(np.minimum(units, MOST) * (MICRO / items.step)).astype(np.int64) * items.step
