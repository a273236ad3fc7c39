"""Loads in processes that are killed on their way: begun by a fork server, so that none imports dlt anew."""

import io
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass

from dlt_pipelines.load import load
from dlt_pipelines.progress import Progress
from dlt_pipelines.settings import Settings
from tests.commands import SETTINGS
from tests.dlt_pipelines.proof import Proof

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["dlt", "stripe", "tests.dlt_pipelines.killing"])
PATIENCE = 120  # seconds; a load of the furnished account takes one


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds after the load's request of that number (from 1) was heard."""

    request: int
    seconds: float


def run(settings: Settings) -> None:
    """One load, in the child."""
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        del os.environ[name]
    load(settings, Progress(io.StringIO(), is_quiet=True))


def timeline(proof: Proof) -> list[float]:
    """Seconds from the first request of an undisturbed load to each of its requests, and to its end."""
    heard: list[float] = []
    proof.served.heard = lambda count: heard.append(time.monotonic())
    child = FORKS.Process(target=run, args=(proof.settings,))
    child.start()
    child.join(PATIENCE)
    proof.served.heard = lambda count: None
    assert child.exitcode == 0
    return [at - heard[0] for at in (*heard, time.monotonic())]


def moment_at(times: list[float], part: float) -> Moment:
    """The moment when `part` (0 to 1) of such a timeline has passed."""
    at = part * times[-1]
    request = max(1, sum(1 for time in times[:-1] if time <= at))
    return Moment(request, max(0.0, at - times[request - 1]))


def load_and_kill(proof: Proof, moment: Moment) -> bool:
    """Begin a load and kill -9 it at that moment; False when it ended before."""
    child = FORKS.Process(target=run, args=(proof.settings,))
    begun, due = len(proof.served.requests), threading.Event()
    proof.served.heard = lambda count: due.set() if count - begun == moment.request else None
    child.start()
    while not due.wait(0.01) and child.is_alive():
        pass
    child.join(moment.seconds)
    if child.is_alive() and child.pid:
        os.kill(child.pid, signal.SIGKILL)
    child.join(PATIENCE)
    proof.served.heard = lambda count: None
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0
