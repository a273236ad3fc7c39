"""Daily usage of items as a matrix, and what earlier forecasts said of those days."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from ml import scores, warehouse
from ml.panel import Floats

AHEAD_DAYS = 28  # a forecast of more days ahead judges no day
COLUMNS = ("account_id", "subscription_item_id", "customer_id", "meter_id")
SPAN = {"usage_date": "min(usage_date) as first_day, max(usage_date) as last_day"}


def items(connection: duckdb.DuckDBPyConnection, as_of: date) -> pd.DataFrame:
    """One row per item with counted usage up to `as_of`, by account, customer, meter: names, first_day, last_day."""
    names = "account_id, customer_id, meter_id, subscription_item_id"
    found = warehouse.fetch(
        connection,
        "marts.fct_usage_daily",
        {name: name for name in COLUMNS} | SPAN,
        f"is_counted and usage_date <= $1 group by {names}",
        [as_of],
    )
    for name in ("first_day", "last_day"):
        found[name] = pd.to_datetime(found[name]).dt.date
    # an item belongs to one customer; of data that say otherwise the first is taken
    found = found.sort_values(names.split(", "), ignore_index=True)
    return found.drop_duplicates(["account_id", "subscription_item_id"], ignore_index=True)


def daily(connection: duckdb.DuckDBPyConnection, some: pd.DataFrame, first: date, as_of: date) -> Floats:
    """Usage of each item, shape (items, days from `first` to `as_of`); NaN before its first and after its last day."""
    connection.register("some_items", _placed(some))
    found = connection.execute(
        "select place, date_diff('day', $1, usage_date) as day, cast(quantity as double) as quantity "
        "from marts.fct_usage_daily inner join some_items using (account_id, subscription_item_id) "
        "where is_counted and usage_date <= $2",
        [first, as_of],
    ).fetchnumpy()
    connection.unregister("some_items")
    matrix = np.full((len(some), (as_of - first).days + 1), np.nan)
    matrix[found["place"], found["day"]] = found["quantity"]
    return matrix


def bands(folder: Path, some: pd.DataFrame, first: date, as_of: date, since: date) -> Floats:
    """The median and the 95 % band that was forecast for each day before it came; shape (3, items, days).

    Of each day from `since` on the newest forecast made before it counts, of at most 28 days ahead; else NaN.
    """
    said = np.full((3, len(some), (as_of - first).days + 1), np.nan)
    if not scores.has_run(folder, "usage_forecast"):
        return said
    query = f"""
        select
            place, date_diff('day', $1, forecast_date) as day,
            arg_max(struct_pack(m := yhat_median, l := q025, h := q975), (as_of, scored_at)) as said
        from {scores.relation(folder, "usage_forecast")} as forecasts
        inner join some_items using (account_id, subscription_item_id)
        where as_of between $4 and $2 and forecast_date between $3 and $2 and forecast_date > as_of and horizon <= $5
        group by 1, 2
    """  # noqa: S608 - a file name of ours, quoted
    with duckdb.connect() as files:
        files.register("some_items", _placed(some))
        days = [first, as_of, since, since - timedelta(days=AHEAD_DAYS), AHEAD_DAYS]
        found = files.execute(query, days).fetchall()
    for place, day, values in found:
        said[:, place, day] = values["m"], values["l"], values["h"]
    return said


def _placed(some: pd.DataFrame) -> pd.DataFrame:
    return some[["account_id", "subscription_item_id"]].assign(place=np.arange(len(some)))
