"""Usage features and targets as arrays: one row per item and origin, one column per horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import warehouse

HORIZON = 28  # days; lag_364 is published for as many
SEASON = 7
KEYS = ("account_id", "subscription_item_id", "customer_id", "meter_id", "currency", "price_id", "plan")
TRAILING = ("mean_7", "mean_14", "mean_28", "mean_56", "mean_91", "mean_364", "sd_28", "last_1", "last_2", "last_3")
SHARES = ("history_days", "zero_share_28", "days_since_nonzero")
BY_WEEKDAY = ("same_weekday_last", "same_weekday_mean_4", "same_weekday_mean_8", "same_weekday_median_8")
COLUMNS: dict[str, str] = {
    **{name: name for name in (*KEYS, "origin_date", "is_scoring")},
    **{name: f"cast({name} as double) as {name}" for name in ("level", *TRAILING, "last_7", *SHARES)},
    # Arrays are unpacked in SQL: fixed-size and plain lists then look the same here.
    **{name: ", ".join(f"{name}[{i}] as {name}_{i}" for i in range(1, SEASON + 1)) for name in BY_WEEKDAY},
    "lag_364": ", ".join(f"lag_364[{i}] as lag_364_{i}" for i in range(1, HORIZON + 1)),
}
DAILY = {name: name for name in ("account_id", "subscription_item_id", "usage_date")} | {
    "quantity": "cast(quantity as double) as quantity"
}
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Panel:
    """What was known at each origin, and what came after it as far as `as_of` allows.

    rows: one row per item and origin, sorted, features as in `features.usage_asof`. daily: shape (items, days)
    usage in the meter's unit, NaN where the item was not alive, last column = as_of. item: shape (rows,) row of
    `daily`; position: shape (rows,) the origin's column in `daily`.
    """

    as_of: date
    rows: pd.DataFrame
    daily: Floats
    item: Ints
    position: Ints
    _columns: dict[str, Floats] = field(default_factory=dict, repr=False)

    def column(self, name: str) -> Floats:
        """One feature as float64, shape (rows,)."""
        if name not in self._columns:
            self._columns[name] = self.rows[name].to_numpy(np.float64)
        return self._columns[name]

    def block(self, name: str) -> Floats:
        """An unpacked array feature, shape (rows, 7) by target weekday, or (rows, 28) by horizon for lag_364."""
        if name not in self._columns:
            size = HORIZON if name == "lag_364" else SEASON
            self._columns[name] = self.rows[[f"{name}_{i}" for i in range(1, size + 1)]].to_numpy(np.float64)
        return self._columns[name]

    def origins(self) -> NDArray[np.datetime64]:
        """Origin of each row as datetime64[D], shape (rows,)."""
        return self.rows["origin_date"].to_numpy().astype("datetime64[D]")

    def at(self, origin: date) -> Ints:
        """Rows whose origin is this day."""
        return np.flatnonzero(self.origins() == np.datetime64(origin, "D"))

    def targets(self, picked: Ints, until: date | None = None) -> Floats:
        """What came 1..28 days after each picked row's origin, shape (picked, 28); NaN after `until` or as_of."""
        ahead = self.position[picked][:, None] + np.arange(1, HORIZON + 1)[None, :]
        last = self.daily.shape[1] - 1 - ((self.as_of - until).days if until else 0)
        found = self.daily[self.item[picked][:, None], np.minimum(ahead, self.daily.shape[1] - 1)]
        return np.where(ahead <= last, found, np.nan)

    def seasonal_errors(self, picked: Ints, days: int) -> Floats:
        """|y(t) - y(t-7)| over the `days` up to each picked row's origin, shape (picked, days); NaN where unknown."""
        change = np.full_like(self.daily, np.nan)
        change[:, SEASON:] = np.abs(self.daily[:, SEASON:] - self.daily[:, :-SEASON])
        back = self.position[picked][:, None] - np.arange(days)[None, :]
        return np.where(back >= 0, change[self.item[picked][:, None], np.maximum(back, 0)], np.nan)


def load(connection: duckdb.DuckDBPyConnection, as_of: date, *, for_scoring: bool = False) -> Panel:
    """Features and daily usage known at `as_of`; nothing later is read, even where the table holds it.

    for_scoring: only the rows whose origin is `as_of`, and the last 98 days of usage (for the width of the bands).
    Raises RelationMissing or ColumnsMissing.
    """
    where = "origin_date = ?" if for_scoring else "origin_date <= ?"
    rows = warehouse.fetch(connection, "features.usage_asof", COLUMNS, where, [as_of])
    rows = rows.sort_values(["account_id", "subscription_item_id", "origin_date"], ignore_index=True)
    since = as_of - timedelta(days=91 + SEASON - 1) if for_scoring else date(1970, 1, 1)
    daily = warehouse.fetch(connection, "marts.fct_usage_daily", DAILY, "usage_date between ? and ?", [since, as_of])
    return _assemble(as_of, rows, daily)


def count(connection: duckdb.DuckDBPyConnection, as_of: date) -> int:
    """Items alive at `as_of`."""
    query = "select count(*) from features.usage_asof where origin_date = ?"
    found: int = connection.execute(query, [as_of]).fetchall()[0][0]
    return found


def _assemble(as_of: date, rows: pd.DataFrame, daily: pd.DataFrame) -> Panel:
    keys = ["account_id", "subscription_item_id"]
    items = pd.MultiIndex.from_frame(rows[keys].drop_duplicates())
    day = daily["usage_date"].to_numpy().astype("datetime64[D]")
    end = np.datetime64(as_of, "D")
    first = min([*day[:1], day.min()]) if len(day) else end
    matrix = np.full((len(items), int((end - first).astype(int)) + 1), np.nan)
    place = items.get_indexer(pd.MultiIndex.from_frame(daily[keys]))
    known = place >= 0
    matrix[place[known], (day[known] - first).astype(int)] = daily["quantity"].to_numpy(np.float64)[known]
    item = items.get_indexer(pd.MultiIndex.from_frame(rows[keys])).astype(np.int64)
    position = (rows["origin_date"].to_numpy().astype("datetime64[D]") - first).astype(np.int64)
    return Panel(as_of, rows, matrix, item, position)


def sample(panel: Panel, picked: Ints, until: date, limit: int, seed: int) -> tuple[Ints, Ints]:
    """Training pairs: (panel row, horizon 1..28), at most `limit`, drawn by whole item and origin.

    Only targets up to `until` count. The draw depends on `seed` and the sorted rows, not on their order in the table.
    """
    known = ~np.isnan(panel.targets(picked, until))
    order = np.random.default_rng(seed).permutation(len(picked))
    kept = np.sort(order[np.cumsum(known[order].sum(axis=1)) <= limit])
    row, step = np.nonzero(known[kept])
    return picked[kept][row], step + 1


def vocabulary(rows: pd.DataFrame, names: Sequence[str]) -> dict[str, list[str]]:
    """Known values of each categorical column, sorted, so that a code means the same at training and scoring."""
    return {name: sorted(rows[name].dropna().astype(str).unique().tolist()) for name in names}
