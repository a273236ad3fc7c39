"""The design matrix of the usage forecast: features of an origin, picked and scaled for one target day.

Nothing here looks at history: every number comes from `features.usage_asof` and is only chosen by
weekday or horizon and divided by the item's own level, so that one model serves items of any size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ml.panel import BY_WEEKDAY, TRAILING, Floats, Ints, Panel

CATEGORIES = ("plan", "meter_id", "currency")
OVER_LEVEL = (*TRAILING, "last_7")
FEATURES = (
    *(f"{name}_over_level" for name in OVER_LEVEL),
    *("zero_share_28", "days_since_nonzero", "history_days", "log_level"),
    *(f"{name}_over_level" for name in BY_WEEKDAY),
    *("lag_364_over_level", "lag_364_over_mean_364"),
    *("horizon", "weekday", "day_of_month", "days_to_month_end", "month"),
    *(f"{name}_code" for name in CATEGORIES),
)


def target_days(origins: NDArray[np.datetime64], horizon: Ints) -> NDArray[np.datetime64]:
    """The day each pair forecasts, as datetime64[D]."""
    found: NDArray[np.datetime64] = origins + horizon.astype("timedelta64[D]")
    return found


def weekdays(days: NDArray[np.datetime64]) -> Ints:
    """ISO weekday minus 1 (Monday 0), the position in the by-weekday arrays; 1970-01-01 was a Thursday."""
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7


def by_target_weekday(panel: Panel, name: str, row: Ints, horizon: Ints) -> Floats:
    """The by-weekday feature `name` at each pair's target weekday, in the meter's unit."""
    found: Floats = panel.block(name)[row, weekdays(target_days(panel.origins()[row], horizon))]
    return found


def ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, NaN where the whole is not positive."""
    found: Floats = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


def build(panel: Panel, row: Ints, horizon: Ints, vocabulary: Mapping[str, Sequence[str]]) -> NDArray[np.float32]:
    """Shape (pairs, len(FEATURES)), float32, NaN for unknown.

    row, horizon: shape (pairs,), a panel row and 1..28. vocabulary: the champion's known category values; a new
    value is NaN, which the trees treat as missing.
    """
    level = panel.column("level")[row]
    days = target_days(panel.origins()[row], horizon)
    month = days.astype("datetime64[M]")
    last_year = panel.block("lag_364")[row, horizon - 1]
    columns: list[NDArray[np.float64] | Ints] = [ratio(panel.column(name)[row], level) for name in OVER_LEVEL]
    columns += [panel.column(name)[row] for name in ("zero_share_28", "days_since_nonzero", "history_days")]
    columns.append(np.log(level, out=np.full(len(level), np.nan), where=level > 0))
    columns += [ratio(by_target_weekday(panel, name, row, horizon), level) for name in BY_WEEKDAY]
    columns += [ratio(last_year, level), ratio(last_year, panel.column("mean_364")[row])]
    columns += [horizon, weekdays(days), (days - month.astype("datetime64[D]")).astype(np.int64) + 1]
    columns.append(((month + 1).astype("datetime64[D]") - days).astype(np.int64) - 1)
    columns.append(month.astype(np.int64) % 12 + 1)
    columns += [_codes(panel, name, vocabulary[name])[row] for name in CATEGORIES]
    matrix = np.empty((len(row), len(FEATURES)), dtype=np.float32)
    for position, values in enumerate(columns):
        matrix[:, position] = values
    return matrix


def _codes(panel: Panel, name: str, known: Sequence[str]) -> Floats:
    code = {value: float(position) for position, value in enumerate(known)}
    return np.asarray(panel.rows[name].map(code), dtype=np.float64)
