"""The stages of the loop, each a command of its own, run one after the other.

A stage is a separate process, so that packages meet only in tables and over HTTP, a
crash in one cannot damage another, and its CPU time and peak memory can be measured.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dlt_pipelines.errors import FolderUnusable, Locked

ROOT = Path(__file__).resolve().parent.parent
DBT = (sys.executable, "-m", "dbt.cli.main", "--no-use-colors")
PATIENCE_S = 10  # what a stage may take to end when asked
LOCKED = re.compile(r"Conflicting lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")


@dataclass(frozen=True)
class Stage:
    """A command and the exit codes that let the loop go on (0 done, 3 nothing to do, 7 a breach that is told)."""

    name: str
    command: tuple[str, ...]
    fine: frozenset[int] = frozenset({0})


@dataclass(frozen=True)
class Outcome:
    """What a stage cost: wall and CPU seconds, peak resident memory in MB, its exit code and its log."""

    stage: Stage
    code: int
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    log: Path

    @property
    def is_fine(self) -> bool:
        return self.code in self.stage.fine

    def said(self) -> str:
        """The log with colours and control characters taken out."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(errors="replace"))

    def failure(self) -> tuple[int, str]:
        """Exit code and one sentence for people; a lock is recognised in whatever the stage printed."""
        said = self.said()
        if lock := LOCKED.search(said):
            held = f"warehouse.duckdb is open in {lock['program']} (process {lock['pid']})"
            return 4, f"{self.stage.name}: {held}; close it and run again."
        if self.code < 0:
            return 1, f"{self.stage.name} was ended by signal {-self.code}; run again, nothing is lost."
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        # dbt names the model and then the cause; its tally (`Done. PASS=…`) comes last and says neither
        causes = [
            f"{line} {after}" if line.endswith(")") else line
            for line, after in zip(lines, [*lines[1:], ""], strict=False)  # a stage may have said nothing
            if re.search(r"\b(error|failure)\b", line, re.IGNORECASE) and "Done. PASS=" not in line
        ]
        last = (
            (causes[-1:] if self.stage.name in {"build", "recommend"} else lines[-1:])
            or lines[-1:]
            or ["it said nothing"]
        )
        return (
            self.code if self.code in {4, 5, 6} else 1,
            f"{self.stage.name} failed: {last[0]} (all of it: {self.log}).",
        )


def loop_stages(as_of: date | None) -> list[Stage]:
    """The loop of design.md section 1, in order; `as_of` replays an earlier UTC day."""
    python = (sys.executable, "-m")
    where = ("--project-dir", "dbt_project", "--profiles-dir", "dbt_project")
    day = ("--vars", f"{{as_of: '{as_of}'}}") if as_of else ()
    at = ("--as-of", as_of.isoformat()) if as_of else ()
    may_idle = frozenset({0, 3})
    return [
        Stage("load", (*python, "dlt_pipelines", "load")),
        Stage("audit", (*python, "dlt_pipelines", "ledger")),
        Stage("build", (*python, "dlt_pipelines", "build", *at)),
        Stage("drift", (*python, "ml", "drift", *at), frozenset({0, 3, 7})),
        Stage("train", (*python, "ml", "train", "--if-needed", *at), may_idle),
        Stage("score", (*python, "ml", "score", *at), may_idle),
        Stage("detect", (*python, "ml", "detect", *at), may_idle),
        Stage("recommend", (*DBT, "build", *where, "--select", "tag:after_ml", *day)),
        # what a replay finds is no news
        *([] if as_of else [Stage("alerts", (*python, "ml", "alerts"), may_idle)]),
        Stage("charts", (*python, "ml", "charts"), may_idle),
        Stage("publish", (*python, "dlt_pipelines", "publish")),
    ]


def environment(data: Path) -> dict[str, str]:
    """What a stage is started with: its working files lie in the state folder `data`, it tells nobody that it ran."""
    return os.environ | {
        "METERWISE_DATA": str(data.absolute()),
        "DBT_TARGET_PATH": str(data.absolute() / "dbt"),
        "DBT_LOG_PATH": str(data.absolute() / "logs"),
        "DO_NOT_TRACK": "true",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }


def run_stage(stage: Stage, data: Path) -> Outcome:
    """Run one stage to its end, its output in `data/logs/<stage>.log`. An interrupt ends the child first."""
    log = data / "logs" / f"{stage.name}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
    except OSError as error:
        raise FolderUnusable(f"{log} cannot be written ({error.strerror}); make room or move it, run again.") from error
    started = time.monotonic()
    with log.open("wb") as out:
        child = subprocess.Popen(
            stage.command,
            cwd=ROOT,
            env=environment(data),
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            end(child)
            raise
        child.returncode = os.waitstatus_to_exitcode(status)  # so that Popen does not wait for it again
    return Outcome(
        stage=stage,
        code=child.returncode,
        wall_seconds=time.monotonic() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,  # Linux counts it in KiB
        log=log,
    )


def end(child: subprocess.Popen[bytes]) -> None:
    """End a stage that we started: asked first, killed when it does not listen."""
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextmanager
def one_run_at_a_time(data: Path) -> Iterator[None]:
    """Hold `data/run.lock`; the kernel frees it when the process dies.

    Raises Locked, naming the process that holds it, and FolderUnusable when the folder cannot be written.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "run.lock").open("a+")
    except OSError as error:
        raise FolderUnusable(
            f"the state folder {data} cannot be written ({error.strerror}); "
            "set METERWISE_DATA to a folder that can, and run again."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise Locked(
                f"another run (process {holder}) works on {data}; wait for it to end, then run again."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
