"""MRR of the coming months per currency: a damped trend, with bands from the same rule's past errors.

Money stays in integer minor units in the warehouse; here it is float because a forecast is a statistic. dbt rounds
it back to bigint.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import pandas as pd

from ml import warehouse
from ml.intervals import QUANTILES, ranked
from ml.panel import Floats

METHOD, VERSION = "damped_mean_change", "1"
MONTHS_AHEAD = 3
CHANGES = 3  # monthly changes averaged: one is noise, a year would miss a turn
DAMPING = 0.8  # each further month carries 80 % of the change before it
ORIGINS = 6  # fewer past forecasts say nothing about an 80 % band
WIDER = 1.96 / 1.2816  # a normal's 95 % width over its 80 % width, where 20 past errors are not at hand
COLUMNS = {"account_id": "account_id", "currency": "currency", "month_start": "month_start"} | {
    "mrr_minor": "cast(mrr_minor as double) as mrr_minor"
}


@dataclass(frozen=True)
class Outlook:
    """A forecast in minor units; the band is NaN with under 6 past forecasts to judge by."""

    mean: float
    band: dict[str, float]


def load(connection: duckdb.DuckDBPyConnection, as_of: date, built: date) -> pd.DataFrame:
    """account_id, currency, month_start, mrr_minor: company totals of the months known at `as_of`.

    A past month's row is its month-end value. The month of `as_of` itself is known only in a warehouse built for that
    day (or at its end), so a replay leaves it out.
    """
    closed = "last_day(month_start) <= $1" if as_of != built else "month_start <= $1"
    rows = warehouse.fetch(connection, "marts.fct_mrr_monthly", COLUMNS, closed, [as_of])
    keys = ["account_id", "currency", "month_start"]
    return rows.groupby(keys)["mrr_minor"].sum().reset_index().sort_values(keys, ignore_index=True)


def project(history: Floats, steps: int) -> float:
    """MRR `steps` months after the last of `history`, shape (months,), minor units, never negative.

    Last value plus the mean of the last three changes, damped by .8 for each month ahead (Gardner and McKenzie, 1985).
    One month of history is carried flat.
    """
    changes = np.diff(history[-(CHANGES + 1) :])
    drift = float(changes.mean()) if len(changes) else 0.0
    return max(0.0, float(history[-1]) + drift * sum(DAMPING**step for step in range(1, steps + 1)))


def past_errors(history: Floats, steps: int) -> Floats:
    """Relative errors (actual / forecast - 1) of the rule at every earlier month with four months behind it."""
    origins = range(CHANGES + 1, len(history) - steps + 1)
    pairs = [(history[end + steps - 1], project(history[:end], steps)) for end in origins]
    return np.array([actual / said - 1 for actual, said in pairs if said > 0], dtype=np.float64)


def outlook(history: Floats, steps: int) -> Outlook:
    """Forecast and its 80 and 95 % bands: symmetric conformal quantiles of the rule's own past relative errors."""
    mean = project(history, steps)
    sizes = np.abs(past_errors(history, steps))
    if len(sizes) < ORIGINS:
        return Outlook(mean, dict.fromkeys(QUANTILES, float("nan")))
    narrow = ranked(sizes, 0.8)
    # ceil((n + 1) * .95) is a rank among n errors only from n = 19 on.
    wide = ranked(sizes, 0.95) if len(sizes) >= 19 else max(narrow * WIDER, float(sizes.max()))
    low = {"q025": max(0.0, 1 - wide), "q10": max(0.0, 1 - narrow)}
    return Outlook(mean, {name: mean * share for name, share in {**low, "q90": 1 + narrow, "q975": 1 + wide}.items()})


def forecast(months: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Rows of the `revenue_forecast` table (without run columns) for the months after `as_of`'s, per currency."""
    rows: list[dict[str, object]] = []
    for (account, currency), one in months.groupby(["account_id", "currency"]):
        month = one["month_start"].max()
        for steps in range(1, MONTHS_AHEAD + 1):
            said = outlook(one["mrr_minor"].to_numpy(np.float64), steps)
            start = (month + pd.DateOffset(months=steps)).date()
            row = {"account_id": account, "currency": currency, "as_of": as_of, "month_start": start}
            rows.append({**row, "mrr_mean": said.mean, **said.band, "method": METHOD, "model_version": VERSION})
    return pd.DataFrame(rows)
