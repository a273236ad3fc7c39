"""The two naive forecasts of a daily panel, written as the scorer reads them; they share no code with ml.

`python -m tests.benches.ml.baselines PANEL METHOD OUT`: `seasonal_naive` repeats the last observed value of each
weekday; `weekday_mean` is the mean of its last four observed values. Their bands are what a series was wrong by, four
weeks apart, before the cutoff: no figure of theirs but WAPE and MASE means much.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WEEK = 7
VALUES = {"seasonal_naive": 1, "weekday_mean": 4}
BANDS = {"q025": 0.025, "q10": 0.1, "q90": 0.9, "q975": 0.975}


def forecast(panel: pd.DataFrame, method: str, horizon: int, windows: int) -> pd.DataFrame:
    """A row per series with history, cutoff and day ahead: unique_id, cutoff, ds, mean, median and the bands."""
    wide = panel.pivot(index="unique_id", columns="ds", values="y")
    wide = wide.reindex(columns=pd.date_range(wide.columns.min(), wide.columns.max()))
    last = pd.Timestamp(panel["ds"].max())
    cutoffs = [last - pd.Timedelta(days=horizon * back) for back in range(windows, 0, -1)]
    parts = [_ahead(wide, method, horizon, cutoff) for cutoff in cutoffs]
    return pd.concat(parts, ignore_index=True)


def _ahead(wide: pd.DataFrame, method: str, horizon: int, cutoff: pd.Timestamp) -> pd.DataFrame:
    seen = wide.loc[:, :cutoff].dropna(how="all")
    known = seen.to_numpy(np.float64)
    days = np.arange(1, horizon + 1)
    point = last_of_weekday(known, VALUES[method])[:, (days - 1) % WEEK]
    errors = np.full((len(known), 1), 0.0)
    if known.shape[1] > 4 * WEEK:
        errors = known[:, 4 * WEEK :] - known[:, : -4 * WEEK]
        errors[np.isnan(errors).all(axis=1)] = 0
    columns = {"mean": point, "median": point}
    for name, share in BANDS.items():
        off = np.nanquantile(errors, share, axis=1)
        columns[name] = point + (np.minimum(off, 0) if share < 0.5 else np.maximum(off, 0))[:, None]
    return pd.DataFrame(
        {
            "unique_id": np.repeat(seen.index.to_numpy(), horizon),
            "cutoff": cutoff,
            "ds": np.tile(cutoff + pd.to_timedelta(days, unit="D"), len(seen)),
            **{name: values.ravel() for name, values in columns.items()},
        }
    )


def last_of_weekday(known: Floats, values: int) -> Floats:
    """Mean of the last `values` observed values of each weekday, shape (series, 7), tomorrow's weekday first.

    A weekday never observed gets the mean of the series' others. known: shape (series, days), the last column today.
    """
    out = np.full((len(known), WEEK), np.nan)
    for step in range(WEEK):
        column = known[:, step - WEEK :: -WEEK] if known.shape[1] >= WEEK - step else known[:, :0]
        for series, row in enumerate(column):
            observed = row[~np.isnan(row)][:values]
            out[series, step] = observed.mean() if len(observed) else np.nan
    other = np.array([row[~np.isnan(row)].mean() if (~np.isnan(row)).any() else 0 for row in out])
    return np.where(np.isnan(out), other[:, None], out)


def main() -> None:
    """Write one method's forecasts."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("panel", type=Path)
    asked.add_argument("method", choices=list(VALUES))
    asked.add_argument("out", type=Path)
    asked.add_argument("--horizon", type=int, default=28)
    asked.add_argument("--windows", type=int, default=3)
    options = asked.parse_args()
    predicted = forecast(pd.read_parquet(options.panel), options.method, options.horizon, options.windows)
    predicted.to_parquet(options.out, index=False)


if __name__ == "__main__":
    main()
