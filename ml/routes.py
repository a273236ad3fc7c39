"""Who is served by what: demand classes, the baselines, and the choice of a method for each class and meter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import matrix, metrics
from ml.forecast import Heads, predict
from ml.panel import Floats, Ints, Panel, pairs

XGBOOST, WEEKDAY_MEAN, SEASONAL_NAIVE, COHORT_MEAN = "xgboost", "weekday_mean", "seasonal_naive", "cohort_mean"
BASELINES = (SEASONAL_NAIVE, WEEKDAY_MEAN)
REGULAR, INTERMITTENT, COLD = "regular", "intermittent", "cold"
COLD_DAYS = 28  # shorter histories do not fill the features
MOSTLY_ZERO = 0.5
SHRUNK_BY_DAYS = 14.0  # most days of its cohort that a young item's own level is weighed against (ml.md 4.2)
ENOUGH, ENOUGH_OF_METER = 10, 200  # held-out item-origins a class, or a meter within it, needs to choose for itself
Words = NDArray[np.str_]


@dataclass(frozen=True)
class Served:
    """Forecasts in the meter's unit, shape (rows, horizon), and the method of each row, shape (rows,)."""

    mean: Floats
    median: Floats
    method: Words


def demand_class(panel: Panel, picked: Ints) -> Words:
    """regular, intermittent (over half of the last 28 days at zero) or cold (under 28 days of history, or no level)."""
    cold = ~(panel.features["history_days"][picked] >= COLD_DAYS) | ~(panel.features["level"][picked] > 0)
    mostly_zero = ~(panel.features["zero_share_28"][picked] <= MOSTLY_ZERO)
    return np.where(cold, COLD, np.where(mostly_zero, INTERMITTENT, REGULAR)).astype(np.str_)


def candidates(
    panel: Panel, picked: Ints, heads: Heads | None, cohorts: pd.DataFrame | None = None
) -> dict[str, Served]:
    """Every method's forecast of the picked rows. Without heads there is no xgboost.

    cohorts: `cohort_levels` of a larger panel that this one is a part of; by default of this one.
    """
    found = dict(baselines(panel, picked))
    found[COHORT_MEAN] = cohort_mean(
        panel, picked, found[WEEKDAY_MEAN], cohort_levels(panel) if cohorts is None else cohorts
    )
    served = {name: Served(values, values, np.full(len(picked), name)) for name, values in found.items()}
    if heads is not None:
        mean, median = predict(panel, picked, heads)
        unknown = np.isnan(mean)
        mean[unknown], median[unknown] = found[COHORT_MEAN][unknown], found[COHORT_MEAN][unknown]
        served[XGBOOST] = Served(mean, median, np.full(len(picked), XGBOOST))
    return served


def baselines(panel: Panel, picked: Ints) -> dict[str, Floats]:
    """Seasonal naive (the last same weekday) and the mean of four same weekdays, each of shape (picked, horizon).

    Where a weekday has not been seen they fall back to the trailing 28-day mean, then to the level, then to 0.
    """
    row, horizon = pairs(picked, panel.horizon)
    found = {}
    for name, feature in ((SEASONAL_NAIVE, "same_weekday_last"), (WEEKDAY_MEAN, "same_weekday_mean_4")):
        values = matrix.by_target_weekday(panel, feature, row, horizon)
        for fallback in ("mean_28", "level"):
            values = np.where(np.isnan(values), panel.features[fallback][row], values)
        found[name] = np.nan_to_num(np.maximum(values, 0.0)).reshape(len(picked), panel.horizon)
    return found


