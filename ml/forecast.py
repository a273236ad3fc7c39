"""Usage forecast: one global direct XGBoost model with two heads; what it is served beside is in `routes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from ml import matrix
from ml.panel import Floats, Ints, Panel, pairs, sample

if TYPE_CHECKING:
    import xgboost

SEED = 7
CHUNK = 200_000  # pairs scored at a time: 35 MB of features, which stay in the processor's caches better than more
LEARNS_FROM_WEEKS = 53  # origins of a year: targets of every season, and no older ones
LEARNS_FROM_DAYS = 14  # shorter histories have no level to learn a ratio to


def _parameters(**own: float | str) -> dict[str, float | str]:
    shared: dict[str, float | str] = {
        "min_child_weight": 5,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
        "lambda": 20,
        "tree_method": "hist",
        "max_bin": 128,
        "seed": SEED,
    }
    return {**shared, **own}


@dataclass(frozen=True)
class Recipe:
    """All that decides what a fit becomes, besides the data; plain values, so that it can be kept as JSON (`recipes`).

    The median head is fitted first: single days are judged by absolute error. The mean head goes on from it with few
    shallow trees by squared error: sums become money, so they want the mean (ml.md 0.2). Each round grows several
    trees on other rows and columns and averages them: one tree a round moved the sums' error by .1 with the seed.

    rows: most item-origin-day rows of a fit. ratio_cap: a target over so many times the item's level (on days that are
    not zero) is a spike, which would own the mean head's leaves.
    """

    features: tuple[str, ...] = matrix.FEATURES
    rows: int = 250_000
    ratio_cap: float = 8.0
    median: Mapping[str, Any] = field(
        default_factory=lambda: _parameters(objective="reg:absoluteerror", max_depth=6, eta=0.2, num_parallel_tree=2)
    )
    mean: Mapping[str, Any] = field(
        default_factory=lambda: _parameters(objective="reg:squarederror", max_depth=4, eta=0.4, num_parallel_tree=4)
    )
    median_rounds: int = 60
    mean_rounds: int = 6


@dataclass(frozen=True)
class Heads:
    """The two fitted boosters, the category values and the features they know; both predict target over own level."""

    mean: xgboost.Booster
    median: xgboost.Booster
    vocabulary: Mapping[str, Sequence[str]]
    features: Sequence[str] = matrix.FEATURES


def fit(
    panel: Panel, until: date, vocabulary: Mapping[str, Sequence[str]], threads: int, recipe: Recipe
) -> Heads | None:
    """Fit both heads on origins before `until` and targets up to it; None if no item has a level and a target.

    Weights are the item's level over its meter's mean level, so that big customers count as they do in WAPE and units
    cancel.
    """
    import xgboost

    level = panel.features["level"]
    origins, end = panel.origins(), np.datetime64(until, "D")
    known = (origins < end) & (origins >= end - 7 * LEARNS_FROM_WEEKS) & (level > 0)
    known &= panel.features["history_days"] >= LEARNS_FROM_DAYS
    row, horizon = sample(panel, np.flatnonzero(known), until, recipe.rows, SEED)
    if not len(row):
        return None
    actual = panel.daily[panel.item[row], panel.position[row] + horizon]
    busy = np.fmax(1 - panel.features["zero_share_28"][row], 1 / 28)
    target = np.clip(actual / level[row], 0.0, recipe.ratio_cap / busy)
    typical = panel.rows["meter_id"].map(_mean_level(panel, known)).to_numpy(np.float64)
    weight = np.clip(level[row] / typical[row], 0.1, 10.0)
    features = matrix.build(panel, row, horizon, vocabulary, recipe.features)
    data = xgboost.QuantileDMatrix(features, label=target, weight=weight, max_bin=128, nthread=threads)
    median = xgboost.train({**recipe.median, "nthread": threads}, data, recipe.median_rounds)
    data.set_base_margin(median.predict(data, output_margin=True))
    mean = xgboost.train({**recipe.mean, "nthread": threads}, data, recipe.mean_rounds)
    for head in (median, mean):
        head.feature_names = list(recipe.features)
    return Heads(mean, median, vocabulary, recipe.features)


def predict(panel: Panel, picked: Ints, heads: Heads) -> tuple[Floats, Floats]:
    """Mean and median of the picked rows, shape (picked, horizon), in the meter's unit, never negative.

    NaN where the item has no level.
    """
    mean, median = np.empty((len(picked), panel.horizon)), np.empty((len(picked), panel.horizon))
    step = max(1, CHUNK // panel.horizon)
    for start in range(0, len(picked), step):
        part = panel.subset(picked[start : start + step])
        here = np.arange(len(part.item))
        features = matrix.build(part, *pairs(here, panel.horizon), heads.vocabulary, heads.features)
        centre = heads.median.inplace_predict(features, validate_features=False)
        # The mean head learned what is left over the median head's margin.
        average = heads.mean.inplace_predict(features, validate_features=False, base_margin=centre)
        level = np.maximum(part.features["level"], 0.0)[:, None]  # a panel of somebody's may be negative
        for found, out in ((average, mean), (centre, median)):
            out[start : start + step] = np.maximum(found.reshape(len(here), panel.horizon), 0.0) * level
    return mean, median


def _mean_level(panel: Panel, known: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> dict[str, float]:
    frame = panel.rows.loc[known, ["meter_id"]].assign(level=panel.features["level"][known])
    return {str(meter): float(level) for meter, level in frame.groupby("meter_id")["level"].mean().items()}
