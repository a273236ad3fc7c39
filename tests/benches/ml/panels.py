"""Daily panels of two kinds that a forecast must survive, drawn from a seed: `python -m tests.benches.ml.panels`.

`yearly` is visits to shops and sights: a strong season with a peak of each series' own, whose dates and height move
from year to year, weekdays, holidays (one of them moves), drift, closed days, weeks without a reading. `intermittent`
is units of slow sellers: more than half of the days are zero. Neither is Stripe usage, nor fitted to a known data set.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WEEK, YEAR = 7, 365.25
# Month and day of the fixed holidays, and the moving one's Sundays: what moves is what "a year ago" gets wrong.
FIXED = ((1, 1), (5, 1), (10, 3), (12, 24), (12, 25), (12, 26), (12, 31))
MOVING = ("2022-04-17", "2023-04-09", "2024-03-31", "2025-04-20", "2026-04-05")


@dataclass(frozen=True)
class Yearly:
    """A panel with a yearly season. Shares are of the series, ranges are drawn from evenly.

    peak: busiest over quietest time of the year. moves_days: standard deviation of a season's shift from one year to
    the next. weather: of the log of what all series of a region share on a day. noise: of a series' own log.
    gaps: runs without a reading per series and year, of 7 to 42 days. outage: share of the series that one run of four
    weeks takes all at once. late, ended: begin up to two years late, stop early. floats: money rather than counts.
    """

    series: int = 180
    days: int = 1035
    last: date = date(2025, 12, 28)
    level: float = 120.0
    peak: tuple[float, float] = (2.0, 4.0)
    moves_days: float = 8.0
    weather: float = 0.12
    noise: tuple[float, float] = (0.10, 0.30)
    drift: float = 0.020
    gaps: float = 0.5
    outage: float = 0.25
    late: float = 0.18
    ended: float = 0.03
    floats: bool = False


@dataclass(frozen=True)
class Intermittent:
    """A panel of slow sellers. Shares are of the series.

    rate: median of units a day. spread: standard deviation of the rates' logs. shape: of the gamma that mixes the
    Poisson of a day (small: bursts). lots: units come in multiples of one of
    these. weekend: factor of demand on Saturday and Sunday. drift: weekly standard deviation of the rate's log.
    promotions: a year, of 5 to 14 days. stockouts: a year, of 3 to 30 days, zeros. late, ended as in Yearly; a series
    that ended goes on as zeros.
    """

    series: int = 800
    days: int = 445
    last: date = date(2025, 6, 19)
    rate: float = 0.52
    spread: float = 1.05
    shape: tuple[float, float] = (0.6, 5.0)
    lots: tuple[int, ...] = (1,)
    weekend: float = 1.35
    drift: float = 0.05
    promotions: float = 3.0
    stockouts: float = 1.0
    late: float = 0.2
    ended: float = 0.05


PANELS: dict[str, tuple[Yearly | Intermittent, int]] = {
    "yearly": (Yearly(), 11),
    "yearly2": (
        Yearly(120, 930, date(2026, 6, 14), 900.0, (2.5, 4.5), 5.0, 0.08, (0.06, 0.2), 0.03, 0.9, 0.4, floats=True),
        12,
    ),
    "intermittent": (Intermittent(), 21),
    "intermittent2": (
        Intermittent(600, 425, date(2025, 12, 21), 0.7, 1.3, (0.4, 3), (1, 1, 2, 6), 0.4, 0.08, 2, 0.5, 0.35, 0.1),
        22,
    ),
}


def draw(kind: Yearly | Intermittent, seed: int) -> pd.DataFrame:
    """The panel: unique_id, ds, y; one row per series and day that has one, y missing where nothing was read."""
    rng = np.random.default_rng(seed)
    days = np.datetime64(kind.last, "D") - np.arange(kind.days - 1, -1, -1)
    known = yearly(kind, days, rng) if isinstance(kind, Yearly) else intermittent(kind, days, rng)
    prefix = "site" if isinstance(kind, Yearly) else "sku"
    names = np.array([f"{prefix}-{i:04d}" for i in range(kind.series)], object)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(names, kind.days),
            "ds": np.tile(days.astype("datetime64[ns]"), kind.series),
            "y": known.values.ravel(),
        }
    )
    return frame[known.has_row.ravel()].reset_index(drop=True)


@dataclass(frozen=True)
class Known:
    """values: shape (series, days), NaN where nothing was read; has_row: whether the panel has a row for it at all."""

    values: Floats
    has_row: NDArray[np.bool_]


def yearly(kind: Yearly, days: NDArray[np.datetime64], rng: np.random.Generator) -> Known:
    """Visits of each series and day."""
    n, length = kind.series, kind.days
    region = rng.integers(0, 4, n)
    log = np.log(kind.level) + rng.normal(0, 1.1, n)[:, None] + _walk(rng, n, length, kind.drift)
    log += _season(kind, days, region, rng) + _week(days, rng, n)
    log += _holidays(days, rng, n) + _regional(rng, region, length, kind.weather)
    log += _shifts(rng, n, length, share=0.25, height=0.35)
    sd = rng.uniform(*kind.noise, n)[:, None]
    log += _memory(rng.normal(0, 1, (n, length)), 0.45) * sd
    mean = np.exp(np.clip(log, -3, 16))
    # more variance than a Poisson's, and now and then a day that nothing explains
    values = mean * np.where(rng.random((n, length)) < 0.004, rng.uniform(0.2, 2.5, (n, length)), 1)
    values = np.round(values, 2) if kind.floats else rng.poisson(values).astype(float)
    closed = (rng.random(n) < 0.3)[:, None] & (weekdays(days) == 6)[None, :]
    closed |= (rng.random(n) < 0.6)[:, None] & np.isin(days, _dates(days, ((12, 25), (1, 1))))[None, :]
    closed |= _runs(rng, n, length, 0.15, (7, 60))  # renovations, winter breaks
    values[closed] = 0
    values[_runs(rng, n, length, kind.gaps, (7, 43))] = np.nan
    start = int(rng.integers(length // 2, length - 28))  # may lie in any of the last windows
    values[rng.random(n) < kind.outage, start : start + 28] = np.nan
    values[rng.random((n, length)) < 0.004] = np.nan
    has_row = _alive(rng, n, length, kind.late, kind.ended, min_days=20)
    # half of the series leave the row out where others write NULL
    has_row &= ~(np.isnan(values) & (rng.random(n) < 0.5)[:, None])
    return Known(values, has_row)


def intermittent(kind: Intermittent, days: NDArray[np.datetime64], rng: np.random.Generator) -> Known:
    """Units of each series and day."""
    n, length = kind.series, kind.days
    group = rng.integers(0, 7, n)
    log = np.log(kind.rate) + rng.normal(0, kind.spread, n)[:, None] + _walk(rng, n, length, kind.drift)
    log += _regional(rng, group, length, 0.15)
    weekend = np.log(kind.weekend) * rng.uniform(0.4, 1.6, n)
    log += weekend[:, None] * (weekdays(days) >= 5)[None, :]
    day_of_month = (days - days.astype("datetime64[M]")).astype(int) + 1
    payday = np.where(rng.random(n) < 0.4, rng.uniform(0.05, 0.4, n), 0)
    log += payday[:, None] * (day_of_month <= 10)[None, :]
    doy = (days - days.astype("datetime64[Y]")).astype(int)
    swing, turn = rng.gamma(1.5, 0.15, n), rng.uniform(0, 2 * np.pi, n)
    log += swing[:, None] * np.cos(2 * np.pi * doy[None, :] / YEAR + turn[:, None])
    promoted = _runs(rng, n, length, kind.promotions, (5, 15))
    log += promoted * rng.uniform(0.2, 1.2, n)[:, None]
    after = np.zeros_like(promoted)
    after[:, 10:] = promoted[:, :-10] & ~promoted[:, 10:]
    log -= 0.3 * after  # who bought it cheap does not buy it next week
    log += _shifts(rng, n, length, share=0.2, height=0.6)
    lot = rng.choice(kind.lots, n)[:, None]
    rate = np.exp(np.clip(log, -6, 5)) / np.sqrt(lot)
    shape = rng.uniform(*kind.shape, n)[:, None]
    values = lot * rng.poisson(rate * rng.gamma(shape, 1 / shape, (n, length))).astype(float)
    values[_runs(rng, n, length, kind.stockouts, (3, 31))] = 0
    values[:, np.isin(days, _dates(days, ((12, 25),)))] = 0
    values[~_alive(rng, n, length, 0, kind.ended, min_days=90)] = 0
    return Known(values, _alive(rng, n, length, kind.late, 0, min_days=12))


def weekdays(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """0 for a Monday to 6 for a Sunday."""
    found: NDArray[np.int64] = (days.astype("datetime64[D]").astype(np.int64) + 3) % WEEK
    return found


def _season(kind: Yearly, days: NDArray[np.datetime64], region: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """The yearly season's log: two harmonics, scaled so that busiest over quietest is the drawn peak."""
    n = kind.series
    summer = rng.random(n) < 0.7
    top = np.where(summer, rng.normal(205, 28, n), rng.normal(345, 25, n)) + 6.0 * region
    years = np.arange(5)
    move = np.cumsum(rng.normal(0, kind.moves_days / np.sqrt(2), (n, 5)), axis=1)
    height = np.exp(np.cumsum(rng.normal(0, 0.08, (n, 5)), axis=1))
    t = (days - np.datetime64("2023-01-01", "D")).astype(float)
    at = t / YEAR + 1
    moved = np.stack([np.interp(at, years, row) for row in move])
    tall = np.stack([np.interp(at, years, row) for row in height])
    angle = 2 * np.pi * (t[None, :] - top[:, None] - moved) / YEAR
    pointed = rng.uniform(0, 0.35, n)[:, None]
    wave = np.cos(angle) + pointed * (np.cos(2 * angle) - 1) / 2
    full = np.log(rng.uniform(*kind.peak, n))[:, None] / 2
    return np.asarray(full * tall * wave)


