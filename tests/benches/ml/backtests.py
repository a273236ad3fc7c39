"""Backtests of daily panels by the product's own command and by two naive methods, judged by the same scorer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.benches.marks import Mark
from tests.benches.measure import run
from tests.commands import ROOT

NAIVE = ("seasonal_naive", "weekday_mean")
ONE_THREAD = {"METERWISE_THREADS": "1", "OMP_NUM_THREADS": "1"}
HORIZON, WINDOWS = "28", "3"
# Panels the model has not been tuned to: other seeds than those in panels.PANELS.
GENERATED = {"yearly": 7011, "yearly2": 7012, "intermittent": 7021, "intermittent2": 7022}
NN5_MUST = {
    "nn5_mase": Mark(most=0.750),
    "nn5_wape": Mark(most=16.6),
    "nn5_wape_sum": Mark(most=6.0),
    "nn5_pinball": Mark(most=0.200),
    "nn5_cov80": Mark(78, 84),
    "nn5_cov95": Mark(93, 97),
    "nn5_cpu_s": Mark(most=240),
}
NN5_AIM = {"nn5_mase": Mark(most=0.735), "nn5_wape": Mark(most=16.3), "nn5_wape_sum": Mark(most=5.8)}
BELOW_NAIVE, COV80, COV80_AIM = Mark(most=0.999), Mark(70, 90), Mark(75, 85)
PANELS_MUST = {
    **{f"{name}_{metric}_of_naive": BELOW_NAIVE for name in GENERATED for metric in ("wape", "wape_sum")},
    **{f"{name}_cov80": COV80 for name in GENERATED},
}
PANELS_AIM = {f"{name}_cov80": COV80_AIM for name in GENERATED}


@dataclass(frozen=True)
class Data:
    """Where development data and scorers lie (METERWISE_BENCH_DATA, by default ../shared): outside the repository."""

    folder: Path

    @classmethod
    def found(cls) -> Data | None:
        """The folder, or None when it lacks the panel or the scorer."""
        data = cls(Path(os.environ.get("METERWISE_BENCH_DATA") or ROOT.parent / "shared").absolute())
        return data if data.scorer.is_file() and data.nn5.is_file() else None

    @property
    def nn5(self) -> Path:
        return self.folder / "data" / "nn5_daily.parquet"

    @property
    def scorer(self) -> Path:
        return self.folder / "bench" / "score_forecast.py"


def nn5(folder: Path, data: Data) -> dict[str, float]:
    """The one real panel: daily cash withdrawn at 111 ATMs."""
    return {f"nn5_{name}": value for name, value in backtest(folder, data, data.nn5).items()}


def panels(folder: Path, data: Data) -> dict[str, float]:
    """Generated panels of two kinds, drawn anew with seeds that nothing was tuned to."""
    flat: dict[str, float] = {}
    for name, seed in GENERATED.items():
        run(folder, "tests.benches.ml.panels", str(folder), "--only", name, "--seed", str(seed))
        found = backtest(folder, data, folder / f"{name}.parquet")
        flat |= {f"{name}_{metric}": value for metric, value in found.items()}
    return flat


def backtest(folder: Path, data: Data, panel: Path) -> dict[str, float]:
    """The scorer's figures of the product's forecasts, their cost, and how they compare with the better naive one.

    wape_of_naive, wape_sum_of_naive: ours over the better of the two naive methods; under 1 is better than both.
    """
    out = folder / "predictions.parquet"
    used = run(
        folder,
        *("ml", "bench", "backtest", "--panel", str(panel), "--output", str(out)),
        *("--horizon", HORIZON, "--windows", WINDOWS),
        **ONE_THREAD,
    )
    ours = score(data, panel, out)
    flat = ours | {"cpu_s": round(used.cpu_s, 1), "wall_s": round(used.wall_s, 1), "peak_mb": round(used.peak_mb)}
    naive = {}
    for method in NAIVE:
        run(folder, "tests.benches.ml.baselines", str(panel), method, str(out))
        naive[method] = score(data, panel, out)
    for metric in ("mase", "wape", "wape_sum"):
        flat |= {f"{metric}_{method}": figures[metric] for method, figures in naive.items()}
        flat[f"{metric}_of_naive"] = round(ours[metric] / min(each[metric] for each in naive.values()), 4)
    return flat


def score(data: Data, panel: Path, predictions: Path) -> dict[str, float]:
    """The scorer's JSON; a refusal ends the benchmark with the scorer's words."""
    command = [sys.executable, str(data.scorer), str(panel), str(predictions)]
    done = subprocess.run(
        [*command, "--horizon", HORIZON, "--windows", WINDOWS], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{data.scorer.name} did not score {panel.name}: {done.stderr.strip()}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