def cohort_levels(panel: Panel) -> pd.DataFrame:
    """Per cohort (origin, meter and plan) the grown items' levels in logarithms: middle, spread, noise, n."""
    level = panel.features["level"]
    grown = (panel.features["history_days"] >= COLD_DAYS) & (level > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = pd.DataFrame({"log": np.log(level), "noise": (panel.features["sd_28"] / level) ** 2})
    logs["key"] = _cohort(panel, np.arange(len(level)))
    return (
        logs[grown]
        .groupby("key")
        .agg(middle=("log", "median"), spread=("log", "var"), noise=("noise", "median"), n=("log", "size"))
    )


def cohort_mean(panel: Panel, picked: Ints, own: Floats, cohorts: pd.DataFrame) -> Floats:
    """`own` (a forecast, shape (picked, horizon)) scaled so that its level leans on those of the same meter and plan.

    The own level of n days counts n / (n + k), the cohort's median level the rest, in logarithms; k is how many days
    of the item's own noise are worth the spread between items (empirical Bayes), at most 14. Cohorts under five items
    teach nothing. An item whose days were all zero gets the cohort's level only if it is a week old at most.
    """
    level, days = panel.features["level"][picked], panel.features["history_days"][picked]
    mine = cohorts.reindex(_cohort(panel, picked))
    spread, middle = mine["spread"].to_numpy(), mine["middle"].to_numpy()
    usable = (mine["n"].to_numpy() >= 5) & (spread > 0)
    k = np.minimum(SHRUNK_BY_DAYS, mine["noise"].to_numpy() / np.where(usable, spread, 1.0))
    share = days / (days + np.where(np.isnan(k), SHRUNK_BY_DAYS, k))
    known = level > 0
    found = own.copy()
    lean = usable & known
    shrunk = np.exp(share[lean] * np.log(level[lean]) + (1 - share[lean]) * middle[lean])
    found[lean] = own[lean] * (shrunk / level[lean])[:, None]
    new = usable & ~known & (days <= 7)
    found[new] = np.exp(middle[new])[:, None]
    return found


def _cohort(panel: Panel, picked: Ints) -> NDArray[np.object_]:
    rows = panel.rows.iloc[picked]
    parts = [rows[name].astype(str) for name in ("origin_date", "meter_id", "plan")]
    found: NDArray[np.object_] = (parts[0] + "/" + parts[1] + "/" + parts[2]).to_numpy(object)
    return found


def segment(panel: Panel, picked: Ints) -> tuple[Words, Words]:
    """The demand class of each row, and the finer segment: the class within the row's meter."""
    demand = demand_class(panel, picked)
    meters = panel.rows["meter_id"].to_numpy()[picked].astype(np.str_)
    return demand, np.char.add(np.char.add(demand, "/"), meters)


def choose(panel: Panel, picked: Ints, actual: Floats, tried: Mapping[str, Served]) -> dict[str, str]:
    """The method that serves each class, and each meter within it where that differs.

    actual: shape (picked, horizon), NaN where unknown. The model serves unless a baseline is better: by WAPE of days
    times WAPE of sums, both over what was held out. Classes without 10 held-out item-origins: cold ones are served by
    the cohort mean, others as all together are.
    """
    demand, fine = segment(panel, picked)
    meter = panel.rows["meter_id"].to_numpy()[picked]
    seen: NDArray[np.bool_] = np.asarray(~np.isnan(actual).all(axis=1))

    def best(rows: NDArray[np.bool_]) -> str:
        scores = {name: _error(actual[rows], one, meter[rows], rows) for name, one in tried.items()}
        return min(scores, key=lambda name: (scores[name], name != XGBOOST))

    if not seen.any():
        return {"all": WEEKDAY_MEAN, COLD: COHORT_MEAN}
    chosen = {"all": best(seen), COLD: COHORT_MEAN}
    for name in (REGULAR, INTERMITTENT, COLD):
        rows = seen & (demand == name)
        if rows.sum() >= ENOUGH:
            chosen[name] = best(rows)
    for name in np.unique(fine):
        rows = seen & (fine == name)
        if rows.sum() >= ENOUGH_OF_METER:
            chosen[str(name)] = best(rows)
    return chosen


def serve(panel: Panel, picked: Ints, chosen: Mapping[str, str], tried: Mapping[str, Served]) -> Served:
    """The chosen method's forecast of each row."""
    if not len(picked):
        return tried[WEEKDAY_MEAN]
    methods = methods_of(panel, picked, chosen)
    order = list(tried)
    place = np.array([order.index(one) if one in tried else order.index(WEEKDAY_MEAN) for one in methods])
    mean, median = (np.stack([getattr(tried[name], head) for name in order]) for head in ("mean", "median"))
    row = np.arange(len(picked))
    return Served(mean[place, row], median[place, row], np.array(order)[place])


def methods_of(panel: Panel, picked: Ints, chosen: Mapping[str, str]) -> Words:
    """Method per row: of its meter within its class, else of its class, else of all."""
    demand, fine = segment(panel, picked)
    table = {
        (one, two): chosen.get(two, chosen.get(one, chosen["all"]))
        for one, two in set(zip(demand.tolist(), fine.tolist(), strict=True))
    }
    return np.array([table[one, two] for one, two in zip(demand.tolist(), fine.tolist(), strict=True)], dtype=np.str_)


def _error(actual: Floats, one: Served, meter: NDArray[np.object_], rows: NDArray[np.bool_]) -> float:
    seen = ~np.isnan(actual)
    unit = np.broadcast_to(meter[:, None], actual.shape)[seen]
    daily = metrics.wape_by_unit(actual[seen], one.median[rows][seen], unit)
    sums = [np.where(seen, values, 0.0).sum(axis=1) for values in (actual, one.mean[rows])]
    found = daily * metrics.wape_by_unit(sums[0], sums[1], meter)
    return found if not np.isnan(found) else np.inf
