"""`make bench-run`: what a first and a second run of the loop cost on this machine, in a state folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dlt_pipelines.errors import LoaderError
from dlt_pipelines.stages import ROOT

# Settings that would make the benchmark touch a real account or a shared registry.
NOT_OURS = ("STRIPE_", "MLFLOW_", "DBT_")
COMMAND = (sys.executable, "-m", "sandbox", "exec", "--", sys.executable, "-m", "dlt_pipelines", "run")


class BenchFailed(LoaderError):
    """A run inside the benchmark failed, so there is nothing to compare."""


def bench_run() -> dict[str, float]:
    """Figures of two runs after each other: flat keys, the unit in the key (`first_load_cpu_s`, `second_peak_mb`).

    `…_with_sandbox_wall_s` also counts the sandbox's own start and, the first time, its seeding.
    Raises BenchFailed with what the run said.
    """
    flat: dict[str, float] = {}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
    with tempfile.TemporaryDirectory(prefix="meterwise-bench-") as folder:
        for name in ("first", "second"):
            started = time.monotonic()
            done = subprocess.run(
                COMMAND, cwd=ROOT, env=kept | {"METERWISE_DATA": folder}, capture_output=True, text=True
            )
            if done.returncode:
                raise BenchFailed(f"the {name} run failed: {done.stderr.strip().splitlines()[-1]}")
            flat[f"{name}_with_sandbox_wall_s"] = round(time.monotonic() - started, 2)
            figures = json.loads((Path(folder) / "last_run.json").read_text())
            flat |= {f"{name}_{key}": value for key, value in figures.items()}
    return flat


def bench_table(flat: dict[str, float]) -> list[str]:
    """The figures as lines for people: a row per stage, seconds of wall and CPU and peak MB of both runs."""
    stages = [
        key.removeprefix("first_").removesuffix("_cpu_s")
        for key in flat
        if key.startswith("first_") and key.endswith("_cpu_s")
    ]
    rows = [f"{'':<12}{'first: wall s':>14}{'CPU s':>8}{'MB':>7}{'second: wall s':>17}{'CPU s':>8}{'MB':>7}"]
    for stage in stages:
        peak = "peak_mb" if stage == "total" else f"{stage}_peak_mb"
        cells = (
            (flat[f"{run}_{stage}_wall_s"], flat[f"{run}_{stage}_cpu_s"], flat[f"{run}_{peak}"])
            for run in ("first", "second")
        )
        (wall_1, cpu_1, mb_1), (wall_2, cpu_2, mb_2) = cells
        rows.append(f"{stage:<12}{wall_1:>14.1f}{cpu_1:>8.1f}{mb_1:>7.0f}{wall_2:>17.1f}{cpu_2:>8.1f}{mb_2:>7.0f}")
    first, second = flat["first_with_sandbox_wall_s"], flat["second_with_sandbox_wall_s"]
    rows.append(f"with the sandbox's start and seeding: {first:.1f} s, {second:.1f} s")
    return rows
