"""Has a segment's usage left its own level? Rank tests of own ratios, each held against how it usually moves.

An own ratio is a 7- or 28-day mean over the item's own 91-day mean. A segment's ratios are ranked among everybody's at
the same day, so that weekdays, month ends, holidays and growth, which all share, cancel; what segments do not share
(one grows faster, one is seasonal) is in how the same rank sum moved at the weekly origins of the year before, and the
test divides by that. All customers together have nobody to be ranked with: they are held against that year alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml.panel import Floats

RATIOS = {"mean_7_over_91": 7, "mean_28_over_91": 28}
DIMENSIONS = ("plan", "meter", "currency", "segment")
Q = 0.01  # false discoveries; without any change also the chance of one alarm over all level tests of a run
MATERIAL = 0.05  # a smaller change of level decides nothing, however sure it is
LEAST = 20  # customers on either side: from here on the normal curve fits the rank sum
LEAST_PAST = 26  # weekly origins without which "all" is not judged: half a year

GAP = 4  # newest weekly origins that are no past: a change of the last 28 days is in them
YEAR = 52  # origins: the same weekday of the same week, with its holidays
SUSPICIOUS = 0.01  # chance under which a segment is left out of what the others are compared with
OWN = 8  # origins that everybody's usual distance counts for beside a customer's own
PRIOR = 10  # origins that the deviation by chance alone counts for beside those seen (12 of 28 days, 48 of 7)
SEASONAL = 1.5  # usual deviations by which the same week of the year before must have been off to excuse this one
EXTREME = 20.0  # a ratio beyond 1/20 and 20 times tells nothing more; zero usage has no logarithm


@dataclass(frozen=True)
class Level:
    """One level test. statistic: deviation in standard units; effect: change of level against the others' (or, of all,
    against the usual), 0.2 is 20 % more; p_value None where there is too little to judge."""

    feature: str
    segment: str
    n: int
    statistic: float | None
    p_value: float | None
    effect: float | None


def tests(items: pd.DataFrame, ratios: Mapping[str, Floats]) -> list[Level]:
    """Every test of every ratio.

    items: one row per item with customer_id and the DIMENSIONS (a missing column or value: not tested). ratios: feature
    of RATIOS -> shape (items, origins), weekly, oldest first, the last is the judged day; NaN where not known.
    """
    found = []
    for feature, values in ratios.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(np.clip(values, 1 / EXTREME, EXTREME))
        found.append(_everybody(feature, _by_customer(items, logs, [])[0]))
        for dimension in DIMENSIONS:
            if dimension in items:
                found += _dimension(feature, dimension, *_by_customer(items, logs, [dimension]))
    return found


def breaches(found: Sequence[Level], q: float = Q) -> tuple[list[bool], float | None]:
    """Which tests are a breach (Benjamini and Hochberg, 1995, at `q`, and material), and the |statistic| it took."""
    judged = sorted(one.p_value for one in found if one.p_value is not None)
    if not judged:
        return [False] * len(found), None
    passing = [p for place, p in enumerate(judged, 1) if p <= q * place / len(judged)]
    bar = max(passing, default=0.0)
    flags = [
        one.p_value is not None and one.p_value <= bar and one.effect is not None and abs(one.effect) >= MATERIAL
        for one in found
    ]
    return flags, NormalDist().inv_cdf(1 - max(bar, q / len(judged)) / 2)


def _by_customer(items: pd.DataFrame, logs: Floats, by: list[str]) -> tuple[Floats, NDArray[np.object_]]:
    """Mean log ratio of each customer (in each value of `by`): a customer's items move together, customers do not."""
    known = items[by].notna().all(axis=1).to_numpy() if by else np.ones(len(items), dtype=bool)
    keys = items.loc[known, ["customer_id", *by]]
    code, index = keys.groupby(list(keys.columns), sort=True).ngroup().to_numpy(), keys.drop_duplicates()
    here = logs[known]
    count, total = np.zeros((len(index), here.shape[1])), np.zeros((len(index), here.shape[1]))
    np.add.at(count, code, ~np.isnan(here))
    np.add.at(total, code, np.nan_to_num(here))
    ordered = index.sort_values(list(index.columns))
    labels = ordered[by[0]].astype(str).to_numpy(dtype=object) if by else np.full(len(index), "all", dtype=object)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), labels


def _dimension(feature: str, dimension: str, units: Floats, labels: NDArray[np.object_]) -> list[Level]:
    """The tests of every segment of a dimension, in the order of their names.

    One that has left its level makes the others seem to leave theirs the other way. So the strongest goes first (of
    two that mirror each other the smaller), and while it looks suspicious the others are compared without it.
    """
    found: dict[str, Level] = {}
    left = sorted(set(labels[~np.isnan(units[:, -1])]))
    kept = np.ones(len(labels), dtype=bool)
    while left:
        ranks, here = _ranks(_standardised(units[kept])), labels[kept]
        tried = [_segment(feature, f"{dimension}:{one}", units[kept], ranks, here == one) for one in left]
        place = min(range(len(left)), key=lambda i: (-round(abs(tried[i].statistic or 0.0), 9), tried[i].n, left[i]))
        first = tried[place]
        if first.p_value is None or first.p_value > SUSPICIOUS:
            found |= dict(zip(left, tried, strict=True))
            break
        name = left.pop(place)
        found[name] = first
        kept &= labels != name
    return [found[name] for name in sorted(found)]


