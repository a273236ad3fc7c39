"""Made-up companies for tests of drift: everything that moves usage without a change, and a change on demand.

Weekdays, busy month ends, holidays, a season that some segments have, growth that differs by plan, slow swings and
noisy weeks of each customer, items that are rarely used. Features are computed here in plain numpy, not by dbt's SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FIRST = date(2024, 11, 1)
DAYS = 760
PLANS, METERS, CURRENCIES, SEGMENTS = ("starter", "growth", "scale"), ("m_api", "m_gb"), ("usd", "eur"), ("a", "b", "c")
HOLIDAYS = tuple(range(-7, 2))  # days around the turn of the year


@dataclass(frozen=True)
class World:
    """items: one row per item (account_id, subscription_item_id, customer_id, meter, plan, currency, segment, born);
    daily: shape (items, DAYS) usage, NaN before the item was born."""

    items: pd.DataFrame
    daily: Floats

    def resample(self, rng: np.random.Generator, customers: int) -> World:
        """As many customers drawn with replacement, each draw a customer of its own."""
        rows_of = list(self.items.groupby("customer_id", sort=True).indices.values())
        drawn = [rows_of[place] for place in rng.integers(0, len(rows_of), customers)]
        items = self.items.iloc[np.concatenate(drawn)].reset_index(drop=True)
        number = np.repeat(np.arange(customers), [len(rows) for rows in drawn])
        items["customer_id"] = [f"cus_{one:04d}" for one in number]
        items["subscription_item_id"] = [f"si_{one:05d}" for one in range(len(items))]
        return World(items, self.daily[np.concatenate(drawn)])

    def shifted(self, customers: set[str], first: int, factor: float) -> World:
        """The same, with the usage of some customers at `factor` times from day `first` on."""
        daily = self.daily.copy()
        daily[np.ix_(self.items["customer_id"].isin(customers).to_numpy(), np.arange(first, self.daily.shape[1]))] *= (
            factor
        )
        return World(self.items, daily)

    def features(self, day: int) -> dict[str, Floats]:
        """What drift reads of features.usage_asof on a day and the 52 weekly origins before, shape (items, 53).

        NaN where an item was not alive, or where there are not 91 days to look back on.
        """
        known, filled = ~np.isnan(self.daily), np.nan_to_num(self.daily)
        total, square, seen, silent = (
            np.cumsum(np.pad(one, ((0, 0), (1, 0))), axis=1)
            for one in (filled, filled**2, known.astype(float), (known & (filled == 0)).astype(float))
        )
        used = np.maximum.accumulate(np.where(filled > 0, np.arange(self.daily.shape[1]), -1), axis=1)
        origins = np.arange(day - 364, day + 1, 7)
        end = np.maximum(origins, 91) + 1
        alive = known[:, end - 1] & (origins >= 91)[None, :]
        means = {n: (total[:, end] - total[:, end - n]) / n for n in (7, 28, 91)}
        variance = (square[:, end] - square[:, end - 28]) / 28 - means[28] ** 2
        found = {f"mean_{n}": values for n, values in means.items()} | {
            "history_days": seen[:, end],
            "level": 0.5 * (means[28] + means[91]),
            "sd_28": np.sqrt(np.maximum(variance, 0)),
            "zero_share_28": (silent[:, end] - silent[:, end - 28]) / 28,
            "days_since_nonzero": np.where(used[:, end - 1] >= 0, end - 1 - used[:, end - 1], np.nan),
        }
        return {name: np.where(alive, values, np.nan) for name, values in found.items()}

    def asof(self, day: int) -> pd.DataFrame:
        """The same as rows, one per item and origin on which it was alive."""
        found = self.features(day)
        item, place = np.nonzero(~np.isnan(found["history_days"]))
        days = pd.DatetimeIndex([FIRST + timedelta(days=day - 364 + 7 * step) for step in range(53)])
        rows = self.items.iloc[item].reset_index(drop=True)
        return rows.assign(origin_date=days[place], **{name: values[item, place] for name, values in found.items()})


def build(seed: int, customers: int = 300) -> World:
    """A company without any change of level in a segment."""
    rng = np.random.default_rng(seed)
    words = {
        name: rng.choice(np.array(values), customers)
        for name, values in (("plan", PLANS), ("currency", CURRENCIES), ("segment", SEGMENTS))
    }
    has = rng.uniform(size=(customers, len(METERS))) < (1.0, 0.6)
    who, meter = np.nonzero(has)
    items = pd.DataFrame({name: values[who] for name, values in words.items()})
    items = items.assign(
        account_id="acct_drift",
        customer_id=[f"cus_{one:04d}" for one in who],
        subscription_item_id=[f"si_{one:05d}" for one in range(len(who))],
        meter=np.array(METERS)[meter],
    )
    return World(items, _daily(rng, items, who))


def _daily(rng: np.random.Generator, items: pd.DataFrame, who: NDArray[np.int64]) -> Floats:
    day, count, customers = np.arange(DAYS), len(items), int(who.max()) + 1
    dates = pd.date_range(FIRST, periods=DAYS)
    weekend = np.where(dates.day_of_week >= 5, 1.0, 0.0)
    month_end = np.where(dates.day >= 27, 1.0, 0.0)
    turn = [(pd.Timestamp(year, 1, 1) - dates[0]).days + off for year in (2025, 2026, 2027) for off in HOLIDAYS]
    holiday = np.isin(day, turn).astype(float)
    growth = items["plan"].map({"starter": 0.0012, "growth": 0.0006, "scale": 0.0}).to_numpy()
    season = items["segment"].map({"a": 0.25, "b": 0.1, "c": 0.0}).to_numpy()
    heights = rng.normal(0, 0.12, (customers, DAYS // 45 + 2))
    slow = np.stack([np.interp(day / 45, np.arange(heights.shape[1]), one) for one in heights])[who]
    weeks = np.repeat(rng.normal(0, 0.12, (count, DAYS // 7 + 1)), 7, axis=1)[:, :DAYS]
    log = rng.normal(4, 1.2, count)[:, None] + growth[:, None] * day + slow + weeks
    log = log + season[:, None] * np.cos(2 * np.pi * (day - 40) / 365.25)
    log = log + rng.normal(-0.6, 0.2, count)[:, None] * weekend + rng.normal(0.3, 0.2, count)[:, None] * month_end
    log = log + rng.normal(-0.4, 0.2, count)[:, None] * holiday + rng.normal(0, 0.3, (count, DAYS))
    daily: Floats = np.exp(log)
    rare = rng.uniform(size=count) < 0.1
    daily[rare] *= rng.uniform(size=(int(rare.sum()), DAYS)) < 0.15
    born = np.where(rng.uniform(size=customers) < 0.6, 0, rng.integers(0, DAYS, customers))[who]
    return np.where(day[None, :] < born[:, None], np.nan, daily)
