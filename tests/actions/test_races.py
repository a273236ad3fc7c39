"""R8: four processes at once, with the file lock and past it, have one effect for each action and pass no cap."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from actions.errors import NothingToDo
from actions.policy import read_policy
from actions.record import Result
from actions.state import load, overview
from tests.actions.conftest import ME, Desk, credit, upgrade
from tests.actions.harness import Start, Tally, broken, laid
from tests.actions.processes import ended, forked
from tests.actions.rows import courtesy
from tests.actions.scenarios import capped

ROUNDS, RUNNERS = 20, 4
CAP = 3


def apply_unlocked(desk: Desk) -> list[Result]:
    """`apply` without the lock on the file, as if two machines shared it: the ledger alone must hold."""
    ledger = desk.ledger()
    runner = desk.runner(ledger, desk.port(True), desk.policy(), ME, False)
    ready = [action.action_id for action in overview(ledger) if action.state == "approved"]
    return [runner.run(action, True) for action in [load(ledger, name) for name in ready]]


def race(desk: Desk, is_locked: bool) -> list[int]:
    """Exit codes of RUNNERS processes that begin at the same moment."""
    waiting, go = os.pipe()

    def run() -> None:
        os.close(go)
        os.read(waiting, 1)  # returns when the last writer has gone
        if is_locked:
            desk.apply()
        else:
            apply_unlocked(desk)

    children = [forked(run) for _ in range(RUNNERS)]
    os.close(waiting)
    os.close(go)
    return [ended(child) for child in children]


@pytest.fixture
def start(desk: Desk) -> Start:
    desk.now_us = time.time_ns() // 1_000
    desk.approved(credit(), upgrade(), credit())
    desk.apply(send=False)  # everything is imported and compiled
    return Start(desk)


def test_four_processes_at_once_have_one_effect_for_each_action(start: Start, quick_path: Path) -> None:
    tally = Tally()
    for number in range(ROUNDS):
        with laid(start, quick_path) as desk:
            codes = race(desk, is_locked=number % 2 == 0)
            assert set(codes) <= {0, 3}, codes  # 3: refused with a sentence, another one runs
            desk.now_us += 1_000_000
            for _ in range(2):  # the loser of a race for one customer is continued by the next run
                if any(action.state in ("approved", "sending", "ambiguous") for action in desk.actions()):
                    desk.apply()
            tally.add(f"round {number}", len(set(codes)) > 1, broken(desk, start.planned))
    print(tally)
    assert tally.wrong == []


def test_four_processes_at_the_edge_of_a_cap_do_not_pass_it(desk: Desk, quick_path: Path) -> None:
    """Six customers' actions are approved, a day may have three."""
    desk.now_us = time.time_ns() // 1_000
    desk.rules = capped(read_policy(), CAP)
    desk.approved(*(courtesy(number) for number in range(1, 7)))
    desk.apply(send=False)
    start = Start(desk)
    for number in range(ROUNDS):
        with laid(start, quick_path) as case:
            race(case, is_locked=number % 2 == 0)
            with suppress(NothingToDo):
                case.apply()
            done = [action for action in case.actions() if action.state == "done"]
            assert len(done) == CAP, case.kinds()
            assert sum(case.world.keys_done.values()) == CAP
            assert broken(case, done) == []
