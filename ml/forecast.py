"""Usage forecast: one global direct XGBoost model with two heads, beside its naive baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml import matrix
from ml.panel import HORIZON, Floats, Ints, Panel, sample

if TYPE_CHECKING:
    import xgboost

SEED = 7
CHUNK = 1_000_000  # item-days scored at a time: about 130 MB of features
RATIO_CAP = 8.0  # a target over 8 times the item's level is a spike: it would own the mean head's leaves
COMMON = {
    "max_depth": 6,
    "eta": 0.1,
    "min_child_weight": 5,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "tree_method": "hist",
    "max_bin": 128,
    "seed": SEED,
}
HEADS = {
    # Sums become money, so they want the mean; single days are judged by absolute error, so they want the median.
    "mean": {"objective": "reg:squarederror"},
    "median": {"objective": "reg:absoluteerror"},
}
TREES = 120
COLD_DAYS = 28  # shorter histories do not fill the features
MOSTLY_ZERO = 0.5
XGBOOST, WEEKDAY_MEAN, SEASONAL_NAIVE = "xgboost", "weekday_mean", "seasonal_naive"


@dataclass(frozen=True)
class Heads:
    """The two fitted boosters and the category values they know; both predict target over own level."""

    mean: xgboost.Booster
    median: xgboost.Booster
    vocabulary: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Served:
    """Forecasts in the meter's unit, shape (rows, 28), and the method of each row, shape (rows,)."""

    mean: Floats
    median: Floats
    method: NDArray[np.str_]


def fit(panel: Panel, until: date, vocabulary: Mapping[str, Sequence[str]], threads: int, limit: int) -> Heads | None:
    """Fit both heads on targets up to `until`; None if no item has a level and a target.

    limit: most item-origin-horizon rows to use. Weights are the item's level over its meter's mean level, so that
    big customers count as they do in WAPE and units cancel.
    """
    import xgboost

    level = panel.column("level")
    usable = np.flatnonzero((panel.origins() < np.datetime64(until, "D")) & (level > 0) & ~_routed(panel))
    row, horizon = sample(panel, usable, until, limit, SEED)
    if not len(row):
        return None
    actual = panel.daily[panel.item[row], panel.position[row] + horizon]
    target = np.minimum(actual / level[row], RATIO_CAP)
    typical = panel.rows["level"].groupby(panel.rows["meter_id"]).transform("mean").to_numpy(np.float64)
    weight = np.clip(level / typical, 0.1, 10.0)[row]
    features = matrix.build(panel, row, horizon, vocabulary)
    data = xgboost.QuantileDMatrix(
        features, label=target, weight=weight, feature_names=list(matrix.FEATURES), max_bin=128, nthread=threads
    )
    fitted = {name: xgboost.train({**COMMON, **head, "nthread": threads}, data, TREES) for name, head in HEADS.items()}
    return Heads(fitted["mean"], fitted["median"], vocabulary)


def serve(panel: Panel, picked: Ints, method: str, heads: Heads | None) -> Served:
    """Forecast the 28 days after each picked row's origin with the champion's `method`.

    With `xgboost`, items too young (under 28 days) or mostly at zero are served by the weekday mean instead, and
    `method` says so. Forecasts are never negative.
    """
    naive = baselines(panel, picked)
    if heads is None or method != XGBOOST:
        simple = naive[method]
        return Served(simple, simple, np.full(len(picked), method))
    routed = _routed(panel)[picked]
    mean, median = naive[WEEKDAY_MEAN].copy(), naive[WEEKDAY_MEAN].copy()
    mean[~routed], median[~routed] = _predict(panel, picked[~routed], heads)
    return Served(mean, median, np.where(routed, WEEKDAY_MEAN, XGBOOST))


def baselines(panel: Panel, picked: Ints) -> dict[str, Floats]:
    """Seasonal naive (the last same weekday) and the mean of four same weekdays, each of shape (picked, 28).

    Where a weekday has not been seen yet they fall back to the trailing 28-day mean, then to 0.
    """
    row, horizon = _pairs(picked)
    found = {}
    for name, feature in ((SEASONAL_NAIVE, "same_weekday_last"), (WEEKDAY_MEAN, "same_weekday_mean_4")):
        values = matrix.by_target_weekday(panel, feature, row, horizon)
        values = np.where(np.isnan(values), panel.column("mean_28")[row], values)
        found[name] = np.nan_to_num(np.maximum(values, 0.0)).reshape(len(picked), HORIZON)
    return found


def _routed(panel: Panel) -> NDArray[np.bool_]:
    cold = ~(panel.column("history_days") >= COLD_DAYS)
    intermittent = ~(panel.column("zero_share_28") <= MOSTLY_ZERO)
    return cold | intermittent | ~(panel.column("level") > 0)


def _predict(panel: Panel, picked: Ints, heads: Heads) -> tuple[Floats, Floats]:
    mean, median = np.empty((len(picked), HORIZON)), np.empty((len(picked), HORIZON))
    level = panel.column("level")
    step = max(1, CHUNK // HORIZON)
    for start in range(0, len(picked), step):
        part = picked[start : start + step]
        features = matrix.build(panel, *_pairs(part), heads.vocabulary)
        for booster, out in ((heads.mean, mean), (heads.median, median)):
            ratio = booster.inplace_predict(features, validate_features=False).reshape(len(part), HORIZON)
            out[start : start + step] = np.maximum(ratio, 0.0) * level[part][:, None]
    return mean, median


def _pairs(picked: Ints) -> tuple[Ints, Ints]:
    return np.repeat(picked, HORIZON), np.tile(np.arange(1, HORIZON + 1), len(picked))
