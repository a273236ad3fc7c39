"""Bands by scaled conformal prediction: how wrong past forecasts were, in units of each item's own noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.panel import Floats, Ints, Panel

QUANTILES = {"q025": 0.025, "q10": 0.1, "q90": 0.9, "q975": 0.975}
NORMAL = {"q025": -1.96, "q10": -1.2816, "q90": 1.2816, "q975": 1.96}  # used only where there is no past to learn from
LOOKBACK = 91  # days of seasonal-naive errors behind an item's own scale
ENOUGH = 200  # residuals a group and week need for a 2.5 % quantile of their own (5 beyond it)
Table = dict[str, dict[str, float]]


def own_scale(panel: Panel, picked: Ints) -> Floats:
    """Noise of each picked row's item at its origin, in the meter's unit, shape (picked,).

    The larger of the 28-day standard deviation and the item's own seasonal-naive error: its 80 % quantile over 91
    days, over sqrt(2) (the difference of two noisy days is that much wider than one) and over 1.2816 (a normal's
    80 % two-sided quantile). The floor keeps a band from collapsing after a calm month (ml.md 4.3).
    """
    errors = panel.seasonal_errors(picked, LOOKBACK)
    known = ~np.isnan(errors).all(axis=1)
    floor = np.zeros(len(picked))
    if known.any():
        floor[known] = np.nanquantile(errors[known], 0.8, axis=1) / (np.sqrt(2) * 1.2816)
    return np.fmax(np.nan_to_num(panel.column("sd_28")[picked]), floor)


def ranked(residuals: Floats, probability: float) -> float:
    """Finite-sample conformal quantile: the rank that covers a new, exchangeable residual; the extreme if too few."""
    ordered = np.sort(residuals)
    n = len(ordered)
    rank = np.floor((n + 1) * probability) if probability < 0.5 else np.ceil((n + 1) * probability)
    return float(ordered[int(np.clip(rank, 1, n)) - 1])


@dataclass(frozen=True)
class Bands:
    """Residual quantiles in units of `own_scale`, by group ("all" is the fallback) and horizon week ("1".."4")."""

    table: Mapping[str, Mapping[str, Mapping[str, float]]]

    def around(self, centre: Floats, scale: Floats, groups: NDArray[np.str_]) -> dict[str, Floats]:
        """Quantiles in the unit of `centre`, shape (rows, horizon): never negative, never crossing, around the centre.

        centre: shape (rows, horizon). scale, groups: shape (rows,).
        """
        weeks = [str(1 + step // 7) for step in range(centre.shape[1])]
        found = {name: np.empty_like(centre) for name in QUANTILES}
        for group in np.unique(groups):
            rows = groups == group
            table = self.table.get(str(group), self.table["all"])
            for name in QUANTILES:
                width = np.array([table[week][name] for week in weeks])
                found[name][rows] = centre[rows] + scale[rows][:, None] * width[None, :]
        low = np.minimum(np.clip(np.stack([found["q025"], found["q10"]]), 0, None), centre)
        high = np.maximum(np.stack([found["q90"], found["q975"]]), centre)
        return dict(zip(QUANTILES, [*np.sort(low, axis=0), *np.sort(high, axis=0)], strict=True))


def calibrate(actual: Floats, centre: Floats, scale: Floats, groups: NDArray[np.str_]) -> Bands:
    """Learn bands from held-out forecasts.

    actual, centre: shape (rows, horizon), NaN where unknown. scale, groups: shape (rows,). Rows without noise of
    their own (scale 0) teach nothing and are left out. A group with under 200 residuals in a week uses the pooled ones,
    and without any residual the normal quantiles.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = np.where(scale[:, None] > 0, (actual - centre) / scale[:, None], np.nan)
    everywhere = np.ones(len(groups), dtype=bool)
    pooled = _by_week(residual, everywhere, dict.fromkeys(("1", "2", "3", "4"), NORMAL), 1)
    table = {"all": pooled} | {str(g): _by_week(residual, groups == g, pooled, ENOUGH) for g in np.unique(groups)}
    return Bands(table)


def _by_week(residual: Floats, rows: NDArray[np.bool_], fallback: Mapping[str, dict[str, float]], enough: int) -> Table:
    table: Table = {}
    for week in fallback:
        values = residual[rows, (int(week) - 1) * 7 : int(week) * 7]
        values = values[~np.isnan(values)]
        own = {name: ranked(values, share) for name, share in QUANTILES.items()} if len(values) >= enough else None
        table[week] = own or fallback[week]
    return table


def held_out_bands(
    actual: Floats, centre: Floats, scale: Floats, groups: NDArray[np.str_], block: NDArray[np.datetime64]
) -> dict[str, Floats]:
    """Bands for each block learned from the other blocks only, so that their coverage is an honest figure.

    block: shape (rows,), the cutoff of each row. With a single block the bands are the normal ones.
    """
    found = {name: np.full(centre.shape, np.nan) for name in QUANTILES}
    for one in np.unique(block):
        here = block == one
        bands = calibrate(actual[~here], centre[~here], scale[~here], groups[~here])
        for name, values in bands.around(centre[here], scale[here], groups[here]).items():
            found[name][here] = values
    return found
