"""Rolling origins with refits: what each method would have said, what serves each segment, how wide its bands are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import routes, splits
from ml.figures import figures
from ml.forecast import Heads, Recipe, fit
from ml.intervals import Bands, calibrate, own_scale
from ml.panel import Floats, Ints, Panel
from ml.routes import BASELINES, XGBOOST, Served

EVERY = 2  # every second 28-day step of the last year: six refits see every season and cost half of twelve
# Most rows of a refit. Against 250 thousand, 100 thousand cost 44 % of the time, WAPE .2 points and no coverage.
REFIT_ROWS = 100_000


@dataclass(frozen=True)
class Part:
    """One held-out origin: its rows, the heads fitted on what was known then (None: too little), each method's say."""

    origin: date
    picked: Ints
    heads: Heads | None
    tried: Mapping[str, Served]


@dataclass(frozen=True)
class Block:
    """All held-out origins, one row per item and origin.

    cutoff: the origin of each row. actual: shape (rows, horizon), NaN where not observed. forecasts: the baselines, and
    under xgboost what would be served: the method that `chosen` names for each segment.
    """

    picked: Ints
    cutoff: NDArray[np.datetime64]
    actual: Floats
    forecasts: Mapping[str, Served]
    chosen: Mapping[str, str]


@dataclass(frozen=True)
class Verdict:
    """What serves: the method (`chosen` says which one each segment gets), its bands, its held-out figures."""

    method: str
    chosen: Mapping[str, str]
    bands: Bands
    figures: pd.DataFrame


def try_at(panel: Panel, origin: date, vocabulary: Mapping[str, Sequence[str]], threads: int, recipe: Recipe) -> Part:
    """Fit on what was known at `origin` and let every method forecast from there."""
    heads = fit(panel, origin, vocabulary, threads, recipe)
    picked = panel.at(origin)
    return Part(origin, picked, heads, routes.candidates(panel, picked, heads))


def run(
    panel: Panel, recipe: Recipe, vocabulary: Mapping[str, Sequence[str]], threads: int, every: int = EVERY
) -> Block:
    """Try every held-out origin of the year before the panel's as-of day, each fit on REFIT_ROWS rows at most."""
    recipe = replace(recipe, rows=min(recipe.rows, REFIT_ROWS))
    first = panel.as_of - timedelta(days=panel.daily.shape[1] - 1)
    origins = [day for day in splits.held_out_origins(first, panel.as_of, every) if len(panel.at(day))]
    return gather(panel, [try_at(panel, day, vocabulary, threads, recipe) for day in origins], panel.as_of)


def gather(panel: Panel, parts: Sequence[Part], until: date) -> Block:
    """The parts as one block, judged by what was known at `until`. A part too early for a fit is left out."""
    fitted = [part for part in parts if part.heads is not None] or list(parts)
    picked = np.concatenate([part.picked for part in fitted]) if fitted else np.empty(0, dtype=np.int64)
    actual = panel.targets(picked, until)
    names = [name for name in (fitted[0].tried if fitted else ()) if all(name in part.tried for part in fitted)]
    tried = {name: _joined([part.tried[name] for part in fitted]) for name in names}
    if not fitted:
        tried = routes.candidates(panel, picked, None)
    chosen = routes.choose(panel, picked, actual, tried)
    forecasts = {name: tried[name] for name in BASELINES}
    if XGBOOST in tried:
        forecasts[XGBOOST] = routes.serve(panel, picked, chosen, tried)
    return Block(picked, panel.origins()[picked], actual, forecasts, chosen)


def bands_of(panel: Panel, block: Block, method: str) -> Bands:
    """The bands that `method`'s held-out errors ask for, by demand class."""
    demand, scale = routes.demand_class(panel, block.picked), own_scale(panel, block.picked)
    return calibrate(block.actual, block.forecasts[method].median, scale, demand, block.cutoff)


def judge(panel: Panel, block: Block, method: str) -> Verdict:
    """Bands and figures of `method`: xgboost stands for what `block.chosen` serves, a baseline for itself."""
    bands = bands_of(panel, block, method)
    chosen = block.chosen if method == XGBOOST else {"all": method}
    return Verdict(method, chosen, bands, figures(panel, block, method))


def _joined(parts: Sequence[Served]) -> Served:
    mean, median, method = (
        np.concatenate([getattr(one, name) for one in parts]) for name in ("mean", "median", "method")
    )
    return Served(mean, median, method)
