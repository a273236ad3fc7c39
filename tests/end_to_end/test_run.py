"""`make run` on a small company: what it prints, that it repeats, and what it does in trouble."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb

from tests.commands import in_sandbox, module, run
from tests.end_to_end.tables import hashes
from tests.parsed import hand_on


def test_the_summary_says_what_a_stranger_wants_to_know(first_run: tuple[Path, str]) -> None:
    _, printed = first_run
    for wanted in (
        "as of 2026-10-31",
        "MRR",
        "80 % band",
        "Forecasts against what came",
        "seasonal naive",
        "run-rate",
        "Most at risk",
        "Recommendations",
        "Seconds per stage",
        "Next",
        "make plan",
    ):
        assert wanted in printed
    assert len(printed.splitlines()) <= 60, "more than a screen"


def test_a_second_run_trains_nothing_and_changes_no_fact_or_recommendation(
    first_run: tuple[Path, str], copy_of: Callable[[Path], Path]
) -> None:
    data = copy_of(first_run[0])
    before = hashes(data)
    again = run(["make", "run"], data)
    assert again.returncode == 0, again.stderr
    trained = (data / "logs" / "train.log").read_text()
    assert trained.count("not training: the champion is current") == 2, trained
    assert hashes(data) == before
    assert {"fct_usage_daily", "fct_invoices", "fct_mrr_monthly", "recommendations"} <= set(before)


def test_a_locked_warehouse_is_refused_naming_the_process(
    first_run: tuple[Path, str], copy_of: Callable[[Path], Path]
) -> None:
    data = copy_of(first_run[0])
    held = duckdb.connect(str(data / "warehouse.duckdb"))
    try:
        refused = in_sandbox(data, "dlt_pipelines", "run")
    finally:
        held.close()
    assert refused.returncode == 4
    assert f"{os.getpid()}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_two_runs_at_once_do_not_mix(first_run: tuple[Path, str], copy_of: Callable[[Path], Path]) -> None:
    data = copy_of(first_run[0])
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, os, sys, time\n"
            "lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
            "lock.write(str(os.getpid())); lock.flush()\n"
            "print('held', flush=True); time.sleep(60)",
            str(data / "run.lock"),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        refused = in_sandbox(data, "dlt_pipelines", "run")
    finally:
        holder.kill()
        holder.wait()
    assert refused.returncode == 4
    assert f"process {holder.pid}" in refused.stderr


def test_a_state_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    failed = module(tmp_path / "file" / "data", "dlt_pipelines", "run", STRIPE_API_KEY="rk_test_x")
    assert failed.returncode == 1
    assert "METERWISE_DATA" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_an_empty_account_runs_to_the_end_and_says_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert module(data, "sandbox", "seed", "--empty").returncode == 0
    hand_on(data)
    done = in_sandbox(data, "dlt_pipelines", "run")
    assert done.returncode == 0, done.stderr
    assert "no customers" in done.stdout


def test_an_earlier_day_can_be_replayed(first_run: tuple[Path, str], copy_of: Callable[[Path], Path]) -> None:
    data = copy_of(first_run[0])
    said = set(data.glob("scores/*_said/run=*.parquet"))
    hand_on(data, {"as_of": "2026-09-30"})
    replayed = in_sandbox(data, "dlt_pipelines", "run", "--as-of", "2026-09-30")
    assert replayed.returncode == 0, replayed.stderr
    assert "as of 2026-09-30" in replayed.stdout
    # what is said with hindsight was never said: nothing of it is kept to be judged
    assert set(data.glob("scores/*_said/run=*.parquet")) == said
    of = "periods, invoices, revenue, alerts, recommendations and price assignments"
    assert len(said) == 12, f"an empty file and the first run's, of {of}"
    shutil.rmtree(data)
