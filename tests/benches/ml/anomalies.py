"""Anomalies of others' panels found by the product's own command, judged by the scorer outside the repository.

`nn5`: cash withdrawn daily at 111 machines, three anomalies planted in each, five times (the panel's own
oddities count as false alarms). `nab`: 26 real hourly series of the Numenta benchmark with hand-made labels.
Neither is Stripe usage. Beside ours is a rolling z of 90 points, flagged beyond 3 (daily) or 5 (hourly).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from tests.benches.marks import Mark
from tests.benches.measure import run
from tests.benches.ml.backtests import ONE_THREAD, Data

SEEDS = (1, 2, 3, 4, 5)
MUST = {
    "nn5_anomalies_flag_rate": Mark(most=0.015),
    "nn5_anomalies_f1": Mark(least=0.28),
    "nn5_anomalies_f1_at_1_percent": Mark(least=0.275),
    "nn5_anomalies_f1_at_5_percent": Mark(least=0.24),
    "nn5_anomalies_recall_at_5_percent": Mark(least=0.66),
    "nab_anomalies_flag_rate": Mark(most=0.01),
    "nab_anomalies_f1": Mark(least=0.57),
}
AIM = {
    "nn5_anomalies_f1": Mark(least=0.35),
    "nn5_anomalies_f1_at_1_percent": Mark(least=0.33),
    "nn5_anomalies_f1_at_5_percent": Mark(least=0.28),
    "nn5_anomalies_recall_at_5_percent": Mark(least=0.80),
    "nab_anomalies_f1": Mark(least=0.62),
}
Z_POINTS, Z_LEAST = 90, 20


def measure(folder: Path, data: Data) -> dict[str, float]:
    """Both panels."""
    return nn5(folder, data) | nab(folder, data)


def nn5(folder: Path, data: Data) -> dict[str, float]:
    """Mean over five seeds of what is planted where."""
    planter, found = data.folder / "bench" / "plant_anomalies.py", []
    for seed in SEEDS:
        panel, windows = folder / f"planted_{seed}.parquet", folder / f"windows_{seed}.json"
        script(planter, str(data.nn5), str(panel), str(windows), "--seed", str(seed))
        found.append(judge(folder, data, panel, windows, "D", z=3.0))
    mean = pd.DataFrame(found).mean()
    return {f"nn5_anomalies_{name}": round(float(value), 4) for name, value in mean.items()}


def nab(folder: Path, data: Data) -> dict[str, float]:
    """The series and windows given, hourly; runs may be 48 hours long and alerts 6 hours apart are one."""
    at = data.folder / "data" / "nab"
    options = ("--skip", "96", "--gap", "6", "--max-run", "48")
    found = judge(folder, data, at / "nab_dev.parquet", at / "windows_dev.json", "h", *options, z=5.0)
    return {f"nab_anomalies_{name}": round(value, 4) for name, value in found.items()}


def judge(
    folder: Path, data: Data, panel: Path, windows: Path, frequency: str, *options: str, z: float
) -> dict[str, float]:
    """The scorer's figures of ours and of the rolling z; cpu_s: what the command took."""
    out = folder / "verdicts.parquet"
    ours = ("ml", "bench", "detect", "--panel", str(panel), "--frequency", frequency, "--output", str(out))
    used = run(folder, *ours, **ONE_THREAD)
    found = score(data, out, windows, *options)
    rolling_z(pd.read_parquet(panel), z).to_parquet(out)
    beside = {f"z_{name}": value for name, value in score(data, out, windows, *options).items()}
    return found | beside | {"cpu_s": used.cpu_s}


def score(data: Data, verdicts: Path, windows: Path, *options: str) -> dict[str, float]:
    """Flag rate, precision, recall and F1 as shipped, and F1 and recall where 1 or 5 % of points are flagged."""
    said = json.loads(script(data.folder / "bench" / "score_anomaly.py", str(verdicts), str(windows), *options))
    found = {name: float(said["shipped"][name]) for name in ("flag_rate", "precision", "recall", "f1")}
    for percent, budget in ((1, "budget_0.01"), (5, "budget_0.05")):
        found |= {f"{name}_at_{percent}_percent": float(said[budget][name]) for name in ("f1", "recall")}
    return found


def rolling_z(panel: pd.DataFrame, limit: float) -> pd.DataFrame:
    """The usual rule as verdicts: standard deviations from the mean of the 90 points before."""
    rows = panel.sort_values(["unique_id", "ds"], ignore_index=True)
    past = rows.groupby("unique_id")["y"]
    mean, spread = (
        past.transform(lambda y, how=how: getattr(y.shift(1).rolling(Z_POINTS, min_periods=Z_LEAST), how)())
        for how in ("mean", "std")
    )
    z: pd.Series[float] = ((rows["y"] - mean) / np.maximum(spread, 1e-9)).fillna(0.0).clip(-1e6, 1e6)
    return rows.assign(score=z, is_anomaly=z.abs() > limit)


def script(path: Path, *arguments: str) -> str:
    """What a script outside the repository prints; its refusal ends the benchmark."""
    done = subprocess.run([sys.executable, str(path), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{path.name} ended with: {done.stderr.strip()}")
    return done.stdout
