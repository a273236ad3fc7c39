"""R1 with the kernel's own SIGKILL: at every point of the code, and while the process waits for Stripe."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.actions.conftest import KINDS, Desk
from tests.actions.faults import KILLS
from tests.actions.harness import Start, Tally, broken, come_back, laid, rerun_until_settled
from tests.actions.processes import KilledAt, ended, forked
from tests.actions.rows import TWO_CALLS

FAULTS = ("", "drop after", "500 after, kept", "500 before, kept", "truncated body")
POINTS = 12


def killed(start: Start, folder: Path, n: int, faults: tuple[str, ...], hours: int, tally: Tally) -> None:
    """One process that applies and is killed, and this one, which comes back later."""
    with laid(start, folder, *faults) as desk:
        child = forked(lambda: desk.apply(point=KilledAt(n)))
        desk.world.victim = child
        code = ended(child)
        come_back(desk, hours)
        rerun_until_settled(desk)
        found = broken(desk, start.planned)
        tally.add(f"point {n}, faults {faults}, {hours} h", code == -signal.SIGKILL, found)


@pytest.fixture
def start(desk: Desk, quick_path: Path, request: pytest.FixtureRequest) -> Start:
    desk.now_us = time.time_ns() // 1_000
    desk.approved((KINDS | TWO_CALLS)[request.param]())
    desk.apply(send=False)  # everything is imported and compiled: a fork of this process begins at once
    return Start(desk)


@pytest.mark.parametrize("start", ["credit", "upgrade", "quote"], indirect=True)
def test_a_killed_runner_is_continued_by_the_next(start: Start, quick_path: Path) -> None:
    tally = Tally()
    for number, fault in enumerate(FAULTS):
        for n in range(1 + number % 2, POINTS + 1, 1 if not fault else 2):
            killed(start, quick_path, n, (fault,), 25 * (n % 3 == 0), tally)
    for kill in KILLS:
        for fault in ("", "500 before, kept"):
            for hours in (0, 25):
                killed(start, quick_path, 0, (fault, kill) if fault else (kill,), hours, tally)
    assert tally.wrong == []
    print(tally)
    assert tally.crashed >= 38
