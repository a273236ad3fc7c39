"""What can come between two runs besides a crash: another plan, a halt, an approval that ends, a stranger's object.

Each runs with whatever runner its desk has, so that the mutants of test_mutants.py go through the same.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from actions.approval import approve
from actions.clock import HOUR_US
from actions.errors import ActionError
from actions.guard import halt, resume
from actions.plan import make_plans
from actions.policy import Policy
from actions.publication import read_publication
from actions.state import load
from tests.actions.conftest import ME, Desk
from tests.actions.harness import (
    Crash,
    DiesAt,
    Start,
    Tally,
    broken,
    come_back,
    crash_everywhere,
    laid,
    settle,
    watch_intents,
)


def crashes(start: Start, folder: Path, tally: Tally) -> None:
    """A few of the faults that tell the mutants apart; the crash tests have them all."""
    for fault in ("", "drop before", "drop after", "500 after, kept"):
        for hours in (0, 25):
            if not tally.wrong:
                crash_everywhere(start, folder, (fault,), hours, tally)


def changed_publication(start: Start, amount: int = 1300) -> Any:
    """The published recommendations with another amount: other parameters, and so another plan."""
    found = read_publication(start.desk.settings.published, start.desk.clock)
    rows = [
        row | {"params": json.dumps(json.loads(row["params"]) | {"amount": -amount}), "amount_minor": amount}
        for row in found.recommendations
    ]
    return replace(found, run_id="run-2", recommendations=rows)


def another_plan(start: Start, folder: Path, tally: Tally) -> None:
    """After a crash at any point the recommendation changes, is planned and approved anew: one effect in all."""
    found = changed_publication(start)
    for n in itertools.count(1):
        with laid(start, folder, "drop after") as desk:
            unannounced: list[str] = []
            watch_intents(desk, unannounced)
            point = DiesAt(n)
            wrong: list[str] = []
            try:
                desk.apply(point=point)
            except Crash:
                come_back(desk)
            ledger = desk.ledger()
            try:
                new = make_plans(ledger, found, desk.policy()).new
                approve(ledger, desk.policy(), [action.action_id for action, _ in new], "agreed", ME)
            except ActionError as error:
                wrong = [f"raised {type(error).__name__}"]
            ledger.close()
            wrong += settle(desk)
            done = [action for action in desk.actions() if action.state == "done"]
            wrong += broken(desk, done, unannounced)
            if sum(desk.world.keys_done.values()) != 1:
                wrong.append("twice" if sum(desk.world.keys_done.values()) else "lost")
            tally.add(f"another plan after point {n}", point.passed >= n, wrong)
        if point.passed < n:
            return


def a_rival(start: Start, folder: Path, tally: Tally) -> None:
    """Two plans of one recommendation are both approved, as two processes that plan at once could bring about."""
    for fault in ("drop after", "drop before", "500 after, kept"):
        with laid(start, folder, fault, "", fault) as desk:
            (first,) = start.planned
            ledger = desk.ledger()
            twin = replace(first.planned, action_id=f"{first.recommendation_id}-00000000", plan_hash="h1:twin")
            with ledger.write():
                ledger.append(twin)
            approve(ledger, desk.policy(), [twin.action_id or ""], "agreed", ME)
            ledger.close()
            wrong: list[str] = []
            for _ in range(3):
                with suppress(ActionError):
                    desk.apply()
                come_back(desk)
            if sum(desk.world.keys_done.values()) != 1:
                wrong.append("twice")
            tally.add(f"a rival, {fault}", False, wrong)


class Halts:
    """Puts the halt file there at the n-th point, and notes how many writes had come by then."""

    def __init__(self, desk: Desk, n: int) -> None:
        self.desk, self.n, self.passed, self.writes = desk, n, 0, 0

    def __call__(self, name: str) -> None:
        self.passed += 1
        if self.passed == self.n:
            (self.desk.settings.ledger.parent / "HALT").touch()
            self.writes = self.desk.world.writes


def a_halt(start: Start, folder: Path, tally: Tally) -> None:
    """A halt at any point lets one call end, no other begin; after `resume` each effect is there once."""
    for n in itertools.count(1):
        with laid(start, folder, *["drop before"] * 3) as desk:
            stop = Halts(desk, n)
            with suppress(ActionError):
                desk.apply(point=stop)
            wrong = ["sent after the halt"] if stop.passed >= n and desk.world.writes > stop.writes + 1 else []
            ledger = desk.ledger()
            halt(ledger, "look at this", ME)
            resume(ledger, "looked", ME)
            ledger.close()
            come_back(desk)
            tally.add(f"halt at point {n}", stop.passed >= n, wrong + settle(desk) + broken(desk, start.planned))
        if stop.passed < n:
            return


def a_late_run(start: Start, folder: Path, tally: Tally) -> None:
    """The approval ends between the moment that the action was chosen and the call."""
    with laid(start, folder) as desk:
        ledger = desk.ledger()
        action = load(ledger, start.planned[0].action_id)
        runner = desk.runner(ledger, desk.port(True), desk.policy(), ME, False)
        desk.now_us += 73 * HOUR_US
        runner.run(action, True)
        ledger.close()
        tally.add("a late run", False, broken(desk, []) + (["sent unapproved"] if desk.world.writes else []))


def a_stranger(start: Start, folder: Path, tally: Tally) -> None:
    """Stripe has an object that looks like ours and carries the tags of another action."""
    with laid(start, folder, *["drop before"] * 4) as desk:
        path = f"/v1/customers/{start.planned[0].planned.customer_id}/balance_transactions"
        tags = {"meterwise_action": "h1:" + "0" * 32 + "-00000000", "meterwise_step": "0"}
        desk.world.objects.post(path, {"amount": -1200, "currency": "usd", "metadata": tags})
        desk.apply()
        come_back(desk)
        tally.add("a stranger", False, settle(desk) + broken(desk, start.planned))


def a_change(start: Start, folder: Path, tally: Tally) -> None:
    """What the plan took for granted is not so any more."""
    for wrong in ("currency", "deleted"):
        with laid(start, folder) as desk:
            desk.world.customer.update({wrong: True if wrong == "deleted" else "jpy"})
            desk.apply()
            tally.add(f"a change of {wrong}", False, ["sent though stale"] if desk.world.writes else [])


def a_cap(start: Start, folder: Path, tally: Tally) -> None:
    """More is approved than a day may have."""
    with laid(start, folder) as desk:
        policy = capped(desk.policy(), actions=0)
        ledger = desk.ledger()
        runner = desk.runner(ledger, desk.port(True), policy, ME, False)
        runner.run(load(ledger, start.planned[0].action_id), True)
        ledger.close()
        tally.add("a cap", False, ["over the cap"] if desk.world.writes else [])


def capped(policy: Policy, actions: int) -> Policy:
    """The same policy (and hash) with another number of actions a day."""
    return replace(policy, caps=policy.caps | {"day": policy.caps["day"] | {"actions": actions}})


SCENARIOS: dict[str, Callable[[Start, Path, Tally], None]] = {
    "crashes": crashes, "another plan": another_plan, "a rival": a_rival, "a halt": a_halt, "a late run": a_late_run,
    "a stranger": a_stranger, "a change": a_change, "a cap": a_cap,
}  # fmt: skip
