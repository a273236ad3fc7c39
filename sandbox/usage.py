"""Metered usage as a pure function of (seed, customer, meter, day), so that advancing the clock continues one path.

Arrays have a row per metered item of one customer and a column per day (days since 1970-01-01); units are the meter's.
"""

import math
from dataclasses import dataclass
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
LENGTH = 256  # days that are computed at once
KEPT = 20_000  # such pieces kept, about 13 KB each: months follow each other, so the next one is often there
WEEK_SWING = 6  # days between the knots of week_noise
SLOW_SWING = 91  # days between the knots of drift
CALM = 0.4  # of the noise that storage has: it is a stock, not a flow
MONTH = 30.4  # days
MOST = 1e11  # units a day: a month of it, in millionths, still fits 64 bits
_FACTORS = ("scale", "growth", "noise", "week_noise", "weekend", "workday", "is_on", "is_seasonal")
CONSTANTS = np.dtype([*((name, "f8") for name in _FACTORS), ("key", "u8"), ("step", "i8")])


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


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """The metered items of one customer, drawn once. each: of one column, a row for each item; names: CONSTANTS.

    scale: units a day at signup. weekend, workday: factors. is_on: share of days it is used on. is_seasonal: 0 or 1.
    key: of the item's own noise. step: millionths of the smallest quantity.
    """

    company: Company
    meters: tuple[str, ...]
    joins_at: int
    segment: str
    each: npt.NDArray[np.void]


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
        growth = spec["growth"] + spec["growth_spread"] * draw.normal(seed, idx, "growth", meter)
        weekend, calm = (0.98, CALM) if is_stock else (rest, 1)
        workday = max((7 - 2 * weekend) * 0.2, 0.0)  # so that a week adds up to seven mean days
        is_on = usage["intermittent_days"] if is_rare and meter == "compute_seconds" else 1.0
        scale = units * math.exp(spread * draw.normal(seed, idx, "scale", meter))
        steady = (noise * calm, usage["week_noise"] * calm, weekend, workday, is_on, 0.0 if is_stock else 1.0)
        own = (draw.number(seed, idx, "path", meter), 10_000 if is_stock else MICRO)
        rows.append((scale, growth * (1 / MONTH), *steady, *own))
    return Items(company, tuple(median), joins_at, segment, np.array(rows, CONSTANTS)[:, None])


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


def path(items: Items, first: int, last: int) -> Path:
    """The days first..last, both included."""
    pieces = [_piece(items, number) for number in range(first // LENGTH, last // LENGTH + 1)]
    mean, noise, moment = pieces[0] if len(pieces) == 1 else (np.concatenate(each, 1) for each in zip(*pieces))  # noqa: B905 # of one length; a check costs
    wanted = slice(first % LENGTH, first % LENGTH + last - first + 1)
    return Path(mean[:, wanted], noise[:, wanted], moment[:, wanted])


@lru_cache(KEPT)
def _piece(items: Items, number: int) -> Path:
    days = np.arange(number * LENGTH, (number + 1) * LENGTH, dtype=np.int64)
    second = (uniform(items.each["key"] ^ SECOND, days) * DAY).astype(np.int64)
    return Path(_expectation(items, days), _noise(items, days), days * DAY + second)


def _expectation(items: Items, days: Wholes) -> Floats:
    usage = items.company["usage"]
    age = days - items.joins_at * (1 / DAY)
    amplitude = items.company["segments"][items.segment]["season"]
    calendar = _calendar(usage["peak_day"], amplitude, tuple(usage["holidays"]), usage["holiday_factor"])[days]
    week = np.where((days - EPOCH_MONDAY) % 7 >= 5, items.each["weekend"], items.each["workday"])
    ramp = np.clip(0.4 + 0.6 * age * (1 / usage["ramp_days"]), 0.4, 1.0) * (days >= items.joins_at // DAY)
    level = np.exp(items.each["growth"] * age + usage["drift"] * swing(items.each["key"] ^ DRIFT, days, SLOW_SWING))
    units: Floats = items.each["scale"] * level * week * ramp * (1 + items.each["is_seasonal"] * (calendar - 1))
    return units


def _noise(items: Items, days: Wholes) -> Floats:
    day, week = items.each["noise"], items.each["week_noise"]
    exponent = day * normal(items.each["key"] ^ DAY_NOISE, days) + week * swing(
        items.each["key"] ^ WEEK_NOISE, days, WEEK_SWING
    )
    factor: Floats = np.exp(exponent - 0.5 * (day * day + week * week))
    if items.each["is_on"].min() < 1:
        factor *= np.where(uniform(items.each["key"] ^ ON, days) < items.each["is_on"], 1 / items.each["is_on"], 0.0)
    return factor


def anomalies(items: Items, planted: list[Anomaly], first: int, last: int) -> list[Anomaly]:
    """Anomalies, planted ones included, that touch the days first..last, and every shift before.

    At most one begins by chance in each 30 days; none in a customer's first two weeks, and none for rarely used items,
    where nobody could tell.
    """
    years = range(items.joins_at // DAY // YEARS, last // YEARS + 1)
    found = [one for number in years for one in _anomalies(items, number)] + planted
    return [one for one in found if one.first <= last and (one.last >= first or one.kind == "shift")]


@lru_cache(KEPT)
def _anomalies(items: Items, years: int) -> list[Anomaly]:
    specs, found = items.company["anomalies"], []
    kinds = [kind for kind in ANOMALIES if kind in specs]
    blocks = np.arange(years * YEARS // BLOCK, (years + 1) * YEARS // BLOCK, dtype=np.int64)
    chances = np.cumsum([specs[kind]["per_item_month"] for kind in kinds])
    chosen = np.searchsorted(chances, uniform(items.each["key"] ^ ANOMALY, blocks), side="right")
    for row, at in np.argwhere(chosen < len(kinds)).tolist():
        kind, key = kinds[chosen[row, at]], (int(items.each["key"][row, 0]), int(blocks[at]))
        begin = key[1] * BLOCK + draw.whole(0, BLOCK - 1, *key, "day")
        if begin >= items.joins_at // DAY + 14 and items.each["is_on"][row, 0] == 1:
            end = begin + draw.whole(*specs[kind]["days"], *key, "days") - 1
            found.append(Anomaly(row, kind, begin, end, draw.between(*specs[kind]["factor"], *key, "factor")))
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
    steps: Wholes = items.each["step"]
    return np.rint(np.minimum(units, MOST) * (MICRO / steps)).astype(np.int64) * steps
