"""Bands by scaled conformal prediction: how wrong past forecasts were, in units of each item's own noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.panel import Floats, Ints, Panel

QUANTILES = {"q025": 0.025, "q10": 0.1, "q90": 0.9, "q975": 0.975}
NORMAL = {"q025": -1.96, "q10": -1.2816, "q90": 1.2816, "q975": 1.96}  # used only where there is no past to learn from
BANDS = {0.8: ("q10", "q90"), 0.95: ("q025", "q975")}
LOOKBACK = 91  # days of seasonal-naive errors behind an item's own scale
ENOUGH = 200  # residuals a group and week need for a 2.5 % quantile of their own (5 beyond it)
WIDEST = 1.6  # most that a band is widened because seasons differ
WEEK = 7
STEADY = "regular"  # the demand class whose noise follows the weekday: nights and weekends are calmer
CALMEST = 0.2
Table = dict[str, dict[str, float]]


def own_scale(panel: Panel, picked: Ints) -> Floats:
    """Noise of each picked row's item at its origin, in the meter's unit, shape (picked,).

    The larger of the 28-day standard deviation and the item's own seasonal-naive error: its 80 % quantile over 91
    days, over sqrt(2) (the difference of two noisy days is that much wider than one) and over 1.2816 (a normal's
    80 % two-sided quantile), plus a tenth of its level: neither lets a band collapse after a calm month (ml.md 4.3).
    """
    errors = np.sort(panel.seasonal_errors(picked, LOOKBACK), axis=1)  # NaN last
    known = (~np.isnan(errors)).sum(axis=1)
    rank = np.clip(np.ceil(0.8 * known).astype(np.int64) - 1, 0, LOOKBACK - 1)
    floor = np.where(known > 0, errors[np.arange(len(picked)), rank], 0.0) / (np.sqrt(2) * 1.2816)
    spread = np.fmax(np.nan_to_num(panel.features["sd_28"][picked]), floor)
    found: Floats = spread + 0.1 * np.nan_to_num(np.maximum(panel.features["level"][picked], 0.0))
    return found


def by_day(centre: Floats, scale: Floats, groups: NDArray[np.str_]) -> Floats:
    """Noise of each row's days ahead, shape (rows, horizon): `scale`, for regular demand times the root of the day's
    share of the row's mean forecast (at least .2).

    The root is between noise that is the same each day and noise that is a share of the day: it has the least pinball
    loss on NN5 and two made-up panels, where one width for all days held 90 % of calm days and 74 % of busy ones.
    """
    middle = centre.mean(axis=1, keepdims=True)
    share = np.ones_like(centre)
    np.divide(centre, middle, out=share, where=(middle > 0) & (groups == STEADY)[:, None])
    return scale[:, None] * np.sqrt(np.maximum(share, CALMEST))


def ranked(residuals: Floats, probability: float) -> float:
    """Finite-sample conformal quantile: the rank that covers a new, exchangeable residual; the extreme if too few."""
    ordered = np.sort(residuals)
    n = len(ordered)
    rank = np.floor((n + 1) * probability) if probability < 0.5 else np.ceil((n + 1) * probability)
    return float(ordered[int(np.clip(rank, 1, n)) - 1])


@dataclass(frozen=True)
class Bands:
    """Residual quantiles in units of `by_day`, by group ("all" is the fallback) and horizon week ("1", "2", …).

    A week beyond those learned from is served by the last one.
    """

    table: Mapping[str, Mapping[str, Mapping[str, float]]]

    def around(self, centre: Floats, scale: Floats, groups: NDArray[np.str_]) -> dict[str, Floats]:
        """Quantiles in the unit of `centre`, shape (rows, horizon): never negative, never crossing, around the centre.

        centre: shape (rows, horizon). scale, groups: shape (rows,).
        """
        last = max((int(week) for week in self.table["all"]), default=1)
        weeks = [str(min(1 + step // WEEK, last)) for step in range(centre.shape[1])]
        found = {name: np.empty_like(centre) for name in QUANTILES}
        noise = by_day(centre, scale, groups)
        for group in np.unique(groups):
            rows = groups == group
            table = self.table.get(str(group), self.table["all"])
            for name in QUANTILES:
                width = np.array([table[week][name] for week in weeks])
                found[name][rows] = centre[rows] + noise[rows] * width[None, :]
        np.clip(found["q10"], 0.0, centre, out=found["q10"])
        np.clip(found["q025"], 0.0, found["q10"], out=found["q025"])
        np.maximum(found["q90"], centre, out=found["q90"])
        np.maximum(found["q975"], found["q90"], out=found["q975"])
        return found


def calibrate(
    actual: Floats, centre: Floats, scale: Floats, groups: NDArray[np.str_], block: NDArray[np.datetime64]
) -> Bands:
    """Learn bands from held-out forecasts.

    actual, centre: shape (rows, horizon), NaN where unknown. scale, groups, block (the origin): shape (rows,). Rows
    without noise of their own (scale 0) teach nothing. A group with under 200 residuals in a week uses its
    last week that has them, else the pooled ones, and without any residual the normal quantiles.

    A new season is not one of those learned from: bands from the other blocks are tried on each block, and where they
    hold less than they say in the mean, all are widened until they do (by 1.6 times at most, never narrowed).
    """
    table = _table(actual, centre, scale, groups)
    if len(np.unique(block)) < 3:
        return Bands(table)
    left_out = held_out_bands(actual, centre, scale, groups, block)
    seen = ~np.isnan(actual) & (scale > 0)[:, None]
    factors = {band: _widening(actual, centre, left_out, seen, band) for band in BANDS}
    factor = {name: factors[band] for band, names in BANDS.items() for name in names}
    return Bands(
        {
            group: {week: {name: value * factor[name] for name, value in one.items()} for week, one in weeks.items()}
            for group, weeks in table.items()
        }
    )


def held_out_bands(
    actual: Floats, centre: Floats, scale: Floats, groups: NDArray[np.str_], block: NDArray[np.datetime64]
) -> dict[str, Floats]:
    """Bands for each block learned from the other blocks only, so that their coverage is an honest figure.

    block: shape (rows,), the cutoff of each row. With a single block the bands are the normal ones.
    """
    found = {name: np.full(centre.shape, np.nan) for name in QUANTILES}
    for one in np.unique(block):
        here = block == one
        bands = Bands(_table(actual[~here], centre[~here], scale[~here], groups[~here]))
        for name, values in bands.around(centre[here], scale[here], groups[here]).items():
            found[name][here] = values
    return found


def _widening(
    actual: Floats, centre: Floats, bands: Mapping[str, Floats], seen: NDArray[np.bool_], share: float
) -> float:
    """The least factor, 1 to WIDEST, by which bands must grow about their centre to hold `share` of what was seen."""
    low, high = BANDS[share]
    above, below = (actual - centre)[seen], (centre - actual)[seen]
    up, down = (bands[high] - centre)[seen], (centre - bands[low])[seen]
    # a day needs this factor to lie inside; a side without width never holds more however it is widened
    needed = np.where(above > 0, _needed(above, up), _needed(below, np.where(bands[low][seen] > 0, down, np.inf)))
    if not needed.size:
        return 1.0
    return float(np.clip(np.quantile(needed, share), 1.0, WIDEST))


def _needed(gap: Floats, width: Floats) -> Floats:
    found: Floats = np.where(gap <= 0, 0.0, np.inf)
    np.divide(gap, width, out=found, where=(gap > 0) & (width > 0))
    return found


def _table(actual: Floats, centre: Floats, scale: Floats, groups: NDArray[np.str_]) -> dict[str, Table]:
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = np.where(scale[:, None] > 0, (actual - centre) / by_day(centre, scale, groups), np.nan)
    everywhere = np.ones(len(groups), dtype=bool)
    weeks = [str(week) for week in range(1, 1 + -(-centre.shape[1] // WEEK))]
    pooled = _by_week(residual, everywhere, dict.fromkeys(weeks, NORMAL), 1)
    return {"all": pooled} | {str(g): _by_week(residual, groups == g, pooled, ENOUGH) for g in np.unique(groups)}


def _by_week(residual: Floats, rows: NDArray[np.bool_], fallback: Mapping[str, dict[str, float]], enough: int) -> Table:
    table: Table = {}
    learned: dict[str, float] | None = None
    for week in fallback:
        values = residual[rows, (int(week) - 1) * WEEK : int(week) * WEEK]
        values = values[~np.isnan(values)]
        if len(values) >= enough:
            learned = {name: ranked(values, share) for name, share in QUANTILES.items()}
        table[week] = dict(learned or fallback[week])
    return table
