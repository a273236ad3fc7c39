"""Usage features and targets as arrays: one row per item and origin, and the days around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

HORIZON = 90  # days; the furthest day that is forecast
SEASON = 7
YEAR_BEFORE = 126  # days origin-391 … origin-266: the 28 days a year before the origin, and those before the targets
YEAR_FIRST = 392  # year_before[0] is the day origin + 1 - 392
KEYS = ("account_id", "subscription_item_id", "customer_id", "meter_id", "currency", "price_id", "plan")
TRAILING = ("mean_7", "mean_14", "mean_28", "mean_56", "mean_91", "mean_364", "sd_28", "last_1", "last_2", "last_3")
SHARES = ("history_days", "zero_share_28", "days_since_nonzero")
SCALARS = ("level", *TRAILING, "last_7", *SHARES)
BY_WEEKDAY = ("same_weekday_last", "same_weekday_mean_4", "same_weekday_mean_8", "same_weekday_median_8")
BLOCKS = {**dict.fromkeys(BY_WEEKDAY, SEASON), "year_before": YEAR_BEFORE}
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Panel:
    """What was known at each origin, and what came after it as far as `as_of` allows.

    horizon: days forecast from each origin. rows: one row per item and origin, sorted, with KEYS and origin_date.
    features: SCALARS of shape (rows,) and BLOCKS of shape (rows, size), as in `features.usage_asof`, NaN for unknown.
    daily: shape (items, days) usage in the meter's unit, NaN where the item was not alive or nothing was observed,
    last column = as_of. item: shape (rows,) row of `daily`; position: shape (rows,) the origin's column in `daily`.
    """

    as_of: date
    horizon: int
    rows: pd.DataFrame
    features: Mapping[str, Floats]
    daily: Floats
    item: Ints
    position: Ints

    def origins(self) -> NDArray[np.datetime64]:
        """Origin of each row as datetime64[D], shape (rows,)."""
        return self.rows["origin_date"].to_numpy().astype("datetime64[D]")

    def at(self, origin: date) -> Ints:
        """Rows whose origin is this day."""
        return np.flatnonzero(self.origins() == np.datetime64(origin, "D"))

    def targets(self, picked: Ints, until: date | None = None) -> Floats:
        """What came 1 … horizon days after each picked row's origin, shape (picked, horizon).

        NaN where nothing was observed, and after `until` or as_of.
        """
        ahead = self.position[picked][:, None] + np.arange(1, self.horizon + 1)[None, :]
        last = self.daily.shape[1] - 1 - ((self.as_of - until).days if until else 0)
        found = self.daily[self.item[picked][:, None], np.minimum(ahead, self.daily.shape[1] - 1)]
        return np.where(ahead <= last, found, np.nan)

    def seasonal_errors(self, picked: Ints, days: int) -> Floats:
        """|y(t) - y(t-7)| over the `days` up to each picked row's origin, shape (picked, days); NaN where unknown."""
        back = self.position[picked][:, None] - np.arange(days)[None, :]
        item = self.item[picked][:, None]
        change = np.abs(self.daily[item, np.maximum(back, 0)] - self.daily[item, np.maximum(back - SEASON, 0)])
        return np.where(back >= SEASON, change, np.nan)

    def subset(self, picked: Ints) -> Panel:
        """The same panel with these rows only."""
        features = {name: values[picked] for name, values in self.features.items()}
        rows = self.rows.iloc[picked].reset_index(drop=True)
        return Panel(self.as_of, self.horizon, rows, features, self.daily, self.item[picked], self.position[picked])


def pairs(picked: Ints, horizon: int) -> tuple[Ints, Ints]:
    """Every (row, days ahead) of the picked rows, row by row."""
    return np.repeat(picked, horizon), np.tile(np.arange(1, horizon + 1), len(picked))


def sample(panel: Panel, picked: Ints, until: date, limit: int, seed: int) -> tuple[Ints, Ints]:
    """Training pairs (panel row, days ahead) with a known target, at most `limit`, drawn by item and origin.

    Only targets up to `until` count. Of too many pairs each item and origin keeps the same share of its days, drawn at
    random: more items and origins teach more than more days of one. The draw depends on `seed` and the sorted rows.
    """
    known = ~np.isnan(panel.targets(picked, until))
    rng = np.random.default_rng(seed)
    least = min(7, panel.horizon)  # days an item and origin must teach to be worth its features
    most = max(1, limit // least)
    if len(picked) > most:
        kept = np.sort(rng.permutation(len(picked))[:most])
        picked, known = picked[kept], known[kept]
    row, step = np.nonzero(known)
    if len(row) > limit:
        kept = np.sort(rng.permutation(len(row))[:limit])
        row, step = row[kept], step[kept]
    return picked[row], step + 1


def vocabulary(rows: pd.DataFrame, names: Sequence[str]) -> dict[str, list[str]]:
    """Known values of each categorical column, sorted, so that a code means the same at training and scoring."""
    return {name: sorted(rows[name].dropna().astype(str).unique().tolist()) for name in names}