def _segment(feature: str, name: str, units: Floats, ranks: Floats, inside: NDArray[np.bool_]) -> Level:
    known = ~np.isnan(units[:, -1])
    n, others = int(known[inside].sum()), int(known[~inside].sum())
    if min(n, others) < LEAST:
        return Level(feature, name, n, None, None, None)
    sums = _rank_sums(ranks, inside)
    statistic, p, _ = _deviation(sums, 1.0, RATIOS[feature])
    now, usual = _medians(units[inside]), _medians(units[~inside])
    moved, others_moved = (float(one[-1] - _centre(one[:-GAP])) for one in (now, usual))
    return Level(feature, name, n, statistic, p, float(np.expm1(moved - others_moved)))


def _standardised(units: Floats) -> Floats:
    """Each customer's distance from everybody's middle of the day, in its own usual distance: the steady count more."""
    off = units - _medians(units)[None, :]
    known = ~np.isnan(off[:, :-GAP])
    count, square = known.sum(axis=1), np.nansum(np.where(known, off[:, :-GAP], 0.0) ** 2, axis=1)
    common = float(np.median(square[count > 0] / count[count > 0])) if count.any() else 1.0
    own: Floats = np.sqrt((OWN * common + square) / (OWN + count))
    return off / np.where(own > 0, own, 1.0)[:, None]


def _everybody(feature: str, units: Floats) -> Level:
    now = units[:, -1][~np.isnan(units[:, -1])]
    if len(now) < LEAST:
        return Level(feature, "all", len(now), None, None, None)
    middles = _medians(units)
    if (~np.isnan(middles[:-GAP])).sum() < LEAST_PAST:
        return Level(feature, "all", len(now), None, None, None)
    # What a median of so many customers moves by chance alone; 1.25 is its width against a mean's.
    chance = 1.25 * 1.4826 * float(np.median(np.abs(now - np.median(now)))) / np.sqrt(len(now))
    statistic, p, off = _deviation(middles, chance, RATIOS[feature])
    return Level(feature, "all", len(now), statistic, p, float(np.expm1(off)))


def _ranks(values: Floats) -> Floats:
    """Rank of each value within its column, ties at their mean rank; NaN keeps its place."""
    found = np.full(values.shape, np.nan)
    for column in range(values.shape[1]):
        known = ~np.isnan(values[:, column])
        _, inverse, counts = np.unique(values[known, column], return_inverse=True, return_counts=True)
        found[known, column] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return found


def _rank_sums(ranks: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Wilcoxon's rank sum of each column in units of its deviation under permutation; NaN with too few on a side."""
    known = ~np.isnan(ranks)
    one, total = known[inside].sum(axis=0), known.sum(axis=0)
    judged = np.minimum(one, total - one) >= LEAST
    found = np.full(ranks.shape[1], np.nan)
    filled = np.where(known, ranks, 0.0)[:, judged]
    one, total = one[judged], total[judged]
    variance = ((filled**2).sum(axis=0) - total * ((total + 1) / 2) ** 2) / (total - 1)
    spread = np.sqrt(np.maximum(variance, 0) * (1 / one - 1 / total))
    off = filled[inside].sum(axis=0) / one - (total + 1) / 2
    found[judged] = np.where(spread > 0, off / np.where(spread > 0, spread, 1.0), 0.0)
    return found


def _deviation(series: Floats, least: float, days: int) -> tuple[float, float, float]:
    """How far the last value is from what is usual: in the usual deviation, as a chance without a change, and as it is.

    least: the deviation that chance alone gives. Usual is the middle of the year before, and where the same week of
    that year was unusual too (a season, a holiday), anything between both. Means of `days` days overlap at weekly
    origins, so that a past of 28 days counts a quarter of its origins; Student's t by Wallace's normal form (1959).
    """
    now, past = float(series[-1]), series[:-GAP][~np.isnan(series[:-GAP])]
    if len(past) < LEAST // 2:
        return now / least, 2 * NormalDist().cdf(-abs(now / least)), now
    centre = float(np.median(past))
    seen = max(1.0, len(past) * min(1.0, 7 / days) - 1)
    variance = (PRIOR * least**2 + seen * float(np.mean((past - centre) ** 2))) / (PRIOR + seen)
    spread, degrees = max(least, float(np.sqrt(variance))), PRIOR + seen
    before = float(series[-1 - YEAR]) if len(series) > YEAR else float("nan")
    before = before if abs(before - centre) > SEASONAL * spread else centre
    off = max(0.0, now - max(centre, before)) + min(0.0, now - min(centre, before))
    t = off / spread if spread > 0 else 0.0
    z = (8 * degrees + 1) / (8 * degrees + 3) * np.sqrt(degrees * np.log1p(t * t / degrees))
    return t, 2 * NormalDist().cdf(-float(z)), off


def _medians(units: Floats) -> Floats:
    """Median of each column, NaN where nobody is known."""
    count = (~np.isnan(units)).sum(axis=0)
    ordered, column = np.sort(units, axis=0), np.arange(units.shape[1])
    if not len(units):
        return np.full(units.shape[1], np.nan)
    low, high = (np.maximum(count, 1) - 1) // 2, np.maximum(count, 1) // 2
    found: Floats = 0.5 * (ordered[low, column] + ordered[high, column])
    return found


def _centre(past: Floats) -> float:
    known = past[~np.isnan(past)]
    return float(np.median(known)) if known.size else 0.0