def _week(days: NDArray[np.datetime64], rng: np.random.Generator, n: int) -> Floats:
    """Offices' weeks and leisure's, each with its own deviations."""
    leisure = np.array([-0.25, -0.25, -0.15, -0.05, 0.15, 0.45, 0.25])
    office = np.array([0.10, 0.15, 0.15, 0.12, 0.05, -0.35, -0.60])
    kinds = np.where((rng.random(n) < 0.65)[:, None], leisure, office) * rng.uniform(0.3, 1.4, n)[:, None]
    return np.asarray((kinds + rng.normal(0, 0.05, (n, WEEK)))[:, weekdays(days)])


def _dates(days: NDArray[np.datetime64], which: tuple[tuple[int, int], ...]) -> NDArray[np.datetime64]:
    years = np.unique(days.astype("datetime64[Y]")).astype(str)
    return np.array([f"{year}-{month:02d}-{day:02d}" for year in years for month, day in which], "datetime64[D]")


def _holidays(days: NDArray[np.datetime64], rng: np.random.Generator, n: int) -> Floats:
    """A week around each holiday, up for some series and down for others."""
    moving = np.array(MOVING, "datetime64[D]")
    log = np.zeros((n, len(days)))
    for dates, width in [(_dates(days, (day,)), 2.0) for day in FIXED] + [(moving, 4.0), (moving + 49, 2.5)]:
        away = np.abs((days[:, None] - dates[None, :]).astype(float)).min(axis=1)
        log += rng.normal(0.15, 0.35, n)[:, None] * np.exp(-((away / width) ** 2))[None, :]
    return log


