"""Held-out comparison of the usage model with its baselines, and the gate that names the champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import metrics, splits
from ml.forecast import SEASONAL_NAIVE, WEEKDAY_MEAN, XGBOOST, Heads, Served, baselines, fit, serve
from ml.intervals import Bands, calibrate, held_out_bands, own_scale
from ml.panel import HORIZON, Floats, Ints, Panel

FINAL_ROWS = 250_000
FOLD_ROWS = 80_000  # a fold's fit only has to rank the methods and size the errors


@dataclass(frozen=True)
class Block:
    """All held-out origins, one row per item and cutoff. actual: shape (rows, 28), NaN where not observed."""

    picked: Ints
    cutoff: NDArray[np.datetime64]
    actual: Floats
    forecasts: Mapping[str, Served]


@dataclass(frozen=True)
class Verdict:
    """What the gate decided: the method that serves, why, its bands and its held-out figures (one row per metric)."""

    method: str
    passed: bool
    reason: str
    bands: Bands
    figures: pd.DataFrame


def run(panel: Panel, vocabulary: Mapping[str, Sequence[str]], threads: int) -> Block:
    """Forecast every cutoff of `splits.usage_folds` with a model that saw no target after its fold's start."""
    folds = splits.usage_folds(panel.origins(), panel.as_of, HORIZON)
    parts: list[tuple[Ints, Heads | None]] = []
    for fold in folds:
        heads = fit(panel, fold.until, vocabulary, threads, FOLD_ROWS)
        parts += [(panel.at(cutoff), heads) for cutoff in fold.cutoffs]
    parts = [(picked, heads) for picked, heads in parts if not np.isnan(panel.targets(picked)).all()]
    picked = np.concatenate([picked for picked, _ in parts]) if parts else np.empty(0, dtype=np.int64)
    forecasts = {name: serve(panel, picked, name, None) for name in (SEASONAL_NAIVE, WEEKDAY_MEAN)}
    if parts and all(heads is not None for _, heads in parts):
        served = [serve(panel, rows, XGBOOST, heads) for rows, heads in parts]
        forecasts[XGBOOST] = Served(
            np.concatenate([one.mean for one in served]),
            np.concatenate([one.median for one in served]),
            np.concatenate([one.method for one in served]),
        )
    return Block(picked, panel.origins()[picked], panel.targets(picked), forecasts)


def judge(panel: Panel, block: Block) -> Verdict:
    """Champion is the model if its held-out WAPE is below both baselines', else the better baseline.

    Without a held-out origin nothing can be compared: the weekday mean serves, with normal bands.
    """
    meter = panel.rows["meter_id"].to_numpy()[block.picked]
    errors = {name: _wape(block.actual, one.median, meter) for name, one in block.forecasts.items()}
    known = {name: value for name, value in errors.items() if not np.isnan(value)}
    best_naive = min((n for n in known if n != XGBOOST), key=lambda n: known[n], default=WEEKDAY_MEAN)
    passed = XGBOOST in known and known[XGBOOST] < known[best_naive]
    if not known:
        reason = "no held-out day to compare on"
    elif XGBOOST not in known:
        reason = "too little history to fit a model and hold days out"
    else:
        sign = "<" if passed else ">="
        reason = f"held-out WAPE {known[XGBOOST]:.2f} {sign} {best_naive} {known[best_naive]:.2f}"
    method = XGBOOST if passed else best_naive
    served = block.forecasts[method]
    scale = own_scale(panel, block.picked)
    bands = calibrate(block.actual, served.median, scale, served.method)
    return Verdict(method, passed, reason, bands, figures(panel, block, method, scale))


def figures(panel: Panel, block: Block, method: str, scale: Floats) -> pd.DataFrame:
    """metric, segment, value, baseline_value (seasonal naive's), n: held-out figures of `method`.

    wape is the mean over meters weighted by rows, wape_28 the same on each item's 28-day sum (from the mean head);
    coverage is of bands learned from the other blocks.
    """
    served, naive = block.forecasts[method], block.forecasts[SEASONAL_NAIVE].median
    if not len(block.picked):
        return pd.DataFrame({"metric": [], "segment": [], "value": [], "baseline_value": [], "n": []})
    meter = panel.rows["meter_id"].to_numpy()[block.picked]
    seen = ~np.isnan(block.actual)
    errors = panel.seasonal_errors(block.picked, int(panel.position.max()) + 1)
    known = ~np.isnan(errors).all(axis=1)
    in_sample = np.full(len(errors), np.nan)
    in_sample[known] = np.nanmean(errors[known], axis=1)
    found: list[tuple[str, str, float, float, int]] = []
    n = int(seen.sum())
    for name, one in (("wape", served.median), ("wape_weekday_mean", block.forecasts[WEEKDAY_MEAN].median)):
        found.append((name, "all", _wape(block.actual, one, meter), _wape(block.actual, naive, meter), n))
    for one in np.unique(meter):
        here = meter == one
        pair = [_wape(block.actual[here], values[here], meter[here]) for values in (served.median, naive)]
        found.append(("wape", f"meter:{one}", pair[0], pair[1], int(seen[here].sum())))
    sums = [np.where(seen, values, 0).sum(axis=1) for values in (block.actual, served.mean, naive)]
    pair = [metrics.wape_by_unit(sums[0], values, meter) for values in sums[1:]]
    found.append(("wape_28", "all", pair[0], pair[1], len(meter)))
    pair = [metrics.mase(block.actual, values, in_sample) for values in (served.median, naive)]
    found.append(("mase", "all", pair[0], pair[1], n))
    said = held_out_bands(block.actual, served.median, scale, served.method, block.cutoff)
    plain = held_out_bands(block.actual, naive, scale, np.full(len(meter), SEASONAL_NAIVE), block.cutoff)
    for name, low, high in (("cov80", "q10", "q90"), ("cov95", "q025", "q975")):
        pair = [metrics.coverage(block.actual[seen], band[low][seen], band[high][seen]) for band in (said, plain)]
        found.append((name, "all", pair[0], pair[1], n))
    return pd.DataFrame(found, columns=["metric", "segment", "value", "baseline_value", "n"])


def final_fit(panel: Panel, verdict: Verdict, vocabulary: Mapping[str, Sequence[str]], threads: int) -> Heads | None:
    """After the gate the winner learns from everything known at as_of; a baseline has nothing to learn."""
    return fit(panel, panel.as_of, vocabulary, threads, FINAL_ROWS) if verdict.method == XGBOOST else None


def serve_baseline(panel: Panel, picked: Ints) -> Floats:
    """The seasonal naive forecast that stands beside every forecast, shape (picked, 28)."""
    return baselines(panel, picked)[SEASONAL_NAIVE]


def _wape(actual: Floats, forecast: Floats, meter: NDArray[np.object_]) -> float:
    seen = ~np.isnan(actual)
    unit = np.broadcast_to(meter[:, None], actual.shape)[seen]
    return metrics.wape_by_unit(actual[seen], forecast[seen], unit)
