"""Churn risk as a discrete-time hazard: one row per customer and month end alive, two horizons, always in time order.

The head of 30 days is the hazard of a month (months do not overlap); the one of 90 days is fitted to its own label,
not multiplied up from the other. Tenure is a feature like any other.
"""

from __future__ import annotations

from datetime import date

import duckdb
import numpy as np
import pandas as pd

from ml import warehouse
from ml.churn_columns import FEATURES, NUMERIC, WORDS
from ml.churn_model import rate
from ml.churn_scoring import LEAVING

HORIZONS = (30, 90)
LEARNED_FROM = 100_000  # customer months
__all__ = ["FEATURES", "HORIZONS", "leaving_rate", "load", "modelled"]
COLUMNS = {
    **{name: name for name in ("account_id", "customer_id", "as_of_date", "is_scoring", "state", *WORDS)},
    **{name: f"cast({name} as double) as {name}" for name in NUMERIC},
}
LABELS = {
    name: name for name in ("account_id", "customer_id", "as_of_date", "horizon_days", "is_churned", "matured_on")
}


def load(connection: duckdb.DuckDBPyConnection, as_of: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customers to score at `as_of`, and all rows whose label had matured by then, one per customer, date and horizon
    (with `horizon_days`, `is_churned`, `matured_on`).
    """
    rows = warehouse.fetch(connection, "features.customer_asof", COLUMNS, "as_of_date <= ?", [as_of])
    labels = warehouse.fetch(
        connection,
        "features.churn_labels",
        LABELS,
        f"matured_on <= ? and horizon_days in {HORIZONS}",
        [as_of],
    )
    keys = ["account_id", "customer_id", "as_of_date"]
    rows = rows.sort_values(keys, ignore_index=True)
    labelled = rows.merge(labels, on=keys, validate="one_to_many")
    return rows[rows["as_of_date"] == pd.Timestamp(as_of)].reset_index(drop=True), labelled


def modelled(labelled: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """The rows of one horizon that a model learns from: who has asked to leave is decided already.

    At most LEARNED_FROM rows, all those of customers drawn once: more teach thirty weights nothing, and cost minutes.
    """
    picked = labelled[(labelled["horizon_days"] == horizon) & (labelled["state"] != LEAVING)]
    if len(picked) > LEARNED_FROM:
        _, place = np.unique(picked["account_id"] + "/" + picked["customer_id"], return_inverse=True)
        order = np.random.default_rng(0).permutation(int(place.max()) + 1)
        rows = np.bincount(place)
        kept = np.zeros(len(rows), dtype=bool)
        kept[order[np.cumsum(rows[order]) <= LEARNED_FROM]] = True
        picked = picked[kept[place]]
    return picked.reset_index(drop=True)


def leaving_rate(labelled: pd.DataFrame, horizon: int) -> float:
    """Share of those who had asked to leave and did within the horizon; 1/2 before the first is known."""
    picked = (labelled["horizon_days"] == horizon) & (labelled["state"] == LEAVING)
    return rate(labelled.loc[picked, "is_churned"].to_numpy(np.float64))
