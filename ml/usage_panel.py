"""The usage panel of the warehouse: features of every origin, the days around them, the billing periods ahead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd

from ml import warehouse
from ml.intervals import LOOKBACK
from ml.panel import BLOCKS, HORIZON, KEYS, SCALARS, SEASON, Floats, Panel

LEARNING_ITEMS = 3_000  # a fit takes 250,000 rows: more items than this would only be left out of it
ITEM = ["account_id", "subscription_item_id"]
COLUMNS: dict[str, str] = {
    **{name: name for name in (*KEYS, "origin_date", "is_scoring")},
    **{name: f"cast({name} as double) as {name}" for name in SCALARS},
    # Arrays are unpacked in SQL: fixed-size and plain lists then look the same here.
    **{name: ", ".join(f"{name}[{i}] as {name}_{i}" for i in range(1, size + 1)) for name, size in BLOCKS.items()},
}
DAILY = {name: name for name in (*ITEM, "usage_date")} | {"quantity": "cast(quantity as double) as quantity"}
PERIODS = {
    name: name
    for name in (*ITEM, "origin_date", "period_number", "period_start", "aggregation_formula", "quantity_so_far")
} | {name: name for name in ("first_horizon", "last_horizon", "first_share", "last_share")}


def some_ids(entity: str, relation: str, day: str) -> str:
    """A query for the ids in column `entity` of a relation that are known by $1: of 3,000 at most, by their hash.

    Names are ours, never a person's input.
    """
    known = f"select distinct {entity} as id from {relation} where {day} <= $1"  # noqa: S608 - names of our own code
    return f"select id from ({known}) order by md5(id), id limit {LEARNING_ITEMS}"  # noqa: S608 - as above


def load(
    connection: duckdb.DuckDBPyConnection, as_of: date, *, for_scoring: bool = False, horizon: int = HORIZON
) -> Panel:
    """Features and daily usage known at `as_of`; nothing later is read, even where the table holds it.

    for_scoring: only the rows whose origin is `as_of`, of every item, and the last 98 days of usage (for the width of
    the bands). Otherwise of 3,000 items at most, picked by their id's hash. Raises RelationMissing or ColumnsMissing.
    """
    few = f"subscription_item_id in ({some_ids('subscription_item_id', 'features.usage_asof', 'origin_date')})"
    where = "origin_date = $1" if for_scoring else f"origin_date <= $1 and {few}"
    rows = warehouse.fetch(connection, "features.usage_asof", COLUMNS, where, [as_of])
    rows = rows.sort_values([*ITEM, "origin_date"], ignore_index=True)
    since = as_of - timedelta(days=LOOKBACK + SEASON - 1) if for_scoring else date(1970, 1, 1)
    where = "usage_date between $2 and $1" if for_scoring else f"usage_date between $2 and $1 and {few}"
    daily = warehouse.fetch(connection, "marts.fct_usage_daily", DAILY, where, [as_of, since])
    return assemble(as_of, horizon, rows, daily)


def count(connection: duckdb.DuckDBPyConnection, as_of: date) -> int:
    """Items alive at `as_of`."""
    query = "select count(*) from features.usage_asof where origin_date = ?"
    found: int = connection.execute(query, [as_of]).fetchall()[0][0]
    return found


def periods(connection: duckdb.DuckDBPyConnection, origins: Sequence[date]) -> pd.DataFrame:
    """Billing periods open at each origin and those that follow it, as in `features.usage_periods_ahead`, sorted.

    Raises RelationMissing or ColumnsMissing.
    """
    named = ", ".join(f"date '{day.isoformat()}'" for day in origins) or "null"
    found = warehouse.fetch(connection, "features.usage_periods_ahead", PERIODS, f"origin_date in ({named})", [])
    return found.sort_values([*ITEM, "origin_date", "period_number"], ignore_index=True)


def assemble(as_of: date, horizon: int, rows: pd.DataFrame, daily: pd.DataFrame) -> Panel:
    """A panel of rows with COLUMNS (arrays unpacked) and of daily usage with DAILY's columns."""
    items = pd.MultiIndex.from_frame(rows[ITEM].drop_duplicates())
    day = daily["usage_date"].to_numpy().astype("datetime64[D]")
    end = np.datetime64(as_of, "D")
    first = min([*day[:1], day.min()]) if len(day) else end
    matrix = np.full((len(items), int((end - first).astype(int)) + 1), np.nan)
    place = items.get_indexer(pd.MultiIndex.from_frame(daily[ITEM]))
    known = place >= 0
    matrix[place[known], (day[known] - first).astype(int)] = daily["quantity"].to_numpy(np.float64)[known]
    item = items.get_indexer(pd.MultiIndex.from_frame(rows[ITEM])).astype(np.int64)
    position = (rows["origin_date"].to_numpy().astype("datetime64[D]") - first).astype(np.int64)
    features: dict[str, Floats] = {name: rows[name].to_numpy(np.float64) for name in SCALARS}
    for name, size in BLOCKS.items():
        features[name] = rows[[f"{name}_{i}" for i in range(1, size + 1)]].to_numpy(np.float64)
    return Panel(as_of, horizon, rows[[*KEYS, "origin_date"]], features, matrix, item, position)
