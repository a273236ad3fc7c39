"""Held-out figures of a method beside the seasonal naive, over all and by segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml import metrics, routes
from ml.intervals import held_out_bands, own_scale
from ml.panel import Floats, Panel
from ml.routes import SEASONAL_NAIVE, WEEKDAY_MEAN

if TYPE_CHECKING:
    from ml.backtest import Block

COLUMNS = ("metric", "segment", "value", "baseline_value", "n")
TOP = 10  # biggest items of each meter and origin: where the money is
SUM_DAYS = 28
Row = tuple[str, str, float, float, int]
Mask = NDArray[np.bool_]


def segments(panel: Panel, block: Block) -> dict[str, Mask]:
    """Rows of the block in each segment: all, class:…, meter:…, plan:…, top10 (items of each meter and origin)."""
    rows = panel.rows.iloc[block.picked]
    demand = routes.demand_class(panel, block.picked)
    found = {"all": np.ones(len(rows), dtype=bool)}
    found |= {f"class:{name}": demand == name for name in np.unique(demand)}
    for column in ("meter", "plan"):
        values = rows["meter_id" if column == "meter" else "plan"].fillna("none").astype(str).to_numpy()
        found |= {f"{column}:{name}": values == name for name in np.unique(values)}
    level = pd.Series(np.nan_to_num(panel.features["level"][block.picked]))
    place = level.groupby([rows["meter_id"].to_numpy(), block.cutoff]).rank(ascending=False, method="first")
    return found | {f"top{TOP}": place.to_numpy() <= TOP}


def figures(panel: Panel, block: Block, method: str) -> pd.DataFrame:
    """metric, segment, value, baseline_value (seasonal naive's), n: held-out figures of `method`.

    wape (%, of the median) is the mean over meters weighted by rows, bias (%) of the mean in the same way, wape_28 the
    WAPE of each item's sum over 28 days (from the mean); cov80 and cov95 (0 to 1) are of bands learned from the other
    blocks, the seasonal naive's likewise. Segments also by week ahead (week:01 …) and `days:28`.
    """
    if not len(block.picked):
        return pd.DataFrame({name: [] for name in COLUMNS})
    naive, served = block.forecasts[SEASONAL_NAIVE], block.forecasts[method]
    scale, demand = own_scale(panel, block.picked), routes.demand_class(panel, block.picked)
    said = held_out_bands(block.actual, served.median, scale, demand, block.cutoff)
    plain = held_out_bands(block.actual, naive.median, scale, demand, block.cutoff)
    meter = panel.rows["meter_id"].to_numpy()[block.picked].astype(str)
    found: list[Row] = []
    for name, rows in segments(panel, block).items():
        found += _of_days(block, method, rows, slice(None), name, meter, (said, plain))
    everything = np.ones(len(meter), dtype=bool)
    for week in range(-(-panel.horizon // 7)):
        days = slice(7 * week, 7 * week + 7)
        found += _of_days(block, method, everything, days, f"week:{week + 1:02d}", meter, (said, plain))
    if panel.horizon > SUM_DAYS:
        found += _of_days(block, method, everything, slice(SUM_DAYS), f"days:{SUM_DAYS}", meter, (said, plain))
    errors = np.nanmean(_or_zero(panel.seasonal_errors(block.picked, int(panel.position.max()) + 1)), axis=1)
    pair = [metrics.mase(block.actual, one.median, errors) for one in (served, naive)]
    found.append(("mase", "all", pair[0], pair[1], int((~np.isnan(block.actual)).sum())))
    return pd.DataFrame(found, columns=list(COLUMNS))


def _of_days(
    block: Block,
    method: str,
    rows: Mask,
    days: slice,
    segment: str,
    meter: NDArray[np.str_],
    bands: tuple[Mapping[str, Floats], Mapping[str, Floats]],
) -> Iterator[Row]:
    actual = block.actual[rows][:, days]
    seen = ~np.isnan(actual)
    n = int(seen.sum())
    if not n:
        return
    unit = np.broadcast_to(meter[rows][:, None], actual.shape)[seen]
    cut = {name: (one.median[rows][:, days], one.mean[rows][:, days]) for name, one in block.forecasts.items()}
    served, naive, weekday = cut[method], cut[SEASONAL_NAIVE], cut[WEEKDAY_MEAN]
    wapes = [metrics.wape_by_unit(actual[seen], one[0][seen], unit) for one in (served, naive, weekday)]
    yield "wape", segment, wapes[0], wapes[1], n
    yield "wape_weekday_mean", segment, wapes[2], wapes[1], n
    biases = [metrics.bias_by_unit(actual[seen], one[1][seen], unit) for one in (served, naive)]
    yield "bias", segment, biases[0], biases[1], n
    for name, low, high in (("cov80", "q10", "q90"), ("cov95", "q025", "q975")):
        edges = [(one[low][rows][:, days][seen], one[high][rows][:, days][seen]) for one in bands]
        pair = [metrics.coverage(actual[seen], *two) for two in edges]
        yield name, segment, pair[0], pair[1], n
    if segment.startswith("week:") or actual.shape[1] < SUM_DAYS:
        return
    first = seen[:, :SUM_DAYS]
    sums = [np.where(first, one[:, :SUM_DAYS], 0.0).sum(axis=1) for one in (actual, served[1], naive[1])]
    pair = [metrics.wape_by_unit(sums[0], values, meter[rows]) for values in sums[1:]]
    yield f"wape_{SUM_DAYS}", segment, pair[0], pair[1], int(first.any(axis=1).sum())


def _or_zero(errors: Floats) -> Floats:
    """Rows without any known error become 0, so that their mean is defined (and their MASE left out)."""
    errors[np.isnan(errors).all(axis=1), 0] = 0.0
    return errors
