"""R1, R2, R3, R4, R5: whatever dies or fails, one effect, and the ledger says so."""

from __future__ import annotations

import pytest

from actions.clock import HOUR_US
from tests.actions.conftest import Desk, credit, upgrade
from tests.actions.faults import FAULTS
from tests.actions.harness import Crash, DiesAt, broken, rerun_until_settled


@pytest.mark.parametrize("fault", ["none", *FAULTS])
def test_every_fault_of_the_wire_ends_in_one_effect(desk: Desk, fault: str) -> None:
    """By HTTP; test_crash_*.py has all points and kinds in memory."""
    planned = desk.approved(credit(), upgrade())
    rig = desk.impatient() if fault == "stall" else desk
    desk.world.faults = [] if fault == "none" else [fault, "", fault]
    with pytest.raises(Crash):
        rig.apply(point=DiesAt(6))  # after the first answer
    rerun_until_settled(rig)
    assert broken(rig, planned) == []


def test_every_try_of_one_attempt_has_the_same_key_and_parameters(desk: Desk) -> None:
    desk.approved(upgrade())
    desk.world.faults = ["drop before", "500 before, not kept", "stall"]
    (result,) = desk.impatient().apply()
    assert result.end == "done"
    keys = {event.idempotency_key for event in result.action.events if event.idempotency_key}
    assert len(keys) == 1
    assert desk.world.writes == 4
    assert [event.kind for event in result.action.events].count("attempt") == 4


def test_a_rate_limit_is_waited_for_and_is_no_new_attempt(desk: Desk) -> None:
    desk.approved(credit())
    desk.world.faults = ["429", "409", "429"]
    (result,) = desk.apply()
    assert result.end == "done"
    assert [event.attempt for event in result.action.events if event.kind == "intent"] == [0]
    assert desk.slept == [2, 2, 2]  # what Retry-After asked for


def test_a_rate_limit_without_end_leaves_the_action_for_the_next_run(desk: Desk) -> None:
    desk.approved(credit())
    desk.world.faults = ["429"] * 8
    assert [result.end for result in desk.apply()] == ["unfinished"]
    assert [result.end for result in desk.apply()] == ["done"]
    assert sum(desk.world.effects.values()) == 1


def test_no_answer_at_all_is_ambiguous_and_the_next_run_finds_out(desk: Desk) -> None:
    desk.approved(credit())
    desk.world.faults = ["drop before"] * 4
    assert [result.end for result in desk.apply()] == ["ambiguous"]
    assert [result.end for result in desk.apply()] == ["done"]
    assert sum(desk.world.effects.values()) == 1


def test_a_kept_500_is_not_asked_for_again_but_looked_up_and_then_tried_with_a_new_key(desk: Desk) -> None:
    desk.approved(credit())
    desk.world.faults = ["500 before, kept"]
    (result,) = desk.apply()
    intents = result.action.intents
    assert [intent.attempt for intent in intents] == [0, 1]
    assert intents[0].idempotency_key != intents[1].idempotency_key
    assert sum(desk.world.effects.values()) == 1


def test_a_kept_500_that_hides_an_effect_is_reconciled(desk: Desk) -> None:
    desk.approved(upgrade())
    desk.world.faults = ["500 after, kept"]
    (result,) = desk.apply()
    assert result.action.events[-1].kind == "reconciled"
    assert result.action.events[-1].object_id == "sub_1"
    assert sum(desk.world.effects.values()) == 1


@pytest.mark.parametrize(("status", "end"), [("402", "failed"), ("400", "failed"), ("404", "refused")])
def test_a_plain_no_ends_the_action_without_keeping_what_stripe_said_of_people(
    desk: Desk, status: str, end: str
) -> None:
    desk.approved(credit())
    desk.world.faults = [status]
    (result,) = desk.apply()
    assert result.end == end
    assert desk.world.effects == {}
    assert "Lovelace" not in "".join(event.body + event.reasoning for event in result.action.events)


def test_a_key_used_with_other_parameters_is_an_alarm_and_never_gets_a_new_key(desk: Desk) -> None:
    desk.approved(credit())
    desk.world.faults = ["drop before"] * 4
    desk.apply()
    key = desk.actions()[0].intents[0].idempotency_key or ""
    desk.world.keys[key] = ("amount=-1", 200, {})
    assert [result.end for result in desk.apply()] == ["ambiguous"]
    for _ in range(3):
        desk.now_us += 25 * HOUR_US
        assert [result.end for result in desk.apply()] in (["blocked"], ["ambiguous"])
        if desk.actions()[0].state == "blocked":
            desk.retry(desk.actions()[0])
    assert len(desk.actions()[0].intents) == 1
    assert desk.world.effects == {}


def test_an_interrupted_action_is_not_resent_after_the_live_state_has_changed(desk: Desk) -> None:
    desk.approved(upgrade())
    with pytest.raises(Crash):
        desk.apply(point=DiesAt(4))  # intent on disk, nothing sent
    desk.world.subscription["status"] = "canceled"
    assert [result.end for result in desk.apply()] == ["ambiguous"]  # the dead process may still be heard
    desk.now_us += HOUR_US
    (result,) = desk.apply()
    assert result.end == "refused"
    assert desk.world.writes == 0


def test_the_approval_must_still_stand_for_a_second_attempt(desk: Desk) -> None:
    desk.approved(credit())
    desk.world.faults = ["drop before"] * 4
    desk.apply()
    desk.now_us += 73 * HOUR_US
    assert [result.end for result in desk.apply()] == ["expired"]
    assert desk.world.effects == {}


def test_a_clock_set_back_after_a_crash_sends_nothing_until_it_has_caught_up(desk: Desk) -> None:
    desk.approved(credit())
    with pytest.raises(Crash):
        desk.apply(point=DiesAt(4))
    desk.now_us -= HOUR_US
    assert [result.end for result in desk.apply()] == ["ambiguous"]
    assert desk.world.writes == 0
    desk.now_us += 2 * HOUR_US
    assert [result.end for result in desk.apply()] == ["done"]
    assert len(desk.actions()[0].intents) == 1
