"""Which judged days of usage are unusual enough to be an incident, where each begins, and what may have caused it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import anomaly
from ml.panel import Floats, Ints

VERSION = "1"  # of these rules: all days are judged anew by another one
# Least surprise upwards and downwards that makes an incident, by kind of evidence, in the series' own usual surprises
# (band: in distances to its end). One set for all data, chosen on four sandbox companies (seeds 1 to 4); what it is
# worth on others says tests/benches/ml/incidents.py.
LIMITS = {"weekday": (2.8, 3.2), "level": (3.6, 3.6), "silence": (2.5, 2.5), "band": (2.0, 2.0)}
BAND_DAYS = 2  # days in a row that must lie twice the 95 % band's width from what was forecast
FINENESS = 20.0  # usage below a twentieth of its early level is told from none at all, but from little else
WARM_UP_DAYS = 28
GAP_DAYS = 2  # unusual days with at most so many others between them are one incident
REACH_DAYS = 6  # a shift of level is seen late: it began when days were already off
OFF = 1.0  # by so many usual surprises
MOVED = 2.0  # that count an item as moving with its meter
LEAST_ITEMS = 10  # of a meter, to say what share of them moved
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Found:
    """days: one row per day of an incident; tally: one row per account and chunk of items, to be summed."""

    days: pd.DataFrame
    tally: pd.DataFrame


def found_days(items: pd.DataFrame, daily: Floats, since: Ints, bands: Floats) -> Found:
    """Incidents of items, of the days from `since` on.

    items: `usage_days.items`. daily: shape (items, days). since: shape (items,), the first day to judge.
    bands: shape (3, items, days): forecast median, 2.5 % and 97.5 % quantile.
    """
    known = whole_days(daily)
    unit = own_unit(known)
    judged = anomaly.detect(np.log1p(FINENESS * known / unit), "D")
    expected = unit * np.expm1(np.clip(judged.expected, 0.0, None)) / FINENESS
    leaning = np.where(np.abs(judged.point) >= OFF, np.sign(judged.point), 0.0)
    evidence = {
        "weekday": judged.point,
        # a level is moved for days after a spike: only a day that is off itself goes on with an incident
        "level": np.where(leaning == np.sign(judged.shift), judged.shift, 0.0),
        "silence": judged.silence,
        "band": band_breach(known, bands),
    }
    stacked = np.stack([over_limit(values, *LIMITS[name]) for name, values in evidence.items()])
    strongest = np.take_along_axis(stacked, np.abs(stacked).argmax(axis=0)[None], axis=0)[0]
    flagged = (np.abs(strongest) >= 1) & ~np.isnan(expected)
    direction = np.where(flagged, np.sign(strongest), 0).astype(np.int64)
    late = np.abs(stacked[:3:2]).max(axis=0) < 1  # seen by its level or its band alone
    start = incidents(direction, leaning, late)
    rule = anomaly.rule_baseline(known)
    place = np.arange(known.shape[1])[None, :]
    asked = ~np.isnan(known) & (place >= since[:, None])
    row, day = np.nonzero((start >= 0) & asked)
    off = np.abs(stacked[:, row, day]) >= 1
    columns: dict[str, Any] = {name: items[name].to_numpy()[row] for name in ("account_id", "customer_id")}
    columns |= {name: items[name].to_numpy()[row] for name in ("subscription_item_id", "meter_id")}
    columns |= {
        "place": day,
        "start_place": start[row, day],
        "quantity": known[row, day],
        "expected_quantity": expected[row, day],
        "score": strongest[row, day],
        "detectors": [",".join(np.array(list(evidence))[one]) for one in off.T],
        "is_anomaly": flagged[row, day],
        "is_rule_baseline": rule[row, day],
        "history_days": day - (~np.isnan(known)).argmax(axis=1)[row],
        "related_ratio": related(items["customer_id"], known, expected)[row, day],
        "company_share": np.where(strongest > 0, *company(items, judged))[row, day],
    }
    tally = pd.DataFrame({"account_id": items["account_id"], "items": asked.any(axis=1), "days": asked.sum(axis=1)})
    tally = tally.assign(flagged=(flagged & asked).sum(axis=1), rule_flagged=(rule & asked).sum(axis=1))
    tally = tally.assign(both_flagged=(flagged & rule & asked).sum(axis=1))
    return Found(pd.DataFrame(columns), tally.groupby("account_id", as_index=False).sum())


def whole_days(daily: Floats) -> Floats:
    """Usage without days that are not whole, or not yet usage: an item's first day, its last one if it has ended, and
    what came before it was used at all. Shape as given, NaN there."""
    known = ~np.isnan(daily)
    days = daily.shape[1]
    place = np.arange(days)[None, :]
    first, last = known.argmax(axis=1), days - 1 - known[:, ::-1].argmax(axis=1)
    used = known & (daily > 0) & (place > first[:, None])
    begins = np.where(used.any(axis=1), used.argmax(axis=1), days)
    ends = np.where(last < days - 1, last, days)
    inside = (place >= begins[:, None]) & (place < ends[:, None])
    return np.where(inside, daily, np.nan)


def over_limit(surprise: Floats, up: float, down: float) -> Floats:
    """A surprise in units of its limit: unusual from 1 on in size, 0 where there is none."""
    return np.nan_to_num(np.where(surprise > 0, surprise / up, surprise / down))


def own_unit(known: Floats) -> Floats:
    """Mean of each series' first 28 days of usage, before it is judged at all; shape (series, 1), 1 where none is."""
    seen = ~np.isnan(known)
    early = seen & (np.cumsum(seen, axis=1) <= WARM_UP_DAYS)
    mean = np.where(early, known, 0.0).sum(axis=1) / np.maximum(early.sum(axis=1), 1)
    return np.where(mean > 0, mean, 1.0)[:, None]


