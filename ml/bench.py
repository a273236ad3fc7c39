"""Backtest of the usage model on anybody's daily panel: the same code as on a warehouse, from features on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from ml import asof, backtest, intervals, matrix, routes, splits
from ml.errors import BadPanel
from ml.forecast import LEARNS_FROM_WEEKS, Recipe
from ml.matrix import weekdays
from ml.panel import SEASON, Floats, Ints, Panel, pairs, vocabulary
from ml.usage_panel import LEARNING_ITEMS

NEEDED = ("unique_id", "ds", "y")


@dataclass(frozen=True)
class Tried:
    """An origin's forecasts, and the series of each of their rows, ascending."""

    part: backtest.Part
    item: Ints

    def placed(self, panel: Panel) -> backtest.Part:
        """The same forecasts for the rows of another cutoff's panel, which may hold fewer of the series there."""
        picked = panel.at(self.part.origin)
        rows = np.searchsorted(self.item, panel.item[picked])
        tried = {
            name: routes.Served(one.mean[rows], one.median[rows], one.method[rows])
            for name, one in self.part.tried.items()
        }
        return backtest.Part(self.part.origin, picked, self.part.heads, tried)


def run(path: Path, horizon: int, windows: int, output: Path, threads: int) -> str:
    """Forecast the last `windows` non-overlapping horizons of the panel at `path`; write them to `output`.

    Each window is forecast by a model, methods and bands that saw nothing after its cutoff; a series of which nothing
    is known by then has no rows there. Returns a sentence about what was done. Raises BadPanel.
    """
    ids, first, daily = read(path)
    if daily.shape[1] <= horizon * windows:
        days = f"{daily.shape[1]} days"
        raise BadPanel(path, f"it has {days}, which is not more than {windows} windows of {horizon} days")
    output.parent.mkdir(parents=True, exist_ok=True)
    last = first + timedelta(days=daily.shape[1] - 1)
    cutoffs = [last - timedelta(days=horizon * back) for back in range(windows, 0, -1)]
    parts: dict[date, Tried] = {}
    found = [window(ids, first, daily, cutoff, horizon, threads, parts) for cutoff in cutoffs]
    forecasts = pd.concat(found, ignore_index=True)
    forecasts.drop(columns="method").to_parquet(output, index=False)
    shares = forecasts["method"].value_counts(normalize=True)
    served = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    return (
        f"{len(forecasts)} forecasts of {forecasts['unique_id'].nunique()} series at {len(cutoffs)} cutoffs: {served}."
    )


def read(path: Path) -> tuple[list[str], date, Floats]:
    """Series ids, first day, and shape (series, days) with NaN where nothing was observed.

    Raises BadPanel for a file that is no such panel: columns missing, two rows of one day, infinite values.
    """
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise BadPanel(path, f"it cannot be read as Parquet ({str(error).splitlines()[0]})") from error
    if missing := [name for name in NEEDED if name not in frame]:
        raise BadPanel(path, f"it lacks {', '.join(missing)}")
    frame = frame[list(NEEDED)].dropna(subset=["unique_id", "ds"])
    try:
        day = pd.to_datetime(frame["ds"]).to_numpy().astype("datetime64[D]")
        y = frame["y"].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise BadPanel(path, f"ds must be dates and y numbers ({str(error).splitlines()[0]})") from error
    if not len(frame) or not np.isfinite(y[~np.isnan(y)]).all() or np.isnan(y).all():
        raise BadPanel(path, "it has no finite value of y, or infinite ones")
    row, ids = pd.factorize(frame["unique_id"], sort=True)
    place = (day - day.min()).astype(np.int64)
    if len(set(zip(row.tolist(), place.tolist(), strict=True))) < len(frame):
        raise BadPanel(path, "it has two rows of one series and day")
    daily = np.full((len(ids), int(place.max()) + 1), np.nan)
    daily[row, place] = y
    return [*ids], day.min().astype(object), daily


def window(
    ids: list[str],
    first: date,
    daily: Floats,
    cutoff: date,
    horizon: int,
    threads: int,
    parts: dict[date, Tried],
) -> pd.DataFrame:
    """Forecasts from one cutoff. parts: held-out origins that earlier cutoffs have tried already, added to.

    An origin is tried by a model fitted on what was known at it, so it is the same whichever cutoff looks back on it.
    """
    recipe = Recipe()
    held_out = splits.held_out_origins(first, cutoff)
    panel = assemble(ids, first, daily[:, : (cutoff - first).days + 1], cutoff, horizon, held_out)
    known = vocabulary(panel.rows, matrix.CATEGORIES)
    for origin in [*held_out, cutoff]:
        if origin not in parts:
            part = backtest.try_at(panel, origin, known, threads, recipe)
            parts[origin] = Tried(part, panel.item[part.picked])
    tried = [parts[origin].placed(panel) for origin in held_out]
    block = backtest.gather(panel, tried, cutoff)
    method = routes.XGBOOST if routes.XGBOOST in block.forecasts else routes.WEEKDAY_MEAN
    now, here = parts[cutoff].part, panel.at(cutoff)
    served = routes.serve(panel, here, block.chosen, now.tried)
    bands = backtest.bands_of(panel, block, method)
    said = bands.around(served.median, intervals.own_scale(panel, here), routes.demand_class(panel, here))
    row, days = pairs(here, horizon)
    found = {"unique_id": panel.rows["subscription_item_id"].to_numpy()[row], "cutoff": pd.Timestamp(cutoff)}
    found |= {"ds": matrix.target_days(panel.origins()[row], days).astype("datetime64[ns]")}
    found |= {"mean": served.mean.ravel(), "median": served.median.ravel()}
    found |= {name: values.ravel() for name, values in said.items()}
    return pd.DataFrame(found).assign(method=np.repeat(served.method, horizon))


def assemble(ids: list[str], first: date, daily: Floats, cutoff: date, horizon: int, held_out: list[date]) -> Panel:
    """The panel as known at `cutoff`: every series at the cutoff, and at most 3,000 of them at each week before it."""
    rng = np.random.default_rng(0)
    some = np.sort(rng.permutation(len(ids))[:LEARNING_ITEMS])
    begun = np.where(~np.isnan(daily).all(axis=1), (~np.isnan(daily)).argmax(axis=1), daily.shape[1])
    oldest = min(held_out, default=cutoff)
    weeks = range((cutoff - oldest).days // SEASON + LEARNS_FROM_WEEKS)
    item: list[Ints] = []
    position: list[Ints] = []
    for week in weeks:
        place = daily.shape[1] - 1 - SEASON * week
        if place < 0:
            break
        alive = np.flatnonzero(begun <= place) if week == 0 else some[begun[some] <= place]
        item.append(alive)
        position.append(np.full(len(alive), place))
    items, places = np.concatenate(item), np.concatenate(position)
    rows = pd.DataFrame({"subscription_item_id": np.array(ids, dtype=object)[items]})
    day = np.datetime64(first, "D")
    rows = rows.assign(meter_id="panel", plan="panel", currency="panel", origin_date=day + places)
    features = asof.features(daily, items, places, int(weekdays(np.array([day]))[0]))
    return Panel(cutoff, horizon, rows, features, daily, items, places)
