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
        daily[np.ix_(self.items["customer_id"].isin(customers).to_numpy(), np.arange(first, DAYS))] *= factor
        return World(self.items, daily)

    def asof(self, day: int) -> pd.DataFrame:
        """Rows of features.usage_asof at a day and the 52 weekly origins before it, with what drift reads."""
        known = ~np.isnan(self.daily)
        filled = np.nan_to_num(self.daily)
        total, square, seen, silent = (
            np.cumsum(np.pad(one, ((0, 0), (1, 0))), axis=1)
            for one in (filled, filled**2, known.astype(float), (known & (filled == 0)).astype(float))
        )
        used = np.maximum.accumulate(np.where(filled > 0, np.arange(DAYS), -1), axis=1)
        parts = []
        for origin in range(day - 364, day + 1, 7):
            if origin < 91:
                continue
            alive = seen[:, origin + 1] > 0
            back = {n: (total[:, origin + 1] - total[:, origin + 1 - n]) / n for n in (7, 28, 91)}
            spread = (square[:, origin + 1] - square[:, origin - 27]) / 28 - back[28] ** 2
            rows = self.items.assign(
                origin_date=pd.Timestamp(FIRST + timedelta(days=origin)),
                history_days=seen[:, origin + 1],
                level=0.5 * (back[28] + back[91]),
                sd_28=np.sqrt(np.maximum(spread, 0)),
                zero_share_28=(silent[:, origin + 1] - silent[:, origin - 27]) / 28,
                days_since_nonzero=np.where(used[:, origin] >= 0, origin - used[:, origin], np.nan),
                **{f"mean_{n}": values for n, values in back.items()},
            )
            parts.append(rows[alive])
        return pd.concat(parts, ignore_index=True)


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
    daily = np.exp(log)
    rare = rng.uniform(size=count) < 0.1
    daily[rare] *= rng.uniform(size=(int(rare.sum()), DAYS)) < 0.15
    born = np.where(rng.uniform(size=customers) < 0.6, 0, rng.integers(0, DAYS, customers))[who]
    daily[day[None, :] < born[:, None]] = np.nan
    return daily