def band_breach(known: Floats, bands: Floats) -> Floats:
    """How far beyond the forecast each day lies, in distances to the end of its 95 % band, signed; the nearer of two
    days in a row, 0 if they lie on different sides, NaN without a forecast. bands: shape (3, items, days)."""
    median, low, high = bands
    with np.errstate(divide="ignore", invalid="ignore"):
        off = (known - median) / np.where(known > median, high - median, median - low)
    off = np.where(np.isfinite(off), off, np.nan)
    before = np.concatenate([np.full((off.shape[0], BAND_DAYS - 1), np.nan), off[:, : 1 - BAND_DAYS]], axis=1)
    return np.where(np.sign(before) == np.sign(off), np.sign(off) * np.minimum(np.abs(before), np.abs(off)), off * 0.0)


def incidents(direction: Ints, leaning: Floats, late: Flags) -> Ints:
    """The column each day's incident began in, -1 for days of none; shape (items, days).

    direction: 1, -1 or 0 of each day, unusual or not. leaning: the same of days that are merely off. late: days whose
    level alone is unusual. An incident is unusual days of one direction with at most 2 others between them; one that
    was seen late reaches back over at most 6 days in a row that lean its way.
    """
    start = np.full(direction.shape, -1, dtype=np.int64)
    at, last, way, begun = -1, -1, 0, -1
    for row, day in zip(*np.nonzero(direction), strict=True):
        sign = direction[row, day]
        if row != at:
            at, last, way = row, -1, 0
        if sign != way or day - last > GAP_DAYS + 1:
            begun = day
            while late[row, day] and begun - 1 > last and day - begun < REACH_DAYS and leaning[row, begun - 1] == sign:
                begun -= 1
            start[row, begun : day + 1] = begun
        else:
            start[row, last + 1 : day + 1] = begun
        last, way = day, sign
    return start


def related(customer: pd.Series, known: Floats, expected: Floats) -> Floats:
    """Usage of the customer's other items over what was expected of them, as a geometric mean; NaN without any."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(np.clip(known / expected, 0.05, 20.0))
    ratio = np.where(np.isfinite(ratio), ratio, np.nan)
    code, _ = pd.factorize(customer)
    total, seen = _by_group(code, np.nan_to_num(ratio)), _by_group(code, ~np.isnan(ratio))
    others = seen[code] - ~np.isnan(ratio)
    left = total[code] - np.nan_to_num(ratio)
    found: Floats = np.where(others > 0, np.exp(left / np.maximum(others, 1)), np.nan)
    return found


def company(items: pd.DataFrame, judged: anomaly.Judged) -> tuple[Floats, Floats]:
    """What share of the meter's items is up, and is down, on each day; NaN where fewer than 10 are judged.

    Two arrays of shape (items, days).
    """
    parts = np.nan_to_num(np.stack([judged.point, judged.shift, judged.silence]))
    code = items.groupby(["account_id", "meter_id"], sort=False).ngroup().to_numpy()
    count = _by_group(code, ~np.isnan(judged.point))
    shares = []
    for moved in ((parts >= MOVED).any(axis=0), (parts <= -MOVED).any(axis=0)):
        share = _by_group(code, np.asarray(moved)) / np.maximum(count, 1.0)
        shares.append(np.where(count >= LEAST_ITEMS, share, np.nan)[code])
    return shares[0], shares[1]


def _by_group(code: NDArray[np.integer[Any]], values: NDArray[Any]) -> Floats:
    """Sums over rows of one code, shape (codes, days)."""
    found = np.zeros((int(code.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(found, code, values)
    return found