def _walk(rng: np.random.Generator, n: int, length: int, weekly: float) -> Floats:
    """A slow random walk from zero, by its weekly standard deviation."""
    steps = rng.normal(0, weekly / np.sqrt(WEEK), (n, length))
    return np.asarray(np.cumsum(steps, axis=1))


def _memory(shocks: Floats, keeps: float) -> Floats:
    """Shocks that fade by `keeps` a day, with the variance they had."""
    out = np.empty_like(shocks)
    out[:, 0] = shocks[:, 0]
    for day in range(1, shocks.shape[1]):
        out[:, day] = keeps * out[:, day - 1] + np.sqrt(1 - keeps**2) * shocks[:, day]
    return out


def _regional(rng: np.random.Generator, region: NDArray[np.int64], length: int, sd: float) -> Floats:
    """What all series of a region share: days of weather, and spells of weeks."""
    regions = int(region.max()) + 1
    daily = _memory(rng.normal(0, 1, (regions, length)), 0.6)
    spells = _memory(rng.normal(0, 1, (regions, length)), 0.96)
    return np.asarray(sd * (0.8 * daily + 0.6 * spells)[region])


def _shifts(rng: np.random.Generator, n: int, length: int, share: float, height: float) -> Floats:
    """A change of level for good, once, for a share of the series."""
    at = rng.integers(60, length, n)
    size = np.where(rng.random(n) < share, rng.normal(0, height, n), 0)
    return np.asarray(size[:, None] * (np.arange(length)[None, :] >= at[:, None]))


def _runs(rng: np.random.Generator, n: int, length: int, per_year: float, days: tuple[int, int]) -> NDArray[np.bool_]:
    """Runs of days, `per_year` of them on average for each series, at any time."""
    out = np.zeros((n, length), bool)
    for series, count in enumerate(rng.poisson(per_year * length / YEAR, n)):
        for first, took in zip(rng.integers(0, length, count), rng.integers(*days, count), strict=True):
            out[series, first : first + took] = True
    return out


def _alive(
    rng: np.random.Generator, n: int, length: int, late: float, ended: float, min_days: int
) -> NDArray[np.bool_]:
    """Days between a series' first and last; a late one has at least `min_days`."""
    first = np.where(rng.random(n) < late, rng.integers(1, length - min_days, n), 0)
    last = np.where(rng.random(n) < ended, rng.integers(length // 2, length, n), length)
    day = np.arange(length)[None, :]
    return np.asarray((day >= first[:, None]) & ((day < last[:, None]) | (last <= first + min_days)[:, None]))


def main() -> None:
    """Write panels as Parquet files."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--only", choices=list(PANELS), action="append")
    asked.add_argument("--seed", type=int, help="another seed than the panel's own")
    options = asked.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.only or PANELS:
        kind, seed = PANELS[name]
        draw(kind, options.seed or seed).to_parquet(options.folder / f"{name}.parquet", index=False)


if __name__ == "__main__":
    main()
