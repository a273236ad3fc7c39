"""Sampled usage paths of billing periods: forecasts plus past errors, drawn jointly over all items of an account.

Tiers are not linear, so money needs the distribution of a period's usage, not its mean: dbt rates each path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import routes
from ml.backtest import Block
from ml.forecast import SEED
from ml.intervals import own_scale
from ml.panel import Floats, Panel

TODAY, BACKTEST = 200, 100  # paths a period
MOST_ROWS = 3_000_000  # of today's table: an account with more periods gets fewer paths, 20 at least
DONORS = 400  # past error paths kept of each origin and class
ITEMS_AT_A_TIME = 200
ITEM = ["account_id", "subscription_item_id"]
COLUMNS = (
    *ITEM,
    *("as_of", "is_backtest", "period_start", "period_number", "path", "quantity_so_far", "path_quantity", "method"),
)


@dataclass(frozen=True)
class Outlook:
    """A forecast to draw paths around. mean: shape (rows, horizon); scale, demand, method: shape (rows,).

    keys: account_id, subscription_item_id and origin_date of each row.
    """

    keys: pd.DataFrame
    mean: Floats
    scale: Floats
    demand: NDArray[np.str_]
    method: NDArray[np.str_]


def residuals(panel: Panel, block: Block, method: str) -> pd.DataFrame:
    """Past error paths in units of `own_scale`: origin_date, demand_class, and a column per day ahead (float32).

    At most 400 of each origin and class. The part of a path that is not known yet repeats, in whole weeks, what is; a
    single unknown day is 0. The mean over an origin's class is taken out only when paths are drawn.
    """
    scale, demand = own_scale(panel, block.picked), routes.demand_class(panel, block.picked)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = (block.actual - block.forecasts[method].mean) / scale[:, None]
    rng = np.random.default_rng(SEED)
    kept: list[pd.DataFrame] = []
    for origin in np.unique(block.cutoff):
        known = int(np.max(np.flatnonzero(~np.isnan(block.actual[block.cutoff == origin]).all(axis=0)), initial=-1)) + 1
        whole = known - known % 7 or known
        if not whole:
            continue
        days = np.where(np.arange(panel.horizon) < known, np.arange(panel.horizon), np.arange(panel.horizon) % whole)
        for name in np.unique(demand):
            rows = np.flatnonzero((block.cutoff == origin) & (demand == name) & np.isfinite(errors[:, 0]))
            rows = np.sort(rng.permutation(rows)[:DONORS])
            values = np.nan_to_num(errors[rows][:, days], posinf=0.0, neginf=0.0).astype(np.float32)
            part = pd.DataFrame(values, columns=[str(day + 1) for day in range(panel.horizon)])
            kept.append(part.assign(origin_date=origin, demand_class=name))
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame({"origin_date": [], "demand_class": []})


def today(outlook: Outlook, periods: pd.DataFrame, donors: pd.DataFrame) -> pd.DataFrame:
    """Rows of `usage_paths` (without model and run columns) for the periods ahead of the scored day."""
    usable = periods[periods["last_horizon"] <= outlook.mean.shape[1]]
    count = int(np.clip(MOST_ROWS // max(1, len(usable)), 20, TODAY))
    return _drawn(outlook, usable, donors, count, is_backtest=False)


def backtested(panel: Panel, block: Block, method: str, periods: pd.DataFrame, donors: pd.DataFrame) -> pd.DataFrame:
    """Rows of `usage_paths` (without model and run columns) for the period open at each held-out origin.

    Drawn with the errors of the other origins only, so that what dbt learns from them is honest.
    """
    served, found = block.forecasts[method], []
    scale, demand = own_scale(panel, block.picked), routes.demand_class(panel, block.picked)
    keys = panel.rows.iloc[block.picked][[*ITEM, "origin_date"]].reset_index(drop=True)
    opened = periods[(periods["period_number"] == 0) & (periods["last_horizon"] <= panel.horizon)]
    moment = opened["origin_date"].to_numpy().astype("datetime64[D]")
    for origin in np.unique(block.cutoff):
        here = np.flatnonzero(block.cutoff == origin)
        outlook = Outlook(
            keys.iloc[here].reset_index(drop=True), served.mean[here], scale[here], demand[here], served.method[here]
        )
        others = donors[donors["origin_date"].to_numpy().astype("datetime64[D]") != origin]
        found.append(_drawn(outlook, opened[moment == origin], others, BACKTEST, is_backtest=True))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame({name: [] for name in COLUMNS})


def _drawn(
    outlook: Outlook, periods: pd.DataFrame, donors: pd.DataFrame, count: int, *, is_backtest: bool
) -> pd.DataFrame:
    items = pd.MultiIndex.from_frame(outlook.keys[ITEM])
    place = items.get_indexer(pd.MultiIndex.from_frame(periods[ITEM]))
    periods, place = periods[place >= 0].reset_index(drop=True), place[place >= 0]
    weights = _weights(periods, outlook.mean.shape[1])
    errors = _Errors(donors, outlook.mean.shape[1], count)
    drawn = np.empty((len(periods), count))
    order = np.argsort(place, kind="stable")
    ordered = place[order]
    for start in range(0, len(items), ITEMS_AT_A_TIME):
        stop = min(start + ITEMS_AT_A_TIME, len(items))
        rows = order[np.searchsorted(ordered, start) : np.searchsorted(ordered, stop)]
        if not len(rows):
            continue
        noise = errors.of(outlook.demand[start:stop])
        days = outlook.mean[start:stop, None, :] + outlook.scale[start:stop, None, None] * noise
        np.maximum(days, 0.0, out=days)
        drawn[rows] = np.einsum("nph,nh->np", days[place[rows] - start], weights[rows])
    # The paths' mean is the forecast's: cutting them off at zero must not make a period more than the sum of its days.
    wanted, got = np.einsum("nh,nh->n", outlook.mean[place], weights), drawn.mean(axis=1)
    drawn *= np.divide(wanted, got, out=np.ones_like(got), where=got > 0)[:, None]
    repeated = np.repeat(np.arange(len(periods)), count)
    found = periods.loc[repeated, [*ITEM, "period_start", "period_number", "quantity_so_far"]].reset_index(drop=True)
    return found.assign(
        as_of=periods["origin_date"].to_numpy()[repeated],
        is_backtest=is_backtest,
        path=np.tile(np.arange(1, count + 1), len(periods)),
        path_quantity=drawn.ravel(),
        method=outlook.method[place][repeated],
    )[list(COLUMNS)]


class _Errors:
    """Error paths by class. Path p of every item comes from one past origin: a bad month is bad for many at once."""

    def __init__(self, donors: pd.DataFrame, horizon: int, count: int) -> None:
        self.rng = np.random.default_rng(SEED)
        self.horizon, self.count = horizon, count
        origins = sorted(donors["origin_date"].unique()) if len(donors) else []
        self.origin = self.rng.integers(0, max(1, len(origins)), count)
        self.table: dict[tuple[int, str], Floats] = {}
        names = [str(day + 1) for day in range(horizon)]
        for number, origin in enumerate(origins):
            part = donors[donors["origin_date"] == origin]
            self.table[number, "all"] = part[names].to_numpy(np.float64)
            for name, rows in part.groupby("demand_class"):
                self.table[number, str(name)] = rows[names].to_numpy(np.float64)
        for name in {key[1] for key in self.table}:
            self._centre(name)

    def _centre(self, name: str) -> None:
        """Take out the mean error of all origins together, that of one origin stays: it is what sums share."""
        parts = [values for (_, one), values in self.table.items() if one == name]
        middle = np.concatenate(parts).mean(axis=0)
        for key in [key for key in self.table if key[1] == name]:
            self.table[key] = self.table[key] - middle

    def of(self, demand: NDArray[np.str_]) -> Floats:
        """Shape (items, paths, horizon): a normal draw for each day where there is no past at all."""
        if not self.table:
            found: Floats = self.rng.normal(size=(len(demand), self.count, self.horizon))
            return found
        out = np.empty((len(demand), self.count, self.horizon))
        for name in np.unique(demand):
            rows = np.flatnonzero(demand == name)
            for origin in np.unique(self.origin):
                donors = self.table.get((int(origin), str(name)), self.table[int(origin), "all"])
                paths = np.flatnonzero(self.origin == origin)
                pick = self.rng.integers(0, len(donors), (len(rows), len(paths)))
                out[np.ix_(rows, paths)] = donors[pick]
        return out


def _weights(periods: pd.DataFrame, horizon: int) -> Floats:
    """Share of each day ahead that belongs to the period, shape (periods, horizon); of `last` meters the last."""
    first, last = periods["first_horizon"].to_numpy()[:, None], periods["last_horizon"].to_numpy()[:, None]
    days = np.arange(1, horizon + 1)[None, :]
    shares = ((days >= first) & (days <= last)).astype(np.float64)
    shares -= (days == first) * (1 - periods["first_share"].to_numpy(np.float64)[:, None])
    shares -= (days == last) * (1 - periods["last_share"].to_numpy(np.float64)[:, None])
    is_last = (periods["aggregation_formula"] == "last").to_numpy()[:, None]
    return np.where(is_last, days == last, np.maximum(shares, 0.0)).astype(np.float64)
