"""R8: several runners at once, as commands and as threads. test_killed.py has SIGKILL, test_races.py the rounds."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

from actions.apply import Runner
from actions.guard import only_runner
from actions.policy import read_policy
from actions.port import StripeWriter
from actions.state import Action, load
from tests.actions.conftest import KINDS, ME, Desk, credit, upgrade
from tests.commands import ROOT, clean_environment, module

APPLY = ("actions", "apply", "--send")


def settings_of(desk: Desk) -> dict[str, str]:
    return {
        "STRIPE_API_BASE": desk.settings.api_base,
        "STRIPE_ACTIONS_KEY": "rk_test_x",
        "STRIPE_SHADOW_KEY": "rk_test_x",
        "METERWISE_WRITES_PER_SECOND": "0",
    }


def approved_now(desk: Desk, *kinds: str) -> list[Action]:
    """Approved by the wall clock, which is the one that other processes read."""
    desk.now_us = time.time_ns() // 1_000
    return desk.approved(*(KINDS[kind]() for kind in kinds))


def test_four_runners_at_once_have_one_effect_per_action(desk: Desk) -> None:
    planned = approved_now(desk, "credit", "upgrade")
    environment = clean_environment(desk.settings.data, **settings_of(desk))
    command = [sys.executable, "-m", *APPLY]
    runners = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    errors = {runner.communicate(timeout=60)[1] for runner in runners}
    codes = {runner.returncode for runner in runners}
    assert 0 in codes
    assert codes <= {0, 3, 4}, errors  # 3: all done by then; 4: another one runs, and is named
    assert desk.world.effects == {action.action_id: 1 for action in planned}
    assert desk.kinds().count("outcome") == 2


def test_a_second_runner_is_told_which_process_holds_the_ledger(desk: Desk) -> None:
    approved_now(desk, "credit")
    with only_runner(desk.settings.ledger):
        refused = module(desk.settings.data, *APPLY, timeout=60, **settings_of(desk))
    assert refused.returncode == 4
    assert f"PID {os.getpid()}" in refused.stderr
    assert desk.world.requests == []


def test_threads_that_get_past_the_lock_still_have_one_effect(desk: Desk) -> None:
    (planned,) = desk.approved(credit())
    barrier, ends = threading.Barrier(6), []

    def race() -> None:
        ledger = desk.ledger()
        port = StripeWriter("rk_test_x", desk.settings, desk.clock)
        runner, action = Runner(ledger, port, read_policy(), ME, False), load(ledger, planned.action_id)
        barrier.wait()
        ends.append(runner.run(action, True).end)
        ledger.close()

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(ends) == ["done", *["refused"] * 5]
    assert desk.world.effects == {planned.action_id: 1}
    assert desk.kinds().count("intent") == 1


def test_two_plans_for_one_customer_are_never_in_flight_together(desk: Desk) -> None:
    desk.approved(credit(), upgrade())
    desk.world.faults = ["drop before"] * 4
    ends = [result.end for result in desk.apply()]
    assert ends == ["ambiguous", "ambiguous"]
    assert desk.kinds().count("intent") == 1
    assert [result.end for result in desk.apply()] == ["done", "done"]
