"""`watch` runs the loop's own load, build and drift when something landed; here with stages that cost nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dlt_pipelines.errors import Locked
from dlt_pipelines.inbox import Arrival, Inbox
from dlt_pipelines.run import StageFailed
from dlt_pipelines.settings import Settings
from dlt_pipelines.stages import Stage, loop_stages, one_run_at_a_time
from dlt_pipelines.watch import Pace, cycle_once, watched_stages
from tests.commands import ROOT, clean_environment

# One cycle's stages, as programs: `load` takes what waits in the inbox and counts its runs, `build` ends as told.
LOAD = """
import sys; from pathlib import Path; from datetime import datetime
from dlt_pipelines import inbox; from dlt_pipelines.settings import Settings
here = Settings(data=Path(sys.argv[1])); at_once = int(sys.argv[2])
ids = [each for each, _ in inbox.pending(here, at_once)]
inbox.mark_loaded(here, ids, datetime(2026, 11, 1))
with open(here.data / "loads", "a") as loads: loads.write(f"{len(ids)}\\n")
"""
BUILD = "import sys, pathlib; sys.exit(int((pathlib.Path(sys.argv[1]) / 'code').read_text()))"
WATCH = """
import sys; from pathlib import Path
from dlt_pipelines.settings import Settings; from dlt_pipelines.watch import Pace, keep_watching
from tests.dlt_pipelines.test_watch import stages
data = Path(sys.argv[1])
say = lambda line: print(line, flush=True)
keep_watching(Settings(data=data), say, stages(data, at_once=int(sys.argv[3])), Pace(*map(float, sys.argv[2].split())))
"""
QUICK = Pace(poll=0.02, settle=0.1, settle_at_most=0.4, at_least_every=60, first_pause=0.2, longest_pause=0.3)


def stages(
    data: Path, code: int = 0, at_once: int = 1_000_000, fine: frozenset[int] = frozenset({0, 7})
) -> list[Stage]:
    data.mkdir(parents=True, exist_ok=True)
    if not (data / "code").exists():
        (data / "code").write_text(str(code))
    load = (sys.executable, "-c", LOAD, str(data), str(at_once))
    return [Stage("load", load), Stage("build", (sys.executable, "-S", "-c", BUILD, str(data)), fine)]


class Watch:
    """A watching process, its state folder and its lines."""

    def __init__(self, data: Path, pace: Pace, at_once: int) -> None:
        self.data = data
        self.said: list[str] = []
        paces = " ".join(map(str, vars(pace).values()))
        self.child = subprocess.Popen(
            [sys.executable, "-c", WATCH, str(data), paces, str(at_once)],
            cwd=ROOT, env=clean_environment(data), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout
        self.said.extend(line.rstrip("\n") for line in self.child.stdout)

    def cycles(self) -> int:
        """How many cycles have ended well."""
        return sum("webhook events had landed" in line for line in self.said)

    def loads(self) -> list[int]:
        """How many events each load so far has taken."""
        file = self.data / "loads"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def stop(self, number: int = signal.SIGTERM) -> list[str]:
        """End it by a signal, which must be clean; all its lines."""
        self.child.send_signal(number)
        assert self.child.wait(15) == 0, self.said
        self._reader.join(15)
        return self.said


@contextmanager
def watching(data: Path, pace: Pace = QUICK, at_once: int = 1_000_000) -> Iterator[Watch]:
    watch = Watch(data, pace, at_once)
    try:
        yield watch
    finally:
        watch.child.kill()
        watch.child.wait()


def land(data: Path, *ids: str) -> None:
    with closing(Inbox(Settings(data=data).inbox)) as inbox:
        inbox.land([Arrival(each, "invoice.paid", 1, False, None, b"{}") for each in ids])


def until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never was"
        time.sleep(0.02)


def test_it_runs_the_loops_own_stages_in_order() -> None:
    of_the_loop = {stage.name: stage for stage in loop_stages(None)}
    assert watched_stages() == [
        of_the_loop[name] for name in ("load", "build", "drift", "detect", "recommend", "alerts")
    ]


def test_it_cycles_at_once_then_for_each_burst_that_landed(tmp_path: Path) -> None:
    with watching(tmp_path, Pace(poll=0.02, settle=1, settle_at_most=5)) as watch:
        until(lambda: watch.loads() == [0])
        for number in range(5):  # a burst
            land(tmp_path, f"evt_{number}")
            time.sleep(0.02)
        until(lambda: sum(watch.loads()) == 5)
        burst = watch.loads()
        land(tmp_path, "evt_late")
        until(lambda: sum(watch.loads()) == 6 and watch.cycles() == len(watch.loads()))
        time.sleep(1.5)  # nothing landed: nothing runs
        assert watch.loads() == [*burst, 1]
        said = watch.stop()
    assert len(burst) <= 3  # the first load and one for the burst; two if it began while the first cycle ran
    assert said[0].startswith("Watching ")
    assert said[-1] == "Stopped."
    assert said[-2].endswith("; 1 webhook events had landed")
    assert len(said) == 2 + len(watch.loads())


def test_it_cycles_now_and_then_though_nothing_landed(tmp_path: Path) -> None:
    with watching(tmp_path, Pace(poll=0.02, at_least_every=0.3)) as watch:
        until(lambda: len(watch.loads()) >= 3)
        watch.stop()


def test_what_one_load_leaves_the_next_one_takes_without_waiting_for_news(tmp_path: Path) -> None:
    land(tmp_path, *(f"evt_{number}" for number in range(6)))
    with watching(tmp_path, at_once=4) as watch:  # two bodies of two bytes each
        until(lambda: watch.loads() == [2, 2, 2])
        watch.stop()


def test_a_failed_stage_is_told_and_tried_again_until_it_is_well(tmp_path: Path) -> None:
    stages(tmp_path, code=1)
    with watching(tmp_path) as watch:
        until(lambda: len(watch.loads()) >= 2)
        (tmp_path / "code").write_text("7")
        land(tmp_path, "evt_1")
        until(lambda: sum(watch.loads()) == 1 and watch.cycles() > 0)
        said = watch.stop()
    assert "build failed" in said[1]
    assert said[1].endswith("Trying again in 0 s.")
    assert any("build " in line and "a breach: see alerts.jsonl" in line for line in said)


def test_it_waits_for_a_run_that_somebody_else_started(tmp_path: Path) -> None:
    with one_run_at_a_time(tmp_path):
        with watching(tmp_path) as watch:
            until(lambda: len(watch.said) > 1)
            assert f"another run (process {os.getpid()})" in watch.said[1]
            assert watch.loads() == []
            watch.stop()
        with pytest.raises(Locked):
            cycle_once(Settings(data=tmp_path), print, stages(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_running_stage_and_then_itself(tmp_path: Path, number: int) -> None:
    slow = "import time, pathlib, sys; pathlib.Path(sys.argv[1], 'began').touch(); time.sleep(60)"
    program = WATCH.replace("stages(data, at_once=int(sys.argv[3]))", "[Stage('load', tuple(sys.argv[3:]))]").replace(
        "from tests.dlt_pipelines.test_watch import stages", "from dlt_pipelines.stages import Stage"
    )
    # one more that comes when all is over, while Python ends
    program += f"import os; os.kill(os.getpid(), {int(number)}); print('Ended.')"
    paces = " ".join(map(str, vars(QUICK).values()))
    command = [sys.executable, "-c", program, str(tmp_path), paces, sys.executable, "-c", slow, str(tmp_path)]
    child = subprocess.Popen(command, cwd=ROOT, env=clean_environment(tmp_path), stdout=subprocess.PIPE, text=True)
    until(lambda: (tmp_path / "began").exists())
    started = time.monotonic()
    child.send_signal(number)
    child.send_signal(number)
    said, _ = child.communicate(timeout=10)
    assert (child.returncode, said.splitlines()[-2:]) == (0, ["Stopped.", "Ended."])
    assert time.monotonic() - started < 5
    with one_run_at_a_time(tmp_path):  # nothing of it holds the folder
        pass


def test_once_is_one_cycle_and_its_exit_code(tmp_path: Path) -> None:
    said: list[str] = []
    cycle_once(Settings(data=tmp_path), said.append, stages(tmp_path))
    assert len(said) == 1
    assert said[0].startswith(f"{datetime.now(UTC):%Y-%m-%d}")
    (tmp_path / "code").write_text("5")
    with pytest.raises(StageFailed) as failed:
        cycle_once(Settings(data=tmp_path), said.append, stages(tmp_path))
    assert failed.value.exit_code == 5
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_it_costs_next_to_nothing_while_nothing_happens(tmp_path: Path) -> None:
    with watching(tmp_path, Pace(poll=0.01)) as watch:  # a hundred times as often as in use
        land(tmp_path, "evt_1")  # so that there is a file to look into
        until(lambda: watch.cycles() == 1)
        began = cpu_seconds(watch.child.pid)
        time.sleep(1)
        spent = cpu_seconds(watch.child.pid) - began
        watch.stop()
    print(f"{spent * 1000:.0f} ms of CPU for 100 looks")
    assert spent < 0.5  # so at most 5 ms a second in use


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
