"""Every stage is killed midway and run again; the end is the same as without."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dlt_pipelines.stages import Stage, loop_stages
from tests.commands import ROOT, clean_environment, run
from tests.end_to_end.tables import hashes

IN_SANDBOX = (sys.executable, "-m", "sandbox", "exec", "--")
# Data tests change nothing, and first_run has run them: here they would only take time.
LEFT_OUT = "test"
# Seconds into a stage at which it dies: in the middle of its work, past the imports.
MIDWAY = {"load": 2.5, "audit": 0.6, "build": 6.0, "drift": 1.5, "train": 9.0, "score": 3.0, "recommend": 5.0}


def test_a_loop_whose_every_stage_was_killed_ends_equal_to_one_that_was_not(
    seeded_data: Path, first_run: tuple[Path, str], copy_of: Callable[[Path], Path]
) -> None:
    data = copy_of(seeded_data)
    for stage in loop_stages(None):
        kill_midway(stage, data, MIDWAY.get(stage.name, 0.8))
        done = run([*IN_SANDBOX, *stage.command], data, DBT_EXCLUDE_RESOURCE_TYPES=LEFT_OUT)
        assert done.returncode in stage.fine, f"{stage.name}: {done.stdout}{done.stderr}"
    assert hashes(data) == hashes(first_run[0])


def test_a_run_that_was_killed_whole_is_simply_run_again(
    first_run: tuple[Path, str], copy_of: Callable[[Path], Path]
) -> None:
    data = copy_of(first_run[0])
    whole = Stage("run", (sys.executable, "-m", "dlt_pipelines", "run"))
    kill_midway(whole, data, 12.0)
    again = run(["make", "run"], data, DBT_EXCLUDE_RESOURCE_TYPES=LEFT_OUT)
    assert again.returncode == 0, again.stderr
    assert hashes(data) == hashes(first_run[0])


def kill_midway(stage: Stage, data: Path, seconds: float) -> None:
    """Start a stage, let it work so long, and SIGKILL it with all it started; sooner, where it was quicker."""
    while not killed(stage, data, seconds):
        seconds /= 2


def killed(stage: Stage, data: Path, seconds: float) -> bool:
    """Whether the stage was still at work after so many seconds, and so was killed."""
    running = subprocess.Popen(
        [*IN_SANDBOX, *stage.command],
        cwd=ROOT,
        env=clean_environment(data, DBT_EXCLUDE_RESOURCE_TYPES=LEFT_OUT),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(seconds)
    is_at_work = running.poll() is None
    if is_at_work:
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    with (data / "sandbox" / "lock").open() as lock:  # its server sees that nobody is left, and stops
        fcntl.flock(lock, fcntl.LOCK_EX)
    return is_at_work


def test_a_run_that_is_asked_to_end_ends_its_stage_first(seeded_data: Path, copy_of: Callable[[Path], Path]) -> None:
    data = copy_of(seeded_data)
    running = subprocess.Popen(
        [*IN_SANDBOX, sys.executable, "-m", "dlt_pipelines", "run"],
        cwd=ROOT,
        env=clean_environment(data),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (data / "logs" / "load.log").exists():
        assert running.poll() is None
        time.sleep(0.05)
    time.sleep(1.5)
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in said
    mine = f"METERWISE_DATA={data}".encode()
    assert [process for process in Path("/proc").glob("[0-9]*") if mine in environment_of(process)] == []


def environment_of(process: Path) -> bytes:
    """What a process was started with; nothing, when it is gone or not ours."""
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""
