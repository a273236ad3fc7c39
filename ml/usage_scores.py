"""The champion's usage forecast of today: days with bands, and paths of the billing periods ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml import matrix, paths, routes, scores
from ml.forecast import Heads
from ml.intervals import Bands, own_scale
from ml.panel import Floats, Panel, pairs
from ml.routes import SEASONAL_NAIVE, WEEKDAY_MEAN

if TYPE_CHECKING:
    import pyarrow as pa

ITEMS_AT_A_TIME = 5_000
IDS = ("account_id", "subscription_item_id", "customer_id", "meter_id")


@dataclass(frozen=True)
class Champion:
    """What scoring needs of the serving version. chosen: the method of each segment; donors: `paths.residuals`."""

    name: str
    version: str
    chosen: dict[str, str]
    bands: Bands
    heads: Heads | None
    donors: pd.DataFrame


def run(panel: Panel, champion: Champion, periods: pd.DataFrame) -> tuple[pa.Table, pd.DataFrame]:
    """Rows of `usage_forecast` and of `usage_paths`, without run columns.

    panel: one row per item, at the day that is scored. periods: `usage_panel.periods` of that day. Large accounts are
    forecast 5,000 items at a time: what is kept of each is its table, and its mean for the paths.
    """
    import pyarrow as pa

    mean = np.empty((len(panel.item), panel.horizon))
    scale = np.empty(len(panel.item))
    methods, demands, tables = [], [], []
    cohorts = routes.cohort_levels(panel)
    for start in range(0, len(panel.item), ITEMS_AT_A_TIME):
        part = panel.subset(np.arange(start, min(start + ITEMS_AT_A_TIME, len(panel.item))))
        rows = np.arange(len(part.item))
        tried = routes.candidates(part, rows, champion.heads, cohorts)
        served = routes.serve(part, rows, champion.chosen, tried)
        width, demand = own_scale(part, rows), routes.demand_class(part, rows)
        values = {
            "yhat_mean": served.mean,
            "yhat_median": served.median,
            **champion.bands.around(served.median, width, demand),
            "seasonal_naive": tried[SEASONAL_NAIVE].median,
            "weekday_mean": tried[WEEKDAY_MEAN].median,
        }
        tables.append(_table(part, champion, values, {"demand_class": demand, "method": served.method}))
        mean[start : start + len(rows)], scale[start : start + len(rows)] = served.mean, width
        methods.append(served.method)
        demands.append(demand)
    outlook = paths.Outlook(panel.rows, mean, scale, np.concatenate(demands), np.concatenate(methods))
    drawn = paths.today(outlook, periods, champion.donors)
    drawn = drawn.assign(model_name=champion.name, model_version=champion.version)
    return pa.concat_tables(tables).unify_dictionaries(), drawn


def _table(panel: Panel, champion: Champion, values: dict[str, Floats], words: dict[str, Any]) -> pa.Table:
    import pyarrow as pa

    row, horizon = pairs(np.arange(len(panel.item)), panel.horizon)
    index = pa.array(row.astype(np.int32))
    named = {name: pa.array(panel.rows[name].astype(str)) for name in IDS} | {
        name: pa.array(column.astype(object)) for name, column in words.items()
    }
    named |= {name: pa.array([value] * len(panel.item)) for name, value in _model(champion).items()}
    short = {name: column.dictionary_encode() for name, column in named.items()}
    columns = {
        name: pa.DictionaryArray.from_arrays(one.indices.take(index), one.dictionary) for name, one in short.items()
    }
    columns |= {name: pa.array(column.ravel()) for name, column in values.items()}
    days = matrix.target_days(panel.origins()[row], horizon)
    columns |= {"as_of": pa.array(panel.origins()[row]), "forecast_date": pa.array(days)}
    columns["horizon"] = pa.array(horizon.astype(np.int32))
    return scores.shaped("usage_forecast", pa.table(columns))


def _model(champion: Champion) -> dict[str, str]:
    return {"model_name": champion.name, "model_version": champion.version}
