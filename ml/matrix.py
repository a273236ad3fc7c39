"""The design matrix of the usage forecast: features of an origin, picked and scaled for one target day.

Nothing here looks at history: every number comes from the panel's features and is only chosen by weekday or days
ahead and divided by the item's own level, so that one model serves items of any size.
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
    *("year_before_over_level", "year_before_over_mean_364", "year_before_week_over_level"),
    *("year_before_week_over_then", "growth_in_a_year"),
    *("horizon", "weekday", "day_of_month", "days_to_month_end", "month", "day_of_year"),
    *(f"{name}_code" for name in CATEGORIES),
)
THEN = 28  # year_before begins with the 28 days that lie a year before those up to the origin


def target_days(origins: NDArray[np.datetime64], horizon: Ints) -> NDArray[np.datetime64]:
    """The day each pair forecasts, as datetime64[D]."""
    found: NDArray[np.datetime64] = origins + horizon.astype("timedelta64[D]")
    return found


def weekdays(days: NDArray[np.datetime64]) -> Ints:
    """ISO weekday minus 1 (Monday 0), the position in the by-weekday arrays; 1970-01-01 was a Thursday."""
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7


def by_target_weekday(panel: Panel, name: str, row: Ints, horizon: Ints) -> Floats:
    """The by-weekday feature `name` at each pair's target weekday, in the meter's unit."""
    found: Floats = panel.features[name][row, weekdays(target_days(panel.origins()[row], horizon))]
    return found


def ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, NaN where the whole is not positive."""
    found: Floats = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


def mean_over(block: Floats, row: Ints, first: Ints, days: int) -> Floats:
    """Mean of what is known of `days` neighbouring columns of a block, from column `first` on; NaN where nothing is."""
    seen = ~np.isnan(block)
    zero = np.zeros((len(block), 1))
    sums = np.hstack([zero, np.cumsum(np.where(seen, block, 0.0), axis=1)])
    counts = np.hstack([zero, np.cumsum(seen, axis=1)])
    return ratio(sums[row, first + days] - sums[row, first], counts[row, first + days] - counts[row, first])


def build(
    panel: Panel, row: Ints, horizon: Ints, vocabulary: Mapping[str, Sequence[str]], names: Sequence[str] = FEATURES
) -> NDArray[np.float32]:
    """Shape (pairs, len(names)), float32, NaN for unknown.

    row, horizon: shape (pairs,), a panel row and days ahead from 1 on. vocabulary: the champion's known category
    values; a new value is NaN, which the trees treat as missing. names: which FEATURES, in order.
    """
    level = panel.features["level"][row]
    days = target_days(panel.origins()[row], horizon)
    month = days.astype("datetime64[M]")
    block = panel.features["year_before"]
    last_year = block[row, THEN + horizon - 1]
    week = mean_over(block, row, THEN + horizon - 4, 7)  # three days on either side of the target
    then = mean_over(block, row, np.zeros_like(horizon), THEN)
    made: dict[str, NDArray[np.float64] | Ints] = {
        **{f"{name}_over_level": ratio(panel.features[name][row], level) for name in OVER_LEVEL},
        **{name: panel.features[name][row] for name in ("zero_share_28", "days_since_nonzero", "history_days")},
        "log_level": np.log(level, out=np.full(len(level), np.nan), where=level > 0),
        **{f"{name}_over_level": ratio(by_target_weekday(panel, name, row, horizon), level) for name in BY_WEEKDAY},
        "year_before_over_level": ratio(last_year, level),
        "year_before_over_mean_364": ratio(last_year, panel.features["mean_364"][row]),
        "year_before_week_over_level": ratio(week, level),
        "year_before_week_over_then": ratio(week, then),
        "growth_in_a_year": ratio(panel.features["mean_28"][row], then),
        "horizon": horizon,
        "weekday": weekdays(days),
        "day_of_month": (days - month.astype("datetime64[D]")).astype(np.int64) + 1,
        "days_to_month_end": ((month + 1).astype("datetime64[D]") - days).astype(np.int64) - 1,
        "month": month.astype(np.int64) % 12 + 1,
        "day_of_year": (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1,
        **{f"{name}_code": _codes(panel, name, vocabulary[name])[row] for name in CATEGORIES},
    }
    matrix = np.empty((len(row), len(names)), dtype=np.float32)
    for position, name in enumerate(names):
        matrix[:, position] = made[name]
    return matrix


def _codes(panel: Panel, name: str, known: Sequence[str]) -> Floats:
    code = {value: float(position) for position, value in enumerate(known)}
    return np.asarray(panel.rows[name].map(code), dtype=np.float64)
