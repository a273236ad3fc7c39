"""Detection of anomalies in anybody's daily or hourly panel: the same code as on a warehouse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ml import anomaly
from ml.errors import BadPanel
from ml.panel import Floats, Ints

NEEDED = ("unique_id", "ds", "y")
COLUMNS = ("unique_id", "ds", "expected", "score", "is_anomaly", "kind")
USE = "search"
LARGEST = 1e90  # whose cube is still a number
MOST_CELLS = 30_000_000  # series x points, gaps included: about 9 GB
MOST_POINTS = 500_000  # of one series, gaps included: 57 years of hours


def run(path: Path, frequency: str, output: Path) -> str:
    """Judge each row of the panel at `path` from the rows before it, write them to `output`; a sentence about it.

    A row without y is a gap, and is not judged; nor are the first four weeks (days, if hourly) of a series: score 0,
    is_anomaly false, kind ''. expected is missing until a series has been seen. Raises BadPanel.
    """
    rows, row, place, values = read(path, frequency)
    judged = anomaly.detect(values, frequency)
    output.parent.mkdir(parents=True, exist_ok=True)
    rows["expected"] = judged.expected[row, place]
    rows["score"] = judged.score[row, place]
    rows["is_anomaly"] = judged.is_anomaly[row, place]
    rows["kind"] = judged.kind[row, place]
    rows[list(COLUMNS)].to_parquet(output, index=False)
    found = rows["kind"][rows["is_anomaly"]].value_counts()
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(found.items()))
    return (
        f"{int(rows['is_anomaly'].sum())} of {len(rows)} points of {len(values)} series flagged"
        f" ({rows['is_anomaly'].mean():.2%}){': ' + kinds if kinds else ''}."
    )


def read(path: Path, frequency: str) -> tuple[pd.DataFrame, Ints, Ints, Floats]:
    """The rows as given, where each is in the panel (series, point), and the panel: shape (series, points), NaN gaps.

    Points run from the first to the last ds of the file. Raises BadPanel for a file that is no such panel: columns
    missing, a ds off the frequency's grid, two rows of one series and point, infinite values.
    """
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise BadPanel(path, f"it cannot be read as Parquet ({str(error).splitlines()[0]})", USE) from error
    if missing := [name for name in NEEDED if name not in frame]:
        raise BadPanel(path, f"it lacks {', '.join(missing)}", USE)
    frame = frame[list(NEEDED)].dropna(subset=["unique_id", "ds"]).reset_index(drop=True)
    try:
        when = pd.to_datetime(frame["ds"], utc=frequency == "h").dt.tz_localize(None)  # days as the calendar there says
        y = frame["y"].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise BadPanel(path, f"ds must be times and y numbers ({str(error).splitlines()[0]})", USE) from error
    if np.isnan(y).all() or (np.abs(y[~np.isnan(y)]) > LARGEST).any():
        raise BadPanel(path, f"it has no finite value of y, or infinite ones (beyond {LARGEST:.0e})", USE)
    moment = when.to_numpy().astype(f"datetime64[{frequency}]")
    if (moment != when.to_numpy()).any():
        raise BadPanel(path, f"it has times between {'days' if frequency == 'D' else 'hours'}", USE)
    row, ids = pd.factorize(frame["unique_id"], sort=True)
    place = (moment - moment.min()).astype(np.int64)
    if len(set(zip(row.tolist(), place.tolist(), strict=True))) < len(frame):
        raise BadPanel(path, f"it has two rows of one series and {'day' if frequency == 'D' else 'hour'}", USE)
    points = int(place.max()) + 1
    if len(ids) * points > MOST_CELLS or points > MOST_POINTS:
        most = f"{MOST_POINTS:,} points or {MOST_CELLS:,} cells"
        raise BadPanel(path, f"{len(ids):,} series over {points:,} points are more than {most}: split it", USE)
    values = np.full((len(ids), points), np.nan)
    values[row, place] = y
    return frame.assign(ds=when), row.astype(np.int64), place, values
